//! Which identity webhook is installed, and how it is set, read from its own objects: live or in files.

use super::deployment::{ConfigMaps, DEPLOYMENT, SYSTEM_LABEL, Setting, read_environment};
pub use super::deployment::{SeenVersion, WebhookDeployment};
use super::registration::Registration;
use super::settings::WebhookSettings;
use super::{Generation, WebhookVersion, shape};
use crate::model::StringMap;
use crate::model::inventory::Inventory;
use crate::model::object::Origin;
use crate::model::pod::{PodSpec, lenient_map};
use crate::model::workload::{ApiWorkload, Workload};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// Name of the `ConfigMap` upstream and on AKS.
const CONFIG_MAP: &str = "azure-wi-webhook-config";
/// Helm release of the AKS add-on.
const AKS_RELEASE: &str = "aks-managed-workload-identity";

/// How a webhook came into the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// The AKS add-on, in `kube-system`; edits are reverted.
    AksAddon,
    /// The Helm chart.
    Helm,
    /// The deployment manifest.
    Manifest,
    /// `OpenShift`'s cloud credential operator, or `HyperShift`.
    Openshift,
    /// The extension of Azure Arc.
    Arc,
    /// Nothing tells.
    Unknown,
}

/// What is installed.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookInstallation {
    /// Its registrations with the API server, by name of the configuration.
    pub registrations: Vec<Registration>,
    /// Its Deployments; more than one fight over the same objects.
    pub deployments: Vec<WebhookDeployment>,
    /// How it came here.
    pub distribution: Distribution,
    /// Its version, and by what it is known. `None`: the newest known one stands in.
    pub version: Option<SeenVersion>,
    /// How it is set.
    pub settings: WebhookSettings,
    /// Whether its flags were seen; where not, the audience and the rest are as they are unless configured.
    pub settings_seen: bool,
    /// What was not seen or does not fit together, one sentence each.
    pub notes: Vec<String>,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AksAddon => "aks-addon",
            Self::Helm => "helm",
            Self::Manifest => "manifest",
            Self::Openshift => "openshift",
            Self::Arc => "arc",
            Self::Unknown => "unknown",
        })
    }
}

/// For people: `AKS add-on 1.6.0, 2 of 2 ready`.
impl fmt::Display for WebhookInstallation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.distribution {
            Distribution::AksAddon => "AKS add-on",
            Distribution::Helm => "Helm chart",
            Distribution::Manifest => "deployment manifest",
            Distribution::Openshift => "OpenShift",
            Distribution::Arc => "Azure Arc",
            Distribution::Unknown => "installed",
        })?;
        match self.version() {
            Some(version) => write!(f, " {version}")?,
            None => f.write_str(", version unknown")?,
        }
        match self.deployment().map(|deployment| (deployment.ready, deployment.desired)) {
            Some((Some(ready), desired)) => write!(f, ", {ready} of {desired} ready"),
            _ => Ok(()),
        }
    }
}

impl WebhookInstallation {
    /// Its version, where something tells it.
    pub fn version(&self) -> Option<String> {
        self.version.as_ref().map(|seen| seen.version.to_string())
    }

    /// When it was registered: pods that are older were never sent to it. With several, the oldest.
    pub fn created(&self) -> Option<jiff::Timestamp> {
        self.registrations.iter().filter_map(|found| found.created).min()
    }

    /// Whether a replica is ready to answer; `None` where no Deployment with a status was seen.
    pub fn ready(&self) -> Option<bool> {
        self.deployment()?.ready.map(|ready| ready > 0)
    }

    /// Whether a registration was seen: nothing is mutated without one.
    pub fn is_registered(&self) -> bool {
        !self.registrations.is_empty()
    }

    /// The Deployment that the settings were read from.
    pub fn deployment(&self) -> Option<&WebhookDeployment> {
        self.deployments.first()
    }

    /// Learns the generation from a pod that it mutated, where nothing else tells the version.
    pub fn learn_from_pod(&mut self, pod: &PodSpec) -> Option<Generation> {
        if self.version.is_some() {
            return None;
        }
        let generation = shape::generation(pod)?;
        self.settings.set_version(shape::newest_of(generation));
        Some(generation)
    }

    /// Reads it from all that was read.
    pub fn from_inventory(inventory: &Inventory) -> Self {
        let mut reader = Reader::default();
        inventory.workloads().iter().for_each(|workload| reader.workload(workload));
        for kind in ["MutatingWebhookConfiguration", "ConfigMap"] {
            inventory.others_of(kind).for_each(|other| reader.other(&other.value, other.meta.namespace()));
        }
        reader.finish()
    }

    /// Reads it from objects of the API, whatever their kind.
    pub fn from_objects<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut reader = Reader::default();
        objects.into_iter().for_each(|object| reader.object(object));
        reader.finish()
    }
}

/// Collects the webhook's objects one by one.
#[derive(Debug, Default)]
struct Reader {
    registrations: Vec<Registration>,
    deployments: Vec<WebhookDeployment>,
    config_maps: ConfigMaps,
    notes: Vec<String>,
}

impl Reader {
    fn object(&mut self, object: &Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if text("/kind") != "Deployment" {
            return self.other(object, text("/metadata/namespace"));
        }
        match ApiWorkload::deserialize(object) {
            Ok(workload) => self.workload(&workload.into_workload(text("/apiVersion"), "Deployment", Origin::Cluster)),
            // Some other Deployment that cannot be read is not this one's concern.
            Err(error) if text("/metadata/name") == DEPLOYMENT => {
                self.notes.push(format!("the webhook's Deployment cannot be read: {error}"));
            }
            Err(_) => {}
        }
    }

    fn workload(&mut self, workload: &Workload) {
        if workload.meta.object.kind == "Deployment" {
            self.deployments.extend(WebhookDeployment::read(workload));
        }
    }

    /// `namespace` is where it is, also where its own metadata do not say.
    fn other(&mut self, object: &Value, namespace: &str) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match text("/kind") {
            "MutatingWebhookConfiguration" => match Registration::read(object) {
                Ok(found) => self.registrations.extend(found),
                Err(error) => self
                    .notes
                    .push(format!("MutatingWebhookConfiguration {} cannot be read: {error}", text("/metadata/name"))),
            },
            "ConfigMap" => {
                if let Ok(ConfigMap { data: Some(data) }) = ConfigMap::deserialize(object) {
                    let key = (namespace.to_owned(), text("/metadata/name").to_owned());
                    self.config_maps.insert(key, data);
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> WebhookInstallation {
        self.registrations.sort_by(|a, b| a.configuration.cmp(&b.configuration));
        let served = self.served_namespace();
        // The Deployment that answers comes first; files without a namespace could be any.
        self.deployments.sort_by_key(|deployment| {
            (served.as_deref().is_some_and(|served| served != deployment.namespace), deployment.path())
        });
        let distribution = self.distribution();
        let mut settings = WebhookSettings::new(WebhookVersion::NEWEST);
        let version = self.deployments.first().and_then(|deployment| deployment.version.clone());
        if let Some(seen) = &version {
            settings.set_version(seen.version.clone());
        }
        let Self { registrations, deployments, config_maps, mut notes } = self;
        match deployments.first() {
            None => {
                notes.push("no Deployment of the identity webhook was seen".to_owned());
                let named = config_maps.iter().find(|((_, name), _)| name == CONFIG_MAP);
                let values = |name: &str| Setting::of(named.and_then(|(_, data)| data.get(name)));
                if named.is_some() {
                    read_environment(&mut settings, values, &mut notes);
                }
            }
            Some(deployment) => {
                if version.is_none() {
                    let image = &deployment.image;
                    notes.push(format!("the image {image:?} of {} does not tell its version", deployment.path()));
                }
                deployment.configure(&mut settings, &config_maps, &mut notes);
            }
        }
        if deployments.len() > 1 {
            let names: Vec<_> = deployments.iter().map(WebhookDeployment::path).collect();
            notes.push(format!("{} Deployments are identity webhooks: {}", names.len(), names.join(", ")));
        }
        if registrations.is_empty() {
            notes.push("no MutatingWebhookConfiguration of an identity webhook was seen".to_owned());
        }
        let settings_seen = !deployments.is_empty();
        WebhookInstallation { registrations, deployments, distribution, version, settings, settings_seen, notes }
    }

    /// The namespace whose Service the API server calls.
    fn served_namespace(&self) -> Option<String> {
        let mut services = self.registrations.iter().filter_map(|found| found.entry.client_config.service.as_ref());
        services.next().map(|service| service.namespace.clone())
    }

    fn distribution(&self) -> Distribution {
        let from_deployments = self.deployments.iter().map(|found| (&found.labels, &found.annotations));
        let from_registrations = self.registrations.iter().map(|found| (&found.labels, &found.annotations));
        let marks: Vec<_> = from_registrations.chain(from_deployments).collect();
        let labelled =
            |key: &str, value: &str| marks.iter().any(|(labels, _)| labels.get(key).is_some_and(|v| v == value));
        let releases: Vec<_> = marks.iter().filter_map(|(_, notes)| notes.get("meta.helm.sh/release-name")).collect();
        let namespaces: Vec<_> =
            self.served_namespace().into_iter().chain(self.deployments.iter().map(|d| d.namespace.clone())).collect();
        let lives_in = |start: &str| namespaces.iter().any(|namespace| namespace.starts_with(start));
        let of_openshift = self.registrations.iter().any(Registration::is_openshift);
        if of_openshift || lives_in("openshift-") {
            Distribution::Openshift
        } else if labelled("kubernetes.azure.com/managedby", "aks") || releases.iter().any(|name| *name == AKS_RELEASE)
        {
            Distribution::AksAddon
        } else if lives_in("arc-workload-identity") {
            Distribution::Arc
        } else if !releases.is_empty()
            || labelled("app", "workload-identity-webhook")
            || labelled("app.kubernetes.io/managed-by", "Helm")
        {
            Distribution::Helm
        } else if labelled(SYSTEM_LABEL, "true") {
            Distribution::Manifest
        } else {
            Distribution::Unknown
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigMap {
    #[serde(deserialize_with = "lenient_map")]
    data: Option<StringMap>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn configuration(namespace: &str) -> Value {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {
                "name": "azure-wi-webhook-mutating-webhook-configuration",
                "labels": {"azure-workload-identity.io/system": "true"},
            },
            "webhooks": [{
                "name": "mutation.azure-workload-identity.io",
                "clientConfig": {"service": {
                    "name": "azure-wi-webhook-webhook-service", "namespace": namespace, "path": "/mutate-v1-pod",
                }},
                "objectSelector": {"matchLabels": {"azure.workload.identity/use": "true"}},
            }],
        })
    }

    fn deployment(namespace: &str, image: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "azure-wi-webhook-controller-manager", "namespace": namespace,
                "labels": {"azure-workload-identity.io/system": "true"},
            },
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{
                "name": "manager", "image": image, "command": ["/manager"], "args": ["--log-level=info"],
                "envFrom": [{"configMapRef": {"name": "azure-wi-webhook-config"}}],
            }]}}},
        })
    }

    fn config_map(namespace: &str, data: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "azure-wi-webhook-config", "namespace": namespace}, "data": data,
        })
    }

    const SYSTEM: &str = "azure-workload-identity-system";
    const IMAGE: &str = "mcr.microsoft.com/oss/azure/workload-identity/webhook:v1.5.1";

    #[test]
    fn the_manifest_tells_everything() {
        let data = json!({"AZURE_TENANT_ID": "t", "AZURE_ENVIRONMENT": "AzureUSGovernmentCloud", "PROXY_IMAGE": "p"});
        let objects = [configuration(SYSTEM), deployment(SYSTEM, IMAGE), config_map(SYSTEM, &data)];
        let found = WebhookInstallation::from_objects(&objects);
        assert_eq!(found.distribution, Distribution::Manifest);
        assert_eq!(found.version.as_ref().unwrap().version.to_string(), "1.5.1");
        assert_eq!(found.settings.version().to_string(), "1.5.1");
        assert_eq!(found.settings.tenant_id.as_deref(), Some("t"));
        assert_eq!(found.settings.authority_host.as_deref(), Some("https://login.microsoftonline.us/"));
        assert_eq!(found.settings.proxy_image.as_deref(), Some("p"));
        assert_eq!((found.deployments[0].desired, found.deployments[0].ready), (2, None));
        assert_eq!(found.to_string(), "deployment manifest 1.5.1");
        assert_eq!(found.notes, Vec::<String>::new());
    }

    #[test]
    fn a_live_webhook_tells_how_it_is() {
        let mut own = deployment(SYSTEM, IMAGE);
        own["status"] = json!({"observedGeneration": 1, "readyReplicas": 1});
        let mut registered = configuration(SYSTEM);
        registered["metadata"]["creationTimestamp"] = "2026-11-18T09:12:00Z".into();
        let found = WebhookInstallation::from_objects(&[own.clone(), registered]);
        assert_eq!(found.to_string(), "deployment manifest 1.5.1, 1 of 2 ready");
        assert_eq!(found.ready(), Some(true));
        assert_eq!(found.created(), "2026-11-18T09:12:00Z".parse().ok());
        own["status"] = json!({"observedGeneration": 1});
        assert_eq!(WebhookInstallation::from_objects(&[own]).ready(), Some(false));
    }

    #[test]
    fn an_unseen_config_map_leaves_the_tenant_open() {
        let found = WebhookInstallation::from_objects(&[configuration(SYSTEM), deployment(SYSTEM, IMAGE)]);
        assert_eq!(found.settings.tenant_id, None);
        assert_eq!(found.settings.authority_host, None);
        let note = "ConfigMap azure-workload-identity-system/azure-wi-webhook-config of the webhook was not seen";
        assert_eq!(found.notes, [note]);
    }

    #[test]
    fn an_inventory_tells_the_same() {
        let data = json!({"AZURE_TENANT_ID": "t"});
        let mut objects = [configuration(SYSTEM), deployment(SYSTEM, IMAGE), config_map(SYSTEM, &data)];
        let mut inventory = Inventory::default();
        for object in &mut objects {
            // As rendered for `kubectl apply -n`.
            object["metadata"].as_object_mut().unwrap().remove("namespace");
            inventory.add_value(object.clone(), Origin::Cluster, SYSTEM).unwrap();
        }
        let found = WebhookInstallation::from_inventory(&inventory);
        assert_eq!(found.settings.tenant_id.as_deref(), Some("t"));
        assert_eq!(found.deployments[0].namespace, SYSTEM);
        assert_eq!(found.to_string(), "deployment manifest 1.5.1");
    }

    #[test]
    fn variables_go_before_config_maps() {
        let mut own = deployment(SYSTEM, IMAGE);
        own["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
            {"name": "AZURE_TENANT_ID", "value": "literal"},
            {"name": "AZURE_ENVIRONMENT", "valueFrom": {"configMapKeyRef": {"name": "other", "key": "cloud"}}},
        ]);
        let mut other = config_map(SYSTEM, &json!({"cloud": "azurechinacloud"}));
        other["metadata"]["name"] = "other".into();
        let objects = [own, other, config_map(SYSTEM, &json!({"AZURE_TENANT_ID": "from"})), configuration(SYSTEM)];
        let found = WebhookInstallation::from_objects(&objects);
        assert_eq!(found.settings.tenant_id.as_deref(), Some("literal"));
        assert_eq!(found.settings.authority_host.as_deref(), Some("https://login.chinacloudapi.cn/"));
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        let mut own = deployment(SYSTEM, IMAGE);
        own["spec"]["template"]["spec"]["containers"][0]["args"] = json!([
            "--audience",
            "api://other",
            "-log-level=debug",
            "--disable-cert-rotation",
            "--custom-token-endpoint-annotation-suffix=identity-binding",
            "--custom-token-endpoint-audience=api://AKSIdentityBinding",
        ]);
        let data = json!({
            "AZURE_TENANT_ID": "t",
            "AZURE_KUBERNETES_TOKEN_PROXY": "https://proxy",
            "AZURE_KUBERNETES_CA_CTB_SIGNER_NAME": "example.com/signer",
            "AZURE_KUBERNETES_CA_CTB_LABEL_SELECTOR": "{\"matchLabels\":{\"a\":\"b\"}}",
        });
        let found = WebhookInstallation::from_objects(&[own, config_map(SYSTEM, &data)]);
        assert_eq!(found.settings.audience, "api://other");
        assert_eq!(found.settings.log_level, "debug");
        let endpoint = found.settings.custom_endpoint.unwrap();
        assert_eq!(endpoint.annotation(), "azure.workload.identity/use-identity-binding");
        assert_eq!(endpoint.audience, "api://AKSIdentityBinding");
        assert_eq!(endpoint.token_proxy, "https://proxy");
        assert_eq!(endpoint.ca_label_selector, Some(json!({"matchLabels": {"a": "b"}})));
    }

    #[test]
    fn configuration_that_keeps_it_from_starting_is_told() {
        for (data, words) in [
            (json!({"AZURE_TENANT_ID": "t", "AZURE_ENVIRONMENT": "Azure"}), "no cloud it knows"),
            (json!({"AZURE_ENVIRONMENT": ""}), "has no AZURE_TENANT_ID"),
            (json!({"AZURE_TENANT_ID": ""}), "AZURE_TENANT_ID of the webhook is empty"),
            (json!({"AZURE_TENANT_ID": "${AZURE_TENANT_ID}"}), "placeholder"),
        ] {
            let objects = [configuration(SYSTEM), deployment(SYSTEM, IMAGE), config_map(SYSTEM, &data)];
            let notes = WebhookInstallation::from_objects(&objects).notes;
            assert!(notes.len() == 1 && notes[0].contains(words), "{notes:?}");
        }
    }

    #[test]
    fn distributions_are_told_apart() {
        let distribution = |objects: &[Value]| WebhookInstallation::from_objects(objects).distribution;
        let mut addon = configuration("kube-system");
        addon["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "aks-managed-workload-identity"});
        addon["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm".into();
        assert_eq!(distribution(&[addon]), Distribution::AksAddon);
        let mut labelled = deployment("kube-system", IMAGE);
        labelled["metadata"]["labels"]["kubernetes.azure.com/managedby"] = "aks".into();
        assert_eq!(distribution(&[labelled]), Distribution::AksAddon);
        let mut chart = configuration("wi");
        chart["metadata"]["labels"]["app"] = "workload-identity-webhook".into();
        assert_eq!(distribution(&[chart]), Distribution::Helm);
        assert_eq!(distribution(&[configuration("arc-workload-identity")]), Distribution::Arc);
        assert_eq!(distribution(&[configuration(SYSTEM)]), Distribution::Manifest);
        let hypershift = json!({
            "kind": "MutatingWebhookConfiguration", "metadata": {"name": "azure-workload-identity-webhook"},
            "webhooks": [{
                "name": "pod-identity-webhook.azure.mutate.io",
                "clientConfig": {"url": "https://127.0.0.1:9443/mutate-v1-pod"},
            }],
        });
        assert_eq!(distribution(&[hypershift]), Distribution::Openshift);
        assert_eq!(distribution(&[]), Distribution::Unknown);
    }

    #[test]
    fn an_image_without_a_version_leaves_it_open() {
        for image in ["acr.azurecr.io/webhook@sha256:0123", "localhost:5000/webhook", "webhook:latest", ""] {
            let found = WebhookInstallation::from_objects(&[configuration(SYSTEM), deployment(SYSTEM, image)]);
            assert_eq!(found.version, None, "{image}");
            assert_eq!(found.settings.version(), &WebhookVersion::NEWEST);
        }
        let both = "localhost:5000/oss/azure/workload-identity/webhook:v1.6.0-alpha.1@sha256:0123";
        let found = WebhookInstallation::from_objects(&[deployment(SYSTEM, both)]);
        assert_eq!(found.version.unwrap().version.to_string(), "1.6.0-alpha.1");
    }

    #[test]
    fn with_two_installations_the_one_that_is_called_counts() {
        let objects = [
            deployment("azure-workload-identity-system", "oss/azure/workload-identity/webhook:v1.3.0"),
            deployment("kube-system", "oss/azure/workload-identity/webhook:v1.5.0"),
            configuration("kube-system"),
        ];
        let found = WebhookInstallation::from_objects(&objects);
        assert_eq!(found.settings.version().to_string(), "1.5.0");
        assert!(found.notes.iter().any(|note| note.starts_with("2 Deployments are identity webhooks")));
    }

    #[test]
    fn other_objects_are_passed_over() {
        let other = json!({
            "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": [{"image": "nginx"}]}}},
        });
        let broken = json!({"kind": "Deployment", "metadata": 1, "spec": "x"});
        let found = WebhookInstallation::from_objects(&[other, broken, json!(null), json!({"kind": "ConfigMap"})]);
        assert!(found.deployments.is_empty() && !found.is_registered() && !found.settings_seen);
    }
}
