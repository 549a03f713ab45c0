//! `inspect --log-file` and `--logs`: whose log it is, what is read, and what a refusal costs.

use crate::fake_api::{FakeApi, Reply, Seen};
use kubectl_wi::chain::select::{Item, Scope, Selection};
use kubectl_wi::cluster::collect::{LogRequest, read_logs};
use kubectl_wi::inspect::{Input, Wanted, inspect};
use kubectl_wi::manifest::collect::Collector;
use kubectl_wi::manifest::read::{Paths, read};
use kubectl_wi::report::model::Verdict;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tokio::time::Instant;

const CASE: &str = "tests/cases/WI801-symptom-imds-fallback/fires-on-a-mutated-pod";
const REFUSED: &str = "2026-11-20T10:00:00Z ERROR cart AADSTS700016: Application with identifier '3f6c1d5e-9b1a-4b53-8a61-0f2b6f6b91d2' was not found in the directory 'contoso'.\n2026-11-20T10:00:09Z ERROR cart AADSTS700016: Application with identifier '3f6c1d5e-9b1a-4b53-8a61-0f2b6f6b91d2' was not found in the directory 'contoso'.\n";

fn wi(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn codes(report: &Value) -> Vec<String> {
    let findings = report["targets"].as_array().unwrap().iter().flat_map(|t| t["findings"].as_array().unwrap());
    findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_saved_log_belongs_to_the_workload_that_is_named_or_the_only_one() {
    let manifest = format!("{CASE}/app.yaml");
    for arguments in [
        &["inspect", "-f", &manifest, "--log-file", "-", "-o", "json"][..],
        &["inspect", "deploy/cart", "-f", &manifest, "--log-file", "-", "-o", "json"],
    ] {
        let output = wi(arguments, REFUSED);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(codes(&report).contains(&"WI803".to_owned()), "{report}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn whose_log_it_is_must_be_plain() {
    let several = &["inspect", "-f", "examples/velero-broken", "-f", CASE, "--log-file", "-"];
    let output = wi(several, REFUSED);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("which of") && said.contains("name it: kubectl wi inspect"), "{said}");

    let manifest = format!("{CASE}/app.yaml");
    for (arguments, expected) in [
        (&["inspect", "-f", "-", "--log-file", "-"][..], "standard input can be read once only"),
        (&["inspect", "-f", &manifest, "--log-file", "no-such.log"], "cannot read no-such.log"),
        (&["inspect", "-f", &manifest, "--log-file", "-"], "standard input is empty"),
        (&["inspect", "-f", &manifest, "--logs"], "cannot be used with"),
    ] {
        let output = wi(arguments, if arguments[2] == "-" { "kind: List\napiVersion: v1\nitems: []\n" } else { "" });
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

/// The objects of a case, as if they were the cluster's.
fn objects() -> Input {
    let mut collector = Collector::new("default");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(CASE).join("app.yaml");
    let paths = Paths { paths: vec![file.to_str().unwrap().to_owned()], recursive: false };
    let texts = read(&paths, &mut std::io::empty(), &mut collector).unwrap();
    collector.finish(texts, false, Some("https://oidc.example/"), None)
}

fn cart() -> Selection {
    let item = Item::Object { kind: "Deployment".to_owned(), name: Some("cart".to_owned()) };
    Selection { scope: Scope::All, items: vec![item], labels: Vec::new() }
}

fn request() -> LogRequest {
    LogRequest { lines: 500, only_in_trouble: true, only_meant: false, until: Instant::now() + Duration::from_secs(10) }
}

fn wanted() -> Wanted {
    Wanted {
        selection: cart(),
        select: vec!["WI8".to_owned()],
        suppressions: Vec::new(),
        today: jiff::civil::date(2026, 11, 22),
    }
}

#[tokio::test]
async fn this_run_and_the_one_before_are_read_of_pods_in_trouble() {
    let api = FakeApi::start(|seen: &Seen, _| match seen.parameter("previous").as_deref() {
        Some("true") => Reply::text(200, "text/plain", REFUSED),
        _ => Reply::text(200, "text/plain", "starting\n"),
    })
    .await;
    let mut input = objects();
    read_logs(&api.client().await, &mut input, &cart(), &request()).await;
    let seen = api.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for request in &seen {
        assert_eq!(request.path, "/api/v1/namespaces/shop/pods/cart-5d9f7c6b8-x2x7p/log");
        assert_eq!(request.parameter("tailLines").as_deref(), Some("500"));
        assert_eq!(request.parameter("container").as_deref(), Some("cart"));
        assert!(request.parameter("limitBytes").is_some());
    }
    let report = inspect(&input, &wanted()).unwrap();
    let found = report.targets[0].findings.iter().find(|finding| finding.code == "WI803").unwrap();
    assert_eq!(found.path, "/spec/template/spec/containers/0");
    assert!(found.evidence[0].contains("log of the previous run of container cart"), "{:?}", found.evidence);
}

#[tokio::test]
async fn logs_that_may_not_be_read_are_named_and_cost_no_verdict() {
    let api = FakeApi::start(|_: &Seen, _| {
        Reply::status(403, "Forbidden", "pods \"cart-5d9f7c6b8-x2x7p\" is forbidden: User \"me\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"shop\"")
    })
    .await;
    let mut input = objects();
    read_logs(&api.client().await, &mut input, &cart(), &request()).await;
    let report = inspect(&input, &wanted()).unwrap();
    let gap = report.unknown.iter().find(|unknown| unknown.what.contains("logs")).unwrap();
    assert!(gap.why.contains("no permission to get pods/log in namespace shop"), "{gap:?}");
    assert!(gap.rules.contains(&"WI803"), "{gap:?}");
    assert_eq!(report.targets[0].verdict, Verdict::Healthy);
}

#[tokio::test]
async fn a_container_that_has_no_log_yet_is_no_gap() {
    let api = FakeApi::start(|_: &Seen, _| {
        Reply::status(
            400,
            "BadRequest",
            "container \"cart\" in pod \"cart-5d9f7c6b8-x2x7p\" is waiting to start: ContainerCreating",
        )
    })
    .await;
    let mut input = objects();
    read_logs(&api.client().await, &mut input, &cart(), &request()).await;
    let report = inspect(&input, &wanted()).unwrap();
    assert!(report.unknown.iter().all(|unknown| !unknown.what.contains("logs")), "{:?}", report.unknown);
}
