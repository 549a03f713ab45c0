//! Volumes of the Blob and File CSI drivers that are mounted with workload identity.
//!
//! Sources: kubernetes-sigs/blob-csi-driver and azurefile-csi-driver, "workload identity support on static
//! provisioning" (from Blob 1.24.0 and File 1.30.1), blob-csi-driver issues 945, 1487 and 2327, pull request 2271.

use super::marks::{Marks, Sighting};
use super::{Application, Need, OwnIdentity, Part, custom, image};
use crate::chain::Chain;
use crate::chain::meant::{Reason, TokenSource};
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::inventory::Inventory;
use crate::model::object::ObjectRef;
use crate::model::workload::Workload;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::Value;

const BLOB: &str = "blob.csi.azure.com";
const FILE: &str = "file.csi.azure.com";

/// A workload with a volume of Azure storage.
#[derive(Debug)]
pub struct AzureStorage;

/// The attributes of one volume, and where they stand.
struct Volume {
    driver: String,
    object: ObjectRef,
    path: String,
    attributes: Vec<(String, String)>,
    /// A Secret that the drivers take a key from.
    secret: Option<String>,
}

impl Volume {
    /// An attribute; the drivers do not mind the case of names.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(found.1.trim()).filter(|value| !value.is_empty())
    }

    fn mounts_with_token(&self) -> bool {
        self.get("mountWithWorkloadIdentityToken").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn asks(&self) -> bool {
        self.get("clientID").is_some() || self.mounts_with_token()
    }

    /// What makes the driver take a key.
    fn key_from(&self) -> Option<String> {
        let named = self.get("secretName").map(|name| format!("secretName {name}"));
        named.or_else(|| self.secret.as_ref().map(|name| format!("Secret {name}")))
    }
}

fn of_map(value: Option<&Value>) -> Vec<(String, String)> {
    let map = value.and_then(Value::as_object).into_iter().flatten();
    map.map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
}

fn volumes(workload: &Workload, inventory: &Inventory) -> Vec<Volume> {
    let mut found = Vec::new();
    let namespace = workload.meta.namespace();
    for (at, volume) in workload.template.spec.volumes.iter().enumerate() {
        if let Some(csi) = volume.csi.as_ref().filter(|csi| csi.driver == BLOB || csi.driver == FILE) {
            found.push(Volume {
                driver: csi.driver.clone(),
                object: workload.meta.object.clone(),
                path: format!("{}/spec/volumes/{at}/csi", workload.template_pointer()),
                attributes: csi.volume_attributes.clone().unwrap_or_default().into_iter().collect(),
                secret: csi.node_publish_secret_ref.as_ref().map(|secret| secret.name.clone()),
            });
        }
        if let Some(claim) = &volume.persistent_volume_claim {
            found.extend(of_claim(inventory, namespace, &claim.claim_name));
        }
    }
    found
}

/// The volume behind a claim: the one that it is bound to, else the class that would make it.
fn of_claim(inventory: &Inventory, namespace: &str, name: &str) -> Option<Volume> {
    let claim = inventory.other("PersistentVolumeClaim", Some(namespace), name).known().copied();
    let bound = claim.and_then(|claim| custom::filled(claim, "/spec/volumeName"));
    let volume =
        bound.and_then(|bound| inventory.other("PersistentVolume", None, bound).known().copied()).or_else(|| {
            inventory.others_of("PersistentVolume").find(|volume| {
                custom::text(volume, "/spec/claimRef/name") == Some(name)
                    && custom::text(volume, "/spec/claimRef/namespace") == Some(namespace)
            })
        });
    if let Some(volume) = volume {
        let driver = custom::filled(volume, "/spec/csi/driver").filter(|driver| *driver == BLOB || *driver == FILE)?;
        return Some(Volume {
            driver: driver.to_owned(),
            object: volume.meta.object.clone(),
            path: "/spec/csi".to_owned(),
            attributes: of_map(volume.value.pointer("/spec/csi/volumeAttributes")),
            secret: custom::filled(volume, "/spec/csi/nodeStageSecretRef/name").map(str::to_owned),
        });
    }
    let class = custom::filled(claim?, "/spec/storageClassName")?;
    let class = inventory.other("StorageClass", None, class).known().copied()?;
    let driver = custom::filled(class, "/provisioner").filter(|driver| *driver == BLOB || *driver == FILE)?;
    let attributes = of_map(class.value.get("parameters"));
    let staged = attributes.iter().find(|(key, _)| key == "csi.storage.k8s.io/node-stage-secret-name");
    Some(Volume {
        driver: driver.to_owned(),
        object: class.meta.object.clone(),
        path: "/parameters".to_owned(),
        secret: staged.map(|(_, name)| name.clone()),
        attributes,
    })
}

/// The drivers of volumes that are mounted with workload identity.
pub(super) fn drivers(part: &Part<'_>) -> Vec<String> {
    volumes(part.workload, part.inventory).into_iter().filter(Volume::asks).map(|volume| volume.driver).collect()
}

impl Application for AzureStorage {
    fn name(&self) -> &'static str {
        "azure-storage-csi"
    }

    fn title(&self) -> &'static str {
        "Azure storage CSI driver"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let mut volumes = marks.template.spec.volumes.iter();
        let may = volumes.any(|volume| {
            volume.persistent_volume_claim.is_some()
                || volume.csi.as_ref().is_some_and(|csi| csi.driver == BLOB || csi.driver == FILE)
        });
        // Whatever else the workload is comes first.
        may.then_some(Sighting { component: "volume", score: 0, container: None })
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let asking = volumes(part.workload, part.inventory).into_iter().filter(Volume::asks);
        Need::of(asking.map(|volume| format!("{} is mounted with workload identity", volume.object)).collect())
    }

    fn token_source(&self, part: &Part<'_>, why: &[Reason]) -> Option<TokenSource> {
        let asks = volumes(part.workload, part.inventory).iter().any(Volume::asks);
        let only = why.iter().all(|reason| matches!(reason, Reason::Application(_) | Reason::Account(_)));
        let labelled = part.workload.template.metadata.label(keys::USE_LABEL).is_some();
        (asks && only && !labelled).then_some(TokenSource::Csi)
    }

    fn identities(&self, part: &Part<'_>) -> Vec<OwnIdentity> {
        let mut found: Vec<OwnIdentity> = Vec::new();
        for volume in volumes(part.workload, part.inventory).iter().filter(|volume| volume.asks()) {
            let identity = OwnIdentity {
                client_id: volume.get("clientID").map(str::to_owned),
                tenant_id: volume.get("tenantID").map(str::to_owned),
                subject: None,
                source: "csi",
            };
            if !found.contains(&identity) {
                found.push(identity);
            }
        }
        found
    }
}

rule! {
    /// ## What it does
    /// Finds a volume of the Blob or File CSI driver that is meant for workload identity and does not get it.
    ///
    /// ## Why it breaks
    /// `mountWithWorkloadIdentityToken` without `clientID` falls back to the kubelet's identity. A Secret with an account
    /// key (`secretName`, `nodeStageSecretRef`, `nodePublishSecretRef`) wins over the token. The Blob driver knows
    /// workload identity from 1.24.0 on, the File driver from 1.30.1 on, on AKS from Kubernetes 1.29.
    ///
    /// ## How it is known
    /// From the pod's inline volume, or from its claim's `PersistentVolume` or `StorageClass`; and from the driver's image,
    /// where its `DaemonSet` is to be seen.
    ///
    /// ## Fix
    /// Give `clientID`, and no Secret. Attributes of a `PersistentVolume` cannot be changed: create it anew.
    ///
    /// ## Fix safety
    /// A volume that is created anew with `Retain` keeps its data.
    ///
    /// ## References
    /// - kubernetes-sigs/blob-csi-driver issues 945, 1487 and 2327; pull request 2271
    CsiVolumeIdentity {
        code: "WI778",
        name: "csi-volume-identity",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for CsiVolumeIdentity {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = chain.part("azure-storage-csi").filter(|_| chain.is_meant()) else { return };
        let inventory = chain.inventory();
        for volume in volumes(part.workload, inventory).iter().filter(|volume| volume.asks()) {
            let object = &volume.object;
            let again = Fix::manual("give clientID and no Secret; a PersistentVolume has to be created anew");
            if volume.get("clientID").is_none() {
                report
                    .add(object, volume.path.clone(), format!("{object} is mounted with workload identity and names no clientID; the driver takes the kubelet's identity"))
                    .fix(again.clone());
            }
            if let Some(secret) = volume.key_from() {
                report
                    .add(
                        object,
                        volume.path.clone() + "/volumeAttributes",
                        format!(
                            "{object} is mounted with workload identity and names {secret}; the account key in it wins"
                        ),
                    )
                    .fix(again.clone());
            }
            if let Some((daemon_set, version)) = too_old(inventory, &volume.driver) {
                let first = if volume.driver == BLOB { "1.24.0" } else { "1.30.1" };
                report
                    .add(
                        &daemon_set,
                        "/spec/template/spec/containers",
                        format!(
                            "the driver {} {version} knows no workload identity, which came with {first}",
                            volume.driver
                        ),
                    )
                    .evidence(format!("{object} is mounted with workload identity"))
                    .fix(Fix::manual("upgrade the driver; on AKS, upgrade to Kubernetes 1.29 or later"));
            }
        }
    }
}

/// The driver's `DaemonSet` and version, where it is known and too old.
fn too_old(inventory: &Inventory, driver: &str) -> Option<(ObjectRef, String)> {
    let (name, first) = if driver == BLOB { ("blob-csi", (1, 24, 0)) } else { ("azurefile-csi", (1, 30, 1)) };
    inventory.workloads().iter().filter(|workload| workload.meta.object.kind == "DaemonSet").find_map(|workload| {
        let images = workload.template.spec.containers.iter().filter_map(|container| container.image.as_deref());
        let version = images.filter(|known| image::name(known) == name).find_map(image::version)?;
        let (major, minor, patch) = first;
        (!version.at_least(major, minor, patch)).then(|| (workload.meta.object.clone(), version.to_string()))
    })
}
