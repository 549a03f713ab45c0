//! WI3: the cluster and the identity webhook.

pub mod certificate;
pub mod duplicate;
pub mod health;
pub mod issuer;
pub mod mutation;
pub mod outdated;
pub mod pod_identity;
pub mod selection;
pub mod settings;
pub mod webhook;

use crate::chain::Cluster;
use crate::model::object::ObjectRef;
use crate::webhook::{Distribution, Registration, WebhookInstallation};

/// The configuration that registers a webhook.
pub(crate) fn configuration(registration: &Registration) -> ObjectRef {
    ObjectRef::new("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", None, &registration.configuration)
}

/// The cluster as the object of a finding: it has no object of its own.
fn cluster_object(cluster: &Cluster) -> ObjectRef {
    let name = cluster.context.as_deref().or(cluster.server.as_deref()).unwrap_or("(of these files)");
    ObjectRef::new("", "Cluster", None, name)
}

/// What follows for a workload while the webhook does not answer.
fn consequence(webhook: &WebhookInstallation) -> &'static str {
    if webhook.registrations.iter().any(|found| found.entry.refuses_on_failure()) {
        "pods with the label cannot be created until it answers"
    } else {
        "with failurePolicy Ignore new pods start without a token"
    }
}

/// How the webhook is brought to another version, or to other settings.
fn upgrade(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::AksAddon => "az aks update -g RESOURCE_GROUP -n CLUSTER --enable-workload-identity",
        Distribution::Openshift => "oc get clusterversion; oc get deploy -n openshift-cloud-credential-operator",
        Distribution::Arc => "az connectedk8s update -g RESOURCE_GROUP -n CLUSTER --enable-workload-identity",
        Distribution::Helm | Distribution::Manifest | Distribution::Unknown => {
            "helm upgrade --install workload-identity-webhook azure-workload-identity/workload-identity-webhook -n \
             azure-workload-identity-system --reuse-values"
        }
    }
}
