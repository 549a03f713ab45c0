//! Backup storage locations: how they authenticate, and what they say.

use super::view::{READS, View};
use crate::apps::custom;
use crate::apps::message::{Class, Meaning, classify};
use crate::chain::Chain;
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::model::inventory::RawObject;
use crate::rules::{Needs, Report, Rule, rule};
use serde_json::json;

/// Whether a location is on Azure.
pub(super) fn is_azure(resource: &RawObject) -> bool {
    matches!(custom::text(resource, "/spec/provider"), Some("azure" | "velero.io/azure"))
}

/// What the status of one of Velero's resources says of a failure.
pub(super) fn failure(resource: &RawObject) -> Option<(String, Meaning)> {
    let phase = custom::text(resource, "/status/phase").unwrap_or_default();
    if !matches!(phase, "Unavailable" | "NotReady" | "Failed" | "PartiallyFailed" | "FailedValidation") {
        return None;
    }
    let texts = ["/status/message", "/status/failureReason"].iter().find_map(|at| custom::filled(resource, at))?;
    Some((texts.to_owned(), classify(texts)?))
}

rule! {
    /// ## What it does
    /// Finds a backup storage location on Azure that does not ask for tokens: `useAAD: "true"` is not set.
    ///
    /// ## Why it breaks
    /// Without `useAAD` the plugin takes its token only to list the keys of the storage account, and then works with
    /// a key. That fails as soon as the identity may not list keys, or shared keys are disabled on the account:
    /// `failed to list storage account access keys ... 403`.
    ///
    /// ## How it is known
    /// From `spec.config` of the location. A location with `storageAccountKeyEnvVar` works with a key on purpose and is
    /// left alone. Where the location's own status shows that the listing failed, this is an error.
    ///
    /// ## Fix
    /// Set `useAAD: "true"` in `spec.config`, and give the identity `Storage Blob Data Contributor` on the account.
    ///
    /// ## Fix safety
    /// Nothing restarts. Without the role on the data the location turns Unavailable, so grant it first.
    ///
    /// ## References
    /// - velero-plugin-for-microsoft-azure, backupstoragelocation.md (`useAAD`, from 1.8.0)
    /// - velero-io/velero issue 4930
    VeleroUseAadUnset {
        code: "WI702",
        name: "velero-use-aad-unset",
        level: Level::Warning,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for VeleroUseAadUnset {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        // Before 1.8.0 the plugin knows neither workload identity nor this setting: WI705.
        if view.plugin().and_then(|(_, _, version)| version).is_some_and(|version| !version.at_least(1, 8, 0)) {
            return;
        }
        for (at, location) in view.locations.iter().enumerate() {
            let keyed = custom::filled(location, "/spec/config/storageAccountKeyEnvVar").is_some();
            let said = location.value.pointer("/spec/config/useAAD");
            if keyed || said.and_then(custom::truth) == Some(true) {
                continue;
            }
            let (name, namespace) = (location.meta.name(), location.meta.namespace());
            let available = custom::text(location, "/status/phase") == Some("Available");
            let keys_refused = failure(location).filter(|(_, meaning)| meaning.points_to.contains(&"WI702"));
            let level = match (available, &keys_refused) {
                (true, _) => Level::Info,
                (false, Some(_)) => Level::Error,
                (false, None) => Level::Warning,
            };
            let says = said.map_or("does not set useAAD".to_owned(), |value| format!("sets useAAD to {value}"));
            let then = if available {
                "it works with the account's keys, which the identity may list"
            } else {
                "the account's keys are listed instead of asking for a token"
            };
            let path = if location.value.pointer("/spec/config").is_some() { "/spec/config" } else { "/spec" };
            let operation = if path == "/spec" {
                Operation::Add { path: "/spec/config".to_owned(), value: json!({"useAAD": "true"}) }
            } else {
                Operation::Add { path: "/spec/config/useAAD".to_owned(), value: json!("true") }
            };
            let path = if said.is_some() { "/spec/config/useAAD" } else { path };
            let chart = view.server.as_ref().and_then(|part| part.chart.as_ref());
            let values = chart.map(|chart| {
                if chart.version.at_least(4, 0, 0) {
                    format!("configuration: {{backupStorageLocation: [{{name: {name}, config: {{useAAD: \"true\"}}}}]}}  # entry {at}")
                } else {
                    "configuration: {backupStorageLocation: {config: {useAAD: \"true\"}}}".to_owned()
                }
            });
            report
                .add(&location.meta.object, path, format!("{} {says}; {then}", location.meta.object))
                .level(level)
                .evidence_all(keys_refused.map(|(text, _)| custom::shown(&text)))
                .fix(
                    Fix::new(FixKind::Metadata, "set useAAD to \"true\", with Storage Blob Data Contributor granted")
                        .command(format!(
                            "kubectl patch backupstoragelocation/{name} -n {namespace} --type merge -p '{{\"spec\":{{\"config\":{{\"useAAD\":\"true\"}}}}}}'"
                        ))
                        .values(values)
                        .change(Change { object: location.meta.object.clone(), patch: vec![operation] }),
                );
        }
    }
}

rule! {
    /// ## What it does
    /// Reads why a backup storage location is Unavailable, and points at the cause.
    ///
    /// ## Why it breaks
    /// Velero validates every location about once a minute and writes the plugin's error into its status. That error
    /// is a consequence: of a server pod without a token, of an identity without credential or role, of a firewall.
    /// The line `failed to retrieve the storage account properties` at level info is harmless by itself; the plugin
    /// goes on with the account's default address.
    ///
    /// ## How it is known
    /// From `status.phase` and `status.message`, in the long form and in the shortened one of Velero 1.18
    /// (`CODE: message`). Where another finding explains it, this one is its evidence. A message that is not about
    /// identity, authorization or Azure credentials is only worth knowing.
    ///
    /// ## Fix
    /// Mend the cause that is named; the location turns Available within a minute.
    ///
    /// ## Fix safety
    /// As for the cause.
    ///
    /// ## References
    /// - velero-io/velero issues 8324, 8348, 9321 and 9647
    VeleroLocationUnavailable {
        code: "WI707",
        name: "velero-location-unavailable",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Live, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for VeleroLocationUnavailable {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        for location in &view.locations {
            let Some((text, meaning)) = failure(location) else { continue };
            let level = if meaning.class == Class::Elsewhere { Level::Info } else { Level::Error };
            let object = &location.meta.object;
            report
                .add(object, "/status/message", format!("{object} is Unavailable; {}", meaning.says))
                .level(level)
                .evidence(custom::shown(&text))
                .points_to_all(meaning.points_to)
                .fix(Fix::manual("mend the cause, then look again").command(format!(
                    "kubectl get backupstoragelocation/{} -n {} -o yaml",
                    location.meta.name(),
                    location.meta.namespace()
                )));
        }
    }
}
