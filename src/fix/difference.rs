//! Which fields differ between two objects.

use super::path::{Edit, FieldPath, PRUNED, Step, is_item, key_of, text};
use serde_json::{Map, Value};

/// The fields in which two objects differ: the deepest ones, so that what others own is left out.
pub fn differences(before: &Value, after: &Value) -> Vec<Edit> {
    let mut walk = Walk::default();
    walk.value(Some(before), Some(after), None);
    walk.edits
}

#[derive(Default)]
struct Walk {
    path: Vec<Step>,
    /// How many of the maps and lists right above are new.
    made: usize,
    edits: Vec<Edit>,
}

impl Walk {
    fn value(&mut self, before: Option<&Value>, after: Option<&Value>, position: Option<usize>) {
        if before == after {
            return;
        }
        match (before, after) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => self.inside(0, |walk| walk.maps(old, new)),
            // A map that is not there yet counts field by field: what others add to it later is theirs.
            (None | Some(Value::Null), Some(Value::Object(new))) if !new.is_empty() && !self.in_list() => {
                self.inside(self.made + 1, |walk| walk.maps(&Map::new(), new));
            }
            // What goes altogether goes entry by entry: what others add to it meanwhile is theirs.
            (Some(Value::Object(old)), None) if !old.is_empty() && self.is_pruned() => {
                self.inside(0, |walk| walk.maps(old, &Map::new()));
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) if key_of([old, new]).is_some() => {
                self.inside(0, |walk| walk.lists(old, new));
            }
            (None | Some(Value::Null), Some(Value::Array(new))) if key_of([new, &[]]).is_some() && !new.is_empty() => {
                self.inside(self.made + 1, |walk| walk.lists(&[], new));
            }
            (Some(Value::Array(old)), None) if key_of([old, &[]]).is_some() && !old.is_empty() => {
                self.inside(0, |walk| walk.lists(old, &[]));
            }
            _ => self.edits.push(Edit {
                path: FieldPath(self.path.clone()),
                before: before.cloned(),
                after: after.cloned(),
                position,
                made: self.made,
            }),
        }
    }

    fn inside(&mut self, made: usize, body: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.made, made);
        body(self);
        self.made = outside;
    }

    /// Whether the map goes by itself once it is empty.
    fn is_pruned(&self) -> bool {
        matches!(self.path.last(), Some(Step::Field(name)) if PRUNED.contains(&name.as_str()))
    }

    fn in_list(&self) -> bool {
        matches!(self.path.last(), Some(Step::Item { .. }))
    }

    fn maps(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let added = new.keys().filter(|key| !old.contains_key(*key));
        for key in old.keys().chain(added) {
            self.path.push(Step::Field(key.clone()));
            self.value(old.get(key), new.get(key), None);
            self.path.pop();
        }
    }

    fn lists(&mut self, old: &[Value], new: &[Value]) {
        let Some(key) = key_of([old, new]) else { return };
        let name = |item: &Value| item.get(key).and_then(text).unwrap_or_default();
        let find = |list: &[Value], value: &str| list.iter().position(|item| is_item(item, key, value));
        let added = new.iter().map(name).filter(|value| find(old, value).is_none());
        for value in old.iter().map(name).chain(added.collect::<Vec<_>>()) {
            let (was, is) = (find(old, &value), find(new, &value));
            self.path.push(Step::Item { key: key.to_owned(), value });
            self.value(was.map(|at| &old[at]), is.map(|at| &new[at]), was.or(is));
            self.path.pop();
        }
    }
}
