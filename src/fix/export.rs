//! `--export`: the change for another tool, and nothing else.

use super::diff;
use super::effect::clean_for_creation;
use super::operations::operations;
use super::owner::Source;
use super::path::Step;
use super::plan::{Outcome, Plan, PlanStep};
use crate::manifest::read::parse_value;
use crate::model::object::ObjectRef;
use crate::model::workload::WORKLOAD_KINDS;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// What the change is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Export {
    /// Commands of kubectl
    Kubectl,
    /// A kustomization with patches
    Kustomize,
    /// Helm values
    Helm,
    /// The whole changed objects, ready to be created or replaced
    Yaml,
}

/// The steps of a plan in another tool's words.
pub fn export(plan: &Plan, format: Export) -> String {
    // What cannot be changed in place can still be written down whole.
    let steps: Vec<&PlanStep> = plan.steps.iter().filter(|step| !matches!(step.outcome, Outcome::Skipped)).collect();
    match format {
        Export::Kubectl => steps.iter().map(|step| kubectl(step)).collect(),
        Export::Kustomize => kustomize(&steps),
        Export::Helm => helm(&steps),
        Export::Yaml => steps.iter().map(|step| format!("---\n{}", whole(step))).collect(),
    }
}

/// The object that a step's object is made from, where changing anything else would be in vain.
fn maker(step: &PlanStep) -> Option<&Source> {
    step.source.as_ref().filter(|source| source.makes_it)
}

fn whole(step: &PlanStep) -> String {
    let object = maker(step).map_or(&step.object, |source| &source.object);
    let mut value = clean_for_creation(maker(step).map_or(&step.desired, |source| &source.desired));
    if let Some(map) = value.as_object_mut() {
        let metadata = map.entry("metadata").or_insert_with(|| json!({}));
        metadata["name"] = json!(object.name);
        if let Some(namespace) = &object.namespace {
            metadata["namespace"] = json!(namespace);
        }
    }
    yaml(&value)
}

/// Not the diff's YAML: that leaves out values which a pod needs.
fn yaml(value: &Value) -> String {
    let text =
        serde_saphyr::to_string_with_options(value, serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX });
    format!("{}\n", text.unwrap_or_default().trim_end())
}

/// A word for a POSIX shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn place(object: &ObjectRef) -> String {
    object.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {namespace}"))
}

fn is_built_in(object: &ObjectRef) -> bool {
    object.kind == "ServiceAccount" || WORKLOAD_KINDS.iter().any(|known| *known == (&object.api_version, &object.kind))
}

fn kubectl(step: &PlanStep) -> String {
    if let Some(source) = &step.source {
        return patch_command(&source.object, &source.current, &source.desired) + "\n";
    }
    if step.creates() {
        return format!("kubectl apply -f - <<'EOF'\n{}EOF\n", diff::yaml(&step.desired));
    }
    if !step.commands.is_empty() && step.outcome == Outcome::Refused && step.reverted_by.is_none() {
        return step.commands.join("\n") + "\n";
    }
    match strategic(step) {
        Some(patch) => {
            format!(
                "kubectl patch {}{} -p {}\n",
                step.object.argument(),
                place(&step.object),
                quoted(&patch.to_string())
            )
        }
        None => patch_command(&step.object, &step.current, &step.desired) + "\n",
    }
}

/// The command that leads from one state of an object to another.
pub fn patch_command(object: &ObjectRef, current: &Value, desired: &Value) -> String {
    let argument = match object.api_version.split_once('/') {
        Some((group, _)) if !is_built_in(object) => format!("{}.{group}/{}", object.kind.to_lowercase(), object.name),
        _ => object.argument(),
    };
    let (manner, patch) = match merge_patch(current, desired) {
        Some(patch) => ("merge", patch),
        None => ("json", serde_json::to_value(operations(current, desired)).unwrap_or_default()),
    };
    format!("kubectl patch {argument}{} --type {manner} -p {}", place(object), quoted(&patch.to_string()))
}

/// The change as RFC 7386, where no list is touched: a merge patch replaces lists whole.
pub fn merge_patch(before: &Value, after: &Value) -> Option<Value> {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let mut patch = Map::new();
            for (key, value) in old {
                match new.get(key) {
                    None => {
                        patch.insert(key.clone(), Value::Null);
                    }
                    Some(next) if next != value => {
                        patch.insert(key.clone(), merge_patch(value, next)?);
                    }
                    Some(_) => {}
                }
            }
            patch.extend(new.iter().filter(|(key, _)| !old.contains_key(*key)).map(|(k, v)| (k.clone(), v.clone())));
            Some(Value::Object(patch))
        }
        (Value::Array(_), _) | (_, Value::Array(_)) => None,
        (_, after) => Some(after.clone()),
    }
}

/// The change as a strategic merge patch, which names containers and variables and does not count them, so that it
/// also fits the manifest that the object was made from. Only kinds of Kubernetes itself have such patches.
fn strategic(step: &PlanStep) -> Option<Value> {
    /// Keys by which the API's own types merge lists; other lists are replaced whole.
    const MERGED: &[&str] = &["name", "mountPath", "containerPort"];
    let merges = |step: &Step| !matches!(step, Step::Item { key, .. } if !MERGED.contains(&key.as_str()));
    if !is_built_in(&step.object) || !step.edits.iter().all(|edit| edit.path.0.iter().all(merges)) {
        return None;
    }
    let mut patch = json!({});
    for edit in &step.edits {
        put(&mut patch, &edit.path.0, edit.after.as_ref());
    }
    Some(patch)
}

fn put(node: &mut Value, path: &[Step], value: Option<&Value>) {
    let Some((step, rest)) = path.split_first() else {
        *node = value.cloned().unwrap_or_default();
        return;
    };
    match step {
        Step::Field(name) => {
            if !node.is_object() {
                *node = json!({});
            }
            put(&mut node[name.as_str()], rest, value);
        }
        Step::Item { key, value: name } => {
            if !node.is_array() {
                *node = json!([]);
            }
            let Some(list) = node.as_array_mut() else { return };
            let number = name.parse::<u64>().ok().filter(|_| key == "containerPort");
            let name = number.map_or_else(|| json!(name), |number| json!(number));
            let at = list.iter().position(|item| item[key.as_str()] == name).unwrap_or_else(|| {
                list.push(json!({ key.as_str(): name }));
                list.len() - 1
            });
            match (rest.is_empty(), value) {
                (true, None) => list[at]["$patch"] = json!("delete"),
                (true, Some(value)) => list[at] = value.clone(),
                (false, value) => put(&mut list[at], rest, value),
            }
        }
    }
}

fn kustomize(steps: &[&PlanStep]) -> String {
    let mut out = String::new();
    for step in steps.iter().filter(|step| step.creates()) {
        let file = format!("{}-{}.yaml", step.object.kind.to_lowercase(), step.object.name);
        let _ = writeln!(out, "# {file}, to be named under resources:");
        for line in diff::yaml(&step.desired).lines() {
            let _ = writeln!(out, "#   {line}");
        }
    }
    out.push_str("# kustomization.yaml: add the patches to yours; resources are the manifests that they change\n");
    out.push_str("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n");
    let patches: Vec<Value> = steps.iter().filter(|step| !step.creates()).map(|step| kustomize_entry(step)).collect();
    out.push_str(&yaml(&json!({ "patches": patches })));
    out
}

/// The change of one object as an entry of a kustomization's `patches`.
pub fn kustomize_entry(step: &PlanStep) -> Value {
    let object = maker(step).map_or(&step.object, |source| &source.object);
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", object.api_version.as_str()));
    let mut target = json!({"version": version, "kind": object.kind, "name": object.name});
    if !group.is_empty() {
        target["group"] = json!(group);
    }
    if let Some(namespace) = &object.namespace {
        target["namespace"] = json!(namespace);
    }
    let (current, desired) =
        maker(step).map_or((&step.current, &step.desired), |source| (&source.current, &source.desired));
    let named = |patch: Value| {
        let mut whole =
            json!({"apiVersion": object.api_version, "kind": object.kind, "metadata": {"name": object.name}});
        merge_values(&mut whole, patch);
        whole
    };
    let patch = strategic(step)
        .filter(|_| maker(step).is_none())
        .or_else(|| merge_patch(current, desired))
        .map_or_else(|| serde_json::to_value(operations(current, desired)).unwrap_or_default(), named);
    json!({"target": target, "patch": yaml(&patch)})
}

fn helm(steps: &[&PlanStep]) -> String {
    let (known, unknown): (Vec<&PlanStep>, Vec<&PlanStep>) = steps.iter().partition(|step| !step.values.is_empty());
    let mut out = String::new();
    for step in &known {
        let _ = writeln!(out, "# {}", step.object);
    }
    out.push_str(&values_yaml(&known).unwrap_or_default());
    for step in unknown {
        let _ = writeln!(out, "# {}", step.object);
        let _ = writeln!(
            out,
            "# the values of this chart are not known here; look for podLabels, serviceAccount.annotations and the like"
        );
        for edit in &step.edits {
            let value = edit.after.as_ref().map_or_else(|| "gone".to_owned(), Value::to_string);
            let _ = writeln!(out, "#   {}: {value}", edit.path);
        }
    }
    out
}

/// The Helm values of several steps as one; `None` where a step has none.
pub fn merged_values(steps: &[&PlanStep]) -> Option<Value> {
    let mut merged = json!({});
    for line in steps.iter().flat_map(|step| &step.values) {
        merge_values(&mut merged, parse_value::<Value>(line)?);
    }
    Some(merged).filter(|values| values != &json!({}))
}

/// The same as a file of values.
pub fn values_yaml(steps: &[&PlanStep]) -> Option<String> {
    let lines: Vec<&str> = steps.iter().flat_map(|step| &step.values).map(String::as_str).collect();
    match merged_values(steps) {
        Some(values) => Some(yaml(&values)),
        None if lines.is_empty() => None,
        None => Some(lines.join("\n") + "\n"),
    }
}

/// Puts values into others, as Helm merges its files: maps are merged, everything else is replaced.
pub fn merge_values(into: &mut Value, values: Value) {
    match (into, values) {
        (Value::Object(into), Value::Object(values)) => {
            for (key, value) in values {
                merge_values(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, values) => *into = values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::difference::differences;

    #[test]
    fn a_merge_patch_never_carries_a_list() {
        let before = json!({"a": {"b": "1", "c": "2"}, "l": [1]});
        assert_eq!(
            merge_patch(&before, &json!({"a": {"b": "3"}, "l": [1]})),
            Some(json!({"a": {"b": "3", "c": null}}))
        );
        assert_eq!(merge_patch(&before, &json!({"a": {"b": "1", "c": "2"}, "l": []})), None);
    }

    #[test]
    fn a_strategic_patch_names_containers_and_variables() {
        let env = |env: Value| json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "env": env}]}}}});
        let before = env(json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]));
        let edits = differences(&before, &env(json!([{"name": "B", "value": "3"}])));
        let step =
            PlanStep::of(&ObjectRef::new("apps/v1", "Deployment", Some("n"), "a"), before.clone(), edits.clone());
        let wanted = env(json!([{"name": "A", "$patch": "delete"}, {"name": "B", "value": "3"}]));
        assert_eq!(strategic(&step), Some(wanted));
        let custom = PlanStep::of(&ObjectRef::new("x/v1", "Thing", Some("n"), "a"), before, edits);
        assert_eq!(strategic(&custom), None);
    }

    #[test]
    fn values_of_several_findings_are_one_file() {
        let mut step = PlanStep::of(&ObjectRef::service_account("n", "a"), json!({}), Vec::new());
        step.values = vec![
            "serviceAccount: {server: {annotations: {azure.workload.identity/client-id: id}}}".to_owned(),
            "serviceAccount: {server: {create: true}}".to_owned(),
        ];
        let text = values_yaml(&[&step]).unwrap_or_default();
        assert_eq!(text.matches("serviceAccount:").count(), 1, "{text}");
        let server = json!({"annotations": {"azure.workload.identity/client-id": "id"}, "create": true});
        assert_eq!(merged_values(&[&step]), Some(json!({"serviceAccount": {"server": server}})));
    }

    #[test]
    fn a_quote_does_not_end_the_word() {
        assert_eq!(quoted("a'b"), "'a'\\''b'");
    }
}
