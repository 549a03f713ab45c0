//! [`IdentityStore`] on the generated crate.

use super::super::arm::{Arm, version};
use super::super::error::Error;
use super::super::guid::Guid;
use super::super::resource_id::ResourceId;
use super::super::session::Session;
use super::bridge::{Bridge, Placeholder, unwrap};
use super::name::CredentialName;
use super::{CredentialBody, FederatedCredential, Identity, IdentityStore};
use async_trait::async_trait;
use azure_mgmt_msi::package_2023_01_31::{Client, models};
use futures::TryStreamExt;
use serde_json::Value;
use std::sync::Arc;

/// Managed identities through ARM.
#[derive(Clone)]
pub(crate) struct ManagedIdentities {
    session: Arc<Session>,
}

/// Subscription, group and name of an identity, as the crate wants them.
struct Place<'a> {
    subscription: &'a str,
    group: &'a str,
    name: &'a str,
}

impl ManagedIdentities {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    /// A client for one operation, and the bridge that keeps its answers.
    fn operation(&self) -> Result<(Client, Arc<Bridge>), Error> {
        let bridge = Bridge::new(Arc::clone(&self.session));
        let transport: Arc<dyn azure_core::HttpClient> = Arc::clone(&bridge) as _;
        let client = Client::builder(Arc::new(Placeholder))
            .endpoint(self.session.endpoints.arm.clone())
            // Repeating is the session's business.
            .retry(azure_core::RetryOptions::none())
            .transport(azure_core::TransportOptions::new(transport))
            .build()
            .map_err(|error| unwrap(error, "the client of the identity provider"))?;
        Ok((client, bridge))
    }

    /// The expressions of flexible credentials: the stable API shows such a credential without one.
    async fn add_expressions(&self, id: &ResourceId, credentials: &mut [FederatedCredential]) {
        if credentials.iter().all(|credential| credential.subject.is_some() || credential.expression.is_some()) {
            return;
        }
        let arm = Arm::new(Arc::clone(&self.session));
        let path = format!("{id}/federatedIdentityCredentials");
        // Without them the credential stays one whose subject nobody knows, which is said.
        let Ok(items) = arm.list::<Value>(&path, version::FLEXIBLE_CREDENTIALS, &[]).await else { return };
        for item in items {
            let name = item["name"].as_str().unwrap_or_default();
            if let Some(credential) = credentials.iter_mut().find(|credential| credential.name == name) {
                credential.expression = expression(&item);
            }
        }
    }
}

#[async_trait]
impl IdentityStore for ManagedIdentities {
    async fn list(&self, subscription: &Guid) -> Result<Vec<Identity>, Error> {
        let (client, _bridge) = self.operation()?;
        let mut pages =
            client.user_assigned_identities_client().list_by_subscription(subscription.as_str()).into_stream();
        let what = format!("the identities of subscription {subscription}");
        let mut all = Vec::new();
        while let Some(page) = pages.try_next().await.map_err(|error| unwrap(error, &what))? {
            for found in page.value {
                all.push(identity(found)?);
            }
        }
        Ok(all)
    }

    async fn get(&self, id: &ResourceId) -> Result<Identity, Error> {
        let place = place(id)?;
        let (client, _bridge) = self.operation()?;
        let answer = client.user_assigned_identities_client().get(place.subscription, place.group, place.name).await;
        identity(answer.map_err(|error| unwrap(error, id.as_str()))?)
    }

    async fn credentials(&self, id: &ResourceId) -> Result<Vec<FederatedCredential>, Error> {
        let place = place(id)?;
        let (client, bridge) = self.operation()?;
        let mut pages = client
            .federated_identity_credentials_client()
            .list(place.subscription, place.group, place.name)
            .into_stream();
        let mut all = Vec::new();
        while let Some(page) = pages.try_next().await.map_err(|error| unwrap(error, id.as_str()))? {
            all.extend(page.value.into_iter().map(credential));
        }
        for original in bridge.originals() {
            let name = original["name"].as_str().unwrap_or_default();
            if let Some(credential) = all.iter_mut().find(|credential| credential.name == name) {
                credential.expression = expression(&original);
            }
        }
        self.add_expressions(id, &mut all).await;
        Ok(all)
    }

    async fn credential(&self, id: &ResourceId, name: &CredentialName) -> Result<Option<FederatedCredential>, Error> {
        let place = place(id)?;
        let (client, bridge) = self.operation()?;
        let answer = client
            .federated_identity_credentials_client()
            .get(place.subscription, place.group, place.name, name.as_str())
            .await;
        match answer.map_err(|error| unwrap(error, name.as_str())) {
            Ok(found) => {
                let mut found = credential(found);
                found.expression = bridge.originals().first().and_then(expression);
                Ok(Some(found))
            }
            // A missing identity is a 404 as well, with another code from one API version to the next: ask for it.
            Err(error) if error.is_not_found() => self.get(id).await.map(|_| None),
            Err(error) => Err(error),
        }
    }

    async fn put(
        &self,
        id: &ResourceId,
        name: &CredentialName,
        body: &CredentialBody,
    ) -> Result<(FederatedCredential, bool), Error> {
        let place = place(id)?;
        let (client, _bridge) = self.operation()?;
        // A fresh body with properties only: what was read carries id, name, type and systemData, which do not belong
        // into a write.
        let mut fresh = models::FederatedIdentityCredential::new();
        fresh.properties = Some(models::FederatedIdentityCredentialProperties::new(
            body.issuer.clone(),
            body.subject.clone(),
            vec![body.audience.clone()],
        ));
        let answer = client
            .federated_identity_credentials_client()
            .create_or_update(place.subscription, place.group, place.name, name.as_str(), fresh)
            .send()
            .await
            .map_err(|error| unwrap(error, name.as_str()))?;
        let created = answer.as_raw_response().status() == azure_core::StatusCode::Created;
        let written = answer.into_body().await.map_err(|error| unwrap(error, name.as_str()))?;
        Ok((credential(written), created))
    }

    async fn delete(&self, id: &ResourceId, name: &CredentialName) -> Result<bool, Error> {
        let place = place(id)?;
        let (client, _bridge) = self.operation()?;
        let answer = client
            .federated_identity_credentials_client()
            .delete(place.subscription, place.group, place.name, name.as_str())
            .send()
            .await
            .map_err(|error| unwrap(error, name.as_str()))?;
        Ok(answer.as_raw_response().status() != azure_core::StatusCode::NoContent)
    }
}

/// The parts of an identity's id. [`ResourceId`] has checked that each of them can stand in a path.
fn place(id: &ResourceId) -> Result<Place<'_>, Error> {
    let parts = || {
        Some(Place { subscription: id.subscription()?, group: id.resource_group()?, name: id.name() })
            .filter(|_| id.is_user_assigned_identity())
    };
    parts().ok_or_else(|| Error::Refused(format!("{id} is not the id of a user-assigned identity")))
}

fn identity(found: models::Identity) -> Result<Identity, Error> {
    let resource = found.tracked_resource.resource;
    let unreadable = |reason: String| Error::Unreadable { what: "an identity".to_owned(), reason };
    let id = resource.id.ok_or_else(|| unreadable("it has no id".to_owned()))?;
    let id = ResourceId::parse(&id).map_err(|error| unreadable(error.to_string()))?;
    let properties = found.properties.unwrap_or_default();
    let guid = |text: Option<String>| text.as_deref().and_then(Guid::parse);
    let tags = found.tracked_resource.tags.as_ref().and_then(Value::as_object);
    Ok(Identity {
        id,
        client_id: guid(properties.client_id),
        principal_id: guid(properties.principal_id),
        tenant_id: guid(properties.tenant_id),
        location: found.tracked_resource.location,
        tags: tags
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
    })
}

fn credential(found: models::FederatedIdentityCredential) -> FederatedCredential {
    let properties = found.properties;
    FederatedCredential {
        name: found.proxy_resource.resource.name.unwrap_or_default(),
        issuer: properties.as_ref().map(|p| p.issuer.clone()).unwrap_or_default(),
        // No credential has an empty subject: this is the one that the bridge filled in.
        subject: properties.as_ref().map(|p| p.subject.clone()).filter(|subject| !subject.is_empty()),
        audiences: properties.map(|p| p.audiences).unwrap_or_default(),
        expression: None,
    }
}

fn expression(original: &Value) -> Option<String> {
    original.pointer("/properties/claimsMatchingExpression/value")?.as_str().map(str::to_owned)
}
