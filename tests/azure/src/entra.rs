//! Entra's token endpoint: verifies what is presented, and says no with the code that fits.
//!
//! The order of the checks is not documented; it is the one that the known answers suggest.

use crate::answer::Answer;
use crate::jwt::{SigningKey, parts, verifies, verifies_with};
use crate::recorded::{Recorded, file};
use crate::tenant::{Credential, Tenant};
use crate::{Shared, lock};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Instant, SystemTime};

/// The access tokens that were given out.
#[derive(Debug, Default)]
pub(crate) struct Issued {
    tokens: HashMap<String, (String, SystemTime)>,
    count: usize,
    exchanges: usize,
}

impl Issued {
    pub(crate) fn issue(&mut self, claims: &Value, resource: &str, expires: SystemTime) -> String {
        self.count += 1;
        let mut claims = claims.clone();
        // No two tokens are the same.
        claims["uti"] = json!(self.count);
        let token =
            SigningKey::ENTRA.sign(&json!({"typ": "JWT", "alg": "RS256", "kid": SigningKey::ENTRA.id}), &claims);
        self.tokens.insert(token.clone(), (resource.to_owned(), expires));
        token
    }

    /// Audience and end of a token.
    pub(crate) fn look_up(&self, token: &str) -> Option<&(String, SystemTime)> {
        self.tokens.get(token)
    }

    pub(crate) fn revoke(&mut self) {
        self.tokens.clear();
    }
}

pub(crate) fn claims(tenant: &Tenant, resource: &str, client: &str, object: &str, identity: Option<&str>) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let example = file("entra/token-success.managed-identity.json")["access_token_claims_example"].clone();
    let mut claims = example;
    for (name, value) in [
        ("aud", json!(resource)),
        ("iss", json!(format!("https://sts.windows.net/{}/", tenant.id))),
        ("idp", json!(format!("https://sts.windows.net/{}/", tenant.id))),
        ("appid", json!(client)),
        ("oid", json!(object)),
        ("sub", json!(object)),
        ("tid", json!(tenant.id)),
        ("iat", json!(now)),
        ("nbf", json!(now)),
        ("exp", json!(now + 86_399)),
    ] {
        claims[name] = value;
    }
    match identity {
        Some(id) => claims["xms_mirid"] = json!(id),
        None => {
            claims.as_object_mut().map(|claims| claims.remove("xms_mirid"));
        }
    }
    claims
}

pub(crate) fn answer(request: &Recorded, shared: &Shared) -> Answer {
    let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let tenant = lock(&shared.tenant).clone();
    let asked = segments.first().copied().unwrap_or_default();
    let known = asked.eq_ignore_ascii_case(&tenant.id) || asked == "contoso.onmicrosoft.com";
    match segments.get(1..).unwrap_or_default() {
        ["v2.0", ".well-known", "openid-configuration"] => {
            if !known {
                let unknown = file("entra/openid-configuration.unknown-tenant.error.json");
                return Answer::json(400, &unknown["body"]).replacing("00000000-0000-0000-0000-000000000000", asked);
            }
            let body = file("entra/openid-configuration.public.json")["body"].clone();
            Answer::json(200, &body).replacing("https://login.microsoftonline.com", &request.host)
        }
        ["discovery", "v2.0", "keys"] => Answer::json(200, &SigningKey::ENTRA.jwks()),
        ["oauth2", "v2.0", "token"] if request.method == "POST" => {
            if !asked.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')) {
                return error(900_023, &[("tenant", asked)]);
            }
            if !known {
                return error(90_002, &[("tenant", asked)]);
            }
            grant(request, &tenant, shared).unwrap_or_else(|refusal| refusal)
        }
        _ => Answer::empty(404),
    }
}

/// An error body of the token endpoint, from the catalogue of the test data.
#[allow(clippy::panic)]
pub(crate) fn error(code: u32, values: &[(&str, &str)]) -> Answer {
    let catalogue = file("entra/errors.json");
    let entries = catalogue["errors"].as_array().cloned().unwrap_or_default();
    let Some(entry) = entries.iter().find(|entry| entry["code"] == code) else { panic!("AADSTS{code} is not known") };
    let mut text = entry["template"].as_str().unwrap_or_default().to_owned();
    let samples = entry["sample_values"].as_object().cloned().unwrap_or_default();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    for (name, value) in samples {
        text = text.replace(&format!("{{{name}}}"), value.as_str().unwrap_or_default());
    }
    let (trace, correlation) = ("0000aaaa-11bb-cccc-dd33-eeeeee333333", "aaaa0000-bb11-2222-33cc-444444dddddd");
    let time = "2026-01-02 03:04:05Z";
    let mut body = json!({
        "error": entry["error"],
        "error_description": format!("AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
        "error_codes": [code], "timestamp": time, "trace_id": trace, "correlation_id": correlation,
    });
    if entry["error_uri_present"] == true {
        body["error_uri"] = json!(format!("https://login.microsoftonline.com/error?code={code}"));
    }
    let status = entry["http_status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or(400);
    Answer::json(status, &body)
}

/// Whose credentials are held against a token.
struct Client<'a> {
    id: &'a str,
    object: &'a str,
    name: &'a str,
    arm_id: Option<String>,
    credentials: &'a [Credential],
}

fn grant(request: &Recorded, tenant: &Tenant, shared: &Shared) -> Result<Answer, Answer> {
    let field = |name: &str| request.body[name].as_str().filter(|value| !value.is_empty());
    for name in ["grant_type", "client_id", "scope"] {
        if field(name).is_none() {
            return Err(error(900_144, &[("name", name)]));
        }
    }
    let (client_id, scope) = (field("client_id").unwrap_or_default(), field("scope").unwrap_or_default());
    let Some(resource) = scope.strip_suffix("/.default") else { return Err(error(1_002_012, &[("scope", scope)])) };
    let application = tenant.applications.iter().find(|a| a.client_id.eq_ignore_ascii_case(client_id));
    let identity = tenant.identities.iter().find(|i| i.client_id.eq_ignore_ascii_case(client_id));
    let client = match (identity, application) {
        (Some(identity), _) => Client {
            id: &identity.client_id,
            object: &identity.principal_id,
            name: &identity.name,
            arm_id: Some(identity.id()),
            credentials: &identity.credentials,
        },
        (None, Some(application)) => {
            let Some(object) = &application.principal_id else {
                return Err(error(7_000_229, &[("client_id", client_id), ("tenant", &tenant.id)]));
            };
            if application.disabled {
                return Err(error(7_000_112, &[("client_id", client_id), ("name", &application.name)]));
            }
            let (id, name) = (&application.client_id, &application.name);
            Client { id, object, name, arm_id: None, credentials: &application.credentials }
        }
        (None, None) => {
            return Err(error(700_016, &[("client_id", client_id), ("tenant_name", &tenant.name)]));
        }
    };
    match (field("client_secret"), field("client_assertion")) {
        (Some(secret), _) => {
            if application.and_then(|a| a.secret.as_deref()) != Some(secret) {
                return Err(error(7_000_215, &[("client_id", client_id)]));
            }
        }
        (None, Some(assertion)) => {
            if field("client_assertion_type") != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
                return Err(error(900_144, &[("name", "client_assertion_type")]));
            }
            let certificate = application.and_then(|application| application.certificate.as_ref());
            match certificate.filter(|_| is_own(assertion, client_id)) {
                Some((thumbprint, key)) => check_certificate(assertion, thumbprint, key)?,
                None => check_federated(assertion, &client, tenant, shared)?,
            }
        }
        (None, None) => return Err(error(7_000_218, &[])),
    }
    let own = [&request.host];
    let bare = resource.trim_end_matches('/');
    if !own.contains(&&bare.to_owned()) && !is_emulators(bare) && !tenant.resources.iter().any(|r| r == bare) {
        return Err(error(500_011, &[("resource", resource), ("tenant_name", &tenant.name)]));
    }
    if tenant.blocked.iter().any(|blocked| blocked.eq_ignore_ascii_case(client_id)) {
        return Err(error(53_003, &[]));
    }
    let mut issued = lock(&shared.issued);
    issued.exchanges += 1;
    if tenant.flaky_every > 0 && issued.exchanges.is_multiple_of(tenant.flaky_every) {
        return Err(error(700_213, &[]));
    }
    let mut body = file("entra/token-success.managed-identity.json")["body"].clone();
    let claims = claims(tenant, bare, client.id, client.object, client.arm_id.as_deref());
    let expires = SystemTime::now() + std::time::Duration::from_secs(body["expires_in"].as_u64().unwrap_or(3600));
    body["access_token"] = json!(issued.issue(&claims, bare, expires));
    Ok(Answer::json(200, &body).with_header("cache-control", "no-store, no-cache"))
}

/// The emulator's own endpoints, by either of their names.
fn is_emulators(resource: &str) -> bool {
    let url = url::Url::parse(resource).ok();
    url.is_some_and(|url| matches!(url.host_str(), Some("127.0.0.1" | "localhost")))
}

/// A certificate's assertion is issued by the client itself.
fn is_own(assertion: &str, client: &str) -> bool {
    parts(assertion).is_some_and(|(_, claims)| claims["iss"] == client && claims["sub"] == client)
}

fn check_certificate(assertion: &str, thumbprint: &str, key: &Value) -> Result<(), Answer> {
    let Some((header, _)) = parts(assertion) else { return Err(error(50_027, &[])) };
    if header["alg"] != "PS256" || header["x5t#S256"] != thumbprint || !verifies_with(assertion, key, true) {
        return Err(error(700_027, &[]));
    }
    check_lifetime(assertion)
}

fn check_lifetime(assertion: &str) -> Result<(), Answer> {
    let Some((_, claims)) = parts(assertion) else { return Err(error(50_027, &[])) };
    let now = jiff::Timestamp::now();
    let second = |name: &str| claims[name].as_i64().unwrap_or_default();
    // Five minutes of clock skew are let through.
    if now.as_second() > second("exp") + 300 || now.as_second() < second("nbf") - 300 {
        let time = |second| jiff::Timestamp::from_second(second).map(|t| t.to_string()).unwrap_or_default();
        let values = [("now", now.to_string()), ("nbf", time(second("nbf"))), ("exp", time(second("exp")))];
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        return Err(error(700_024, &values));
    }
    Ok(())
}

fn check_federated(assertion: &str, client: &Client<'_>, tenant: &Tenant, shared: &Shared) -> Result<(), Answer> {
    let Some((header, claims)) = parts(assertion) else { return Err(error(50_027, &[])) };
    if header["alg"] != "RS256" {
        return Err(error(5_002_738, &[("alg", header["alg"].as_str().unwrap_or_default())]));
    }
    if header["kid"].as_str().is_none() {
        return Err(error(5_002_723, &[]));
    }
    let Some(issuer) = claims["iss"].as_str() else { return Err(error(90_014, &[("field", "iss")])) };
    let Some(subject) = claims["sub"].as_str() else { return Err(error(90_014, &[("field", "sub")])) };
    let audiences: Vec<&str> = match &claims["aud"] {
        Value::String(audience) => vec![audience],
        Value::Array(audiences) => audiences.iter().filter_map(Value::as_str).collect(),
        _ => return Err(error(90_014, &[("field", "aud")])),
    };
    if issuer.starts_with("https://sts.windows.net/") || issuer.starts_with("https://login.microsoftonline.com/") {
        return Err(error(700_222, &[]));
    }
    check_match(client, issuer, subject, &audiences, tenant, shared)?;
    let reachable = tenant.issuers.iter().find(|known| known.url == issuer).and_then(|known| known.jwks.as_ref());
    let Some(jwks) = reachable else { return Err(error(90_061, &[])) };
    if !verifies(assertion, jwks) {
        return Err(error(700_027, &[]));
    }
    check_lifetime(assertion)
}

fn check_match(
    client: &Client<'_>,
    issuer: &str,
    subject: &str,
    audiences: &[&str],
    tenant: &Tenant,
    shared: &Shared,
) -> Result<(), Answer> {
    let now = Instant::now();
    let fresh: Vec<&Credential> =
        client.credentials.iter().filter(|c| c.visible_from.is_some_and(|from| from > now)).collect();
    let seen: Vec<&Credential> =
        client.credentials.iter().filter(|c| c.visible_from.is_none_or(|from| from <= now)).collect();
    if fresh.iter().any(|c| c.issuer == issuer && c.subject.as_deref() == Some(subject)) {
        // Asked too early: the negative answer is kept for as long again.
        let mut tenant = lock(&shared.tenant);
        let later = now + tenant.propagation;
        let identities = tenant.identities.iter_mut().filter(|identity| identity.client_id == client.id);
        for credential in identities.flat_map(|identity| identity.credentials.iter_mut()) {
            if credential.visible_from.is_some_and(|from| from > now) {
                credential.visible_from = Some(later);
            }
        }
    }
    let _ = tenant;
    if seen.is_empty() {
        return Err(error(70_025, &[("client_id", client.id), ("name", client.name)]));
    }
    let by_issuer: Vec<&&Credential> = seen.iter().filter(|c| c.issuer == issuer).collect();
    if by_issuer.is_empty() {
        return Err(error(700_211, &[("issuer", issuer)]));
    }
    let subject_is = |c: &&&&Credential| c.subject.as_deref() == Some(subject);
    let by_subject: Vec<&&&Credential> = by_issuer.iter().filter(subject_is).collect();
    if by_subject.is_empty() {
        let by_case = by_issuer.iter().any(|c| c.subject.as_deref().is_some_and(|s| s.eq_ignore_ascii_case(subject)));
        return Err(error(if by_case { 7_002_138 } else { 700_213 }, &[("subject", subject)]));
    }
    if !by_subject.iter().any(|c| c.audiences.iter().any(|audience| audiences.contains(&audience.as_str()))) {
        return Err(error(700_212, &[("audience", audiences.first().copied().unwrap_or_default())]));
    }
    Ok(())
}
