//! `kubectl wi fix -f`: manifests are changed where they have to be, and nowhere else.

use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};

const CLIENT_ID: &str = "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2";

/// As charts render it: comments with the source, blank lines, several documents, an account with an identity.
const HELM: &str = r#"---
# Source: velero/templates/serviceaccount-server.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: velero-server
  namespace: velero
  annotations:
    azure.workload.identity/client-id: 3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2
  labels:
    app.kubernetes.io/name: velero
---
# Source: velero/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: velero
  namespace: velero
spec:
  replicas: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: velero
  template:
    metadata:
      labels:
        name: velero
        app.kubernetes.io/name: velero

      annotations:
        prometheus.io/path: "/metrics"
    spec:
      serviceAccountName: velero-server
      containers:
        - name: velero
          image: "velero/velero:v1.15.0"
          args:
            - server
            ## no more
"#;

/// Written by hand: an anchor that nothing shares, flow style, odd quoting, a comment at the end.
const BY_HAND: &str = "# ours\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: 'velero', namespace: velero, annotations: {azure.workload.identity/client-id: \"3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2\"}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: v, namespace: velero},\n  spec: {selector: {matchLabels: {a: b}},   # flow\n    template: {metadata: {labels: &l {a: b}}, spec: {serviceAccountName: velero, containers: [{name: c, image: x}]}}}}\n# the end\n";

fn wi(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"));
    command.current_dir(folder).env_remove("KUBECONFIG").args(["--color", "never", "fix"]);
    command
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(folder: &tempfile::TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Fixes one manifest and expects it to be the old text with some parts replaced.
#[track_caller]
fn fixes(before: &str, replace: &[(&str, &str)], arguments: &[&str]) {
    let folder = folder(&[("a.yaml", before)]);
    let output = wi(folder.path()).args(["-f", "a.yaml", "--yes"]).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let expected = replace.iter().fold(before.to_owned(), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text.replace(old, new)
    });
    assert_eq!(read(&folder, "a.yaml"), expected);
    let again = wi(folder.path()).args(["-f", "a.yaml", "--yes"]).args(arguments).output().unwrap();
    assert_eq!(text(&again.stdout), "nothing to fix\n");
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(read(&folder, "a.yaml"), expected, "a second run changed something");
    let left: Vec<PathBuf> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_rendered_chart_and_a_manifest_written_by_hand_keep_every_other_byte() {
    let label = "        app.kubernetes.io/name: velero\n\n";
    let labelled = "        app.kubernetes.io/name: velero\n        azure.workload.identity/use: \"true\"\n\n";
    fixes(HELM, &[(label, labelled)], &[]);
    let crlf = HELM.replace('\n', "\r\n");
    fixes(&crlf, &[(&label.replace('\n', "\r\n"), &labelled.replace('\n', "\r\n"))], &[]);
    let flow = ("labels: &l {a: b}}", "labels: &l {a: b, azure.workload.identity/use: \"true\"}}");
    fixes(BY_HAND, &[flow], &[]);
}

#[test]
fn a_value_that_only_a_person_knows_comes_from_a_flag() {
    let before = HELM
        .replace(&format!("  annotations:\n    azure.workload.identity/client-id: {CLIENT_ID}\n"), "")
        .replace("        name: velero\n", "        azure.workload.identity/use: \"true\"\n");
    let folder = folder(&[("a.yaml", &before)]);
    let output = wi(folder.path()).args(["-f", "a.yaml", "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("--client-id"), "{output:?}");
    assert_eq!(read(&folder, "a.yaml"), before);
    let wrong = wi(folder.path()).args(["-f", "a.yaml", "--yes", "--client-id", "velero"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("is a GUID"), "{wrong:?}");
    let metadata = "    app.kubernetes.io/name: velero\n---";
    let annotated = format!(
        "    app.kubernetes.io/name: velero\n  annotations:\n    azure.workload.identity/client-id: \"{CLIENT_ID}\"\n---"
    );
    fixes(&before, &[(metadata, &annotated)], &["--client-id", CLIENT_ID]);
}

#[test]
fn a_missing_account_is_added_to_the_file_of_its_workload() {
    let (_, deployment) = HELM.split_once("---\n# Source: velero/templates/deployment.yaml\n").unwrap();
    let before = deployment.replace("        name: velero\n", "        azure.workload.identity/use: \"true\"\n");
    let folder = folder(&[("a.yaml", &before)]);
    let arguments = ["-f", "a.yaml", "--as-cluster", "--only", "WI201", "--yes", "--client-id", CLIENT_ID];
    let output = wi(folder.path()).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let after = read(&folder, "a.yaml");
    let added = after.strip_prefix(before.as_str()).unwrap();
    assert!(
        added.starts_with("---\n") && added.contains("kind: ServiceAccount") && added.contains(CLIENT_ID),
        "{added}"
    );
}

#[test]
fn without_anybody_to_ask_the_plan_is_printed_and_nothing_changed() {
    let folder = folder(&[("a.yaml", HELM)]);
    let output = wi(folder.path()).args(["-f", "a.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("+        azure.workload.identity/use: \"true\""), "{output:?}");
    assert!(text(&output.stderr).contains("nothing was changed"), "{output:?}");
    for shows in ["--diff", "--dry-run", "--dry-run=client"] {
        let output = wi(folder.path()).args(["-f", "a.yaml", shows, "--yes"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{shows}: {output:?}");
    }
    assert_eq!(read(&folder, "a.yaml"), HELM);
}

#[test]
fn the_report_keeps_to_the_contract() {
    let folder = folder(&[("a.yaml", HELM)]);
    let run = |arguments: &[&str]| -> Value {
        let output = wi(folder.path()).args(["-f", "a.yaml", "-o", "json"]).args(arguments).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let planned = run(&["--diff"]);
    assert_eq!(planned["kind"], "FixReport");
    assert_eq!(planned["plan"][0]["outcome"], "planned");
    assert_eq!(planned["before"]["broken"], 1);
    assert_eq!(planned["after"], Value::Null);
    assert_eq!(planned["left"].as_array().unwrap().len(), 0);
    let applied = run(&["--yes"]);
    assert_eq!(applied["plan"][0]["outcome"], "applied", "{applied:#}");
    assert_eq!(applied["after"]["healthy"], 1);
    assert_eq!(planned["plan"][0]["diff"], applied["plan"][0]["diff"]);
}

#[test]
fn a_stream_goes_through_and_comes_out_fixed() {
    let folder = folder(&[]);
    let output = wi(folder.path()).args(["-f", "-"]).write_stdin(HELM).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let fixed = text(&output.stdout);
    assert_eq!(fixed.replace("        azure.workload.identity/use: \"true\"\n", ""), HELM);
    assert_ne!(fixed, HELM);
    let again = wi(folder.path()).args(["-f", "-"]).write_stdin(fixed.clone()).output().unwrap();
    assert_eq!(text(&again.stdout), fixed);
}

#[test]
fn what_cannot_be_edited_safely_is_left_alone_and_named_with_the_patch() {
    let shared = HELM
        .replace("    matchLabels:\n      app.kubernetes.io/name: velero\n", "    matchLabels: &labels\n      a: b\n")
        .replace(
            "      labels:\n        name: velero\n        app.kubernetes.io/name: velero\n",
            "      labels: *labels\n",
        );
    let folder = folder(&[("a.yaml", &shared)]);
    let output = wi(folder.path()).args(["-f", "a.yaml", "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let out = text(&output.stdout);
    assert!(out.contains("refused: a.yaml:12:") && out.contains("anchor"), "{out}");
    assert!(
        out.contains("+        azure.workload.identity/use: 'true'") || out.contains("azure.workload.identity/use"),
        "{out}"
    );
    assert_eq!(read(&folder, "a.yaml"), shared);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_the_mode_is_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder(&[("real.yaml", HELM)]);
    let real = folder.path().join("real.yaml");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.yaml", folder.path().join("a.yaml")).unwrap();
    let output = wi(folder.path()).args(["-f", "a.yaml", "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(std::fs::symlink_metadata(folder.path().join("a.yaml")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert_ne!(read(&folder, "real.yaml"), HELM);
}

#[test]
fn several_files_and_a_secret_in_one_of_them() {
    let secret = HELM.replace(
        "          args:\n",
        "          env:\n            - name: DB_PASSWORD\n              value: hunter2\n          args:\n",
    );
    let other = HELM.replace("velero", "other");
    let folder = folder(&[("a.yaml", &secret), ("b.yaml", &other), ("values.yaml", "a: b\n")]);
    let output = wi(folder.path()).args(["-f", ".", "--yes"]).output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(!said.contains("hunter2"), "{said}");
    assert!(read(&folder, "a.yaml").contains("hunter2"));
    for name in ["a.yaml", "b.yaml"] {
        assert!(read(&folder, name).contains("azure.workload.identity/use"), "{name}");
    }
}

#[test]
fn only_formats_that_it_can_print_are_taken() {
    let folder = folder(&[("a.yaml", HELM)]);
    for format in ["sarif", "github", "markdown", "junit"] {
        let output = wi(folder.path()).args(["-f", "a.yaml", "--diff", "-o", format]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = text(&output.stderr);
        assert!(said.contains(format), "{said}");
    }
    let output = wi(folder.path()).args(["-f", "a.yaml", "--diff", "-o", "name"]).output().unwrap();
    assert_eq!(text(&output.stdout), "deployment/velero\n");
}

#[test]
fn answers_that_cannot_be_right_are_refused() {
    let folder = folder(&[("a.yaml", HELM)]);
    for (flag, value) in [
        ("--client-id", "velero"),
        ("--client-id", "00000000-0000-0000-0000-000000000000"),
        ("--tenant-id", "contoso.onmicrosoft.com"),
        ("--service-account", "Velero"),
        ("--container", "a b"),
        ("--only", "WI999"),
    ] {
        let output = wi(folder.path()).args(["-f", "a.yaml", "--yes", flag, value]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag} {value}: {output:?}");
        assert!(text(&output.stderr).contains(flag), "{output:?}");
    }
    assert_eq!(read(&folder, "a.yaml"), HELM);
}

#[test]
fn containers_that_need_identity_are_named_by_a_flag() {
    let before = HELM
        .replace("        name: velero\n", "        azure.workload.identity/use: \"true\"\n")
        .replace("        prometheus.io/path: \"/metrics\"\n", "        prometheus.io/path: \"/metrics\"\n        azure.workload.identity/skip-containers: velero;helper # both\n")
        .replace("          args:\n", "        - name: helper\n          image: example/helper:1\n          args:\n");
    let folder = folder(&[("a.yaml", &before)]);
    let output = wi(folder.path()).args(["-f", "a.yaml", "--yes", "--only", "WI107"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("--container"), "{output:?}");
    let replaced = ("skip-containers: velero;helper # both", "skip-containers: helper # both");
    fixes(&before, &[replaced], &["--only", "WI107", "-c", "velero"]);
}

#[test]
fn a_manifest_without_a_last_line_end_keeps_it_so() {
    let (_, account) = HELM.split_once("---\n").unwrap();
    let before = account.trim_end();
    let label = "        app.kubernetes.io/name: velero\n\n";
    let labelled = "        app.kubernetes.io/name: velero\n        azure.workload.identity/use: \"true\"\n\n";
    fixes(before, &[(label, labelled)], &[]);
    let crlf = before.replace('\n', "\r\n");
    fixes(&crlf, &[(&label.replace('\n', "\r\n"), &labelled.replace('\n', "\r\n"))], &[]);
}
