//! How a cluster is read: selection, permissions, errors and exit codes, on a real API server.

use crate::support::{App, CLIENT_ID, roots, wi, wi_as};
use serde_json::json;
use wi_test_cluster::{ControlPlane, Subject};

#[test]
fn a_namespace_and_every_way_to_name_a_workload() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("select").unwrap();
    namespace.apply(&App { label: None, ..App::HEALTHY }.manifests()).unwrap();
    let at = ["-n", namespace.name(), "-o", "json", "--select", "WI1"];
    let identity = format!("identity/{CLIENT_ID}");
    for words in [
        vec![],
        vec!["deploy/velero"],
        vec!["deployment", "velero"],
        vec!["deployments.apps"],
        vec!["sa/velero-server"],
        vec![identity.as_str()],
    ] {
        let said = wi(cluster, &[&["inspect"], words.as_slice(), at.as_slice()].concat());
        let report = said.json();
        assert_eq!(report["targets"].as_array().unwrap().len(), 1, "{words:?} {report:#}");
        assert_eq!(report["targets"][0]["object"]["name"], "velero", "{words:?}");
        assert_eq!(roots(&report), ["WI101"], "{words:?}");
        assert_eq!(said.code, 1, "{words:?}");
    }
    let all = wi(cluster, &["inspect", "-A", "-o", "json"]).json();
    let names: Vec<_> = all["targets"].as_array().unwrap().iter().map(|t| &t["object"]["namespace"]).collect();
    assert!(names.contains(&&json!(namespace.name())), "{names:?}");
    assert_eq!(all["cluster"]["issuer"], cluster.issuer().unwrap());
}

#[test]
fn what_is_not_there_is_said_with_the_nearest_name() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("missing").unwrap();
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    let said = wi(cluster, &["inspect", "deploy/velro", "-n", namespace.name(), "-o", "json"]);
    assert_eq!(said.code, 2);
    assert_eq!(said.json()["kind"], "Error");
    assert_eq!(said.json()["hint"], "did you mean deploy/velero?");

    let said = wi(cluster, &["inspect", "deploymnt/velero", "-n", namespace.name()]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("deploymnt") && said.err.contains("deployment"), "{}", said.err);

    let said = wi(cluster, &["inspect", "deploy/velero", "--context", "nowhere"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("nowhere"), "{}", said.err);
}

#[test]
fn what_may_not_be_read_is_unknown_and_named() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("denied").unwrap();
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    let user = Subject::User { name: "carol", group: None };
    let apps = json!([{"apiGroups": ["apps", "batch"], "resources": ["*"], "verbs": ["get", "list"]}]);
    cluster.allow(&user, Some(namespace.name()), &apps).unwrap();
    let kubeconfig = cluster.kubeconfig_for(&user).unwrap();
    let said = wi_as(cluster, &kubeconfig, &["inspect", "deploy/velero", "-n", namespace.name(), "-o", "json"]);
    assert_eq!(said.code, 3, "{said:?}");
    let report = said.json();
    assert_eq!(report["targets"][0]["verdict"], "unknown");
    let why = report["unknown"].to_string();
    assert!(why.contains("no permission to list serviceaccounts"), "{why}");
    assert!(why.contains("WI202"), "{why}");
}

#[test]
fn an_empty_namespace_is_no_error_and_one_that_may_not_be_read_is_not_empty() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("empty").unwrap();
    let said = wi(cluster, &["inspect", "-n", namespace.name()]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("nothing here is meant for workload identity"), "{}", said.out);

    // A user without any right: nothing is known, neither of the namespace nor of one workload.
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    let kubeconfig = cluster.kubeconfig_for(&Subject::User { name: "nobody", group: None }).unwrap();
    let said = wi_as(cluster, &kubeconfig, &["inspect", "-n", namespace.name(), "-o", "json"]);
    assert_eq!(said.code, 3, "{said:?}");
    let report = said.json();
    let permissions: Vec<_> = report["findings"].as_array().unwrap().iter().filter(|f| f["code"] == "WI002").collect();
    assert!(permissions.iter().any(|f| f["message"].to_string().contains("list deployments")), "{report:#}");
    let said = wi_as(cluster, &kubeconfig, &["inspect", "deploy/velero", "-n", namespace.name()]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("cannot tell whether") && said.err.contains("no permission"), "{}", said.err);
}
