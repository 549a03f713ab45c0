//! Client secrets that people write into a manifest stay out of what is printed.

use serde_json::Value;

/// What stands in their place.
const HIDDEN: &str = "<hidden>";
/// Where kubectl keeps a copy of the manifest.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Takes the values of variables that hold a client secret or a password out of an object with a pod at `pointer`.
pub(super) fn hide(object: &mut Value, pointer: &str) {
    let mut found = Vec::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let containers = object.pointer_mut(&format!("{pointer}/spec/{list}")).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let variables = container.get_mut("env").and_then(Value::as_array_mut);
            variables.into_iter().flatten().filter(|variable| is_secret(variable)).for_each(|variable| {
                if let Some(value @ Value::String(_)) = variable.get_mut("value")
                    && let Value::String(secret) = std::mem::replace(value, HIDDEN.into())
                {
                    found.push(secret);
                }
            });
        }
    }
    let copy = object.pointer_mut("/metadata/annotations").and_then(|annotations| annotations.get_mut(LAST_APPLIED));
    if let Some(Value::String(copy)) = copy {
        for secret in found.iter().filter(|secret| !secret.is_empty()) {
            // In the copy it stands as JSON.
            let quoted = Value::from(secret.as_str()).to_string();
            *copy = copy.replace(quoted.trim_matches('"'), HIDDEN);
        }
    }
}

fn is_secret(variable: &Value) -> bool {
    let name = variable.get("name").and_then(Value::as_str).unwrap_or_default();
    name.ends_with("CLIENT_SECRET") || name.ends_with("PASSWORD")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_taken_out_of_the_pod_and_of_kubectls_copy() {
        let secret = "s3cr3t\"~";
        let spec = json!({"containers": [{"env": [
            {"name": "AZURE_CLIENT_SECRET", "value": secret},
            {"name": "AZURE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
            {"name": "LOG", "value": "kept"},
        ]}]});
        let copy = json!({"spec": {"template": {"spec": spec}}}).to_string();
        let mut object = json!({
            "metadata": {"annotations": {LAST_APPLIED: copy}},
            "spec": {"template": {"spec": spec}},
        });
        hide(&mut object, "/spec/template");
        let text = object.to_string();
        assert!(!text.contains("s3cr3t"), "{text}");
        assert!(text.contains("kept") && text.contains("secretKeyRef"));
        assert_eq!(object.pointer("/spec/template/spec/containers/0/env/0/value"), Some(&HIDDEN.into()));
    }
}
