//! Every rule's fix, on the rule's own cases: what is planned mends what was found, fits together, goes back exactly,
//! and is written into manifests once.

use kubectl_wi::azure::object::{credential_of, credential_value};
use kubectl_wi::chain::select::{Scope, Selection};
use kubectl_wi::fix::answers::Answers;
use kubectl_wi::fix::candidates::candidates;
use kubectl_wi::fix::files::{Manifests, load};
use kubectl_wi::fix::path::{apply, reversed};
use kubectl_wi::fix::plan::{Found, Objects, Outcome, Plan, Wishes, plan};
use kubectl_wi::fix::predict::{left_after, predicted};
use kubectl_wi::inspect::{Wanted, inspect};
use kubectl_wi::manifest::read::Paths;
use kubectl_wi::model::finding::FixKind;
use kubectl_wi::model::object::{ObjectRef, Origin};
use kubectl_wi::report::model::InspectReport;
use kubectl_wi::rules::registry;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const CLIENT_ID: &str = "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2";
const TENANT_ID: &str = "0f1e2d3c-4b5a-4697-8877-665544332211";

/// Rules whose findings only `exec-probe` has, which `fix` does not run.
const BY_PROBE: &[&str] = &["WI410", "WI411", "WI412", "WI413", "WI415"];

fn fixable() -> impl Iterator<Item = (&'static str, FixKind)> {
    let applied = |kind: &FixKind| matches!(kind, FixKind::Metadata | FixKind::Restart | FixKind::Access);
    registry::infos()
        .filter_map(move |info| Some((info.code, info.fix.filter(applied)?)))
        .filter(|(code, _)| !BY_PROBE.contains(code))
}

fn fires(code: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let inside = |folder: &Path| -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    };
    let named = |path: &Path, prefix: &str| path.file_name().unwrap().to_str().unwrap().starts_with(prefix);
    let rule = inside(&root).into_iter().find(|path| named(path, &format!("{code}-"))).unwrap();
    inside(&rule).into_iter().filter(|path| named(path, "fires-")).collect()
}

fn read(folder: &Path) -> Manifests {
    let paths = Paths { paths: vec![folder.to_str().unwrap().to_owned()], recursive: false };
    let args = std::fs::read_to_string(folder.join("args")).unwrap_or_default();
    let text = std::fs::read_to_string(folder.join("facts")).unwrap_or_default();
    let facts = crate::facts::issuer_and_azure(&text);
    let issuer = facts.as_ref().and_then(|(issuer, _)| issuer.as_deref());
    let mut manifests = load(&paths, &mut std::io::empty(), "default", args.contains("--as-cluster"), issuer).unwrap();
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

fn everything() -> Wanted {
    let selection = Selection { scope: Scope::All, items: Vec::new(), labels: Vec::new() };
    Wanted { selection, select: Vec::new(), suppressions: Vec::new(), today: jiff::civil::date(2026, 11, 21) }
}

fn wishes(code: &str) -> Wishes {
    let answers =
        Answers { client_id: Some(CLIENT_ID.to_owned()), tenant_id: Some(TENANT_ID.to_owned()), ..Answers::default() };
    Wishes { only: vec![code.to_owned()], answers, now: "2026-11-21T12:00:00Z".to_owned(), azure: true }
}

/// The plan with every question answered: the first candidate, or a name of its own.
fn planned(manifests: &Manifests, objects: &Objects, before: &InspectReport, wishes: &mut Wishes) -> Plan {
    let first = plan(&manifests.input, before, objects, wishes);
    for (ask, _) in &first.open {
        let seen = candidates(ask, &manifests.input, &[]).into_iter().next().map(|candidate| candidate.value);
        wishes.answers.give(ask, seen.unwrap_or_else(|| "of-its-own".to_owned()));
    }
    plan(&manifests.input, before, objects, wishes)
}

/// How many findings the plan mends, in the eyes of the same rules.
fn mends(code: &str, folder: &Path, problems: &mut Vec<String>) -> usize {
    let name = folder.display();
    let manifests = read(folder);
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
    let manifests = read(copy.path());
    let before = inspect(&manifests.input, &everything()).unwrap();
    let mut wishes = wishes(code);
    let mut plan = planned(&manifests, &manifests.objects, &before, &mut wishes);
    manifests.diffs(&mut plan);
    for (file, text) in manifests.changed(&mut plan) {
        std::fs::write(file, text).unwrap();
    }
    let refused = plan.steps.iter().filter(|step| step.outcome != Outcome::Planned);
    problems.extend(refused.map(|step| format!("{name}: {} cannot be written: {:?}", step.object, step.why)));
    let manifests = read(copy.path());
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
