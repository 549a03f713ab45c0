//! Managed clusters (AKS): the one that a kubeconfig or an issuer belongs to, and what is switched on in it.

use super::arm::{Arm, version};
use super::error::Error;
use super::guid::Guid;
use super::resource_id::ResourceId;
use serde::Deserialize;

/// The parts of a managed cluster that identity depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedCluster {
    /// ARM id.
    pub id: ResourceId,
    /// Region.
    pub location: String,
    /// `properties.kubernetesVersion`
    pub kubernetes_version: Option<String>,
    /// `properties.fqdn`: the host of the API server.
    pub fqdn: Option<String>,
    /// `properties.privateFQDN`
    pub private_fqdn: Option<String>,
    /// `properties.oidcIssuerProfile.enabled`; absent is off.
    pub issuer_enabled: bool,
    /// `properties.oidcIssuerProfile.issuerURL`
    pub issuer: Option<String>,
    /// `properties.securityProfile.workloadIdentity.enabled`; absent is off.
    pub workload_identity: bool,
    /// `properties.provisioningState`: `Succeeded`, `Updating`, `Failed`, …
    pub provisioning_state: Option<String>,
    /// `properties.powerState.code`: `Running` or `Stopped`.
    pub power_state: Option<String>,
    /// The tenant of the cluster's own identity.
    pub tenant_id: Option<Guid>,
    /// The kubelet's identity: what pods get from the node's endpoint instead of their own.
    pub kubelet_client_id: Option<Guid>,
    /// The add-on of the Secrets Store CSI driver's Azure provider.
    pub key_vault_add_on: Option<KeyVaultAddOn>,
}

/// `properties.addonProfiles.azureKeyvaultSecretsProvider`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVaultAddOn {
    /// Whether it is on.
    pub enabled: bool,
    /// The client id of the identity that the add-on brings along; workload identity does not use it.
    pub client_id: Option<Guid>,
    /// `config.enableSecretRotation`
    pub rotates: bool,
}

impl ManagedCluster {
    /// The `az` line that switches on what is off; `None` where both are on.
    pub fn enable_command(&self) -> Option<String> {
        let mut flags = Vec::new();
        if !self.issuer_enabled {
            flags.push("--enable-oidc-issuer");
        }
        if !self.workload_identity {
            flags.push("--enable-workload-identity");
        }
        if flags.is_empty() {
            return None;
        }
        let group = self.id.resource_group().unwrap_or_default();
        let subscription = self.id.subscription().unwrap_or_default();
        let name = self.id.name();
        let flags = flags.join(" ");
        Some(format!("az aks update --subscription {subscription} --resource-group {group} --name {name} {flags}"))
    }

    /// Whether this is the cluster's API server, by its host.
    pub fn serves(&self, host: &str) -> bool {
        [&self.fqdn, &self.private_fqdn].into_iter().flatten().any(|own| own.eq_ignore_ascii_case(host))
    }

    /// Whether this is the cluster's issuer, a trailing slash more or less: Azure's own answer has it, copies lack it.
    pub fn issues(&self, issuer: &str) -> bool {
        let own = self.issuer.as_deref().map(|own| own.trim_end_matches('/'));
        own.is_some_and(|own| !own.is_empty() && own.eq_ignore_ascii_case(issuer.trim_end_matches('/')))
    }
}

/// A cluster extension, `sc-extension` of Service Connector for instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// ARM id.
    pub id: ResourceId,
    /// `properties.extensionType`
    pub kind: String,
    /// `properties.provisioningState`: `Succeeded`, `Failed`, `Canceled`, `Creating`, `Updating`, `Deleting`.
    pub provisioning_state: String,
    /// `properties.statuses[]`; empty where all is well.
    pub statuses: Vec<ExtensionStatus>,
    /// `properties.errorInfo.message`
    pub error: Option<String>,
    /// `properties.currentVersion`
    pub version: Option<String>,
}

/// What the agent in the cluster reported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct ExtensionStatus {
    /// `code`
    #[serde(deserialize_with = "null_as_default")]
    pub code: String,
    /// `level`: `Error`, `Warning` or `Information`.
    #[serde(deserialize_with = "null_as_default")]
    pub level: String,
    /// `message`
    #[serde(deserialize_with = "null_as_default")]
    pub message: String,
}

fn null_as_default<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads managed clusters and what belongs to them.
pub(crate) struct Clusters {
    arm: Arm,
}

impl Clusters {
    pub(crate) fn new(arm: Arm) -> Self {
        Self { arm }
    }

    /// One cluster by its id: the only prompt answer, lists and Resource Graph lag behind.
    pub(crate) async fn get(&self, id: &ResourceId) -> Result<ManagedCluster, Error> {
        let body: ClusterBody = self.arm.resource(id, version::MANAGED_CLUSTERS).await?;
        body.read()
    }

    /// All clusters of a subscription that the login may see.
    pub(crate) async fn list(&self, subscription: &Guid) -> Result<Vec<ManagedCluster>, Error> {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters");
        let bodies: Vec<ClusterBody> = self.arm.list(&path, version::MANAGED_CLUSTERS, &[]).await?;
        bodies.into_iter().map(ClusterBody::read).collect()
    }

    /// An extension of a cluster; `None` where it is not installed.
    pub(crate) async fn extension(&self, cluster: &ResourceId, name: &str) -> Result<Option<Extension>, Error> {
        let id = format!("{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/{name}");
        let id = ResourceId::parse(&id).map_err(|error| Error::Refused(error.to_string()))?;
        match self.arm.resource::<ExtensionBody>(&id, version::EXTENSIONS).await {
            Ok(body) => Ok(Some(body.read(id))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a resource provider is registered in a subscription: `Registered`, `NotRegistered`, `Registering`, …
    pub(crate) async fn registration(&self, subscription: &Guid, namespace: &str) -> Result<String, Error> {
        let path = format!("/subscriptions/{subscription}/providers/{namespace}");
        let body: ProviderBody = self.arm.get(&path, version::PROVIDERS).await?;
        Ok(body.registration_state)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProviderBody {
    registration_state: String,
}

#[derive(Deserialize)]
struct ClusterBody {
    id: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    properties: ClusterProperties,
    #[serde(default)]
    identity: Option<ClusterIdentity>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ClusterProperties {
    kubernetes_version: Option<String>,
    fqdn: Option<String>,
    #[serde(rename = "privateFQDN")]
    private_fqdn: Option<String>,
    provisioning_state: Option<String>,
    power_state: Option<PowerState>,
    oidc_issuer_profile: Option<IssuerProfile>,
    security_profile: Option<SecurityProfile>,
    addon_profiles: Option<AddonProfiles>,
    identity_profile: Option<IdentityProfile>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PowerState {
    code: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IssuerProfile {
    enabled: Option<bool>,
    #[serde(rename = "issuerURL", alias = "issuerUrl")]
    issuer: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct SecurityProfile {
    workload_identity: Option<Switch>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Switch {
    enabled: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct AddonProfiles {
    azure_keyvault_secrets_provider: Option<AddonProfile>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AddonProfile {
    enabled: bool,
    config: Option<serde_json::Map<String, serde_json::Value>>,
    identity: Option<AssignedIdentity>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IdentityProfile {
    #[serde(rename = "kubeletidentity")]
    kubelet: Option<AssignedIdentity>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct AssignedIdentity {
    client_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ClusterIdentity {
    tenant_id: Option<String>,
}

fn parse_id(id: &str, what: &str) -> Result<ResourceId, Error> {
    ResourceId::parse(id).map_err(|error| Error::Unreadable { what: what.to_owned(), reason: error.to_string() })
}

impl ClusterBody {
    fn read(self) -> Result<ManagedCluster, Error> {
        let properties = self.properties;
        let guid = |text: Option<String>| text.as_deref().and_then(Guid::parse);
        let issuer = properties.oidc_issuer_profile.unwrap_or_default();
        let workload_identity = properties.security_profile.and_then(|profile| profile.workload_identity);
        let add_on = properties.addon_profiles.and_then(|profiles| profiles.azure_keyvault_secrets_provider);
        Ok(ManagedCluster {
            id: parse_id(&self.id, "a managed cluster")?,
            location: self.location,
            kubernetes_version: properties.kubernetes_version,
            fqdn: properties.fqdn.filter(|host| !host.is_empty()),
            private_fqdn: properties.private_fqdn.filter(|host| !host.is_empty()),
            issuer_enabled: issuer.enabled == Some(true),
            issuer: issuer.issuer,
            workload_identity: workload_identity.and_then(|switch| switch.enabled) == Some(true),
            provisioning_state: properties.provisioning_state,
            power_state: properties.power_state.and_then(|state| state.code),
            tenant_id: self.identity.and_then(|identity| guid(identity.tenant_id)),
            kubelet_client_id: properties
                .identity_profile
                .and_then(|profile| profile.kubelet)
                .and_then(|kubelet| guid(kubelet.client_id)),
            key_vault_add_on: add_on.map(|add_on| KeyVaultAddOn {
                enabled: add_on.enabled,
                client_id: add_on.identity.and_then(|identity| guid(identity.client_id)),
                rotates: add_on
                    .config
                    .as_ref()
                    .and_then(|config| config.get("enableSecretRotation")?.as_str())
                    .is_some_and(|value| value.eq_ignore_ascii_case("true")),
            }),
        })
    }
}

#[derive(Deserialize)]
struct ExtensionBody {
    #[serde(default)]
    properties: ExtensionProperties,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ExtensionProperties {
    extension_type: Option<String>,
    provisioning_state: Option<String>,
    statuses: Option<Vec<ExtensionStatus>>,
    error_info: Option<ExtensionError>,
    current_version: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ExtensionError {
    message: Option<String>,
}

impl ExtensionBody {
    fn read(self, id: ResourceId) -> Extension {
        let properties = self.properties;
        Extension {
            id,
            kind: properties.extension_type.unwrap_or_default(),
            provisioning_state: properties.provisioning_state.unwrap_or_default(),
            statuses: properties.statuses.unwrap_or_default(),
            error: properties.error_info.and_then(|error| error.message),
            version: properties.current_version,
        }
    }
}
