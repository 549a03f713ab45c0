//! The identity webhook: whether the API server can trust it.

use super::{configuration, consequence};
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::certificate::CertificateFault;
use crate::webhook::registration::{Registration, ServiceReference};

rule! {
    /// ## What it does
    /// Finds a webhook configuration whose `caBundle` is empty, has expired, or did not sign the certificate that the
    /// webhook serves.
    ///
    /// ## Why it breaks
    /// The API server trusts the webhook by this bundle alone. Without a match every call fails with `x509:
    /// certificate signed by unknown authority`, and with `failurePolicy: Fail` no pod with the label is created.
    /// The webhook writes the bundle itself when it starts. A `GitOps` tool that applies the configuration without it
    /// removes it again, and two installations overwrite each other's.
    ///
    /// ## How it is known
    /// The bundle of a live configuration is compared with `tls.crt` of the Secret `azure-wi-webhook-server-cert`,
    /// where that was read: validity, signature, names. Only public certificates are looked at. A manifest carries no
    /// bundle and is not judged.
    ///
    /// ## Fix
    /// Restart the webhook, which writes the bundle anew, and tell the `GitOps` tool to ignore
    /// `/webhooks/0/clientConfig/caBundle`.
    ///
    /// ## Fix safety
    /// The webhook's own pods do not need the webhook.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 814 and 1023
    /// - Kubernetes, "Dynamic admission control", "Authenticate apiservers" and "Service reference"
    WebhookCaInvalid {
        code: "WI306",
        name: "webhook-ca-invalid",
        level: Level::Error,
        link: Link::Webhook,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for WebhookCaInvalid {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Fact::Known(webhook) = chain.webhook() else { return };
        if !chain.needs_injection() {
            return;
        }
        for registration in &webhook.registrations {
            let faults = &chain.health().certificates;
            let Some((_, fault)) = faults.iter().find(|(name, _)| *name == registration.configuration) else {
                continue;
            };
            let service = registration.entry.client_config.service.as_ref();
            report
                .add(
                    &configuration(registration),
                    "/webhooks/0/clientConfig/caBundle",
                    format!("{fault}; the API server cannot trust it, and {}", consequence(webhook)),
                )
                .evidence_all(evidence(fault, registration))
                .fix(fix(service));
        }
    }
}

fn evidence(fault: &CertificateFault, registration: &Registration) -> Vec<String> {
    match fault {
        CertificateFault::Empty => vec![
            "the webhook writes the bundle when it starts; whatever applied the configuration since took it away"
                .to_owned(),
            format!("annotations of the configuration: {}", {
                let keys: Vec<&str> = registration.annotations.keys().map(String::as_str).collect();
                if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
            }),
        ],
        CertificateFault::NotSigned { issuer, bundle } => {
            vec![format!("served certificate: issued by {issuer}"), format!("bundle: {bundle}")]
        }
        CertificateFault::OtherName { wanted, names } => {
            vec![format!("the API server asks for {wanted}"), format!("the certificate is for {names}")]
        }
        CertificateFault::Unreadable | CertificateFault::BundleExpired(_) | CertificateFault::ServingExpired(_) => {
            Vec::new()
        }
    }
}

fn fix(service: Option<&ServiceReference>) -> Fix {
    let namespace = service.map_or("NAMESPACE", |service| service.namespace.as_str());
    Fix::manual(
        "restart the webhook, which writes its bundle anew; let GitOps ignore /webhooks/0/clientConfig/caBundle",
    )
    .command(format!("kubectl rollout restart deploy/azure-wi-webhook-controller-manager -n {namespace}"))
}
