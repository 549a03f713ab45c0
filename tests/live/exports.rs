//! What `fix --export` writes, used as a person would: the finding is gone once the other tool has applied it. And what
//! is offered where somebody else owns the object.

use crate::fix::{Home, get, intent, plane};
use crate::support::{App, CLIENT_ID, Said, wi};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::OnceLock;
use wi_test_cluster::{Cluster, TestNamespace};

const LABEL: &str = "azure.workload.identity/use";

/// A wrong label, no client id, and a secret that the SDK takes first.
fn broken(namespace: &str) -> String {
    let app = App { label: Some("True"), client_id: None, ..App::HEALTHY };
    let (mut account, mut deployment) = (app.account(), app.deployment());
    account["metadata"]["namespace"] = json!(namespace);
    deployment["metadata"]["namespace"] = json!(namespace);
    deployment["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
        {"name": "FIRST", "value": "1"}, {"name": "AZURE_CLIENT_SECRET", "value": "x"}, {"name": "LAST", "value": "2"}]);
    deployment["spec"]["template"]["metadata"]["annotations"] =
        json!({"azure.workload.identity/skip-containers": "app"});
    format!("{account}\n---\n{deployment}\n")
}

fn errors(said: &Said) -> BTreeSet<String> {
    let report = said.json();
    let findings =
        report["targets"].as_array().unwrap().iter().flat_map(|target| target["findings"].as_array().unwrap());
    let errors =
        findings.filter(|finding| finding["level"] == "error" && !finding["path"].as_str().unwrap().is_empty());
    errors.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

fn piped(cluster: &Cluster, program: &str, arguments: &[&str], input: &str) -> String {
    let mut command = cluster.command(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}\n{input}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_exported_applies_cleanly_and_ends_the_findings() {
    let cluster = plane();
    let home = Home::new();
    for format in ["kubectl", "yaml", "kustomize"] {
        let namespace = cluster.namespace(format).unwrap();
        namespace.apply(&broken(namespace.name())).unwrap();
        let at = ["deploy/velero", "-n", namespace.name()];
        let before = errors(&wi(cluster, &[&["inspect"], &at[..], &["-o", "json"]].concat()));
        assert!(["WI103", "WI107", "WI109", "WI202"].iter().all(|code| before.contains(*code)), "{before:?}");
        let untouched = intent(&namespace, "deploy/velero");
        let export = home.fix(cluster, &[&at[..], &["--client-id", CLIENT_ID, "--export", format]].concat());
        assert_eq!(intent(&namespace, "deploy/velero"), untouched, "an export touches nothing");
        let exported = export.out.clone();
        match format {
            "kubectl" => drop(piped(cluster, "sh", &["-e"], &exported)),
            "yaml" => drop(piped(cluster, "kubectl", &["replace", "-f", "-"], &exported)),
            _ => {
                let folder = tempfile::tempdir().unwrap();
                std::fs::write(folder.path().join("app.yaml"), broken(namespace.name())).unwrap();
                let kustomization = format!("{exported}resources:\n- app.yaml\n");
                std::fs::write(folder.path().join("kustomization.yaml"), kustomization).unwrap();
                let built = cluster.kubectl(&["kustomize", folder.path().to_str().unwrap()]).unwrap();
                piped(cluster, "kubectl", &["replace", "-f", "-"], &built);
            }
        }
        let after = errors(&wi(cluster, &[&["inspect"], &at[..], &["-o", "json"]].concat()));
        assert!(after.is_empty(), "{format}: {after:?}\n{exported}");
        let env = get(&namespace, "deploy/velero")["spec"]["template"]["spec"]["containers"][0]["env"].clone();
        let names: Vec<&str> = env.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["FIRST", "LAST"], "{format}");
    }
}

/// Custom kinds that name owners.
fn kinds() -> &'static Cluster {
    static MADE: OnceLock<()> = OnceLock::new();
    let cluster = plane();
    MADE.get_or_init(|| {
        for (group, version, kind) in [
            ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"),
            ("helm.toolkit.fluxcd.io", "v2", "HelmRelease"),
            ("argoproj.io", "v1alpha1", "Application"),
        ] {
            let plural = format!("{}s", kind.to_lowercase());
            let name = format!("{plural}.{group}");
            let definition = json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
                "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                    "versions": [{"name": version, "served": true, "storage": true,
                        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
            });
            cluster.apply(&definition.to_string()).unwrap();
            cluster.kubectl(&["wait", "--for=condition=Established", &format!("crd/{name}"), "--timeout=30s"]).unwrap();
        }
    });
    cluster
}

/// An unlabelled workload with some metadata of its owner's.
fn owned(namespace: &TestNamespace<'_>, name: &str, metadata: &Value) {
    let app = App { name, account: name, label: None, ..App::HEALTHY };
    let mut deployment = app.deployment();
    for (key, value) in metadata.as_object().unwrap() {
        deployment["metadata"][key] = value.clone();
    }
    namespace.apply(&format!("{}\n---\n{deployment}\n", app.account())).unwrap();
}

fn only_step(said: &Said) -> Value {
    let report = said.json();
    assert_eq!(report["plan"].as_array().map(Vec::len), Some(1), "{said:?}");
    report["plan"][0].clone()
}

#[test]
fn what_an_owner_does_is_read_from_its_own_settings() {
    let cluster = kinds();
    let (home, namespace) = (Home::new(), cluster.namespace("heals").unwrap());
    let tracked =
        |name: &str| json!({"annotations": {"argocd.argoproj.io/tracking-id": format!("{name}:apps/Deployment:x/y")}});
    let fix = |name: &str| {
        let at = [&format!("deploy/{name}"), "-n", namespace.name(), "--diff", "-o", "json"];
        only_step(&home.fix(cluster, &at))
    };
    for (name, policy, outcome, words) in [
        ("by-hand", json!({}), "planned", "somebody has to start"),
        ("by-source", json!({"automated": {"prune": true}}), "planned", "when its source changes"),
        ("heals", json!({"automated": {"selfHeal": true}}), "refused", "heals itself"),
    ] {
        let unique = format!("{}-{name}", namespace.name());
        let application = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": unique}, "spec": {"syncPolicy": policy}});
        namespace.apply(&application.to_string()).unwrap();
        owned(&namespace, name, &tracked(&unique));
        let step = fix(name);
        assert_eq!(step["outcome"], outcome, "{step:#}");
        assert!(step["revertedBy"].as_str().unwrap().contains(words), "{step:#}");
    }

    let at = namespace.name();
    let kustomization = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "apps"}, "spec": {"interval": "10m"}});
    namespace.apply(&kustomization.to_string()).unwrap();
    owned(
        &namespace,
        "flux",
        &json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": at}}),
    );
    let step = fix("flux");
    assert_eq!(step["outcome"], "refused", "{step:#}");
    assert!(step["revertedBy"].as_str().unwrap().contains("every 10m"), "{step:#}");
    let export = home.fix(cluster, &["deploy/flux", "-n", at, "--export", "kubectl"]);
    piped(cluster, "sh", &["-e"], &export.out);
    let patches = get(&namespace, "kustomizations.kustomize.toolkit.fluxcd.io/apps")["spec"]["patches"].clone();
    assert!(patches[0]["patch"].as_str().unwrap().contains(LABEL), "{patches:#}");
    assert_eq!(patches[0]["target"]["name"], "flux");

    let release = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "velero"}, "spec": {"values": {"a": 1}}});
    namespace.apply(&release.to_string()).unwrap();
    let app =
        App { name: "velero", account: "velero-server", label: None, image: "velero/velero:v1.15.0", ..App::HEALTHY };
    let mut deployment = app.deployment();
    let chart = json!({"helm.sh/chart": "velero-8.1.0", "helm.toolkit.fluxcd.io/name": "velero", "helm.toolkit.fluxcd.io/namespace": at});
    deployment["metadata"]["labels"] = chart;
    deployment["spec"]["template"]["spec"]["containers"][0]["name"] = json!("velero");
    namespace.apply(&format!("{}\n---\n{deployment}\n", app.account())).unwrap();
    let step = fix("velero");
    assert_eq!(step["outcome"], "planned", "without drift detection nothing is taken back by itself: {step:#}");
    let helm = home.fix(cluster, &["deploy/velero", "-n", at, "--export", "helm"]);
    assert!(helm.out.contains("podLabels:\n  azure.workload.identity/use: "), "{helm:?}");
    let export = home.fix(cluster, &["deploy/velero", "-n", at, "--export", "kubectl"]);
    piped(cluster, "sh", &["-e"], &export.out);
    let values = get(&namespace, "helmrelease/velero")["spec"]["values"].clone();
    assert_eq!(values, json!({"a": 1, "podLabels": {LABEL: "true"}}));
}

#[test]
fn what_a_restart_meets_is_said_before_the_question() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("budget").unwrap());
    namespace.apply(&App { label: None, ..App::HEALTHY }.manifests()).unwrap();
    namespace.kubectl(&["scale", "deploy/velero", "--replicas=3"]).unwrap();
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "two"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "velero"}}}});
    namespace.apply(&budget.to_string()).unwrap();
    let counted = || Ok(get(&namespace, "pdb/two")["status"]["expectedPods"].as_i64().filter(|pods| *pods == 3));
    cluster.wait_for("the budget", std::time::Duration::from_secs(30), counted).unwrap();
    let said = home.fix(cluster, &["deploy/velero", "-n", namespace.name(), "--diff"]);
    // Without the line breaks of the drawing.
    let text = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("restarts 3 pods of Deployment"), "{text}");
    assert!(text.contains("one after the other, each new one before an old one ends"), "{text}");
    assert!(text.contains("budget two allows no pod to be away now"), "{text}");
}

#[test]
fn waiting_ends_when_the_time_is_up() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("wait").unwrap());
    namespace.apply(&App { label: None, ..App::HEALTHY }.manifests()).unwrap();
    // No node: the new pods are never ready.
    let said = home.fix(cluster, &["deploy/velero", "-n", namespace.name(), "--yes", "--wait", "--timeout", "20s"]);
    assert_eq!(said.code, 124, "{said:?}");
    assert_eq!(get(&namespace, "deploy/velero")["spec"]["template"]["metadata"]["labels"][LABEL], "true");
    assert!(said.err.contains("--undo") || said.out.contains("--undo"), "{said:?}");
}
