//! Manifests as the model: everything that `-f` names, as one inventory.

use super::read::{Problem, Sink, Texts};
use crate::chain::{Cluster, cluster_from};
use crate::inspect::Input;
use crate::model::fact::Fact;
use crate::model::inventory::Inventory;
use crate::model::object::Origin;
use serde_json::Value;

/// Takes the objects of manifests.
#[derive(Debug)]
pub struct Collector {
    namespace: String,
    inventory: Inventory,
    problems: Vec<Problem>,
}

impl Collector {
    /// A collector; objects without a namespace count as being in the given one.
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), inventory: Inventory::default(), problems: Vec::new() }
    }

    /// Everything that was read. `whole` says that the manifests are all there is; `now` is the time for ages.
    pub fn finish(mut self, texts: Texts, whole: bool, issuer: Option<&str>, now: Option<jiff::Timestamp>) -> Input {
        if whole {
            self.inventory.set_everything();
        }
        self.inventory.complete();
        let known = Cluster {
            issuer: issuer.map_or(Fact::NotAsked, |issuer| Fact::Known(issuer.to_owned())),
            issuer_from: issuer.map(|_| "--issuer".to_owned()),
            now,
            ..Cluster::default()
        };
        let cluster = cluster_from(&self.inventory, known);
        Input { inventory: self.inventory, cluster, problems: self.problems, texts, ..Input::default() }
    }
}

impl Sink for Collector {
    fn object(&mut self, value: Value, origin: Origin) -> Result<(), serde_json::Error> {
        self.inventory.add_value(value, origin, &self.namespace)
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
