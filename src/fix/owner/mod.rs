//! Who owns what is about to be changed, what of it would be taken back and when, and where the change survives.

mod fields;
mod reversion;
mod source;

pub use source::Source;

use super::plan::{Outcome, Plan, PlanStep};
use crate::cluster::{Client, FIELD_MANAGER};
use crate::model::object::ObjectRef;
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
    /// The add-on manager of AKS, by the mode that the object's label names, or AKS itself.
    Aks,
    /// A controller; the object that it is made from.
    Operator {
        /// Kind of it.
        kind: String,
        /// `apiVersion` of it.
        api_version: String,
    },
}

/// The owner that an object's own metadata names.
///
/// Sources: Helm's `meta.helm.sh/release-name`; Argo CD's resource tracking (`argocd.argoproj.io/tracking-id`, or
/// `argocd.argoproj.io/instance`, or the field manager beside `app.kubernetes.io/instance`); Flux's
/// `kustomize.toolkit.fluxcd.io/name` and `helm.toolkit.fluxcd.io/name`; the add-on manager's
/// `addonmanager.kubernetes.io/mode`; `kubernetes.azure.com/managedby` on what AKS itself deploys.
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
        let application = id.split(':').next().unwrap_or(id);
        // With applications in any namespace, theirs stands before the name.
        let (namespace, name) =
            application.split_once('_').map_or((None, application), |(space, name)| (Some(space), name));
        return owned(Manager::ArgoCd, name, namespace);
    }
    if label("argocd.argoproj.io/instance").is_some() || has_manager(object, "argocd") {
        let name = label("argocd.argoproj.io/instance").or_else(|| label("app.kubernetes.io/instance"));
        return owned(Manager::ArgoCd, name.unwrap_or_default(), None);
    }
    if let Some(mode) = label("addonmanager.kubernetes.io/mode") {
        return owned(Manager::Aks, mode, None);
    }
    if label("kubernetes.azure.com/managedby").or_else(|| annotation("kubernetes.azure.com/managedby")) == Some("aks") {
        return owned(Manager::Aks, "", None);
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
            Manager::Aks | Manager::Operator { .. } => "operator",
        };
        OwnerReport {
            manager: manager.to_owned(),
            name: Some(self.name.clone()).filter(|name| !name.is_empty()),
            namespace: self.namespace.clone(),
        }
    }

    /// `NAMESPACE/NAME`
    fn path(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}/{}", self.name))
    }

    /// The object that the owner works by, where it is one.
    fn object(&self) -> Option<ObjectRef> {
        let of = |api: &str, kind: &str| Some(ObjectRef::new(api, kind, self.namespace.as_deref(), &self.name));
        match &self.manager {
            Manager::FluxHelm => of("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
            Manager::Flux => of("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
            Manager::Operator { kind, api_version } => of(api_version, kind),
            // Where the application is, its name does not tell.
            Manager::ArgoCd | Manager::Helm | Manager::Aks => None,
        }
    }
}

/// The managers, besides ours, that wrote the fields which a step changes: they will see it changed.
pub fn managers_of(step: &PlanStep) -> Vec<String> {
    let entries = step.current.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut found: Vec<String> = Vec::new();
    for entry in entries.into_iter().flatten() {
        let Some(manager) = entry["manager"].as_str().filter(|manager| *manager != FIELD_MANAGER) else { continue };
        let owns = |edit: &super::path::Edit| edit.before.is_some() && edit.path.is_managed_in(&entry["fieldsV1"]);
        if step.edits.iter().any(owns) && !found.iter().any(|name| name == manager) {
            found.push(manager.to_owned());
        }
    }
    found
}

/// Names the owner of each step's object, and makes the offer that survives: where the owner heals by itself, a patch
/// is only made with `live`.
pub async fn name_owners(client: &Client, plan: &mut Plan, live: bool) {
    for step in
        plan.steps.iter_mut().filter(|step| step.outcome == Outcome::Planned || step.outcome == Outcome::Refused)
    {
        let managers = managers_of(step);
        if !managers.is_empty() {
            step.notes.push(format!("the field was written by {}", managers.join(", ")));
        }
        let Some(mut owner) = owner_of(&step.current) else { continue };
        let works_by = reversion::works_by(client, &mut owner).await;
        let reversion = reversion::of(&owner, step, works_by.as_ref().ok());
        step.source = source::resource(&owner, step, works_by.as_ref().ok());
        step.at_source = Some(source::text(&owner, step));
        if let Err(why) = &works_by
            && reversion.heals
        {
            step.notes.push(format!("not known whether it heals by itself: {why}"));
        }
        if reversion.heals && step.outcome == Outcome::Planned {
            if live {
                step.notes.push("a stop-gap: its owner will take it back".to_owned());
            } else {
                step.end(
                    Outcome::Refused,
                    "its owner would take it back; change it at its source, or patch with --live",
                );
            }
        }
        step.reverted_by = reversion.text;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_tool_is_known_by_its_own_marks() {
        let object = |labels: Value, annotations: Value| json!({"metadata": {"namespace": "n", "labels": labels, "annotations": annotations}});
        let helm = json!({"meta.helm.sh/release-name": "velero", "meta.helm.sh/release-namespace": "n"});
        let tracked = |id: &str| object(json!({}), json!({ "argocd.argoproj.io/tracking-id": id }));
        let cases = [
            (object(json!({}), helm.clone()), "helm", "velero"),
            (object(json!({"helm.toolkit.fluxcd.io/name": "v"}), helm), "flux", "v"),
            (object(json!({"kustomize.toolkit.fluxcd.io/name": "k"}), json!({})), "flux", "k"),
            (tracked("app:apps/Deployment:n/v"), "argocd", "app"),
            (tracked("team_app:apps/Deployment:n/v"), "argocd", "app"),
            (object(json!({"addonmanager.kubernetes.io/mode": "Reconcile"}), json!({})), "operator", "Reconcile"),
            (object(json!({"kubernetes.azure.com/managedby": "aks"}), json!({})), "operator", ""),
            (
                json!({"metadata": {"ownerReferences": [{"kind": "KedaController", "name": "keda", "controller": true}]}}),
                "operator",
                "keda",
            ),
        ];
        for (object, manager, name) in cases {
            let told = owner_of(&object).map(|owner| owner.report());
            let told = told.map(|report| (report.manager, report.name.unwrap_or_default()));
            assert_eq!(told, Some((manager.to_owned(), name.to_owned())));
        }
        assert_eq!(owner_of(&json!({"metadata": {"labels": {"app.kubernetes.io/instance": "x"}}})), None);
    }
}
