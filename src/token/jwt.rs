//! Reading a compact JSON web signature: header and claims.
//!
//! The signature is looked at by [`super::jwks::verify`] and is in none of the values that come out of here. What
//! holds the whole token is a [`RawToken`], which shows nothing and wipes its memory when it goes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

/// The longest token that is read, in bytes. A projected token has one to two kilobytes, an access token with many
/// groups some more; what is longer is not a token.
pub const LONGEST: usize = 64 * 1024;

/// A token with its signature. It is wiped when dropped, and neither `Debug` nor `Display` shows any part of it.
pub struct RawToken(Zeroizing<String>);

impl RawToken {
    /// Takes the text over; leading and trailing white space (a file's last newline) does not count.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Takes over the bytes of a file or a stream.
    ///
    /// # Errors
    /// [`JwtError::NotText`] where the bytes are no UTF-8; they are wiped.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, JwtError> {
        String::from_utf8(bytes).map(Self::new).map_err(|error| {
            error.into_bytes().zeroize();
            JwtError::NotText
        })
    }

    /// The token itself. Its only readers are the signature check and the exchange over TLS.
    pub fn expose(&self) -> &str {
        self.0.trim()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for RawToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RawToken(hidden)")
    }
}

impl fmt::Display for RawToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(token, hidden)")
    }
}

/// Why something is no token that can be read. No message holds any part of the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Nothing, or white space only. An SDK that sends this gets AADSTS7000218.
    #[error("the token is empty")]
    Empty,
    /// No UTF-8.
    #[error("the token is no text")]
    NotText,
    /// Longer than [`LONGEST`].
    #[error("{bytes} bytes are too many for a token ({LONGEST} at most)")]
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// Not three parts with dots between them.
    #[error("a signed token has three parts with dots between them, this has {parts}")]
    NotCompact {
        /// How many parts there are.
        parts: usize,
    },
    /// Five parts: encrypted, which no service account token is.
    #[error("the token is encrypted (five parts), a service account token is signed (three parts)")]
    Encrypted,
    /// A part that is not base64url.
    #[error("the token's {part} is not base64url")]
    NotBase64 {
        /// `header` or `claims`.
        part: &'static str,
    },
    /// A part that is no JSON object.
    #[error("the token's {part} is no JSON object")]
    NotJson {
        /// `header` or `claims`.
        part: &'static str,
    },
}

/// Header and claims of a token, without its signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Jwt {
    /// The JOSE header.
    pub header: Header,
    /// The claims.
    pub claims: Claims,
}

/// The fields of a JOSE header that matter (RFC 7515).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Header {
    /// `alg`: Entra takes RS256 only for federated credentials (entra-docs, workload identity federation
    /// considerations).
    #[serde(rename = "alg")]
    pub algorithm: Option<String>,
    /// `kid`: which of the issuer's keys signed it.
    #[serde(rename = "kid", skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// `typ`
    #[serde(rename = "typ", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// The claims. Times are seconds since 1970; a claim that is missing or of another type is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims {
    /// `iss`
    pub issuer: Option<String>,
    /// `sub`: for a service account token `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: Option<String>,
    /// `aud`, always as a list.
    pub audiences: Vec<String>,
    /// `exp`
    pub expires: Option<i64>,
    /// `iat`
    pub issued: Option<i64>,
    /// `nbf`
    pub not_before: Option<i64>,
    /// `jti`
    pub id: Option<String>,
    /// `kubernetes.io`: what the token is bound to; only in service account tokens.
    pub kubernetes: Option<KubernetesClaims>,
    /// What Entra puts into access tokens; empty in service account tokens.
    pub entra: EntraClaims,
    /// All claims as they came.
    pub all: Map<String, Value>,
}

/// The `kubernetes.io` claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubernetesClaims {
    /// `namespace`
    pub namespace: Option<String>,
    /// `serviceaccount`
    pub service_account: Option<Bound>,
    /// `pod`
    pub pod: Option<Bound>,
    /// `node`, from Kubernetes 1.30 on.
    pub node: Option<Bound>,
    /// `warnafter`, seconds since 1970: only in tokens whose life the API server extended, so never in one that was
    /// projected for another audience than the API server's.
    pub warn_after: Option<i64>,
}

/// An object that a token is bound to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound {
    /// `name`
    pub name: String,
    /// `uid`
    pub uid: Option<String>,
}

/// Whom an access token of Entra stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntraClaims {
    /// `oid`: the object id of the service principal; role assignments name it.
    pub object_id: Option<String>,
    /// `appid` (or `azp` in tokens of version 2): the client id.
    pub client_id: Option<String>,
    /// `tid`
    pub tenant_id: Option<String>,
    /// `xms_mirid`: the resource id of a managed identity.
    pub resource_id: Option<String>,
}

impl Jwt {
    /// Reads header and claims. The signature is not checked here.
    ///
    /// # Errors
    /// [`JwtError`] where this is no compact JSON web signature.
    pub fn parse(token: &RawToken) -> Result<Self, JwtError> {
        let text = token.expose();
        if text.is_empty() {
            return Err(JwtError::Empty);
        }
        if text.len() > LONGEST {
            return Err(JwtError::TooLong { bytes: text.len() });
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(_signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            let parts = text.split('.').count();
            return Err(if parts == 5 { JwtError::Encrypted } else { JwtError::NotCompact { parts } });
        };
        Ok(Self { header: Header::read(&object(header, "header")?), claims: Claims::read(object(claims, "claims")?) })
    }
}

impl Header {
    fn read(object: &Map<String, Value>) -> Self {
        Self { algorithm: text(object, "alg"), key_id: text(object, "kid"), kind: text(object, "typ") }
    }
}

impl Claims {
    fn read(all: Map<String, Value>) -> Self {
        Self {
            issuer: text(&all, "iss"),
            subject: text(&all, "sub"),
            audiences: match all.get("aud") {
                Some(Value::String(one)) => vec![one.clone()],
                Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                _ => Vec::new(),
            },
            expires: seconds(&all, "exp"),
            issued: seconds(&all, "iat"),
            not_before: seconds(&all, "nbf"),
            id: text(&all, "jti"),
            kubernetes: all.get("kubernetes.io").and_then(Value::as_object).map(KubernetesClaims::read),
            entra: EntraClaims {
                object_id: text(&all, "oid"),
                client_id: text(&all, "appid").or_else(|| text(&all, "azp")),
                tenant_id: text(&all, "tid"),
                resource_id: text(&all, "xms_mirid"),
            },
            all,
        }
    }

    /// How long the token lives from its beginning to its end, in seconds.
    pub fn lifetime(&self) -> Option<i64> {
        Some(self.expires?.saturating_sub(self.issued.or(self.not_before)?))
    }
}

impl KubernetesClaims {
    fn read(object: &Map<String, Value>) -> Self {
        let bound = |key: &str| {
            let of = object.get(key)?.as_object()?;
            Some(Bound { name: text(of, "name")?, uid: text(of, "uid") })
        };
        Self {
            namespace: text(object, "namespace"),
            service_account: bound("serviceaccount"),
            pod: bound("pod"),
            node: bound("node"),
            warn_after: seconds(object, "warnafter"),
        }
    }
}

fn object(part: &str, name: &'static str) -> Result<Map<String, Value>, JwtError> {
    // Some tools pad although RFC 7515 says no; Entra's answer to that is its own matter.
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).map_err(|_| JwtError::NotBase64 { part: name })?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        // serde's message quotes the input, so it is not passed on.
        Ok(_) | Err(_) => Err(JwtError::NotJson { part: name }),
    }
}

fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

/// A `NumericDate` (RFC 7519): whole seconds, but a fraction is allowed.
fn seconds(object: &Map<String, Value>, key: &str) -> Option<i64> {
    let value = object.get(key)?;
    value.as_i64().or_else(|| {
        let float = value.as_f64()?.floor();
        // The bound keeps the conversion exact: 2^53 seconds are 285 million years.
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the line above the cast")]
        (float.abs() < 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn token(header: &str, claims: &str) -> RawToken {
        RawToken::new(format!("{}.{}.c2ln\n", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn reads_a_projected_token() {
        let jwt = Jwt::parse(&token(
            r#"{"alg":"RS256","kid":"k1"}"#,
            r#"{"iss":"https://issuer.example/","sub":"system:serviceaccount:ns:app","aud":["api://AzureADTokenExchange"],
                "exp":1700003600,"iat":1700000000,"nbf":1700000000.0,"jti":"j",
                "kubernetes.io":{"namespace":"ns","serviceaccount":{"name":"app","uid":"u1"},
                "pod":{"name":"app-1","uid":"u2"},"node":{"name":"n1"}}}"#,
        ))
        .unwrap();
        assert_eq!(jwt.header.key_id.as_deref(), Some("k1"));
        assert_eq!(jwt.claims.subject.as_deref(), Some("system:serviceaccount:ns:app"));
        assert_eq!(jwt.claims.audiences, ["api://AzureADTokenExchange"]);
        assert_eq!(jwt.claims.not_before, Some(1_700_000_000));
        assert_eq!(jwt.claims.lifetime(), Some(3600));
        let bound = jwt.claims.kubernetes.unwrap();
        assert_eq!(bound.pod.unwrap().name, "app-1");
        assert_eq!(bound.node.unwrap().uid, None);
    }

    #[test]
    fn reads_whom_an_access_token_stands_for() {
        let jwt = Jwt::parse(&token(
            r#"{"alg":"RS256","typ":"JWT"}"#,
            r#"{"aud":"https://management.azure.com","appid":"a","oid":"o","tid":"t","xms_mirid":"/subscriptions/s"}"#,
        ))
        .unwrap();
        assert_eq!(jwt.claims.audiences, ["https://management.azure.com"]);
        assert_eq!(jwt.claims.entra.object_id.as_deref(), Some("o"));
        assert_eq!(jwt.claims.kubernetes, None);
    }

    #[test]
    fn says_what_is_wrong_without_quoting() {
        let error = |text: &str| Jwt::parse(&RawToken::new(text.to_owned())).unwrap_err();
        assert_eq!(error(" \n"), JwtError::Empty);
        assert_eq!(error("hunter2"), JwtError::NotCompact { parts: 1 });
        assert_eq!(error("a.b.c.d.e"), JwtError::Encrypted);
        assert_eq!(error("%.e30.x"), JwtError::NotBase64 { part: "header" });
        assert_eq!(error("e30.aHVudGVyMg.x"), JwtError::NotJson { part: "claims" });
        assert!(!error("e30.aHVudGVyMg.x").to_string().contains("hunter2"));
        assert_eq!(error(&"a".repeat(LONGEST + 1)), JwtError::TooLong { bytes: LONGEST + 1 });
        assert_eq!(RawToken::from_bytes(vec![0xff, 0xfe]).unwrap_err(), JwtError::NotText);
    }

    #[test]
    fn wrong_types_are_absent_not_fatal() {
        let jwt = Jwt::parse(&token("{}", r#"{"iss":1,"aud":{"a":1},"exp":"soon","kubernetes.io":[]}"#)).unwrap();
        assert_eq!(jwt.claims.issuer, None);
        assert!(jwt.claims.audiences.is_empty());
        assert_eq!(jwt.claims.expires, None);
        assert_eq!(jwt.claims.kubernetes, None);
    }

    #[test]
    fn never_shows_itself() {
        let token = token("{}", r#"{"marker":"visible"}"#);
        let shown = format!("{token:?} {token}");
        assert_eq!(shown, "RawToken(hidden) (token, hidden)");
    }
}
