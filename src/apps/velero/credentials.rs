//! The credentials file: what it must not hold.

use super::view::{READS, View};
use crate::apps::version::Version;
use crate::chain::Chain;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::settings::Settings;
use crate::rules::{Needs, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds a Velero credentials file that still holds a client secret, a certificate or a user name.
    ///
    /// ## Why it breaks
    /// Velero 1.14 and later picks exactly one credential: what the credentials file offers first, workload identity
    /// only where the file offers nothing, the node's managed identity last. Up to 1.13 the file comes first in a
    /// chain. So `AZURE_CLIENT_SECRET`, `AZURE_CLIENT_CERTIFICATE`, `AZURE_CLIENT_CERTIFICATE_PATH` or
    /// `AZURE_USERNAME` wins over the token in the pod, and backups stop on the day on which that secret expires.
    ///
    /// ## How it is known
    /// From the Secret that `AZURE_CREDENTIALS_FILE` points into, or that a location's `spec.credential` names. Only
    /// the names in the file are looked at, and whether something stands behind them; the values are dropped while the
    /// Secret is read.
    ///
    /// ## Fix
    /// Leave only `AZURE_SUBSCRIPTION_ID`, `AZURE_RESOURCE_GROUP` and `AZURE_CLOUD_NAME` in the file.
    ///
    /// ## Fix safety
    /// By hand: the file holds values that this tool does not read. Restart the server afterwards; the file is read
    /// once.
    ///
    /// ## References
    /// - velero-plugin-for-microsoft-azure, README, "Option 3: Use Azure AD Workload Identity"
    /// - velero-io/velero pull request 7680 (1.14)
    VeleroClientSecret {
        code: "WI701",
        name: "velero-client-secret",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

/// Names in a credentials file that make Velero take another credential than the token.
const WINNING: &[&str] =
    &["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_USERNAME"];

impl Rule for VeleroClientSecret {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        let _ = chain.secrets();
        let mut told: Vec<(String, String)> = Vec::new();
        for credentials in view.credentials() {
            let found = winning(&credentials.file.settings);
            let place = (credentials.file.object.name.clone(), credentials.file.path.clone());
            if found.is_empty() || told.contains(&place) {
                continue;
            }
            told.push(place);
            let (names, secret) = (found.join(", "), &credentials.file.object.name);
            let first = view.version().is_none_or(|version: &Version| version.at_least(1, 14, 0));
            let wins = if first { "Velero takes it instead of" } else { "Velero tries it before" };
            let key = credentials.file.path.rsplit('/').next().unwrap_or("cloud");
            report
                .add(
                    &credentials.file.object,
                    credentials.file.path.clone(),
                    format!("the credentials file of Secret {secret} holds {names}; {wins} workload identity"),
                )
                .evidence(format!("read through {}", credentials.used_by))
                .fix(
                    Fix::manual("leave only subscription, resource group and cloud in the credentials file, then restart")
                        .command(
                            "printf 'AZURE_SUBSCRIPTION_ID=SUBSCRIPTION\\nAZURE_RESOURCE_GROUP=NODE_RESOURCE_GROUP\\nAZURE_CLOUD_NAME=AzurePublicCloud\\n' > cloud",
                        )
                        .command(format!(
                            "kubectl create secret generic {secret} -n {} --from-file={key}=cloud --dry-run=client -o yaml | kubectl apply -f -",
                            view.namespace
                        ))
                        .command(format!("kubectl rollout restart deploy/velero -n {}", view.namespace))
                        .values(view.server.as_ref().and_then(|part| part.chart.as_ref()).map(|_| {
                            "credentials: {secretContents: {cloud: \"AZURE_SUBSCRIPTION_ID=...\\nAZURE_RESOURCE_GROUP=...\\nAZURE_CLOUD_NAME=AzurePublicCloud\\n\"}}".to_owned()
                        })),
                );
        }
    }
}

fn winning(settings: &Settings) -> Vec<&'static str> {
    WINNING.iter().filter(|name| settings.is_set(name)).copied().collect()
}
