//! `simulate` from objects to what is printed.

use kubectl_wi::model::fact::Fact;
use kubectl_wi::report::style::Style;
use kubectl_wi::simulate::report::{Outcome, SimulateReport, Source};
use kubectl_wi::simulate::{Options, render, simulate};
use serde_json::{Value, json};

/// A webhook of that version with everything that it needs, as files.
fn webhook(version: &str) -> Vec<Value> {
    let meta = |name: &str| json!({"name": name, "namespace": "azure-workload-identity-system", "labels": {"azure-workload-identity.io/system": "true"}});
    vec![
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "azure-wi-webhook-mutating-webhook-configuration"},
            "webhooks": [{
                "name": "mutation.azure-workload-identity.io",
                "objectSelector": {"matchLabels": {"azure.workload.identity/use": "true"}},
                "namespaceSelector": {"matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]},
                ]},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            }],
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("azure-wi-webhook-controller-manager"),
            "spec": {"template": {"spec": {"containers": [{
                "name": "manager", "image": format!("mcr.microsoft.com/oss/azure/workload-identity/webhook:v{version}"),
                "envFrom": [{"configMapRef": {"name": "azure-wi-webhook-config"}}],
            }]}}},
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("azure-wi-webhook-config"),
            "data": {"AZURE_TENANT_ID": "11111111-aaaa-4bbb-8ccc-222222222222", "AZURE_ENVIRONMENT": "AzurePublicCloud"},
        }),
    ]
}

fn account(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {
            "name": name, "namespace": "velero",
            "annotations": {"azure.workload.identity/client-id": "3f6c0000-0000-4000-8000-0000000091d2"},
        },
    })
}

fn template(label: &str) -> Value {
    json!({
        "metadata": {"labels": {"azure.workload.identity/use": label}},
        "spec": {
            "serviceAccountName": "velero-server",
            "containers": [{"name": "velero", "image": "velero/velero:v1.15.0", "args": ["server", "yes"]}],
        },
    })
}

fn object(kind: &str, spec: &Value) -> Value {
    let api_version = match kind {
        "Pod" | "ReplicationController" => "v1",
        "Job" | "CronJob" => "batch/v1",
        "Rollout" => "argoproj.io/v1alpha1",
        _ => "apps/v1",
    };
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "velero", "namespace": "velero"}, "spec": spec})
}

fn deployment(label: &str) -> Value {
    object("Deployment", &json!({"replicas": 1, "template": template(label)}))
}

fn run_where(objects: Vec<Value>, missing: &Fact<()>) -> SimulateReport {
    simulate(
        objects,
        &Options {
            namespace: "default",
            source: Source::Files,
            missing_account: &|_, _| missing.clone(),
            wanted: &|object| object.namespace.as_deref() != Some("azure-workload-identity-system"),
            webhook_version: None,
            kubernetes_version: Some("1.34.4".parse().unwrap()),
        },
    )
}

fn run(objects: Vec<Value>) -> SimulateReport {
    run_where(objects, &Fact::NotAsked)
}

fn with_webhook(version: &str, objects: impl IntoIterator<Item = Value>) -> Vec<Value> {
    webhook(version).into_iter().chain(objects).collect()
}

#[test]
fn the_json_is_what_the_contract_says() {
    let report = run(with_webhook("1.5.1", [deployment("true"), account("velero-server")]));
    insta::assert_json_snapshot!(report);
    // Field order is part of what people read.
    let text = serde_json::to_string(&report).unwrap();
    let order =
        ["apiVersion", "kind", "webhook", "version", "source", "items", "object", "outcome", "message", "result"];
    let places: Vec<_> = order.iter().map(|field| text.find(&format!("\"{field}\"")).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn every_kind_of_workload_is_mutated_where_its_template_is() {
    for (kind, at) in [
        ("Deployment", "/spec/template"),
        ("StatefulSet", "/spec/template"),
        ("DaemonSet", "/spec/template"),
        ("ReplicaSet", "/spec/template"),
        ("ReplicationController", "/spec/template"),
        ("Job", "/spec/template"),
        ("Rollout", "/spec/template"),
        ("CronJob", "/spec/jobTemplate/spec/template"),
    ] {
        let mut workload = object(kind, &json!({"template": {}, "jobTemplate": {"spec": {}}, "kept": [1]}));
        *workload.pointer_mut(at.rsplit_once('/').unwrap().0).unwrap() =
            json!({"template": template("true"), "kept": 1});
        let report = run(with_webhook("1.6.0", [account("velero-server"), workload.clone()]));
        let [item] = report.items.as_slice() else { panic!("{kind}: {:?}", report.items) };
        assert_eq!(item.outcome, Outcome::Mutated, "{kind}: {:?}", item.message);
        let result = item.result.as_ref().unwrap();
        assert_eq!(result["metadata"], workload["metadata"]);
        let pods = result.pointer(at).unwrap();
        assert_eq!(pods["metadata"], template("true")["metadata"], "{kind}: a template gets no namespace");
        assert_eq!(pods["spec"]["volumes"][0]["name"], "azure-workload-identity-reserved-<pod-name-hash>");
        let variable = &pods["spec"]["containers"][0]["env"][2];
        assert_eq!(variable["value"], "/var/run/secrets/azure/wi/token/azure-identity-token");
    }
}

#[test]
fn pods_are_hashed_by_the_name_they_had_when_they_were_created() {
    let volume = |metadata: Value| {
        let mut pod = object("Pod", &template("true")["spec"]);
        pod["metadata"] = metadata;
        pod["metadata"]["namespace"] = "velero".into();
        pod["metadata"]["labels"] = json!({"azure.workload.identity/use": "true"});
        let report = run(with_webhook("1.6.0", [account("velero-server"), pod]));
        report.items[0].result.as_ref().unwrap()["spec"]["volumes"][0]["name"].clone()
    };
    let unnamed = volume(json!({"generateName": "velero-abc-"}));
    assert_eq!(volume(json!({"generateName": "velero-abc-", "name": "velero-abc-xyz", "uid": "1"})), unnamed);
    assert_ne!(volume(json!({"generateName": "velero-abc-", "name": "velero-abc-xyz"})), unnamed);
    assert_eq!(volume(json!({"name": "a", "uid": "1"})), volume(json!({"name": "a"})));
}

fn outcome(objects: Vec<Value>, missing: &Fact<()>) -> (Outcome, String) {
    let report = run_where(objects, missing);
    let item = &report.items[0];
    assert_eq!(item.result.is_none(), matches!(item.outcome, Outcome::Denied | Outcome::Unknown));
    (item.outcome, item.message.clone().unwrap_or_default())
}

#[test]
fn pods_without_the_label_are_left_alone() {
    let objects = with_webhook("1.5.1", [deployment("True"), account("velero-server")]);
    let report = run(objects);
    assert_eq!(report.items[0].outcome, Outcome::Unchanged);
    assert_eq!(report.items[0].result.as_ref(), Some(&deployment("True")));
    let why = r#"left alone: its label azure.workload.identity/use is "True", and only "true" counts"#;
    assert_eq!(report.items[0].message.as_deref(), Some(why));
    assert_eq!(report.exit_code(), 0);
}

#[test]
fn a_namespace_that_is_left_out_is_known_by_its_name() {
    let mut excluded = deployment("true");
    excluded["metadata"]["namespace"] = "kube-system".into();
    let (outcome, why) = outcome(with_webhook("1.5.1", [excluded]), &Fact::Absent);
    assert_eq!(outcome, Outcome::Unchanged);
    assert!(why.contains("namespaceSelector: kubernetes.io/metadata.name!=kube-system"), "{why}");
}

#[test]
fn an_account_that_nobody_saw_is_not_guessed_at() {
    let objects = with_webhook("1.5.1", [deployment("true")]);
    let unseen = (Outcome::Unknown, "service account velero/velero-server was not seen".to_owned());
    assert_eq!(outcome(objects.clone(), &Fact::NotAsked), unseen);
    let failed = outcome(objects.clone(), &Fact::Failed("timeout".to_owned()));
    assert_eq!(failed.1, "service account velero/velero-server was not seen: timeout");
    let denied = (Outcome::Denied, r#"serviceaccounts "velero-server" not found"#.to_owned());
    assert_eq!(outcome(objects.clone(), &Fact::Absent), denied);
    assert_eq!(run(objects.clone()).exit_code(), 3);
    assert_eq!(run_where(objects, &Fact::Absent).exit_code(), 1);
    // The account `default` comes with the namespace.
    let mut bare = deployment("true");
    bare["spec"]["template"]["spec"].as_object_mut().unwrap().remove("serviceAccountName");
    assert_eq!(outcome(with_webhook("1.5.1", [bare.clone()]), &Fact::Absent).0, Outcome::Mutated);
    assert_eq!(outcome(with_webhook("1.5.1", [bare]), &Fact::NotAsked).0, Outcome::Unknown);
}

#[test]
fn a_denial_has_the_words_of_the_webhook() {
    let mut late = deployment("true");
    late["spec"]["template"]["metadata"]["annotations"] =
        json!({"azure.workload.identity/service-account-token-expiration": "600"});
    let denied = outcome(with_webhook("1.5.1", [late, account("velero-server")]), &Fact::Absent);
    let words = "token expiration 600 not valid. Expected value to be between 3600 and 86400";
    assert_eq!(denied, (Outcome::Denied, words.to_owned()));
}

#[test]
fn what_the_api_server_refuses_is_unknown() {
    let mut no_text = deployment("true");
    no_text["spec"]["template"]["metadata"]["labels"]["azure.workload.identity/use"] = true.into();
    let (unknown, why) = outcome(with_webhook("1.5.1", [no_text]), &Fact::Absent);
    assert_eq!(unknown, Outcome::Unknown);
    assert!(why.starts_with("/metadata/labels/azure.workload.identity~1use is no text"), "{why}");
    for broken in [json!({}), json!({"template": 7}), json!({"template": {"spec": {"containers": "x"}}})] {
        let objects = with_webhook("1.5.1", [object("Deployment", &broken)]);
        let (outcome, _) = outcome(objects, &Fact::Absent);
        assert!(matches!(outcome, Outcome::Unknown | Outcome::Unchanged), "{broken}: {outcome}");
    }
}

#[test]
fn what_nothing_says_stands_in_and_is_told() {
    let report = run(vec![deployment("true"), account("velero-server")]);
    assert_eq!((report.webhook.version.as_str(), report.webhook.source), ("1.6.0", Source::Assumed));
    assert_eq!(report.webhook.tenant_id, None);
    let notes = report.webhook.notes.join("\n");
    assert!(notes.contains("no version of the webhook is known; 1.6.0 stands in"), "{notes}");
    let env = &report.items[0].result.as_ref().unwrap()["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(env[1]["value"], "<tenant of the webhook>");
    assert_eq!(env[3]["value"], "https://login.microsoftonline.com/");
}

#[test]
fn the_items_come_in_the_order_of_the_input() {
    let names: Vec<String> = (0..50).map(|number| format!("velero-{}", (number * 7) % 50)).collect();
    let workloads = names.iter().map(|name| {
        let mut workload = deployment("true");
        workload["metadata"]["name"] = name.as_str().into();
        workload
    });
    let report = run(with_webhook("1.5.1", [account("velero-server")]).into_iter().chain(workloads).collect());
    assert_eq!(report.items.iter().map(|item| item.object.name.clone()).collect::<Vec<_>>(), names);
}

/// One of each outcome.
fn mixed() -> SimulateReport {
    let mut newer = deployment("true");
    newer["metadata"]["name"] = "newer".into();
    newer["spec"]["template"]["spec"]["resources"] = json!({"limits": {"cpu": "1"}});
    let mut denied = deployment("true");
    denied["metadata"]["name"] = "denied".into();
    denied["spec"]["template"]["metadata"]["annotations"] =
        json!({"azure.workload.identity/service-account-token-expiration": "7200s\n---\nkind: Pod"});
    let mut unseen = deployment("true");
    unseen["metadata"]["name"] = "unseen".into();
    unseen["spec"]["template"]["spec"]["serviceAccountName"] = "other".into();
    run(with_webhook("1.5.1", [account("velero-server"), newer, denied, deployment("false"), unseen]))
}

#[test]
fn the_diff_shows_what_changes() {
    let report = mixed();
    insta::assert_snapshot!(render::diff(&report, Style::PLAIN).unwrap());
    let coloured = render::diff(&report, Style { colour: true, width: 80 }).unwrap();
    assert!(coloured.contains("\u{1b}[32m+"), "added lines are green");
    assert!(coloured.contains("\u{1b}[31m-"), "removed lines are red");
}

#[test]
fn the_yaml_reads_back_as_the_results() {
    let report = mixed();
    let text = render::yaml(&report).unwrap();
    insta::assert_snapshot!(text);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let results: Vec<Value> = report.items.into_iter().filter_map(|item| item.result).collect();
    assert_eq!(documents.into_iter().filter(|document| !document.is_null()).collect::<Vec<_>>(), results);
}

#[test]
fn ten_thousand_pods_take_seconds() {
    let pods = (0..10_000).map(|number| {
        let mut pod = object("Pod", &template("true")["spec"]);
        pod["metadata"]["labels"] = json!({"azure.workload.identity/use": "true"});
        pod["metadata"]["name"] = format!("velero-{number}").into();
        pod
    });
    let objects = with_webhook("1.6.0", [account("velero-server")]).into_iter().chain(pods).collect();
    let started = std::time::Instant::now();
    let report = run(objects);
    let text = serde_json::to_string(&report).unwrap();
    assert!(started.elapsed().as_secs() < 30, "{:?} for {} bytes", started.elapsed(), text.len());
    assert!(report.items.len() == 10_000 && report.items.iter().all(|item| item.outcome == Outcome::Mutated));
}
