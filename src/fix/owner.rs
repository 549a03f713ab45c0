//! Who owns what is about to be changed, and would take it back.
//!
//! Known from the labels and annotations that the tools themselves put on what they apply, from `ownerReferences`,
//! and from `managedFields`. Sources: Helm's `meta.helm.sh/release-name`, Argo CD's resource tracking
//! (`argocd.argoproj.io/tracking-id`, or `app.kubernetes.io/instance`), Flux's `kustomize.toolkit.fluxcd.io/name` and
//! `helm.toolkit.fluxcd.io/name`, the add-on manager's `addonmanager.kubernetes.io/mode`.

use super::export::{kustomize_patch, merge_patch};
use super::plan::{Outcome, Plan, PlanStep};
use crate::cluster::{Client, FIELD_MANAGER, ResourceType};
use crate::report::model::OwnerReport;
use serde_json::Value;

/// Who manages an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The tool.
    pub manager: Manager,
    /// Its release, application or object.
    pub name: String,
    /// Where that is.
    pub namespace: Option<String>,
}

/// A tool that applies objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manager {
    /// `helm upgrade`, by hand or by a pipeline.
    Helm,
    /// Flux, by a `HelmRelease`.
    FluxHelm,
    /// Flux, by a `Kustomization`.
    Flux,
    /// An Argo CD application.
    ArgoCd,
    /// The add-on manager of AKS.
    AddonManager,
    /// A controller; its kind and API version.
    Operator {
        /// Kind of the object that it is made from.
        kind: String,
        /// `apiVersion` of it.
        api_version: String,
    },
}

impl Manager {
    /// Whether it takes changes back by itself, without anybody deploying.
    pub fn heals(&self) -> bool {
        !matches!(self, Self::Helm)
    }
}

/// The owner that an object's own metadata names.
pub fn owner_of(object: &Value) -> Option<Owner> {
    let label = |key: &str| object.get("metadata")?.get("labels")?.get(key)?.as_str();
    let annotation = |key: &str| object.get("metadata")?.get("annotations")?.get(key)?.as_str();
    let owned = |manager, name: &str, namespace: Option<&str>| {
        Some(Owner { manager, name: name.to_owned(), namespace: namespace.map(str::to_owned) })
    };
    if let Some(name) = label("helm.toolkit.fluxcd.io/name") {
        return owned(Manager::FluxHelm, name, label("helm.toolkit.fluxcd.io/namespace"));
    }
    if let Some(name) = label("kustomize.toolkit.fluxcd.io/name") {
        return owned(Manager::Flux, name, label("kustomize.toolkit.fluxcd.io/namespace"));
    }
    if let Some(id) = annotation("argocd.argoproj.io/tracking-id") {
        return owned(Manager::ArgoCd, id.split(':').next().unwrap_or(id), None);
    }
    if label("argocd.argoproj.io/instance").is_some() || has_manager(object, "argocd") {
        let name = label("argocd.argoproj.io/instance").or_else(|| label("app.kubernetes.io/instance"));
        return owned(Manager::ArgoCd, name.unwrap_or_default(), None);
    }
    if let Some(mode) = label("addonmanager.kubernetes.io/mode") {
        return owned(Manager::AddonManager, mode, None);
    }
    let controllers = object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
    if let Some(owner) = controllers.into_iter().find(|owner| owner["controller"] == true) {
        let text = |key: &str| owner[key].as_str().unwrap_or_default().to_owned();
        let manager = Manager::Operator { kind: text("kind"), api_version: text("apiVersion") };
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
        return owned(manager, &text("name"), namespace);
    }
    if let Some(name) = annotation("meta.helm.sh/release-name") {
        return owned(Manager::Helm, name, annotation("meta.helm.sh/release-namespace"));
    }
    None
}

fn has_manager(object: &Value, part: &str) -> bool {
    let managers = object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    managers.filter_map(|entry| entry["manager"].as_str()).any(|name| name.starts_with(part))
}

impl Owner {
    /// As the report names it.
    pub fn report(&self) -> OwnerReport {
        let manager = match self.manager {
            Manager::Helm => "helm",
            Manager::FluxHelm | Manager::Flux => "flux",
            Manager::ArgoCd => "argocd",
            Manager::AddonManager | Manager::Operator { .. } => "operator",
        };
        OwnerReport {
            manager: manager.to_owned(),
            name: Some(self.name.clone()).filter(|name| !name.is_empty()),
            namespace: self.namespace.clone(),
        }
    }

    fn path(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}/{}", self.name))
    }

    /// Who reverts a change, and when.
    fn reverts(&self) -> String {
        let path = self.path();
        match &self.manager {
            Manager::Helm => format!("by Helm, with the next upgrade of release {path}"),
            Manager::FluxHelm => {
                format!("by Flux, with the next upgrade of HelmRelease {path}, or sooner where it detects drift")
            }
            Manager::Flux => {
                format!("by Flux, with the next reconciliation of Kustomization {path}, usually within minutes")
            }
            Manager::ArgoCd => {
                format!("by Argo CD, with the next sync of application {path}; at once where it heals itself")
            }
            Manager::AddonManager => format!("by the add-on manager of AKS (mode {path}), within minutes"),
            Manager::Operator { kind, .. } => format!("by the controller of {kind} {path}, as soon as it looks again"),
        }
    }

    /// The change in the words of the owner.
    fn at_source(&self, step: &PlanStep) -> String {
        let values = |intro: String| {
            if step.values.is_empty() {
                format!("{intro} (which value is not known here: podLabels, serviceAccount.annotations or the like)")
            } else {
                format!("{intro}\n{}", step.values.join("\n"))
            }
        };
        match &self.manager {
            Manager::Helm => values(format!("values of Helm release {}", self.path())),
            Manager::FluxHelm => values(format!("spec.values of HelmRelease {}", self.path())),
            Manager::Flux | Manager::ArgoCd if !step.values.is_empty() => {
                values(format!("values in the source of {}", self.path()))
            }
            Manager::Flux => {
                format!(
                    "spec.patches of Kustomization {}, or the manifest in its source\n{}",
                    self.path(),
                    kustomize_patch(step)
                )
            }
            Manager::ArgoCd => {
                format!(
                    "the manifest in the source of application {}, or a patch of its kustomization\n{}",
                    self.path(),
                    kustomize_patch(step)
                )
            }
            Manager::AddonManager => "the settings of the add-on: az aks update".to_owned(),
            Manager::Operator { kind, .. } => {
                let patch = merge_patch(&step.current, &step.desired).unwrap_or_default();
                format!("{kind} {}, in the field that leads to: {patch}", self.path())
            }
        }
    }
}

/// The managers, besides ours, that wrote the fields which a step changes: they will see it changed.
pub fn managers_of(step: &PlanStep) -> Vec<String> {
    let entries = step.current.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut found: Vec<String> = Vec::new();
    for entry in entries.into_iter().flatten() {
        let Some(manager) = entry["manager"].as_str().filter(|manager| *manager != FIELD_MANAGER) else { continue };
        let owns = |edit: &super::path::Edit| {
            let keys = edit.path.managed_keys();
            edit.before.is_some() && keys.iter().try_fold(&entry["fieldsV1"], |node, key| node.get(key)).is_some()
        };
        if step.edits.iter().any(owns) && !found.iter().any(|name| name == manager) {
            found.push(manager.to_owned());
        }
    }
    found
}

/// Names the owner of each step's object, and makes the offer that survives: where the owner heals by itself, a patch
/// is only made with `--live`.
pub async fn name_owners(client: &Client, plan: &mut Plan, live: bool) {
    for step in
        plan.steps.iter_mut().filter(|step| step.outcome == Outcome::Planned || step.outcome == Outcome::Refused)
    {
        let managers = managers_of(step);
        if !managers.is_empty() {
            step.notes.push(format!("the field was written by {}", managers.join(", ")));
        }
        let Some(owner) = owner_of(&step.current) else { continue };
        let heals =
            owner.manager.heals() && !(owner.manager == Manager::ArgoCd && is_not_automated(client, &owner).await);
        step.reverted_by = Some(owner.reverts());
        step.at_source = Some(owner.at_source(step));
        if heals && step.outcome == Outcome::Planned {
            if live {
                step.notes.push("a stop-gap: its owner will take it back".to_owned());
            } else {
                step.end(
                    Outcome::Refused,
                    "its owner would take it back; change it at its source, or patch with --live",
                );
            }
        }
    }
}

/// Whether the application is seen to be synced by hand only: then nothing is taken back by itself.
async fn is_not_automated(client: &Client, owner: &Owner) -> bool {
    let kind = ResourceType::custom("argoproj.io", "v1alpha1", "Application", "applications", true);
    let query = crate::cluster::ListQuery::all(&kind);
    let step = |found: &mut Vec<Value>, item: Value| found.push(item);
    let Ok(listed) = client.fold(&query, Vec::new, step).await else { return false };
    let mut same =
        listed.value.iter().filter(|item| item.pointer("/metadata/name").and_then(Value::as_str) == Some(&owner.name));
    same.next().is_some_and(|item| item.pointer("/spec/syncPolicy/automated").is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_tool_is_known_by_its_own_marks() {
        let object = |labels: Value, annotations: Value| json!({"metadata": {"namespace": "n", "labels": labels, "annotations": annotations}});
        let helm = json!({"meta.helm.sh/release-name": "velero", "meta.helm.sh/release-namespace": "n"});
        let cases = [
            (object(json!({}), helm.clone()), "helm", "velero", false),
            (object(json!({"helm.toolkit.fluxcd.io/name": "v"}), helm), "flux", "v", true),
            (object(json!({"kustomize.toolkit.fluxcd.io/name": "k"}), json!({})), "flux", "k", true),
            (
                object(json!({}), json!({"argocd.argoproj.io/tracking-id": "app:apps/Deployment:n/v"})),
                "argocd",
                "app",
                true,
            ),
            (object(json!({"addonmanager.kubernetes.io/mode": "Reconcile"}), json!({})), "operator", "Reconcile", true),
            (
                json!({"metadata": {"ownerReferences": [{"kind": "KedaController", "name": "keda", "controller": true}]}}),
                "operator",
                "keda",
                true,
            ),
        ];
        for (object, manager, name, heals) in cases {
            let owner = owner_of(&object).map(|owner| (owner.report(), owner.manager.heals()));
            let told = owner.map(|(report, heals)| (report.manager, report.name.unwrap_or_default(), heals));
            assert_eq!(told, Some((manager.to_owned(), name.to_owned(), heals)));
        }
        assert_eq!(owner_of(&json!({"metadata": {"labels": {"app.kubernetes.io/instance": "x"}}})), None);
    }
}
