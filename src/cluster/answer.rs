//! What an answer that is not a success means.
//!
//! The HTTP status decides, not `Status.code`: a body that is JSON but no `Status` leaves that at zero, and
//! `Status::is_not_found()` of kube 5.0.0 does not see a plain-text 404.

use super::error::Error;
use super::operation::Operation;
use http::StatusCode;
use serde::Deserialize;

/// `metav1.Status`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    kind: Option<String>,
    message: Option<String>,
    reason: Option<String>,
    details: Option<StatusDetails>,
    metadata: Option<StatusMeta>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StatusMeta {
    #[serde(rename = "continue")]
    continue_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StatusDetails {
    name: Option<String>,
    causes: Option<Vec<StatusCause>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusCause {
    reason: Option<String>,
    message: Option<String>,
    field: Option<String>,
}

impl Status {
    fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(|status: &Self| status.kind.as_deref() == Some("Status"))
    }

    /// The token with which a list whose continue token expired can be read on from where it was (410).
    pub(super) fn fresh_continue(body: &[u8]) -> Option<String> {
        Self::read(body)?.metadata?.continue_token.filter(|token| !token.is_empty())
    }
}

/// Whom the answer is about.
pub(super) struct Asked<'a> {
    pub(super) operation: &'a Operation,
    pub(super) server: &'a str,
    pub(super) user: Option<&'a str>,
    /// The request had a body: admission may have had its say.
    pub(super) is_write: bool,
}

/// Turns status code and body into the error that they are.
pub(super) fn error_of(code: StatusCode, body: &[u8], asked: &Asked<'_>) -> Error {
    let operation = asked.operation.clone();
    let status = Status::read(body);
    let said = status.as_ref().and_then(|status| status.message.as_deref()).filter(|message| !message.is_empty());
    let message = said.map_or_else(|| describe_body(body), one_line);
    let unquoted = || said.map_or_else(|| describe_body(body), |said| one_line(&without_values(said)));
    match code.as_u16() {
        401 => Error::Unauthorized {
            server: asked.server.to_owned(),
            user: asked.user.map(str::to_owned),
            message: if status.is_some() { message } else { "401 Unauthorized".to_owned() },
        },
        403 if asked.is_write && !is_authorizers(&message) => rejected(operation, message),
        403 => {
            let mut denied = operation.denied();
            if let Some(verb) = denied_verb(&message) {
                verb.clone_into(&mut denied.verb);
            }
            Error::Denied { denied, message }
        }
        404 => not_found(status.as_ref(), body, asked),
        409 => {
            let message = unquoted();
            conflict(operation, status, message)
        }
        410 => Error::Gone { operation, message },
        400 if message.contains("admission webhook ") => rejected(operation, message),
        400 | 422 => Error::Invalid { operation, message: unquoted() },
        code if status.is_none() && looks_like_html(body) => {
            Error::Malformed { operation, server: asked.server.to_owned(), reason: format!("{code} with {message}") }
        }
        code => Error::Server { operation, code, message: unquoted() },
    }
}

/// RBAC: `User "x" cannot list resource "pods" in API group "" ...`, `cannot get path "/version"`; AKS' Azure RBAC
/// says the same and adds its own reason. Admission's 403 (Pod Security, a missing account) says neither.
fn is_authorizers(message: &str) -> bool {
    message.contains(" cannot ") && (message.contains(" resource \"") || message.contains(" path \""))
}

/// The verb that the authorizer looked for: an exec over a websocket needs `create` too from Kubernetes 1.35 on.
fn denied_verb(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(" cannot ")?;
    let (verb, rest) = rest.split_once(' ')?;
    rest.starts_with("resource ").then_some(verb)
}

fn rejected(operation: Operation, message: String) -> Error {
    let webhook = message
        .split_once("admission webhook \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(name, _)| name.to_owned());
    Error::Rejected { operation, webhook, message }
}

/// A `Status` of 404 names the object; one without a name, or the plain text of the API server's mux, says that the
/// kind is not served. Anything else is a 404 of somebody else, and proves no absence.
fn not_found(status: Option<&Status>, body: &[u8], asked: &Asked<'_>) -> Error {
    let operation = asked.operation.clone();
    match status {
        Some(status) => {
            let about_kind = status
                .message
                .as_deref()
                .is_some_and(|message| message.contains("could not find the requested resource"));
            let named = status.details.as_ref().is_some_and(|details| details.name.is_some());
            if about_kind && !named { Error::NotServed { operation } } else { Error::NotFound { operation } }
        }
        None if body.trim_ascii_start().starts_with(b"404 page not found") => Error::NotServed { operation },
        None => Error::Malformed {
            operation,
            server: asked.server.to_owned(),
            reason: format!("404 with {}", describe_body(body)),
        },
    }
}

fn conflict(operation: Operation, status: Option<Status>, message: String) -> Error {
    let status = status.unwrap_or_default();
    let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
    let fields = causes
        .into_iter()
        .filter(|cause| cause.reason.as_deref() == Some("FieldManagerConflict"))
        .map(|cause| {
            let field = cause.field.unwrap_or_default();
            cause.message.map_or_else(|| field.clone(), |message| format!("{field}: {}", one_line(&message)))
        })
        .collect();
    let already_exists = status.reason.as_deref() == Some("AlreadyExists");
    Error::Conflict { operation, already_exists, fields, message }
}

fn looks_like_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// What a body is that holds no message for us; never its text, which may be anything.
pub(super) fn describe_body(body: &[u8]) -> String {
    if body.trim_ascii().is_empty() {
        return "an empty answer".to_owned();
    }
    if looks_like_html(body) {
        let text = String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned();
        let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        return match title {
            Some((title, _)) if !title.trim().is_empty() => format!("an HTML page (\"{}\")", one_line(title.trim())),
            _ => "an HTML page".to_owned(),
        };
    }
    match std::str::from_utf8(body) {
        Ok(text) if text.trim_start().starts_with(['{', '[']) => "JSON of another kind".to_owned(),
        Ok(text) if text.len() <= 200 => format!("the text \"{}\"", one_line(text)),
        Ok(_) => "a longer text".to_owned(),
        Err(_) => "bytes that are no text".to_owned(),
    }
}

/// The longest message that is handed on; the API server's own are shorter, apart from those that quote objects.
const MESSAGE_LIMIT: usize = 700;

/// Control characters out, so that nothing can move the cursor; one line; not endless.
pub(super) fn one_line(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    if let Some((at, _)) = line.char_indices().nth(MESSAGE_LIMIT) {
        line.truncate(at);
        line.push('…');
    }
    line
}

/// Takes out the values that a refusal quotes. Strict validation of a merge patch quotes the whole patched object, a
/// change of a running pod's spec prints a difference of specs: both hold environment variables.
fn without_values(message: &str) -> String {
    let mut kept = String::new();
    let mut rest = message;
    while let Some(at) = rest.find("Invalid value: ") {
        let (before, value) = rest.split_at(at + "Invalid value: ".len());
        kept.push_str(before);
        kept.push_str("(left out)");
        rest = &value[value_length(value)..];
    }
    kept.push_str(rest);
    for opening in ["core.PodSpec{", "v1.PodSpec{", "{\"", "&core.", "&v1."] {
        if let Some(at) = kept.find(opening) {
            kept.truncate(at);
            kept.push('…');
        }
    }
    kept
}

/// How long the quoted value at the start is: a string of Go, an object up to its closing brace, or a word.
fn value_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'"') => {
            let mut escaped = false;
            for (at, byte) in bytes.iter().enumerate().skip(1) {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => return at + 1,
                    _ => {}
                }
            }
            text.len()
        }
        Some(_) => text.find(": ").filter(|_| !text.contains(['{', '['])).unwrap_or(text.len()),
        None => 0,
    }
}

/// A reader's error without the value that it met, which may be a Secret's.
pub(super) fn describe_json_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match (text.find('"'), text.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}…{}", &text[..first], &text[last + 1..]),
        _ => text,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::cluster::resource;

    fn judge(verb: &'static str, code: u16, body: &str) -> Error {
        let operation = Operation::on_one(verb, &resource::POD, Some("velero"), "velero-1", None).unwrap();
        let is_write = verb != "get";
        let asked = Asked { operation: &operation, server: "https://c", user: Some("me"), is_write };
        error_of(StatusCode::from_u16(code).unwrap(), body.as_bytes(), &asked)
    }

    fn status(reason: &str, message: &str) -> String {
        serde_json::json!({"kind": "Status", "apiVersion": "v1", "reason": reason, "message": message}).to_string()
    }

    #[test]
    fn a_right_that_is_missing_and_a_refusal_are_two_things() {
        let rbac = status(
            "Forbidden",
            r#"pods is forbidden: User "me" cannot create resource "pods" in API group "" in the namespace "velero""#,
        );
        assert!(matches!(judge("create", 403, &rbac), Error::Denied { .. }));
        let azure = status(
            "Forbidden",
            r#"pods is forbidden: User "me" cannot list resource "pods" in API group "" at the cluster scope: User does not have access to the resource in Azure."#,
        );
        assert!(matches!(judge("get", 403, &azure), Error::Denied { .. }));
        for refusal in [
            r#"pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true"#,
            r#"pods "x" is forbidden: error looking up service account velero/none: serviceaccount "none" not found"#,
        ] {
            assert!(matches!(
                judge("create", 403, &status("Forbidden", refusal)),
                Error::Rejected { webhook: None, .. }
            ));
        }
        let denial = r#"admission webhook "mutation.azure-workload-identity.io" denied the request: serviceaccounts "none" not found"#;
        match judge("create", 400, &status("", denial)) {
            Error::Rejected { webhook, .. } => assert_eq!(webhook.unwrap(), "mutation.azure-workload-identity.io"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_api_server_can_say_that_something_is_absent() {
        let object = r#"{"kind":"Status","reason":"NotFound","message":"pods \"velero-1\" not found","details":{"name":"velero-1","kind":"pods"},"code":404}"#;
        assert!(matches!(judge("get", 404, object), Error::NotFound { .. }));
        assert!(matches!(judge("get", 404, "404 page not found\n"), Error::NotServed { .. }));
        let kind = status("NotFound", "the server could not find the requested resource");
        assert!(matches!(judge("get", 404, &kind), Error::NotServed { .. }));
        for stranger in ["<html><title>404 Not Found</title>nginx</html>", "", "{\"error\":\"not found\"}"] {
            assert!(!judge("get", 404, stranger).is_absent(), "{stranger}");
        }
    }

    /// Both texts are of kube-apiserver 1.34.4, shortened.
    #[test]
    fn refusals_that_quote_the_object_are_cut() {
        let strict = r#" "" is invalid: patch: Invalid value: "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{\"containers\":[{\"env\":[{\"name\":\"P\",\"value\":\"hunter2\"}]}]}}": strict decoding error: unknown field "spec.foo""#;
        let spec = "Pod \"x\" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`\n  core.PodSpec{\n  \tVolumes: {hunter2}, // 1 identical field";
        let raw = "Deployment.apps \"x\" is invalid: spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"hunter2\"}}: field is immutable";
        for message in [strict, spec, raw] {
            let error = judge("patch", 422, &status("Invalid", message));
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        let said = judge("patch", 422, &status("Invalid", strict)).to_string();
        assert!(said.contains("unknown field \"spec.foo\""), "{said}");
    }

    #[test]
    fn the_status_code_of_http_counts() {
        assert!(matches!(judge("get", 500, r#"{"code":0}"#), Error::Server { code: 500, .. }));
        assert!(matches!(judge("get", 403, r#"{"error":"no"}"#), Error::Denied { .. }));
        assert!(matches!(judge("get", 401, "<html>"), Error::Unauthorized { .. }));
        assert!(matches!(judge("get", 502, "<html><title>Bad Gateway</title>"), Error::Malformed { .. }));
        assert!(matches!(
            judge("patch", 409, &status("Conflict", "the object has been modified")),
            Error::Conflict { already_exists: false, .. }
        ));
        assert!(matches!(
            judge("create", 409, &status("AlreadyExists", "exists")),
            Error::Conflict { already_exists: true, .. }
        ));
    }

    #[test]
    fn nothing_in_a_message_moves_the_cursor() {
        let error = judge("get", 500, &status("InternalError", "a\u{1b}[2J\r\nb"));
        assert_eq!(error.to_string(), "cannot get pods velero/velero-1: the API server answered 500: a[2J b");
    }

    #[test]
    fn a_readers_error_does_not_quote() {
        let error = serde_json::from_str::<u8>("\"hunter2\"").unwrap_err();
        assert_eq!(describe_json_error(&error), "invalid type: string …, expected u8 at line 1 column 9");
    }
}
