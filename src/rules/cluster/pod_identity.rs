//! The predecessor of workload identity.

use crate::chain::Chain;
use crate::chain::pod_identity::PodIdentity;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::object::ObjectRef;
use crate::rules::{Needs, Reads, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds aad-pod-identity, the predecessor of workload identity: its NMI daemon, its MIC, its custom resources.
    ///
    /// ## Why it breaks
    /// NMI redirects every call to the node's metadata endpoint, 169.254.169.254, of all pods that are not on the
    /// node's network. The exchange of a federated token does not go there and is not harmed. But a pod that is not
    /// set up for workload identity, and falls back to that endpoint, gets NMI's errors (`no azure identity found for
    /// request clientID`), which hide the cause, and a pod with both labels may authenticate either way. It has been
    /// archived since October 2023, and AKS supported its add-on until September 2025.
    ///
    /// ## How it is known
    /// From the `DaemonSet` and Deployment by name and image, and from objects and definitions of the group
    /// `aadpodidentity.k8s.io`. Where only definitions or resources are left, nothing is intercepted, and this is only
    /// worth knowing.
    ///
    /// ## Fix
    /// Move one workload after the other (federated credential, account, label), then remove the bindings, then NMI and
    /// MIC.
    ///
    /// ## Fix safety
    /// Removing NMI takes the identity from every pod that still relies on a binding: list the bindings first.
    ///
    /// ## References
    /// - Azure/aad-pod-identity, "deprecation"; Microsoft Learn, "Migrate from pod identity to workload identity"
    PodIdentityInstalled {
        code: "WI309",
        name: "pod-identity-installed",
        level: Level::Warning,
        link: Link::Cluster,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Cluster],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for PodIdentityInstalled {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() {
            return;
        }
        let PodIdentity { running, left } = &chain.cluster().pod_identity;
        let bindings = left.iter().filter(|object| object.kind == "AzureIdentityBinding");
        let bindings: Vec<String> = bindings.take(3).map(ObjectRef::path).collect();
        let Some(first) = running.first().or(left.first()) else { return };
        let names: Vec<String> = running.iter().chain(left).take(5).map(ToString::to_string).collect();
        let evidence = [
            format!("found: {}", names.join(", ")),
            match bindings.as_slice() {
                [] => "no AzureIdentityBinding was seen".to_owned(),
                some => format!("bindings still there: {}", some.join(", ")),
            },
        ];
        let (level, message) = if running.is_empty() {
            (Level::Info, "resources of aad-pod-identity are left; nothing acts on them any more")
        } else {
            (
                Level::Warning,
                "aad-pod-identity still runs beside workload identity; it answers whatever goes to the node's metadata \
                 endpoint, and hides why a pod went there",
            )
        };
        report.add(first, "", message).level(level).evidence_all(evidence).fix(
            Fix::manual("when no binding is needed any more, remove it; on AKS the add-on is switched off")
                .command("kubectl get azureidentitybindings,azureidentities -A")
                .command("az aks update -g RESOURCE_GROUP -n CLUSTER --disable-pod-identity"),
        );
    }
}
