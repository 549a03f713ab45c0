//! The control plane is a real one: tokens as AKS issues them, RBAC, controllers; and nothing of it stays behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{process::Command, sync::LazyLock, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use wi_test_cluster::{Cluster, ControlPlane, KUBERNETES_VERSION, Subject, WebhookOptions};

/// What the harness starts, also where the tests of the program run on a cluster that existed before.
fn own() -> &'static Cluster {
    static OWN: LazyLock<ControlPlane> = LazyLock::new(|| ControlPlane::start().unwrap());
    &OWN
}

#[test]
fn it_is_the_pinned_version() {
    let version = own().kubectl_json(&["version"]).unwrap();
    assert_eq!(version["serverVersion"]["gitVersion"], KUBERNETES_VERSION);
    assert_eq!(version["clientVersion"]["gitVersion"], KUBERNETES_VERSION);
}

#[test]
fn service_account_tokens_are_those_of_an_aks_cluster() {
    let cluster = own();
    let namespace = cluster.namespace("tokens").unwrap();
    namespace.kubectl(&["create", "serviceaccount", "velero-server"]).unwrap();

    let token =
        namespace.kubectl(&["create", "token", "velero-server", "--audience=api://AzureADTokenExchange"]).unwrap();
    let part = |place: usize| -> Value {
        let text = token.trim().split('.').nth(place).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    assert_eq!(part(0)["alg"], "RS256");
    assert_eq!(part(1)["iss"], cluster.issuer().unwrap());
    assert_eq!(part(1)["aud"], json!(["api://AzureADTokenExchange"]));
    assert_eq!(part(1)["sub"], format!("system:serviceaccount:{}:velero-server", namespace.name()));

    let issuer = cluster.issuer().unwrap();
    assert!(issuer.starts_with("https://westeurope.oic.prod-aks.azure.com/") && issuer.ends_with('/'), "{issuer}");
    let discovery = cluster.kubectl_json(&["get", "--raw", "/.well-known/openid-configuration"]).unwrap();
    assert_eq!(discovery["issuer"], issuer);
    let keys = cluster.kubectl_json(&["get", "--raw", "/openid/v1/jwks"]).unwrap();
    assert_eq!(keys["keys"][0]["kid"], part(0)["kid"]);
}

#[test]
fn everybody_may_do_what_they_were_allowed_and_no_more() {
    let cluster = own();
    let namespace = cluster.namespace("rbac").unwrap();
    namespace.kubectl(&["create", "serviceaccount", "reader"]).unwrap();
    let subjects = [
        Subject::User { name: "alice", group: Some("developers") },
        Subject::ServiceAccount { namespace: namespace.name(), name: "reader" },
    ];
    let pods = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]);
    for subject in &subjects {
        cluster.allow(subject, Some(namespace.name()), &pods).unwrap();
        let kubeconfig = cluster.kubeconfig_for(subject).unwrap();
        let list = |what: &str| {
            let mut command = cluster.command("kubectl");
            command.env("KUBECONFIG", &kubeconfig).args(["-n", namespace.name(), "get", what]);
            command.output().unwrap()
        };
        let seen = cluster.wait_for("RBAC", Duration::from_secs(5), || Ok(list("pods").status.success().then_some(())));
        assert!(seen.is_ok(), "{subject:?}: {}", String::from_utf8_lossy(&list("pods").stderr));
        assert!(String::from_utf8_lossy(&list("secrets").stderr).contains("Forbidden"), "{subject:?}");
    }
}

#[test]
fn deployments_make_pods() {
    let namespace = own().namespace("rollout").unwrap();
    namespace.kubectl(&["create", "deployment", "velero", "--image=velero/velero:v1.15.0"]).unwrap();
    let pods = own()
        .wait_for("the pod", Duration::from_secs(20), || {
            let pods = namespace.kubectl_json(&["get", "pods", "-l", "app=velero"])?;
            Ok(pods["items"].as_array().filter(|items| !items.is_empty()).cloned())
        })
        .unwrap();
    assert_eq!(pods[0]["status"]["phase"], "Pending");
}

#[test]
fn a_cluster_that_exists_can_take_its_place() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["on_an_existing_cluster", "--exact", "--ignored"]);
    child.env("KUBECTL_WI_TEST_KUBECONFIG", own().kubeconfig()).env("WI_TEST_ISSUER", own().issuer().unwrap());
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "not a test: what the child process of the test above does"]
fn on_an_existing_cluster() {
    let cluster = ControlPlane::shared();
    assert!(cluster.authority().is_none());
    assert_eq!(cluster.issuer().unwrap(), std::env::var("WI_TEST_ISSUER").unwrap());
    assert!(cluster.server().unwrap().starts_with("https://127.0.0.1:"));
    let namespace = cluster.namespace("existing").unwrap();
    for subject in [
        Subject::User { name: "alice", group: None },
        Subject::ServiceAccount { namespace: namespace.name(), name: "default" },
    ] {
        let mut command = cluster.command("kubectl");
        command.env("KUBECONFIG", cluster.kubeconfig_for(&subject).unwrap());
        let output = command.args(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]).output().unwrap();
        let name = match subject {
            Subject::User { name, .. } => name.to_owned(),
            Subject::ServiceAccount { namespace, name } => format!("system:serviceaccount:{namespace}:{name}"),
        };
        assert_eq!(String::from_utf8_lossy(&output.stdout), name, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_webhook_can_stand_beside_it_and_deviate() {
    let cluster = ControlPlane::start().unwrap();
    cluster.webhook_beside(&WebhookOptions::default()).unwrap();
    let namespace = cluster.namespace("beside").unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "velero", "labels": {"azure.workload.identity/use": "true"}},
        "spec": {"containers": [{"name": "velero", "image": "velero/velero:v1.15.0"}]},
    });
    let dry_run = || {
        let file = cluster.folder().join("pod.json");
        std::fs::write(&file, pod.to_string()).unwrap();
        let file = file.to_str().unwrap();
        match namespace.kubectl(&["create", "--dry-run=server", "-o", "json", "-f", file]) {
            Ok(pod) => pod,
            Err(error) => error.to_string(),
        }
    };
    assert!(dry_run().contains("api://AzureADTokenExchange"), "{}", dry_run());

    for (way, words) in [
        ("other-audience", "api://SomethingElse"),
        ("other-tenant", "00000000-0000-0000-0000-000000000000"),
        ("deny", "denied the request: denied by --deviate=deny"),
        ("fail", "an error on the server (\"--deviate=fail\") has prevented the request from succeeding"),
        ("hang", "context deadline exceeded"),
    ] {
        let options = WebhookOptions { deviate: Some(way.to_owned()), timeout_seconds: 1, ..WebhookOptions::default() };
        cluster.webhook_beside(&options).unwrap();
        let seen = cluster.wait_for(way, Duration::from_secs(20), || Ok(dry_run().contains(words).then_some(())));
        assert!(seen.is_ok(), "{way}: {}", dry_run());
    }
}
