//! Whether the API server can trust the webhook: the `caBundle` of its configuration against the certificate that it
//! serves. Only public certificates are read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use x509_parser::error::X509Error;
use x509_parser::pem::Pem;
use x509_parser::prelude::{GeneralName, X509Certificate};

/// What is wrong with the trust between API server and webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFault {
    /// The bundle is empty.
    Empty,
    /// The bundle is no certificate.
    Unreadable,
    /// Every certificate of the bundle has expired; when the last one did.
    BundleExpired(jiff::Timestamp),
    /// The serving certificate has expired; when.
    ServingExpired(jiff::Timestamp),
    /// No certificate of the bundle signed the serving certificate: whom it names, and whom the bundle holds.
    NotSigned {
        /// Issuer that the serving certificate names.
        issuer: String,
        /// Subjects of the bundle.
        bundle: String,
    },
    /// The serving certificate is for other names than the Service's.
    OtherName {
        /// The name that the API server asks for.
        wanted: String,
        /// The names that it is for.
        names: String,
    },
}

/// Ends a sentence about the webhook's certificate.
impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |time: &jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M UTC").to_string();
        match self {
            Self::Empty => f.write_str("the webhook's caBundle is empty"),
            Self::Unreadable => f.write_str("the webhook's caBundle holds no certificate"),
            Self::BundleExpired(time) => write!(f, "the webhook's caBundle expired on {}", day(time)),
            Self::ServingExpired(time) => write!(f, "the certificate that the webhook serves expired on {}", day(time)),
            Self::NotSigned { .. } => {
                f.write_str("the webhook's caBundle did not sign the certificate that the webhook serves")
            }
            Self::OtherName { .. } => f.write_str("the certificate that the webhook serves is for other names"),
        }
    }
}

/// Judges a bundle, and the serving certificate where it is known.
///
/// `bundle` is `caBundle` as the API has it, base64 of PEM; `serving` holds the certificates of `tls.crt` in the
/// webhook's Secret, in PEM, the webhook's own first, and is empty where they were not read; `host` is the name that the API server asks for, `SERVICE.NAMESPACE.svc`.
pub fn judge(
    bundle: &str,
    serving: &[String],
    host: Option<&str>,
    now: Option<jiff::Timestamp>,
) -> Option<CertificateFault> {
    if bundle.trim().is_empty() {
        return Some(CertificateFault::Empty);
    }
    let compact: String = bundle.split_whitespace().collect();
    let authorities = pems(&STANDARD.decode(compact).unwrap_or_default());
    let authorities: Vec<X509Certificate<'_>> = authorities.iter().filter_map(|pem| pem.parse_x509().ok()).collect();
    if authorities.is_empty() {
        return Some(CertificateFault::Unreadable);
    }
    let ends: Vec<jiff::Timestamp> = authorities.iter().filter_map(end).collect();
    if let (Some(now), Some(last)) = (now, ends.iter().max())
        && *last < now
    {
        return Some(CertificateFault::BundleExpired(*last));
    }
    let chain = pems(serving.concat().as_bytes());
    let chain: Vec<X509Certificate<'_>> = chain.iter().filter_map(|pem| pem.parse_x509().ok()).collect();
    let leaf = chain.first()?;
    if let (Some(now), Some(end)) = (now, end(leaf))
        && end < now
    {
        return Some(CertificateFault::ServingExpired(end));
    }
    if !chain.iter().any(|certificate| authorities.iter().any(|authority| trusts(authority, certificate))) {
        let bundle: Vec<String> = authorities.iter().map(|authority| authority.subject().to_string()).collect();
        return Some(CertificateFault::NotSigned { issuer: leaf.issuer().to_string(), bundle: bundle.join("; ") });
    }
    let names = names(leaf);
    let wanted = host.filter(|host| !names.is_empty() && !names.iter().any(|name| matches(name, host)))?;
    Some(CertificateFault::OtherName { wanted: wanted.to_owned(), names: names.join(", ") })
}

fn pems(text: &[u8]) -> Vec<Pem> {
    Pem::iter_from_buffer(text).filter_map(Result::ok).collect()
}

fn end(certificate: &X509Certificate<'_>) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// Whether the authority is the certificate, or signed it. A signature of a kind that cannot be checked here counts
/// as good: it is not known to be wrong.
fn trusts(authority: &X509Certificate<'_>, certificate: &X509Certificate<'_>) -> bool {
    if authority.public_key().raw == certificate.public_key().raw {
        return true;
    }
    let named = authority.subject().as_raw() == certificate.issuer().as_raw();
    let signed = certificate.verify_signature(Some(authority.public_key()));
    named && !matches!(signed, Err(X509Error::SignatureVerificationError))
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}

fn matches(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
        None => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_told_apart_from_nothing() {
        assert_eq!(judge("", &[], None, None), Some(CertificateFault::Empty));
        assert_eq!(judge("bm90aGluZw==", &[], None, None), Some(CertificateFault::Unreadable));
        assert_eq!(judge("%%%", &[], None, None), Some(CertificateFault::Unreadable));
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(matches("*.kube-system.svc", "a.kube-system.svc"));
        assert!(!matches("*.svc", "a.kube-system.svc"));
        assert!(matches("A.kube-system.SVC", "a.kube-system.svc"));
    }
}
