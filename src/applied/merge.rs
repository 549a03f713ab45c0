//! One object after a manifest was applied to it.
//!
//! `kubectl apply` and Helm merge three things: the object as it is, the manifest, and what the last apply had set.
//! What the manifest says is set; what the last apply set and the manifest no longer says is taken away; everything
//! else stays, defaults of the API server and changes by hand among it. Lists whose entries have a key are merged by
//! it, others are replaced (Kubernetes, "Declarative management of Kubernetes objects using configuration files", and
//! the patch strategies of the API types).

use crate::cluster::FIELD_MANAGER;
use serde_json::{Map, Value};

/// Where `kubectl apply` keeps what it had set.
const LAST_APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// Lists of built-in kinds that are merged by key: the field and the key of its entries.
const KEYED: &[(&str, &str)] = &[
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("resourceClaims", "name"),
    ("secrets", "name"),
    ("ownerReferences", "uid"),
];

/// Entries of which nothing stays that the manifest does not say: a volume has one source, a variable one value.
const WHOLE: &[&str] = &["env", "volumes"];

/// Those who apply manifests by updates, as `managedFields` names them. Others only change objects.
const UPDATING: &[&str] = &["helm", "Helm"];

/// Maps and fields that the API server fills in for nobody. Who updates an object owns the defaults of all others, too,
/// as if they had been written: of these, nothing tells that the last manifest had them.
const NEVER_DEFAULTED: &[&str] = &[
    "labels",
    "annotations",
    "nodeSelector",
    "serviceAccountName",
    "automountServiceAccountToken",
    "hostNetwork",
    "env",
    "envFrom",
    "command",
    "args",
    "volumes",
    "volumeMounts",
    "initContainers",
];

/// What the last apply had set, at some place of the object.
#[derive(Clone, Copy)]
enum Before<'a> {
    /// As a manifest.
    Manifest(&'a Value),
    /// As the fields that one manager applied.
    Fields(&'a Value),
    /// As the fields that one manager owns by updates; whether it is in a map that the API server does not fill in.
    Updated(&'a Value, bool),
}

impl<'a> Before<'a> {
    /// Of everything that is known of it.
    fn of(live: &'a Value, last: Option<&'a Value>, manifest: &Value) -> Vec<Self> {
        let fields = live.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
        let applied = fields.filter_map(|entry| {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let (manager, fields) = (text("manager"), entry.get("fieldsV1")?);
            match text("operation") {
                "Apply" => is_of_apply(manager, fields, manifest).then_some(Self::Fields(fields)),
                _ => UPDATING.contains(&manager).then_some(Self::Updated(fields, false)),
            }
        });
        last.map(Self::Manifest).into_iter().chain(applied).collect()
    }

    /// What of it is taken away with a field that the manifest no longer has.
    fn taken(self, name: &str) -> Option<Self> {
        let never_defaulted = NEVER_DEFAULTED.contains(&name);
        match (self, self.field(name)?) {
            (Self::Updated(_, false), Self::Updated(..)) if !never_defaulted => None,
            (_, found) => Some(found),
        }
    }

    /// Whether it has the field as a whole, and not only something below it.
    fn is_whole(self) -> bool {
        matches!(self, Self::Fields(Value::Object(map)) | Self::Updated(Value::Object(map), _) if map.is_empty())
    }

    /// The same below a field.
    fn field(self, name: &str) -> Option<Self> {
        match self {
            Self::Manifest(value) => value.get(name).map(Self::Manifest),
            Self::Fields(value) => value.get(format!("f:{name}")).map(Self::Fields),
            Self::Updated(value, free) => {
                let free = free || NEVER_DEFAULTED.contains(&name);
                value.get(format!("f:{name}")).map(|value| Self::Updated(value, free))
            }
        }
    }

    /// The same below the entry of a list that has that key.
    fn entry(self, key: &str, of: &Value) -> Option<Self> {
        match self {
            Self::Manifest(value) => {
                value.as_array()?.iter().find(|entry| entry.get(key) == Some(of)).map(Self::Manifest)
            }
            Self::Fields(value) => keyed(value, key, of).map(Self::Fields),
            // What stands in the entry may be a default again.
            Self::Updated(value, _) => keyed(value, key, of).map(|value| Self::Updated(value, false)),
        }
    }
}

/// The fields of the entry of a list that has that key.
fn keyed<'a>(fields: &'a Value, key: &str, of: &Value) -> Option<&'a Value> {
    let mut entries = fields.as_object()?.iter();
    let found = entries.find(|(name, _)| {
        let keys = name.strip_prefix("k:").and_then(|keys| serde_json::from_str::<Value>(keys).ok());
        keys.is_some_and(|keys| keys.get(key) == Some(of))
    });
    found.map(|(_, fields)| fields)
}

/// Whether somebody who applies set what the last apply of this manifest had set. Controllers apply, too
/// (cert-manager a CA bundle), under any name: the one that counts set by half at least what the manifest says.
fn is_of_apply(manager: &str, fields: &Value, manifest: &Value) -> bool {
    let (mut owned, mut said) = (0, 0);
    count(fields, Some(manifest), &mut owned, &mut said);
    manager != FIELD_MANAGER && 2 * said >= owned
}

/// Counts the fields that a manager owns, and how many of them the manifest has.
fn count(fields: &Value, manifest: Option<&Value>, owned: &mut usize, said: &mut usize) {
    let below = |name: &str| -> Option<Option<&Value>> {
        if let Some(field) = name.strip_prefix("f:") {
            return Some(manifest.and_then(|manifest| manifest.get(field)));
        }
        let keys: Value = serde_json::from_str(name.strip_prefix("k:")?).ok()?;
        let has =
            |entry: &&Value| keys.as_object().is_some_and(|keys| keys.iter().all(|(k, v)| entry.get(k) == Some(v)));
        Some(manifest.and_then(Value::as_array).and_then(|list| list.iter().find(has)))
    };
    let mut leaf = true;
    for (name, fields) in fields.as_object().into_iter().flatten() {
        if let Some(value) = below(name) {
            leaf = false;
            count(fields, value, owned, said);
        }
    }
    if leaf {
        *owned += 1;
        *said += usize::from(manifest.is_some());
    }
}

/// The live object after the manifest was applied to it. Lists of custom resources have no keys: `keyed` is false for
/// them.
pub fn applied(live: &Value, manifest: &Value, keyed: bool) -> Value {
    let last = live.pointer(LAST_APPLIED).and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    let mut merged = merge(live, manifest, &Before::of(live, last.as_ref(), manifest), keyed);
    // A manifest that was printed from a cluster brings these along; the API server keeps its own.
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "deletionTimestamp"] {
        restore(&mut merged, live, &["metadata", field]);
    }
    restore(&mut merged, live, &["status"]);
    merged
}

fn restore(merged: &mut Value, live: &Value, path: &[&str]) {
    let [above @ .., field] = path else { return };
    let pointer: String = above.iter().map(|name| format!("/{name}")).collect();
    let Some(map) = merged.pointer_mut(&pointer).and_then(Value::as_object_mut) else { return };
    match live.pointer(&pointer).and_then(|live| live.get(field)) {
        Some(value) => map.insert((*field).to_owned(), value.clone()),
        None => map.remove(*field),
    };
}

fn merge(live: &Value, manifest: &Value, before: &[Before<'_>], keyed: bool) -> Value {
    match (live, manifest) {
        (Value::Object(live), Value::Object(manifest)) => Value::Object(merge_map(live, manifest, before, keyed)),
        _ => manifest.clone(),
    }
}

fn merge_map(
    live: &Map<String, Value>,
    manifest: &Map<String, Value>,
    before: &[Before<'_>],
    keyed: bool,
) -> Map<String, Value> {
    let below = |name: &str| -> Vec<Before<'_>> { before.iter().filter_map(|one| one.field(name)).collect() };
    let mut merged = Map::new();
    for (name, value) in live {
        match manifest.get(name) {
            // Said by nobody but the last apply: taken away. What only lies below it is looked at one by one.
            None => {
                let taken: Vec<Before<'_>> = before.iter().filter_map(|one| one.taken(name)).collect();
                if let Some(kept) = without(value, &taken) {
                    merged.insert(name.clone(), kept);
                }
            }
            Some(Value::Null) => {}
            Some(said) => {
                let key = KEYED.iter().find(|(field, _)| keyed && field == name).map(|(_, key)| *key);
                let value = match (key, value, said) {
                    (Some(key), Value::Array(live), Value::Array(said)) => {
                        Value::Array(merge_list(live, said, &below(name), key, WHOLE.contains(&name.as_str())))
                    }
                    _ => merge(value, said, &below(name), keyed),
                };
                merged.insert(name.clone(), value);
            }
        }
    }
    for (name, value) in manifest {
        if !live.contains_key(name) && !value.is_null() {
            merged.insert(name.clone(), value.clone());
        }
    }
    merged
}

/// What is left of a value that the manifest no longer has: what the last apply did not set.
fn without(value: &Value, before: &[Before<'_>]) -> Option<Value> {
    if before.is_empty() {
        return Some(value.clone());
    }
    let Value::Object(map) = value else { return None };
    if before.iter().any(|one| one.is_whole()) {
        return None;
    }
    let kept: Map<String, Value> = map
        .iter()
        .filter_map(|(name, value)| {
            let taken: Vec<Before<'_>> = before.iter().filter_map(|one| one.taken(name)).collect();
            Some((name.clone(), without(value, &taken)?))
        })
        .collect();
    (!kept.is_empty()).then_some(Value::Object(kept))
}

/// In the order of the manifest, then what only the object has.
fn merge_list(live: &[Value], said: &[Value], before: &[Before<'_>], key: &str, whole: bool) -> Vec<Value> {
    let of = |entry: &Value| entry.get(key).cloned().unwrap_or_default();
    let find = |list: &[Value], key_value: &Value| list.iter().find(|entry| of(entry) == *key_value).cloned();
    let mut merged: Vec<Value> = said
        .iter()
        .map(|entry| match find(live, &of(entry)) {
            Some(old) if !whole => {
                let below: Vec<Before<'_>> = before.iter().filter_map(|one| one.entry(key, &of(entry))).collect();
                merge(&old, entry, &below, true)
            }
            _ => entry.clone(),
        })
        .collect();
    for old in live {
        let was_applied = before.iter().any(|one| one.entry(key, &of(old)).is_some());
        if find(said, &of(old)).is_none() && !was_applied {
            merged.push(old.clone());
        }
    }
    merged
}

/// Whether pods made from the one template are other pods than those of the other. Quantities are compared by what
/// they mean: the API server writes `1000m` as `1`.
pub fn is_other_template(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            names.into_iter().any(|name| match (one.get(name), other.get(name)) {
                (Some(one), Some(other)) => is_other_template(one, other),
                (Some(only), None) | (None, Some(only)) => !is_nothing(only),
                (None, None) => false,
            })
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() != other.len() || one.iter().zip(other).any(|(one, other)| is_other_template(one, other))
        }
        _ => one != other && quantity(one).is_none_or(|amount| Some(amount) != quantity(other)),
    }
}

/// What the API server does not keep.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// An amount of a resource, in thousandths.
fn quantity(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor: i128 = match suffix {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let amount: i128 = format!("{whole}{fraction}").parse().ok()?;
    amount.checked_mul(factor)?.checked_div(scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(spec: &Value) -> Value {
        json!({"metadata": {"name": "app", "uid": "1"}, "spec": {"template": {"spec": spec}}})
    }

    #[test]
    fn what_the_manifest_does_not_say_stays() {
        let live = json!({
            "metadata": {"name": "app", "uid": "1", "labels": {"by-hand": "x", "app": "a"}},
            "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "a"}}}},
            "status": {"replicas": 3},
        });
        let manifest = json!({
            "metadata": {"name": "app", "labels": {"app": "b"}},
            "spec": {"template": {"metadata": {"labels": {"app": "a", "use": "true"}}}},
        });
        assert_eq!(
            applied(&live, &manifest, true),
            json!({
                "metadata": {"name": "app", "uid": "1", "labels": {"by-hand": "x", "app": "b"}},
                "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "a", "use": "true"}}}},
                "status": {"replicas": 3},
            })
        );
    }

    #[test]
    fn what_the_last_apply_had_set_goes_when_the_manifest_drops_it() {
        let last = json!({"metadata": {"labels": {"use": "true"}}}).to_string();
        let mut live = json!({"metadata": {
            "labels": {"use": "true", "by-hand": "x"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": last},
        }});
        let manifest = json!({"metadata": {"labels": {"other": "y"}}});
        let labels = |live: &Value| applied(live, &manifest, true)["metadata"]["labels"].clone();
        assert_eq!(labels(&live), json!({"by-hand": "x", "other": "y"}));

        // The same by who wrote the fields, for Helm and server-side apply; a change by hand is nobody's apply.
        live["metadata"]["annotations"] = Value::Null;
        let of_ours = json!({"f:metadata": {"f:labels": {".": {}, "f:use": {}, "f:other": {}}}});
        let of_others = json!({"f:metadata": {"f:labels": {"f:use": {}, "f:x": {}, "f:y": {}}}});
        for (manager, operation, fields, goes) in [
            ("helm", "Update", &of_ours, true),
            ("ci", "Apply", &of_ours, true),
            ("cainjector", "Apply", &of_others, false),
            ("kubectl-wi", "Apply", &of_ours, false),
            ("kubectl-edit", "Update", &of_ours, false),
        ] {
            live["metadata"]["managedFields"] =
                json!([{"manager": manager, "operation": operation, "fieldsV1": fields}]);
            assert_eq!(labels(&live).get("use").is_none(), goes, "{manager}");
        }
    }

    #[test]
    fn lists_with_keys_are_merged_by_them() {
        let live = template(&json!({
            "containers": [
                {"name": "injected", "image": "i"},
                {"name": "app", "image": "a:1", "imagePullPolicy": "Always", "env": [
                    {"name": "OLD", "value": "1"}, {"name": "ID", "value": "x"},
                ]},
            ],
            "volumes": [{"name": "v", "emptyDir": {}}],
        }));
        let manifest = template(&json!({
            "containers": [{"name": "app", "image": "a:2", "env": [
                {"name": "ID", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ]}],
            "volumes": [{"name": "v", "configMap": {"name": "c"}}],
        }));
        assert_eq!(
            applied(&live, &manifest, true)["spec"]["template"]["spec"],
            json!({
                "containers": [
                    {"name": "app", "image": "a:2", "imagePullPolicy": "Always", "env": [
                        {"name": "ID", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                        {"name": "OLD", "value": "1"},
                    ]},
                    {"name": "injected", "image": "i"},
                ],
                "volumes": [{"name": "v", "configMap": {"name": "c"}}],
            })
        );
        // What the last apply had brought goes with it; what the API server filled in for it stays.
        let mut live = live;
        live["metadata"]["managedFields"] = json!([{"manager": "helm", "operation": "Update", "fieldsV1": {
            "f:spec": {"f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"injected\"}": {".": {}, "f:image": {}},
                "k:{\"name\":\"app\"}": {".": {}, "f:imagePullPolicy": {}, "f:env": {"k:{\"name\":\"OLD\"}": {}}},
            }}}},
        }}]);
        let merged = applied(&live, &manifest, true);
        let containers = &merged["spec"]["template"]["spec"]["containers"];
        assert_eq!(containers.as_array().map(Vec::len), Some(1));
        assert_eq!(containers[0]["imagePullPolicy"], "Always");
        assert_eq!(containers[0]["env"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn quantities_make_no_other_template() {
        let with = |cpu: &str, memory: &str| json!({"resources": {"limits": {"cpu": cpu, "memory": memory}}});
        assert!(!is_other_template(&with("1000m", "1Gi"), &with("1", "1024Mi")));
        assert!(!is_other_template(&with("0.5", "1Gi"), &with("500m", "1Gi")));
        assert!(is_other_template(&with("1", "1Gi"), &with("2", "1Gi")));
        assert!(!is_other_template(&json!({"volumes": []}), &json!({})));
        assert!(is_other_template(&json!({"image": "a:1"}), &json!({"image": "a:2"})));
    }
}
