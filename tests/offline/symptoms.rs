//! What applications, SDKs and Kubernetes really say, and what is made of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kubectl_wi::symptoms::{Symptom, Verdict, diagnose};
use std::path::PathBuf;

/// An excerpt under `tests/data/symptoms/`: its first line says what is expected of it.
struct Excerpt {
    name: String,
    /// `identity`, `not-identity` or `nothing`.
    verdict: String,
    code: Option<String>,
    root: Option<String>,
    points_to: Vec<String>,
    text: String,
}

fn excerpts() -> Vec<Excerpt> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/symptoms");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let file = std::fs::read_to_string(&path).unwrap();
            let (head, text) = file.split_once('\n').unwrap();
            let mut words = head.strip_prefix("expect: ").unwrap().split_whitespace().map(str::to_owned);
            Excerpt {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                verdict: words.next().unwrap(),
                code: words.next(),
                root: words.next().filter(|root| root != "-"),
                points_to: words.collect(),
                text: text.to_owned(),
            }
        })
        .collect()
}

/// What is wrong with what was made of an excerpt.
fn complaints(excerpt: &Excerpt, text: &str) -> Vec<String> {
    let report = diagnose(text);
    let mut complaints = Vec::new();
    let verdict = match report.verdict {
        Verdict::Identity => "identity",
        Verdict::NotIdentity => "not-identity",
        Verdict::Nothing => "nothing",
        Verdict::Unknown => "unknown",
        Verdict::Empty => "empty",
    };
    if verdict != excerpt.verdict {
        complaints.push(format!("verdict {verdict}, expected {}", excerpt.verdict));
    }
    let code = report.root.as_ref().map(|root| root.code);
    if code != excerpt.code.as_deref() {
        complaints.push(format!("code {code:?}, expected {:?}", excerpt.code));
    }
    let root = report.root_code().filter(|root| Some(*root) != code || excerpt.root.is_some());
    if root != excerpt.root.as_deref() {
        complaints.push(format!("root {root:?}, expected {:?}", excerpt.root));
    }
    let points: Vec<&str> = report.look.iter().map(|step| step.code).collect();
    let mut at = 0;
    for expected in &excerpt.points_to {
        match points[at..].iter().position(|code| code == expected) {
            Some(found) => at += found,
            None => complaints.push(format!("looks at {points:?}, expected {expected} in this order")),
        }
    }
    if !complaints.is_empty() {
        complaints.push(format!(
            "signatures: {:?}",
            report
                .root
                .iter()
                .chain(&report.others)
                .chain(&report.consequences)
                .map(|symptom: &Symptom| symptom.signature)
                .collect::<Vec<_>>()
        ));
    }
    complaints
}

#[test]
fn every_excerpt_is_understood() {
    let excerpts = excerpts();
    assert!(excerpts.len() >= 60, "{}", excerpts.len());
    let wrong: Vec<String> = excerpts
        .iter()
        .flat_map(|excerpt| {
            complaints(excerpt, &excerpt.text).into_iter().map(|complaint| format!("{}: {complaint}", excerpt.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
