//! The AKS resource of the cluster: what is switched off in it.

use crate::azure::object::cluster_ref;
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds that the managed cluster has its OIDC issuer, or workload identity, switched off.
    ///
    /// ## Why it breaks
    /// Without the OIDC issuer Entra cannot fetch the keys of the cluster's tokens. Without workload identity AKS runs
    /// no webhook, and no pod gets a token.
    ///
    /// ## How it is known
    /// From the AKS resource that belongs to this API server or issuer (`--azure`): `oidcIssuerProfile.enabled` and
    /// `securityProfile.workloadIdentity.enabled`. That workload identity is off is no fault where another installation
    /// of the webhook is there.
    ///
    /// ## Fix
    /// `az aks update` with the flags that are missing; the page of the finding has the exact line.
    ///
    /// ## Fix safety
    /// By hand only. Switching the issuer on restarts the API server and changes the issuer of tokens: pods that run keep
    /// their old ones for a while. It cannot be switched off again.
    ///
    /// ## References
    /// - AKS, "Deploy and configure workload identity"; "Create an OIDC provider on AKS"
    AksFeatureDisabled {
        code: "WI510",
        name: "aks-feature-disabled",
        level: Level::Error,
        link: Link::Cluster,
        needs: &[Needs::Azure],
        reads: &[Reads::Template, Reads::Webhook, Reads::ManagedCluster],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for AksFeatureDisabled {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() {
            return;
        }
        let Fact::Known(cluster) = chain.managed_cluster() else { return };
        let own_webhook = chain.webhook().known().is_some();
        let needed = chain.needs_injection() && !own_webhook && !cluster.workload_identity;
        let off = match (cluster.issuer_enabled, needed) {
            (true, false) => return,
            (false, true) => "OIDC issuer and workload identity",
            (false, false) => "OIDC issuer",
            (true, true) => "workload identity",
        };
        let follows = if cluster.issuer_enabled { "AKS runs no webhook" } else { "Entra cannot check its tokens" };
        let mut wanted = cluster.clone();
        // What another installation does, AKS need not do.
        wanted.workload_identity |= own_webhook;
        let mut fix = Fix::manual(format!("switch {off} on"));
        if let Some(command) = wanted.enable_command() {
            fix = fix.command(command);
        }
        let path = if cluster.issuer_enabled { "/properties/securityProfile" } else { "/properties/oidcIssuerProfile" };
        report
            .add(
                &cluster_ref(&cluster.id),
                path,
                format!("managed cluster {} has {off} switched off; {follows}", cluster.id.name()),
            )
            .evidence_all(cluster.provisioning_state.iter().map(|state| format!("its provisioningState is {state}")))
            .fix(fix);
    }
}
