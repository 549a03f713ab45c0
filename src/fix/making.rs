//! How findings become steps: each fix says what its objects would be, and what they say is put together.

use super::answers;
use super::difference::differences;
use super::effect::RESTARTED_AT;
use super::operations::patched;
use super::path::{Edit, FieldPath, Step, apply};
use super::plan::{Left, Objects, Outcome, Plan, PlanStep, Wishes};
use super::safety::live_pods;
use crate::azure::object::is_credential;
use crate::inspect::Input;
use crate::model::fact::Fact;
use crate::model::finding::{Ask, Finding, FixKind, Operation};
use crate::model::object::ObjectRef;
use crate::model::workload::template_pointer;
use crate::report::model::TargetReport;
use crate::webhook::keys;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A plan that is being made.
pub(super) struct Making<'a> {
    input: &'a Input,
    objects: &'a Objects,
    wishes: &'a Wishes,
    plan: Plan,
    /// Workloads to restart, with the findings that this mends.
    restarts: BTreeMap<ObjectRef, Vec<String>>,
    /// Findings that a restart alone mends.
    later: Vec<Finding>,
}

/// An object as one fix wants it.
type Wanted = (ObjectRef, Value);

impl<'a> Making<'a> {
    pub(super) fn new(input: &'a Input, objects: &'a Objects, wishes: &'a Wishes) -> Self {
        Self { input, objects, wishes, plan: Plan::default(), restarts: BTreeMap::new(), later: Vec::new() }
    }

    /// Takes a finding of a target in; `first` where no target before had the same.
    pub(super) fn finding(&mut self, finding: &Finding, target: &TargetReport, first: bool) {
        if let Err(why) = self.take(finding, target, first)
            && first
        {
            self.plan.left.push(Left { finding: finding.clone(), why });
        }
    }

    /// The plan, with the restarts that are left once every template that changes anyway is known.
    pub(super) fn finish(mut self) -> Plan {
        for finding in std::mem::take(&mut self.later) {
            if let Err(why) = self.restart(&finding) {
                self.plan.left.push(Left { finding, why });
            }
        }
        self.add_restarts();
        self.plan
    }

    /// The reason why a finding is left.
    fn take(&mut self, finding: &Finding, target: &TargetReport, first: bool) -> Result<(), String> {
        let fix = finding.fix.as_ref().ok_or("there is no fix that this program could make")?;
        match fix.kind {
            FixKind::Manual => return Err(fix.summary.clone()),
            FixKind::Access if !self.wishes.azure => {
                return Err(format!("grants access in Azure, with --azure: {}", fix.summary));
            }
            FixKind::Access | FixKind::Metadata | FixKind::Restart => {}
        }
        let mut wanted: Vec<Wanted> = Vec::new();
        for change in &fix.changes {
            wanted.push((change.object.clone(), self.by_rule(&change.object, &change.patch)?));
        }
        for ask in &fix.asks {
            let answer = self.answer(ask, finding)?;
            wanted.extend(self.by_answer(ask, &answer, finding)?);
        }
        if fix.changes.is_empty() && fix.asks.is_empty() {
            if first {
                self.later.push(finding.clone());
            }
            return Ok(());
        }
        let injected = wanted.iter().any(|(object, after)| self.changes_injection(object, after));
        if first {
            let values = fix.values.as_ref().map(|values| filled(values, &wanted));
            for (object, after) in wanted {
                self.add(&object, &after, finding, values.clone())?;
            }
            self.plan.planned.push(finding.clone());
        }
        if injected && live_pods(self.input, &target.object) > 0 && restarts_by_template(&target.object) {
            self.restarts.entry(target.object.clone()).or_default().push(finding.id.clone());
        }
        Ok(())
    }

    /// A fix that is a restart and nothing else. It helps where what explains the finding is mended besides.
    fn restart(&mut self, finding: &Finding) -> Result<(), String> {
        let object = &finding.object;
        let planned = |id: &String| self.plan.planned.iter().any(|finding| finding.id == *id);
        if let Some(cause) = finding.blocked_by.iter().find(|id| !planned(id)) {
            let code = cause.split('-').next().unwrap_or(cause).to_uppercase();
            return Err(format!("a restart helps once {code} is mended"));
        }
        if self.objects.get(object).is_some_and(|found| !found.origin.is_cluster()) {
            return Err("pods are restarted on the cluster, not in files".to_owned());
        }
        if !restarts_by_template(object) {
            return Err(match object.kind.as_str() {
                "CronJob" => "the next run makes new pods".to_owned(),
                "Job" | "Pod" => format!("{object} has to be made anew"),
                _ => format!("{object} replaces no pods by itself: delete them, and new ones are made"),
            });
        }
        self.restarts.entry(object.clone()).or_default().push(finding.id.clone());
        self.plan.planned.push(finding.clone());
        Ok(())
    }

    /// The answer to a question; without one it is noted as open.
    fn answer(&mut self, ask: &Ask, finding: &Finding) -> Result<String, String> {
        if let Some(answer) = self.wishes.answers.get(ask) {
            return Ok(answer);
        }
        match self.plan.open.iter_mut().find(|(other, _)| other == ask) {
            Some((_, findings)) => findings.push(finding.id.clone()),
            None => self.plan.open.push((ask.clone(), vec![finding.id.clone()])),
        }
        Err(format!("the {} is not known: {}", answers::what(ask), answers::flag(ask)))
    }

    fn current(&self, object: &ObjectRef) -> Option<&'a Value> {
        self.objects.get(object).map(|found| &found.value).filter(|value| !value.is_null())
    }

    fn by_rule(&self, object: &ObjectRef, patch: &[Operation]) -> Result<Value, String> {
        if is_credential(object) {
            return super::azure::wanted(object, self.objects.get(object), patch);
        }
        let current = self.current(object).ok_or_else(|| format!("{object} was not read"))?;
        patched(current, patch).map_err(|why| format!("{object} has changed: {why}"))
    }

    /// The objects as an answer wants them.
    fn by_answer(&mut self, ask: &Ask, answer: &str, finding: &Finding) -> Result<Vec<Wanted>, String> {
        answers::check(ask, answer)?;
        let object = answers::object(ask);
        let Some(current) = self.current(object) else {
            let Ask::ClientId(_) = ask else { return Err(format!("{object} was not read")) };
            return Ok(vec![(object.clone(), new_account(object, answer))]);
        };
        let set = |path: Vec<String>| set(current, path, json!(answer));
        let mut wanted = Vec::new();
        match ask {
            Ask::ClientId(_) => wanted.push((object.clone(), set(annotation(&[], keys::CLIENT_ID))?)),
            Ask::TenantId(_) => wanted.push((object.clone(), set(annotation(&[], keys::TENANT_ID))?)),
            Ask::Containers(_) => wanted.push((object.clone(), unskipped(object, current, answer)?)),
            Ask::ServiceAccount(_) => {
                let names = below_template(object, &["spec", "serviceAccountName"]);
                wanted.push((object.clone(), set(names)?));
                let account = ObjectRef::service_account(object.namespace.as_deref().unwrap_or_default(), answer);
                if self.is_absent(&account) {
                    let id = self.answer(&Ask::ClientId(account.clone()), finding)?;
                    answers::check(&Ask::ClientId(account.clone()), &id)?;
                    let made = new_account(&account, &id);
                    wanted.push((account, made));
                }
            }
        }
        Ok(wanted)
    }

    /// Whether an account is known not to exist.
    fn is_absent(&self, account: &ObjectRef) -> bool {
        if let Some(found) = self.objects.get(account) {
            return found.value.is_null();
        }
        let namespace = account.namespace.as_deref().unwrap_or_default();
        matches!(self.input.inventory.account(namespace, &account.name), Fact::Absent)
    }

    /// Whether an account that exists gets another value of what the webhook puts into pods.
    fn changes_injection(&self, object: &ObjectRef, after: &Value) -> bool {
        let Some(current) = self.current(object).filter(|_| object.kind == "ServiceAccount") else { return false };
        is_injected(current, after)
    }

    fn step(&mut self, object: &ObjectRef) -> &mut PlanStep {
        let at = self.plan.steps.iter().position(|step| step.object == *object);
        let at = at.unwrap_or_else(|| {
            self.plan.steps.push(PlanStep::new(object, self.objects.get(object)));
            self.plan.steps.len() - 1
        });
        &mut self.plan.steps[at]
    }

    fn add(
        &mut self,
        object: &ObjectRef,
        after: &Value,
        finding: &Finding,
        values: Option<String>,
    ) -> Result<(), String> {
        let Some(fix) = &finding.fix else { return Ok(()) };
        let step = self.step(object);
        step.merge(after).map_err(|path| {
            format!("another fix of this plan changes {path} otherwise; --only {} makes this one", finding.code)
        })?;
        step.kind = step.kind.max(match object {
            object if is_credential(object) => FixKind::Access,
            _ if step.changes_template() => FixKind::Restart,
            _ => FixKind::Metadata,
        });
        step.findings.push(finding.id.clone());
        step.summaries.push(fix.summary.clone());
        step.values.extend(values);
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
            step.summaries.push("restart the pods".to_owned());
            let names = below_template(&object, &["metadata", "annotations", RESTARTED_AT]);
            let merged = set(&step.desired.clone(), names, json!(now)).and_then(|after| step.merge(&after));
            if let Err(why) = merged {
                step.end(Outcome::Refused, why);
            }
        }
    }
}

/// Kinds whose controller replaces pods when the template changes.
fn restarts_by_template(object: &ObjectRef) -> bool {
    matches!(object.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet")
}

fn annotation(prefix: &[String], key: &str) -> Vec<String> {
    prefix.iter().cloned().chain(["metadata", "annotations", key].map(str::to_owned)).collect()
}

/// Names of the fields that lead to something in the pod template.
fn below_template(object: &ObjectRef, names: &[&str]) -> Vec<String> {
    let template = template_pointer(&object.kind).split('/').skip(1);
    template.chain(names.iter().copied()).map(str::to_owned).collect()
}

/// An object with one field set.
fn set(object: &Value, names: Vec<String>, value: Value) -> Result<Value, String> {
    let path = FieldPath(names.into_iter().map(Step::Field).collect());
    apply(object, &[Edit::new(path, None, Some(value))])
}

fn new_account(object: &ObjectRef, client_id: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {
            "name": object.name, "namespace": object.namespace, "annotations": { keys::CLIENT_ID: client_id },
        },
    })
}

/// A workload whose list of skipped containers no longer has the ones that need identity.
fn unskipped(object: &ObjectRef, current: &Value, answer: &str) -> Result<Value, String> {
    let prefix = below_template(object, &[]);
    let path = FieldPath(annotation(&prefix, keys::SKIP_CONTAINERS).into_iter().map(Step::Field).collect());
    let list = path.get(current).and_then(Value::as_str).unwrap_or_default();
    let skipped: Vec<&str> = list.split([';', ',']).map(str::trim).filter(|name| !name.is_empty()).collect();
    let named = answers::names(answer);
    if let Some(unknown) = named.iter().find(|name| !skipped.contains(name)) {
        return Err(format!("skip-containers of {object} does not name {unknown}, but {}", skipped.join(", ")));
    }
    let rest: Vec<&str> = skipped.into_iter().filter(|name| !named.contains(name)).collect();
    let after = Some(json!(rest.join(";"))).filter(|_| !rest.is_empty());
    apply(current, &[Edit::new(path.clone(), path.get(current).cloned(), after)])
}

/// Whether the webhook puts a field that differs into pods: they have to be made anew for it.
fn is_injected(before: &Value, after: &Value) -> bool {
    let keys = [keys::CLIENT_ID, keys::TENANT_ID, keys::TOKEN_EXPIRATION];
    differences(before, after)
        .iter()
        .any(|edit| matches!(edit.path.0.last(), Some(Step::Field(name)) if keys.contains(&name.as_str())))
}

/// Helm values with what the fix writes in the places that a rule cannot know.
fn filled(values: &str, wanted: &[Wanted]) -> String {
    let mut text = values.to_owned();
    for (object, after) in wanted {
        let found = |pointer: &str| after.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let annotation = |key: &str| found(&format!("/metadata/annotations/{}", key.replace('/', "~1")));
        let template = template_pointer(&object.kind);
        let known = [
            ("CLIENT_ID", annotation(keys::CLIENT_ID).filter(|_| object.kind == "ServiceAccount")),
            ("TENANT_ID", annotation(keys::TENANT_ID).filter(|_| object.kind == "ServiceAccount")),
            ("SERVICE_ACCOUNT", found(&format!("{template}/spec/serviceAccountName"))),
        ];
        for (word, value) in known {
            if let Some(value) = value {
                text = replaced(&text, word, &value);
            }
        }
    }
    text
}

/// Replaces a word that is no part of a longer one, such as `AZURE_CLIENT_ID`.
fn replaced(text: &str, word: &str, value: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        out.push_str(before);
        let whole = !before.ends_with(is_part) && !after.starts_with(is_part);
        out.push_str(if whole { value } else { word });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn helm_values_hold_what_was_answered() {
        let account = ObjectRef::service_account("n", "a");
        let wanted = vec![(account.clone(), new_account(&account, "id"))];
        let values = "env: {AZURE_CLIENT_ID: x}, annotations: {azure.workload.identity/client-id: CLIENT_ID}";
        assert_eq!(
            filled(values, &wanted),
            "env: {AZURE_CLIENT_ID: x}, annotations: {azure.workload.identity/client-id: id}"
        );
    }

    #[test]
    fn containers_that_need_identity_leave_the_list() {
        let object = ObjectRef::new("apps/v1", "Deployment", Some("n"), "a");
        let workload = |list: &str| json!({"spec": {"template": {"metadata": {"annotations": {keys::SKIP_CONTAINERS: list, "a": "b"}}}}});
        assert_eq!(unskipped(&object, &workload("a;b, c"), "b").unwrap(), workload("a;c"));
        let none = json!({"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}});
        assert_eq!(unskipped(&object, &workload("a; b"), "b,a").unwrap(), none);
        assert!(unskipped(&object, &workload("a"), "x").unwrap_err().contains("does not name x"));
    }
}
