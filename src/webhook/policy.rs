//! Network policies that let no API server reach the webhook.

use super::health::Fault;
use super::registration::ServiceReference;
use super::selector::{LabelSelector, Labels, Truth};
use crate::model::inventory::{Inventory, RawObject};
use crate::model::workload::Workload;
use serde::Deserialize;
use serde_json::Value;

/// The port that the webhook's container listens on, where its Service does not say.
const PORT: i64 = 9443;

/// A policy that selects the webhook's pods, where none of those that do lets the API server in.
///
/// The API server is no pod: only a rule without `from`, or with an `ipBlock`, lets it in, unless its calls come
/// through a tunnel whose pods a selector may well name. So a policy is at fault only when it admits nobody, or
/// nobody but pods of the webhook's own namespace, and when no pod went through the webhook since.
pub(super) fn closed(
    inventory: &Inventory,
    service: &ServiceReference,
    deployment: &Workload,
    last_success: Option<jiff::Timestamp>,
) -> Option<Fault> {
    let namespace = deployment.meta.namespace();
    let labels = Labels::all(deployment.template.metadata.labels.as_ref());
    let selecting: Vec<&RawObject> = inventory
        .others_of("NetworkPolicy")
        .filter(|policy| policy.meta.namespace() == namespace && selects(policy, labels) && is_for_ingress(policy))
        .collect();
    let port = target_port(inventory, service);
    let admits = |policy: &&RawObject| {
        let rules = policy.value.pointer("/spec/ingress").and_then(Value::as_array).into_iter().flatten();
        rules.into_iter().any(|rule| has_port(rule, &port) && has_outsiders(rule))
    };
    if selecting.is_empty() || selecting.iter().any(admits) {
        return None;
    }
    let newest = selecting.iter().max_by_key(|policy| policy.meta.created)?;
    if last_success.zip(newest.meta.created).is_some_and(|(worked, since)| worked > since) {
        return None;
    }
    let names: Vec<&str> = selecting.iter().map(|policy| policy.meta.name()).collect();
    Some(Fault {
        object: newest.meta.object.clone(),
        path: "/spec/ingress".to_owned(),
        what: "a NetworkPolicy lets no API server in to the webhook".to_owned(),
        inferred: true,
        later: false,
        evidence: vec![format!(
            "{} select{} the webhook's pods, and no rule admits TCP {port} from outside the namespace's pods",
            names.join(", "),
            if names.len() == 1 { "s" } else { "" }
        )],
        advice: "admit TCP to that port from the API server: its addresses, or the tunnel's pods",
        command: format!("kubectl describe networkpolicy {} -n {namespace}", newest.meta.name()),
    })
}

/// Whether a policy is for pods with these labels.
pub(crate) fn selects(policy: &RawObject, labels: Labels<'_>) -> bool {
    let selector = policy.value.pointer("/spec/podSelector").cloned().unwrap_or_default();
    LabelSelector::deserialize(selector).is_ok_and(|selector| selector.takes(labels) == Truth::Yes)
}

/// A policy without `policyTypes` is for ingress.
fn is_for_ingress(policy: &RawObject) -> bool {
    match policy.value.pointer("/spec/policyTypes").and_then(Value::as_array) {
        Some(types) => types.iter().any(|kind| kind == "Ingress"),
        None => true,
    }
}

/// The port of the pods behind the Service; a name cannot be resolved here and stands for itself.
fn target_port(inventory: &Inventory, service: &ServiceReference) -> String {
    let found = inventory.other("Service", Some(&service.namespace), &service.name);
    let ports = found.known().and_then(|found| found.value.pointer("/spec/ports")?.as_array());
    let wanted = i64::from(service.port.unwrap_or(443));
    let port = ports.into_iter().flatten().find(|port| port.get("port").and_then(Value::as_i64) == Some(wanted));
    match port.and_then(|port| port.get("targetPort")) {
        Some(Value::Number(number)) => number.to_string(),
        // The container names it `webhook-server`; a name is the port's in every release.
        _ => PORT.to_string(),
    }
}

/// Whether a rule of a policy lets a port through; a named port may be it.
pub(crate) fn has_port(rule: &Value, port: &str) -> bool {
    let Some(ports) = rule.get("ports").and_then(Value::as_array).filter(|ports| !ports.is_empty()) else {
        return true;
    };
    let wanted: i64 = port.parse().unwrap_or(PORT);
    ports.iter().any(|entry| match entry.get("port") {
        None | Some(Value::Null | Value::String(_)) => true,
        Some(from) => {
            let from = from.as_i64().unwrap_or_default();
            let to = entry.get("endPort").and_then(Value::as_i64).unwrap_or(from);
            (from..=to).contains(&wanted)
        }
    })
}

/// Whether anything but pods of the same namespace may come in: everybody, addresses, or pods of other namespaces,
/// among which the tunnel's may be.
fn has_outsiders(rule: &Value) -> bool {
    match rule.get("from").and_then(Value::as_array) {
        None => true,
        Some(from) if from.is_empty() => true,
        Some(from) => from.iter().any(|peer| peer.get("ipBlock").is_some() || peer.get("namespaceSelector").is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_may_come_in() {
        for (rule, outsiders) in [
            (json!({}), true),
            (json!({"from": []}), true),
            (json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}), true),
            (json!({"from": [{"namespaceSelector": {}}]}), true),
            (json!({"from": [{"podSelector": {}}]}), false),
        ] {
            assert_eq!(has_outsiders(&rule), outsiders, "{rule}");
        }
        for (rule, open) in [
            (json!({}), true),
            (json!({"ports": [{"port": 9443}]}), true),
            (json!({"ports": [{"port": 9000, "endPort": 9500}]}), true),
            (json!({"ports": [{"port": "webhook-server"}]}), true),
            (json!({"ports": [{"port": 443}, {"port": 8095}]}), false),
        ] {
            assert_eq!(has_port(&rule, "9443"), open, "{rule}");
        }
    }
}
