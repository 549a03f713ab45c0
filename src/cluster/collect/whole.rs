//! Single objects, whole: for what has to be merged with a manifest, or made into a pod.

use super::Progress;
use super::read::{Items, Reading};
use crate::cluster::client::Client;
use crate::cluster::list::Consistency;
use crate::cluster::resource as kinds;
use crate::model::fact::Fact;
use crate::model::inventory::ReadState;
use crate::model::object::ObjectRef;
use futures::StreamExt;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// Requests that are under way at once.
const AT_ONCE: usize = 8;
/// With more objects of a kind in one namespace than this, one list of all costs less than a request for each.
const MANY: usize = 10;

/// Reads workloads and accounts as they are in the cluster: `Absent` for those that are not there. Objects of other
/// kinds are left out. Lists by name, so that the right to list, which everything else needs, is enough.
pub async fn whole(
    client: &Client,
    objects: &[ObjectRef],
    within: Duration,
    progress: &Progress,
) -> BTreeMap<ObjectRef, Fact<Value>> {
    let reading = Reading {
        client,
        deadline: Instant::now() + within,
        within,
        consistency: Consistency::Consistent,
        detailed: true,
        secrets: false,
        progress,
    };
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&ObjectRef>> = BTreeMap::new();
    for object in objects {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        groups.entry((&object.api_version, &object.kind, namespace)).or_default().push(object);
    }
    let mut requests = Vec::new();
    for ((api_version, kind, namespace), wanted) in groups {
        let Some(resource) = kinds::of_kind(api_version, kind) else { continue };
        if wanted.len() > MANY {
            requests.push((resource, namespace, None, wanted));
        } else {
            requests.extend(
                wanted
                    .into_iter()
                    .map(|object| (resource, namespace, Some(format!("metadata.name={}", object.name)), vec![object])),
            );
        }
    }
    let reading = &reading;
    let answers = futures::stream::iter(requests).map(|(resource, namespace, fields, wanted)| async move {
        (reading.values(resource, Some(namespace), fields.as_deref()).await, wanted)
    });
    let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
    let mut found = BTreeMap::new();
    for (kind, wanted) in answers {
        let Items::Values(values) = kind.items else { continue };
        let mut by_name: HashMap<String, Value> = values
            .into_iter()
            .filter_map(|value| Some((value.pointer("/metadata/name")?.as_str()?.to_owned(), value)))
            .collect();
        for object in wanted {
            let fact = match (by_name.remove(&object.name), &kind.part.state) {
                (Some(value), _) => Fact::Known(value),
                (None, ReadState::Complete) => Fact::Absent,
                (None, ReadState::Denied(denied)) => Fact::Denied(denied.clone()),
                (None, ReadState::Failed(why)) => Fact::Failed(why.clone()),
            };
            found.insert(object.clone(), fact);
        }
    }
    found
}
