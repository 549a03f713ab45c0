//! `-o yaml` and `-o diff`; JSON is the report itself.

use super::report::{Item, Outcome, SimulateReport};
use crate::report::style::{Style, clean};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;

/// The objects after the webhook as YAML documents, each below a comment that says what became of it; one that has no
/// result is the comment alone.
pub fn yaml(report: &SimulateReport) -> Result<String, serde_saphyr::ser::Error> {
    let mut text = String::new();
    for note in head(report) {
        comment(&mut text, &note);
    }
    for item in &report.items {
        text.push_str("---\n");
        comment(&mut text, &title(item));
        for path in &item.dropped {
            comment(&mut text, &format!("removes {path}: the webhook's API types do not know it"));
        }
        if let Some(result) = &item.result {
            text.push_str(&document(result)?);
        }
    }
    Ok(text)
}

/// A unified diff for each object that changes, and a line for each that does not.
pub fn diff(report: &SimulateReport, style: Style) -> Result<String, serde_saphyr::ser::Error> {
    let mut text = String::new();
    for note in head(report) {
        let _ = writeln!(text, "{}", style.dim(&format!("# {}", clean(&note))));
    }
    for item in &report.items {
        let title = clean(&title(item));
        match (&item.outcome, &item.result) {
            (Outcome::Mutated, Some(result)) => {
                let object = clean(&item.object.to_string());
                let before = style.bold(&format!("--- {object}"));
                let after = style.bold(&format!("+++ {object} after webhook {}", report.webhook.version));
                let _ = writeln!(text, "{before}\n{after}");
                hunks(&mut text, &document(&item.before)?, &document(result)?, style);
            }
            (Outcome::Denied, _) => {
                let _ = writeln!(text, "{}", style.error(&format!("# {title}")));
            }
            (Outcome::Unknown, _) => {
                let _ = writeln!(text, "{}", style.warning(&format!("# {title}")));
            }
            (Outcome::Mutated | Outcome::Unchanged, _) => {
                let _ = writeln!(text, "{}", style.dim(&format!("# {title}")));
            }
        }
    }
    Ok(text)
}

/// Which webhook, and what was not known of it.
fn head(report: &SimulateReport) -> impl Iterator<Item = String> {
    let webhook = &report.webhook;
    let first = format!("identity webhook {} ({})", webhook.version, webhook.source);
    std::iter::once(first).chain(webhook.notes.iter().cloned())
}

fn title(item: &Item) -> String {
    let title = format!("{}: {}", item.object, item.outcome);
    match &item.message {
        Some(message) => format!("{title}: {message}"),
        None => title,
    }
}

/// A comment of one line, whatever the text holds.
fn comment(text: &mut String, line: &str) {
    let line = clean(line).replace('\n', " ");
    let _ = writeln!(text, "# {line}");
}

/// One YAML document, as kubectl writes it: long texts stay on their line.
fn document(value: &Value) -> Result<String, serde_saphyr::ser::Error> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let text = serde_saphyr::to_string_with_options(value, options)?;
    Ok(format!("{}\n", text.trim_end_matches('\n')))
}

fn hunks(text: &mut String, before: &str, after: &str, style: Style) {
    let diff = TextDiff::from_lines(before, after);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        let _ = writeln!(text, "{}", style.info(&hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let line = clean(change.value().trim_end_matches('\n'));
            let _ = match change.tag() {
                ChangeTag::Delete => writeln!(text, "{}", style.removed(&format!("-{line}"))),
                ChangeTag::Insert => writeln!(text, "{}", style.good(&format!("+{line}"))),
                ChangeTag::Equal => writeln!(text, " {line}"),
            };
        }
    }
}
