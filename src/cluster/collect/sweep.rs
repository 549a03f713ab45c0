//! Workloads, accounts and pods of a namespace or of the whole cluster.

use super::Request;
use super::read::{Items, Kinds, Reading};
use crate::apps;
use crate::chain::select::{Item, top_level};
use crate::chain::{Chain, Cluster, Target, meant};
use crate::cluster::resource as kinds;
use crate::model::inventory::{Inventory, ReadState};
use crate::model::workload::Pod;
use crate::webhook::keys;
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};

/// Requests for the pods of single accounts that are under way at once.
const AT_ONCE: usize = 8;
/// With more requests than this for the pods of single accounts, one list of all pods costs less.
const MANY_REQUESTS: usize = 300;
/// An account's name that is in more namespaces than this, such as `default`, is asked for once for all of them.
const MANY_NAMESPACES: usize = 8;

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
        reading.pods(namespace, Some(labelled), None, |_| true),
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
/// Where an object of a kind is named that no application here is known by, its pods are told by their owners: all pods
/// of its namespace are read.
pub(super) async fn read_pods(
    reading: &Reading<'_>,
    namespace: Option<&str>,
    request: &Request,
    inventory: &mut Inventory,
    cluster: &Cluster,
) {
    if inventory.coverage("Pod", namespace).is_unknown() {
        return;
    }
    let in_scope = |other: &str| namespace.is_none_or(|namespace| namespace == other);
    let mut accounts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |namespace: &str, name: &str| {
        accounts.entry(name.to_owned()).or_default().insert(namespace.to_owned());
    };
    for account in inventory.accounts().filter(|account| in_scope(account.meta.namespace())) {
        if meant::identity_annotation(account).is_some() {
            add(account.meta.namespace(), account.meta.name());
        }
    }
    for workload in top_level(inventory).filter(|workload| in_scope(workload.meta.namespace())) {
        if Chain::new(Target::Workload(workload), inventory, cluster).is_meant() {
            add(workload.meta.namespace(), workload.account());
        }
    }
    let runs_as = |pod: &Pod| {
        accounts.get(pod.spec.account()).is_some_and(|namespaces| namespaces.contains(pod.meta.namespace()))
    };
    let requests = requests(&accounts, namespace);
    let parts = if namespace.is_some() && names_unknown_kind(request) {
        vec![reading.pods(namespace, None, None, |_| true).await]
    } else if requests.len() > MANY_REQUESTS {
        vec![reading.pods(namespace, None, None, runs_as).await]
    } else {
        let read = |(namespace, account): (Option<String>, &String)| {
            let selector = format!("spec.serviceAccountName={account}");
            async move { reading.pods(namespace.as_deref(), None, Some(&selector), runs_as).await }
        };
        futures::stream::iter(requests.into_iter().map(read)).buffer_unordered(AT_ONCE).collect().await
    };
    // One that failed makes all of them unknown: it is not to be seen whose pods are missing. One that succeeded says
    // nothing of the pods of other accounts, which the list of the labelled ones did.
    let failed = parts.iter().find(|kind| kind.part.state != ReadState::Complete).map(|kind| kind.part.state.clone());
    for part in parts {
        if let Items::Pods(pods) = part.items {
            pods.into_iter().for_each(|pod| inventory.add_live_pod(pod));
        }
    }
    if let Some(state) = failed {
        inventory.note_read("Pod", namespace, state);
    }
    inventory.complete();
}

/// The accounts to ask for, each with its namespace; at once in all namespaces where the name is in many of them.
fn requests<'a>(
    accounts: &'a BTreeMap<String, BTreeSet<String>>,
    namespace: Option<&str>,
) -> Vec<(Option<String>, &'a String)> {
    let mut requests = Vec::new();
    for (account, namespaces) in accounts {
        if namespace.is_none() && namespaces.len() > MANY_NAMESPACES {
            requests.push((None, account));
        } else {
            requests.extend(namespaces.iter().map(|namespace| (Some(namespace.clone()), account)));
        }
    }
    requests
}

/// Whether a custom resource is named that no application is configured by: a controller's own kind.
fn names_unknown_kind(request: &Request) -> bool {
    request.selection.items.iter().any(|item| match item {
        Item::Object { kind, .. } => {
            kinds::BUILT_IN.iter().all(|known| known.kind != *kind) && apps::resources().all(|(_, known)| known != kind)
        }
        Item::Identity(_) => false,
    })
}
