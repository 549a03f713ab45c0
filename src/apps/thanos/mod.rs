//! Thanos: the components that read or write object storage, by whatever chart.
//!
//! Sources: thanos-io/thanos and thanos-io/objstore at their tags, bitnami/charts (12.20.4 and 13.0.0 changed the
//! accounts), prometheus-operator for the sidecar and the ruler.

pub mod rules;

use super::marks::{Marks, Sighting, Signs};
use super::objstore::{self, Takes};
use super::version::{Chart, Version};
use super::{Application, Keep, Need, Part, RoleNeed, config, custom};
use crate::chain::meant::identity_annotation;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::workload::{ServiceAccount, Workload};

/// Thanos.
#[derive(Debug)]
pub struct Thanos;

/// Components that talk to object storage, with the words that name them.
const STORING: &[(&str, &[&str])] = &[
    ("compactor", &["compact", "compactor", "thanos-compact", "thanos-compactor"]),
    ("storegateway", &["store", "storegateway", "store-gateway", "thanos-store", "thanos-storegateway"]),
    ("receive", &["receive", "receiver", "thanos-receive"]),
    ("ruler", &["rule", "ruler", "thanos-rule", "thanos-ruler"]),
    ("bucketweb", &["bucket", "bucketweb", "bucket-web", "thanos-bucket", "tools"]),
    ("sidecar", &["sidecar", "thanos-sidecar"]),
];

const LOOKS: &[Signs] = &[Signs {
    component: "",
    images: &["thanos/thanos", "bitnami/thanos", "bitnamilegacy/thanos", "bitnamisecure/thanos"],
    names: &["thanos", "thanos-store", "thanos-compact", "thanos-receive", "thanos-rule", "thanos-bucket"],
    labels: &[("app.kubernetes.io/part-of", "thanos")],
    charts: &["thanos"],
    containers: &[
        "thanos-sidecar",
        "storegateway",
        "compactor",
        "bucketweb",
        "thanos-store",
        "thanos-compact",
        "thanos-receive",
        "thanos-ruler",
        "thanos",
    ],
    workloads: &[],
}];

impl Application for Thanos {
    fn name(&self) -> &'static str {
        "thanos"
    }

    fn title(&self) -> &'static str {
        "Thanos"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let mut sighting = marks.best(LOOKS)?;
        let container = sighting.container?;
        let mut words = container.command.iter().chain(&container.args).map(String::as_str);
        let subcommand = words.find(|word| !word.starts_with('-') && !word.ends_with("thanos") && !word.contains('/'));
        let label = marks.label("app.kubernetes.io/component");
        let named = |words: &[&str]| {
            let is = |word: Option<&str>| word.is_some_and(|word| words.contains(&word));
            is(subcommand) || is(Some(container.name.as_str())) || (subcommand.is_none() && is(label))
        };
        sighting.component = STORING.iter().find(|(_, words)| named(words)).map_or("query", |(component, _)| component);
        Some(sighting)
    }

    fn version_of_chart(&self, chart: &Chart) -> Option<Version> {
        let version = &chart.version;
        let known = [((17, 6, 0), "0.39.2"), ((12, 23, 0), "0.34.0"), ((12, 20, 2), "0.33.0")];
        let row = known.iter().find(|((major, minor, patch), _)| version.at_least(*major, *minor, *patch));
        row.filter(|_| chart.name == "thanos").and_then(|(_, app)| Version::parse(app))
    }

    fn need(&self, part: &Part<'_>) -> Need {
        if part.component == "query" {
            return Need::No;
        }
        let stores = objstore::stores(part);
        if stores.is_empty() || stores.iter().any(|store| store.takes() != Takes::DefaultChain) {
            return Need::Unsaid;
        }
        // Without any credential the SDK's chain is what is meant; a Thanos account with an identity says which.
        let Some(account) = annotated_account(part) else { return Need::Unsaid };
        if account.meta.name() != part.workload.account() && is_used(part, account) {
            return Need::Unsaid;
        }
        Need::Asks(vec![format!(
            "its object store on Azure names no credential, and service account {} carries a client id",
            account.meta.name()
        )])
    }

    fn values(&self, part: &Part<'_>, keep: Keep) -> Option<String> {
        let chart = part.chart.as_ref()?;
        let component = part.component;
        let prefix = match (chart.name.as_str(), component) {
            ("thanos", "query" | "") => return None,
            ("thanos", _) => component.to_owned(),
            ("kube-prometheus-stack", "ruler") => "thanosRuler".to_owned(),
            ("kube-prometheus-stack", _) => "prometheus".to_owned(),
            _ => return None,
        };
        let spec = match prefix.as_str() {
            "prometheus" => Some("prometheusSpec"),
            "thanosRuler" => Some("thanosRulerSpec"),
            _ => None,
        };
        Some(match (keep, spec) {
            (Keep::PodLabel, Some(spec)) => {
                format!("{prefix}: {{{spec}: {{podMetadata: {{labels: {{azure.workload.identity/use: \"true\"}}}}}}}}")
            }
            (Keep::PodLabel, None) => format!("{prefix}: {{podLabels: {{azure.workload.identity/use: \"true\"}}}}"),
            (Keep::ClientId, _) => {
                format!(
                    "{prefix}: {{serviceAccount: {{annotations: {{azure.workload.identity/client-id: CLIENT_ID}}}}}}"
                )
            }
            (Keep::TenantId, _) => {
                format!(
                    "{prefix}: {{serviceAccount: {{annotations: {{azure.workload.identity/tenant-id: TENANT_ID}}}}}}"
                )
            }
            (Keep::AccountName, _) => format!("{prefix}: {{serviceAccount: {{create: false, name: SERVICE_ACCOUNT}}}}"),
            (Keep::Automount, Some(_)) => return None,
            (Keep::Automount, None) => format!("{prefix}: {{automountServiceAccountToken: true}}"),
        })
    }

    fn roles(&self, part: &Part<'_>) -> Vec<RoleNeed> {
        if part.component == "query" {
            return Vec::new();
        }
        vec![RoleNeed {
            role: "Storage Blob Data Contributor",
            scope: "the storage account or container of the object store".to_owned(),
            why: "reading and writing blocks",
            or: &["Storage Blob Data Owner"],
            on: Vec::new(),
        }]
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[("monitoring.coreos.com", "ThanosRuler")]
    }

    fn serves_all_namespaces(&self) -> bool {
        false
    }

    fn users<'a>(&self, resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        let name = format!("thanos-ruler-{}", resource.meta.name());
        inventory.workload("StatefulSet", resource.meta.namespace(), &name).into_iter().collect()
    }

    fn secrets(&self, part: &Part<'_>) -> Vec<(String, String)> {
        let names = config::secrets_of(&part.workload.template.spec);
        let about =
            |name: &&str| name.contains("objstore") || name.contains("thanos") || name.contains("objectstorage");
        names.into_iter().filter(about).map(|name| (part.namespace().to_owned(), name.to_owned())).collect()
    }
}

/// The account of the namespace that is made for Thanos and carries an identity: by name, or because another of its
/// components runs as it.
pub(super) fn annotated_account<'a>(part: &Part<'a>) -> Option<&'a ServiceAccount> {
    let namespace = part.workload.meta.namespace();
    let accounts: Vec<&ServiceAccount> =
        part.inventory.accounts_in(namespace).filter(|account| identity_annotation(account).is_some()).collect();
    let own = accounts.iter().find(|account| account.meta.name() == part.workload.account());
    let fits = |account: &&&ServiceAccount| {
        let name = account.meta.name();
        name.contains("thanos")
            || name.contains(part.component)
            || account.meta.label("app.kubernetes.io/name") == Some("thanos")
            || part.inventory.workloads_of_account(namespace, name).any(|other| super::is_part(other, &Thanos))
    };
    own.or_else(|| accounts.iter().find(fits)).copied()
}

fn is_used(part: &Part<'_>, account: &ServiceAccount) -> bool {
    part.inventory.workloads_of_account(account.meta.namespace(), account.meta.name()).next().is_some()
}

/// The `Prometheus` or `ThanosRuler` whose pods these are, for the message.
pub(super) fn made_by(part: &Part<'_>) -> Option<String> {
    let owner = part.workload.meta.controller()?;
    let resource = part.inventory.other(&owner.kind, Some(part.namespace()), &owner.name);
    resource.known().map(|resource| custom::shown(&resource.meta.object.to_string()))
}
