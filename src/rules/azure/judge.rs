//! Holds a chain's tokens against the credentials that are known: the one judgement that all rules about credentials
//! share.

use crate::azure::compare::{Comparison, Outcome, Presented, compare};
use crate::azure::facts::IdentityFacts;
use crate::azure::{FederatedCredential, Guid};
use crate::chain::Chain;
use crate::chain::azure::Presentation;
use crate::model::fact::Fact;
use crate::token::difference::{Difference, Field, Reason, Side, account};
use crate::webhook::keys;

/// A token, and what Azure knows of its identity.
pub(super) struct Case<'a> {
    /// The token.
    pub shown: Presentation,
    /// What it says, with the issuer.
    pub presented: Presented,
    /// The identity.
    pub facts: &'a IdentityFacts,
    /// Its credentials.
    pub credentials: &'a [FederatedCredential],
}

/// The tokens that can be judged: issuer known, credentials read, and no identity binding, which AKS manages alone.
pub(super) fn cases<'a>(chain: &Chain<'a>) -> Vec<Case<'a>> {
    let case = |shown: Presentation| {
        let facts = chain.azure_identity(shown.client)?;
        let Fact::Known(credentials) = chain.federated_credentials(shown.client) else { return None };
        let presented = presented(&shown).filter(|_| !shown.is_identity_binding())?;
        Some(Case { shown, presented, facts, credentials })
    };
    chain.presentations().into_iter().filter_map(case).collect()
}

/// What a token says, where its issuer is known.
pub(super) fn presented(shown: &Presentation) -> Option<Presented> {
    let issuer = shown.issuer.clone()?;
    Some(Presented { issuer, subject: shown.subject.clone(), audience: shown.audience.clone() })
}

impl<'a> Case<'a> {
    /// The comparison. A credential that another workload is seen to use is no near miss.
    pub(super) fn compare(&self, chain: &Chain<'a>) -> Comparison<'a> {
        let serves_another = |credential: &FederatedCredential| use_of(chain, self, credential) == Use::Another;
        compare(&self.presented, self.credentials, &serves_another)
    }
}

/// Whom a credential serves, as far as is seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Nobody else: correcting it breaks nothing.
    Nobody,
    /// Another workload that was seen.
    Another,
    /// Perhaps somebody: another cluster, or an account that was not looked at.
    Perhaps,
}

/// Whom a credential serves.
pub(super) fn use_of(chain: &Chain<'_>, case: &Case<'_>, credential: &FederatedCredential) -> Use {
    let bare = |text: &str| text.trim().trim_end_matches('/').to_lowercase();
    if bare(&credential.issuer) != bare(&case.presented.issuer) {
        return Use::Perhaps;
    }
    let Some(subject) = &credential.subject else { return Use::Perhaps };
    if subject == &case.presented.subject {
        return Use::Nobody;
    }
    let Some((namespace, name)) = account(subject) else { return Use::Nobody };
    let inventory = chain.inventory();
    match inventory.account(namespace, name) {
        Fact::Known(found) => {
            let same = found.meta.annotation(keys::CLIENT_ID).and_then(|id| Guid::parse(id.trim()));
            let runs = inventory.workloads_of_account(namespace, name).next().is_some();
            if same == Some(case.shown.client) || runs { Use::Another } else { Use::Perhaps }
        }
        Fact::Absent => Use::Nobody,
        _ => Use::Perhaps,
    }
}

/// Whether correcting the credential breaks nobody: a slip of the pen, or an account that does not exist.
pub(super) fn can_be_corrected(
    chain: &Chain<'_>,
    case: &Case<'_>,
    credential: &FederatedCredential,
    differences: &[Difference],
) -> bool {
    let slip = |reason: Reason| {
        matches!(
            reason,
            Reason::SlashMissing
                | Reason::SlashExtra
                | Reason::Case
                | Reason::WhiteSpace
                | Reason::Quotes
                | Reason::Lookalike
                | Reason::Placeholder
                | Reason::Wildcard
                | Reason::Scheme
                | Reason::Document
                | Reason::InCluster
                | Reason::SubjectForm
        )
    };
    differences.iter().all(|difference| match (difference.field, difference.reason) {
        (Field::Audience, reason) => reason != Some(Reason::IdentityBinding),
        (_, Some(reason)) if slip(reason) => true,
        // The same cluster below another region's host has never been anybody's issuer.
        (Field::Issuer, Some(Reason::Region)) => true,
        (Field::Subject, _) => {
            let same_issuer =
                !differences.iter().any(|other| other.field == Field::Issuer && !other.reason.is_some_and(slip));
            same_issuer && use_of(chain, case, credential) == Use::Nobody
        }
        _ => false,
    })
}

/// Both values, one above the other, and what differs between them.
pub(super) fn marked(difference: &Difference) -> Vec<String> {
    let name = difference.field.name();
    let pairs: Vec<String> = difference
        .runs(Side::Found)
        .into_iter()
        .zip(difference.runs(Side::Expected))
        .filter(|(run, _)| run.differs)
        .map(|(found, expected)| format!("\"{}\" for \"{}\"", found.text, expected.text))
        .collect();
    let mut lines = vec![
        format!("{name} of the token:      {}", difference.line(Side::Expected)),
        format!("{name} of the credential: {}", difference.line(Side::Found)),
    ];
    let why = difference.reason.map(|reason| reason.sentence("the credential", "the token"));
    let swapped = difference.reason == Some(Reason::Swapped);
    let what = if pairs.len() <= 3 && !swapped { format!("it has {}", pairs.join(", ")) } else { String::new() };
    let both: Vec<String> = [why, Some(what).filter(|what| !what.is_empty())].into_iter().flatten().collect();
    if !both.is_empty() {
        lines.push(both.join("; "));
    }
    lines
}

/// The code of the rule that a comparison speaks for; `None` where it matches, or an expression decides.
pub(super) fn code_of(outcome: &Outcome<'_>) -> Option<&'static str> {
    match outcome {
        Outcome::Exact(_) | Outcome::Flexible { .. } => None,
        Outcome::None => Some("WI502"),
        Outcome::NearestMiss { differences, .. } => Some(match differences.first()?.field {
            Field::Issuer => "WI503",
            Field::Subject => "WI504",
            Field::Audience | Field::Other => "WI505",
        }),
    }
}
