//! A `SecretStore` or `ClusterSecretStore` of Azure Key Vault.

use crate::apps::custom;
use crate::chain::meant::identity_annotation;
use crate::model::inventory::{Inventory, RawObject};
use crate::webhook::keys;

/// `authType`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `WorkloadIdentity`
    WorkloadIdentity,
    /// `ManagedIdentity`
    ManagedIdentity,
    /// `ServicePrincipal`, which is also what counts where nothing is said.
    ServicePrincipal,
    /// Anything else.
    Unknown,
}

/// One store.
#[derive(Debug, Clone)]
pub struct Store<'a> {
    /// The object.
    pub resource: &'a RawObject,
    /// `authType`
    pub auth: Auth,
    /// Whether `authType` is written out.
    pub says_auth: bool,
    /// Namespace, where it is known, and name of `serviceAccountRef`.
    pub account: Option<(Option<String>, String)>,
    /// Whether `serviceAccountRef.namespace` is written out.
    pub account_namespace: Option<&'a str>,
    /// `identityId`
    pub identity_id: Option<&'a str>,
    /// `tenantId`
    pub tenant_id: Option<String>,
    /// Secret and key of `authSecretRef.clientId`.
    pub secret_client_id: Option<&'a str>,
    /// Secret of `authSecretRef.tenantId`.
    pub secret_tenant_id: Option<&'a str>,
    /// Secret of `authSecretRef.clientSecret`.
    pub secret_client_secret: Option<&'a str>,
    /// `useAzureSDK`
    pub azure_sdk: bool,
    /// Whether `customCloudConfig` is there.
    pub custom_cloud: bool,
}

/// JSON pointer of the provider's settings.
pub(super) const AT: &str = "/spec/provider/azurekv";

impl<'a> Store<'a> {
    /// Reads a store; `None` for other kinds and other providers.
    pub fn read(resource: &'a RawObject) -> Option<Self> {
        let kind = resource.meta.object.kind.as_str();
        if !matches!(kind, "SecretStore" | "ClusterSecretStore") || resource.value.pointer(AT).is_none() {
            return None;
        }
        let text = |field: &str| custom::filled(resource, &format!("{AT}/{field}"));
        let said = text("authType");
        let account = text("serviceAccountRef/name").map(|name| {
            let own = resource.meta.object.namespace.clone();
            (own.or_else(|| text("serviceAccountRef/namespace").map(str::to_owned)), name.to_owned())
        });
        Some(Self {
            resource,
            auth: match said {
                Some("WorkloadIdentity") => Auth::WorkloadIdentity,
                Some("ManagedIdentity") => Auth::ManagedIdentity,
                Some("ServicePrincipal") | None => Auth::ServicePrincipal,
                Some(_) => Auth::Unknown,
            },
            says_auth: said.is_some(),
            account,
            account_namespace: text("serviceAccountRef/namespace"),
            identity_id: text("identityId"),
            tenant_id: text("tenantId").map(str::to_owned),
            secret_client_id: text("authSecretRef/clientId/name"),
            secret_tenant_id: text("authSecretRef/tenantId/name"),
            secret_client_secret: text("authSecretRef/clientSecret/name"),
            azure_sdk: custom::flag(resource, &format!("{AT}/useAzureSDK")) == Some(true),
            custom_cloud: resource.value.pointer(&format!("{AT}/customCloudConfig")).is_some(),
        })
    }

    /// Whether it asks for workload identity: by its type, or by an account that carries an identity.
    pub fn asks(&self, inventory: &Inventory) -> bool {
        let annotated = self.account(inventory).is_some_and(|account| identity_annotation(account).is_some());
        self.auth == Auth::WorkloadIdentity || annotated
    }

    /// The account that it names, where it is here.
    pub fn account<'i>(&self, inventory: &'i Inventory) -> Option<&'i crate::model::workload::ServiceAccount> {
        let (namespace, name) = self.account.as_ref()?;
        inventory.account(namespace.as_deref()?, name).known().copied()
    }

    /// The client id that its account carries.
    pub fn client_id_of_account(&self, inventory: &Inventory) -> Option<String> {
        let id = self.account(inventory)?.meta.annotation(keys::CLIENT_ID)?;
        (!id.is_empty()).then(|| id.to_owned())
    }
}
