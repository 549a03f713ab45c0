//! Who must be what: what Azure has to know for a chain to end well, and the command that checks it.

use super::meant::TokenSource;
use super::{Chain, Target, near};
use crate::report::model::IdentityReport;

/// What federated identity credentials have to name, and on which identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureNeeds {
    /// The issuer; `None` where it was not read.
    pub issuer: Option<String>,
    /// The audiences; seldom more than one.
    pub audiences: Vec<String>,
    /// The subjects; seldom more than one.
    pub subjects: Vec<String>,
    /// The identities that have to carry the credential, with the tenant where something names it; empty where nothing
    /// names one.
    pub clients: Vec<(String, Option<String>)>,
    /// Commands that list what Azure has: for a managed identity, then for an app registration.
    pub commands: Vec<String>,
}

impl AzureNeeds {
    /// What Azure has to know for these identities of a chain; `None` where nothing of this cluster is shown to Entra,
    /// or where it is not known whose token would be.
    pub fn of(chain: &Chain<'_>, identities: &[IdentityReport]) -> Option<Self> {
        let unknown = matches!(chain.target(), Target::Other(_)) && chain.account_of_resource().is_none();
        if identities.is_empty() || unknown || chain.token_source() == TokenSource::OtherCredential {
            return None;
        }
        let clients = distinct(identities.iter().filter_map(|identity| {
            let tenant = identity.tenant_id.clone().filter(|tenant| near::is_guid(tenant));
            // What is no GUID is no client id, and another finding's subject.
            let client = identity.client_id.as_deref().map(str::trim).filter(|id| near::is_guid(id))?;
            Some((client.to_owned(), tenant))
        }));
        let id = clients.first().map_or("CLIENT_ID", |(id, _)| id.as_str());
        Some(Self {
            issuer: identities.iter().find_map(|identity| identity.issuer.clone()),
            audiences: distinct(identities.iter().filter_map(|identity| identity.audience.clone())),
            subjects: distinct(identities.iter().filter_map(|identity| identity.subject.clone())),
            // Azure itself has been asked.
            commands: if chain.peek_azure().is_some_and(crate::azure::facts::AzureFacts::was_asked) {
                Vec::new()
            } else {
                vec![
                    format!("az identity list --query \"[?clientId=='{id}'].[name,resourceGroup]\" -o tsv"),
                    "az identity federated-credential list --identity-name NAME -g GROUP -o table".to_owned(),
                    format!("az ad app federated-credential list --id {id} -o table"),
                ]
            },
            clients,
        })
    }
}

/// Each value once, in the order in which they come.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = Vec::new();
    for value in values {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}
