//! Reads from a cluster what an inspection needs, and no more.
//!
//! A sweep over a large cluster asks for the labelled pods by selector, for accounts and pod templates, and then for
//! the pods of the accounts that carry an identity by field selector; it never reads all pods. A named workload costs
//! the same in its namespace, with consistent reads, events and the history of its template besides. Custom resources
//! are listed where the cluster serves them, which one look at its discovery document tells; `ConfigMaps` and Secrets
//! are fetched by the names that workloads and applications give. What may not be read is noted, with the permission
//! that is missing; nothing here judges.

mod ask;
mod custom;
mod logs;
mod named;
mod objects;
mod read;
pub mod rights;
mod sweep;
mod webhook;
mod whole;

pub use ask::ask;
pub use logs::{LogRequest, read_logs};
pub use objects::{Objects, objects};
pub use whole::whole;

use super::client::Client;
use super::error::Error;
use super::list::Consistency;
use crate::chain::Cluster;
use crate::chain::select::{Item, Selection};
use crate::inspect::Input;
use crate::model::fact::Fact;
use crate::model::inventory::{Inventory, ReadState};
use read::Reading;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// What to read.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked for: which namespaces, and the objects that are named.
    pub selection: Selection,
    /// Single objects are looked at: read consistently, with events and history.
    pub detailed: bool,
    /// Whether Secrets that applications name may be fetched.
    pub secrets: bool,
    /// How long all of it may take.
    pub within: Duration,
    /// The issuer, where the user knows it.
    pub issuer: Option<String>,
    /// Counts what was read, for whoever shows it.
    pub progress: Progress,
}

impl Request {
    /// All that an inspection of the selection needs.
    pub fn new(selection: &Selection, within: Duration) -> Self {
        let names = |item: &Item| matches!(item, Item::Object { name: Some(_), .. } | Item::Identity(_));
        Self {
            selection: selection.clone(),
            detailed: selection.items.iter().any(names),
            secrets: true,
            within,
            issuer: None,
            progress: Progress::default(),
        }
    }

    /// The one namespace that is looked at; `None`: all of them.
    fn namespace(&self) -> Option<&str> {
        self.selection.scope.namespace()
    }
}

/// How many objects have been read so far.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicUsize>);

impl Progress {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Objects read so far.
    pub fn objects(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Something that was read: how it is known that it is all of it, and what to add.
struct Part {
    kind: String,
    namespace: Option<String>,
    /// One object was asked for.
    name: Option<String>,
    state: ReadState,
}

/// Reads the cluster. Only a cluster that does not answer at all is an error.
pub async fn collect(client: &Client, request: &Request) -> Result<Input, Error> {
    let (detailed, namespace) = (request.detailed, request.namespace());
    let reading = Reading {
        client,
        deadline: Instant::now() + request.within,
        within: request.within,
        consistency: if detailed || namespace.is_some() { Consistency::Consistent } else { Consistency::Cached },
        detailed,
        secrets: request.secrets,
        progress: &request.progress,
    };
    let (version, issuer, webhook, objects, (served, resources)) = tokio::join!(
        reading.bounded(client.server_version()),
        reading.bounded(client.openid_configuration()),
        webhook::read(&reading),
        sweep::read(&reading, namespace),
        custom::read(&reading, namespace, &request.selection),
    );
    if let Err(error) = version.as_ref()
        && !matches!(error, Error::Denied { .. })
    {
        return version.map(|_| Input::default());
    }
    let mut inventory = Inventory::default();
    webhook.add_to(&mut inventory);
    objects.add_to(&mut inventory);
    resources.add_to(&mut inventory);
    let mut cluster = Cluster {
        context: client.context().map(str::to_owned),
        server: Some(client.server().to_owned()),
        kubernetes_version: Fact::from(version).map(|version| version.git_version),
        issuer: match &request.issuer {
            Some(issuer) => Fact::Known(issuer.clone()),
            None => Fact::from(issuer).map(|configuration| configuration.issuer),
        },
        now: Some(jiff::Timestamp::now()),
        ..Cluster::default()
    };
    let mut namespaces: Vec<Option<String>> = vec![namespace.map(str::to_owned)];
    if namespace.is_some() {
        namespaces.extend(custom::read_operators(&reading, &request.selection, &mut inventory).await.map(Some));
        custom::read_beyond(&reading, &served, &namespaces, &mut inventory).await;
    }
    cluster.find(&inventory);
    named::read(&reading, request, &mut inventory, &cluster).await;
    for namespace in &namespaces {
        sweep::read_pods(&reading, namespace.as_deref(), request, &mut inventory, &cluster).await;
    }
    cluster.find(&inventory);
    Ok(Input { inventory, cluster, ..Input::default() })
}
