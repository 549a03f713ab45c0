//! Entra's token endpoint: where it is, and what it answers.

use super::cloud::CloudName;
use super::error::Error;
use super::secret::{Secret, without_tokens};
use super::transport::{Request, Transport};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;
use url::Url;
use zeroize::{Zeroize, Zeroizing};

/// An Entra host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority(Url);

impl Authority {
    /// The host of a cloud.
    pub fn of_cloud(cloud: CloudName) -> Self {
        // The table holds valid URLs, see the test.
        Self::given(cloud.cloud().authority).unwrap_or_else(|_| unreachable!("the table of clouds"))
    }

    /// What a pod's environment or a cluster's setting names: accepted only where it is Microsoft's, since a token
    /// would be sent there.
    ///
    /// # Errors
    /// [`Error::Refused`], which says how to insist.
    pub fn known(url: &str) -> Result<Self, Error> {
        let authority = Self::given(url)?;
        if authority.0.port().is_some() || CloudName::of_authority(url).is_none() {
            return Err(Error::Refused(format!(
                "{} is no Entra host of a cloud that is known here, so no token is sent to it; --authority-host insists",
                super::transport::origin(&authority.0)
            )));
        }
        Ok(authority)
    }

    /// What the user named.
    ///
    /// # Errors
    /// [`Error::Refused`] for anything but `https://host[:port]`, with or without a path.
    pub fn given(url: &str) -> Result<Self, Error> {
        let refused = |why: &str| Error::Refused(format!("\"{}\" is no authority host: {why}", without_tokens(url)));
        let mut parsed = Url::parse(url).map_err(|_| refused("write https://login.microsoftonline.com"))?;
        if parsed.scheme() != "https" {
            return Err(refused("a token is sent over https:// only"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refused("it carries a user name"));
        }
        parsed.set_path("/");
        parsed.set_query(None);
        parsed.set_fragment(None);
        Ok(Self(parsed))
    }

    /// The host.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The v2 token endpoint of a tenant.
    ///
    /// # Errors
    /// [`Error::Refused`] for a tenant that is neither a GUID nor a domain name.
    pub fn token_endpoint(&self, tenant: &str) -> Result<Url, Error> {
        self.below(tenant, "/oauth2/v2.0/token")
    }

    fn below(&self, tenant: &str, path: &str) -> Result<Url, Error> {
        let valid = !tenant.is_empty()
            && tenant.len() <= 253
            && tenant.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
            && tenant.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !valid {
            return Err(Error::Refused(format!(
                "\"{}\" is no tenant: write its GUID or a domain name",
                tenant.chars().take(80).collect::<String>()
            )));
        }
        let mut url = self.0.clone();
        url.set_path(&format!("/{tenant}{path}"));
        Ok(url)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

/// A token that Entra gave. No `Debug`.
pub(crate) struct Granted {
    pub token: Secret,
    pub expires_in: Duration,
}

/// Why there is no token.
pub(crate) enum TokenFailure {
    Rejected(EntraError),
    NoAnswer(Error),
}

/// An error body of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraError {
    /// HTTP status: 401 for `invalid_client`, 400 for most others.
    pub status: u16,
    /// OAuth's word: `invalid_client`, `invalid_request`, `unauthorized_client`, …
    pub error: String,
    /// AADSTS codes, without the letters; the first is the one to decide on.
    pub codes: Vec<u32>,
    /// The text behind the code, without trace id, correlation id and timestamp.
    pub message: String,
    /// For a support case.
    pub trace_id: Option<String>,
    /// For a support case, and to find the attempt in the sign-in logs.
    pub correlation_id: Option<String>,
    /// Entra's clock: `2026-01-02 03:04:05Z`.
    pub timestamp: Option<String>,
}

impl EntraError {
    /// The code to decide on.
    pub fn code(&self) -> Option<u32> {
        self.codes.first().copied()
    }
}

impl fmt::Display for EntraError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => write!(f, "AADSTS{code}: {}", self.message),
            None => write!(f, "{} (status {}): {}", self.error, self.status, self.message),
        }
    }
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: String,
    // A number on the v2 endpoint, a text on the v1 endpoint and the node's.
    #[serde(default)]
    expires_in: serde_json::Value,
}

#[derive(Deserialize, Default)]
struct ErrorBody {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u32>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
    timestamp: Option<String>,
}

/// Posts a form to the token endpoint.
pub(crate) async fn request_token(
    transport: &Transport,
    endpoint: &Url,
    form: &[(&str, &str)],
) -> Result<Granted, TokenFailure> {
    let mut body = Zeroizing::new(String::new());
    for (name, value) in form {
        if !body.is_empty() {
            body.push('&');
        }
        body.push_str(name);
        body.push('=');
        body.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
    }
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let body = Bytes::from_owner(Zeroizing::new(std::mem::take(&mut *body).into_bytes()));
    let request = Request { method: Method::POST, url: endpoint.clone(), headers, body };
    let reply = transport.send(request).await.map_err(TokenFailure::NoAnswer)?;
    if !reply.is_success() {
        return Err(TokenFailure::Rejected(read_error(reply.status, &reply.body)));
    }
    let mut granted: TokenBody = serde_json::from_slice(&reply.body).map_err(|_| {
        // serde's text can quote the token.
        TokenFailure::NoAnswer(Error::Unreadable {
            what: format!("the answer of {}", endpoint.host_str().unwrap_or_default()),
            reason: "it is no JSON with an access_token".to_owned(),
        })
    })?;
    let seconds = granted.expires_in.as_u64().or_else(|| granted.expires_in.as_str()?.parse().ok()).unwrap_or(300);
    let token = Secret::new(std::mem::take(&mut granted.access_token));
    granted.access_token.zeroize();
    Ok(Granted { token, expires_in: Duration::from_secs(seconds) })
}

/// Reads an error body; what is no JSON keeps its status and its first characters.
pub(crate) fn read_error(status: u16, body: &[u8]) -> EntraError {
    let parsed: ErrorBody = serde_json::from_slice(body).unwrap_or_else(|_| ErrorBody {
        error: "unreadable".to_owned(),
        error_description: String::from_utf8_lossy(body).trim().chars().take(300).collect(),
        ..ErrorBody::default()
    });
    let (code, message) = split_description(&parsed.error_description);
    let mut codes = parsed.error_codes;
    if codes.is_empty() {
        codes.extend(code);
    }
    EntraError {
        status,
        error: parsed.error,
        codes,
        message: without_tokens(message).chars().take(600).collect(),
        trace_id: parsed.trace_id,
        correlation_id: parsed.correlation_id,
        timestamp: parsed.timestamp,
    }
}

/// `AADSTS700213: text Trace ID: … Correlation ID: … Timestamp: …`: the parts stand on lines of their own until 2022,
/// behind single spaces since 2023.
fn split_description(description: &str) -> (Option<u32>, &str) {
    let text = description.find("Trace ID: ").map_or(description, |end| &description[..end]).trim();
    let split = text.strip_prefix("AADSTS").and_then(|rest| rest.split_once(':'));
    match split.and_then(|(code, message)| Some((code.parse().ok()?, message))) {
        Some((code, message)) => (Some(code), message.trim()),
        None => (None, text),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_clouds_holds_authorities() {
        for cloud in CloudName::ALL {
            let authority = Authority::of_cloud(cloud);
            assert_eq!(CloudName::of_authority(&authority.to_string()), Some(cloud));
            assert!(Authority::known(cloud.cloud().authority).is_ok());
        }
    }

    #[test]
    fn a_token_goes_to_microsoft_or_to_whom_the_user_names() {
        assert!(Authority::known("https://login.chinacloudapi.cn/").is_ok());
        for url in [
            "https://evil.example/",
            "https://login.microsoftonline.com:8443/",
            "https://login.microsoftonline.com@evil.example/",
        ] {
            assert!(Authority::known(url).is_err(), "{url}");
        }
        assert!(
            Authority::given("https://127.0.0.1:8443/x?y#z").is_ok_and(|a| a.to_string() == "https://127.0.0.1:8443/")
        );
        for url in [
            "http://login.microsoftonline.com",
            "login.microsoftonline.com",
            "https://user:secret@host/",
            "file:///etc/passwd",
        ] {
            let error = Authority::given(url).unwrap_err().to_string();
            assert!(error.contains("authority host"), "{error}");
        }
    }

    #[test]
    fn a_tenant_is_a_guid_or_a_domain() {
        let authority = Authority::of_cloud(CloudName::Public);
        for tenant in ["b6c948ef-f6b5-4384-8354-da3a15eca969", "contoso.onmicrosoft.com", "common"] {
            let url = authority.token_endpoint(tenant).unwrap();
            assert_eq!(url.as_str(), format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"));
        }
        for tenant in ["", "${AZURE_TENANT_ID}", "a/b", "..", ".", "a b", "a?b", "ä"] {
            assert!(authority.token_endpoint(tenant).is_err(), "{tenant}");
        }
    }

    #[test]
    fn descriptions_of_either_decade_are_taken_apart() {
        let new = read_error(401, br#"{"error":"invalid_client","error_description":"AADSTS700213: No matching. Trace ID: a Correlation ID: b Timestamp: c","error_codes":[700213],"trace_id":"a","correlation_id":"b"}"#);
        assert_eq!((new.code(), new.message.as_str()), (Some(700_213), "No matching."));
        assert_eq!(new.to_string(), "AADSTS700213: No matching.");
        let old = read_error(400, b"{\"error\":\"invalid_request\",\"error_description\":\"AADSTS70021: No matching.\\r\\nTrace ID: a\\r\\nCorrelation ID: b\"}");
        assert_eq!((old.code(), old.message.as_str()), (Some(70021), "No matching."));
        let page = read_error(503, b"<html>busy</html>");
        assert_eq!((page.code(), page.message.as_str()), (None, "<html>busy</html>"));
        assert_eq!(read_error(500, b"\xff\xfe").codes, Vec::<u32>::new());
    }
}
