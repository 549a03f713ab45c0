//! Asks Azure what one inspection needs: the identities of its client ids, their credentials and roles, and the
//! managed cluster.

use super::Azure;
use super::cloud::CloudName;
use super::discover::Discovered;
use super::facts::{Asked, AzureFacts, IdentityFacts};
use super::guid::Guid;
use super::resource_id::ResourceId;
use crate::apps;
use crate::chain::select::{Item, Selection, select};
use crate::chain::{Chain, meant::TokenSource};
use crate::inspect::Input;
use crate::model::fact::Fact;
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;
use url::Url;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Client ids.
    pub clients: BTreeSet<Guid>,
    /// Texts that stand where a client id belongs, and are none.
    pub names: BTreeSet<String>,
    /// The issuer and the API server's host, where they are an AKS cluster's.
    pub cluster: Option<(Option<String>, Option<String>)>,
    /// Whether Service Connector is used.
    pub connector: bool,
    /// Subscriptions of resources that applications name: their roles are looked for there, too.
    pub subscriptions: BTreeSet<Guid>,
}

impl Questions {
    /// What the selected objects make necessary to know.
    pub fn of(input: &Input, selection: &Selection) -> Self {
        let mut questions = Self::default();
        for item in &selection.items {
            if let Item::Identity(client) = item {
                questions.clients.extend(Guid::parse(client));
            }
        }
        let targets = select(&input.inventory, selection).unwrap_or_default();
        let mut selected = 0;
        for target in targets {
            let chain = Chain::new(target, &input.inventory, &input.cluster);
            if !chain.is_meant() {
                continue;
            }
            selected += 1;
            if chain.token_source() != TokenSource::OtherCredential {
                questions.add(&chain);
            }
        }
        let cluster = &input.cluster;
        let host = cluster.server.as_deref().and_then(|server| Url::parse(server).ok());
        let host = host.and_then(|url| url.host_str().map(str::to_owned));
        let host = host.filter(|host| CloudName::of_server(host).is_some());
        let issuer = cluster.issuer.known().filter(|issuer| CloudName::of_issuer(issuer).is_some()).cloned();
        if (issuer.is_some() || host.is_some()) && selected > 0 {
            questions.cluster = Some((issuer, host));
        }
        questions.connector = questions.cluster.is_some() && uses_connector(input);
        questions
    }

    fn add(&mut self, chain: &Chain<'_>) {
        for identity in chain.identities() {
            match identity.client_id.as_deref().map(str::trim).map(|text| (Guid::parse(text), text)) {
                Some((Some(client), _)) => drop(self.clients.insert(client)),
                Some((None, text)) if is_name(text) => drop(self.names.insert(text.to_owned())),
                _ => {}
            }
        }
        let roles = chain.peek_applications().iter().flat_map(|part| part.application.roles(part));
        self.subscriptions
            .extend(roles.flat_map(|role| role.on).filter_map(|resource| Guid::parse(&resource.subscription?)));
    }

    /// Whether nothing is asked about any identity.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.names.is_empty()
    }
}

/// An ARM id, or what could be a resource's name; no placeholder and no sentence.
fn is_name(text: &str) -> bool {
    ResourceId::parse(text).is_ok_and(|id| id.is_user_assigned_identity())
        || (text.len() >= 3
            && text.len() <= 128
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
}

fn uses_connector(input: &Input) -> bool {
    input.inventory.accounts().any(|account| account.meta.name().starts_with("sc-account-"))
        || input.inventory.workloads().iter().any(|workload| workload.meta.namespace() == "sc-system")
        || input.inventory.pods().iter().any(|pod| pod.meta.namespace() == "sc-system")
        || input.inventory.workloads().iter().any(|workload| {
            apps::recognise(workload, &input.inventory)
                .iter()
                .any(|part| part.application.name() == "service-connector")
                || workload.account().starts_with("sc-account-")
        })
}

/// How long Azure may be asked.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Until when.
    pub until: Instant,
    /// Said of what had no answer by then.
    pub said: String,
}

impl Limit {
    async fn fact<T>(&self, asked: impl Future<Output = Fact<T>>) -> Fact<T> {
        let late = |_| Fact::Failed(self.said.clone());
        tokio::time::timeout_at(self.until, asked).await.unwrap_or_else(late)
    }
}

/// Identities that are asked about at the same time; each needs a few requests, which the session bounds besides.
const AT_ONCE: usize = 8;

/// Asks. What Azure would not tell stays unknown with its reason; the rest is there.
pub async fn ask(azure: &Azure, questions: &Questions, required: bool, limit: &Limit) -> AzureFacts {
    let mut facts = AzureFacts { asked: Asked::Yes { required }, ..AzureFacts::default() };
    let ((identities, searched), cluster, named) = tokio::join!(
        identities(azure, questions, limit),
        managed_cluster(azure, questions, limit),
        named(azure, questions, limit),
    );
    (facts.identities, facts.searched, facts.named) = (identities, searched, named);
    (facts.cluster, facts.connector, facts.provider) = cluster;
    facts
}

async fn identities(
    azure: &Azure,
    questions: &Questions,
    limit: &Limit,
) -> (BTreeMap<Guid, IdentityFacts>, super::Searched) {
    let clients: Vec<Guid> = questions.clients.iter().copied().collect();
    let Ok(mut discovery) = tokio::time::timeout_at(limit.until, azure.discover(&clients)).await else {
        let searched = super::Searched { directory: Fact::Failed(limit.said.clone()), ..Default::default() };
        let none = clients.iter().map(|client| (*client, IdentityFacts::default())).collect();
        return (none, searched);
    };
    let searched = std::mem::take(&mut discovery.searched);
    let named = match tokio::time::timeout_at(limit.until, azure.narrowed()).await {
        Ok(Ok(subscriptions)) => subscriptions,
        // Which ones are meant is told where they were searched.
        _ => Vec::new(),
    };
    let scopes: BTreeSet<Guid> = questions.subscriptions.iter().copied().chain(named).collect();
    let facts = futures::stream::iter(discovery.identities)
        .map(|(client, discovered)| {
            let scopes = &scopes;
            async move {
                let (credentials, roles) = tokio::join!(
                    limit.fact(azure.credentials_of(client, &discovered)),
                    roles(azure, &discovered, scopes, limit),
                );
                (client, IdentityFacts { discovered, credentials, roles })
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    (facts, searched)
}

/// The assignments in the identity's own subscription and in those that are known to hold what it uses.
async fn roles(
    azure: &Azure,
    discovered: &Discovered,
    scopes: &BTreeSet<Guid>,
    limit: &Limit,
) -> Vec<(ResourceId, Fact<super::roles::Assignments>)> {
    let Discovered::UserAssigned(found) = discovered else { return Vec::new() };
    let Some(principal) = found.principal_id else { return Vec::new() };
    let own = found.id.subscription().and_then(Guid::parse);
    let all: BTreeSet<Guid> = own.into_iter().chain(scopes.iter().copied()).collect();
    futures::stream::iter(all)
        .map(|subscription| async move {
            let scope = ResourceId::subscription_scope(&subscription);
            let answer = limit.fact(azure.role_assignments(principal, &scope)).await;
            (scope, answer)
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}

type ClusterFacts = (Fact<super::ManagedCluster>, Fact<super::Extension>, Fact<String>);

async fn managed_cluster(azure: &Azure, questions: &Questions, limit: &Limit) -> ClusterFacts {
    let Some((issuer, host)) = &questions.cluster else { return (Fact::NotAsked, Fact::NotAsked, Fact::NotAsked) };
    let cluster = limit.fact(azure.cluster(issuer.as_deref(), host.as_deref())).await;
    let Some(found) = cluster.known().filter(|_| questions.connector) else {
        return (cluster, Fact::NotAsked, Fact::NotAsked);
    };
    let subscription = found.id.subscription().and_then(Guid::parse);
    let (connector, provider) = tokio::join!(limit.fact(azure.extension(&found.id, "sc-extension")), async {
        match &subscription {
            Some(subscription) => {
                limit.fact(azure.registration(subscription, "Microsoft.KubernetesConfiguration")).await
            }
            None => Fact::NotAsked,
        }
    });
    (cluster, connector, provider)
}

async fn named(azure: &Azure, questions: &Questions, limit: &Limit) -> BTreeMap<String, Fact<super::Identity>> {
    futures::stream::iter(&questions.names)
        .map(|text| async move { (text.clone(), limit.fact(azure.identity_named(text)).await) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}
