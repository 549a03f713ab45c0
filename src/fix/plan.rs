//! The plan: the fixes of all findings as the smallest set of changes, one for each object, in the order in which
//! they are made. Pure: the objects were read before, and nothing is changed here.

use super::answers::{self, Answers};
use super::difference::differences;
use super::making::Making;
use super::merge::together;
use super::owner::Source;
use super::path::{Edit, apply, with_mirrors};
use super::safety;
use crate::inspect::Input;
use crate::model::finding::{Ask, Finding, FixKind, Level};
use crate::model::object::{FileOrigin, ObjectRef, Origin};
use crate::model::workload::template_pointer;
use crate::report::model::{InspectReport, TargetReport};
use crate::report::text::all_findings;
use crate::rules::registry;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// An object as it was read.
#[derive(Debug, Clone)]
pub struct Found {
    /// The whole object; null where it does not exist.
    pub value: Value,
    /// Where it was read.
    pub origin: Origin,
}

/// Objects by what they are.
pub type Objects = BTreeMap<ObjectRef, Found>;

/// What is wanted of the plan.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// `--only`: codes and prefixes; empty: all warnings and errors.
    pub only: Vec<String>,
    /// What a person said.
    pub answers: Answers,
    /// The time that stands in a restart's annotation.
    pub now: String,
    /// `--azure`: whether access in Azure may be granted.
    pub azure: bool,
}

impl Wishes {
    /// Whether a finding is to be mended.
    pub fn wants(&self, finding: &Finding) -> bool {
        if self.only.is_empty() {
            return finding.level >= Level::Warning;
        }
        self.only.iter().any(|selector| registry::matches(selector, finding.code))
    }
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was made.
    Applied,
    /// It was not asked for, or a person said no, or a value is missing.
    Skipped,
    /// It must not, or cannot, be made.
    Refused,
    /// Somebody else changed the same fields.
    Conflict,
    /// It was tried and did not work.
    Failed,
    /// It can be made.
    Planned,
}

/// The change of one object.
#[derive(Debug, Clone)]
pub struct PlanStep {
    /// The object.
    pub object: ObjectRef,
    /// The strongest of what it touches.
    pub kind: FixKind,
    /// Ids of the findings that it mends.
    pub findings: Vec<String>,
    /// What it does, one line for each fix.
    pub summaries: Vec<String>,
    /// The object as it was read; null where it is made.
    pub current: Value,
    /// The object as it is to be.
    pub desired: Value,
    /// The fields that differ.
    pub edits: Vec<Edit>,
    /// Where it stands in a file.
    pub origin: Option<FileOrigin>,
    /// Workloads whose pods are replaced.
    pub restarts: Vec<ObjectRef>,
    /// What a person should know before saying yes.
    pub notes: Vec<String>,
    /// What to run instead, where the step is not made.
    pub commands: Vec<String>,
    /// Helm values that keep it, where a rule knows them.
    pub values: Vec<String>,
    /// Who will undo it.
    pub reverted_by: Option<String>,
    /// The change where it survives.
    pub at_source: Option<String>,
    /// The object of the cluster in which it survives, where that is known.
    pub source: Option<Source>,
    /// What becomes of it.
    pub outcome: Outcome,
    /// Why.
    pub why: Option<String>,
}

impl PlanStep {
    pub(super) fn new(object: &ObjectRef, found: Option<&Found>) -> Self {
        let current = found.map(|found| found.value.clone()).unwrap_or_default();
        Self {
            object: object.clone(),
            kind: FixKind::Metadata,
            findings: Vec::new(),
            summaries: Vec::new(),
            desired: current.clone(),
            current,
            edits: Vec::new(),
            origin: match found.map(|found| &found.origin) {
                Some(Origin::File(origin)) => Some(origin.clone()),
                _ => None,
            },
            restarts: Vec::new(),
            notes: Vec::new(),
            commands: Vec::new(),
            values: Vec::new(),
            reverted_by: None,
            at_source: None,
            source: None,
            outcome: Outcome::Planned,
            why: None,
        }
    }

    /// A step that makes the given edits in an object as it is now.
    pub fn of(object: &ObjectRef, current: Value, edits: Vec<Edit>) -> Self {
        let made = Some(&current).filter(|current| !current.is_null()).and_then(|current| apply(current, &edits).ok());
        let desired = made.unwrap_or_else(|| current.clone());
        let found = Found { value: current, origin: Origin::Cluster };
        Self { desired, edits, ..Self::new(object, Some(&found)) }
    }

    /// Whether the object is made.
    pub fn creates(&self) -> bool {
        self.current.is_null()
    }

    /// Whether nothing that was there is changed or taken away.
    pub fn only_adds(&self) -> bool {
        self.edits.iter().all(|edit| edit.before.is_none())
    }

    /// Whether it is still to be made.
    pub fn is_planned(&self) -> bool {
        self.outcome == Outcome::Planned
    }

    /// Notes what became of it, and why.
    pub fn end(&mut self, outcome: Outcome, why: impl Into<String>) {
        self.outcome = outcome;
        self.why = Some(why.into());
    }

    /// Whether a field of the pod template changes.
    pub fn changes_template(&self) -> bool {
        let names: Vec<&str> = template_pointer(&self.object.kind).split('/').skip(1).collect();
        let is_workload = self
            .current
            .pointer(template_pointer(&self.object.kind))
            .is_some_and(|template| template.get("spec").is_some_and(|spec| spec.get("containers").is_some()));
        is_workload && self.edits.iter().any(|edit| edit.path.is_below(&names))
    }

    /// Takes in what one fix would make of the object; the path of a field that another one wants otherwise.
    pub(super) fn merge(&mut self, after: &Value) -> Result<(), String> {
        let merged = together(&self.current, &self.desired, after)?;
        let edits = with_mirrors(&self.current, differences(&self.current, &merged));
        self.desired = apply(&self.current, &edits)?;
        self.edits = edits;
        Ok(())
    }
}

/// A finding that the plan does not mend, and why.
#[derive(Debug, Clone)]
pub struct Left {
    /// The finding.
    pub finding: Finding,
    /// Why it is left.
    pub why: String,
}

/// All that is to be done.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The changes, in the order in which they are made.
    pub steps: Vec<PlanStep>,
    /// What is left.
    pub left: Vec<Left>,
    /// Values that are missing, with the findings that need them.
    pub open: Vec<(Ask, Vec<String>)>,
    /// The findings that the steps mend.
    pub planned: Vec<Finding>,
}

/// The objects that a plan may change.
pub fn needed(report: &InspectReport, wishes: &Wishes) -> BTreeSet<ObjectRef> {
    let mut objects = BTreeSet::new();
    for target in &report.targets {
        for finding in wanted(report, target, wishes) {
            let Some(fix) = &finding.fix else { continue };
            objects.extend(fix.changes.iter().map(|change| change.object.clone()));
            for ask in &fix.asks {
                let object = answers::object(ask);
                objects.insert(object.clone());
                // The account that is named may have to be made.
                if let (Ask::ServiceAccount(_), Some(name)) = (ask, wishes.answers.get(ask)) {
                    objects.insert(ObjectRef::service_account(object.namespace.as_deref().unwrap_or_default(), &name));
                }
            }
            if fix.is_applicable() {
                objects.insert(target.object.clone());
            }
        }
    }
    objects
}

fn wanted<'a>(report: &'a InspectReport, target: &'a TargetReport, wishes: &'a Wishes) -> Vec<&'a Finding> {
    let mut findings = all_findings(report, target);
    findings.retain(|finding| wishes.wants(finding));
    findings
}

/// Makes the plan.
pub fn plan(input: &Input, report: &InspectReport, objects: &Objects, wishes: &Wishes) -> Plan {
    let mut making = Making::new(input, objects, wishes);
    let mut seen = BTreeSet::new();
    for target in &report.targets {
        for finding in wanted(report, target, wishes) {
            making.finding(finding, target, seen.insert(finding.id.clone()));
        }
    }
    let mut plan = making.finish();
    plan.steps.retain(|step| !step.edits.is_empty() || step.outcome != Outcome::Planned);
    for step in &mut plan.steps {
        let pods = safety::live_pods(input, &step.object);
        safety::effects(step, pods);
    }
    // Accounts before templates: the pods that a new template makes are to find their account as it should be.
    plan.steps.sort_by_key(|step| (step.changes_template(), step.object.kind == "ServiceAccount", !step.creates()));
    plan
}
