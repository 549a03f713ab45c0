//! Operators that manage Azure itself: Azure Service Operator, Cluster API, Crossplane.
//!
//! Sources: Azure/azure-service-operator (issue 3897), kubernetes-sigs/cluster-api-provider-azure (1.10.0),
//! crossplane-contrib/provider-upjet-azure (issues 1280 and 1281, 2.7.0).

use super::custom;
use super::marks::{Marks, Sighting, Signs};
use super::{Application, Complaint, Defect, First, Injected, Need, OwnIdentity, Part, RoleNeed, parts_of};
use crate::chain::near::is_guid;
use crate::model::fact::Fact;
use crate::model::finding::{Fix, Level};
use crate::model::inventory::{Inventory, RawObject};
use crate::model::secret::Secret;
use crate::model::workload::Workload;

/// Azure Service Operator.
#[derive(Debug)]
pub struct Aso;

/// Cluster API for Azure.
#[derive(Debug)]
pub struct Capz;

/// Crossplane's providers for Azure.
#[derive(Debug)]
pub struct Crossplane;

const ASO: &[Signs] = &[Signs {
    images: &["k8s/azureserviceoperator", "azureserviceoperator"],
    names: &["azure-service-operator"],
    labels: &[("control-plane", "controller-manager")],
    charts: &["azure-service-operator"],
    workloads: &["azureserviceoperator-controller-manager"],
    ..Signs::NONE
}];

fn contributor() -> Vec<RoleNeed> {
    vec![RoleNeed {
        role: "Contributor",
        scope: "the subscription or resource groups that it manages".to_owned(),
        why: "creating and changing resources",
        or: &["Owner"],
        on: Vec::new(),
    }]
}

fn settings<'a>(part: &Part<'a>) -> Option<&'a Secret> {
    match part.inventory.secret(part.workload.meta.namespace(), "aso-controller-settings") {
        Fact::Known(secret) => Some(secret),
        _ => None,
    }
}

impl Application for Aso {
    fn name(&self) -> &'static str {
        "azure-service-operator"
    }

    fn title(&self) -> &'static str {
        "Azure Service Operator"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        marks.best(ASO)
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let asks = settings(part).filter(|secret| secret.flag("USE_WORKLOAD_IDENTITY_AUTH") == Some(true));
        Need::of(
            asks.map(|_| "aso-controller-settings sets USE_WORKLOAD_IDENTITY_AUTH".to_owned()).into_iter().collect(),
        )
    }

    fn passes_client_id(&self, part: &Part<'_>) -> Option<String> {
        let secret = settings(part)?;
        secret.has("AZURE_CLIENT_ID").then(|| "aso-controller-settings holds it".to_owned())
    }

    fn identities(&self, part: &Part<'_>) -> Vec<OwnIdentity> {
        let Some(secret) = settings(part) else { return Vec::new() };
        let client_id = secret.id("AZURE_CLIENT_ID").map(str::to_owned);
        let tenant_id = secret.id("AZURE_TENANT_ID").map(str::to_owned);
        vec![OwnIdentity { client_id, tenant_id, subject: None, source: "projected" }]
    }

    fn complaints(&self, part: &Part<'_>, _seen: &Injected) -> Vec<Complaint> {
        let Some(secret) = settings(part) else { return Vec::new() };
        let object = &secret.meta.object;
        let by_token = secret.flag("USE_WORKLOAD_IDENTITY_AUTH") == Some(true);
        let mut found = Vec::new();
        let fix = || {
            Fix::manual("leave AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_SUBSCRIPTION_ID and USE_WORKLOAD_IDENTITY_AUTH")
                .command(format!("kubectl edit secret/{} -n {}", object.name, part.namespace()))
                .values(part.chart.as_ref().map(|_| "{azureClientID: CLIENT_ID, azureTenantID: TENANT_ID, useWorkloadIdentityAuth: true, azureClientSecret: \"\"}".to_owned()))
        };
        for name in ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE"] {
            if secret.has(name) {
                let says = format!(
                    "{object} holds {name} beside workload identity; which of the two is used depends on the release"
                );
                found.push(Complaint::error(object, secret.path(name), says, fix()).warning());
            }
        }
        if by_token && secret.id("AZURE_CLIENT_ID").is_none() {
            let says = format!(
                "{object} asks for workload identity and gives no AZURE_CLIENT_ID that is a GUID; Entra knows no such client"
            );
            found.push(Complaint::error(object, secret.path("AZURE_CLIENT_ID"), says, fix()));
        }
        found
    }

    fn roles(&self, _part: &Part<'_>) -> Vec<RoleNeed> {
        contributor()
    }

    fn secrets(&self, part: &Part<'_>) -> Vec<(String, String)> {
        vec![(part.namespace().to_owned(), "aso-controller-settings".to_owned())]
    }
}

const CAPZ: &[Signs] = &[Signs {
    images: &["cluster-api-azure/cluster-api-azure-controller", "cluster-api-azure-controller"],
    labels: &[("cluster.x-k8s.io/provider", "infrastructure-azure")],
    workloads: &["capz-controller-manager"],
    ..Signs::NONE
}];

fn identities_of(inventory: &Inventory) -> impl Iterator<Item = &RawObject> {
    inventory.others_of("AzureClusterIdentity")
}

impl Application for Capz {
    fn name(&self) -> &'static str {
        "cluster-api-azure"
    }

    fn title(&self) -> &'static str {
        "Cluster API for Azure"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let fits = CAPZ.iter().map(|signs| marks.score(signs).0).max().unwrap_or_default() >= 2;
        let container = marks.template.spec.containers.iter().find(|c| c.name == "manager");
        let container = container.or_else(|| marks.template.spec.containers.first());
        fits.then_some(Sighting { component: "", score: 3, container })
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let mut asking = identities_of(part.inventory)
            .filter(|identity| custom::text(identity, "/spec/type") == Some("WorkloadIdentity"));
        Need::of(
            asking
                .next()
                .map(|identity| format!("{} is of type WorkloadIdentity", identity.meta.object))
                .into_iter()
                .collect(),
        )
    }

    fn passes_client_id(&self, _part: &Part<'_>) -> Option<String> {
        Some("each AzureClusterIdentity names it".to_owned())
    }

    fn first_release(&self, _part: &Part<'_>) -> Option<First> {
        Some(First {
            release: (1, 10, 0),
            before: "older releases know AzureClusterIdentity only with secrets or pod identity",
            source: "cluster-api-provider-azure 1.10.0",
        })
    }

    fn complaints(&self, part: &Part<'_>, _seen: &Injected) -> Vec<Complaint> {
        let asking = identities_of(part.inventory)
            .filter(|identity| custom::text(identity, "/spec/type") == Some("WorkloadIdentity"));
        asking
            .flat_map(|identity| ids(identity, &[("clientID", "/spec/clientID"), ("tenantID", "/spec/tenantID")]))
            .collect()
    }

    fn roles(&self, _part: &Part<'_>) -> Vec<RoleNeed> {
        contributor()
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[("infrastructure.cluster.x-k8s.io", "AzureClusterIdentity")]
    }

    fn users<'a>(&self, _resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        parts_of(inventory, self.name()).into_iter().map(|part| part.workload).collect()
    }

    fn resource_need(&self, resource: &RawObject, _inventory: &Inventory) -> Need {
        let asks = custom::text(resource, "/spec/type") == Some("WorkloadIdentity");
        Need::of(asks.then(|| format!("{} is of type WorkloadIdentity", resource.meta.object)).into_iter().collect())
    }

    fn resource_complaints(&self, resource: &RawObject, _inventory: &Inventory) -> Vec<Complaint> {
        ids(resource, &[("clientID", "/spec/clientID"), ("tenantID", "/spec/tenantID")])
    }
}

/// Fields that have to hold a GUID.
fn ids(resource: &RawObject, fields: &[(&str, &str)]) -> Vec<Complaint> {
    let object = &resource.meta.object;
    let wrong = fields.iter().filter(|(_, at)| !custom::filled(resource, at).is_some_and(is_guid));
    wrong
        .map(|(name, at)| {
            let says =
                custom::filled(resource, at).map_or("is missing".to_owned(), |text| format!("is no GUID ({text:?})"));
            let namespace = object.namespace.as_deref().map(|ns| format!(" -n {ns}")).unwrap_or_default();
            let edit = format!("kubectl edit {}/{}{namespace}", object.kind.to_lowercase(), object.name);
            Complaint::error(
                object,
                *at,
                format!("{name} of {object} {says}; it cannot ask for a token"),
                Fix::manual(format!("give {name} as a GUID")).command(edit),
            )
        })
        .collect()
}

const CROSSPLANE: &[Signs] = &[Signs {
    images: &[
        "upbound/provider-family-azure",
        "crossplane-contrib/provider-family-azure",
        "upbound/provider-azure",
        "crossplane-contrib/provider-azure",
    ],
    ..Signs::NONE
}];

const PROVIDER_GROUPS: &[&str] = &["azure.upbound.io", "azure.m.upbound.io", "azuread.upbound.io"];

fn provider_configs(inventory: &Inventory) -> impl Iterator<Item = &RawObject> {
    inventory.others().iter().filter(|other| is_provider_config(other) && by_token(other))
}

fn is_provider_config(other: &RawObject) -> bool {
    let object = &other.meta.object;
    let group = object.api_version.split('/').next().unwrap_or_default();
    matches!(object.kind.as_str(), "ProviderConfig" | "ClusterProviderConfig") && PROVIDER_GROUPS.contains(&group)
}

fn by_token(config: &RawObject) -> bool {
    custom::text(config, "/spec/credentials/source") == Some("OIDCTokenFile")
}

fn has_own_path(inventory: &Inventory) -> bool {
    let mut all = provider_configs(inventory).peekable();
    all.peek().is_some() && all.all(|config| custom::filled(config, "/spec/oidcTokenFilePath").is_some())
}

const PATH_BUILT_IN: &[Defect] = &[Defect {
    from: (0, 30, 0),
    mended: (2, 7, 0),
    level: Level::Error,
    what: "it has the token path of webhooks before 1.6.0 built in, and does not find the file (set oidcTokenFilePath until then)",
    source: "crossplane-contrib/provider-upjet-azure issue 1280",
    webhook: Some((1, 6, 0)),
}];

impl Application for Crossplane {
    fn name(&self) -> &'static str {
        "crossplane-provider-azure"
    }

    fn title(&self) -> &'static str {
        "Crossplane's provider for Azure"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let mine = |image: &str| {
            let name = super::image::name(image);
            let known = name.starts_with("provider-azure") || name.starts_with("provider-family-azure");
            known && (image.contains("upbound") || image.contains("crossplane"))
        };
        let container = marks.template.spec.containers.iter().find(|c| c.image.as_deref().is_some_and(mine));
        let by_label = marks.label("pkg.crossplane.io/provider").is_some_and(|name| name.contains("azure"));
        let exact = marks.best(CROSSPLANE).is_some();
        (exact || by_label || container.is_some()).then_some(Sighting { component: "", score: 3, container })
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let mut configs = provider_configs(part.inventory);
        Need::of(
            configs
                .next()
                .map(|config| format!("{} takes its token from a file", config.meta.object))
                .into_iter()
                .collect(),
        )
    }

    fn passes_client_id(&self, part: &Part<'_>) -> Option<String> {
        provider_configs(part.inventory).next().map(|config| format!("{} names it", config.meta.object))
    }

    fn identities(&self, part: &Part<'_>) -> Vec<OwnIdentity> {
        provider_configs(part.inventory)
            .map(|config| OwnIdentity {
                client_id: custom::filled(config, "/spec/clientID").map(str::to_owned),
                tenant_id: custom::filled(config, "/spec/tenantID").map(str::to_owned),
                subject: None,
                source: "application",
            })
            .collect()
    }

    fn first_release(&self, _part: &Part<'_>) -> Option<First> {
        Some(First {
            release: (0, 30, 0),
            before: "older releases want a service principal",
            source: "provider-upjet-azure 0.30.0, OIDCTokenFile",
        })
    }

    fn defects(&self, part: &Part<'_>) -> &'static [Defect] {
        if has_own_path(part.inventory) { &[] } else { PATH_BUILT_IN }
    }

    fn complaints(&self, part: &Part<'_>, _seen: &Injected) -> Vec<Complaint> {
        provider_configs(part.inventory).flat_map(|config| ids(config, PROVIDER_IDS)).collect()
    }

    fn roles(&self, _part: &Part<'_>) -> Vec<RoleNeed> {
        contributor()
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("azure.upbound.io", "ProviderConfig"),
            ("azure.m.upbound.io", "ProviderConfig"),
            ("azure.m.upbound.io", "ClusterProviderConfig"),
            ("azuread.upbound.io", "ProviderConfig"),
        ]
    }

    fn users<'a>(&self, _resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        parts_of(inventory, self.name()).into_iter().map(|part| part.workload).collect()
    }

    fn resource_need(&self, resource: &RawObject, _inventory: &Inventory) -> Need {
        Need::of(
            by_token(resource)
                .then(|| format!("{} takes its token from a file", resource.meta.object))
                .into_iter()
                .collect(),
        )
    }

    fn resource_complaints(&self, resource: &RawObject, _inventory: &Inventory) -> Vec<Complaint> {
        ids(resource, PROVIDER_IDS)
    }
}

const PROVIDER_IDS: &[(&str, &str)] =
    &[("clientID", "/spec/clientID"), ("tenantID", "/spec/tenantID"), ("subscriptionID", "/spec/subscriptionID")];
