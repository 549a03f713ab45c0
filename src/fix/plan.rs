//! The plan: the fixes of all findings as the smallest set of changes, one for each object, in the order in which
//! they are made. Pure: the objects were read before, and nothing is changed here.

use super::answers::{self, Answers};
use super::effect::{self, RESTARTED_AT};
use super::path::{Edit, FieldPath, Step, apply, differences, patched};
use crate::inspect::Input;
use crate::model::finding::{Ask, Finding, FixKind, Level, Operation};
use crate::model::object::{FileOrigin, ObjectRef, Origin};
use crate::model::workload::template_pointer;
use crate::report::model::{InspectReport, TargetReport};
use crate::report::text::all_findings;
use crate::rules::registry;
use crate::webhook::keys;
use serde_json::{Value, json};
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
    /// What becomes of it.
    pub outcome: Outcome,
    /// Why.
    pub why: Option<String>,
}

impl PlanStep {
    fn new(object: &ObjectRef, found: Option<&Found>) -> Self {
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
            outcome: Outcome::Planned,
            why: None,
        }
    }

    /// A step that makes the given edits in an object as it is now.
    pub fn of(object: &ObjectRef, current: Value, edits: Vec<Edit>) -> Self {
        let found = Found { value: current, origin: Origin::Cluster };
        Self { edits, ..Self::new(object, Some(&found)) }
    }

    /// Whether the object is made.
    pub fn creates(&self) -> bool {
        self.current.is_null()
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

    /// Takes the edits of one fix; the reason why it cannot.
    fn merge(&mut self, edits: Vec<Edit>) -> Result<(), String> {
        for edit in edits {
            match self.edits.iter().find(|other| overlap(&other.path, &edit.path)) {
                Some(other) if other.path == edit.path && other.after == edit.after => {}
                Some(other) => return Err(format!("another fix changes {}", other.path)),
                None => self.edits.push(edit),
            }
        }
        self.desired = apply(&self.current, &self.edits)?;
        Ok(())
    }
}

fn overlap(a: &FieldPath, b: &FieldPath) -> bool {
    a.0.starts_with(&b.0) || b.0.starts_with(&a.0)
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
            objects.extend(fix.asks.iter().map(|ask| answers::object(ask).clone()));
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
    let mut making = Making { input, objects, wishes, plan: Plan::default(), restarts: BTreeMap::new() };
    let mut seen = BTreeSet::new();
    for target in &report.targets {
        for finding in wanted(report, target, wishes) {
            making.finding(finding, target, seen.insert(finding.id.clone()));
        }
    }
    making.add_restarts();
    let Making { mut plan, .. } = making;
    plan.steps.retain(|step| !step.edits.is_empty() || step.outcome != Outcome::Planned);
    for step in &mut plan.steps {
        let pods = live_pods(input, &step.object);
        effects(step, pods);
    }
    // Accounts before templates: the pods that a new template makes are to find their account as it should be.
    plan.steps.sort_by_key(|step| (step.changes_template(), step.object.kind == "ServiceAccount", !step.creates()));
    plan
}

struct Making<'a> {
    input: &'a Input,
    objects: &'a Objects,
    wishes: &'a Wishes,
    plan: Plan,
    /// Workloads to restart, with the findings that this mends.
    restarts: BTreeMap<ObjectRef, Vec<String>>,
}

impl Making<'_> {
    fn finding(&mut self, finding: &Finding, target: &TargetReport, first: bool) {
        let Some(fix) = &finding.fix else {
            return self.leave(finding, first, "there is no fix that this program could make".to_owned());
        };
        match fix.kind {
            FixKind::Manual => return self.leave(finding, first, fix.summary.clone()),
            FixKind::Access => return self.leave(finding, first, format!("grants access in Azure: {}", fix.summary)),
            FixKind::Metadata | FixKind::Restart => {}
        }
        let mut edits: Vec<(ObjectRef, Vec<Edit>)> = Vec::new();
        for change in &fix.changes {
            match self.rule_edits(&change.object, &change.patch) {
                Ok(found) => edits.push((change.object.clone(), found)),
                Err(why) => return self.leave(finding, first, why),
            }
        }
        for ask in &fix.asks {
            let Some(answer) = self.wishes.answers.get(ask).map(str::to_owned) else {
                self.ask(ask, finding);
                let why = format!("the {} is not known: {}", answers::what(ask), answers::flag(ask));
                return self.leave(finding, first, why);
            };
            match self.answered(ask, &answer) {
                Ok(found) => edits.push(found),
                Err(why) => return self.leave(finding, first, why),
            }
        }
        let identity = edits.iter().any(|(object, edits)| {
            object.kind == "ServiceAccount" && edits.iter().any(is_injected) && !self.is_created(object)
        });
        let restart_only = fix.kind == FixKind::Restart && fix.changes.is_empty() && fix.asks.is_empty();
        if first {
            for (object, edits) in edits {
                if let Err(why) = self.add(&object, edits, finding) {
                    return self.leave(finding, first, why);
                }
            }
        }
        if first {
            self.plan.planned.push(finding.clone());
        }
        if restart_only || (identity && self.has_pods(&target.object)) {
            let object = if restart_only { &finding.object } else { &target.object };
            self.restarts.entry(object.clone()).or_default().push(finding.id.clone());
        }
    }

    fn leave(&mut self, finding: &Finding, first: bool, why: String) {
        if first {
            self.plan.left.push(Left { finding: finding.clone(), why });
        }
    }

    fn ask(&mut self, ask: &Ask, finding: &Finding) {
        match self.plan.open.iter_mut().find(|(other, _)| other == ask) {
            Some((_, findings)) => findings.push(finding.id.clone()),
            None => self.plan.open.push((ask.clone(), vec![finding.id.clone()])),
        }
    }

    fn rule_edits(&self, object: &ObjectRef, patch: &[Operation]) -> Result<Vec<Edit>, String> {
        let found = self.objects.get(object).filter(|found| !found.value.is_null());
        let found = found.ok_or_else(|| format!("{object} was not read"))?;
        let after = patched(&found.value, patch).map_err(|why| format!("{object} has changed: {why}"))?;
        Ok(differences(&found.value, &after))
    }

    fn answered(&self, ask: &Ask, answer: &str) -> Result<(ObjectRef, Vec<Edit>), String> {
        answers::check(ask, answer)?;
        let object = answers::object(ask);
        let current = self.objects.get(object).map(|found| &found.value).cloned().unwrap_or_default();
        let path = match ask {
            Ask::ClientId(_) => vec!["metadata", "annotations", keys::CLIENT_ID],
            Ask::TenantId(_) => vec!["metadata", "annotations", keys::TENANT_ID],
            Ask::ServiceAccount(_) => {
                let template = template_pointer(&object.kind).split('/').skip(1);
                template.chain(["spec", "serviceAccountName"]).collect()
            }
        };
        if current.is_null() {
            if !matches!(ask, Ask::ClientId(_)) {
                return Err(format!("{object} was not read"));
            }
            let after = json!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {
                    "name": object.name, "namespace": object.namespace, "annotations": { keys::CLIENT_ID: answer },
                },
            });
            return Ok((object.clone(), differences(&Value::Null, &after)));
        }
        let path = FieldPath(path.into_iter().map(|name| Step::Field(name.to_owned())).collect());
        let before = path.get(&current).cloned();
        let edit = Edit { path, before, after: Some(json!(answer)), position: None };
        Ok((object.clone(), if edit.before == edit.after { Vec::new() } else { vec![edit] }))
    }

    fn is_created(&self, object: &ObjectRef) -> bool {
        self.objects.get(object).is_none_or(|found| found.value.is_null())
    }

    fn has_pods(&self, object: &ObjectRef) -> bool {
        live_pods(self.input, object) > 0
    }

    fn step(&mut self, object: &ObjectRef) -> &mut PlanStep {
        let at = self.plan.steps.iter().position(|step| step.object == *object);
        let at = at.unwrap_or_else(|| {
            self.plan.steps.push(PlanStep::new(object, self.objects.get(object)));
            self.plan.steps.len() - 1
        });
        &mut self.plan.steps[at]
    }

    fn add(&mut self, object: &ObjectRef, edits: Vec<Edit>, finding: &Finding) -> Result<(), String> {
        let Some(fix) = &finding.fix else { return Ok(()) };
        let step = self.step(object);
        step.merge(edits)?;
        step.kind = step.kind.max(if step.changes_template() { FixKind::Restart } else { FixKind::Metadata });
        step.findings.push(finding.id.clone());
        step.summaries.push(fix.summary.clone());
        step.values.extend(fix.values.clone());
        step.commands.extend(fix.commands.iter().filter(|command| !command.contains("CLIENT_ID")).cloned());
        Ok(())
    }

    /// A workload whose template changes anyway is not restarted besides.
    fn add_restarts(&mut self) {
        for (object, findings) in std::mem::take(&mut self.restarts) {
            let in_file = self.objects.get(&object).is_some_and(|found| !found.origin.is_cluster());
            if in_file || !self.objects.contains_key(&object) {
                continue;
            }
            let now = self.wishes.now.clone();
            let step = self.step(&object);
            step.findings.extend(findings);
            step.findings.sort_unstable();
            step.findings.dedup();
            step.kind = FixKind::Restart;
            if step.changes_template() {
                continue;
            }
            let template = template_pointer(&object.kind).split('/').skip(1);
            let names = template.chain(["metadata", "annotations", RESTARTED_AT]);
            let path = FieldPath(names.map(|name| Step::Field(name.to_owned())).collect());
            let before = path.get(&step.current).cloned();
            let edit = Edit { path, before, after: Some(json!(now)), position: None };
            step.summaries.push("restart the pods".to_owned());
            if let Err(why) = step.merge(vec![edit]) {
                step.end(Outcome::Refused, why);
            }
        }
    }
}

/// Whether the webhook puts the field into pods: they have to be made anew for it.
fn is_injected(edit: &Edit) -> bool {
    let keys = [keys::CLIENT_ID, keys::TENANT_ID, keys::TOKEN_EXPIRATION];
    matches!(edit.path.0.last(), Some(Step::Field(name)) if keys.contains(&name.as_str()))
}

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

/// The object after the plan, for the prediction: the input as it will be.
pub fn predicted(input: &Input, plan: &Plan) -> Input {
    let mut inventory = input.inventory.clone();
    let made = plan.steps.iter().filter(|step| matches!(step.outcome, Outcome::Planned | Outcome::Applied));
    for step in made {
        let origin = step.origin.clone().map_or(Origin::Cluster, Origin::File);
        let namespace = step.object.namespace.as_deref().unwrap_or_default();
        // An object that does not fit its kind was refused when it was read.
        let _ = inventory.add_value(step.desired.clone(), origin, namespace);
        for object in &step.restarts {
            inventory.end_pods_of(object);
        }
    }
    let texts = input.texts.clone();
    let mut cluster = input.cluster.clone();
    cluster.find_webhook(&inventory);
    if cluster.webhook.known().is_none() {
        cluster.webhook = input.cluster.webhook.clone();
    }
    Input { inventory, cluster, problems: input.problems.clone(), texts }
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
