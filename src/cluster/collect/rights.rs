//! What reading a cluster needs, as rights: the least role is made of these. A test compares them with the requests
//! that are really sent.

use crate::cluster::resource::{self, ResourceType};

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

/// Something that is read.
#[derive(Debug, Clone, Copy)]
pub struct Right {
    /// The kind.
    pub resource: &'static ResourceType,
    /// `get`, `list`
    pub verbs: &'static [&'static str],
    /// Only objects of these names; empty for all.
    pub names: &'static [&'static str],
    /// Where.
    pub place: Place,
}

const fn right(resource: &'static ResourceType, verbs: &'static [&'static str], place: Place) -> Right {
    Right { resource, verbs, names: &[], place }
}

/// Everything that `inspect` and `simulate` read.
pub static RIGHTS: &[Right] = &[
    right(&resource::POD, &["list"], Place::Inspected),
    right(&resource::SERVICE_ACCOUNT, &["list"], Place::Inspected),
    right(&resource::REPLICATION_CONTROLLER, &["list"], Place::Inspected),
    right(&resource::EVENT, &["list"], Place::Inspected),
    right(&resource::DEPLOYMENT, &["list"], Place::Inspected),
    right(&resource::STATEFUL_SET, &["list"], Place::Inspected),
    right(&resource::DAEMON_SET, &["list"], Place::Inspected),
    right(&resource::REPLICA_SET, &["list"], Place::Inspected),
    right(&resource::CONTROLLER_REVISION, &["list"], Place::Inspected),
    right(&resource::JOB, &["list"], Place::Inspected),
    right(&resource::CRON_JOB, &["list"], Place::Inspected),
    right(&resource::NAMESPACE, &["get", "list"], Place::Cluster),
    right(&resource::MUTATING_WEBHOOK_CONFIGURATION, &["list"], Place::Cluster),
    right(&resource::DEPLOYMENT, &["list"], Place::Webhook),
    Right {
        resource: &resource::CONFIG_MAP,
        verbs: &["get"],
        names: &["azure-wi-webhook-config"],
        place: Place::Webhook,
    },
    right(&resource::SERVICE, &["get"], Place::Webhook),
    right(&resource::ENDPOINT_SLICE, &["list"], Place::Webhook),
    right(&resource::NETWORK_POLICY, &["list"], Place::Webhook),
];

/// Paths that are no resources: the version, and the token issuer, which people may often not read.
pub const PATHS: &[&str] = &["/version", "/.well-known/openid-configuration"];
