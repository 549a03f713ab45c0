//! Velero: the server, the node-agent, and the pods that both start.
//!
//! Sources: velero's `pkg/exposer`, `pkg/repository/maintenance` and `pkg/util/third_party.go` at the tags from 1.12
//! to 1.18, the README of velero-plugin-for-microsoft-azure, and the chart of vmware-tanzu/helm-charts.

pub mod credentials;
pub mod data;
pub mod location;
pub mod maintenance;
pub mod versions;
pub mod view;

use super::config;
use super::marks::{Marks, Sighting, Signs};
use super::version::{Chart, Version};
use super::{Application, Keep, NamedResource, Need, Part, RoleNeed};
use crate::apps;
use crate::chain::meant::identity_annotation;
use crate::model::fact::Fact;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::pod::Container;
use crate::model::workload::Workload;
use crate::webhook::keys;
use view::View;

/// Velero.
#[derive(Debug)]
pub struct Velero;

/// The server.
pub const SERVER: &str = "server";
/// The `DaemonSet`, for Linux or Windows.
pub const NODE_AGENT: &str = "node-agent";
/// A Job that maintains a repository.
pub const MAINTENANCE: &str = "maintenance";
/// A pod that moves data.
pub const DATA_MOVER: &str = "data-mover";

const IMAGES: &[&str] = &["velero/velero"];

const LOOKS: &[Signs] = &[
    Signs {
        component: SERVER,
        images: IMAGES,
        names: &["velero"],
        labels: &[("component", "velero"), ("deploy", "velero"), ("name", "velero")],
        charts: &["velero"],
        containers: &["velero"],
        workloads: &["velero"],
    },
    Signs {
        component: NODE_AGENT,
        images: IMAGES,
        names: &["velero", "node-agent"],
        labels: &[("name", "node-agent"), ("role", "node-agent"), ("name", "restic"), ("component", "velero")],
        charts: &["velero"],
        containers: &["node-agent", "restic"],
        workloads: &["node-agent", "node-agent-windows", "restic"],
    },
];

/// Labels of the pods that the node-agent starts.
pub const MOVER_LABELS: &[&str] = &[
    "velero.io/data-upload",
    "velero.io/data-download",
    "velero.io/pod-volume-backup",
    "velero.io/pod-volume-restore",
];
/// The label of the pods that maintain a repository.
pub const MAINTENANCE_LABEL: &str = "velero.io/repo-name";

impl Application for Velero {
    fn name(&self) -> &'static str {
        "velero"
    }

    fn title(&self) -> &'static str {
        "Velero"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        // AKS Backup brings a Velero of its own, whose identity its extension manages.
        if marks.meta.namespace() == "dataprotection-microsoft" {
            return None;
        }
        let labelled = |keys: &[&str]| keys.iter().any(|key| marks.label(key).is_some());
        let mut sighting = marks.best(LOOKS)?;
        let container = sighting.container?;
        sighting.component = if labelled(MOVER_LABELS) || runs(container, &["data-mover", "pod-volume"]) {
            DATA_MOVER
        } else if labelled(&[MAINTENANCE_LABEL]) || runs(container, &["repo-maintenance"]) {
            MAINTENANCE
        } else if runs(container, &["node-agent", "restic"]) {
            NODE_AGENT
        } else if runs(container, &["server"]) || (container.args.is_empty() && container.name == "velero") {
            SERVER
        } else if container.name == "node-agent" {
            NODE_AGENT
        } else {
            // The image is also the command line: `velero backup create` in a CronJob.
            return None;
        };
        Some(sighting)
    }

    fn version_of_chart(&self, chart: &Chart) -> Option<Version> {
        let known =
            APP_VERSIONS.iter().rev().find(|((major, minor, patch), _)| chart.version.at_least(*major, *minor, *patch));
        Version::parse(known?.1)
    }

    fn need(&self, part: &Part<'_>) -> Need {
        match part.component {
            SERVER | NODE_AGENT => {}
            // Their source is told of instead: the node-agent, the server, their ConfigMaps.
            _ => return Need::No,
        }
        let mut why = Vec::new();
        for other in apps::parts_in(part.inventory, part.namespace(), self.name()) {
            if other.workload.meta.object == part.workload.meta.object
                || !matches!(other.component, SERVER | NODE_AGENT)
            {
                continue;
            }
            if is_labelled(other.workload) {
                why.push(format!("{} of the same Velero carries {}", other.workload.meta.object, keys::USE_LABEL));
            }
        }
        if let Fact::Known(account) = part.inventory.account(part.namespace(), part.workload.account())
            && let Some(key) = identity_annotation(account)
        {
            why.push(format!("service account {} carries {key}", account.meta.name()));
        }
        Need::of(why)
    }

    fn values(&self, part: &Part<'_>, keep: Keep) -> Option<String> {
        let chart = part.chart.as_ref().filter(|chart| chart.name == "velero")?;
        Some(match keep {
            Keep::PodLabel if part.component == NODE_AGENT && chart.version.at_least(8, 4, 0) => {
                "nodeAgent: {podLabels: {azure.workload.identity/use: \"true\"}}".to_owned()
            }
            Keep::PodLabel => "podLabels: {azure.workload.identity/use: \"true\"}".to_owned(),
            Keep::ClientId => {
                "serviceAccount: {server: {annotations: {azure.workload.identity/client-id: CLIENT_ID}}}".to_owned()
            }
            Keep::TenantId => {
                "serviceAccount: {server: {annotations: {azure.workload.identity/tenant-id: TENANT_ID}}}".to_owned()
            }
            Keep::AccountName => "serviceAccount: {server: {create: false, name: SERVICE_ACCOUNT}}".to_owned(),
            Keep::Automount if chart.version.at_least(9, 1, 0) => {
                "serviceAccount: {server: {automountServiceAccountToken: true}}".to_owned()
            }
            Keep::Automount => return None,
        })
    }

    fn roles(&self, part: &Part<'_>) -> Vec<RoleNeed> {
        if part.component != SERVER {
            return Vec::new();
        }
        let view = View::of_namespace(part.inventory, part.namespace());
        let accounts: Vec<NamedResource> = view
            .locations
            .iter()
            .filter_map(|location| {
                NamedResource::of(
                    "Microsoft.Storage/storageAccounts",
                    location,
                    "/spec/config/storageAccount",
                    "/spec/config/resourceGroup",
                    "/spec/config/subscriptionId",
                )
            })
            .collect();
        let mut roles = vec![RoleNeed {
            role: "Storage Blob Data Contributor",
            scope: "the storage account of each BackupStorageLocation".to_owned(),
            why: "reading and writing backups with useAAD",
            or: &["Storage Blob Data Owner"],
            on: accounts.clone(),
        }];
        if view
            .locations
            .iter()
            .any(|location| apps::custom::filled(location, "/spec/config/storageAccountURI").is_none())
        {
            roles.push(RoleNeed {
                role: "Reader",
                scope: "the storage account of each BackupStorageLocation".to_owned(),
                why: "finding the address of the storage account; not needed where storageAccountURI gives it",
                or: &["Contributor"],
                on: accounts,
            });
        }
        if !view.snapshot_locations.is_empty() {
            roles.push(RoleNeed {
                role: "Contributor",
                scope: "the resource groups of the disks and of the snapshots".to_owned(),
                why: "taking snapshots of disks",
                or: &["Disk Snapshot Contributor"],
                on: Vec::new(),
            });
        }
        roles
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("velero.io", "BackupStorageLocation"),
            ("velero.io", "VolumeSnapshotLocation"),
            ("velero.io", "BackupRepository"),
            ("velero.io", "DataUpload"),
            ("velero.io", "DataDownload"),
            ("velero.io", "PodVolumeBackup"),
            ("velero.io", "PodVolumeRestore"),
            ("velero.io", "Backup"),
            ("velero.io", "Schedule"),
        ]
    }

    fn users<'a>(&self, resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        let view = View::of_namespace(inventory, resource.meta.namespace());
        let moves_data = matches!(
            resource.meta.object.kind.as_str(),
            "DataUpload" | "DataDownload" | "PodVolumeBackup" | "PodVolumeRestore"
        );
        let agents = view.node_agents.iter().map(|part| part.workload);
        match &view.server {
            Some(server) if moves_data && !view.node_agents.is_empty() => agents.chain([server.workload]).collect(),
            Some(server) => vec![server.workload],
            None => agents.collect(),
        }
    }

    fn resource_need(&self, resource: &RawObject, _inventory: &Inventory) -> Need {
        let says = location::failure(resource).filter(|(_, meaning)| meaning.class.is_about_identity());
        let by_token =
            location::is_azure(resource) && apps::custom::flag(resource, "/spec/config/useAAD") == Some(true);
        let mut why = Vec::new();
        if by_token {
            why.push(format!("{} asks for a token (useAAD)", resource.meta.object));
        }
        why.extend(says.map(|(_, meaning)| format!("{}: {}", resource.meta.object, meaning.says)));
        Need::of(why)
    }

    fn config_maps(&self, part: &Part<'_>) -> Vec<(String, String)> {
        let containers = part.workload.template.spec.containers.iter();
        let flags = ["node-agent-configmap", "repo-maintenance-job-configmap", "backup-repository-configmap"];
        let named = containers.flat_map(|container| flags.iter().filter_map(|flag| config::flag(container, flag)));
        let mounted = config::config_maps_of(&part.workload.template.spec);
        let names = named.chain(mounted).filter(|name| !name.is_empty());
        names.map(|name| (part.namespace().to_owned(), name.to_owned())).collect()
    }

    fn serves_all_namespaces(&self) -> bool {
        false
    }

    fn secrets(&self, part: &Part<'_>) -> Vec<(String, String)> {
        if part.component != SERVER {
            return Vec::new();
        }
        let view = View::of_namespace(part.inventory, part.namespace());
        view.secrets().into_iter().map(|name| (part.namespace().to_owned(), name)).collect()
    }
}

/// Whether a container runs one of Velero's own subcommands.
fn runs(container: &Container, subcommands: &[&str]) -> bool {
    let mut words = container.command.iter().chain(&container.args).map(String::as_str);
    words
        .find(|word| !word.starts_with('-') && !word.ends_with("velero"))
        .is_some_and(|word| subcommands.contains(&word))
}

/// Whether a pod template carries the label as the webhook wants it.
pub(crate) fn is_labelled(workload: &Workload) -> bool {
    workload.template.metadata.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE)
}

/// The release that each release of the chart installs, by the chart's first release with it.
const APP_VERSIONS: &[((u32, u32, u32), &str)] = &[
    ((3, 0, 0), "1.10.0"),
    ((4, 0, 0), "1.11.0"),
    ((5, 0, 0), "1.11.1"),
    ((5, 1, 0), "1.12.0"),
    ((5, 3, 0), "1.13.0"),
    ((7, 0, 0), "1.14.0"),
    ((7, 2, 2), "1.14.1"),
    ((8, 0, 0), "1.15.0"),
    ((8, 2, 0), "1.15.1"),
    ((8, 4, 0), "1.15.2"),
    ((9, 0, 0), "1.16.0"),
    ((10, 1, 3), "1.16.2"),
    ((11, 0, 0), "1.17.0"),
    ((11, 4, 0), "1.17.1"),
    ((12, 0, 0), "1.18.0"),
    ((12, 1, 0), "1.18.1"),
];
