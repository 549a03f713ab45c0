//! The last links of a chain: what is presented to Entra, and what Azure said about it.

use super::meant::TokenSource;
use super::{Chain, Gap};
use crate::azure::declared::Declared;
use crate::azure::facts::{self, AzureFacts, IdentityFacts};
use crate::azure::roles::Assignments;
use crate::azure::{Discovered, FederatedCredential, Guid, IDENTITY_BINDING_AUDIENCE, ManagedCluster, ResourceId};
use crate::model::fact::Fact;
use crate::report::model::IdentityReport;
use crate::rules::Reads;
use crate::webhook::keys;

/// A token that a workload shows to Entra for one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// The client id.
    pub client: Guid,
    /// The tenant, where it is known.
    pub tenant: Option<String>,
    /// The token's issuer, where it is known.
    pub issuer: Option<String>,
    /// The token's subject.
    pub subject: String,
    /// The token's audience.
    pub audience: String,
    /// How the application comes by it; see [`IdentityReport::source`].
    pub source: &'static str,
}

impl Presentation {
    /// Whether it is the token of an AKS identity binding, whose credential AKS manages alone.
    pub fn is_identity_binding(&self) -> bool {
        self.audience == IDENTITY_BINDING_AUDIENCE
    }
}

impl<'a> Chain<'a> {
    /// The chain with what Azure said.
    #[must_use]
    pub fn with_azure(mut self, facts: &'a AzureFacts) -> Self {
        self.azure = Some(facts);
        self
    }

    /// What Azure said, for what comes before or after all rules.
    pub(crate) fn peek_azure(&self) -> Option<&'a AzureFacts> {
        self.azure
    }

    /// What Azure said about a client id; `None` where it was not asked about it.
    pub fn azure_identity(&self, client: Guid) -> Option<&'a IdentityFacts> {
        self.note(Reads::Identity);
        self.azure?.identities.get(&client)
    }

    /// All that Azure said, for rules that look beyond single identities.
    pub fn azure_facts(&self) -> Option<&'a AzureFacts> {
        self.note(Reads::Identity);
        self.azure.filter(|facts| facts.was_asked())
    }

    /// The federated credentials of a client id.
    pub fn federated_credentials(&self, client: Guid) -> Fact<&'a Vec<FederatedCredential>> {
        self.note(Reads::Credentials);
        let facts = self.azure.and_then(|facts| facts.identities.get(&client));
        facts.map_or(Fact::NotAsked, |facts| facts.credentials.as_ref())
    }

    /// The role assignments of an identity, by the scope that was asked about.
    pub fn role_assignments(&self, identity: &'a IdentityFacts) -> &'a [(ResourceId, Fact<Assignments>)] {
        self.note(Reads::Roles);
        &identity.roles
    }

    /// The AKS resource of this cluster.
    pub fn managed_cluster(&self) -> Fact<&'a ManagedCluster> {
        self.note(Reads::ManagedCluster);
        self.azure.map_or(Fact::NotAsked, |facts| facts.cluster.as_ref())
    }

    /// What Azure said about Service Connector, with the managed cluster.
    pub fn connector(&self) -> Option<&'a AzureFacts> {
        self.note(Reads::ManagedCluster);
        self.azure.filter(|facts| facts.was_asked())
    }

    /// The objects of Azure Service Operator and Crossplane that were read.
    pub fn declared(&self) -> Vec<Declared> {
        self.note(Reads::Objects);
        facts::declared(self.inventory)
    }

    /// The tokens that are shown to Entra, for every client id that is one. None of a workload that uses another
    /// credential, or whose account is not known.
    pub fn presentations(&self) -> Vec<Presentation> {
        let unknown = matches!(self.target, super::Target::Other(_)) && self.account_of_resource().is_none();
        if unknown || self.token_source() == TokenSource::OtherCredential {
            return Vec::new();
        }
        let mut all: Vec<Presentation> = Vec::new();
        for identity in self.identities() {
            let client = identity.client_id.as_deref().and_then(|id| Guid::parse(id.trim()));
            let (Some(client), Some(subject), Some(audience)) = (client, identity.subject, identity.audience) else {
                continue;
            };
            let presentation = Presentation {
                client,
                tenant: identity.tenant_id,
                issuer: identity.issuer,
                subject,
                audience,
                source: identity.source,
            };
            if !all.contains(&presentation) {
                all.push(presentation);
            }
        }
        all
    }

    /// Why an answer of Azure is missing; `None` where it is there, or nobody asked.
    pub(super) fn azure_gap(&self, read: Reads) -> Option<Gap> {
        let facts = self.azure.filter(|facts| facts.was_asked())?;
        if read == Reads::ManagedCluster {
            // A webhook and an issuer that are seen at work need no resource that says they are switched on.
            if self.cluster.webhook.known().is_some() && self.cluster.issuer.known().is_some() {
                return None;
            }
            return Gap::of("the managed cluster in Azure".to_owned(), &facts.cluster);
        }
        let gap = |presentation: Presentation| {
            let client = presentation.client;
            let identity = facts.identities.get(&client)?;
            let name = identity.name().map_or_else(|| client.to_string(), |name| format!("{name} ({client})"));
            match read {
                Reads::Identity => match &identity.discovered {
                    Discovered::NotSeen => {
                        Some(Gap { what: format!("identity {client}"), why: not_seen(facts), denied: None })
                    }
                    _ => Gap::of(format!("identity {name}"), &identity.found()?.identity),
                },
                Reads::Credentials => {
                    let what = format!("federated credentials of {name}");
                    match &identity.discovered {
                        Discovered::ForeignApplication { .. } => {
                            let why = "its registration is in another tenant".to_owned();
                            Some(Gap { what, why, denied: None })
                        }
                        _ => Gap::of(what, &identity.credentials),
                    }
                }
                _ => identity.roles.iter().find_map(|(_, roles)| Gap::of(format!("roles of {name}"), roles)),
            }
        };
        self.presentations().into_iter().find_map(gap)
    }
}

/// Not to be seen proves nothing: where was searched.
pub(crate) fn not_seen(facts: &AzureFacts) -> String {
    format!("not seen, which proves nothing; searched {}", facts.searched)
}

/// What a workload presents.
impl Chain<'_> {
    /// What the workload presents to Entra; seldom more than one.
    pub fn identities(&self) -> Vec<IdentityReport> {
        if !self.is_meant() {
            return Vec::new();
        }
        let annotation = |key: &str| {
            let account = self.peek_account()?;
            account.meta.annotation(key).map(str::to_owned).filter(|value| !value.is_empty())
        };
        let (client_id, from) = match self.client_id_of_application() {
            Some(id) => (Some(id), "application"),
            None => (annotation(keys::CLIENT_ID), "webhook"),
        };
        let source = match self.token_source() {
            TokenSource::Injected | TokenSource::OtherCredential => from,
            TokenSource::Projected => "projected",
            TokenSource::Csi => "csi",
            TokenSource::TokenRequest => "token-request",
        };
        let webhook_tenant = || match &self.webhook() {
            Fact::Known(webhook) => webhook.settings.tenant_id.clone(),
            _ => None,
        };
        let tenant_id = annotation(keys::TENANT_ID).or_else(webhook_tenant);
        let issuer = self.cluster().issuer.known().cloned();
        let audience = self.audience();
        let own: Vec<IdentityReport> = self
            .applications()
            .iter()
            .flat_map(|part| part.application.identities(part))
            .map(|own| IdentityReport {
                client_id: own.client_id.or_else(|| client_id.clone()),
                tenant_id: own.tenant_id.or_else(|| tenant_id.clone()),
                issuer: issuer.clone(),
                subject: Some(own.subject.unwrap_or_else(|| self.subject())),
                audience: Some(audience.clone()),
                source: own.source,
            })
            .collect();
        if !own.is_empty() {
            return own;
        }
        vec![IdentityReport {
            client_id,
            tenant_id,
            issuer,
            subject: Some(self.subject()),
            audience: Some(audience),
            source,
        }]
    }
}
