//! `inspect --ask-server`: simulated, asked and running, told apart.

use crate::support::{App, roots, wi, wi_as};
use serde_json::{Value, json};
use std::time::Duration;
use wi_test_cluster::{Cluster, ControlPlane, Subject, TestNamespace, WebhookOptions, WholeCluster};

fn inspect(namespace: &TestNamespace<'_>, what: &str, more: &[&str]) -> (i32, Value) {
    let arguments = [&["inspect", what, "-n", namespace.name(), "-o", "json"], more].concat();
    let said = wi(namespace.cluster(), &arguments);
    (said.code, said.json())
}

fn evidence(report: &Value, code: &str) -> String {
    let of_targets = report["targets"].as_array().unwrap().iter().flat_map(|t| t["findings"].as_array().unwrap());
    let all = of_targets.chain(report["findings"].as_array().unwrap());
    all.filter(|finding| finding["code"] == code).map(|finding| finding["evidence"].to_string()).collect()
}

fn pod_names(namespace: &TestNamespace<'_>) -> Vec<String> {
    let pods = namespace.kubectl_json(&["get", "pods"]).unwrap();
    let mut names: Vec<String> =
        pods["items"].as_array().unwrap().iter().map(|pod| pod["metadata"]["name"].to_string()).collect();
    names.sort();
    names
}

fn ready(namespace: &TestNamespace<'_>) {
    namespace.kubectl(&["rollout", "status", "deploy/velero", "--timeout=90s"]).unwrap();
    let one = || Ok((pod_names(namespace).len() == 1).then_some(()));
    namespace.cluster().wait_for("one pod", Duration::from_mins(1), one).unwrap();
}

fn deviating(way: &str) -> WebhookOptions {
    WebhookOptions { deviate: Some(way.to_owned()), ..WebhookOptions::default() }
}

#[test]
fn the_finding_says_which_of_the_three_is_off() {
    let cluster = WholeCluster::start().unwrap();
    cluster.webhook_install(&WebhookOptions::default()).unwrap();
    let namespace = cluster.namespace("asked").unwrap();
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    ready(&namespace);
    let ask = ["--ask-server"];

    // All three agree, and asking leaves nothing behind.
    let before = pod_names(&namespace);
    let (code, report) = inspect(&namespace, "deploy/velero", &ask);
    assert_eq!(code, 0, "{report:#}");
    assert!(report["targets"][0]["chain"].to_string().contains("asked: answers as simulated"), "{report:#}");
    assert_eq!(pod_names(&namespace), before);

    // The webhook answers otherwise than it is set to; what runs is as simulated.
    cluster.webhook_install(&deviating("other-tenant")).unwrap();
    let (code, report) = inspect(&namespace, "deploy/velero", &ask);
    assert_eq!((code, roots(&report)), (1, vec!["WI310".to_owned()]), "{report:#}");
    assert!(evidence(&report, "WI310").contains("runs as simulated: only new pods are concerned"), "{report:#}");
    let (code, report) = inspect(&namespace, "deploy/velero", &[]);
    assert_eq!(code, 0, "unasked, nothing shows it: {report:#}");

    // Made anew, the pods have what the webhook answers: still the webhook, and not the pods, is off.
    namespace.kubectl(&["rollout", "restart", "deploy/velero"]).unwrap();
    ready(&namespace);
    let (_, report) = inspect(&namespace, "deploy/velero", &ask);
    assert_eq!(roots(&report), ["WI310"], "{report:#}");
    assert!(evidence(&report, "WI310").contains("runs as asked: the webhook did the same before"), "{report:#}");

    // The webhook answers as it is set to again: now the pods are off.
    cluster.webhook_install(&WebhookOptions::default()).unwrap();
    let (_, report) = inspect(&namespace, "deploy/velero", &ask);
    assert_eq!(roots(&report), ["WI402"], "{report:#}");
    assert!(evidence(&report, "WI402").contains("the API server's dry run gives"), "{report:#}");

    // It does not act at all.
    cluster.webhook_install(&deviating("unchanged")).unwrap();
    let (_, report) = inspect(&namespace, "deploy/velero", &ask);
    assert!(evidence(&report, "WI310").contains("asked nothing"), "{report:#}");
}

fn own_cluster() -> ControlPlane {
    ControlPlane::start().unwrap()
}

#[test]
fn what_the_answer_cannot_show_is_unknown_and_said() {
    let cluster: &Cluster = &own_cluster();
    cluster.webhook_beside(&WebhookOptions::default()).unwrap();
    let namespace = cluster.namespace("unasked").unwrap();
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    let ask = ["--ask-server"];

    // A StatefulSet's pods have volumes that its template does not name.
    let mut set = App::HEALTHY.deployment();
    set["kind"] = json!("StatefulSet");
    set["metadata"]["name"] = json!("db");
    set["spec"]["serviceName"] = json!("db");
    set["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    set["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }}]);
    namespace.apply(&set.to_string()).unwrap();
    let (_, report) = inspect(&namespace, "sts/db", &ask);
    assert!(report["targets"][0]["chain"].to_string().contains("asked: answers as simulated"), "{report:#}");

    // A quota refuses the pod: nothing is known of what the webhook would do.
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
        "spec": {"hard": {"requests.cpu": "1"}}});
    namespace.apply(&quota.to_string()).unwrap();
    let why = |report: &Value| report["unknown"].to_string();
    cluster
        .wait_for("the quota", Duration::from_secs(30), || {
            let (code, report) = inspect(&namespace, "deploy/velero", &ask);
            Ok((code == 3 && why(&report).contains("refuses such a pod for another reason")).then_some(()))
        })
        .unwrap();
    namespace.kubectl(&["delete", "resourcequota", "none"]).unwrap();

    // Somebody who may not create pods.
    let user = Subject::User { name: "reader", group: None };
    let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]);
    cluster.allow(&user, None, &all).unwrap();
    let kubeconfig = cluster.kubeconfig_for(&user).unwrap();
    let arguments = ["inspect", "deploy/velero", "-n", namespace.name(), "--ask-server", "-o", "json"];
    let said = wi_as(cluster, &kubeconfig, &arguments);
    assert_eq!(said.code, 3, "{said:?}");
    let report = said.json();
    let finding = report["findings"].as_array().unwrap().iter().find(|f| f["code"] == "WI002").unwrap();
    assert!(finding["message"].to_string().contains("no permission to create pods in namespace"), "{finding:#}");
    assert!(finding["evidence"].to_string().contains("WI402"), "{finding:#}");

    // A bare pod is what admission made of it.
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "bare", "labels": {"azure.workload.identity/use": "true"}},
        "spec": {"serviceAccountName": "velero-server", "containers": [{"name": "app", "image": "app"}]}});
    namespace.apply(&pod.to_string()).unwrap();
    let (code, report) = inspect(&namespace, "pod/bare", &ask);
    assert_eq!(code, 3, "{report:#}");
    assert!(why(&report).contains("before admission"), "{report:#}");

    // The API server cannot ask the webhook.
    cluster.webhook_beside(&deviating("fail")).unwrap();
    let (_, report) = inspect(&namespace, "deploy/velero", &ask);
    assert_eq!(roots(&report), ["WI302"], "{report:#}");

    let said = wi(cluster, &["inspect", "-n", namespace.name(), "--ask-server"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--ask-server is for named workloads"), "{}", said.err);
}
