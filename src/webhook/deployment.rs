//! What a Deployment of the identity webhook tells: version, flags and environment.

use super::WebhookVersion;
use super::settings::{CustomTokenEndpoint, WebhookSettings, authority_host};
use crate::model::StringMap;
use crate::model::pod::Container;
use crate::model::workload::Workload;
use std::collections::BTreeMap;

/// On every object of the webhook in every distribution.
pub(crate) const SYSTEM_LABEL: &str = "azure-workload-identity.io/system";
/// Name of the Deployment upstream and on AKS.
pub(crate) const DEPLOYMENT: &str = "azure-wi-webhook-controller-manager";

/// Data of config maps by namespace and name.
pub(super) type ConfigMaps = BTreeMap<(String, String), StringMap>;

/// A version of the webhook, and by what it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenVersion {
    /// The version.
    pub version: WebhookVersion,
    /// The image, or the label of the Deployment, that says it.
    pub evidence: String,
}

/// A Deployment of the webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookDeployment {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// Image of the webhook's container.
    pub image: String,
    /// Replicas that are wanted.
    pub desired: i32,
    /// Replicas that are ready; `None` in a file that carries no status.
    pub ready: Option<i32>,
    pub(super) version: Option<SeenVersion>,
    pub(super) labels: StringMap,
    pub(super) annotations: StringMap,
    container: Container,
}

impl WebhookDeployment {
    /// A Deployment that runs the webhook: by its name, its label, its image or its command.
    pub(super) fn read(workload: &Workload) -> Option<Self> {
        let container = workload.template.spec.containers.iter().find(|container| runs_webhook(container));
        let named = workload.meta.name() == DEPLOYMENT || workload.meta.label(SYSTEM_LABEL) == Some("true");
        let container = match container {
            Some(container) => container,
            None if named => workload.template.spec.containers.first()?,
            None => return None,
        };
        let image = container.image.clone().unwrap_or_default();
        let status = &workload.status;
        Some(Self {
            namespace: workload.meta.namespace().to_owned(),
            name: workload.meta.name().to_owned(),
            desired: workload.replicas.unwrap_or(1),
            ready: status.observed_generation.map(|_| status.ready_replicas.unwrap_or_default()),
            version: version_of(&image, workload.meta.label("app.kubernetes.io/version")),
            labels: workload.meta.labels.clone().unwrap_or_default(),
            annotations: workload.meta.annotations.clone().unwrap_or_default(),
            container: container.clone(),
            image,
        })
    }

    /// `namespace/name`
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// How this Deployment sets the webhook, as far as its own objects tell.
    pub(super) fn configure(&self, settings: &mut WebhookSettings, config_maps: &ConfigMaps, notes: &mut Vec<String>) {
        let values = |name: &str| self.setting(name, config_maps);
        read_environment(settings, values, notes);
        read_flags(settings, &self.container, values, notes);
    }

    /// A variable of its container: `env` goes before `envFrom`, a later source of `envFrom` before an earlier one.
    fn setting(&self, name: &str, config_maps: &ConfigMaps) -> Setting {
        let config_map = |name: &str| config_maps.get(&(self.namespace.clone(), name.to_owned()));
        if let Some(variable) = self.container.variable(name) {
            if let Some(value) = variable.literal() {
                return Setting::Is(value.to_owned());
            }
            let Some(key) = variable.value_from.as_ref().and_then(|from| from.config_map_key_ref.as_ref()) else {
                return Setting::NotSeen(format!("{name} of {} does not stand in a ConfigMap", self.path()));
            };
            return match config_map(&key.name) {
                Some(data) => Setting::of(data.get(&key.key)),
                None => self.unseen(&key.name),
            };
        }
        for source in self.container.env_from.iter().rev() {
            let Some(key) = name.strip_prefix(source.prefix.as_deref().unwrap_or_default()) else { continue };
            match &source.config_map_ref {
                None => return Setting::NotSeen(format!("{name} of {} may stand in a Secret", self.path())),
                Some(reference) => match config_map(&reference.name) {
                    None => return self.unseen(&reference.name),
                    Some(data) => {
                        if let Some(value) = data.get(key) {
                            return Setting::Is(value.clone());
                        }
                    }
                },
            }
        }
        Setting::NotSet
    }

    fn unseen(&self, config_map: &str) -> Setting {
        Setting::NotSeen(format!("ConfigMap {}/{config_map} of the webhook was not seen", self.namespace))
    }
}

/// What is known of a variable of the webhook.
pub(super) enum Setting {
    /// Its value.
    Is(String),
    /// It is not set.
    NotSet,
    /// Why not.
    NotSeen(String),
}

impl Setting {
    pub(super) fn of(value: Option<&String>) -> Self {
        value.map_or(Self::NotSet, |value| Self::Is(value.clone()))
    }

    fn text(self) -> Option<String> {
        match self {
            Self::Is(value) => Some(value),
            Self::NotSet | Self::NotSeen(_) => None,
        }
    }
}

fn runs_webhook(container: &Container) -> bool {
    let image = container.image.as_deref().unwrap_or_default();
    let program = container.command.first().map(String::as_str).unwrap_or_default();
    image.contains("workload-identity/webhook") || program.ends_with("azure-workload-identity-webhook")
}

/// The version that an image's tag tells, else the Deployment's own label.
fn version_of(image: &str, label: Option<&str>) -> Option<SeenVersion> {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let tag = name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    let by_tag = tag.and_then(|tag| tag.parse().ok()).map(|version| (version, format!("image {image}")));
    let by_label = || {
        let label = label?;
        Some((label.parse().ok()?, format!("label app.kubernetes.io/version: {label}")))
    };
    by_tag.or_else(by_label).map(|(version, evidence)| SeenVersion { version, evidence })
}

/// What the webhook reads from its environment for every pod.
pub(super) fn read_environment(
    settings: &mut WebhookSettings,
    values: impl Fn(&str) -> Setting,
    notes: &mut Vec<String>,
) {
    match values("AZURE_TENANT_ID") {
        Setting::Is(tenant) if tenant.is_empty() => {
            notes.push("AZURE_TENANT_ID of the webhook is empty: it does not start".to_owned());
        }
        Setting::Is(tenant) => {
            if tenant.contains("${") {
                notes.push(format!("AZURE_TENANT_ID of the webhook is the placeholder {tenant:?}"));
            }
            settings.tenant_id = Some(tenant);
        }
        Setting::NotSet => notes.push("the webhook has no AZURE_TENANT_ID: it does not start".to_owned()),
        Setting::NotSeen(why) => notes.push(why),
    }
    match values("AZURE_ENVIRONMENT") {
        Setting::Is(environment) => {
            settings.authority_host = authority_host(&environment).map(str::to_owned);
            if settings.authority_host.is_none() {
                notes.push(if environment.eq_ignore_ascii_case("AzureStackCloud") {
                    "the authority of AzureStackCloud stands in a file of the webhook's container".to_owned()
                } else {
                    format!("AZURE_ENVIRONMENT of the webhook is {environment:?}, no cloud it knows: it does not start")
                });
            }
        }
        Setting::NotSet => settings.authority_host = authority_host("").map(str::to_owned),
        // Told for the tenant already.
        Setting::NotSeen(_) => {}
    }
    settings.proxy_image = values("PROXY_IMAGE").text();
    settings.proxy_init_image = values("PROXY_INIT_IMAGE").text();
}

/// What the webhook reads from its command line.
fn read_flags(
    settings: &mut WebhookSettings,
    container: &Container,
    values: impl Fn(&str) -> Setting,
    notes: &mut Vec<String>,
) {
    let flag = |name: &str| flag(container, name);
    if let Some(audience) = flag("audience").filter(|audience| !audience.is_empty()) {
        settings.audience = audience;
    }
    settings.log_level = flag("log-level").unwrap_or_default();
    let suffix = flag("custom-token-endpoint-annotation-suffix").unwrap_or_default();
    let audience = flag("custom-token-endpoint-audience").unwrap_or_default();
    match (suffix.is_empty(), audience.is_empty()) {
        (true, true) => {}
        (false, false) => {
            let value = |name: &str| values(name).text().unwrap_or_default();
            let selector = value("AZURE_KUBERNETES_CA_CTB_LABEL_SELECTOR");
            settings.custom_endpoint = Some(CustomTokenEndpoint {
                annotation_suffix: suffix,
                audience,
                token_proxy: value("AZURE_KUBERNETES_TOKEN_PROXY"),
                sni_name: value("AZURE_KUBERNETES_SNI_NAME"),
                ca_data: value("AZURE_KUBERNETES_CA_DATA"),
                ca_config_map: value("AZURE_KUBERNETES_CA_CONFIGMAP_NAME"),
                ca_signer: value("AZURE_KUBERNETES_CA_CTB_SIGNER_NAME"),
                ca_label_selector: serde_json::from_str(&selector).ok(),
            });
        }
        _ => notes.push(
            "the webhook has one of --custom-token-endpoint-annotation-suffix and --custom-token-endpoint-audience \
             without the other: it does not start"
                .to_owned(),
        ),
    }
}

/// The value of a flag as Go reads it: one or two dashes, after `=` or as the next argument; the last one counts.
fn flag(container: &Container, name: &str) -> Option<String> {
    let mut arguments = container.command.iter().chain(&container.args);
    let mut value = None;
    while let Some(argument) = arguments.next() {
        let Some(given) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { continue };
        match given.split_once('=') {
            Some((flag, text)) if flag == name => value = Some(text.to_owned()),
            None if given == name => value = arguments.next().cloned(),
            _ => {}
        }
    }
    value
}
