//! Objects that others name: `ConfigMaps` and Secrets that hold settings, claims and volumes, CSI drivers, and the
//! bindings of accounts. They are fetched one by one, and lists are only asked for where a verdict needs them.

use super::Request;
use super::read::{Kind, Kinds, Reading};
use crate::apps::{self, config};
use crate::chain::select::{select, top_level};
use crate::chain::{Chain, Cluster, Target};
use crate::cluster::resource::{self as kinds, ResourceType};
use crate::model::inventory::{Inventory, ReadState};
use crate::model::workload::Workload;
use crate::webhook::keys;
use futures::StreamExt;
use std::collections::BTreeSet;

/// Requests that are under way at once.
const AT_ONCE: usize = 8;
/// Single objects that are fetched at most: a sweep over a large cluster stays a sweep.
const AT_MOST: usize = 400;
/// What is named may name others: a claim its volume, a location its Secret.
const ROUNDS: usize = 3;

/// One object, or all of a kind, that something names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    resource: &'static ResourceType,
    namespace: Option<String>,
    name: Option<String>,
}

impl Wanted {
    fn one(resource: &'static ResourceType, namespace: &str, name: &str) -> Self {
        let namespace = resource.namespaced.then(|| namespace.to_owned());
        Self { resource, namespace, name: Some(name.to_owned()) }
    }

    fn all(resource: &'static ResourceType, namespace: Option<&str>) -> Self {
        Self { resource, namespace: namespace.filter(|_| resource.namespaced).map(str::to_owned), name: None }
    }

    fn key(&self) -> (&str, Option<&str>, Option<&str>) {
        (&self.resource.kind, self.namespace.as_deref(), self.name.as_deref())
    }

    fn is_known(&self, inventory: &Inventory) -> bool {
        let (kind, namespace) = (&*self.resource.kind, self.namespace.as_deref());
        match &self.name {
            Some(name) if kind == "Secret" => {
                let fact = inventory.secret(namespace.unwrap_or_default(), name);
                fact.known().is_some() || inventory.was_looked_for(kind, namespace, name)
            }
            Some(name) => {
                inventory.other(kind, namespace, name).known().is_some()
                    || inventory.was_looked_for(kind, namespace, name)
            }
            None => inventory.was_read(kind, namespace),
        }
    }

    async fn read(self, reading: &Reading<'_>) -> Kind {
        let namespace = self.namespace.as_deref();
        match &self.name {
            Some(name) => reading.value(self.resource, namespace, name).await,
            None => reading.values(self.resource, namespace, None).await,
        }
    }
}

/// Reads what the workloads of the inventory name.
pub(super) async fn read(reading: &Reading<'_>, request: &Request, inventory: &mut Inventory, cluster: &Cluster) {
    let mut fetched = 0;
    for _ in 0..ROUNDS {
        let mut wanted = wanted(reading, request, inventory, cluster);
        wanted.retain(|wanted| !wanted.is_known(inventory));
        let over = wanted.split_off(wanted.len().min(AT_MOST - fetched));
        for left in &over {
            let why = format!("not read: more than {AT_MOST} objects are named");
            if let (kind, namespace, Some(name)) = left.key() {
                inventory.note_looked_for(kind, namespace, name, ReadState::Failed(why));
            }
        }
        if wanted.is_empty() {
            return;
        }
        fetched += wanted.len();
        let reads = wanted.into_iter().map(|wanted| wanted.read(reading));
        Kinds(futures::stream::iter(reads).buffer_unordered(AT_ONCE).collect().await).add_to(inventory);
    }
}

/// What is named, each once.
fn wanted(reading: &Reading<'_>, request: &Request, inventory: &Inventory, cluster: &Cluster) -> Vec<Wanted> {
    let named: BTreeSet<_> = if reading.detailed {
        let targets = select(inventory, &request.selection).unwrap_or_default();
        targets.into_iter().map(|target| target.object().clone()).collect()
    } else {
        BTreeSet::new()
    };
    let mut all: Vec<Wanted> = Vec::new();
    for workload in top_level(inventory) {
        let chain = Chain::new(Target::Workload(workload), inventory, cluster);
        let of = Of {
            chain: &chain,
            workload,
            // The others of its namespace are read for what they share with it.
            is_named: named.contains(&workload.meta.object),
            is_sweep: request.namespace().is_none(),
        };
        of.configuration(&mut all);
        of.volumes(&mut all);
        of.bindings(&mut all);
    }
    all.retain(|wanted| reading.secrets || wanted.resource.kind != "Secret");
    let mut seen = BTreeSet::new();
    all.retain(|wanted| seen.insert(format!("{:?}", wanted.key())));
    all
}

/// One workload, and what is known of it so far.
struct Of<'c, 'a> {
    chain: &'c Chain<'a>,
    workload: &'a Workload,
    is_named: bool,
    is_sweep: bool,
}

impl Of<'_, '_> {
    fn namespace(&self) -> &str {
        self.workload.meta.namespace()
    }

    /// The `ConfigMaps` and Secrets that its application is configured by, and those that variables come from.
    fn configuration(&self, all: &mut Vec<Wanted>) {
        for part in self.chain.peek_applications() {
            let secrets = part.application.secrets(part);
            all.extend(secrets.iter().map(|(namespace, name)| Wanted::one(&kinds::SECRET, namespace, name)));
            let maps = part.application.config_maps(part);
            all.extend(maps.iter().map(|(namespace, name)| Wanted::one(&kinds::CONFIG_MAP, namespace, name)));
        }
        // What a whole object is taken from may hold anything: it is looked into for what is meant for identity, or named.
        let broadly = self.is_named || self.chain.is_meant();
        for source in config::sources_of_variables(&self.workload.template.spec) {
            if source.says_identity || broadly && source.is_whole {
                let resource = if source.secret { &kinds::SECRET } else { &kinds::CONFIG_MAP };
                all.push(Wanted::one(resource, self.namespace(), source.name));
            }
        }
    }

    /// The CSI drivers of its volumes; for what is not a sweep also the volumes behind its claims.
    fn volumes(&self, all: &mut Vec<Wanted>) {
        let inventory = self.chain.peek_inventory();
        for volume in &self.workload.template.spec.volumes {
            if let Some(csi) = &volume.csi {
                all.push(Wanted::one(&kinds::CSI_DRIVER, "", &csi.driver));
            }
            let Some(claim) = volume.persistent_volume_claim.as_ref().filter(|_| !self.is_sweep) else { continue };
            all.push(Wanted::one(&kinds::PERSISTENT_VOLUME_CLAIM, self.namespace(), &claim.claim_name));
            let claim = inventory.other("PersistentVolumeClaim", Some(self.namespace()), &claim.claim_name);
            let Some(claim) = claim.known() else { continue };
            if let Some(bound) = apps::custom::filled(claim, "/spec/volumeName") {
                all.push(Wanted::one(&kinds::PERSISTENT_VOLUME, "", bound));
                let volume = inventory.other("PersistentVolume", None, bound);
                let driver = volume.known().and_then(|volume| apps::custom::filled(volume, "/spec/csi/driver"));
                all.extend(driver.map(|driver| Wanted::one(&kinds::CSI_DRIVER, "", driver)));
            } else if let Some(class) = apps::custom::filled(claim, "/spec/storageClassName") {
                all.push(Wanted::one(&kinds::STORAGE_CLASS, "", class));
            }
        }
    }

    /// Bindings of the account, where the workload goes without the API's token, or has an identity bound to it.
    fn bindings(&self, all: &mut Vec<Wanted>) {
        if !self.chain.is_meant() {
            return;
        }
        let account = self.chain.peek_account();
        let own = self.workload.template.spec.automount_service_account_token;
        let without_token = own.or(account.and_then(|account| account.automount)) == Some(false);
        let annotations = self.workload.template.metadata.annotations.iter().flatten();
        let bound = annotations.into_iter().any(|(key, _)| key.starts_with(keys::CUSTOM_ENDPOINT_PREFIX));
        if without_token || bound {
            let scope = if self.is_sweep { None } else { Some(self.namespace()) };
            all.push(Wanted::all(&kinds::ROLE_BINDING, scope));
            all.push(Wanted::all(&kinds::CLUSTER_ROLE_BINDING, None));
        }
        if bound {
            all.push(Wanted::all(&kinds::CLUSTER_ROLE, None));
        }
    }
}
