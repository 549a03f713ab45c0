//! What a change does to pods that run, kind by kind, and what cannot be changed in place.

use crate::model::object::ObjectRef;
use crate::model::workload::template_pointer;
use serde_json::{Map, Value, json};

/// The annotation of `kubectl rollout restart`: a new value makes new pods.
pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// What a change of an object's pod template leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Whether pods are replaced by it.
    pub restarts: bool,
    /// What a person should know, in sentences without a full stop.
    pub notes: Vec<String>,
    /// Why the change cannot be made in place, with the commands that make it.
    pub refused: Option<(String, Vec<String>)>,
}

/// What changing the pod template does; `pods` is how many run now.
pub fn of_template(object: &ObjectRef, value: &Value, pods: usize) -> Effect {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let name = object.to_string();
    let count = if pods == 1 { "1 pod".to_owned() } else { format!("{pods} pods") };
    let mut effect = Effect::default();
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let by_hand = |effect: &mut Effect, why: &str| {
        effect.notes.push(format!("{why}: delete the {count} of {name} when it suits, so that new ones are made"));
    };
    match object.kind.as_str() {
        "Deployment" if value.pointer("/spec/paused") == Some(&Value::Bool(true)) => {
            effect.notes.push(format!("{name} is paused: its pods change when it is resumed"));
        }
        "Deployment" | "DaemonSet" if pods == 0 => effect.restarts = value.pointer("/spec/replicas") != Some(&json!(0)),
        "Deployment" => {
            effect.restarts = true;
            let manner = if text("/spec/strategy/type") == "Recreate" {
                "all at once (Recreate): nothing runs in between".to_owned()
            } else if pods == 1 {
                "the new one starts before the old one ends".to_owned()
            } else {
                let budget = value.pointer("/spec/strategy/rollingUpdate/maxUnavailable");
                format!("one after the other, {} of them may be away at a time", budget.map_or("25%".to_owned(), plain))
            };
            effect.notes.push(format!("restarts {count} of {name}, {manner}"));
        }
        "StatefulSet" if text("/spec/updateStrategy/type") == "OnDelete" => by_hand(&mut effect, "updates on delete"),
        "StatefulSet" => {
            effect.restarts = true;
            effect.notes.push(format!("restarts {count} of {name}, one after the other from the last to the first"));
            let partition = value.pointer("/spec/updateStrategy/rollingUpdate/partition").and_then(Value::as_i64);
            if let Some(partition) = partition.filter(|partition| *partition > 0) {
                effect.notes.push(format!("partition {partition}: pods with a lower number stay as they are"));
            }
        }
        "DaemonSet" if text("/spec/updateStrategy/type") == "OnDelete" => by_hand(&mut effect, "updates on delete"),
        "DaemonSet" => {
            effect.restarts = true;
            effect.notes.push(format!("restarts {count} of {name}, node by node"));
        }
        "ReplicaSet" | "ReplicationController" => by_hand(&mut effect, "replaces no pods by itself"),
        "CronJob" => effect.notes.push(format!("restarts nothing: it counts from the next run of {name} on")),
        "Job" => {
            let why = "the pod template of a Job cannot be changed; it has to be made anew".to_owned();
            effect.refused = Some((why, recreate(object, namespace)));
        }
        "Pod" => {
            let why = "a pod is only seen by the webhook when it is created; it has to be made anew".to_owned();
            effect.refused = Some((why, recreate(object, namespace)));
        }
        _ => {
            let why = format!("{} is not one of Kubernetes' own kinds: change it where it is defined", object.kind);
            effect.refused = Some((why, Vec::new()));
        }
    }
    if effect.restarts && pods == 1 && object.kind != "DaemonSet" {
        effect.notes.push("it is the only replica: what it is doing now is interrupted".to_owned());
    }
    effect
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn recreate(object: &ObjectRef, namespace: &str) -> Vec<String> {
    let argument = object.argument();
    vec![format!("kubectl wi fix {argument} -n {namespace} --export yaml | kubectl replace --force -f -")]
}

/// The object as it can be created again: without what the API server and controllers have put into it.
pub fn clean_for_creation(value: &Value) -> Value {
    let mut value = value.clone();
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(map) = value.as_object_mut() {
        map.remove("status");
    }
    let counted = [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
        "selfLink",
        "ownerReferences",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        counted.iter().for_each(|field| {
            metadata.remove(*field);
        });
        remove_entry(metadata, "annotations", "kubectl.kubernetes.io/last-applied-configuration");
        remove_entry(metadata, "annotations", "deployment.kubernetes.io/revision");
        drop_job_labels(metadata);
    }
    if kind == "Job" {
        if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut)
            && spec.get("manualSelector") != Some(&Value::Bool(true))
        {
            spec.remove("selector");
        }
        if let Some(metadata) = value.pointer_mut("/spec/template/metadata").and_then(Value::as_object_mut) {
            metadata.remove("creationTimestamp");
            drop_job_labels(metadata);
        }
    }
    if kind == "Pod" {
        clean_pod(&mut value);
    }
    value
}

fn drop_job_labels(metadata: &mut Map<String, Value>) {
    let made = ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"];
    made.iter().for_each(|label| remove_entry(metadata, "labels", label));
}

fn remove_entry(metadata: &mut Map<String, Value>, map: &str, key: &str) {
    if let Some(entries) = metadata.get_mut(map).and_then(Value::as_object_mut) {
        entries.remove(key);
        if entries.is_empty() {
            metadata.remove(map);
        }
    }
}

/// The API server's own token volume would be there twice, and the node is chosen anew.
fn clean_pod(value: &mut Value) {
    let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["nodeName", "priority", "preemptionPolicy", "enableServiceLinks", "serviceAccount"] {
        spec.remove(field);
    }
    let is_own = |entry: &Value| {
        entry.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with("kube-api-access-"))
    };
    let drop = |list: &mut Value| {
        if let Some(list) = list.as_array_mut() {
            list.retain(|entry| !is_own(entry));
        }
    };
    if let Some(volumes) = spec.get_mut("volumes") {
        drop(volumes);
    }
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(mounts) = container.get_mut("volumeMounts") {
                drop(mounts);
            }
        }
    }
}

/// A pod as the workload would make it, for asking the API server whether it could.
pub fn pod_of(object: &ObjectRef, value: &Value) -> Option<Value> {
    let template = value.pointer(template_pointer(&object.kind))?;
    let mut metadata = template.get("metadata").cloned().filter(Value::is_object).unwrap_or_else(|| json!({}));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("creationTimestamp");
        metadata.remove("name");
        metadata.insert("generateName".to_owned(), json!(format!("{}-", object.name)));
        metadata.insert("namespace".to_owned(), json!(object.namespace));
    }
    let mut spec = template.get("spec")?.clone();
    // Volumes of a StatefulSet's claims are not in its template: its controller adds them to each pod.
    let claims = value.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array).into_iter().flatten();
    let volumes: Vec<Value> = claims
        .filter_map(|claim| claim.pointer("/metadata/name").and_then(Value::as_str))
        .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": format!("{name}-{}-0", object.name)}}))
        .collect();
    if let Some(spec) = spec.as_object_mut()
        && !volumes.is_empty()
        && let Some(list) = spec.entry("volumes").or_insert_with(|| json!([])).as_array_mut()
    {
        list.extend(volumes);
    }
    Some(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str) -> ObjectRef {
        ObjectRef::new("apps/v1", kind, Some("velero"), "a")
    }

    #[test]
    fn each_kind_gets_what_is_right_for_it() {
        let on_delete = json!({"spec": {"updateStrategy": {"type": "OnDelete"}}});
        let cases = [
            ("Deployment", json!({}), true, "restarts 3 pods of Deployment velero/a, one after the other"),
            ("Deployment", json!({"spec": {"strategy": {"type": "Recreate"}}}), true, "all at once"),
            ("Deployment", json!({"spec": {"paused": true}}), false, "is paused"),
            ("StatefulSet", json!({}), true, "from the last to the first"),
            ("StatefulSet", on_delete.clone(), false, "delete the 3 pods"),
            ("DaemonSet", json!({}), true, "node by node"),
            ("DaemonSet", on_delete, false, "delete the 3 pods"),
            ("CronJob", json!({}), false, "next run"),
            ("ReplicaSet", json!({}), false, "delete the 3 pods"),
        ];
        for (kind, value, restarts, note) in cases {
            let effect = of_template(&object(kind), &value, 3);
            assert_eq!(effect.restarts, restarts, "{kind}");
            assert!(effect.notes.iter().any(|said| said.contains(note)), "{kind}: {:?}", effect.notes);
        }
        for kind in ["Job", "Pod", "Rollout"] {
            assert!(of_template(&object(kind), &json!({}), 1).refused.is_some(), "{kind}");
        }
    }

    #[test]
    fn a_statefulset_pod_has_the_volumes_of_its_claims() {
        let value = json!({"spec": {"template": {"spec": {"containers": []}}, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}});
        let pod = pod_of(&object("StatefulSet"), &value).unwrap_or_default();
        assert_eq!(pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-a-0");
    }
}
