//! Answers that the webhook would not give.

use clap::ValueEnum;
use kubectl_wi::webhook::keys::{RESERVED_VOLUME_PREFIX, TOKEN_NAME};
use serde_json::{Value, json};

/// How the answer differs from the webhook's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deviation {
    /// No container gets `AZURE_CLIENT_ID`.
    DropClientId,
    /// The token is for another audience.
    OtherAudience,
    /// `AZURE_TENANT_ID` is another tenant's.
    OtherTenant,
    /// The pod is admitted as it came.
    Unchanged,
    /// The pod is denied.
    Deny,
    /// The API server gets an HTTP error.
    Fail,
    /// The API server gets no answer.
    Hang,
}

impl Deviation {
    /// Changes a pod that was mutated as the webhook would.
    pub(crate) fn apply(self, original: &Value, pod: Value) -> Result<Value, String> {
        let mut pod = pod;
        match self {
            Deviation::DropClientId => {
                for container in containers(&mut pod) {
                    if let Some(variables) = container["env"].as_array_mut() {
                        variables.retain(|variable| variable["name"] != "AZURE_CLIENT_ID");
                    }
                }
            }
            Deviation::OtherTenant => {
                for container in containers(&mut pod) {
                    for variable in container["env"].as_array_mut().into_iter().flatten() {
                        if variable["name"] == "AZURE_TENANT_ID" {
                            variable["value"] = json!("00000000-0000-0000-0000-000000000000");
                        }
                    }
                }
            }
            Deviation::OtherAudience => {
                for volume in pod["spec"]["volumes"].as_array_mut().into_iter().flatten() {
                    let name = volume["name"].as_str().unwrap_or_default().to_owned();
                    if name != TOKEN_NAME && !name.starts_with(RESERVED_VOLUME_PREFIX) {
                        continue;
                    }
                    for source in volume["projected"]["sources"].as_array_mut().into_iter().flatten() {
                        if source["serviceAccountToken"].is_object() {
                            source["serviceAccountToken"]["audience"] = json!("api://SomethingElse");
                        }
                    }
                }
            }
            Deviation::Unchanged => return Ok(original.clone()),
            Deviation::Deny => return Err("denied by --deviate=deny".to_owned()),
            // These two are not answers; the server sees to them.
            Deviation::Fail | Deviation::Hang => {}
        }
        Ok(pod)
    }
}

fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = pod["spec"].as_object_mut();
    let lists = spec.into_iter().flat_map(|spec| spec.iter_mut());
    lists
        .filter(|(key, _)| *key == "containers" || *key == "initContainers")
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
}
