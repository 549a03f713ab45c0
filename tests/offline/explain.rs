//! `explain`: a rule, a code of Entra, and what somebody pasted; no cluster, no kubeconfig.

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn explain(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"))
        .arg("explain")
        .args(arguments)
        .env("KUBECONFIG", "/no/such/file")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What stops reading because it has its answer already is no failure of the test.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const REFUSED: &str = "2025-03-01T10:00:00Z ERROR WorkloadIdentityCredential authentication failed\n  AADSTS700213: No matching federated identity record found for presented assertion subject 'system:serviceaccount:shop:cart'. Trace ID: 11111111-2222-3333-4444-555555555555 Correlation ID: 66666666-2222-3333-4444-555555555555\n";

#[test]
fn a_pasted_log_is_explained_without_any_cluster() {
    let output = explain(&["-"], REFUSED.as_bytes());
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("federated-subject-mismatch (WI504), seen as symptom-entra-rejected (WI803)"), "{text}");
    assert!(text.contains("system:serviceaccount:shop:cart"), "{text}");
    assert!(text.contains("Where to look, in this order:") && text.contains("\nNext:\n"), "{text}");
    assert!(output.stderr.is_empty());
    // The same as one argument.
    assert_eq!(out(&explain(&[REFUSED], b"")), text);
}

#[test]
fn the_document_keeps_to_its_schema() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/PastedReport.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/symptoms");
    for file in ["go-no-client-id-logfmt.txt", "healthy-keda.txt", "disk-full.txt", "keda-70021.txt"] {
        let document: Value =
            serde_json::from_slice(&explain(&["-", "-o", "json"], &std::fs::read(folder.join(file)).unwrap()).stdout)
                .unwrap();
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{file}: {errors:?}");
        assert_eq!(document["apiVersion"], "kubectl-wi/v1");
    }
    let document: Value = serde_json::from_slice(&explain(&["-", "-o", "json"], REFUSED.as_bytes()).stdout).unwrap();
    assert_eq!((&document["rootCause"], &document["verdict"]), (&"WI504".into(), &"identity".into()));
}

#[test]
fn markdown_for_a_ticket_names_nobody() {
    let text = out(&explain(&["-", "-o", "markdown"], REFUSED.as_bytes()));
    assert!(text.starts_with("# federated-subject-mismatch (WI504)"), "{text}");
    assert!(text.contains("docs/rules/WI504.md"), "{text}");
    for name in ["shop", "cart", "11111111-2222"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
    let open = out(&explain(&["-", "-o", "markdown", "--redact=no"], REFUSED.as_bytes()));
    assert!(open.contains("system:serviceaccount:shop:cart"), "{open}");
    let json = out(&explain(&["-", "-o", "json", "--redact"], REFUSED.as_bytes()));
    assert!(!json.contains("cart") && json.contains("system:serviceaccount:name-1:name-2"), "{json}");
}

#[test]
fn a_code_of_entra_has_a_page() {
    for word in ["AADSTS700213", "aadsts700213:", "700213"] {
        let output = explain(&[word], b"");
        assert_eq!(output.status.code(), Some(0), "{word}");
        assert!(out(&output).contains("What to do"), "{word}");
    }
    let page: Value = serde_json::from_slice(&explain(&["AADSTS700213", "-o", "json"], b"").stdout).unwrap();
    assert_eq!((&page["code"], &page["gives"]), (&"AADSTS700213".into(), &"WI504".into()));
    assert!(out(&explain(&["AADSTS70021", "-o", "markdown"], b"")).starts_with("# AADSTS70021\n"));
}

#[test]
fn what_cannot_be_explained_is_said_with_exit_code_2() {
    for (arguments, input, expected) in [
        (&["-"][..], &b""[..], "standard input is empty"),
        (&["-"], b" \n\n", "standard input is empty"),
        (&["-"], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "no text but gzip"),
        (&["-"], &[0x7f, b'E', b'L', b'F', 2, 1, 1, 0], "no text but a program"),
        (&["AADSTS12345"], b"", "not in the catalogue"),
        (&["WI999"], b"", "there is no rule or code"),
    ] {
        let output = explain(arguments, input);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(expected), "{said}");
        assert!(output.stdout.is_empty());
        let json = explain(&[arguments, &["-o", "json"]].concat(), input);
        let document: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(document["kind"], "Error");
    }
}

#[test]
fn a_token_in_the_text_is_never_printed() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL29pZGMuZXhhbXBsZS8iLCJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6c2hvcDpjYXJ0In0.c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0";
    let text =
        format!("{REFUSED}client_assertion={token}\nAZURE_CLIENT_SECRET=Zq8~planted.marker.value_1234567890abcd\n");
    for format in ["text", "json", "markdown"] {
        let said = out(&explain(&["-", "-o", format], text.as_bytes()));
        for secret in ["c2lnbmF0dXJl", "planted.marker", token] {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
    }
}
