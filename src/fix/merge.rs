//! Several fixes of one object as one: each says what the object would be after it alone, and what none of them
//! contradicts is put together.

use super::path::{is_item, key_of, text};
use crate::model::finding::pointer_token;
use serde_json::{Map, Value};

/// What two changes of the same object make together; the JSON pointer of a field that both want otherwise. What one
/// of them removes is gone, whatever the other does below it.
pub fn together(base: &Value, one: &Value, other: &Value) -> Result<Value, String> {
    let merged = value(&mut Vec::new(), Some(base), Some(one), Some(other))?;
    Ok(merged.unwrap_or_default())
}

type Merged = Result<Option<Value>, String>;

fn value(at: &mut Vec<String>, base: Option<&Value>, one: Option<&Value>, other: Option<&Value>) -> Merged {
    if one == other || other == base {
        return Ok(one.cloned());
    }
    if one == base {
        return Ok(other.cloned());
    }
    match (base, one, other) {
        (Some(_), None, _) | (Some(_), _, None) => Ok(None),
        (base, Some(Value::Object(one)), Some(Value::Object(other))) => {
            let none = Map::new();
            map(at, base.and_then(Value::as_object).unwrap_or(&none), one, other).map(Some)
        }
        (Some(Value::Array(base)), Some(Value::Array(one)), Some(Value::Array(other))) => {
            list(at, base, one, other).map(Some)
        }
        _ => Err(format!("/{}", at.join("/"))),
    }
}

fn map(
    at: &mut Vec<String>,
    base: &Map<String, Value>,
    one: &Map<String, Value>,
    other: &Map<String, Value>,
) -> Result<Value, String> {
    let mut merged = Map::new();
    let added =
        |map: &Map<String, Value>| map.keys().filter(|key| !base.contains_key(*key)).cloned().collect::<Vec<_>>();
    for key in base.keys().cloned().chain(added(one)).chain(added(other)) {
        if merged.contains_key(&key) {
            continue;
        }
        at.push(pointer_token(&key));
        let together = value(at, base.get(&key), one.get(&key), other.get(&key))?;
        at.pop();
        if let Some(together) = together {
            merged.insert(key, together);
        }
    }
    Ok(Value::Object(merged))
}

fn list(at: &mut Vec<String>, base: &[Value], one: &[Value], other: &[Value]) -> Result<Value, String> {
    if let Some(key) = key_of([base, one]).filter(|key| key_of([base, other]) == Some(*key)) {
        return keyed(at, key, base, one, other);
    }
    if let (Some(first), Some(second)) = (kept(base, one), kept(base, other)) {
        let both = base.iter().enumerate().filter(|(index, _)| first.contains(index) && second.contains(index));
        return Ok(both.map(|(_, item)| item.clone()).collect());
    }
    if base.len() == one.len() && base.len() == other.len() {
        let mut merged = Vec::new();
        for (index, item) in base.iter().enumerate() {
            at.push(index.to_string());
            merged.extend(value(at, Some(item), Some(&one[index]), Some(&other[index]))?);
            at.pop();
        }
        return Ok(Value::Array(merged));
    }
    Err(format!("/{}", at.join("/")))
}

/// Items that are known by a key: each on its own, in the order in which they were; new ones behind them.
fn keyed(at: &mut Vec<String>, key: &str, base: &[Value], one: &[Value], other: &[Value]) -> Result<Value, String> {
    let find = |list: &'_ [Value], name: &str| list.iter().position(|item| is_item(item, key, name));
    let name = |item: &Value| item.get(key).and_then(text).unwrap_or_default();
    let mut merged: Vec<Value> = Vec::new();
    for item in base {
        let name = name(item);
        let of = |list: &'_ [Value]| find(list, &name).map(|at| list[at].clone());
        at.push(name.clone());
        merged.extend(value(at, Some(item), of(one).as_ref(), of(other).as_ref())?);
        at.pop();
    }
    for (list, against) in [(one, other), (other, one)] {
        for (index, item) in list.iter().enumerate() {
            let name = name(item);
            if find(base, &name).is_some() || find(&merged, &name).is_some() {
                continue;
            }
            if let Some(twin) = find(against, &name).filter(|twin| against[*twin] != *item) {
                at.push(name);
                let together = value(at, None, Some(item), Some(&against[twin]))?;
                at.pop();
                merged.extend(together);
                continue;
            }
            // Behind the item that it was put behind: the order of variables counts.
            let before = list[..index].iter().rev().find_map(|item| find(&merged, &self::name(item, key)));
            merged.insert(before.map_or(if index == 0 { 0 } else { merged.len() }, |at| at + 1), item.clone());
        }
    }
    Ok(Value::Array(merged))
}

fn name(item: &Value, key: &str) -> String {
    item.get(key).and_then(text).unwrap_or_default()
}

/// Which items of a list are left, where nothing but whole items was taken out of it.
fn kept(base: &[Value], now: &[Value]) -> Option<Vec<usize>> {
    let mut rest = now.iter().peekable();
    let mut indexes = Vec::new();
    for (index, item) in base.iter().enumerate() {
        if rest.peek() == Some(&item) {
            indexes.push(index);
            rest.next();
        }
    }
    rest.peek().is_none().then_some(indexes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fix::difference::differences;
    use crate::fix::operations::operations;
    use crate::fix::path::apply;
    use proptest::prelude::*;
    use serde_json::json;

    fn env(names: &[&str]) -> Value {
        json!({"env": names.iter().map(|name| json!({"name": name, "value": "1"})).collect::<Vec<_>>()})
    }

    #[test]
    fn each_removes_its_own_variable() {
        let base = env(&["A", "B", "C", "D"]);
        let merged = together(&base, &env(&["B", "C", "D"]), &env(&["A", "B", "D"])).unwrap();
        assert_eq!(merged, env(&["B", "D"]));
    }

    #[test]
    fn lists_without_a_key_are_merged_where_nothing_contradicts() {
        let base = json!({"args": ["a", "b", "a", "c"], "sources": [{"x": 1, "y": 1}, {"z": 1}]});
        let one = json!({"args": ["a", "b", "c"], "sources": [{"x": 2, "y": 1}, {"z": 1}]});
        let other = json!({"args": ["a", "b", "a"], "sources": [{"x": 1, "y": 2}, {"z": 1}]});
        let merged = together(&base, &one, &other).unwrap();
        assert_eq!(merged, json!({"args": ["a", "b"], "sources": [{"x": 2, "y": 2}, {"z": 1}]}));
        assert_eq!(together(&json!({"a": "1"}), &json!({"a": "2"}), &json!({"a": "3"})), Err("/a".to_owned()));
        assert_eq!(together(&json!(["a"]), &json!(["b", "a"]), &json!(["c", "a"])), Err("/".to_owned()));
    }

    #[test]
    fn an_object_that_two_fixes_would_make_is_made_once() {
        let one = json!({"kind": "ServiceAccount", "metadata": {"annotations": {"a": "1"}}});
        let other = json!({"kind": "ServiceAccount", "metadata": {"annotations": {"b": "2"}}});
        let merged = together(&Value::Null, &one, &other).unwrap();
        assert_eq!(merged["metadata"]["annotations"], json!({"a": "1", "b": "2"}));
    }

    #[test]
    fn what_one_removes_is_gone_whatever_the_other_does_below_it() {
        let base = env(&["A", "B"]);
        let mut other = base.clone();
        other["env"][0]["value"] = json!("2");
        assert_eq!(together(&base, &env(&["B"]), &other).unwrap(), env(&["B"]));
    }

    proptest! {
        /// Fixes that each take some items out of lists, in whatever order they come, take all of them out, and
        /// nothing else; and the patch that is sent means the same.
        #[test]
        fn any_removals_of_several_fixes_are_made_together(
            names in prop::collection::vec("[A-D]", 1..9), fixes in prop::collection::vec(prop::collection::vec(0..9_usize, 0..4), 1..5)
        ) {
            let items: Vec<Value> = names.iter().enumerate().map(|(at, name)| json!({"name": name, "value": at.to_string()})).collect();
            let without = |gone: &[usize]| -> Value {
                let left = items.iter().enumerate().filter(|(at, _)| !gone.contains(at));
                json!({"spec": {"env": left.map(|(_, item)| item.clone()).collect::<Vec<_>>(), "other": 1}})
            };
            let base = without(&[]);
            let mut merged = base.clone();
            for fix in &fixes {
                merged = together(&base, &merged, &without(fix)).unwrap();
            }
            prop_assert_eq!(&merged, &without(&fixes.concat()));
            let patch: json_patch::Patch = serde_json::from_value(serde_json::to_value(operations(&base, &merged)).unwrap()).unwrap();
            let mut patched = base.clone();
            json_patch::patch(&mut patched, &patch).unwrap();
            prop_assert_eq!(&patched, &merged);
            let edited = apply(&base, &differences(&base, &merged)).unwrap();
            // A list of variables that is left empty may go altogether.
            if !merged["spec"]["env"].as_array().unwrap().is_empty() {
                prop_assert_eq!(edited, merged);
            }
        }
    }
}
