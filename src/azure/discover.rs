//! From client ids to identities.
//!
//! Three ways, each asked for what the one before it did not find: Microsoft Graph, which needs no role in Azure;
//! Resource Graph, one question over all subscriptions; and the lists of all subscriptions that can be seen. None of
//! them finding a client id proves nothing, so the result says where was searched.

use super::Azure;
use super::error::Error;
use super::graph::{PrincipalKind, ServicePrincipal};
use super::guid::Guid;
use super::identities::Identity;
use super::resource_graph::IdentityKey;
use super::resource_id::ResourceId;
use crate::model::fact::Fact;
use futures::StreamExt;
use std::collections::BTreeMap;
use std::fmt;

/// More subscriptions than this are not listed one by one where Resource Graph has answered.
pub(super) const LISTED: usize = 100;

/// What was found for each client id, and where was searched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Discovery {
    /// One entry for each client id that was asked for.
    pub identities: BTreeMap<Guid, Discovered>,
    /// Where was searched.
    pub searched: Searched,
}

/// Who a client id is.
#[derive(Debug, Clone, PartialEq)]
pub enum Discovered {
    /// A user-assigned managed identity.
    UserAssigned(Box<Found>),
    /// It is the object id (principal id) of this identity, not its client id.
    ObjectIdOf(Box<Found>),
    /// A managed identity that belongs to another resource; it cannot hold federated credentials.
    SystemAssigned {
        /// The resource that it belongs to.
        host: Option<ResourceId>,
    },
    /// An app registration of this tenant.
    Application {
        /// Its name.
        name: String,
        /// Whether it has a service principal here; without one Entra answers AADSTS7000229.
        has_principal: bool,
    },
    /// An app registration of another tenant: its credentials are not to be seen here.
    ForeignApplication {
        /// That tenant.
        owner: Option<Guid>,
    },
    /// None of the ways led to it, which proves nothing.
    NotSeen,
}

/// An identity that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its ARM id.
    pub id: ResourceId,
    /// How it was found.
    pub through: Through,
    /// What ARM says about it: `Absent` where the directory still knows an identity that is deleted, `Denied` where
    /// it exists and the login may not read it.
    pub identity: Fact<Identity>,
    /// Its client id, where one of the ways named it.
    pub client_id: Option<Guid>,
    /// Its principal id, where one of the ways named it.
    pub principal_id: Option<Guid>,
}

/// A way to an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// Microsoft Graph.
    Directory,
    /// Azure Resource Graph.
    ResourceGraph,
    /// The list of a subscription.
    List,
}

/// Where was searched.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Searched {
    /// Microsoft Graph: the whole tenant of the login.
    pub directory: Fact<()>,
    /// Resource Graph: the subscriptions that it really covers.
    pub resource_graph: Fact<Vec<String>>,
    /// The subscriptions that were listed, with the number of identities in them.
    pub listed: Vec<(String, Fact<usize>)>,
    /// Subscriptions that were not listed because they are too many.
    pub left_out: usize,
}

impl fmt::Display for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match &self.directory {
            Fact::Known(()) => parts.push("the directory of the tenant".to_owned()),
            Fact::NotAsked => {}
            other => parts.push(format!("not the directory ({})", other.why().unwrap_or_default())),
        }
        match &self.resource_graph {
            Fact::Known(names) => parts.push(format!("Resource Graph over {}", subscriptions(names.len(), names))),
            Fact::NotAsked => {}
            other => parts.push(format!("not Resource Graph ({})", other.why().unwrap_or_default())),
        }
        let read: Vec<String> =
            self.listed.iter().filter(|(_, count)| count.known().is_some()).map(|(name, _)| name.clone()).collect();
        if !read.is_empty() {
            parts.push(format!("the identities of {}", subscriptions(read.len(), &read)));
        }
        for (name, count) in self.listed.iter().filter(|(_, count)| count.is_unknown()).take(3) {
            parts.push(format!("not subscription {name} ({})", count.why().unwrap_or_default()));
        }
        if self.left_out > 0 {
            parts.push(format!("not the lists of {} more subscriptions", self.left_out));
        }
        f.write_str(&if parts.is_empty() { "nothing was searched".to_owned() } else { parts.join("; ") })
    }
}

fn subscriptions(count: usize, names: &[String]) -> String {
    match names {
        [] => "no subscription".to_owned(),
        [name] => format!("subscription {name}"),
        names if count <= 3 => format!("the subscriptions {}", names.join(", ")),
        _ => format!("{count} subscriptions"),
    }
}

impl Azure {
    /// Finds the identities of client ids. Errors of one way are part of the result, not an end of the search.
    pub async fn discover(&self, clients: &[Guid]) -> Discovery {
        let mut discovery = Discovery::default();
        discovery.identities.extend(clients.iter().map(|client| (*client, Discovered::NotSeen)));
        self.ask_directory(&mut discovery).await;
        self.ask_resource_graph(&mut discovery).await;
        self.ask_lists(&mut discovery).await;
        self.read_found(&mut discovery).await;
        discovery
    }

    async fn ask_directory(&self, discovery: &mut Discovery) {
        let mut open = discovery.open().into_iter();
        let mut answers = Vec::new();
        // The first answer tells whether the directory can be read at all: a service principal's login seldom may.
        let Some(first) = open.next() else { return };
        match self.who_is(first).await {
            Ok(answer) => answers.push((first, answer)),
            Err(error) => {
                discovery.searched.directory = error.to_fact();
                return;
            }
        }
        let rest: Vec<_> = futures::stream::iter(open)
            .map(|client| async move { (client, self.who_is(client).await) })
            .buffer_unordered(8)
            .collect()
            .await;
        discovery.searched.directory = Fact::Known(());
        for (client, answer) in rest {
            match answer {
                Ok(answer) => answers.push((client, answer)),
                Err(error) => discovery.searched.directory = error.to_fact(),
            }
        }
        for (client, answer) in answers {
            if let Some(answer) = answer {
                discovery.identities.insert(client, answer);
            }
        }
    }

    async fn who_is(&self, client: Guid) -> Result<Option<Discovered>, Error> {
        let graph = &self.inner.graph;
        if let Some(principal) = graph.service_principal(client).await? {
            return Ok(Some(match principal.kind {
                PrincipalKind::UserAssigned(ref id) => Discovered::UserAssigned(found(id, &principal)),
                PrincipalKind::SystemAssigned(host) => Discovered::SystemAssigned { host },
                PrincipalKind::Application { owner } => match graph.application(client).await {
                    Ok(None) => Discovered::ForeignApplication { owner },
                    _ => Discovered::Application { name: principal.display_name, has_principal: true },
                },
                PrincipalKind::Other(_) => {
                    Discovered::Application { name: principal.display_name, has_principal: true }
                }
            }));
        }
        if let Some(application) = graph.application(client).await? {
            return Ok(Some(Discovered::Application { name: application.display_name, has_principal: false }));
        }
        let by_object = graph.service_principal_by_object(client).await?;
        Ok(by_object.and_then(|principal| match principal.kind {
            PrincipalKind::UserAssigned(ref id) => Some(Discovered::ObjectIdOf(found(id, &principal))),
            _ => None,
        }))
    }

    async fn ask_resource_graph(&self, discovery: &mut Discovery) {
        if discovery.open().is_empty() {
            return;
        }
        let scope = match self.narrowed().await {
            Ok(scope) => scope,
            Err(error) => {
                discovery.searched.resource_graph = error.to_fact();
                return;
            }
        };
        let graph = &self.inner.resource_graph;
        for key in [IdentityKey::Client, IdentityKey::Principal] {
            let open = discovery.open();
            if open.is_empty() {
                return;
            }
            let rows = match graph.identities(key, &open, &scope).await {
                Ok(rows) => rows,
                Err(error) => {
                    discovery.searched.resource_graph = error.to_fact();
                    return;
                }
            };
            for row in rows {
                let (client_id, principal_id) = (Guid::parse(&row.client_id), Guid::parse(&row.principal_id));
                let asked = if key == IdentityKey::Client { client_id } else { principal_id };
                if let (Some(asked), Ok(id)) = (asked, ResourceId::parse(&row.id)) {
                    let through = Through::ResourceGraph;
                    let found = Found { id, through, identity: Fact::NotAsked, client_id, principal_id };
                    discovery.put(asked, key, found);
                }
            }
        }
        if discovery.open().is_empty() {
            return;
        }
        // Something was not found: say where it was looked for.
        discovery.searched.resource_graph = match graph.coverage(&scope).await {
            Ok(rows) => Fact::Known(
                rows.into_iter().map(|row| if row.name.is_empty() { row.subscription_id } else { row.name }).collect(),
            ),
            Err(error) => error.to_fact(),
        };
    }

    async fn ask_lists(&self, discovery: &mut Discovery) {
        if discovery.open().is_empty() {
            return;
        }
        let subscriptions = match self.subscriptions().await {
            Ok(subscriptions) => subscriptions,
            Err(error) => {
                discovery.searched.listed.push(("(the list of subscriptions)".to_owned(), error.to_fact()));
                return;
            }
        };
        let limit = if discovery.searched.resource_graph.known().is_some() { LISTED } else { subscriptions.len() };
        discovery.searched.left_out = subscriptions.len().saturating_sub(limit);
        let lists: Vec<_> = futures::stream::iter(subscriptions.iter().take(limit))
            .map(|subscription| async move { (subscription, self.identities(&subscription.id).await) })
            .buffered(8)
            .collect()
            .await;
        for (subscription, list) in lists {
            let count = match &list {
                Ok(list) => Fact::Known(list.len()),
                Err(error) => error.to_fact(),
            };
            discovery.searched.listed.push((subscription.name.clone(), count));
            for identity in list.iter().flat_map(|list| list.iter()) {
                for (asked, key) in
                    [(identity.client_id, IdentityKey::Client), (identity.principal_id, IdentityKey::Principal)]
                {
                    if let Some(asked) = asked {
                        let found = Found {
                            id: identity.id.clone(),
                            through: Through::List,
                            identity: Fact::Known(identity.clone()),
                            client_id: identity.client_id,
                            principal_id: identity.principal_id,
                        };
                        discovery.put(asked, key, found);
                    }
                }
            }
        }
    }

    /// Asks ARM for what the directory or Resource Graph has named: only ARM is prompt, and knows tenant and tags.
    async fn read_found(&self, discovery: &mut Discovery) {
        let pending: Vec<(Guid, ResourceId)> = discovery
            .identities
            .iter()
            .filter_map(|(client, discovered)| match discovered {
                Discovered::UserAssigned(found) | Discovered::ObjectIdOf(found)
                    if matches!(found.identity, Fact::NotAsked) =>
                {
                    Some((*client, found.id.clone()))
                }
                _ => None,
            })
            .collect();
        let read: Vec<_> = futures::stream::iter(pending)
            .map(|(client, id)| async move { (client, self.identity(&id).await) })
            .buffer_unordered(8)
            .collect()
            .await;
        for (client, fact) in read {
            if let Some(Discovered::UserAssigned(found) | Discovered::ObjectIdOf(found)) =
                discovery.identities.get_mut(&client)
            {
                if let Some(identity) = fact.known() {
                    found.client_id = identity.client_id.or(found.client_id);
                    found.principal_id = identity.principal_id.or(found.principal_id);
                }
                found.identity = fact;
            }
        }
    }
}

fn found(id: &ResourceId, principal: &ServicePrincipal) -> Box<Found> {
    Box::new(Found {
        id: id.clone(),
        through: Through::Directory,
        identity: Fact::NotAsked,
        client_id: Some(principal.client_id),
        principal_id: Some(principal.object_id),
    })
}

impl Discovery {
    /// The client ids that are not found yet.
    fn open(&self) -> Vec<Guid> {
        let open = self.identities.iter().filter(|(_, found)| matches!(found, Discovered::NotSeen));
        open.map(|(client, _)| *client).collect()
    }

    fn put(&mut self, asked: Guid, key: IdentityKey, found: Found) {
        if let Some(entry @ Discovered::NotSeen) = self.identities.get_mut(&asked) {
            let found = Box::new(found);
            *entry = match key {
                IdentityKey::Client => Discovered::UserAssigned(found),
                IdentityKey::Principal => Discovered::ObjectIdOf(found),
            };
        }
    }
}
