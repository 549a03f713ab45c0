//! Reads the error bodies of ARM, Resource Graph and Microsoft Graph.

use super::error::{ApiError, Error};
use super::secret::without_tokens;
use http::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// Longest message that is kept; a proxy's error page is no message.
const MESSAGE_LIMIT: usize = 600;

/// Makes the typed error of an answer that is not a success.
pub(crate) fn read(what: &str, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let error = member(&json, "error").unwrap_or(&json);
    let text = |value: &Value, name: &str| member(value, name).and_then(Value::as_str).map(clean).unwrap_or_default();
    let mut message = text(error, "message");
    if message.is_empty() && json.is_null() {
        message = clean(String::from_utf8_lossy(body).trim());
    }
    let details = member(error, "details")
        .and_then(Value::as_array)
        .map(|details| details.iter().map(|d| (text(d, "code"), text(d, "message"))).collect())
        .unwrap_or_default();
    let denial = message.rfind("does not have").map_or("", |at| &message[at..]);
    Error::Api(Box::new(ApiError {
        what: what.to_owned(),
        status,
        code: text(error, "code"),
        action: quoted_after(denial, "perform action ").map(str::to_owned),
        scope: quoted_after(denial, "over scope ")
            .or_else(|| quoted_after(denial, "linked scope(s) "))
            .map(str::to_owned),
        retry_after: retry_after(headers),
        tenant: tenant_of_body(&message).or_else(|| tenant_of_challenge(headers)),
        request_id: ["x-ms-request-id", "request-id"]
            .iter()
            .find_map(|name| Some(headers.get(*name)?.to_str().ok()?.to_owned())),
        details,
        message,
    }))
}

/// How long the answer asks to wait: `retry-after-ms`, `x-ms-retry-after-ms`, `Retry-After` in seconds, or Resource
/// Graph's `x-ms-user-quota-resets-after`; the longest of them, since Resource Graph's `Retry-After` can be shorter
/// than the quota's reset. `Retry-After` as a date is what ARM does not send; it is left out.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let milliseconds = |name: &str| text(name)?.parse().ok().map(Duration::from_millis);
    let seconds = text("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs);
    let quota = text("x-ms-user-quota-resets-after").and_then(clock);
    let throttled = seconds.is_some() || milliseconds("retry-after-ms").is_some();
    [milliseconds("retry-after-ms"), milliseconds("x-ms-retry-after-ms"), seconds, quota.filter(|_| throttled)]
        .into_iter()
        .flatten()
        .max()
}

/// `hh:mm:ss`
fn clock(text: &str) -> Option<Duration> {
    let mut seconds = 0u64;
    for part in text.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    Some(Duration::from_secs(seconds))
}

/// Members may be capitalised, and Graph's own page spells `innererror` where its answers say `innerError`.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn clean(text: &str) -> String {
    let mut text = without_tokens(text);
    if let Some((end, _)) = text.char_indices().nth(MESSAGE_LIMIT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn quoted_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.strip_prefix('\'')?.split('\'').next().filter(|value| !value.is_empty())
}

/// `InvalidAuthenticationTokenTenant` names the right tenant.
fn tenant_of_body(message: &str) -> Option<String> {
    let rest = &message[message.find("must match the tenant '")?..];
    first_guid(rest.split('\'').nth(1)?)
}

/// ARM's challenge carries the tenant of the subscription: `Bearer authorization_uri="https://login.windows.net/GUID"`.
fn tenant_of_challenge(headers: &HeaderMap) -> Option<String> {
    let challenge = headers.get(http::header::WWW_AUTHENTICATE)?.to_str().ok()?;
    let rest = &challenge[challenge.find("authorization_uri=\"")?..];
    first_guid(rest.split('"').nth(1)?)
}

fn first_guid(url: &str) -> Option<String> {
    url.split('/').find_map(super::guid::Guid::parse).map(|guid| guid.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn error(status: u16, headers: &[(&'static str, &str)], body: &str) -> ApiError {
        let headers = headers.iter().map(|(n, v)| ((*n).parse().unwrap(), v.parse().unwrap())).collect();
        match read("GET /x", status, &headers, body.as_bytes()) {
            Error::Api(error) => *error,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_missing_action_is_the_one_that_is_missing() {
        let linked = error(
            403,
            &[],
            r#"{"error":{"code":"LinkedAuthorizationFailed","message":"The client 'a' with object id 'b' has permission to perform action 'X/write' on scope '/s'; however, it does not have permission to perform action 'Y/assign/action' on the linked scope(s) '/t' or the linked scope(s) are invalid."}}"#,
        );
        assert_eq!((linked.action.as_deref(), linked.scope.as_deref()), (Some("Y/assign/action"), Some("/t")));
        let plain = error(
            403,
            &[],
            r#"{"error":{"code":"AuthorizationFailed","message":"The client 'a' with object id 'b' does not have authorization to perform action 'A/read' over scope '/s' or the scope is invalid."}}"#,
        );
        assert_eq!(plain.to_string(), "GET /x: 403 AuthorizationFailed: no permission for A/read at /s");
    }

    #[test]
    fn a_body_that_is_no_json_is_cut_and_keeps_its_status() {
        let page = format!("<html>{}</html>", "é".repeat(2000));
        let error = error(502, &[], &page);
        assert_eq!((error.status, error.code.as_str()), (502, ""));
        assert!(error.message.chars().count() <= MESSAGE_LIMIT + 1);
    }

    #[test]
    fn the_longest_of_the_waits_counts() {
        let two = error(429, &[("retry-after", "2"), ("x-ms-user-quota-resets-after", "00:00:05")], "");
        assert_eq!(two.retry_after, Some(Duration::from_secs(5)));
        // The quota's header stands on every answer of Resource Graph; alone it asks for nothing.
        assert_eq!(error(400, &[("x-ms-user-quota-resets-after", "00:00:05")], "").retry_after, None);
        assert_eq!(error(429, &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], "").retry_after, None);
    }

    #[test]
    fn hostile_bodies_do_not_panic() {
        for body in [
            "",
            "null",
            "[]",
            "{\"error\":1}",
            "{\"error\":{\"details\":[1,null,{}]}}",
            "{\"Error\":{\"Code\":\"X\"}}",
            "does not have perform action '",
        ] {
            let _ = error(400, &[], body);
        }
        assert_eq!(error(400, &[], "{\"Error\":{\"Code\":\"X\",\"MESSAGE\":\"m\"}}").code, "X");
    }
}
