//! The identity webhook: whether it is there.

use crate::chain::Chain;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::inventory::Inventory;
use crate::model::object::ObjectRef;
use crate::rules::{Needs, Reads, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds a cluster in which no mutating webhook for workload identity is registered, while a workload needs one.
    ///
    /// ## Why it breaks
    /// Label and annotation are only requests. Without the webhook nobody puts the variables and the token volume
    /// into the pods. On AKS the OIDC issuer and workload identity are two switches: `--enable-oidc-issuer` alone does
    /// not install the webhook.
    ///
    /// ## How it is known
    /// From the list of mutating webhook configurations. The webhook is known under any name, by its object selector,
    /// path and rules: AKS, Helm, plain manifests, Azure Arc, OpenShift's `pod-identity-webhook`, and `HyperShift`'s
    /// without a Service. Manifests alone cannot tell, unless they are said to be the whole cluster (`--as-cluster`).
    ///
    /// ## Fix
    /// On AKS: `az aks update --enable-oidc-issuer --enable-workload-identity`; on a cluster connected by Azure Arc:
    /// `az connectedk8s update` with the same switches. Elsewhere: install the chart `workload-identity-webhook`. Then
    /// restart the workloads.
    ///
    /// ## Fix safety
    /// Installing the webhook changes no pod that runs. Afterwards pods with the label cannot be created while it is
    /// down (`failurePolicy: Fail`).
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 461, 488 and 665
    /// - Microsoft Learn, "Deploy and configure workload identity on an AKS cluster"
    WebhookMissing {
        code: "WI301",
        name: "webhook-missing",
        level: Level::Error,
        link: Link::Webhook,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook, Reads::Pods, Reads::Cluster, Reads::Objects],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for WebhookMissing {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.needs_injection() || !chain.webhook().is_absent() {
            return;
        }
        // Pods that have everything already were injected by something that this user cannot see, or by hand.
        let injected = chain.pods().known().is_some_and(|pods| {
            !pods.is_empty() && pods.iter().all(|pod| crate::chain::running::is_mutated(&pod.spec))
        });
        if injected {
            return;
        }
        let on_aks = chain.cluster().is_aks();
        let aks = "az aks update -g RESOURCE_GROUP -n CLUSTER --enable-oidc-issuer --enable-workload-identity";
        let helm = "helm upgrade --install workload-identity-webhook azure-workload-identity/workload-identity-webhook \
                    -n azure-workload-identity-system --create-namespace --set azureTenantID=TENANT_ID";
        let mut commands = vec![aks.to_owned(), helm.to_owned()];
        if !on_aks {
            commands.reverse();
        }
        let mut fix = Fix::manual("install the identity webhook, then restart the workload");
        fix.commands = commands;
        report
            .add(
                &ObjectRef::new(
                    "admissionregistration.k8s.io/v1",
                    "MutatingWebhookConfiguration",
                    None,
                    "azure-wi-webhook-mutating-webhook-configuration",
                ),
                "",
                "no mutating webhook for workload identity is installed; nobody puts the token into the pods",
            )
            .evidence("no mutating webhook configuration selects pods by azure.workload.identity/use")
            .evidence_all(
                unregistered(chain.inventory())
                    .map(|deployment| format!("{deployment} is there, and nothing sends pods to it")),
            )
            .fix(fix);
    }
}

/// A Deployment of the webhook whose registration is gone, where the distributions have it.
fn unregistered(inventory: &Inventory) -> Option<&ObjectRef> {
    ["kube-system", "azure-workload-identity-system", "arc-workload-identity"].into_iter().find_map(|namespace| {
        let found = inventory.workload("Deployment", namespace, "azure-wi-webhook-controller-manager")?;
        Some(&found.meta.object)
    })
}
