//! Loki: its storage on Azure.
//!
//! Sources: grafana/loki `pkg/storage/chunk/client/azure` and `pkg/storage/bucket/azure` up to 3.7.6, the chart (6.46.0
//! changed the account, pull request 19590), issue 12614.

use super::config::{self, File};
use super::marks::{Marks, Sighting, Signs};
use super::version::{Chart, Version};
use super::{Application, Keep, Need, Part, RoleNeed};
use crate::chain::Chain;
use crate::chain::meant::identity_annotation;
use crate::model::fact::Fact;
use crate::model::finding::{Ask, Fix, FixKind, Level, Link};
use crate::model::object::ObjectRef;
use crate::model::settings::Settings;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;

/// Loki.
#[derive(Debug)]
pub struct Loki;

const LOOKS: &[Signs] = &[Signs {
    images: &["grafana/loki", "bitnami/grafana-loki", "bitnamilegacy/grafana-loki", "grafana/enterprise-logs"],
    names: &["loki", "grafana-loki"],
    charts: &["loki", "loki-distributed", "grafana-loki", "loki-simple-scalable"],
    containers: &["loki"],
    ..Signs::NONE
}];

/// Components that never talk to object storage.
const STATELESS: &[&str] = &[
    "gateway",
    "canary",
    "query-frontend",
    "query-scheduler",
    "distributor",
    "memcached",
    "results-cache",
    "chunks-cache",
];

impl Application for Loki {
    fn name(&self) -> &'static str {
        "loki"
    }

    fn title(&self) -> &'static str {
        "Loki"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let mut sighting = marks.best(LOOKS)?;
        let component = marks.label("app.kubernetes.io/component").unwrap_or_default();
        sighting.component = STATELESS.iter().find(|name| component == **name).copied().unwrap_or("");
        Some(sighting)
    }

    fn version_of_chart(&self, _chart: &Chart) -> Option<Version> {
        None
    }

    fn need(&self, part: &Part<'_>) -> Need {
        if matches!(part.component, "gateway" | "canary" | "memcached" | "results-cache" | "chunks-cache") {
            return Need::No;
        }
        let asking = stores(part).into_iter().filter(|store| store.section.flag("use_federated_token") == Some(true));
        let mut why: Vec<String> =
            asking.map(|store| format!("{} sets use_federated_token", store.file.object)).collect();
        why.truncate(1);
        Need::of(why)
    }

    fn values(&self, part: &Part<'_>, keep: Keep) -> Option<String> {
        part.chart.as_ref().filter(|chart| chart.name == "loki")?;
        Some(match keep {
            Keep::PodLabel => "loki: {podLabels: {azure.workload.identity/use: \"true\"}}".to_owned(),
            Keep::ClientId => {
                "serviceAccount: {name: loki, annotations: {azure.workload.identity/client-id: CLIENT_ID}}".to_owned()
            }
            Keep::TenantId => {
                "serviceAccount: {name: loki, annotations: {azure.workload.identity/tenant-id: TENANT_ID}}".to_owned()
            }
            Keep::AccountName => "serviceAccount: {name: loki}".to_owned(),
            Keep::Automount => "serviceAccount: {automountServiceAccountToken: true}".to_owned(),
        })
    }

    fn roles(&self, _part: &Part<'_>) -> Vec<RoleNeed> {
        vec![RoleNeed {
            role: "Storage Blob Data Contributor",
            scope: "the storage account of Loki".to_owned(),
            why: "reading and writing chunks",
            or: &["Storage Blob Data Owner"],
            on: Vec::new(),
        }]
    }

    fn secrets(&self, part: &Part<'_>) -> Vec<(String, String)> {
        let names = config::secrets_of(&part.workload.template.spec);
        names.into_iter().map(|name| (part.namespace().to_owned(), name.to_owned())).collect()
    }
}

/// A section for Azure of Loki's configuration.
struct Store {
    file: File,
    section: Settings,
    /// By the object store of Thanos, which has no switch and no `environment`.
    thanos: bool,
}

/// Where sections for Azure stand.
const SECTIONS: &[&[&str]] =
    &[&["common", "storage", "azure"], &["storage_config", "azure"], &["ruler", "storage", "azure"]];

fn stores(part: &Part<'_>) -> Vec<Store> {
    let spec = &part.workload.template.spec;
    let mut found = Vec::new();
    for container in &spec.containers {
        for file in config::files(part.inventory, part.namespace(), spec, container) {
            let by_thanos =
                file.settings.section(&["storage_config"]).and_then(|s| s.flag("use_thanos_objstore")) == Some(true);
            if by_thanos {
                for at in [["storage_config", "object_store", "azure"], ["common", "object_store", "azure"]] {
                    if let Some(section) = file.settings.section(&at).cloned() {
                        found.push(Store { file: file.clone(), section, thanos: true });
                    }
                }
                continue;
            }
            for at in SECTIONS {
                if let Some(section) =
                    file.settings.section(at).filter(|section| section.is_set("account_name")).cloned()
                {
                    found.push(Store { file: file.clone(), section, thanos: false });
                }
            }
        }
    }
    found
}

rule! {
    /// ## What it does
    /// Finds storage settings of a Loki meant for workload identity that take another credential or another cloud, and
    /// the account that chart 6.46.0 renamed.
    ///
    /// ## Why it breaks
    /// Loki takes a connection string first, then an account key, a service principal, the federated token where
    /// `use_federated_token` is true, and the node's identity last. The authority comes from `environment`, whose
    /// default is the public cloud; `AZURE_AUTHORITY_HOST` is not read. From chart 6.46.0 on the account is called after
    /// the release, so the annotated `loki` is not used any more, and the credential's subject does not fit.
    ///
    /// ## How it is known
    /// From Loki's configuration in a `ConfigMap` or Secret (names, switches and ids only) and the account of its pods.
    ///
    /// ## Fix
    /// `loki.storage.azure: {accountName: ..., useFederatedToken: true}`, and `serviceAccount.name: loki`.
    ///
    /// ## Fix safety
    /// A changed configuration restarts Loki.
    ///
    /// ## References
    /// - grafana/loki issue 12614; pull request 19590 (chart 6.46.0)
    LokiStorageConfig {
        code: "WI774",
        name: "loki-storage-config",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Accounts, Reads::Objects, Reads::Secrets, Reads::Webhook],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for LokiStorageConfig {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = chain.part("loki").filter(|_| chain.is_meant()) else { return };
        let _ = (chain.inventory(), chain.secrets());
        if part.component == "gateway" || part.component == "canary" {
            return;
        }
        let authority = chain.injected().authority;
        let mut told: Vec<String> = Vec::new();
        for store in stores(part) {
            let object = &store.file.object;
            for (level, message) in judge(&store, authority.as_deref()) {
                if told.contains(&message) {
                    continue;
                }
                told.push(message.clone());
                report.add(object, store.file.path.clone(), format!("Loki's storage in {object}: {message}")).level(level).fix(
                    Fix::manual("set use_federated_token: true and no other credential, then restart")
                        .command(format!("kubectl edit {}/{} -n {}", object.kind.to_lowercase(), object.name, part.namespace()))
                        .values(part.chart.as_ref().filter(|chart| chart.name == "loki").map(|_| {
                            "loki: {storage: {azure: {accountName: ACCOUNT, useFederatedToken: true, accountKey: null, connectionString: null, userAssignedId: null}}}".to_owned()
                        })),
                );
            }
        }
        account(chain, part, report);
    }
}

fn judge(store: &Store, authority: Option<&str>) -> Vec<(Level, String)> {
    let section = &store.section;
    let set = |name: &str| section.is_set(name);
    let on = |name: &str| section.flag(name) == Some(true);
    let mut found = Vec::new();
    if set("connection_string") {
        found.push((Level::Error, "connection_string is set; it wins over workload identity".to_owned()));
    } else if store.thanos {
        if set("account_key") {
            found.push((Level::Error, "account_key is set; it wins over workload identity".to_owned()));
        } else if set("user_assigned_id") {
            found.push((
                Level::Error,
                "user_assigned_id is set; Loki then asks the node and never the token".to_owned(),
            ));
        }
        return found;
    } else if on("use_service_principal") {
        found.push((Level::Error, "use_service_principal is on; it wins over the federated token".to_owned()));
    } else if !on("use_federated_token") {
        let what = if on("use_managed_identity") || set("user_assigned_id") {
            "use_federated_token is off, and the node's managed identity is asked for; the token is not used"
        } else if set("account_key") {
            "use_federated_token is off, and account_key is set; the token is not used"
        } else {
            "use_federated_token is off; Loki finds no credential"
        };
        found.push((Level::Error, what.to_owned()));
        return found;
    } else if set("user_assigned_id") {
        found.push((Level::Warning, "user_assigned_id is set beside use_federated_token; it is not used".to_owned()));
    }
    found.extend(cloud(section, authority));
    found
}

/// The cloud of `environment`, as against the endpoint's and the webhook's.
fn cloud(section: &Settings, authority: Option<&str>) -> Option<(Level, String)> {
    let said = section.word("environment");
    let own = cloud_of(said.unwrap_or("AzureGlobal"));
    let suffix = section.word("endpoint_suffix");
    let by_suffix = suffix.map(cloud_of);
    if let (Some(suffix), Some(other)) = (suffix, by_suffix)
        && own != other
    {
        let says = said.map_or("environment is left out, which means AzureGlobal".to_owned(), |word| {
            format!("environment is {word}")
        });
        return Some((
            Level::Error,
            format!("{says}, and endpoint_suffix is {suffix}; the token is asked for in the wrong cloud"),
        ));
    }
    let host = authority?;
    let injected = cloud_of(host);
    (own != injected && section.get("active_directory_endpoint").is_none()).then(|| {
        let says = said.map_or("environment is left out, which means AzureGlobal".to_owned(), |word| {
            format!("environment is {word}")
        });
        (
            Level::Error,
            format!("{says}, and the webhook injects {host}; Loki does not read it and asks the wrong cloud"),
        )
    })
}

/// `public`, `usgov` or `china`, by the name of a cloud, a suffix or an authority.
fn cloud_of(word: &str) -> &'static str {
    let word = word.to_lowercase();
    if word.contains("usgov") || word.contains("microsoftonline.us") {
        "usgov"
    } else if word.contains("china") {
        "china"
    } else {
        "public"
    }
}

/// The annotated account that is not used any more.
fn account(chain: &Chain<'_>, part: &Part<'_>, report: &mut Report<'_>) {
    let used = part.workload.account();
    let Fact::Known(own) = chain.account() else { return };
    if identity_annotation(own).is_some() {
        return;
    }
    let passed = part.workload.template.spec.containers.iter().any(|c| c.variable(keys::ENV_CLIENT_ID).is_some());
    let annotated = chain.accounts().find(|account| {
        account.meta.name() == "loki" && identity_annotation(account).is_some() && account.meta.name() != used
    });
    let (Some(annotated), false) = (annotated, passed) else { return };
    let namespace = part.namespace();
    let changed = part.chart.as_ref().filter(|chart| chart.name == "loki" && chart.version.at_least(6, 46, 0));
    report
        .add(
            &part.workload.meta.object,
            chain.template_path("/spec/serviceAccountName"),
            format!("Loki runs as service account {used}, and it is {} that carries the client id; its pods get no AZURE_CLIENT_ID", annotated.meta.name()),
        )
        .link(Link::ServiceAccount)
        .evidence_all(changed.map(|chart| format!("chart {chart}: the account is called after the release from 6.46.0 on")))
        .fix(
            Fix::new(FixKind::Metadata, format!("annotate service account {used} with the client id, or pin serviceAccount.name"))
                .command(format!("kubectl annotate sa/{used} -n {namespace} {}=CLIENT_ID", keys::CLIENT_ID))
                .ask(Ask::ClientId(ObjectRef::service_account(namespace, used)))
                .values(part.application.values(part, Keep::AccountName)),
        );
}
