//! What a plan does to pods that run, and which restarts are not offered because the pods could not come back.

use super::effect;
use super::plan::{Outcome, Plan, PlanStep};
use crate::inspect::Input;
use crate::model::finding::{Finding, Level};
use crate::model::object::ObjectRef;
use crate::report::model::InspectReport;
use crate::report::text::all_findings;

/// How many pods of a workload run.
pub fn live_pods(input: &Input, object: &ObjectRef) -> usize {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let workload = input.inventory.workload(&object.kind, namespace, &object.name);
    workload.map_or(0, |workload| input.inventory.pods_of(workload).iter().filter(|pod| pod.is_live()).count())
}

/// What a step does to pods; a step that cannot be made in place is refused with what to do instead.
pub fn effects(step: &mut PlanStep, pods: usize) {
    if step.origin.is_some() || !step.is_planned() || !step.changes_template() {
        return;
    }
    let effect = effect::of_template(&step.object, &step.current, pods);
    step.notes.extend(effect.notes);
    if effect.restarts {
        step.restarts.push(step.object.clone());
    }
    if let Some((why, commands)) = effect.refused {
        step.end(Outcome::Refused, why);
        step.commands = commands;
    }
}

/// The webhook findings with which new pods would be no better, or could not be made at all.
pub fn gates<'a>(report: &'a InspectReport, object: &ObjectRef) -> Vec<&'a Finding> {
    const CODES: &[&str] = &["WI301", "WI302", "WI303", "WI306", "WI310"];
    let Some(target) = report.targets.iter().find(|target| target.object == *object) else { return Vec::new() };
    let mut found = all_findings(report, target);
    found.retain(|finding| finding.level == Level::Error && CODES.contains(&finding.code));
    found
}

/// Refuses what would restart pods while the webhook could not act on them.
pub fn close_gates(plan: &mut Plan, report: &InspectReport) {
    for step in plan.steps.iter_mut().filter(|step| step.is_planned()) {
        if step.restarts.is_empty() {
            continue;
        }
        let names: Vec<String> =
            gates(report, &step.object).iter().map(|finding| format!("{} ({})", finding.name, finding.code)).collect();
        if !names.is_empty() {
            let why = format!("new pods would get no identity while {} is open: mend that first", names.join(", "));
            step.end(Outcome::Refused, why);
        }
    }
}
