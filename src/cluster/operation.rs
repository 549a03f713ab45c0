//! One thing that is asked of the API server, in the words of a role: for the request and for the error that may come.

use super::error::Error;
use super::resource::ResourceType;
use crate::model::fact::Denied;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use std::sync::Arc;

/// What is asked, of what.
///
/// Shared behind one pointer: every error has one, and errors stay small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation(Arc<Parts>);

#[derive(Debug, PartialEq, Eq)]
struct Parts {
    verb: &'static str,
    target: Target,
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// A path that is no resource: `/version`.
    Path(String),
    Resource {
        /// Up to the plural: `/api/v1/namespaces/velero/pods`, with the name and subresource where there are.
        path: String,
        /// `pods/exec`, `deployments.apps`
        resource: String,
        namespace: Option<String>,
        name: Option<String>,
    },
}

impl Operation {
    /// Reads a path that is no resource.
    pub(super) fn read_path(path: &str) -> Self {
        Self(Arc::new(Parts { verb: "get", target: Target::Path(path.to_owned()) }))
    }

    /// Something done to a collection.
    pub(super) fn on_all(verb: &'static str, resource: &ResourceType, namespace: Option<&str>) -> Result<Self, Error> {
        Self::on(verb, resource, namespace, None, None)
    }

    /// Something done to one object, or to its subresource.
    pub(super) fn on_one(
        verb: &'static str,
        resource: &ResourceType,
        namespace: Option<&str>,
        name: &str,
        subresource: Option<&str>,
    ) -> Result<Self, Error> {
        Self::on(verb, resource, namespace, Some(name), subresource)
    }

    fn on(
        verb: &'static str,
        resource: &ResourceType,
        namespace: Option<&str>,
        name: Option<&str>,
        subresource: Option<&str>,
    ) -> Result<Self, Error> {
        let namespace = namespace.filter(|_| resource.namespaced);
        let mut path = resource.base_path();
        if let Some(namespace) = namespace {
            path.push_str("/namespaces/");
            path.push_str(&segment(namespace)?);
        }
        path.push('/');
        path.push_str(&resource.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(&segment(name)?);
        }
        let mut said = resource.plural.to_string();
        if let Some(subresource) = subresource {
            path.push('/');
            path.push_str(subresource);
            said.push('/');
            said.push_str(subresource);
        }
        if !resource.group.is_empty() {
            said.push('.');
            said.push_str(&resource.group);
        }
        let (namespace, name) = (namespace.map(str::to_owned), name.map(str::to_owned));
        Ok(Self(Arc::new(Parts { verb, target: Target::Resource { path, resource: said, namespace, name } })))
    }

    /// The path on the API server.
    pub(super) fn path(&self) -> &str {
        match &self.0.target {
            Target::Path(path) | Target::Resource { path, .. } => path,
        }
    }

    /// What it is done to, without the verb: `pods velero/velero-5d9` or `/version`.
    pub fn object(&self) -> String {
        match &self.0.target {
            Target::Path(path) => path.clone(),
            Target::Resource { resource, namespace, name, .. } => match (namespace, name) {
                (Some(namespace), Some(name)) => format!("{resource} {namespace}/{name}"),
                (None, Some(name)) => format!("{resource} {name}"),
                (Some(namespace), None) => format!("{resource} in namespace {namespace}"),
                (None, None) => resource.clone(),
            },
        }
    }

    /// The right that it needs.
    pub fn denied(&self) -> Denied {
        let (resource, namespace) = match &self.0.target {
            Target::Path(path) => (path.clone(), None),
            Target::Resource { resource, namespace, .. } => (resource.clone(), namespace.clone()),
        };
        Denied { verb: self.0.verb.to_owned(), resource, namespace }
    }

    /// The plural with its group, where it is a resource.
    pub(super) fn resource(&self) -> &str {
        match &self.0.target {
            Target::Path(path) => path,
            Target::Resource { resource, .. } => resource,
        }
    }
}

/// `list pods in namespace velero`, `get /version`
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.verb, self.object())
    }
}

/// What Go's `url.PathEscape` leaves alone in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b':')
    .remove(b'=')
    .remove(b'@');

/// A name as one segment of a path. A name with a slash, or `..`, would lead to another object: client-go refuses it.
fn segment(name: &str) -> Result<String, Error> {
    let reason = match name {
        "" => "it is empty",
        "." | ".." => "may not be '.' or '..'",
        _ if name.contains(['/', '%']) => "may not contain '/' or '%'",
        _ => return Ok(utf8_percent_encode(name, SEGMENT).to_string()),
    };
    Err(Error::Name { name: name.to_owned(), reason: reason.to_owned() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cluster::resource;

    #[test]
    fn paths_and_words() {
        let exec = Operation::on_one("get", &resource::POD, Some("velero"), "velero-1", Some("exec")).unwrap();
        assert_eq!(exec.path(), "/api/v1/namespaces/velero/pods/velero-1/exec");
        assert_eq!(exec.to_string(), "get pods/exec velero/velero-1");
        let list = Operation::on_all("list", &resource::DEPLOYMENT, None).unwrap();
        assert_eq!(list.path(), "/apis/apps/v1/deployments");
        assert_eq!(list.denied().to_string(), "no permission to list deployments.apps");
        // A namespace says nothing about what has none.
        let one = Operation::on_one("get", &resource::NAMESPACE, Some("x"), "velero", None).unwrap();
        assert_eq!(one.path(), "/api/v1/namespaces/velero");
    }

    #[test]
    fn a_name_stays_one_segment() {
        for name in ["", ".", "..", "a/../../b", "%2e%2e"] {
            let error = Operation::on_one("get", &resource::POD, Some("velero"), name, None).unwrap_err();
            assert!(matches!(error, Error::Name { .. }), "{name}: {error}");
            assert!(Operation::on_all("list", &resource::POD, Some(name)).is_err());
        }
        let odd = Operation::on_one("get", &resource::POD, Some("a b"), "c?d#e", None).unwrap();
        assert_eq!(odd.path(), "/api/v1/namespaces/a%20b/pods/c%3Fd%23e");
    }
}
