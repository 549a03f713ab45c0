//! The label on the account that selected pods before 1.0.0.

use crate::chain::{Chain, label_path};
use crate::model::fact::Fact;
use crate::model::finding::{FixKind, Level, Link};
use crate::rules::edit::{arguments, metadata_fix, remove_entry};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::{Trigger, keys};

rule! {
    /// ## What it does
    /// Tells that the label `azure.workload.identity/use` on a service account does nothing.
    ///
    /// ## Why it breaks
    /// It breaks nothing. Up to webhook 0.15 this label decided which pods got a token; since 1.0.0 only the pod's own
    /// label counts. Left in place it makes people look for the fault in the wrong object.
    ///
    /// ## How it is known
    /// From the account's labels. Where the installed webhook is older than 1.0.0 the label counts and nothing is said.
    ///
    /// ## Fix
    /// Take the label off the account, or leave it.
    ///
    /// ## Fix safety
    /// Nothing restarts and nothing changes for the pods.
    ///
    /// ## References
    /// - Azure/azure-workload-identity, release notes of 1.0.0
    LegacyAccountLabel {
        code: "WI206",
        name: "legacy-account-label",
        level: Level::Info,
        link: Link::ServiceAccount,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Account, Reads::Webhook],
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for LegacyAccountLabel {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Fact::Known(account) = chain.account() else { return };
        let labelled = account.meta.label(keys::USE_LABEL).is_some();
        if !labelled || !chain.is_meant() || chain.trigger() != Trigger::PodLabel {
            return;
        }
        let object = &account.meta.object;
        let path = label_path(keys::USE_LABEL);
        let operation = remove_entry("/metadata/labels", keys::USE_LABEL);
        let command = format!("kubectl label {} {}-", arguments(object), keys::USE_LABEL);
        report
            .add(
                object,
                path,
                format!(
                    "the label {} of service account {} does nothing; since webhook 1.0.0 only the label of the pods \
                     counts",
                    keys::USE_LABEL,
                    object.path()
                ),
            )
            .fix(metadata_fix(object, "take the label off the account", command, operation));
    }
}
