//! What the webhook adds to a pod, or why it refuses it, worked out on the narrow view of the pod.
//!
//! Rules ask this for what a container should have; [`super::apply`] writes it into the whole pod.

use super::number::{self, NumberError};
use super::settings::{CustomTokenEndpoint, WebhookSettings};
use super::{AccountView, keys};
use crate::model::pod::{Container, ContainerList, PodTemplate, Volume};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Why the webhook refuses a pod. Displays its words; the HTTP status is always [`Denial::CODE`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The account does not exist. People seldom see these words: the API server refuses such a pod first.
    #[error("serviceaccounts \"{0}\" not found")]
    AccountMissing(String),
    /// The proxy would rewrite the node's own network (1.2.0 and later).
    #[error("hostNetwork is set to true, cannot inject proxy sidecar")]
    ProxyOnHostNetwork,
    /// The annotation with the proxy's port is no 32-bit number.
    #[error("failed to parse proxy sidecar port: {0}")]
    ProxyPort(NumberError),
    /// The annotation with the token's lifetime is no number.
    #[error("{0}")]
    ExpirationNumber(NumberError),
    /// The annotation with the token's lifetime is out of bounds.
    #[error("token expiration {0} not valid. Expected value to be between 3600 and 86400")]
    ExpirationRange(i64),
    /// The object is no pod that the API would take; these words are this program's own.
    #[error("the pod cannot be read: {0}")]
    Unreadable(String),
}

impl Denial {
    /// The status of every denial.
    pub const CODE: u16 = 400;
}

/// Under which name the webhook sees a pod. From 1.6.0 on the name decides the volume's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// By the metadata as they stand: `name`, else `generateName` with ` (prefix)` after it.
    AsSent,
    /// A pod that exists and got its name from `generateName`: the webhook saw it before it had one.
    BeforeNamed,
    /// Not known: pods of this template do not exist yet.
    Unknown,
}

/// All that the webhook adds to one pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Injection {
    /// The token that is projected into the pod.
    pub token: Token,
    /// The volume that carries it.
    pub volume: TokenVolume,
    /// What each container of the pod gets: init containers, then containers, each in the pod's order.
    pub containers: Vec<ContainerInjection>,
    /// The proxy containers that are added.
    pub proxies: Vec<Proxy>,
}

impl Injection {
    /// What that container gets; with two of a name, the first one in the order in which they start.
    pub fn container(&self, name: &str) -> Option<&ContainerInjection> {
        self.containers.iter().find(|container| container.name == name)
    }
}

/// A projected service account token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Whom it is for: what the federated identity credential has to name.
    pub audience: String,
    /// Its lifetime in seconds.
    pub expiration_seconds: i64,
    /// Path of the file in a container: the value of `AZURE_FEDERATED_TOKEN_FILE`.
    pub file: String,
}

/// The volume with the token, and for a custom token endpoint the certificate authority.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenVolume {
    /// Name of the volume.
    pub name: String,
    /// Where it is mounted.
    pub mount_path: String,
    /// Path of the token within it.
    pub token_path: &'static str,
    /// The certificate authority of a custom token endpoint.
    pub authority: Option<AuthoritySource>,
    /// What becomes of the pod's volumes.
    pub placement: Placement,
}

/// The file with the certificate authority of a custom token endpoint, within the token's volume.
const CA_PATH: &str = "ca-cert/ca.crt";

/// Where the certificate authority of a custom token endpoint comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum AuthoritySource {
    /// Key `ca.crt` of a `ConfigMap` in the pod's namespace, which has to exist.
    ConfigMap(String),
    /// Cluster trust bundles of a signer.
    TrustBundle {
        /// `signerName`
        signer: String,
        /// `labelSelector`
        label_selector: Option<serde_json::Value>,
    },
}

impl AuthoritySource {
    /// Path of the certificate authority within the volume.
    pub const PATH: &'static str = CA_PATH;
}

/// What becomes of a list's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// It is added at the end.
    Appended,
    /// It takes the place of the entry with that index.
    Replaces(usize),
    /// What is there is left as it is.
    Kept,
}

/// What one container gets.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerInjection {
    /// The list that the container stands in.
    pub list: ContainerList,
    /// Its place in that list, before any proxy is added.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The pod's annotation says to leave it alone.
    pub skipped: bool,
    /// Variables added at the end of `env`, in this order.
    pub variables: Vec<Variable>,
    /// The mount of the token's volume.
    pub mount: Placement,
}

impl ContainerInjection {
    /// The value that an added variable gets. `None`: not added, or its value is not known.
    pub fn value(&self, variable: &str) -> Option<&str> {
        self.variables.iter().find(|added| added.name == variable)?.value.as_deref()
    }
}

/// A variable that is added to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// `name`
    pub name: &'static str,
    /// `value`, which up to 1.5.0 may be empty. `None`: a setting of the webhook that was not seen.
    pub value: Option<String>,
}

/// A proxy container that is added.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxy {
    /// Which one.
    pub role: ProxyRole,
    /// The list that it is added to.
    pub list: ContainerList,
    /// Added before all others of the list; else after them.
    pub first: bool,
    /// `image`
    pub image: String,
    /// Its port. Not checked: 0 and 70000 pass the webhook.
    pub port: i32,
    /// Its log level, the webhook's own.
    pub log_level: String,
    /// Whether it carries a security context.
    pub secured: bool,
    /// Its variables and mount, as for any other container.
    pub injection: ContainerInjection,
}

/// The two proxy containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyRole {
    /// `azwi-proxy-init`, which redirects the traffic.
    Init,
    /// `azwi-proxy`, which answers it.
    Sidecar,
}

impl ProxyRole {
    /// The container's name.
    pub fn container(self) -> &'static str {
        match self {
            Self::Init => keys::PROXY_INIT_CONTAINER,
            Self::Sidecar => keys::PROXY_CONTAINER,
        }
    }

    /// What a proxy's image starts with for releases that know proxies by it. The sidecar's also starts the init
    /// container's.
    fn image(self) -> &'static str {
        match self {
            Self::Init => "mcr.microsoft.com/oss/azure/workload-identity/proxy-init",
            Self::Sidecar => "mcr.microsoft.com/oss/azure/workload-identity/proxy",
        }
    }
}

/// What the webhook adds to a pod that it is asked about, or why it refuses it.
///
/// The account is the one that the pod names ([`crate::model::pod::PodSpec::account`]); `None` says that it does not
/// exist. Whether the webhook is asked at all is [`super::selection`]'s question.
pub fn injection(
    pod: &PodTemplate,
    naming: Naming,
    account: Option<AccountView<'_>>,
    settings: &WebhookSettings,
) -> Result<Injection, Denial> {
    // The order of these three is the webhook's: the first failure is its answer.
    let account = account.ok_or_else(|| Denial::AccountMissing(pod.spec.account().to_owned()))?;
    let port = proxy_port(pod, settings)?;
    let expiration = expiration(pod, account, settings)?;

    let endpoint = settings.custom_endpoint.as_ref().filter(|endpoint| asks_for(pod, endpoint, settings));
    let (volume, token) = volume_and_token(pod, naming, expiration, endpoint, settings);
    let skipped = skipped_containers(pod);
    let wanted = wanted_variables(account, &token, &volume, endpoint, settings);
    let inject = |list, index, container: &Container| {
        let skipped = skipped.contains(&container.name.as_str());
        ContainerInjection {
            list,
            index,
            name: container.name.clone(),
            skipped,
            variables: if skipped { Vec::new() } else { missing_variables(&wanted, container) },
            mount: if skipped { Placement::Kept } else { mount(container, &volume, settings) },
        }
    };
    let containers = pod.spec.all_containers().map(|(list, index, container)| inject(list, index, container)).collect();
    let proxies = port.map_or_else(Vec::new, |port| {
        proxies(pod, settings)
            .map(|(role, list)| {
                let blank = Container { name: role.container().to_owned(), ..Container::default() };
                let (image, first) = match role {
                    ProxyRole::Init => (settings.proxy_init_image(), false),
                    ProxyRole::Sidecar => (settings.proxy_image(), settings.profile().proxy_first),
                };
                let log_level = settings.log_level.clone();
                let secured = role == ProxyRole::Init || settings.profile().proxy_secured;
                Proxy { role, list, first, image, port, log_level, secured, injection: inject(list, 0, &blank) }
            })
            .collect()
    });
    Ok(Injection { token, volume, containers, proxies })
}

/// The proxy's port where the pod asks for the proxy: by the annotation's presence, even with the value `false`.
fn proxy_port(pod: &PodTemplate, settings: &WebhookSettings) -> Result<Option<i32>, Denial> {
    if pod.metadata.annotation(keys::INJECT_PROXY).is_none() {
        return Ok(None);
    }
    if pod.spec.host_network && settings.profile().refuses_host_network {
        return Err(Denial::ProxyOnHostNetwork);
    }
    match pod.metadata.annotation(keys::PROXY_PORT) {
        None => Ok(Some(keys::DEFAULT_PROXY_PORT)),
        Some(text) => proxy_port_of(text).map(Some),
    }
}

/// The proxy's port that an annotation asks for, as the webhook reads it: any 32-bit number.
pub fn proxy_port_of(text: &str) -> Result<i32, Denial> {
    number::parse_i32(text).map_err(Denial::ProxyPort)
}

/// The token's lifetime: the pod's annotation, else the account's; an empty one is as good as none.
fn expiration(pod: &PodTemplate, account: AccountView<'_>, settings: &WebhookSettings) -> Result<i64, Denial> {
    let of_pod = pod.metadata.annotation(keys::TOKEN_EXPIRATION).filter(|text| !text.is_empty());
    let text = of_pod.or_else(|| account.annotation(keys::TOKEN_EXPIRATION).filter(|text| !text.is_empty()));
    text.map_or(Ok(settings.profile().default_expiration), expiration_of)
}

/// The lifetime in seconds that an annotation asks for, as the webhook reads it.
pub fn expiration_of(text: &str) -> Result<i64, Denial> {
    let seconds = number::parse_i64(text).map_err(Denial::ExpirationNumber)?;
    if (keys::MIN_EXPIRATION..=keys::MAX_EXPIRATION).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(Denial::ExpirationRange(seconds))
    }
}

fn asks_for(pod: &PodTemplate, endpoint: &CustomTokenEndpoint, settings: &WebhookSettings) -> bool {
    settings.profile().custom_endpoint
        && pod.metadata.annotation(&endpoint.annotation()).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn skipped_containers(pod: &PodTemplate) -> Vec<&str> {
    match pod.metadata.annotation(keys::SKIP_CONTAINERS) {
        None | Some("") => Vec::new(),
        Some(list) => list.split(';').map(str::trim).collect(),
    }
}

fn volume_and_token(
    pod: &PodTemplate,
    naming: Naming,
    expiration_seconds: i64,
    endpoint: Option<&CustomTokenEndpoint>,
    settings: &WebhookSettings,
) -> (TokenVolume, Token) {
    let profile = settings.profile();
    let hash = if profile.named_after_pod { pod_hash(pod, naming) } else { Cow::Borrowed("") };
    let name = if profile.named_after_pod {
        format!("{}{hash}", keys::RESERVED_VOLUME_PREFIX)
    } else {
        keys::TOKEN_NAME.to_owned()
    };
    let mount_path = if profile.mounted_after_pod {
        format!("{}/{hash}", profile.mount_path)
    } else {
        profile.mount_path.to_owned()
    };
    let token = Token {
        audience: endpoint.map_or(&settings.audience, |endpoint| &endpoint.audience).clone(),
        expiration_seconds,
        file: format!("{mount_path}/{}", profile.token_path),
    };
    let placement = if profile.named_after_pod {
        placement(pod.spec.volumes.iter().position(|volume| volume.name == name))
    } else if pod.spec.volumes.iter().any(projects_token) {
        Placement::Kept
    } else {
        Placement::Appended
    };
    let authority = endpoint.and_then(authority);
    (TokenVolume { name, mount_path, token_path: profile.token_path, authority, placement }, token)
}

/// The first 30 hexadecimal digits of the SHA-256 of the pod's name: a volume's name ends at 63 characters.
fn pod_hash(pod: &PodTemplate, naming: Naming) -> Cow<'static, str> {
    let given = pod.metadata.name.as_deref().filter(|name| !name.is_empty());
    let prefix = pod.metadata.generate_name.as_deref().unwrap_or_default();
    let name = match naming {
        Naming::Unknown => return Cow::Borrowed(keys::UNNAMED_POD_HASH),
        Naming::AsSent => given,
        Naming::BeforeNamed => given.filter(|_| prefix.is_empty()),
    };
    let digest = match name {
        Some(name) => Sha256::digest(name),
        None => Sha256::digest(format!("{prefix} (prefix)")),
    };
    let digits = digest.iter().take(15).fold(String::with_capacity(30), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    Cow::Owned(digits)
}

/// Up to 1.5.1 any token under the right path will do, whatever the volume is called and whom the token is for.
fn projects_token(volume: &Volume) -> bool {
    let sources = volume.projected.iter().flat_map(|projected| &projected.sources);
    sources.filter_map(|source| source.service_account_token.as_ref()).any(|token| token.path == keys::TOKEN_NAME)
}

fn authority(endpoint: &CustomTokenEndpoint) -> Option<AuthoritySource> {
    if !endpoint.ca_config_map.is_empty() {
        Some(AuthoritySource::ConfigMap(endpoint.ca_config_map.clone()))
    } else if endpoint.ca_signer.is_empty() {
        None
    } else {
        let label_selector = endpoint.ca_label_selector.clone();
        Some(AuthoritySource::TrustBundle { signer: endpoint.ca_signer.clone(), label_selector })
    }
}

fn placement(found: Option<usize>) -> Placement {
    found.map_or(Placement::Appended, Placement::Replaces)
}

/// Mounts are known by the volume's name, never by their path.
fn mount(container: &Container, volume: &TokenVolume, settings: &WebhookSettings) -> Placement {
    match container.volume_mounts.iter().position(|mount| mount.name == volume.name) {
        Some(_) if !settings.profile().named_after_pod => Placement::Kept,
        found => placement(found),
    }
}

/// The variables that a container without any of them gets.
fn wanted_variables(
    account: AccountView<'_>,
    token: &Token,
    volume: &TokenVolume,
    endpoint: Option<&CustomTokenEndpoint>,
    settings: &WebhookSettings,
) -> Vec<Variable> {
    let profile = settings.profile();
    let known = |name, value: &str| Variable { name, value: Some(value.to_owned()) };
    let mut wanted = vec![
        known(keys::ENV_CLIENT_ID, account.annotation(keys::CLIENT_ID).unwrap_or_default()),
        match account.annotation(keys::TENANT_ID) {
            Some(tenant) => known(keys::ENV_TENANT_ID, tenant),
            None => Variable { name: keys::ENV_TENANT_ID, value: settings.tenant_id.clone() },
        },
        known(keys::ENV_TOKEN_FILE, &token.file),
    ];
    if profile.authority_host {
        wanted.push(Variable { name: keys::ENV_AUTHORITY_HOST, value: settings.authority_host.clone() });
    }
    if let Some(endpoint) = endpoint {
        wanted.extend([
            known(keys::ENV_TOKEN_PROXY, &endpoint.token_proxy),
            known(keys::ENV_SNI_NAME, &endpoint.sni_name),
            // Also where the authority is given as data and the volume has no such file.
            known(keys::ENV_CA_FILE, &format!("{}/{CA_PATH}", volume.mount_path)),
            known(keys::ENV_CA_DATA, &endpoint.ca_data),
        ]);
    }
    if profile.leaves_out_empty {
        wanted.retain(|variable| variable.value.as_deref() != Some(""));
    }
    wanted
}

/// A variable that the container names already is left alone, whatever its value; `envFrom` is not looked at.
fn missing_variables(wanted: &[Variable], container: &Container) -> Vec<Variable> {
    let missing = |variable: &&Variable| !container.env.iter().any(|present| present.name == variable.name);
    wanted.iter().filter(missing).cloned().collect()
}

/// The proxies that are added, each with its list: those that the list does not have yet.
fn proxies(pod: &PodTemplate, settings: &WebhookSettings) -> impl Iterator<Item = (ProxyRole, ContainerList)> {
    let by_image = settings.profile().proxy_known_by_image;
    let is = move |role: ProxyRole, container: &Container| {
        let image = container.image.as_deref().unwrap_or_default();
        container.name == role.container() || by_image && image.starts_with(role.image())
    };
    let sidecar_list = if settings.native_sidecars() { ContainerList::Init } else { ContainerList::Main };
    [(ProxyRole::Init, ContainerList::Init), (ProxyRole::Sidecar, sidecar_list)].into_iter().filter(
        move |(role, list)| {
            let present = match list {
                ContainerList::Init => &pod.spec.init_containers,
                ContainerList::Main => &pod.spec.containers,
            };
            !present.iter().any(|container| is(*role, container))
        },
    )
}
