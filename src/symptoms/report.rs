//! A pasted text's explanation, drawn and as data.

use super::codes;
use super::diagnose::{PastedReport, PastedToken, Verdict};
use super::model::{Facts, Symptom};
use crate::model::finding::Confidence;
use crate::report::style::{Style, clean, wrap};
use serde::Serialize;

/// What `explain -` prints as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    /// Code of the root cause.
    root_cause: Option<&'static str>,
    #[serde(flatten)]
    report: &'a PastedReport,
}

impl<'a> Document<'a> {
    /// Wraps a report.
    pub fn of(report: &'a PastedReport) -> Self {
        Self { api_version: "kubectl-wi/v1", kind: "PastedReport", root_cause: report.root_code(), report }
    }
}

/// How many steps and commands are shown; JSON has them all.
const STEPS: usize = 6;
const COMMANDS: usize = 4;

/// The explanation for a terminal.
pub fn text(report: &PastedReport, style: Style) -> String {
    let mut out = String::new();
    let width = style.width.clamp(40, 110);
    headline(&mut out, report, style, width);
    if let Some(root) = &report.root {
        symptom(&mut out, root, style, width);
    }
    if !report.look.is_empty() {
        out.push_str("\nWhere to look, in this order:\n");
        for (number, step) in report.look.iter().take(STEPS).enumerate() {
            let asked = format!("{} ({}): {}", step.name, step.code, step.question);
            indented(&mut out, &format!("{}. ", number + 1), &asked, width);
        }
    }
    for (title, list) in [("It also says", &report.others), ("What follows from it", &report.consequences)] {
        if !list.is_empty() {
            out.push_str(&format!("\n{title}:\n"));
            for symptom in list {
                let times = times(symptom);
                indented(
                    &mut out,
                    "- ",
                    &format!("{} ({}){times}: {}", symptom.name, symptom.code, symptom.means),
                    width,
                );
            }
        }
    }
    for token in &report.tokens {
        out.push_str("\nA token stands in the text. What it says of itself:\n");
        indented(&mut out, "  ", &token_words(token), width);
    }
    if !report.notes.is_empty() {
        out.push('\n');
        for note in &report.notes {
            indented(&mut out, "note: ", &clean(note), width);
        }
    }
    if !report.next.is_empty() {
        out.push_str("\nNext:\n");
        for command in report.next.iter().take(COMMANDS) {
            out.push_str(&format!("  {}\n", style.command(command)));
        }
    }
    out
}

fn headline(out: &mut String, report: &PastedReport, style: Style, width: usize) {
    let line = match (report.verdict, &report.root) {
        (Verdict::Identity, Some(root)) => {
            let cause = root.root_code();
            let proved = root.gives.is_some() && root.confidence != Confidence::Inferred;
            let likely = if proved { "" } else { "probably " };
            let cause = if cause == root.code {
                format!("{} ({})", root.name, root.code)
            } else {
                format!("{likely}{} ({cause}), seen as {} ({})", codes::name(cause), root.name, root.code)
            };
            style.error(&cause)
        }
        (Verdict::NotIdentity, Some(root)) => {
            let class = root.class.map_or("something else", super::model::Class::sentence);
            style.info(&format!("not identity: {class} ({} {})", root.name, root.code))
        }
        (Verdict::Unknown, _) => style.warning("perhaps identity, in words that are not known here"),
        (Verdict::Empty, _) => "nothing to explain".to_owned(),
        _ => style.good("no failure found"),
    };
    if style.colour {
        out.push_str(&line);
        out.push('\n');
    } else {
        indented(out, "", &line, width);
    }
}

fn symptom(out: &mut String, symptom: &Symptom, style: Style, width: usize) {
    indented(out, "  ", &symptom.means, width);
    out.push('\n');
    let place = match &symptom.first.time {
        Some(time) => format!("line {}, {}", symptom.first.line, clean(time)),
        None => format!("line {}", symptom.first.line),
    };
    let said = format!("\"{}\" ({place}{})", clean(&symptom.excerpt), times(symptom));
    for line in wrap(&said, width - 2) {
        out.push_str(&format!("  {}\n", style.dim(&line)));
    }
    let facts = facts_words(&symptom.facts);
    if !facts.is_empty() {
        out.push('\n');
        for (name, value) in facts {
            out.push_str(&format!("  {name:<12} {}\n", clean(value)));
        }
    }
    if !symptom.causes.is_empty() {
        out.push_str("\nWhat causes it:\n");
        for cause in &symptom.causes {
            indented(out, "- ", cause, width);
        }
    }
}

fn times(symptom: &Symptom) -> String {
    if symptom.count < 2 {
        return String::new();
    }
    format!(", {} times up to line {}", symptom.count, symptom.last.line)
}

fn facts_words(facts: &Facts) -> Vec<(&'static str, &str)> {
    [
        ("issuer", &facts.issuer),
        ("subject", &facts.subject),
        ("audience", &facts.audience),
        ("expected", &facts.expected_subject),
        ("client id", &facts.client_id),
        ("object id", &facts.object_id),
        ("tenant", &facts.tenant),
        ("action", &facts.action),
        ("scope", &facts.scope),
        ("resource", &facts.resource),
        ("host", &facts.host),
        ("path", &facts.path),
        ("correlation", &facts.correlation_id),
        ("trace", &facts.trace_id),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    .collect()
}

fn token_words(token: &PastedToken) -> String {
    let value = |value: &Option<String>| clean(value.as_deref().unwrap_or("none"));
    format!(
        "issuer {}, subject {}, audience {}, signed with {}",
        value(&token.issuer),
        value(&token.subject),
        clean(&token.audiences.join(" ")),
        value(&token.algorithm)
    )
}

fn indented(out: &mut String, first: &str, text: &str, width: usize) {
    let hang = " ".repeat(first.chars().count());
    for (number, line) in wrap(text, width.saturating_sub(hang.len()).max(20)).iter().enumerate() {
        out.push_str(if number == 0 { first } else { &hang });
        out.push_str(line);
        out.push('\n');
    }
}
