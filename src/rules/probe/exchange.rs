//! What Entra says to the token, and whether it can be reached.

use super::{object, way, whose};
use crate::chain::Chain;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::probe::facts::{ExchangeError, ProbedExchange};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::token::aadsts::{self, Kind, Lookup};

/// `AADSTS700213 (no matching credential for the subject)`
fn named(error: &ExchangeError) -> String {
    if error.aadsts == 0 {
        return "an answer without a code".to_owned();
    }
    match aadsts::lookup(error.aadsts) {
        Lookup::Exact(entry) => format!("AADSTS{} ({})", error.aadsts, entry.title),
        Lookup::Family(entry) => format!("AADSTS{} (like {}: {})", error.aadsts, entry.code, entry.title),
        Lookup::Unknown => format!("AADSTS{}", error.aadsts),
    }
}

/// Entra's words and the ids for its support.
fn words(error: &ExchangeError) -> Vec<String> {
    let mut lines = vec![format!("Entra: {}", error.message)];
    let ids = [("correlation id", &error.correlation_id), ("trace id", &error.trace_id)];
    let ids: Vec<String> = ids.into_iter().filter_map(|(name, id)| Some(format!("{name} {}", id.as_ref()?))).collect();
    if !ids.is_empty() {
        lines.push(ids.join(", "));
    }
    lines
}

fn is_transient(error: &ExchangeError) -> bool {
    aadsts::lookup(error.aadsts).entry().is_some_and(|entry| entry.kind == Kind::Transient)
}

/// Who was asked, for whom.
fn asked(exchange: &ProbedExchange) -> String {
    format!(
        "asked {} for {}: tenant {}, client id {}",
        exchange.authority,
        exchange.resource,
        exchange.tenant,
        if exchange.client_id.is_empty() { "(empty)" } else { &exchange.client_id }
    )
}

rule! {
    /// ## What it does
    /// Reports that Entra refused the token, with the code, what it means, and the rules that look for its cause.
    ///
    /// ## Why it breaks
    /// The exchange is what the application's SDK does, with the same token. What Entra says to it here, it says to the
    /// application.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe --exchange`: every one of several exchanges was refused. Some refusals of good tokens are
    /// Entra's own (exchange-flaky, WI419), and a credential takes minutes to be seen; so several are tried, with time
    /// between them. An access token for another client id or tenant than was asked for is reported here too.
    ///
    /// ## Fix
    /// By code: `kubectl wi explain AADSTS700213` tells each one's causes and actions.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program: the cause is elsewhere.
    ///
    /// ## References
    /// - Microsoft Entra authentication and authorization error codes
    /// - Azure/azure-workload-identity, documentation, "Troubleshooting"
    ExchangeRejected {
        code: "WI418",
        name: "exchange-rejected",
        level: Level::Error,
        link: Link::FederatedCredential,
        needs: &[Needs::Exchange],
        reads: &[Reads::Probe, Reads::Exchange],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ExchangeRejected {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        for (probe, exchange) in chain.exchanges() {
            if let Some(other) = other_identity(exchange) {
                report
                    .add(&object(chain, probe), probe.path.as_str(), other)
                    .confidence(Confidence::Proved)
                    .evidence(asked(exchange));
            }
            let Some(error) = exchange.errors.first() else { continue };
            if exchange.succeeded > 0 || exchange.errors.iter().all(is_transient) {
                continue;
            }
            let entry = aadsts::lookup(error.aadsts).entry();
            let meaning = entry.map_or("its meaning is not in the catalogue", |entry| entry.meaning);
            let action = entry.and_then(|entry| entry.actions.first()).copied();
            let mut fix = Fix::manual(action.unwrap_or("look the code up in Microsoft's documentation"));
            if error.aadsts != 0 {
                fix = fix.command(format!("kubectl wi explain AADSTS{}", error.aadsts));
            }
            let mut draft = report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!("Entra refused the token of {} with {}; {}", whose(probe), named(error), lower(meaning)),
                )
                .confidence(Confidence::Proved)
                .evidence_all(words(error))
                .evidence(asked(exchange))
                .evidence(way(probe))
                .evidence_all(
                    exchange.errors[1..].iter().map(|other| format!("{} times {}", other.count, named(other))),
                )
                .fix(fix);
            for code in entry.map_or(&[][..], |entry| entry.points_to) {
                draft = draft.points_to(code);
            }
        }
    }
}

/// What the access token says that is not what was asked for.
fn other_identity(exchange: &ProbedExchange) -> Option<String> {
    let identity = exchange.identity.as_ref()?;
    let differs = |found: &Option<String>, asked: &str| {
        found.as_deref().filter(|found| is_guid(asked) && !found.eq_ignore_ascii_case(asked)).map(str::to_owned)
    };
    let (what, found) = match (differs(&identity.appid, &exchange.client_id), differs(&identity.tid, &exchange.tenant))
    {
        (Some(found), _) => ("client id", found),
        (None, Some(found)) => ("tenant", found),
        (None, None) => return None,
    };
    Some(format!("Entra granted a token for the {what} {found}; another one was asked for"))
}

/// A tenant may also be given by its domain name.
fn is_guid(text: &str) -> bool {
    crate::chain::near::is_guid(text)
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    let second_is_lower = text.chars().nth(1).is_some_and(char::is_lowercase);
    match chars.next() {
        Some(first) if second_is_lower => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

rule! {
    /// ## What it does
    /// Reports that some of several exchanges failed and others did not.
    ///
    /// ## Why it breaks
    /// The credential matches, or no exchange would be granted. Entra refuses a few percent of good tokens for a while
    /// after a change and sometimes without one, and it cannot always fetch the issuer's documents. Applications that do
    /// not try again fail by chance.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe --exchange --samples N`: the rate and the codes. It never leads to a change of the
    /// credential.
    ///
    /// ## Fix
    /// Wait, and let the application try again; the trace id goes into a support case where it lasts.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program.
    ///
    /// ## References
    /// - kedacore/keda issue 8152
    /// - Microsoft Entra, "Workload identity federation considerations": propagation
    ExchangeFlaky {
        code: "WI419",
        name: "exchange-flaky",
        level: Level::Warning,
        link: Link::FederatedCredential,
        needs: &[Needs::Exchange],
        reads: &[Reads::Probe, Reads::Exchange],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ExchangeFlaky {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        for (probe, exchange) in chain.exchanges() {
            let failed = exchange.samples.saturating_sub(exchange.succeeded);
            let transient = !exchange.errors.is_empty() && exchange.errors.iter().all(is_transient);
            let mixed = exchange.succeeded > 0 && failed > 0;
            if exchange.not_sent.is_some() || !(mixed || transient) {
                continue;
            }
            let codes: Vec<String> =
                exchange.errors.iter().map(|error| format!("{} times {}", error.count, named(error))).collect();
            let silent =
                exchange.unanswered.iter().map(|silent| format!("{} times no answer: {}", silent.count, silent.why));
            report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!(
                        "{failed} of {} exchanges of {} failed; the credential needs no change, the application has to \
                         try again",
                        exchange.samples,
                        whose(probe)
                    ),
                )
                .confidence(Confidence::Proved)
                .evidence_all(codes)
                .evidence_all(silent)
                .evidence_all(exchange.errors.first().map(words).unwrap_or_default())
                .fix(Fix::manual("wait and try again; give the trace id to Microsoft's support where it lasts"));
        }
    }
}

rule! {
    /// ## What it does
    /// Reports that the authority host cannot be reached: from the pod, or from this machine, whichever was tried.
    ///
    /// ## Why it breaks
    /// The SDK posts the token to the authority host. Without a way there it waits until its time is up:
    /// `context deadline exceeded`, `no such host`, `connection refused`.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe`: from the pod its name, a connection and TLS are tried with what the ephemeral container
    /// (or, with `--exchange`, the container itself) has. `--exchange` itself is sent from this machine, which may have
    /// another way out; that it fails from here is a warning, because the pod may still get through.
    ///
    /// Without a probe, from the `NetworkPolicies` that are among the objects: one for egress selects the pods, and none of
    /// those that do allows port 53, or port 443 to anything but pods. That is a warning too: whether the network
    /// enforces policies, and which other kinds of policies there are, is not to be seen. Pods in the node's network,
    /// containers with a proxy variable and identity bindings are left alone.
    ///
    /// ## Fix
    /// Open the way: name resolution, an egress policy that allows port 443, the firewall's rules for AKS, or the proxy.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program.
    ///
    /// ## References
    /// - AKS, "Outbound network and FQDN rules"
    /// - Azure/azure-workload-identity issue 650
    AuthorityUnreachable {
        code: "WI420",
        name: "authority-unreachable",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Manifests, Needs::Live, Needs::Probe, Needs::Exchange],
        reads: &[
            Reads::Probe, Reads::Exchange, Reads::Template, Reads::Account, Reads::Webhook, Reads::Objects,
        ],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for AuthorityUnreachable {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if chain.probe().is_none() {
            super::policy::closed(chain, report);
        }
        for probe in chain.probe().into_iter().flat_map(|probe| &probe.pods) {
            let Some(network) = &probe.network else { continue };
            let what = if network.name == Some(false) {
                "its name is not known there"
            } else if network.tcp == Some(false) {
                "no connection comes about"
            } else if network.tls == Some(false) {
                "TLS does not come about"
            } else {
                continue;
            };
            let policies = format!("kubectl get networkpolicies -n {}", chain.namespace());
            report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!(
                        "{}:{} cannot be reached from the pod: {what}; no token can be exchanged",
                        network.host, network.port
                    ),
                )
                .confidence(Confidence::Proved)
                .evidence_all(network.said.clone())
                .fix(
                    Fix::manual("let the pod reach the authority host: DNS, egress policies, firewall, proxy")
                        .command(policies),
                );
        }
        for (probe, exchange) in chain.exchanges() {
            let Some(silent) = exchange.unanswered.first() else { continue };
            if exchange.succeeded > 0 || !exchange.errors.is_empty() {
                continue;
            }
            let reached = probe.network.as_ref().is_some_and(|network| network.tcp == Some(true));
            report
                .add(
                    &object(chain, probe),
                    "",
                    format!(
                        "{} cannot be reached from this machine; nothing is said about the exchange",
                        exchange.authority
                    ),
                )
                .level(Level::Warning)
                .confidence(Confidence::Proved)
                .evidence(silent.why.clone())
                .evidence_all(reached.then(|| "from the pod a connection comes about".to_owned()))
                .fix(Fix::manual("try from where the authority host can be reached, or set HTTPS_PROXY"));
        }
    }
}
