//! The identity webhook: whether it is installed twice.

use super::configuration;
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::install::WebhookDeployment;

rule! {
    /// ## What it does
    /// Finds two installations of the identity webhook, most often the AKS add-on and the Helm chart.
    ///
    /// ## Why it breaks
    /// They use the same cluster-scoped names: one configuration, one cluster role binding. Whoever writes last decides
    /// which Service the API server calls and whose account may read service accounts; the other one's certificate
    /// ends up in the `caBundle`. It fails now and then, with `x509: certificate signed by unknown authority` or
    /// `cannot update resource "mutatingwebhookconfigurations"`, and comes back after every reconciliation.
    ///
    /// ## How it is known
    /// From the Deployments that run the webhook, the Service that the configuration names, and the number of
    /// configurations that select pods by the label. A Deployment that is scaled to 0 does not count.
    ///
    /// ## Fix
    /// Keep one. On AKS that is the add-on: uninstall the chart, then let the add-on write its objects again.
    ///
    /// ## Fix safety
    /// Pods that run keep their tokens. Between the two steps new pods with the label may be refused for a moment.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 777, 856, 1023, 1295 and 1610
    /// - Azure/AKS issues 4065 and 5472
    WebhookDuplicate {
        code: "WI304",
        name: "webhook-duplicate",
        level: Level::Error,
        link: Link::Webhook,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for WebhookDuplicate {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Fact::Known(webhook) = chain.webhook() else { return };
        let Some(registration) = webhook.registrations.first().filter(|_| chain.needs_injection()) else { return };
        let running: Vec<&WebhookDeployment> = webhook.deployments.iter().filter(|found| found.desired > 0).collect();
        let service = registration.entry.client_config.service.as_ref();
        let mut evidence: Vec<String> = running
            .iter()
            .map(|found| {
                let version = found.image.rsplit_once(':').map(|(_, tag)| tag).unwrap_or_default();
                format!("Deployment {} runs {version}", found.path())
            })
            .collect();
        evidence.extend(service.map(|service| {
            format!("{} calls Service {}/{}", registration.configuration, service.namespace, service.name)
        }));
        let elsewhere = service.is_some_and(|service| running.iter().any(|d| d.namespace != service.namespace));
        let configurations: Vec<&str> =
            webhook.registrations.iter().map(|found| found.configuration.as_str()).collect();
        let (level, what) = if running.len() > 1 {
            let names: Vec<String> = running.iter().map(|found| found.path()).collect();
            (
                Level::Error,
                format!(
                    "{} installations of the identity webhook fight over one configuration ({}); which of them answers, \
                     and whose certificate counts, changes",
                    running.len(),
                    names.join(", ")
                ),
            )
        } else if elsewhere {
            (
                Level::Error,
                format!(
                    "the webhook runs in {} and its configuration calls another namespace; another installation wrote \
                     it",
                    running.first().map(|found| found.namespace.as_str()).unwrap_or_default()
                ),
            )
        } else if configurations.len() > 1 {
            evidence.push(format!("configurations: {}", configurations.join(", ")));
            (
                Level::Warning,
                format!(
                    "{} configurations send pods with the label to an identity webhook; each injects on its own terms",
                    configurations.len()
                ),
            )
        } else {
            return;
        };
        report.add(&configuration(registration), "/webhooks", what).level(level).evidence_all(evidence).fix(
            Fix::manual("keep one installation; on AKS the add-on")
                .command("helm uninstall workload-identity-webhook -n azure-workload-identity-system")
                .command("az aks update -g RESOURCE_GROUP -n CLUSTER --enable-workload-identity"),
        );
    }
}
