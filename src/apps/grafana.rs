//! Mimir, Cortex and Tempo: they share the object store of Thanos, or a section much like it.
//!
//! Sources: grafana/mimir (2.11, pull request 5505; issue 7447), grafana/tempo (2.1), thanos-io/objstore.

use super::config;
use super::marks::{Marks, Sighting, Signs};
use super::objstore::{Store, Takes};
use super::{Application, Complaint, First, Injected, Keep, Need, Part, RoleNeed};
use crate::model::finding::Fix;
use crate::model::settings::Settings;

/// Mimir, and Cortex that it came from.
#[derive(Debug)]
pub struct Mimir;

/// Tempo.
#[derive(Debug)]
pub struct Tempo;

const MIMIR: &[Signs] = &[Signs {
    images: &["grafana/mimir", "bitnami/grafana-mimir", "cortexproject/cortex", "grafana/enterprise-metrics"],
    names: &["mimir", "grafana-mimir", "cortex"],
    charts: &["mimir-distributed", "grafana-mimir", "cortex"],
    containers: &["mimir", "cortex"],
    ..Signs::NONE
}];

const TEMPO: &[Signs] = &[Signs {
    images: &["grafana/tempo", "bitnami/grafana-tempo", "bitnamilegacy/grafana-tempo"],
    names: &["tempo", "grafana-tempo"],
    charts: &["tempo", "tempo-distributed", "grafana-tempo"],
    containers: &["tempo"],
    ..Signs::NONE
}];

/// Components that never talk to object storage.
const STATELESS: &[&str] = &["gateway", "nginx", "memcached", "memberlist", "query-scheduler"];

fn of_component<'a>(marks: &Marks<'a>, looks: &[Signs]) -> Option<Sighting<'a>> {
    let mut sighting = marks.best(looks)?;
    let component = marks.label("app.kubernetes.io/component").unwrap_or_default();
    sighting.component = STATELESS.iter().find(|name| component == **name).copied().unwrap_or("");
    Some(sighting)
}

fn role() -> Vec<RoleNeed> {
    vec![RoleNeed {
        role: "Storage Blob Data Contributor",
        scope: "the storage account".to_owned(),
        why: "reading and writing blocks",
        or: &["Storage Blob Data Owner"],
        on: Vec::new(),
    }]
}

fn secrets(part: &Part<'_>) -> Vec<(String, String)> {
    let names = config::secrets_of(&part.workload.template.spec);
    names.into_iter().map(|name| (part.namespace().to_owned(), name.to_owned())).collect()
}

/// The sections for Azure at some places of a component's configuration.
fn stores(part: &Part<'_>, places: &[&[&str]]) -> Vec<Store> {
    let spec = &part.workload.template.spec;
    let files = spec.containers.iter().flat_map(|c| config::files(part.inventory, part.namespace(), spec, c));
    files
        .flat_map(|file| {
            let sections = places.iter().filter_map(|at| file.settings.section(at).cloned()).collect::<Vec<_>>();
            let store =
                move |section: Settings| Store { object: file.object.clone(), path: file.path.clone(), section };
            sections.into_iter().map(store)
        })
        .filter(|store| {
            ["account_name", "storage_account_name", "container_name"].iter().any(|name| store.section.is_set(name))
                || !store.section.is_empty()
        })
        .collect()
}

fn fix(part: &Part<'_>, store: &Store) -> Fix {
    let object = &store.object;
    Fix::manual("remove the setting, then restart")
        .command(format!("kubectl edit {}/{} -n {}", object.kind.to_lowercase(), object.name, part.namespace()))
        .command(format!("kubectl rollout restart {} -n {}", part.workload.meta.object.argument(), part.namespace()))
}

fn keep(part: &Part<'_>, keep: Keep) -> Option<String> {
    part.chart.as_ref()?;
    Some(match keep {
        Keep::PodLabel => "global: {podLabels: {azure.workload.identity/use: \"true\"}}".to_owned(),
        Keep::ClientId => "serviceAccount: {annotations: {azure.workload.identity/client-id: CLIENT_ID}}".to_owned(),
        Keep::TenantId => "serviceAccount: {annotations: {azure.workload.identity/tenant-id: TENANT_ID}}".to_owned(),
        Keep::AccountName => "serviceAccount: {create: false, name: SERVICE_ACCOUNT}".to_owned(),
        Keep::Automount => return None,
    })
}

impl Application for Mimir {
    fn name(&self) -> &'static str {
        "mimir"
    }

    fn title(&self) -> &'static str {
        "Mimir"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        of_component(marks, MIMIR)
    }

    fn need(&self, part: &Part<'_>) -> Need {
        if part.component.is_empty() { Need::Unsaid } else { Need::No }
    }

    fn first_release(&self, part: &Part<'_>) -> Option<First> {
        let containers = &part.workload.template.spec.containers;
        let cortex = containers.iter().any(|c| c.image.as_deref().is_some_and(|image| image.contains("cortex")));
        (!cortex).then_some(First {
            release: (2, 11, 0),
            before: "older releases want a key or the node's identity",
            source: "grafana/mimir pull request 5505",
        })
    }

    fn complaints(&self, part: &Part<'_>, _seen: &Injected) -> Vec<Complaint> {
        if !part.component.is_empty() {
            return Vec::new();
        }
        let places: &[&[&str]] = &[
            &["common", "storage", "azure"],
            &["blocks_storage", "azure"],
            &["ruler_storage", "azure"],
            &["alertmanager_storage", "azure"],
        ];
        let complaints = stores(part, places).into_iter().filter_map(|store| {
            let object = &store.object;
            match store.takes() {
                Takes::DefaultChain => None,
                Takes::NodeIdentity => Some(Complaint::error(
                    object,
                    store.path.clone(),
                    format!("the object store in {object} sets user_assigned_id; Mimir then asks the node and never the token"),
                    fix(part, &store),
                )),
                Takes::Secret(name) => Some(
                    Complaint::error(
                        object,
                        store.path.clone(),
                        format!("the object store in {object} sets {name}; Mimir uses it instead of workload identity"),
                        fix(part, &store),
                    )
                    .warning(),
                ),
            }
        });
        let mut all: Vec<Complaint> = complaints.collect();
        all.dedup();
        all
    }

    fn values(&self, part: &Part<'_>, what: Keep) -> Option<String> {
        keep(part, what)
    }

    fn roles(&self, _part: &Part<'_>) -> Vec<RoleNeed> {
        role()
    }

    fn secrets(&self, part: &Part<'_>) -> Vec<(String, String)> {
        secrets(part)
    }
}

const TRACES: &[&[&str]] = &[&["storage", "trace", "azure"]];

impl Application for Tempo {
    fn name(&self) -> &'static str {
        "tempo"
    }

    fn title(&self) -> &'static str {
        "Tempo"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        of_component(marks, TEMPO)
    }

    fn need(&self, part: &Part<'_>) -> Need {
        if !part.component.is_empty() {
            return Need::No;
        }
        let mut stores = stores(part, TRACES).into_iter();
        let asks = stores.find(|store| store.section.flag("use_federated_token") == Some(true));
        Need::of(asks.map(|store| format!("{} sets use_federated_token", store.object)).into_iter().collect())
    }

    fn first_release(&self, _part: &Part<'_>) -> Option<First> {
        Some(First {
            release: (2, 1, 0),
            before: "older releases want a key or the node's identity",
            source: "grafana/tempo, storage.trace.azure.use_federated_token",
        })
    }

    fn complaints(&self, part: &Part<'_>, _seen: &Injected) -> Vec<Complaint> {
        if !part.component.is_empty() {
            return Vec::new();
        }
        let complaints = stores(part, TRACES).into_iter().filter_map(|store| {
            let section = &store.section;
            if section.flag("use_federated_token") == Some(true) {
                return None;
            }
            let node = section.flag("use_managed_identity") == Some(true) || section.is_set("user_assigned_id");
            let what = if node {
                "use_federated_token is off and the node's managed identity is asked for"
            } else if section.is_set("storage_account_key") {
                "use_federated_token is off and storage_account_key is set"
            } else {
                "use_federated_token is off"
            };
            let object = &store.object;
            let message = format!("{what} in storage.trace.azure of {object}; the token is not used");
            Some(Complaint::error(object, store.path.clone(), message, fix(part, &store)))
        });
        complaints.collect()
    }

    fn values(&self, part: &Part<'_>, what: Keep) -> Option<String> {
        keep(part, what)
    }

    fn roles(&self, _part: &Part<'_>) -> Vec<RoleNeed> {
        role()
    }

    fn secrets(&self, part: &Part<'_>) -> Vec<(String, String)> {
        secrets(part)
    }
}
