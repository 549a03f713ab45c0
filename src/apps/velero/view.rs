//! One installation of Velero: everything of it that lives in its namespace.

use super::{NODE_AGENT, SERVER, Velero};
use crate::apps::config::{self, File};
use crate::apps::version::Version;
use crate::apps::{self, Application, Part, custom, image};
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::ObjectRef;
use crate::model::pod::Container;
use crate::rules::Reads;

/// What rules about Velero read.
pub(crate) const READS: &[Reads] =
    &[Reads::Template, Reads::Account, Reads::Workloads, Reads::Pods, Reads::Objects, Reads::Secrets];

/// What was seen of one installation.
pub struct View<'a> {
    /// The server.
    pub server: Option<Part<'a>>,
    /// The node-agents, for Linux and Windows.
    pub node_agents: Vec<Part<'a>>,
    /// `BackupStorageLocations` on Azure.
    pub locations: Vec<&'a RawObject>,
    /// `VolumeSnapshotLocations` on Azure.
    pub snapshot_locations: Vec<&'a RawObject>,
    /// All that was read.
    pub inventory: &'a Inventory,
    /// Its namespace.
    pub namespace: String,
}

/// A credentials file of Velero, and where it stands.
pub struct Credentials {
    /// The file.
    pub file: File,
    /// Who reads it.
    pub used_by: String,
}

impl<'a> View<'a> {
    /// The installation in a namespace.
    pub fn of_namespace(inventory: &'a Inventory, namespace: &str) -> Self {
        let mut parts = apps::parts_in(inventory, namespace, Velero.name());
        let server = parts.iter().position(|part| part.component == SERVER).map(|at| parts.swap_remove(at));
        parts.retain(|part| part.component == NODE_AGENT);
        let on_azure = |kind: &'static str| {
            let here = inventory.others_of(kind).filter(|other| other.meta.namespace() == namespace);
            here.filter(|other| super::location::is_azure(other)).collect()
        };
        Self {
            server,
            node_agents: parts,
            locations: on_azure("BackupStorageLocation"),
            snapshot_locations: on_azure("VolumeSnapshotLocation"),
            inventory,
            namespace: namespace.to_owned(),
        }
    }

    /// The installation, where the chain is the one to report what concerns it as a whole: the server's, or, where
    /// no server is here, the node-agent's or the custom resource's own.
    pub fn led_by(chain: &Chain<'a>) -> Option<Self> {
        let view = Self::around(chain)?;
        let me = chain.target().object();
        let lead = match (&view.server, view.node_agents.first()) {
            (Some(server), _) => server.workload.meta.object == *me,
            (None, Some(agent)) => agent.workload.meta.object == *me || chain.resource_of("velero").is_some(),
            (None, None) => chain.resource_of("velero").is_some(),
        };
        lead.then_some(view)
    }

    /// The installation, where the chain is the one to report what concerns the moving of data: the first
    /// node-agent's, or, where none is here, the server's.
    pub fn moving_by(chain: &Chain<'a>) -> Option<Self> {
        let view = Self::around(chain)?;
        let me = chain.target().object();
        let mover = view.node_agents.first().or(view.server.as_ref()).map(|part| &part.workload.meta.object);
        (mover == Some(me) || mover.is_none()).then_some(view)
    }

    /// The installation that a chain is part of.
    pub fn around(chain: &Chain<'a>) -> Option<Self> {
        if !chain.is_meant() {
            return None;
        }
        let mine = chain.part("velero").is_some() || chain.resource_of("velero").is_some();
        mine.then(|| Self::of_namespace(chain.inventory(), chain.namespace()))
    }

    /// Velero's version.
    pub fn version(&self) -> Option<&Version> {
        let mut parts = self.server.iter().chain(&self.node_agents);
        parts.find_map(|part| part.version.as_ref())
    }

    /// The server's own container.
    pub fn server_container(&self) -> Option<&'a Container> {
        let template = &self.server.as_ref()?.workload.template;
        let named = template.spec.containers.iter().find(|container| container.name == "velero");
        named.or_else(|| template.spec.containers.first())
    }

    /// The Azure plugin's image and its version.
    pub fn plugin(&self) -> Option<(usize, &'a str, Option<Version>)> {
        let containers = &self.server.as_ref()?.workload.template.spec.init_containers;
        containers.iter().enumerate().find_map(|(at, container)| {
            let image = container.image.as_deref()?;
            let mine = image::name(image).contains("velero-plugin-for-microsoft-azure")
                || container.name.contains("velero-plugin-for-microsoft-azure");
            mine.then(|| (at, image, image::version(image)))
        })
    }

    /// The credentials files of the server and of the locations, as far as they were read.
    pub fn credentials(&self) -> Vec<Credentials> {
        let mut found: Vec<Credentials> = Vec::new();
        if let (Some(server), Some(container)) = (&self.server, self.server_container()) {
            let path = container.variable("AZURE_CREDENTIALS_FILE").and_then(|variable| variable.literal());
            let path = path.filter(|path| !path.is_empty());
            let file = path.and_then(|path| {
                config::file(self.inventory, &self.namespace, &server.workload.template.spec, container, path)
            });
            found.extend(file.map(|file| Credentials { file, used_by: "AZURE_CREDENTIALS_FILE".to_owned() }));
        }
        for location in self.locations.iter().chain(&self.snapshot_locations) {
            let (Some(name), Some(key)) =
                (custom::filled(location, "/spec/credential/name"), custom::filled(location, "/spec/credential/key"))
            else {
                continue;
            };
            if let Fact::Known(secret) = self.inventory.secret(&self.namespace, name)
                && let Some(entry) = secret.entry(key)
            {
                let file =
                    File { object: secret.meta.object.clone(), path: secret.path(key), settings: entry.file.clone() };
                found.push(Credentials { file, used_by: location.meta.object.to_string() });
            }
        }
        found
    }

    /// Names of the Secrets with credentials files.
    pub fn secrets(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        if let Some(server) = &self.server {
            names.extend(config::secrets_of(&server.workload.template.spec).into_iter().map(str::to_owned));
        }
        for location in self.locations.iter().chain(&self.snapshot_locations) {
            names.extend(custom::filled(location, "/spec/credential/name").map(str::to_owned));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether every location is asked with a storage account key, which a variable of the credentials file holds.
    pub fn uses_account_keys(&self) -> bool {
        !self.locations.is_empty()
            && self.locations.iter().all(|l| custom::filled(l, "/spec/config/storageAccountKeyEnvVar").is_some())
    }

    /// Where data is moved: a Backup, a Schedule, the server's default, or an upload that is there.
    pub fn data_is_moved(&self) -> Option<String> {
        let here = |kind: &'static str| {
            self.inventory.others_of(kind).filter(|other| other.meta.namespace() == self.namespace)
        };
        let asked = |kind: &'static str, pointer: &str| {
            here(kind)
                .find(|other| custom::flag(other, pointer) == Some(true))
                .map(|other| other.meta.object.to_string())
        };
        if let Some(object) =
            asked("Backup", "/spec/snapshotMoveData").or_else(|| asked("Schedule", "/spec/template/snapshotMoveData"))
        {
            return Some(format!("{object} sets snapshotMoveData"));
        }
        if self.server_container().and_then(|c| config::is_on(c, "default-snapshot-move-data")) == Some(true) {
            return Some("the server runs with --default-snapshot-move-data".to_owned());
        }
        here("DataUpload").next().map(|upload| format!("{} exists", upload.meta.object))
    }

    /// Reference of the part that stands for the moving of data.
    pub fn mover(&self) -> Option<&ObjectRef> {
        self.node_agents.first().or(self.server.as_ref()).map(|part| &part.workload.meta.object)
    }

    /// Whether the pods of server and node-agent get the webhook's proxy, which stands in for an old SDK.
    pub fn has_proxy(&self) -> bool {
        self.server.iter().any(super::super::has_proxy)
    }
}
