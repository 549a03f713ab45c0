//! The identity webhook: whether it answers.

use super::{configuration, consequence};
use crate::chain::Chain;
use crate::chain::compare::Answer;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::health::Fault;
use crate::webhook::refusal::Refusal;

rule! {
    /// ## What it does
    /// Finds an identity webhook that is registered and cannot answer: no ready endpoint, a rollout that is stuck,
    /// roles or certificates that are broken, a `NetworkPolicy` that lets no API server in, or calls that fail though
    /// endpoints are ready.
    ///
    /// ## Why it breaks
    /// The API server asks the webhook about every new pod with the label. With `failurePolicy: Fail`, the default
    /// since 1.0.0, it refuses the pod when there is no answer: deployments stand still, and a node that is lost takes
    /// its pods with it. With `Ignore` the pods start without token and variables. Pods that run are not touched.
    ///
    /// ## How it is known
    /// From the Service's `EndpointSlices`, the Deployment's status and pods, its cluster role and binding, the keys of
    /// the Secret `azure-wi-webhook-server-cert` (never their values), the network policies of its namespace, and the
    /// API server's own words in events: `failed calling webhook "mutation.azure-workload-identity.io": ...`. What was
    /// not read counts as unknown. A webhook without a Service (`HyperShift` runs it beside the API server) is judged
    /// by failed calls alone. A failed call counts until a pod went through the webhook after it.
    ///
    /// ## Fix
    /// Depends on the cause: free port 9443 between API server and nodes, bring the webhook's pods up, give its account
    /// its role back, or restart it so that it makes its certificate anew.
    ///
    /// ## Fix safety
    /// The webhook's own pods do not carry the label, so restarting it cannot lock itself out.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 611, 777, 814, 856, 863, 1023 and 1608
    /// - Azure/AKS issues 4139, 5472, 5686 and 5865
    WebhookUnhealthy {
        code: "WI302",
        name: "webhook-unhealthy",
        level: Level::Error,
        link: Link::Webhook,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook, Reads::Pods, Reads::Asked],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for WebhookUnhealthy {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Fact::Known(webhook) = chain.webhook() else { return };
        if !chain.needs_injection() {
            return;
        }
        let health = chain.health();
        let mut evidence = Vec::new();
        if let Some((ready, all)) = health.endpoints
            && health.faults.iter().any(|fault| !fault.later)
        {
            evidence.push(format!("endpoints of its Service: {ready} ready of {all}"));
        }
        if let Some(call) = &health.failed_call {
            let times = if call.count > 1 { format!(", {} times", call.count) } else { String::new() };
            evidence.push(format!("the API server on {}{times}: {}", call.about, call.how));
        }
        let refused = match chain.asked() {
            Fact::Known(Answer::Refused(text)) => match Refusal::read(text, &[]) {
                Some(Refusal::NotReached(how)) => Some(how),
                _ => None,
            },
            _ => None,
        };
        if let Some(how) = &refused {
            evidence.push(format!("asked for such a pod (dry run), the API server says: {how}"));
        }
        let mut faults = health.faults.iter();
        if let Some(first) = faults.next() {
            let level = if first.later { Level::Warning } else { Level::Error };
            let follows = if first.later { "it will not survive a restart of its pods" } else { consequence(webhook) };
            let confidence = if first.inferred { Confidence::Inferred } else { Confidence::Observed };
            let others = faults.flat_map(|fault| std::iter::once(fault.what.clone()).chain(fault.evidence.clone()));
            report
                .add(&first.object, first.path.clone(), format!("{}; {follows}", first.what))
                .level(level)
                .confidence(confidence)
                .evidence_all(first.evidence.iter().cloned().chain(evidence).chain(others))
                .fix(mend(first));
            return;
        }
        let call = health.failed_call.as_ref().map(|call| call.how.clone()).or(refused);
        if let (Some(how), Some(registration)) = (call, webhook.registrations.first()) {
            let object = configuration(registration);
            report
                .add(
                    &object,
                    "/webhooks",
                    format!("the API server cannot call the identity webhook ({how}); {}", consequence(webhook)),
                )
                .evidence_all(evidence)
                .fix(
                    Fix::manual(how.advice())
                        .command(format!("kubectl get {} -o yaml", object.argument()))
                        .command("kubectl get events -A --field-selector reason=FailedCreate"),
                );
        }
    }
}

fn mend(fault: &Fault) -> Fix {
    Fix::manual(fault.advice).command(fault.command.clone())
}
