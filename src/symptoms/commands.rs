//! The commands to run next, with what the text tells filled in.
//!
//! What stands in a log was written by somebody else: a value goes into a command only where it has exactly the form
//! of what it is said to be, and in quotes where a shell might read something into it. Else a placeholder stands there.

use super::model::Facts;

/// A command that helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The chain of the workload.
    Inspect,
    /// What the container really has.
    Probe,
    /// The exchange itself, several times.
    Exchange,
    /// The correction, in the cluster.
    Fix,
    /// The correction, in Azure too.
    FixAzure,
    /// The webhook's pods.
    WebhookPods,
    /// The webhook's log.
    WebhookLogs,
    /// The webhook's configuration.
    WebhookConfiguration,
    /// The issuer's discovery document.
    IssuerDocument,
    /// The federated credentials of the identity.
    FederatedCredentials,
    /// The federated credential that is missing.
    CreateFederatedCredential,
    /// The identity behind a client id.
    Identity,
    /// The role assignments of the identity.
    RoleAssignments,
    /// The role that is missing.
    AssignRole,
    /// Whether the authority answers, seen from beside the pod.
    Authority,
    /// The pod's events.
    Describe,
    /// Anything else, as it stands.
    Run(&'static str),
}

/// Writes the commands.
///
/// `target` is what to inspect where the text names no account.
pub(super) fn write(next: &[Next], facts: &Facts, target: Option<&str>) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for command in next.iter().map(|next| command(*next, facts, target)) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}

fn command(next: Next, facts: &Facts, otherwise: Option<&str>) -> String {
    let target = target(facts, otherwise);
    let workload = workload(facts, otherwise);
    let client = guid(facts.client_id.as_deref()).unwrap_or("CLIENT-ID");
    match next {
        Next::Inspect => format!("kubectl wi inspect {target}"),
        Next::Probe => format!("kubectl wi exec-probe {workload}"),
        Next::Exchange => format!("kubectl wi exec-probe {workload} --exchange --samples 5"),
        Next::Fix => format!("kubectl wi fix {target}"),
        Next::FixAzure => format!("kubectl wi fix {target} --azure"),
        Next::WebhookPods => "kubectl get pods -A -l azure-workload-identity.io/system=true".to_owned(),
        Next::WebhookLogs => format!(
            "kubectl logs -n {} -l azure-workload-identity.io/system=true --tail 100",
            dns_name(facts.namespace.as_deref()).unwrap_or("NAMESPACE")
        ),
        Next::WebhookConfiguration => {
            "kubectl get mutatingwebhookconfiguration azure-wi-webhook-mutating-webhook-configuration -o yaml"
                .to_owned()
        }
        Next::IssuerDocument => match url(facts.issuer.as_deref()) {
            Some(issuer) => {
                format!("curl -fsS '{}/.well-known/openid-configuration'", issuer.trim_end_matches('/'))
            }
            None => "curl -fsS ISSUER/.well-known/openid-configuration".to_owned(),
        },
        Next::FederatedCredentials => {
            "az identity federated-credential list --identity-name IDENTITY -g RESOURCE-GROUP -o table".to_owned()
        }
        Next::CreateFederatedCredential => format!(
            "az identity federated-credential create --name NAME --identity-name IDENTITY -g RESOURCE-GROUP --issuer {} --subject {} --audiences {}",
            quoted(url(facts.issuer.as_deref()), "ISSUER"),
            quoted(subject(facts), "system:serviceaccount:NAMESPACE:ACCOUNT"),
            quoted(url(facts.audience.as_deref()), "api://AzureADTokenExchange"),
        ),
        Next::Identity => format!(
            "az identity list --query \"[?clientId=='{client}'].{{name:name,resourceGroup:resourceGroup,tenant:tenantId,principal:principalId}}\" -o table"
        ),
        Next::RoleAssignments => format!(
            "az role assignment list --all --assignee {} -o table",
            guid(facts.object_id.as_deref()).unwrap_or("PRINCIPAL-ID")
        ),
        Next::AssignRole => format!(
            "az role assignment create --assignee-object-id {} --assignee-principal-type ServicePrincipal --role {} --scope {}",
            guid(facts.object_id.as_deref()).unwrap_or("PRINCIPAL-ID"),
            role(facts).map_or("ROLE".to_owned(), |role| format!("'{role}'")),
            quoted(resource_id(facts.scope.as_deref()).map(grantable), "RESOURCE-ID"),
        ),
        Next::Authority => format!("kubectl wi exec-probe {workload} --method ephemeral"),
        Next::Describe => {
            format!("kubectl describe pod POD -n {}", dns_name(facts.namespace.as_deref()).unwrap_or("NAMESPACE"))
        }
        Next::Run(command) => command.to_owned(),
    }
}

/// The account where the text names it, else what the application is known to be, else whatever the reader knows.
fn target(facts: &Facts, otherwise: Option<&str>) -> String {
    match (dns_name(facts.service_account.as_deref()), dns_name(facts.namespace.as_deref())) {
        (Some(account), Some(namespace)) => format!("serviceaccount/{account} -n {namespace}"),
        _ => workload(facts, otherwise),
    }
}

fn workload(facts: &Facts, otherwise: Option<&str>) -> String {
    match (otherwise, dns_name(facts.namespace.as_deref())) {
        (Some(otherwise), _) => otherwise.to_owned(),
        (None, Some(namespace)) => format!("TYPE/NAME -n {namespace}"),
        (None, None) => "TYPE/NAME -n NAMESPACE".to_owned(),
    }
}

fn quoted(value: Option<&str>, otherwise: &str) -> String {
    value.map_or_else(|| otherwise.to_owned(), |value| format!("'{value}'"))
}

/// The narrowest built-in role for an action that is often denied.
fn role(facts: &Facts) -> Option<&'static str> {
    let action = facts.action.as_deref().unwrap_or_default().to_ascii_lowercase();
    let host = facts.host.as_deref().unwrap_or_default().to_ascii_lowercase();
    let known: &[(&str, &str)] = &[
        ("microsoft.network/dnszones", "DNS Zone Contributor"),
        ("microsoft.network/privatednszones", "Private DNS Zone Contributor"),
        ("microsoft.keyvault/vaults/secrets", "Key Vault Secrets User"),
        ("microsoft.keyvault/vaults/certificates", "Key Vault Certificate User"),
        ("microsoft.keyvault/vaults/keys", "Key Vault Crypto User"),
        ("microsoft.storage/storageaccounts/read", "Reader"),
        ("microsoft.storage/storageaccounts/blobservices", "Storage Blob Data Contributor"),
        ("microsoft.storage/storageaccounts/queueservices", "Storage Queue Data Contributor"),
        ("microsoft.storage/storageaccounts/tableservices", "Storage Table Data Contributor"),
        ("microsoft.containerregistry", "AcrPull"),
        ("microsoft.insights", "Monitoring Metrics Publisher"),
        ("microsoft.compute/snapshots", "Contributor"),
        ("listen", "Azure Service Bus Data Receiver"),
        ("send", "Azure Service Bus Data Sender"),
        ("manage", "Azure Service Bus Data Owner"),
    ];
    if let Some((_, role)) = known.iter().find(|(prefix, _)| action.starts_with(prefix)) {
        return Some(role);
    }
    if host.contains(".blob.") {
        return Some("Storage Blob Data Contributor");
    }
    host.contains(".vault.").then_some("Key Vault Secrets User")
}

fn guid(value: Option<&str>) -> Option<&str> {
    value.filter(|value| is_guid(value))
}

/// Whether this is a GUID in its usual form.
pub(super) fn is_guid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A name of Kubernetes (RFC 1123), or of a host.
fn dns_name(value: Option<&str>) -> Option<&str> {
    value.filter(|value| {
        (1..=253).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
            && !value.starts_with(['-', '.'])
            && !value.ends_with(['-', '.'])
    })
}

fn url(value: Option<&str>) -> Option<&str> {
    value.filter(|value| {
        (value.starts_with("https://") || value.starts_with("api://"))
            && value.len() <= 600
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte))
    })
}

fn subject(facts: &Facts) -> Option<&str> {
    let subject = facts.subject.as_deref()?;
    let (namespace, account) = crate::token::difference::account(subject)?;
    (dns_name(Some(namespace)).is_some() && dns_name(Some(account)).is_some()).then_some(subject)
}

fn resource_id(value: Option<&str>) -> Option<&str> {
    value.filter(|value| {
        value.starts_with("/subscriptions/")
            && value.len() <= 1024
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/()".contains(&byte))
    })
}

/// The part of a scope at which a role makes sense: the zone, not its record; the vault, not one secret.
fn grantable(scope: &str) -> &str {
    const RESOURCES: [&str; 5] = [
        "/providers/microsoft.network/dnszones/",
        "/providers/microsoft.network/privatednszones/",
        "/providers/microsoft.keyvault/vaults/",
        "/providers/microsoft.storage/storageaccounts/",
        "/providers/microsoft.servicebus/namespaces/",
    ];
    let lower = scope.to_ascii_lowercase();
    for resource in RESOURCES {
        if let Some(at) = lower.find(resource) {
            let name = at + resource.len();
            let end = scope[name..].find('/').map_or(scope.len(), |end| name + end);
            return &scope[..end];
        }
    }
    // "/providers/Microsoft.Network" at the end is no resource.
    match lower.rfind("/providers/") {
        Some(at) if scope[at + 11..].split('/').count() < 3 => &scope[..at],
        _ => scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_text_tells_is_filled_in() {
        let facts = Facts {
            issuer: Some("https://issuer.example/a/".into()),
            subject: Some("system:serviceaccount:shop:cart".into()),
            namespace: Some("shop".into()),
            service_account: Some("cart".into()),
            ..Facts::default()
        };
        let commands = write(&[Next::Inspect, Next::CreateFederatedCredential, Next::IssuerDocument], &facts, None);
        assert_eq!(commands[0], "kubectl wi inspect serviceaccount/cart -n shop");
        assert!(
            commands[1].contains("--issuer 'https://issuer.example/a/' --subject 'system:serviceaccount:shop:cart'")
        );
        assert_eq!(commands[2], "curl -fsS 'https://issuer.example/a/.well-known/openid-configuration'");
    }

    #[test]
    fn nothing_that_a_shell_could_read_gets_into_a_command() {
        let evil = "x'; rm -rf / #$(id)";
        let facts = Facts {
            issuer: Some(format!("https://{evil}")),
            subject: Some(format!("system:serviceaccount:{evil}:a")),
            audience: Some(evil.into()),
            namespace: Some(evil.into()),
            service_account: Some(evil.into()),
            client_id: Some(evil.into()),
            object_id: Some(evil.into()),
            scope: Some(format!("/subscriptions/{evil}")),
            host: Some(evil.into()),
            ..Facts::default()
        };
        let all = [
            Next::Inspect,
            Next::Probe,
            Next::Exchange,
            Next::Fix,
            Next::FixAzure,
            Next::WebhookLogs,
            Next::IssuerDocument,
            Next::CreateFederatedCredential,
            Next::Identity,
            Next::RoleAssignments,
            Next::AssignRole,
            Next::Authority,
            Next::Describe,
        ];
        for command in write(&all, &facts, None) {
            assert!(!command.contains("rm -rf"), "{command}");
        }
    }

    #[test]
    fn the_role_follows_from_the_action() {
        let of = |action: &str| role(&Facts { action: Some(action.into()), ..Facts::default() });
        assert_eq!(of("Microsoft.Network/dnsZones/TXT/write"), Some("DNS Zone Contributor"));
        assert_eq!(of("Microsoft.KeyVault/vaults/secrets/getSecret/action"), Some("Key Vault Secrets User"));
        assert_eq!(of("Something/else"), None);
    }
}
