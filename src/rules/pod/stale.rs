//! Pods that keep what was injected when they were created.

use super::restart;
use crate::chain::Chain;
use crate::chain::compare::{Aspect, Difference};
use crate::chain::running::is_mutated;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, FixKind, Level, Link};
use crate::model::workload::Pod;
use crate::rules::{Needs, Reads, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds running pods whose client id, tenant, audience or authority differ from what the webhook would inject now.
    ///
    /// ## Why it breaks
    /// The webhook acts once, when a pod is created. Whoever corrects the annotation of the service account, or the
    /// webhook's own settings, sees the new value everywhere but in the pods, which go on asking Entra with the old
    /// one. Another path of the token file, another name of the volume, or an empty variable of an older release are
    /// harmless: the pod's own variables say where its file is. These are reported for information only.
    ///
    /// ## How it is known
    /// What the webhook would inject is computed from account, template and the webhook's settings, and compared with
    /// the pod, container by container: variables by value, token volumes by the token that they project and never by
    /// name. Variables that the template sets itself are not injected and not compared. Where the API server was asked
    /// for such a pod without creating it, its answer counts in place of the computation. For a bare pod, what stands
    /// at the end of its variables in the webhook's order is taken for injected.
    ///
    /// ## Fix
    /// Restart the workload.
    ///
    /// ## Fix safety
    /// Restarts the pods, one after the other as the workload's strategy has it. Check that the new client id has a
    /// federated credential for this account first.
    ///
    /// ## References
    /// - Microsoft Learn, "Use Microsoft Entra Workload ID with AKS" (service account annotations: restart)
    /// - Azure/azure-workload-identity issues 540 and 719
    PodStale {
        code: "WI402",
        name: "pod-stale",
        level: Level::Error,
        link: Link::Pod,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Pods, Reads::Webhook, Reads::Workloads, Reads::Asked],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for PodStale {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.needs_injection() {
            return;
        }
        let Fact::Known(pods) = chain.pods() else { return };
        let stale: Vec<(&Pod, Vec<Difference>, bool)> = pods
            .iter()
            .filter(|pod| is_mutated(&pod.spec))
            .filter_map(|pod| {
                let sides = chain.sides(pod)?;
                let differences =
                    sides.outdated(&pod.spec).into_iter().filter(|d| counts(chain, d)).collect::<Vec<_>>();
                (!differences.is_empty()).then_some((*pod, differences, sides.asked.is_some()))
            })
            .collect();
        let weighty = |differences: &[Difference]| differences.iter().any(|difference| difference.aspect.matters());
        let serious: Vec<_> = stale.iter().filter(|(_, differences, _)| weighty(differences)).collect();
        let Some((first, differences, asked)) = serious.first().copied().or(stale.first()) else { return };
        let level = if serious.is_empty() { Level::Info } else { Level::Error };
        let count = if serious.is_empty() { stale.len() } else { serious.len() };
        let mut shown: Vec<&Difference> =
            differences.iter().filter(|difference| serious.is_empty() || difference.aspect.matters()).collect();
        shown.sort_by_key(|difference| difference.aspect);
        let mut aspects: Vec<String> = shown.iter().map(|difference| difference.aspect.to_string()).collect();
        aspects.dedup();
        let pods = if count == 1 { "1 running pod has".to_owned() } else { format!("{count} running pods have") };
        let message = if serious.is_empty() {
            format!("{pods} another {} than new pods get; this works on until they restart", aspects.join(" and "))
        } else {
            format!(
                "{pods} another {} than new pods get; {} what was injected at the start",
                aspects.join(" and "),
                if count == 1 { "it keeps" } else { "they keep" }
            )
        };
        let value = |value: &Option<String>| match value.as_deref() {
            None => "not set".to_owned(),
            Some("") => "empty".to_owned(),
            Some(value) => value.to_owned(),
        };
        let by = if *asked { "the API server's dry run gives" } else { "new pods get" };
        report
            .add(&workload.meta.object, "", message)
            .level(level)
            .confidence(if workload.is_from_pod() { Confidence::Inferred } else { Confidence::Observed })
            .evidence_all(shown.iter().take(4).map(|difference| {
                format!(
                    "pod {}, container {}, {}: has {}, {by} {}",
                    first.meta.name(),
                    difference.container,
                    difference.aspect,
                    value(&difference.found),
                    value(&difference.expected)
                )
            }))
            .fix(restart(
                &workload.meta.object,
                first.meta.name(),
                "restart the pods, so that they get what is set now",
            ));
    }
}

/// Whether a difference says anything, given what is known of the webhook: without its settings only what the account
/// decides can be compared.
fn counts(chain: &Chain<'_>, difference: &Difference) -> bool {
    let Fact::Known(webhook) = chain.webhook() else {
        return difference.aspect == Aspect::ClientId && difference.expected.is_some();
    };
    match difference.aspect {
        // Where the container has none at all, other rules say why.
        Aspect::Token => false,
        // A variable that is missing because the account lost its annotation is that rule's.
        Aspect::ClientId => difference.expected.is_some(),
        Aspect::TenantId => true,
        Aspect::Audience => webhook.settings_seen,
        Aspect::AuthorityHost => webhook.settings_seen && difference.expected.is_some(),
        Aspect::TokenFile | Aspect::EmptyVariable => webhook.version.is_some(),
    }
}
