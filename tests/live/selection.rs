//! Which pods reach the webhook: what is said beforehand, from files, against what the real API server does.

use crate::support::{App, Said, roots, wi};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;
use wi_test_cluster::{Cluster, ControlPlane, WebhookOptions};

const CONFIGURATION: &str = "azure-wi-webhook-mutating-webhook-configuration";
/// The account that the pods run as, in every namespace.
const ACCOUNT: &str = "velero-server";

/// A registration with a condition that is not evaluated: what it takes is said to be unknown, never guessed.
const DOUBTED: &str = "a condition that is not evaluated";

/// The namespaces, with their labels beside `kubernetes.io/metadata.name`.
fn namespaces() -> Vec<(&'static str, Value)> {
    vec![
        ("velero", json!({})),
        ("team-a", json!({"team": "a"})),
        ("team-b", json!({"team": "b", "control-plane": "b"})),
        ("kube-system", json!({})),
    ]
}

/// One pod for each way to carry, or not to carry, what a registration may ask for.
fn pods() -> Vec<Value> {
    let ways = [
        ("labelled", json!({"azure.workload.identity/use": "true"}), json!({})),
        ("unlabelled", json!({}), json!({})),
        ("wrong-value", json!({"azure.workload.identity/use": "True"}), json!({})),
        ("batch", json!({"azure.workload.identity/use": "true", "tier": "batch"}), json!({})),
        ("front", json!({"azure.workload.identity/use": "true", "tier": "front", "app": "velero"}), json!({})),
        ("skips", json!({"azure.workload.identity/use": "true"}), json!({"example.com/skip": "yes"})),
    ];
    let pod = |namespace: &str, name: &str, labels: &Value, annotations: &Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations},
            "spec": {"serviceAccountName": ACCOUNT, "containers": [{"name": "app", "image": "app"}]},
        })
    };
    let in_namespace = |namespace: &'static str| ways.clone().map(|way| pod(namespace, way.0, &way.1, &way.2));
    namespaces().into_iter().flat_map(|(namespace, _)| in_namespace(namespace)).collect()
}

fn labelled() -> Value {
    json!({"matchLabels": {"azure.workload.identity/use": "true"}})
}

fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    let mut expression = json!({"key": key, "operator": operator});
    if !values.is_empty() {
        expression["values"] = json!(values);
    }
    json!({"matchExpressions": [expression]})
}

fn conditions(expressions: &[&str]) -> Value {
    let condition = |(at, text): (usize, &&str)| json!({"name": format!("condition-{at}"), "expression": text});
    expressions.iter().enumerate().map(condition).collect()
}

/// What registrations in the field ask for, and how many of the pods then pass.
fn registrations() -> Vec<(&'static str, Value, usize)> {
    let object = |value: Value| json!({"objectSelector": value});
    let namespace = |value: Value| json!({"objectSelector": labelled(), "namespaceSelector": value});
    let condition = |texts: &[&str]| json!({"objectSelector": labelled(), "matchConditions": conditions(texts)});
    vec![
        ("as it is installed", object(labelled()), 16),
        ("everything", object(json!({})), 24),
        (
            "labels, and a further requirement",
            object(json!({
                "matchLabels": {"azure.workload.identity/use": "true"},
                "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["batch"]}],
            })),
            12,
        ),
        ("the label, whatever its value", object(expression("azure.workload.identity/use", "Exists", &[])), 20),
        ("one team", namespace(json!({"matchLabels": {"team": "a"}})), 4),
        ("two teams", namespace(expression("team", "In", &["a", "b"])), 8),
        ("all but a team", namespace(expression("team", "NotIn", &["a"])), 12),
        ("a namespace by name", namespace(expression("kubernetes.io/metadata.name", "In", &["velero"])), 4),
        (
            // What the AKS admissions enforcer writes into registrations that it is not told to leave alone.
            "the enforcer's exclusions",
            namespace(json!({"matchExpressions": [
                {"key": "control-plane", "operator": "DoesNotExist"},
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]},
            ]})),
            8,
        ),
        ("a condition on the namespace", condition(&["!(request.namespace in ['kube-system', 'team-a'])"]), 8),
        (
            "conditions on what is optional",
            condition(&[
                "!has(object.metadata.annotations) || !('example.com/skip' in object.metadata.annotations)",
                "!('tier' in object.metadata.labels) || object.metadata.labels['tier'] != 'batch'",
            ]),
            8,
        ),
        (DOUBTED, condition(&["object.spec.containers.all(container, container.name == 'app')"]), 16),
        (
            "a condition that always holds",
            condition(&["request.operation == 'CREATE' && request.resource.resource == 'pods'"]),
            16,
        ),
        ("another operation", json!({"objectSelector": labelled(), "rules": [rule("UPDATE", "pods")]}), 0),
        ("another resource", json!({"objectSelector": labelled(), "rules": [rule("CREATE", "services")]}), 0),
    ]
}

fn rule(operation: &str, resource: &str) -> Value {
    json!({"operations": [operation], "apiGroups": [""], "apiVersions": ["v1"], "resources": [resource]})
}

/// Registers the webhook anew, and waits until the API server has noticed: a second entry, which is not the identity
/// webhook's, takes a pod that carries this registration's number.
fn register(cluster: &Cluster, original: &Value, number: usize, registration: &Value) {
    let mut configuration = original.clone();
    let entry = &mut configuration["webhooks"][0];
    for (key, value) in registration.as_object().unwrap() {
        entry[key] = value.clone();
    }
    let mut canary = original["webhooks"][0].clone();
    canary["name"] = json!("canary.example.com");
    canary["objectSelector"] = json!({"matchLabels": {"canary": number.to_string()}});
    configuration["webhooks"].as_array_mut().unwrap().push(canary);
    for field in ["resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"] {
        configuration["metadata"].as_object_mut().unwrap().remove(field);
    }
    kubectl(cluster, &["replace", "-f", "-"], &configuration);

    let canary = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "canary", "namespace": "velero", "labels": {"canary": number.to_string()}},
        "spec": {"serviceAccountName": ACCOUNT, "containers": [{"name": "app", "image": "app"}]},
    });
    let seen = || Ok(dry_run(cluster, &canary).iter().all(is_mutated).then_some(()));
    cluster.wait_for("the registration", Duration::from_secs(30), seen).unwrap();
}

fn kubectl(cluster: &Cluster, arguments: &[&str], object: &Value) -> String {
    let mut command = cluster.command("kubectl");
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "kubectl {arguments:?}: {object:#}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the API server would make of the objects, in their order.
fn dry_run(cluster: &Cluster, object: &Value) -> Vec<Value> {
    let answer = kubectl(cluster, &["create", "--dry-run=server", "-o", "json", "-f", "-"], object);
    serde_json::Deserializer::from_str(&answer).into_iter().map(Result::unwrap).collect()
}

fn is_mutated(pod: &Value) -> bool {
    pod.to_string().contains("AZURE_FEDERATED_TOKEN_FILE")
}

fn list(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn name(object: &Value) -> String {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_else(|| object[key].as_str().unwrap_or_default());
    format!("{}/{}", text("namespace"), text("name"))
}

/// What `simulate` says of the same pods, from files alone.
fn simulated(cluster: &Cluster, pods: &[Value]) -> Vec<(String, String)> {
    let get = |what: &[&str]| cluster.kubectl_json(&[&["get"], what].concat()).unwrap();
    let context =
        [get(&["mutatingwebhookconfiguration", CONFIGURATION]), get(&["namespaces"]), get(&["serviceaccounts", "-A"])];
    let file = cluster.folder().join("all.json");
    std::fs::write(&file, list(context.into_iter().chain(pods.to_vec()).collect()).to_string()).unwrap();
    let said: Said = wi(cluster, &["simulate", "-f", file.to_str().unwrap(), "--as-cluster", "-o", "json"]);
    let report = said.json();
    let item = |item: &Value| (name(&item["object"]), item["outcome"].as_str().unwrap().to_owned());
    report["items"].as_array().unwrap_or_else(|| panic!("{said:?}")).iter().map(item).collect()
}

#[test]
fn what_is_predicted_of_a_pod_is_what_the_api_server_does() {
    let cluster = ControlPlane::start().unwrap();
    cluster.webhook_beside(&WebhookOptions::default()).unwrap();
    let original = cluster.kubectl_json(&["get", "mutatingwebhookconfiguration", CONFIGURATION]).unwrap();
    for (namespace, labels) in namespaces() {
        let metadata = json!({"name": namespace, "labels": labels});
        let account = App { account: ACCOUNT, ..App::HEALTHY }.account();
        cluster.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).to_string()).unwrap();
        kubectl(&cluster, &["apply", "--namespace", namespace, "-f", "-"], &account);
    }
    let pods = pods();
    for (number, (what, registration, passing)) in registrations().iter().enumerate() {
        register(&cluster, &original, number, registration);
        let answer = dry_run(&cluster, &list(pods.clone()));
        let outcome = |pod: &Value| {
            let outcome = if is_mutated(pod) { "mutated" } else { "unchanged" };
            (name(pod), outcome.to_owned())
        };
        let real: Vec<(String, String)> = answer.iter().map(outcome).collect();
        let mutated = real.iter().filter(|(_, outcome)| outcome == "mutated").count();
        assert_eq!(mutated, *passing, "{what}: the API server does not do what this test thinks: {real:?}");
        let said = simulated(&cluster, &pods);
        if *what == DOUBTED {
            let doubted = said.iter().filter(|(_, outcome)| outcome == "unknown").count();
            assert_eq!(doubted, 16, "{said:?}");
            assert!(said.iter().all(|one| one.1 == "unknown" || real.contains(one)), "{said:?} against {real:?}");
        } else {
            assert_eq!(said, real, "{what}");
        }
    }
}

#[test]
fn a_namespace_that_is_left_out_is_the_root_cause_of_what_runs_in_it() {
    let cluster = ControlPlane::start().unwrap();
    let selector = expression("team", "In", &["a"]);
    cluster.webhook_beside(&WebhookOptions { namespace_selector: selector, ..WebhookOptions::default() }).unwrap();
    for (name, labels) in [("inside", json!({"team": "a"})), ("outside", json!({"team": "b"}))] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        cluster.apply(&namespace.to_string()).unwrap();
        cluster.kubectl(&["config", "set-context", "--current", "--namespace", name]).unwrap();
        cluster.apply(&App::HEALTHY.manifests()).unwrap();
    }
    let inspect = |namespace: &str| wi(&cluster, &["inspect", "deploy/velero", "-n", namespace, "-o", "json"]);
    let outside = inspect("outside");
    assert_eq!((outside.code, roots(&outside.json())), (1, vec!["WI303".to_owned()]), "{}", outside.out);
    let inside = inspect("inside");
    assert!(roots(&inside.json()).is_empty(), "{}", inside.out);

    // What a pod of the template would be is told without asking for one.
    let simulated = wi(&cluster, &["simulate", "deploy/velero", "-n", "outside", "-o", "json"]);
    assert_eq!(simulated.json()["items"][0]["outcome"], "unchanged", "{}", simulated.out);
    let simulated = wi(&cluster, &["simulate", "deploy/velero", "-n", "inside", "-o", "json"]);
    assert_eq!(simulated.json()["items"][0]["outcome"], "mutated", "{}", simulated.out);
}
