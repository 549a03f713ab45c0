//! Whole objects, for what has to print them again.

use super::Request;
use super::read::{Items, Kind, Reading};
use super::webhook;
use crate::cluster::client::Client;
use crate::cluster::error::Error;
use crate::cluster::list::Consistency;
use crate::cluster::resource as kinds;
use crate::model::inventory::ReadState;
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// What was read.
#[derive(Debug, Default)]
pub struct Objects {
    /// Pods, workloads, accounts, namespaces and the webhook's own objects.
    pub values: Vec<Value>,
    /// How far accounts were read, by namespace.
    pub accounts: BTreeMap<String, ReadState>,
    /// How far accounts were read, where all namespaces were asked at once.
    pub all_accounts: Option<ReadState>,
    /// What the API server calls its version.
    pub kubernetes_version: Option<String>,
}

/// Reads all pods and workloads of a scope as they are, with the accounts and the webhook that decide about them.
pub async fn objects(client: &Client, request: &Request) -> Result<Objects, Error> {
    let reading = Reading {
        client,
        deadline: Instant::now() + request.within,
        within: request.within,
        consistency: Consistency::Consistent,
        detailed: true,
        secrets: false,
        progress: &request.progress,
    };
    let namespace = request.namespace();
    let version = reading.bounded(client.server_version()).await;
    let version = match version {
        Ok(version) => Some(version.git_version),
        Err(Error::Denied { .. }) => None,
        Err(error) => return Err(error),
    };
    let (deployments, stateful, daemon, cron, jobs, replica_sets, controllers, pods, accounts, namespaces, webhook) = tokio::join!(
        reading.values(&kinds::DEPLOYMENT, namespace, None),
        reading.values(&kinds::STATEFUL_SET, namespace, None),
        reading.values(&kinds::DAEMON_SET, namespace, None),
        reading.values(&kinds::CRON_JOB, namespace, None),
        reading.values(&kinds::JOB, namespace, None),
        reading.values(&kinds::REPLICA_SET, namespace, None),
        reading.values(&kinds::REPLICATION_CONTROLLER, namespace, None),
        reading.values(&kinds::POD, namespace, None),
        reading.values(&kinds::SERVICE_ACCOUNT, namespace, None),
        async {
            match namespace {
                Some(name) => reading.value(&kinds::NAMESPACE, None, name).await,
                None => reading.values(&kinds::NAMESPACE, None, None).await,
            }
        },
        webhook::read(&reading),
    );
    let mut found = Objects { kubernetes_version: version, ..Objects::default() };
    match namespace {
        Some(namespace) => {
            found.accounts.insert(namespace.to_owned(), accounts.part.state.clone());
        }
        None => found.all_accounts = Some(accounts.part.state.clone()),
    }
    let own = [deployments, stateful, daemon, cron, jobs, replica_sets, controllers, pods];
    // Where pods and workloads may not be read, there is nothing to simulate.
    if own.iter().all(|kind| kind.part.state != ReadState::Complete)
        && let Some(ReadState::Denied(denied)) = own.first().map(|kind| kind.part.state.clone())
    {
        let message = "nothing that makes pods may be read".to_owned();
        return Err(Error::Denied { denied, message });
    }
    for kind in own.into_iter().chain([accounts, namespaces]).chain(webhook.0) {
        let Kind { items: Items::Values(values), .. } = kind else { continue };
        found.values.extend(values);
    }
    // The webhook's own namespace may have been read twice.
    let mut seen = std::collections::HashSet::new();
    found.values.retain(|value| {
        value.pointer("/metadata/uid").and_then(Value::as_str).is_none_or(|uid| seen.insert(uid.to_owned()))
    });
    Ok(found)
}
