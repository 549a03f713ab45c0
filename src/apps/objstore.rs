//! The object store configuration that Thanos made, and that Mimir, Cortex and Loki took over: the section for Azure.
//!
//! Source: thanos-io/objstore, `providers/azure/helpers.go`. The order is: connection string, account key, all three of
//! `az_tenant_id`, `client_id` and `client_secret`, then `user_assigned_id`, which means the node's managed identity
//! and nothing else; with none of them the SDK's default chain, in which workload identity has its place.

use super::Part;
use super::config::{self, File};
use crate::model::object::ObjectRef;
use crate::model::pod::Container;
use crate::model::settings::Settings;

/// A section for Azure, and where it stands.
#[derive(Debug, Clone)]
pub struct Store {
    /// The `ConfigMap`, Secret or workload that holds it.
    pub object: ObjectRef,
    /// JSON pointer in it.
    pub path: String,
    /// The section itself.
    pub section: Settings,
}

/// Which credential a section takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A secret of its own: the name of the setting.
    Secret(&'static str),
    /// The node's managed identity.
    NodeIdentity,
    /// The SDK's default chain.
    DefaultChain,
}

impl Store {
    /// The section for Azure of `objstore.yml`: `{type: AZURE, config: {...}}`.
    pub fn of_objstore(file: &File) -> Option<Self> {
        if file.settings.word("type") != Some("AZURE") {
            return None;
        }
        let section = file.settings.section(&["config"]).cloned().unwrap_or_default();
        Some(Self { object: file.object.clone(), path: file.path.clone(), section })
    }

    /// Which credential it takes.
    pub fn takes(&self) -> Takes {
        let set = |name: &str| self.section.is_set(name);
        if let Some(name) = SECRETS.iter().chain(&["client_secret"]).find(|name| set(name)) {
            return Takes::Secret(name);
        }
        if set("user_assigned_id") { Takes::NodeIdentity } else { Takes::DefaultChain }
    }
}

/// Settings that hold a secret, as Thanos (`storage_...`) and as Mimir and Cortex (`account_key`) call them.
const SECRETS: &[&str] = &["storage_connection_string", "connection_string", "storage_account_key", "account_key"];

/// The object stores on Azure that a component is told of by flags: a file, a variable, or the text itself.
pub fn stores(part: &Part<'_>) -> Vec<Store> {
    let template = &part.workload.template;
    let mut found = Vec::new();
    for (list, at, container) in template.spec.all_containers() {
        for file in named_files(part, container) {
            found.extend(Store::of_objstore(&file));
        }
        for (place, words) in [("command", &container.command), ("args", &container.args)] {
            for (index, word) in words.iter().enumerate() {
                let Some(text) = word.strip_prefix("--objstore.config=") else { continue };
                let settings = Settings::of_text(text);
                let pointer =
                    format!("{}/spec/{}/{at}/{place}/{index}", part.workload.template_pointer(), list.field());
                let file = File { object: part.workload.meta.object.clone(), path: pointer, settings };
                found.extend(Store::of_objstore(&file));
            }
        }
    }
    found
}

fn named_files(part: &Part<'_>, container: &Container) -> Vec<File> {
    let (inventory, namespace, spec) = (part.inventory, part.namespace(), &part.workload.template.spec);
    let by_path = ["objstore.config-file", "objstore-config-file"]
        .iter()
        .filter_map(|name| config::file(inventory, namespace, spec, container, config::flag(container, name)?));
    let by_variable = config::flag(container, "objstore.config")
        .and_then(|value| config::file_in_variable(inventory, namespace, container, config::reference(value)?));
    by_path.chain(by_variable).collect()
}
