//! Markdown for tickets and pull requests.

use super::model::{FieldChange, InspectReport, LinkState, TargetReport, Verdict};
use crate::model::finding::{Finding, Level};
use std::fmt::Write as _;

/// The report as Markdown: a table, then each chain that is not whole, then its findings.
pub fn markdown(report: &InspectReport, show: Level) -> String {
    let mut out = "# Workload identity\n".to_owned();
    if let Some(cluster) = &report.cluster {
        let webhook = cluster.webhook.as_ref().map(|webhook| {
            format!("{} {}", webhook.distribution, webhook.version.as_deref().unwrap_or("of unknown version"))
        });
        let version = cluster.kubernetes_version.as_deref().unwrap_or("of unknown version");
        let _ =
            writeln!(out, "\nKubernetes {}, webhook {}", text(version), text(&webhook.unwrap_or("none seen".into())));
    }
    if !report.targets.is_empty() {
        out.push_str("\n| workload | verdict | findings |\n|---|---|---|\n");
    }
    for target in &report.targets {
        let codes: Vec<String> = target.findings.iter().map(|f| format!("[{}]({})", f.code, f.docs)).collect();
        let name = text(&target.object.to_string());
        let _ = writeln!(out, "| {name} | {} | {} |", verdict(target.verdict), codes.join(", "));
    }
    applied(&mut out, report);
    for target in &report.targets {
        if matches!(target.verdict, Verdict::Broken | Verdict::Degraded | Verdict::Unknown) {
            chain(&mut out, target);
            target.findings.iter().filter(|f| f.level >= show).for_each(|f| finding(&mut out, f));
        }
    }
    if report.findings.iter().any(|finding| finding.level >= show) {
        out.push_str("\n## The cluster as a whole\n");
        report.findings.iter().filter(|f| f.level >= show).for_each(|f| finding(&mut out, f));
    }
    if !report.unknown.is_empty() {
        out.push_str("\n## Not checked\n\n");
        for gap in &report.unknown {
            let _ = writeln!(out, "- {} ({})", text(&gap.what), text(&gap.why));
        }
    }
    out
}

/// What applying the files changes, where they were laid over a cluster.
fn applied(out: &mut String, report: &InspectReport) {
    let changes = report.targets.iter().filter_map(|target| Some((target, target.applied.as_ref()?)));
    let rows: Vec<String> = changes
        .flat_map(|(target, applied)| {
            let name = text(&target.object.to_string());
            let shown = |value: &Option<String>| text(value.as_deref().unwrap_or("not set"));
            let row = move |change: &FieldChange| {
                format!("| {name} | {} | {} | {} |", change.what, shown(&change.before), shown(&change.after))
            };
            applied.differences.iter().map(row)
        })
        .collect();
    if !rows.is_empty() {
        out.push_str(
            "\n## Once applied, against what runs now\n\n| workload | | before | after |\n|---|---|---|---|\n",
        );
        rows.iter().for_each(|row| {
            let _ = writeln!(out, "{row}");
        });
    }
}

fn chain(out: &mut String, target: &TargetReport) {
    let _ = writeln!(out, "\n## {}: {}\n", text(&target.object.to_string()), verdict(target.verdict));
    out.push_str("| | link | |\n|---|---|---|\n");
    for link in &target.chain {
        let state = match link.state {
            LinkState::Ok => "ok",
            LinkState::Warning => "warning",
            LinkState::Broken => "**broken**",
            LinkState::Blocked => "blocked",
            LinkState::Unknown => "unknown",
            LinkState::Skipped => "not asked",
        };
        let _ = writeln!(out, "| {state} | {} | {} |", link.link.title(), text(&link.summary));
    }
}

fn finding(out: &mut String, finding: &Finding) {
    let root = if finding.root_cause { ", root cause" } else { "" };
    let _ = writeln!(out, "\n### {}: [{} ({})]({}){root}\n", finding.level, finding.name, finding.code, finding.docs);
    let field = if finding.path.is_empty() { String::new() } else { format!(", {}", code(&finding.path)) };
    let _ = writeln!(out, "{}{field}: {}", text(&finding.object.to_string()), text(&finding.message));
    if !finding.evidence.is_empty() {
        out.push('\n');
    }
    for evidence in &finding.evidence {
        let _ = writeln!(out, "- {}", text(evidence));
    }
    let Some(fix) = &finding.fix else { return };
    let _ = writeln!(out, "\nFix: {}", text(&fix.summary));
    if !fix.commands.is_empty() {
        // A fence that no command can close.
        let _ = writeln!(out, "\n~~~~console\n{}\n~~~~", fix.commands.join("\n").replace("~~~~", "~~~"));
    }
    if let Some(values) = &fix.values {
        let _ = writeln!(out, "\nHelm value that keeps it: {}", code(values));
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Broken => "broken",
        Verdict::Degraded => "degraded",
        Verdict::Unknown => "unknown",
        Verdict::Healthy => "healthy",
        Verdict::NotConfigured => "not configured",
    }
}

/// Text on one line that is not taken for markup: it comes from a cluster and may hold anything.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '@' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A value in back-ticks.
pub(crate) fn code(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() || c == '`' || c == '|' { ' ' } else { c }).collect();
    format!("`{plain}`")
}
