//! The links of a chain as a reader sees them: one line each, with what is known of it.

use super::compare::Answer;
use super::{Chain, Target, azure_links};
use crate::model::fact::Fact;
use crate::model::finding::{Finding, Level, Link};
use crate::model::workload::Pod;
use crate::report::model::{ChainLink, LinkState};
use crate::webhook::{WebhookInstallation, keys};

/// All links of a chain, judged by the findings about them.
pub fn links(chain: &Chain<'_>, findings: &[Finding]) -> Vec<ChainLink> {
    let mut broken_above = false;
    let mut links = Vec::new();
    for link in Link::ALL {
        let own: Vec<&Finding> = findings.iter().filter(|finding| finding.link == link).collect();
        let nothing = || (!own.is_empty()).then(|| (LinkState::Skipped, String::new()));
        let Some((mut state, mut summary)) = describe(chain, link).or_else(nothing) else { continue };
        let worst = own.iter().map(|finding| finding.level).max();
        let consequence = own.iter().all(|finding| !finding.blocked_by.is_empty());
        match worst {
            Some(Level::Error) if consequence => state = LinkState::Blocked,
            Some(Level::Error) => state = LinkState::Broken,
            Some(Level::Warning) => state = LinkState::Warning,
            Some(Level::Info) | None => {}
        }
        if matches!(state, LinkState::Broken | LinkState::Warning)
            && let Some(finding) = own.iter().max_by_key(|finding| (finding.root_cause, finding.level))
        {
            summary = headline(finding, link);
        }
        let depends = matches!(link, Link::Pod | Link::Token);
        if broken_above && depends && matches!(state, LinkState::Ok | LinkState::Skipped) {
            state = LinkState::Blocked;
        }
        broken_above |= state == LinkState::Broken;
        links.push(ChainLink {
            link,
            state,
            summary,
            findings: own.iter().map(|finding| finding.id.clone()).collect(),
        });
    }
    links
}

/// The first half of a finding's sentence: what is wrong, without what follows from it, and without the words that
/// the link's title says already.
fn headline(finding: &Finding, link: Link) -> String {
    let half = finding.message.split("; ").next().unwrap_or_default();
    let half = half.strip_prefix("the ").unwrap_or(half);
    half.strip_prefix(link.title()).filter(|rest| rest.starts_with(' ')).unwrap_or(half).trim_start().to_owned()
}

/// What is known of a link, as if nothing were wrong with it; `None` where the chain does not have it.
fn describe(chain: &Chain<'_>, link: Link) -> Option<(LinkState, String)> {
    match link {
        Link::Cluster => Some(cluster(chain)),
        Link::Webhook => Some(webhook(chain)),
        Link::ServiceAccount => Some(account(chain)),
        Link::PodTemplate => chain.workload().map(|_| template(chain)),
        Link::Pod => chain.workload().filter(|_| chain.is_live() || has_pods(chain)).map(|_| pods(chain)),
        Link::Token => Some(token(chain)),
        Link::FederatedCredential => Some(azure_links::credential(chain)),
        Link::Identity => azure_links::identity(chain),
        Link::Role => azure_links::role(chain),
        Link::Application => application(chain),
    }
}

fn application(chain: &Chain<'_>) -> Option<(LinkState, String)> {
    if let Target::Other(other) = chain.target() {
        return Some((LinkState::Ok, other.meta.object.to_string()));
    }
    let part = chain.application()?;
    Some((LinkState::Ok, part.to_string()))
}

fn unread<T>(fact: &Fact<T>, not_asked: &str) -> (LinkState, String) {
    match fact.why() {
        Some(why) => (LinkState::Unknown, format!("could not be read: {why}")),
        None => (LinkState::Skipped, not_asked.to_owned()),
    }
}

fn cluster(chain: &Chain<'_>) -> (LinkState, String) {
    let cluster = chain.cluster();
    let kind = if cluster.is_aks() { "AKS" } else { "Kubernetes" };
    let version =
        cluster.kubernetes_version.known().map(|version| format!("{kind} {}", version.trim_start_matches('v')));
    match (&cluster.issuer, version) {
        (Fact::Known(issuer), Some(version)) => (LinkState::Ok, format!("{version}, issuer {issuer}")),
        (Fact::Known(issuer), None) => (LinkState::Ok, format!("issuer {issuer}")),
        (issuer, Some(version)) => match issuer.why() {
            Some(why) => (LinkState::Ok, format!("{version}, issuer not read ({why})")),
            None => (LinkState::Ok, version),
        },
        (issuer, None) => unread(issuer, "not asked: manifests only"),
    }
}

fn webhook(chain: &Chain<'_>) -> (LinkState, String) {
    match chain.webhook() {
        Fact::Known(webhook) => (LinkState::Ok, webhook_summary(chain, webhook) + asked(chain)),
        Fact::Absent => (LinkState::Skipped, "not installed".to_owned()),
        other => unread(&other, "not among the manifests"),
    }
}

/// Whether the API server's answer to a dry run is what was simulated.
fn asked(chain: &Chain<'_>) -> &'static str {
    let Fact::Known(Answer::Pod(_)) = chain.asked() else { return "" };
    match chain.sides_of_template() {
        Some(sides) if !sides.answered_otherwise().iter().any(|difference| difference.aspect.matters()) => {
            ", asked: answers as simulated"
        }
        _ => "",
    }
}

fn account(chain: &Chain<'_>) -> (LinkState, String) {
    let name = chain.account_name();
    match chain.account() {
        Fact::Known(account) => match account.meta.annotation(keys::CLIENT_ID) {
            Some(id) if !id.is_empty() => (LinkState::Ok, format!("{name}, client id {id}")),
            _ => (LinkState::Ok, format!("{name}, no client id")),
        },
        Fact::Absent => (LinkState::Ok, format!("{name} does not exist")),
        other => {
            let (state, why) = unread(&other, "not among the manifests");
            (state, format!("{name}, {why}"))
        }
    }
}

fn template(chain: &Chain<'_>) -> (LinkState, String) {
    if chain.is_labelled() {
        (LinkState::Ok, format!("carries {}: \"true\"", keys::USE_LABEL))
    } else {
        (LinkState::Ok, "does not ask the webhook for identity".to_owned())
    }
}

/// Distribution, version, and whether it can answer as far as that was seen.
fn webhook_summary(chain: &Chain<'_>, webhook: &WebhookInstallation) -> String {
    let told = webhook.deployment().is_some_and(|deployment| deployment.ready.is_some());
    let beside = webhook.registrations.iter().all(|found| found.entry.client_config.service.is_none());
    match chain.health().endpoints {
        Some((ready, all)) if !told => format!("{webhook}, {ready} of {all} endpoints ready"),
        _ if beside => format!("{webhook}, beside the API server: whether it is ready is not to be seen from here"),
        _ => webhook.to_string(),
    }
}

fn has_pods(chain: &Chain<'_>) -> bool {
    matches!(chain.pods(), Fact::Known(pods) if !pods.is_empty())
}

fn pods(chain: &Chain<'_>) -> (LinkState, String) {
    match chain.pods() {
        Fact::Known([]) => (LinkState::Skipped, "none run".to_owned()),
        Fact::Known(pods) => (LinkState::Ok, running(chain, pods)),
        other => unread(&other, "none among the objects"),
    }
}

/// `2 running since 3 days, token and variables injected`
pub(crate) fn running(chain: &Chain<'_>, pods: &[&Pod]) -> String {
    let mutated = pods.iter().filter(|pod| crate::chain::running::is_mutated(&pod.spec)).count();
    let what = match mutated {
        0 => "nothing injected".to_owned(),
        n if n == pods.len() => "token and variables injected".to_owned(),
        n => format!("{n} of them injected"),
    };
    let not_ready = pods.iter().filter(|pod| !pod.ready && !pod.waiting.is_empty()).count();
    let trouble = if not_ready > 0 { format!(", {not_ready} not ready") } else { String::new() };
    let oldest = pods.iter().filter_map(|pod| pod.started.or(pod.meta.created)).min();
    let since = match (chain.now(), oldest) {
        (Some(now), Some(oldest)) if pods.len() == 1 => format!(" since {}", age(now, oldest)),
        (Some(now), Some(oldest)) => format!(", the oldest since {}", age(now, oldest)),
        _ => String::new(),
    };
    format!("{} running{since}{trouble}, {what}", pods.len())
}

/// How long ago something was, in the largest unit of which there are two or more.
fn age(now: jiff::Timestamp, then: jiff::Timestamp) -> String {
    let seconds = (now.as_second() - then.as_second()).max(0);
    let units = [(86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (size, name) = units.into_iter().find(|(size, _)| seconds >= 2 * size).unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

fn token(chain: &Chain<'_>) -> (LinkState, String) {
    let Target::Workload(workload) = chain.target() else {
        return (LinkState::Skipped, format!("subject {}", chain.subject()));
    };
    let next = format!("kubectl wi exec-probe {} -n {}", workload.meta.object.argument(), chain.namespace());
    if chain.is_live() {
        (LinkState::Skipped, format!("not read; {next}"))
    } else {
        (LinkState::Skipped, format!("subject {}", chain.subject()))
    }
}
