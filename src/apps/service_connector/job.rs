//! The extension's job, which makes accounts and Secrets.

use super::{JOB, SYSTEM};
use crate::apps::Part;
use crate::apps::custom;
use crate::azure::facts::AzureFacts;
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};

/// What the job's failures say, and what to do.
const FAILURES: &[(&[&str], &str, &str)] = &[
    (
        &[
            "imagepullbackoff",
            "errimagepull",
            "failed to pull image",
            "pull access denied",
            "scaksextension.azurecr.io",
        ],
        "its image cannot be pulled",
        "allow the FQDN scaksextension.azurecr.io, and upgrade the extension where its image tag is gone",
    ),
    (
        &["criticaladdonsonly", "unschedulable", "failedscheduling", "node(s) had untolerated taint"],
        "its pod cannot be scheduled",
        "give the cluster a node pool that is not tainted CriticalAddonsOnly only",
    ),
    (
        &["timed out waiting for resource readiness"],
        "its resources did not get ready",
        "look at events, taints and free resources of the nodes, then create the connection again",
    ),
    (
        &["unable to download the helm chart"],
        "its Helm chart cannot be downloaded",
        "allow the FQDN scaksextension.azurecr.io",
    ),
    (
        &["helm chart rendering failed"],
        "its Helm chart cannot be rendered",
        "give the values that the message names as required",
    ),
    (
        &["resource already exists"],
        "something that it wants to make is there already",
        "remove the object that the message names, if it is expendable",
    ),
    (&["operation is already in progress"], "another Helm operation is in progress", "wait 10 minutes, then try again"),
    (
        &["unable to get a response from the agent"],
        "the cluster's agents do not answer",
        "look at the pods extension-agent and extension-operator in kube-system",
    ),
    (
        &["status code: conflict", "statuscode: 409"],
        "the cluster was being updated",
        "wait until the cluster is Succeeded, then try again",
    ),
    (
        &["is not registered to use namespace"],
        "a resource provider is not registered",
        "az provider register -n Microsoft.KubernetesConfiguration, and -n Microsoft.ServiceLinker",
    ),
    (
        &["you do not have permission to perform"],
        "whoever makes the connection lacks a permission",
        "get the permission on the resource that the message names",
    ),
];

/// Why the job failed, in the cluster's words; `None` where it did not fail, or is gone, which means success.
pub(super) fn failure(part: &Part<'_>) -> Option<String> {
    let failed = part.workload.status.conditions.iter().find(|c| c.kind == "Failed" && c.status == "True");
    if let Some(condition) = failed {
        return Some(format!("{}: {}", condition.reason, condition.message));
    }
    let pods = part.inventory.pods_of(part.workload);
    let waiting = pods.iter().flat_map(|pod| &pod.waiting).find(|(_, reason)| {
        matches!(
            reason.as_str(),
            "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "Error" | "CrashLoopBackOff"
        )
    });
    waiting.map(|(container, reason)| format!("container {container}: {reason}"))
}

rule! {
    /// ## What it does
    /// Finds that the job of Service Connector's extension failed, and says why.
    ///
    /// ## Why it breaks
    /// `sc-job` in `sc-system` makes the account and the Secret of a connection. It is deleted when it succeeds: one
    /// that is still there and failed leaves a connection without its objects. Most of its failures are not about
    /// identity: an image that cannot be pulled, nodes that take no pods, a Helm operation that is stuck.
    ///
    /// ## How it is known
    /// From the job's conditions, its pods and its events. Needs no workload that is meant for identity.
    ///
    /// ## Fix
    /// As the message asks for; then create the connection again. `az aks connection validate` always prints success
    /// and does not look at the cluster.
    ///
    /// ## Fix safety
    /// Nothing of the cluster is changed by this tool.
    ///
    /// ## References
    /// - Microsoft Learn, "Use Service Connector in AKS", troubleshooting
    /// - Azure/AKS issues 4197, 5276 and 5493
    ServiceConnectorJobFailed {
        code: "WI760",
        name: "service-connector-job-failed",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Live, Needs::Logs, Needs::Azure],
        reads: &[Reads::Template, Reads::Pods, Reads::Objects, Reads::Events, Reads::ManagedCluster],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ServiceConnectorJobFailed {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = chain.part("service-connector").filter(|part| part.component == JOB) else { return };
        let Some(said) = failure(part) else { return };
        let inventory = chain.inventory();
        let mut texts = vec![said];
        texts.extend(custom::events(inventory, &part.workload.meta.object));
        for pod in inventory.pods_of(part.workload) {
            texts.extend(custom::events(inventory, &pod.meta.object));
        }
        let azure = chain.connector().map(by_azure).unwrap_or_default();
        texts.extend(azure.iter().cloned());
        let known = FAILURES
            .iter()
            .find(|(words, ..)| texts.iter().any(|text| words.iter().any(|word| text.to_lowercase().contains(word))));
        let (what, advice) = known
            .map_or(("its job failed", "read the job's log, then create the connection again"), |(_, what, advice)| {
                (*what, *advice)
            });
        let name = part.workload.meta.name();
        report
            .add(
                &part.workload.meta.object,
                "/status",
                format!("Service Connector could not do its work, {what}; the connection's account and Secret are not made"),
            )
            .evidence_all(texts.iter().take(3).filter(|text| !azure.contains(text)).map(|text| custom::shown(text)))
            .evidence_all(azure.iter().map(|text| custom::shown(text)))
            .fix(
                Fix::manual(advice)
                    .command(format!("kubectl logs job/{name} -n {SYSTEM}"))
                    .command(format!("kubectl describe job/{name} -n {SYSTEM}"))
                    .command(format!("helm list -n {SYSTEM}"))
                    .command("az extension add --name k8s-extension")
                    .command("az k8s-extension show --name sc-extension --cluster-type managedClusters -g RESOURCE_GROUP -c CLUSTER"),
            );
    }
}

/// What Azure says about the extension, where it is not well: its state and statuses, the cluster's state, and whether
/// the provider is registered.
fn by_azure(facts: &AzureFacts) -> Vec<String> {
    let mut said = Vec::new();
    let odd = |state: &str| !state.is_empty() && !state.eq_ignore_ascii_case("Succeeded");
    if let Fact::Known(extension) = &facts.connector {
        if odd(&extension.provisioning_state) {
            said.push(format!("Azure: extension {} is {}", extension.id.name(), extension.provisioning_state));
        }
        let statuses = extension.statuses.iter().filter(|status| status.level.eq_ignore_ascii_case("Error"));
        said.extend(statuses.map(|status| format!("Azure: {}: {}", status.code, status.message)));
        said.extend(extension.error.iter().map(|error| format!("Azure: {error}")));
    }
    if let Fact::Known(cluster) = &facts.cluster
        && let Some(state) = cluster.provisioning_state.as_deref().filter(|state| odd(state))
    {
        said.push(format!("Azure: managed cluster {} is {state}", cluster.id.name()));
    }
    if let Fact::Known(state) = &facts.provider
        && !state.eq_ignore_ascii_case("Registered")
    {
        said.push(format!(
            "Azure: the subscription is not registered to use namespace Microsoft.KubernetesConfiguration ({state})"
        ));
    }
    said
}
