//! Egress policies that leave a pod no way to Entra, from the policies themselves.

use crate::chain::Chain;
use crate::model::finding::{Confidence, Fix, Level};
use crate::model::inventory::RawObject;
use crate::rules::Report;
use crate::webhook::policy::{has_port, selects};
use crate::webhook::selector::Labels;
use serde_json::Value;

/// Ports without which no token is exchanged: the name of the authority host, and the host itself.
const DNS: &str = "53";
const HTTPS: &str = "443";

/// Variables that send the SDK's requests to a proxy, which may listen on any port of any pod.
const PROXIES: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Finds policies for egress that select the pods of a workload, none of which allows DNS, or none HTTPS to anything
/// outside the cluster. Policies add up: one that allows it is enough. Policies of other kinds (Cilium's, Calico's)
/// are not read.
pub(super) fn closed(chain: &Chain<'_>, report: &mut Report<'_>) {
    let Some(template) = chain.template().filter(|_| chain.needs_injection()) else { return };
    // Pods in the node's network are beyond policies; identity binding asks a proxy of the cluster.
    if template.spec.host_network || chain.audience() == crate::azure::IDENTITY_BINDING_AUDIENCE {
        return;
    }
    let labels = Labels::all(template.metadata.labels.as_ref());
    let selecting: Vec<&RawObject> = chain
        .inventory()
        .others_of("NetworkPolicy")
        .filter(|policy| {
            policy.meta.namespace() == chain.namespace() && is_for_egress(policy) && selects(policy, labels)
        })
        .collect();
    let Some(first) = selecting.first() else { return };
    let rules: Vec<&Value> = selecting
        .iter()
        .flat_map(|policy| policy.value.pointer("/spec/egress").and_then(Value::as_array).into_iter().flatten())
        .collect();
    let proxied = template.spec.all_containers().any(|(_, _, c)| PROXIES.iter().any(|name| c.variable(name).is_some()));
    let names: Vec<&str> = selecting.iter().map(|policy| policy.meta.name()).collect();
    let what = if !rules.iter().any(|rule| has_port(rule, DNS)) {
        "no DNS (port 53)"
    } else if !proxied && !rules.iter().any(|rule| has_port(rule, HTTPS) && leaves_the_cluster(rule)) {
        "no HTTPS (port 443) to anything outside the cluster"
    } else {
        return;
    };
    let (policies, select, allow) =
        if names.len() == 1 { ("policy", "selects", "allows") } else { ("policies", "select", "allow") };
    report
        .add(
            &first.meta.object,
            "/spec/egress",
            format!(
                "the egress {policies} {} {select} the pods of {} and {allow} {what}; the SDK cannot reach the authority \
                 host to exchange its token",
                names.join(", "),
                chain.target().object()
            ),
        )
        .level(Level::Warning)
        .confidence(Confidence::Inferred)
        .fix(
            Fix::manual("allow egress to port 53 of the cluster's DNS, and to TCP 443 of the authority host")
                .command(format!("kubectl describe networkpolicy {} -n {}", names.join(" "), chain.namespace()))
                .command(format!(
                    "kubectl wi exec-probe {} -n {} --method ephemeral",
                    chain.target().object().argument(),
                    chain.namespace()
                )),
        );
}

/// Without `policyTypes`, a policy is for egress where it has rules for it.
fn is_for_egress(policy: &RawObject) -> bool {
    match policy.value.pointer("/spec/policyTypes").and_then(Value::as_array) {
        Some(types) => types.iter().any(|kind| kind == "Egress"),
        None => policy.value.pointer("/spec/egress").is_some(),
    }
}

/// Whether a rule lets through to addresses, and not to pods alone.
fn leaves_the_cluster(rule: &Value) -> bool {
    match rule.get("to").and_then(Value::as_array) {
        None => true,
        Some(to) => to.is_empty() || to.iter().any(|peer| peer.get("ipBlock").is_some()),
    }
}
