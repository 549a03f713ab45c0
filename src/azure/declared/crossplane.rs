//! Objects of Crossplane's `provider-upjet-azure`, cluster-scoped and namespaced.

use super::{
    Declaration, Declared, DeclaredAssignment, DeclaredCredential, DeclaredIdentity, Operator, Owner, Ready, Source,
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
    let policies = texts(object, "/spec/managementPolicies");
    let observes = !policies.is_empty() && !policies.iter().any(|p| matches!(p.as_str(), "*" | "Create" | "Update"));
    let paused = object.pointer("/metadata/annotations").and_then(|a| a.get("crossplane.io/paused"));
    Some(Declaration {
        operator: Operator::Crossplane,
        api_version: text(object, "/apiVersion")?,
        kind: text(object, "/kind")?,
        namespace: text(object, "/metadata/namespace"),
        name: text(object, "/metadata/name")?,
        writes: !observes && paused.is_none_or(|paused| paused != "true"),
        ready: state(object),
    })
}

/// `Synced` says whether the last write worked, `Ready` whether the resource is there: the first that is not true.
fn state(object: &Value) -> Option<Ready> {
    let synced = condition(object, "Synced").map(ready);
    let available = condition(object, "Ready").map(ready);
    match (synced, available) {
        (Some(synced), _) if !synced.ok => Some(synced),
        (synced, available) => available.or(synced),
    }
}

/// A value of the specification: `initProvider` holds what is only used to create.
fn given(object: &Value, field: &str) -> Option<String> {
    ["forProvider", "initProvider"].iter().find_map(|part| text(object, &format!("/spec/{part}/{field}")))
}

fn given_id(object: &Value, field: &str) -> Option<ResourceId> {
    ResourceId::parse(&given(object, field)?).ok()
}

/// Without a name field the name in Azure is the annotation, else the object's name.
fn external_name(object: &Value, by: &Declaration) -> String {
    let annotations = object.pointer("/metadata/annotations");
    let annotated = annotations.and_then(|annotations| annotations.get("crossplane.io/external-name")?.as_str());
    // For some kinds the external name is the ARM id.
    let last = annotated.and_then(|name| name.rsplit('/').next()).filter(|name| !name.is_empty());
    last.unwrap_or(&by.name).to_owned()
}

fn credential(object: &Value, by: Declaration) -> DeclaredCredential {
    let source = |field: &str| given(object, field).map_or(Source::Missing, Source::Given);
    // `parentId` until the provider renamed it; both stay.
    let fields = ["userAssignedIdentityId", "parentId"];
    let owner_id = fields
        .iter()
        .find_map(|field| given_id(object, field).or_else(|| id(object, &format!("/status/atProvider/{field}"))));
    let owner_name = fields.iter().find_map(|field| given(object, &format!("{field}Ref/name")));
    let arm_id = id(object, "/status/atProvider/id");
    let owner = match (owner_id.or_else(|| arm_id.as_ref().and_then(ResourceId::parent_identity)), owner_name) {
        (Some(id), _) => Owner::Id(id),
        (None, Some(name)) => Owner::Object(name),
        (None, None) => Owner::Unknown,
    };
    let mut audiences = texts(object, "/spec/forProvider/audience");
    if audiences.is_empty() {
        audiences = texts(object, "/spec/initProvider/audience");
    }
    let observed = text(object, "/status/atProvider/issuer").map(|issuer| FederatedCredential {
        name: external_name(object, &by),
        issuer,
        subject: text(object, "/status/atProvider/subject"),
        audiences: texts(object, "/status/atProvider/audience"),
        expression: None,
    });
    DeclaredCredential {
        azure_name: external_name(object, &by),
        issuer: source("issuer"),
        subject: source("subject"),
        audiences,
        owner,
        id: arm_id,
        observed,
        by,
    }
}

fn identity(object: &Value, by: Declaration) -> DeclaredIdentity {
    DeclaredIdentity {
        azure_name: given(object, "name").unwrap_or_else(|| external_name(object, &by)),
        id: id(object, "/status/atProvider/id"),
        client_id: guid(object, "/status/atProvider/clientId"),
        principal_id: guid(object, "/status/atProvider/principalId"),
        tenant_id: guid(object, "/status/atProvider/tenantId"),
        client_id_goes_to: None,
        by,
    }
}

fn assignment(object: &Value, by: Declaration) -> DeclaredAssignment {
    let principal = given(object, "principalId").and_then(|id| Guid::parse(&id));
    let role_name =
        given(object, "roleDefinitionName").or_else(|| text(object, "/status/atProvider/roleDefinitionName"));
    let role_id = given(object, "roleDefinitionId").or_else(|| text(object, "/status/atProvider/roleDefinitionId"));
    let role_id = role_id.and_then(|id| Guid::parse(id.rsplit('/').next()?));
    DeclaredAssignment {
        principal: principal.map_or(Source::Missing, Source::Given),
        role: role_id.or_else(|| builtin::by_name(role_name.as_deref()?)),
        role_name,
        scope: given_id(object, "scope").or_else(|| id(object, "/status/atProvider/scope")),
        by,
    }
}
