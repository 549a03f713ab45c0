//! The identity webhook's own objects.

use super::read::{Items, Kinds, Reading};
use crate::cluster::resource as kinds;
use crate::webhook::registration::Registration;
use std::collections::BTreeSet;

/// Reads the mutating webhook configurations, and in the namespace whose Service they call: its Deployment, settings,
/// endpoints and policies.
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
        all.extend([deployments, settings, endpoints, service, policies]);
    }
    Kinds(all)
}
