//! Names of federated credentials.

use super::super::resource_id::ResourceId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;

/// Longest name that Azure takes.
const LONGEST: usize = 120;

/// A valid name: 3 to 120 letters, digits, `-` and `_`, the first one a letter or digit (pattern of the API's
/// specification). The generated client puts names into paths unencoded, so nothing else is let through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialName(String);

/// The text is no name of a federated credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" cannot name a federated credential: 3 to 120 letters, digits, - and _, the first a letter or digit")]
pub struct NotACredentialName(String);

impl CredentialName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NotACredentialName`].
    pub fn parse(text: &str) -> Result<Self, NotACredentialName> {
        let valid = (3..=LONGEST).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if valid { Ok(Self(text.to_owned())) } else { Err(NotACredentialName(text.chars().take(LONGEST).collect())) }
    }

    /// The name for a service account of a cluster: `<cluster>-<namespace>-<account>-<six characters of a hash>`.
    ///
    /// The hash is of issuer, namespace and account: two clusters of one name, or `a-b`/`c` and `a`/`b-c`, do not
    /// meet, and the same account always gets the same name.
    pub fn derive(cluster: Option<&str>, issuer: &str, namespace: &str, account: &str) -> Self {
        let digest = Sha256::digest(format!("{issuer}\n{namespace}\n{account}"));
        let hash: String = URL_SAFE_NO_PAD
            .encode(digest)
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(6)
            .collect::<String>()
            .to_lowercase();
        let readable: String = [cluster.unwrap_or("k8s"), namespace, account]
            .join("-")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
            .collect();
        let mut name: String = readable.trim_start_matches(['-', '_']).chars().take(LONGEST - hash.len() - 1).collect();
        name.push('-');
        name.push_str(&hash);
        Self(name.trim_start_matches(['-', '_']).to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ARM id of the credential below its identity.
    pub fn below(&self, identity: &ResourceId) -> String {
        format!("{identity}/federatedIdentityCredentials/{self}")
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_of_the_api_is_kept() {
        for valid in ["abc", "a-b_c", "0aa", &"a".repeat(120)] {
            assert!(CredentialName::parse(valid).is_ok(), "{valid}");
        }
        for wrong in ["", "ab", "-abc", "_abc", "a/../../x", "a b", "a.b", "äbc", &"a".repeat(121), "abc\n", "abc?x"] {
            assert!(CredentialName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn derived_names_are_valid_stable_and_apart() {
        let derive = |cluster, issuer: &str, namespace: &str, account: &str| {
            CredentialName::derive(cluster, issuer, namespace, account)
        };
        let one = derive(Some("aks-prod"), "https://i/", "velero", "velero-server");
        assert!(one.as_str().starts_with("aks-prod-velero-velero-server-"), "{one}");
        assert_eq!(one, derive(Some("aks-prod"), "https://i/", "velero", "velero-server"));
        assert_ne!(one, derive(Some("aks-prod"), "https://j/", "velero", "velero-server"));
        assert_ne!(derive(None, "i", "a-b", "c"), derive(None, "i", "a", "b-c"));
        for (cluster, namespace, account) in [
            (None, "n", "a"),
            (Some("---"), "n.x", "a.b.c"),
            (Some("ünïcode"), "n", "a"),
            (Some(""), "", ""),
            (Some(&*"c".repeat(300)), "n", "a"),
        ] {
            let name = derive(cluster, "https://i/", namespace, account);
            assert!(CredentialName::parse(name.as_str()).is_ok(), "{name}");
        }
    }
}
