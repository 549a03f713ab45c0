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

/// The same words, in another dress.
fn dresses(text: &str) -> Vec<(&'static str, String)> {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let each = |dress: &dyn Fn(usize, &str) -> String| {
        lines.iter().enumerate().map(|(at, line)| dress(at, line)).collect::<Vec<_>>().join("\n")
    };
    let wrapped = |width: usize, indent: &str| {
        let wrap = |line: &str| {
            let chars: Vec<char> = line.chars().collect();
            chars
                .chunks(width)
                .map(|part| part.iter().collect::<String>())
                .collect::<Vec<_>>()
                .join(&format!("\n{indent}"))
        };
        each(&|_, line| wrap(line))
    };
    let mut dresses = vec![
        ("wrapped at 80", wrapped(80, "")),
        ("wrapped at 53 and indented", wrapped(53, "                    ")),
        ("with carriage returns", text.replace('\n', "\r\n")),
        ("coloured", each(&|_, line| format!("\u{1b}[31m{}\u{1b}[0m", line.replace(": ", ":\u{1b}[1m \u{1b}[22m")))),
        ("quoted as in an issue", each(&|_, line| format!("> {line}"))),
        (
            "with the times of kubectl logs",
            each(&|at, line| format!("2025-01-01T10:00:0{}.000000000Z {line}", at.min(9))),
        ),
        ("with curly quotes", text.replace('\'', "\u{2019}")),
        ("with tabs and wide blanks", text.replace(' ', "\u{a0}")),
    ];
    if lines.len() == 1 {
        dresses.push(("in a structured log", serde_json::json!({"level": "error", "msg": lines[0]}).to_string()));
        dresses.push((
            "in a log of a structured log",
            serde_json::json!({"log": serde_json::json!({"level": "error", "msg": lines[0]}).to_string() + "\n",
                "stream": "stderr", "time": "2025-01-01T10:00:00Z"})
            .to_string(),
        ));
    }
    dresses
}

#[test]
fn the_same_words_in_another_dress_mean_the_same() {
    let mut wrong = Vec::new();
    for excerpt in excerpts() {
        let plain = diagnose(&excerpt.text);
        for (dress, text) in dresses(&excerpt.text) {
            let dressed = diagnose(&text);
            let of = |report: &kubectl_wi::symptoms::PastedReport| {
                (report.root.as_ref().map(|root| root.code), report.root_code())
            };
            if of(&plain) != of(&dressed) {
                wrong.push(format!("{} {dress}: {:?} instead of {:?}", excerpt.name, of(&dressed), of(&plain)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn utf_16_of_a_windows_shell_is_read() {
    let text = "no token file specified. Check pod configuration or set TokenFilePath in the options";
    let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let report = diagnose(&kubectl_wi::text::decode(&bytes));
    assert_eq!(report.root_code(), Some("WI101"));
}
