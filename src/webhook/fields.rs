//! The fields that the webhook takes away from a pod.
//!
//! A release before the one after 1.6.0 decodes the pod into the Go types that it was built with, and writes it back:
//! a field that these types lack is gone, silently. So 1.0.0 takes the `restartPolicy` off native sidecars, and 1.6.0
//! the pod-level resources.
//!
//! `pod_fields.txt` says which version of the Kubernetes API knows which field. It is made from
//! `tests/data/webhook/pod-fields.json`, which is made from the Go types themselves; a test holds the two together.

use super::profile::Profile;
use crate::model::finding::pointer_token;
use serde_json::Value;
use std::ops::Range;
use std::sync::OnceLock;

/// A line a field, indented below its parent; `[]` where the fields of a list's entries follow; `+29` and `-31` say
/// since and until which minor version; `= FIELD` repeats what is below a field above.
const TABLE: &str = include_str!("pod_fields.txt");

/// Removes from the pod what the webhook's API types do not know, and returns what that was, as JSON pointers.
pub fn drop_unknown(pod: &mut Value, profile: &Profile) -> Vec<String> {
    let mut dropped = Vec::new();
    if let (Some(minor), Some(spec)) = (profile.api_types, pod.get_mut("spec")) {
        let mut walk = Walk { minor, path: "/spec".to_owned(), dropped: &mut dropped };
        walk.retain_known(spec, table());
    }
    dropped
}

/// A field of a pod that some release of the webhook would remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewerField {
    /// JSON pointer below the pod or pod template.
    pub path: String,
    /// The minor versions of the Kubernetes API that know it; `None` where none that is known does.
    pub known: Option<Range<u8>>,
}

impl NewerField {
    /// Whether that release of the webhook removes it.
    pub fn lost_to(&self, profile: &Profile) -> bool {
        let knows = |minor| self.known.as_ref().is_some_and(|known| known.contains(&minor));
        profile.api_types.is_some_and(|minor| !knows(minor))
    }
}

/// The fields of a pod, or of a pod template, that the oldest or the newest API types lack: all that any release
/// removes. Most pods have none, so this can be kept in place of the pod.
pub fn newer(pod: &Value) -> Vec<NewerField> {
    let mut found = Vec::new();
    if let Some(spec) = pod.get("spec") {
        collect_newer(spec, table(), "/spec", &mut found);
    }
    found
}

fn collect_newer(value: &Value, fields: &Fields, above: &str, found: &mut Vec<NewerField>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let field = fields.get(key);
                let path = || format!("{above}/{}", pointer_token(key));
                match field {
                    Some(Field { since: 0, until: u8::MAX, .. }) => {}
                    other => {
                        let known = other.map(|field| field.since..field.until);
                        found.push(NewerField { path: path(), known });
                    }
                }
                if let Some(field) = field.filter(|field| !field.below.is_empty()) {
                    collect_newer(value, &field.below, &path(), found);
                }
            }
        }
        Value::Array(list) => {
            for (index, entry) in list.iter().enumerate() {
                collect_newer(entry, fields, &format!("{above}/{index}"), found);
            }
        }
        _ => {}
    }
}

struct Walk<'a> {
    minor: u8,
    path: String,
    dropped: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn retain_known(&mut self, value: &mut Value, fields: &Fields) {
        match value {
            Value::Object(map) => map.retain(|key, value| {
                let length = self.path.len();
                self.push(key);
                let known = fields.get(key).filter(|field| field.known_in(self.minor));
                match known {
                    None => self.dropped.push(self.path.clone()),
                    // A field without known fields below it is a value, or a map whose keys are free.
                    Some(field) if field.below.is_empty() => {}
                    Some(field) => self.retain_known(value, &field.below),
                }
                self.path.truncate(length);
                known.is_some()
            }),
            Value::Array(list) => {
                for (index, entry) in list.iter_mut().enumerate() {
                    let length = self.path.len();
                    self.push(&index.to_string());
                    self.retain_known(entry, fields);
                    self.path.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// One more step of a JSON pointer.
    fn push(&mut self, step: &str) {
        self.path.push('/');
        if step.contains(['~', '/']) {
            self.path.push_str(&pointer_token(step));
        } else {
            self.path.push_str(step);
        }
    }
}

/// The fields of one type, by name.
#[derive(Debug, Clone, Default)]
struct Fields(Vec<Field>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Field> {
        // Few types have more than thirty fields.
        self.0.iter().find(|field| field.name == name)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug, Clone)]
struct Field {
    name: &'static str,
    since: u8,
    until: u8,
    below: Fields,
}

impl Field {
    fn known_in(&self, minor: u8) -> bool {
        (self.since..self.until).contains(&minor)
    }
}

/// The fields of a pod's `spec`.
fn table() -> &'static Fields {
    static TREE: OnceLock<Fields> = OnceLock::new();
    TREE.get_or_init(|| read(&mut TABLE.lines().peekable(), 0))
}

/// The fields that stand at that depth, up to the first one that does not.
fn read(lines: &mut std::iter::Peekable<std::str::Lines<'static>>, depth: usize) -> Fields {
    let mut fields = Fields::default();
    while let Some(line) = lines.next_if(|line| line.len() - line.trim_start().len() == depth) {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default().trim_end_matches("[]");
        let mut field = Field { name, since: 0, until: u8::MAX, below: Fields::default() };
        while let Some(word) = words.next() {
            match word.split_at(1) {
                ("+", minor) => field.since = minor.parse().unwrap_or(u8::MAX),
                ("-", minor) => field.until = minor.parse().unwrap_or(u8::MAX),
                _ => {
                    let model = words.next().and_then(|model| fields.get(model));
                    field.below = model.map(|model| model.below.clone()).unwrap_or_default();
                }
            }
        }
        field.below.0.extend(read(lines, depth + 1).0);
        fields.0.push(field);
    }
    fields
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::fmt::Write as _;
    use std::path::Path;

    /// Every field path of every minor version, as the data tell them.
    fn recorded() -> BTreeMap<u8, BTreeSet<String>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/webhook/pod-fields.json");
        let data: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let paths = |value: &Value| {
            let list = value.as_array().cloned().unwrap_or_default();
            list.iter().map(|path| path.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        };
        let mut versions: Vec<_> = data["versions"].as_object().unwrap().iter().collect();
        versions.sort_by_key(|(name, _)| (*name).clone());
        let mut current = BTreeSet::new();
        let mut result = BTreeMap::new();
        for (name, changes) in versions {
            current.extend(paths(&changes["all"]));
            current.extend(paths(&changes["added"]));
            let removed = paths(&changes["removed"]);
            current.retain(|path| !removed.contains(path));
            result.insert(name.strip_prefix("0.").unwrap().parse().unwrap(), current.clone());
        }
        result
    }

    /// Every field path of one minor version, as the table tells them.
    fn listed(fields: &Fields, minor: u8, above: &str, into: &mut BTreeSet<String>) {
        for field in fields.0.iter().filter(|field| field.known_in(minor)) {
            let path = format!("{above}.{}", field.name);
            listed(&field.below, minor, &path, into);
            into.insert(path);
        }
    }

    /// The table that the data make.
    fn render(recorded: &BTreeMap<u8, BTreeSet<String>>) -> String {
        let (first, last) = (*recorded.keys().next().unwrap(), *recorded.keys().last().unwrap());
        // By steps, so that each field stands right below its parent.
        let steps = |path: &String| path.split('.').skip(1).map(|step| step.replace("[]", "")).collect::<Vec<_>>();
        let all: BTreeMap<_, _> = recorded.values().flatten().map(|path| (steps(path), path)).collect();
        let lists: BTreeSet<_> =
            all.values().flat_map(|path| path.match_indices("[].").map(|(at, _)| &path[..at])).collect();
        let mut text = String::new();
        for (steps, path) in &all {
            // Init and ephemeral containers repeat what containers have.
            let repeats = ["initContainers", "ephemeralContainers"].contains(&steps[0].as_str());
            let model = [&["containers".to_owned()], &steps[1..]].concat();
            if repeats && steps.len() > 1 && all.contains_key(&model) {
                continue;
            }
            let known: Vec<_> =
                recorded.iter().filter(|(_, paths)| paths.contains(*path)).map(|(minor, _)| *minor).collect();
            let (since, until) = (known[0], known[known.len() - 1]);
            write!(text, "{}{}", " ".repeat(steps.len() - 1), steps[steps.len() - 1]).unwrap();
            text.push_str(if lists.contains(path.as_str()) { "[]" } else { "" });
            if since != first {
                write!(text, " +{since}").unwrap();
            }
            if until != last {
                write!(text, " -{}", until + 1).unwrap();
            }
            text.push_str(if repeats && steps.len() == 1 { " = containers\n" } else { "\n" });
        }
        text
    }

    #[test]
    fn the_table_is_what_the_go_types_know() {
        let recorded = recorded();
        if std::env::var_os("BLESS").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/webhook/pod_fields.txt");
            std::fs::write(path, render(&recorded)).unwrap();
        }
        assert!(TABLE == render(&recorded), "pod_fields.txt is stale, remake it: BLESS=1 cargo test --lib go_types");
        for (minor, paths) in &recorded {
            let mut table_paths = BTreeSet::new();
            listed(table(), *minor, "spec", &mut table_paths);
            let plain: BTreeSet<_> = paths.iter().map(|path| path.replace("[]", "")).collect();
            let different: Vec<_> = table_paths.symmetric_difference(&plain).collect();
            assert!(different.is_empty(), "1.{minor}: {different:?}");
        }
    }

    #[test]
    fn what_the_types_know_stays() {
        let spec = serde_json::json!({
            "nodeSelector": {"any/key": "value"},
            "containers": [{"name": "a", "resources": {"limits": {"nvidia.com/gpu": 1}}, "stopSignal": 1}],
            "initContainers": [{"restartPolicy": "Always"}, null, "text"],
            "resources": {"limits": {"cpu": "1"}},
            "a/b~c": {},
        });
        let mut pod = serde_json::json!({"spec": spec, "unseen": true});
        let profile = super::super::WebhookVersion::NEWEST.profile();
        let lost = newer(&pod).into_iter().filter(|field| field.lost_to(&profile)).map(|field| field.path);
        // What is below a lost field is not lost on its own.
        let mut dropped: Vec<_> = lost.filter(|path| !path.starts_with("/spec/resources/")).collect();
        dropped.sort();
        assert_eq!(dropped, ["/spec/a~1b~0c", "/spec/containers/0/stopSignal", "/spec/resources"]);
        let mut wanted = pod.clone();
        for gone in ["a/b~c", "resources"] {
            wanted["spec"].as_object_mut().unwrap().remove(gone);
        }
        wanted["spec"]["containers"][0].as_object_mut().unwrap().remove("stopSignal");
        let mut removed = drop_unknown(&mut pod, &profile);
        removed.sort();
        assert_eq!(removed, dropped);
        assert_eq!(pod, wanted);
        let oldest = "1.0.0".parse::<super::super::WebhookVersion>().unwrap().profile();
        assert_eq!(drop_unknown(&mut pod, &oldest), ["/spec/initContainers/0/restartPolicy"]);
    }
}
