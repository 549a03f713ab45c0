//! A pasted text's explanation, drawn and as data.

use super::codes;
use super::diagnose::{PastedReport, PastedToken, Verdict};
use super::model::{Facts, Symptom};
use crate::model::finding::Confidence;
use crate::report::markdown::{code, text as plain};
use crate::report::model::API_VERSION;
use crate::report::style::{Style, clean, wrap};
use crate::rules::page;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// What `explain -` prints as JSON.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    /// `kubectl-wi/v1`
    api_version: &'static str,
    /// `PastedReport`
    kind: &'static str,
    /// Code of the root cause.
    root_cause: Option<&'static str>,
    #[serde(flatten)]
    report: &'a PastedReport,
}

impl<'a> Document<'a> {
    /// Wraps a report.
    pub fn of(report: &'a PastedReport) -> Self {
        Self { api_version: API_VERSION, kind: "PastedReport", root_cause: report.root_code(), report }
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

/// What it comes to, in one line.
fn title(report: &PastedReport) -> String {
    match (report.verdict, &report.root) {
        (Verdict::Identity, Some(root)) => {
            let cause = root.root_code();
            if cause == root.code {
                return format!("{} ({})", root.name, root.code);
            }
            let proved = root.gives.is_some() && root.confidence != Confidence::Inferred;
            let likely = if proved { "" } else { "probably " };
            format!("{likely}{} ({cause}), seen as {} ({})", codes::name(cause), root.name, root.code)
        }
        (Verdict::NotIdentity, Some(root)) => {
            let class = root.class.map_or("something else", super::model::Class::sentence);
            format!("not identity: {class} ({} {})", root.name, root.code)
        }
        (Verdict::Unknown, _) => "perhaps identity, in words that are not known here".to_owned(),
        (Verdict::Empty, _) => "nothing to explain".to_owned(),
        _ => "no failure found".to_owned(),
    }
}

/// The explanation as Markdown, for a ticket.
pub fn markdown(report: &PastedReport) -> String {
    let mut out = format!("# {}\n", plain(&title(report)));
    if let Some(root) = &report.root {
        let _ = writeln!(
            out,
            "\n{}\n\n> {} (line {}{})",
            plain(&root.means),
            plain(&root.excerpt),
            root.first.line,
            times(root)
        );
        let facts = facts_words(&root.facts);
        if !facts.is_empty() {
            out.push_str("\n| | |\n|---|---|\n");
        }
        for (name, value) in facts {
            let _ = writeln!(out, "| {name} | {} |", code(value));
        }
        list(&mut out, "What causes it", root.causes.iter().map(|cause| plain(cause)));
    }
    let link = |name: &str, of: &str| format!("[{name} ({of})]({})", page::url(of));
    if !report.look.is_empty() {
        out.push_str("\n## Where to look, in this order\n\n");
        for (number, step) in report.look.iter().enumerate() {
            let _ = writeln!(out, "{}. {}: {}", number + 1, link(step.name, step.code), plain(step.question));
        }
    }
    let said = |symptom: &Symptom| {
        format!("{}{}: {}", link(symptom.name, symptom.code), times(symptom), plain(&symptom.means))
    };
    list(&mut out, "It also says", report.others.iter().map(said));
    list(&mut out, "What follows from it", report.consequences.iter().map(said));
    list(&mut out, "Tokens in the text", report.tokens.iter().map(|token| plain(&token_words(token))));
    list(&mut out, "Notes", report.notes.iter().map(|note| plain(note)));
    if !report.next.is_empty() {
        let commands = report.next.iter().take(COMMANDS).cloned().collect::<Vec<_>>().join("\n");
        // A fence that no command can close.
        let _ = writeln!(out, "\n## Next\n\n~~~~console\n{}\n~~~~", commands.replace("~~~~", "~~~"));
    }
    out
}

fn list(out: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: String = items.map(|item| format!("- {item}\n")).collect();
    if !items.is_empty() {
        let _ = write!(out, "\n## {title}\n\n{items}");
    }
}

fn headline(out: &mut String, report: &PastedReport, style: Style, width: usize) {
    let title = title(report);
    let line = match report.verdict {
        Verdict::Identity => style.error(&title),
        Verdict::NotIdentity => style.info(&title),
        Verdict::Unknown => style.warning(&title),
        Verdict::Nothing => style.good(&title),
        Verdict::Empty => title,
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
