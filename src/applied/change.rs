//! What applying changes of one target, against what runs.

use super::Overlay;
use crate::chain::compare::{Shown, presented};
use crate::chain::select::Selection;
use crate::chain::{Chain, Target};
use crate::inspect::{Wanted, inspect};
use crate::model::fact::Fact;
use crate::model::object::ObjectRef;
use crate::report::model::{AppliedReport, ChangeKind, FieldChange, PodsAfter, Verdict};
use crate::webhook::keys;
use std::collections::HashMap;

/// What a target is to Azure, as a reader compares it.
struct Face(Vec<(&'static str, Option<String>)>);

impl Face {
    fn of(chain: &Chain<'_>) -> Self {
        let mut face = Vec::new();
        let labelled = chain.peek_workload().map(|workload| workload.template.metadata.label(keys::USE_LABEL));
        if let Some(label) = labelled {
            face.push((keys::USE_LABEL, label.map(str::to_owned)));
        }
        if !matches!(chain.target(), Target::Other(_)) {
            face.push(("service account", Some(chain.account_name().to_owned())));
        }
        let identities = chain.identities();
        let all = |of: fn(&crate::report::model::IdentityReport) -> &Option<String>| {
            let mut values: Vec<&str> = identities.iter().filter_map(|identity| of(identity).as_deref()).collect();
            values.dedup();
            (!values.is_empty()).then(|| values.join(", "))
        };
        face.push(("subject", all(|identity| &identity.subject)));
        face.push(("client id", running_client_id(chain).or_else(|| all(|identity| &identity.client_id))));
        face.push(("tenant", all(|identity| &identity.tenant_id)));
        face.push(("audience", all(|identity| &identity.audience)));
        face.push(("token file", chain.token_file()));
        Self(face)
    }

    fn differences(&self, after: Self) -> Vec<FieldChange> {
        let before = |what: &str| self.0.iter().find(|(name, _)| *name == what).and_then(|(_, value)| value.clone());
        let pairs = after.0.into_iter().map(|(what, after)| FieldChange { what, before: before(what), after });
        pairs.filter(|change| change.before != change.after).collect()
    }
}

/// The client id that the newest running pod was given, which an account that was changed since no longer tells.
fn running_client_id(chain: &Chain<'_>) -> Option<String> {
    let Fact::Known(pods) = chain.pods() else { return None };
    presented(&pods.first()?.spec).into_iter().find_map(|container| match container.client_id {
        Shown::Value(id) if !id.is_empty() => Some(id),
        _ => None,
    })
}

/// The cluster as it is, judged, for comparison.
pub struct Compared<'a> {
    overlay: &'a Overlay,
    verdicts: HashMap<ObjectRef, Verdict>,
}

impl<'a> Compared<'a> {
    /// Judges all that the same namespaces hold now.
    pub fn new(overlay: &'a Overlay, wanted: &Wanted) -> Self {
        let selection = Selection { items: Vec::new(), labels: Vec::new(), ..wanted.selection.clone() };
        let report = inspect(&overlay.live, &Wanted { selection, ..wanted.clone() });
        // Without names nothing can be missing.
        let targets = report.map(|report| report.targets).unwrap_or_default();
        let meant = targets.into_iter().filter(|target| target.verdict != Verdict::NotConfigured);
        let verdicts = meant.map(|target| (target.object, target.verdict)).collect();
        Self { overlay, verdicts }
    }

    /// Whether a target is meant for identity as things are.
    pub fn was_meant(&self, target: &ObjectRef) -> bool {
        self.verdicts.contains_key(target)
    }

    /// What applying changes of a target, against what runs.
    pub fn change(&self, after: &Chain<'_>, verdict: Verdict) -> AppliedReport {
        let (overlay, live) = (self.overlay, &self.overlay.live);
        let object = after.target().object();
        let before = self.before(after).map(|target| Chain::new(target, &live.inventory, &live.cluster));
        let old = before.as_ref().map(Face::of);
        let verdict_before = self.verdicts.get(object).copied();
        let differences = old.as_ref().map(|old| old.differences(Face::of(after))).unwrap_or_default();
        let same = verdict_before == Some(verdict) || verdict_before.is_none() && verdict == Verdict::NotConfigured;
        let change = match old {
            None => ChangeKind::Created,
            Some(_) if same && differences.is_empty() => ChangeKind::Unchanged,
            Some(_) => ChangeKind::Changed,
        };
        let running = before.and_then(|before| before.pods().known().map(|pods| pods.len())).unwrap_or_default();
        let pods = match running {
            0 => PodsAfter::None,
            _ if overlay.renews(object) => PodsAfter::Replaced,
            _ => PodsAfter::Kept,
        };
        AppliedReport { change, verdict_before, differences, pods, running }
    }

    /// The same target as it is in the cluster.
    fn before(&self, after: &Chain<'_>) -> Option<Target<'a>> {
        let (inventory, object) = (&self.overlay.live.inventory, after.target().object());
        let namespace = object.namespace.as_deref();
        let in_namespace = namespace.unwrap_or_default();
        match after.target() {
            Target::Workload(_) => inventory.workload(&object.kind, in_namespace, &object.name).map(Target::Workload),
            Target::Account(_) => inventory.account(in_namespace, &object.name).known().copied().map(Target::Account),
            Target::Other(_) => {
                inventory.other(&object.kind, namespace, &object.name).known().copied().map(Target::Other)
            }
        }
    }
}
