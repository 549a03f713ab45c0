//! The `ConfigMaps` of 1.18, whose labels replace instead of adding.

use super::view::{READS, View};
use crate::apps::{Part, config};
use crate::chain::Chain;
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation, pointer_token};
use crate::model::object::ObjectRef;
use crate::model::pod::Container;
use crate::rules::{Needs, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::{Value, json};

rule! {
    /// ## What it does
    /// Finds a `ConfigMap` of Velero's node-agent or of its repository maintenance that sets `podLabels` without the
    /// label `azure.workload.identity/use: "true"`.
    ///
    /// ## Why it breaks
    /// From Velero 1.18 on, `podLabels` in these `ConfigMaps` replace what data mover and maintenance pods would inherit.
    /// The label that server and node-agent carry never reaches them.
    ///
    /// ## How it is known
    /// From the `ConfigMaps` that `--node-agent-configmap` of the node-agent and `--repo-maintenance-job-configmap` of
    /// the server name. Empty `podLabels` replace nothing.
    ///
    /// ## Fix
    /// Repeat the label in `podLabels`. The node-agent reads its `ConfigMap` at its start.
    ///
    /// ## Fix safety
    /// The node-agent has to be restarted, which interrupts uploads that run. Maintenance jobs read theirs anew.
    ///
    /// ## References
    /// - velero-io/velero pull request 9452 (1.18); Velero's documentation on the node-agent `ConfigMap` and on
    ///   repository maintenance
    VeleroPodLabelsReplaced {
        code: "WI706",
        name: "velero-pod-labels-replaced",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Restart),
    }
}

impl Rule for VeleroPodLabelsReplaced {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if let Some(view) = View::moving_by(chain) {
            for agent in &view.node_agents {
                look(&view, agent, "node-agent-configmap", "data mover pods", report);
            }
        }
        if let Some(view) = View::led_by(chain)
            && let Some(server) = &view.server
        {
            look(&view, server, "repo-maintenance-job-configmap", "maintenance pods", report);
        }
    }
}

fn look(view: &View<'_>, part: &Part<'_>, flag: &str, pods: &str, report: &mut Report<'_>) {
    if !part.at_least(1, 18, 0) || view.uses_account_keys() {
        return;
    }
    let named =
        |container: &Container| config::flag(container, flag).filter(|name| !name.is_empty()).map(str::to_owned);
    let Some(name) = part.workload.template.spec.containers.iter().find_map(named) else { return };
    let Some(map) = view.inventory.other("ConfigMap", Some(&view.namespace), &name).known().copied() else { return };
    for (key, text) in map.value.get("data").and_then(Value::as_object).into_iter().flatten() {
        let Some(mut settings) = text.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            continue;
        };
        let Some(labels) = settings.get_mut("podLabels").and_then(Value::as_object_mut) else { continue };
        if labels.is_empty() || labels.get(keys::USE_LABEL) == Some(&json!(keys::USE_LABEL_VALUE)) {
            continue;
        }
        labels.insert(keys::USE_LABEL.to_owned(), json!(keys::USE_LABEL_VALUE));
        let object = ObjectRef::new("v1", "ConfigMap", Some(&view.namespace), &name);
        let path = format!("/data/{}", pointer_token(key));
        let mended = serde_json::to_string_pretty(&settings).unwrap_or_default();
        let restarts = flag.starts_with("node-agent");
        let kind = if restarts { FixKind::Restart } else { FixKind::Metadata };
        let mut fix = Fix::new(kind, format!("repeat {}: \"true\" in podLabels", keys::USE_LABEL))
            .command(format!("kubectl edit configmap/{name} -n {}", view.namespace));
        if restarts {
            fix = fix.command(format!(
                "kubectl rollout restart {} -n {}",
                part.workload.meta.object.argument(),
                view.namespace
            ));
        }
        report
            .add(
                &object,
                path.clone(),
                format!("podLabels in ConfigMap {name} replace the inherited label; {pods} get no token"),
            )
            .evidence(format!("{} runs with --{flag}={name}", part.workload.meta.object))
            .fix(fix.change(Change { object, patch: vec![Operation::Replace { path, value: json!(mended) }] }));
    }
}
