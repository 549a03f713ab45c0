//! Changing objects, and trying a change without making it.
//!
//! Every write is a patch, tied to what was read by a precondition; whole objects are never replaced and conflicts
//! never forced. A write is sent once.

use super::client::{Call, Client};
use super::error::Error;
use super::operation::Operation;
use super::resource::ResourceType;
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The name under which our fields stand in `managedFields`.
pub const FIELD_MANAGER: &str = "kubectl-wi";

/// A change, in one of the API server's four notations.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// RFC 6902: a list of operations.
    Json(Vec<Value>),
    /// RFC 7386.
    Merge(Value),
    /// Kubernetes' own: lists are merged by their keys. Not for custom resources.
    Strategic(Value),
    /// Server-side apply, never forced.
    Apply(Value),
}

/// The object as it was read. Where it is another by now, the API server refuses the change with a conflict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precondition {
    /// `metadata.uid`: not deleted and made anew.
    pub uid: Option<String>,
    /// `metadata.resourceVersion`: not changed at all.
    pub resource_version: Option<String>,
}

/// One change of one object.
#[derive(Debug, Clone)]
pub struct PatchRequest<'a> {
    /// The object's kind.
    pub resource: &'a ResourceType,
    /// The object's namespace.
    pub namespace: Option<&'a str>,
    /// The object's name.
    pub name: &'a str,
    /// `ephemeralcontainers`, `status`; `None` for the object itself.
    pub subresource: Option<&'a str>,
    /// The change.
    pub patch: Patch,
    /// What the object has to be still.
    pub precondition: Precondition,
    /// Only try it: admission runs, nothing is stored.
    pub dry_run: bool,
}

impl Patch {
    fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json-patch+json",
            Self::Merge(_) => "application/merge-patch+json",
            Self::Strategic(_) => "application/strategic-merge-patch+json",
            Self::Apply(_) => "application/apply-patch+yaml",
        }
    }

    /// The patch with the precondition in it. In all four notations that is a write of `metadata.resourceVersion` and
    /// `metadata.uid` as they were read: the API server answers a stale version with 409. (A JSON patch could `test`
    /// them, but a failed test is a 422 like any other mistake in the patch.)
    fn body(&self, precondition: &Precondition) -> Vec<u8> {
        let fields: Vec<(&str, &String)> =
            [("uid", &precondition.uid), ("resourceVersion", &precondition.resource_version)]
                .into_iter()
                .filter_map(|(field, value)| Some((field, value.as_ref()?)))
                .collect();
        match self {
            Self::Json(operations) => {
                let guards = fields.iter().map(
                    |(field, value)| json!({ "op": "replace", "path": format!("/metadata/{field}"), "value": value }),
                );
                Value::Array(guards.chain(operations.iter().cloned()).collect()).to_string().into_bytes()
            }
            Self::Merge(change) | Self::Strategic(change) | Self::Apply(change) => {
                let mut change = change.clone();
                for (field, value) in fields {
                    change["metadata"][field] = Value::from(value.as_str());
                }
                change.to_string().into_bytes()
            }
        }
    }

    fn is_object_where_it_has_to_be(&self) -> bool {
        match self {
            Self::Json(_) => true,
            Self::Merge(change) | Self::Strategic(change) | Self::Apply(change) => {
                change.is_object() && change.get("metadata").is_none_or(Value::is_object)
            }
        }
    }
}

impl Client {
    /// Changes an object, or tries to, and returns it as it is (or would be) afterwards.
    pub async fn patch<T: DeserializeOwned>(&self, request: &PatchRequest<'_>) -> Result<T, Error> {
        let operation =
            Operation::on_one("patch", request.resource, request.namespace, request.name, request.subresource)?;
        if !request.patch.is_object_where_it_has_to_be() {
            let message = "the patch is not an object with metadata".to_owned();
            return Err(Error::Invalid { operation, message });
        }
        let mut call = Call { method: Method::PATCH, ..Call::get(&operation) };
        call.query.push(("fieldManager", FIELD_MANAGER.to_owned()));
        call.query.push(("fieldValidation", "Strict".to_owned()));
        if matches!(request.patch, Patch::Apply(_)) {
            call.query.push(("force", "false".to_owned()));
        }
        if request.dry_run {
            call.query.push(("dryRun", "All".to_owned()));
        }
        call.body = Some((request.patch.content_type(), request.patch.body(&request.precondition)));
        self.json(&call).await.map_err(|error| made_anew(error, &request.precondition))
    }

    /// Tries to create an object and returns what admission makes of it. Nothing is stored.
    ///
    /// This is how the identity webhook can be asked what it would do: with a pod, since a dry run of a Deployment
    /// creates none.
    pub async fn dry_run_create<T: DeserializeOwned>(
        &self,
        resource: &ResourceType,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<T, Error> {
        self.post(resource, namespace, object, true).await
    }

    /// Creates an object, and returns it as it is stored. It is sent once; one of that name is a conflict.
    pub async fn create<T: DeserializeOwned>(
        &self,
        resource: &ResourceType,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<T, Error> {
        self.post(resource, namespace, object, false).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        resource: &ResourceType,
        namespace: Option<&str>,
        object: &Value,
        dry_run: bool,
    ) -> Result<T, Error> {
        let operation = Operation::on_all("create", resource, namespace)?;
        let mut call = Call { method: Method::POST, ..Call::get(&operation) };
        if dry_run {
            call.query.push(("dryRun", "All".to_owned()));
        }
        call.query.push(("fieldManager", FIELD_MANAGER.to_owned()));
        call.body = Some(("application/json", object.to_string().into_bytes()));
        self.json(&call).await
    }

    /// Deletes an object that this program made, if it is still exactly as it was read: another is a conflict.
    pub async fn delete(
        &self,
        resource: &ResourceType,
        namespace: Option<&str>,
        name: &str,
        precondition: &Precondition,
        dry_run: bool,
    ) -> Result<(), Error> {
        let operation = Operation::on_one("delete", resource, namespace, name, None)?;
        let mut call = Call { method: Method::DELETE, ..Call::get(&operation) };
        // With options in the body the API server does not look at those of the query: a dry run that is asked for
        // there deletes.
        let dry_run: &[&str] = if dry_run { &["All"] } else { &[] };
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "dryRun": dry_run,
            "preconditions": { "uid": precondition.uid, "resourceVersion": precondition.resource_version },
        });
        call.body = Some(("application/json", options.to_string().into_bytes()));
        self.bytes(&call).await.map(|_| ())
    }
}

/// Another uid is refused as a change of an immutable field (422); what it means is a conflict.
fn made_anew(error: Error, precondition: &Precondition) -> Error {
    match error {
        Error::Invalid { operation, message } if precondition.uid.is_some() && message.contains("metadata.uid") => {
            let message = "it was deleted and made anew since it was read".to_owned();
            Error::Conflict { operation, already_exists: false, fields: Vec::new(), message }
        }
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_precondition_is_in_every_notation() {
        let precondition = Precondition { uid: Some("u".into()), resource_version: Some("7".into()) };
        let labels = json!({ "metadata": { "labels": { "a": "b" } } });
        let body = |patch: Patch| serde_json::from_slice::<Value>(&patch.body(&precondition)).unwrap();
        let expected = json!({ "metadata": { "labels": { "a": "b" }, "uid": "u", "resourceVersion": "7" } });
        assert_eq!(body(Patch::Merge(labels.clone())), expected);
        assert_eq!(body(Patch::Strategic(labels.clone())), expected);
        assert_eq!(body(Patch::Apply(labels)), expected);
        let operation = json!({ "op": "add", "path": "/spec/x", "value": 1 });
        assert_eq!(
            body(Patch::Json(vec![operation.clone()])),
            json!([
                { "op": "replace", "path": "/metadata/uid", "value": "u" },
                { "op": "replace", "path": "/metadata/resourceVersion", "value": "7" },
                operation,
            ])
        );
        assert_eq!(Patch::Merge(json!({ "spec": 1 })).body(&Precondition::default()), br#"{"spec":1}"#);
    }

    #[test]
    fn a_patch_of_another_shape_is_no_panic() {
        for odd in [json!(null), json!([1]), json!("x"), json!({ "metadata": 3 })] {
            assert!(!Patch::Merge(odd).is_object_where_it_has_to_be());
        }
    }
}
