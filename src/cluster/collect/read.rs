//! One kind at a time: bounded by the time that is left, typed where that is enough, with what could not be read.

use super::{Part, Progress};
use crate::cluster::client::Client;
use crate::cluster::error::Error;
use crate::cluster::list::{Consistency, ListQuery};
use crate::cluster::resource::ResourceType;
use crate::model::inventory::{Inventory, ReadState};
use crate::model::object::{ApiMeta, Origin, OwnerReference};
use crate::model::workload::{ApiPod, ApiServiceAccount, ApiWorkload, Pod, ServiceAccount, Workload};
use crate::webhook::{fields, keys};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How everything is read.
pub(super) struct Reading<'a> {
    pub(super) client: &'a Client,
    pub(super) deadline: Instant,
    pub(super) within: Duration,
    pub(super) consistency: Consistency,
    pub(super) detailed: bool,
    /// Whether Secrets may be fetched.
    pub(super) secrets: bool,
    pub(super) progress: &'a Progress,
}

/// What was read of one kind.
pub(super) enum Items {
    Workloads(Vec<Workload>),
    Pods(Vec<Pod>),
    Accounts(Vec<ServiceAccount>),
    Owners(Vec<(String, String, OwnerReference)>),
    Values(Vec<Value>),
}

/// A kind that was read, or could not be.
pub(super) struct Kind {
    pub(super) part: Part,
    pub(super) items: Items,
}

/// The objects of a list that could be read, and what is wrong with the others.
struct Folded<T> {
    items: Vec<T>,
    unreadable: Vec<String>,
}

/// Several kinds.
#[derive(Default)]
pub(super) struct Kinds(pub(super) Vec<Kind>);

impl Kinds {
    /// Adds everything to the inventory, with how far it was read.
    pub(super) fn add_to(self, inventory: &mut Inventory) {
        for Kind { part, items } in self.0 {
            let (kind, namespace) = (part.kind.as_str(), part.namespace.as_deref());
            match &part.name {
                Some(name) => inventory.note_looked_for(kind, namespace, name, part.state),
                None => inventory.note_read(kind, namespace, part.state),
            }
            match items {
                Items::Workloads(all) => all.into_iter().for_each(|workload| inventory.add_workload(workload)),
                Items::Pods(all) => all.into_iter().for_each(|pod| inventory.add_live_pod(pod)),
                Items::Accounts(all) => all.into_iter().for_each(|account| inventory.add_account(account)),
                Items::Owners(all) => {
                    for (namespace, name, owner) in all {
                        inventory.add_owner(&part.kind, &namespace, &name, owner);
                    }
                }
                Items::Values(all) => {
                    for value in all {
                        // An object that does not fit its kind is left out like one that is not there.
                        let _ = inventory.add_value(value, Origin::Cluster, "");
                    }
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct MetadataOnly {
    #[serde(default)]
    metadata: ApiMeta,
}

impl Reading<'_> {
    /// The outcome of a call, or a timeout when the time for all of them is up.
    pub(super) async fn bounded<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match tokio::time::timeout_at(self.deadline, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::OutOfTime { within: self.within }),
        }
    }

    fn query<'q>(&self, resource: &'q ResourceType, namespace: Option<&str>) -> ListQuery<'q> {
        ListQuery::all(resource).in_scope(namespace.filter(|_| resource.namespaced)).consistency(self.consistency)
    }

    async fn fold<T: serde::de::DeserializeOwned, U>(
        &self,
        query: &ListQuery<'_>,
        make: impl Fn(T) -> Option<U>,
    ) -> Result<Folded<U>, Error> {
        let step = |all: &mut Vec<U>, item: T| {
            all.extend(make(item));
            self.progress.count();
        };
        let listed = self.bounded(self.client.fold(query, Vec::new, step)).await?;
        Ok(Folded { items: listed.value, unreadable: listed.unreadable })
    }

    /// Reads pod templates of a kind.
    pub(super) async fn workloads(&self, resource: &ResourceType, namespace: Option<&str>) -> Kind {
        if self.detailed {
            self.values(resource, namespace, None).await
        } else {
            self.templates(resource, namespace).await
        }
    }

    /// Reads pod templates of a kind, and no more of its objects.
    pub(super) async fn templates(&self, resource: &ResourceType, namespace: Option<&str>) -> Kind {
        let (api_version, kind) = (resource.api_version(), &*resource.kind);
        let step = |all: &mut Vec<Workload>, item: &[u8]| {
            let workload: ApiWorkload = serde_json::from_slice(item)?;
            let mut workload = workload.into_workload(&api_version, kind, Origin::Cluster);
            // The narrow view drops what the webhook would drop too. Only what is labelled is sent to it: that is
            // looked at as a whole, one object at a time.
            if workload.template.metadata.label(keys::USE_LABEL).is_some() {
                let whole: Value = serde_json::from_slice(item)?;
                workload.newer_fields =
                    whole.pointer(workload.template_pointer()).map(fields::newer).unwrap_or_default();
            }
            all.push(workload);
            self.progress.count();
            Ok(())
        };
        let listed = self.bounded(self.client.fold_texts(&self.query(resource, namespace), Vec::new, step)).await;
        let folded = listed.map(|listed| Folded { items: listed.value, unreadable: listed.unreadable });
        kind_of(resource, namespace, folded, Items::Workloads)
    }

    /// Reads who controls the objects of a kind, and nothing else of them.
    pub(super) async fn owners(&self, resource: &ResourceType, namespace: Option<&str>) -> Kind {
        let query = self.query(resource, namespace).metadata_only();
        let make = |object: MetadataOnly| {
            let meta = object.metadata.into_meta("", &resource.kind, Origin::Cluster);
            let owner = meta.controller()?.clone();
            Some((meta.object.namespace.unwrap_or_default(), meta.object.name, owner))
        };
        kind_of(resource, namespace, self.fold(&query, make).await, Items::Owners)
    }

    /// Reads service accounts.
    pub(super) async fn accounts(&self, namespace: Option<&str>) -> Kind {
        let resource = &crate::cluster::resource::SERVICE_ACCOUNT;
        let make = |account: ApiServiceAccount| Some(account.into_account(Origin::Cluster));
        kind_of(resource, namespace, self.fold(&self.query(resource, namespace), make).await, Items::Accounts)
    }

    /// Reads the pods that a label or field selector matches, and keeps some of them.
    pub(super) async fn pods(
        &self,
        namespace: Option<&str>,
        labels: Option<&str>,
        fields: Option<&str>,
        keeps: impl Fn(&Pod) -> bool,
    ) -> Kind {
        let resource = &crate::cluster::resource::POD;
        let mut query = self.query(resource, namespace);
        if let Some(labels) = labels {
            query = query.labels(labels);
        }
        if let Some(fields) = fields {
            query = query.fields(fields);
        }
        let make = |pod: ApiPod| Some(pod.into_pod(Origin::Cluster)).filter(&keeps);
        kind_of(resource, namespace, self.fold(&query, make).await, Items::Pods)
    }

    /// Reads whole objects of a kind.
    pub(super) async fn values(&self, resource: &ResourceType, namespace: Option<&str>, fields: Option<&str>) -> Kind {
        let mut query = self.query(resource, namespace);
        if let Some(fields) = fields {
            query = query.fields(fields);
        }
        let make = |value: Value| Some(typed(value, resource));
        kind_of(resource, namespace, self.fold(&query, make).await, Items::Values)
    }

    /// Reads the objects of a kind that a label selector matches.
    pub(super) async fn labelled(&self, resource: &ResourceType, namespace: Option<&str>, labels: &str) -> Kind {
        let query = self.query(resource, namespace).labels(labels);
        let make = |value: Value| Some(typed(value, resource));
        kind_of(resource, namespace, self.fold(&query, make).await, Items::Values)
    }

    /// Reads objects without what only says who wrote them; of very many, the newest.
    pub(super) async fn resources(&self, resource: &ResourceType, namespace: Option<&str>) -> Kind {
        let step = |all: &mut Vec<Value>, item: Value| {
            all.push(bare(typed(item, resource)));
            self.progress.count();
            if all.len() >= 2 * KEPT {
                keep_newest(all);
            }
        };
        let query = self.query(resource, namespace);
        let listed = self.bounded(self.client.fold(&query, Vec::new, step)).await;
        let folded = listed.map(|listed| Folded { items: listed.value, unreadable: listed.unreadable });
        kind_of(resource, namespace, folded, Items::Values)
    }

    /// Reads one object.
    pub(super) async fn value(&self, resource: &ResourceType, namespace: Option<&str>, name: &str) -> Kind {
        let namespace = namespace.filter(|_| resource.namespaced);
        let got = self.bounded(self.client.get::<Value>(resource, namespace, name)).await;
        let got = got.map(|value| Folded { items: vec![bare(typed(value, resource))], unreadable: Vec::new() });
        self.progress.count();
        let mut kind = kind_of(resource, namespace, got, Items::Values);
        kind.part.name = Some(name.to_owned());
        kind
    }
}

/// Of a kind that has more objects than this, such as the backups of years, the newest are kept.
const KEPT: usize = 1000;

fn keep_newest(all: &mut Vec<Value>) {
    let created = |value: &Value| {
        value.pointer("/metadata/creationTimestamp").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    all.sort_by_cached_key(|value| std::cmp::Reverse(created(value)));
    all.truncate(KEPT);
}

/// Without managed fields and kubectl's copy, which are half of many objects.
fn bare(mut value: Value) -> Value {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    value
}

/// Items of a list carry neither `apiVersion` nor `kind`.
fn typed(mut value: Value, resource: &ResourceType) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.entry("apiVersion").or_insert_with(|| resource.api_version().into());
        object.entry("kind").or_insert_with(|| resource.kind.clone().into());
    }
    value
}

fn kind_of<T>(
    resource: &ResourceType,
    namespace: Option<&str>,
    outcome: Result<Folded<T>, Error>,
    wrap: impl Fn(Vec<T>) -> Items,
) -> Kind {
    let (state, items) = match outcome {
        // What cannot be read is not absent: the kind as a whole is not known.
        Ok(Folded { items, unreadable }) => match unreadable.first() {
            None => (ReadState::Complete, items),
            Some(first) => (ReadState::Failed(first.clone()), items),
        },
        Err(Error::Denied { denied, .. }) => (ReadState::Denied(denied), Vec::new()),
        Err(error) if error.is_absent() => (ReadState::Complete, Vec::new()),
        Err(error) => (ReadState::Failed(error.to_string()), Vec::new()),
    };
    let namespace = namespace.filter(|_| resource.namespaced).map(str::to_owned);
    Kind { part: Part { kind: resource.kind.to_string(), namespace, name: None, state }, items: wrap(items) }
}
