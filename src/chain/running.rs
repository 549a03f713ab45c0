//! What the webhook has left in a pod that runs.

use crate::model::pod::PodSpec;
use crate::webhook::keys;

/// Whether the webhook has put anything into a pod: a container knows a token file, and a volume projects a token
/// whose audience is not the API server's.
pub fn is_mutated(spec: &PodSpec) -> bool {
    let told = spec.all_containers().any(|(_, _, container)| container.variable(keys::ENV_TOKEN_FILE).is_some());
    let projected =
        spec.volumes.iter().flat_map(|volume| volume.projected.iter().flat_map(|p| &p.sources)).any(|source| {
            source
                .service_account_token
                .as_ref()
                .is_some_and(|token| token.audience.as_deref().is_some_and(|a| !a.is_empty()))
        });
    told && projected
}
