//! How an identity webhook is set: flags, environment, and the version of the cluster it started on.

use super::keys;
use super::profile::{Profile, WebhookVersion};
use std::fmt;
use std::str::FromStr;

/// Everything besides pod and account that decides what the webhook injects.
///
/// The webhook reads all of it when its process starts: a changed `ConfigMap` or an upgraded cluster counts from its
/// next restart on.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookSettings {
    version: WebhookVersion,
    profile: Profile,
    /// `AZURE_TENANT_ID`; `None` where it was not seen (the webhook does not start without one).
    pub tenant_id: Option<String>,
    /// Goes into `AZURE_AUTHORITY_HOST`; `None` where it was not seen, see [`authority_host`].
    pub authority_host: Option<String>,
    /// `--audience`, the audience of injected tokens.
    pub audience: String,
    /// `--log-level`, passed on to the proxy as it is.
    pub log_level: String,
    /// `PROXY_IMAGE` (1.4.0 and later).
    pub proxy_image: Option<String>,
    /// `PROXY_INIT_IMAGE` (1.4.0 and later).
    pub proxy_init_image: Option<String>,
    /// Identity binding mode (1.6.0 and later).
    pub custom_endpoint: Option<CustomTokenEndpoint>,
    /// What the API server said it was when the webhook started. `None`: not seen, taken as current.
    pub kubernetes: Option<KubernetesVersion>,
}

impl WebhookSettings {
    /// A webhook of that version of which nothing else was seen: tenant and authority are not known, the rest is as it
    /// is unless configured.
    pub fn new(version: WebhookVersion) -> Self {
        Self {
            profile: version.profile(),
            version,
            tenant_id: None,
            authority_host: None,
            audience: keys::DEFAULT_AUDIENCE.to_owned(),
            // The webhook's own default is empty, but manifest and chart have always set this one.
            log_level: "info".to_owned(),
            proxy_image: None,
            proxy_init_image: None,
            custom_endpoint: None,
            kubernetes: None,
        }
    }

    /// The webhook's release.
    pub fn version(&self) -> &WebhookVersion {
        &self.version
    }

    /// What that release does.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The same settings under another release.
    pub fn set_version(&mut self, version: WebhookVersion) {
        self.profile = version.profile();
        self.version = version;
    }

    /// Whether the proxy is injected as a native sidecar: from webhook 1.5.0 on Kubernetes 1.32 on.
    pub fn native_sidecars(&self) -> bool {
        self.profile.native_sidecars
            && self.kubernetes.as_ref().is_none_or(|version| *version >= KubernetesVersion::NATIVE_SIDECARS)
    }

    /// The image of `azwi-proxy`.
    pub(super) fn proxy_image(&self) -> String {
        self.image(self.proxy_image.as_deref(), "proxy")
    }

    /// The image of `azwi-proxy-init`.
    pub(super) fn proxy_init_image(&self) -> String {
        self.image(self.proxy_init_image.as_deref(), "proxy-init")
    }

    fn image(&self, configured: Option<&str>, name: &str) -> String {
        match configured.filter(|image| self.profile.proxy_images && !image.is_empty()) {
            Some(image) => image.to_owned(),
            None => format!("{}/{name}:v{}", keys::IMAGE_REGISTRY, self.version),
        }
    }
}

/// The custom token endpoint of webhook 1.6.0, which AKS calls identity bindings: pods that ask for it by annotation
/// get tokens for another audience and variables that send the SDK to a proxy within the cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomTokenEndpoint {
    /// `--custom-token-endpoint-annotation-suffix`; AKS: `identity-binding`.
    pub annotation_suffix: String,
    /// `--custom-token-endpoint-audience`; AKS: `api://AKSIdentityBinding`.
    pub audience: String,
    /// `AZURE_KUBERNETES_TOKEN_PROXY`
    pub token_proxy: String,
    /// `AZURE_KUBERNETES_SNI_NAME`
    pub sni_name: String,
    /// `AZURE_KUBERNETES_CA_DATA`
    pub ca_data: String,
    /// `AZURE_KUBERNETES_CA_CONFIGMAP_NAME`; the `ConfigMap` has to be in the pod's own namespace.
    pub ca_config_map: String,
    /// `AZURE_KUBERNETES_CA_CTB_SIGNER_NAME`
    pub ca_signer: String,
    /// `AZURE_KUBERNETES_CA_CTB_LABEL_SELECTOR`, a `LabelSelector` in JSON.
    pub ca_label_selector: Option<serde_json::Value>,
}

impl CustomTokenEndpoint {
    /// The pod annotation that asks for it.
    pub fn annotation(&self) -> String {
        format!("{}{}", keys::CUSTOM_ENDPOINT_PREFIX, self.annotation_suffix)
    }
}

/// The authority host of a cloud by its name in `AZURE_ENVIRONMENT`, as go-autorest knows it: any case, empty is the
/// public cloud. `None` for `AzureStackCloud`, whose authority stands in a file of the webhook's container, and for
/// names that keep the webhook from starting.
pub fn authority_host(environment: &str) -> Option<&'static str> {
    match environment.to_ascii_uppercase().as_str() {
        "" | "AZUREPUBLICCLOUD" | "AZURECLOUD" => Some(keys::PUBLIC_AUTHORITY),
        "AZUREUSGOVERNMENTCLOUD" | "AZUREUSGOVERNMENT" => Some("https://login.microsoftonline.us/"),
        "AZURECHINACLOUD" => Some("https://login.chinacloudapi.cn/"),
        "AZUREGERMANCLOUD" => Some("https://login.microsoftonline.de/"),
        _ => None,
    }
}

/// A version of Kubernetes as `/version` tells it in `gitVersion`, ordered as the webhook orders it: what follows a
/// `-` makes it older (`v1.32.0-eks-1` is before 1.32), what follows a `+` does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesVersion {
    numbers: [u32; 3],
    suffix: Option<String>,
}

/// A text that is no version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version of Kubernetes; expected something like 1.34 or v1.34.4")]
pub struct KubernetesVersionError(String);

impl KubernetesVersion {
    /// Native sidecars are safe on every node that such an API server takes (beta in 1.29, three versions of skew).
    const NATIVE_SIDECARS: Self = Self { numbers: [1, 32, 0], suffix: None };

    /// The minor version, as in 1.34.
    pub fn minor(&self) -> u32 {
        self.numbers[1]
    }
}

impl FromStr for KubernetesVersion {
    type Err = KubernetesVersionError;

    fn from_str(text: &str) -> Result<Self, KubernetesVersionError> {
        let refuse = || KubernetesVersionError(text.to_owned());
        let plain = text.strip_prefix('v').unwrap_or(text);
        let plain = plain.split_once('+').map_or(plain, |(before, _)| before);
        let (core, suffix) = match plain.split_once('-') {
            Some((core, suffix)) => (core, Some(suffix.to_owned())),
            None => (plain, None),
        };
        let mut numbers = [0; 3];
        let mut count = 0;
        for part in core.split('.') {
            *numbers.get_mut(count).ok_or_else(refuse)? = part.parse().map_err(|_| refuse())?;
            count += 1;
        }
        if count < 2 { Err(refuse()) } else { Ok(Self { numbers, suffix }) }
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        self.suffix.iter().try_for_each(|suffix| write!(f, "-{suffix}"))
    }
}

impl PartialOrd for KubernetesVersion {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let finished = |version: &Self| version.suffix.is_none();
        match self.numbers.cmp(&other.numbers).then(finished(self).cmp(&finished(other))) {
            std::cmp::Ordering::Equal if self.suffix != other.suffix => None,
            order => Some(order),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn native(webhook: &str, kubernetes: &str) -> bool {
        let mut settings = WebhookSettings::new(webhook.parse().unwrap());
        settings.kubernetes = Some(kubernetes.parse().unwrap());
        settings.native_sidecars()
    }

    #[test]
    fn native_sidecars_need_both_versions() {
        assert!(native("1.5.0", "v1.32.0"));
        assert!(native("1.6.0", "1.34"));
        assert!(native("1.6.0", "v1.33.2-gke.1"));
        assert!(native("1.6.0", "v1.32.0+k3s1"));
        assert!(!native("1.6.0", "v1.32.0-rc.0"));
        assert!(!native("1.6.0", "1.31.14"));
        assert!(!native("1.4.0", "1.34.4"));
    }

    #[test]
    fn clouds_are_known_in_any_case() {
        assert_eq!(authority_host("azurechinacloud"), Some("https://login.chinacloudapi.cn/"));
        assert_eq!(authority_host("AzureStackCloud"), None);
        assert_eq!(authority_host("${AZURE_ENVIRONMENT:-AzurePublicCloud}"), None);
    }

    #[test]
    fn images_follow_the_version_unless_configured() {
        let mut settings = WebhookSettings::new("1.6.0-alpha.1".parse().unwrap());
        assert_eq!(settings.proxy_image(), "mcr.microsoft.com/oss/azure/workload-identity/proxy:v1.6.0-alpha.1");
        settings.proxy_image = Some("acr.azurecr.io/proxy:x".to_owned());
        assert_eq!(settings.proxy_image(), "acr.azurecr.io/proxy:x");
        settings.set_version("1.3.0".parse().unwrap());
        assert_eq!(settings.proxy_image(), "mcr.microsoft.com/oss/azure/workload-identity/proxy:v1.3.0");
    }

    #[test]
    fn what_is_no_kubernetes_version_is_refused() {
        for text in ["", "1", "v1.x", "1.2.3.4", "latest"] {
            assert!(text.parse::<KubernetesVersion>().is_err(), "{text}");
        }
    }
}
