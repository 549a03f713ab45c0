//! Role assignments: what an identity may do, and whether that is what an application needs.
//!
//! The judging is pure; reading stands in [`read`].

pub mod builtin;
mod permission;
mod read;

pub use permission::{Action, Permission, Plane, matches};
pub(crate) use read::Roles;

use super::guid::Guid;
use super::resource_id::{Covers, ResourceId, ScopeLevel};
use std::collections::BTreeMap;

/// A role given to a principal at a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAssignment {
    /// ARM id of the assignment.
    pub id: String,
    /// Where it holds, and below.
    pub scope: ResourceId,
    /// GUID of the role definition. Its ARM id comes with and without a subscription: only the GUID is compared.
    pub role: Guid,
    /// Whom it is given to: the identity's principal id, or a group that it is a member of.
    pub principal: Guid,
    /// `ServicePrincipal`, `Group`, `User`, …
    pub principal_type: String,
    /// An attribute condition: it grants under circumstances that only Azure evaluates.
    pub condition: Option<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDefinition {
    /// Its GUID.
    pub id: Guid,
    /// Its name.
    pub name: String,
    /// Whether it is one of the tenant's own.
    pub custom: bool,
    /// What it allows.
    pub permissions: Vec<Permission>,
}

impl RoleDefinition {
    /// Whether one of its entries allows the action.
    pub fn allows(&self, action: &Action) -> bool {
        self.permissions.iter().any(|permission| permission.allows(action))
    }
}

/// The assignments that were found at a scope, inherited ones included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignments {
    /// The scope that was asked about.
    pub scope: Option<ResourceId>,
    /// The assignments.
    pub list: Vec<RoleAssignment>,
    /// Whether assignments to groups of the principal are among them.
    pub through_groups: bool,
    /// The definitions of their roles; one is missing where it could not be read.
    pub definitions: BTreeMap<Guid, RoleDefinition>,
}

/// What an application needs: these actions at this scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What it does.
    pub actions: Vec<Action>,
    /// Built-in roles that allow it, the narrowest first; the first one is what the command proposes.
    pub roles: Vec<Guid>,
    /// Where.
    pub scope: ResourceId,
}

/// Whether a need is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// These assignments allow every action.
    Granted(Vec<RoleAssignment>),
    /// They do, and at least one of them has a condition.
    Conditional(Vec<RoleAssignment>),
    /// An assignment covers the scope whose role could not be read: nothing can be said.
    Unreadable(Vec<RoleAssignment>),
    /// These actions are not allowed by anything that was seen. Groups that were not searched, deny assignments and,
    /// for a Key Vault, access policies are not in this.
    Missing {
        /// The actions.
        actions: Vec<Action>,
        /// Assignments of fitting roles that do not reach: below, beside, or on another resource.
        elsewhere: Vec<RoleAssignment>,
    },
}

/// Holds the assignments of one principal against what is needed.
pub fn judge(need: &Need, found: &Assignments) -> Grant {
    let covering: Vec<&RoleAssignment> = found.list.iter().filter(|a| reaches(a, need, found)).collect();
    let allows = |assignment: &RoleAssignment, action: &Action| {
        found.definitions.get(&assignment.role).is_some_and(|role| role.allows(action))
    };
    let mut used: Vec<RoleAssignment> = Vec::new();
    let mut missing = Vec::new();
    for action in &need.actions {
        let mut allowing: Vec<&RoleAssignment> = covering.iter().copied().filter(|a| allows(a, action)).collect();
        // One without a condition is enough.
        allowing.sort_by_key(|assignment| assignment.condition.is_some());
        match allowing.first() {
            Some(assignment) if !used.contains(assignment) => used.push((*assignment).clone()),
            Some(_) => {}
            None => missing.push(action.clone()),
        }
    }
    if missing.is_empty() {
        let conditional = used.iter().any(|assignment| assignment.condition.is_some());
        return if conditional { Grant::Conditional(used) } else { Grant::Granted(used) };
    }
    let unreadable: Vec<RoleAssignment> = covering
        .iter()
        .filter(|assignment| !found.definitions.contains_key(&assignment.role))
        .map(|assignment| (*assignment).clone())
        .collect();
    if !unreadable.is_empty() {
        return Grant::Unreadable(unreadable);
    }
    let elsewhere = found
        .list
        .iter()
        .filter(|assignment| !covering.contains(assignment) && missing.iter().any(|action| allows(assignment, action)))
        .cloned()
        .collect();
    Grant::Missing { actions: missing, elsewhere }
}

/// ARM answers with what is inherited when it is asked at the resource itself, so a management group in that answer
/// applies.
fn reaches(assignment: &RoleAssignment, need: &Need, found: &Assignments) -> bool {
    match assignment.scope.covers(&need.scope) {
        Covers::Yes => true,
        Covers::No => false,
        Covers::Unknown => found.scope.as_ref().is_some_and(|asked| asked.covers(&need.scope) == Covers::Yes),
    }
}

/// Owner and Contributor at a subscription or above.
pub fn too_broad(found: &Assignments) -> Vec<&RoleAssignment> {
    let broad = |assignment: &&RoleAssignment| {
        [builtin::OWNER, builtin::CONTRIBUTOR].contains(&assignment.role.as_str())
            && assignment.scope.level() <= ScopeLevel::Subscription
    };
    found.list.iter().filter(broad).collect()
}

/// The line that grants a role. It is printed, never run.
pub fn assignment_command(role: Guid, principal: Guid, scope: &ResourceId) -> String {
    let role = builtin::name_of(&role).map_or_else(|| role.to_string(), |name| format!("\"{name}\""));
    format!(
        "az role assignment create --role {role} --assignee-object-id {principal} \
         --assignee-principal-type ServicePrincipal --scope \"{scope}\""
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
    const ACCOUNT: &str = "/subscriptions/s/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/acc1";

    fn role(name: &str) -> Guid {
        builtin::by_name(name).unwrap()
    }

    fn assignment(role: Guid, scope: &str) -> RoleAssignment {
        RoleAssignment {
            id: format!("{scope}/providers/Microsoft.Authorization/roleAssignments/x"),
            scope: ResourceId::parse(scope).unwrap(),
            role,
            principal: Guid::parse("25cc773c-7f05-40fc-a104-32d2300754ad").unwrap(),
            principal_type: "ServicePrincipal".to_owned(),
            condition: None,
        }
    }

    fn found(list: Vec<RoleAssignment>) -> Assignments {
        let definition = |name: &str, permission: Permission| {
            (
                role(name),
                RoleDefinition { id: role(name), name: name.to_owned(), custom: false, permissions: vec![permission] },
            )
        };
        let text = |text: &str| vec![text.to_owned()];
        Assignments {
            scope: Some(ResourceId::parse(ACCOUNT).unwrap()),
            list,
            through_groups: true,
            definitions: BTreeMap::from([
                definition("Contributor", Permission { actions: text("*"), ..Permission::default() }),
                definition(
                    "Storage Blob Data Reader",
                    Permission { data_actions: text(READ), ..Permission::default() },
                ),
            ]),
        }
    }

    fn need() -> Need {
        Need {
            actions: vec![Action::data(READ)],
            roles: vec![role("Storage Blob Data Reader")],
            scope: ResourceId::parse(&format!("{ACCOUNT}/blobServices/default/containers/c1")).unwrap(),
        }
    }

    #[test]
    fn a_data_role_at_the_account_reaches_the_container() {
        let reader = assignment(role("Storage Blob Data Reader"), ACCOUNT);
        assert_eq!(judge(&need(), &found(vec![reader.clone()])), Grant::Granted(vec![reader]));
    }

    #[test]
    fn contributor_cannot_read_blobs() {
        let granted = judge(&need(), &found(vec![assignment(role("Contributor"), "/subscriptions/s")]));
        assert_eq!(granted, Grant::Missing { actions: need().actions, elsewhere: Vec::new() });
    }

    #[test]
    fn the_right_role_in_the_wrong_place_is_shown() {
        let other = assignment(role("Storage Blob Data Reader"), "/subscriptions/s/resourceGroups/rg10");
        let expected = Grant::Missing { actions: need().actions, elsewhere: vec![other.clone()] };
        assert_eq!(judge(&need(), &found(vec![other])), expected);
    }

    #[test]
    fn a_condition_is_no_plain_yes_and_an_unread_role_is_no_no() {
        let mut conditional = assignment(role("Storage Blob Data Reader"), ACCOUNT);
        conditional.condition = Some("@Resource[...]".to_owned());
        assert_eq!(judge(&need(), &found(vec![conditional.clone()])), Grant::Conditional(vec![conditional.clone()]));
        let plain = assignment(role("Storage Blob Data Reader"), "/subscriptions/s");
        assert_eq!(judge(&need(), &found(vec![conditional, plain.clone()])), Grant::Granted(vec![plain]));
        let custom = assignment(Guid::parse("99999999-0000-4000-8000-000000000001").unwrap(), "/subscriptions/s");
        assert_eq!(judge(&need(), &found(vec![custom.clone()])), Grant::Unreadable(vec![custom]));
    }

    #[test]
    fn a_management_group_counts_where_arm_was_asked_at_the_resource() {
        let inherited =
            assignment(role("Storage Blob Data Reader"), "/providers/Microsoft.Management/managementGroups/mg");
        let mut answers = found(vec![inherited.clone()]);
        assert_eq!(judge(&need(), &answers), Grant::Granted(vec![inherited]));
        answers.scope = Some(ResourceId::parse("/subscriptions/other").unwrap());
        assert!(matches!(judge(&need(), &answers), Grant::Missing { .. }));
    }

    #[test]
    fn broad_is_owner_or_contributor_of_a_subscription_or_more() {
        let wide = assignment(role("Contributor"), "/subscriptions/s");
        let narrow = assignment(role("Contributor"), "/subscriptions/s/resourceGroups/rg1");
        let answers = found(vec![wide.clone(), narrow]);
        assert_eq!(too_broad(&answers), [&wide]);
    }

    #[test]
    fn the_command_is_one_that_az_takes() {
        let line = assignment_command(
            role("Storage Blob Data Reader"),
            assignment(role("Owner"), "/").principal,
            &need().scope,
        );
        assert_eq!(
            line,
            "az role assignment create --role \"Storage Blob Data Reader\" --assignee-object-id \
             25cc773c-7f05-40fc-a104-32d2300754ad --assignee-principal-type ServicePrincipal --scope \
             \"/subscriptions/s/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/acc1/blobServices/default/containers/c1\""
        );
    }
}
