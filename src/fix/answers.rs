//! Values that only a person knows: what is asked, what is likely, and what was answered.

use crate::inspect::Input;
use crate::model::finding::Ask;
use crate::model::object::ObjectRef;
use crate::webhook::keys;
use std::collections::BTreeMap;

/// What was answered so far: by flags, or by a person.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// `--client-id`: for every account that needs one.
    pub client_id: Option<String>,
    /// `--tenant-id`
    pub tenant_id: Option<String>,
    /// `--service-account`
    pub service_account: Option<String>,
    /// What was answered for one object.
    pub given: BTreeMap<(&'static str, ObjectRef), String>,
}

/// A value that may be the right one, and where it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The value.
    pub value: String,
    /// Where it was seen.
    pub seen: String,
}

impl Answers {
    /// The answer to a question; `None` where it is open.
    pub fn get(&self, ask: &Ask) -> Option<&str> {
        let general = match ask {
            Ask::ClientId(_) => &self.client_id,
            Ask::TenantId(_) => &self.tenant_id,
            Ask::ServiceAccount(_) => &self.service_account,
        };
        self.given.get(&key(ask)).or(general.as_ref()).map(String::as_str)
    }

    /// Notes an answer.
    pub fn give(&mut self, ask: &Ask, value: String) {
        self.given.insert(key(ask), value);
    }
}

fn key(ask: &Ask) -> (&'static str, ObjectRef) {
    (what(ask), object(ask).clone())
}

/// How the value is called.
pub fn what(ask: &Ask) -> &'static str {
    match ask {
        Ask::ClientId(_) => "client id",
        Ask::TenantId(_) => "tenant id",
        Ask::ServiceAccount(_) => "service account",
    }
}

/// The flag that answers beforehand.
pub fn flag(ask: &Ask) -> &'static str {
    match ask {
        Ask::ClientId(_) => "--client-id",
        Ask::TenantId(_) => "--tenant-id",
        Ask::ServiceAccount(_) => "--service-account",
    }
}

/// The object that the value is for.
pub fn object(ask: &Ask) -> &ObjectRef {
    match ask {
        Ask::ClientId(object) | Ask::TenantId(object) | Ask::ServiceAccount(object) => object,
    }
}

/// Whether a text can be the answer; the reason why not is a sentence.
pub fn check(ask: &Ask, value: &str) -> Result<(), String> {
    match ask {
        Ask::ClientId(_) | Ask::TenantId(_) if !is_guid(value) => Err(format!(
            "a {} is a GUID such as 3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2, and \"{value}\" is none",
            what(ask)
        )),
        Ask::ServiceAccount(_) if value.is_empty() || value.contains(['/', ' ']) => {
            Err(format!("\"{value}\" is no name of a service account"))
        }
        _ => Ok(()),
    }
}

/// Eight, four, four, four and twelve hexadecimal digits.
pub fn is_guid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// What was seen that may be the answer, the likeliest first.
pub fn candidates(ask: &Ask, input: &Input) -> Vec<Candidate> {
    let namespace = object(ask).namespace.as_deref().unwrap_or_default();
    let mut found = Vec::new();
    match ask {
        Ask::ClientId(account) => {
            variables(&mut found, input, account, keys::ENV_CLIENT_ID);
            annotations(&mut found, input, namespace, keys::CLIENT_ID);
        }
        Ask::TenantId(account) => {
            variables(&mut found, input, account, keys::ENV_TENANT_ID);
            if let Some(webhook) = input.cluster.webhook.known()
                && let Some(tenant) = &webhook.settings.tenant_id
            {
                found.push(Candidate { value: tenant.clone(), seen: "the identity webhook's tenant".to_owned() });
            }
            annotations(&mut found, input, namespace, keys::TENANT_ID);
        }
        Ask::ServiceAccount(_) => {
            let accounts = input.inventory.accounts_in(namespace);
            found.extend(accounts.filter_map(|account| {
                let id = account.meta.annotation(keys::CLIENT_ID)?;
                Some(Candidate { value: account.meta.name().to_owned(), seen: format!("has client id {id}") })
            }));
        }
    }
    let guids = !matches!(ask, Ask::ServiceAccount(_));
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|candidate| (!guids || is_guid(&candidate.value)) && seen.insert(candidate.value.clone()));
    found
}

fn variables(found: &mut Vec<Candidate>, input: &Input, account: &ObjectRef, name: &str) {
    let namespace = account.namespace.as_deref().unwrap_or_default();
    for workload in input.inventory.workloads_of_account(namespace, &account.name) {
        for (_, _, container) in workload.template.spec.all_containers() {
            let Some(value) = container.variable(name).and_then(|variable| variable.literal()) else { continue };
            let seen = format!("{name} of container {} in {}", container.name, workload.meta.object);
            found.push(Candidate { value: value.to_owned(), seen });
        }
    }
}

fn annotations(found: &mut Vec<Candidate>, input: &Input, namespace: &str, key: &str) {
    let mut all: Vec<_> = input.inventory.accounts().collect();
    all.sort_by_key(|account| account.meta.namespace() != namespace);
    for account in all {
        if let Some(value) = account.meta.annotation(key) {
            let seen = format!("service account {}", account.meta.object.path());
            found.push(Candidate { value: value.to_owned(), seen });
        }
    }
}
