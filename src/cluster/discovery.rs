//! The kinds that a cluster serves, for a TYPE that is not built in: custom resources above all.

use super::client::{Call, Client};
use super::error::Error;
use super::operation::Operation;
use super::resource::{self, ResourceType};
use crate::model::nearest::nearest;
use futures::StreamExt;
use serde::Deserialize;
use std::borrow::Cow;

/// What a cluster serves, in the order in which a name is looked for.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// All kinds, in all versions; a group's preferred version first.
    pub resources: Vec<ResourceType>,
    /// Groups whose kinds could not be read (an aggregated API server that is down), so that "not there" is not certain.
    pub unavailable: Vec<String>,
}

/// What a TYPE on the command line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeLookup {
    /// This kind.
    Found(ResourceType),
    /// No kind of that name.
    Unknown {
        /// The name that was most likely meant.
        nearest: Option<String>,
        /// Groups whose kinds could not be read.
        unavailable: Vec<String>,
    },
}

impl Discovery {
    /// The kind that a person means by `word`, as [`ResourceType::answers_to`].
    pub fn find(&self, word: &str) -> Option<&ResourceType> {
        self.resources.iter().find(|resource| resource.answers_to(word))
    }

    /// The name that a misspelt word was most likely meant to be.
    pub fn suggest(&self, word: &str) -> Option<&str> {
        nearest(word, self.resources.iter().flat_map(ResourceType::names))
    }
}

/// Aggregated discovery (Kubernetes 1.26, stable in 1.30), else the older lists.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

impl Client {
    /// Finds out what a TYPE means. The cluster is only asked about names that are not built in.
    pub async fn look_up_type(&self, word: &str) -> Result<TypeLookup, Error> {
        if let Some(built_in) = resource::find(word) {
            return Ok(TypeLookup::Found(built_in.clone()));
        }
        let discovery = self.discover().await?;
        Ok(match discovery.find(word) {
            Some(found) => TypeLookup::Found(found.clone()),
            None => TypeLookup::Unknown {
                nearest: discovery.suggest(word).map(str::to_owned),
                unavailable: discovery.unavailable,
            },
        })
    }

    /// Reads which kinds the cluster serves: two requests, or one for each group and version of an old API server.
    pub async fn discover(&self) -> Result<Discovery, Error> {
        let (core, groups) =
            futures::future::join(self.discovery_document("/api"), self.discovery_document("/apis")).await;
        let mut discovery = Discovery::default();
        let mut to_read = Vec::new();
        for document in [core?, groups?] {
            document.collect(&mut discovery, &mut to_read);
        }
        self.read_groups(to_read, &mut discovery).await;
        Ok(discovery)
    }

    /// Reads which kinds of some API groups the cluster serves: one request, or one more for each of these groups and
    /// versions of an old API server. The core group is not among them.
    pub async fn discover_groups(&self, wanted: impl Fn(&str) -> bool) -> Result<Discovery, Error> {
        let mut discovery = Discovery::default();
        let mut to_read = Vec::new();
        self.discovery_document("/apis").await?.collect(&mut discovery, &mut to_read);
        to_read.retain(|group| wanted(group.split('/').next().unwrap_or_default()));
        self.read_groups(to_read, &mut discovery).await;
        discovery.resources.retain(|resource| wanted(&resource.group));
        discovery.unavailable.retain(|group| wanted(group.split('/').next().unwrap_or_default()));
        Ok(discovery)
    }

    async fn read_groups(&self, to_read: Vec<String>, discovery: &mut Discovery) {
        let reads = to_read.into_iter().map(|group| async move {
            let path = if group.contains('/') { format!("/apis/{group}") } else { format!("/api/{group}") };
            let operation = Operation::read_path(&path);
            let list = self.json::<ResourceList>(&Call::get(&operation)).await;
            (group, list)
        });
        let mut lists = futures::stream::iter(reads).buffered(8);
        while let Some((group_version, list)) = lists.next().await {
            match list {
                Ok(list) => discovery.resources.extend(list.into_types(&group_version)),
                Err(_) => discovery.unavailable.push(group_version),
            }
        }
    }

    async fn discovery_document(&self, path: &str) -> Result<Document, Error> {
        let operation = Operation::read_path(path);
        self.json(&Call { accept: AGGREGATED, ..Call::get(&operation) }).await
    }
}

/// `APIGroupDiscoveryList`, `APIGroupList` or `APIVersions`, whichever the API server has.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    items: Vec<GroupDiscovery>,
    groups: Vec<Group>,
    versions: Vec<String>,
}

impl Document {
    /// Adds what it says, or what has to be read for it: group and version, or the version alone for the core group.
    fn collect(self, discovery: &mut Discovery, to_read: &mut Vec<String>) {
        for group in self.items {
            let name = group.metadata.name;
            for version in group.versions {
                if version.freshness.as_deref() == Some("Stale") {
                    discovery.unavailable.push(format!("{name}/{}", version.version));
                }
                for resource in version.resources {
                    discovery.resources.extend(resource.into_type(&name, &version.version));
                }
            }
        }
        for group in self.groups {
            let preferred = group.preferred_version.map(|preferred| preferred.group_version);
            let others = group.versions.into_iter().map(|version| version.group_version);
            let others: Vec<String> = others.filter(|other| Some(other) != preferred.as_ref()).collect();
            to_read.extend(preferred.into_iter().chain(others));
        }
        to_read.extend(self.versions);
    }
}

#[derive(Deserialize)]
struct GroupDiscovery {
    #[serde(default)]
    metadata: GroupName,
    #[serde(default)]
    versions: Vec<VersionDiscovery>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct GroupName {
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct VersionDiscovery {
    version: String,
    freshness: Option<String>,
    resources: Vec<ResourceDiscovery>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ResourceDiscovery {
    resource: String,
    response_kind: ResponseKind,
    scope: String,
    singular_resource: String,
    short_names: Vec<String>,
    verbs: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseKind {
    kind: String,
}

impl ResourceDiscovery {
    fn into_type(self, group: &str, version: &str) -> Option<ResourceType> {
        let names = Names {
            kind: self.response_kind.kind,
            plural: self.resource,
            singular: self.singular_resource,
            short: self.short_names,
        };
        names.into_type(group, version, self.scope == "Namespaced", &self.verbs)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    #[serde(default)]
    versions: Vec<GroupVersion>,
    preferred_version: Option<GroupVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResourceList {
    resources: Vec<ListedResource>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ListedResource {
    name: String,
    singular_name: String,
    namespaced: bool,
    kind: String,
    short_names: Vec<String>,
    verbs: Vec<String>,
}

impl ResourceList {
    fn into_types(self, group_version: &str) -> impl Iterator<Item = ResourceType> {
        let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
        self.resources.into_iter().filter_map(move |listed| {
            let names = Names {
                kind: listed.kind,
                plural: listed.name,
                singular: listed.singular_name,
                short: listed.short_names,
            };
            names.into_type(group, version, listed.namespaced, &listed.verbs)
        })
    }
}

struct Names {
    kind: String,
    plural: String,
    singular: String,
    short: Vec<String>,
}

impl Names {
    /// `None` for subresources, and for what cannot be read (reviews, bindings): nothing there to inspect.
    fn into_type(self, group: &str, version: &str, namespaced: bool, verbs: &[String]) -> Option<ResourceType> {
        if self.plural.is_empty() || self.plural.contains('/') || !verbs.iter().any(|verb| verb == "get") {
            return None;
        }
        let singular = if self.singular.is_empty() { self.kind.to_lowercase() } else { self.singular };
        Some(ResourceType {
            group: Cow::Owned(group.to_owned()),
            version: Cow::Owned(version.to_owned()),
            kind: Cow::Owned(self.kind),
            plural: Cow::Owned(self.plural),
            singular: Cow::Owned(singular),
            short_names: Cow::Owned(self.short.into_iter().map(Cow::Owned).collect()),
            namespaced,
        })
    }
}
