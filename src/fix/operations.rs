//! JSON Patch (RFC 6902): from two objects to operations, and what a rule's operations make of an object.

use super::path::key_of;
use crate::model::finding::{Operation, pointer_token};
use serde_json::{Map, Value};

/// The operations of RFC 6902 that lead from one object to the other.
pub fn operations(before: &Value, after: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    steps(String::new(), before, after, &mut operations);
    operations
}

fn steps(pointer: String, before: &Value, after: &Value, out: &mut Vec<Operation>) {
    if before == after {
        return;
    }
    match (before, after) {
        // What is added comes first, so that no map is left empty on the way to another name for its only entry.
        (Value::Object(old), Value::Object(new)) => {
            let path = |key: &str| format!("{pointer}/{}", pointer_token(key));
            for (key, value) in new {
                match old.get(key) {
                    Some(before) => steps(path(key), before, value, out),
                    None => out.push(Operation::Add { path: path(key), value: value.clone() }),
                }
            }
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            out.extend(gone.map(|key| Operation::Remove { path: path(key) }));
        }
        (Value::Array(old), Value::Array(new)) => match key_of([old, new]) {
            Some(key) => list_steps(&pointer, old, new, key, out),
            None => out.push(Operation::Replace { path: pointer, value: after.clone() }),
        },
        _ => out.push(Operation::Replace { path: pointer, value: after.clone() }),
    }
}

fn list_steps(pointer: &str, old: &[Value], new: &[Value], key: &str, out: &mut Vec<Operation>) {
    let same = |a: &Value, b: &Value| a.get(key) == b.get(key);
    let kept: Vec<&Value> = old.iter().filter(|item| new.iter().any(|other| same(item, other))).collect();
    let order: Vec<&Value> = new.iter().filter(|item| old.iter().any(|other| same(item, other))).collect();
    if !kept.iter().zip(&order).all(|(a, b)| same(a, b)) {
        let value = Value::Array(new.to_vec());
        out.push(Operation::Replace { path: pointer.to_owned(), value });
        return;
    }
    for (at, item) in old.iter().enumerate() {
        if let Some(next) = new.iter().find(|other| same(item, other)) {
            steps(format!("{pointer}/{at}"), item, next, out);
        }
    }
    for (at, item) in old.iter().enumerate().rev() {
        if !new.iter().any(|other| same(item, other)) {
            out.push(Operation::Remove { path: format!("{pointer}/{at}") });
        }
    }
    for (at, item) in new.iter().enumerate() {
        if !old.iter().any(|other| same(item, other)) {
            out.push(Operation::Add { path: format!("{pointer}/{at}"), value: item.clone() });
        }
    }
}

/// Carries out a rule's operations on an object. A map that a rule would add where one has come to be is merged into
/// it: several fixes may each bring the first label.
pub fn patched(object: &Value, patch: &[Operation]) -> Result<Value, String> {
    let mut object = object.clone();
    for operation in patch {
        let (path, value) = match operation {
            Operation::Add { path, value } | Operation::Replace { path, value } => (path, Some(value)),
            Operation::Remove { path } => (path, None),
        };
        let insert = matches!(operation, Operation::Add { .. });
        change(&mut object, path, value, insert).ok_or_else(|| format!("{path} is not there any more"))?;
    }
    Ok(object)
}

fn change(object: &mut Value, path: &str, value: Option<&Value>, insert: bool) -> Option<()> {
    let (parent, last) = path.rsplit_once('/')?;
    let name = last.replace("~1", "/").replace("~0", "~");
    let place = match object.pointer_mut(parent) {
        Some(place) if !place.is_null() => place,
        // `metadata: {}` of a template is left out by the API server: what is below it starts there.
        _ if insert => {
            change(object, parent, Some(&Value::Object(Map::new())), true)?;
            object.pointer_mut(parent)?
        }
        _ => return None,
    };
    match place {
        Value::Object(map) => match (value, map.get_mut(&name)) {
            (None, Some(_)) => map.remove(&name).map(|_| ()),
            (None, None) => None,
            (Some(Value::Object(new)), Some(Value::Object(old))) if insert => {
                old.extend(new.clone());
                Some(())
            }
            (Some(value), _) => {
                map.insert(name, value.clone());
                Some(())
            }
        },
        Value::Array(list) => {
            let at = if name == "-" { list.len() } else { name.parse().ok()? };
            match value {
                Some(value) if insert => (at <= list.len()).then(|| list.insert(at, value.clone())),
                Some(value) => list.get_mut(at).map(|item| *item = value.clone()),
                None => (at < list.len()).then(|| list.remove(at)).map(|_| ()),
            }
        }
        _ => None,
    }
}
