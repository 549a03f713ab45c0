//! Who takes a change back, and when.
//!
//! Sources: Argo CD's `spec.syncPolicy.automated` (`selfHeal` is off unless set; `enabled: false` switches all of it
//! off); kustomize-controller's `spec.suspend`, `spec.interval` and the annotations
//! `kustomize.toolkit.fluxcd.io/reconcile` and `/ssa`, and its removal of fields that managers called `kubectl...`
//! wrote; helm-controller's `spec.driftDetection.mode` (off unless set); Helm, which merges three ways: what neither
//! the old nor the new manifest names stays.

use super::super::apply;
use super::super::plan::PlanStep;
use super::{Manager, Owner};
use crate::cluster::{Client, ListQuery, ResourceType};
use serde_json::Value;

/// What becomes of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reversion {
    /// Who takes it back, and when; `None` where nobody does.
    pub(super) text: Option<String>,
    /// Whether that happens without anybody deploying.
    pub(super) heals: bool,
}

/// The object by which the owner works, as it is now; the reason why it is not known.
pub(super) async fn works_by(client: &Client, owner: &mut Owner) -> Result<Value, String> {
    if owner.manager == Manager::ArgoCd {
        return application(client, owner).await;
    }
    let Some(object) = owner.object() else { return Ok(Value::Null) };
    match apply::read(client, &object).await {
        Ok(Value::Null) => Err(format!("{object} is not there")),
        Ok(value) => Ok(value),
        Err(error) => Err(error.to_string()),
    }
}

/// The application of that name, in whichever namespace it is.
async fn application(client: &Client, owner: &mut Owner) -> Result<Value, String> {
    let kind = ResourceType::custom("argoproj.io", "v1alpha1", "Application", "applications", true);
    let query = ListQuery::all(&kind).in_scope(owner.namespace.as_deref());
    let step = |found: &mut Vec<Value>, item: Value| found.push(item);
    let listed = client.fold(&query, Vec::new, step).await.map_err(|error| error.to_string())?;
    let named = |item: &&Value| item.pointer("/metadata/name").and_then(Value::as_str) == Some(&owner.name);
    let mut same = listed.value.iter().filter(named);
    let found = same.next().cloned().ok_or_else(|| format!("there is no application {}", owner.name))?;
    if same.next().is_some() {
        return Err(format!("there are several applications {}", owner.name));
    }
    owner.namespace = found.pointer("/metadata/namespace").and_then(Value::as_str).map(str::to_owned);
    Ok(found)
}

/// What becomes of a step's change, by the object by which its owner works.
pub(super) fn of(owner: &Owner, step: &PlanStep, works_by: Option<&Value>) -> Reversion {
    let path = owner.path();
    let heals = |text: String| Reversion { text: Some(text), heals: true };
    let later = |text: String| Reversion { text: Some(text), heals: false };
    let nobody = || Reversion { text: None, heals: false };
    let spec = |pointer: &str| works_by.and_then(|value| value.pointer(&format!("/spec/{pointer}")));
    let suspended = spec("suspend") == Some(&Value::Bool(true));
    let every = spec("interval").and_then(Value::as_str).map(|interval| format!(" (every {interval})"));
    let every = every.unwrap_or_default();
    match &owner.manager {
        Manager::Helm if step.only_adds() => later(format!(
            "by Helm, when release {path} is installed anew or upgraded with --force; an ordinary upgrade leaves alone \
             what the chart does not name"
        )),
        Manager::Helm => later(format!("by Helm, with the next upgrade of release {path}")),
        Manager::FluxHelm if suspended => later(format!("by Flux, once HelmRelease {path} is resumed and upgraded")),
        Manager::FluxHelm if spec("driftDetection/mode").and_then(Value::as_str) == Some("enabled") => {
            heals(format!("by Flux, which detects drift, with the next reconciliation of HelmRelease {path}{every}"))
        }
        Manager::FluxHelm if works_by.is_some() => {
            later(format!("by Flux, with the next upgrade of HelmRelease {path}"))
        }
        Manager::FluxHelm => {
            heals(format!("by Flux, with the next upgrade of HelmRelease {path}, or sooner where it detects drift"))
        }
        Manager::Flux if is_left_alone(&step.current) => nobody(),
        Manager::Flux if suspended => later(format!("by Flux, once Kustomization {path} is resumed")),
        Manager::Flux => heals(format!("by Flux, with the next reconciliation of Kustomization {path}{every}")),
        Manager::ArgoCd => match works_by.map(synced) {
            Some(Sync::ByHand) => {
                later(format!("by Argo CD, with the next sync of application {path}, which somebody has to start"))
            }
            Some(Sync::BySource) => {
                later(format!("by Argo CD, with the next sync of application {path}: when its source changes"))
            }
            Some(Sync::Heals) => heals(format!("by Argo CD, at once: application {path} heals itself")),
            None => {
                heals(format!("by Argo CD, with the next sync of application {path}; at once where it heals itself"))
            }
        },
        Manager::Aks if path == "EnsureExists" => nobody(),
        Manager::Aks if path.is_empty() => heals("by AKS, which manages it".to_owned()),
        Manager::Aks => heals(format!("by the add-on manager of AKS (mode {path}), within minutes")),
        Manager::Operator { kind, .. } => {
            heals(format!("by the controller of {kind} {path}, as soon as it looks again"))
        }
    }
}

/// Whether kustomize-controller is told to leave an object as it is.
fn is_left_alone(object: &Value) -> bool {
    let annotation = |key: &str| object.get("metadata")?.get("annotations")?.get(key)?.as_str();
    annotation("kustomize.toolkit.fluxcd.io/reconcile") == Some("disabled")
        || matches!(annotation("kustomize.toolkit.fluxcd.io/ssa"), Some("IfNotPresent" | "Ignore"))
}

/// When an application of Argo CD is synced.
enum Sync {
    ByHand,
    BySource,
    Heals,
}

fn synced(application: &Value) -> Sync {
    let Some(automated) = application.pointer("/spec/syncPolicy/automated") else { return Sync::ByHand };
    if automated.is_null() || automated.get("enabled") == Some(&Value::Bool(false)) {
        Sync::ByHand
    } else if automated.get("selfHeal") == Some(&Value::Bool(true)) {
        Sync::Heals
    } else {
        Sync::BySource
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::difference::differences;
    use crate::model::object::ObjectRef;
    use serde_json::json;

    fn owner(manager: Manager, name: &str) -> Owner {
        Owner { manager, name: name.to_owned(), namespace: Some("n".to_owned()) }
    }

    fn step(before: Value, after: &Value) -> PlanStep {
        let edits = differences(&before, after);
        PlanStep::of(&ObjectRef::new("apps/v1", "Deployment", Some("n"), "a"), before, edits)
    }

    #[test]
    fn who_heals_by_itself_is_read_from_its_own_settings() {
        let added = || step(json!({"a": {}}), &json!({"a": {"b": "1"}}));
        let argo = |policy: Value| {
            let application = json!({"spec": {"syncPolicy": policy}});
            of(&owner(Manager::ArgoCd, "shop"), &added(), Some(&application)).heals
        };
        assert!(!argo(json!(null)) && !argo(json!({"automated": {"prune": true}})));
        assert!(!argo(json!({"automated": {"selfHeal": true, "enabled": false}})));
        assert!(argo(json!({"automated": {"selfHeal": true}})));
        let unread = of(&owner(Manager::ArgoCd, "shop"), &added(), None);
        assert!(unread.heals, "what is not known counts as healing");

        let release = |spec: Value| of(&owner(Manager::FluxHelm, "v"), &added(), Some(&json!({ "spec": spec })));
        assert!(release(json!({"driftDetection": {"mode": "enabled"}, "interval": "5m"})).heals);
        assert!(!release(json!({"driftDetection": {"mode": "warn"}})).heals);
        let kustomization = |spec: Value| of(&owner(Manager::Flux, "k"), &added(), Some(&json!({ "spec": spec })));
        let healing = kustomization(json!({"interval": "10m"}));
        assert!(healing.heals && healing.text.is_some_and(|text| text.contains("every 10m")));
        assert!(!kustomization(json!({"suspend": true})).heals);
        let told = json!({"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}}, "a": {}});
        let mut after = told.clone();
        after["a"]["b"] = json!("1");
        let left = of(&owner(Manager::Flux, "k"), &step(told, &after), Some(&json!({})));
        assert_eq!(left, Reversion { text: None, heals: false });
    }

    #[test]
    fn an_upgrade_of_helm_keeps_what_the_chart_does_not_name() {
        let said = |before: Value, after: Value| of(&owner(Manager::Helm, "v"), &step(before, &after), None).text;
        let added = said(json!({"a": {}}), json!({"a": {"b": "1"}})).unwrap_or_default();
        assert!(added.contains("--force"), "{added}");
        let changed = said(json!({"a": {"b": "1"}}), json!({"a": {"b": "2"}})).unwrap_or_default();
        assert!(changed.contains("with the next upgrade"), "{changed}");
    }

    #[test]
    fn the_add_on_manager_reverts_in_one_of_its_modes() {
        let mode = |name: &str| {
            let owner = Owner { namespace: None, ..owner(Manager::Aks, name) };
            of(&owner, &step(json!({"a": {}}), &json!({"a": {"b": "1"}})), None)
        };
        assert!(mode("Reconcile").heals && !mode("EnsureExists").heals && mode("").heals);
    }
}
