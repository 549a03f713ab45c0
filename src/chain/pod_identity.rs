//! What is left of aad-pod-identity, the predecessor of workload identity.

use crate::model::inventory::Inventory;
use crate::model::object::ObjectRef;

/// Images of NMI and MIC.
const IMAGES: &[&str] = &["aad-pod-identity/nmi", "aad-pod-identity/mic", "k8s/aad-pod-identity"];
/// Their names in the chart, the manifest and the AKS add-on.
const NAMES: &[&str] = &["nmi", "mic", "aad-pod-identity-nmi", "aad-pod-identity-mic"];
/// The kinds of its group.
const KINDS: &[&str] = &["AzureIdentity", "AzureIdentityBinding", "AzureAssignedIdentity", "AzurePodIdentityException"];

/// What was seen of aad-pod-identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodIdentity {
    /// NMI and MIC, which act.
    pub running: Vec<ObjectRef>,
    /// Custom resources and their definitions.
    pub left: Vec<ObjectRef>,
}

impl PodIdentity {
    /// Reads it from all that was read.
    pub fn read(inventory: &Inventory) -> Self {
        let workloads = inventory.workloads().iter().filter(|workload| {
            matches!(workload.meta.object.kind.as_str(), "DaemonSet" | "Deployment") && workload.replicas != Some(0)
        });
        let acts = workloads.filter(|workload| {
            let mut images = workload.template.spec.containers.iter().filter_map(|c| c.image.as_deref());
            NAMES.contains(&workload.meta.name()) || images.any(|image| IMAGES.iter().any(|ours| image.contains(ours)))
        });
        let others = inventory.others().iter().map(|other| &other.meta.object);
        let ours = others.filter(|object| {
            (KINDS.contains(&object.kind.as_str()) && object.api_version.starts_with("aadpodidentity.k8s.io/"))
                || (object.kind == "CustomResourceDefinition" && object.name.ends_with(".aadpodidentity.k8s.io"))
        });
        Self { running: acts.map(|workload| workload.meta.object.clone()).collect(), left: ours.cloned().collect() }
    }
}
