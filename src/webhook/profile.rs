//! What differs between the releases of the identity webhook.

use super::keys;
use std::fmt;
use std::str::FromStr;

/// A release of the identity webhook, such as `1.6.0` or `1.6.0-alpha.1`.
///
/// Releases are told apart by their three numbers alone: `1.6.0-alpha.N`, which AKS ran for identity bindings,
/// already injects the shape of 1.6.0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebhookVersion {
    numbers: (u16, u16, u16),
    suffix: String,
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version of the identity webhook; expected something like 1.6.0")]
pub struct VersionError(String);

impl WebhookVersion {
    /// The newest release whose behaviour is known. Stands in where nothing tells the version.
    pub const NEWEST: Self = Self::release(1, 6, 0);

    pub(crate) const fn release(major: u16, minor: u16, patch: u16) -> Self {
        Self { numbers: (major, minor, patch), suffix: String::new() }
    }

    /// Whether this is that release, a pre-release of it, or a later one.
    pub fn at_least(&self, major: u16, minor: u16, patch: u16) -> bool {
        self.numbers >= (major, minor, patch)
    }

    /// What this release does.
    pub fn profile(&self) -> Profile {
        Profile::of(self)
    }
}

impl FromStr for WebhookVersion {
    type Err = VersionError;

    /// Reads `1.6.0`, `v1.6.0`, `1.6` and what follows a `-` or `+`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let refuse = || VersionError(text.to_owned());
        let plain = text.strip_prefix('v').unwrap_or(text);
        let (core, suffix) = plain.split_at(plain.find(['-', '+']).unwrap_or(plain.len()));
        let mut numbers = core.split('.').map(u16::from_str);
        let mut next = || numbers.next().transpose().map_err(|_| refuse());
        let (major, minor, patch) = (next()?, next()?, next()?);
        let (Some(major), Some(minor), None) = (major, minor, next()?) else { return Err(refuse()) };
        Ok(Self { numbers: (major, minor, patch.unwrap_or(0)), suffix: suffix.to_owned() })
    }
}

impl fmt::Display for WebhookVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.numbers;
        write!(f, "{major}.{minor}.{patch}{}", self.suffix)
    }
}

/// Releases that inject the same shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Up to 0.7: mounts at `/var/run/secrets/tokens`.
    V0_7,
    /// 0.8 to 1.4: mounts at `/var/run/secrets/azure/tokens`.
    V0_8,
    /// 1.5.0: native sidecars.
    V1_5_0,
    /// 1.5.1: leaves out variables that would be empty.
    V1_5_1,
    /// 1.6.0 and its pre-releases: the volume's name follows the pod's, mounts at `/var/run/secrets/azure/wi`.
    V1_6_0,
    /// After 1.6.0: the mount path follows the pod's name too.
    After1_6_0,
}

/// What decides whether the webhook touches a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Before 0.10: not known.
    Undocumented,
    /// 0.10 to 0.14: the account's label, asked by the webhook itself.
    AccountLabel,
    /// 0.15: the pod's label with any value, or the account's.
    PodOrAccountLabel,
    /// From 1.0.0: the pod's label alone, and only as far as the configuration's objectSelector asks for it.
    PodLabel,
}

/// What one release of the webhook does where releases differ.
///
/// Sources: the constants and handler at each tag of Azure/azure-workload-identity, and 15,120 recorded answers of
/// 1.0.0, 1.3.0, 1.5.0, 1.5.1 and 1.6.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The shape that is injected.
    pub generation: Generation,
    /// Nothing of this release was recorded or read in a released source; it is what is expected of it.
    pub assumed: bool,
    /// What decides whether a pod is touched.
    pub trigger: Trigger,
    /// Where the volume is mounted; from [`Generation::After1_6_0`] on a segment for each pod follows.
    pub mount_path: &'static str,
    /// Path of the token within the volume.
    pub token_path: &'static str,
    /// The volume is named after the pod, and one of that name is overwritten.
    pub named_after_pod: bool,
    /// The mount path ends with the hash of the pod's name.
    pub mounted_after_pod: bool,
    /// Lifetime of the token in seconds where no annotation says otherwise (86400 before 0.7.0).
    pub default_expiration: i64,
    /// `AZURE_AUTHORITY_HOST` is injected (0.6.0).
    pub authority_host: bool,
    /// Variables without a value are left out (1.5.1).
    pub leaves_out_empty: bool,
    /// Pods can ask for the custom token endpoint, AKS' identity bindings (1.6.0).
    pub custom_endpoint: bool,
    /// The proxy is refused on the node's network (1.2.0; issue 1050).
    pub refuses_host_network: bool,
    /// The proxy is the first container of its list (1.2.0), not the last.
    pub proxy_first: bool,
    /// The proxy carries a security context (1.1.0; pull request 829).
    pub proxy_secured: bool,
    /// A container with a proxy's image counts as the proxy, whatever its name (seen in 1.3.0; taken to have gone
    /// when the images became configurable).
    pub proxy_known_by_image: bool,
    /// `PROXY_IMAGE` and `PROXY_INIT_IMAGE` count (1.4.0; pull request 1443).
    pub proxy_images: bool,
    /// The proxy is a native sidecar on Kubernetes 1.32 and later (1.5.0).
    pub native_sidecars: bool,
    /// Minor version of the Kubernetes API types that it was built with: fields that they lack are removed from
    /// every pod that it touches. `None`: it keeps what it does not know.
    pub api_types: Option<u8>,
}

impl Profile {
    fn of(version: &WebhookVersion) -> Self {
        let from = |major, minor, patch| version.at_least(major, minor, patch);
        let generation = match version {
            _ if from(1, 6, 1) => Generation::After1_6_0,
            _ if from(1, 6, 0) => Generation::V1_6_0,
            _ if from(1, 5, 1) => Generation::V1_5_1,
            _ if from(1, 5, 0) => Generation::V1_5_0,
            _ if from(0, 8, 0) => Generation::V0_8,
            _ => Generation::V0_7,
        };
        let renamed = generation >= Generation::V1_6_0;
        let mended = generation == Generation::After1_6_0;
        Self {
            generation,
            assumed: mended || !from(1, 0, 0),
            trigger: match version {
                _ if from(1, 0, 0) => Trigger::PodLabel,
                _ if from(0, 15, 0) => Trigger::PodOrAccountLabel,
                _ if from(0, 10, 0) => Trigger::AccountLabel,
                _ => Trigger::Undocumented,
            },
            mount_path: match generation {
                Generation::V0_7 => "/var/run/secrets/tokens",
                Generation::V0_8 | Generation::V1_5_0 | Generation::V1_5_1 => "/var/run/secrets/azure/tokens",
                Generation::V1_6_0 | Generation::After1_6_0 => "/var/run/secrets/azure/wi",
            },
            token_path: if renamed { "token/azure-identity-token" } else { keys::TOKEN_NAME },
            named_after_pod: renamed,
            // Issue 1744: 1.6.0 mounts twice at one path when another webhook names the pod after its first call.
            mounted_after_pod: mended,
            default_expiration: if from(0, 7, 0) { keys::MIN_EXPIRATION } else { keys::MAX_EXPIRATION },
            authority_host: from(0, 6, 0),
            leaves_out_empty: generation >= Generation::V1_5_1,
            custom_endpoint: renamed,
            refuses_host_network: from(1, 2, 0),
            proxy_first: from(1, 2, 0),
            proxy_secured: from(1, 1, 0),
            proxy_known_by_image: !from(1, 4, 0),
            proxy_images: from(1, 4, 0),
            native_sidecars: from(1, 5, 0),
            api_types: match version {
                // The default branch after 1.6.0 patches what was sent instead of what it decoded.
                _ if mended => None,
                _ if from(1, 4, 0) => Some(31),
                _ if from(1, 3, 0) => Some(29),
                _ if from(1, 1, 0) => Some(26),
                _ => Some(25),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn profile(version: &str) -> Profile {
        version.parse::<WebhookVersion>().unwrap().profile()
    }

    #[test]
    fn a_prerelease_has_the_shape_of_its_release() {
        assert_eq!(profile("v1.6.0-alpha.1"), profile("1.6.0"));
        assert_eq!("v1.6.0-alpha.1".parse::<WebhookVersion>().unwrap().to_string(), "1.6.0-alpha.1");
    }

    #[test]
    fn every_release_has_its_generation() {
        for (version, generation) in [
            ("0.7.0", Generation::V0_7),
            ("0.8.0", Generation::V0_8),
            ("1.4.1", Generation::V0_8),
            ("1.5.0", Generation::V1_5_0),
            ("1.5.1", Generation::V1_5_1),
            ("1.6", Generation::V1_6_0),
            ("1.6.1", Generation::After1_6_0),
            ("1.7.0", Generation::After1_6_0),
        ] {
            assert_eq!(profile(version).generation, generation, "{version}");
        }
        assert_eq!(profile("0.6.0").default_expiration, 86400);
        assert_eq!(profile("0.15.0").trigger, Trigger::PodOrAccountLabel);
        assert!(profile("1.7.0").assumed);
        assert!(!WebhookVersion::NEWEST.profile().assumed);
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "latest", "v", "1", "1.x.0", "1.2.3.4", "v0.0.0.0", "-1.2.3", "99999999.0.0"] {
            assert!(text.parse::<WebhookVersion>().is_err(), "{text}");
        }
    }
}
