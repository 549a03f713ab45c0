//! What a variable is in a container, as far as the objects tell: from `env`, from `envFrom`, from a `ConfigMap` or
//! Secret that was read. What comes from an object that was not read is unknown, and nobody is accused of it.

use crate::model::fact::Fact;
use crate::model::inventory::Inventory;
use crate::model::pod::{Container, EnvSource, KeyRef};
use crate::model::secret::SecretEntry;
use crate::model::settings::Setting as Kept;
use serde_json::Value as Json;
use std::fmt;

/// A variable of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// It is not set.
    Absent,
    /// It is set to this.
    Known(Value),
    /// It is set, and to what is not known.
    Unseen(Place),
    /// It may be set: an object that `envFrom` names was not read.
    Unknown(Place),
}

/// Where a variable is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// JSON pointer below the container: `/env/2`, `/envFrom/0`.
    pub path: String,
    /// The object that holds the value, such as `Secret azure, key client-id`; empty for a literal.
    pub object: String,
}

/// The value of a variable. One of a Secret can be compared, and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    text: String,
    hidden: bool,
    /// Where it is set.
    pub place: Place,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("text", &self.shown()).field("place", &self.place).finish()
    }
}

impl Value {
    /// Whether it is the empty text, which most SDKs take for "set".
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether it holds for a test.
    pub fn is(&self, test: impl Fn(&str) -> bool) -> bool {
        test(&self.text)
    }

    /// The value as it may be printed: `None` where a Secret holds it.
    pub fn shown(&self) -> Option<&str> {
        (!self.hidden).then_some(self.text.as_str())
    }

    /// For a sentence: `is "x"`, or `comes from Secret azure, key client-id`.
    pub fn said(&self) -> String {
        match (self.shown(), self.place.object.as_str()) {
            (Some(text), "") => format!("{text:?}"),
            (Some(text), object) => format!("{text:?} ({object})"),
            (None, object) => format!("the value of {object}"),
        }
    }
}

impl Setting {
    /// Whether it is certainly set to something that is not empty.
    pub fn is_set(&self) -> bool {
        match self {
            Self::Known(value) => !value.is_empty(),
            Self::Unseen(_) => true,
            Self::Absent | Self::Unknown(_) => false,
        }
    }

    /// Whether it may be set to something that is not empty.
    pub fn may_be_set(&self) -> bool {
        matches!(self, Self::Unknown(_)) || self.is_set()
    }

    /// The value, where it is known.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }

    /// Where it is set.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Absent => None,
            Self::Known(value) => Some(&value.place),
            Self::Unseen(place) | Self::Unknown(place) => Some(place),
        }
    }
}

/// The variable of that name in a container: `env` wins over `envFrom`, and the last entry of each counts.
pub(super) fn setting(inventory: &Inventory, namespace: &str, container: &Container, name: &str) -> Setting {
    match explicit(inventory, namespace, container, name) {
        Setting::Absent => from_objects(inventory, namespace, container, name),
        found => found,
    }
}

/// The variable as `env` alone has it, which is all that the webhook looks at.
pub(super) fn explicit(inventory: &Inventory, namespace: &str, container: &Container, name: &str) -> Setting {
    let Some(index) = container.env.iter().rposition(|variable| variable.name == name) else { return Setting::Absent };
    let variable = &container.env[index];
    let path = format!("/env/{index}");
    match (&variable.value_from, variable.literal()) {
        (None, text) => {
            let text = text.unwrap_or_default();
            let place = Place { path, object: String::new() };
            // `$(NAME)` is replaced by the kubelet with what other variables are.
            if text.contains("$(") {
                return Setting::Unseen(place);
            }
            Setting::Known(Value { text: text.to_owned(), hidden: false, place })
        }
        (Some(source), _) => referenced(inventory, namespace, source, path),
    }
}

fn referenced(inventory: &Inventory, namespace: &str, source: &EnvSource, path: String) -> Setting {
    let (kind, key) = match (&source.config_map_key_ref, &source.secret_key_ref) {
        (Some(key), _) => ("ConfigMap", key),
        (None, Some(key)) => ("Secret", key),
        (None, None) => return Setting::Unseen(Place { path, object: "a field of the pod".to_owned() }),
    };
    let KeyRef { name, key, optional } = key;
    let place = Place { path, object: format!("{kind} {name}, key {key}") };
    let optional = optional.unwrap_or_default();
    match entry(inventory, namespace, (kind, name), key) {
        Entry::Known(text) => Setting::Known(Value { text, hidden: kind == "Secret", place }),
        Entry::Kept => Setting::Unseen(place),
        Entry::Absent | Entry::NoObject if optional => Setting::Absent,
        Entry::Unread if optional => Setting::Unknown(place),
        _ => Setting::Unseen(place),
    }
}

fn from_objects(inventory: &Inventory, namespace: &str, container: &Container, name: &str) -> Setting {
    let mut unread = None;
    for (index, source) in container.env_from.iter().enumerate().rev() {
        let (kind, object) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(object), _) => ("ConfigMap", object),
            (None, Some(object)) => ("Secret", object),
            (None, None) => continue,
        };
        let Some(key) = name.strip_prefix(source.prefix.as_deref().unwrap_or_default()) else { continue };
        let place = Place { path: format!("/envFrom/{index}"), object: format!("{kind} {}", object.name) };
        match (entry(inventory, namespace, (kind, &object.name), key), &unread) {
            // One that comes later, and was not read, may say otherwise.
            (Entry::Known(_) | Entry::Kept, Some(_)) | (Entry::Kept, None) => return Setting::Unseen(place),
            (Entry::Known(text), None) => {
                return Setting::Known(Value { text, hidden: kind == "Secret", place });
            }
            (Entry::Absent | Entry::NoObject, _) => {}
            (Entry::Unread, _) => unread = unread.or(Some(place)),
        }
    }
    unread.map_or(Setting::Absent, Setting::Unknown)
}

/// What is under a key of a `ConfigMap` or Secret.
enum Entry {
    /// This.
    Known(String),
    /// Something that a Secret does not tell.
    Kept,
    /// Nothing: the object has no such key.
    Absent,
    /// Nothing: there is no such object.
    NoObject,
    /// The object was not read.
    Unread,
}

fn entry(inventory: &Inventory, namespace: &str, (kind, name): (&str, &str), key: &str) -> Entry {
    if kind == "Secret" {
        return match inventory.secret(namespace, name) {
            Fact::Known(secret) => of_secret(secret.entry(key)),
            Fact::Absent => Entry::NoObject,
            _ => Entry::Unread,
        };
    }
    match inventory.other(kind, Some(namespace), name) {
        Fact::Known(config) => match config.value.get("data").and_then(|data| data.get(key)).and_then(Json::as_str) {
            Some(text) => Entry::Known(text.to_owned()),
            None => Entry::Absent,
        },
        Fact::Absent => Entry::NoObject,
        _ => Entry::Unread,
    }
}

/// Of a Secret only ids and switches are kept, and whether anything is there.
fn of_secret(entry: Option<&SecretEntry>) -> Entry {
    match entry {
        None => Entry::Absent,
        Some(entry) if entry.empty => Entry::Known(String::new()),
        Some(entry) => match &entry.variable {
            Some(Kept::Id(id)) => Entry::Known(id.clone()),
            Some(Kept::Flag(flag)) => Entry::Known(flag.to_string()),
            _ => Entry::Kept,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::object::Origin;
    use serde::Deserialize;
    use serde_json::json;

    fn inventory() -> Inventory {
        let mut inventory = Inventory::default();
        for object in [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"ID": "a"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"ID": "c2VjcmV0", "AZURE_CLIENT_ID": "M2Y2YzJiMWUtOWE0ZC00YzZlLThmMGEtMmQ1YjdjOWU5MWQy"}}),
        ] {
            inventory.add_value(object, Origin::Cluster, "shop").unwrap();
        }
        inventory
    }

    fn of(container: &Json, name: &str) -> Setting {
        setting(&inventory(), "shop", &Container::deserialize(container).unwrap(), name)
    }

    #[test]
    fn the_last_source_that_has_the_key_counts() {
        let from = |names: &[(&str, &str)]| {
            let sources: Vec<Json> = names.iter().map(|(kind, name)| json!({(*kind): {"name": name}})).collect();
            of(&json!({"name": "app", "envFrom": sources}), "ID")
        };
        assert!(from(&[("secretRef", "keys"), ("configMapRef", "settings")]).value().unwrap().is(|text| text == "a"));
        assert!(matches!(from(&[("configMapRef", "settings"), ("secretRef", "unread")]), Setting::Unseen(_)));
        assert!(matches!(from(&[("secretRef", "unread")]), Setting::Unknown(_)));
        let explicit = json!({"name": "app", "env": [{"name": "ID"}], "envFrom": [{"secretRef": {"name": "keys"}}]});
        assert!(of(&explicit, "ID").value().unwrap().is_empty());
        assert_eq!(of(&json!({"name": "app", "envFrom": [{"prefix": "X_", "secretRef": {"name": "keys"}}]}), "ID"), {
            Setting::Absent
        });
    }

    #[test]
    fn an_id_of_a_secret_is_compared_and_never_shown() {
        let secret = |key: &str| {
            let source = json!({"secretKeyRef": {"name": "keys", "key": key}});
            of(&json!({"name": "app", "env": [{"name": "X", "valueFrom": source}]}), "X")
        };
        let value = secret("AZURE_CLIENT_ID").value().unwrap().clone();
        assert!(value.is(|text| text == "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2"));
        assert_eq!(value.shown(), None);
        assert!(!format!("{value:?}{}", value.said()).contains("3f6c2b1e"));
        assert!(matches!(secret("ID"), Setting::Unseen(_)));
    }
}
