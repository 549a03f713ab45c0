//! Holds a token against the federated credentials of an identity, the way Entra does it: to the letter.
//!
//! Pure. What is presented is either a real token's `iss`, `sub` and `aud`, or what the cluster is expected to put
//! into one.

mod difference;
mod flexible;
mod usage;

pub use difference::{Difference, Field, Why, split_subject};
pub use flexible::evaluate;
pub use usage::{
    AccountState, Contest, Mistake, Usage, automation_of_tags, contested, is_stale, mistaken_client_id, usage,
};

use super::identities::{FederatedCredential, LIMIT};
use difference::compare_fields;

/// The credential that AKS creates for identity bindings, and manages alone.
pub const IDENTITY_BINDING_NAME: &str = "aks-identity-binding";

/// From this many credentials on the limit is close.
const CLOSE_TO_LIMIT: usize = LIMIT - 2;

/// Differences up to this sum make a near miss; see [`Why::weight`].
const NEAR: u32 = 3;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `aud`; Kubernetes puts one there.
    pub audience: String,
}

/// What came of holding a token against all credentials of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// This credential lets the token in.
    Exact(&'a FederatedCredential),
    /// Issuer and audience match, and an expression decides about the subject. `matches` is what the expression says
    /// by its documentation; `None` where it is not known or not understood. Whether Entra evaluates expressions for
    /// Kubernetes issuers is not documented, so even `Some(true)` is no proof.
    Flexible {
        /// The credential.
        credential: &'a FederatedCredential,
        /// What the expression says.
        matches: Option<bool>,
    },
    /// None matches; this one comes closest.
    NearestMiss {
        /// The credential.
        credential: &'a FederatedCredential,
        /// What differs, in the order issuer, subject, audience.
        differences: Vec<Difference>,
    },
    /// None matches, and none comes close.
    None,
}

/// How full an identity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// There is room.
    Enough,
    /// 18 or 19 of 20 are used.
    Close,
    /// No further credential can be created.
    Full,
}

/// The result of [`compare`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison<'a> {
    /// What came of it.
    pub outcome: Outcome<'a>,
    /// The AADSTS code that Entra answers with; `None` where the token is let in, or an expression decides.
    pub entra: Option<u32>,
    /// How many credentials there are.
    pub count: usize,
    /// How full the identity is.
    pub room: Room,
    /// The credential of AKS identity bindings: left alone, never a near miss.
    pub identity_binding: Option<&'a FederatedCredential>,
    /// Credentials that can never match anything, and why.
    pub never: Vec<(&'a FederatedCredential, Never)>,
}

/// Why a credential never matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {
    /// Its subject has `*` or `?`, which are letters like any other in a credential without an expression.
    Wildcard,
    /// Issuer, subject or audience begin or end with white space.
    WhiteSpace,
    /// It has no audience.
    NoAudience,
}

/// Holds a token against the credentials. `serves_another` tells of a credential whether another workload is known to
/// use it: correcting that one would break the other, so it is no near miss.
pub fn compare<'a>(
    presented: &Presented,
    credentials: &'a [FederatedCredential],
    serves_another: &dyn Fn(&FederatedCredential) -> bool,
) -> Comparison<'a> {
    let identity_binding = credentials.iter().find(|credential| is_identity_binding(credential));
    let candidates = || credentials.iter().filter(|credential| !is_identity_binding(credential));
    let entra = entra_code(presented, credentials);
    let outcome = exact(presented, candidates())
        .or_else(|| by_expression(presented, candidates()))
        .or_else(|| nearest(presented, candidates().filter(|credential| !serves_another(credential))))
        .unwrap_or(Outcome::None);
    let count = credentials.len();
    Comparison {
        entra: if matches!(outcome, Outcome::Flexible { .. }) { None } else { entra },
        outcome,
        count,
        room: room(count),
        identity_binding,
        never: candidates().filter_map(|credential| Some((credential, never(credential)?))).collect(),
    }
}

/// How full an identity with this many credentials is.
pub fn room(count: usize) -> Room {
    match count {
        count if count >= LIMIT => Room::Full,
        count if count >= CLOSE_TO_LIMIT => Room::Close,
        _ => Room::Enough,
    }
}

/// Whether AKS manages this credential for its identity bindings; it must not be edited.
pub fn is_identity_binding(credential: &FederatedCredential) -> bool {
    let host = url::Url::parse(&credential.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
    credential.name == IDENTITY_BINDING_NAME || host.is_some_and(|host| host.starts_with("ib.oic."))
}

/// The code that Entra answers with, by what is known of its order: no credential at all, then issuer, subject,
/// audience. `None` where one matches.
fn entra_code(presented: &Presented, credentials: &[FederatedCredential]) -> Option<u32> {
    if credentials.is_empty() {
        return Some(70_025);
    }
    let issuer: Vec<_> = credentials.iter().filter(|c| c.issuer == presented.issuer).collect();
    if issuer.is_empty() {
        return Some(700_211);
    }
    let subjects = |same: &dyn Fn(&str) -> bool| -> Vec<_> {
        issuer.iter().filter(|credential| credential.subject.as_deref().is_some_and(same)).collect()
    };
    let subject = subjects(&|subject| subject == presented.subject);
    if subject.is_empty() {
        let by_case = subjects(&|subject| subject.eq_ignore_ascii_case(&presented.subject));
        return Some(if by_case.is_empty() { 700_213 } else { 7_002_138 });
    }
    let audience = subject.iter().any(|credential| credential.audiences.contains(&presented.audience));
    if audience { None } else { Some(700_212) }
}

fn exact<'a>(presented: &Presented, candidates: impl Iterator<Item = &'a FederatedCredential>) -> Option<Outcome<'a>> {
    let mut candidates = candidates;
    candidates
        .find(|credential| {
            credential.issuer == presented.issuer
                && credential.subject.as_ref() == Some(&presented.subject)
                && credential.audiences.contains(&presented.audience)
        })
        .map(Outcome::Exact)
}

fn by_expression<'a>(
    presented: &Presented,
    candidates: impl Iterator<Item = &'a FederatedCredential>,
) -> Option<Outcome<'a>> {
    candidates
        .filter(|credential| {
            credential.subject.is_none()
                && credential.issuer == presented.issuer
                && credential.audiences.contains(&presented.audience)
        })
        .map(|credential| {
            let matches = credential.expression.as_deref().and_then(|text| evaluate(text, &presented.subject));
            (credential, matches)
        })
        .filter(|(_, matches)| *matches != Some(false))
        // An expression that says yes goes before one that nobody understands.
        .max_by_key(|(_, matches)| *matches == Some(true))
        .map(|(credential, matches)| Outcome::Flexible { credential, matches })
}

fn nearest<'a>(
    presented: &Presented,
    candidates: impl Iterator<Item = &'a FederatedCredential>,
) -> Option<Outcome<'a>> {
    candidates
        .filter(|credential| credential.subject.is_some())
        .map(|credential| {
            let differences = compare_fields(presented, credential);
            let weight: u32 = differences.iter().map(|difference| difference.why.weight()).sum();
            (weight, differences, credential)
        })
        .filter(|(weight, ..)| *weight <= NEAR)
        .min_by_key(|(weight, differences, credential)| (*weight, differences.len(), credential.name.clone()))
        .map(|(_, differences, credential)| Outcome::NearestMiss { credential, differences })
}

fn never(credential: &FederatedCredential) -> Option<Never> {
    let subject = credential.subject.as_deref().unwrap_or_default();
    let texts =
        [credential.issuer.as_str(), subject].into_iter().chain(credential.audiences.iter().map(String::as_str));
    if subject.contains(['*', '?']) {
        Some(Never::Wildcard)
    } else if texts.into_iter().any(|text| text.trim() != text) {
        Some(Never::WhiteSpace)
    } else if credential.audiences.is_empty() {
        Some(Never::NoAudience)
    } else {
        None
    }
}
