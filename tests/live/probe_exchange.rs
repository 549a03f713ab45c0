//! `exec-probe --exchange` with real tokens of a real API server, against an emulator of Entra's token endpoint.

use crate::support::Said;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wi_test_azure::{Answer, Credential, Emulator, Fault, Issuer, SigningKey, Tenant, examples};
use wi_test_cluster::{ControlPlane, TestNamespace};

/// An emulator that knows the cluster's issuer and has a credential for the account `app`.
struct Entra {
    emulator: Arc<Emulator>,
    roots: std::path::PathBuf,
}

impl Entra {
    fn of(namespace: &TestNamespace<'_>) -> Self {
        let cluster = namespace.cluster();
        let issuer = cluster.issuer().unwrap();
        let keys = cluster.kubectl_json(&["get", "--raw", "/openid/v1/jwks"]).unwrap();
        let mut tenant = Tenant::example();
        let subject = format!("system:serviceaccount:{}:app", namespace.name());
        tenant.issuers.push(Issuer { url: issuer.clone(), jwks: Some(keys) });
        tenant.identities[0].credentials.push(Credential::new("app", &issuer, &subject, examples::AUDIENCE));
        // The program is a process of its own, so the emulator answers from a thread of its own.
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                send.send(Arc::new(Emulator::start(tenant).await.unwrap())).unwrap();
                std::future::pending::<()>().await;
            });
        });
        let emulator = receive.recv().unwrap();
        let roots = cluster.folder().join(format!("{}.roots.pem", namespace.name()));
        std::fs::write(&roots, emulator.ca_pem()).unwrap();
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "app", "annotations": {
                "azure.workload.identity/client-id": examples::CLIENT,
                "azure.workload.identity/tenant-id": examples::TENANT,
            }},
        });
        namespace.apply(&account.to_string()).unwrap();
        Self { emulator, roots }
    }

    fn probe(&self, namespace: &TestNamespace<'_>, more: &[&str]) -> Said {
        self.probe_at(namespace, &self.emulator.authority(), &self.roots, &[], more)
    }

    fn probe_at(
        &self,
        namespace: &TestNamespace<'_>,
        authority: &str,
        roots: &Path,
        variables: &[(&str, &str)],
        more: &[&str],
    ) -> Said {
        let mut command = namespace.cluster().command(env!("CARGO_BIN_EXE_kubectl-wi"));
        command.args(["exec-probe", "sa/app", "-n", namespace.name(), "--method", "token-request", "--exchange"]);
        command.args(["-o", "json", "--authority-host", authority]).args(more);
        command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR").envs(variables.iter().copied());
        let said = Said::of(command.output().unwrap());
        for text in [&said.out, &said.err] {
            assert!(!text.contains("eyJhbGciOi") && !text.contains("eyJ0eXAi"), "a token: {text}");
        }
        said
    }
}

fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn a_granted_exchange_is_proof_and_shows_whom_it_is_for() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("exchange").unwrap();
    let entra = Entra::of(&namespace);
    let said = entra.probe(&namespace, &["--samples", "2", "--for", "storage"]);
    let report = said.json();
    let exchange = &report["pods"][0]["exchange"];
    assert_eq!((said.code, &report["pods"][0]["verdict"]), (0, &json!("pass")), "{report:#}");
    assert_eq!((&exchange["samples"], &exchange["succeeded"]), (&json!(2), &json!(2)));
    assert_eq!(exchange["identity"]["appid"], examples::CLIENT);
    assert_eq!(exchange["identity"]["oid"], examples::PRINCIPAL);
    assert_eq!(exchange["resource"], "https://storage.azure.com");
    assert!(entra.emulator.violations().is_empty(), "{:?}", entra.emulator.violations());

    entra.emulator.change(|tenant| tenant.flaky_every = 2);
    let said = entra.probe(&namespace, &["--samples", "4"]);
    let report = said.json();
    assert_eq!((said.code, codes(&report)), (0, vec!["WI419"]), "{report:#}");
}

#[test]
fn every_answer_of_entra_is_explained() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("aadsts").unwrap();
    let entra = Entra::of(&namespace);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/azure/entra/errors");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let code: u32 = name.trim_start_matches("AADSTS").parse().unwrap();
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let body = &recorded["body"];
        let status = u16::try_from(recorded["http_status"].as_u64().unwrap()).unwrap();
        let answer = Answer::json(status, body);
        entra.emulator.fault(Fault::on("oauth2/v2.0/token", answer));
        let said = entra.probe(&namespace, &["--samples", "1"]);
        let report = said.json();
        assert_eq!(report["pods"][0]["exchange"]["errors"][0]["aadsts"], code, "{report:#}");
        let found = codes(&report);
        // What Entra's words name is a finding of its own, and the refusal its evidence.
        let (named, refusal): (Vec<&str>, Vec<&str>) = found.iter().partition(|code| code.starts_with("WI5"));
        assert!(refusal == ["WI418"] || (named.is_empty() && refusal == ["WI419"]), "{code}: {found:?}");
        assert_eq!(said.code, if refusal == ["WI418"] { 1 } else { 3 }, "{code}");
        if body["trace_id"].is_string() {
            assert_eq!(report["pods"][0]["exchange"]["errors"][0]["traceId"], body["trace_id"]);
        }
        count += 1;
    }
    assert!(count > 40, "{count}");
    let real = entra.probe(&namespace, &["--samples", "1"]);
    assert_eq!(real.code, 0, "{real:?}");
    entra.emulator.change(|tenant| tenant.identities[0].credentials.clear());
    let report = entra.probe(&namespace, &["--samples", "1"]).json();
    assert_eq!(codes(&report), ["WI502", "WI418"], "{report:#}");
    assert_eq!(report["findings"][1]["blockedBy"][0], report["findings"][0]["id"], "{report:#}");
}

#[test]
fn no_answer_is_no_verdict() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("unreachable").unwrap();
    let entra = Entra::of(&namespace);
    let unknown = |said: &Said, words: &[&str]| {
        let report = said.json();
        assert_eq!((said.code, codes(&report)), (3, vec!["WI420"]), "{report:#}");
        assert_eq!(report["findings"][0]["level"], "warning");
        let why = report["pods"][0]["exchange"]["unanswered"].to_string().to_lowercase();
        assert!(words.iter().any(|words| why.contains(words)), "{why}");
    };
    // TLS that this machine does not trust.
    let empty = cluster.folder().join("others.pem");
    std::fs::write(&empty, cluster.authority().unwrap().certificate()).unwrap();
    let said = entra.probe_at(&namespace, &entra.emulator.authority(), &empty, &[], &["--samples", "1"]);
    unknown(&said, &["certificate", "issuer"]);
    // Nobody listens.
    let said = entra.probe_at(&namespace, "https://127.0.0.1:9/", &entra.roots, &[], &["--samples", "1"]);
    unknown(&said, &["refused"]);
    // It answers too late, and not at all.
    entra.emulator.fault(Fault::late("oauth2/v2.0/token", Duration::from_secs(30)));
    unknown(&entra.probe(&namespace, &["--samples", "1"]), &["no answer within"]);
    entra.emulator.fault(Fault::hang_up("oauth2/v2.0/token"));
    unknown(&entra.probe(&namespace, &["--samples", "1"]), &["closed", "eof", "reset", "broke", "incomplete"]);
    // A proxy that refuses the way.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let proxy = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 1024];
        let length = stream.read(&mut asked).unwrap();
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    let through = [("HTTPS_PROXY", address.as_str()), ("NO_PROXY", "127.0.0.1,localhost")];
    let said =
        entra.probe_at(&namespace, "https://login.example.invalid/", &entra.roots, &through, &["--samples", "1"]);
    unknown(&said, &["proxy", "tunnel", "403", "unsuccessful"]);
    let asked = proxy.join().unwrap();
    assert!(asked.starts_with("CONNECT login.example.invalid:443"), "{asked}");
}

#[test]
fn a_token_goes_nowhere_that_nobody_named() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("nowhere").unwrap();
    let entra = Entra::of(&namespace);
    for authority in ["http://login.microsoftonline.com", "https://user@host/", "nonsense"] {
        let said = entra.probe_at(&namespace, authority, &entra.roots, &[], &[]);
        assert_eq!((said.code, said.json()["kind"].as_str()), (2, Some("Error")), "{said:?}");
    }
    assert!(entra.emulator.requests().is_empty());
    // A key that the issuer does not publish, as Entra sees it.
    entra.emulator.change(|tenant| tenant.issuers.last_mut().unwrap().jwks = Some(SigningKey::OTHER.jwks()));
    let report = entra.probe(&namespace, &["--samples", "1"]).json();
    assert_eq!(codes(&report), ["WI418"], "{report:#}");
}
