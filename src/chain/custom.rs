//! The service account that a custom resource names.

use crate::model::inventory::RawObject;
use serde_json::Value;

/// Namespace and name of the account that a custom resource names, in the fields that such resources use for it:
/// `serviceAccountName`, `serviceAccountRef.name`, `serviceAccount` or `serviceAccount.name`.
pub fn account_of(object: &RawObject) -> Option<(&str, &str)> {
    let group = object.meta.object.api_version.split_once('/').map_or("", |(group, _)| group);
    // Built-in kinds have no such field, or one that means something else (the subjects of a role binding).
    if !group.contains('.') || group.ends_with(".k8s.io") && !group.ends_with(".x-k8s.io") {
        return None;
    }
    let (namespace, name) = find(object.value.get("spec")?, 0)?;
    Some((namespace.unwrap_or(object.meta.namespace()), name))
}

/// The first such field, breadth first: the one that is nearest to the top is the resource's own.
fn find(value: &Value, depth: usize) -> Option<(Option<&str>, &str)> {
    let object = value.as_object()?;
    for field in ["serviceAccountName", "serviceAccountRef", "serviceAccount"] {
        let Some(found) = object.get(field) else { continue };
        if let Some(name) = found.as_str().filter(|name| !name.is_empty()) {
            return Some((None, name));
        }
        if let Some(name) = found.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) {
            let namespace = found.get("namespace").and_then(Value::as_str);
            return Some((namespace.filter(|namespace| !namespace.is_empty()), name));
        }
    }
    // Deep enough for the drivers of a Spark application and the providers of a secret store.
    if depth >= 6 {
        return None;
    }
    object.values().find_map(|below| find(below, depth + 1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::inventory::Inventory;
    use crate::model::object::Origin;
    use serde_json::json;

    #[test]
    fn the_fields_that_name_an_account_are_found() {
        let account = |api_version: &str, spec: Value| {
            let mut inventory = Inventory::default();
            let object = json!({"apiVersion": api_version, "kind": "Thing", "metadata": {"name": "x"}, "spec": spec});
            inventory.add_value(object, Origin::Cluster, "shop").unwrap();
            account_of(&inventory.others()[0]).map(|(namespace, name)| format!("{namespace}/{name}"))
        };
        let of = |spec| account("example.com/v1", spec);
        assert_eq!(of(json!({"driver": {"serviceAccount": "spark"}})).as_deref(), Some("shop/spark"));
        let store = json!({"provider": {"azurekv": {"serviceAccountRef": {"name": "a", "namespace": "b"}}}});
        assert_eq!(of(store).as_deref(), Some("b/a"));
        assert_eq!(of(json!({"serviceAccount": {"create": true}})), None);
        assert_eq!(account("networking.k8s.io/v1", json!({"serviceAccountName": "a"})), None);
    }
}
