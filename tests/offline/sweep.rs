//! `inspect` as somebody meets it who has just installed it: one clear error and exit code 2, or the rest is inspected
//! and the bad part is named.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: velero-server, namespace: velero, annotations: {azure.workload.identity/client-id: 3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2}}\n";
const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: velero, namespace: velero}\nspec:\n  template:\n    metadata: {labels: {azure.workload.identity/use: \"true\"}}\n    spec: {serviceAccountName: velero-server, containers: [{name: app, image: app}]}\n";

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program in a folder of its own, with no cluster anywhere.
fn wi(folder: &Path, arguments: &[&str], input: &[u8]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"));
    command.args(arguments).current_dir(folder).env("HOME", folder).env_remove("KUBECONFIG");
    command.env_remove("KUBERNETES_SERVICE_HOST").env_remove("KUBERNETES_SERVICE_PORT");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The program may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("account.yaml"), ACCOUNT).unwrap();
    std::fs::write(folder.path().join("deployment.yaml"), DEPLOYMENT).unwrap();
    folder
}

/// One line of error, perhaps one of what to do next, nothing on standard output.
#[track_caller]
fn refused(said: &Said, says: &[&str]) {
    assert_eq!(said.code, Some(2), "{} {}", said.out, said.err);
    assert!(said.out.is_empty(), "{}", said.out);
    assert!(said.err.starts_with("error: ") && said.err.lines().count() <= 3, "{}", said.err);
    for part in says {
        assert!(said.err.contains(part), "{part:?} in {}", said.err);
    }
}

#[test]
fn without_a_cluster_it_says_so_and_what_works_without_one() {
    let folder = tempfile::tempdir().unwrap();
    refused(&wi(folder.path(), &["inspect"], b""), &["kubeconfig"]);
    let said = wi(folder.path(), &["inspect", "-o", "json"], b"");
    assert_eq!(said.code, Some(2));
    assert!(said.out.contains("\"kind\": \"Error\""), "{}", said.out);
}

#[test]
fn a_context_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".kube")).unwrap();
    let config = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: https://127.0.0.1:1}}]\ncontexts: [{name: staging, context: {cluster: c}}]\ncurrent-context: staging\n";
    std::fs::write(folder.path().join(".kube/config"), config).unwrap();
    refused(&wi(folder.path(), &["inspect", "--context", "stagin"], b""), &["stagin"]);
    // And a cluster that nothing listens for.
    refused(&wi(folder.path(), &["inspect"], b""), &["127.0.0.1:1"]);
}

#[test]
fn a_wrong_type_and_a_misspelt_name_get_the_nearest() {
    let folder = files();
    let at = |words: &[&str]| wi(folder.path(), &[&["inspect", "-f", "."], words].concat(), b"");
    refused(&at(&["deploymnt/velero"]), &["deploymnt"]);
    refused(&at(&["deploy/velro"]), &["velro", "did you mean deploy/velero?"]);
    assert_eq!(at(&["deploy/velero"]).code, Some(0));
}

#[test]
fn what_is_no_manifest_is_named_and_the_rest_is_inspected() {
    let folder = files();
    let template = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {{ .Release.Name }}\n";
    std::fs::write(folder.path().join("template.yaml"), template).unwrap();
    let said = wi(folder.path(), &["inspect", "-f", "."], b"");
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.out.contains("This is a Helm template") && said.out.contains("helm template"), "{}", said.out);
    assert!(said.out.contains("velero/velero"), "{}", said.out);
}

#[test]
fn garbage_on_standard_input_is_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let garbage: Vec<u8> = (0..4096_u32).map(|n| u8::try_from(n.wrapping_mul(37) % 251).unwrap_or(0)).collect();
    refused(&wi(folder.path(), &["inspect", "-f", "-"], &garbage), &["<stdin>", "binary data"]);
    refused(&wi(folder.path(), &["inspect", "-f", "-"], b" \n"), &["standard input is empty"]);
    refused(&wi(folder.path(), &["inspect", "-f", "nowhere"], b""), &["nowhere"]);
    // Laid over a cluster, the files are looked at before the cluster.
    refused(&wi(folder.path(), &["inspect", "-f", "-", "--as-applied"], &garbage), &["binary data"]);
}

#[test]
fn flags_that_do_not_fit_are_refused() {
    let folder = files();
    for arguments in [
        ["inspect", "--as-applied"].as_slice(),
        &["inspect", "-f", ".", "--as-applied", "--as-cluster"],
        &["inspect", "-f", ".", "--ask-server"],
    ] {
        assert_eq!(wi(folder.path(), arguments, b"").code, Some(2), "{arguments:?}");
    }
}

#[test]
fn with_many_workloads_the_broken_come_first_and_the_others_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let one = |number: usize| {
        let deployment = DEPLOYMENT.replace("name: velero,", &format!("name: app-{number},"));
        if number < 10 { deployment.replace("azure.workload.identity/use", "app") } else { deployment }
    };
    let all: Vec<String> = (0..60).map(one).chain([ACCOUNT.to_owned()]).collect();
    std::fs::write(folder.path().join("all.yaml"), all.join("---\n")).unwrap();
    let said = wi(folder.path(), &["inspect", "-f", "all.yaml"], b"");
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains("healthy  50 in velero 50; -o wide lists them"), "{}", said.out);
    assert!(said.out.trim_end().ends_with("10 broken, 50 healthy\n  10  pod-label-missing (WI101)"), "{}", said.out);
    let wide = wi(folder.path(), &["inspect", "-f", "all.yaml", "-o", "wide"], b"");
    assert!(wide.out.contains("velero/app-59"), "{}", wide.out);
}
