//! Who must be what: what Azure has to know for a chain to end well, and the command that checks it.

use super::meant::TokenSource;
use super::{Chain, Target, near};
use crate::model::fact::Fact;
use crate::webhook::keys;

/// What the federated identity credential has to name, and on which identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureNeeds {
    /// The issuer; `None` where it was not read.
    pub issuer: Option<String>,
    /// The subject.
    pub subject: String,
    /// The audience.
    pub audience: String,
    /// The identity that has to carry the credential; `None` where nothing names it.
    pub client_id: Option<String>,
    /// The tenant, where something names it.
    pub tenant_id: Option<String>,
    /// Commands that list what Azure has: for a managed identity, then for an app registration.
    pub commands: Vec<String>,
}

impl Chain<'_> {
    /// What Azure has to know for this workload; `None` where it is not meant for identity, or where another
    /// credential was chosen.
    pub fn azure_needs(&self) -> Option<AzureNeeds> {
        if !self.is_meant() || self.token_source() == TokenSource::OtherCredential {
            return None;
        }
        // A custom resource that no account is known for: nothing says whose token it would be.
        if matches!(self.target(), Target::Other(_)) && self.account_of_resource().is_none() {
            return None;
        }
        let annotation = |key: &str| {
            let account = self.peek_account()?;
            account.meta.annotation(key).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let client_id = self.client_id_of_application().or_else(|| annotation(keys::CLIENT_ID));
        let tenant_id = annotation(keys::TENANT_ID).or_else(|| match self.webhook() {
            Fact::Known(webhook) => webhook.settings.tenant_id.clone(),
            _ => None,
        });
        let id = client_id.as_deref().filter(|id| near::is_guid(id)).unwrap_or("CLIENT_ID");
        Some(AzureNeeds {
            issuer: self.cluster().issuer.known().cloned(),
            subject: self.subject(),
            audience: self.audience(),
            commands: vec![
                format!("az identity list --query \"[?clientId=='{id}'].[name,resourceGroup]\" -o tsv"),
                "az identity federated-credential list --identity-name NAME -g GROUP -o table".to_owned(),
                format!("az ad app federated-credential list --id {id} -o table"),
            ],
            client_id,
            tenant_id: tenant_id.filter(|tenant| near::is_guid(tenant)),
        })
    }
}
