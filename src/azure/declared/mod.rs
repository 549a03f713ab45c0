//! Azure resources that are declared in the cluster: by Azure Service Operator or by Crossplane.
//!
//! Their objects are evidence without Azure, and what they own is corrected in them: a change in Azure is reverted at
//! the operator's next turn. Reading is pure: [`read`] takes an object as the API or a file gives it.

mod crossplane;
mod resolve;
mod service_operator;

pub use resolve::{Resolution, credentials_of, writer_of};

use super::guid::Guid;
use super::identities::FederatedCredential;
use super::resource_id::ResourceId;
use serde_json::Value;

/// The API groups and plural kinds to look for. Versions differ from one release to the next (`v1api20230131`,
/// `v20230131`, `v1beta1`): take the one that the cluster serves.
pub const KINDS: [(&str, &str); 9] = [
    ("managedidentity.azure.com", "federatedidentitycredentials"),
    ("managedidentity.azure.com", "userassignedidentities"),
    ("authorization.azure.com", "roleassignments"),
    ("managedidentity.azure.upbound.io", "federatedidentitycredentials"),
    ("managedidentity.azure.upbound.io", "userassignedidentities"),
    ("authorization.azure.upbound.io", "roleassignments"),
    ("managedidentity.azure.m.upbound.io", "federatedidentitycredentials"),
    ("managedidentity.azure.m.upbound.io", "userassignedidentities"),
    ("authorization.azure.m.upbound.io", "roleassignments"),
];

/// The operator that carries an object out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// Azure Service Operator 2.
    ServiceOperator,
    /// Crossplane with `provider-upjet-azure`.
    Crossplane,
}

impl Operator {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServiceOperator => "Azure Service Operator",
            Self::Crossplane => "Crossplane",
        }
    }
}

/// The object that declares something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Who carries it out.
    pub operator: Operator,
    /// `apiVersion`
    pub api_version: String,
    /// `kind`
    pub kind: String,
    /// `metadata.namespace`; `None` for cluster-scoped kinds of Crossplane.
    pub namespace: Option<String>,
    /// `metadata.name`
    pub name: String,
    /// Whether the operator writes to Azure: false for `reconcile-policy: skip` and for observe-only policies. Only
    /// then a correction in Azure stays.
    pub writes: bool,
    /// Condition `Ready`; `None` where there is no status yet.
    pub ready: Option<Ready>,
}

/// A condition of an operator's object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Whether it is `True`; for Crossplane `Synced` must be so too.
    pub ok: bool,
    /// `reason`: `WaitingForOwner`, `ReconcileError`, …
    pub reason: String,
    /// `message`
    pub message: String,
}

/// A value, or where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source<T> {
    /// It stands in the object.
    Given(T),
    /// It is taken from a key of a `ConfigMap` in the same namespace.
    ConfigMap {
        /// Name of the `ConfigMap`.
        name: String,
        /// The key.
        key: String,
    },
    /// Neither is said; an observe-only object may lack it.
    Missing,
}

impl<T> Source<T> {
    /// The value, where it stands in the object.
    pub fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            _ => None,
        }
    }
}

/// Which identity a credential belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// By ARM id.
    Id(ResourceId),
    /// By the name of a declared `UserAssignedIdentity`, in the same namespace where kinds are namespaced.
    Object(String),
    /// By a selector, or not said.
    Unknown,
}

/// A declared federated credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredCredential {
    /// The object.
    pub by: Declaration,
    /// Its name in Azure.
    pub azure_name: String,
    /// `issuer`
    pub issuer: Source<String>,
    /// `subject`
    pub subject: Source<String>,
    /// `audiences`
    pub audiences: Vec<String>,
    /// The identity.
    pub owner: Owner,
    /// Its ARM id, once the operator has written it.
    pub id: Option<ResourceId>,
    /// What the operator last saw in Azure, from the status.
    pub observed: Option<FederatedCredential>,
}

impl DeclaredCredential {
    /// The credential as it is declared; `None` while a value comes from a `ConfigMap` that the status does not show.
    pub fn credential(&self) -> Option<FederatedCredential> {
        let observed = self.observed.as_ref();
        let issuer = self.issuer.given().or_else(|| observed.map(|o| &o.issuer))?;
        let subject = self.subject.given().or_else(|| observed.and_then(|o| o.subject.as_ref()))?;
        Some(FederatedCredential {
            name: self.azure_name.clone(),
            issuer: issuer.clone(),
            subject: Some(subject.clone()),
            audiences: self.audiences.clone(),
            expression: None,
        })
    }
}

/// A declared user-assigned identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredIdentity {
    /// The object.
    pub by: Declaration,
    /// Its name in Azure.
    pub azure_name: String,
    /// Its ARM id, once the operator has written it.
    pub id: Option<ResourceId>,
    /// From the status.
    pub client_id: Option<Guid>,
    /// From the status.
    pub principal_id: Option<Guid>,
    /// From the status.
    pub tenant_id: Option<Guid>,
    /// The `ConfigMap` and key that the operator writes the client id to.
    pub client_id_goes_to: Option<(String, String)>,
}

/// A declared role assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredAssignment {
    /// The object.
    pub by: Declaration,
    /// Whom the role is given to.
    pub principal: Source<Guid>,
    /// Name of the role, where it is named.
    pub role_name: Option<String>,
    /// GUID of the role, where it is given by id or the status shows it.
    pub role: Option<Guid>,
    /// Where it holds; `None` where the owner is another object and the status is not there yet.
    pub scope: Option<ResourceId>,
}

/// An object of one of the operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// `FederatedIdentityCredential`
    Credential(DeclaredCredential),
    /// `UserAssignedIdentity`
    Identity(DeclaredIdentity),
    /// `RoleAssignment`
    Assignment(DeclaredAssignment),
}

/// Reads an object; `None` for anything that is none of these kinds, or has no name.
pub fn read(object: &Value) -> Option<Declared> {
    let api_version = object["apiVersion"].as_str()?;
    let group = api_version.split('/').next()?;
    match group {
        "managedidentity.azure.com" | "authorization.azure.com" => service_operator::read(object),
        "managedidentity.azure.upbound.io"
        | "managedidentity.azure.m.upbound.io"
        | "authorization.azure.upbound.io"
        | "authorization.azure.m.upbound.io" => crossplane::read(object),
        _ => None,
    }
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn texts(value: &Value, pointer: &str) -> Vec<String> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn guid(value: &Value, pointer: &str) -> Option<Guid> {
    Guid::parse(value.pointer(pointer)?.as_str()?)
}

fn id(value: &Value, pointer: &str) -> Option<ResourceId> {
    ResourceId::parse(value.pointer(pointer)?.as_str()?).ok()
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object.pointer("/status/conditions")?.as_array()?.iter().find(|condition| condition["type"] == kind)
}

fn ready(condition: &Value) -> Ready {
    Ready {
        ok: condition["status"] == "True",
        reason: text(condition, "/reason").unwrap_or_default(),
        message: text(condition, "/message").unwrap_or_default(),
    }
}
