//! What Entra writes around a code.

use super::Lookup;
use crate::text::{Squeezed, pattern};
use regex::bytes::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// An answer of Entra, or what is left of it in a log: codes, ids for Microsoft's support, and the values that it
/// quotes. A value is as it was written, without blanks and line breaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntraError {
    /// The codes, the first one first; never empty.
    pub codes: Vec<u32>,
    /// The OAuth error: `invalid_client`, `unauthorized_client`, ...
    pub error: Option<String>,
    /// Conditional Access says more in `suberror`.
    pub suberror: Option<String>,
    /// `trace_id`
    pub trace_id: Option<String>,
    /// `correlation_id`: what Microsoft's support and the tenant's sign-in logs ask for.
    pub correlation_id: Option<String>,
    /// `timestamp`, as Entra writes it: `2025-04-22 01:01:11Z`.
    pub timestamp: Option<String>,
    /// What the message quotes.
    pub presented: Presented,
}

/// The values that a message quotes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presented {
    /// The token's issuer.
    pub issuer: Option<String>,
    /// The token's subject.
    pub subject: Option<String>,
    /// The token's audience.
    pub audience: Option<String>,
    /// The subject that Entra expects, where it says so.
    pub expected_subject: Option<String>,
    /// The client id.
    pub client_id: Option<String>,
    /// The tenant, by id or by name.
    pub tenant: Option<String>,
    /// The resource or scope that was asked for.
    pub resource: Option<String>,
    /// The parameter that is missing.
    pub parameter: Option<String>,
    /// The assertion's end, where it is out of its time.
    pub expiry: Option<String>,
}

macro_rules! patterns {
    ($($name:ident = $pattern:expr;)*) => {
        $(static $name: LazyLock<Regex> = LazyLock::new(|| pattern($pattern));)*
        #[cfg(test)]
        fn compiled() -> usize {
            [$(LazyLock::force(&$name).as_str().len(),)*].len()
        }
    };
}

patterns! {
    CODE = r"aadsts [:]? ([0-9]{5,9})";
    CODES = r#""?error_?codes?["']?[:=]["']?\[?([0-9]{5,9})"#;
    ERROR = r#""error":"([a-z_]{1,64})""#;
    SUBERROR = r#""suberror":"([a-z_]{1,64})""#;
    TRACE = r#"trace_?id["']?[:=]["']?([0-9a-f]{8}-[0-9a-f-]{27})"#;
    CORRELATION = r#"correlation_?id["']?[:=]["']?([0-9a-f]{8}-[0-9a-f-]{27})"#;
    TIMESTAMP = r#"timestamp["']?[:=]["']?([0-9]{4}-[0-9]{2}-[0-9]{2})t?([0-9]{2}:[0-9]{2}:[0-9]{2}z)"#;
    ISSUER = r"(?: assertionissuer:? | issuedbyissuer | credentialsissuedby ) '([^']{1,600})'";
    SUBJECT = r"assertionsubject:?'([^']{1,600})'";
    AUDIENCE = r"assertionaudience:?'([^']{1,600})'";
    EXPECTED = r"credentialsubjectis'([^']{1,600})'";
    CLIENT = r"(?: applicationwithidentifier' | theclient' | forapp' | secretaddedtoapp' | clientapplication
        | application' ) ([^'\s]{1,80}?) (?: ' | ismissing )";
    TENANT = r"(?: inthedirectory' | inthetenantnamed | tenantidentifier' | thespecifiedtenant' | [^a-z]tenant'
        | inthetenant ) ([^'\s]{1,80}?) (?: '|\.this|\.see )";
    RESOURCE = r"(?: principalnamed | thescope | forscope ) '? ([^'\s]{1,300}?) '? (?: was | isnotvalid | isn'tvalid )";
    PARAMETER = r"followingparameter:?'([^']{1,80})'";
    EXPIRY = r"expirytimeofassertion([0-9]{4}-[0-9]{2}-[0-9]{2}t[0-9:]{8})";
}

impl EntraError {
    /// Reads an answer of the token endpoint (JSON), or any text with a code in it. `None` where there is no code.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(Value::Object(body)) = serde_json::from_str(text) {
            let description = body.get("error_description").and_then(Value::as_str).unwrap_or_default();
            let mut error = Self::read(&Squeezed::new(description)).unwrap_or_default();
            let codes = body.get("error_codes").and_then(Value::as_array).into_iter().flatten();
            let codes: Vec<u32> = codes.filter_map(|code| u32::try_from(code.as_u64()?).ok()).collect();
            if !codes.is_empty() {
                error.codes = codes;
            }
            let field = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
            error.error = field("error").or(error.error);
            error.suberror = field("suberror").or(error.suberror);
            error.trace_id = field("trace_id").or(error.trace_id);
            error.correlation_id = field("correlation_id").or(error.correlation_id);
            error.timestamp = field("timestamp").or(error.timestamp);
            if !error.codes.is_empty() {
                return Some(error);
            }
        }
        Self::read(&Squeezed::new(text))
    }

    /// The same from text that is squeezed already.
    pub fn read(text: &Squeezed) -> Option<Self> {
        let mut codes: Vec<u32> = Vec::new();
        for captures in CODE.captures_iter(text.lower()).chain(CODES.captures_iter(text.lower())) {
            let digits = captures.get(1).and_then(|digits| std::str::from_utf8(digits.as_bytes()).ok());
            if let Some(code) = digits.and_then(|digits| digits.parse().ok())
                && !codes.contains(&code)
            {
                codes.push(code);
            }
        }
        if codes.is_empty() {
            return None;
        }
        let find = |pattern: &Regex| capture(pattern, text);
        Some(Self {
            codes,
            error: find(&ERROR),
            suberror: find(&SUBERROR),
            trace_id: find(&TRACE),
            correlation_id: find(&CORRELATION),
            timestamp: timestamp(text),
            presented: Presented {
                issuer: find(&ISSUER),
                subject: find(&SUBJECT),
                audience: find(&AUDIENCE),
                expected_subject: find(&EXPECTED),
                client_id: find(&CLIENT),
                tenant: find(&TENANT),
                resource: find(&RESOURCE),
                parameter: find(&PARAMETER),
                expiry: find(&EXPIRY),
            },
        })
    }

    /// What the catalogue has for the first code.
    pub fn lookup(&self) -> Lookup {
        self.codes.first().map_or(Lookup::Unknown, |code| super::lookup(*code))
    }
}

fn capture(pattern: &Regex, text: &Squeezed) -> Option<String> {
    let range = pattern.captures(text.lower())?.get(1)?.range();
    Some(text.text(range))
}

/// Squeezing has taken the blank between date and time out.
fn timestamp(text: &Squeezed) -> Option<String> {
    let captures = TIMESTAMP.captures(text.lower())?;
    let (date, time) = (captures.get(1)?, captures.get(2)?);
    Some(format!("{} {}", text.text(date.range()), text.text(time.range())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_patterns_compile() {
        assert_eq!(compiled(), 16);
    }

    const LINE: &str = "E1027 23:39:22.893319 1 token_credential.go:62] \"failed to acquire token\" err=\"FromAssertion(): http call(https://login.microsoftonline.com/t/oauth2/v2.0/token)(POST) error: reply status code was 400:\\n{\\\"error\\\":\\\"invalid_request\\\",\\\"error_description\\\":\\\"AADSTS70021: No matching federated identity record found for presented assertion. Assertion Issuer: 'https://kubernetes.default.svc.cluster.local'. Assertion Subject: 'system:serviceaccount:default:app'. Assertion Audience: 'api://AzureADTokenExchange'.\\\\r\\\\nTrace ID: 11111111-2222-3333-4444-555555555555\\\\r\\\\nCorrelation ID: 66666666-7777-8888-9999-000000000000\\\\r\\\\nTimestamp: 2022-10-27 23:39:22Z\\\",\\\"error_codes\\\":[70021]}\"";

    #[test]
    fn reads_a_log_line_with_escapes_within_escapes() {
        let error = EntraError::parse(LINE).unwrap();
        assert_eq!(error.codes, [70021]);
        assert_eq!(error.error.as_deref(), Some("invalid_request"));
        assert_eq!(error.trace_id.as_deref(), Some("11111111-2222-3333-4444-555555555555"));
        assert_eq!(error.correlation_id.as_deref(), Some("66666666-7777-8888-9999-000000000000"));
        assert_eq!(error.timestamp.as_deref(), Some("2022-10-27 23:39:22Z"));
        assert_eq!(error.presented.issuer.as_deref(), Some("https://kubernetes.default.svc.cluster.local"));
        assert_eq!(error.presented.subject.as_deref(), Some("system:serviceaccount:default:app"));
        assert_eq!(error.presented.audience.as_deref(), Some("api://AzureADTokenExchange"));
    }

    #[test]
    fn reads_it_however_a_terminal_broke_it() {
        let whole = EntraError::parse(LINE);
        for width in [17, 40, 80, 133] {
            let wrapped: Vec<String> =
                LINE.as_bytes().chunks(width).map(|part| String::from_utf8_lossy(part).into()).collect();
            assert_eq!(EntraError::parse(&wrapped.join("\n    ")), whole, "at {width}");
        }
    }

    #[test]
    fn keeps_the_case_of_what_is_presented() {
        let error =
            EntraError::parse("AADSTS700213: ... presented assertion subject 'system:serviceaccount:Team-A:App'.");
        assert_eq!(error.unwrap().presented.subject.as_deref(), Some("system:serviceaccount:Team-A:App"));
    }

    #[test]
    fn no_code_is_no_error_of_entra() {
        assert_eq!(EntraError::parse("AADSTS without a number"), None);
        assert_eq!(EntraError::parse("{\"error\":\"server_error\"}"), None);
    }
}
