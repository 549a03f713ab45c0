//! Microsoft Graph: who a client id is. Read only.
//!
//! `servicePrincipals(appId='…')` names a managed identity's ARM id in one call and needs no role in Azure, only the
//! right to read the directory, which members of a tenant have and service principals have not unless it was granted.

use super::arm::{address, get, list};
use super::error::Error;
use super::guid::Guid;
use super::identities::FederatedCredential;
use super::resource_id::ResourceId;
use super::session::{Api, Session};
use serde::Deserialize;
use std::sync::Arc;

const PRINCIPAL_FIELDS: &str =
    "id,appId,displayName,servicePrincipalType,alternativeNames,servicePrincipalNames,appOwnerOrganizationId";

/// A service principal: what an identity is in the tenant's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// The object id, which role assignments name. For a managed identity it is the principal id.
    pub object_id: Guid,
    /// The client id.
    pub client_id: Guid,
    /// Name for people; a managed identity's is the resource's.
    pub display_name: String,
    /// What is behind it.
    pub kind: PrincipalKind,
}

/// What a service principal stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A user-assigned managed identity, with its ARM id.
    UserAssigned(ResourceId),
    /// A managed identity that belongs to another resource: it cannot hold federated credentials.
    SystemAssigned(Option<ResourceId>),
    /// An app registration of this tenant, or of `owner` where that is another one.
    Application {
        /// The tenant that the registration is in.
        owner: Option<Guid>,
    },
    /// Anything else: `Legacy`, or a type that came later.
    Other(String),
}

/// An app registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The object id of the registration, not of its service principal.
    pub object_id: Guid,
    /// The client id.
    pub client_id: Guid,
    /// Name for people.
    pub display_name: String,
}

pub(crate) struct Graph {
    session: Arc<Session>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrincipalBody {
    id: String,
    app_id: String,
    display_name: Option<String>,
    service_principal_type: Option<String>,
    alternative_names: Option<Vec<String>>,
    app_owner_organization_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApplicationBody {
    id: String,
    app_id: String,
    display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialBody {
    name: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    audiences: Option<Vec<String>>,
    claims_matching_expression: Option<ExpressionBody>,
}

#[derive(Deserialize)]
struct ExpressionBody {
    value: Option<String>,
}

impl Graph {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    /// The service principal of a client id; `None` where the tenant has none.
    pub(crate) async fn service_principal(&self, client: Guid) -> Result<Option<ServicePrincipal>, Error> {
        self.principal(&format!("servicePrincipals(appId='{client}')")).await
    }

    /// The service principal with this object id; `None` where the tenant has none.
    pub(crate) async fn service_principal_by_object(&self, object: Guid) -> Result<Option<ServicePrincipal>, Error> {
        self.principal(&format!("servicePrincipals/{object}")).await
    }

    async fn principal(&self, path: &str) -> Result<Option<ServicePrincipal>, Error> {
        let body: Option<PrincipalBody> = self.maybe(path, &[("$select", PRINCIPAL_FIELDS)]).await?;
        body.map(|body| service_principal(path, body)).transpose()
    }

    /// The app registration of a client id; `None` where it is not in this tenant. A managed identity has none.
    pub(crate) async fn application(&self, client: Guid) -> Result<Option<Application>, Error> {
        let path = format!("applications(appId='{client}')");
        let body: Option<ApplicationBody> = self.maybe(&path, &[("$select", "id,appId,displayName")]).await?;
        let Some(body) = body else { return Ok(None) };
        Ok(Some(Application {
            object_id: guid(&path, &body.id)?,
            client_id: guid(&path, &body.app_id)?,
            display_name: body.display_name.unwrap_or_default(),
        }))
    }

    /// The federated credentials of an app registration; `None` where it is not in this tenant.
    pub(crate) async fn application_credentials(
        &self,
        client: Guid,
    ) -> Result<Option<Vec<FederatedCredential>>, Error> {
        let path = format!("/v1.0/applications(appId='{client}')/federatedIdentityCredentials");
        let url = address(&self.session, Api::Graph, &path, &[])?;
        let bodies: Vec<CredentialBody> = match list(&self.session, Api::Graph, url).await {
            Ok(bodies) => bodies,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut credentials: Vec<FederatedCredential> = bodies.into_iter().map(credential).collect();
        if credentials.iter().any(|credential| credential.subject.is_none() && credential.expression.is_none()) {
            self.add_expressions(client, &mut credentials).await;
        }
        Ok(Some(credentials))
    }

    /// Only the beta API shows the expressions of flexible credentials; without them the credential stays one whose
    /// subject nobody knows.
    async fn add_expressions(&self, client: Guid, credentials: &mut [FederatedCredential]) {
        let path = format!("/beta/applications(appId='{client}')/federatedIdentityCredentials");
        let Ok(url) = address(&self.session, Api::Graph, &path, &[]) else { return };
        let Ok(bodies) = list::<CredentialBody>(&self.session, Api::Graph, url).await else { return };
        for body in bodies.into_iter().map(credential) {
            if let Some(found) = credentials.iter_mut().find(|found| found.name == body.name) {
                found.expression = body.expression;
            }
        }
    }

    async fn maybe<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, Error> {
        let url = address(&self.session, Api::Graph, &format!("/v1.0/{path}"), query)?;
        match get(&self.session, Api::Graph, url).await {
            Ok(body) => Ok(Some(body)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn credential(body: CredentialBody) -> FederatedCredential {
    FederatedCredential {
        name: body.name.unwrap_or_default(),
        issuer: body.issuer.unwrap_or_default(),
        subject: body.subject.filter(|subject| !subject.is_empty()),
        audiences: body.audiences.unwrap_or_default(),
        expression: body.claims_matching_expression.and_then(|expression| expression.value),
    }
}

fn guid(what: &str, text: &str) -> Result<Guid, Error> {
    Guid::parse(text)
        .ok_or_else(|| Error::Unreadable { what: what.to_owned(), reason: "an id in it is no GUID".to_owned() })
}

fn service_principal(what: &str, body: PrincipalBody) -> Result<ServicePrincipal, Error> {
    let names = body.alternative_names.unwrap_or_default();
    // `isExplicit=True` and the ARM id stand in no promised order, and very old system-assigned ones lack the first.
    let resource = names.iter().find_map(|name| ResourceId::parse(name).ok().filter(|id| id.subscription().is_some()));
    let kind = match body.service_principal_type.as_deref() {
        Some("ManagedIdentity") => match resource {
            Some(id) if id.is_user_assigned_identity() => PrincipalKind::UserAssigned(id),
            other => PrincipalKind::SystemAssigned(other),
        },
        Some("Application") => {
            PrincipalKind::Application { owner: body.app_owner_organization_id.as_deref().and_then(Guid::parse) }
        }
        other => PrincipalKind::Other(other.unwrap_or_default().to_owned()),
    };
    Ok(ServicePrincipal {
        object_id: guid(what, &body.id)?,
        client_id: guid(what, &body.app_id)?,
        display_name: body.display_name.unwrap_or_default(),
        kind,
    })
}
