//! Entra's token endpoint: where it is, and what it answers.

use super::cloud::CloudName;
use super::error::Error;
use super::transport::{Request, Transport};
use crate::azure::foreign::presentable;
use crate::token::aadsts::EntraError;
use crate::token::jwt::RawToken;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;
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
        let refused = |why: &str| Error::Refused(format!("\"{}\" is no authority host: {why}", presentable(url)));
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
    pub token: RawToken,
    pub expires_in: Duration,
}

/// Why there is no token.
pub(crate) enum TokenFailure {
    Rejected(Box<TokenRefusal>),
    NoAnswer(Error),
}

/// A refusal of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRefusal {
    /// HTTP status: 401 for `invalid_client`, 400 for most others.
    pub status: u16,
    /// The text behind the code, without trace id, correlation id and timestamp; of a body that is none of Entra's,
    /// its beginning.
    pub message: String,
    /// Codes, ids and what the message quotes; `None` where the answer is not Entra's.
    pub entra: Option<EntraError>,
}

impl TokenRefusal {
    /// The AADSTS code to decide on.
    pub fn code(&self) -> Option<u32> {
        self.entra.as_ref()?.codes.first().copied()
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => write!(f, "AADSTS{code}: {}", self.message),
            None => write!(f, "status {}: {}", self.status, self.message),
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
        return Err(TokenFailure::Rejected(Box::new(read_refusal(reply.status, &reply.body))));
    }
    let mut granted: TokenBody = serde_json::from_slice(&reply.body).map_err(|_| {
        // serde's text can quote the token.
        TokenFailure::NoAnswer(Error::Unreadable {
            what: format!("the answer of {}", endpoint.host_str().unwrap_or_default()),
            reason: "it is no JSON with an access_token".to_owned(),
        })
    })?;
    let seconds = granted.expires_in.as_u64().or_else(|| granted.expires_in.as_str()?.parse().ok()).unwrap_or(300);
    let token = RawToken::new(std::mem::take(&mut granted.access_token));
    granted.access_token.zeroize();
    Ok(Granted { token, expires_in: Duration::from_secs(seconds) })
}

/// Reads an error body.
pub(crate) fn read_refusal(status: u16, body: &[u8]) -> TokenRefusal {
    let text = String::from_utf8_lossy(body);
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let description = json["error_description"].as_str().or_else(|| json["error"].as_str()).unwrap_or(&text);
    TokenRefusal { status, message: presentable(message(description)), entra: EntraError::parse(&text) }
}

/// `AADSTS700213: text Trace ID: … Correlation ID: … Timestamp: …`: the parts stand on lines of their own until 2022,
/// behind single spaces since 2023.
fn message(description: &str) -> &str {
    let text = description.find("Trace ID: ").map_or(description, |end| &description[..end]).trim();
    let split = text.strip_prefix("AADSTS").and_then(|rest| rest.split_once(':'));
    match split {
        Some((code, message)) if code.bytes().all(|byte| byte.is_ascii_digit()) => message.trim(),
        _ => text,
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
        let new = read_refusal(401, br#"{"error":"invalid_client","error_description":"AADSTS700213: No matching. Trace ID: a Correlation ID: b Timestamp: c","error_codes":[700213],"trace_id":"a","correlation_id":"b"}"#);
        assert_eq!((new.code(), new.message.as_str()), (Some(700_213), "No matching."));
        assert_eq!(new.to_string(), "AADSTS700213: No matching.");
        let old = read_refusal(400, b"{\"error\":\"invalid_request\",\"error_description\":\"AADSTS70021: No matching.\\r\\nTrace ID: a\\r\\nCorrelation ID: b\"}");
        assert_eq!((old.code(), old.message.as_str()), (Some(70021), "No matching."));
        let page = read_refusal(503, b"<html>busy</html>");
        assert_eq!((page.code(), page.message.as_str()), (None, "<html>busy</html>"));
        assert_eq!(read_refusal(500, b"\xff\xfe").code(), None);
    }
}
