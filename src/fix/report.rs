//! The report of `fix` as data: the JSON that users rely on.

use super::diff;
use super::plan::{Outcome, Plan, PlanStep};
use crate::model::finding::{Finding, FixKind};
use crate::model::object::ObjectRef;
use crate::report::model::{API_VERSION, Summary};
use crate::report::style::{Style, clean, wrap};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// What `fix` planned, and what became of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FixReport {
    /// [`API_VERSION`]
    pub api_version: &'static str,
    /// `FixReport`
    pub kind: &'static str,
    /// The run's id in the journal; `None` where nothing was sent to a cluster.
    pub run: Option<String>,
    /// The changes, in the order in which they are made.
    pub plan: Vec<StepReport>,
    /// Numbers before.
    pub before: Summary,
    /// Numbers after; `None` where nothing was changed.
    pub after: Option<Summary>,
    /// What is wrong still, or would be once the plan is carried out.
    pub left: Vec<Finding>,
    /// The command that takes it back; `None` where there is nothing to take back.
    pub undo: Option<String>,
}

/// The change of one object.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// The object.
    pub object: ObjectRef,
    /// What it touches.
    pub kind: FixKind,
    /// Workloads whose pods are replaced.
    pub restarts: Vec<ObjectRef>,
    /// Unified diff; values that may be secrets are left out.
    pub diff: String,
    /// Ids of the findings that it mends.
    pub findings: Vec<String>,
    /// Who will undo it.
    pub reverted_by: Option<String>,
    /// The change where it survives.
    pub at_source: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub why: Option<String>,
}

impl FixReport {
    /// The report of a plan as it stands.
    pub fn new(plan: &Plan, diffs: &[String], before: Summary, left: Vec<Finding>) -> Self {
        let steps = plan.steps.iter().zip(diffs).map(|(step, diff)| StepReport {
            object: step.object.clone(),
            kind: step.kind,
            restarts: step.restarts.clone(),
            diff: diff.clone(),
            findings: step.findings.clone(),
            reverted_by: step.reverted_by.clone(),
            at_source: step.at_source.clone(),
            outcome: step.outcome,
            why: step.why.clone(),
        });
        Self {
            api_version: API_VERSION,
            kind: "FixReport",
            run: None,
            plan: steps.collect(),
            before,
            after: None,
            left,
            undo: None,
        }
    }

    /// Whether everything that was asked for was, or can be, fixed.
    pub fn is_complete(&self) -> bool {
        let made = |step: &StepReport| matches!(step.outcome, Outcome::Applied | Outcome::Planned);
        self.left.is_empty() && self.plan.iter().all(made)
    }
}

/// The diff of a step on a cluster.
pub fn live_diff(step: &PlanStep) -> String {
    let before = if step.creates() { String::new() } else { diff::yaml(&step.current) };
    let after = if step.desired.is_null() { String::new() } else { diff::yaml(&step.desired) };
    diff::unified(&step.object.to_string(), &before, &after)
}

/// Draws one step: what it is, its diff, and what a person has to know before saying yes.
pub fn draw_step(step: &PlanStep, diff: &str, style: Style) -> String {
    let mut out = String::new();
    let does = match &step.origin {
        Some(origin) => clean(&format!("{}:{}", origin.file, origin.line)),
        None if step.creates() => "creates it".to_owned(),
        None if step.desired.is_null() => "deletes it".to_owned(),
        None if step.restarts.is_empty() => "restarts nothing".to_owned(),
        None => "restarts pods".to_owned(),
    };
    let title = clean(&step.object.to_string());
    let _ = writeln!(out, "{}   {}", style.bold(&title), style.dim(&does));
    for summary in &step.summaries {
        bullet(&mut out, summary, style);
    }
    out.push_str(&super::diff::coloured(diff, style));
    for note in &step.notes {
        bullet(&mut out, note, style);
    }
    if let Some(reverted) = &step.reverted_by {
        let _ = writeln!(out, "  {}", style.warning(&format!("will be reverted: {}", clean(reverted))));
    }
    if let Some(source) = &step.at_source {
        let _ = writeln!(out, "  where it survives:");
        for line in source.lines() {
            let _ = writeln!(out, "    {}", style.command(&clean(line)));
        }
    }
    if step.outcome != Outcome::Planned {
        let _ = writeln!(out, "  {}", ended(step, style));
        for command in &step.commands {
            let _ = writeln!(out, "       {}", style.command(&clean(command)));
        }
    }
    out
}

fn bullet(out: &mut String, text: &str, style: Style) {
    for (at, line) in wrap(&clean(text), style.width.saturating_sub(4)).iter().enumerate() {
        let _ = writeln!(out, "  {} {line}", if at == 0 { "-" } else { " " });
    }
}

/// What became of a step, in one line.
pub fn ended(step: &PlanStep, style: Style) -> String {
    let word = match step.outcome {
        Outcome::Applied => style.good("applied"),
        Outcome::Planned => style.good("planned"),
        Outcome::Skipped => style.dim("skipped"),
        Outcome::Refused => style.warning("refused"),
        Outcome::Conflict => style.error("conflict"),
        Outcome::Failed => style.error("failed"),
    };
    match &step.why {
        Some(why) => format!("{word}: {}", clean(why)),
        None => word,
    }
}

/// Draws what is left, with why, and the next command.
pub fn draw_left(left: &[Finding], plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    if left.is_empty() {
        return out;
    }
    let _ = writeln!(out, "{}", style.bold("not fixed by this:"));
    for finding in left {
        let why = plan.left.iter().find(|left| left.finding.id == finding.id).map(|left| left.why.as_str());
        let title = format!("{} ({}) of {}", finding.name, finding.code, finding.object);
        let _ = writeln!(out, "  {} {}", style.warning("-"), clean(&title));
        let reason = why.unwrap_or(&finding.message);
        for line in wrap(&clean(reason), style.width.saturating_sub(4)) {
            let _ = writeln!(out, "    {line}");
        }
        for command in finding.fix.iter().flat_map(|fix| &fix.commands) {
            let _ = writeln!(out, "       {}", style.command(&clean(command)));
        }
    }
    out
}
