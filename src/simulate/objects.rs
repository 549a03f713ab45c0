//! A simulation of objects that bring everything with them: accounts, namespaces, and the webhook's own objects.

use super::report::{SimulateReport, SimulatedWebhook, Source};
use super::{Simulator, pods_at};
use crate::model::StringMap;
use crate::model::fact::Fact;
use crate::model::object::{ApiMeta, ObjectRef};
use crate::webhook::{AccountView, KubernetesVersion, WebhookEntry, WebhookInstallation, WebhookVersion};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// What the objects do not say themselves.
pub struct Options<'a> {
    /// Where objects without a namespace are.
    pub namespace: &'a str,
    /// Whether the objects came from a cluster or from files.
    pub source: Source,
    /// What is known of an account that is not among the objects: [`Fact::Absent`] where they are all there is
    /// (`--as-cluster`), [`Fact::NotAsked`] where nobody looked, `Denied` or `Failed` where reading it failed.
    pub missing_account: &'a dyn Fn(&str, &str) -> Fact<()>,
    /// Which objects are wanted; the others only bring accounts, namespaces and the webhook.
    pub wanted: &'a dyn Fn(&ObjectRef) -> bool,
    /// `--webhook-version`, in place of the one that the webhook's objects tell.
    pub webhook_version: Option<WebhookVersion>,
    /// `--kubernetes-version`, or what the API server says.
    pub kubernetes_version: Option<KubernetesVersion>,
}

/// What the identity webhook would make of the objects, in their order. `List` objects have to be taken apart before.
pub fn simulate(objects: Vec<Value>, options: &Options<'_>) -> SimulateReport {
    let installation = WebhookInstallation::from_objects(&objects);
    let mut settings = installation.settings.clone();
    let source = match &options.webhook_version {
        Some(version) => {
            settings.set_version(version.clone());
            Source::Flag
        }
        None => options.source,
    };
    settings.kubernetes.clone_from(&options.kubernetes_version);
    let entries: Vec<WebhookEntry> = installation.registrations.iter().map(|found| found.entry.clone()).collect();
    let surroundings = Surroundings::read(&objects, options.namespace);
    let account = |namespace: &str, name: &str| match surroundings.account(namespace, name) {
        Some(account) => Fact::Known(account),
        None => match (options.missing_account)(namespace, name) {
            // The API server makes this one with the namespace.
            Fact::Absent if name == "default" => Fact::Known(AccountView::BARE_DEFAULT),
            missing => missing.and_then(|()| Fact::NotAsked),
        },
    };
    let simulator = Simulator {
        settings: &settings,
        entries: &entries,
        namespace: options.namespace,
        accounts: &account,
        namespaces: &|name| surroundings.namespaces.get(name),
    };
    let wanted = |object: &Value| pods_at(object).is_some() && (options.wanted)(&simulator.reference(object));
    simulator.run(SimulatedWebhook::new(&installation, &settings, source), objects.into_iter().filter(wanted))
}

/// The metadata of accounts and namespaces.
#[derive(Debug, Default)]
struct Surroundings {
    accounts: HashMap<String, HashMap<String, ApiMeta>>,
    namespaces: HashMap<String, StringMap>,
}

impl Surroundings {
    fn read(objects: &[Value], default_namespace: &str) -> Self {
        let mut found = Self::default();
        for object in objects.iter().filter(|object| object.get("apiVersion").is_some_and(|version| version == "v1")) {
            let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
            if kind != "ServiceAccount" && kind != "Namespace" {
                continue;
            }
            // What cannot be read is as good as not there; the reader of manifests has told it.
            let Some(Ok(meta)) = object.get("metadata").map(ApiMeta::deserialize) else { continue };
            if kind == "Namespace" {
                found.namespaces.insert(meta.name, meta.labels.unwrap_or_default());
            } else {
                let namespace = meta.namespace.clone().filter(|namespace| !namespace.is_empty());
                let namespace = namespace.unwrap_or_else(|| default_namespace.to_owned());
                found.accounts.entry(namespace).or_default().insert(meta.name.clone(), meta);
            }
        }
        found
    }

    fn account(&self, namespace: &str, name: &str) -> Option<AccountView<'_>> {
        let meta = self.accounts.get(namespace)?.get(name)?;
        Some(AccountView { name: &meta.name, labels: meta.labels.as_ref(), annotations: meta.annotations.as_ref() })
    }
}
