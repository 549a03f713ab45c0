//! What is left of aad-pod-identity on the pods.

use crate::chain::{Chain, label_path};
use crate::model::finding::{FixKind, Level, Link, Operation};
use crate::rules::template::label::label_fix;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use serde_json::{Value, json};

const LABEL: &str = "aadpodidbinding";

rule! {
    /// ## What it does
    /// Finds the label `aadpodidbinding` of aad-pod-identity on pods that are meant for workload identity.
    ///
    /// ## Why it breaks
    /// The token exchange itself is not touched. But as long as aad-pod-identity's NMI runs on the nodes, it answers
    /// what these pods ask of the node's metadata endpoint: whichever way the SDK tries first decides which identity
    /// the application gets. aad-pod-identity is archived since 2023.
    ///
    /// ## How it is known
    /// From the labels of the pod template.
    ///
    /// ## Fix
    /// Remove the label once workload identity is seen to work.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over. Code that asks for a managed identity outright loses the identity
    /// that aad-pod-identity gave it.
    ///
    /// ## References
    /// - Microsoft Learn, "Migrate from pod managed-identity to workload identity"
    /// - Azure/aad-pod-identity
    PodIdentityLabel {
        code: "WI113",
        name: "pod-identity-label",
        level: Level::Warning,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for PodIdentityLabel {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let Some(binding) = workload.template.metadata.label(LABEL).filter(|_| chain.is_meant()) else { return };
        let path = chain.template_path(&label_path(LABEL));
        let patch = vec![Operation::Remove { path: path.clone() }];
        report
            .add(
                &workload.meta.object,
                path,
                format!(
                    "the pods still carry {LABEL}: {binding}; where aad-pod-identity still runs, it answers what they ask \
                     of the node's metadata endpoint"
                ),
            )
            .fix(label_fix(workload, format!("remove {LABEL}"), &json!({ LABEL: Value::Null }), patch));
    }
}
