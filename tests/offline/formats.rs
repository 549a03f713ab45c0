//! Reports for machines and tickets, and what redaction leaves of them.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn wi(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kubectl-wi"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn text(arguments: &[&str]) -> String {
    String::from_utf8(wi(arguments).stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&text(arguments)).unwrap()
}

/// Everything that the cases and examples can find.
const ALL: &[&str] = &["inspect", "-f", "tests/cases", "-f", "examples", "-R", "--as-cluster"];

fn all(more: &[&str]) -> Vec<String> {
    ALL.iter().chain(more).map(ToString::to_string).collect()
}

fn of_all(more: &[&str]) -> String {
    let arguments = all(more);
    text(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn sarif_keeps_to_the_schema_and_every_result_has_a_file() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sarif/sarif-schema-2.1.0.json");
    let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    // The published schema has a stray bracket in the pattern of these two, which is no regular expression with it.
    for definition in ["run", "toolComponent"] {
        let language = schema.pointer_mut(&format!("/definitions/{definition}/properties/language")).unwrap();
        language.as_object_mut().unwrap().remove("pattern");
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    let sarif: Value = serde_json::from_str(&of_all(&["-o", "sarif"])).unwrap();
    let failed = json(&["inspect", "-f", "no-such-file", "-o", "sarif"]);
    for document in [&sarif, &failed] {
        let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    assert_eq!(failed["runs"][0]["invocations"][0]["executionSuccessful"], false);

    let run = &sarif["runs"][0];
    let (results, rules) = (run["results"].as_array().unwrap(), run["tool"]["driver"]["rules"].as_array().unwrap());
    assert!(results.len() > 20, "{}", results.len());
    let mut fingerprints = std::collections::BTreeSet::new();
    let mut synthetic = 0;
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(!rule["shortDescription"]["text"].as_str().unwrap().is_empty(), "{rule}");
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.is_empty() && place["region"]["startLine"].as_u64().unwrap() >= 1, "{result}");
        synthetic += usize::from(uri.starts_with("kubernetes/"));
        assert!(fingerprints.insert(result["partialFingerprints"]["kubectlWiFinding/v1"].as_str().unwrap()));
    }
    assert!(synthetic > 0, "no finding about an object that is in no file");
}

#[test]
fn github_annotations_point_to_the_line() {
    let said = wi(&["inspect", "-f", "examples/velero-broken", "-o", "github"]);
    assert_eq!(said.status.code(), Some(1));
    let lines = String::from_utf8(said.stdout).unwrap();
    let first = lines.lines().next().unwrap();
    let start = "::error file=examples/velero-broken/velero.yaml,line=";
    assert!(first.starts_with(start) && first.contains("title=pod-label-missing (WI101)::"), "{first}");
    for line in of_all(&["-o", "github"]).lines() {
        assert!(["::error ", "::warning ", "::notice "].iter().any(|level| line.starts_with(level)), "{line}");
    }
}

#[test]
fn markdown_is_redacted_unless_told_no() {
    let id = "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2";
    let hidden = text(&["inspect", "-f", "examples/velero-broken", "-o", "markdown"]);
    assert!(hidden.contains("WI101") && hidden.contains("00000000-0000-4000-8000-000000000001"), "{hidden}");
    assert!(!hidden.contains(id) && !hidden.contains("velero-server"), "{hidden}");
    let open = text(&["inspect", "-f", "examples/velero-broken", "-o", "markdown", "--redact=no"]);
    assert!(open.contains(id) && open.contains("velero-server"), "{open}");
}

#[test]
fn redaction_is_stable_and_leaves_no_name_of_the_input() {
    let open: Value = serde_json::from_str(&of_all(&["-o", "json"])).unwrap();
    let hidden = of_all(&["-o", "json", "--redact"]);
    assert_eq!(hidden, of_all(&["-o", "json", "--redact=yes"]), "not the same twice");
    let closed: Value = serde_json::from_str(&hidden).unwrap();
    // Object by object the same name has the same stand-in, and another name another one.
    let mut stand_ins = std::collections::BTreeMap::new();
    for (open, closed) in open["targets"].as_array().unwrap().iter().zip(closed["targets"].as_array().unwrap()) {
        assert_eq!(open["verdict"], closed["verdict"]);
        for field in ["name", "namespace"] {
            let (name, stand_in) = (open["object"][field].as_str(), closed["object"][field].as_str());
            let (Some(name), Some(stand_in)) = (name, stand_in) else { continue };
            assert_eq!(*stand_ins.entry(name.to_owned()).or_insert(stand_in.to_owned()), stand_in, "{name}");
        }
    }
    let distinct: std::collections::BTreeSet<_> = stand_ins.values().collect();
    assert_eq!(distinct.len(), stand_ins.len());
    assert!(stand_ins.len() > 5, "{stand_ins:?}");
    // Nothing leads back: no id of a finding (they are hashes of names), no GUID, no file.
    for finding in open["targets"].as_array().unwrap().iter().flat_map(|t| t["findings"].as_array().unwrap()) {
        assert!(!hidden.contains(finding["id"].as_str().unwrap()));
    }
    let guid = regex::Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
    let real = guid.find_iter(&hidden).filter(|id| !id.as_str().starts_with("00000000-0000-4000-8000-"));
    assert_eq!(real.map(|id| id.as_str()).collect::<Vec<_>>(), [""; 0]);
    assert!(!hidden.contains("tests/cases/"), "a path of this machine is left");
}

#[test]
fn redaction_hides_hosts_people_and_what_is_named_after_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: secretsauce, namespace: acme}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: topsecret, namespace: acme, labels: {app.kubernetes.io/name: velero}}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {azure.workload.identity/use: "true"}}
    spec:
      serviceAccountName: secretsauce
      containers:
        - {name: c, image: "registry.acme.example.com/team/topsecret:1"}
"#;
    let path = folder.path().join("acme.yaml");
    std::fs::write(&path, manifest).unwrap();
    for format in ["text", "wide", "json", "yaml", "jsonl", "sarif", "github", "markdown", "name"] {
        let said = text(&["inspect", "-f", path.to_str().unwrap(), "--as-cluster", "--redact", "-o", format]);
        assert!(!said.trim().is_empty(), "{format}");
        for word in ["acme", "topsecret", "secretsauce"] {
            assert!(!said.contains(word), "{format} tells {word}: {said}");
        }
    }
}

#[test]
fn version_and_rbac_are_documents() {
    let version = json(&["version", "-o", "json"]);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let profiles = version["webhookProfiles"].as_array().unwrap();
    assert_eq!(profiles.last().unwrap()["releases"], "1.6.0");
    assert!(profiles.iter().all(|profile| profile["tokenPath"].as_str().unwrap().starts_with("/var/run/secrets/")));
    let roles = text(&["rbac", "--for", "inspect,exec-probe,fix"]);
    let names: Vec<&str> = roles.lines().filter_map(|line| line.trim().strip_prefix("name: ")).collect();
    assert_eq!(names, ["kubectl-wi-inspect", "kubectl-wi-exec-probe", "kubectl-wi-fix"]);
    assert!(roles.contains("secrets") && !text(&["rbac", "--no-secrets"]).contains("- secrets\n"));
}
