//! By which generation of the webhook a pod was mutated, as far as the pod shows it.

use super::keys;
use super::profile::{Generation, WebhookVersion};
use crate::model::pod::PodSpec;

/// The generation whose shape the pod has: its volume's name and where it is mounted. `None`: nothing was injected.
///
/// [`Generation::V0_8`] stands for everything from 0.8 to 1.5.1, which cannot be told apart by it.
pub fn generation(pod: &PodSpec) -> Option<Generation> {
    let mounts = pod.all_containers().flat_map(|(_, _, container)| &container.volume_mounts);
    mounts
        .filter_map(|mount| match mount.mount_path.as_str() {
            "/var/run/secrets/tokens" if mount.name == keys::TOKEN_NAME => Some(Generation::V0_7),
            "/var/run/secrets/azure/tokens" if mount.name == keys::TOKEN_NAME => Some(Generation::V0_8),
            path if mount.name.starts_with(keys::RESERVED_VOLUME_PREFIX) => {
                let segment = path.strip_prefix("/var/run/secrets/azure/wi")?;
                Some(if segment.is_empty() { Generation::V1_6_0 } else { Generation::After1_6_0 })
            }
            _ => None,
        })
        .max()
}

/// The newest release that injects such a shape, to stand for the others.
pub(super) fn newest_of(generation: Generation) -> WebhookVersion {
    match generation {
        Generation::V0_7 => WebhookVersion::release(0, 7, 0),
        Generation::V0_8 | Generation::V1_5_1 => WebhookVersion::release(1, 5, 1),
        Generation::V1_5_0 => WebhookVersion::release(1, 5, 0),
        Generation::V1_6_0 => WebhookVersion::release(1, 6, 0),
        Generation::After1_6_0 => WebhookVersion::release(1, 6, 1),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::model::StringMap;
    use crate::model::pod::PodTemplate;
    use crate::webhook::{AccountView, Admission, WebhookSettings, admit};
    use serde::Deserialize;
    use serde_json::json;

    #[test]
    fn a_mutated_pod_shows_its_generation() {
        let pod = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "app"}]}});
        let annotations = StringMap::new();
        let account = AccountView { name: "default", labels: None, annotations: Some(&annotations) };
        for (version, expected) in [
            ("0.7.0", Generation::V0_7),
            ("1.0.0", Generation::V0_8),
            ("1.5.1", Generation::V0_8),
            ("1.6.0", Generation::V1_6_0),
            ("1.7.0", Generation::After1_6_0),
        ] {
            let settings = WebhookSettings::new(version.parse().unwrap());
            let Admission::Allowed { pod: mutated, .. } = admit(&pod, "a", Some(account), &settings) else { panic!() };
            let spec = PodTemplate::deserialize(mutated).unwrap().spec;
            assert_eq!(generation(&spec), Some(expected), "{version}");
        }
        assert_eq!(generation(&PodTemplate::deserialize(pod).unwrap().spec), None);
    }
}
