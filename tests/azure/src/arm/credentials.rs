//! The managed identity provider: identities and their federated credentials.

use super::{Asked, error_file, identity_body};
use crate::answer::Answer;
use crate::recorded::{Recorded, file};
use crate::tenant::{Credential, Identity};
use crate::{Shared, lock};
use serde_json::{Value, json};
use std::time::Instant;

const LIMIT: usize = 20;

/// Called when the latency of a write has passed.
pub(crate) fn write_is_over(request: &Recorded, shared: &Shared) {
    let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
    if let [_, subscription, _, group, _, _, _, name, ..] = segments.as_slice() {
        let index = lock(&shared.tenant).identity(subscription, group, name);
        if let Some(index) = index {
            lock(&shared.writing).remove(&index);
        }
    }
}

/// Answers for what stands behind an identity's name: nothing, or its credentials.
pub(super) fn answer(asked: &Asked<'_>, tail: &[&str]) -> Result<Answer, Box<Answer>> {
    let (group, name) = (asked.segment(3), asked.segment(7));
    let found = asked.tenant.identity(asked.segment(1), group, name);
    match tail {
        [] => {
            asked.check_version("microsoft.managedidentity/userassignedidentities")?;
            asked.only("GET")?;
            let action = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
            asked.check_permission(action, &asked.request.path, "403-AuthorizationFailed-identity-read")?;
            let Some(index) = found else {
                return Ok(error_file("404-ResourceNotFound-identity")
                    .replacing("userAssignedIdentities/mi1", &format!("userAssignedIdentities/{name}"))
                    .replacing("'rg1'", &format!("'{group}'")));
            };
            Ok(Answer::json(200, &identity_body(&asked.tenant, &asked.tenant.identities[index])))
        }
        ["federatedidentitycredentials", rest @ ..] => {
            asked.check_version("microsoft.managedidentity/userassignedidentities/federatedidentitycredentials")?;
            let verb = match asked.request.method.as_str() {
                "GET" => "read",
                "PUT" => "write",
                "DELETE" => "delete",
                _ => return asked.only("GET").map(|()| Answer::empty(405)),
            };
            let action =
                format!("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/{verb}");
            // A list is refused at the identity, a single one at itself.
            let scope = if rest.is_empty() {
                asked.request.path.trim_end_matches("/federatedIdentityCredentials").to_owned()
            } else {
                asked.request.path.clone()
            };
            let recorded =
                if verb == "read" { "403-AuthorizationFailed-fic-read" } else { "403-AuthorizationFailed-fic-write" };
            asked.check_permission(&action, &scope, recorded)?;
            let Some(index) = found else { return Ok(error_file("404-parent-identity-missing-fic")) };
            match (verb, rest) {
                ("read", []) => Ok(list(asked, &asked.tenant.identities[index])),
                ("read", [_]) => Ok(read(asked, &asked.tenant.identities[index])),
                ("write", [_]) => Ok(write(asked, index)),
                ("delete", [_]) => Ok(delete(asked, index)),
                _ => asked.only("GET").map(|()| Answer::empty(405)),
            }
        }
        _ => Ok(Answer::empty(404)),
    }
}

fn body(asked: &Asked<'_>, identity: &Identity, credential: &Credential) -> Value {
    let example = file("rest/msi/FederatedIdentityCredentialGet.json");
    let mut body = example["responses"]["200"]["body"].clone();
    body["id"] = json!(format!("{}/federatedIdentityCredentials/{}", identity.id(), credential.name));
    body["name"] = json!(credential.name);
    let mut properties = json!({"issuer": credential.issuer, "audiences": credential.audiences});
    if let Some(subject) = &credential.subject {
        properties["subject"] = json!(subject);
    }
    // The stable versions know no expression; the previews show it in the subject's place.
    let preview = asked.request.parameter("api-version").is_some_and(|version| version >= "2025");
    if let Some(expression) = credential.expression.as_ref().filter(|_| preview) {
        properties["claimsMatchingExpression"] = json!({"value": expression, "languageVersion": 1});
    }
    body["properties"] = properties;
    body
}

fn list(asked: &Asked<'_>, identity: &Identity) -> Answer {
    asked.check_query(&["$top"]);
    let items: Vec<Value> = identity.credentials.iter().map(|c| body(asked, identity, c)).collect();
    asked.page(&items)
}

fn read(asked: &Asked<'_>, identity: &Identity) -> Answer {
    asked.check_query(&[]);
    let name = asked.segment(9);
    match identity.credentials.iter().find(|credential| credential.name.eq_ignore_ascii_case(name)) {
        Some(credential) => Answer::json(200, &body(asked, identity, credential)),
        None => error_file("404-fic-missing"),
    }
}

/// Takes the identity's turn; false where another write has it.
fn begin(asked: &Asked<'_>, index: usize) -> bool {
    asked.tenant.write_latency.is_zero() || lock(&asked.shared.writing).insert(index)
}

fn concurrent(asked: &Asked<'_>, index: usize) -> Answer {
    let id = asked.tenant.identities[index].id().to_lowercase();
    error_file("409-fic-concurrent-write").replacing(
        "/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/rg1/providers/microsoft.managedidentity/userassignedidentities/mi1",
        &id,
    )
}

fn write(asked: &Asked<'_>, index: usize) -> Answer {
    asked.check_query(&[]);
    let name = asked.segment(9);
    let identity = &asked.tenant.identities[index];
    if let Some(object) = asked.request.body.as_object() {
        for key in object.keys().filter(|key| *key != "properties") {
            asked.violation(&format!("the body of a write holds {key}"));
        }
    }
    let properties = &asked.request.body["properties"];
    let text = |field: &str| properties[field].as_str().unwrap_or_default();
    let valid_name = (3..=120).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !valid_name {
        return error_file("400-fic-invalid-name").replacing("'a'", &format!("'{name}'"));
    }
    let (issuer, subject) = (text("issuer"), text("subject"));
    if issuer.is_empty() || subject.is_empty() || properties["audiences"].is_null() {
        return error_file("400-fic-empty-properties");
    }
    let audiences: Vec<String> = properties["audiences"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|audience| audience.as_str().map(str::to_owned))
        .collect();
    if audiences.len() != 1 {
        return error_file("400-fic-exactly-one-audience");
    }
    if ["malaysiasouth", "newzealandnorth"].contains(&identity.location.as_str()) {
        return error_file("405-fic-not-enabled-in-region");
    }
    let same_name = |credential: &&Credential| credential.name.eq_ignore_ascii_case(name);
    let others = identity.credentials.iter().filter(|credential| !same_name(credential));
    if others.clone().any(|c| c.issuer == issuer && c.subject.as_deref() == Some(subject)) {
        return error_file("409-fic-duplicate-issuer-subject");
    }
    let exists = identity.credentials.iter().any(|credential| same_name(&credential));
    if !exists && identity.credentials.len() >= LIMIT {
        return error_file("400-fic-quota-20");
    }
    if !begin(asked, index) {
        return concurrent(asked, index);
    }
    let mut credential = Credential::new(name, issuer, subject, &audiences[0]);
    let delay = asked.tenant.propagation;
    credential.visible_from = (!delay.is_zero()).then(|| Instant::now() + delay);
    let answer = body(asked, identity, &credential);
    let mut tenant = lock(&asked.shared.tenant);
    let credentials = &mut tenant.identities[index].credentials;
    match credentials.iter_mut().find(|known| known.name.eq_ignore_ascii_case(name)) {
        Some(known) => *known = credential,
        None => credentials.push(credential),
    }
    Answer::json(if exists { 200 } else { 201 }, &answer)
        .with_header("x-ms-ratelimit-remaining-subscription-global-writes", "11998")
}

fn delete(asked: &Asked<'_>, index: usize) -> Answer {
    asked.check_query(&[]);
    let name = asked.segment(9);
    if !begin(asked, index) {
        return concurrent(asked, index);
    }
    let mut tenant = lock(&asked.shared.tenant);
    let credentials = &mut tenant.identities[index].credentials;
    let before = credentials.len();
    credentials.retain(|credential| !credential.name.eq_ignore_ascii_case(name));
    if credentials.len() == before {
        Answer::empty(204)
    } else {
        Answer::recorded("rest/recorded/identity-delete-200.json")
    }
}
