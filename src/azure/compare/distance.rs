//! How far a credential is from a token: whether it was meant for it and is only written wrongly.
//!
//! What differs, and why, is shown by [`crate::token::difference`]; here it is weighed.

use super::Presented;
use crate::azure::cloud::{CloudName, IDENTITY_BINDING_AUDIENCE};
use crate::azure::identities::FederatedCredential;
use crate::token::difference::{Difference, Field, account};
use crate::webhook::keys::DEFAULT_AUDIENCE;
use url::Url;

/// A slip of the pen: white space, a slash, letter case, a character.
const SLIP: u32 = 1;
/// Another thing of the same kind: another cluster, another account.
const OTHER: u32 = 2;
/// Another workload of the same cluster.
const ANOTHER_WORKLOAD: u32 = 3;
/// Something else altogether.
const STRANGER: u32 = 10;

/// Two texts with so many single-character edits between them are one text and a typing error.
const TYPING_ERROR: usize = 2;

/// What differs, field by field, with the sum of the weights; nothing where the credential matches. `found` is what the
/// credential says, `expected` what the token says.
pub(super) fn differences(presented: &Presented, credential: &FederatedCredential) -> (u32, Vec<Difference>) {
    let subject = credential.subject.as_deref().unwrap_or_default();
    // Azure takes exactly one audience; of several it is the first that is shown.
    let audience = match credential.audiences.iter().find(|audience| **audience == presented.audience) {
        Some(own) => own.as_str(),
        None => credential.audiences.first().map(String::as_str).unwrap_or_default(),
    };
    let pairs = [
        (Field::Issuer, credential.issuer.as_str(), presented.issuer.as_str()),
        (Field::Subject, subject, presented.subject.as_str()),
        (Field::Audience, audience, presented.audience.as_str()),
    ];
    let mut sum = 0;
    let mut all = Vec::new();
    for (field, found, expected) in pairs {
        if let Some(difference) = Difference::between(field, found, expected) {
            sum += weight(field, expected, found);
            all.push(difference);
        }
    }
    (sum, all)
}

fn weight(field: Field, token: &str, credential: &str) -> u32 {
    if bare(token) == bare(credential) {
        return SLIP;
    }
    match field {
        Field::Issuer => issuer(token, credential),
        Field::Subject => subject(token, credential),
        Field::Audience => audience(token, credential),
        Field::Other => STRANGER,
    }
}

/// Without what people get wrong: white space, quotes, case, the slash at the end.
fn bare(text: &str) -> String {
    let mut bare: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'' | '`'))
        .flat_map(char::to_lowercase)
        .collect();
    bare.truncate(bare.trim_end_matches('/').len());
    bare
}

fn is_typing_error(token: &str, credential: &str) -> bool {
    token.len().abs_diff(credential.len()) <= TYPING_ERROR
        // In a short name two letters are another name.
        && token.len() > 4 * TYPING_ERROR
        && token.len() <= 1024
        && strsim::osa_distance(token, credential) <= TYPING_ERROR
}

fn issuer(token: &str, credential: &str) -> u32 {
    // The address of the discovery document or of the keys in the issuer's place, and another scheme.
    let stem = |url: &str| {
        let url = bare(url);
        let url = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let ends = ["/.well-known/openid-configuration", "/openid/v1/jwks"];
        ends.iter().find_map(|end| url.strip_suffix(end)).unwrap_or(url).trim_end_matches('/').to_owned()
    };
    if stem(token) == stem(credential) {
        return SLIP;
    }
    if let (Some(one), Some(other)) = (aks_path(token), aks_path(credential)) {
        // The same cluster below another region's host.
        return if one == other { SLIP } else { OTHER };
    }
    if is_typing_error(token, credential) {
        return SLIP;
    }
    if is_cluster_issuer(credential) || is_placeholder(credential) { OTHER } else { STRANGER }
}

/// A value that somebody meant to fill in.
fn is_placeholder(text: &str) -> bool {
    text.contains("${") || (text.contains('<') && text.contains('>'))
}

/// Path of an AKS cluster's issuer: `https://{region}.oic.prod-aks.azure.com/{tenant}/{id}/`, in 2022
/// `https://oidc.prod-aks.azure.com/{id}/`.
fn aks_path(issuer: &str) -> Option<String> {
    let url = Url::parse(issuer.trim()).ok()?;
    let is_aks = CloudName::of_issuer(issuer.trim()).is_some() || url.host_str()? == "oidc.prod-aks.azure.com";
    is_aks.then(|| url.path().trim_end_matches('/').to_ascii_lowercase())
}

/// Issuers of clusters: the large managed services', those on a storage account, and the one that Kubernetes has where
/// nobody set any. One's own can be anywhere.
fn is_cluster_issuer(issuer: &str) -> bool {
    if aks_path(issuer).is_some() || issuer.contains("kubernetes") {
        return true;
    }
    let Ok(url) = Url::parse(issuer.trim()) else { return false };
    let host = url.host_str().unwrap_or_default();
    (host.starts_with("oidc.eks.") && host.contains(".amazonaws.com"))
        || (host == "container.googleapis.com" && url.path().contains("/clusters/"))
        || [".blob.core.windows.net", ".web.core.windows.net", ".s3.amazonaws.com"]
            .iter()
            .any(|end| host.ends_with(end))
}

fn subject(token: &str, credential: &str) -> u32 {
    if is_placeholder(credential) {
        return OTHER;
    }
    let Some((namespace, name)) = account(token) else {
        return if is_typing_error(token, credential) { SLIP } else { STRANGER };
    };
    if credential.contains(['*', '?']) {
        return if credential.starts_with("system:serviceaccount:") { OTHER } else { STRANGER };
    }
    let Some((other_namespace, other_name)) = account(credential) else {
        let names_both = is_word_of(credential, namespace) && is_word_of(credential, name);
        return if names_both || is_typing_error(token, credential) { SLIP } else { STRANGER };
    };
    match (namespace == other_namespace, name == other_name) {
        _ if namespace == other_name && name == other_namespace => SLIP,
        (true, _) if is_typing_error(name, other_name) => SLIP,
        (_, true) if is_typing_error(namespace, other_namespace) => SLIP,
        (false, false) => ANOTHER_WORKLOAD,
        _ => OTHER,
    }
}

/// Whether a text has a name as a word of its own.
fn is_word_of(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.')).any(|word| word == name)
}

fn audience(token: &str, credential: &str) -> u32 {
    let pair = [token, credential];
    if pair.contains(&IDENTITY_BINDING_AUDIENCE) {
        return OTHER;
    }
    // The audiences of the clouds differ in their last letters.
    let of_a_cloud = pair.iter().all(|text| text.starts_with(DEFAULT_AUDIENCE));
    if of_a_cloud || is_typing_error(token, credential) { SLIP } else { OTHER }
}
