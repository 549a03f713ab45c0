//! The change where it survives: in the custom resource, the `HelmRelease` or the Flux `Kustomization` that an object
//! is made from, in Helm values, or as a patch of a kustomization.

use super::super::export::{kustomize_entry, merge_values, merged_values, patch_command, values_yaml};
use super::super::path::Edit;
use super::super::plan::PlanStep;
use super::{Manager, Owner, fields};
use crate::model::object::ObjectRef;
use serde_json::{Value, json};

/// An object of the cluster in which the change survives.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The object.
    pub object: ObjectRef,
    /// As it is.
    pub current: Value,
    /// As it has to be.
    pub desired: Value,
    /// Whether the changed object is made from it alone, so that nothing else is worth changing.
    pub makes_it: bool,
}

/// The change of the object by which the owner works, where it is known how.
pub(super) fn resource(owner: &Owner, step: &PlanStep, works_by: Option<&Value>) -> Option<Source> {
    let object = owner.object()?;
    // Known fields can be named also where the resource itself may not be read.
    let unread = json!({"apiVersion": object.api_version, "kind": object.kind});
    let current = works_by.filter(|value| !value.is_null()).cloned();
    let (desired, makes_it) = match &owner.manager {
        Manager::Operator { .. } => (fields::changed(&object, current.as_ref().unwrap_or(&unread), step)?, true),
        Manager::FluxHelm => (with_values(current.as_ref()?, step)?, false),
        Manager::Flux => (with_patch(current.as_ref()?, step), false),
        Manager::Helm | Manager::ArgoCd | Manager::Aks => return None,
    };
    Some(Source { object, current: current.unwrap_or(unread), desired, makes_it })
}

/// A `HelmRelease` with the values that keep the change.
fn with_values(release: &Value, step: &PlanStep) -> Option<Value> {
    let values = merged_values(&[step])?;
    let mut desired = release.clone();
    let spec = desired.get_mut("spec")?.as_object_mut()?;
    let there = spec.entry("values").or_insert_with(|| json!({}));
    merge_values(there, values);
    Some(desired)
}

/// A Flux `Kustomization` with one more patch.
fn with_patch(kustomization: &Value, step: &PlanStep) -> Value {
    let mut desired = kustomization.clone();
    if let Some(spec) = desired.get_mut("spec").and_then(Value::as_object_mut) {
        let patches = spec.entry("patches").or_insert_with(|| json!([]));
        if let Some(patches) = patches.as_array_mut() {
            patches.push(kustomize_entry(step));
        }
    }
    desired
}

/// The change in the words of the owner.
pub(super) fn text(owner: &Owner, step: &PlanStep) -> String {
    let path = owner.path();
    let values = |intro: String| match values_yaml(&[step]) {
        Some(values) => format!("{intro}\n{}", values.trim_end()),
        None => format!("{intro}: which one is not known here (podLabels, serviceAccount.annotations or the like)"),
    };
    let patch = || {
        let list = serde_saphyr::to_string(&json!([kustomize_entry(step)])).unwrap_or_default();
        list.trim_end().to_owned()
    };
    let command = || step.source.as_ref().map(|source| patch_command(&source.object, &source.current, &source.desired));
    match &owner.manager {
        Manager::Helm => values(format!("values of Helm release {path}")),
        Manager::FluxHelm => values(format!("spec.values of HelmRelease {path}")),
        Manager::Flux | Manager::ArgoCd if !step.values.is_empty() => values(format!("values in the source of {path}")),
        Manager::Flux => {
            format!("spec.patches of Kustomization {path}, or the manifest in its source\n{}", patch())
        }
        Manager::ArgoCd => format!(
            "the manifest in the source of application {path}, or a patch of its kustomization \
             (spec.source.kustomize.patches)\n{}",
            patch()
        ),
        Manager::Aks => "the settings of the add-on\naz aks update -g RESOURCE_GROUP -n CLUSTER --enable-oidc-issuer \
                         --enable-workload-identity"
            .to_owned(),
        Manager::Operator { kind, .. } => {
            let said = |edit: &Edit| match &edit.after {
                Some(value) => format!("{}: {value}", edit.path),
                None => format!("no {}", edit.path),
            };
            let wanted = || step.edits.iter().map(said).collect::<Vec<_>>().join("\n");
            command().map_or_else(
                || format!("{kind} {path}, in whichever field becomes\n{}", wanted()),
                |command| format!("{kind} {path}\n{command}"),
            )
        }
    }
}
