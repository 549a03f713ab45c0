//! Roles: what an application needs and does not have, and what it has and does not need.

use super::{identities, identity_object, named};
use crate::apps::{NamedResource, RoleNeed, message};
use crate::azure::facts::IdentityFacts;
use crate::azure::roles::{
    Action, Assignments, RoleAssignment, RoleDefinition, assignment_command, builtin, too_broad,
};
use crate::azure::{ResourceId, ScopeLevel};
use crate::chain::Chain;
use crate::chain::azure::Presentation;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};

const READS: &[Reads] =
    &[Reads::Template, Reads::Account, Reads::Webhook, Reads::Cluster, Reads::Objects, Reads::Identity, Reads::Roles];

rule! {
    /// ## What it does
    /// Finds that a role which the application needs is not seen at a scope that covers the resource it is needed for.
    ///
    /// ## Why it breaks
    /// The exchange works, and the service then answers 403: `AuthorizationPermissionMismatch`,
    /// `ForbiddenByRbac`, `AuthorizationFailed`. Roles of the control plane (Owner, Contributor, Reader) do not read data.
    ///
    /// ## How it is known
    /// From the identity's role assignments in Azure (`--azure`), inherited ones and those of its groups included, in
    /// the identity's subscription and in those that the application's settings or `--subscription` name; and from what
    /// the application is known to need. What was not searched may grant it all the same: groups that Azure does not
    /// resolve, custom roles that cannot be read, a Key Vault's access policies. So it is a warning, and an error only
    /// where the application's status shows that it was denied.
    ///
    /// ## Fix
    /// `az role assignment create`, printed with principal and, where it is known, scope. A new assignment takes up to
    /// ten minutes to count.
    ///
    /// ## Fix safety
    /// This program never grants a role.
    ///
    /// ## References
    /// - Azure RBAC, "Understand scope"; "Troubleshoot Azure RBAC"
    RoleAssignmentMissing {
        code: "WI601",
        name: "role-assignment-missing",
        level: Level::Error,
        link: Link::Role,
        needs: &[Needs::Azure, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for RoleAssignmentMissing {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let identities = identities(chain);
        // With several identities it is not known which one is to have which role.
        let [(shown, facts)] = identities.as_slice() else { return };
        let Some(roles) = roles_of(chain, facts) else { return };
        let needs: Vec<RoleNeed> = chain.applications().iter().flat_map(|part| part.application.roles(part)).collect();
        let denied = denials(chain);
        for need in needs {
            let resources: Vec<Option<&NamedResource>> =
                if need.on.is_empty() { vec![None] } else { need.on.iter().map(Some).collect() };
            for resource in resources {
                if let Judged::Missing(elsewhere) = judge(&need, resource, &roles) {
                    say(chain, (shown, facts), &need, resource, &elsewhere, &denied, report);
                }
            }
        }
    }
}

/// All assignments of an identity that were read; `None` where one of the scopes could not be.
fn roles_of<'a>(chain: &Chain<'a>, facts: &'a IdentityFacts) -> Option<Vec<&'a Assignments>> {
    let answers = chain.role_assignments(facts);
    let known: Vec<&Assignments> = answers.iter().filter_map(|(_, fact)| fact.known()).collect();
    (!known.is_empty() && known.len() == answers.len()).then_some(known)
}

enum Judged<'a> {
    Granted,
    /// Not seen; assignments of fitting roles that do not reach.
    Missing(Vec<(&'a RoleAssignment, String)>),
    /// Something covers it that could not be read.
    Open,
}

fn judge<'a>(need: &RoleNeed, resource: Option<&NamedResource>, roles: &[&'a Assignments]) -> Judged<'a> {
    let mut elsewhere = Vec::new();
    let mut open = false;
    for assignments in roles {
        for assignment in &assignments.list {
            let definition = assignments.definitions.get(&assignment.role);
            let reaches = reach(&assignment.scope, resource);
            let fits = fits(need, assignment, definition);
            match (fits, reaches) {
                (Some(true), Reach::Yes) => return Judged::Granted,
                (Some(true), Reach::No) => {
                    let name = definition.map_or("a role", |role| &role.name);
                    let place = crate::chain::azure_links::short(&assignment.scope);
                    elsewhere.push((assignment, format!("{name} is given at {place}, which does not cover it")));
                }
                (None, Reach::Yes) => open = true,
                _ => {}
            }
        }
    }
    if open { Judged::Open } else { Judged::Missing(elsewhere) }
}

/// Whether a role allows what is needed; `None` where it could not be read.
fn fits(need: &RoleNeed, assignment: &RoleAssignment, definition: Option<&RoleDefinition>) -> Option<bool> {
    let named = std::iter::once(&need.role).chain(need.or).any(|name| {
        builtin::by_name(name) == Some(assignment.role)
            || definition.is_some_and(|definition| definition.name.eq_ignore_ascii_case(name))
    });
    if named {
        return Some(true);
    }
    let actions = actions(need.role);
    let definition = definition?;
    Some(!actions.is_empty() && actions.iter().all(|action| definition.allows(action)))
}

/// What a role is needed for, where another role may allow it as well.
fn actions(role: &str) -> Vec<Action> {
    const BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
    let data = |names: &[&str]| names.iter().map(|name| Action::data(name)).collect();
    let control = |names: &[&str]| names.iter().map(|name| Action::control(name)).collect();
    match role {
        "Storage Blob Data Contributor" => {
            data(&[&format!("{BLOBS}/read"), &format!("{BLOBS}/write"), &format!("{BLOBS}/delete")])
        }
        "Storage Blob Data Reader" => data(&[&format!("{BLOBS}/read")]),
        "Key Vault Secrets User" => data(&["Microsoft.KeyVault/vaults/secrets/getSecret/action"]),
        "DNS Zone Contributor" => {
            control(&["Microsoft.Network/dnsZones/TXT/write", "Microsoft.Network/dnsZones/TXT/delete"])
        }
        "Private DNS Zone Contributor" => control(&["Microsoft.Network/privateDnsZones/A/write"]),
        "Reader" => control(&["Microsoft.Storage/storageAccounts/read", "Microsoft.Network/dnsZones/read"]),
        "Contributor" => control(&["Microsoft.Compute/snapshots/write", "Microsoft.Compute/disks/read"]),
        "Monitoring Metrics Publisher" => data(&["Microsoft.Insights/Metrics/Write"]),
        _ => Vec::new(),
    }
}

#[derive(PartialEq, Eq)]
enum Reach {
    /// It covers the resource, or may: where settings do not say in which group or subscription it is.
    Yes,
    No,
}

fn reach(scope: &ResourceId, resource: Option<&NamedResource>) -> Reach {
    let Some(resource) = resource else { return Reach::Yes };
    let same = |own: Option<&str>, said: &Option<String>| match (own, said) {
        (Some(own), Some(said)) => own.eq_ignore_ascii_case(said),
        _ => true,
    };
    let group = same(scope.subscription(), &resource.subscription) && same(scope.resource_group(), &resource.group);
    let covers = match scope.level() {
        ScopeLevel::Root | ScopeLevel::ManagementGroup => true,
        ScopeLevel::Subscription | ScopeLevel::ResourceGroup => group,
        ScopeLevel::Resource => {
            let own = format!("/providers/{}/{}", resource.kind, resource.name).to_lowercase();
            let scope = scope.as_str().to_lowercase();
            // What is below the resource, such as a container, may be all that is used.
            group
                && scope.find(&own).is_some_and(|at| {
                    let rest = &scope[at + own.len()..];
                    rest.is_empty() || rest.starts_with('/')
                })
        }
    };
    if covers { Reach::Yes } else { Reach::No }
}

/// What the application's resources say about being denied.
fn denials(chain: &Chain<'_>) -> Vec<String> {
    let Some(workload) = chain.workload() else { return Vec::new() };
    let inventory = chain.inventory();
    let mut found = Vec::new();
    for other in inventory.others() {
        let Some(status) = other.value.get("status") else { continue };
        let mut texts = Vec::new();
        texts_below(status, &mut texts);
        let is_denial =
            |text: &&String| message::classify(text).is_some_and(|meaning| meaning.points_to.contains(&"WI601"));
        let Some(text) = texts.iter().find(is_denial) else { continue };
        let users = crate::apps::users(other, inventory);
        if users.iter().any(|user| user.meta.object == workload.meta.object) {
            found.push(format!("{}: {}", other.meta.object, message::shorten(text)));
        }
    }
    found
}

fn texts_below(value: &serde_json::Value, texts: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => texts.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts_below(item, texts)),
        serde_json::Value::Object(map) => map.values().for_each(|item| texts_below(item, texts)),
        _ => {}
    }
}

fn say(
    chain: &Chain<'_>,
    (shown, facts): (&Presentation, &IdentityFacts),
    need: &RoleNeed,
    resource: Option<&NamedResource>,
    elsewhere: &[(&RoleAssignment, String)],
    denied: &[String],
    report: &mut Report<'_>,
) {
    let who = named(shown, facts);
    let place = resource.map_or_else(|| need.scope.clone(), describe);
    // Velero reads the account's properties to find an address, and goes on with the default one without it.
    let optional = need.why.contains("not needed where") && denied.is_empty();
    let level = match (optional, denied.is_empty()) {
        (true, _) => Level::Info,
        (false, true) => Level::Warning,
        (false, false) => Level::Error,
    };
    let key = resource.map_or_else(|| need.role.to_owned(), |resource| format!("{}@{}", need.role, resource.name));
    report
        .add(
            &identity_object(shown, facts),
            format!("/roleAssignments/{}", key.replace([' ', '/'], "-").to_lowercase()),
            format!("{who} is not seen to have {} on {place}; {}", need.role, purpose(chain, need)),
        )
        .level(level)
        .confidence(if denied.is_empty() { Confidence::Inferred } else { Confidence::Observed })
        .evidence_all(denied.iter().cloned())
        .evidence_all(elsewhere.iter().take(3).map(|(_, line)| line.clone()))
        .evidence_all((!need.or.is_empty()).then(|| format!("as well would do: {}", need.or.join(", "))))
        .evidence(not_searched(resource, facts))
        .fix(fix(need, resource, facts));
}

fn purpose(chain: &Chain<'_>, need: &RoleNeed) -> String {
    match chain.application() {
        Some(part) => format!("{} needs it for {}", part.application.title(), need.why),
        None => format!("it is needed for {}", need.why),
    }
}

fn describe(resource: &NamedResource) -> String {
    let what = match resource.kind {
        "Microsoft.Storage/storageAccounts" => "storage account",
        "Microsoft.KeyVault/vaults" => "key vault",
        "Microsoft.Network/dnsZones" => "DNS zone",
        "Microsoft.ServiceBus/namespaces" => "Service Bus namespace",
        other => other,
    };
    format!("{what} {}", resource.name)
}

fn not_searched(resource: Option<&NamedResource>, facts: &IdentityFacts) -> String {
    let scopes: Vec<String> = facts.roles.iter().map(|(scope, _)| crate::chain::azure_links::short(scope)).collect();
    let groups = facts.roles.iter().filter_map(|(_, fact)| fact.known()).all(|found| found.through_groups);
    let mut also = vec!["other subscriptions"];
    if !groups {
        also.push("groups");
    }
    if resource.is_some_and(|resource| resource.kind == "Microsoft.KeyVault/vaults") {
        also.push("the vault's access policies");
    }
    format!("searched {}; not searched, and may grant it: {}", scopes.join(", "), also.join(", "))
}

fn fix(need: &RoleNeed, resource: Option<&NamedResource>, facts: &IdentityFacts) -> Fix {
    let fix = Fix::manual(format!("give it {}; it counts after up to ten minutes", need.role));
    let Some(principal) = facts.principal() else { return fix };
    let id = resource.and_then(|resource| {
        let (group, subscription) = (resource.group.as_deref()?, resource.subscription.as_deref()?);
        let (kind, name) = (resource.kind, &resource.name);
        ResourceId::parse(&format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}")).ok()
    });
    match (builtin::by_name(need.role), id) {
        (Some(role), Some(id)) => fix.command(assignment_command(role, principal, &id)),
        (_, _) => fix.command(format!(
            "az role assignment create --role \"{}\" --assignee-object-id {principal} --assignee-principal-type \
             ServicePrincipal --scope SCOPE",
            need.role
        )),
    }
}

rule! {
    /// ## What it does
    /// Names Owner or Contributor at a whole subscription, or above it, where a narrower built-in role serves.
    ///
    /// ## Why it breaks
    /// Nothing breaks. Whoever gets into the pod owns the subscription.
    ///
    /// ## How it is known
    /// From the identity's role assignments in Azure (`--azure`), for applications whose needs are known. Operators that
    /// manage a whole subscription need what they have, and are left out.
    ///
    /// ## Fix
    /// Give the narrower role first, then take the broad one away.
    ///
    /// ## Fix safety
    /// This program neither grants nor takes roles.
    ///
    /// ## References
    /// - Azure RBAC, "Best practices"
    RoleTooBroad {
        code: "WI602",
        name: "role-too-broad",
        level: Level::Info,
        link: Link::Role,
        needs: &[Needs::Azure],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for RoleTooBroad {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let needs: Vec<RoleNeed> = chain.applications().iter().flat_map(|part| part.application.roles(part)).collect();
        let whole = needs.iter().any(|need| need.role == "Contributor" && need.scope.contains("subscription"));
        if needs.is_empty() || whole {
            return;
        }
        for (shown, facts) in identities(chain) {
            let answers = chain.role_assignments(facts);
            let mut told: Vec<&str> = Vec::new();
            for assignments in answers.iter().filter_map(|(_, fact)| fact.known()) {
                for broad in too_broad(assignments) {
                    if told.contains(&broad.id.as_str()) {
                        continue;
                    }
                    told.push(&broad.id);
                    let role = builtin::name_of(&broad.role).unwrap_or("a role");
                    let narrow: Vec<String> =
                        needs.iter().map(|need| format!("{} on {}", need.role, need.scope)).collect();
                    let place = crate::chain::azure_links::short(&broad.scope);
                    report
                        .add(
                            &identity_object(&shown, facts),
                            format!("/roleAssignments/{}", broad.id.rsplit('/').next().unwrap_or_default()),
                            format!("{} is {role} of {place}; narrower roles serve", named(&shown, facts)),
                        )
                        .evidence(format!("needed: {}", narrow.join("; ")))
                        .fix(
                            Fix::manual("give the narrower roles, then take this one away")
                                .command(format!("az role assignment delete --ids {}", broad.id)),
                        );
                }
            }
        }
    }
}
