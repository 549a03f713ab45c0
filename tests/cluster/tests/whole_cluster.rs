//! The whole cluster runs pods.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::json;
use wi_test_cluster::{IMAGE_CAT, TENANT_ID, WEBHOOK_NAMESPACE, WebhookOptions, WholeCluster};

#[test]
fn images_have_what_their_names_say_and_no_more() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("images").unwrap();
    for (pod, image) in [
        ("shell", wi_test_cluster::IMAGE_SHELL),
        ("cat", wi_test_cluster::IMAGE_CAT),
        ("app", wi_test_cluster::IMAGE_APP),
    ] {
        namespace.kubectl(&["run", pod, "--image", image, "--", "hello from the application"]).unwrap();
    }
    namespace.kubectl(&["wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s"]).unwrap();
    let token = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

    assert_eq!(namespace.kubectl(&["exec", "cat", "--", "cat", token]).unwrap(), namespace.name());
    assert_eq!(namespace.kubectl(&["exec", "shell", "--", "sh", "-c", "id -u"]).unwrap(), "0\n");
    let error = namespace.kubectl(&["exec", "cat", "--", "sh"]).unwrap_err().to_string();
    assert!(error.contains(r#"exec: "sh": executable file not found in $PATH"#), "{error}");
    let error = namespace.kubectl(&["exec", "app", "--", "cat", token]).unwrap_err().to_string();
    assert!(error.contains(r#"exec: "cat": executable file not found in $PATH"#), "{error}");
    assert_eq!(namespace.kubectl(&["logs", "app"]).unwrap(), "hello from the application\n");
}

const CLIENT_ID: &str = "3f6c0000-0000-4000-8000-0000000091d2";

/// A service account with a client id and a pod that runs as it, labelled for the webhook.
fn labelled(image: &str) -> String {
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "velero-server", "annotations": {"azure.workload.identity/client-id": CLIENT_ID}},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "velero", "labels": {"azure.workload.identity/use": "true"}},
        "spec": {"serviceAccountName": "velero-server", "containers": [{"name": "velero", "image": image}]},
    });
    format!("{account}\n---\n{pod}\n")
}

#[test]
fn the_webhook_gives_a_labelled_pod_its_identity() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("labelled").unwrap();
    namespace.apply(&labelled(IMAGE_CAT)).unwrap();
    namespace.kubectl(&["wait", "pod/velero", "--for=condition=Ready", "--timeout=60s"]).unwrap();

    let pod = namespace.kubectl_json(&["get", "pod", "velero"]).unwrap();
    let variable = |name: &str| {
        let variables = pod["spec"]["containers"][0]["env"].as_array().unwrap();
        variables.iter().find(|it| it["name"] == name).unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(variable("AZURE_CLIENT_ID"), CLIENT_ID);
    assert_eq!(variable("AZURE_TENANT_ID"), TENANT_ID);
    let token = namespace.kubectl(&["exec", "velero", "--", "cat", &variable("AZURE_FEDERATED_TOKEN_FILE")]).unwrap();
    assert_eq!(token.split('.').count(), 3, "not a token");

    let webhook = ["-n", WEBHOOK_NAMESPACE, "get", "deployment", "azure-wi-webhook-controller-manager"];
    assert_eq!(cluster.kubectl_json(&webhook).unwrap()["status"]["readyReplicas"], 2);
}

#[test]
fn the_webhook_can_fail_deviate_and_go() {
    let cluster = WholeCluster::start().unwrap();
    cluster.webhook_install(&WebhookOptions::default()).unwrap();
    let namespace = cluster.namespace("broken").unwrap();

    cluster.webhook_scale(0).unwrap();
    let refused = cluster
        .wait_for("a refusal", Duration::from_secs(20), || Ok(namespace.apply(&labelled(IMAGE_CAT)).err()))
        .unwrap()
        .to_string();
    assert!(refused.contains(r#"failed calling webhook "mutation.azure-workload-identity.io""#), "{refused}");

    if std::env::var_os("KUBECTL_WI_TEST_WEBHOOK").is_none() {
        let deviating = WebhookOptions { deviate: Some("drop-client-id".to_owned()), ..WebhookOptions::default() };
        cluster.webhook_install(&deviating).unwrap();
        namespace.apply(&labelled(IMAGE_CAT)).unwrap();
        let pod = namespace.kubectl(&["get", "pod", "velero", "-o", "json"]).unwrap();
        assert!(pod.contains("AZURE_TENANT_ID") && !pod.contains("AZURE_CLIENT_ID"), "{pod}");
        namespace.kubectl(&["delete", "pod", "velero", "--grace-period=0", "--force"]).unwrap();
    }

    cluster.webhook_uninstall().unwrap();
    namespace.apply(&labelled(IMAGE_CAT)).unwrap();
    let pod = namespace.kubectl(&["get", "pod", "velero", "-o", "json"]).unwrap();
    assert!(!pod.contains("AZURE_TENANT_ID"), "{pod}");
}
