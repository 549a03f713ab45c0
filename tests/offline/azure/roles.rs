//! Role assignments and Key Vaults.

use super::support::{Lab, principal};
use kubectl_wi::azure::ResourceId;
use kubectl_wi::azure::roles::{Action, Grant, Need, Plane, builtin, judge, too_broad};
use kubectl_wi::model::fact::Fact;
use wi_test_azure::{Answer, Assignment, Definition, Fault, Tenant, examples, file};

const ACCOUNT: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/acc1";
const READ_BLOB: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";

fn assignment(role: &str, scope: &str) -> Assignment {
    Assignment {
        scope: scope.to_owned(),
        role: builtin::by_name(role).map_or_else(|| role.to_owned(), |id| id.to_string()),
        principal: examples::PRINCIPAL.to_owned(),
        principal_type: "ServicePrincipal".to_owned(),
        members: Vec::new(),
        condition: None,
    }
}

fn need() -> Need {
    Need {
        actions: vec![Action::data(READ_BLOB)],
        roles: vec![builtin::by_name("Storage Blob Data Reader").unwrap()],
        scope: ResourceId::parse(ACCOUNT).unwrap(),
    }
}

async fn grant(assignments: Vec<Assignment>) -> Grant {
    let mut tenant = Tenant::example();
    tenant.assignments = assignments;
    let lab = Lab::start(tenant).await;
    let found = lab.azure.role_assignments(principal(), &need().scope).await;
    lab.assert_proper();
    judge(&need(), found.known().unwrap())
}

/// Inheritance as ARM answers it, with the recorded permissions of the built-in roles.
#[tokio::test]
async fn roles_reach_down_and_never_sideways() {
    let subscription = format!("/subscriptions/{}", examples::SUBSCRIPTION);
    let reader = "Storage Blob Data Reader";
    for scope in [
        "/providers/Microsoft.Management/managementGroups/mg1",
        &subscription,
        &format!("{subscription}/resourceGroups/rg1"),
        ACCOUNT,
    ] {
        assert!(matches!(grant(vec![assignment(reader, scope)]).await, Grant::Granted(_)), "{scope}");
    }
    for scope in [
        format!("{subscription}/resourceGroups/rg10"),
        format!("{ACCOUNT}/blobServices/default/containers/c1"),
        format!("{ACCOUNT}2"),
    ] {
        assert!(matches!(grant(vec![assignment(reader, &scope)]).await, Grant::Missing { .. }), "{scope}");
    }
    for role in ["Owner", "Contributor", "Reader"] {
        assert!(
            matches!(grant(vec![assignment(role, &subscription)]).await, Grant::Missing { .. }),
            "{role} has no data actions"
        );
    }
}

#[tokio::test]
async fn a_group_grants_to_its_members() {
    let mut through_group = assignment("Storage Blob Data Reader", ACCOUNT);
    through_group.principal = "99999999-0000-4000-8000-0000000000aa".to_owned();
    through_group.principal_type = "Group".to_owned();
    through_group.members = vec![examples::PRINCIPAL.to_owned()];
    let Grant::Granted(used) = grant(vec![through_group]).await else { panic!() };
    assert_eq!(used[0].principal_type, "Group");
}

#[tokio::test]
async fn custom_roles_are_read_and_conditions_kept() {
    let id = "99999999-0000-4000-8000-0000000000bb";
    let mut tenant = Tenant::example();
    tenant.definitions.push(Definition {
        id: id.to_owned(),
        properties: serde_json::json!({"roleName": "Blob Peeker", "type": "CustomRole", "permissions": [{"actions": [], "notActions": [], "dataActions": ["Microsoft.Storage/*/read"], "notDataActions": []}]}),
    });
    let mut custom = assignment(id, ACCOUNT);
    custom.condition = Some("@Resource[x] StringEquals 'y'".to_owned());
    tenant.assignments = vec![custom];
    let lab = Lab::start(tenant).await;
    let found = lab.azure.role_assignments(principal(), &need().scope).await;
    let found = found.known().unwrap();
    let role = found.definitions.values().next().unwrap();
    assert!(role.custom && role.name == "Blob Peeker");
    assert!(matches!(judge(&need(), found), Grant::Conditional(_)));
    // A definition that cannot be read is no refusal.
    lab.emulator.change(|tenant| tenant.definitions.clear());
    let fresh = Lab::start(lab.emulator.change(|tenant| tenant.clone())).await;
    let found = fresh.azure.role_assignments(principal(), &need().scope).await;
    assert!(matches!(judge(&need(), found.known().unwrap()), Grant::Unreadable(_)));
}

#[tokio::test]
async fn definitions_are_read_once_in_a_run() {
    let mut tenant = Tenant::example();
    tenant.assignments = vec![assignment("Reader", "/"), assignment("Reader", ACCOUNT)];
    let lab = Lab::start(tenant).await;
    for _ in 0..3 {
        lab.azure.role_assignments(principal(), &need().scope).await.known().unwrap();
    }
    let definitions = lab.requests().iter().filter(|request| request.path.contains("roleDefinitions")).count();
    assert_eq!((definitions, lab.requests().len()), (1, 4));
}

#[tokio::test]
async fn a_whole_subscription_shows_what_lies_below_it_and_what_is_too_broad() {
    let subscription = format!("/subscriptions/{}", examples::SUBSCRIPTION);
    let mut tenant = Tenant::example();
    tenant.assignments =
        vec![assignment("Contributor", &subscription), assignment("Storage Blob Data Reader", ACCOUNT)];
    let lab = Lab::start(tenant).await;
    let found = lab.azure.role_assignments(principal(), &ResourceId::parse(&subscription).unwrap()).await;
    let found = found.known().unwrap();
    assert_eq!(found.list.len(), 2);
    assert_eq!(too_broad(found).len(), 1);
    lab.assert_proper();
}

#[tokio::test]
async fn no_permission_to_read_roles_is_unknown_with_the_action() {
    let action = "Microsoft.Authorization/roleAssignments/read";
    let lab =
        Lab::start(Tenant::example().denying(action, "/subscriptions/11111111-1111-1111-1111-111111111111")).await;
    let fact = lab.azure.role_assignments(principal(), &need().scope).await;
    assert!(matches!(&fact, Fact::Denied(denied) if denied.verb == action), "{fact:?}");
}

#[tokio::test]
async fn a_principal_that_arm_cannot_resolve_is_asked_for_without_its_groups() {
    let mut tenant = Tenant::example();
    tenant.assignments = vec![
        assignment("Storage Blob Data Reader", ACCOUNT),
        assignment("Reader", &format!("{ACCOUNT}/blobServices/default/containers/c1")),
    ];
    let lab = Lab::start(tenant).await;
    let refused = Answer::json(400, &serde_json::json!({"error": {"code": "BadRequest", "message": "no such object"}}));
    lab.emulator.fault(Fault::on("roleAssignments", refused));
    let found = lab.azure.role_assignments(principal(), &need().scope).await;
    let found = found.known().unwrap();
    assert!(!found.through_groups);
    assert_eq!(found.list.len(), 1, "what lies below the account is left out");
    lab.assert_proper();
}

#[tokio::test]
async fn a_vault_says_whether_roles_or_policies_count() {
    let lab = Lab::start(Tenant::example()).await;
    let vault = |name: &str| {
        ResourceId::parse(&format!(
            "/subscriptions/{}/resourceGroups/rg1/providers/Microsoft.KeyVault/vaults/{name}",
            examples::SUBSCRIPTION
        ))
        .unwrap()
    };
    for (name, roles_count, reads) in [("kv-rbac", true, false), ("kv-policies", false, true), ("kv-old", false, true)]
    {
        let read = lab.azure.vault(&vault(name)).await.known().unwrap().clone();
        assert_eq!((read.roles_count, read.policy_reads_secrets(principal())), (roles_count, reads), "{name}");
    }
    // A policy for the client id, a common mistake, is no policy for the identity.
    lab.emulator.change(|tenant| {
        tenant.vaults[1].body["properties"]["accessPolicies"][0]["objectId"] = serde_json::json!(examples::CLIENT);
    });
    assert!(!lab.azure.vault(&vault("kv-policies")).await.known().unwrap().policy_reads_secrets(principal()));
    assert_eq!(lab.azure.vault(&vault("kv-none")).await, Fact::Absent);
    lab.assert_proper();
}

/// What the documentation of the roles says, computed from their recorded permissions.
#[test]
fn the_recorded_roles_allow_what_they_are_known_for() {
    let roles = file("rest/authorization/builtin-roles.json");
    let allows = |role: &str, action: &str, plane: Plane| {
        let found = roles["value"].as_array().unwrap().iter().find(|r| r["properties"]["roleName"] == role).unwrap();
        let permissions: Vec<kubectl_wi::azure::roles::Permission> =
            serde_json::from_value(found["properties"]["permissions"].clone()).unwrap();
        let action = Action { name: action.to_owned(), plane };
        permissions.iter().any(|permission| permission.allows(&action))
    };
    let write = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write";
    let read = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read";
    assert!(allows("Managed Identity Contributor", write, Plane::Control));
    assert!(!allows("Managed Identity Operator", write, Plane::Control));
    assert!(allows("Managed Identity Operator", read, Plane::Control));
    assert!(allows(
        "Managed Identity Operator",
        "Microsoft.ManagedIdentity/userAssignedIdentities/read",
        Plane::Control
    ));
    assert!(allows("Contributor", write, Plane::Control));
    assert!(!allows("Contributor", "Microsoft.Authorization/roleAssignments/write", Plane::Control));
    assert!(allows("Storage Blob Data Reader", READ_BLOB, Plane::Data));
    assert!(!allows("Contributor", READ_BLOB, Plane::Data));
    assert!(allows("Key Vault Secrets User", "Microsoft.KeyVault/vaults/secrets/getSecret/action", Plane::Data));
    assert!(!allows("Key Vault Reader", "Microsoft.KeyVault/vaults/secrets/getSecret/action", Plane::Data));
    assert!(allows("AcrPull", "Microsoft.ContainerRegistry/registries/pull/read", Plane::Control));
}
