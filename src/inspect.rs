//! The whole way from objects to a report: select, build the chains, run the rules, relate what they found.
//!
//! Pure: whoever calls it has read the objects before, and prints or applies the report afterwards.

use crate::applied::{Overlay, change::Compared};
use crate::apps::{self, Keep};
use crate::azure::facts::AzureFacts;
use crate::chain::compare::Answer;
use crate::chain::gaps::{self, Hidden};
use crate::chain::needs::AzureNeeds;
use crate::chain::select::{Item, Missing, Scope, Selection, select};
use crate::chain::{Chain, Cluster, Gap, Target, history, links};
use crate::manifest::locate::locate;
use crate::manifest::read::{Problem, Texts};
use crate::model::fact::Fact;
use crate::model::finding::{Finding, Fix, Level, Link, SourceLocation};
use crate::model::inventory::Inventory;
use crate::model::object::{Meta, ObjectRef, Origin};
use crate::model::workload::WORKLOAD_KINDS;
use crate::report::identity;
use crate::report::model::{
    API_VERSION, ClusterReport, InspectReport, Summary, TargetReport, Unknown, Verdict, WebhookReport,
};
use crate::rules::decisions::Decisions;
use crate::rules::suppress::{self, Suppression};
use crate::rules::tool::{self, Gaps, InvalidObject};
use crate::rules::{Reads, RuleInfo, loose, registry, relate};
use std::collections::{HashMap, HashSet};

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Input {
    /// The objects.
    pub inventory: Inventory,
    /// The cluster as a whole.
    pub cluster: Cluster,
    /// Documents that could not be read.
    pub problems: Vec<Problem>,
    /// Texts of the files, to find places in.
    pub texts: Texts,
    /// What the API server answered to dry runs of pods, by workload.
    pub asked: HashMap<ObjectRef, Fact<Answer>>,
    /// What Azure said.
    pub azure: AzureFacts,
    /// What was there before, where the objects are files laid over a cluster.
    pub overlay: Option<Box<Overlay>>,
}

/// What the user wants to see.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What is inspected.
    pub selection: Selection,
    /// `--select`: only these codes, by prefix; empty: all.
    pub select: Vec<String>,
    /// `--ignore` and the entries of `.kubectl-wi.toml`.
    pub suppressions: Vec<Suppression>,
    /// The day that suppressions are held against.
    pub today: jiff::civil::Date,
}

impl Wanted {
    fn wants(&self, code: &str) -> bool {
        self.select.is_empty() || self.select.iter().any(|selector| registry::matches(selector, code))
    }

    /// Whether a flag leaves a code out altogether, so that nobody misses its answer.
    fn leaves_out(&self, code: &str) -> bool {
        self.suppressions.iter().any(|by| by.origin == suppress::Origin::Flag && by.names(code))
    }

    /// Whether everything in reach is inspected, so that what matches nothing has nothing to match.
    fn is_everything(&self) -> bool {
        self.selection.items.is_empty() && self.selection.labels.is_empty() && self.selection.scope == Scope::All
    }

    /// Whether single objects were named, which then are reported even where they are not meant for identity.
    pub fn names_objects(&self) -> bool {
        !self.selection.items.is_empty()
    }
}

/// Inspects what was selected.
pub fn inspect(input: &Input, wanted: &Wanted) -> Result<InspectReport, Vec<Missing>> {
    // An identity that only Azure knows is shown from its own side.
    let used = |item: &Item| {
        select(&input.inventory, &Selection { items: vec![item.clone()], ..wanted.selection.clone() }).is_ok()
    };
    let selection = identity::without_unused(&wanted.selection, &input.azure, used);
    let none = selection.items.is_empty() && wanted.names_objects();
    let mut targets = if none { Vec::new() } else { select(&input.inventory, &selection)? };
    let overlay = input.overlay.as_deref();
    if let Some(overlay) = overlay.filter(|_| !wanted.names_objects()) {
        targets.retain(|target| overlay.touches(target.object()));
    }
    let compared = overlay.map(|overlay| Compared::new(overlay, wanted));
    let mut report = InspectReport {
        api_version: API_VERSION,
        kind: "InspectReport",
        cluster: cluster_report(&input.cluster),
        targets: Vec::new(),
        findings: input.problems.iter().map(invalid_object).filter(|finding| wanted.wants(finding.code)).collect(),
        identities: Vec::new(),
        summary: Summary::default(),
        incomplete: false,
        unknown: Vec::new(),
        suppressed: Vec::new(),
    };
    let mut decisions = Decisions::new(&wanted.suppressions, &wanted.select, wanted.is_everything(), wanted.today);
    decisions.apply(&mut report.findings, None, &mut report.suppressed);
    let mut gaps = Gaps::new();
    let mut of_cluster: HashMap<String, Finding> = HashMap::new();
    let mut order = Vec::new();
    let chains: Vec<Chain<'_>> = targets
        .into_iter()
        .map(|target| {
            let asked = input.asked.get(target.object()).map_or(Fact::NotAsked, Fact::as_ref);
            let formerly = compared.as_ref().is_some_and(|compared| compared.was_meant(target.object()));
            Chain::new(target, &input.inventory, &input.cluster)
                .with_asked(asked)
                .with_former(formerly)
                .with_azure(&input.azure)
        })
        .collect();
    let meant: HashSet<&ObjectRef> =
        chains.iter().filter(|chain| chain.is_meant()).map(|chain| chain.target().object()).collect();
    for chain in &chains {
        let target = chain.target();
        let loses_it = compared.as_ref().is_some_and(|compared| compared.was_meant(target.object()));
        if !chain.is_meant() && !wanted.names_objects() && !loses_it {
            report.summary.skipped += 1;
            continue;
        }
        let mut findings = registry::check(chain);
        keep_by_values(chain, &mut findings);
        findings.retain(|finding| wanted.wants(finding.code));
        history::explain(chain, &mut findings);
        // What a workload starts is told with it, unless it is inspected itself.
        findings.retain(|finding| {
            finding.code != "WI101" || finding.object == *target.object() || !meant.contains(&finding.object)
        });
        relate::relate(&mut findings, target.object());
        locate_findings(&mut findings, target, input);
        decisions.apply(&mut findings, Some((chain, &input.inventory)), &mut report.suppressed);
        let links = links::links(chain, &findings);
        let mut open = if chain.is_meant() { collect_gaps(chain, input, wanted, &mut gaps) } else { false };
        open |= overlay.is_some_and(|overlay| collect_unread(chain, overlay, &mut gaps));
        let verdict = verdict(chain, &findings, open);
        for finding in findings.iter().filter(|finding| is_of_cluster(finding, target)) {
            if !of_cluster.contains_key(&finding.id) {
                order.push(finding.id.clone());
                of_cluster.insert(finding.id.clone(), finding.clone());
            }
        }
        findings.retain(|finding| !is_of_cluster(finding, target));
        let identities = chain.identities();
        report.targets.push(TargetReport {
            object: target.object().clone(),
            application: chain.application().map(apps::Part::report),
            owner: None,
            service_account: matches!(target, Target::Workload(_) | Target::Account(_))
                .then(|| chain.account_name().to_owned()),
            azure: AzureNeeds::of(chain, &identities),
            identities,
            token_file: chain.token_file(),
            verdict,
            chain: links,
            findings,
            applied: compared.as_ref().map(|compared| compared.change(chain, verdict)),
            place: place(target),
            running: match chain.pods() {
                Fact::Known(pods) if !pods.is_empty() => Some(links::running(chain, pods)),
                _ => None,
            },
            fix_arguments: fix_arguments(target),
        });
    }
    report.identities = identity::views(&wanted.selection, &chains, input);
    report.findings.extend(order.into_iter().filter_map(|id| of_cluster.remove(&id)));
    report.incomplete = !wanted.names_objects() && collect_unread_kinds(input, wanted, &mut gaps);
    collect_hidden(input, wanted, &mut gaps);
    let mut permissions = tool::missing_permissions(&gaps);
    permissions.retain(|finding| wanted.wants(finding.code));
    decisions.apply(&mut permissions, None, &mut report.suppressed);
    report.findings.extend(permissions);
    report.unknown = gaps
        .into_iter()
        .map(|(Gap { what, why, .. }, rules)| Unknown { what, why, rules: rules.into_iter().collect() })
        .collect();
    let mut unused = decisions.unused(&report.unknown);
    for finding in &mut unused {
        locate_loose(finding, input);
    }
    report.findings.extend(unused.into_iter().filter(|finding| wanted.wants(finding.code)));
    count(&mut report);
    Ok(report)
}

/// The setting of a chart that each rule's fix would have to become, for those whose fix the next upgrade undoes.
const KEPT_BY_CHARTS: &[(&str, Keep)] = &[
    ("WI101", Keep::PodLabel),
    ("WI102", Keep::PodLabel),
    ("WI103", Keep::PodLabel),
    ("WI104", Keep::PodLabel),
    ("WI105", Keep::AccountName),
    ("WI106", Keep::Automount),
    ("WI202", Keep::ClientId),
    ("WI203", Keep::ClientId),
    ("WI204", Keep::ClientId),
    ("WI205", Keep::TenantId),
];

/// Names the Helm values that keep a fix, where the application is known and came by its chart.
fn keep_by_values(chain: &Chain<'_>, findings: &mut [Finding]) {
    for finding in findings {
        let keep = KEPT_BY_CHARTS.iter().find(|(code, _)| *code == finding.code).map(|(_, keep)| *keep);
        if let (Some(fix), Some(keep)) = (&mut finding.fix, keep)
            && fix.values.is_none()
        {
            fix.values = chain.values(keep);
        }
    }
}

/// Findings about the cluster itself are told once, whatever the number of workloads that suffer.
fn is_of_cluster(finding: &Finding, target: Target<'_>) -> bool {
    matches!(finding.link, Link::Cluster | Link::Webhook) && finding.object != *target.object()
}

fn invalid_object(problem: &Problem) -> Finding {
    let object = ObjectRef::new("", "File", None, &problem.file);
    let mut finding = loose::<InvalidObject>(&object, &format!("line {}", problem.line), &problem.message);
    finding.path = String::new();
    finding.source = Some(SourceLocation {
        file: problem.file.clone(),
        line: problem.line,
        column: problem.column,
        text: String::new(),
    });
    finding.fix = problem
        .hint
        .as_ref()
        .map(|hint| Fix::manual("render or mend the document; the rest was inspected").command(hint.clone()));
    finding
}

fn cluster_report(cluster: &Cluster) -> Option<ClusterReport> {
    let any = cluster.server.is_some()
        || cluster.issuer.known().is_some()
        || cluster.webhook.known().is_some()
        || cluster.kubernetes_version.known().is_some();
    any.then(|| ClusterReport {
        context: cluster.context.clone(),
        server: cluster.server.clone(),
        kubernetes_version: cluster.kubernetes_version.known().cloned(),
        issuer: cluster.issuer.known().cloned(),
        webhook: cluster.webhook.known().map(|webhook| WebhookReport {
            distribution: webhook.distribution.to_string(),
            version: webhook.version(),
            ready: webhook.ready(),
        }),
    })
}

/// Gives every finding about an object in a file its line and column.
fn locate_findings(findings: &mut [Finding], target: Target<'_>, input: &Input) {
    for finding in findings {
        if input.overlay.as_ref().is_some_and(|overlay| overlay.is_kept(&finding.object, &finding.path)) {
            finding.evidence.push("the files do not set this; it stays as it is in the cluster".to_owned());
            continue;
        }
        if let Some(Origin::File(origin)) = origin_of(&finding.object, target, &input.inventory) {
            let mut source = locate(&input.texts, origin, &finding.path);
            // The line of a Secret may hold a value.
            if finding.object.kind == "Secret" {
                source.text.clear();
            }
            finding.source = Some(source);
        }
    }
}

/// The same for a finding that belongs to no target.
fn locate_loose(finding: &mut Finding, input: &Input) {
    let (object, inventory) = (&finding.object, &input.inventory);
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let account = || inventory.account(namespace, &object.name).known().map(|account| &account.meta);
    let other = || inventory.other(&object.kind, object.namespace.as_deref(), &object.name).known().map(|o| &o.meta);
    let workload = inventory.workload(&object.kind, namespace, &object.name).map(|workload| &workload.meta);
    let meta = if object.kind == "ServiceAccount" { account() } else { workload.or_else(other) };
    if let Some(Origin::File(origin)) = meta.map(|meta| &meta.origin) {
        finding.source = Some(locate(&input.texts, origin, &finding.path));
    }
}

fn origin_of<'a>(object: &ObjectRef, target: Target<'a>, inventory: &'a Inventory) -> Option<&'a Origin> {
    let meta: &Meta = match target {
        Target::Workload(workload) if workload.meta.object == *object => &workload.meta,
        Target::Account(account) if account.meta.object == *object => &account.meta,
        Target::Other(other) if other.meta.object == *object => &other.meta,
        _ if object.kind == "ServiceAccount" => {
            match inventory.account(object.namespace.as_deref().unwrap_or_default(), &object.name) {
                Fact::Known(account) => &account.meta,
                _ => return None,
            }
        }
        _ if object.kind == "Secret" => {
            match inventory.secret(object.namespace.as_deref().unwrap_or_default(), &object.name) {
                Fact::Known(secret) => &secret.meta,
                _ => return None,
            }
        }
        _ => {
            let workload =
                inventory.workload(&object.kind, object.namespace.as_deref().unwrap_or_default(), &object.name);
            let other = || inventory.other(&object.kind, object.namespace.as_deref(), &object.name).known().copied();
            match (workload, other()) {
                (Some(workload), _) => &workload.meta,
                (None, Some(other)) => &other.meta,
                (None, None) => return None,
            }
        }
    };
    Some(&meta.origin)
}

/// Notes whatever else was asked for in vain, once for each reason.
fn collect_hidden(input: &Input, wanted: &Wanted, gaps: &mut Gaps) {
    for hidden in gaps::unread(&input.inventory) {
        if gaps.keys().any(|told| told.why == hidden.gap.why) {
            continue;
        }
        let rules = registry::infos().map(|info| info.code);
        let rules = rules.filter(|code| concerns(&hidden, code) && wanted.wants(code)).collect();
        gaps.insert(hidden.gap, rules);
    }
}

fn concerns(hidden: &Hidden, code: &str) -> bool {
    hidden.codes.iter().any(|start| code.starts_with(start))
}

/// Notes which facts could not be read, with the rules that needed them; whether there were any.
fn collect_gaps(chain: &Chain<'_>, input: &Input, wanted: &Wanted, gaps: &mut Gaps) -> bool {
    let mut open = false;
    for info in registry::infos().filter(|info| wanted.wants(info.code) && !wanted.leaves_out(info.code)) {
        for read in info.reads {
            if let Some(gap) = chain.gap(*read) {
                gaps.entry(gap).or_default().insert(info.code);
                // Events and logs tell of symptoms; a verdict does not hang on them, nor on an Azure that was not asked for.
                let tells = matches!(read, Reads::Events | Reads::Logs);
                open |= !tells && (!read.is_of_azure() || input.azure.is_required());
            }
        }
    }
    for hidden in chain.object_gaps() {
        let reads_objects =
            |info: &&RuleInfo| info.reads.iter().any(|read| matches!(read, Reads::Objects | Reads::Secrets));
        let rules = registry::infos().filter(reads_objects).map(|info| info.code);
        let rules: Vec<_> =
            rules.filter(|code| concerns(&hidden, code) && wanted.wants(code) && !wanted.leaves_out(code)).collect();
        if !rules.is_empty() {
            open |= hidden.decides;
            gaps.entry(hidden.gap).or_default().extend(rules);
        }
    }
    open
}

/// Notes kinds of workloads that could not be read where everything was asked for: what there is of them, and whether
/// it has its identity, is not known.
fn collect_unread_kinds(input: &Input, wanted: &Wanted, gaps: &mut Gaps) -> bool {
    let namespace = wanted.selection.scope.namespace();
    let place = namespace.unwrap_or("all namespaces");
    let mut open = false;
    for (_, kind) in WORKLOAD_KINDS {
        let what = format!("{}s of {place}", kind.to_lowercase());
        if let Some(gap) = Gap::of(what, &input.inventory.coverage(kind, namespace)) {
            gaps.entry(gap).or_default();
            open = true;
        }
    }
    open
}

/// Notes objects of the files of which it is not known what they are now, and so not what applying makes of them.
fn collect_unread(chain: &Chain<'_>, overlay: &Overlay, gaps: &mut Gaps) -> bool {
    let account = ObjectRef::service_account(chain.namespace(), chain.account_name());
    let mut open = false;
    for object in [chain.target().object(), &account] {
        if let Some(why) = overlay.unread(object) {
            let what = format!("{object} as it is in the cluster");
            gaps.entry(Gap { what, why: why.to_owned(), denied: None }).or_default();
            open = true;
        }
    }
    open
}

fn verdict(chain: &Chain<'_>, findings: &[Finding], open: bool) -> Verdict {
    let worst = findings.iter().map(|finding| finding.level).max();
    match worst {
        Some(Level::Error) => Verdict::Broken,
        _ if !chain.is_meant() => Verdict::NotConfigured,
        _ if open => Verdict::Unknown,
        Some(Level::Warning) => Verdict::Degraded,
        _ => Verdict::Healthy,
    }
}

fn place(target: Target<'_>) -> Option<String> {
    let meta = match target {
        Target::Workload(workload) => &workload.meta,
        Target::Account(account) => &account.meta,
        Target::Other(other) => &other.meta,
    };
    match &meta.origin {
        Origin::File(origin) => Some(format!("{}:{}", origin.file, origin.line)),
        Origin::Cluster => None,
    }
}

fn fix_arguments(target: Target<'_>) -> String {
    let meta = match target {
        Target::Workload(workload) => &workload.meta,
        Target::Account(account) => &account.meta,
        Target::Other(other) => &other.meta,
    };
    match &meta.origin {
        Origin::File(origin) if &*origin.file == crate::manifest::read::STDIN => "fix -f -".to_owned(),
        Origin::File(origin) => format!("fix -f {}", origin.file),
        Origin::Cluster => format!("fix {} -n {}", meta.object.argument(), meta.namespace()),
    }
}

fn count(report: &mut InspectReport) {
    let mut told = HashSet::new();
    let summary = &mut report.summary;
    summary.targets = report.targets.len();
    for target in &report.targets {
        match target.verdict {
            Verdict::Broken => summary.broken += 1,
            Verdict::Degraded => summary.degraded += 1,
            Verdict::Unknown => summary.unknown += 1,
            Verdict::Healthy => summary.healthy += 1,
            Verdict::NotConfigured => summary.not_configured += 1,
        }
    }
    for finding in report.targets.iter().flat_map(|target| &target.findings).chain(&report.findings) {
        // An account that several workloads run as is told with each of them, and counted once.
        if !told.insert(&finding.id) {
            continue;
        }
        match finding.level {
            Level::Error => summary.errors += 1,
            Level::Warning => summary.warnings += 1,
            Level::Info => summary.infos += 1,
        }
    }
}

/// The exit code of a report: 1 for findings at or above a level, 3 where something is missing that a verdict needs.
pub fn exit_code(report: &InspectReport, fail_on: Option<Level>) -> u8 {
    let worst = report.targets.iter().flat_map(|t| &t.findings).chain(&report.findings).map(|f| f.level).max();
    match (worst, fail_on) {
        (Some(worst), Some(threshold)) if worst >= threshold => 1,
        _ if report.incomplete || report.targets.iter().any(|target| target.verdict == Verdict::Unknown) => 3,
        _ => 0,
    }
}
