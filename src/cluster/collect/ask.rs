//! Asking the API server for a pod without creating it: what the real chain of admission makes of a pod template.
//!
//! A dry run runs every admission plugin and every webhook that says it has no side effects on a dry run, and stores
//! nothing; for a webhook that does not say so, the API server refuses the request before it calls anybody
//! (Kubernetes, "Dynamic Admission Control", side effects).

use crate::chain::compare::Answer;
use crate::cluster::client::Client;
use crate::cluster::error::Error;
use crate::cluster::resource::POD;
use crate::model::fact::Fact;
use crate::model::pod::PodTemplate;
use crate::model::workload::template_pointer;
use crate::webhook::refusal::Refusal;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Asks for a pod such as the workload makes. `names` are those of the identity webhook's entries, by which a refusal
/// is known as its own. What does not show what admission makes of the pod is `Failed`, with the reason.
pub async fn ask(client: &Client, workload: &Value, names: &[&str]) -> Fact<Answer> {
    let Some(pod) = pod_of(workload) else {
        return Fact::Failed("nothing tells what its pods look like before admission".to_owned());
    };
    let namespace = pod.pointer("/metadata/namespace").and_then(Value::as_str);
    match client.dry_run_create::<Value>(&POD, namespace, &pod).await {
        Ok(pod) => match PodTemplate::deserialize(&pod) {
            Ok(pod) => Fact::Known(Answer::Pod(Box::new(pod))),
            Err(error) => Fact::Failed(format!("the answer to a dry run is no pod: {error}")),
        },
        Err(Error::Denied { denied, .. }) => Fact::Denied(denied),
        Err(Error::Rejected { message, .. } | Error::Invalid { message, .. } | Error::Server { message, .. }) => {
            refused(&message, names)
        }
        Err(error) => Fact::Failed(error.to_string()),
    }
}

fn refused(message: &str, names: &[&str]) -> Fact<Answer> {
    if message.contains("does not support dry run") {
        let webhook = message.split('"').nth(1).unwrap_or("an admission webhook");
        return Fact::Failed(format!(
            "the admission webhook {webhook} has side effects (sideEffects is neither None nor NoneOnDryRun), so the \
             API server refuses dry runs"
        ));
    }
    match Refusal::read(message, names) {
        Some(_) => Fact::Known(Answer::Refused(message.to_owned())),
        None => Fact::Failed(format!("the API server refuses such a pod for another reason: {message}")),
    }
}

/// The pod that a controller would make of its template: without a name or a node, and with a claim for each volume
/// that a `StatefulSet` makes. `None` for a pod, whose template admission has changed already.
fn pod_of(workload: &Value) -> Option<Value> {
    let text = |pointer: &str| workload.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").filter(|kind| *kind != "Pod")?;
    let template = workload.pointer(template_pointer(kind))?;
    let mut spec = template.get("spec")?.as_object()?.clone();
    spec.remove("nodeName");
    let claims = workload.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array).into_iter().flatten();
    let claimed: Vec<&str> =
        claims.filter_map(|claim| claim.pointer("/metadata/name").and_then(Value::as_str)).collect();
    if !claimed.is_empty() {
        let mut volumes = spec.get("volumes").and_then(Value::as_array).cloned().unwrap_or_default();
        volumes.retain(|volume| !claimed.iter().any(|name| volume.get("name") == Some(&json!(name))));
        volumes.extend(claimed.iter().map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}})));
        spec.insert("volumes".to_owned(), volumes.into());
    }
    let mut metadata = Map::new();
    for map in ["labels", "annotations"] {
        if let Some(value) = template.pointer(&format!("/metadata/{map}")).filter(|value| value.is_object()) {
            metadata.insert(map.to_owned(), value.clone());
        }
    }
    // The API server adds five characters, and cuts what is too long.
    metadata.insert("generateName".to_owned(), format!("{}-", text("/metadata/name")?).into());
    metadata.insert("namespace".to_owned(), text("/metadata/namespace")?.into());
    Some(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_has_no_name_no_node_and_all_volumes() {
        let workload = json!({
            "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop", "uid": "1"},
            "spec": {
                "template": {
                    "metadata": {"labels": {"app": "db"}, "creationTimestamp": null},
                    "spec": {"nodeName": "n1", "containers": [{"name": "c"}], "volumes": [{"name": "tmp"}]},
                },
                "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
            },
        });
        assert_eq!(
            pod_of(&workload).unwrap(),
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"generateName": "db-", "namespace": "shop", "labels": {"app": "db"}},
                "spec": {"containers": [{"name": "c"}], "volumes": [
                    {"name": "tmp"}, {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                ]},
            })
        );
        assert_eq!(pod_of(&json!({"kind": "Pod", "metadata": {"name": "x"}, "spec": {}})), None);
    }

    #[test]
    fn what_the_refusal_of_a_dry_run_is_worth() {
        let no = "admission webhook \"mutation.azure-workload-identity.io\" denied the request: nope";
        assert!(matches!(refused(no, &[]), Fact::Known(Answer::Refused(_))));
        for other in [
            "admission webhook \"audit.example.com\" does not support dry run",
            "pods \"x\" is forbidden: exceeded quota: q",
        ] {
            assert!(matches!(refused(other, &[]), Fact::Failed(_)), "{other}");
        }
    }
}
