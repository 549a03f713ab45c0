//! What is made from the program is as the program makes it, and the program keeps to its schema.

use kubectl_wi::report::schema::schemas;
use std::path::Path;
use std::process::Command;

#[test]
fn generated_files_are_not_stale() {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "xtask", "--", "generate", "--check"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn validate(kind: &str, arguments: &[&str]) {
    let (_, schema) = schemas().into_iter().find(|(name, _)| *name == kind).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"))
        .args(arguments)
        .args(["-o", "json"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["kind"], kind);
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{arguments:?}: {errors:?}");
}

#[test]
fn documents_keep_to_their_schema() {
    validate("InspectReport", &["inspect", "-f", "examples", "-R"]);
    validate("InspectReport", &["inspect", "-f", "tests/cases", "-R", "--as-cluster"]);
    validate("SimulateReport", &["simulate", "-f", "examples", "-R"]);
    validate("FixReport", &["fix", "-f", "examples", "-R", "--diff"]);
    validate("Error", &["inspect", "-f", "no-such-file"]);
    validate("Error", &["inspect", "--no-such-flag"]);
}
