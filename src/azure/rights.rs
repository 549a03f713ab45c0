//! The least that the Azure side needs, as actions of Azure's roles: `kubectl wi rbac --for azure`.

use serde_json::{Value, json};

/// What `--azure` reads. Resource Graph needs nothing of its own: it answers with what the login may read.
pub const READ: &[&str] = &[
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
    "Microsoft.ContainerService/managedClusters/read",
    "Microsoft.KubernetesConfiguration/extensions/read",
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Resources/subscriptions/providers/read",
];

/// What `fix --azure` and its undo write besides.
pub const WRITE: &[&str] = &[
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
];

/// A custom role, as `az role definition create --role-definition` takes it.
fn definition(name: &str, description: &str, actions: &[&str]) -> Value {
    json!({
        "Name": name, "IsCustom": true, "Description": description,
        "Actions": actions, "AssignableScopes": ["/subscriptions/SUBSCRIPTION"],
    })
}

/// The lines that make these roles: comments, and commands of the Azure CLI.
pub fn lines() -> Vec<String> {
    let create = |name: &str, description: &str, actions: &[&str]| {
        format!("az role definition create --role-definition '{}'", definition(name, description, actions))
    };
    let assign = |name: &str| {
        format!(
            "az role assignment create --role {name} --assignee-object-id OBJECT_ID --assignee-principal-type \
             ServicePrincipal --scope /subscriptions/SUBSCRIPTION"
        )
    };
    vec![
        "# inspect --azure: reading. The built-in role Reader has all of it, and more.".to_owned(),
        create("kubectl-wi-inspect", "What kubectl wi inspect --azure reads", READ),
        assign("kubectl-wi-inspect"),
        "# fix --azure: besides, writing federated credentials. Managed Identity Contributor has it, and more.".to_owned(),
        create("kubectl-wi-fix", "What kubectl wi fix --azure writes", WRITE),
        assign("kubectl-wi-fix"),
        "# Microsoft Graph finds an identity by its client id in one call: members of the tenant may read it, an".to_owned(),
        "# application needs Application.Read.All. Without it Resource Graph and lists find managed identities, and app"
            .to_owned(),
        "# registrations stay unknown.".to_owned(),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::azure::roles::{Action, Permission};

    fn built_in(name: &str) -> Permission {
        let text = include_str!("../../tests/data/azure/rest/authorization/builtin-roles.json");
        let roles: Value = serde_json::from_str(text).unwrap();
        let mut found = None;
        walk(&roles, &mut |value| {
            if value["roleName"] == name {
                found = serde_json::from_value(value["permissions"][0].clone()).ok();
            }
        });
        found.unwrap()
    }

    fn walk(value: &Value, see: &mut impl FnMut(&Value)) {
        see(value);
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
            Value::Object(map) => map.values().for_each(|item| walk(item, see)),
            _ => {}
        }
    }

    #[test]
    fn the_built_in_roles_that_are_named_have_it() {
        let (reader, contributor) = (built_in("Reader"), built_in("Managed Identity Contributor"));
        assert!(READ.iter().all(|action| reader.allows(&Action::control(action))));
        assert!(WRITE.iter().all(|action| contributor.allows(&Action::control(action))));
        assert!(!WRITE.iter().any(|action| reader.allows(&Action::control(action))));
    }
}
