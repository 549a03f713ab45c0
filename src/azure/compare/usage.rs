//! The other direction: what a credential is for, who else writes it, and client ids that are none.

use super::is_identity_binding;
use crate::azure::declared::{Declared, DeclaredCredential, writer_of};
use crate::azure::guid::Guid;
use crate::azure::identities::{FederatedCredential, Identity};
use crate::azure::resource_id::ResourceId;
use crate::token::difference::account as account_of;
use schemars::JsonSchema;
use serde::Serialize;

/// What is known about a service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// A workload runs as it with this identity.
    Used,
    /// It exists, and no workload that was seen uses this identity through it.
    Unused,
    /// It does not exist.
    Missing,
    /// It was not, or could not be, looked for.
    Unknown,
}

/// Whom a credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "CredentialUsage")]
pub enum Usage {
    /// A workload of this cluster uses it.
    Used,
    /// The account exists here, and no workload uses it with this identity.
    Unused,
    /// The account does not exist: whoever creates one of that name gets the identity.
    AccountMissing,
    /// This cluster, and the account was not looked at.
    Unknown,
    /// Another issuer.
    Elsewhere,
    /// AKS manages it, for identity bindings.
    IdentityBinding,
    /// An expression decides: any number of accounts.
    Flexible,
}

/// What a credential is for. `account` is asked about namespace and name.
pub fn usage(credential: &FederatedCredential, issuer: &str, account: &dyn Fn(&str, &str) -> AccountState) -> Usage {
    if is_identity_binding(credential) {
        return Usage::IdentityBinding;
    }
    if credential.issuer != issuer {
        return Usage::Elsewhere;
    }
    let Some(subject) = &credential.subject else { return Usage::Flexible };
    let Some((namespace, name)) = account_of(subject) else { return Usage::AccountMissing };
    match account(namespace, name) {
        AccountState::Used => Usage::Used,
        AccountState::Unused => Usage::Unused,
        AccountState::Missing => Usage::AccountMissing,
        AccountState::Unknown => Usage::Unknown,
    }
}

/// Whether a credential is for a Kubernetes account of an issuer that is none of the known clusters'. A slash more or
/// less is the near miss of a known one, not a stale one.
pub fn is_stale(credential: &FederatedCredential, known_issuers: &[&str]) -> bool {
    let bare = credential.issuer.trim().trim_end_matches('/');
    !is_identity_binding(credential)
        && credential.subject.as_deref().is_some_and(|subject| account_of(subject).is_some())
        && !known_issuers.iter().any(|known| known.trim_end_matches('/').eq_ignore_ascii_case(bare))
}

/// Who else writes a credential, so that a correction here is reverted there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contest<'a> {
    /// An operator's object in the cluster or in the files.
    Declared(&'a DeclaredCredential),
    /// The identity's tags name a tool. The tags are of the identity, a credential has none: so this is likely, not
    /// known.
    Tagged {
        /// The tool's name.
        tool: &'static str,
        /// The tag, as `key=value`.
        tag: String,
    },
}

/// Who else writes a credential of this name: an operator's object, else a tool that the identity's tags name.
pub fn contested<'a>(
    identity: &ResourceId,
    tags: Option<&Identity>,
    name: &str,
    declared: &'a [Declared],
) -> Option<Contest<'a>> {
    if let Some(credential) = writer_of(declared, identity, name) {
        return Some(Contest::Declared(credential));
    }
    let (tool, tag) = automation_of_tags(tags?)?;
    Some(Contest::Tagged { tool, tag })
}

/// The tool that an identity's tags name, and the tag: `managed-by=terraform`, `crossplane-name=…`.
pub fn automation_of_tags(identity: &Identity) -> Option<(&'static str, String)> {
    const TOOLS: [(&str, &str); 8] = [
        ("terraform", "Terraform"),
        ("opentofu", "OpenTofu"),
        ("terragrunt", "Terragrunt"),
        ("pulumi", "Pulumi"),
        ("crossplane", "Crossplane"),
        ("bicep", "Bicep"),
        ("ansible", "Ansible"),
        ("azd-env-name", "Azure Developer CLI"),
    ];
    identity.tags.iter().find_map(|(key, value)| {
        let text = format!("{key}={value}").to_lowercase();
        let (_, tool) = TOOLS.iter().find(|(word, _)| text.contains(word))?;
        // `terraform=false` says the opposite.
        let denied = ["false", "no", "0"].contains(&value.to_lowercase().as_str());
        (!denied).then(|| (*tool, format!("{key}={value}")))
    })
}

/// What stands where the client id belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// The object id (principal id).
    ObjectId,
    /// The ARM id.
    ResourceId,
    /// The resource's name.
    Name,
}

/// The identity that a value means which is no client id: WI508 gives its client id.
pub fn mistaken_client_id<'a>(value: &str, identities: &'a [Identity]) -> Option<(Mistake, &'a Identity)> {
    let value = value.trim();
    if let Some(guid) = Guid::parse(value) {
        if identities.iter().any(|identity| identity.client_id == Some(guid)) {
            return None;
        }
        let found = identities.iter().find(|identity| identity.principal_id == Some(guid))?;
        return Some((Mistake::ObjectId, found));
    }
    if let Ok(id) = ResourceId::parse(value) {
        let found = identities.iter().find(|identity| identity.id == id)?;
        return Some((Mistake::ResourceId, found));
    }
    let mut named = identities.iter().filter(|identity| identity.id.name().eq_ignore_ascii_case(value));
    match (named.next(), named.next()) {
        // Two identities of one name: it is not known which is meant.
        (Some(found), None) => Some((Mistake::Name, found)),
        _ => None,
    }
}
