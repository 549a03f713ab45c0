//! What Azure said for one inspection, as plain data: what the rules read.

use super::clusters::{Extension, ManagedCluster};
use super::declared::Declared;
use super::discover::{Discovered, Found, Searched};
use super::guid::Guid;
use super::identities::{FederatedCredential, Identity};
use super::resource_id::ResourceId;
use super::roles::Assignments;
use crate::model::fact::Fact;
use crate::model::inventory::Inventory;
use std::collections::BTreeMap;

/// Everything that Azure said.
#[derive(Debug, Clone, Default)]
pub struct AzureFacts {
    /// Whether it was asked.
    pub asked: Asked,
    /// Who each client id is.
    pub identities: BTreeMap<Guid, IdentityFacts>,
    /// What a text means that stands where a client id belongs: an ARM id, or a resource's name.
    pub named: BTreeMap<String, Fact<Identity>>,
    /// Where was searched.
    pub searched: Searched,
    /// The managed cluster; `NotAsked` where this is no AKS cluster.
    pub cluster: Fact<ManagedCluster>,
    /// Service Connector's extension of that cluster; `NotAsked` where nothing here hangs on it.
    pub connector: Fact<Extension>,
    /// Registration of `Microsoft.KubernetesConfiguration` in the cluster's subscription.
    pub provider: Fact<String>,
}

/// Whether Azure was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Asked {
    /// Nobody wanted it.
    #[default]
    No,
    /// It was wanted where it is possible, and it was not: why, and the next step.
    Tried(String),
    /// It was asked.
    Yes {
        /// Whether a verdict needs the answer: `--azure=yes`.
        required: bool,
    },
}

/// What Azure said about one client id.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityFacts {
    /// Who it is.
    pub discovered: Discovered,
    /// Its federated credentials.
    pub credentials: Fact<Vec<FederatedCredential>>,
    /// Its role assignments: a scope that was asked, and the answer.
    pub roles: Vec<(ResourceId, Fact<Assignments>)>,
}

impl Default for IdentityFacts {
    fn default() -> Self {
        Self { discovered: Discovered::NotSeen, credentials: Fact::NotAsked, roles: Vec::new() }
    }
}

impl IdentityFacts {
    /// The managed identity, where it is one.
    pub fn found(&self) -> Option<&Found> {
        match &self.discovered {
            Discovered::UserAssigned(found) | Discovered::ObjectIdOf(found) => Some(found),
            _ => None,
        }
    }

    /// The principal that role assignments name.
    pub fn principal(&self) -> Option<Guid> {
        self.found()?.principal_id
    }

    /// What it is called: an identity's name, an app registration's.
    pub fn name(&self) -> Option<&str> {
        match &self.discovered {
            Discovered::UserAssigned(found) | Discovered::ObjectIdOf(found) => Some(found.id.name()),
            Discovered::Application { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl AzureFacts {
    /// Whether Azure was asked at all.
    pub fn was_asked(&self) -> bool {
        matches!(self.asked, Asked::Yes { .. })
    }

    /// Whether an answer that is missing makes a verdict unknown.
    pub fn is_required(&self) -> bool {
        self.asked == Asked::Yes { required: true }
    }
}

/// The objects of Azure Service Operator and Crossplane that were read.
pub fn declared(inventory: &Inventory) -> Vec<Declared> {
    inventory.others().iter().filter_map(|other| super::declared::read(&other.value)).collect()
}
