//! Fields of custom resources from which operators make what is to be changed.

use super::super::path::{Edit, FieldPath, Step, apply};
use super::super::plan::PlanStep;
use crate::model::object::ObjectRef;
use crate::model::workload::template_pointer;
use serde_json::Value;

/// Where a custom resource keeps what its operator writes into pod templates and accounts; JSON pointers.
#[derive(Default)]
struct Fields {
    pod_labels: Option<&'static str>,
    pod_annotations: Option<&'static str>,
    account_name: Option<&'static str>,
    account_annotations: Option<&'static str>,
    account_labels: Option<&'static str>,
}

/// What is known of single operators, by group and kind, and by the name of the object that they make.
///
/// Sources: keda-olm-operator, README, `KedaController` spec; oadp-operator, `DataProtectionApplicationSpec`,
/// `podConfig`; prometheus-operator, `api-reference/api.md`, `podMetadata`; `CloudNativePG`, `inheritedMetadata` and
/// `serviceAccountTemplate`; external-secrets' OLM operator, whose `OperatorConfig` holds the chart's values.
fn known(group: &str, kind: &str, made: &ObjectRef) -> Option<Fields> {
    let is = |part: &str| made.name.contains(part);
    Some(match (group, kind) {
        ("keda.sh", "KedaController") => {
            let (pod_labels, pod_annotations) = if is("metrics") {
                ("/spec/metricsServer/podLabels", "/spec/metricsServer/podAnnotations")
            } else if is("admission") {
                ("/spec/admissionWebhooks/podLabels", "/spec/admissionWebhooks/podAnnotations")
            } else {
                ("/spec/operator/podLabels", "/spec/operator/podAnnotations")
            };
            Fields {
                pod_labels: Some(pod_labels),
                pod_annotations: Some(pod_annotations),
                account_annotations: Some("/spec/serviceAccount/annotations"),
                account_labels: Some("/spec/serviceAccount/labels"),
                ..Fields::default()
            }
        }
        ("oadp.openshift.io", "DataProtectionApplication") => {
            let labels = if is("node-agent") || is("restic") {
                "/spec/configuration/nodeAgent/podConfig/labels"
            } else {
                "/spec/configuration/velero/podConfig/labels"
            };
            Fields { pod_labels: Some(labels), ..Fields::default() }
        }
        ("monitoring.coreos.com", "Prometheus" | "PrometheusAgent" | "Alertmanager" | "ThanosRuler") => Fields {
            pod_labels: Some("/spec/podMetadata/labels"),
            pod_annotations: Some("/spec/podMetadata/annotations"),
            account_name: Some("/spec/serviceAccountName"),
            ..Fields::default()
        },
        ("postgresql.cnpg.io", "Cluster") => Fields {
            pod_labels: Some("/spec/inheritedMetadata/labels"),
            pod_annotations: Some("/spec/inheritedMetadata/annotations"),
            account_annotations: Some("/spec/serviceAccountTemplate/metadata/annotations"),
            account_labels: Some("/spec/serviceAccountTemplate/metadata/labels"),
            ..Fields::default()
        },
        ("operator.external-secrets.io", "OperatorConfig") => Fields {
            pod_labels: Some("/spec/podLabels"),
            pod_annotations: Some("/spec/podAnnotations"),
            account_annotations: Some("/spec/serviceAccount/annotations"),
            ..Fields::default()
        },
        _ => return None,
    })
}

/// A custom resource changed so that its operator makes what a step wants; `None` where it is not known how.
pub(super) fn changed(resource: &ObjectRef, value: &Value, step: &PlanStep) -> Option<Value> {
    let edits = embedded(value, step).or_else(|| mapped(resource, step))?;
    apply(value, &edits).ok().filter(|after| after != value)
}

/// The edits in the pod template that the resource itself holds, such as that of a `ScaledJob` or a Rollout.
fn embedded(value: &Value, step: &PlanStep) -> Option<Vec<Edit>> {
    let pointer = template_pointer(&step.object.kind);
    let containers = names(step.current.pointer(pointer)?);
    let mut found = Vec::new();
    templates(value, &mut Vec::new(), &containers, &mut found);
    let [template] = found.as_slice() else { return None };
    let depth = pointer.split('/').skip(1).count();
    let moved = |edit: &Edit| {
        let names: Vec<&str> = pointer.split('/').skip(1).collect();
        let below = edit.path.is_below(&names).then(|| edit.path.0[depth..].to_vec())?;
        let path = FieldPath(template.iter().cloned().chain(below).collect());
        Some(Edit { before: path.get(value).cloned(), path, ..edit.clone() })
    };
    step.edits.iter().map(moved).collect()
}

fn names(template: &Value) -> Vec<&str> {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    containers.filter_map(|container| container["name"].as_str()).collect()
}

/// Where templates with one of the containers stand.
fn templates(value: &Value, at: &mut Vec<Step>, containers: &[&str], found: &mut Vec<Vec<Step>>) {
    let Some(map) = value.as_object() else { return };
    if names(value).iter().any(|name| containers.contains(name)) {
        found.push(at.clone());
        return;
    }
    for (name, below) in map.iter().filter(|(name, _)| *name != "status") {
        at.push(Step::Field(name.clone()));
        templates(below, at, containers, found);
        at.pop();
    }
}

/// The edits in the fields that are known to become what the step changes.
fn mapped(resource: &ObjectRef, step: &PlanStep) -> Option<Vec<Edit>> {
    let group = resource.api_version.split('/').next().unwrap_or_default();
    let fields = known(group, &resource.kind, &step.object)?;
    let template: Vec<&str> = template_pointer(&step.object.kind).split('/').skip(1).collect();
    let account = step.object.kind == "ServiceAccount";
    let below = |names: &[&'static str]| template.iter().copied().chain(names.iter().copied()).collect::<Vec<_>>();
    let places = [
        (below(&["metadata", "labels"]), fields.pod_labels, !account),
        (below(&["metadata", "annotations"]), fields.pod_annotations, !account),
        (below(&["spec", "serviceAccountName"]), fields.account_name, !account),
        (vec!["metadata", "annotations"], fields.account_annotations, account),
        (vec!["metadata", "labels"], fields.account_labels, account),
    ];
    let moved = |edit: &Edit| {
        let (names, to, _) = places.iter().find(|(names, _, applies)| *applies && edit.path.is_below(names))?;
        let to = (*to)?.split('/').skip(1).map(|name| Step::Field(name.to_owned()));
        let path = FieldPath(to.chain(edit.path.0[names.len()..].iter().cloned()).collect());
        Some(Edit::new(path, None, edit.after.clone()))
    };
    step.edits.iter().map(moved).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fix::difference::differences;
    use serde_json::json;

    const LABEL: &str = "azure.workload.identity/use";

    fn labelled(kind: &str, name: &str) -> PlanStep {
        let before = json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "app"}]}}}});
        let mut after = before.clone();
        after["spec"]["template"]["metadata"]["labels"][LABEL] = json!("true");
        let edits = differences(&before, &after);
        PlanStep::of(&ObjectRef::new("apps/v1", kind, Some("n"), name), before, edits)
    }

    #[test]
    fn known_operators_are_told_by_their_own_fields() {
        let resource = |api: &str, kind: &str| ObjectRef::new(api, kind, Some("n"), "x");
        let cases = [
            (resource("keda.sh/v1alpha1", "KedaController"), "keda-operator", "/spec/operator/podLabels"),
            (resource("keda.sh/v1alpha1", "KedaController"), "keda-metrics-apiserver", "/spec/metricsServer/podLabels"),
            (
                resource("oadp.openshift.io/v1alpha1", "DataProtectionApplication"),
                "node-agent",
                "/spec/configuration/nodeAgent/podConfig/labels",
            ),
            (resource("monitoring.coreos.com/v1", "Prometheus"), "prometheus-main", "/spec/podMetadata/labels"),
        ];
        for (resource, name, pointer) in cases {
            let after = changed(&resource, &json!({"spec": {"other": 1}}), &labelled("Deployment", name)).unwrap();
            assert_eq!(after.pointer(pointer), Some(&json!({ LABEL: "true" })), "{resource}");
            assert_eq!(after["spec"]["other"], 1);
        }
        let unknown = resource("example.com/v1", "Thing");
        assert_eq!(changed(&unknown, &json!({"spec": {}}), &labelled("Deployment", "a")), None);
    }

    #[test]
    fn an_account_is_annotated_by_the_resource_that_makes_it() {
        let before = json!({"metadata": {"name": "keda-operator"}});
        let after =
            json!({"metadata": {"name": "keda-operator", "annotations": {"azure.workload.identity/client-id": "id"}}});
        let object = ObjectRef::service_account("keda", "keda-operator");
        let step = PlanStep::of(&object, before.clone(), differences(&before, &after));
        let resource = ObjectRef::new("keda.sh/v1alpha1", "KedaController", Some("keda"), "keda");
        let after = changed(&resource, &json!({}), &step).unwrap();
        assert_eq!(
            after,
            json!({"spec": {"serviceAccount": {"annotations": {"azure.workload.identity/client-id": "id"}}}})
        );
    }

    #[test]
    fn a_template_that_the_resource_holds_is_changed_there() {
        let rollout = json!({"spec": {"strategy": {}, "workload": {"template": {"spec": {"containers": [{"name": "app", "image": "x"}]}}}}});
        let resource = ObjectRef::new("example.com/v1", "Thing", Some("n"), "x");
        let after = changed(&resource, &rollout, &labelled("ReplicaSet", "a")).unwrap();
        assert_eq!(after["spec"]["workload"]["template"]["metadata"]["labels"], json!({ LABEL: "true" }));
    }
}
