//! A signed assertion in place of a client secret.
//!
//! Format: "Certificate credentials" of Microsoft's identity platform documentation: `alg` PS256, `x5t#S256` the
//! base64url SHA-256 thumbprint, issuer and subject the client id, audience the token endpoint.

use super::super::secret::Secret;
use super::CredentialError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// How long an assertion is good for; Microsoft advises five to ten minutes.
const LIFETIME: u64 = 600;

/// Reads a PEM file with a certificate and its RSA key, and signs an assertion for `client` with it.
pub(super) fn assertion(path: &str, client: &str, endpoint: &str) -> Result<Secret, CredentialError> {
    let failed = |reason: &str| {
        CredentialError::failed(
            format!("AZURE_CLIENT_CERTIFICATE_PATH: {path}: {reason}"),
            "name a PEM file with the certificate and its RSA key, without a password \
             (openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes)",
        )
    };
    let pem = Zeroizing::new(std::fs::read(path).map_err(|error| failed(&error.to_string()))?);
    let certificate = CertificateDer::from_pem_slice(&pem).map_err(|_| failed("it holds no certificate in PEM"))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| failed("it holds no private key in PEM"))?;
    let key = match &key {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        _ => return Err(failed("its key is no RSA key")),
    }
    .map_err(|_| failed("its key is no RSA key of 2048 to 4096 bits"))?;

    let random = SystemRandom::new();
    let mut id = [0u8; 16];
    random.fill(&mut id).map_err(|_| failed("the system gives no random numbers"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.as_ref()));
    let header = serde_json::json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
    let claims = serde_json::json!({
        "aud": endpoint, "iss": client, "sub": client, "jti": URL_SAFE_NO_PAD.encode(id),
        "nbf": now, "iat": now, "exp": now + LIFETIME,
    });
    let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let mut token = Zeroizing::new(format!("{}.{}", encode(&header), encode(&claims)));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PSS_SHA256, &random, token.as_bytes(), &mut signature).map_err(|_| failed("its key cannot sign"))?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(&signature));
    Ok(Secret::new(std::mem::take(&mut *token)))
}
