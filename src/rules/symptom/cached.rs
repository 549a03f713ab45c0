//! A token file that is read once and kept.

use super::{commands, facts, words};
use crate::chain::Chain;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::symptoms::Weight;

rule! {
    /// ## What it does
    /// Finds an application that sends an expired assertion (AADSTS700024) although the kubelet keeps its token file
    /// fresh: it read the file once and kept what it read.
    ///
    /// ## Why it breaks
    /// The token lives for an hour, if nothing else is set. The kubelet writes a new one into the file before that; who
    /// does not read it again sends the old one, and Entra refuses it.
    ///
    /// ## How it is known
    /// From the code in the logs. A probe that has read a fresh token proves it; without one it is said as probable where
    /// the file is not mounted by subPath, which never renews it (WI114). SDKs that read the file again: Go and Python
    /// every ten minutes, .NET and Java every five, Rust `azure_identity` from 0.22.0, C++ each time. Those that do not:
    /// Rust 0.20 and 0.21, Pulumi azure-native before 2026, the OIDC authorizer of Terraform's go-azure-sdk.
    ///
    /// ## Fix
    /// Upgrade the SDK, or let the code read the file each time it asks for a token. Until then a restart helps for the
    /// life of one token; `azure.workload.identity/service-account-token-expiration: "86400"` makes that a day.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program.
    ///
    /// ## References
    /// - Azure/azure-sdk-for-rust issue 1739; Azure/azure-workload-identity issue 693; risingwavelabs/risingwave issue 17123
    AssertionCached {
        code: "WI421",
        name: "assertion-cached",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Logs],
        reads: &[Reads::Template, Reads::Pods, Reads::Events, Reads::Logs, Reads::Probe],
        fix: Some(FixKind::Manual),
    }
}

const ADVICE: &str = "upgrade the SDK, or read AZURE_FEDERATED_TOKEN_FILE each time; a restart helps for an hour";

impl Rule for AssertionCached {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() || by_sub_path(chain) {
            return;
        }
        let expired = chain.symptoms().iter().find(|one| {
            one.symptom.facts.aadsts == Some(700_024) && one.symptom.weight == Weight::Failure && !one.past
        });
        let Some(one) = expired else { return };
        let fresh = fresh_by_probe(chain);
        if fresh == Some(false) {
            // The file itself is old: WI412 says so.
            return;
        }
        let confidence = if fresh.is_some() { Confidence::Proved } else { Confidence::Inferred };
        let probably = if fresh.is_some() { "" } else { "probably " };
        report
            .add(
                chain.target().object(),
                super::path(chain, one),
                format!(
                    "the application sends an expired assertion; {probably}it read the token file once and kept it"
                ),
            )
            .confidence(confidence)
            .evidence(words(one))
            .evidence_all(facts(&one.symptom))
            .fix(commands(chain, &one.symptom).into_iter().fold(Fix::manual(ADVICE), Fix::command));
    }
}

/// Whether a container mounts a token by subPath, which the kubelet never renews.
fn by_sub_path(chain: &Chain<'_>) -> bool {
    let Some(template) = chain.template() else { return false };
    let spec = &template.spec;
    let projects = |name: &str| {
        spec.volumes.iter().any(|volume| {
            volume.name == name
                && volume.projected.iter().flat_map(|p| &p.sources).any(|source| source.service_account_token.is_some())
        })
    };
    spec.all_containers().any(|(_, _, container)| {
        container
            .volume_mounts
            .iter()
            .any(|mount| mount.sub_path.as_deref().is_some_and(|p| !p.is_empty()) && projects(&mount.name))
    })
}

/// Whether a probe has read a token that is still valid; `None` where none was read.
fn fresh_by_probe(chain: &Chain<'_>) -> Option<bool> {
    let now = chain.now()?.as_second();
    let pods = chain.probe()?;
    let expires = pods.pods.iter().filter_map(|probe| probe.token.as_ref()?.claims.get("exp")?.as_i64());
    expires.map(|expires| expires > now).reduce(|a, b| a && b)
}
