//! All objects that were read, and what is known of those that were not found.

use super::event::{ApiEvent, Event};
use super::fact::{Denied, Fact};
use super::log::Log;
use super::object::{ApiMeta, Meta, ObjectRef, Origin, OwnerReference};
use super::secret::Secret;
use super::workload::{ApiPod, ApiServiceAccount, ApiWorkload, Pod, ServiceAccount, WORKLOAD_KINDS, Workload};
use crate::webhook::fields;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// An object of a kind that has no type of its own here.
#[derive(Debug, Clone)]
pub struct RawObject {
    /// `metadata`
    pub meta: Meta,
    /// The whole object.
    pub value: Value,
}

/// How far a kind was read in a namespace, or in the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadState {
    /// All of it: what is not there is absent.
    Complete,
    /// The user may not.
    Denied(Denied),
    /// It did not work.
    Failed(String),
}

impl ReadState {
    /// What is known of an object that is not here.
    pub fn missing<T>(&self) -> Fact<T> {
        match self {
            Self::Complete => Fact::Absent,
            Self::Denied(denied) => Fact::Denied(denied.clone()),
            Self::Failed(reason) => Fact::Failed(reason.clone()),
        }
    }
}

/// Namespace, kind and name.
type Key = (String, String, String);

/// The objects of one inspection.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    accounts: BTreeMap<(String, String), ServiceAccount>,
    secrets: BTreeMap<(String, String), Secret>,
    workloads: Vec<Workload>,
    pods: Vec<Pod>,
    others: Vec<RawObject>,
    events: Vec<Event>,
    logs: HashMap<Key, Vec<Log>>,
    reads: HashMap<(String, Option<String>), ReadState>,
    looked_for: HashMap<ObjectRef, ReadState>,
    everything: bool,
    workload_index: HashMap<ObjectRef, usize>,
    pods_by_controller: HashMap<Key, Vec<usize>>,
    pods_by_account: HashMap<(String, String), Vec<usize>>,
    others_index: HashMap<ObjectRef, usize>,
    events_by_object: HashMap<Key, Vec<usize>>,
    children_index: HashMap<Key, Vec<usize>>,
    workloads_by_account: HashMap<(String, String), Vec<usize>>,
    owners: HashMap<Key, OwnerReference>,
    controlled: HashMap<Key, Vec<Key>>,
}

impl Inventory {
    /// Says that what is not here does not exist: the objects are the cluster.
    pub fn set_everything(&mut self) {
        self.everything = true;
    }

    /// Notes how far a kind was read; `namespace` is `None` for the whole cluster.
    pub fn note_read(&mut self, kind: &str, namespace: Option<&str>, state: ReadState) {
        self.reads.insert((kind.to_owned(), namespace.map(str::to_owned)), state);
    }

    /// Notes what came of asking for one object by its name; `Complete` where it is here, or is not there.
    pub fn note_looked_for(&mut self, kind: &str, namespace: Option<&str>, name: &str, state: ReadState) {
        self.looked_for.insert(ObjectRef::new("", kind, namespace, name), state);
    }

    /// Whether an object was asked for by its name, whatever came of it.
    pub fn was_looked_for(&self, kind: &str, namespace: Option<&str>, name: &str) -> bool {
        self.looked_for.contains_key(&ObjectRef::new("", kind, namespace, name))
    }

    /// Whether a kind was asked for in a namespace, or in all of them, whatever came of it.
    pub fn was_read(&self, kind: &str, namespace: Option<&str>) -> bool {
        self.reads.contains_key(&(kind.to_owned(), namespace.map(str::to_owned)))
    }

    /// What could not be read: kind, namespace, the name where one object was asked for, and why; in order.
    pub fn unread(&self) -> Vec<(&str, Option<&str>, Option<&str>, &ReadState)> {
        let kinds = self.reads.iter().map(|((kind, ns), state)| (kind.as_str(), ns.as_deref(), None, state));
        let objects = self.looked_for.iter().map(|(object, state)| {
            (object.kind.as_str(), object.namespace.as_deref(), Some(object.name.as_str()), state)
        });
        let mut all: Vec<_> = kinds.chain(objects).filter(|(.., state)| **state != ReadState::Complete).collect();
        all.sort_unstable_by_key(|(kind, namespace, name, _)| (*kind, *namespace, *name));
        all
    }

    /// What is known of this object, which is not here.
    fn missing_one<T>(&self, kind: &str, namespace: Option<&str>, name: &str) -> Fact<T> {
        match self.looked_for.get(&ObjectRef::new("", kind, namespace, name)) {
            Some(state) if !self.everything => state.missing(),
            _ => self.missing(kind, namespace),
        }
    }

    /// What is known of an object of this kind that is not here.
    pub fn missing<T>(&self, kind: &str, namespace: Option<&str>) -> Fact<T> {
        if self.everything {
            return Fact::Absent;
        }
        let narrow = namespace.and_then(|ns| self.reads.get(&(kind.to_owned(), Some(ns.to_owned()))));
        match narrow.or_else(|| self.reads.get(&(kind.to_owned(), None))) {
            Some(state) => state.missing(),
            None => Fact::NotAsked,
        }
    }

    /// Reads how far a kind was read: `Known(())` where all of it was.
    pub fn coverage(&self, kind: &str, namespace: Option<&str>) -> Fact<()> {
        match self.missing::<()>(kind, namespace) {
            Fact::Absent => Fact::Known(()),
            other => other,
        }
    }

    /// Whether a kind was listed to its end: unlike [`Inventory::missing`], this does not take the word of
    /// [`Inventory::set_everything`], which says nothing about objects that no manifest holds, such as endpoints.
    pub fn was_listed(&self, kind: &str, namespace: Option<&str>) -> bool {
        let narrow = namespace.and_then(|ns| self.reads.get(&(kind.to_owned(), Some(ns.to_owned()))));
        narrow.or_else(|| self.reads.get(&(kind.to_owned(), None))) == Some(&ReadState::Complete)
    }

    /// Adds an object of the API's JSON, whatever its kind. `namespace` stands in where a namespaced object has none.
    pub fn add_value(&mut self, value: Value, origin: Origin, namespace: &str) -> Result<(), serde_json::Error> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let group = api_version.split('/').next().unwrap_or_default();
        let built_in = matches!(api_version.as_str(), "v1") || matches!(group, "apps" | "batch" | "extensions");
        if built_in && kind == "Pod" {
            let pod = ApiPod::deserialize(&value)?;
            let live = pod.is_live_object();
            let mut pod = pod.into_pod(origin);
            default_namespace(&mut pod.meta, namespace);
            if live && pod.maker().is_some() {
                self.add_pod(pod);
            } else {
                let mut workload = pod.to_workload();
                workload.not_text = not_text(&value, &[""]);
                workload.newer_fields = fields::newer(&value);
                self.add_workload(workload);
                if live {
                    self.add_pod(pod);
                }
            }
        } else if built_in && WORKLOAD_KINDS.iter().any(|(_, known)| *known == kind) {
            let mut workload = ApiWorkload::deserialize(&value)?.into_workload(&api_version, &kind, origin);
            default_namespace(&mut workload.meta, namespace);
            workload.not_text = not_text(&value, &["", workload.template_pointer()]);
            workload.newer_fields = value.pointer(workload.template_pointer()).map(fields::newer).unwrap_or_default();
            self.add_workload(workload);
        } else if built_in && kind == "ServiceAccount" {
            let mut account = ApiServiceAccount::deserialize(&value)?.into_account(origin);
            default_namespace(&mut account.meta, namespace);
            account.not_text = not_text(&value, &[""]);
            self.add_account(account);
        } else if kind == "Secret" {
            let mut secret = Secret::read(value, &api_version, origin)?;
            default_namespace(&mut secret.meta, namespace);
            self.secrets.insert((secret.meta.namespace().to_owned(), secret.meta.name().to_owned()), secret);
        } else if kind == "Event" && (api_version == "v1" || group == "events.k8s.io") {
            let mut event = ApiEvent::deserialize(&value)?.into_event(&api_version, origin);
            default_namespace(&mut event.meta, namespace);
            self.add_event(event);
        } else {
            // Configuration files of tools, such as kubeadm's, have no metadata.
            let metadata = value.get("metadata").map(Option::<ApiMeta>::deserialize).transpose()?.flatten();
            let mut meta = metadata.unwrap_or_default().into_meta(&api_version, &kind, origin);
            if !is_cluster_scoped(&kind) {
                default_namespace(&mut meta, namespace);
            }
            self.add_other(RawObject { meta, value });
        }
        Ok(())
    }

    /// Adds a service account; a later one of the same name replaces the earlier.
    pub fn add_account(&mut self, account: ServiceAccount) {
        self.accounts.insert((account.meta.namespace().to_owned(), account.meta.name().to_owned()), account);
    }

    /// Adds a workload; a later one of the same name replaces the earlier.
    pub fn add_workload(&mut self, workload: Workload) {
        let key = index_key(&workload.meta.object);
        if let Some(&at) = self.workload_index.get(&key) {
            let account = (workload.meta.namespace().to_owned(), workload.account().to_owned());
            let same = self.workloads_by_account.entry(account).or_default();
            if !same.contains(&at) {
                same.push(at);
            }
            self.workloads[at] = workload;
        } else {
            self.workload_index.insert(key, self.workloads.len());
            let account = (workload.meta.namespace().to_owned(), workload.account().to_owned());
            self.workloads_by_account.entry(account).or_default().push(self.workloads.len());
            if let Some(owner) = workload.meta.controller() {
                let key = (workload.meta.namespace().to_owned(), owner.kind.clone(), owner.name.clone());
                self.children_index.entry(key).or_default().push(self.workloads.len());
            }
            self.workloads.push(workload);
        }
    }

    /// Adds a pod that exists; one that is here already stays.
    pub fn add_pod(&mut self, pod: Pod) {
        let at = self.pods.len();
        let namespace = pod.meta.namespace().to_owned();
        let account = (namespace.clone(), pod.spec.account().to_owned());
        let same = |&other: &usize| self.pods[other].meta.object == pod.meta.object;
        if self.pods_by_account.get(&account).is_some_and(|pods| pods.iter().any(same)) {
            return;
        }
        self.pods_by_account.entry(account).or_default().push(at);
        if let Some(owner) = pod.meta.controller() {
            let key = (namespace, owner.kind.clone(), owner.name.clone());
            self.pods_by_controller.entry(key).or_default().push(at);
        }
        self.pods.push(pod);
    }

    /// Adds a pod that exists: one without a controller also stands for itself.
    pub fn add_live_pod(&mut self, pod: Pod) {
        if pod.maker().is_none() {
            self.add_workload(pod.to_workload());
        }
        self.add_pod(pod);
    }

    /// Notes who controls an object of which nothing else is read.
    pub fn add_owner(&mut self, kind: &str, namespace: &str, name: &str, owner: OwnerReference) {
        let child = (namespace.to_owned(), kind.to_owned(), name.to_owned());
        let key = (namespace.to_owned(), owner.kind.clone(), owner.name.clone());
        self.controlled.entry(key).or_default().push(child.clone());
        self.owners.insert(child, owner);
    }

    /// Adds all that another reading has found, with how far it read; of an object that both have, the other's counts.
    pub fn absorb(&mut self, other: Self) {
        self.everything |= other.everything;
        self.reads.extend(other.reads);
        self.looked_for.extend(other.looked_for);
        other.accounts.into_values().for_each(|account| self.add_account(account));
        self.secrets.extend(other.secrets);
        other.workloads.into_iter().for_each(|workload| self.add_workload(workload));
        other.pods.into_iter().for_each(|pod| self.add_pod(pod));
        other.others.into_iter().for_each(|other| self.add_other(other));
        other.events.into_iter().for_each(|event| self.add_event(event));
        for ((namespace, kind, name), owner) in other.owners {
            self.add_owner(&kind, &namespace, &name, owner);
        }
    }

    /// Makes a workload of every controller that is not here although its pods are: a custom resource, or an object
    /// that may not be read. Its pods say what it makes.
    pub fn complete(&mut self) {
        let mut newest: BTreeMap<ObjectRef, usize> = BTreeMap::new();
        for (at, pod) in self.pods.iter().enumerate() {
            let Some(owner) = pod.maker() else { continue };
            let known = |kind: &str, name: &str| self.workload(kind, pod.meta.namespace(), name).is_some();
            let key = (pod.meta.namespace().to_owned(), owner.kind.clone(), owner.name.clone());
            let above = self.owners.get(&key).unwrap_or(owner);
            if known(&owner.kind, &owner.name) || known(&above.kind, &above.name) {
                continue;
            }
            let object = ObjectRef::new(&above.api_version, &above.kind, Some(pod.meta.namespace()), &above.name);
            let best = newest.entry(object).or_insert(at);
            if pod.meta.created > self.pods[*best].meta.created {
                *best = at;
            }
        }
        for (object, at) in newest {
            let pod = &self.pods[at];
            let mut workload = pod.to_workload();
            workload.meta = Meta { object, owners: Vec::new(), ..pod.meta.clone() };
            self.add_workload(workload);
        }
    }

    /// Adds an object of another kind; a later one of the same name replaces the earlier.
    pub fn add_other(&mut self, other: RawObject) {
        let key = index_key(&other.meta.object);
        if let Some(&at) = self.others_index.get(&key) {
            self.others[at] = other;
        } else {
            self.others_index.insert(key, self.others.len());
            self.others.push(other);
        }
    }

    /// Adds an event; a later one of the same name replaces the earlier.
    pub fn add_event(&mut self, event: Event) {
        let key = event_key(&event.about, event.meta.namespace());
        let at = self.events_by_object.entry(key).or_default();
        if let Some(&same) = at.iter().find(|&&other| self.events[other].meta.object == event.meta.object) {
            self.events[same] = event;
        } else {
            at.push(self.events.len());
            self.events.push(event);
        }
    }

    /// Adds what a pod wrote, or a file that is said to be a workload's log.
    pub fn add_log(&mut self, log: Log) {
        let key = event_key(&log.about, log.about.namespace.as_deref().unwrap_or_default());
        self.logs.entry(key).or_default().push(log);
    }

    /// The logs of a pod or a workload.
    pub fn logs_of(&self, object: &ObjectRef) -> &[Log] {
        let key = event_key(object, object.namespace.as_deref().unwrap_or_default());
        self.logs.get(&key).map_or(&[], Vec::as_slice)
    }

    /// All events that are here.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events about an object.
    pub fn events_of(&self, object: &ObjectRef) -> impl Iterator<Item = &Event> {
        let key = event_key(object, object.namespace.as_deref().unwrap_or_default());
        self.events_by_object.get(&key).into_iter().flatten().map(|&at| &self.events[at])
    }

    /// The account of that name. `default` always exists: the API server makes it with the namespace.
    pub fn account(&self, namespace: &str, name: &str) -> Fact<&ServiceAccount> {
        match self.accounts.get(&(namespace.to_owned(), name.to_owned())) {
            Some(account) => Fact::Known(account),
            None => self.missing_one("ServiceAccount", Some(namespace), name),
        }
    }

    /// All accounts of a namespace that are here.
    pub fn accounts_in<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a ServiceAccount> {
        self.accounts.values().filter(move |account| account.meta.namespace() == namespace)
    }

    /// All accounts that are here.
    pub fn accounts(&self) -> impl Iterator<Item = &ServiceAccount> {
        self.accounts.values()
    }

    /// What is known of the Secret of that name; never its values.
    pub fn secret(&self, namespace: &str, name: &str) -> Fact<&Secret> {
        match self.secrets.get(&(namespace.to_owned(), name.to_owned())) {
            Some(secret) => Fact::Known(secret),
            None => self.missing_one("Secret", Some(namespace), name),
        }
    }

    /// All Secrets of a namespace that are here.
    pub fn secrets_in<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Secret> {
        self.secrets.values().filter(move |secret| secret.meta.namespace() == namespace)
    }

    /// All workloads that are here, in the order in which they were read.
    pub fn workloads(&self) -> &[Workload] {
        &self.workloads
    }

    /// The workload of that kind and name.
    pub fn workload(&self, kind: &str, namespace: &str, name: &str) -> Option<&Workload> {
        let key = ObjectRef::new("", kind, Some(namespace), name);
        self.workload_index.get(&key).map(|&at| &self.workloads[at])
    }

    /// The workloads whose pods run as an account.
    pub fn workloads_of_account(&self, namespace: &str, account: &str) -> impl Iterator<Item = &Workload> {
        let key = (namespace.to_owned(), account.to_owned());
        let all = self.workloads_by_account.get(&key).into_iter().flatten().map(|&at| &self.workloads[at]);
        // A workload that was replaced may have run as another account before.
        all.filter(move |workload| workload.account() == key.1)
    }

    /// All pods that are here.
    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// The pods that run as an account.
    pub fn pods_of_account(&self, namespace: &str, account: &str) -> impl Iterator<Item = &Pod> {
        let key = (namespace.to_owned(), account.to_owned());
        self.pods_by_account.get(&key).into_iter().flatten().map(|&at| &self.pods[at])
    }

    /// The pods that a workload made: itself, or through the `ReplicaSets` or Jobs that it controls.
    pub fn pods_of(&self, workload: &Workload) -> Vec<&Pod> {
        let object = &workload.meta.object;
        if workload.is_pod() {
            return self.pods.iter().filter(|pod| pod.meta.object == *object).collect();
        }
        let mut pods = Vec::new();
        let mut owners = vec![(object.kind.clone(), object.name.clone())];
        owners.extend(
            self.children(object).map(|child| (child.meta.object.kind.clone(), child.meta.object.name.clone())),
        );
        let key = (workload.meta.namespace().to_owned(), object.kind.clone(), object.name.clone());
        let noted = self.controlled.get(&key).into_iter().flatten();
        owners.extend(noted.map(|(_, kind, name)| (kind.clone(), name.clone())));
        owners.sort_unstable();
        owners.dedup();
        for (kind, name) in owners {
            let key = (workload.meta.namespace().to_owned(), kind, name);
            pods.extend(self.pods_by_controller.get(&key).into_iter().flatten().map(|&at| &self.pods[at]));
        }
        pods
    }

    /// Says that the pods of a workload run no more: what was changed makes new ones. What events told of the old ones
    /// goes with them.
    pub fn end_pods_of(&mut self, object: &ObjectRef) {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let Some(workload) = self.workload(&object.kind, namespace, &object.name) else { return };
        let ended: Vec<ObjectRef> = self.pods_of(workload).iter().map(|pod| pod.meta.object.clone()).collect();
        for pod in self.pods.iter_mut().filter(|pod| ended.contains(&pod.meta.object)) {
            pod.meta.deleted.get_or_insert(jiff::Timestamp::UNIX_EPOCH);
        }
        let prefix = format!("{}-", object.name);
        let ours = |event: &Event| {
            event.meta.namespace() == namespace
                && (event.about.name == object.name || event.about.name.starts_with(&prefix))
        };
        self.events_by_object.clear();
        for event in std::mem::take(&mut self.events).into_iter().filter(|event| !ours(event)) {
            self.add_event(event);
        }
    }

    /// The workloads that an object controls, such as the `ReplicaSets` of a Deployment.
    pub fn children(&self, object: &ObjectRef) -> impl Iterator<Item = &Workload> {
        let namespace = object.namespace.clone().unwrap_or_default();
        let key = (namespace, object.kind.clone(), object.name.clone());
        self.children_index.get(&key).into_iter().flatten().map(|&at| &self.workloads[at])
    }

    /// Whether nothing was read at all.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
            && self.workloads.is_empty()
            && self.pods.is_empty()
            && self.others.is_empty()
            && self.secrets.is_empty()
            && self.events.is_empty()
    }

    /// The kind of an object here that a word names: by kind, or by its regular plural, in any case.
    pub fn kind_named(&self, word: &str) -> Option<String> {
        let word = word.split('.').next().unwrap_or_default().to_lowercase();
        let kinds = self.others.iter().map(|other| &other.meta.object.kind);
        kinds
            .chain(self.workloads.iter().map(|workload| &workload.meta.object.kind))
            .find(|kind| kind.to_lowercase() == word || regular_plural(kind) == word)
            .cloned()
    }

    /// All objects of other kinds.
    pub fn others(&self) -> &[RawObject] {
        &self.others
    }

    /// The objects of another kind.
    pub fn others_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a RawObject> {
        self.others.iter().filter(move |other| other.meta.object.kind == kind)
    }

    /// The object of another kind and that name.
    pub fn other(&self, kind: &str, namespace: Option<&str>, name: &str) -> Fact<&RawObject> {
        match self.others_index.get(&ObjectRef::new("", kind, namespace, name)) {
            Some(&at) => Fact::Known(&self.others[at]),
            None => self.missing_one(kind, namespace, name),
        }
    }
}

/// The plural that a kind has where its makers did not choose another: `backuprepositories`.
pub fn regular_plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

/// Objects are found by kind, namespace and name; the API version that a manifest uses does not make another object.
fn index_key(object: &ObjectRef) -> ObjectRef {
    ObjectRef { api_version: String::new(), ..object.clone() }
}

/// Events of cluster-scoped objects live in `default`, and name no namespace of their object.
fn event_key(about: &ObjectRef, namespace: &str) -> Key {
    let namespace = about.namespace.as_deref().unwrap_or(namespace);
    (namespace.to_owned(), about.kind.clone(), about.name.clone())
}

fn default_namespace(meta: &mut Meta, namespace: &str) {
    meta.object.namespace.get_or_insert_with(|| namespace.to_owned());
}

/// The cluster-scoped kinds that identity has to do with.
pub fn is_cluster_scoped(kind: &str) -> bool {
    matches!(
        kind,
        "Namespace"
            | "Node"
            | "MutatingWebhookConfiguration"
            | "ValidatingWebhookConfiguration"
            | "ClusterRole"
            | "ClusterRoleBinding"
            | "CustomResourceDefinition"
            | "CSIDriver"
            | "PersistentVolume"
            | "StorageClass"
            | "PriorityClass"
            | "APIService"
            | "ClusterTriggerAuthentication"
            | "ClusterSecretStore"
            | "ClusterExternalSecret"
            | "ClusterPushSecret"
            | "ClusterCloudEventSource"
            | "ClusterIssuer"
            | "InfrastructureDescription"
    )
}

/// JSON pointers of labels and annotations whose value is not a text, below the metadata at the given places.
fn not_text(value: &Value, places: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut places = places.to_vec();
    places.dedup();
    for place in places {
        for map in ["labels", "annotations"] {
            let pointer = format!("{place}/metadata/{map}");
            let Some(entries) = value.pointer(&pointer).and_then(Value::as_object) else { continue };
            found.extend(
                entries
                    .iter()
                    .filter(|(_, value)| !value.is_string())
                    .map(|(key, _)| format!("{pointer}/{}", super::finding::pointer_token(key))),
            );
        }
    }
    found
}
