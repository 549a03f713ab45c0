//! The identity webhook: whether its release has known defects that touch this workload.

use super::{configuration, upgrade};
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::workload::Workload;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::{Distribution, WebhookInstallation, WebhookVersion, keys};

rule! {
    /// ## What it does
    /// Finds an identity webhook older than 1.0.0, one whose failures are ignored, and releases with a known defect
    /// that touches this workload.
    ///
    /// ## Why it breaks
    /// Before 1.0.0 the label of the service account selected pods, and every guide since then describes the pod's.
    /// With `failurePolicy: Ignore` a pod that is created while the webhook is down starts without identity and keeps
    /// running that way. Up to 1.5.0 an account without a client id leads to an empty `AZURE_CLIENT_ID`, which wins
    /// over `envFrom`; before 1.2.0 the proxy of a pod on the node's network rewrites the node's own rules; before
    /// 1.5.0 a Job with the proxy never ends.
    ///
    /// ## How it is known
    /// From the image of the webhook's Deployment and from its configuration. A release with a defect is only reported
    /// where the workload does what the defect needs.
    ///
    /// ## Fix
    /// Upgrade: the AKS add-on follows the cluster's version, the chart is upgraded by Helm. From 1.6.0 on the token
    /// file stands elsewhere; applications have to take its path from `AZURE_FEDERATED_TOKEN_FILE`.
    ///
    /// ## Fix safety
    /// Pods that run keep what was injected. New pods get the new release's shape.
    ///
    /// ## References
    /// - Azure/azure-workload-identity releases 1.0.0, 1.2.0, 1.5.0 and 1.5.1; issues 773 and 1050
    WebhookOutdated {
        code: "WI305",
        name: "webhook-outdated",
        level: Level::Warning,
        link: Link::Webhook,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for WebhookOutdated {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let (Some(workload), Fact::Known(webhook)) = (chain.workload(), chain.webhook()) else { return };
        let Some(registration) = webhook.registrations.first().filter(|_| chain.needs_injection()) else { return };
        let fix = || {
            Fix::manual("upgrade the identity webhook, then restart the workloads that need the new shape")
                .command(upgrade(webhook.distribution))
        };
        if let Some(seen) = &webhook.version
            && let Some((what, why)) = defect(chain, workload, &seen.version)
        {
            report
                .add(&configuration(registration), "", format!("webhook {} is outdated: {what}; {why}", seen.version))
                .evidence(seen.evidence.clone())
                .fix(fix());
            return;
        }
        if webhook.registrations.iter().all(|found| !found.entry.refuses_on_failure()) {
            // HyperShift registers it so on purpose, and its user cannot change that.
            let of_platform = webhook.distribution == Distribution::Openshift;
            let level = if of_platform { Level::Info } else { Level::Warning };
            let draft = report
                .add(
                    &configuration(registration),
                    "/webhooks/0/failurePolicy",
                    "the webhook's failures are ignored (failurePolicy: Ignore); pods that are created while it is \
                     down start without a token, and stay so",
                )
                .level(level);
            if !of_platform {
                draft.fix(ignore_fix(webhook, fix()));
            }
        }
    }
}

fn ignore_fix(webhook: &WebhookInstallation, upgrade: Fix) -> Fix {
    let old = webhook.version.as_ref().is_some_and(|seen| !seen.version.at_least(1, 0, 0));
    if old {
        return upgrade;
    }
    Fix::manual("set failurePolicy: Fail once the webhook runs with two replicas, or watch for pods without a token")
}

/// The defect of a release that touches this workload, and what follows.
fn defect(chain: &Chain<'_>, workload: &Workload, version: &WebhookVersion) -> Option<(&'static str, &'static str)> {
    if !version.at_least(1, 0, 0) {
        return Some((
            "before 1.0.0 the label of the service account selects pods",
            "the pod's label alone, as every guide has it today, does nothing",
        ));
    }
    let spec = &workload.template.spec;
    let proxy = workload.template.metadata.annotation(keys::INJECT_PROXY).is_some();
    if proxy && spec.host_network && !version.at_least(1, 2, 0) {
        return Some((
            "before 1.2.0 it takes the proxy into pods on the node's network",
            "the proxy's init container rewrites the rules of the whole node",
        ));
    }
    if proxy && matches!(workload.meta.object.kind.as_str(), "Job" | "CronJob") && !version.at_least(1, 5, 0) {
        return Some(("before 1.5.0 the proxy is an ordinary container", "the Job never completes while it runs"));
    }
    let without_client_id = match chain.account() {
        Fact::Known(account) => account.meta.annotation(keys::CLIENT_ID).is_none_or(str::is_empty),
        _ => false,
    };
    let from_environment = spec
        .containers
        .iter()
        .any(|container| !container.env_from.is_empty() && container.variable(keys::ENV_CLIENT_ID).is_none());
    if without_client_id && from_environment && !version.at_least(1, 5, 1) {
        return Some((
            "up to 1.5.0 it injects an empty AZURE_CLIENT_ID",
            "the empty variable wins over the one that envFrom brings",
        ));
    }
    None
}
