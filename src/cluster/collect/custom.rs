//! Custom resources that configure identity, where the cluster serves them: one look at its discovery document instead
//! of a request for each kind that may not be there.

use super::Part;
use super::read::{Items, Kind, Kinds, Reading};
use super::sweep;
use crate::apps::{self, Application};
use crate::azure::declared;
use crate::chain::select::{Item, Selection, top_level};
use crate::cluster::resource::{self as kinds, ResourceType};
use crate::cluster::{Discovery, Error};
use crate::model::inventory::{Inventory, ReadState, regular_plural};
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};

/// Requests that are under way at once.
const AT_ONCE: usize = 8;

/// Group and kind of custom resources that no application of [`apps`] is configured by, and that identity depends on.
const OTHERS: &[(&str, &str)] = &[
    ("aadpodidentity.k8s.io", "AzureIdentity"),
    ("aadpodidentity.k8s.io", "AzureIdentityBinding"),
    ("aadpodidentity.k8s.io", "AzureAssignedIdentity"),
    ("aadpodidentity.k8s.io", "AzurePodIdentityException"),
    ("dapr.io", "Component"),
];

/// Group and plural of all custom resources that are read where they are served, each once.
pub(super) fn groups_and_plurals() -> BTreeSet<(&'static str, String)> {
    let kinds = apps::resources().chain(OTHERS.iter().copied());
    let declared = declared::KINDS.iter().map(|(group, plural)| (*group, (*plural).to_owned()));
    kinds.map(|(group, kind)| (group, regular_plural(kind))).chain(declared).collect()
}

/// The kinds of interest that the cluster serves, each in its preferred version.
#[derive(Default)]
pub(super) struct Served(Vec<ResourceType>);

impl Served {
    /// The kinds that an application is configured by.
    fn of<'a>(&'a self, application: &'a dyn Application) -> impl Iterator<Item = &'a ResourceType> {
        let own = application.resources();
        self.0
            .iter()
            .filter(move |served| own.iter().any(|(group, kind)| served.group == *group && served.kind == *kind))
    }
}

/// Reads the custom resources of a namespace, or of all of them together with those that belong to none.
pub(super) async fn read(reading: &Reading<'_>, namespace: Option<&str>, selection: &Selection) -> (Served, Kinds) {
    let wanted = groups_and_plurals();
    let named: Vec<&str> = selection
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Object { kind, .. } if kinds::BUILT_IN.iter().all(|known| known.kind != *kind) => Some(kind.as_str()),
            _ => None,
        })
        .collect();
    let is_wanted = |resource: &ResourceType| {
        named.contains(&&*resource.kind)
            || wanted.iter().any(|(group, plural)| resource.group == *group && resource.plural == *plural)
    };
    // A kind that was named may be in any group.
    let in_group = |group: &str| !named.is_empty() || wanted.iter().any(|(known, _)| *known == group);
    let discovery = reading.bounded(reading.client.discover_groups(in_group)).await;
    let discovery = match discovery {
        Ok(discovery) => discovery,
        Err(error) => return (Served::default(), undiscovered(&error)),
    };
    let served = preferred(&discovery, is_wanted);
    let here =
        |resource: &&ResourceType| namespace.is_none() || resource.namespaced || named.contains(&&*resource.kind);
    let lists = served.0.iter().filter(here).map(|resource| reading.resources(resource, namespace));
    let mut read: Vec<Kind> = futures::stream::iter(lists).buffer_unordered(AT_ONCE).collect().await;
    read.extend(absent(&served, &discovery));
    (served, worst_last(read))
}

/// The kinds of interest, each group's in its first version, which is the preferred one.
fn preferred(discovery: &Discovery, is_wanted: impl Fn(&ResourceType) -> bool) -> Served {
    let mut found: Vec<ResourceType> = Vec::new();
    for resource in discovery.resources.iter().filter(|resource| is_wanted(resource)) {
        if !found.iter().any(|other| other.group == resource.group && other.kind == resource.kind) {
            found.push(resource.clone());
        }
    }
    Served(found)
}

/// What is not served does not exist; where its group could not be read, that is not known.
fn absent(served: &Served, discovery: &Discovery) -> Vec<Kind> {
    let missing = apps::resources()
        .chain(OTHERS.iter().copied())
        .filter(|(group, kind)| !served.0.iter().any(|resource| resource.group == *group && resource.kind == *kind));
    missing
        .map(|(group, kind)| {
            let down = discovery.unavailable.iter().any(|other| other.split('/').next() == Some(group));
            let why = || ReadState::Failed(format!("the kinds of {group} cannot be told: its API server is down"));
            nothing(kind, if down { why() } else { ReadState::Complete })
        })
        .collect()
}

fn undiscovered(error: &Error) -> Kinds {
    let state = match error {
        Error::Denied { denied, .. } => ReadState::Denied(denied.clone()),
        error => ReadState::Failed(error.to_string()),
    };
    let kinds: BTreeSet<&str> = apps::resources().chain(OTHERS.iter().copied()).map(|(_, kind)| kind).collect();
    Kinds(kinds.into_iter().map(|kind| nothing(kind, state.clone())).collect())
}

fn nothing(kind: &str, state: ReadState) -> Kind {
    Kind { part: Part { kind: kind.to_owned(), namespace: None, name: None, state }, items: Items::Values(Vec::new()) }
}

/// Two groups may have a kind of the same name: what could not be read of one of them is said of both.
fn worst_last(mut read: Vec<Kind>) -> Kinds {
    read.sort_by_key(|kind| kind.part.state != ReadState::Complete);
    Kinds(read)
}

/// Reads the namespaces of the operators whose custom resources were named, where these serve other namespaces than
/// their own. The names of these namespaces come back.
pub(super) async fn read_operators(
    reading: &Reading<'_>,
    selection: &Selection,
    inventory: &mut Inventory,
) -> impl Iterator<Item = String> + use<> {
    let named = |kind: &str| {
        selection.items.iter().any(|item| matches!(item, Item::Object { kind: named, .. } if named == kind))
    };
    let mut alone: BTreeMap<&str, &'static dyn Application> = BTreeMap::new();
    for other in inventory.others().iter().filter(|other| named(&other.meta.object.kind)) {
        if let Some(application) = apps::of_resource(&other.meta.object)
            && application.serves_all_namespaces()
            && application.users(other, inventory).is_empty()
        {
            alone.insert(application.name(), application);
        }
    }
    let mut namespaces = BTreeSet::new();
    if !alone.is_empty() {
        let mut deployments = reading.templates(&kinds::DEPLOYMENT, None).await;
        if let Items::Workloads(workloads) = &mut deployments.items {
            workloads.retain(|workload| alone.values().any(|application| apps::is_part(workload, *application)));
            namespaces.extend(workloads.iter().map(|workload| workload.meta.namespace().to_owned()));
        }
        // Only some of them are kept: what is not here is not absent.
        if deployments.part.state != ReadState::Complete {
            inventory.note_read(&deployments.part.kind, None, deployments.part.state);
        }
        let sweeps = namespaces.iter().map(|namespace| sweep::read(reading, Some(namespace)));
        for read in futures::future::join_all(sweeps).await {
            read.add_to(inventory);
        }
    }
    namespaces.into_iter()
}

/// Reads what applications that are in these namespaces are configured by elsewhere: resources that belong to no
/// namespace, and those of all namespaces where an operator serves them.
pub(super) async fn read_beyond(
    reading: &Reading<'_>,
    served: &Served,
    namespaces: &[Option<String>],
    inventory: &mut Inventory,
) {
    let mut wanted: Vec<&ResourceType> = Vec::new();
    for application in apps::APPLICATIONS {
        let is_here = |namespace: &str| namespaces.iter().flatten().any(|here| here == namespace);
        let runs = top_level(inventory)
            .any(|workload| is_here(workload.meta.namespace()) && apps::is_part(workload, *application));
        let configured = inventory
            .others()
            .iter()
            .any(|other| apps::of_resource(&other.meta.object).is_some_and(|of| of.name() == application.name()));
        for resource in served.of(*application) {
            let everywhere = runs && application.serves_all_namespaces();
            if everywhere || !resource.namespaced && (runs || configured) {
                wanted.push(resource);
            }
        }
    }
    let lists = wanted.into_iter().map(|resource| reading.resources(resource, None));
    let read: Vec<Kind> = futures::stream::iter(lists).buffer_unordered(AT_ONCE).collect().await;
    worst_last(read).add_to(inventory);
}
