//! Fields that a fix owns, named so that they are found again in a changed object.
//!
//! A JSON pointer counts list items, and a list that another person has added to counts differently. So items of the
//! API's keyed lists are named by their key: `/spec/template/spec/containers[name=app]/env[name=AZURE_CLIENT_ID]`.

use crate::model::finding::pointer_token;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// One step into an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// The item of a list whose field `key` has that value.
    Item {
        /// The list's key, such as `name`.
        key: String,
        /// Its value.
        value: String,
    },
    /// A field of a map.
    Field(String),
}

/// Steps from the root of an object to a field.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldPath(pub Vec<Step>);

/// One field before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// Which field.
    pub path: FieldPath,
    /// What stood there; `None` where nothing did.
    pub before: Option<Value>,
    /// What is to stand there; `None` where nothing is.
    pub after: Option<Value>,
    /// Where in its list an item stood, so that an undo can put it back there: the order of variables counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// How many of the maps and lists around it are only there because of it, so that an undo takes them away again.
    #[serde(default, skip_serializing_if = "is_none")]
    pub made: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_none(made: &usize) -> bool {
    *made == 0
}

impl Edit {
    /// A field before and after, in a map that is there.
    pub fn new(path: FieldPath, before: Option<Value>, after: Option<Value>) -> Self {
        Self { path, before, after, position: None, made: 0 }
    }
}

/// A field that is not as an edit expects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Which field.
    pub path: String,
    /// Whether it is already as it is to be.
    pub done: bool,
}

/// Keys of the API's lists: container and variable names, mounts, ports.
const KEYS: &[&str] = &["name", "mountPath", "containerPort", "key", "type"];

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Field(name) => write!(f, "/{}", pointer_token(name))?,
                Step::Item { key, value } => write!(f, "[{key}={value}]")?,
            }
        }
        Ok(())
    }
}

impl FieldPath {
    /// Whether it is the given field or below it.
    pub fn is_below(&self, names: &[&str]) -> bool {
        names.len() <= self.0.len()
            && names.iter().zip(&self.0).all(|(name, step)| matches!(step, Step::Field(field) if field == name))
    }

    /// The value at the path.
    pub fn get<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(object, |node, step| match step {
            Step::Field(name) => node.get(name),
            Step::Item { key, value } => node.as_array()?.iter().find(|item| is_item(item, key, value)),
        })
    }

    /// Whether a manager's `fieldsV1` holds the field, or the map or list as a whole that it is in. Steps stand there
    /// as `f:spec` and `k:{"name":"app"}`.
    pub fn is_managed_in(&self, fields: &Value) -> bool {
        let mut node = fields;
        for (depth, step) in self.0.iter().enumerate() {
            let below = match step {
                Step::Field(name) => node.get(format!("f:{name}")),
                Step::Item { key, value } => item_in(node, key, value),
            };
            match below {
                Some(below) => node = below,
                // Nothing is told apart below it: all of it has one manager.
                None => return depth > 0 && node.as_object().is_some_and(Map::is_empty),
            }
        }
        true
    }
}

/// The item of a list in `fieldsV1`, whose keys may be more than one: a port and its protocol.
fn item_in<'a>(node: &'a Value, key: &str, value: &str) -> Option<&'a Value> {
    let items = node.as_object()?.iter().filter_map(|(name, below)| Some((name.strip_prefix("k:")?, below)));
    let mut same = items.filter(|(keys, _)| {
        serde_json::from_str::<Value>(keys).is_ok_and(|keys| keys.get(key).and_then(text).as_deref() == Some(value))
    });
    same.next().map(|(_, below)| below)
}

pub(super) fn is_item(item: &Value, key: &str, value: &str) -> bool {
    item.get(key).is_some_and(|found| text(found).as_deref() == Some(value))
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The key of a list: the first of [`KEYS`] that every item has, each with a value of its own.
pub(super) fn key_of(lists: [&[Value]; 2]) -> Option<&'static str> {
    KEYS.iter().copied().find(|key| {
        lists.iter().all(|list| {
            let mut seen = std::collections::BTreeSet::new();
            list.iter().all(|item| item.get(key).and_then(text).is_some_and(|value| seen.insert(value)))
        })
    })
}

/// Makes the edits in an object. Maps and lists on the way are made where they are missing; a map or list of
/// metadata, variables or volumes that is left empty goes.
pub fn apply(object: &Value, edits: &[Edit]) -> Result<Value, String> {
    let mut object = object.clone();
    for edit in edits {
        set(&mut object, &edit.path.0, edit.after.as_ref(), edit.position)
            .map_err(|()| format!("{} is not there any more", edit.path))?;
        if edit.after.is_none() {
            prune(&mut object, &edit.path, edit.made);
        }
    }
    Ok(object)
}

/// The edits, with the fields that the API server keeps equal to theirs: `serviceAccount`, the old name of
/// `serviceAccountName`. Where only one of the two is taken away, the API server fills it from the other.
pub fn with_mirrors(object: &Value, mut edits: Vec<Edit>) -> Vec<Edit> {
    let twin = |edit: &Edit| {
        let (last, above) = edit.path.0.split_last()?;
        let is_name = matches!(last, Step::Field(name) if name == "serviceAccountName");
        let old = Step::Field("serviceAccount".to_owned());
        let path = FieldPath(above.iter().cloned().chain([old]).collect());
        let now = path.get(object).filter(|_| is_name)?.clone();
        Some(Edit::new(path, Some(now), edit.after.clone()))
    };
    let twins: Vec<Edit> = edits.iter().filter_map(twin).collect();
    for twin in twins {
        if !edits.iter().any(|edit| edit.path == twin.path) && twin.before != twin.after {
            edits.push(twin);
        }
    }
    edits
}

/// The edits the other way round.
pub fn reversed(edits: &[Edit]) -> Vec<Edit> {
    let turn = |edit: &Edit| Edit { before: edit.after.clone(), after: edit.before.clone(), ..edit.clone() };
    edits.iter().rev().map(turn).collect()
}

/// The edits whose field is not as it was before: somebody else changed it, or it is done already.
pub fn drifts(object: &Value, edits: &[Edit]) -> Vec<Drift> {
    edits
        .iter()
        .filter_map(|edit| {
            let now = edit.path.get(object);
            let same = |value: &Option<Value>| is_same(now, value.as_ref());
            let drift = |done| Drift { path: edit.path.to_string(), done };
            if same(&edit.before) { None } else { Some(drift(same(&edit.after))) }
        })
        .collect()
}

/// Equal; null, an empty map and nothing are one.
fn is_same(a: Option<&Value>, b: Option<&Value>) -> bool {
    let nothing = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    };
    a == b || (nothing(a) && nothing(b))
}

fn set(node: &mut Value, path: &[Step], value: Option<&Value>, position: Option<usize>) -> Result<(), ()> {
    let Some((step, rest)) = path.split_first() else {
        *node = value.cloned().unwrap_or_default();
        return Ok(());
    };
    match step {
        Step::Field(name) => {
            if node.is_null() {
                *node = Value::Object(Map::new());
            }
            let map = node.as_object_mut().ok_or(())?;
            match (rest.is_empty(), value) {
                (true, None) => {
                    map.remove(name);
                    Ok(())
                }
                (false, None) if !map.contains_key(name) => Ok(()),
                _ => set(map.entry(name.as_str()).or_insert(Value::Null), rest, value, position),
            }
        }
        Step::Item { key, value: named } => {
            if node.is_null() {
                *node = Value::Array(Vec::new());
            }
            let list = node.as_array_mut().ok_or(())?;
            let at = list.iter().position(|item| is_item(item, key, named));
            match (rest.is_empty(), value, at) {
                (true, None, Some(at)) => {
                    list.remove(at);
                    Ok(())
                }
                (_, None, None) => Ok(()),
                (_, _, Some(at)) => set(&mut list[at], rest, value, position),
                (true, Some(value), None) => {
                    list.insert(position.unwrap_or(list.len()).min(list.len()), value.clone());
                    Ok(())
                }
                // An item of which only a field is ours: without the item there is nowhere to put it.
                (false, Some(_), None) => Err(()),
            }
        }
    }
}

/// Fields that go when they are left empty: the API server drops them as well.
pub(super) const PRUNED: &[&str] =
    &["labels", "annotations", "env", "envFrom", "volumes", "volumeMounts", "nodeSelector"];

/// Takes away what a removal has left empty: of [`PRUNED`], and as many levels as the edit had made.
fn prune(object: &mut Value, path: &FieldPath, made: usize) {
    let mut steps = path.0.as_slice();
    for level in 0.. {
        let Some((_, parent)) = steps.split_last() else { return };
        let pruned = matches!(parent.last(), Some(Step::Field(name)) if PRUNED.contains(&name.as_str()));
        let around = FieldPath(parent.to_vec());
        let empty = around.get(object).is_some_and(|value| {
            value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
        });
        if !empty || parent.is_empty() || !(level < made || (level == 0 && pruned)) {
            return;
        }
        let _ = set(object, parent, None, None);
        steps = parent;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fix::difference::differences;
    use crate::fix::operations::{operations, patched};
    use crate::model::finding::Operation;
    use serde_json::json;

    fn env(names: &[(&str, &str)]) -> Value {
        let list: Vec<Value> = names.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        json!({"spec": {"containers": [{"name": "app", "env": list}]}})
    }

    fn run(object: &Value, operations: &[Operation]) -> Value {
        let patch: json_patch::Patch = serde_json::from_value(serde_json::to_value(operations).unwrap()).unwrap();
        let mut object = object.clone();
        json_patch::patch(&mut object, &patch).unwrap();
        object
    }

    #[test]
    fn a_list_that_others_added_to_is_changed_in_the_right_place_and_back() {
        let before = env(&[("A", "1"), ("B", "2"), ("C", "3")]);
        let after = env(&[("A", "1"), ("C", "4")]);
        let edits = differences(&before, &after);
        assert_eq!(edits.len(), 2, "{edits:?}");
        assert_eq!(edits[0].path.to_string(), "/spec/containers[name=app]/env[name=B]");
        let others = env(&[("X", "0"), ("A", "1"), ("B", "2"), ("C", "3")]);
        assert!(drifts(&others, &edits).is_empty());
        let changed = apply(&others, &edits).unwrap();
        assert_eq!(changed, env(&[("X", "0"), ("A", "1"), ("C", "4")]));
        assert_eq!(run(&others, &operations(&others, &changed)), changed);
        assert_eq!(apply(&after, &reversed(&edits)).unwrap(), before);
    }

    #[test]
    fn a_map_that_is_made_goes_again_and_what_others_put_into_it_stays() {
        let before = json!({"metadata": {"name": "a"}});
        let after = json!({"metadata": {"name": "a", "annotations": {"x/y": "1"}}});
        let edits = differences(&before, &after);
        assert_eq!(edits[0].path.to_string(), "/metadata/annotations/x~1y");
        assert_eq!(apply(&after, &reversed(&edits)).unwrap(), before);
        let others = json!({"metadata": {"name": "a", "annotations": {"x/y": "1", "z": "2"}}});
        let back = apply(&others, &reversed(&edits)).unwrap();
        assert_eq!(back, json!({"metadata": {"name": "a", "annotations": {"z": "2"}}}));
        assert_eq!(run(&others, &operations(&others, &back)), back);
    }

    #[test]
    fn the_old_name_of_a_field_goes_with_the_new_one() {
        let object = json!({"spec": {"serviceAccountName": "a", "serviceAccount": "a"}});
        let path = |name: &str| FieldPath(["spec", name].map(|name| Step::Field(name.to_owned())).to_vec());
        let gone = Edit::new(path("serviceAccountName"), Some(json!("a")), None);
        let edits = with_mirrors(&object, vec![gone.clone()]);
        assert_eq!(apply(&object, &edits).unwrap(), json!({"spec": {}}));
        assert_eq!(with_mirrors(&json!({"spec": {"serviceAccountName": "a"}}), vec![gone]).len(), 1);
    }

    #[test]
    fn what_somebody_changed_is_seen() {
        let edits = differences(&json!({"a": "1"}), &json!({"a": "2"}));
        let drift = |object: Value| drifts(&object, &edits).first().map(|drift| drift.done);
        assert_eq!(drift(json!({"a": "1"})), None);
        assert_eq!(drift(json!({"a": "2"})), Some(true));
        assert_eq!(drift(json!({"a": "3"})), Some(false));
        assert_eq!(drift(json!({})), Some(false));
    }

    #[test]
    fn two_rules_may_each_bring_the_first_label() {
        let first = Operation::Add { path: "/metadata/labels".into(), value: json!({"a": "1"}) };
        let second = Operation::Add { path: "/metadata/labels".into(), value: json!({"b": "2"}) };
        let object = patched(&json!({}), &[first, second]).unwrap();
        assert_eq!(object, json!({"metadata": {"labels": {"a": "1", "b": "2"}}}));
        assert!(patched(&json!({}), &[Operation::Remove { path: "/a/b".into() }]).is_err());
        assert!(patched(&json!({"a": [1]}), &[Operation::Remove { path: "/a/7".into() }]).is_err());
    }

    #[test]
    fn containers_without_a_key_of_their_own_are_replaced_whole() {
        let (before, after) = (json!({"args": ["a", "b"]}), json!({"args": ["a"]}));
        let edits = differences(&before, &after);
        assert_eq!((edits.len(), edits[0].path.to_string().as_str()), (1, "/args"));
        assert_eq!(run(&before, &operations(&before, &after)), after);
    }
}
