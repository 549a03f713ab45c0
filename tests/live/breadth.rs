//! What is read besides workloads and accounts: custom resources of applications, objects that others name, and what
//! happens where some of it may not be read. The custom resources have the names of the real ones, and any fields.

use crate::support::{App, Said, wi, wi_as};
use kubectl_wi::apps;
use kubectl_wi::cluster::collect::rights::{self, Right};
use kubectl_wi::model::inventory::regular_plural;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use wi_test_cluster::{Cluster, ControlPlane, Subject, TestNamespace};

/// A configuration like the webhook's, which never matches a pod, and its Deployment: its namespace is read then.
pub(crate) const WEBHOOK: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: azure-workload-identity-system}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: azure-wi-webhook-mutating-webhook-configuration}
webhooks:
  - name: mutation.azure-workload-identity.io
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Ignore
    timeoutSeconds: 1
    clientConfig:
      service: {name: azure-wi-webhook-webhook-service, namespace: azure-workload-identity-system, path: /mutate-v1-pod}
    objectSelector: {matchLabels: {azure.workload.identity/use: "true"}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: azure-wi-webhook-controller-manager, namespace: azure-workload-identity-system}
spec:
  replicas: 0
  selector: {matchLabels: {azure-workload-identity.io/system: "true"}}
  template:
    metadata: {labels: {azure-workload-identity.io/system: "true"}}
    spec: {containers: [{name: manager, image: mcr.microsoft.com/oss/azure/workload-identity/webhook:v1.6.0}]}
"#;

/// The definitions of all custom resources that are read.
pub(crate) fn definitions() -> String {
    let own: Vec<(String, String, String)> =
        apps::resources().map(|(group, kind)| (group.to_owned(), regular_plural(kind), kind.to_owned())).collect();
    let rights = rights::inspect();
    let custom = rights.iter().filter(|right| right.group.contains('.') && !right.group.ends_with("k8s.io"));
    let more = rights.iter().filter(|right| right.group.ends_with(".x-k8s.io") || right.group.starts_with("aadpod"));
    let mut text = String::new();
    for right in custom.chain(more) {
        let (group, plural) = (&*right.group, &*right.resource);
        let known = own.iter().find(|(other, other_plural, _)| other == group && other_plural == plural);
        let kind = known.map_or_else(|| format!("Any{plural}"), |(.., kind)| kind.clone());
        let namespaced = !kind.starts_with("Cluster");
        let scope = if namespaced { "Namespaced" } else { "Cluster" };
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}"),
                "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes/kubernetes/pull/78458"}},
            "spec": {"group": group, "scope": scope,
                "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]},
        });
        writeln!(text, "---\n{definition}").unwrap();
    }
    text
}

/// Applies definitions and waits until the API server serves them all.
pub(crate) fn define(cluster: &Cluster, definitions: &str) {
    cluster.apply(definitions).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).unwrap();
    let served = || {
        let wanted = definitions.lines().filter(|line| line.starts_with('{')).all(|line| {
            let definition: Value = serde_json::from_str(line).unwrap();
            let spec = &definition["spec"];
            let path =
                format!("/apis/{}/v1/{}", spec["group"].as_str().unwrap(), spec["names"]["plural"].as_str().unwrap());
            cluster.kubectl(&["get", "--raw", &path]).is_ok()
        });
        Ok(wanted.then_some(()))
    };
    cluster.wait_for("custom resources", Duration::from_mins(1), served).unwrap();
}

/// Velero's server with everything that leads to further objects.
pub(crate) fn velero(namespace: &TestNamespace<'_>) {
    let mut deployment = App { image: "velero/velero:v1.15.0", ..App::HEALTHY }.deployment();
    let template = &mut deployment["spec"]["template"];
    template["metadata"]["annotations"] = json!({"azure.workload.identity/use-identity-binding": "true"});
    let pod = &mut template["spec"];
    pod["automountServiceAccountToken"] = json!(false);
    pod["containers"][0]["command"] = json!(["/velero"]);
    pod["containers"][0]["args"] = json!(["server", "--repo-maintenance-job-configmap=maintenance"]);
    pod["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    pod["containers"][0]["env"] = json!([{"name": "AZURE_CREDENTIALS_FILE", "value": "/credentials/cloud"}]);
    pod["containers"][0]["volumeMounts"] = json!([{"name": "cloud", "mountPath": "/credentials"}]);
    pod["volumes"] = json!([
        {"name": "cloud", "secret": {"secretName": "cloud-credentials"}},
        {"name": "keys", "csi": {"driver": "secrets-store.csi.k8s.io", "volumeAttributes": {"secretProviderClass": "keys"}}},
        {"name": "bound", "persistentVolumeClaim": {"claimName": "bound"}},
        {"name": "waiting", "persistentVolumeClaim": {"claimName": "waiting"}},
    ]);
    let claim = |name: &str, more: Value| {
        let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        claim["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claim
    };
    let objects = [
        App::HEALTHY.account(),
        deployment,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"LOG": "info"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "maintenance"}, "data": {}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cloud-credentials"}, "stringData": {
            "cloud": "AZURE_CLIENT_ID=3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2\nAZURE_TENANT_ID=3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2\nAZURE_CLIENT_SECRET=PLANTED-SECRET\n"}}),
        json!({"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation", "metadata": {"name": "default"}, "spec": {
            "provider": "velero.io/azure", "objectStorage": {"bucket": "b"}, "config": {"storageAccount": "s"}}}),
        json!({"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass", "metadata": {"name": "keys"},
            "spec": {"provider": "azure"}}),
        claim("bound", json!({"volumeName": "wi-bound", "storageClassName": ""})),
        claim("waiting", json!({"storageClassName": "wi-class"})),
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "wi-bound"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": "",
            "csi": {"driver": "file.csi.azure.com", "volumeHandle": "x"}}}),
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "wi-class"},
            "provisioner": "file.csi.azure.com"}),
    ];
    let text: Vec<String> = objects.iter().map(Value::to_string).collect();
    namespace.apply(&text.join("\n---\n")).unwrap();
}

fn target(report: &Value) -> String {
    let object = &report["targets"][0]["object"];
    format!(
        "{} {}/{}",
        object["kind"].as_str().unwrap(),
        object["namespace"].as_str().unwrap(),
        object["name"].as_str().unwrap()
    )
}

fn codes(report: &Value) -> Vec<&str> {
    let targets = report["targets"].as_array().unwrap().iter();
    let findings = targets.flat_map(|target| target["findings"].as_array().unwrap());
    findings.map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn applications_are_read_with_what_configures_them() {
    let cluster = ControlPlane::start().unwrap();
    define(&cluster, &definitions());
    let namespace = cluster.namespace("velero").unwrap();
    velero(&namespace);
    let at = ["-n", namespace.name(), "-o", "json", "-v", "6"];
    let run = |words: &[&str]| wi(&cluster, &[&["inspect"], words, at.as_slice()].concat());

    // The Secret is fetched by its name, its secret is seen to be there, and nothing of it is shown.
    let said = run(&["deploy/velero"]);
    let report = said.json();
    assert!(codes(&report).contains(&"WI701"), "{report:#}");
    assert!(said.err.contains("/secrets/cloud-credentials ") && !said.err.contains("/secrets?"), "{}", said.err);
    assert!(!format!("{}{}", said.out, said.err).contains("PLANTED"));
    assert!(
        said.err.contains("/configmaps/maintenance ") && said.err.contains("/configmaps/settings "),
        "{}",
        said.err
    );
    assert_eq!(said.err.matches(" /apis?").count() + said.err.matches(" /apis ").count(), 1, "{}", said.err);

    // Left alone, it is not asked for, and is nobody's fault.
    let said = run(&["deploy/velero", "--no-secrets"]);
    assert!(!said.err.contains("/secrets/"), "{}", said.err);
    assert!(!codes(&said.json()).contains(&"WI701"));

    // A location stands for Velero's server, in one namespace and in a sweep.
    assert_eq!(
        target(&run(&["backupstoragelocation/default"]).json()),
        format!("Deployment {}/velero", namespace.name())
    );
    let swept = wi(&cluster, &["inspect", "-A", "-o", "json"]).json();
    assert!(codes(&swept).contains(&"WI701"), "{swept:#}");
}

#[test]
fn a_custom_resource_stands_for_the_workload_whose_identity_it_uses() {
    let cluster = ControlPlane::start().unwrap();
    define(&cluster, &definitions());
    let (operators, shop) = (cluster.namespace("keda").unwrap(), cluster.namespace("shop").unwrap());
    let keda =
        App { name: "keda-operator", account: "keda-operator", image: "ghcr.io/kedacore/keda:2.16.0", ..App::HEALTHY };
    operators.apply(&keda.manifests()).unwrap();
    let resources = [
        json!({"apiVersion": "keda.sh/v1", "kind": "TriggerAuthentication", "metadata": {"name": "queue"},
            "spec": {"podIdentity": {"provider": "azure-workload", "identityId": ""}}}),
        json!({"apiVersion": "keda.sh/v1", "kind": "ScaledObject", "metadata": {"name": "orders"}, "spec": {
            "scaleTargetRef": {"name": "orders"}, "triggers": [
                {"type": "azure-servicebus", "metadata": {"queueName": "q"}, "authenticationRef": {"name": "queue"}}]}}),
    ];
    let text: Vec<String> = resources.iter().map(Value::to_string).collect();
    shop.apply(&text.join("\n---\n")).unwrap();

    let report = wi(&cluster, &["inspect", "scaledobject/orders", "-n", shop.name(), "-o", "json"]).json();
    assert_eq!(target(&report), format!("Deployment {}/keda-operator", operators.name()), "{report:#}");
    // The operator is judged by what it serves elsewhere.
    let report = wi(&cluster, &["inspect", "deploy/keda-operator", "-n", operators.name(), "-o", "json"]).json();
    assert!(codes(&report).contains(&"WI721"), "{report:#}");

    // Who may see one namespace gets that namespace, and is told what is missing.
    let user = Subject::User { name: "erin", group: None };
    let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]);
    cluster.allow(&user, Some(shop.name()), &all).unwrap();
    let kubeconfig = cluster.kubeconfig_for(&user).unwrap();
    let said = wi_as(&cluster, &kubeconfig, &["inspect", "scaledobject/orders", "-n", shop.name(), "-o", "json"]);
    assert_eq!(target(&said.json()), format!("ScaledObject {}/orders", shop.name()));
    let why = said.json()["unknown"].to_string();
    assert!(why.contains("no permission to list deployments"), "{why}");
}

#[test]
fn a_controller_of_its_own_kind_is_found_by_the_owners_of_pods() {
    let cluster = ControlPlane::start().unwrap();
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let names = json!({"plural": "sparkles", "singular": "sparkle", "kind": "Sparkle", "listKind": "SparkleList"});
    let versions = json!([{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]);
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "sparkles.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": versions}});
    define(&cluster, &definition.to_string());
    let namespace = cluster.namespace("own").unwrap();
    namespace.apply(&App::HEALTHY.account().to_string()).unwrap();
    namespace
        .apply(&json!({"apiVersion": "example.com/v1", "kind": "Sparkle", "metadata": {"name": "s"}}).to_string())
        .unwrap();
    let uid = namespace.kubectl_json(&["get", "sparkle", "s"]).unwrap()["metadata"]["uid"].clone();
    let owner =
        json!([{"apiVersion": "example.com/v1", "kind": "Sparkle", "name": "s", "uid": uid, "controller": true}]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "s-1", "ownerReferences": owner},
        "spec": {"serviceAccountName": "velero-server", "containers": [{"name": "app", "image": "busybox"}]}});
    namespace.apply(&pod.to_string()).unwrap();
    let report = wi(&cluster, &["inspect", "sparkle/s", "-n", namespace.name(), "-o", "json"]).json();
    assert_eq!(target(&report), format!("Sparkle {}/s", namespace.name()), "{report:#}");
    assert_eq!(report["targets"][0]["serviceAccount"], "velero-server");
}

/// A role that has all of the rights but one verb of one resource.
fn role_without(name: &str, verb: &str, resource: &str) -> Value {
    let mut rules: Vec<Value> = rights::inspect()
        .into_iter()
        .map(|right| {
            let mut verbs: Vec<&str> = right.verbs.to_vec();
            if right.resource == resource {
                verbs.retain(|other| *other != verb);
            }
            json!({"apiGroups": [right.group], "resources": [right.resource], "verbs": verbs})
        })
        .filter(|rule| !rule["verbs"].as_array().unwrap().is_empty())
        .collect();
    rules.push(json!({"nonResourceURLs": rights::PATHS, "verbs": ["get"]}));
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
}

#[test]
fn each_right_that_is_missing_is_named() {
    let cluster = ControlPlane::start().unwrap();
    define(&cluster, &definitions());
    cluster.apply(WEBHOOK).unwrap();
    let namespace = cluster.namespace("velero").unwrap();
    velero(&namespace);
    let mut missing: Vec<(&str, String)> = rights::inspect()
        .iter()
        // One stands for all custom resources of applications that are not here.
        .filter(|right: &&Right| {
            !right.group.contains('.') || right.group.ends_with("k8s.io") || right.group == "velero.io"
        })
        .flat_map(|right| right.verbs.iter().map(|verb| (*verb, right.resource.to_string())).collect::<Vec<_>>())
        .filter(|(_, resource)| !resource.starts_with("azure"))
        .collect();
    missing.sort();
    missing.dedup();
    let mut roles = String::new();
    // A subresource has a slash, which no name of a role may have.
    let without = |verb: &str, resource: &str| format!("without-{verb}-{}", resource.replace('/', "-"));
    for (verb, resource) in &missing {
        let name = without(verb, resource);
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}]});
        write!(roles, "---\n{}\n---\n{binding}\n", role_without(&name, verb, resource)).unwrap();
    }
    cluster.apply(&roles).unwrap();
    let mut silent = Vec::new();
    for (verb, resource) in &missing {
        let user = Subject::User { name: &without(verb, resource), group: None };
        let kubeconfig = cluster.kubeconfig_for(&user).unwrap();
        let named = ["inspect", "deploy/velero", "-n", namespace.name(), "-o", "json"];
        let ran = |words: &[&str]| -> Said { wi_as(&cluster, &kubeconfig, words) };
        let told = |said: &Said| {
            let report = said.json();
            let wanted = format!("no permission to {verb} {resource}");
            // What is named and may not be looked for is an error.
            let entries = report["unknown"].as_array().into_iter().flatten().map(|entry| &entry["why"]);
            entries.chain([&report["message"]]).any(|text| text.as_str().unwrap_or_default().contains(&wanted))
        };
        // Only a sweep lists namespaces.
        if !told(&ran(&named)) && !told(&ran(&["inspect", "-A", "-o", "json"])) {
            silent.push(format!("{verb} {resource}"));
        }
    }
    assert!(silent.is_empty(), "nothing said of {silent:?}");
}
