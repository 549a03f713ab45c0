//! The way back: what a run changed, as long as it still is as the run left it.

use super::apply::read;
use super::journal;
use super::path::{Edit, apply, drifts, reversed, with_mirrors};
use super::plan::{Outcome, Plan, PlanStep};
use crate::cluster::{Client, Error, FIELD_MANAGER};
use serde_json::Value;

/// The steps that take a run back, from what stands in its fields now. One whose fields somebody changed since is
/// refused.
pub async fn undo(client: &Client, run: &journal::Run) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    for (sent, confirmed) in run.sent.iter().rev() {
        let object = sent.object();
        let now = read(client, &object).await?;
        let step = undo_step(sent, now, *confirmed);
        // Two requests for one object are one way back.
        if !plan.steps.iter().any(|other: &PlanStep| other.object == object && other.edits == step.edits) {
            plan.steps.push(step);
        }
    }
    Ok(plan)
}

/// The step that takes one request back.
pub(super) fn undo_step(sent: &journal::Sent, now: Value, confirmed: bool) -> PlanStep {
    let object = sent.object();
    let back = with_mirrors(&now, reversed(&sent.edits));
    let mut step = PlanStep::of(&object, now, back);
    let now = &step.current;
    let gone = now.is_null();
    let uid = now.pointer("/metadata/uid").and_then(Value::as_str);
    let drifted = drifts(now, &step.edits);
    let changed: Vec<String> = drifted.iter().filter(|drift| !drift.done).map(|drift| drift.path.clone()).collect();
    let is_back = drifted.len() == step.edits.len() && changed.is_empty();
    if sent.deletes {
        step.end(Outcome::Refused, "it was deleted; it is not made again by an undo");
    } else if gone && sent.creates {
        step.end(Outcome::Skipped, "it is not there any more");
    } else if gone {
        step.end(Outcome::Refused, "it was deleted since");
    } else if sent.uid.is_some() && sent.uid.as_deref() != uid {
        step.end(Outcome::Refused, "it was deleted and made anew since");
    } else if is_back && !sent.creates {
        step.end(Outcome::Skipped, "it is as it was before; there is nothing to take back");
    } else if !changed.is_empty() {
        step.end(Outcome::Refused, format!("somebody changed it since: {}", changed.join(", ")));
    } else if step.edits.iter().any(|edit: &Edit| edit.after.as_ref().is_some_and(journal::is_left_out)) {
        step.end(Outcome::Refused, "it held a value that may be a secret and was not kept; put it back by hand");
    } else if sent.creates && others_wrote(now) {
        step.end(Outcome::Refused, "somebody else has written to it since; delete it by hand");
    } else if sent.creates {
        step.desired = Value::Null;
        step.summaries.push("delete what the run made".to_owned());
    } else {
        step.edits.retain(|edit| edit.path.get(&step.current) != edit.after.as_ref());
        match apply(&step.current, &step.edits) {
            Ok(desired) => step.desired = desired,
            Err(why) => step.end(Outcome::Refused, why),
        }
        step.summaries.push("put the fields back".to_owned());
    }
    if !confirmed {
        step.summaries.push("the run ended before the change was confirmed".to_owned());
    }
    step
}

/// Whether `managedFields` names anybody but us.
fn others_wrote(object: &Value) -> bool {
    let managers = object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    managers.filter_map(|entry| entry.get("manager")?.as_str()).any(|manager| manager != FIELD_MANAGER)
}
