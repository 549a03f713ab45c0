//! Resources of Azure as findings, plans and the journal name them: like objects of the Kubernetes API, with the ARM id
//! as their name.

use super::identities::{CredentialBody, CredentialName, FederatedCredential};
use super::resource_id::ResourceId;
use crate::model::object::ObjectRef;
use serde_json::{Value, json};

/// `apiVersion` of identities and their credentials.
const IDENTITIES: &str = "Microsoft.ManagedIdentity";
/// `kind` of a credential.
const CREDENTIAL: &str = "FederatedIdentityCredential";

/// A user-assigned identity.
pub fn identity_ref(id: &ResourceId) -> ObjectRef {
    ObjectRef::new(IDENTITIES, "UserAssignedIdentity", None, id.as_str())
}

/// A managed cluster.
pub fn cluster_ref(id: &ResourceId) -> ObjectRef {
    ObjectRef::new("Microsoft.ContainerService", "ManagedCluster", None, id.as_str())
}

/// An app registration.
pub fn application_ref(client: &super::Guid) -> ObjectRef {
    ObjectRef::new("graph.microsoft.com", "Application", None, client.as_str())
}

/// A federated credential of an identity.
pub fn credential_ref(identity: &ResourceId, name: &CredentialName) -> ObjectRef {
    ObjectRef::new(IDENTITIES, CREDENTIAL, None, &name.below(identity))
}

/// Whether it is a federated credential in Azure, and no object of a cluster.
pub fn is_credential(object: &ObjectRef) -> bool {
    object.api_version == IDENTITIES && object.kind == CREDENTIAL
}

/// Identity and name of a federated credential.
pub fn credential_of(object: &ObjectRef) -> Option<(ResourceId, CredentialName)> {
    if !is_credential(object) {
        return None;
    }
    let id = ResourceId::parse(&object.name).ok()?;
    Some((id.parent_identity()?, CredentialName::parse(id.name()).ok()?))
}

/// A credential as an object: what a plan compares, and what stands in its diff.
pub fn credential_value(object: &ObjectRef, credential: &FederatedCredential) -> Value {
    whole(
        object,
        &json!({
            "issuer": credential.issuer,
            "subject": credential.subject,
            "audiences": credential.audiences,
        }),
    )
}

/// The object that a body makes.
pub fn body_value(object: &ObjectRef, body: &CredentialBody) -> Value {
    whole(object, &json!({"issuer": body.issuer, "subject": body.subject, "audiences": [body.audience]}))
}

fn whole(object: &ObjectRef, properties: &Value) -> Value {
    json!({
        "apiVersion": object.api_version, "kind": object.kind,
        "metadata": {"name": object.name}, "properties": properties,
    })
}

/// The credential that such an object says; `None` where it is none, such as null.
pub fn credential_from(value: &Value) -> Option<FederatedCredential> {
    let properties = value.get("properties")?;
    let text = |name: &str| properties.get(name).and_then(Value::as_str).map(str::to_owned);
    let audiences = properties.get("audiences").and_then(Value::as_array).into_iter().flatten();
    let name = ResourceId::parse(value.pointer("/metadata/name")?.as_str()?).ok()?.name().to_owned();
    Some(FederatedCredential {
        name,
        issuer: text("issuer")?,
        subject: text("subject"),
        audiences: audiences.filter_map(|audience| audience.as_str().map(str::to_owned)).collect(),
        expression: None,
    })
}

/// What is to be written; `None` for a credential without a subject, or with more or fewer audiences than one.
pub fn body_from(value: &Value) -> Option<CredentialBody> {
    let credential = credential_from(value)?;
    let [audience] = credential.audiences.try_into().ok()?;
    Some(CredentialBody { issuer: credential.issuer, subject: credential.subject?, audience })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_comes_back_from_its_object() {
        let identity = ResourceId::identity("s", "rg1", "mi1").unwrap();
        let object = credential_ref(&identity, &CredentialName::parse("velero").unwrap());
        let (parent, name) = credential_of(&object).unwrap();
        assert_eq!((parent, name.as_str()), (identity, "velero"));
        let (issuer, subject) = ("https://i/".to_owned(), "system:serviceaccount:a:b".to_owned());
        let body = CredentialBody { issuer, subject, audience: "api://x".to_owned() };
        let value = body_value(&object, &body);
        assert_eq!(body_from(&value), Some(body));
        assert_eq!(credential_from(&value).unwrap().name, "velero");
        assert_eq!(credential_from(&Value::Null), None);
        assert!(!is_credential(&ObjectRef::new("managedidentity.azure.com/v1api20230131", CREDENTIAL, Some("a"), "b")));
    }
}
