//! `inspect identity/CLIENT-ID`: an identity seen from its own side. Which workloads use it, which of its credentials no
//! workload here uses, and which name an account that does not exist.

use super::style::{Style, clean, columns, pad, wrap};
use crate::azure::compare::{AccountState, Usage, usage};
use crate::azure::facts::{AzureFacts, IdentityFacts};
use crate::azure::{Discovered, FederatedCredential, Guid};
use crate::chain::Chain;
use crate::chain::azure::not_seen;
use crate::chain::select::{Item, Selection};
use crate::inspect::Input;
use crate::model::fact::Fact;
use crate::model::inventory::Inventory;
use crate::model::object::ObjectRef;
use crate::token::difference::account;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// An identity that was named.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityView {
    /// Its client id.
    pub client_id: String,
    /// Its name; `None` where Azure was not asked, or does not know it.
    pub name: Option<String>,
    /// Its ARM id, where it is a managed identity that was found.
    pub id: Option<String>,
    /// The workloads and accounts here that use it.
    pub used_by: Vec<ObjectRef>,
    /// Its federated credentials; `None` where they were not, or could not be, read.
    pub credentials: Option<Vec<CredentialView>>,
    /// Why they were not read.
    pub why: Option<String>,
}

/// One of its credentials, as this cluster sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialView {
    /// Its name.
    pub name: String,
    /// `issuer`
    pub issuer: String,
    /// `subject`; `None` for a flexible credential.
    pub subject: Option<String>,
    /// `audiences`
    pub audiences: Vec<String>,
    /// Whom it is for.
    pub usage: Usage,
}

/// The identities that a selection names, as Azure knows them and the chains use them.
pub fn views(selection: &Selection, chains: &[Chain<'_>], input: &Input) -> Vec<IdentityView> {
    let named = selection.items.iter().filter_map(|item| match item {
        Item::Identity(client) => Guid::parse(client.trim()),
        Item::Object { .. } => None,
    });
    named.map(|client| view(client, chains, input)).collect()
}

/// The same selection without identities that nobody here uses and that Azure knows: they are shown for themselves.
pub fn without_unused(selection: &Selection, azure: &AzureFacts, is_used: impl Fn(&Item) -> bool) -> Selection {
    let known = |client: &str| {
        let facts = Guid::parse(client.trim()).and_then(|client| azure.identities.get(&client));
        facts.is_some_and(|facts| facts.discovered != Discovered::NotSeen)
    };
    let keeps = |item: &&Item| match item {
        Item::Identity(client) => is_used(item) || !known(client),
        Item::Object { .. } => true,
    };
    Selection { items: selection.items.iter().filter(keeps).cloned().collect(), ..selection.clone() }
}

fn view(client: Guid, chains: &[Chain<'_>], input: &Input) -> IdentityView {
    let (inventory, azure) = (&input.inventory, &input.azure);
    let uses = |chain: &&Chain<'_>| chain.presentations().iter().any(|shown| shown.client == client);
    let users: Vec<&Chain<'_>> = chains.iter().filter(uses).collect();
    let used_by = users.iter().map(|chain| chain.target().object().clone()).collect();
    let subjects: Vec<String> = users
        .iter()
        .flat_map(|chain| chain.presentations())
        .filter(|shown| shown.client == client)
        .map(|shown| shown.subject)
        .collect();
    let issuer = input.cluster.issuer.known();
    let facts = azure.identities.get(&client);
    let (credentials, why) = match (facts.map(|facts| &facts.credentials), issuer) {
        (Some(Fact::Known(credentials)), Some(issuer)) => {
            let state = |namespace: &str, name: &str| account_state(namespace, name, &subjects, inventory);
            let read = |credential: &FederatedCredential| CredentialView {
                name: credential.name.clone(),
                issuer: credential.issuer.clone(),
                subject: credential.subject.clone(),
                audiences: credential.audiences.clone(),
                usage: usage(credential, issuer, &state),
            };
            (Some(credentials.iter().map(read).collect()), None)
        }
        (Some(Fact::Known(_)), None) => (None, Some("the cluster's issuer is not known; --issuer names it".to_owned())),
        (Some(other), _) => (None, Some(other.why().unwrap_or_else(|| open(facts, azure)))),
        (None, _) => (None, Some("Azure was not asked; --azure asks it".to_owned())),
    };
    IdentityView {
        client_id: client.to_string(),
        name: facts.and_then(IdentityFacts::name).map(str::to_owned),
        id: facts.and_then(IdentityFacts::found).map(|found| found.id.to_string()),
        used_by,
        credentials,
        why,
    }
}

fn open(facts: Option<&IdentityFacts>, azure: &AzureFacts) -> String {
    match facts.map(|facts| &facts.discovered) {
        Some(Discovered::NotSeen) => not_seen(azure),
        Some(Discovered::ForeignApplication { .. }) => "its registration is in another tenant".to_owned(),
        _ => "it can hold none".to_owned(),
    }
}

fn account_state(namespace: &str, name: &str, subjects: &[String], inventory: &Inventory) -> AccountState {
    if subjects.iter().any(|subject| account(subject) == Some((namespace, name))) {
        return AccountState::Used;
    }
    match inventory.account(namespace, name) {
        Fact::Known(_) => AccountState::Unused,
        Fact::Absent => AccountState::Missing,
        _ => AccountState::Unknown,
    }
}

/// Draws them.
pub fn draw(views: &[IdentityView], style: Style) -> String {
    let mut out = String::new();
    for view in views {
        one(&mut out, view, style);
    }
    out
}

fn one(out: &mut String, view: &IdentityView, style: Style) {
    let name = view.name.as_deref().unwrap_or("identity");
    let _ =
        writeln!(out, "{}   {}", style.bold(&clean(name)), style.dim(&clean(&format!("client id {}", view.client_id))));
    if let Some(id) = &view.id {
        let _ = writeln!(out, "  {}", style.dim(&clean(id)));
    }
    let users: Vec<String> = view.used_by.iter().map(ToString::to_string).collect();
    let users = if users.is_empty() { "nothing that was looked at".to_owned() } else { users.join(", ") };
    for (at, line) in wrap(&clean(&format!("used by {users}")), style.width.saturating_sub(2)).iter().enumerate() {
        let _ = writeln!(out, "  {}{line}", if at == 0 { "" } else { "  " });
    }
    match (&view.credentials, &view.why) {
        (Some(credentials), _) if credentials.is_empty() => {
            let _ = writeln!(out, "  no federated credential");
        }
        (Some(credentials), _) => {
            let width = credentials.iter().map(|one| columns(&clean(&one.name))).max().unwrap_or_default();
            for credential in credentials {
                line(out, credential, width, style);
            }
        }
        (None, Some(why)) => {
            for (at, line) in wrap(&clean(&format!("credentials not checked: {why}")), style.width.saturating_sub(2))
                .iter()
                .enumerate()
            {
                let _ = writeln!(out, "  {}{}", if at == 0 { "" } else { "  " }, style.warning(line));
            }
        }
        (None, None) => {}
    }
    out.push('\n');
}

fn line(out: &mut String, credential: &CredentialView, width: usize, style: Style) {
    let subject = credential.subject.as_deref().unwrap_or("by an expression");
    let who = match account(subject) {
        Some((namespace, name)) => format!("service account {namespace}/{name}"),
        None => subject.to_owned(),
    };
    let (mark, text) = match credential.usage {
        Usage::Used => (style.good(" ok"), format!("{who}, in use")),
        Usage::Unused => (style.dim("  -"), format!("{who}, which no workload here uses with this identity")),
        Usage::AccountMissing => {
            (style.error("  !"), format!("{who} does not exist: whoever creates it gets this identity"))
        }
        Usage::Unknown => (style.warning("  ?"), format!("{who}, which was not looked at; -A looks everywhere")),
        Usage::Elsewhere => (style.dim("  -"), format!("{who} of another issuer, {}", credential.issuer)),
        Usage::IdentityBinding => (style.dim("  -"), "of AKS identity bindings, which AKS manages".to_owned()),
        Usage::Flexible => (style.warning("  ?"), "flexible: its expression lets in any number of accounts".to_owned()),
    };
    let name = pad(&clean(&credential.name), width + 2);
    for (at, line) in wrap(&clean(&text), style.width.saturating_sub(width + 8).max(20)).iter().enumerate() {
        if at == 0 {
            let _ = writeln!(out, "  {mark} {name}{line}");
        } else {
            let _ = writeln!(out, "{}{line}", " ".repeat(8 + width));
        }
    }
}
