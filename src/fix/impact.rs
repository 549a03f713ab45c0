//! What a change interrupts or opens, beyond the object itself: asked of the cluster, told before the question.

use super::path::Step;
use super::plan::{Plan, PlanStep};
use crate::cluster::resource::{CLUSTER_ROLE_BINDING, ROLE_BINDING};
use crate::cluster::{Client, Error, ListQuery, ResourceType};
use crate::model::workload::template_pointer;
use serde_json::Value;

/// Adds to each step what a person should know.
pub async fn name_impact(client: &Client, plan: &mut Plan) {
    for step in plan.steps.iter_mut().filter(|step| step.is_planned()) {
        if !step.restarts.is_empty() && runs_velero(step) {
            name_velero_work(client, step).await;
        }
        if mounts_token(step) {
            name_bindings(client, step).await;
        }
    }
}

fn runs_velero(step: &PlanStep) -> bool {
    let containers = step.current.pointer(template_pointer(&step.object.kind));
    let containers = containers.and_then(|template| template.pointer("/spec/containers")?.as_array());
    let mut images = containers.into_iter().flatten().filter_map(|container| container["image"].as_str());
    images.any(|image| {
        let name = image.split('@').next().unwrap_or(image).rsplit('/').next().unwrap_or(image);
        name.split(':').next() == Some("velero")
    })
}

async fn all(client: &Client, kind: &ResourceType, namespace: Option<&str>) -> Result<Vec<Value>, Error> {
    let query = ListQuery::all(kind).in_scope(namespace);
    let listed = client.fold(&query, Vec::new, |found: &mut Vec<Value>, item: Value| found.push(item)).await?;
    Ok(listed.value)
}

/// A backup or restore that runs ends with the pod that runs it, and is marked as failed.
async fn name_velero_work(client: &Client, step: &mut PlanStep) {
    /// Phases of a Backup or Restore in which the server works on it.
    const BUSY: &[&str] = &["InProgress", "WaitingForPluginOperations", "Finalizing"];
    let namespace = step.object.namespace.clone();
    let mut idle = true;
    for (kind, plural) in [("Backup", "backups"), ("Restore", "restores")] {
        let resource = ResourceType::custom("velero.io", "v1", kind, plural, true);
        match all(client, &resource, namespace.as_deref()).await {
            Ok(items) => {
                let busy = items.iter().filter(|item| {
                    item.pointer("/status/phase").and_then(Value::as_str).is_some_and(|phase| BUSY.contains(&phase))
                });
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
    if idle {
        step.notes.push("no backup and no restore is running".to_owned());
    }
}

/// Whether the pods get a token for the Kubernetes API that they did not have.
fn mounts_token(step: &PlanStep) -> bool {
    step.edits.iter().any(|edit| {
        edit.after != Some(Value::Bool(false))
            && matches!(edit.path.0.last(), Some(Step::Field(name)) if name == "automountServiceAccountToken")
    })
}

/// What the account is bound to: that is what the pods may do once they have its token.
async fn name_bindings(client: &Client, step: &mut PlanStep) {
    let account = if step.object.kind == "ServiceAccount" {
        step.object.name.clone()
    } else {
        let template = step.desired.pointer(template_pointer(&step.object.kind));
        let name = template.and_then(|template| template.pointer("/spec/serviceAccountName")?.as_str());
        name.unwrap_or("default").to_owned()
    };
    let namespace = step.object.namespace.clone().unwrap_or_default();
    let mut bound = Vec::new();
    for (resource, scope) in [(&ROLE_BINDING, Some(namespace.as_str())), (&CLUSTER_ROLE_BINDING, None)] {
        match all(client, resource, scope).await {
            Ok(bindings) => {
                let ours = bindings.iter().filter(|binding| {
                    let subjects = binding.get("subjects").and_then(Value::as_array).into_iter().flatten();
                    subjects.into_iter().any(|subject| {
                        subject["kind"] == "ServiceAccount"
                            && subject["name"] == account.as_str()
                            && subject["namespace"].as_str().or(scope) == Some(namespace.as_str())
                    })
                });
                bound.extend(ours.filter_map(|binding| {
                    let role = &binding["roleRef"];
                    Some(format!("{} {}", role["kind"].as_str()?, role["name"].as_str()?))
                }));
            }
            Err(error) => step.notes.push(format!("not known what the account is bound to: {error}")),
        }
    }
    let list = if bound.is_empty() { "no role".to_owned() } else { bound.join(", ") };
    step.notes.push(format!("the pods get a token of service account {namespace}/{account}, which is bound to {list}"));
}
