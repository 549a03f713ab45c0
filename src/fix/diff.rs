//! What changes, as a person reads it: a unified diff of the object's YAML, without what a secret might be.

use crate::report::style::{Style, clean};
use serde_json::Value;
use similar::TextDiff;
use std::fmt::Write as _;

/// Stands for a value that is not shown.
pub const HIDDEN: &str = "<not shown>";

/// The YAML of an object as a person edits it: without status, managed fields and what the API server counts.
pub fn yaml(object: &Value) -> String {
    let text = serde_saphyr::to_string_with_options(
        &shown(object),
        serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX },
    );
    let text = text.unwrap_or_default();
    format!("{}\n", text.trim_end_matches('\n'))
}

fn shown(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"] {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    hide(&mut object, false);
    object
}

/// Whether the value of a variable, or of a field of that name, may be a secret.
pub fn is_sensitive(name: &str) -> bool {
    const PUBLIC: &[&str] = &["AZURE_FEDERATED_TOKEN_FILE", "AZURE_TOKEN_CREDENTIALS", "secretName", "secretKeyRef"];
    let upper = name.to_uppercase();
    let telling = ["SECRET", "PASSWORD", "PASSWD", "TOKEN", "ACCESS_KEY", "ACCOUNT_KEY", "API_KEY", "APIKEY"];
    let more = ["CONNECTION_STRING", "CONNECTIONSTRING", "PRIVATE_KEY", "STORAGE_KEY", "CREDENTIAL", "SAS"];
    !PUBLIC.contains(&name)
        && !upper.ends_with("_FILE")
        && !upper.ends_with("_PATH")
        && telling.iter().chain(&more).any(|part| upper.contains(part))
}

/// Hides values of telling variables, and all of a Secret.
pub fn hide(value: &mut Value, all: bool) {
    match value {
        Value::Object(map) => {
            let secret = map.get("kind").and_then(Value::as_str) == Some("Secret");
            let telling = map.get("name").and_then(Value::as_str).is_some_and(is_sensitive);
            for (key, value) in map.iter_mut() {
                if (secret && matches!(key.as_str(), "data" | "stringData")) || (telling && key == "value") {
                    hide(value, true);
                } else {
                    hide(value, all);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, all)),
        Value::String(text) if all && !text.is_empty() => HIDDEN.clone_into(text),
        _ => {}
    }
}

/// The same for the text of a manifest, which is not to be taken apart.
pub fn hide_in_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut telling = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start().trim_start_matches("- ").trim_start_matches(['{', ' ', '"']);
        if let Some(rest) = bare.strip_prefix("name") {
            let name = rest.trim_start_matches(['"', ':', ' ', '\'']);
            telling = is_sensitive(name.split(['"', '\'', ',', '}', ' ', '\r', '\n']).next().unwrap_or_default());
        } else if !bare.trim_matches('"').starts_with("value") {
            telling = telling && bare.trim().is_empty();
        }
        match line.find("value").filter(|_| telling) {
            Some(at) if line[at..].trim_start_matches("value").trim_start_matches('"').starts_with(':') => {
                let colon = at + line[at..].find(':').unwrap_or_default() + 1;
                let end = if line.trim_end().ends_with('}') { "}" } else { "" };
                let _ = write!(out, "{} {HIDDEN}{end}", &line[..colon]);
                out.push_str(&line[line.trim_end_matches(['\r', '\n']).len()..]);
            }
            _ => out.push_str(line),
        }
    }
    out
}

/// A unified diff of two texts; empty where they are equal.
pub fn unified(title: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let old = if before.is_empty() { "/dev/null" } else { title };
    let new = if after.is_empty() { "/dev/null" } else { title };
    diff.unified_diff().context_radius(3).missing_newline_hint(false).header(old, new).to_string()
}

/// A diff in colours, and without anything that would move the cursor.
pub fn coloured(diff: &str, style: Style) -> String {
    let mut out = String::new();
    for line in diff.lines() {
        let line = clean(line.trim_end_matches('\r'));
        let drawn = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => style.bold(&line),
            [b'@', ..] => style.info(&line),
            [b'+', ..] => style.good(&line),
            [b'-', ..] => style.removed(&line),
            _ => line,
        };
        let _ = writeln!(out, "  {drawn}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_secret_is_shown() {
        let object = json!({"kind": "Pod", "spec": {"containers": [{"name": "a", "env": [
            {"name": "AZURE_CLIENT_SECRET", "value": "hunter2"}, {"name": "AZURE_CLIENT_ID", "value": "id"}]}]}});
        let text = yaml(&object);
        assert!(!text.contains("hunter2") && text.contains("value: id"), "{text}");
        let manifest = "env:\n- name: AZURE_CLIENT_SECRET # x\n  value: hunter2\r\n- {name: DB_PASSWORD, value: hunter2}\n- name: A\n  value: b\n- \"name\": \"API_TOKEN\"\n  \"value\": \"hunter2\"\n";
        let hidden = hide_in_text(manifest);
        assert!(!hidden.contains("hunter2") && hidden.contains("value: b"), "{hidden}");
        assert_eq!(hidden.lines().count(), manifest.lines().count());
    }
}
