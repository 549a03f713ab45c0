//! Every rule's fix, on the rule's own cases: what is planned mends what was found, fits together, goes back exactly,
//! and is written into manifests once.

use crate::fixable_cases::{self, everything, fires, fixable, planned, read};
use kubectl_wi::azure::object::{credential_of, credential_value};
use kubectl_wi::fix::files::Manifests;
use kubectl_wi::fix::path::{apply, reversed};
use kubectl_wi::fix::plan::{Found, Objects, Outcome, Wishes};
use kubectl_wi::fix::predict::{left_after, predicted};
use kubectl_wi::inspect::inspect;
use kubectl_wi::model::finding::FixKind;
use kubectl_wi::model::object::{ObjectRef, Origin};
use kubectl_wi::report::model::InspectReport;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// The manifests of a case, with what Azure says of them where the case has facts.
fn with_azure(folder: &Path) -> Manifests {
    let text = std::fs::read_to_string(folder.join("facts")).unwrap_or_default();
    let facts = crate::facts::issuer_and_azure(&text);
    let issuer = facts.as_ref().and_then(|(issuer, _)| issuer.as_deref());
    let mut manifests = read(folder, issuer);
    if let Some((_, azure)) = &facts {
        azure.ask(&mut manifests.input, &everything().selection);
    }
    manifests
}

/// The federated credentials that a plan may change, as Azure has them.
fn credentials(manifests: &Manifests, before: &InspectReport) -> Objects {
    let changes = before.targets.iter().flat_map(|target| &target.findings).flat_map(|finding| &finding.fix);
    let named = changes.flat_map(|fix| &fix.changes).map(|change| &change.object);
    let known = || manifests.input.azure.identities.values();
    let read = |object: &ObjectRef| {
        let (identity, name) = credential_of(object)?;
        let own = known().find(|facts| facts.found().is_some_and(|found| found.id == identity))?;
        let found = own.credentials.known()?.iter().find(|credential| credential.name == name.as_str());
        let value = found.map_or(Value::Null, |credential| credential_value(object, credential));
        Some((object.clone(), Found { value, origin: Origin::Cluster }))
    };
    named.filter_map(read).collect()
}

fn wishes(code: &str) -> Wishes {
    Wishes { azure: true, ..fixable_cases::wishes(code) }
}

/// How many findings the plan mends, in the eyes of the same rules.
fn mends(code: &str, folder: &Path, problems: &mut Vec<String>) -> usize {
    let name = folder.display();
    let manifests = with_azure(folder);
    let before = inspect(&manifests.input, &everything()).unwrap();
    let live = |found: &Found| Found { value: found.value.clone(), origin: Origin::Cluster };
    let mut objects: Objects = manifests.objects.iter().map(|(object, found)| (object.clone(), live(found))).collect();
    objects.extend(credentials(&manifests, &before));
    let mut wishes = wishes(code);
    let plan = planned(&manifests, &objects, &before, &mut wishes);
    let made: Vec<_> = plan.steps.iter().filter(|step| step.outcome == Outcome::Planned).collect();
    for step in &made {
        if apply(&step.current, &step.edits).as_ref() != Ok(&step.desired) {
            problems.push(format!("{name}: {} is not what its edits make of it", step.object));
        }
        let back = apply(&step.desired, &reversed(&step.edits));
        if !step.creates() && back.as_ref() != Ok(&step.current) {
            problems.push(format!("{name}: {} is not as it was: {back:?}", step.object));
        }
    }
    let refused: Vec<_> = plan.steps.iter().filter(|step| step.outcome != Outcome::Planned).collect();
    problems.extend(
        refused
            .iter()
            .filter(|step| step.commands.is_empty())
            .map(|step| format!("{name}: {} is refused without a way", step.object)),
    );
    let after = inspect(&predicted(&manifests.input, &plan), &everything()).unwrap();
    let left: BTreeSet<&str> =
        left_after(&before, &after, &wishes).into_iter().map(|finding| finding.id.as_str()).collect();
    let open = |id: &String| refused.iter().any(|step| step.findings.contains(id));
    let mended: Vec<&String> = plan.planned.iter().map(|finding| &finding.id).filter(|id| !open(id)).collect();
    let still = mended.iter().filter(|id| left.contains(id.as_str()));
    problems.extend(still.map(|id| format!("{name}: {id} is still there after its fix")));
    mended.len()
}

/// Writes the plan into copies of the manifests; a second plan has nothing to do.
fn is_written_once(code: &str, folder: &Path, problems: &mut Vec<String>) {
    let name = folder.display();
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        std::fs::copy(&entry, copy.path().join(entry.file_name().unwrap())).unwrap();
    }
    let manifests = with_azure(copy.path());
    let before = inspect(&manifests.input, &everything()).unwrap();
    let mut wishes = wishes(code);
    let mut plan = planned(&manifests, &manifests.objects, &before, &mut wishes);
    manifests.diffs(&mut plan);
    for (file, text) in manifests.changed(&mut plan) {
        std::fs::write(file, text).unwrap();
    }
    let refused = plan.steps.iter().filter(|step| step.outcome != Outcome::Planned);
    problems.extend(refused.map(|step| format!("{name}: {} cannot be written: {:?}", step.object, step.why)));
    let manifests = with_azure(copy.path());
    let after = inspect(&manifests.input, &everything()).unwrap();
    let again = planned(&manifests, &manifests.objects, &after, &mut wishes);
    problems.extend(again.steps.iter().map(|step| format!("{name}: a second run would change {}", step.object)));
}

#[test]
fn every_fixable_rule_is_mended_by_its_fix_and_goes_back_exactly() {
    let mut problems = Vec::new();
    for (code, kind) in fixable() {
        let mut mended = 0;
        for folder in fires(code) {
            mended += mends(code, &folder, &mut problems);
            // What changes in Azure is written into no manifest.
            if kind != FixKind::Access {
                is_written_once(code, &folder, &mut problems);
            }
        }
        if mended == 0 {
            problems.push(format!("{code}: no case of it is mended by its fix"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
