//! Custom resources: their fields and what their status says.

use super::message;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::ObjectRef;
use serde_json::Value;

/// The text at a JSON pointer.
pub fn text<'a>(resource: &'a RawObject, pointer: &str) -> Option<&'a str> {
    resource.value.pointer(pointer)?.as_str()
}

/// The text at a JSON pointer, where it is not empty.
pub fn filled<'a>(resource: &'a RawObject, pointer: &str) -> Option<&'a str> {
    text(resource, pointer).map(str::trim).filter(|text| !text.is_empty())
}

/// The boolean at a JSON pointer; a text that says one counts too.
pub fn flag(resource: &RawObject, pointer: &str) -> Option<bool> {
    truth(resource.value.pointer(pointer)?)
}

/// A boolean, or a text that Go's `ParseBool` takes for one.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The items of the list at a JSON pointer.
pub fn list<'a>(resource: &'a RawObject, pointer: &str) -> &'a [Value] {
    resource.value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The condition of a type: status, reason and message.
pub fn condition<'a>(resource: &'a RawObject, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    list(resource, "/status/conditions").iter().find_map(|condition| {
        let field = |name: &str| condition.get(name).and_then(Value::as_str).unwrap_or_default();
        (field("type") == kind).then(|| (field("status"), field("reason"), field("message")))
    })
}

/// What a message says, short enough to be shown.
pub fn shown(text: &str) -> String {
    message::shorten(text)
}

/// What events say about an object, newest first.
pub fn events(inventory: &Inventory, object: &ObjectRef) -> Vec<String> {
    let mut found: Vec<_> = inventory.events_of(object).collect();
    found.sort_by_key(|event| std::cmp::Reverse(event.last));
    found.into_iter().map(|event| format!("{}: {}", event.reason, event.message)).collect()
}
