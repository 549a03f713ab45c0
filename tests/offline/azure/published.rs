//! What stands at an issuer's public address, over TLS.

use kubectl_wi::azure::{Proxies, Transport, published};
use kubectl_wi::model::fact::Fact;
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::Duration;
use wi_test_azure::{Answer, Emulator, Fault, Tenant, examples};

const MANIFESTS: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: app, annotations: {azure.workload.identity/client-id: 3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  template:
    metadata: {labels: {azure.workload.identity/use: "true"}}
    spec: {serviceAccountName: app, containers: [{name: app, image: app}]}
"#;

struct Issuer {
    emulator: Emulator,
    issuer: String,
}

impl Issuer {
    async fn start() -> Self {
        let emulator = Emulator::start(Tenant::example()).await.unwrap();
        let issuer = format!("{}issuer/", emulator.authority());
        Self { emulator, issuer }
    }

    fn serves(&self, path: &str, status: u16, body: &Value) {
        self.emulator.fault(Fault::on(path, Answer::json(status, body)).times(9));
    }

    fn document(&self) -> Value {
        json!({"issuer": self.issuer, "jwks_uri": format!("{}jwks", self.issuer)})
    }

    /// Inspects the manifests for that one rule, with the emulator's authority among the system's.
    async fn inspect(&self) -> (Option<i32>, String) {
        let folder = tempfile::tempdir().unwrap();
        let (manifests, authority) = (folder.path().join("app.yaml"), folder.path().join("ca.pem"));
        std::fs::write(&manifests, MANIFESTS).unwrap();
        std::fs::write(&authority, self.emulator.ca_pem()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"));
        command.args(["inspect", "-f", manifests.to_str().unwrap(), "--select", "WI308", "--issuer", &self.issuer]);
        command.env("SSL_CERT_FILE", authority).env_remove("HTTPS_PROXY").env_remove("https_proxy");
        let run = move || command.output().unwrap();
        let Output { status, stdout, .. } = tokio::task::spawn_blocking(run).await.unwrap();
        drop(folder);
        (status.code(), String::from_utf8(stdout).unwrap())
    }
}

#[tokio::test]
async fn document_and_keys_are_read_as_entra_reads_them() {
    let there = Issuer::start().await;
    there.serves("/issuer/.well-known/openid-configuration", 200, &there.document());
    there.serves("/issuer/jwks", 200, &json!({"keys": [{"kid": "one", "kty": "RSA"}]}));
    let transport = Transport::new(Duration::from_secs(5), Proxies::none(), vec![there.emulator.ca()]).unwrap();
    let found = published(&transport, &there.issuer).await;
    assert_eq!(found.document.known().unwrap().issuer, there.issuer);
    assert_eq!(found.keys.known().unwrap()[0].kid, "one");
    assert_eq!(there.inspect().await.0, Some(0));
    // An address without TLS is not asked at all.
    let plain = published(&transport, &there.emulator.arm_endpoint()).await;
    assert!(matches!(plain.document, Fact::Failed(_)));
}

#[tokio::test]
async fn what_is_missing_wrong_or_out_of_reach_is_told_apart() {
    let there = Issuer::start().await;
    // A storage account that refuses anonymous reading.
    there.serves("/issuer/.well-known/openid-configuration", 409, &json!({"error": "PublicAccessNotPermitted"}));
    let (code, out) = there.inspect().await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("oidc-issuer-unreachable (WI308)") && out.contains("nothing is published at"), "{out}");

    let there = Issuer::start().await;
    there.serves(
        "/issuer/.well-known/openid-configuration",
        200,
        &json!({"issuer": examples::ISSUER, "jwks_uri": format!("{}jwks", there.issuer)}),
    );
    let (code, out) = there.inspect().await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("names another issuer"), "{out}");

    // Entra may reach what this machine does not: a warning.
    let there = Issuer::start().await;
    there.serves("/issuer/.well-known/openid-configuration", 503, &json!({}));
    let (code, out) = there.inspect().await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("warning: oidc-issuer-unreachable") && out.contains("cannot be fetched from here"), "{out}");
}
