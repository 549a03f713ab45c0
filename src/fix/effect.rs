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
    let count = count(pods);
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
            effect.notes.push(format!("restarts {count} of {name}, {}", rollout(value)));
        }
        "StatefulSet" if text("/spec/updateStrategy/type") == "OnDelete" => by_hand(&mut effect, "updates on delete"),
        "StatefulSet" => {
            effect.restarts = true;
            let manner = if pods == 1 {
                "the only one: nothing runs in between"
            } else {
                "one after the other from the last to the first"
            };
            effect.notes.push(format!("restarts {count} of {name}, {manner}"));
            let partition = value.pointer("/spec/updateStrategy/rollingUpdate/partition").and_then(Value::as_i64);
            if let Some(partition) = partition.filter(|partition| *partition > 0) {
                effect.notes.push(format!("partition {partition}: pods with a lower number stay as they are"));
            }
        }
        "DaemonSet" if text("/spec/updateStrategy/type") == "OnDelete" => by_hand(&mut effect, "updates on delete"),
        "DaemonSet" => {
            effect.restarts = true;
            let away = value.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable").unwrap_or(&Value::Null);
            let manner = match of(away, pods, false).unwrap_or(1) {
                // With maxSurge a node gets its new pod before the old one ends.
                0 => "node by node, a new one before the old one ends".to_owned(),
                1 => "node by node; each node is without one in between".to_owned(),
                away => format!("{away} nodes at a time; each is without one in between"),
            };
            effect.notes.push(format!("restarts {count} of {name}, {manner}"));
        }
        "ReplicaSet" | "ReplicationController" => by_hand(&mut effect, "replaces no pods by itself"),
        "CronJob" => {
            effect.notes.push(format!("restarts nothing: it counts from the next run of {name} on"));
            let active = value.pointer("/status/active").and_then(Value::as_array).into_iter().flatten();
            for job in active.into_iter().filter_map(|job| job["name"].as_str()) {
                effect.notes.push(format!("Job {job} runs and keeps its pods as they are"));
            }
        }
        "Job" => {
            let why = "the pod template of a Job cannot be changed; it has to be made anew".to_owned();
            let active = value.pointer("/status/active").and_then(Value::as_i64).unwrap_or_default();
            if active > 0 {
                let pods = self::count(usize::try_from(active).unwrap_or_default());
                effect.notes.push(format!("{pods} of it at work would be ended, and their work is lost"));
            }
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

fn count(pods: usize) -> String {
    if pods == 1 { "1 pod".to_owned() } else { format!("{pods} pods") }
}

/// How a Deployment replaces its pods, as its controller counts: unavailable pods are rounded down, extra ones up, and
/// one of the two is at least 1.
fn rollout(value: &Value) -> String {
    if value.pointer("/spec/strategy/type").and_then(Value::as_str) == Some("Recreate") {
        return "all at once (Recreate): nothing runs in between".to_owned();
    }
    let replicas =
        value.pointer("/spec/replicas").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
    let replicas = replicas.unwrap_or(1);
    let setting = |name: &str| value.pointer(&format!("/spec/strategy/rollingUpdate/{name}")).unwrap_or(&Value::Null);
    let extra = of(setting("maxSurge"), replicas, true).unwrap_or(replicas.div_ceil(4));
    let away = of(setting("maxUnavailable"), replicas, false).unwrap_or(replicas / 4);
    let away = if away == 0 && extra == 0 { 1 } else { away };
    let pace =
        if away + extra == 1 { "one after the other".to_owned() } else { format!("up to {} at a time", away + extra) };
    if away >= replicas {
        format!("{pace}; nothing may run in between")
    } else if away == 0 {
        format!("{pace}, each new one before an old one ends")
    } else {
        format!("{pace}, and {away} may be away meanwhile")
    }
}

/// A number of pods, or a percentage of all of them.
fn of(setting: &Value, all: usize, up: bool) -> Option<usize> {
    if let Some(number) = setting.as_u64() {
        return usize::try_from(number).ok();
    }
    let percent: usize = setting.as_str()?.strip_suffix('%')?.parse().ok()?;
    let hundredfold = all * percent;
    Some(if up { hundredfold.div_ceil(100) } else { hundredfold / 100 })
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
