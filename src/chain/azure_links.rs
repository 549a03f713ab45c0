//! The links that Azure tells of: credential, identity, role; one line each.

use super::Chain;
use super::azure::{Presentation, not_seen};
use crate::azure::compare::{Outcome, Presented, compare};
use crate::azure::facts::{Asked, IdentityFacts};
use crate::azure::{Discovered, ResourceId};
use crate::model::fact::Fact;
use crate::report::model::LinkState;

/// The federated credential; where Azure was not asked, this line speaks for identity and role, too.
pub(super) fn credential(chain: &Chain<'_>) -> (LinkState, String) {
    let others = "not checked, nor are identity and role";
    let facts = match chain.peek_azure().map(|facts| (&facts.asked, facts)) {
        None | Some((Asked::No, _)) => return (LinkState::Skipped, format!("{others}: --azure asks Azure")),
        Some((Asked::Tried(why), _)) => return (LinkState::Skipped, format!("{others}: {why}")),
        Some((Asked::Yes { .. }, facts)) => facts,
    };
    let presentations = chain.presentations();
    let states = presentations.iter().filter_map(|one| Some(of_one(one, facts.identities.get(&one.client)?)));
    let worst = |(state, _): &(LinkState, String)| u8::from(*state != LinkState::Ok);
    let mut states: Vec<(LinkState, String)> = states.collect();
    states.sort_by_key(|state| std::cmp::Reverse(worst(state)));
    let more = states.len().saturating_sub(1);
    match states.into_iter().next() {
        None => (LinkState::Skipped, "there is no client id to ask Azure about".to_owned()),
        Some((LinkState::Ok, line)) if more > 0 => (LinkState::Ok, format!("{line}; {more} more match as well")),
        Some(first) => first,
    }
}

fn of_one(presentation: &Presentation, identity: &IdentityFacts) -> (LinkState, String) {
    let name = identity.name().unwrap_or("the identity");
    let credentials = match &identity.credentials {
        Fact::Known(credentials) => credentials,
        Fact::Absent if identity.found().is_some_and(|found| found.identity == Fact::Absent) => {
            return (LinkState::Unknown, format!("gone with {name}"));
        }
        Fact::Absent => return (LinkState::Unknown, format!("{name} can have none")),
        other => {
            let why = other.why().unwrap_or_else(|| "the identity is not seen".to_owned());
            return (LinkState::Unknown, format!("could not be read: {why}"));
        }
    };
    if presentation.is_identity_binding() {
        return (LinkState::Ok, "the one of AKS identity bindings, which AKS manages".to_owned());
    }
    let Some(issuer) = presentation.issuer.clone() else {
        return (LinkState::Unknown, "the issuer of the cluster is not known; --issuer names it".to_owned());
    };
    let (subject, audience) = (presentation.subject.clone(), presentation.audience.clone());
    let comparison = compare(&Presented { issuer, subject, audience }, credentials, &|_| false);
    match comparison.outcome {
        Outcome::Exact(found) => {
            (LinkState::Ok, format!("{} of {name} matches issuer, subject and audience", found.name))
        }
        Outcome::Flexible { credential, .. } => (
            LinkState::Unknown,
            format!("{} of {name} is a flexible credential: its expression decides, at Entra", credential.name),
        ),
        Outcome::NearestMiss { .. } | Outcome::None => {
            (LinkState::Ok, format!("none of the {} of {name} matches", credentials.len()))
        }
    }
}

/// Each identity that was asked about, or found otherwise.
fn of_chain<'a>(chain: &Chain<'a>) -> Vec<(Presentation, &'a IdentityFacts)> {
    let Some(facts) = chain.peek_azure().filter(|facts| facts.was_asked()) else { return Vec::new() };
    let presentations = chain.presentations().into_iter();
    presentations.filter_map(|one| Some((facts.identities.get(&one.client)?, one))).map(|(f, p)| (p, f)).collect()
}

pub(super) fn identity(chain: &Chain<'_>) -> Option<(LinkState, String)> {
    let facts = chain.peek_azure()?;
    let mut identities = of_chain(chain);
    identities.sort_by_key(|(_, identity)| matches!(identity.discovered, Discovered::UserAssigned(_)));
    identities.dedup_by_key(|(presentation, _)| presentation.client);
    let more = identities.len().saturating_sub(1);
    let (_, identity) = identities.first()?;
    let (state, line) = match &identity.discovered {
        Discovered::UserAssigned(found) | Discovered::ObjectIdOf(found) => match &found.identity {
            Fact::Known(_) => (LinkState::Ok, place(&found.id)),
            Fact::Absent => (LinkState::Ok, format!("{} is deleted", place(&found.id))),
            other => {
                let why = other.why().unwrap_or_default();
                (LinkState::Unknown, format!("{} could not be read: {why}", place(&found.id)))
            }
        },
        Discovered::SystemAssigned { .. } => (LinkState::Ok, "the identity of another resource".to_owned()),
        Discovered::Application { name, .. } => (LinkState::Ok, format!("the app registration {name}")),
        Discovered::ForeignApplication { .. } => {
            (LinkState::Unknown, "an app registration of another tenant, which is not to be seen here".to_owned())
        }
        Discovered::NotSeen => (LinkState::Unknown, not_seen(facts)),
    };
    Some((state, if more > 0 { format!("{line}; and {more} more") } else { line }))
}

/// `mi1 in resource group rg1`
fn place(id: &ResourceId) -> String {
    match id.resource_group() {
        Some(group) => format!("{} in resource group {group}", id.name()),
        None => id.name().to_owned(),
    }
}

pub(super) fn role(chain: &Chain<'_>) -> Option<(LinkState, String)> {
    let identities = of_chain(chain);
    let answers: Vec<_> = identities.iter().flat_map(|(_, identity)| &identity.roles).collect();
    if let Some(why) = answers.iter().find_map(|(_, roles)| roles.why()) {
        return Some((LinkState::Unknown, format!("could not be read: {why}")));
    }
    let mut names: Vec<String> = Vec::new();
    for assignments in answers.iter().filter_map(|(_, roles)| roles.known()) {
        for assignment in &assignments.list {
            let role =
                assignments.definitions.get(&assignment.role).map_or("a role that could not be read", |r| &r.name);
            let line = format!("{role} at {}", short(&assignment.scope));
            if !names.contains(&line) {
                names.push(line);
            }
        }
    }
    if answers.is_empty() {
        return None;
    }
    Some((
        LinkState::Ok,
        match names.as_slice() {
            [] => "no role assignment is seen".to_owned(),
            [one] => one.clone(),
            [one, two] => format!("{one}; {two}"),
            [one, two, rest @ ..] => format!("{one}; {two}; and {} more", rest.len()),
        },
    ))
}

/// A scope by its last segment, with what it is.
pub(crate) fn short(scope: &ResourceId) -> String {
    use crate::azure::ScopeLevel;
    match scope.level() {
        ScopeLevel::Root => "the whole tenant".to_owned(),
        ScopeLevel::ManagementGroup => format!("management group {}", scope.name()),
        ScopeLevel::Subscription => format!("subscription {}", scope.name()),
        ScopeLevel::ResourceGroup => format!("resource group {}", scope.name()),
        ScopeLevel::Resource => scope.name().to_owned(),
    }
}
