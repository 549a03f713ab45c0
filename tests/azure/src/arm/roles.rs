//! The authorization provider: role assignments and role definitions.

use super::Asked;
use crate::answer::Answer;
use crate::recorded::file;
use crate::tenant::Assignment;
use serde_json::{Value, json};

/// What is common to both: the scope that is asked about.
fn scope(asked: &Asked<'_>, action: &str) -> Result<String, Box<Answer>> {
    asked.check_version("microsoft.authorization")?;
    asked.only("GET")?;
    asked.check_query(&["$filter"]);
    let lower = asked.request.path.to_lowercase();
    let scope = lower.split("/providers/microsoft.authorization/").next().unwrap_or_default().to_owned();
    asked.check_permission(action, &scope, "403-AuthorizationFailed-identity-read")?;
    Ok(scope)
}

enum Filter<'a> {
    None,
    AssignedTo(&'a str),
    Principal(&'a str),
}

pub(super) fn assignments(asked: &Asked<'_>) -> Result<Answer, Box<Answer>> {
    let scope = scope(asked, "Microsoft.Authorization/roleAssignments/read")?;
    let text = asked.request.parameter("$filter").unwrap_or_default();
    let quoted = || text.split('\'').nth(1).unwrap_or_default();
    let at_scope = text.starts_with("atScope()");
    let filter = match text.trim_start_matches("atScope()").trim_start_matches(" and ") {
        "" => Filter::None,
        rest if rest.starts_with("assignedTo('") && rest.ends_with("')") => Filter::AssignedTo(quoted()),
        rest if rest.starts_with("principalId eq '") && !at_scope => Filter::Principal(quoted()),
        _ => {
            asked.violation(&format!("the filter \"{text}\" is not documented"));
            return Ok(Answer::json(
                400,
                &json!({"error": {"code": "InvalidFilter", "message": "The filter is invalid."}}),
            ));
        }
    };
    let above = |own: &str| {
        own == "/"
            || own.starts_with("/providers/microsoft.management/managementgroups/")
            || scope == own
            || scope.starts_with(&format!("{own}/"))
    };
    let matching = asked.tenant.assignments.iter().filter(|assignment| {
        let own = assignment.scope.to_lowercase();
        let below = !at_scope && own.starts_with(&format!("{scope}/"));
        let who = match filter {
            Filter::None => true,
            Filter::Principal(id) => assignment.principal == id,
            Filter::AssignedTo(id) => assignment.principal == id || assignment.members.iter().any(|m| m == id),
        };
        who && (above(&own) || below)
    });
    let items: Vec<Value> = matching.enumerate().map(|(index, assignment)| body(assignment, index)).collect();
    Ok(Answer::json(200, &json!({"value": items})))
}

/// The shape of Microsoft's page on listing role assignments.
fn body(assignment: &Assignment, index: usize) -> Value {
    let mut body = file("rest/authorization/RoleAssignments_List.docs-rest-output.json")["value"][0].clone();
    let scope = assignment.scope.trim_end_matches('/');
    let name = format!("99999999-0000-4000-8000-{index:012}");
    let prefix = scope.split("/resourceGroups/").next().filter(|prefix| prefix.starts_with("/subscriptions/"));
    let definition =
        format!("{}/providers/Microsoft.Authorization/roleDefinitions/{}", prefix.unwrap_or_default(), assignment.role);
    body["id"] = json!(format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"));
    body["name"] = json!(name);
    let properties = &mut body["properties"];
    properties["roleDefinitionId"] = json!(definition);
    properties["principalId"] = json!(assignment.principal);
    properties["principalType"] = json!(assignment.principal_type);
    properties["scope"] = json!(assignment.scope);
    properties["condition"] = json!(assignment.condition);
    properties["conditionVersion"] = json!(assignment.condition.as_ref().map(|_| "2.0"));
    body
}

pub(super) fn definition(asked: &Asked<'_>, id: &str) -> Result<Answer, Box<Answer>> {
    let scope = scope(asked, "Microsoft.Authorization/roleDefinitions/read")?;
    let custom = asked.tenant.definitions.iter().find(|definition| definition.id.eq_ignore_ascii_case(id));
    let properties = if let Some(definition) = custom {
        definition.properties.clone()
    } else {
        let builtin = file("rest/authorization/builtin-roles.json");
        let roles = builtin["value"].as_array().cloned().unwrap_or_default();
        let Some(role) = roles.into_iter().find(|role| role["name"] == id) else {
            let message = format!("The specified role definition with ID '{}' does not exist.", id.replace('-', ""));
            let body = json!({"error": {"code": "RoleDefinitionDoesNotExist", "message": message}});
            return Ok(Answer::json(404, &body));
        };
        role["properties"].clone()
    };
    let mut body = file("rest/authorization/GetRoleDefinitionByName.json")["responses"]["200"]["body"].clone();
    body["id"] = json!(format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{id}"));
    body["name"] = json!(id);
    body["properties"] = properties;
    Ok(Answer::json(200, &body))
}
