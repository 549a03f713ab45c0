//! The state of the emulated tenant.

use crate::jwt::SigningKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Ids of Microsoft's published examples, which the recorded answers use.
pub mod examples {
    /// Tenant.
    pub const TENANT: &str = "b6c948ef-f6b5-4384-8354-da3a15eca969";
    /// Subscription.
    pub const SUBSCRIPTION: &str = "11111111-1111-1111-1111-111111111111";
    /// Client id of the identity `mi1`.
    pub const CLIENT: &str = "4024ab25-56a8-4370-aea6-6389221caf29";
    /// Principal id of the identity `mi1`.
    pub const PRINCIPAL: &str = "25cc773c-7f05-40fc-a104-32d2300754ad";
    /// ARM id of the identity `mi1`.
    pub const IDENTITY: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi1";
    /// ARM id of the managed cluster.
    pub const CLUSTER: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-apps/providers/Microsoft.ContainerService/managedClusters/aks-wi-on";
    /// Issuer of the managed cluster.
    pub const ISSUER: &str = "https://eastus.oic.prod-aks.azure.com/b6c948ef-f6b5-4384-8354-da3a15eca969/11111111-2222-3333-4444-555555555555/";
    /// Subject of the credential.
    pub const SUBJECT: &str = "system:serviceaccount:ns1:sa1";
    /// Audience of the credential.
    pub const AUDIENCE: &str = "api://AzureADTokenExchange";
    /// Client id of the app registration `wi-app`.
    pub const APPLICATION: &str = "77777777-0000-4000-8000-0000000000a1";
}

/// Everything that the emulator knows.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Tenant id.
    pub id: String,
    /// Name of the directory, for AADSTS700016.
    pub name: String,
    /// Whose login asks.
    pub caller: Caller,
    /// Subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// User-assigned identities.
    pub identities: Vec<Identity>,
    /// App registrations and their service principals.
    pub applications: Vec<Application>,
    /// Managed clusters.
    pub clusters: Vec<Cluster>,
    /// Cluster extensions.
    pub extensions: Vec<Extension>,
    /// Registration states by subscription and namespace; `Registered` where nothing is said.
    pub registrations: BTreeMap<(String, String), String>,
    /// Role assignments.
    pub assignments: Vec<Assignment>,
    /// Custom role definitions; the built-in ones come from the test data.
    pub definitions: Vec<Definition>,
    /// Key Vaults.
    pub vaults: Vec<Vault>,
    /// Issuers of tokens that Entra can fetch keys of.
    pub issuers: Vec<Issuer>,
    /// Resources that a token can be asked for, besides the emulator's own endpoints.
    pub resources: Vec<String>,
    /// Client ids that Conditional Access blocks.
    pub blocked: Vec<String>,
    /// Items in a page of ARM and Graph.
    pub page_size: usize,
    /// How long a write of a credential takes; a second one meanwhile is refused with 409.
    pub write_latency: Duration,
    /// How long Entra does not see a new credential. Asking early prolongs that by as much again.
    pub propagation: Duration,
    /// Every so many exchanges of a good token are rejected all the same; 0 is never.
    pub flaky_every: usize,
}

/// The login that asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Object id.
    pub object_id: String,
    /// Actions that it may not do, with the scope below which it may not.
    pub denied: Vec<(String, String)>,
    /// Whether it may read the directory.
    pub reads_directory: bool,
}

/// A subscription.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Whether the caller sees it.
    pub visible: bool,
}

/// A user-assigned identity.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Subscription id.
    pub subscription: String,
    /// Resource group.
    pub group: String,
    /// Name.
    pub name: String,
    /// Client id.
    pub client_id: String,
    /// Principal id.
    pub principal_id: String,
    /// Region.
    pub location: String,
    /// Tags.
    pub tags: Value,
    /// Federated credentials.
    pub credentials: Vec<Credential>,
    /// Whether Resource Graph's index has it.
    pub indexed: bool,
}

impl Identity {
    /// ARM id, in the letter case of ARM's answers.
    pub fn id(&self) -> String {
        format!(
            "/subscriptions/{}/resourcegroups/{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
            self.subscription, self.group, self.name
        )
    }
}

/// A federated credential.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Name.
    pub name: String,
    /// Issuer.
    pub issuer: String,
    /// Subject; `None` for a flexible one.
    pub subject: Option<String>,
    /// Audiences.
    pub audiences: Vec<String>,
    /// Expression of a flexible one.
    pub expression: Option<String>,
    /// When Entra sees it.
    pub visible_from: Option<Instant>,
}

impl Credential {
    /// A plain credential that Entra has seen long ago.
    pub fn new(name: &str, issuer: &str, subject: &str, audience: &str) -> Self {
        Self {
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            subject: Some(subject.to_owned()),
            audiences: vec![audience.to_owned()],
            expression: None,
            visible_from: None,
        }
    }
}

/// An app registration.
#[derive(Debug, Clone)]
pub struct Application {
    /// Client id.
    pub client_id: String,
    /// Object id of the registration.
    pub object_id: String,
    /// Object id of the service principal; `None` where it has none.
    pub principal_id: Option<String>,
    /// Name.
    pub name: String,
    /// The tenant of the registration; this one where it is `None`.
    pub owner: Option<String>,
    /// Whether sign-in is switched off.
    pub disabled: bool,
    /// Client secret.
    pub secret: Option<String>,
    /// SHA-256 thumbprint (base64url) and public key of a certificate.
    pub certificate: Option<(String, Value)>,
    /// Federated credentials.
    pub credentials: Vec<Credential>,
}

/// A managed cluster: its body as ARM answers it.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The body.
    pub body: Value,
}

impl Cluster {
    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_default()
    }
}

/// A cluster extension.
#[derive(Debug, Clone)]
pub struct Extension {
    /// ARM id of the cluster.
    pub cluster: String,
    /// Name.
    pub name: String,
    /// The body.
    pub body: Value,
}

/// A role assignment.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Scope.
    pub scope: String,
    /// GUID of the role definition.
    pub role: String,
    /// Principal.
    pub principal: String,
    /// `ServicePrincipal`, `Group`
    pub principal_type: String,
    /// Members, where the principal is a group.
    pub members: Vec<String>,
    /// Condition.
    pub condition: Option<String>,
}

/// A custom role.
#[derive(Debug, Clone)]
pub struct Definition {
    /// GUID.
    pub id: String,
    /// The body's `properties`.
    pub properties: Value,
}

/// A Key Vault.
#[derive(Debug, Clone)]
pub struct Vault {
    /// The body.
    pub body: Value,
}

/// An issuer of tokens.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// URL, to the letter.
    pub url: String,
    /// Its keys; `None` where Entra cannot reach it.
    pub jwks: Option<Value>,
}

impl Tenant {
    /// The tenant of the examples: one subscription, the identity `mi1` with a credential for `ns1/sa1` of the cluster
    /// `aks-wi-on`, and the app registration `wi-app`.
    pub fn example() -> Self {
        use examples::{APPLICATION, AUDIENCE, CLIENT, ISSUER, PRINCIPAL, SUBJECT, SUBSCRIPTION, TENANT};
        let clusters = crate::file("rest/aks/managedclusters-list-by-subscription.reconstructed.json");
        let clusters = clusters["body"]["value"].as_array().cloned().unwrap_or_default();
        let credential = Credential::new("fic1", ISSUER, SUBJECT, AUDIENCE);
        Self {
            id: TENANT.to_owned(),
            name: "Contoso".to_owned(),
            caller: Caller {
                object_id: "99999999-0000-4000-8000-0000000000ca".to_owned(),
                denied: Vec::new(),
                reads_directory: true,
            },
            subscriptions: vec![Subscription {
                id: SUBSCRIPTION.to_owned(),
                name: "Pay-As-You-Go".to_owned(),
                visible: true,
            }],
            identities: vec![Identity {
                subscription: SUBSCRIPTION.to_owned(),
                group: "rg1".to_owned(),
                name: "mi1".to_owned(),
                client_id: CLIENT.to_owned(),
                principal_id: PRINCIPAL.to_owned(),
                location: "eastus".to_owned(),
                tags: json!({}),
                credentials: vec![credential],
                indexed: true,
            }],
            applications: vec![Application {
                client_id: APPLICATION.to_owned(),
                object_id: "77777777-0000-4000-8000-0000000000b1".to_owned(),
                principal_id: Some("77777777-0000-4000-8000-0000000000c1".to_owned()),
                name: "wi-app".to_owned(),
                owner: None,
                disabled: false,
                secret: Some("test-client-secret".to_owned()),
                certificate: None,
                credentials: vec![
                    Credential::new("aks-wi-on-ns1-sa1", ISSUER, SUBJECT, AUDIENCE),
                    Credential::new(
                        "github-main",
                        "https://token.actions.githubusercontent.com",
                        "repo:contoso/app:ref:refs/heads/main",
                        AUDIENCE,
                    ),
                ],
            }],
            clusters: clusters.into_iter().map(|body| Cluster { body }).collect(),
            extensions: Vec::new(),
            registrations: BTreeMap::new(),
            assignments: Vec::new(),
            definitions: Vec::new(),
            vaults: ["rbac", "accesspolicies", "flag-absent"]
                .iter()
                .map(|name| Vault {
                    body: crate::file(&format!("graph/keyvault-200-vault-{name}.json"))["response"]["body"].clone(),
                })
                .collect(),
            issuers: vec![Issuer { url: ISSUER.to_owned(), jwks: Some(SigningKey::ISSUER.jwks()) }],
            resources: vec![
                "https://storage.azure.com".to_owned(),
                "https://vault.azure.net".to_owned(),
                "https://management.azure.com".to_owned(),
                "https://graph.microsoft.com".to_owned(),
            ],
            blocked: Vec::new(),
            page_size: 50,
            write_latency: Duration::ZERO,
            propagation: Duration::ZERO,
            flaky_every: 0,
        }
    }

    /// Takes an action away from the caller, at a scope and below it.
    #[must_use]
    pub fn denying(mut self, action: &str, scope: &str) -> Self {
        self.caller.denied.push((action.to_owned(), scope.to_owned()));
        self
    }

    /// Adds `count` identities to each of `subscriptions` new subscriptions.
    #[must_use]
    pub fn with_many(mut self, subscriptions: usize, count: usize) -> Self {
        for s in 0..subscriptions {
            let subscription = format!("22222222-2222-4222-8222-{s:012}");
            self.subscriptions.push(Subscription {
                id: subscription.clone(),
                name: format!("subscription-{s:02}"),
                visible: true,
            });
            for i in 0..count {
                self.identities.push(Identity {
                    subscription: subscription.clone(),
                    group: format!("rg-{}", i % 7),
                    name: format!("mi-{s}-{i}"),
                    client_id: format!("33333333-3333-4333-8{s:03}-{i:012}"),
                    principal_id: format!("44444444-4444-4444-8{s:03}-{i:012}"),
                    location: "westeurope".to_owned(),
                    tags: json!({}),
                    credentials: Vec::new(),
                    indexed: true,
                });
            }
        }
        self
    }

    pub(crate) fn identity(&self, subscription: &str, group: &str, name: &str) -> Option<usize> {
        self.identities.iter().position(|identity| {
            identity.subscription.eq_ignore_ascii_case(subscription)
                && identity.group.eq_ignore_ascii_case(group)
                && identity.name.eq_ignore_ascii_case(name)
        })
    }

    /// Whether the caller may do something at a scope.
    pub(crate) fn allows(&self, action: &str, scope: &str) -> bool {
        let scope = scope.to_lowercase();
        !self.caller.denied.iter().any(|(denied, below)| {
            let below = below.to_lowercase();
            let covered = scope == below || scope.starts_with(&format!("{}/", below.trim_end_matches('/')));
            covered && denied.eq_ignore_ascii_case(action)
        })
    }
}
