//! The keys that an issuer publishes, and whether one of them signed a token.

use super::jwt::{Jwt, RawToken};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;

/// The longest document that is read, in bytes. A key set has a few kilobytes.
pub const LONGEST: usize = 1024 * 1024;

/// Why a document is no key set, or no discovery document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Longer than [`LONGEST`].
    #[error("{bytes} bytes are too many for this document ({LONGEST} at most)")]
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// No JSON, or not of the shape that RFC 7517 and `OpenID` discovery ask for.
    #[error("{document} cannot be read at line {line}, column {column}")]
    Malformed {
        /// Which document.
        document: &'static str,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

/// The `OpenID` discovery document of an issuer, as far as Entra reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Discovery {
    /// `issuer`: must equal the tokens' `iss` byte for byte.
    pub issuer: String,
    /// `jwks_uri`
    pub jwks_uri: String,
    /// `id_token_signing_alg_values_supported`
    #[serde(default, rename = "id_token_signing_alg_values_supported")]
    pub algorithms: Vec<String>,
}

impl Discovery {
    /// Reads `/.well-known/openid-configuration`.
    ///
    /// # Errors
    /// [`KeysError`] where the document is too long or of another shape.
    pub fn parse(document: &[u8]) -> Result<Self, KeysError> {
        read(document, "the discovery document")
    }
}

/// A JSON web key set (RFC 7517).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Jwks {
    /// `keys`, of all types; only RSA keys can verify.
    pub keys: Vec<Jwk>,
}

/// One published key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Jwk {
    /// `kid`
    #[serde(rename = "kid")]
    pub id: Option<String>,
    /// `kty`: `RSA` or another type.
    #[serde(rename = "kty")]
    pub kind: String,
    /// `alg`
    #[serde(rename = "alg")]
    pub algorithm: Option<String>,
    /// `use`: `sig` or nothing.
    #[serde(rename = "use")]
    pub purpose: Option<String>,
    /// `n`, the modulus.
    #[serde(rename = "n")]
    pub modulus: Option<String>,
    /// `e`, the exponent.
    #[serde(rename = "e")]
    pub exponent: Option<String>,
}

impl Jwks {
    /// Reads a key set.
    ///
    /// # Errors
    /// [`KeysError`] where the document is too long or of another shape (Entra answers AADSTS900612 to that).
    pub fn parse(document: &[u8]) -> Result<Self, KeysError> {
        read(document, "the key set")
    }

    /// The ids of the published keys, in their order.
    pub fn ids(&self) -> Vec<String> {
        self.keys.iter().filter_map(|key| key.id.clone()).collect()
    }
}

/// What came of checking a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// A published key signed it.
    Valid {
        /// Which one.
        key_id: String,
    },
    /// The key is published, but it did not sign this text: the token was changed, or two clusters share an issuer.
    Forged {
        /// The key that the token names.
        key_id: String,
    },
    /// The token names a key that is not published (AADSTS7000272).
    KeyUnknown {
        /// The key that the token names.
        key_id: String,
        /// The keys that are published.
        published: Vec<String>,
    },
    /// The token names no key (AADSTS5002723).
    KeyUnnamed,
    /// Signed with something else than RS256 (AADSTS5002738).
    AlgorithmUnsupported {
        /// `alg` of the token; `none` where it has none.
        algorithm: String,
    },
    /// The published key of that id cannot verify.
    KeyUnusable {
        /// Which one.
        key_id: String,
        /// Why.
        why: &'static str,
    },
}

/// Checks the signature of a token against published keys. `jwt` is what [`Jwt::parse`] made of the same token.
pub fn verify(token: &RawToken, jwt: &Jwt, keys: &Jwks) -> Verification {
    match jwt.header.algorithm.as_deref() {
        Some("RS256") => {}
        other => return Verification::AlgorithmUnsupported { algorithm: other.unwrap_or("none").to_owned() },
    }
    let Some(key_id) = jwt.header.key_id.clone() else { return Verification::KeyUnnamed };
    let Some(key) = keys.keys.iter().find(|key| key.id.as_ref() == Some(&key_id)) else {
        return Verification::KeyUnknown { key_id, published: keys.ids() };
    };
    if key.kind != "RSA" {
        return Verification::KeyUnusable { key_id, why: "it is no RSA key" };
    }
    if key.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return Verification::KeyUnusable { key_id, why: "it is not published for signatures" };
    }
    let (Some(n), Some(e)) = (integer(key.modulus.as_deref()), integer(key.exponent.as_deref())) else {
        return Verification::KeyUnusable { key_id, why: "its modulus or exponent is missing or not base64url" };
    };
    if n.len() < 256 {
        return Verification::KeyUnusable { key_id, why: "it is shorter than 2048 bits" };
    }
    let Some((signed, signature)) = token.expose().rsplit_once('.') else { return Verification::Forged { key_id } };
    let Some(signature) = decode(Some(signature)) else { return Verification::Forged { key_id } };
    let signature = zeroize::Zeroizing::new(signature);
    let public = RsaPublicKeyComponents { n, e };
    match public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature) {
        Ok(()) => Verification::Valid { key_id },
        Err(_) => Verification::Forged { key_id },
    }
}

fn decode(part: Option<&str>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part?.trim_end_matches('=')).ok()
}

/// ring takes integers without leading zeros only; some publishers put one in front of the modulus.
fn integer(part: Option<&str>) -> Option<Vec<u8>> {
    let mut bytes = decode(part)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    (!bytes.is_empty()).then_some(bytes)
}

fn read<'d, T: Deserialize<'d>>(document: &'d [u8], name: &'static str) -> Result<T, KeysError> {
    if document.len() > LONGEST {
        return Err(KeysError::TooLong { bytes: document.len() });
    }
    serde_json::from_slice(document).map_err(|error| KeysError::Malformed {
        document: name,
        line: error.line(),
        column: error.column(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_documents_of_a_cluster() {
        let discovery = Discovery::parse(
            br#"{"issuer":"https://issuer.example/","jwks_uri":"https://issuer.example/openid/v1/jwks",
                "response_types_supported":["id_token"],"id_token_signing_alg_values_supported":["RS256"]}"#,
        )
        .unwrap();
        assert_eq!(discovery.algorithms, ["RS256"]);
        let keys = Jwks::parse(
            br#"{"keys":[{"use":"sig","kty":"RSA","kid":"a","alg":"RS256","n":"AQ","e":"AQAB"},{"kty":"EC"}]}"#,
        )
        .unwrap();
        assert_eq!(keys.ids(), ["a"]);
        assert_eq!(keys.keys.len(), 2);
    }

    #[test]
    fn says_where_a_document_breaks() {
        let error = Jwks::parse(b"{\"keys\":\n 7}").unwrap_err();
        assert_eq!(error.to_string(), "the key set cannot be read at line 2, column 2");
        assert_eq!(Jwks::parse(&vec![b' '; LONGEST + 1]), Err(KeysError::TooLong { bytes: LONGEST + 1 }));
    }
}
