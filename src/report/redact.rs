//! A report that can be shown to strangers: names, hosts and GUIDs give way to numbered stand-ins.
//!
//! Within one report the same word always has the same stand-in. Stand-ins are numbered in the order in which words
//! appear, so nothing of the word is in them, and there is no way back; the ids of findings, which are hashes of names,
//! are numbered too. What is the same on every cluster (kinds, fields, public hosts, `kube-system`) stays.

use super::identity::{CredentialView, IdentityView};
use super::model::{IdentityReport, InspectReport, OwnerReport, TargetReport};
use crate::azure::facts::AzureFacts;
use crate::chain::needs::AzureNeeds;
use crate::inspect::Input;
use crate::model::finding::{Finding, Operation};
use crate::model::inventory::Inventory;
use crate::model::object::ObjectRef;
use crate::symptoms::{Facts, PastedReport, PastedToken, Symptom};
use regex::{Captures, Regex};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// Names that every cluster has.
const PUBLIC_NAMES: &[&str] = &[
    "default",
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "azure-workload-identity-system",
    "azure-wi-webhook-mutating-webhook-configuration",
    "azure-wi-webhook-webhook-service",
    "azure-wi-webhook-controller-manager",
    "azure-wi-webhook-config",
    "kube-root-ca.crt",
];

/// Hosts and keys that are the same for everybody: whole, or as the end of a name.
const PUBLIC_HOSTS: &[&str] = &[
    "k8s.io",
    "kubernetes.io",
    "github.com",
    "github.io",
    "learn.microsoft.com",
    "mcr.microsoft.com",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "management.azure.com",
    "azure.workload.identity",
    "velero.io",
    "keda.sh",
    "thanos.io",
];

#[allow(clippy::expect_used)] // constant patterns, compiled in every test
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?<guid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)",
        r"|(?<url>\b[a-z][a-z0-9+.-]*://)(?<authority>[^/\s,;)'\x22\]]+)(?<rest>/[^\s,;)'\x22\]]*)?",
        r"|(?<mail>[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)",
        r"|(?<word>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)",
    ))
    .expect("a constant pattern")
});

/// The report with stand-ins. The input says which words are names, also those that only a message mentions.
pub fn redact(report: &InspectReport, input: &Input) -> InspectReport {
    let mut names = names(report, &input.inventory);
    names.extend(of_azure(&input.azure));
    let mut redactor = Redactor { names, known: HashMap::new(), counts: HashMap::new() };
    let mut report = report.clone();
    redactor.report(&mut report);
    report
}

/// Names that only Azure told: of identities, credentials, groups, clusters, subscriptions and custom roles.
fn of_azure(facts: &AzureFacts) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut id = |id: &str| names.extend(named_in(id).into_iter().map(str::to_owned));
    for identity in facts.identities.values() {
        identity.found().into_iter().for_each(|found| id(found.id.as_str()));
        let assignments = identity.roles.iter().filter_map(|(_, roles)| roles.known());
        assignments.flat_map(|found| &found.list).for_each(|one| id(one.scope.as_str()));
    }
    facts.named.values().filter_map(|named| named.known()).for_each(|named| id(named.id.as_str()));
    facts.cluster.known().into_iter().for_each(|cluster| id(cluster.id.as_str()));
    for identity in facts.identities.values() {
        names.extend(identity.name().map(str::to_owned));
        names.extend(identity.credentials.known().into_iter().flatten().map(|credential| credential.name.clone()));
        let assignments = identity.roles.iter().filter_map(|(_, roles)| roles.known());
        let roles = assignments.flat_map(|found| found.definitions.values()).filter(|role| role.custom);
        names.extend(roles.map(|role| role.name.clone()));
    }
    names.extend(facts.searched.listed.iter().map(|(name, _)| name.clone()));
    names.extend(facts.searched.resource_graph.known().into_iter().flatten().cloned());
    names.retain(|name| !name.is_empty());
    names
}

/// The explanation of a pasted text with stand-ins.
pub fn pasted(report: &PastedReport) -> PastedReport {
    let mut report = report.clone();
    let symptoms = report.root.iter().chain(&report.others).chain(&report.consequences);
    let names = symptoms.flat_map(|symptom| {
        let Facts { namespace, service_account, scope, .. } = &symptom.facts;
        let named = [namespace, service_account].into_iter().flatten().map(String::as_str);
        named.chain(scope.iter().flat_map(|scope| named_in(scope)))
    });
    let names = names.filter(|name| !PUBLIC_NAMES.contains(name)).map(str::to_owned).collect();
    let mut redactor = Redactor { names, known: HashMap::new(), counts: HashMap::new() };
    let PastedReport { verdict: _, root, others, consequences, look: _, next, tokens, notes } = &mut report;
    root.iter_mut().chain(others).chain(consequences).for_each(|symptom| redactor.symptom(symptom));
    for PastedToken { issuer, subject, audiences, expires: _, algorithm: _, key_id } in tokens {
        [issuer, subject, key_id].into_iter().flatten().chain(audiences).for_each(|text| redactor.text(text));
    }
    next.iter_mut().chain(notes).for_each(|text| redactor.text(text));
    report
}

/// The names in a resource's id: the group, and every second part below the provider.
fn named_in(id: &str) -> Vec<&str> {
    let parts: Vec<&str> = id.split('/').collect();
    let at = |word: &str| parts.iter().position(|part| part.eq_ignore_ascii_case(word));
    let group = at("resourceGroups").and_then(|at| parts.get(at + 1)).copied();
    let below = at("providers").map_or(&[][..], |at| parts.get(at + 3..).unwrap_or_default());
    group.into_iter().chain(below.iter().step_by(2).copied()).filter(|name| !name.is_empty()).collect()
}

fn names(report: &InspectReport, inventory: &Inventory) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut object = |object: &ObjectRef| {
        names.insert(object.name.clone());
        names.extend(object.namespace.clone());
    };
    for target in &report.targets {
        object(&target.object);
    }
    for finding in findings(report) {
        object(&finding.object);
        for change in finding.fix.iter().flat_map(|fix| &fix.changes) {
            object(&change.object);
        }
    }
    inventory.workloads().iter().for_each(|workload| object(&workload.meta.object));
    inventory.accounts().for_each(|account| object(&account.meta.object));
    inventory.others().iter().for_each(|other| object(&other.meta.object));
    inventory.pods().iter().for_each(|pod| object(&pod.meta.object));
    for workload in inventory.workloads() {
        names.insert(workload.account().to_owned());
    }
    for target in &report.targets {
        names.extend(target.service_account.clone());
        names.extend(
            target.owner.iter().flat_map(|owner| owner.name.clone().into_iter().chain(owner.namespace.clone())),
        );
    }
    names.extend(report.cluster.iter().filter_map(|cluster| cluster.context.clone()));
    names.retain(|name| !name.is_empty() && !PUBLIC_NAMES.contains(&name.as_str()));
    names
}

fn findings(report: &InspectReport) -> impl Iterator<Item = &Finding> {
    report.targets.iter().flat_map(|target| &target.findings).chain(&report.findings)
}

struct Redactor {
    names: BTreeSet<String>,
    known: HashMap<String, String>,
    counts: HashMap<&'static str, usize>,
}

impl Redactor {
    /// The stand-in of a word; a new number for a new word.
    fn stand_in(&mut self, class: &'static str, word: &str) -> String {
        let key = format!("{class} {}", word.to_lowercase());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let count = self.counts.entry(class).or_default();
        *count += 1;
        let stand_in = match class {
            "guid" => format!("00000000-0000-4000-8000-{count:012}"),
            "host" => format!("host-{count}.example"),
            "person" => format!("person-{count}@example.com"),
            "file" => format!("file-{count}.yaml"),
            _ => format!("{class}-{count}"),
        };
        self.known.insert(key, stand_in.clone());
        stand_in
    }

    fn text(&mut self, text: &mut String) {
        let replaced = WORDS.replace_all(text, |found: &Captures<'_>| self.found(found)).into_owned();
        *text = replaced;
    }

    fn found(&mut self, found: &Captures<'_>) -> String {
        if let Some(guid) = found.name("guid") {
            return self.stand_in("guid", guid.as_str());
        }
        if let Some(mail) = found.name("mail") {
            return self.stand_in("person", mail.as_str());
        }
        if let (Some(scheme), Some(authority)) = (found.name("url"), found.name("authority")) {
            let rest = found.name("rest").map_or("", |rest| rest.as_str());
            return self.url(scheme.as_str(), authority.as_str(), rest);
        }
        let Some(word) = found.name("word") else { return found[0].to_owned() };
        self.word(word.as_str())
    }

    /// The host, and everything below it that is not public: a path names tenants, accounts and people.
    fn url(&mut self, scheme: &str, authority: &str, rest: &str) -> String {
        // The audiences of the exchange look like hosts: api://AzureADTokenExchange, ...USGov, ...China.
        let public = is_public_host(authority) || authority.starts_with("AzureADTokenExchange");
        let host = if public { authority.to_owned() } else { self.stand_in("host", authority) };
        let parts: Vec<String> = rest
            .split('/')
            .map(|part| match part {
                "" => String::new(),
                _ if is_guid(part) => self.stand_in("guid", part),
                ".well-known" | "openid-configuration" | "openid" | "v1" | "oauth2" | "token" => part.to_owned(),
                _ if public && (authority == "github.com" || authority.starts_with("learn.")) => part.to_owned(),
                _ => self.stand_in("name", part),
            })
            .collect();
        format!("{scheme}{host}{}", parts.join("/"))
    }

    fn word(&mut self, word: &str) -> String {
        if self.names.contains(word) {
            return self.stand_in("name", word);
        }
        if PUBLIC_NAMES.contains(&word) {
            return word.to_owned();
        }
        // `velero-7d9f8-abcde`: what is named after something else. `velero.backup`: namespace and name in one word.
        // A chart with its version (`velero-8.1.0`) is the same everywhere.
        let derived = self.names.iter().any(|name| {
            let rest = word.strip_prefix(name.as_str()).filter(|rest| rest.starts_with(['-', '.', '_']));
            rest.is_some_and(|rest| {
                let version = rest.trim_start_matches('-').trim_start_matches('v');
                !(version.starts_with(|c: char| c.is_ascii_digit())
                    && version.split(['-', '+']).next().is_some_and(|core| core.split('.').count() == 3))
            })
        });
        if derived && !is_field(word) {
            return self.stand_in("name", word);
        }
        if looks_like_host(word) && !is_public_host(word) {
            return self.stand_in("host", word);
        }
        word.to_owned()
    }

    fn report(&mut self, report: &mut InspectReport) {
        if let Some(cluster) = &mut report.cluster {
            if let Some(context) = &mut cluster.context {
                *context = self.stand_in("name", context);
            }
            [&mut cluster.server, &mut cluster.issuer].into_iter().flatten().for_each(|text| self.text(text));
        }
        report.targets.iter_mut().for_each(|target| self.target(target));
        report.findings.iter_mut().for_each(|finding| self.finding(finding));
        report.identities.iter_mut().for_each(|view| self.identity_view(view));
        for unknown in &mut report.unknown {
            self.text(&mut unknown.what);
            self.text(&mut unknown.why);
        }
    }

    fn identity_view(&mut self, view: &mut IdentityView) {
        let IdentityView { client_id, name, id, used_by, credentials, why } = view;
        self.text(client_id);
        [name, id, why].into_iter().flatten().for_each(|text| self.text(text));
        used_by.iter_mut().for_each(|object| self.object(object));
        for CredentialView { name, issuer, subject, audiences, usage: _ } in credentials.iter_mut().flatten() {
            [name, issuer].into_iter().chain(subject).chain(audiences).for_each(|text| self.text(text));
        }
    }

    /// Every field is named here, so that a new one cannot be forgotten.
    fn target(&mut self, target: &mut TargetReport) {
        let TargetReport {
            object,
            application: _,
            owner,
            service_account,
            identities,
            token_file: _,
            verdict: _,
            chain,
            findings,
            applied,
            azure,
            running,
            place,
            fix_arguments,
        } = target;
        self.object(object);
        if let Some(OwnerReport { manager: _, name, namespace }) = owner {
            [name, namespace].into_iter().flatten().for_each(|text| self.text(text));
        }
        service_account.iter_mut().for_each(|text| self.text(text));
        for identity in identities {
            let IdentityReport { client_id, tenant_id, issuer, subject, audience, source: _ } = identity;
            let all = [client_id, tenant_id, issuer, subject, audience];
            all.into_iter().flatten().for_each(|text| self.text(text));
        }
        for link in chain {
            self.text(&mut link.summary);
            link.findings.iter_mut().for_each(|id| *id = self.stand_in("finding", id));
        }
        if let Some(AzureNeeds { issuer, audiences, subjects, clients, commands }) = azure {
            issuer.iter_mut().for_each(|text| self.text(text));
            audiences.iter_mut().chain(subjects).chain(commands).for_each(|text| self.text(text));
            for (client, tenant) in clients {
                self.text(client);
                tenant.iter_mut().for_each(|text| self.text(text));
            }
        }
        running.iter_mut().for_each(|text| self.text(text));
        for change in applied.iter_mut().flat_map(|applied| &mut applied.differences) {
            [&mut change.before, &mut change.after].into_iter().flatten().for_each(|text| self.text(text));
        }
        findings.iter_mut().for_each(|finding| self.finding(finding));
        *place = None;
        fix_arguments.clear();
    }

    /// Every field that quotes the text; the rest of a symptom is ours.
    fn symptom(&mut self, symptom: &mut Symptom) {
        let Facts {
            aadsts: _,
            client_id,
            object_id,
            tenant,
            issuer,
            subject,
            audience,
            expected_subject,
            namespace,
            service_account,
            action: _,
            scope,
            resource,
            host,
            path: _,
            trace_id,
            correlation_id,
        } = &mut symptom.facts;
        let ids = [client_id, object_id, tenant, trace_id, correlation_id];
        let names = [issuer, subject, audience, expected_subject, namespace, service_account, scope, resource, host];
        ids.into_iter().chain(names).flatten().for_each(|text| self.text(text));
        self.text(&mut symptom.excerpt);
        symptom.next.iter_mut().for_each(|text| self.text(text));
        for text in symptom.causes.iter_mut().chain(std::iter::once(&mut symptom.means)) {
            if let Cow::Owned(text) = text {
                self.text(text);
            }
        }
    }

    fn object(&mut self, object: &mut ObjectRef) {
        // A document that could not be read stands for itself with its file's name.
        if object.kind == "File" {
            object.name = self.stand_in("file", &object.name);
        }
        let keep = |name: &str| PUBLIC_NAMES.contains(&name) || name.is_empty();
        if object.kind != "File" && !keep(&object.name) {
            object.name = self.stand_in("name", &object.name);
        }
        if let Some(namespace) = object.namespace.as_mut().filter(|namespace| !keep(namespace)) {
            *namespace = self.stand_in("name", namespace);
        }
    }

    fn finding(&mut self, finding: &mut Finding) {
        finding.id = self.stand_in("finding", &finding.id);
        finding.blocked_by.iter_mut().for_each(|id| *id = self.stand_in("finding", id));
        self.object(&mut finding.object);
        self.text(&mut finding.message);
        self.text(&mut finding.path);
        finding.evidence.iter_mut().for_each(|text| self.text(text));
        if let Some(source) = &mut finding.source {
            source.file = self.stand_in("file", &source.file);
            source.text = String::new();
        }
        let Some(fix) = &mut finding.fix else { return };
        self.text(&mut fix.summary);
        fix.commands.iter_mut().for_each(|text| self.text(text));
        fix.values.iter_mut().for_each(|text| self.text(text));
        for change in &mut fix.changes {
            self.object(&mut change.object);
            for operation in &mut change.patch {
                match operation {
                    Operation::Add { path, value } | Operation::Replace { path, value } => {
                        self.text(path);
                        self.value(value);
                    }
                    Operation::Remove { path } => self.text(path),
                }
            }
        }
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(all) => all.iter_mut().for_each(|value| self.value(value)),
            Value::Object(all) => all.values_mut().for_each(|value| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4
}

fn is_public_host(host: &str) -> bool {
    PUBLIC_HOSTS
        .iter()
        .any(|public| host.strip_suffix(public).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Keys of annotations and labels, and fields, are words with a dot too.
fn is_field(word: &str) -> bool {
    is_public_host(word)
}

/// A host outside of an URL: an address, or a name below one of the domains under which Azure and the world name hosts.
fn looks_like_host(word: &str) -> bool {
    const ENDS: &[&str] = &[
        ".net",
        ".com",
        ".org",
        ".io",
        ".ms",
        ".cn",
        ".us",
        ".de",
        ".eu",
        ".uk",
        ".dev",
        ".cloud",
        ".local",
        ".internal",
        ".svc",
        ".corp",
        ".lan",
    ];
    let address = word.split('.').count() == 4 && word.split('.').all(|part| part.parse::<u8>().is_ok());
    // The instance metadata service has the same address everywhere.
    (address && word != "169.254.169.254") || ENDS.iter().any(|end| word.ends_with(end))
}
