//! `--export`: the change for another tool, and nothing else.

use super::diff;
use super::effect::clean_for_creation;
use super::operations::operations;
use super::plan::{Outcome, Plan, PlanStep};
use crate::model::finding::Operation;
use crate::model::object::ObjectRef;
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

fn whole(step: &PlanStep) -> String {
    let mut object = clean_for_creation(&step.desired);
    if object.pointer("/metadata/namespace").is_none()
        && let (Some(namespace), Some(metadata)) =
            (&step.object.namespace, object.get_mut("metadata").and_then(Value::as_object_mut))
    {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    // Not the diff's YAML: that leaves out values which a pod needs.
    let text =
        serde_saphyr::to_string_with_options(&object, serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX });
    format!("{}\n", text.unwrap_or_default().trim_end())
}

/// A word for a POSIX shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn place(object: &ObjectRef) -> String {
    object.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {namespace}"))
}

fn kubectl(step: &PlanStep) -> String {
    let (argument, place) = (step.object.argument(), place(&step.object));
    if step.creates() {
        let text = diff::yaml(&step.desired);
        return format!("kubectl apply -f - <<'EOF'\n{text}EOF\n");
    }
    if !step.commands.is_empty() && step.outcome == Outcome::Refused {
        return step.commands.join("\n") + "\n";
    }
    let patch = merge_patch(&step.current, &step.desired);
    if let Some(patch) = patch {
        format!("kubectl patch {argument}{place} --type merge -p {}\n", quoted(&patch.to_string()))
    } else {
        let patch = serde_json::to_string(&operations(&step.current, &step.desired)).unwrap_or_default();
        format!("kubectl patch {argument}{place} --type json -p {}\n", quoted(&patch))
    }
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

fn kustomize(steps: &[&PlanStep]) -> String {
    let mut out =
        "# kustomization.yaml: add the patches to yours; resources are the manifests that they change\n".to_owned();
    out.push_str("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n");
    let made: Vec<&&PlanStep> = steps.iter().filter(|step| step.creates()).collect();
    for step in &made {
        let _ = writeln!(out, "# resources: - {}.yaml, with:", step.object.name);
        for line in diff::yaml(&step.desired).lines() {
            let _ = writeln!(out, "#   {line}");
        }
    }
    let patches: Vec<Value> = steps.iter().filter(|step| !step.creates()).map(|step| patch(step)).collect();
    let text = serde_saphyr::to_string(&json!({ "patches": patches })).unwrap_or_default();
    out.push_str(text.trim_end());
    out.push('\n');
    out
}

/// One entry of a kustomization's `patches`.
fn patch(step: &PlanStep) -> Value {
    let (group, version) = step.object.api_version.split_once('/').unwrap_or(("", step.object.api_version.as_str()));
    let mut target = json!({"version": version, "kind": step.object.kind, "name": step.object.name});
    if !group.is_empty() {
        target["group"] = json!(group);
    }
    if let Some(namespace) = &step.object.namespace {
        target["namespace"] = json!(namespace);
    }
    let operations: Vec<Operation> = operations(&step.current, &step.desired);
    json!({"target": target, "patch": serde_saphyr::to_string(&operations).unwrap_or_default()})
}

/// The change of one object as an entry of a kustomization's `patches`.
pub fn kustomize_patch(step: &PlanStep) -> String {
    serde_saphyr::to_string(&json!([patch(step)])).unwrap_or_default().trim_end().to_owned()
}

fn helm(steps: &[&PlanStep]) -> String {
    let mut out = String::new();
    for step in steps {
        let _ = writeln!(out, "# {}", step.object);
        if step.values.is_empty() {
            let _ = writeln!(
                out,
                "# the values of this chart are not known here; look for podLabels, serviceAccount.annotations and the like"
            );
            for operation in operations(&step.current, &step.desired) {
                let text = serde_json::to_string(&operation).unwrap_or_default();
                let _ = writeln!(out, "#   {text}");
            }
        }
        for value in &step.values {
            let _ = writeln!(out, "{value}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_quote_does_not_end_the_word() {
        assert_eq!(quoted("a'b"), "'a'\\''b'");
    }
}
