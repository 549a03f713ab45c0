//! Every recorded answer of Entra is read and explained.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kubectl_wi::token::aadsts::{Confidence, EntraError, Lookup, lookup};
use serde_json::Value;
use std::path::PathBuf;

/// Name, body.
fn recorded() -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/entra");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), file["body"].clone())
        })
        .collect()
}

#[test]
fn every_recorded_body_is_explained_by_its_own_code() {
    let recorded = recorded();
    assert!(recorded.len() >= 54, "{}", recorded.len());
    for (name, body) in recorded {
        let error = EntraError::parse(&body.to_string()).unwrap_or_else(|| panic!("{name} is not read"));
        let code = u32::try_from(body["error_codes"][0].as_u64().unwrap()).unwrap();
        assert_eq!(error.codes.first(), Some(&code), "{name}");
        let Lookup::Exact(entry) = error.lookup() else { panic!("{name} is not in the catalogue") };
        assert_eq!(entry.code, code);
        assert_eq!(error.trace_id.as_deref(), body["trace_id"].as_str(), "{name}");
        assert_eq!(error.correlation_id.as_deref(), body["correlation_id"].as_str(), "{name}");
        assert_eq!(error.timestamp.as_deref(), body["timestamp"].as_str(), "{name}");
    }
}

#[test]
fn a_body_in_a_log_reads_as_the_body_itself() {
    for (name, body) in recorded() {
        let whole = EntraError::parse(&body.to_string()).unwrap();
        // As Go prints it within a quoted string, wrapped by a terminal of 120 columns.
        let logged = format!("level=error msg={:?}", body.to_string());
        let chars: Vec<char> = logged.chars().collect();
        let wrapped: Vec<String> = chars.chunks(120).map(|line| line.iter().collect()).collect();
        let read = EntraError::parse(&wrapped.join("\n")).unwrap_or_else(|| panic!("{name} is not read"));
        assert_eq!(read.codes, whole.codes, "{name}");
        assert_eq!(read.correlation_id, whole.correlation_id, "{name}");
        assert_eq!(read.presented, whole.presented, "{name}");
    }
}

#[test]
fn what_the_messages_quote_is_found() {
    let of = |name: &str| {
        let (_, body) = recorded().into_iter().find(|(file, _)| file == name).unwrap();
        EntraError::parse(&body.to_string()).unwrap().presented
    };
    let general = of("AADSTS70021");
    assert_eq!(general.subject.as_deref(), Some("system:serviceaccount:ns1:sa1"));
    assert_eq!(general.audience.as_deref(), Some("api://AzureADTokenExchange"));
    assert!(general.issuer.unwrap().starts_with("https://eastus.oic.prod-aks.azure.com/"));
    assert!(of("AADSTS700211").issuer.unwrap().ends_with('/'));
    assert_eq!(of("AADSTS700212").audience.as_deref(), Some("api://AKSIdentityBinding"));
    assert_eq!(of("AADSTS7002137").expected_subject.as_deref(), Some("system:serviceaccount:ns1:sa2"));
    assert!(of("AADSTS70025").client_id.is_some());
    assert!(of("AADSTS700016").client_id.is_some());
    assert_eq!(of("capture-700016").tenant.as_deref(), Some("MSIDLAB4"));
    assert!(of("AADSTS90002").tenant.is_some());
    assert!(of("AADSTS900023").tenant.is_some());
    assert_eq!(of("AADSTS900144").parameter.as_deref(), Some("grant_type"));
    assert!(of("AADSTS7000229").client_id.is_some());
    assert!(of("AADSTS500011").resource.is_some());
    assert_eq!(of("capture-700024").expiry.as_deref(), Some("1970-01-01T00:00:00"));
}

#[test]
fn codes_of_microsoft_s_list_that_are_unknown_here_say_so() {
    assert_eq!(lookup(16_000), Lookup::Unknown);
    assert_eq!(lookup(7_002_119).confidence(), Confidence::Low);
}
