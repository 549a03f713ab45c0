//! Prometheus, Dapr, and the App Configuration provider.
//!
//! Sources: prometheus/prometheus (3.7.0; issues 18972 and 18973), prometheus-operator `azureAd`, dapr/components-contrib
//! and dapr issues 787 and 791, Azure/AppConfiguration-KubernetesProvider (2.0.0).

use super::marks::{Marks, Sighting, Signs};
use super::{
    Application, Complaint, Defect, First, Injected, Keep, Need, OwnIdentity, Part, RoleNeed, custom, parts_of,
};
use crate::model::finding::{Fix, Level};
use crate::model::inventory::{Inventory, RawObject};
use crate::model::workload::Workload;
use serde_json::Value;

/// Prometheus, as its operator runs it.
#[derive(Debug)]
pub struct Prometheus;

const PROMETHEUS: &[Signs] = &[Signs {
    images: &["prometheus/prometheus", "bitnami/prometheus"],
    names: &["prometheus"],
    containers: &["prometheus", "prometheus-server"],
    charts: &["prometheus", "kube-prometheus-stack"],
    ..Signs::NONE
}];

/// The `Prometheus` whose pods these are, or that a resource is.
fn prometheus_of<'a>(part: &Part<'a>) -> Option<&'a RawObject> {
    let namespace = part.workload.meta.namespace();
    let owner =
        part.workload.meta.controller().filter(|owner| owner.kind == "Prometheus").map(|owner| owner.name.as_str());
    let name = owner.or_else(|| part.workload.meta.name().strip_prefix("prometheus-"))?;
    part.inventory.other("Prometheus", Some(namespace), name).known().copied()
}

/// The remote writes that authenticate with Entra, by their place.
fn remote_writes(prometheus: &RawObject) -> impl Iterator<Item = (usize, &Value)> {
    let writes = custom::list(prometheus, "/spec/remoteWrite").iter().enumerate();
    writes.filter_map(|(at, write)| Some((at, write.get("azureAd")?)))
}

fn by_token(azure: &Value) -> bool {
    azure.get("workloadIdentity").is_some_and(|value| !value.is_null())
}

impl Application for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn title(&self) -> &'static str {
        "Prometheus"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let sighting = marks.best(PROMETHEUS)?;
        let operator = marks.label("app.kubernetes.io/name").is_some_and(|name| name.contains("operator"));
        (!operator).then_some(sighting)
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let Some(prometheus) = prometheus_of(part) else { return Need::Unsaid };
        let asks = remote_writes(prometheus).any(|(_, azure)| by_token(azure));
        Need::of(
            asks.then(|| format!("{} writes with workload identity", prometheus.meta.object)).into_iter().collect(),
        )
    }

    fn passes_client_id(&self, part: &Part<'_>) -> Option<String> {
        let prometheus = prometheus_of(part)?;
        let mut asking = remote_writes(prometheus).filter(|(_, azure)| by_token(azure)).peekable();
        asking.peek()?;
        asking
            .all(|(_, azure)| {
                azure.pointer("/workloadIdentity/clientId").and_then(Value::as_str).is_some_and(|id| !id.is_empty())
            })
            .then(|| format!("{} names it", prometheus.meta.object))
    }

    fn first_release(&self, part: &Part<'_>) -> Option<First> {
        let asks =
            prometheus_of(part).is_some_and(|prometheus| remote_writes(prometheus).any(|(_, azure)| by_token(azure)));
        asks.then_some(First {
            release: (3, 7, 0),
            before: "older releases refuse azuread.workload_identity",
            source: "Prometheus 3.7.0",
        })
    }

    fn defects(&self, part: &Part<'_>) -> &'static [Defect] {
        let without_path = prometheus_of(part).is_some_and(|prometheus| {
            remote_writes(prometheus)
                .any(|(_, azure)| by_token(azure) && azure.pointer("/workloadIdentity/tokenFilePath").is_none())
        });
        if without_path { PATH_BUILT_IN } else { &[] }
    }

    fn complaints(&self, part: &Part<'_>, seen: &Injected) -> Vec<Complaint> {
        let Some(prometheus) = prometheus_of(part) else { return Vec::new() };
        let object = &prometheus.meta.object;
        let edit = || {
            Fix::manual("use azureAd.workloadIdentity").command(format!(
                "kubectl edit prometheus/{} -n {}",
                object.name,
                part.namespace()
            ))
        };
        let mut found = Vec::new();
        for (at, azure) in remote_writes(prometheus) {
            let path = format!("/spec/remoteWrite/{at}/azureAd");
            let others: Vec<&str> = ["managedIdentity", "oauth", "sdk"]
                .into_iter()
                .filter(|name| azure.get(name).is_some_and(|v| !v.is_null()))
                .collect();
            if by_token(azure) && !others.is_empty() {
                let says = format!(
                    "azureAd of {object} has {} beside workloadIdentity; the operator refuses it",
                    others.join(" and ")
                );
                found.push(Complaint::error(object, path.clone(), says, edit()));
            } else if azure.get("managedIdentity").is_some_and(|value| !value.is_null()) {
                let says =
                    format!("azureAd of {object} uses managedIdentity, the node's; the token in the pod is not used");
                found.push(Complaint::error(object, path.clone() + "/managedIdentity", says, edit()).warning());
            }
            let id = azure.pointer("/workloadIdentity/clientId").and_then(Value::as_str);
            if let (Some(own), Some(injected)) = (id, &seen.client_id)
                && !own.eq_ignore_ascii_case(injected)
            {
                let says = format!(
                    "azureAd of {object} names client id {own}, and the service account carries {injected}; the former needs the credential"
                );
                found.push(Complaint::error(object, path + "/workloadIdentity/clientId", says, edit()).warning());
            }
        }
        found
    }

    fn values(&self, part: &Part<'_>, keep: Keep) -> Option<String> {
        part.chart.as_ref().filter(|chart| chart.name == "kube-prometheus-stack")?;
        match keep {
            Keep::PodLabel => Some(
                "prometheus: {prometheusSpec: {podMetadata: {labels: {azure.workload.identity/use: \"true\"}}}}"
                    .to_owned(),
            ),
            Keep::ClientId => Some(
                "prometheus: {serviceAccount: {annotations: {azure.workload.identity/client-id: CLIENT_ID}}}"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn roles(&self, part: &Part<'_>) -> Vec<RoleNeed> {
        let writes = prometheus_of(part).is_some_and(|prometheus| remote_writes(prometheus).next().is_some());
        let role = RoleNeed {
            role: "Monitoring Metrics Publisher",
            scope: "the data collection rule".to_owned(),
            why: "writing metrics",
            or: &[],
            on: Vec::new(),
        };
        if writes { vec![role] } else { Vec::new() }
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[("monitoring.coreos.com", "Prometheus")]
    }

    fn serves_all_namespaces(&self) -> bool {
        false
    }

    fn users<'a>(&self, resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        let parts = parts_of(inventory, self.name());
        let mine = |part: &Part<'a>| prometheus_of(part).is_some_and(|p| p.meta.object == resource.meta.object);
        parts.into_iter().filter(mine).map(|part| part.workload).collect()
    }

    fn resource_account(&self, resource: &RawObject) -> Option<(String, String)> {
        let name = custom::filled(resource, "/spec/serviceAccountName")?;
        Some((resource.meta.namespace().to_owned(), name.to_owned()))
    }
}

const PATH_BUILT_IN: &[Defect] = &[Defect {
    from: (3, 7, 0),
    // The release with the fix was not known when this was written: as long as the path is not given, it may show.
    mended: (3, 99, 0),
    level: Level::Warning,
    what: "it may have the token path of webhooks before 1.6.0 built in (set tokenFilePath, or take a release with pull request 18973)",
    source: "prometheus/prometheus issue 18972",
    webhook: Some((1, 6, 0)),
}];

/// Dapr's sidecar.
#[derive(Debug)]
pub struct Dapr;

/// Whether a component is of a service of Azure.
fn is_azure(component: &RawObject) -> bool {
    custom::text(component, "/spec/type").is_some_and(|kind| kind.contains(".azure."))
}

/// Dapr's components that a workload may use: those of its namespace that are for it, or for all.
fn components<'a>(part: &Part<'a>) -> Vec<&'a RawObject> {
    let id = part.workload.template.metadata.annotation("dapr.io/app-id");
    let namespace = part.workload.meta.namespace();
    let all = part.inventory.others_of("Component");
    all.filter(|c| c.meta.namespace() == namespace && c.meta.object.api_version.starts_with("dapr.io/") && is_azure(c))
        .filter(|component| {
            let scopes = component.value.get("scopes").and_then(Value::as_array);
            scopes.is_none_or(|scopes| scopes.is_empty() || scopes.iter().any(|scope| scope.as_str() == id))
        })
        .collect()
}

/// An entry of a component's metadata.
fn entry<'a>(component: &'a RawObject, name: &str) -> Option<(usize, &'a Value)> {
    let entries = custom::list(component, "/spec/metadata").iter().enumerate();
    entries.into_iter().find(|(_, entry)| {
        entry.get("name").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(name))
    })
}

impl Application for Dapr {
    fn name(&self) -> &'static str {
        "dapr"
    }

    fn title(&self) -> &'static str {
        "Dapr"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let on = marks.template.metadata.annotation("dapr.io/enabled").is_some_and(|value| value == "true");
        // The application is the workload's own; Dapr is beside it.
        on.then_some(Sighting { component: "sidecar", score: 0, container: None })
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let mut asking = components(part).into_iter().filter(|component| {
            let methods = entry(component, "azureAuthMethods").and_then(|(_, entry)| entry.get("value")?.as_str());
            methods.is_some_and(|methods| methods.split(',').any(|m| matches!(m.trim(), "workloadidentity" | "wi")))
        });
        Need::of(
            asking
                .next()
                .map(|component| format!("{} names workload identity in azureAuthMethods", component.meta.object))
                .into_iter()
                .collect(),
        )
    }

    fn complaints(&self, part: &Part<'_>, seen: &Injected) -> Vec<Complaint> {
        let mut found = Vec::new();
        for component in components(part) {
            let object = &component.meta.object;
            let fix = || {
                Fix::manual("leave the credential out of the component").command(format!(
                    "kubectl edit component/{} -n {}",
                    object.name,
                    part.namespace()
                ))
            };
            let secrets = [
                "azureClientSecret",
                "spnClientSecret",
                "azureCertificate",
                "azureCertificateFile",
                "accountKey",
                "connectionString",
            ];
            for name in secrets {
                if let Some((at, _)) = entry(component, name) {
                    let says = format!("{object} gives {name}; Dapr uses it instead of workload identity");
                    found.push(Complaint::error(object, format!("/spec/metadata/{at}"), says, fix()).warning());
                }
            }
            let id =
                entry(component, "azureClientId").and_then(|(at, entry)| Some((at, entry.get("value")?.as_str()?)));
            if let (Some((at, own)), Some(injected)) = (id, &seen.client_id)
                && !own.is_empty()
                && !own.eq_ignore_ascii_case(injected)
            {
                let says = format!(
                    "{object} gives azureClientId {own}; with workload identity the injected {injected} is used"
                );
                found.push(Complaint::error(object, format!("/spec/metadata/{at}"), says, fix()).warning());
            }
        }
        found
    }
}

/// The App Configuration provider.
#[derive(Debug)]
pub struct AppConfiguration;

const PROVIDER: &[Signs] = &[Signs {
    images: &["azure-app-configuration/kubernetes-provider"],
    names: &["azure-appconfig-kubernetes-provider", "azureappconfiguration.kubernetesprovider"],
    charts: &["azureappconfiguration.kubernetesprovider", "kubernetes-provider"],
    containers: &["manager"],
    workloads: &["az-appconfig-k8s-provider", "azureappconfiguration-kubernetes-provider"],
    ..Signs::NONE
}];

const AUTH: &str = "/spec/auth/workloadIdentity";
const WAYS: &[&str] = &["managedIdentityClientId", "managedIdentityClientIdReference", "serviceAccountName"];

fn providers(inventory: &Inventory) -> impl Iterator<Item = &RawObject> {
    let mine = |other: &&RawObject| {
        other.meta.object.api_version.starts_with("azconfig.io/") && other.value.pointer(AUTH).is_some()
    };
    inventory.others_of("AzureAppConfigurationProvider").filter(mine)
}

fn ways(resource: &RawObject) -> Vec<&'static str> {
    let set = |name: &&&str| {
        let value = resource.value.pointer(&format!("{AUTH}/{name}"));
        value.is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
    };
    WAYS.iter().filter(set).copied().collect()
}

impl Application for AppConfiguration {
    fn name(&self) -> &'static str {
        "azure-app-configuration"
    }

    fn title(&self) -> &'static str {
        "Azure App Configuration provider"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let sighting = marks.best(PROVIDER)?;
        let image = sighting.container.and_then(|container| container.image.as_deref()).unwrap_or_default();
        let home = marks.meta.namespace() == "azappconfig-system";
        (home || super::image::repository(image).contains("app-configuration")).then_some(sighting)
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let mut global = providers(part.inventory).filter(|resource| !ways(resource).contains(&"serviceAccountName"));
        Need::of(
            global
                .next()
                .map(|resource| format!("{} takes the provider's own token", resource.meta.object))
                .into_iter()
                .collect(),
        )
    }

    fn passes_client_id(&self, _part: &Part<'_>) -> Option<String> {
        Some("each AzureAppConfigurationProvider names it".to_owned())
    }

    fn identities(&self, part: &Part<'_>) -> Vec<OwnIdentity> {
        providers(part.inventory)
            .filter_map(|resource| custom::filled(resource, &format!("{AUTH}/managedIdentityClientId")))
            .map(|id| OwnIdentity {
                client_id: Some(id.to_owned()),
                tenant_id: None,
                subject: None,
                source: "application",
            })
            .collect()
    }

    fn complaints(&self, part: &Part<'_>, _seen: &Injected) -> Vec<Complaint> {
        let global = providers(part.inventory).filter(|resource| !ways(resource).contains(&"serviceAccountName"));
        let refused = part.at_least(2, 0, 0);
        global.flat_map(|resource| judge(resource, refused)).collect()
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[("azconfig.io", "AzureAppConfigurationProvider")]
    }

    fn users<'a>(&self, resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        if ways(resource).contains(&"serviceAccountName") {
            return Vec::new();
        }
        parts_of(inventory, self.name()).into_iter().map(|part| part.workload).collect()
    }

    fn resource_need(&self, resource: &RawObject, _inventory: &Inventory) -> Need {
        let asks = resource.value.pointer(AUTH).is_some_and(|value| !value.is_null());
        Need::of(asks.then(|| format!("{} asks for workload identity", resource.meta.object)).into_iter().collect())
    }

    fn resource_account(&self, resource: &RawObject) -> Option<(String, String)> {
        let name = custom::filled(resource, &format!("{AUTH}/serviceAccountName"))?;
        Some((resource.meta.namespace().to_owned(), name.to_owned()))
    }

    fn resource_complaints(&self, resource: &RawObject, inventory: &Inventory) -> Vec<Complaint> {
        let refused = parts_of(inventory, self.name()).iter().any(|part| part.at_least(2, 0, 0));
        judge(resource, refused)
    }
}

fn judge(resource: &RawObject, refused: bool) -> Vec<Complaint> {
    let object = &resource.meta.object;
    let ways = ways(resource);
    let fix = || {
        Fix::manual("name an annotated account: spec.auth.workloadIdentity.serviceAccountName").command(format!(
            "kubectl edit azureappconfigurationprovider/{} -n {}",
            object.name,
            resource.meta.namespace()
        ))
    };
    if ways.len() != 1 {
        let says = if ways.is_empty() { "names none".to_owned() } else { format!("names {}", ways.join(" and ")) };
        let says = format!("workloadIdentity of {object} {says} of {}; it has to be exactly one", WAYS.join(", "));
        return vec![Complaint::error(object, AUTH, says, fix())];
    }
    if refused && ways != ["serviceAccountName"] {
        let says =
            format!("{object} uses {}, the provider's own account; from 2.0.0 on that is refused by default", ways[0]);
        return vec![Complaint::error(object, format!("{AUTH}/{}", ways[0]), says, fix())];
    }
    Vec::new()
}
