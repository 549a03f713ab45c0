//! Key Vaults: whether roles count there, or access policies.

use super::arm::{Arm, version};
use super::error::Error;
use super::guid::Guid;
use super::resource_id::ResourceId;
use serde::Deserialize;

/// The parts of a Key Vault that say who may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// ARM id.
    pub id: ResourceId,
    /// The tenant whose tokens it takes.
    pub tenant_id: Option<Guid>,
    /// `properties.enableRbacAuthorization`: true, and only roles count; false or absent, and only access policies do.
    pub roles_count: bool,
    /// `properties.accessPolicies`; without effect where roles count.
    pub policies: Vec<AccessPolicy>,
}

/// An access policy of a Key Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPolicy {
    /// The tenant of the object.
    pub tenant_id: Option<Guid>,
    /// Object id of a user, a group or a service principal; of an identity the principal id, never the client id.
    pub object_id: Option<Guid>,
    /// Permissions on secrets: `get`, `list`, …, `all`.
    pub secrets: Vec<String>,
    /// Permissions on keys.
    pub keys: Vec<String>,
    /// Permissions on certificates.
    pub certificates: Vec<String>,
}

impl Vault {
    /// Whether an access policy of its own lets the principal read secrets. A policy for a group counts for its
    /// members; it is not seen here.
    pub fn policy_reads_secrets(&self, principal: Guid) -> bool {
        !self.roles_count
            && self.policies.iter().any(|policy| {
                policy.object_id == Some(principal)
                    && (policy.tenant_id.is_none() || policy.tenant_id == self.tenant_id)
                    && policy
                        .secrets
                        .iter()
                        .any(|verb| verb.eq_ignore_ascii_case("get") || verb.eq_ignore_ascii_case("all"))
            })
    }
}

#[derive(Deserialize)]
struct VaultBody {
    id: String,
    properties: VaultProperties,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct VaultProperties {
    tenant_id: Option<String>,
    enable_rbac_authorization: Option<bool>,
    access_policies: Option<Vec<PolicyBody>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct PolicyBody {
    tenant_id: Option<String>,
    object_id: Option<String>,
    permissions: PermissionsBody,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PermissionsBody {
    secrets: Option<Vec<String>>,
    keys: Option<Vec<String>>,
    certificates: Option<Vec<String>>,
}

/// Reads one vault.
pub(crate) async fn get(arm: &Arm, id: &ResourceId) -> Result<Vault, Error> {
    let body: VaultBody = arm.resource(id, version::VAULTS).await?;
    let guid = |text: Option<String>| text.as_deref().and_then(Guid::parse);
    let policies = body.properties.access_policies.unwrap_or_default();
    Ok(Vault {
        id: ResourceId::parse(&body.id)
            .map_err(|error| Error::Unreadable { what: id.to_string(), reason: error.to_string() })?,
        tenant_id: guid(body.properties.tenant_id),
        roles_count: body.properties.enable_rbac_authorization == Some(true),
        policies: policies
            .into_iter()
            .map(|policy| AccessPolicy {
                tenant_id: guid(policy.tenant_id),
                object_id: guid(policy.object_id),
                secrets: policy.permissions.secrets.unwrap_or_default(),
                keys: policy.permissions.keys.unwrap_or_default(),
                certificates: policy.permissions.certificates.unwrap_or_default(),
            })
            .collect(),
    })
}
