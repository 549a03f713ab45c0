//! The identity webhook's own objects.

use super::read::{Items, Kind, Kinds, Reading};
use crate::cluster::resource as kinds;
use crate::webhook::deployment::{DEPLOYMENT, SYSTEM_LABEL};
use crate::webhook::health::{CERTIFICATE_SECRET, ROLE};
use crate::webhook::registration::Registration;
use serde_json::Value;
use std::collections::BTreeSet;

/// Name of the binding of [`ROLE`] in every distribution.
const ROLE_BINDING: &str = "azure-wi-webhook-manager-rolebinding";

/// Reads the mutating webhook configurations, and in the namespace whose Service they call: its Deployment, settings,
/// endpoints and policies; then its pods, its role and its certificate.
pub(super) async fn read(reading: &Reading<'_>) -> Kinds {
    let configurations = reading.values(&kinds::MUTATING_WEBHOOK_CONFIGURATION, None, None).await;
    let mut services: BTreeSet<(String, String)> = BTreeSet::new();
    if let Items::Values(values) = &configurations.items {
        for registration in values.iter().filter_map(|value| Registration::read(value).ok()).flatten() {
            services.extend(registration.entry.client_config.service.map(|service| (service.namespace, service.name)));
        }
    }
    let mut all = vec![configurations];
    for (namespace, service) in services {
        let at = Some(namespace.as_str());
        let (deployments, settings, endpoints, service, policies) = tokio::join!(
            reading.values(&kinds::DEPLOYMENT, at, None),
            reading.value(&kinds::CONFIG_MAP, at, "azure-wi-webhook-config"),
            reading.values(&kinds::ENDPOINT_SLICE, at, None),
            reading.value(&kinds::SERVICE, at, &service),
            reading.values(&kinds::NETWORK_POLICY, at, None),
        );
        let runs_here = is_installed(&deployments);
        all.extend([deployments, settings, endpoints, service, policies]);
        if runs_here {
            all.extend(Box::pin(read_closer(reading, &namespace)).await);
        }
    }
    Kinds(all)
}

/// Whether the webhook's own Deployment is among those that were read: another program may register pods too, and the
/// webhooks of other distributions have other names.
fn is_installed(deployments: &Kind) -> bool {
    let Items::Values(values) = &deployments.items else { return false };
    values.iter().any(|value| value.pointer("/metadata/name").and_then(Value::as_str) == Some(DEPLOYMENT))
}

async fn read_closer(reading: &Reading<'_>, namespace: &str) -> Vec<Kind> {
    let (at, own) = (Some(namespace), format!("{SYSTEM_LABEL}=true"));
    let (mut replica_sets, mut pods, role, binding) = tokio::join!(
        reading.labelled(&kinds::REPLICA_SET, at, &own),
        reading.labelled(&kinds::POD, at, &own),
        reading.value(&kinds::CLUSTER_ROLE, None, ROLE),
        reading.value(&kinds::CLUSTER_ROLE_BINDING, None, ROLE_BINDING),
    );
    // They are the webhook's alone: nothing is said about the others of the namespace.
    for own in [&mut replica_sets, &mut pods] {
        own.part.name = Some(format!("-l {SYSTEM_LABEL}=true"));
    }
    let mut all = vec![replica_sets, pods, role, binding];
    if reading.secrets {
        all.push(reading.value(&kinds::SECRET, at, CERTIFICATE_SECRET).await);
    }
    all
}
