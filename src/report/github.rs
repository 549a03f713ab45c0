//! Annotations of a GitHub workflow run: one line a finding.

use super::model::InspectReport;
use crate::model::finding::{Finding, Level};
use std::fmt::Write as _;

/// The report as workflow commands, errors first; GitHub shows ten of each level of a step.
pub fn annotations(report: &InspectReport, show: Level) -> String {
    let mut findings: Vec<&Finding> = report.targets.iter().flat_map(|t| &t.findings).chain(&report.findings).collect();
    findings.retain(|finding| finding.level >= show);
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), !finding.root_cause));
    let mut out = String::new();
    for finding in findings {
        let level = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "notice",
        };
        let place = finding
            .source
            .as_ref()
            .map(|source| format!("file={},line={},col={},", property(&source.file), source.line, source.column));
        let title = property(&format!("{} ({})", finding.name, finding.code));
        let fix = finding.fix.as_ref().map(|fix| format!("\nFix: {}", fix.summary)).unwrap_or_default();
        let text = data(&format!("{}: {}{fix}\n{}", finding.object, finding.message, finding.docs));
        let _ = writeln!(out, "::{level} {}title={title}::{text}", place.unwrap_or_default());
    }
    for gap in &report.unknown {
        let text = data(&format!("{} ({})", gap.what, gap.why));
        let _ = writeln!(out, "::warning title=not checked::{text}");
    }
    out
}

/// The message of a workflow command (actions/toolkit, `packages/core/src/command.ts`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
