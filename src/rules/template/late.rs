//! A label that comes too late.

use crate::chain::Chain;
use crate::chain::running::is_mutated;
use crate::model::finding::{FixKind, Level, Link};
use crate::model::workload::Pod;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::{Trigger, keys};
use serde_json::Value;

rule! {
    /// ## What it does
    /// Finds pods that carry the label although their template does not, set by a mutating webhook that is called after
    /// the identity webhook.
    ///
    /// ## Why it breaks
    /// The API server calls mutating webhook configurations in the order of their names, and decides before the first
    /// round which of them a pod concerns. A webhook that did not match then is not called in the second round either,
    /// even if another has added the label meanwhile. The pod shows the label and has no token.
    ///
    /// ## How it is known
    /// From running pods with the label and without anything injected, the template without the label, and a mutating
    /// webhook configuration for new pods whose name sorts after the identity webhook's.
    ///
    /// ## Fix
    /// Put the label into the pod template.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over.
    ///
    /// ## References
    /// - Kubernetes, "Dynamic admission control", reinvocation policy; `mutating/dispatcher.go` of the API server
    LabelAddedTooLate {
        code: "WI117",
        name: "label-added-too-late",
        level: Level::Warning,
        link: Link::Pod,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Pods, Reads::Webhook, Reads::Objects],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for LabelAddedTooLate {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let in_template = workload.template.metadata.label(keys::USE_LABEL).is_some();
        if in_template || workload.is_from_pod() || chain.trigger() != Trigger::PodLabel {
            return;
        }
        let late =
            |pod: &&&Pod| pod.meta.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE) && !is_mutated(&pod.spec);
        let pods = chain.pods();
        let Some(pod) = pods.known().and_then(|pods| pods.iter().find(late)) else { return };
        let webhook = chain.webhook();
        let registrations = webhook.known().map(|webhook| webhook.registrations.as_slice()).unwrap_or_default();
        let Some(own) = registrations.iter().map(|found| found.configuration.as_str()).min() else { return };
        let after: Vec<&str> = chain
            .inventory()
            .others_of("MutatingWebhookConfiguration")
            .filter(|configuration| configuration.meta.name() > own && takes_new_pods(&configuration.value))
            .filter(|configuration| registrations.iter().all(|found| found.configuration != configuration.meta.name()))
            .map(|configuration| configuration.meta.name())
            .collect();
        if after.is_empty() {
            return;
        }
        report
            .add(
                &workload.meta.object,
                "",
                format!(
                    "the pods carry {}: \"true\" and their template does not; a webhook that is called after the \
                     identity webhook adds it, too late for a token",
                    keys::USE_LABEL
                ),
            )
            .evidence(format!("pod {} has the label and nothing injected", pod.meta.name()))
            .evidence(format!("called after {own}: {}", after.join(", ")))
            .fix(super::label::add_label(chain, workload));
    }
}

/// Whether a configuration is asked about the creation of pods.
fn takes_new_pods(configuration: &Value) -> bool {
    let list = |value: &Value, key: &str| -> Vec<String> {
        let texts = value.get(key).and_then(Value::as_array);
        texts.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let webhooks = configuration.get("webhooks").and_then(Value::as_array);
    let rules = webhooks.into_iter().flatten().filter_map(|webhook| webhook.get("rules").and_then(Value::as_array));
    rules.flatten().any(|rule| {
        let has = |key: &str, wanted: &[&str]| list(rule, key).iter().any(|text| wanted.contains(&text.as_str()));
        has("operations", &["CREATE", "*"]) && has("resources", &["pods", "*", "*/*"])
    })
}
