//! Symptoms: what logs and events say, as evidence of what causes it.

mod cached;
mod observe;

pub use cached::AssertionCached;
pub use observe::observe;

use super::{Documented, Needs, Reads, Report, Rule, RuleInfo, rule};
use crate::chain::Chain;
use crate::chain::symptoms::Seen;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link, Observation};
use crate::symptoms::{self, Class, Kind, Symptom, Weight};

/// What every rule about symptoms reads.
const READS: &[Reads] = &[Reads::Template, Reads::Pods, Reads::Events, Reads::Logs];

rule! {
    /// ## What it does
    /// Reports that a process asked the node's metadata endpoint (169.254.169.254) for a token, where it should have
    /// exchanged its own.
    ///
    /// ## Why it breaks
    /// An SDK that finds no client id, tenant or token file goes on to the managed identity of the node. Either that
    /// endpoint does not answer, or it answers for an identity that nobody meant. Nothing has to be assigned to the
    /// node's machines, and the endpoint need not be reachable: workload identity never asks it.
    ///
    /// ## How it is known
    /// From the words of the SDKs in logs and events. Where a finding explains it (no label, no webhook, no client id, a
    /// pod that is older than these, a setting that asks for a managed identity), this is its evidence.
    ///
    /// ## Fix
    /// That of its cause. On a pod that has its token, a setting or the code asks for a managed identity outright.
    ///
    /// ## Fix safety
    /// As for the cause.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 699, 756 and 767
    /// - Azure SDKs, troubleshooting guides of `DefaultAzureCredential` and `ManagedIdentityCredential`
    SymptomImdsFallback {
        code: "WI801",
        name: "symptom-imds-fallback",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

rule! {
    /// ## What it does
    /// Reports that an SDK says what it was not given: the client id, the tenant, or the token file.
    ///
    /// ## Why it breaks
    /// The webhook sets all three. Where one is missing, it did not touch the pod, or the account has no client id.
    ///
    /// ## How it is known
    /// From the words of the SDKs of Go, .NET, Java, Python, JavaScript, Rust and C++, and of applications that look
    /// themselves. The Go SDK names only the first that is missing: client id, then file, then tenant.
    ///
    /// ## Fix
    /// That of its cause: label, account, webhook, or a restart.
    ///
    /// ## Fix safety
    /// As for the cause.
    ///
    /// ## References
    /// - Azure/azure-sdk-for-go, `sdk/azidentity/workload_identity.go`, and the same class of the other SDKs
    SymptomNotConfigured {
        code: "WI802",
        name: "symptom-not-configured",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

rule! {
    /// ## What it does
    /// Reports that Entra refused a token, with the code and what it means.
    ///
    /// ## Why it breaks
    /// The pod has a token and sent it. What does not fit is on the other side: the federated credential, the identity,
    /// the tenant, or the issuer's documents.
    ///
    /// ## How it is known
    /// From a code (`AADSTS...`) in logs and events. Entra's own words are an observation: 70021 and 70025 say that no
    /// credential is there (WI502), 700211 that none has the issuer (WI503), 700213 the subject (WI504), 700212 the
    /// audience (WI505), 700016 that there is no such identity (WI501). A refusal before an exchange that succeeded in
    /// the same log comes and goes (WI419).
    ///
    /// ## Fix
    /// By code: `kubectl wi explain AADSTS700213`.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program: the cause is elsewhere.
    ///
    /// ## References
    /// - Microsoft Entra authentication and authorization error codes
    SymptomEntraRejected {
        code: "WI803",
        name: "symptom-entra-rejected",
        level: Level::Error,
        link: Link::FederatedCredential,
        needs: &[Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

rule! {
    /// ## What it does
    /// Reports that a token was granted and the resource refused: a role is missing.
    ///
    /// ## Why it breaks
    /// Identity works up to here. Only an assignment of a role to the principal, at a scope that covers the resource,
    /// mends it; a change takes up to ten minutes to be seen.
    ///
    /// ## How it is known
    /// From the words of the resource manager, storage, Key Vault, Service Bus and others. Action, scope and principal
    /// are named where the text has them. A denial of what the application can do without is left out.
    ///
    /// ## Fix
    /// Assign the role; the command is written with what the text tells.
    ///
    /// ## Fix safety
    /// It grants access: this program only prints the command.
    ///
    /// ## References
    /// - Microsoft, "Troubleshoot Azure RBAC"; Storage and Key Vault error codes
    SymptomNotAuthorized {
        code: "WI804",
        name: "symptom-not-authorized",
        level: Level::Error,
        link: Link::Role,
        needs: &[Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

rule! {
    /// ## What it does
    /// Reports that the authority (`login.microsoftonline.com`, or that of another cloud) could not be reached.
    ///
    /// ## Why it breaks
    /// The exchange is a request to that host on port 443. A firewall, a proxy, DNS, a mesh whose sidecar is not up yet,
    /// or a gateway that inspects TLS ends it before Entra sees anything.
    ///
    /// ## How it is known
    /// From time-outs, failed look-ups and certificate errors that name the host. A host of another cloud than the
    /// cluster's is a wrong authority, not a network.
    ///
    /// ## Fix
    /// Let the pods reach the authority host on 443; without reaching 169.254.169.254.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issue 650; istio issue 49221
    SymptomNetwork {
        code: "WI805",
        name: "symptom-network",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

rule! {
    /// ## What it does
    /// Reports that another credential than workload identity was used: a client secret, a certificate, a password, the
    /// Azure CLI, an account key.
    ///
    /// ## Why it breaks
    /// The credential chains of the SDKs try the environment's secret before workload identity, and applications take a
    /// key where they are given one. It fails when that secret ends, or works as somebody else.
    ///
    /// ## How it is known
    /// From the name of the credential that failed, or from codes that only a secret can get (AADSTS7000215,
    /// AADSTS7000222).
    ///
    /// ## Fix
    /// Remove the other credential from the pod or the application's settings.
    ///
    /// ## Fix safety
    /// As for the cause.
    ///
    /// ## References
    /// - Azure SDKs, order of `DefaultAzureCredential`
    SymptomOtherCredential {
        code: "WI806",
        name: "symptom-other-credential",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

rule! {
    /// ## What it does
    /// Says that a failure has nothing to do with identity, and what class it is of.
    ///
    /// ## Why it breaks
    /// It does not break identity. It is said so that nobody hunts there: a full disk, a missing image, a quota, a
    /// database that does not answer, another credential that was chosen on purpose.
    ///
    /// ## How it is known
    /// From the words of the failure, for a workload that is in trouble and whose logs or events say nothing of
    /// identity.
    ///
    /// ## Fix
    /// Look at the class that is named.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program.
    ///
    /// ## References
    /// - Kubernetes, "Debug Pods"
    SymptomNotIdentity {
        code: "WI807",
        name: "symptom-not-identity",
        level: Level::Info,
        link: Link::Application,
        needs: &[Needs::Logs],
        reads: READS,
        fix: None,
    }
}

rule! {
    /// ## What it does
    /// Reports that a token was granted and the resource's network refuses: its firewall, a private endpoint, public
    /// access that is switched off.
    ///
    /// ## Why it breaks
    /// No role will help. Storage says `AuthorizationFailure` here, and `AuthorizationPermissionMismatch` where a role is
    /// missing; Key Vault says `ForbiddenByFirewall`.
    ///
    /// ## How it is known
    /// From the words of the resource. Where they allow both readings, it is said as probable.
    ///
    /// ## Fix
    /// Let the cluster's subnet or outbound address in, or use a private endpoint that the pods can resolve.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program.
    ///
    /// ## References
    /// - Microsoft, "Configure Azure Storage firewalls", "Key Vault error codes"
    SymptomNetworkDenied {
        code: "WI808",
        name: "symptom-network-denied",
        level: Level::Error,
        link: Link::Role,
        needs: &[Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

/// A rule that reports the symptoms of its code.
macro_rules! reports {
    ($($name:ident),* $(,)?) => {
        $(impl Rule for $name {
            fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
                tell(chain, &Self::INFO, report);
            }
        })*
    };
}

reports!(
    SymptomImdsFallback,
    SymptomNotConfigured,
    SymptomEntraRejected,
    SymptomNotAuthorized,
    SymptomNetwork,
    SymptomOtherCredential,
    SymptomNetworkDenied,
);

impl Rule for SymptomNotIdentity {
    /// The first failure only, and only where somebody wonders: every log has some.
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let seen = chain.symptoms();
        let about_identity = seen.iter().any(|one| one.symptom.code != "WI807" && level(chain, one).is_some());
        let asked = seen.iter().any(|one| one.asked);
        if about_identity || !(asked || chain.is_in_trouble()) {
            return;
        }
        let chosen = |one: &&Seen| one.symptom.class == Some(Class::ChosenCredential);
        let elsewhere =
            || seen.iter().filter(|one| one.symptom.code == "WI807" && one.symptom.weight == Weight::Failure);
        let Some(one) = elsewhere().find(chosen).or_else(|| elsewhere().next()) else { return };
        let class = one.symptom.class.map_or("something else", Class::sentence);
        report
            .add(
                chain.target().object(),
                path(chain, one),
                format!("a failure that has nothing to do with identity: {class}; {}", sentence(&one.symptom.means)),
            )
            .confidence(one.symptom.confidence)
            .evidence(words(one));
    }
}

/// Reports what was seen of one code: one finding for each container that says it, the first failure in its message and
/// the others in its evidence.
fn tell(chain: &Chain<'_>, info: &RuleInfo, report: &mut Report<'_>) {
    let own = |one: &&Seen| one.symptom.code == info.code;
    let mut told: Vec<String> = Vec::new();
    for one in chain.symptoms().iter().filter(own) {
        let path = path(chain, one);
        if told.contains(&path) || level(chain, one).is_none() {
            continue;
        }
        let same = || chain.symptoms().iter().filter(own).filter(|other| self::path(chain, other) == path);
        let Some((level, first)) = same().filter_map(|one| Some((level(chain, one)?, one))).reduce(louder) else {
            continue;
        };
        let symptom = &first.symptom;
        let mut draft = report
            .add(chain.target().object(), path.as_str(), message(first))
            .level(level)
            .confidence(symptom.confidence)
            .link(link(symptom.kind, info.link))
            .fix(fix(chain, symptom));
        for one in same().filter(|one| self::level(chain, one).is_some()) {
            draft = draft
                .evidence(words(one))
                .evidence_all(facts(&one.symptom))
                .evidence_all(first_sentence(&one.symptom.means).1.map(str::to_owned))
                .causes(&one.symptom.points_to)
                .points_to_new(&open_causes(chain, &one.symptom))
                .observations(observation(chain, one));
        }
        told.push(path);
    }
}

/// Of two, the one that says more; the earlier where they say as much.
fn louder<'a>(a: (Level, &'a Seen), b: (Level, &'a Seen)) -> (Level, &'a Seen) {
    if b.0 > a.0 { b } else { a }
}

/// How bad a symptom is here; `None` where it is nothing to speak of.
fn level(chain: &Chain<'_>, one: &Seen) -> Option<Level> {
    let symptom = &one.symptom;
    let trouble = one.asked || chain.is_in_trouble();
    let usual = if symptom.code == "WI807" { Level::Info } else { Level::Error };
    match symptom.weight {
        Weight::Harmless => None,
        // A step of the chain on the way to a credential that may have worked.
        Weight::Quiet if !trouble => None,
        Weight::Quiet => Some(usual.min(Level::Warning)),
        // Nothing here is meant for workload identity; but what names its own words tried to use it.
        Weight::Failure if !chain.is_meant() => {
            let tried = matches!(symptom.kind, Kind::NotConfigured | Kind::Entra | Kind::TokenFile);
            Some(if tried { Level::Warning } else { Level::Info })
        }
        // Said once by something that is ready and never restarted: it went on.
        Weight::Failure if one.past || (!trouble && symptom.count < 2) => Some(usual.min(Level::Warning)),
        Weight::Failure => Some(usual),
    }
}

/// The container's place in the template, where the text is one container's.
fn path(chain: &Chain<'_>, one: &Seen) -> String {
    let Some(name) = &one.container else { return String::new() };
    let Some(template) = chain.template() else { return String::new() };
    let found = template.spec.all_containers().find(|(_, _, container)| container.name == *name);
    found.map(|(list, at, _)| chain.container_path(list, at, "")).unwrap_or_default()
}

/// The first sentence of what it means, and where it was seen.
fn message(one: &Seen) -> String {
    let (first, _) = first_sentence(&one.symptom.means);
    match (one.past, one.asked) {
        (true, _) => format!("{first}; the log before the last restart says so, and not since"),
        (false, true) => format!("{first}; {} says so", one.source),
        (false, false) => format!("{first}; the {} says so", one.source),
    }
}

/// The first sentence without its full stop, and what is left.
fn first_sentence(text: &str) -> (&str, Option<&str>) {
    match text.split_once(". ") {
        Some((first, rest)) => (first, Some(rest)),
        None => (sentence(text), None),
    }
}

/// Without the full stop, to be part of a sentence.
fn sentence(text: &str) -> &str {
    text.trim_end().trim_end_matches('.')
}

/// The words themselves, where they stand, and how often.
fn words(one: &Seen) -> String {
    let symptom = &one.symptom;
    let mut place = one.source.clone();
    if !one.source.starts_with("event ") {
        place.push_str(&format!(", line {}", symptom.first.line));
        if let Some(time) = &symptom.first.time {
            place.push_str(&format!(", {time}"));
        }
        if symptom.count > 1 {
            place.push_str(&format!(", {} times", symptom.count));
        }
    }
    if one.elsewhere > 0 {
        place.push_str(&format!(", and {} more say it", one.elsewhere));
    }
    format!("\"{}\" ({place})", symptom.excerpt)
}

/// What the text tells of the things involved.
fn facts(symptom: &Symptom) -> Option<String> {
    let facts = &symptom.facts;
    let named: Vec<String> = [
        ("issuer", &facts.issuer),
        ("subject", &facts.subject),
        ("audience", &facts.audience),
        ("expected subject", &facts.expected_subject),
        ("client id", &facts.client_id),
        ("object id", &facts.object_id),
        ("tenant", &facts.tenant),
        ("action", &facts.action),
        ("scope", &facts.scope),
        ("host", &facts.host),
        ("correlation id", &facts.correlation_id),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name} {}", value.as_deref()?)))
    .collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// The rules that look for the cause, without those whose question the objects answer.
fn open_causes(chain: &Chain<'_>, symptom: &Symptom) -> Vec<&'static str> {
    symptom.points_to.iter().copied().filter(|code| !chain.is_answered(code)).collect()
}

/// What to look at first: the likeliest cause, where nothing answers it yet.
fn advice(chain: &Chain<'_>, symptom: &Symptom) -> String {
    let open = open_causes(chain, symptom);
    let all_open = open.first() == symptom.points_to.first();
    match (symptom.causes.first(), open.first()) {
        (Some(cause), _) if all_open => format!("look first at: {cause}"),
        (_, Some(code)) => format!("look first at {} ({code}): {}", symptoms::name(code), symptoms::question(code)),
        (Some(cause), None) => format!("look first at: {cause}"),
        (None, None) => "look at what the text says around it".to_owned(),
    }
}

/// The advice and the commands of a symptom, with the target in them.
fn fix(chain: &Chain<'_>, symptom: &Symptom) -> Fix {
    let mut fix = Fix::manual(advice(chain, symptom));
    for command in commands(chain, symptom) {
        fix = fix.command(command);
    }
    fix
}

/// The commands of a symptom; that one is inspecting already is known.
fn commands(chain: &Chain<'_>, symptom: &Symptom) -> Vec<String> {
    let object = chain.target().object();
    let target = format!("{} -n {}", object.argument(), chain.namespace());
    let mut commands: Vec<String> = symptom
        .next
        .iter()
        .filter(|command| !command.starts_with("kubectl wi inspect") && !command.starts_with("kubectl wi fix"))
        .map(|command| {
            command
                .replace("TYPE/NAME -n NAMESPACE", &target)
                .replace(&format!("TYPE/NAME -n {}", chain.namespace()), &target)
                .replace("-n NAMESPACE", &format!("-n {}", chain.namespace()))
        })
        .collect();
    if let Some(code) = symptom.facts.aadsts {
        commands.push(format!("kubectl wi explain AADSTS{code}"));
    }
    commands.truncate(3);
    commands
}

/// What a symptom tells of the rule that its words are an observation of.
pub(crate) fn observation(chain: &Chain<'_>, one: &Seen) -> Option<Observation> {
    if one.past || one.symptom.weight != Weight::Failure || !chain.is_meant() {
        return None;
    }
    said_of_other_rule(chain, &one.symptom, &words(one))
}

/// The same for a symptom in the status of one of the application's resources.
pub(crate) fn said_of_other_rule(chain: &Chain<'_>, symptom: &Symptom, words: &str) -> Option<Observation> {
    let code = symptom.gives?;
    Some(Observation {
        code,
        message: first_sentence(&symptom.means).0.to_owned(),
        evidence: std::iter::once(words.to_owned()).chain(facts(symptom)).collect(),
        advice: advice(chain, symptom),
        commands: commands(chain, symptom),
        explained_by: symptom.points_to.iter().copied().filter(|other| *other != code).collect(),
        probable: symptom.confidence == Confidence::Inferred,
    })
}

/// The link that a kind of failure belongs to.
fn link(kind: Kind, usual: Link) -> Link {
    match kind {
        Kind::Webhook => Link::Webhook,
        Kind::Pod => Link::Pod,
        Kind::Application | Kind::Elsewhere => Link::Application,
        _ => usual,
    }
}
