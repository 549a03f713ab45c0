//! Changes and commands that rules propose, in one wording.

use crate::chain::Chain;
use crate::model::StringMap;
use crate::model::finding::{Change, Fix, FixKind, Operation, pointer_token};
use crate::model::object::ObjectRef;
use crate::model::workload::Workload;
use serde_json::{Value, json};

/// A text for a POSIX shell, in quotes where it needs them.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The operation that sets an entry of a map: adding the map where it is not there.
pub(crate) fn set_entry(map: Option<&StringMap>, pointer: &str, key: &str, value: impl Into<Value>) -> Operation {
    let value = value.into();
    match map {
        None => Operation::Add { path: pointer.to_owned(), value: json!({ key: value }) },
        Some(map) => {
            let path = format!("{pointer}/{}", pointer_token(key));
            if map.contains_key(key) { Operation::Replace { path, value } } else { Operation::Add { path, value } }
        }
    }
}

/// The operation that sets a field of an object that may not be there yet.
pub(crate) fn set_field(is_there: bool, pointer: &str, field: &str, value: impl Into<Value>) -> Operation {
    let value = value.into();
    if is_there {
        Operation::Add { path: format!("{pointer}/{field}"), value }
    } else {
        Operation::Add { path: pointer.to_owned(), value: json!({ field: value }) }
    }
}

/// The operation that takes an entry out of a map.
pub(crate) fn remove_entry(pointer: &str, key: &str) -> Operation {
    Operation::Remove { path: format!("{pointer}/{}", pointer_token(key)) }
}

/// A change of one object, as `kubectl patch` takes it.
pub(crate) fn patch_command(change: &Change) -> String {
    let patch = serde_json::to_string(&change.patch).unwrap_or_default();
    format!("kubectl patch {} --type json -p {}", arguments(&change.object), quote(&patch))
}

/// `deploy/app -n shop`
pub(crate) fn arguments(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{} -n {namespace}", object.argument()),
        None => object.argument(),
    }
}

/// A fix that changes a workload's pod template, with the command that fits its kind.
pub(crate) fn template_fix(workload: &Workload, summary: impl Into<String>, patch: Vec<Operation>) -> Fix {
    let object = &workload.meta.object;
    let change = Change { object: object.clone(), patch };
    let command = match object.kind.as_str() {
        // Nearly all of a pod cannot be changed: it is made anew.
        "Pod" => format!("{} --dry-run=client -o yaml | kubectl replace --force -f -", patch_command(&change)),
        _ => patch_command(&change),
    };
    template_fix_by(workload, summary, &command, change)
}

/// The same with a command that says it better than a patch.
pub(crate) fn template_fix_by(workload: &Workload, summary: impl Into<String>, command: &str, change: Change) -> Fix {
    let (object, summary) = (&workload.meta.object, summary.into());
    if !workload.is_built_in() {
        return custom_fix(object, &summary);
    }
    if object.kind == "Job" {
        let why = "a Job's template cannot be changed: delete the Job and make it anew";
        return Fix::new(FixKind::Restart, format!("{summary}; {why}")).change(change);
    }
    Fix::new(FixKind::Restart, summary).command(command).change(change)
}

/// Where the custom resources of well-known operators say what their pods look like: group, kind, and the field of
/// which labels, or a whole pod template, reach the pods. Sources: the API references of the operators.
const POD_PLACES: &[(&str, &str, &str)] = &[
    ("monitoring.coreos.com", "Prometheus", "spec.podMetadata.labels and spec.serviceAccountName"),
    ("monitoring.coreos.com", "Alertmanager", "spec.podMetadata.labels and spec.serviceAccountName"),
    ("monitoring.coreos.com", "ThanosRuler", "spec.podMetadata.labels and spec.serviceAccountName"),
    ("postgresql.cnpg.io", "Cluster", "spec.inheritedMetadata.labels and spec.serviceAccountTemplate"),
    ("sparkoperator.k8s.io", "SparkApplication", "labels and serviceAccount of spec.driver and spec.executor"),
    ("argoproj.io", "Workflow", "spec.podMetadata.labels and spec.serviceAccountName"),
    ("argoproj.io", "Rollout", "spec.template"),
    ("ray.io", "RayCluster", "the template of spec.headGroupSpec and of each of spec.workerGroupSpecs"),
    ("core.strimzi.io", "StrimziPodSet", "the Kafka resource above it, in spec.kafka.template.pod.metadata.labels"),
    ("actions.github.com", "EphemeralRunner", "the AutoscalingRunnerSet above it, in spec.template"),
    (
        "tekton.dev",
        "TaskRun",
        "its own metadata.labels and spec.serviceAccountName, or those of the PipelineRun above it",
    ),
];

/// A fix of pods that a custom controller makes: its object is changed, by hand, because its kind decides where. The
/// pods themselves are no place for it: their controller makes them anew as they were.
fn custom_fix(object: &ObjectRef, summary: &str) -> Fix {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    let place = POD_PLACES.iter().find(|(of, kind, _)| *of == group && *kind == object.kind).map(|(.., place)| *place);
    let fix = match place {
        Some(place) => Fix::manual(format!("{summary}, in {object}: {place}")),
        None => Fix::manual(format!("{summary}, where {object} says what its pods look like")),
    };
    let kind = object.kind.to_lowercase();
    let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
    let namespace = object.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    fix.command(format!("kubectl edit {kind}/{}{namespace}", object.name))
}

/// A fix of an object from which no pod is made anew, with the command that says it best.
pub(crate) fn metadata_fix(
    object: &ObjectRef,
    summary: impl Into<String>,
    command: String,
    operation: Operation,
) -> Fix {
    let change = Change { object: object.clone(), patch: vec![operation] };
    Fix::new(FixKind::Metadata, summary).command(command).change(change)
}

/// The command that restarts a workload's pods, where its kind has one.
pub(crate) fn restart_command(object: &ObjectRef) -> Option<String> {
    matches!(object.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet")
        .then(|| format!("kubectl rollout restart {}", arguments(object)))
}

/// Adds the command that restarts the workload of a chain to a fix of its account.
pub(crate) fn then_restart(fix: Fix, chain: &Chain<'_>) -> Fix {
    match chain.peek_workload().and_then(|workload| restart_command(&workload.meta.object)) {
        Some(command) => fix.command(command),
        None => fix,
    }
}

/// A list of names in a sentence: `a`, `a and b`, `a, b and c`.
pub(crate) fn and(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}
