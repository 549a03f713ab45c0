//! After the changes: waiting for the new pods, looking again, and what is not as it was predicted.

use super::Args;
use super::live::{Seen, State, look, remaining, report_of};
use super::session::{Session, Stop};
use crate::cli::Surroundings;
use crate::cluster::rollout::Rollout;
use crate::cluster::{Client, Error};
use crate::fix::apply;
use crate::fix::plan::{Outcome, Plan, Wishes};
use crate::fix::predict::left_after;
use crate::fix::report::{FixReport, draw_left};
use crate::inspect::Wanted;
use crate::model::finding::{Finding, Link};
use crate::model::object::ObjectRef;
use crate::report::style::clean;
use std::time::Duration;

/// How long a rollout is waited for.
pub(super) const WAIT: Duration = Duration::from_secs(300);

/// How waiting for the new pods ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    Not,
    Done,
    Stuck,
    OutOfTime,
}

/// Waits for the new pods of all that was restarted, where that is wanted.
pub(super) async fn wait(
    client: &Client,
    args: &Args,
    plan: &Plan,
    session: &Session<'_>,
    around: &mut Surroundings<'_>,
) -> Result<Waited, Stop> {
    if !args.wait {
        return Ok(Waited::Not);
    }
    let made = plan.steps.iter().filter(|step| step.outcome == Outcome::Applied);
    let restarted: Vec<ObjectRef> = made.flat_map(|step| step.restarts.clone()).collect();
    let deadline = tokio::time::Instant::now() + args.timeout.unwrap_or(WAIT);
    let progress = around.terminal.stderr;
    for object in restarted {
        let resource = apply::resource_of(client, &object).await?;
        let name = clean(&object.to_string());
        let stderr = &mut *around.stderr;
        let mut tell = |what: &str| {
            if progress {
                let _ = writeln!(stderr, "{name}: {}", clean(what));
            }
        };
        let rollout = client.wait_for_rollout(&resource, object.namespace.as_deref(), &object.name, &mut tell);
        match tokio::time::timeout_at(deadline, rollout).await {
            Err(_) => {
                session
                    .say(&format!("{name}: its pods are not all new and ready yet; no time left to wait"), around)?;
                return Ok(Waited::OutOfTime);
            }
            Ok(Ok(Rollout::Stuck(why))) => {
                session.say(&format!("{name}: the rollout does not go on: {}", clean(&why)), around)?;
                return Ok(Waited::Stuck);
            }
            Ok(Ok(_)) => {}
            Ok(Err(Error::OutOfTime { .. } | Error::Timeout { .. })) => return Ok(Waited::OutOfTime),
            Ok(Err(error)) => return Err(error.into()),
        }
    }
    Ok(Waited::Done)
}

/// What was to be mended, and how.
pub(super) struct Asked<'a> {
    pub(super) args: &'a Args,
    pub(super) wanted: &'a Wanted,
    pub(super) wishes: &'a Wishes,
    pub(super) before: &'a Seen,
}

/// Looks again, says what is well now, what is left, and where the outcome is not what was predicted.
pub(super) async fn verify(
    client: &Client,
    asked: &Asked<'_>,
    state: &State,
    waited: Waited,
    session: &Session<'_>,
    around: &mut Surroundings<'_>,
) -> Result<FixReport, Stop> {
    let expected = remaining(asked.before, &state.plan, asked.wanted, asked.wishes);
    if state.journal.is_none() {
        return Ok(report_of(state, expected));
    }
    let after = Box::pin(look(client, asked.args, asked.wanted, &state.login)).await?;
    let restarted: Vec<&ObjectRef> = state.plan.steps.iter().flat_map(|step| &step.restarts).collect();
    // Without waiting, the pods that are seen are the old ones still.
    let settled = |finding: &&Finding| {
        waited == Waited::Done
            || !(matches!(finding.link, Link::Pod | Link::Token) && restarted.contains(&&finding.object))
    };
    let left: Vec<Finding> =
        left_after(&asked.before.report, &after.report, asked.wishes).into_iter().filter(settled).cloned().collect();
    for line in surprises(&expected, &left) {
        session.say(&line, around)?;
    }
    let style = session.style(around);
    for target in &after.report.targets {
        let rolling = restarted.contains(&&target.object) && waited == Waited::Not;
        let note = if rolling {
            format!(
                "  its pods are being replaced: kubectl rollout status {} -n {}",
                target.object.argument(),
                target.object.namespace.as_deref().unwrap_or_default()
            )
        } else {
            String::new()
        };
        let word = serde_json::to_value(target.verdict).ok().and_then(|word| word.as_str().map(str::to_owned));
        let line = format!("{}: {}{note}", target.object, word.unwrap_or_default());
        session.say(&style.dim(&clean(&line)), around)?;
    }
    let mut report = report_of(state, left);
    report.after = Some(after.report.summary);
    let lines = draw_left(&report.left, &state.plan, style);
    if !lines.is_empty() {
        session.say(lines.trim_end(), around)?;
    }
    if let Some(undo) = &report.undo {
        session.say(&format!("to take it back: {}", style.command(undo)), around)?;
    }
    Ok(report)
}

/// Where the outcome differs from the prediction, in both directions.
fn surprises(expected: &[Finding], left: &[Finding]) -> Vec<String> {
    let without = |these: &[Finding], those: &[Finding], what: &str| -> Vec<String> {
        let only = these.iter().filter(|finding| !those.iter().any(|other| other.id == finding.id));
        only.map(|f| clean(&format!("not as predicted: {} ({}) of {} is {what}", f.name, f.code, f.object))).collect()
    };
    [without(left, expected, "there"), without(expected, left, "gone")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{loose, tool::InvalidObject};

    #[test]
    fn what_is_not_as_predicted_is_said_in_both_directions() {
        let finding = |name: &str| loose::<InvalidObject>(&ObjectRef::new("v1", "Pod", Some("n"), name), "", "");
        let (kept, gone, new) = (finding("kept"), finding("gone"), finding("new"));
        let lines = surprises(&[kept.clone(), gone], &[kept, new]);
        assert_eq!(
            lines,
            [
                "not as predicted: invalid-object (WI003) of Pod n/new is there",
                "not as predicted: invalid-object (WI003) of Pod n/gone is gone"
            ]
        );
    }
}
