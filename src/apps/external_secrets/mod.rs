//! external-secrets: stores that take their token from the controller, or from an account that they name.
//!
//! Sources: external-secrets/external-secrets `providers/v1/azure/keyvault` at the tags from 0.5 to 2.9, its
//! documentation on Azure Key Vault, issues 2235, 2436, 2460, 2783 and 4139.

pub mod rules;
pub mod store;

use super::marks::{Marks, Sighting, Signs};
use super::version::{Chart, Version};
use super::{Application, Defect, First, Keep, NamedResource, Need, OwnIdentity, Part, RoleNeed, custom, parts_of};
use crate::model::finding::Level;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::workload::Workload;
use store::{Auth, Store};

/// external-secrets.
#[derive(Debug)]
pub struct ExternalSecrets;

/// The controller, whose identity counts where a store names no account.
pub const CONTROLLER: &str = "controller";

const IMAGES: &[&str] = &["external-secrets/external-secrets"];

const LOOKS: &[Signs] = &[
    Signs {
        component: CONTROLLER,
        images: IMAGES,
        names: &["external-secrets"],
        labels: &[],
        charts: &["external-secrets"],
        containers: &["external-secrets"],
        workloads: &["external-secrets"],
    },
    Signs {
        component: "webhook",
        images: IMAGES,
        names: &["external-secrets-webhook"],
        labels: &[],
        charts: &["external-secrets"],
        containers: &["webhook"],
        workloads: &["external-secrets-webhook"],
    },
    Signs {
        component: "cert-controller",
        images: IMAGES,
        names: &["external-secrets-cert-controller"],
        labels: &[],
        charts: &["external-secrets"],
        containers: &["cert-controller"],
        workloads: &["external-secrets-cert-controller"],
    },
];

impl Application for ExternalSecrets {
    fn name(&self) -> &'static str {
        "external-secrets"
    }

    fn title(&self) -> &'static str {
        "external-secrets"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let mut sighting = marks.best(LOOKS)?;
        let container = sighting.container?;
        if let Some(told) =
            ["webhook", "certcontroller"].iter().find(|word| container.args.iter().any(|arg| arg == **word))
        {
            sighting.component = if *told == "webhook" { "webhook" } else { "cert-controller" };
        }
        Some(sighting)
    }

    fn version_of_chart(&self, chart: &Chart) -> Option<Version> {
        // Chart and application are released under the same number.
        (chart.name == "external-secrets").then(|| chart.version.clone())
    }

    fn need(&self, part: &Part<'_>) -> Need {
        if part.component != CONTROLLER {
            return Need::No;
        }
        let stores = stores(part.inventory);
        let asking = stores.iter().filter(|store| store.auth == Auth::WorkloadIdentity && store.account.is_none());
        let mut why: Vec<String> =
            asking.map(|store| format!("{} takes the controller's token", store.resource.meta.object)).collect();
        why.truncate(3);
        Need::of(why)
    }

    fn passes_client_id(&self, part: &Part<'_>) -> Option<String> {
        let stores = stores(part.inventory);
        let asking: Vec<&Store<'_>> =
            stores.iter().filter(|s| s.auth == Auth::WorkloadIdentity && s.account.is_none()).collect();
        let all = !asking.is_empty() && asking.iter().all(|store| store.secret_client_id.is_some());
        all.then(|| "every store passes its client id by authSecretRef".to_owned())
    }

    fn identities(&self, part: &Part<'_>) -> Vec<OwnIdentity> {
        if part.component != CONTROLLER {
            return Vec::new();
        }
        let mut found: Vec<OwnIdentity> = Vec::new();
        for store in stores(part.inventory).iter().filter(|store| store.auth == Auth::WorkloadIdentity) {
            let identity = match &store.account {
                Some((Some(namespace), name)) => OwnIdentity {
                    client_id: store.client_id_of_account(part.inventory),
                    tenant_id: store.tenant_id.clone(),
                    subject: Some(format!("system:serviceaccount:{namespace}:{name}")),
                    source: "token-request",
                },
                Some((None, _)) => continue,
                None => OwnIdentity {
                    client_id: None,
                    tenant_id: store.tenant_id.clone(),
                    subject: None,
                    source: "webhook",
                },
            };
            if !found.contains(&identity) {
                found.push(identity);
            }
        }
        found
    }

    fn values(&self, part: &Part<'_>, keep: Keep) -> Option<String> {
        part.chart.as_ref().filter(|chart| chart.name == "external-secrets")?;
        Some(match keep {
            Keep::PodLabel => "podLabels: {azure.workload.identity/use: \"true\"}".to_owned(),
            Keep::ClientId => {
                "serviceAccount: {annotations: {azure.workload.identity/client-id: CLIENT_ID}}".to_owned()
            }
            Keep::TenantId => {
                "serviceAccount: {annotations: {azure.workload.identity/tenant-id: TENANT_ID}}".to_owned()
            }
            Keep::AccountName => "serviceAccount: {create: false, name: SERVICE_ACCOUNT}".to_owned(),
            Keep::Automount => "serviceAccount: {automount: true}".to_owned(),
        })
    }

    fn first_release(&self, _part: &Part<'_>) -> Option<First> {
        Some(First {
            release: (0, 5, 0),
            before: "older releases want a service principal or the node's identity",
            source: "external-secrets/external-secrets pull request 738",
        })
    }

    fn defects(&self, _part: &Part<'_>) -> &'static [Defect] {
        &[Defect {
            from: (0, 10, 6),
            mended: (0, 10, 7),
            level: Level::Error,
            what: "it builds a wrong token address (unable to resolve an endpoint ... status code was 404)",
            source: "external-secrets/external-secrets issue 4139",
            webhook: None,
        }]
    }

    fn roles(&self, part: &Part<'_>) -> Vec<RoleNeed> {
        let mut roles: Vec<RoleNeed> = Vec::new();
        for store in stores(part.inventory).iter().filter(|store| store.auth == Auth::WorkloadIdentity) {
            let need = RoleNeed {
                role: "Key Vault Secrets User",
                scope: custom::filled(store.resource, "/spec/provider/azurekv/vaultUrl")
                    .unwrap_or("the key vault")
                    .to_owned(),
                why: "reading secrets",
                or: &["Key Vault Secrets Officer", "Key Vault Administrator"],
                on: vault_of(store.resource).into_iter().collect(),
            };
            if !roles.contains(&need) {
                roles.push(need);
            }
        }
        roles
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("external-secrets.io", "SecretStore"),
            ("external-secrets.io", "ClusterSecretStore"),
            ("external-secrets.io", "ExternalSecret"),
            ("external-secrets.io", "ClusterExternalSecret"),
            ("external-secrets.io", "PushSecret"),
        ]
    }

    fn users<'a>(&self, resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        let Some(store) = store_of(resource, inventory) else { return Vec::new() };
        // A store that names an account stands for itself: it is that account's identity that is used.
        if store.account.is_some() {
            return Vec::new();
        }
        let parts = parts_of(inventory, self.name());
        parts.into_iter().filter(|part| part.component == CONTROLLER).map(|part| part.workload).collect()
    }

    fn resource_need(&self, resource: &RawObject, inventory: &Inventory) -> Need {
        let own = Store::read(resource).filter(|store| store.asks(inventory));
        Need::of(
            own.map(|store| format!("{} asks for workload identity", store.resource.meta.object)).into_iter().collect(),
        )
    }

    fn resource_account(&self, resource: &RawObject) -> Option<(String, String)> {
        let (namespace, name) = Store::read(resource)?.account?;
        Some((namespace?, name))
    }
}

/// All stores of Azure Key Vault.
pub(super) fn stores(inventory: &Inventory) -> Vec<Store<'_>> {
    inventory.others().iter().filter_map(Store::read).collect()
}

/// The store that a resource is, or that it names.
fn store_of<'a>(resource: &'a RawObject, inventory: &'a Inventory) -> Option<Store<'a>> {
    if let Some(store) = Store::read(resource) {
        return Some(store);
    }
    let reference = ["/spec/secretStoreRef", "/spec/externalSecretSpec/secretStoreRef", "/spec/secretStoreRefs/0"]
        .into_iter()
        .find(|at| custom::filled(resource, &format!("{at}/name")).is_some())?;
    let name = custom::filled(resource, &format!("{reference}/name"))?;
    let kind = custom::filled(resource, &format!("{reference}/kind")).unwrap_or("SecretStore");
    let namespace = (kind == "SecretStore").then(|| resource.meta.namespace());
    inventory.other(kind, namespace, name).known().and_then(|store| Store::read(store))
}

/// The key vault of a store: the first label of its address.
fn vault_of(store: &RawObject) -> Option<NamedResource> {
    let address = custom::filled(store, "/spec/provider/azurekv/vaultUrl")?;
    let host = address.strip_prefix("https://")?;
    NamedResource::named("Microsoft.KeyVault/vaults", host.split('.').next())
}
