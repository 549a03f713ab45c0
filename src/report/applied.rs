//! The part of the drawing that says what applying files changes, against what runs.

use super::model::{AppliedReport, ChangeKind, InspectReport, PodsAfter, TargetReport, Verdict};
use super::style::{Style, clean, columns, pad};
use std::fmt::Write as _;

/// Draws what changes, the worst first; targets that stay as they are are counted.
pub(super) fn draw(out: &mut String, report: &InspectReport, style: Style) {
    let applied = |target: &'_ TargetReport| target.applied.clone().map(|applied| (applied.change, applied));
    let mut changed: Vec<(&TargetReport, AppliedReport)> = Vec::new();
    let mut unchanged = 0;
    for target in &report.targets {
        match applied(target) {
            Some((ChangeKind::Unchanged, _)) => unchanged += 1,
            Some((_, applied)) => changed.push((target, applied)),
            None => {}
        }
    }
    if changed.is_empty() && unchanged == 0 {
        return;
    }
    changed.sort_by_key(|(target, _)| target.verdict);
    let _ = writeln!(out, "{}", style.bold("Once applied, against what runs now"));
    let names: Vec<String> = changed.iter().map(|(target, _)| clean(&target.object.to_string())).collect();
    let width = names.iter().map(|name| columns(name)).max().unwrap_or_default().min(60);
    for ((target, applied), name) in changed.iter().zip(&names) {
        let _ = writeln!(out, "  {}  {}", pad(name, width), verdicts(target, applied, style));
        fields(out, target, applied, style);
    }
    let unchanged_line = match (unchanged, changed.is_empty()) {
        (0, _) => None,
        (1, true) => Some("nothing changes on the way of 1 workload to its identity".to_owned()),
        (n, true) => Some(format!("nothing changes on the way of {n} workloads to their identity")),
        (n, false) => Some(format!("{n} more stay as they are")),
    };
    if let Some(line) = unchanged_line {
        let _ = writeln!(out, "  {}", style.dim(&line));
    }
    out.push('\n');
}

fn verdicts(target: &TargetReport, applied: &AppliedReport, style: Style) -> String {
    let after = word(target.verdict, style);
    match (applied.change, applied.verdict_before) {
        (ChangeKind::Created, _) => format!("new, {after}"),
        (_, Some(before)) if before == target.verdict => format!("{after}, as before"),
        (_, Some(before)) => format!("{} -> {after}", word(before, style)),
        (_, None) => format!("not configured -> {after}"),
    }
}

fn word(verdict: Verdict, style: Style) -> String {
    super::text::verdict(verdict, style)
}

fn fields(out: &mut String, target: &TargetReport, applied: &AppliedReport, style: Style) {
    let label = applied.differences.iter().map(|change| columns(change.what)).max().unwrap_or_default().max(4) + 2;
    let shown = |value: &Option<String>| clean(value.as_deref().unwrap_or("not set"));
    let mut line = |what: &str, text: &str| {
        let _ = writeln!(out, "    {}{text}", style.dim(&pad(what, label)));
    };
    for change in &applied.differences {
        let (before, after) = (shown(&change.before), shown(&change.after));
        // Two long values stand below each other, so that the difference is seen.
        if columns(&before) + columns(&after) + label + 8 > style.width {
            line(change.what, &before);
            line("", &format!("-> {after}"));
        } else {
            line(change.what, &format!("{before} -> {after}"));
        }
    }
    let pods = |n: usize| if n == 1 { "1 runs".to_owned() } else { format!("{n} run") };
    match applied.pods {
        PodsAfter::Replaced => line("pods", &format!("{}; the rollout makes them anew", pods(applied.running))),
        PodsAfter::Kept if applied.change == ChangeKind::Changed && !applied.differences.is_empty() => {
            let restart = crate::rules::edit::restart_command(&target.object);
            let next = restart.map(|command| format!(": {command}")).unwrap_or_default();
            line("pods", &format!("{}, and keep what they have until they restart{next}", pods(applied.running)));
        }
        PodsAfter::Kept | PodsAfter::None => {}
    }
}
