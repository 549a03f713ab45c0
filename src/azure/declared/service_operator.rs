//! Objects of Azure Service Operator 2.

use super::{
    Declaration, Declared, DeclaredAssignment, DeclaredCredential, DeclaredIdentity, Operator, Owner, Source,
    condition, guid, id, ready, text, texts,
};
use crate::azure::guid::Guid;
use crate::azure::identities::FederatedCredential;
use crate::azure::resource_id::ResourceId;
use crate::azure::roles::builtin;
use serde_json::Value;

pub(super) fn read(object: &Value) -> Option<Declared> {
    let by = declaration(object)?;
    match by.kind.as_str() {
        "FederatedIdentityCredential" => Some(Declared::Credential(credential(object, by))),
        "UserAssignedIdentity" => Some(Declared::Identity(identity(object, by))),
        "RoleAssignment" => Some(Declared::Assignment(assignment(object, by))),
        _ => None,
    }
}

fn declaration(object: &Value) -> Option<Declaration> {
    Some(Declaration {
        operator: Operator::ServiceOperator,
        api_version: text(object, "/apiVersion")?,
        kind: text(object, "/kind")?,
        namespace: text(object, "/metadata/namespace"),
        name: text(object, "/metadata/name")?,
        // `detach-on-delete` writes as `manage` does.
        writes: annotation(object, "reconcile-policy").is_none_or(|policy| policy != "skip"),
        ready: condition(object, "Ready").map(ready),
    })
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(format!("serviceoperator.azure.com/{name}"))?.as_str()
}

/// The ARM id: the status has it, and the operator's annotation has it earlier.
fn arm_id(object: &Value) -> Option<ResourceId> {
    id(object, "/status/id").or_else(|| ResourceId::parse(annotation(object, "resource-id")?).ok())
}

fn azure_name(object: &Value, by: &Declaration) -> String {
    text(object, "/spec/azureName").unwrap_or_else(|| by.name.clone())
}

fn source(object: &Value, field: &str) -> Source<String> {
    if let Some(value) = text(object, &format!("/spec/{field}")) {
        return Source::Given(value);
    }
    let from = format!("/spec/{field}FromConfig");
    match (text(object, &format!("{from}/name")), text(object, &format!("{from}/key"))) {
        (Some(name), Some(key)) => Source::ConfigMap { name, key },
        _ => Source::Missing,
    }
}

fn credential(object: &Value, by: Declaration) -> DeclaredCredential {
    let arm_id = arm_id(object);
    let owner = match (id(object, "/spec/owner/armId"), text(object, "/spec/owner/name")) {
        (Some(id), _) => Owner::Id(id),
        (None, Some(name)) => Owner::Object(name),
        (None, None) => arm_id.as_ref().and_then(ResourceId::parent_identity).map_or(Owner::Unknown, Owner::Id),
    };
    let observed = text(object, "/status/issuer").map(|issuer| FederatedCredential {
        name: text(object, "/status/name").unwrap_or_default(),
        issuer,
        subject: text(object, "/status/subject"),
        audiences: texts(object, "/status/audiences"),
        expression: None,
    });
    DeclaredCredential {
        azure_name: azure_name(object, &by),
        issuer: source(object, "issuer"),
        subject: source(object, "subject"),
        audiences: texts(object, "/spec/audiences"),
        owner,
        id: arm_id,
        observed,
        by,
    }
}

fn identity(object: &Value, by: Declaration) -> DeclaredIdentity {
    let goes_to = "/spec/operatorSpec/configMaps/clientId";
    DeclaredIdentity {
        azure_name: azure_name(object, &by),
        id: arm_id(object),
        client_id: guid(object, "/status/clientId"),
        principal_id: guid(object, "/status/principalId"),
        tenant_id: guid(object, "/status/tenantId"),
        client_id_goes_to: text(object, &format!("{goes_to}/name")).zip(text(object, &format!("{goes_to}/key"))),
        by,
    }
}

fn assignment(object: &Value, by: Declaration) -> DeclaredAssignment {
    let principal = match source(object, "principalId") {
        Source::Given(value) => Guid::parse(&value).map_or(Source::Missing, Source::Given),
        // The status has what the ConfigMap gave.
        Source::ConfigMap { name, key } => {
            guid(object, "/status/principalId").map_or(Source::ConfigMap { name, key }, Source::Given)
        }
        Source::Missing => Source::Missing,
    };
    let role_name = text(object, "/spec/roleDefinitionReference/wellKnownName");
    let role_id = ["/status/roleDefinitionId", "/spec/roleDefinitionReference/armId"]
        .iter()
        .find_map(|pointer| Guid::parse(text(object, pointer)?.rsplit('/').next()?));
    DeclaredAssignment {
        principal,
        role: role_id.or_else(|| builtin::by_name(role_name.as_deref()?)),
        role_name,
        // The owner is the scope.
        scope: id(object, "/status/scope").or_else(|| id(object, "/spec/owner/armId")),
        by,
    }
}
