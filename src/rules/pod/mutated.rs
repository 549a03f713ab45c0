//! Pods that the webhook never saw.

use super::restart;
use crate::chain::Chain;
use crate::chain::running::is_mutated;
use crate::model::fact::Fact;
use crate::model::finding::{FixKind, Level, Link};
use crate::model::workload::Pod;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::{Trigger, WebhookInstallation, keys};

rule! {
    /// ## What it does
    /// Finds running pods that carry the label and were not touched by the webhook: they have neither the variables
    /// nor the token volume.
    ///
    /// ## Why it breaks
    /// The webhook acts once, when a pod is created. Pods that are older than the webhook, or that were created while
    /// it was down with `failurePolicy: Ignore`, keep running without a token, and look right in every manifest.
    ///
    /// ## How it is known
    /// From the running pod: no container has `AZURE_FEDERATED_TOKEN_FILE`, and no volume projects a service account
    /// token for Azure. Names of volumes and paths are not looked at, because they differ between webhook versions.
    /// Up to webhook 0.14 the account's label selects pods, so the pod's own is not taken for a request there.
    ///
    /// ## Fix
    /// Restart the workload, once the webhook is there and healthy.
    ///
    /// ## Fix safety
    /// Restarts the pods, one after the other as the workload's strategy has it.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 516, 540, 709, 719 and 790; Azure/AKS issue 3286
    PodNotMutated {
        code: "WI401",
        name: "pod-not-mutated",
        level: Level::Error,
        link: Link::Pod,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Pods, Reads::Webhook],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for PodNotMutated {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let Fact::Known(pods) = chain.pods() else { return };
        // A pod that projects a token of its own, or that another way of taking tokens serves, needs no webhook.
        if chain.is_labelled() && !chain.needs_injection() {
            return;
        }
        let webhook = chain.webhook();
        if webhook.known().is_some_and(|webhook| !selected_by_label(webhook)) {
            return;
        }
        let labelled = |pod: &&&Pod| pod.meta.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE);
        let bare: Vec<&&Pod> =
            pods.iter().filter(labelled).filter(|pod| !pod.is_mirror() && !is_mutated(&pod.spec)).collect();
        let Some(first) = bare.first() else { return };
        let since = webhook.known().and_then(|webhook| webhook.created());
        let newest = bare.iter().filter_map(|pod| pod.meta.created).max();
        let count = bare.len();
        let because = match (since, newest) {
            (Some(since), Some(created)) if created < since => "the webhook is newer, and acts on new pods only",
            _ if count == 1 => "the webhook did not act when it was created",
            _ => "the webhook did not act when they were created",
        };
        let carry = if count == 1 { "1 running pod carries".to_owned() } else { format!("{count} running pods carry") };
        let minute = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let created = first.meta.created.map(|created| format!(", created {}", minute(created))).unwrap_or_default();
        report
            .add(
                &workload.meta.object,
                "",
                format!("{carry} the label and got no token and no AZURE_FEDERATED_TOKEN_FILE; {because}"),
            )
            .evidence(format!("pod {}{created}", first.meta.name()))
            .evidence_all(since.map(|since| format!("the webhook is registered since {}", minute(since))))
            .fix(restart(
                &workload.meta.object,
                first.meta.name(),
                "restart the pods, so that the webhook sees them created",
            ));
    }
}

/// Whether this release asks for the pod's label at all.
fn selected_by_label(webhook: &WebhookInstallation) -> bool {
    matches!(webhook.settings.profile().trigger, Trigger::PodLabel | Trigger::PodOrAccountLabel)
}
