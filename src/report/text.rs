//! The drawing for a terminal: one chain a target, the broken link marked, under it what to do.

use super::applied;
use super::identity;
use super::model::{ChainLink, InspectReport, LinkState, TargetReport, Unknown, Verdict};
use super::style::{Style, clean, columns, cut, pad, wrap};
use crate::model::finding::{Finding, Fix, FixKind, Level};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How much is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Colour and width.
    pub style: Style,
    /// The lowest level of findings that is shown.
    pub show: Level,
    /// Draw every chain and every finding in full.
    pub wide: bool,
}

/// Targets that are drawn in full where there are many; the others get a line each.
const DRAWN: usize = 8;

/// Healthy targets that get a line each; more of them are counted by namespace.
const LISTED: usize = 20;

/// Draws the whole report.
pub fn draw(report: &InspectReport, options: Options) -> String {
    let mut out = String::new();
    applied::draw(&mut out, report, options.style);
    let mut targets: Vec<&TargetReport> = report.targets.iter().collect();
    targets.sort_by_key(|target| target.verdict);
    let single = targets.len() == 1;
    let mut drawn = 0;
    let mut lines: Vec<&TargetReport> = Vec::new();
    let shown = |finding: &&Finding| finding.level >= options.show;
    for target in targets {
        let wants = matches!(target.verdict, Verdict::Broken | Verdict::Degraded | Verdict::Unknown);
        let says = all_findings(report, target).iter().any(shown);
        let full =
            options.wide || (wants && drawn < DRAWN) || (single && says && target.verdict != Verdict::NotConfigured);
        if !full {
            lines.push(target);
            continue;
        }
        drawn += 1;
        chain(&mut out, report, target, options);
        let findings: Vec<&Finding> = all_findings(report, target).into_iter().filter(shown).collect();
        for finding in &findings {
            out.push('\n');
            let explained = |id: &String| findings.iter().find(|other| other.id == *id).copied();
            self::finding(&mut out, finding, finding.blocked_by.iter().find_map(explained), options.style);
        }
        azure(&mut out, target, options, single);
        next_step(&mut out, report, target, options.style);
        out.push('\n');
    }
    let many = !options.wide && lines.iter().filter(|line| line.verdict == Verdict::Healthy).count() > LISTED;
    let (counted, lines): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| many && line.verdict == Verdict::Healthy);
    one_line_each(&mut out, report, &lines, options, single);
    count_by_namespace(&mut out, &counted, options.style);
    out.push_str(&identity::draw(&report.identities, options.style));
    loose_findings(&mut out, report, options);
    unknown(&mut out, report, options);
    suppressed(&mut out, report, options.style);
    summary(&mut out, report, options.style);
    out
}

/// The findings of a target and those of the cluster that its chain refers to, root causes first.
pub fn all_findings<'a>(report: &'a InspectReport, target: &'a TargetReport) -> Vec<&'a Finding> {
    let of_cluster =
        report.findings.iter().filter(|finding| target.chain.iter().any(|link| link.findings.contains(&finding.id)));
    let mut all: Vec<&Finding> = of_cluster.chain(&target.findings).collect();
    all.sort_by_key(|finding| (!finding.root_cause, std::cmp::Reverse(finding.level)));
    all
}

pub(super) fn verdict(verdict: Verdict, style: Style) -> String {
    match verdict {
        Verdict::Broken => style.error("BROKEN"),
        Verdict::Degraded => style.warning("DEGRADED"),
        Verdict::Unknown => style.warning("UNKNOWN"),
        Verdict::Healthy => style.good("healthy"),
        Verdict::NotConfigured => style.dim("not configured"),
    }
}

fn verdict_width(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Broken => 6,
        Verdict::Degraded => 8,
        Verdict::Unknown | Verdict::Healthy => 7,
        Verdict::NotConfigured => 14,
    }
}

fn title(target: &TargetReport) -> (String, String) {
    let mut about = target.object.kind.clone();
    if let Some(application) = &target.application {
        let _ = write!(about, "   {}", application.name);
        for part in [&application.component, &application.version].into_iter().flatten() {
            let _ = write!(about, " {part}");
        }
        if let Some(chart) = &application.chart {
            let _ = write!(about, ", chart {chart}");
        }
    }
    (clean(&target.object.path()), clean(&about))
}

fn chain(out: &mut String, report: &InspectReport, target: &TargetReport, options: Options) {
    let style = options.style;
    let (name, about) = title(target);
    let room = style.width.saturating_sub(columns(&name) + verdict_width(target.verdict) + 5);
    let about = pad(&cut(&about, room), room);
    let _ = writeln!(out, "{}   {}  {}\n", style.bold(&name), style.dim(&about), verdict(target.verdict, style));
    let label = target.chain.iter().map(|link| columns(link.link.title())).max().unwrap_or_default() + 2;
    for link in &target.chain {
        link_line(out, report, target, link, label, style);
    }
}

fn link_line(
    out: &mut String,
    report: &InspectReport,
    target: &TargetReport,
    link: &ChainLink,
    label: usize,
    style: Style,
) {
    let mark = match link.state {
        LinkState::Ok => style.good(" ok"),
        LinkState::Warning => style.warning("wrn"),
        LinkState::Broken => style.error("ERR"),
        LinkState::Blocked => style.dim("  |"),
        LinkState::Unknown => style.warning("  ?"),
        LinkState::Skipped => style.dim("  ?"),
    };
    let title = pad(link.link.title(), label);
    let faint = matches!(link.state, LinkState::Blocked | LinkState::Skipped);
    let root =
        all_findings(report, target).iter().any(|finding| finding.root_cause && link.findings.contains(&finding.id));
    let marker = if root { "   <- root cause" } else { "" };
    let room = style.width.saturating_sub(6 + label + columns(marker)).max(20);
    let lines = wrap(&clean(&link.summary), room);
    for (at, line) in lines.iter().enumerate() {
        let line = if faint { style.dim(line) } else { line.clone() };
        if at == 0 {
            let title = if faint { style.dim(&title) } else { title.clone() };
            let _ = writeln!(out, "  {mark} {title}{line}{}", style.error(marker));
        } else {
            let _ = writeln!(out, "{}{line}", " ".repeat(6 + label));
        }
    }
}

/// One finding in the way of a compiler: what, where, why, what was seen, what to do. What another finding explains is
/// mended there.
pub fn finding(out: &mut String, finding: &Finding, explained_by: Option<&Finding>, style: Style) {
    let level = match finding.level {
        Level::Error => style.error("error"),
        Level::Warning => style.warning("warning"),
        Level::Info => style.info("info"),
    };
    let _ = writeln!(out, "{level}: {} ({})", style.bold(finding.name), finding.code);
    match &finding.source {
        Some(source) => {
            let _ = writeln!(out, "  {} {}:{}:{}", style.dim("-->"), clean(&source.file), source.line, source.column);
            if !source.text.trim().is_empty() {
                let number = source.line.to_string();
                let gap = " ".repeat(number.len());
                let text = cut(&clean(source.text.trim_end()), style.width.saturating_sub(number.len() + 6));
                let _ = writeln!(out, "  {gap} {}", style.dim("|"));
                let _ = writeln!(out, "  {} {} {text}", style.dim(&number), style.dim("|"));
                let under = " ".repeat(source.column.saturating_sub(1));
                let length = columns(text.trim_start()).max(1);
                let _ = writeln!(out, "  {gap} {} {under}{}", style.dim("|"), style.error(&"^".repeat(length.min(60))));
            }
            let _ = writeln!(out, "  {}", style.dim(&clean(&place(finding))));
        }
        None => {
            let _ = writeln!(out, "  {}", style.dim(&clean(&place(finding))));
        }
    }
    for line in wrap(&clean(&sentence(&finding.message)), style.width.saturating_sub(2)) {
        let _ = writeln!(out, "  {line}");
    }
    for evidence in &finding.evidence {
        for (at, line) in wrap(&clean(evidence), style.width.saturating_sub(4)).iter().enumerate() {
            let mark = if at == 0 { "- " } else { "  " };
            let _ = writeln!(out, "  {}{}", style.dim(mark), style.dim(line));
        }
    }
    if let Some(cause) = explained_by {
        let _ = writeln!(out, "  {} {} ({})", style.dim("explained by"), cause.name, cause.code);
    } else if let Some(fix) = &finding.fix {
        for (at, line) in wrap(&clean(&fix.summary), style.width.saturating_sub(7)).iter().enumerate() {
            let mark = if at == 0 { style.good("fix:") } else { "    ".to_owned() };
            let _ = writeln!(out, "  {mark} {line}");
        }
        for command in &fix.commands {
            let _ = writeln!(out, "       {}", style.command(&clean(command)));
        }
        if let Some(values) = &fix.values {
            let _ = writeln!(out, "  {} {}", style.dim("helm value that keeps it:"), clean(values));
        }
    }
}

/// A message as a sentence: it starts with a capital unless it starts with a name, and ends with a full stop.
fn sentence(message: &str) -> String {
    let first = message.split_whitespace().next().unwrap_or_default();
    let name = first.contains(|c: char| !c.is_ascii_lowercase());
    let mut text = message.to_owned();
    if !name && let Some(start) = text.get_mut(..1) {
        start.make_ascii_uppercase();
    }
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
}

fn place(finding: &Finding) -> String {
    if finding.path.is_empty() { finding.object.to_string() } else { format!("{}, {}", finding.object, finding.path) }
}

/// The next command under a broken chain.
fn next_step(out: &mut String, report: &InspectReport, target: &TargetReport, style: Style) {
    // Files are fixed in files; Azure is not among them.
    let here = |fix: &Fix| fix.is_applicable() && (fix.kind != FixKind::Access || target.place.is_none());
    let fixable = all_findings(report, target)
        .iter()
        .any(|finding| finding.level >= Level::Warning && finding.fix.as_ref().is_some_and(here));
    let grants = all_findings(report, target)
        .iter()
        .any(|finding| finding.fix.as_ref().is_some_and(|fix| fix.kind == FixKind::Access && fix.is_applicable()));
    if fixable && !target.fix_arguments.is_empty() {
        let azure = if grants && target.place.is_none() { " --azure" } else { "" };
        let _ = writeln!(out, "\n  {}", style.command(&format!("kubectl wi {}{azure}", target.fix_arguments)));
    }
}

/// What Azure has to know, and for a single target how to look it up: the next person needs no second tool.
fn azure(out: &mut String, target: &TargetReport, options: Options, single: bool) {
    let (Some(needs), style) = (&target.azure, options.style) else { return };
    let _ = writeln!(out, "\n  {}", style.bold("Azure must know"));
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(out, "    {}{}", style.dim(&pad(what, 11)), clean(value));
    };
    line("issuer", needs.issuer.as_deref().unwrap_or("not known; --issuer names it"));
    needs.subjects.iter().for_each(|subject| line("subject", subject));
    needs.audiences.iter().for_each(|audience| line("audience", audience));
    for (client, tenant) in &needs.clients {
        match tenant {
            Some(tenant) => line("client id", &format!("{client}, tenant {tenant}")),
            None => line("client id", client),
        }
    }
    if needs.clients.is_empty() {
        line("client id", "not known yet");
    }
    if single || options.wide {
        for command in &needs.commands {
            let _ = writeln!(out, "    {}", style.command(&clean(command)));
        }
    }
}

fn one_line_each(out: &mut String, report: &InspectReport, targets: &[&TargetReport], options: Options, single: bool) {
    let style = options.style;
    let width =
        targets.iter().map(|t| columns(&t.object.path()) + columns(&t.object.kind) + 1).max().unwrap_or_default();
    for target in targets {
        let name = pad(&clean(&format!("{} {}", target.object.kind, target.object.path())), width.min(60));
        let why = match target.verdict {
            Verdict::NotConfigured => "not meant for workload identity; label the pod template and annotate its \
                                       service account to make it so"
                .to_owned(),
            Verdict::Healthy => identity_line(target, single),
            _ => root_line(report, target),
        };
        let word = pad("", 14_usize.saturating_sub(verdict_width(target.verdict)));
        let room = style.width.saturating_sub(columns(&name) + 18).max(30);
        let _ =
            writeln!(out, "{name}  {}{word}  {}", verdict(target.verdict, style), style.dim(&cut(&clean(&why), room)));
        if single && target.verdict == Verdict::Healthy {
            azure(out, target, options, single);
        }
    }
    if !targets.is_empty() {
        out.push('\n');
    }
}

/// Targets that nothing is wrong with, where there are many.
fn count_by_namespace(out: &mut String, targets: &[&TargetReport], style: Style) {
    let mut namespaces: BTreeMap<&str, usize> = BTreeMap::new();
    for target in targets {
        *namespaces.entry(target.object.namespace.as_deref().unwrap_or_default()).or_default() += 1;
    }
    if namespaces.is_empty() {
        return;
    }
    let counts: Vec<String> = namespaces.iter().map(|(name, count)| format!("{} {count}", clean(name))).collect();
    let text = format!("{} in {}; -o wide lists them", targets.len(), counts.join(", "));
    for (at, line) in wrap(&text, style.width.saturating_sub(9)).iter().enumerate() {
        let head = if at == 0 { verdict(Verdict::Healthy, style) } else { pad("", 7) };
        let _ = writeln!(out, "{head}  {}", style.dim(line));
    }
    out.push('\n');
}

/// The root causes of many broken targets, the most frequent first: what to mend where it pays most.
fn causes(out: &mut String, report: &InspectReport, style: Style) {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for target in &report.targets {
        let roots: BTreeSet<(&str, &str)> = all_findings(report, target)
            .into_iter()
            .filter(|finding| finding.root_cause)
            .map(|finding| (finding.name, finding.code))
            .collect();
        roots.into_iter().for_each(|root| *counts.entry(root).or_default() += 1);
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(root, count)| (std::cmp::Reverse(*count), *root));
    let width = counts.iter().map(|(_, count)| count.to_string().len()).max().unwrap_or_default();
    for ((name, code), count) in counts {
        let _ = writeln!(out, "  {count:>width$}  {} ({code})", style.bold(name));
    }
}

/// Who it is, and what runs; a single target names its client id further down.
fn identity_line(target: &TargetReport, single: bool) -> String {
    let client = target.identities.iter().find_map(|identity| identity.client_id.clone());
    let who = match (client, &target.service_account) {
        (Some(client), Some(account)) if !single => format!("{account}, client id {client}"),
        (_, Some(account)) => account.clone(),
        _ => String::new(),
    };
    match &target.running {
        Some(running) if single => running.clone(),
        Some(running) => format!("{who}; {running}"),
        None => who,
    }
}

fn root_line(report: &InspectReport, target: &TargetReport) -> String {
    let findings = all_findings(report, target);
    findings.first().map(|finding| format!("{} ({})", finding.name, finding.code)).unwrap_or_default()
}

/// Findings that belong to no target, such as a file that could not be read.
fn loose_findings(out: &mut String, report: &InspectReport, options: Options) {
    let referred = |finding: &&Finding| {
        !report.targets.iter().any(|target| target.chain.iter().any(|link| link.findings.contains(&finding.id)))
    };
    for loose in report.findings.iter().filter(referred).filter(|finding| finding.level >= options.show) {
        finding(out, loose, None, options.style);
        out.push('\n');
    }
}

/// What could not be read; a missing permission that is shown as a finding says it already.
fn unknown(out: &mut String, report: &InspectReport, options: Options) {
    let style = options.style;
    let told = |unknown: &&Unknown| {
        let permissions = report.findings.iter().filter(|finding| finding.code == "WI002");
        let mut shown = permissions.filter(|finding| finding.level >= options.show);
        !shown.any(|finding| finding.message.contains(&unknown.why))
    };
    let open: Vec<&Unknown> = report.unknown.iter().filter(told).collect();
    for unknown in &open {
        let mut line = format!("not checked: {} ({})", unknown.what, unknown.why);
        if !unknown.rules.is_empty() {
            let _ = write!(line, "; no answer from {}", unknown.rules.join(", "));
        }
        for (at, line) in wrap(&clean(&line), style.width.saturating_sub(2)).iter().enumerate() {
            let _ = writeln!(out, "{}{}", if at == 0 { "" } else { "  " }, style.warning(line));
        }
    }
    if !open.is_empty() {
        out.push('\n');
    }
}

/// What was left out, and who has decided so; what a flag leaves out, the user has just said.
fn suppressed(out: &mut String, report: &InspectReport, style: Style) {
    let told = || report.suppressed.iter().filter(|one| one.by != "--ignore");
    for one in told() {
        let until = one.until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
        let reason = if one.reason.is_empty() { "no reason given" } else { &one.reason };
        let line = format!("ignored: {} on {}: {reason} ({}{until})", one.code, one.object, one.by);
        for (at, line) in wrap(&clean(&line), style.width.saturating_sub(2)).iter().enumerate() {
            let _ = writeln!(out, "{}{}", if at == 0 { "" } else { "  " }, style.dim(line));
        }
    }
    if told().next().is_some() {
        out.push('\n');
    }
}

fn summary(out: &mut String, report: &InspectReport, style: Style) {
    let s = &report.summary;
    if report.targets.len() == 1 && report.findings.is_empty() {
        return;
    }
    let mut parts = Vec::new();
    for (count, word) in [
        (s.broken, style.error("broken")),
        (s.degraded, style.warning("degraded")),
        (s.unknown, style.warning("unknown")),
        (s.healthy, style.good("healthy")),
        (s.not_configured, "not configured".to_owned()),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    if parts.is_empty() {
        parts.push("nothing here is meant for workload identity".to_owned());
    }
    if s.skipped > 0 {
        parts.push(style.dim(&format!("{} not meant for identity", s.skipped)));
    }
    let _ = writeln!(out, "{}", parts.join(", "));
    if s.broken > DRAWN {
        causes(out, report, style);
    }
}
