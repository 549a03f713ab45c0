//! How two texts that should be the same differ, in the words of the field.

use super::Presented;
use crate::azure::cloud::{CloudName, DEFAULT_AUDIENCE, IDENTITY_BINDING_AUDIENCE};
use crate::azure::identities::FederatedCredential;
use std::fmt;
use url::Url;

/// Two texts of this many single-character edits are one text and a typing error.
const TYPING_ERROR: usize = 2;

/// A field of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `issuer` and the token's `iss`
    Issuer,
    /// `subject` and the token's `sub`
    Subject,
    /// `audiences` and the token's `aud`
    Audience,
}

impl Field {
    /// The field's name in Azure.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Subject => "subject",
            Self::Audience => "audience",
        }
    }
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which one.
    pub field: Field,
    /// What the token says.
    pub token: String,
    /// What the credential says.
    pub credential: String,
    /// In what way they differ.
    pub why: Why,
}

/// In what way two values differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// White space at an end.
    WhiteSpace,
    /// A slash at the end, which AKS issuers have.
    TrailingSlash,
    /// Upper and lower case.
    LetterCase,
    /// `http` and `https`.
    Scheme,
    /// One or two characters.
    TypingError,
    /// The same cluster's path below another region's host.
    OtherRegion,
    /// Another cluster: recreated, or one of the same fleet.
    OtherCluster,
    /// The address of the API server inside the cluster, which Entra cannot reach.
    ClusterInternalIssuer,
    /// An issuer that is no cluster's.
    OtherIssuer,
    /// Namespace and account in each other's place.
    Swapped,
    /// `*` or `?`, which match only themselves.
    Wildcard,
    /// Not of the form `system:serviceaccount:NAMESPACE:ACCOUNT`, though it names both.
    MalformedSubject,
    /// The account's name in another namespace.
    OtherNamespace,
    /// Another account of the namespace.
    OtherAccount,
    /// Another account of another namespace.
    OtherWorkload,
    /// No Kubernetes subject.
    OtherSubject,
    /// The audience of a managed identity's token in this cloud, where the webhook projects the plain one (or the
    /// reverse).
    CloudAudience(CloudName),
    /// The audience of AKS identity bindings on one of the two sides.
    IdentityBindingAudience,
    /// Another audience.
    OtherAudience,
    /// The credential has no audience.
    NoAudience,
}

impl Why {
    /// How far apart two values are that differ in this way: 1 is a slip of the pen, 2 another thing of the same
    /// kind, 3 another workload, more is something else altogether.
    pub fn weight(self) -> u32 {
        match self {
            Self::WhiteSpace
            | Self::TrailingSlash
            | Self::LetterCase
            | Self::Scheme
            | Self::TypingError
            | Self::OtherRegion
            | Self::Swapped
            | Self::MalformedSubject
            | Self::CloudAudience(_) => 1,
            Self::OtherCluster
            | Self::ClusterInternalIssuer
            | Self::Wildcard
            | Self::OtherNamespace
            | Self::OtherAccount
            | Self::IdentityBindingAudience
            | Self::OtherAudience
            | Self::NoAudience => 2,
            Self::OtherWorkload => 3,
            Self::OtherIssuer | Self::OtherSubject => 10,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WhiteSpace => "white space at an end",
            Self::TrailingSlash => "a slash at the end",
            Self::LetterCase => "upper and lower case",
            Self::Scheme => "http and https",
            Self::TypingError => "a typing error",
            Self::OtherRegion => "another region",
            Self::OtherCluster => "another cluster",
            Self::ClusterInternalIssuer => "an address that only the cluster itself can reach",
            Self::OtherIssuer => "an issuer of something else",
            Self::Swapped => "namespace and account swapped",
            Self::Wildcard => "a wildcard, which matches only itself",
            Self::MalformedSubject => "not of the form system:serviceaccount:NAMESPACE:ACCOUNT",
            Self::OtherNamespace => "another namespace",
            Self::OtherAccount => "another service account",
            Self::OtherWorkload => "another namespace and service account",
            Self::OtherSubject => "a subject of something else",
            Self::CloudAudience(cloud) => {
                return write!(f, "the audience of a managed identity's token in cloud {cloud}");
            }
            Self::IdentityBindingAudience => "the audience of AKS identity bindings",
            Self::OtherAudience => "another audience",
            Self::NoAudience => "no audience",
        })
    }
}

/// What differs, field by field; nothing where the credential matches.
pub(super) fn compare_fields(presented: &Presented, credential: &FederatedCredential) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut add = |field, token: &str, credential: &str, why: Option<Why>| {
        if let Some(why) = why {
            differences.push(Difference { field, token: token.to_owned(), credential: credential.to_owned(), why });
        }
    };
    let issuer = &credential.issuer;
    add(Field::Issuer, &presented.issuer, issuer, issuer_difference(&presented.issuer, issuer));
    let subject = credential.subject.as_deref().unwrap_or_default();
    add(Field::Subject, &presented.subject, subject, subject_difference(&presented.subject, subject));
    if !credential.audiences.contains(&presented.audience) {
        let audience = credential.audiences.first().map(String::as_str).unwrap_or_default();
        add(Field::Audience, &presented.audience, audience, audience_difference(&presented.audience, audience));
    }
    differences
}

/// Namespace and account of `system:serviceaccount:NAMESPACE:ACCOUNT`.
pub fn split_subject(subject: &str) -> Option<(&str, &str)> {
    let (namespace, account) = subject.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let valid = !namespace.is_empty() && !account.is_empty() && !account.contains(':');
    valid.then_some((namespace, account))
}

/// What all three fields have in common.
fn spelling(token: &str, credential: &str) -> Option<Why> {
    let (bare_token, bare) = (token.trim(), credential.trim());
    if bare_token == bare {
        return Some(Why::WhiteSpace);
    }
    let slashless = |text: &str| text.trim_end_matches('/').to_owned();
    if slashless(bare_token) == slashless(bare) {
        return Some(Why::TrailingSlash);
    }
    if bare_token.eq_ignore_ascii_case(bare) {
        return Some(Why::LetterCase);
    }
    slashless(bare_token).eq_ignore_ascii_case(&slashless(bare)).then_some(Why::TrailingSlash)
}

fn is_typing_error(token: &str, credential: &str) -> bool {
    token.len().abs_diff(credential.len()) <= TYPING_ERROR
        && token.len() > 4 * TYPING_ERROR
        && token.len() <= 1024
        && strsim::osa_distance(token, credential) <= TYPING_ERROR
}

fn issuer_difference(token: &str, credential: &str) -> Option<Why> {
    if token == credential {
        return None;
    }
    if let Some(why) = spelling(token, credential) {
        return Some(why);
    }
    let rest = |url: &str| url.split_once("://").map(|(_, rest)| rest.trim_end_matches('/').to_owned());
    if rest(token).is_some() && rest(token) == rest(credential) {
        return Some(Why::Scheme);
    }
    if let (Some(one), Some(other)) = (aks_issuer(token), aks_issuer(credential)) {
        return Some(if one.1 == other.1 { Why::OtherRegion } else { Why::OtherCluster });
    }
    if is_internal(credential) {
        return Some(Why::ClusterInternalIssuer);
    }
    if is_typing_error(token, credential) {
        return Some(Why::TypingError);
    }
    Some(if is_cluster_issuer(credential) { Why::OtherCluster } else { Why::OtherIssuer })
}

/// Host and path of an AKS cluster's issuer: `https://{region}.oic.prod-aks.azure.com/{tenant}/{id}/`, in 2022
/// `https://oidc.prod-aks.azure.com/{id}/`.
fn aks_issuer(issuer: &str) -> Option<(String, String)> {
    let url = Url::parse(issuer).ok()?;
    let host = url.host_str()?;
    let is_aks = CloudName::of_issuer(issuer).is_some() || host == "oidc.prod-aks.azure.com";
    is_aks.then(|| (host.to_owned(), url.path().trim_end_matches('/').to_ascii_lowercase()))
}

fn is_internal(issuer: &str) -> bool {
    let host = Url::parse(issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| host == "kubernetes" || host.starts_with("kubernetes.default"))
        || issuer == "kubernetes/serviceaccount"
}

/// The issuers of the large managed services; one's own can be anywhere.
fn is_cluster_issuer(issuer: &str) -> bool {
    let Ok(url) = Url::parse(issuer) else { return false };
    let host = url.host_str().unwrap_or_default();
    aks_issuer(issuer).is_some()
        || (host.starts_with("oidc.eks.") && host.contains(".amazonaws.com"))
        || (host == "container.googleapis.com" && url.path().contains("/clusters/"))
        || (host.ends_with(".blob.core.windows.net") || host.ends_with(".web.core.windows.net"))
        || host.ends_with(".s3.amazonaws.com")
}

fn subject_difference(token: &str, credential: &str) -> Option<Why> {
    if token == credential {
        return None;
    }
    if credential.contains(['*', '?']) {
        return Some(Why::Wildcard);
    }
    match spelling(token, credential) {
        // A slash is no part of a subject: one at the end is a typing error.
        Some(Why::TrailingSlash) => return Some(Why::TypingError),
        Some(why) => return Some(why),
        None => {}
    }
    let Some((namespace, account)) = split_subject(token) else {
        return Some(if is_typing_error(token, credential) { Why::TypingError } else { Why::OtherSubject });
    };
    let Some((other_namespace, other_account)) = split_subject(credential) else {
        let names_both = names(credential, namespace) && names(credential, account);
        return Some(if names_both || is_typing_error(token, credential) {
            Why::MalformedSubject
        } else {
            Why::OtherSubject
        });
    };
    Some(match (namespace == other_namespace, account == other_account) {
        _ if namespace == other_account && account == other_namespace => Why::Swapped,
        (true, _) if is_typing_error(account, other_account) => Why::TypingError,
        (_, true) if is_typing_error(namespace, other_namespace) => Why::TypingError,
        (true, _) => Why::OtherAccount,
        (_, true) => Why::OtherNamespace,
        _ => Why::OtherWorkload,
    })
}

/// Whether a text has a name as a word of its own.
fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.')).any(|word| word == name)
}

fn audience_difference(token: &str, credential: &str) -> Option<Why> {
    if token == credential {
        return None;
    }
    if credential.is_empty() {
        return Some(Why::NoAudience);
    }
    if let Some(why) = spelling(token, credential) {
        return Some(why);
    }
    if [token, credential].contains(&IDENTITY_BINDING_AUDIENCE) {
        return Some(Why::IdentityBindingAudience);
    }
    let cloud_of = |text: &str| {
        CloudName::ALL.into_iter().find(|name| name.cloud().cloud_audience == text && text != DEFAULT_AUDIENCE)
    };
    if let Some(cloud) = cloud_of(credential).or_else(|| cloud_of(token)) {
        return Some(Why::CloudAudience(cloud));
    }
    Some(if is_typing_error(token, credential) { Why::TypingError } else { Why::OtherAudience })
}
