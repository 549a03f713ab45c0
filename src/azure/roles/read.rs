//! Reads role assignments and role definitions.

use super::super::arm::{Arm, version};
use super::super::error::Error;
use super::super::guid::Guid;
use super::super::resource_id::{Covers, ResourceId, ScopeLevel};
use super::{Assignments, Permission, RoleAssignment, RoleDefinition};
use futures::StreamExt;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Mutex;

/// Reads roles; definitions are kept for the run.
pub(crate) struct Roles {
    arm: Arm,
    definitions: Mutex<BTreeMap<Guid, RoleDefinition>>,
}

#[derive(Deserialize)]
struct AssignmentBody {
    #[serde(default)]
    id: String,
    properties: AssignmentProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentProperties {
    role_definition_id: String,
    principal_id: String,
    scope: String,
    #[serde(default)]
    principal_type: Option<String>,
    #[serde(default)]
    condition: Option<String>,
}

#[derive(Deserialize)]
struct DefinitionBody {
    properties: DefinitionProperties,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct DefinitionProperties {
    role_name: String,
    #[serde(rename = "type")]
    kind: String,
    permissions: Vec<Permission>,
}

impl Roles {
    pub(crate) fn new(arm: Arm) -> Self {
        Self { arm, definitions: Mutex::default() }
    }

    /// The assignments of a principal at a scope, inherited ones and those of its groups included. Of a subscription
    /// those below it are included too; of a resource they are not.
    pub(crate) async fn assignments(&self, principal: Guid, scope: &ResourceId) -> Result<Assignments, Error> {
        let below = scope.level() <= ScopeLevel::Subscription;
        let at_scope = if below { "" } else { "atScope() and " };
        let path =
            format!("{}/providers/Microsoft.Authorization/roleAssignments", scope.as_str().trim_end_matches('/'));
        let with_groups = format!("{at_scope}assignedTo('{principal}')");
        let (bodies, through_groups) = match self.list(&path, &with_groups).await {
            Ok(bodies) => (bodies, true),
            // A principal that ARM cannot resolve in the directory: ask for its own assignments only.
            Err(error) if error.status() == Some(400) => {
                (self.list(&path, &format!("principalId eq '{principal}'")).await?, false)
            }
            Err(error) => return Err(error),
        };
        let mut list: Vec<RoleAssignment> = bodies.into_iter().filter_map(assignment).collect();
        if !through_groups && !below {
            // This filter has no atScope(): what lies below the scope comes along.
            list.retain(|assignment| assignment.scope == *scope || scope.covers(&assignment.scope) != Covers::Yes);
        }
        let definitions = self.definitions_of(&list, scope).await;
        Ok(Assignments { scope: Some(scope.clone()), list, through_groups, definitions })
    }

    async fn list(&self, path: &str, filter: &str) -> Result<Vec<AssignmentBody>, Error> {
        self.arm.list(path, version::AUTHORIZATION, &[("$filter", filter)]).await
    }

    /// The definitions that can be read; one that cannot is left out, and whoever judges says so.
    async fn definitions_of(&self, list: &[RoleAssignment], scope: &ResourceId) -> BTreeMap<Guid, RoleDefinition> {
        let wanted: BTreeSet<Guid> = list.iter().map(|assignment| assignment.role).collect();
        let mut known: BTreeMap<Guid, RoleDefinition> = {
            let cache = self.definitions.lock().await;
            wanted.iter().filter_map(|id| Some((*id, cache.get(id)?.clone()))).collect()
        };
        let missing: Vec<Guid> = wanted.into_iter().filter(|id| !known.contains_key(id)).collect();
        let read: Vec<RoleDefinition> = futures::stream::iter(missing)
            .map(|id| self.definition(id, scope))
            .buffer_unordered(8)
            .filter_map(|definition| std::future::ready(definition.ok()))
            .collect()
            .await;
        let mut cache = self.definitions.lock().await;
        for definition in read {
            cache.insert(definition.id, definition.clone());
            known.insert(definition.id, definition);
        }
        known
    }

    /// A role definition, at the subscription of the scope: custom roles are not known elsewhere.
    async fn definition(&self, id: Guid, scope: &ResourceId) -> Result<RoleDefinition, Error> {
        let prefix =
            scope.subscription().map(|subscription| format!("/subscriptions/{subscription}")).unwrap_or_default();
        let path = format!("{prefix}/providers/Microsoft.Authorization/roleDefinitions/{id}");
        let body: DefinitionBody = self.arm.get(&path, version::AUTHORIZATION).await?;
        Ok(RoleDefinition {
            id,
            name: body.properties.role_name,
            custom: body.properties.kind.eq_ignore_ascii_case("CustomRole"),
            permissions: body.properties.permissions,
        })
    }
}

fn assignment(body: AssignmentBody) -> Option<RoleAssignment> {
    let properties = body.properties;
    Some(RoleAssignment {
        id: body.id,
        scope: ResourceId::parse(&properties.scope).ok()?,
        role: Guid::parse(properties.role_definition_id.rsplit('/').next()?)?,
        principal: Guid::parse(&properties.principal_id)?,
        principal_type: properties.principal_type.unwrap_or_default(),
        condition: properties.condition.filter(|condition| !condition.is_empty()),
    })
}
