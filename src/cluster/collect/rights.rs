//! What reading a cluster needs, as rights: the least role is made of these. A test compares them with the requests
//! that are really sent.

use super::custom::groups_and_plurals;
use crate::cluster::resource::{self, ResourceType};
use crate::webhook::health::CERTIFICATE_SECRET;
use std::borrow::Cow;

/// Where something is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the namespaces that are inspected.
    Inspected,
    /// In the namespace of the identity webhook.
    Webhook,
    /// In none: it belongs to the cluster as a whole.
    Cluster,
}

/// Something that is read or, by `exec-probe` and `fix`, done.
#[derive(Debug, Clone)]
pub struct Right {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// Plural, with the subresource where one is meant: `pods/exec`.
    pub resource: Cow<'static, str>,
    /// `get`, `list`
    pub verbs: &'static [&'static str],
    /// Only objects of these names; empty for all.
    pub names: &'static [&'static str],
    /// Where.
    pub place: Place,
}

fn right(resource: &'static ResourceType, verbs: &'static [&'static str], place: Place) -> Right {
    Right { group: resource.group.clone(), resource: resource.plural.clone(), verbs, names: &[], place }
}

/// A right to objects of one name.
fn named(resource: &'static ResourceType, verbs: &'static [&'static str], name: &'static [&'static str]) -> Right {
    let place = if resource.namespaced { Place::Webhook } else { Place::Cluster };
    Right { names: name, ..right(resource, verbs, place) }
}

/// A right to something of pods, or of the accounts that they run as, in the namespaces that are inspected.
fn in_pods(resource: &'static str, verbs: &'static [&'static str]) -> Right {
    let (group, resource) = (Cow::Borrowed(""), Cow::Borrowed(resource));
    Right { group, resource, verbs, names: &[], place: Place::Inspected }
}

/// Everything that `inspect` and `simulate` read.
pub fn inspect() -> Vec<Right> {
    let (list, get): (&[&str], &[&str]) = (&["list"], &["get"]);
    let mut rights = vec![
        right(&resource::POD, list, Place::Inspected),
        right(&resource::SERVICE_ACCOUNT, list, Place::Inspected),
        right(&resource::REPLICATION_CONTROLLER, list, Place::Inspected),
        right(&resource::EVENT, list, Place::Inspected),
        right(&resource::DEPLOYMENT, list, Place::Inspected),
        right(&resource::STATEFUL_SET, list, Place::Inspected),
        right(&resource::DAEMON_SET, list, Place::Inspected),
        right(&resource::REPLICA_SET, list, Place::Inspected),
        right(&resource::CONTROLLER_REVISION, list, Place::Inspected),
        right(&resource::JOB, list, Place::Inspected),
        right(&resource::CRON_JOB, list, Place::Inspected),
        right(&resource::ROLE_BINDING, list, Place::Inspected),
        right(&resource::CONFIG_MAP, get, Place::Inspected),
        right(&resource::PERSISTENT_VOLUME_CLAIM, get, Place::Inspected),
        right(&resource::SECRET, get, Place::Inspected),
        right(&resource::NAMESPACE, &["get", "list"], Place::Cluster),
        right(&resource::MUTATING_WEBHOOK_CONFIGURATION, list, Place::Cluster),
        right(&resource::CLUSTER_ROLE, &["get", "list"], Place::Cluster),
        right(&resource::CLUSTER_ROLE_BINDING, &["get", "list"], Place::Cluster),
        right(&resource::PERSISTENT_VOLUME, get, Place::Cluster),
        right(&resource::STORAGE_CLASS, get, Place::Cluster),
        right(&resource::CSI_DRIVER, get, Place::Cluster),
        right(&resource::DEPLOYMENT, list, Place::Webhook),
        right(&resource::REPLICA_SET, list, Place::Webhook),
        right(&resource::POD, list, Place::Webhook),
        named(&resource::CONFIG_MAP, get, &["azure-wi-webhook-config"]),
        named(&resource::SECRET, get, &[CERTIFICATE_SECRET]),
        right(&resource::SERVICE, get, Place::Webhook),
        right(&resource::ENDPOINT_SLICE, list, Place::Webhook),
        right(&resource::NETWORK_POLICY, list, Place::Webhook),
        // Logs of named workloads that are in trouble.
        in_pods("pods/log", get),
    ];
    rights.extend(groups_and_plurals().into_iter().map(|(group, plural)| {
        let place = if is_without_namespace(group, &plural) { Place::Cluster } else { Place::Inspected };
        Right { group: Cow::Borrowed(group), resource: Cow::Owned(plural), verbs: list, names: &[], place }
    }));
    rights
}

/// The custom resources that belong to no namespace.
fn is_without_namespace(group: &str, plural: &str) -> bool {
    // Crossplane's providers before its version 2, whose groups have an `m`.
    (group.ends_with(".upbound.io") && !group.contains(".m.")) || plural.starts_with("cluster")
}

/// What `exec-probe` does besides inspecting.
pub fn exec_probe() -> Vec<Right> {
    vec![
        in_pods("pods", &["get"]),
        // A connection to a pod is opened by GET over a WebSocket, which newer API servers also count as a creation.
        in_pods("pods/exec", &["create", "get"]),
        in_pods("pods/ephemeralcontainers", &["patch"]),
        in_pods("serviceaccounts/token", &["create"]),
    ]
}

/// What `fix` does besides inspecting: each change is a patch of an object that was read, after a dry run.
pub fn fix() -> Vec<Right> {
    let change: &[&str] = &["get", "patch"];
    let mut rights = vec![
        right(&resource::DEPLOYMENT, change, Place::Inspected),
        right(&resource::STATEFUL_SET, change, Place::Inspected),
        right(&resource::DAEMON_SET, change, Place::Inspected),
        right(&resource::REPLICA_SET, change, Place::Inspected),
        right(&resource::CRON_JOB, change, Place::Inspected),
        right(&resource::REPLICATION_CONTROLLER, change, Place::Inspected),
        right(&resource::CONFIG_MAP, change, Place::Inspected),
        right(&resource::SERVICE_ACCOUNT, &["get", "patch", "create"], Place::Inspected),
        // The dry run that shows what the webhook would answer now; a restart of what nothing else restarts.
        right(&resource::POD, &["get", "create", "delete"], Place::Inspected),
    ];
    rights.extend(groups_and_plurals().into_iter().map(|(group, plural)| {
        let place = if is_without_namespace(group, &plural) { Place::Cluster } else { Place::Inspected };
        Right { group: Cow::Borrowed(group), resource: Cow::Owned(plural), verbs: change, names: &[], place }
    }));
    rights
}

/// Paths that are no resources: the version, what is served, and the token issuer, which people may often not read.
pub const PATHS: &[&str] = &["/version", "/.well-known/openid-configuration", "/apis"];
