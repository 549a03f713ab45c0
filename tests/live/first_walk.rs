//! One fault each on a whole cluster, with a healthy workload beside it that has to stay quiet.

use crate::support::{App, roots, wi};
use serde_json::Value;
use std::time::Duration;
use wi_test_cluster::{TestNamespace, WebhookOptions, WholeCluster};

fn inspect(cluster: &WholeCluster, namespace: &TestNamespace<'_>, name: &str) -> (i32, Value) {
    let said = wi(cluster, &["inspect", &format!("deploy/{name}"), "-n", namespace.name(), "-o", "json"]);
    (said.code, said.json())
}

fn ready(namespace: &TestNamespace<'_>, name: &str) {
    let resource = format!("deploy/{name}");
    namespace.kubectl(&["rollout", "status", &resource, "--timeout=90s"]).unwrap();
}

fn assert_healthy(cluster: &WholeCluster, namespace: &TestNamespace<'_>, name: &str) {
    let (code, report) = inspect(cluster, namespace, name);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["targets"][0]["verdict"], "healthy", "{report:#}");
    assert!(roots(&report).is_empty(), "{report:#}");
}

fn assert_broken(cluster: &WholeCluster, namespace: &TestNamespace<'_>, name: &str, root: &str) {
    let (code, report) = inspect(cluster, namespace, name);
    assert_eq!(roots(&report), [root], "{report:#}");
    assert_eq!(report["targets"][0]["verdict"], "broken", "{report:#}");
    assert_eq!(code, 1);
}

#[test]
fn each_fault_is_found_and_the_healthy_workload_beside_it_is_not_accused() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("velero").unwrap();
    let good = App::HEALTHY;
    let unlabelled = App { name: "unlabelled", label: None, ..App::HEALTHY };
    let bare = App { name: "bare", account: "bare", client_id: None, ..App::HEALTHY };
    let orphan = App { name: "orphan", account: "nobody", ..App::HEALTHY };
    for app in [&good, &unlabelled, &bare] {
        namespace.apply(&app.manifests()).unwrap();
    }
    namespace.apply(&orphan.deployment().to_string()).unwrap();
    for app in [&good, &unlabelled, &bare] {
        ready(&namespace, app.name);
    }

    assert_healthy(cluster, &namespace, "velero");
    assert_broken(cluster, &namespace, "bare", "WI202");
    assert_broken(cluster, &namespace, "orphan", "WI201");

    // Sharing an annotated account with a labelled workload does not excuse an application of its own.
    assert_broken(cluster, &namespace, "unlabelled", "WI101");
}

#[test]
fn a_workload_without_the_label_is_broken_by_that_alone() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("unlabelled").unwrap();
    namespace.apply(&App { label: None, ..App::HEALTHY }.manifests()).unwrap();
    ready(&namespace, "velero");
    assert_broken(cluster, &namespace, "velero", "WI101");

    let report = wi(cluster, &["inspect", "deploy/velero", "-n", namespace.name()]);
    assert!(report.out.contains("<- root cause"), "{}", report.out);
    assert!(report.out.contains("nothing injected"), "{}", report.out);
}

#[test]
fn pods_older_than_the_webhook_and_a_cluster_without_one() {
    let cluster = WholeCluster::start().unwrap();
    let namespace = cluster.namespace("older").unwrap();
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    ready(&namespace, "velero");
    assert_broken(&cluster, &namespace, "velero", "WI301");

    cluster.webhook_install(&WebhookOptions::default()).unwrap();
    assert_broken(&cluster, &namespace, "velero", "WI401");

    namespace.kubectl(&["rollout", "restart", "deploy/velero"]).unwrap();
    ready(&namespace, "velero");
    let gone = || {
        let pods = namespace.kubectl_json(&["get", "pods"])?;
        Ok((pods["items"].as_array().unwrap().len() == 1).then_some(()))
    };
    cluster.wait_for("one pod", Duration::from_mins(1), gone).unwrap();
    assert_healthy(&cluster, &namespace, "velero");
}
