//! The control plane is a real one: tokens as AKS issues them, RBAC, controllers; and nothing of it stays behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use wi_test_cluster::{ControlPlane, KUBERNETES_VERSION, Subject};

#[test]
fn it_is_the_pinned_version() {
    let version = ControlPlane::shared().kubectl_json(&["version"]).unwrap();
    assert_eq!(version["serverVersion"]["gitVersion"], KUBERNETES_VERSION);
    assert_eq!(version["clientVersion"]["gitVersion"], KUBERNETES_VERSION);
}

#[test]
fn service_account_tokens_are_those_of_an_aks_cluster() {
    let cluster = ControlPlane::shared();
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
    let cluster = ControlPlane::shared();
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
    let namespace = ControlPlane::shared().namespace("rollout").unwrap();
    namespace.kubectl(&["create", "deployment", "velero", "--image=velero/velero:v1.15.0"]).unwrap();
    let pods = ControlPlane::shared()
        .wait_for("the pod", Duration::from_secs(20), || {
            let pods = namespace.kubectl_json(&["get", "pods", "-l", "app=velero"])?;
            Ok(pods["items"].as_array().filter(|items| !items.is_empty()).cloned())
        })
        .unwrap();
    assert_eq!(pods[0]["status"]["phase"], "Pending");
}
