//! What a change interrupts or opens, beyond the object itself: asked of the cluster, told before the question.

use super::path::Step;
use super::plan::{Plan, PlanStep};
use crate::apps;
use crate::apps::velero::{NODE_AGENT, SERVER};
use crate::cluster::resource::{CLUSTER_ROLE_BINDING, ROLE_BINDING};
use crate::cluster::{Client, Error, ListQuery, ResourceType};
use crate::inspect::Input;
use crate::model::workload::template_pointer;
use serde_json::Value;

/// Adds to each step what a person should know.
pub async fn name_impact(client: &Client, input: &Input, plan: &mut Plan) {
    for step in plan.steps.iter_mut().filter(|step| step.is_planned()) {
        if !step.restarts.is_empty() {
            name_budgets(client, step).await;
            if let Some(component) = velero_component(input, step) {
                name_velero_work(client, component, step).await;
            }
        }
        if mounts_token(step) {
            name_bindings(client, step).await;
        }
    }
}

async fn all(client: &Client, kind: &ResourceType, namespace: Option<&str>) -> Result<Vec<Value>, Error> {
    let query = ListQuery::all(kind).in_scope(namespace);
    let listed = client.fold(&query, Vec::new, |found: &mut Vec<Value>, item: Value| found.push(item)).await?;
    Ok(listed.value)
}

/// The disruption budgets that count the pods. A rollout does not ask them (it keeps to the workload's own strategy),
/// but they say how many pods somebody thinks may be away.
async fn name_budgets(client: &Client, step: &mut PlanStep) {
    let resource = ResourceType::custom("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true);
    match all(client, &resource, step.object.namespace.as_deref()).await {
        Ok(budgets) => {
            let template = step.current.pointer(template_pointer(&step.object.kind));
            let labels = template.and_then(|template| template.pointer("/metadata/labels")).cloned();
            let notes: Vec<String> = budgets
                .iter()
                .filter(|budget| selects(budget.pointer("/spec/selector"), labels.as_ref().unwrap_or(&Value::Null)))
                .map(budget_note)
                .collect();
            step.notes.extend(notes);
        }
        Err(error) if error.is_absent() => {}
        Err(error) => step.notes.push(format!("not known what disruption budgets allow: {error}")),
    }
}

fn budget_note(budget: &Value) -> String {
    let name = budget.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    match budget.pointer("/status/disruptionsAllowed").and_then(Value::as_i64) {
        Some(0) => format!("budget {name} allows no pod to be away now, and a rollout does not ask it"),
        Some(allowed) => format!("budget {name} allows {allowed} to be away, and a rollout does not ask it"),
        None => format!("budget {name} counts these pods; what it allows is not known yet"),
    }
}

/// Whether a label selector selects labels. As in `policy/v1`, an empty one selects everything and none at all nothing.
fn selects(selector: Option<&Value>, labels: &Value) -> bool {
    let Some(selector) = selector.filter(|selector| !selector.is_null()) else { return false };
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let exact = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let rules = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    exact.into_iter().all(|(key, value)| label(key) == value.as_str())
        && rules.into_iter().all(|rule| {
            let value = label(rule["key"].as_str().unwrap_or_default());
            let listed =
                || rule["values"].as_array().is_some_and(|values| values.iter().any(|one| one.as_str() == value));
            match rule["operator"].as_str() {
                Some("In") => value.is_some() && listed(),
                Some("NotIn") => value.is_none() || !listed(),
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                _ => false,
            }
        })
}

/// Which component of Velero a step restarts.
fn velero_component(input: &Input, step: &PlanStep) -> Option<&'static str> {
    let namespace = step.object.namespace.as_deref().unwrap_or_default();
    let workload = input.inventory.workload(&step.object.kind, namespace, &step.object.name)?;
    let parts = apps::recognise(workload, &input.inventory);
    let part = parts.iter().find(|part| part.application.name() == "velero").map(|part| part.component);
    part.or_else(|| {
        // Also where the container has a name of its own.
        let mut images = workload.template.spec.containers.iter().filter_map(|container| container.image.as_deref());
        let is_velero = images.any(|image| {
            let name = image.split('@').next().unwrap_or(image).rsplit('/').next().unwrap_or(image);
            name.split(':').next() == Some("velero")
        });
        is_velero.then_some(if step.object.kind == "DaemonSet" { NODE_AGENT } else { SERVER })
    })
}

/// What each component of Velero works on, by kind, and in which phases it does. A backup or restore that runs ends
/// with the server's pod and is marked as failed; a data movement ends with the node-agent's pod.
const WORK: &[(&str, &str, &str, &[&str])] = &[
    (SERVER, "Backup", "backups", BUSY),
    (SERVER, "Restore", "restores", BUSY),
    (NODE_AGENT, "DataUpload", "datauploads", MOVING),
    (NODE_AGENT, "DataDownload", "datadownloads", MOVING),
    (NODE_AGENT, "PodVolumeBackup", "podvolumebackups", MOVING),
    (NODE_AGENT, "PodVolumeRestore", "podvolumerestores", MOVING),
];
const BUSY: &[&str] = &["InProgress", "WaitingForPluginOperations", "Finalizing"];
const MOVING: &[&str] = &["Accepted", "Prepared", "InProgress"];

async fn name_velero_work(client: &Client, component: &'static str, step: &mut PlanStep) {
    let namespace = step.object.namespace.clone();
    let mut idle = true;
    let work: Vec<_> = WORK.iter().filter(|(of, ..)| *of == component).collect();
    for (_, kind, plural, phases) in &work {
        let resource = ResourceType::custom("velero.io", "v1", kind, plural, true);
        match all(client, &resource, namespace.as_deref()).await {
            Ok(items) => {
                let phase = |item: &Value| item.pointer("/status/phase").and_then(Value::as_str).map(str::to_owned);
                let busy = items.iter().filter(|item| phase(item).is_some_and(|phase| phases.contains(&&*phase)));
                for item in busy {
                    let name = item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                    step.notes.push(format!("{kind} {name} is running and would fail"));
                    idle = false;
                }
            }
            Err(error) if error.is_absent() => {}
            Err(error) => {
                step.notes.push(format!("not known whether a {kind} is running: {error}"));
                idle = false;
            }
        }
    }
    if idle && !work.is_empty() {
        step.notes.push(match component {
            SERVER => "no backup and no restore is running".to_owned(),
            _ => "no data is being moved".to_owned(),
        });
    }
}

/// Whether the pods get a token for the Kubernetes API that they did not have.
fn mounts_token(step: &PlanStep) -> bool {
    step.edits.iter().any(|edit| {
        edit.after != Some(Value::Bool(false))
            && matches!(edit.path.0.last(), Some(Step::Field(name)) if name == "automountServiceAccountToken")
    })
}

/// What the account is bound to, by its own name and as a member of the namespace's accounts: that is what the pods
/// may do once they have its token.
async fn name_bindings(client: &Client, step: &mut PlanStep) {
    let account = if step.object.kind == "ServiceAccount" {
        step.object.name.clone()
    } else {
        let template = step.desired.pointer(template_pointer(&step.object.kind));
        let name = template.and_then(|template| template.pointer("/spec/serviceAccountName")?.as_str());
        name.unwrap_or("default").to_owned()
    };
    let namespace = step.object.namespace.clone().unwrap_or_default();
    let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    let mut bound = Vec::new();
    for (resource, scope) in [(&ROLE_BINDING, Some(namespace.as_str())), (&CLUSTER_ROLE_BINDING, None)] {
        match all(client, resource, scope).await {
            Ok(bindings) => {
                let ours = bindings.iter().filter(|binding| {
                    let subjects = binding.get("subjects").and_then(Value::as_array).into_iter().flatten();
                    subjects.into_iter().any(|subject| {
                        let name = subject["name"].as_str().unwrap_or_default();
                        match subject["kind"].as_str() {
                            Some("ServiceAccount") => {
                                name == account && subject["namespace"].as_str().or(scope) == Some(namespace.as_str())
                            }
                            // Discovery alone is open to every account, and says nothing about this one.
                            Some("Group") => groups.iter().any(|group| group == name) && !is_of_everybody(binding),
                            _ => false,
                        }
                    })
                });
                bound.extend(ours.filter_map(|binding| {
                    let role = &binding["roleRef"];
                    let place = if scope.is_some() { "in the namespace" } else { "in the whole cluster" };
                    Some(format!("{} {} {place}", role["kind"].as_str()?, role["name"].as_str()?))
                }));
            }
            Err(error) => step.notes.push(format!("not known what the account is bound to: {error}")),
        }
    }
    let list = if bound.is_empty() { "no role".to_owned() } else { bound.join(", ") };
    step.notes.push(format!("the pods get a token of service account {namespace}/{account}, which is bound to {list}"));
}

fn is_of_everybody(binding: &Value) -> bool {
    binding.pointer("/roleRef/name").and_then(Value::as_str) == Some("system:service-account-issuer-discovery")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_budget_counts_the_pods_that_its_selector_selects() {
        let labels = json!({"app": "a", "tier": "x"});
        let cases = [
            (json!({"matchLabels": {"app": "a"}}), true),
            (json!({"matchLabels": {"app": "b"}}), false),
            (json!({}), true),
            (json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["x", "y"]}]}), true),
            (json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}]}), false),
            (json!({"matchExpressions": [{"key": "other", "operator": "DoesNotExist"}]}), true),
            (json!({"matchLabels": {"app": "a"}, "matchExpressions": [{"key": "other", "operator": "Exists"}]}), false),
        ];
        for (selector, counted) in cases {
            assert_eq!(selects(Some(&selector), &labels), counted, "{selector}");
        }
        assert!(!selects(None, &labels));
    }
}
