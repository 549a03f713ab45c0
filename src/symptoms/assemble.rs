//! From hits to symptoms: what the text tells about each, and what the application and the context change.

use super::applications;
use super::commands;
use super::engine::{Entry, Hit};
use super::extract;
use super::families::entra;
use super::line::Level;
use super::model::{Class, Context, Facts, Kind, Place, Symptom, Weight};
use super::signature::Signature;
use super::{codes, commands::Next};
use crate::model::finding::Confidence;
use crate::text::{pattern, reveal};
use crate::token::aadsts::{self, Lookup};
use regex::bytes::Regex;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// The longest excerpt, in characters.
const EXCERPT: usize = 400;

/// Names of credentials, to tell whose answer a code is.
static CREDENTIAL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(environmentcredential|clientsecretcredential|clientcertificatecredential|usernamepasswordcredential|azureclicredential|azuredeveloperclicredential|azurepowershellcredential|sharedtokencachecredential|visualstudio\w{0,10}credential)
         |(workloadidentitycredential|clientassertioncredential|fromassertion|managedidentitycredential)",
    )
});

static OPTIONAL_READ: LazyLock<Regex> = LazyLock::new(|| pattern(r"failed to retrieve the storage account properties"));
static CHAIN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:default|chained)\w{0,10}credential|attempted credentials"));
static CHAIN_KNOWS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"workloadidentitycredential|no (?:client id|token file|tenant id|token source) specified")
});
static PYTHON: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"azure\.identity\._|azsdk/python|site-packages|credentialunavailableerror\(|\.py\x22"));
static DATA_MOVER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"dataupload|datadownload|data-upload|data-download|podvolume(?:backup|restore)|node-agent|data path|maintenance",
    )
});
static OLD_SDK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"adal:|authorizer\#withauthorization|services\.appauthentication|azureservicetokenprovider")
});
static SUBJECT_OR_ISSUER: LazyLock<Regex> = LazyLock::new(|| pattern(r"presented assertion issuer"));

/// Makes a symptom of a hit. `guess` is the application that the text as a whole seems to be of.
pub(super) fn symptom(entry: &Entry<'_>, hit: &Hit, context: &Context<'_>, guess: Option<&'static str>) -> Symptom {
    let signature = hit.signature;
    let mut facts = extract::facts(entry, &hit.range);
    let application = application(entry, &hit.range, context).or(guess);
    let mut symptom = Symptom {
        code: signature.code,
        name: "",
        signature: signature.id,
        kind: signature.kind,
        class: signature.class,
        weight: weight(entry, signature, &hit.range),
        confidence: if signature.probable { Confidence::Inferred } else { Confidence::Observed },
        gives: signature.gives,
        points_to: signature.points_to.to_vec(),
        means: Cow::Borrowed(signature.means),
        causes: signature.causes.iter().map(|cause| Cow::Borrowed(*cause)).collect(),
        next: Vec::new(),
        facts: Facts::default(),
        application,
        excerpt: excerpt(entry, &hit.range),
        count: 1,
        first: place(entry, &hit.range),
        last: place(entry, &hit.range),
        follows: None,
    };
    let mut next = signature.next;
    if signature.id == entra::CODE {
        extract::entra(entry, &hit.range, &mut facts);
        next = explain_code(&mut symptom, &facts, entry, &hit.range);
    }
    adjust_to_application(&mut symptom, entry, &hit.range);
    adjust_to_age(&mut symptom, entry, &hit.range);
    adjust_to_sdk(&mut symptom, entry, &hit.range);
    adjust_to_cloud(&mut symptom, &facts, context);
    adjust_to_context(&mut symptom, context);
    symptom.name = codes::name(symptom.code);
    symptom.next = commands::write(next, &facts, application.and_then(applications::target));
    symptom.facts = facts;
    symptom
}

/// The line of a hit, and the time of its entry.
fn place(entry: &Entry<'_>, hit: &Range<usize>) -> Place {
    let before = entry.squeezed.origin(hit.clone()).start;
    let lines = entry.text[..before].matches('\n').count() as u64;
    Place { line: entry.record.line + lines, time: entry.record.time.clone() }
}

/// The kind of a hit before it is made a symptom: a code of Entra may be about another credential.
pub(super) fn kind(entry: &Entry<'_>, hit: &Hit) -> Kind {
    if hit.signature.id != entra::CODE {
        return hit.signature.kind;
    }
    let digits: String = entry.squeezed.text(hit.range.clone()).chars().filter(char::is_ascii_digit).collect();
    let entry_of = digits.parse().ok().map(aadsts::lookup).and_then(Lookup::entry);
    let other = entry_of.is_some_and(|code| code.kind == aadsts::Kind::OtherCredential);
    if other || by_other_credential(entry, &hit.range) { Kind::OtherCredential } else { Kind::Entra }
}

/// Whether the last credential that is named before a code is another one than workload identity.
fn by_other_credential(entry: &Entry<'_>, hit: &Range<usize>) -> bool {
    let before = &entry.squeezed.lower()[hit.start.saturating_sub(700)..hit.start];
    CREDENTIAL.captures_iter(before).last().is_some_and(|captures| captures.get(1).is_some())
}

fn explain_code(symptom: &mut Symptom, facts: &Facts, entry: &Entry<'_>, hit: &Range<usize>) -> &'static [Next] {
    let Some(code) = facts.aadsts else { return &[Next::Inspect] };
    let lookup = aadsts::lookup(code);
    if lookup.confidence() == aadsts::Confidence::Low {
        symptom.confidence = Confidence::Inferred;
    }
    let Some(known) = lookup.entry() else {
        symptom.means =
            Cow::Owned(format!("Entra refused the request with AADSTS{code}, which is not in the catalogue."));
        symptom.causes = vec![Cow::Borrowed(
            "the text after the code; Microsoft explains codes at https://login.microsoftonline.com/error",
        )];
        return &[Next::Inspect, Next::Exchange];
    };
    symptom.means = match lookup {
        Lookup::Family(_) => Cow::Owned(format!("Probably as AADSTS{}: {}", known.code, known.meaning)),
        _ => Cow::Borrowed(known.meaning),
    };
    symptom.causes = known.causes.iter().map(|cause| Cow::Borrowed(*cause)).collect();
    symptom.points_to = known.points_to.to_vec();
    symptom.gives = known.gives;
    if code == 7_002_138 && SUBJECT_OR_ISSUER.is_match(entry.window(hit, (0, 400))) {
        symptom.gives = Some("WI503");
        symptom.points_to = vec!["WI503", "WI504"];
    }
    let parameter = entry.window(hit, (0, 300));
    if code == 900_144 && !parameter.windows(11).any(|word| word == b"'client_id'") {
        // Another field than the client id is missing: that is the application's request.
        symptom.points_to = vec!["WI776", "WI410"];
    }
    if known.kind == aadsts::Kind::OtherCredential || by_other_credential(entry, hit) {
        symptom.code = "WI806";
        symptom.kind = Kind::OtherCredential;
        symptom.gives = None;
        if known.kind != aadsts::Kind::OtherCredential {
            symptom.means = Cow::Owned(format!(
                "Another credential than workload identity was used, and Entra refused it. {}",
                known.meaning
            ));
            symptom.points_to.insert(0, "WI109");
            symptom.points_to.dedup();
        }
        return &[Next::Inspect, Next::Fix];
    }
    entra::next(known.kind)
}

fn weight(entry: &Entry<'_>, signature: &Signature, hit: &Range<usize>) -> Weight {
    let quiet = entry.record.level == Level::Quiet;
    // Velero reads the account's properties if it may, and does without if it may not (velero issue 9647).
    let optional = quiet
        && matches!(signature.id, "arm-denied" | "forbidden")
        && OPTIONAL_READ.is_match(entry.window(hit, (1500, 200)));
    match (optional, quiet && signature.step) {
        (true, _) => Weight::Harmless,
        (false, true) => Weight::Quiet,
        (false, false) => Weight::Failure,
    }
}

fn application(entry: &Entry<'_>, hit: &Range<usize>, context: &Context<'_>) -> Option<&'static str> {
    if let Some(name) = context.application {
        return applications::known(name);
    }
    applications::recognise(entry.window(hit, (2500, 1500)))
}

fn adjust_to_application(symptom: &mut Symptom, entry: &Entry<'_>, hit: &Range<usize>) {
    let Some(application) = symptom.application else { return };
    let keys = ["keys-forbidden", "shared-key-refused", "local-authentication-disabled", "key-is-no-key"];
    let first = if keys.contains(&symptom.signature) {
        applications::key_first(application)
    } else if symptom.signature.starts_with("velero-") {
        &[]
    } else {
        applications::first(application, symptom.kind)
    };
    let settled = ["imds-by-app-authentication", "access-token-refused"].contains(&symptom.signature);
    if !settled && !symptom.points_to.is_empty() {
        put_first(&mut symptom.points_to, first);
    }
    let code = symptom.facts.aadsts.or_else(|| code_at(entry, hit));
    match (application, code) {
        ("velero", _) if symptom.kind == Kind::NodeIdentity && DATA_MOVER.is_match(entry.window(hit, (2500, 1500))) => {
            put_first(&mut symptom.points_to, &["WI703", "WI704", "WI709", "WI706"]);
        }
        ("keda", Some(700_213 | 70_021 | 70_025)) => symptom.points_to.push("WI727"),
        ("keda", Some(700_016)) => symptom.points_to.insert(1, "WI721"),
        ("thanos", Some(900_144 | 700_213)) => symptom.points_to.push("WI743"),
        ("external-dns", Some(700_016)) => symptom.points_to.push("WI771"),
        ("external-dns", Some(90_002)) => put_first(&mut symptom.points_to, &["WI771"]),
        ("cert-manager", Some(900_144 | 700_016)) => symptom.points_to.push("WI772"),
        ("external-secrets", Some(_)) if symptom.kind == Kind::Entra => symptom.points_to.push("WI770"),
        ("secrets-store-csi", Some(_)) if symptom.kind == Kind::Entra => symptom.points_to.push("WI773"),
        _ => {}
    }
}

/// adal and go-autorest are older than workload identity.
fn adjust_to_age(symptom: &mut Symptom, entry: &Entry<'_>, hit: &Range<usize>) {
    let by_adal = symptom.signature == "nmi" && OLD_SDK.is_match(entry.window(hit, (900, 300)));
    if symptom.signature == "imds-by-old-sdk" || by_adal {
        let newer: &[&str] = match symptom.application {
            Some("velero") => &["WI705"],
            Some("keda") => &["WI720"],
            Some("thanos") => &["WI742", "WI740"],
            Some("external-dns") => &["WI775", "WI771"],
            Some("terraform") => &["WI779", "WI775"],
            _ => &["WI775"],
        };
        put_first(&mut symptom.points_to, newer);
    }
}

fn code_at(entry: &Entry<'_>, hit: &Range<usize>) -> Option<u32> {
    let text = entry.squeezed.text(hit.clone());
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    text.to_ascii_lowercase().starts_with("aadsts").then(|| digits.parse().ok()).flatten()
}

/// A chain that does not even name workload identity: the SDK does not know it.
fn adjust_to_sdk(symptom: &mut Symptom, entry: &Entry<'_>, hit: &Range<usize>) {
    let about = symptom.kind == Kind::NodeIdentity || symptom.signature == "chain-failed";
    let window = entry.window(hit, (2500, 2500));
    if !about || !CHAIN.is_match(window) || CHAIN_KNOWS.is_match(window) || symptom.signature == "imds-used" {
        return;
    }
    if PYTHON.is_match(window) {
        symptom.causes.insert(
            0,
            Cow::Borrowed("the chain has no WorkloadIdentityCredential: in Python that is so where its variables are not all set, or before azure-identity 1.13"),
        );
        return;
    }
    let first: &[&str] = if symptom.application == Some("velero") { &["WI705"] } else { &["WI775"] };
    put_first(&mut symptom.points_to, first);
    symptom.causes.insert(
        0,
        Cow::Borrowed("the chain has no WorkloadIdentityCredential: the SDK is older than it (.NET Azure.Identity 1.9.0, Go azidentity 1.3.0, Java 1.9.0, JavaScript 3.2.0, Python 1.13.0, C++ 1.6.0)"),
    );
}

/// An authority of another cloud than the cluster's: not the network, a wrong authority.
fn adjust_to_cloud(symptom: &mut Symptom, facts: &Facts, context: &Context<'_>) {
    if symptom.kind != Kind::Network {
        return;
    }
    let (Some(host), Some(issuer)) = (facts.host.as_deref(), facts.issuer.as_deref().or(context.issuer)) else {
        return;
    };
    let of_host = if host.ends_with(".cn") {
        "cn"
    } else if host.ends_with(".us") {
        "us"
    } else {
        "com"
    };
    let of_issuer = ["com", "us", "cn"].into_iter().find(|cloud| issuer.contains(&format!(".prod-aks.azure.{cloud}/")));
    if of_issuer.is_some_and(|cloud| cloud != of_host) {
        put_first(&mut symptom.points_to, &["WI310", "WI108"]);
        symptom.gives = None;
        symptom.causes.insert(0, Cow::Borrowed("the host belongs to another Azure cloud than the cluster: AZURE_AUTHORITY_HOST, or the webhook's AZURE_ENVIRONMENT"));
    }
}

fn adjust_to_context(symptom: &mut Symptom, context: &Context<'_>) {
    if context.meant == Some(false) {
        let chosen = matches!(symptom.kind, Kind::NodeIdentity | Kind::OtherCredential | Kind::Roles | Kind::Firewall)
            || symptom.signature == "chain-failed";
        if chosen {
            symptom.code = "WI807";
            symptom.kind = Kind::Elsewhere;
            symptom.class = Some(Class::ChosenCredential);
            symptom.gives = None;
            symptom.points_to.clear();
        } else if symptom.kind == Kind::PodIdentity {
            symptom.code = "WI309";
        }
        return;
    }
    let about = matches!(symptom.kind, Kind::NodeIdentity | Kind::NotConfigured | Kind::PodIdentity | Kind::Summary);
    match context.mutated {
        Some(true) if about => {
            let not: &[&str] = &["WI101", "WI401", "WI301", "WI303", "WI722"];
            symptom.points_to.retain(|code| !not.contains(code));
            if symptom.kind == Kind::NotConfigured && symptom.signature == "no-client-id" {
                put_first(&mut symptom.points_to, &["WI202", "WI204", "WI105", "WI108"]);
            } else if symptom.kind == Kind::NodeIdentity {
                for code in ["WI776", "WI775", "WI107"] {
                    if !symptom.points_to.contains(&code) {
                        symptom.points_to.push(code);
                    }
                }
                symptom.causes.insert(0, Cow::Borrowed("the pod has its token and variables: the code or a setting asks for a managed identity outright"));
            }
        }
        Some(false) if about => {
            symptom.points_to.retain(|code| !["WI107", "WI776"].contains(code));
        }
        _ => {}
    }
}

/// Puts codes at the head of a list, once.
pub(super) fn put_first(list: &mut Vec<&'static str>, first: &[&'static str]) {
    list.retain(|code| !first.contains(code));
    list.splice(0..0, first.iter().copied());
}

/// The line of the hit, or what is around it in a line that is too long; secrets hidden, on one line.
fn excerpt(entry: &Entry<'_>, hit: &Range<usize>) -> String {
    let text = &entry.text;
    let origin = entry.squeezed.origin(hit.clone());
    let line_start = text[..origin.start].rfind('\n').map_or(0, |at| at + 1);
    let start = boundary(text, line_start.max(origin.start.saturating_sub(160)));
    let hit_end = boundary(text, origin.end);
    let mut end = text[hit_end..].find('\n').map_or(text.len(), |at| hit_end + at);
    // A line that a terminal broke, or a message that begins in the next one.
    while end < text.len() && end - start < 200 && worth(&text[start..end]) < 100 {
        end = text[end + 1..].find('\n').map_or(text.len(), |at| end + 1 + at);
    }
    let end = boundary(text, end.min(start + EXCERPT));
    let rules = |word: &&str| !(word.len() > 8 && word.chars().all(|char| "-=_*".contains(char)));
    let words: Vec<&str> = text[start..end.max(start)].split_whitespace().filter(rules).collect();
    reveal(&words.join(" "))
}

/// How many letters a piece has.
fn worth(text: &str) -> usize {
    text.chars().filter(|char| char.is_alphanumeric()).count()
}

/// The nearest place at or after `at` where a character begins.
fn boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
