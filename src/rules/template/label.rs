//! The label that asks the webhook for identity.

use crate::chain::meant::Reason;
use crate::chain::{Chain, label_path};
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::model::workload::Workload;
use crate::rules::{Needs, Reads, Report, Rule, RuleInfo, registry, rule};
use crate::webhook::keys;
use serde_json::json;

rule! {
    /// ## What it does
    /// Finds a workload that is meant for workload identity and whose pod template lacks the label
    /// `azure.workload.identity/use: "true"`.
    ///
    /// ## Why it breaks
    /// The identity webhook's `objectSelector` matches pods by this label alone (since webhook 1.0.0). Without it the
    /// API server never calls the webhook: the pod gets no `AZURE_FEDERATED_TOKEN_FILE` and no token volume, and the
    /// Azure SDK falls back to the node's metadata endpoint, 169.254.169.254. Labels of the Deployment itself, of the
    /// service account or of the namespace do nothing.
    ///
    /// ## How it is known
    /// From the pod template, in a manifest or on the cluster. A workload counts as meant for identity when its service
    /// account carries a client id, when it sets `AZURE_CLIENT_ID` or `AZURE_FEDERATED_TOKEN_FILE`, or when a known
    /// application's settings ask for it.
    ///
    /// ## Fix
    /// Add the label to the pod template. In a Helm chart that is usually `podLabels`.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over. From then on the webhook also removes from these pods every field
    /// that its own API types do not know (see WI313).
    ///
    /// ## References
    /// - Azure Workload Identity, "Mutating admission webhook" and "Labels and annotations"
    /// - Azure/azure-workload-identity issues 756 and 1025
    PodLabelMissing {
        code: "WI101",
        name: "pod-label-missing",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for PodLabelMissing {
    fn info(&self) -> &'static RuleInfo {
        registry::info_of::<Self>()
    }

    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.needs_injection() || workload.template.metadata.label(keys::USE_LABEL).is_some() {
            return;
        }
        let map = chain.template_path("/metadata/labels");
        report
            .add(
                &workload.meta.object,
                map,
                format!(
                    "the pod template lacks {}: \"true\"; the webhook only touches pods with the label, so these pods \
                     get no token and the SDK asks the node instead",
                    keys::USE_LABEL
                ),
            )
            .evidence_all(meant_evidence(chain))
            .fix(add_label(chain, workload));
    }
}

/// Why the workload counts as meant for identity, as a reader wants to see it.
fn meant_evidence(chain: &Chain<'_>) -> Vec<String> {
    let account = chain.account();
    chain
        .meant()
        .iter()
        .filter_map(|reason| match reason {
            Reason::Account(key) => {
                let value = account.known().and_then(|account| account.meta.annotation(key)).unwrap_or_default();
                Some(format!("service account {} carries {key}: {value}", chain.account_name()))
            }
            Reason::ClientIdVariable(container) => {
                Some(format!("container {container} sets {} and no other credential", keys::ENV_CLIENT_ID))
            }
            Reason::TokenFileVariable(container) => {
                Some(format!("container {container} sets {}", keys::ENV_TOKEN_FILE))
            }
            Reason::Terraform(container) => {
                Some(format!("container {container} asks the Terraform provider for a federated token"))
            }
            Reason::Application(why) => Some(why.clone()),
            Reason::Label | Reason::NearLabel(_) => None,
        })
        .collect()
}

/// The fix that puts the label into the template.
pub(crate) fn add_label(chain: &Chain<'_>, workload: &Workload) -> Fix {
    let path = chain.template_path(&label_path(keys::USE_LABEL));
    let value = json!(keys::USE_LABEL_VALUE);
    let operation = if workload.template.metadata.labels.is_some() {
        Operation::Add { path, value }
    } else {
        Operation::Add { path: chain.template_path("/metadata/labels"), value: json!({ keys::USE_LABEL: value }) }
    };
    let object = workload.meta.object.clone();
    let patch = merge_patch(workload.template_pointer());
    let namespace = workload.meta.namespace();
    let command = if workload.is_pod() {
        format!("kubectl label {} -n {namespace} {}=true", object.argument(), keys::USE_LABEL)
    } else {
        format!("kubectl patch {} -n {namespace} --type merge -p '{patch}'", object.argument())
    };
    Fix::new(FixKind::Restart, format!("add {}: \"true\" to the pod template", keys::USE_LABEL))
        .command(command)
        .change(Change { object, patch: vec![operation] })
}

/// The merge patch that sets the label in the template at a pointer.
fn merge_patch(pointer: &str) -> String {
    let label = json!({ "metadata": { "labels": { keys::USE_LABEL: keys::USE_LABEL_VALUE } } });
    pointer.rsplit('/').filter(|name| !name.is_empty()).fold(label, |inner, name| json!({ name: inner })).to_string()
}
