//! Microsoft Graph: service principals, app registrations and their federated credentials.

use crate::answer::Answer;
use crate::recorded::{Recorded, file};
use crate::tenant::{Credential, Tenant};
use crate::{Shared, lock};
use serde_json::{Value, json};
use std::time::SystemTime;

pub(crate) fn answer(request: &Recorded, shared: &Shared) -> Answer {
    if let Err(refusal) = check_token(request, shared) {
        return *refusal;
    }
    let tenant = lock(&shared.tenant).clone();
    if request.method != "GET" {
        return Answer::empty(405);
    }
    if !tenant.caller.reads_directory {
        return Answer::recorded("graph/graph-403-Authorization_RequestDenied.json");
    }
    let (version, path) = request.path[1..].split_once('/').unwrap_or_default();
    let found = match path.split_once('/') {
        None => entity(path, &tenant),
        Some(("servicePrincipals", id)) => service_principal(&tenant, |object, _| object.eq_ignore_ascii_case(id)),
        Some((application, "federatedIdentityCredentials")) => {
            return credentials(request, version, application, &tenant);
        }
        Some(_) => None,
    };
    match found {
        Some(body) => Answer::json(200, &select(body, request.parameter("$select"))),
        None => not_found(path),
    }
}

fn not_found(path: &str) -> Answer {
    let id = path.split('\'').nth(1).or_else(|| path.split('/').nth(1)).unwrap_or(path);
    Answer::recorded("graph/graph-404-Request_ResourceNotFound.json")
        .replacing("4024ab25-56a8-4370-aea6-6389221caf29", id)
}

fn check_token(request: &Recorded, shared: &Shared) -> Result<(), Box<Answer>> {
    let refused = |message: &str| {
        let answer = Answer::recorded("graph/graph-401-InvalidAuthenticationToken.json");
        Err(Box::new(answer.replacing("Lifetime validation failed, the token is expired.", message)))
    };
    let Some(token) = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) else {
        return refused("Access token is empty.");
    };
    match lock(&shared.issued).look_up(token) {
        None => refused("CompactToken parsing failed with error code: 80049217"),
        Some((_, expires)) if *expires < SystemTime::now() => {
            refused("Lifetime validation failed, the token is expired.")
        }
        Some((audience, _)) if *audience != request.host => {
            refused("Access token validation failure. Invalid audience.")
        }
        Some(_) => Ok(()),
    }
}

/// `name(appId='…')`
fn key<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    path.strip_prefix(name)?.strip_prefix("(appId='")?.strip_suffix("')")
}

fn entity(path: &str, tenant: &Tenant) -> Option<Value> {
    if let Some(client) = key(path, "servicePrincipals") {
        return service_principal(tenant, |_, id| id.eq_ignore_ascii_case(client));
    }
    let client = key(path, "applications")?;
    let application =
        tenant.applications.iter().find(|a| a.owner.is_none() && a.client_id.eq_ignore_ascii_case(client))?;
    let mut body = file("graph/graph-200-application-by-appid.json")["response"]["body"].clone();
    body["id"] = json!(application.object_id);
    body["appId"] = json!(application.client_id);
    body["displayName"] = json!(application.name);
    Some(body)
}

/// The service principal whose object id and client id the test takes.
fn service_principal(tenant: &Tenant, test: impl Fn(&str, &str) -> bool) -> Option<Value> {
    if let Some(identity) = tenant.identities.iter().find(|i| test(&i.principal_id, &i.client_id)) {
        let mut body =
            file("graph/graph-200-serviceprincipal-managedidentity-by-appid.json")["response"]["body"].clone();
        body["id"] = json!(identity.principal_id);
        body["appId"] = json!(identity.client_id);
        body["displayName"] = json!(identity.name);
        body["alternativeNames"][1] = json!(identity.id());
        body["servicePrincipalNames"][0] = json!(identity.client_id);
        return Some(body);
    }
    let application = tenant
        .applications
        .iter()
        .find(|a| a.principal_id.as_deref().is_some_and(|object| test(object, &a.client_id)))?;
    let mut body = file("graph/graph-200-serviceprincipal-application.json")["response"]["body"].clone();
    body["id"] = json!(application.principal_id);
    body["appId"] = json!(application.client_id);
    body["displayName"] = json!(application.name);
    body["servicePrincipalNames"][0] = json!(application.client_id);
    body["appOwnerOrganizationId"] = json!(application.owner.as_ref().unwrap_or(&tenant.id));
    Some(body)
}

fn credentials(request: &Recorded, version: &str, application: &str, tenant: &Tenant) -> Answer {
    let client = key(application, "applications");
    let found = tenant.applications.iter().find(|a| a.owner.is_none() && client == Some(a.client_id.as_str()));
    let Some(application) = found else { return not_found(application) };
    let start: usize = request.parameter("$skiptoken").and_then(|token| token.parse().ok()).unwrap_or_default();
    let end = (start + tenant.page_size).min(application.credentials.len());
    let page: Vec<Value> = application
        .credentials
        .get(start..end)
        .unwrap_or_default()
        .iter()
        .enumerate()
        .map(|(index, c)| credential(c, version, start + index))
        .collect();
    let mut body = json!({
        "@odata.context": format!("{}/{version}/$metadata#applications('{}')/federatedIdentityCredentials", request.host, application.object_id),
        "value": page,
    });
    if end > start {
        // A page behind the last one that holds something is empty, which Graph's documentation allows.
        body["@odata.nextLink"] = json!(format!("{}{}?$skiptoken={end}", request.host, request.path));
    }
    Answer::json(200, &body)
}

fn credential(credential: &Credential, version: &str, index: usize) -> Value {
    let mut body = json!({
        "id": format!("77777777-0000-4000-8000-{index:012}"),
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "description": null,
        "audiences": credential.audiences,
    });
    if version == "beta" {
        body["claimsMatchingExpression"] =
            credential.expression.as_ref().map_or(Value::Null, |value| json!({"value": value, "languageVersion": 1}));
    }
    body
}

/// `$select`
fn select(body: Value, fields: Option<&str>) -> Value {
    let (Some(fields), Value::Object(mut object)) = (fields, body.clone()) else { return body };
    let fields: Vec<&str> = fields.split(',').collect();
    object.retain(|name, _| name.starts_with('@') || fields.contains(&name.as_str()));
    Value::Object(object)
}
