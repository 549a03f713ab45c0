//! Workloads, accounts and pods of a namespace or of the whole cluster.

use super::read::{Items, Kinds, Reading};
use crate::chain::select::top_level;
use crate::chain::{Chain, Cluster, Target, meant};
use crate::cluster::resource as kinds;
use crate::model::inventory::{Inventory, ReadState};
use crate::webhook::keys;
use futures::StreamExt;
use std::collections::BTreeSet;

/// Requests for the pods of single accounts that are under way at once.
const AT_ONCE: usize = 8;
/// With more accounts than this, one list of all pods costs less than a request for each.
const MANY_ACCOUNTS: usize = 150;

/// Reads everything but pods that no label names.
pub(super) async fn read(reading: &Reading<'_>, namespace: Option<&str>) -> Kinds {
    let labelled = keys::USE_LABEL;
    let (deployments, stateful, daemon, cron, jobs, controllers, accounts, namespaces, pods, replica_sets) = tokio::join!(
        reading.workloads(&kinds::DEPLOYMENT, namespace),
        reading.workloads(&kinds::STATEFUL_SET, namespace),
        reading.workloads(&kinds::DAEMON_SET, namespace),
        reading.workloads(&kinds::CRON_JOB, namespace),
        reading.workloads(&kinds::JOB, namespace),
        reading.workloads(&kinds::REPLICATION_CONTROLLER, namespace),
        reading.accounts(namespace),
        async {
            match namespace {
                Some(name) => reading.value(&kinds::NAMESPACE, None, name).await,
                None => reading.values(&kinds::NAMESPACE, None, None).await,
            }
        },
        reading.pods(namespace, Some(labelled), None),
        async {
            if reading.detailed {
                reading.workloads(&kinds::REPLICA_SET, namespace).await
            } else {
                reading.owners(&kinds::REPLICA_SET, namespace).await
            }
        },
    );
    let mut all =
        vec![deployments, stateful, daemon, cron, jobs, controllers, accounts, namespaces, pods, replica_sets];
    if reading.detailed {
        let (revisions, events) = tokio::join!(
            reading.values(&kinds::CONTROLLER_REVISION, namespace, None),
            reading.values(&kinds::EVENT, namespace, Some("type=Warning")),
        );
        all.extend([revisions, events]);
    }
    Kinds(all)
}

/// Reads the pods of the accounts that matter: those that carry an identity, and those of workloads that ask for one.
pub(super) async fn read_pods(
    reading: &Reading<'_>,
    namespace: Option<&str>,
    inventory: &mut Inventory,
    cluster: &Cluster,
) {
    if inventory.coverage("Pod", namespace).is_unknown() {
        return;
    }
    let in_scope = |other: &str| namespace.is_none_or(|namespace| namespace == other);
    let mut accounts: BTreeSet<String> = inventory
        .accounts()
        .filter(|account| in_scope(account.meta.namespace()) && meant::identity_annotation(account).is_some())
        .map(|account| account.meta.name().to_owned())
        .collect();
    for workload in top_level(inventory).filter(|workload| in_scope(workload.meta.namespace())) {
        if Chain::new(Target::Workload(workload), inventory, cluster).is_meant() {
            accounts.insert(workload.account().to_owned());
        }
    }
    let parts = if accounts.len() > MANY_ACCOUNTS {
        let mut all = reading.pods(namespace, None, None).await;
        if let Items::Pods(pods) = &mut all.items {
            pods.retain(|pod| accounts.contains(pod.spec.account()));
        }
        vec![all]
    } else {
        futures::stream::iter(accounts)
            .map(|account| async move {
                let selector = format!("spec.serviceAccountName={account}");
                reading.pods(namespace, None, Some(&selector)).await
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    };
    // One that failed makes all of them unknown: it is not to be seen whose pods are missing.
    let failed = parts.iter().find(|kind| kind.part.state != ReadState::Complete).map(|kind| kind.part.state.clone());
    Kinds(parts).add_to(inventory);
    if let Some(state) = failed {
        inventory.note_read("Pod", namespace, state);
    }
    inventory.complete();
}
