//! Which object is meant, and where it was read.

use super::StringMap;
use super::pod::{lenient_map, null_as_default};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Names one object of the Kubernetes API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `apiVersion`, such as `apps/v1`.
    pub api_version: String,
    /// `kind`
    pub kind: String,
    /// `metadata.namespace`; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// `metadata.name`
    pub name: String,
}

impl ObjectRef {
    /// A reference from its four parts.
    pub fn new(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// The service account of that name.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::new("v1", "ServiceAccount", Some(namespace), name)
    }

    /// `namespace/name`, or the name alone where there is no namespace.
    pub fn path(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// How kubectl is told about it: `deploy/velero`, `serviceaccount/velero`.
    pub fn argument(&self) -> String {
        let short = match self.kind.as_str() {
            "Deployment" => "deploy",
            "StatefulSet" => "sts",
            "DaemonSet" => "ds",
            "ReplicaSet" => "rs",
            "ReplicationController" => "rc",
            "ServiceAccount" => "sa",
            "Pod" => "pod",
            other => return format!("{}/{}", other.to_lowercase(), self.name),
        };
        format!("{short}/{}", self.name)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path())
    }
}

/// Where an object was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From the API server.
    Cluster,
    /// From a manifest.
    File(FileOrigin),
}

/// A document in a file, enough to find a value in it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOrigin {
    /// The file as the user named it; `<stdin>` for `-`.
    pub file: Arc<str>,
    /// Bytes of the document in the file: start and end.
    pub bytes: (usize, usize),
    /// The line on which the document starts, from 1.
    pub line: usize,
    /// JSON pointer of the object in the document: `/items/2` in a `List`, empty otherwise.
    pub pointer: String,
}

impl Origin {
    /// Whether the API server told of it.
    pub fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster)
    }
}

/// `metadata` of an object.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Which object it is.
    pub object: ObjectRef,
    /// `uid`
    pub uid: Option<String>,
    /// `labels`; `None` where the map is absent.
    pub labels: Option<StringMap>,
    /// `annotations`; `None` where the map is absent.
    pub annotations: Option<StringMap>,
    /// `ownerReferences`
    pub owners: Vec<OwnerReference>,
    /// `creationTimestamp`
    pub created: Option<jiff::Timestamp>,
    /// `deletionTimestamp`
    pub deleted: Option<jiff::Timestamp>,
    /// `generation`
    pub generation: Option<i64>,
    /// `resourceVersion`
    pub resource_version: Option<String>,
    /// `managedFields`
    pub managed_fields: Vec<ManagedField>,
    /// Where it was read.
    pub origin: Origin,
}

impl Meta {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// `namespace`, empty for cluster-scoped objects.
    pub fn namespace(&self) -> &str {
        self.object.namespace.as_deref().unwrap_or_default()
    }

    /// `name`
    pub fn name(&self) -> &str {
        &self.object.name
    }

    /// The owner that controls the object.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owners.iter().find(|owner| owner.controller)
    }
}

/// `metadata` as the API writes it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ApiMeta {
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) name: String,
    pub(crate) generate_name: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) uid: Option<String>,
    #[serde(deserialize_with = "lenient_map")]
    pub(crate) labels: Option<StringMap>,
    #[serde(deserialize_with = "lenient_map")]
    pub(crate) annotations: Option<StringMap>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) owner_references: Vec<OwnerReference>,
    pub(crate) creation_timestamp: Option<String>,
    pub(crate) deletion_timestamp: Option<String>,
    pub(crate) generation: Option<i64>,
    pub(crate) resource_version: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) managed_fields: Vec<ManagedField>,
}

impl ApiMeta {
    /// Completes the metadata with what the list or the file tells of the object.
    pub(crate) fn into_meta(self, api_version: &str, kind: &str, origin: Origin) -> Meta {
        let name = if self.name.is_empty() { self.generate_name.unwrap_or_default() } else { self.name };
        Meta {
            object: ObjectRef {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: self.namespace.filter(|namespace| !namespace.is_empty()),
                name,
            },
            uid: self.uid,
            labels: self.labels,
            annotations: self.annotations,
            owners: self.owner_references,
            created: self.creation_timestamp.and_then(|text| text.parse().ok()),
            deleted: self.deletion_timestamp.and_then(|text| text.parse().ok()),
            generation: self.generation,
            resource_version: self.resource_version,
            managed_fields: self.managed_fields,
            origin,
        }
    }
}

/// An entry of `ownerReferences`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnerReference {
    /// `apiVersion`
    #[serde(deserialize_with = "null_as_default")]
    pub api_version: String,
    /// `kind`
    #[serde(deserialize_with = "null_as_default")]
    pub kind: String,
    /// `name`
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// `uid`
    #[serde(deserialize_with = "null_as_default")]
    pub uid: String,
    /// `controller`
    #[serde(deserialize_with = "null_as_default")]
    pub controller: bool,
}

/// An entry of `managedFields`: who wrote which fields, and when.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ManagedField {
    /// `manager`, such as `helm` or `kubectl-edit`
    #[serde(deserialize_with = "null_as_default")]
    pub manager: String,
    /// `operation`: `Apply` or `Update`
    #[serde(deserialize_with = "null_as_default")]
    pub operation: String,
    /// `time`
    pub time: Option<String>,
    /// `subresource`
    #[serde(deserialize_with = "null_as_default")]
    pub subresource: String,
    /// `fieldsV1`
    #[serde(rename = "fieldsV1")]
    pub fields: serde_json::Value,
}

impl ManagedField {
    /// Whether this manager wrote the field at the given path of names, such as
    /// `["spec", "template", "metadata", "labels", "azure.workload.identity/use"]`.
    pub fn owns(&self, path: &[&str]) -> bool {
        let mut node = &self.fields;
        for name in path {
            match node.get(format!("f:{name}")) {
                Some(next) => node = next,
                None => return false,
            }
        }
        !path.is_empty()
    }
}
