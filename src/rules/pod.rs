//! WI4: the pods that run.

use super::{Needs, Reads, Report, Rule, RuleInfo, registry, rule};
use crate::chain::Chain;
use crate::chain::running::is_mutated;
use crate::model::fact::Fact;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::workload::Pod;
use crate::webhook::keys;

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
    ///
    /// ## Fix
    /// Restart the workload, once the webhook is there and healthy.
    ///
    /// ## Fix safety
    /// Restarts the pods, one after the other as the workload's strategy has it.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 516, 540, 709 and 719
    PodNotMutated {
        code: "WI401",
        name: "pod-not-mutated",
        level: Level::Error,
        link: Link::Pod,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Pods, Reads::Webhook],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for PodNotMutated {
    fn info(&self) -> &'static RuleInfo {
        registry::info_of::<Self>()
    }

    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let Fact::Known(pods) = chain.pods() else { return };
        let labelled = |pod: &&&Pod| pod.meta.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE);
        let bare: Vec<&&Pod> =
            pods.iter().filter(labelled).filter(|pod| !pod.is_mirror() && !is_mutated(&pod.spec)).collect();
        let Some(first) = bare.first() else { return };
        let webhook_since = match chain.webhook() {
            Fact::Known(webhook) => webhook.created(),
            _ => None,
        };
        let older = webhook_since.zip(bare.iter().filter_map(|pod| pod.meta.created).max());
        let because = match older {
            Some((since, created)) if created < since => {
                format!("they are older than the webhook, which is here since {since:.0}")
            }
            _ => "the webhook did not act when they were created".to_owned(),
        };
        let count = bare.len();
        let (object, namespace) = (&workload.meta.object, chain.namespace());
        report
            .add(
                object,
                "",
                format!(
                    "{count} running {} the label but no token volume and no AZURE_FEDERATED_TOKEN_FILE; {because}",
                    if count == 1 { "pod carries" } else { "pods carry" }
                ),
            )
            .evidence(format!("pod {}", first.meta.name()))
            .fix(
                restart(chain, "restart the pods, so that the webhook sees them created")
                    .command(format!("kubectl rollout restart {} -n {namespace}", object.argument())),
            );
    }
}

/// A fix that only restarts.
pub(crate) fn restart(_chain: &Chain<'_>, summary: &str) -> Fix {
    Fix::new(FixKind::Restart, summary)
}
