//! User-assigned managed identities and their federated credentials.
//!
//! [`IdentityStore`] is the boundary: behind it stands the generated crate `azure_mgmt_msi` 0.21, the last of its line.

mod bridge;
mod msi;
mod name;
mod write;

pub(crate) use msi::ManagedIdentities;
pub use name::{CredentialName, NotACredentialName};
pub(crate) use write::write;
pub use write::{Expected, LIMIT, Written};

use super::error::Error;
use super::guid::Guid;
use super::resource_id::ResourceId;
use crate::model::StringMap;
use async_trait::async_trait;

/// A user-assigned managed identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// ARM id.
    pub id: ResourceId,
    /// The client id: what the service account's annotation must hold.
    pub client_id: Option<Guid>,
    /// The object id of its service principal: what role assignments name.
    pub principal_id: Option<Guid>,
    /// The tenant it lives in.
    pub tenant_id: Option<Guid>,
    /// Region; a few do not support federated credentials.
    pub location: String,
    /// Tags.
    pub tags: StringMap,
}

/// A federated identity credential, of a managed identity or of an app registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedCredential {
    /// Its name, unique in its identity.
    pub name: String,
    /// `issuer`, compared with the token's `iss` to the letter.
    pub issuer: String,
    /// `subject`, compared with the token's `sub` to the letter; `None` for a flexible credential.
    pub subject: Option<String>,
    /// `audiences`; Azure takes exactly one.
    pub audiences: Vec<String>,
    /// `claimsMatchingExpression.value` of a flexible credential: `claims['sub'] matches 'system:…'`.
    pub expression: Option<String>,
}

/// What a credential is to say: nothing else is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialBody {
    /// `issuer`
    pub issuer: String,
    /// `subject`
    pub subject: String,
    /// The one audience.
    pub audience: String,
}

/// Reads and writes identities. The implementation can be replaced when Microsoft ships a successor to the crate.
#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// All identities of a subscription that the login may see.
    async fn list(&self, subscription: &Guid) -> Result<Vec<Identity>, Error>;

    /// One identity.
    async fn get(&self, id: &ResourceId) -> Result<Identity, Error>;

    /// The federated credentials of an identity.
    async fn credentials(&self, id: &ResourceId) -> Result<Vec<FederatedCredential>, Error>;

    /// One federated credential; `None` where it does not exist.
    async fn credential(&self, id: &ResourceId, name: &CredentialName) -> Result<Option<FederatedCredential>, Error>;

    /// Creates a credential, or replaces the one of that name. The flag is true where it was created.
    async fn put(
        &self,
        id: &ResourceId,
        name: &CredentialName,
        body: &CredentialBody,
    ) -> Result<(FederatedCredential, bool), Error>;

    /// Deletes a credential. False where there was none.
    async fn delete(&self, id: &ResourceId, name: &CredentialName) -> Result<bool, Error>;
}
