//! What will be found once a plan is carried out: the same rules on the objects as they will be.

use super::plan::{Outcome, Plan, Wishes};
use crate::apps;
use crate::azure::object::is_credential;
use crate::inspect::Input;
use crate::model::finding::Finding;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::{ObjectRef, Origin};
use crate::report::model::InspectReport;
use serde_json::Value;
use std::collections::BTreeSet;

/// The object after the plan, for the prediction: the input as it will be.
pub fn predicted(input: &Input, plan: &Plan) -> Input {
    let mut inventory = input.inventory.clone();
    let made = plan.steps.iter().filter(|step| matches!(step.outcome, Outcome::Planned | Outcome::Applied));
    for step in made.filter(|step| !is_credential(&step.object)) {
        let origin = step.origin.clone().map_or(Origin::Cluster, Origin::File);
        let namespace = step.object.namespace.as_deref().unwrap_or_default();
        // An object that does not fit its kind was refused when it was read.
        let _ = inventory.add_value(step.desired.clone(), origin, namespace);
        for object in &step.restarts {
            inventory.end_pods_of(object);
            forget_status(&mut inventory, object);
        }
    }
    let texts = input.texts.clone();
    let mut cluster = input.cluster.clone();
    cluster.find(&inventory);
    if cluster.webhook.known().is_none() {
        cluster.webhook = input.cluster.webhook.clone();
    }
    let azure = super::azure::predicted(&input.azure, plan);
    Input { inventory, cluster, problems: input.problems.clone(), texts, azure, ..Input::default() }
}

/// What an operator has written into the status of its custom resources is of the past once it starts anew.
fn forget_status(inventory: &mut Inventory, object: &ObjectRef) {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let Some(workload) = inventory.workload(&object.kind, namespace, &object.name) else { return };
    let parts = apps::recognise(workload, inventory);
    let uses = |resource: &RawObject| {
        parts.iter().any(|part| {
            let users = part.application.users(resource, inventory);
            users.iter().any(|user| user.meta.object == *object)
        })
    };
    let written = inventory.others().iter().filter(|other| other.value.get("status").is_some() && uses(other));
    let mut past: Vec<(Value, Origin)> =
        written.map(|other| (other.value.clone(), other.meta.origin.clone())).collect();
    for (value, origin) in past.drain(..) {
        let mut value = value;
        if let Some(map) = value.as_object_mut() {
            map.remove("status");
        }
        let _ = inventory.add_value(value, origin, namespace);
    }
}

/// The findings that are wanted and still there after the plan. A symptom whose causes are mended goes with them: it
/// is of the past.
pub fn left_after<'a>(before: &InspectReport, after: &'a InspectReport, wishes: &Wishes) -> Vec<&'a Finding> {
    let all =
        |report: &'a InspectReport| report.targets.iter().flat_map(|target| &target.findings).chain(&report.findings);
    let still: BTreeSet<&str> = all(after).map(|finding| finding.id.as_str()).collect();
    let explained: BTreeSet<&str> = before
        .targets
        .iter()
        .flat_map(|target| &target.findings)
        .chain(&before.findings)
        .filter(|finding| !finding.blocked_by.is_empty())
        .filter(|finding| finding.blocked_by.iter().all(|cause| !still.contains(cause.as_str())))
        .map(|finding| finding.id.as_str())
        .collect();
    let mut left: Vec<&Finding> =
        all(after).filter(|finding| wishes.wants(finding) && !explained.contains(finding.id.as_str())).collect();
    let mut seen = BTreeSet::new();
    left.retain(|finding| seen.insert(finding.id.as_str()));
    left
}
