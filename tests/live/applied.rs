//! `inspect --as-applied` on a real API server: what it says would be, against what is once the files are applied.

use crate::support::{App, CLIENT_ID, Said, wi_with};
use serde_json::{Value, json};
use std::time::Duration;
use wi_test_cluster::{ControlPlane, TestNamespace};

const OTHER_ID: &str = "11111111-2222-4333-8444-555555555555";

fn applied(namespace: &TestNamespace<'_>, manifests: &str, more: &[&str]) -> Said {
    let arguments = [&["inspect", "-f", "-", "--as-applied", "-n", namespace.name()], more].concat();
    wi_with(namespace.cluster(), &arguments, manifests)
}

fn changes(report: &Value) -> Vec<(String, Value, Value)> {
    let all = report["targets"][0]["applied"]["differences"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter().map(|change| (text(&change["what"]), change["before"].clone(), change["after"].clone())).collect()
}

fn wait_for_pods(namespace: &TestNamespace<'_>) {
    let some = || {
        let pods = namespace.kubectl_json(&["get", "pods"])?;
        Ok(pods["items"].as_array().is_some_and(|pods| !pods.is_empty()).then_some(()))
    };
    namespace.cluster().wait_for("pods", Duration::from_mins(1), some).unwrap();
}

#[test]
fn an_upgrade_is_judged_by_what_it_makes_of_what_runs() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("upgrade").unwrap();
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    wait_for_pods(&namespace);
    let only = ["--select", "WI1,WI2", "-o", "json"];

    // What is there already changes nothing.
    let said = applied(&namespace, &App::HEALTHY.manifests(), &only);
    let report = said.json();
    assert_eq!(report["targets"][0]["applied"]["change"], "unchanged", "{report:#}");
    assert_eq!(said.code, 0, "{report:#}");

    // The new release drops the label and takes another account, which is not there.
    let next = App { label: None, account: "velero", ..App::HEALTHY };
    let said = applied(&namespace, &next.deployment().to_string(), &only);
    let report = said.json();
    assert_eq!(report["targets"][0]["verdict"], "broken", "{report:#}");
    assert_eq!(said.code, 1);
    let subject = |account: &str| json!(format!("system:serviceaccount:{}:{account}", namespace.name()));
    let seen = changes(&report);
    for expected in [
        ("azure.workload.identity/use", json!("true"), Value::Null),
        ("service account", json!("velero-server"), json!("velero")),
        ("client id", json!(CLIENT_ID), Value::Null),
    ] {
        assert!(seen.contains(&(expected.0.to_owned(), expected.1, expected.2)), "{seen:?}");
    }
    assert!(seen.iter().any(|(what, before, _)| what == "subject" && *before == subject("velero-server")), "{seen:?}");
    assert_eq!(report["targets"][0]["applied"]["pods"], "replaced");
    let text = applied(&namespace, &next.deployment().to_string(), &[]).out;
    assert!(text.starts_with("Once applied, against what runs now\n"), "{text}");
    assert!(text.contains("service account"), "{text}");

    // Nothing was applied.
    let live = namespace.kubectl_json(&["get", "deploy", "velero"]).unwrap();
    assert_eq!(live["spec"]["template"]["spec"]["serviceAccountName"], "velero-server");
}

#[test]
fn an_account_that_changes_leaves_the_pods_with_what_they_have() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("account").unwrap();
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    wait_for_pods(&namespace);
    let account = App { client_id: Some(OTHER_ID), ..App::HEALTHY }.account().to_string();
    let report = applied(&namespace, &account, &["-o", "json"]).json();
    let target = &report["targets"][0];
    assert_eq!(target["object"]["kind"], "Deployment", "{report:#}");
    assert_eq!(target["applied"]["pods"], "kept");
    let seen = changes(&report);
    assert!(seen.contains(&("client id".to_owned(), json!(CLIENT_ID), json!(OTHER_ID))), "{seen:?}");
}

/// The template, with lists in an order of their own.
fn template(object: &Value) -> Value {
    let mut template = object["spec"]["template"].clone();
    if let Some(env) = template["spec"]["containers"][0]["env"].as_array_mut() {
        env.sort_by_key(|variable| variable["name"].to_string());
    }
    template
}

#[test]
fn merged_as_kubectl_and_the_api_server_merge() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("merge").unwrap();
    namespace.apply(&App::HEALTHY.account().to_string()).unwrap();
    let server_side = ["apply", "--server-side", "--field-manager=ci", "-f"];
    for (name, apply) in [("client", ["apply", "-f"].as_slice()), ("server", server_side.as_slice())] {
        let app = App { name, ..App::HEALTHY };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("manifest.json");
        let put = |manifest: &Value| {
            std::fs::write(&file, manifest.to_string()).unwrap();
            namespace.kubectl(&[apply, &[file.to_str().unwrap()]].concat()).unwrap();
        };
        let get = || namespace.kubectl_json(&["get", "deploy", name, "--show-managed-fields"]).unwrap();
        let mut before = app.deployment();
        before["spec"]["template"]["spec"]["containers"][0]["env"] =
            json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]);
        before["spec"]["template"]["metadata"]["annotations"] = json!({"old": "x"});
        put(&before);
        let patch = json!({"spec": {"template": {"metadata": {"labels": {"by-hand": "yes"}}, "spec": {"containers": [
            {"name": "app", "env": [{"name": "C", "value": "3"}]},
        ]}}}});
        namespace.kubectl(&["label", "deploy", name, "by-hand=yes"]).unwrap();
        namespace.kubectl(&["patch", "deploy", name, "-p", &patch.to_string()]).unwrap();

        // The next manifest drops the label, the account, a variable and an annotation, and changes a variable.
        let mut after = App { label: None, ..app }.deployment();
        after["spec"]["template"]["spec"].as_object_mut().unwrap().remove("serviceAccountName");
        after["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "B", "value": "9"}]);
        let told = kubectl_wi::applied::merge::applied(&get(), &after, true);
        put(&after);
        let is = get();
        // What the API server copies into `serviceAccount` stays when `serviceAccountName` goes, and comes back.
        let account = |object: &Value| {
            let spec = &object["spec"]["template"]["spec"];
            let names = [&spec["serviceAccountName"], &spec["serviceAccount"]];
            names.into_iter().find_map(Value::as_str).map(str::to_owned)
        };
        assert_eq!(account(&told), account(&is), "{name}");
        let without_account = |object: &Value| {
            let mut template = template(object);
            let spec = template["spec"].as_object_mut().unwrap();
            spec.remove("serviceAccountName");
            spec.remove("serviceAccount");
            if template["metadata"]["annotations"].is_null() {
                template["metadata"].as_object_mut().unwrap().remove("annotations");
            }
            template
        };
        assert_eq!(without_account(&told), without_account(&is), "{name}");
        assert_eq!(told["metadata"]["labels"], is["metadata"]["labels"], "{name}");
    }
}

#[test]
fn files_for_a_namespace_that_is_not_there_yet_are_all_new() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("first").unwrap();
    let said = applied(&namespace, &App::HEALTHY.manifests(), &["-o", "json", "--select", "WI1,WI2"]);
    let report = said.json();
    assert_eq!(said.code, 0, "{report:#}");
    assert_eq!(report["targets"][0]["applied"]["change"], "created");
    assert_eq!(report["targets"][0]["verdict"], "healthy");
    let file = &report["targets"][0];
    assert!(file["applied"]["verdictBefore"].is_null());
}
