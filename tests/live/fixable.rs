//! Each rule whose fix this program makes, on a real API server: the finding ends by the fix, and by the undo every
//! object is again what it was. The rules come from the registry and their objects from their own cases, so that a new
//! rule is tried here as well.

use crate::fix::{Home, UNLABELLED};
use crate::fixable_cases::{CLIENT_ID, TENANT_ID, everything, fires, fixable, planned, read, wishes};
use crate::support::{App, Said, wi};
use kubectl_wi::fix::answers;
use kubectl_wi::fix::effect::RESTARTED_AT;
use kubectl_wi::fix::plan::Objects;
use kubectl_wi::inspect::inspect;
use kubectl_wi::model::finding::{Ask, FixKind};
use kubectl_wi::model::object::ObjectRef;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use wi_test_cluster::{ControlPlane, TestNamespace, WebhookOptions};

/// Groups that the API server has of itself.
const BUILT_IN: &[&str] = &["", "apps", "batch", "policy", "rbac.authorization.k8s.io", "storage.k8s.io"];
/// What the cluster has already, or makes itself.
const NOT_OURS: &[&str] = &[
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "Namespace",
    "Node",
    "Event",
    "Pod",
    "ReplicaSet",
    "Endpoints",
    "EndpointSlice",
];
/// Rules about custom resources and `ConfigMap`s, which an inspection may not read from a cluster: where it finds nothing
/// here, the run says so, and their fixes are held to their cases alone (`tests/offline/fixable.rs`).
const OF_RESOURCES: &[&str] = &["WI702", "WI706", "WI720", "WI722", "WI725", "WI770", "WI772", "WI773"];
const CONFIGURATION: &str = "mutatingwebhookconfiguration/azure-wi-webhook-mutating-webhook-configuration";

/// Rules whose findings need Azure: their fixes are tried against the emulator of it.
const BY_AZURE: &[&str] = &["WI508", "WI509"];

const NOTHING_PLANNED: &str = "nothing was planned for it";

struct Scene<'a> {
    cluster: &'a ControlPlane,
    namespaces: Vec<TestNamespace<'a>>,
    objects: Vec<ObjectRef>,
    /// Answers, as flags.
    flags: Vec<String>,
}

#[test]
fn each_fixable_rule_is_mended_and_taken_back_in_our_fields_alone() {
    let cluster = ControlPlane::start().unwrap();
    cluster.webhook_beside(&WebhookOptions::default()).unwrap();
    let (mut kinds, mut problems) = (BTreeSet::new(), Vec::new());
    let in_cluster = |(code, kind): &(&str, FixKind)| *kind != FixKind::Access && !BY_AZURE.contains(code);
    for (code, _) in fixable().filter(in_cluster) {
        let tried = match code {
            "WI117" => labelled_too_late(&cluster).map(|scene| walk(&scene, code)),
            "WI401" | "WI722" => older_than_the_webhook(&cluster, code, &mut kinds).map(|scene| walk(&scene, code)),
            "WI402" => changed_since(&cluster).map(|scene| walk(&scene, code)),
            _ => from_case(&cluster, code, &mut kinds).map(|scene| walk(&scene, code)),
        };
        match tried {
            Some(found) if OF_RESOURCES.contains(&code) && found == [NOTHING_PLANNED] => eprintln!("not tried: {code}"),
            Some(found) => problems.extend(found.into_iter().map(|problem| format!("{code}: {problem}"))),
            None if OF_RESOURCES.contains(&code) => eprintln!("not tried: {code}"),
            None => problems.push(format!("{code}: none of its cases could be set up here")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// From finding to healthy and back; what was wrong on the way.
fn walk(scene: &Scene<'_>, code: &str) -> Vec<String> {
    let home = Home::new();
    let before = snapshot(scene);
    let Some((namespace, fixed)) = scene.namespaces.iter().find_map(|namespace| {
        let mut arguments = vec!["-n", namespace.name(), "--only", code, "--yes", "--restart=yes", "-o", "json"];
        arguments.extend(scene.flags.iter().map(String::as_str));
        let said = home.fix(scene.cluster, &arguments);
        let steps = serde_json::from_str::<Value>(&said.out).ok()?["plan"].as_array()?.len();
        (steps > 0).then_some((namespace.name(), said))
    }) else {
        return vec![NOTHING_PLANNED.to_owned()];
    };
    let report = fixed.json();
    let mut problems = Vec::new();
    let steps = report["plan"].as_array().unwrap();
    for step in steps.iter().filter(|step| step["outcome"] != "applied") {
        problems.push(format!("{} {}: {}", step["object"]["kind"], step["outcome"], step["why"]));
    }
    if let Some(left) = report["left"].as_array().unwrap().iter().find(|finding| finding["code"] == code) {
        problems.push(format!("still there: {}", left["message"]));
    }
    let restarted = steps.iter().all(|step| step["diff"].as_str().unwrap().contains(RESTARTED_AT));
    // Old pods are there until new ones are ready, and nothing is ever ready without a node.
    if !restarted && codes(&found(scene, namespace, code)).contains(code) {
        problems.push("an inspection still finds it".to_owned());
    }
    let made: Vec<&Value> = steps.iter().filter(|step| step["diff"].as_str().unwrap().contains("/dev/null")).collect();
    let is_there = |step: &Value| {
        let (name, namespace) =
            (step["object"]["name"].as_str().unwrap(), step["object"]["namespace"].as_str().unwrap());
        scene.cluster.kubectl(&["get", &format!("sa/{name}"), "-n", namespace]).is_ok()
    };
    if snapshot(scene) == before && !(made.iter().any(|step| is_there(step))) {
        problems.push("nothing has changed".to_owned());
    }
    let undone = home.fix(scene.cluster, &["--undo", "--yes", "--restart=yes"]);
    if undone.code != 0 {
        problems.push(format!("the undo ends with {}: {}{}", undone.code, undone.out, undone.err));
    }
    let after = snapshot(scene);
    for (object, was) in &before {
        if after.get(object) != Some(was) {
            problems.push(format!("{object} is not as it was:\n{was:#}\n{:#}", after[object]));
        }
    }
    if made.iter().any(|step| is_there(step)) {
        problems.push("what was made is still there".to_owned());
    }
    if !codes(&found(scene, namespace, code)).contains(code) {
        problems.push("after the undo it is not found again".to_owned());
    }
    problems
}

fn found(scene: &Scene<'_>, namespace: &str, code: &str) -> Said {
    wi(scene.cluster, &["inspect", "-n", namespace, "--select", code, "-o", "json"])
}

fn codes(said: &Said) -> BTreeSet<String> {
    let report = said.json();
    let targets =
        report["targets"].as_array().unwrap().iter().flat_map(|target| target["findings"].as_array().unwrap());
    let all = targets.chain(report["findings"].as_array().unwrap());
    all.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// Every object as a person decides about it; null where there is none.
fn snapshot(scene: &Scene<'_>) -> BTreeMap<String, Value> {
    let get = |object: &ObjectRef| {
        let name = format!("{}/{}", type_of(object), object.name);
        let mut arguments = vec!["get", &name];
        if let Some(namespace) = &object.namespace {
            arguments.extend(["-n", namespace]);
        }
        scene.cluster.kubectl_json(&arguments).map(cleaned).unwrap_or_default()
    };
    scene.objects.iter().map(|object| (object.to_string(), get(object))).collect()
}

fn cleaned(mut value: Value) -> Value {
    value.as_object_mut().unwrap().remove("status");
    let metadata = value["metadata"].as_object_mut().unwrap();
    for counted in ["resourceVersion", "generation", "managedFields", "uid", "creationTimestamp"] {
        metadata.remove(counted);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
        annotations.remove("deprecated.daemonset.template.generation");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    value
}

fn type_of(object: &ObjectRef) -> String {
    match object.api_version.split_once('/') {
        Some((group, _)) => format!("{}.{group}", object.kind.to_lowercase()),
        None => object.kind.to_lowercase(),
    }
}

/// The objects of the first case that this cluster takes and that a change, not a restart alone, mends.
fn from_case<'a>(cluster: &'a ControlPlane, code: &str, kinds: &mut BTreeSet<String>) -> Option<Scene<'a>> {
    fires(code).iter().find_map(|folder| {
        let (objects, flags) = usable(code, folder)?;
        let scene = set_up(cluster, &objects, flags, kinds)?;
        // Some cases need what only files, or pods that run, can show.
        let seen = |namespace: &TestNamespace<'_>| codes(&found(&scene, namespace.name(), code)).contains(code);
        scene.namespaces.iter().any(seen).then_some(scene)
    })
}

/// The objects of a case, where its plan changes something other than a Job or a pod, which are made anew.
fn usable(code: &str, folder: &Path) -> Option<(Objects, Vec<String>)> {
    let manifests = read(folder, None);
    let before = inspect(&manifests.input, &everything()).unwrap();
    let mut wishes = wishes(code);
    let plan = planned(&manifests, &manifests.objects, &before, &mut wishes);
    let fits = |kind: &str| !matches!(kind, "Job" | "Pod");
    let good = !plan.steps.is_empty() && plan.steps.iter().all(|step| fits(&step.object.kind));
    let mut flags =
        vec!["--client-id".to_owned(), CLIENT_ID.to_owned(), "--tenant-id".to_owned(), TENANT_ID.to_owned()];
    for ((what, object), answer) in &wishes.answers.given {
        let asks = [Ask::ServiceAccount(object.clone()), Ask::Containers(object.clone())];
        let ask = asks.iter().find(|ask| answers::what(ask) == *what);
        flags.extend(ask.into_iter().flat_map(|ask| [answers::flag(ask).to_owned(), answer.clone()]));
    }
    good.then_some((manifests.objects, flags))
}

/// Puts the objects into namespaces of their own. `None` where the API server does not take them.
fn set_up<'a>(
    cluster: &'a ControlPlane,
    objects: &Objects,
    flags: Vec<String>,
    kinds: &mut BTreeSet<String>,
) -> Option<Scene<'a>> {
    let ours: Vec<(&ObjectRef, &Value)> = objects
        .iter()
        .filter(|(object, _)| !NOT_OURS.contains(&object.kind.as_str()))
        .filter(|(object, _)| object.namespace.as_deref() != Some("azure-workload-identity-system"))
        .map(|(object, found)| (object, &found.value))
        .collect();
    let named: BTreeSet<&String> = ours.iter().filter_map(|(object, _)| object.namespace.as_ref()).collect();
    let namespaces: Vec<TestNamespace<'a>> = named.iter().map(|name| cluster.namespace(name).unwrap()).collect();
    let new: BTreeMap<&str, &str> =
        named.iter().map(|name| name.as_str()).zip(namespaces.iter().map(TestNamespace::name)).collect();
    let mut made = Vec::new();
    for (object, value) in ours {
        make_kind(cluster, object, kinds);
        let mut value = value.clone();
        rename(&mut value, &new);
        if let Some(namespace) = &object.namespace {
            value["metadata"]["namespace"] = json!(new[namespace.as_str()]);
        }
        let metadata = value["metadata"].as_object_mut().unwrap();
        for counted in ["uid", "resourceVersion", "creationTimestamp", "ownerReferences", "generation"] {
            metadata.remove(counted);
        }
        cluster.apply(&value.to_string()).ok()?;
        let namespace = object.namespace.as_ref().map(|namespace| new[namespace.as_str()]);
        made.push(ObjectRef::new(&object.api_version, &object.kind, namespace, &object.name));
    }
    Some(Scene { cluster, namespaces, objects: made, flags })
}

fn rename(value: &mut Value, new: &BTreeMap<&str, &str>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().and_then(|name| new.get(name)) {
                    Some(name) if key == "namespace" => *value = json!(name),
                    _ => rename(value, new),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, new)),
        _ => {}
    }
}

/// Lets the API server take a custom resource.
fn make_kind(cluster: &ControlPlane, object: &ObjectRef, kinds: &mut BTreeSet<String>) {
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
    if BUILT_IN.contains(&group) || !kinds.insert(type_of(object)) {
        return;
    }
    let singular = object.kind.to_lowercase();
    let plural = match singular.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if singular.ends_with('s') => format!("{singular}es"),
        None => format!("{singular}s"),
    };
    let name = format!("{plural}.{group}");
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
        "spec": {
            "group": group, "scope": if object.namespace.is_some() { "Namespaced" } else { "Cluster" },
            "names": {"kind": object.kind, "plural": plural, "singular": singular},
            "versions": [{"name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    cluster.apply(&definition.to_string()).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", &format!("crd/{name}"), "--timeout=30s"]).unwrap();
}

fn app<'a>(cluster: &'a ControlPlane, app: &App<'_>) -> Scene<'a> {
    let namespace = cluster.namespace("app").unwrap();
    namespace.apply(&app.manifests()).unwrap();
    let objects = vec![
        ObjectRef::service_account(namespace.name(), app.account),
        ObjectRef::new("apps/v1", "Deployment", Some(namespace.name()), app.name),
    ];
    Scene { cluster, namespaces: vec![namespace], objects, flags: Vec::new() }
}

fn wait_for_pods(scene: &Scene<'_>) {
    for namespace in &scene.namespaces {
        let pods =
            || Ok(namespace.kubectl_json(&["get", "pods"])?["items"].as_array().map(Vec::len).filter(|n| *n > 0));
        if namespace.kubectl(&["get", "deployments", "-o", "name"]).unwrap().trim().is_empty() {
            continue;
        }
        scene.cluster.wait_for("a pod", Duration::from_secs(30), pods).unwrap();
    }
}

/// Pods that were created while there was no webhook.
fn older_than_the_webhook<'a>(
    cluster: &'a ControlPlane,
    code: &str,
    kinds: &mut BTreeSet<String>,
) -> Option<Scene<'a>> {
    let webhook = cleaned(cluster.kubectl_json(&["get", CONFIGURATION]).unwrap());
    cluster.kubectl(&["delete", CONFIGURATION]).unwrap();
    let scene = match code {
        "WI401" => app(cluster, &App::HEALTHY),
        _ => fires(code).iter().find_map(|folder| {
            let manifests = read(folder, None);
            let labelled = manifests.objects.values().any(|found| {
                found.value.pointer("/spec/template/metadata/labels/azure.workload.identity~1use")
                    == Some(&json!("true"))
            });
            labelled.then(|| set_up(cluster, &manifests.objects, Vec::new(), kinds))?
        })?,
    };
    wait_for_pods(&scene);
    cluster.apply(&webhook.to_string()).unwrap();
    Some(scene)
}

/// Pods that carry what the account said before.
fn changed_since(cluster: &ControlPlane) -> Option<Scene<'_>> {
    let scene = app(cluster, &App::HEALTHY);
    wait_for_pods(&scene);
    let other = format!("azure.workload.identity/client-id={TENANT_ID}");
    scene.namespaces[0].kubectl(&["annotate", "--overwrite", "sa/velero-server", &other]).ok()?;
    Some(scene)
}

/// Pods that another webhook, called after the identity webhook, has labelled.
fn labelled_too_late(cluster: &ControlPlane) -> Option<Scene<'_>> {
    let scene = app(cluster, &UNLABELLED);
    wait_for_pods(&scene);
    scene.namespaces[0].kubectl(&["label", "pods", "--all", "azure.workload.identity/use=true"]).ok()?;
    let late = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "kyverno-resource-mutating-webhook-cfg"},
        "webhooks": [{
            "name": "mutate.kyverno.svc", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Ignore", "clientConfig": {"url": "https://127.0.0.1:1/"},
            "namespaceSelector": {"matchLabels": {"nowhere": "true"}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        }],
    });
    cluster.apply(&late.to_string()).ok()?;
    Some(scene)
}
