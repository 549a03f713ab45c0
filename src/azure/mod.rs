//! The only code that talks to Azure.
//!
//! [`Azure`] is a login with what can be asked through it. Reads answer with facts: `Known`, `Absent`, `Denied` with
//! the missing action, or `Failed` with the reason, so that what Azure would not tell stays unknown and everything
//! else still works. Writes answer with a [`Result`]. [`compare`] and [`declared`] are pure.

mod arm;
pub mod ask;
mod authority;
mod cloud;
mod clusters;
pub mod compare;
mod credential;
pub mod declared;
mod discover;
mod endpoints;
mod error;
mod error_body;
mod exchange;
pub mod facts;
mod foreign;
mod graph;
mod guid;
mod identities;
pub mod object;
mod proxy;
mod published;
mod resource_graph;
mod resource_id;
pub mod rights;
pub mod roles;
mod session;
mod transport;
mod vaults;
mod wildcard;

pub use authority::{Authority, TokenRefusal};
pub use cloud::{Cloud, CloudName, IDENTITY_BINDING_AUDIENCE, Service};
pub use clusters::{Extension, ExtensionStatus, KeyVaultAddOn, ManagedCluster};
pub use credential::{AccessToken, Credential, CredentialError, CredentialKind, Wanted};
pub use discover::{Discovered, Discovery, Found, Searched, Through};
pub use error::{ApiError, Error, NoLogin};
pub use exchange::{Exchange, ExchangeRequest, Exchanged, Rejection, exchange, sample};
pub use graph::{Application, PrincipalKind, ServicePrincipal};
pub use guid::{Guid, NotAGuid};
pub use identities::{
    CredentialBody, CredentialName, Expected, FederatedCredential, Identity, IdentityStore, LIMIT, NotACredentialName,
    Written,
};
pub use proxy::Proxies;
pub use published::published;
pub use resource_id::{Covers, NotAnId, ResourceId, ScopeLevel};
pub use transport::Transport;
pub use vaults::{AccessPolicy, Vault};

use crate::cluster::Environment;
use crate::model::fact::Fact;
use arm::Arm;
use clusters::Clusters;
use credential::Tokens;
use discover::LISTED;
use futures::StreamExt;
use graph::Graph;
use identities::ManagedIdentities;
use resource_graph::ResourceGraph;
use roles::{Assignments, Roles};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use session::Session;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};

/// How to reach Azure: the flags of the command line.
#[derive(Clone)]
pub struct Options {
    /// `--azure-credential`
    pub credential: CredentialKind,
    /// `--subscription`: ids or names; none is all that the login sees.
    pub subscriptions: Vec<String>,
    /// `--tenant`
    pub tenant: Option<String>,
    /// `--cloud`; `None` is the one that the Azure CLI is set to, else the public one.
    pub cloud: Option<CloudName>,
    /// `--arm-endpoint`
    pub arm_endpoint: Option<String>,
    /// The time for one request.
    pub request_timeout: Duration,
    /// The longest pause that Azure may ask for before a request is given up.
    pub longest_wait: Duration,
    /// The first pause after a write that met another one under the same identity.
    pub conflict_pause: Duration,
    /// Certificates that are trusted besides the system's.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            credential: CredentialKind::Auto,
            subscriptions: Vec::new(),
            tenant: None,
            cloud: None,
            arm_endpoint: None,
            request_timeout: Duration::from_secs(10),
            longest_wait: Duration::from_secs(10),
            conflict_pause: Duration::from_secs(2),
            extra_roots: Vec::new(),
        }
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: Guid,
    /// Its name, or its id where the name is not known.
    pub name: String,
    /// Its tenant.
    pub tenant: Option<Guid>,
}

/// A login, and what can be asked through it. Cloning it is cheap.
#[derive(Clone)]
pub struct Azure {
    inner: Arc<Inner>,
}

/// The identities of a subscription, once somebody has asked for them.
type List = OnceCell<Arc<Vec<Identity>>>;

struct Inner {
    session: Arc<Session>,
    arm: Arm,
    store: Box<dyn IdentityStore>,
    graph: Graph,
    resource_graph: ResourceGraph,
    clusters: Clusters,
    roles: Roles,
    /// `--subscription`
    wanted: Vec<String>,
    conflict_pause: Duration,
    subscriptions: OnceCell<Vec<Subscription>>,
    /// The identities of a subscription, listed once in a run.
    lists: Mutex<HashMap<Guid, Arc<List>>>,
    /// One write after the other for each identity.
    writes: Mutex<HashMap<ResourceId, Arc<Mutex<()>>>>,
}

impl Azure {
    /// Finds the login: fetches a token for ARM, so that an error says now that nobody is logged in.
    ///
    /// # Errors
    /// [`Error::NoLogin`], or an endpoint that cannot be asked.
    pub async fn connect(options: &Options, environment: &Environment) -> Result<Self, Error> {
        // The environment's authority counts where its login may be used; the CLI is set to a cloud of its own.
        let of_environment = || {
            let from_cli = options.credential == CredentialKind::Cli;
            environment.text("AZURE_AUTHORITY_HOST").filter(|_| !from_cli).and_then(CloudName::of_authority)
        };
        let cloud =
            options.cloud.or_else(of_environment).or_else(|| CloudName::of_cli(environment)).unwrap_or_default();
        let transport = Transport::new(options.request_timeout, Proxies::of(environment), options.extra_roots.clone())?;
        let ways = credential::select(options.credential, environment, &transport, &Authority::of_cloud(cloud));
        Self::with(options, cloud, transport, ways).await
    }

    /// The same with a way to tokens of the caller's own.
    ///
    /// # Errors
    /// As [`Azure::connect`].
    pub async fn connect_with(
        options: &Options,
        environment: &Environment,
        credential: Box<dyn Credential>,
    ) -> Result<Self, Error> {
        let transport = Transport::new(options.request_timeout, Proxies::of(environment), options.extra_roots.clone())?;
        Self::with(options, options.cloud.unwrap_or_default(), transport, vec![credential]).await
    }

    async fn with(
        options: &Options,
        cloud: CloudName,
        transport: Transport,
        ways: Vec<Box<dyn Credential>>,
    ) -> Result<Self, Error> {
        let endpoints = match &options.arm_endpoint {
            Some(endpoint) => endpoints::of_endpoint(endpoint, &transport).await?,
            None => endpoints::of_cloud(cloud)?,
        };
        let tokens = Tokens::new(ways, options.tenant.clone());
        tokens.get(&endpoints.arm_resource).await?;
        let session = Arc::new(Session::new(transport, endpoints, tokens, options.longest_wait));
        let arm = Arm::new(Arc::clone(&session));
        Ok(Self {
            inner: Arc::new(Inner {
                store: Box::new(ManagedIdentities::new(Arc::clone(&session))),
                graph: Graph::new(Arc::clone(&session)),
                resource_graph: ResourceGraph::new(arm.clone()),
                clusters: Clusters::new(arm.clone()),
                roles: Roles::new(arm.clone()),
                arm,
                session,
                wanted: options.subscriptions.clone(),
                conflict_pause: options.conflict_pause,
                subscriptions: OnceCell::new(),
                lists: Mutex::default(),
                writes: Mutex::default(),
            }),
        })
    }

    /// The name of the login that is used: `Azure CLI`.
    pub fn credential(&self) -> &'static str {
        self.inner.session.tokens.credential().unwrap_or("none")
    }

    /// The address of the resource manager.
    pub fn endpoint(&self) -> String {
        self.inner.session.endpoints.arm.as_str().trim_end_matches('/').to_owned()
    }

    /// The identity provider behind its boundary.
    pub fn store(&self) -> &dyn IdentityStore {
        self.inner.store.as_ref()
    }

    /// The subscriptions that are searched: those of `--subscription`, else all that the login sees. Read once.
    ///
    /// # Errors
    /// What Azure said, or a name that no subscription has.
    pub async fn subscriptions(&self) -> Result<&[Subscription], Error> {
        let read = || async {
            let wanted = &self.inner.wanted;
            let ids: Option<Vec<Guid>> = wanted.iter().map(|text| Guid::parse(text)).collect();
            if let Some(ids) = ids.filter(|ids| !ids.is_empty()) {
                return Ok(ids.into_iter().map(|id| Subscription { id, name: id.to_string(), tenant: None }).collect());
            }
            let visible = self.visible_subscriptions().await?;
            choose(wanted, visible)
        };
        self.inner.subscriptions.get_or_try_init(read).await.map(Vec::as_slice)
    }

    async fn visible_subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        let bodies: Vec<SubscriptionBody> =
            self.inner.arm.list("/subscriptions", arm::version::SUBSCRIPTIONS, &[]).await?;
        let read = |body: SubscriptionBody| {
            let id = Guid::parse(&body.subscription_id)?;
            let name = body.display_name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string());
            Some(Subscription { id, name, tenant: body.tenant_id.as_deref().and_then(Guid::parse) })
        };
        Ok(bodies.into_iter().filter_map(read).collect())
    }

    /// The subscriptions to narrow a question to; empty where the whole tenant is meant.
    async fn narrowed(&self) -> Result<Vec<Guid>, Error> {
        if self.inner.wanted.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.subscriptions().await?.iter().map(|subscription| subscription.id).collect())
    }

    /// The identities of a subscription; listed once in a run.
    ///
    /// # Errors
    /// What Azure said.
    pub async fn identities(&self, subscription: &Guid) -> Result<Arc<Vec<Identity>>, Error> {
        let cell = Arc::clone(self.inner.lists.lock().await.entry(*subscription).or_default());
        cell.get_or_try_init(|| async { self.inner.store.list(subscription).await.map(Arc::new) }).await.cloned()
    }

    /// One identity. `Absent` where it does not exist, or its group or subscription does not.
    pub async fn identity(&self, id: &ResourceId) -> Fact<Identity> {
        fact(self.inner.store.get(id).await)
    }

    /// The identity that a text means which is no client id: its ARM id, or the name of exactly one that Resource Graph
    /// knows. `NotAsked` where nothing tells which one is meant.
    pub async fn identity_named(&self, text: &str) -> Fact<Identity> {
        if let Ok(id) = ResourceId::parse(text) {
            return if id.is_user_assigned_identity() { self.identity(&id).await } else { Fact::NotAsked };
        }
        let rows = match self.narrowed().await {
            Ok(scope) => self.inner.resource_graph.identities_named(text, &scope).await,
            Err(error) => Err(error),
        };
        match rows.as_deref() {
            Ok([row]) => match ResourceId::parse(&row.id) {
                Ok(id) => self.identity(&id).await,
                Err(_) => Fact::NotAsked,
            },
            Ok(_) => Fact::NotAsked,
            Err(error) => error.to_fact(),
        }
    }

    /// The federated credentials of an identity.
    pub async fn federated_credentials(&self, id: &ResourceId) -> Fact<Vec<FederatedCredential>> {
        fact(self.inner.store.credentials(id).await)
    }

    /// The federated credentials of an app registration; `Absent` where it is not in this tenant.
    pub async fn application_credentials(&self, client: Guid) -> Fact<Vec<FederatedCredential>> {
        match self.inner.graph.application_credentials(client).await {
            Ok(Some(credentials)) => Fact::Known(credentials),
            Ok(None) => Fact::Absent,
            Err(error) => error.to_fact(),
        }
    }

    /// The federated credentials of whatever a client id was found to be. `Absent` where it can have none, or is not
    /// there any more; `NotAsked` where it was not found, or is another tenant's.
    pub async fn credentials_of(&self, client: Guid, discovered: &Discovered) -> Fact<Vec<FederatedCredential>> {
        match discovered {
            Discovered::UserAssigned(found) | Discovered::ObjectIdOf(found) => {
                self.federated_credentials(&found.id).await
            }
            Discovered::Application { .. } => self.application_credentials(client).await,
            Discovered::SystemAssigned { .. } => Fact::Absent,
            Discovered::ForeignApplication { .. } | Discovered::NotSeen => Fact::NotAsked,
        }
    }

    /// Creates or corrects (`Some`), or deletes (`None`) one federated credential. Writes under one identity wait for
    /// each other; a write of another program is waited for.
    ///
    /// # Errors
    /// [`Error::Changed`] where the credential is not as expected, [`Error::LimitReached`], else what Azure said.
    /// [`Error::Unreachable`] and a status of 500 or more leave open whether it was written: read it again.
    pub async fn write_credential(
        &self,
        id: &ResourceId,
        name: &CredentialName,
        expected: &Expected,
        wanted: Option<&CredentialBody>,
    ) -> Result<Written, Error> {
        let turn = Arc::clone(self.inner.writes.lock().await.entry(id.clone()).or_default());
        let _turn = turn.lock().await;
        identities::write(self.store(), id, name, expected, wanted, self.inner.conflict_pause).await
    }

    /// The managed cluster of an issuer, of an API server's host, or of both. `Failed` where none was seen: a cluster
    /// that is no AKS cluster, or one in a subscription that cannot be read, looks the same.
    pub async fn cluster(&self, issuer: Option<&str>, host: Option<&str>) -> Fact<ManagedCluster> {
        match self.find_cluster(issuer, host).await {
            Ok(Some(cluster)) => Fact::Known(cluster),
            Ok(None) => Fact::Failed(
                "no managed cluster with this issuer or API server is among the subscriptions that the login can read"
                    .to_owned(),
            ),
            Err(error) => error.to_fact(),
        }
    }

    async fn find_cluster(&self, issuer: Option<&str>, host: Option<&str>) -> Result<Option<ManagedCluster>, Error> {
        let scope = self.narrowed().await?;
        let rows = self.inner.resource_graph.clusters(issuer, host, &scope).await;
        let subscriptions: &[Subscription] = match &rows {
            Ok(rows) if !rows.is_empty() => &[],
            Ok(_) => {
                // Its index can lag behind for a new cluster; thousands of lists would take longer than that.
                let all = self.subscriptions().await?;
                all.get(..LISTED).unwrap_or(all)
            }
            Err(Error::Refused(_)) => return rows.map(|_| None),
            Err(_) => self.subscriptions().await?,
        };
        if let Ok(mut rows) = rows {
            // Two clusters can match where one has the issuer and another one the host; the API server is the surer.
            let is_host = |name: &Option<String>| {
                host.is_some_and(|host| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host)))
            };
            rows.sort_by_key(|row| !(is_host(&row.fqdn) || is_host(&row.private_fqdn)));
            if let Some(id) = rows.first().and_then(|row| ResourceId::parse(&row.id).ok()) {
                return self.inner.clusters.get(&id).await.map(Some);
            }
        }
        let lists: Vec<_> = futures::stream::iter(subscriptions)
            .map(|subscription| self.inner.clusters.list(&subscription.id))
            .buffered(8)
            .collect()
            .await;
        let mut first_error = None;
        let mut candidates = Vec::new();
        for list in lists {
            match list {
                Ok(clusters) => candidates.extend(clusters),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let serves = |cluster: &&ManagedCluster| host.is_some_and(|host| cluster.serves(host));
        let issues = |cluster: &&ManagedCluster| issuer.is_some_and(|issuer| cluster.issues(issuer));
        let found = candidates.iter().find(serves).or_else(|| candidates.iter().find(issues)).cloned();
        match (found, first_error) {
            (Some(cluster), _) => Ok(Some(cluster)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }

    /// One managed cluster by its id.
    pub async fn cluster_by_id(&self, id: &ResourceId) -> Fact<ManagedCluster> {
        fact(self.inner.clusters.get(id).await)
    }

    /// An extension of a cluster, `sc-extension` for instance; `Absent` where it is not installed.
    pub async fn extension(&self, cluster: &ResourceId, name: &str) -> Fact<Extension> {
        match self.inner.clusters.extension(cluster, name).await {
            Ok(Some(extension)) => Fact::Known(extension),
            Ok(None) => Fact::Absent,
            Err(error) => error.to_fact(),
        }
    }

    /// The registration of a resource provider such as `Microsoft.KubernetesConfiguration` in a subscription.
    pub async fn registration(&self, subscription: &Guid, namespace: &str) -> Fact<String> {
        fact(self.inner.clusters.registration(subscription, namespace).await)
    }

    /// The role assignments of a principal at a scope, with what is inherited.
    pub async fn role_assignments(&self, principal: Guid, scope: &ResourceId) -> Fact<Assignments> {
        fact(self.inner.roles.assignments(principal, scope).await)
    }

    /// A Key Vault's permission model and access policies.
    pub async fn vault(&self, id: &ResourceId) -> Fact<Vault> {
        fact(vaults::get(&self.inner.arm, id).await)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionBody {
    subscription_id: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    tenant_id: Option<String>,
}

/// Those that `--subscription` names by id or name; all where it names none.
fn choose(wanted: &[String], visible: Vec<Subscription>) -> Result<Vec<Subscription>, Error> {
    if wanted.is_empty() {
        return Ok(visible);
    }
    let mut chosen = Vec::new();
    for text in wanted {
        let id = Guid::parse(text);
        let matches = |s: &&Subscription| id == Some(s.id) || s.name.eq_ignore_ascii_case(text);
        match (visible.iter().find(matches), id) {
            (Some(subscription), _) => chosen.push(subscription.clone()),
            // The login may not see it in the list and still read what is in it.
            (None, Some(id)) => chosen.push(Subscription { id, name: text.clone(), tenant: None }),
            (None, None) => {
                return Err(Error::Refused(format!(
                    "--subscription: no subscription that the login sees is named \"{text}\" (az account list)"
                )));
            }
        }
    }
    Ok(chosen)
}

/// A question about one thing that was named by its id: 404 is its absence, unless it is the subscription that ARM
/// does not find, which may be in another cloud or tenant.
fn fact<T>(result: Result<T, Error>) -> Fact<T> {
    match result {
        Ok(value) => Fact::Known(value),
        Err(error) if error.is_not_found() && !error.api().is_some_and(|e| e.has_code("SubscriptionNotFound")) => {
            Fact::Absent
        }
        Err(error) => error.to_fact(),
    }
}
