//! Which fields differ between two objects.

use super::path::{Edit, FieldPath, Step, is_item, key_of, text};
use serde_json::{Map, Value};

/// The fields in which two objects differ: the deepest ones, so that what others own is left out.
pub fn differences(before: &Value, after: &Value) -> Vec<Edit> {
    let mut edits = Vec::new();
    walk(&mut Vec::new(), Some(before), Some(after), None, &mut edits);
    edits
}

fn walk(
    path: &mut Vec<Step>,
    before: Option<&Value>,
    after: Option<&Value>,
    position: Option<usize>,
    edits: &mut Vec<Edit>,
) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => maps(path, old, new, edits),
        // A map that is not there yet counts field by field: what others add to it later is theirs.
        (None | Some(Value::Null), Some(Value::Object(new))) if !new.is_empty() && !in_list(path) => {
            maps(path, &Map::new(), new, edits);
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if key_of([old, new]).is_some() => {
            lists(path, old, new, edits);
        }
        (None | Some(Value::Null), Some(Value::Array(new))) if key_of([new, &[]]).is_some() && !new.is_empty() => {
            lists(path, &[], new, edits);
        }
        (Some(Value::Array(old)), None) if key_of([old, &[]]).is_some() && !old.is_empty() => {
            lists(path, old, &[], edits);
        }
        _ => {
            edits.push(Edit {
                path: FieldPath(path.clone()),
                before: before.cloned(),
                after: after.cloned(),
                position,
            });
        }
    }
}

fn in_list(path: &[Step]) -> bool {
    matches!(path.last(), Some(Step::Item { .. }))
}

fn maps(path: &mut Vec<Step>, old: &Map<String, Value>, new: &Map<String, Value>, edits: &mut Vec<Edit>) {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        path.push(Step::Field(key.clone()));
        walk(path, old.get(key), new.get(key), None, edits);
        path.pop();
    }
}

fn lists(path: &mut Vec<Step>, old: &[Value], new: &[Value], edits: &mut Vec<Edit>) {
    let Some(key) = key_of([old, new]) else { return };
    let name = |item: &Value| item.get(key).and_then(text).unwrap_or_default();
    let find = |list: &[Value], value: &str| list.iter().position(|item| is_item(item, key, value));
    let added = new.iter().map(name).filter(|value| find(old, value).is_none());
    for value in old.iter().map(name).chain(added.collect::<Vec<_>>()) {
        let (was, is) = (find(old, &value), find(new, &value));
        path.push(Step::Item { key: key.to_owned(), value });
        let position = was.or(is);
        walk(path, was.map(|at| &old[at]), is.map(|at| &new[at]), position, edits);
        path.pop();
    }
}
