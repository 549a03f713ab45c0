//! WI5 and WI6: federated credentials, managed identities, roles. From Azure's own answers, from what operators in the
//! cluster declare, and from Entra's words.

pub mod capacity;
pub mod cluster;
pub mod contested;
pub mod credential;
mod fixes;
pub mod identity;
mod judge;
pub mod role;

use crate::azure::facts::IdentityFacts;
use crate::azure::object::{application_ref, identity_ref};
use crate::chain::Chain;
use crate::chain::azure::Presentation;
use crate::model::object::ObjectRef;
use crate::rules::Reads;
use crate::token::difference::account;

/// What a rule about credentials reads: the token that is expected, and what Azure, operators and Entra say about it.
const READS: &[Reads] = &[
    Reads::Template,
    Reads::Account,
    Reads::Webhook,
    Reads::Cluster,
    Reads::Objects,
    Reads::Events,
    Reads::Probe,
    Reads::Exchange,
    Reads::Identity,
    Reads::Credentials,
];

/// The service account of a token, or the target where the subject is none's.
fn account_ref(chain: &Chain<'_>, subject: &str) -> ObjectRef {
    match account(subject) {
        Some((namespace, name)) => ObjectRef::service_account(namespace, name),
        None => chain.target().object().clone(),
    }
}

/// The identity or app registration that a finding is about.
fn identity_object(shown: &Presentation, facts: &IdentityFacts) -> ObjectRef {
    match facts.found() {
        Some(found) => identity_ref(&found.id),
        None => application_ref(&shown.client),
    }
}

/// `identity mi1`, `app registration shop`, or the client id.
fn named(shown: &Presentation, facts: &IdentityFacts) -> String {
    match (facts.found(), facts.name()) {
        (Some(found), _) => format!("identity {}", found.id.name()),
        (None, Some(name)) if !name.is_empty() => format!("app registration {name}"),
        _ => format!("client id {}", shown.client),
    }
}

/// Each identity of a chain once, with what Azure said about it.
fn identities<'a>(chain: &Chain<'a>) -> Vec<(Presentation, &'a IdentityFacts)> {
    let mut seen = Vec::new();
    let mut all = Vec::new();
    for shown in chain.presentations() {
        if let Some(facts) = chain.azure_identity(shown.client)
            && !seen.contains(&shown.client)
        {
            seen.push(shown.client);
            all.push((shown, facts));
        }
    }
    all
}
