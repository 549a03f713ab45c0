//! Signs and verifies tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

/// A key that signs tokens of an issuer.
pub struct SigningKey {
    /// `kid`
    pub id: &'static str,
    /// The key as PEM (PKCS #8).
    pub pem: &'static str,
}

impl SigningKey {
    /// The key of the example cluster's issuer.
    pub const ISSUER: Self = Self { id: "issuer-key-1", pem: include_str!("../keys/issuer.pem") };
    /// The key of another cluster.
    pub const OTHER: Self = Self { id: "other-key-1", pem: include_str!("../keys/other-issuer.pem") };
    /// Entra's own key.
    pub const ENTRA: Self = Self { id: "entra-key-1", pem: include_str!("../keys/entra.pem") };

    #[allow(clippy::expect_used)]
    fn pair(&self) -> RsaKeyPair {
        let der = PrivatePkcs8KeyDer::from_pem_slice(self.pem.as_bytes()).expect("the key is PEM");
        RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("the key is RSA")
    }

    /// The public half as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let pair = self.pair();
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
        json!({
            "use": "sig", "kty": "RSA", "kid": self.id, "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
        })
    }

    /// A set with this key.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    /// Signs a token with RS256.
    ///
    /// # Panics
    /// The key of the repository is broken.
    #[allow(clippy::expect_used)]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let pair = self.pair();
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("RSA signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A service account's token as kube-apiserver makes it, good from now on for an hour.
pub fn token(key: &SigningKey, issuer: &str, subject: &str, audience: &str) -> String {
    let now = jiff::Timestamp::now().as_second();
    key.sign(
        &json!({"alg": "RS256", "kid": key.id}),
        &json!({"iss": issuer, "sub": subject, "aud": [audience], "iat": now, "nbf": now, "exp": now + 3600}),
    )
}

/// Header and claims of a token, unverified.
pub(crate) fn parts(token: &str) -> Option<(Value, Value)> {
    let mut parts = token.split('.');
    let (header, claims) = (parts.next()?, parts.next()?);
    parts.next().filter(|signature| !signature.is_empty())?;
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    parts.next().is_none().then_some(())?;
    Some((read(header)?, read(claims)?))
}

/// Whether a key of the set verifies the token's signature (RS256).
pub(crate) fn verifies(token: &str, jwks: &Value) -> bool {
    let Some((header, _)) = parts(token) else { return false };
    let keys = jwks["keys"].as_array().cloned().unwrap_or_default();
    keys.iter().filter(|key| key["kid"] == header["kid"]).any(|key| verifies_with(token, key, false))
}

/// Whether the key verifies the signature; `pss` for the assertions of certificates.
pub(crate) fn verifies_with(token: &str, key: &Value, pss: bool) -> bool {
    let check = || {
        let (signed, signature) = token.rsplit_once('.')?;
        let component = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
        let public = RsaPublicKeyComponents { n: component("n")?, e: component("e")? };
        let algorithm = if pss { &RSA_PSS_2048_8192_SHA256 } else { &RSA_PKCS1_2048_8192_SHA256 };
        public.verify(algorithm, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()
    };
    check().is_some()
}
