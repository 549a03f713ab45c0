//! Rules that hold for every application alike: releases, and settings that have no rule of their own.

use super::{Application, Complaint, Defect, Part, has_proxy};
use crate::chain::Chain;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};

const READS: &[Reads] = &[Reads::Template, Reads::Account, Reads::Objects, Reads::Secrets, Reads::Webhook];

rule! {
    /// ## What it does
    /// Finds a known application older than its first release with workload identity, or in a release with a known
    /// defect of identity, alone or together with the installed webhook.
    ///
    /// ## Why it breaks
    /// An older release does not look at the token: it asks the node's metadata endpoint, or wants a key. From webhook
    /// 1.6.0 on the token stands at another path, and releases that have the old path built in do not find it.
    ///
    /// ## How it is known
    /// From the image's tag, else from `app.kubernetes.io/version`, else from the chart. A digest or a branch tells
    /// nothing. With `inject-proxy-sidecar` it is a warning: the proxy stands in for an old SDK. Applications with a
    /// rule of their own (Velero's plugin, Thanos) are told of there.
    ///
    /// ## Fix
    /// Upgrade to the release that is named, or later.
    ///
    /// ## Fix safety
    /// Read the application's changelog first.
    ///
    /// ## References
    /// - Named with each finding
    ApplicationOutdated {
        code: "WI775",
        name: "application-outdated",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ApplicationOutdated {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() {
            return;
        }
        for part in chain.applications() {
            let Some(version) = &part.version else { continue };
            let title = part.application.title();
            let proxied = |level| if has_proxy(part) { Level::Warning } else { level };
            let too_old = part.application.first_release(part).filter(|first| {
                let (major, minor, patch) = first.release;
                !version.at_least(major, minor, patch)
            });
            if let Some(first) = too_old {
                let (major, minor, patch) = first.release;
                let release = format!("{major}.{minor}.{patch}");
                tell(
                    chain,
                    part,
                    report,
                    format!(
                        "{title} {version} knows no workload identity, which came with {release}; {}",
                        first.before
                    ),
                    (proxied(Level::Error), first.source, &release),
                );
            }
            for defect in part.application.defects(part).iter().filter(|defect| shows(chain, part, defect)) {
                let (major, minor, patch) = defect.mended;
                let release = format!("{major}.{minor}.{patch}");
                tell(
                    chain,
                    part,
                    report,
                    format!("{title} {version} has a known defect: {}; mended in {release}", defect.what),
                    (proxied(defect.level), defect.source, &release),
                );
            }
        }
    }
}

fn shows(chain: &Chain<'_>, part: &Part<'_>, defect: &Defect) -> bool {
    let (from, mended) = (defect.from, defect.mended);
    let mine = part.at_least(from.0, from.1, from.2) && part.older_than(mended.0, mended.1, mended.2);
    let with_webhook = defect.webhook.is_none_or(|(major, minor, patch)| {
        let webhook = chain.webhook();
        webhook.known().is_some_and(|webhook| webhook.settings.version().at_least(major, minor, patch))
    });
    mine && with_webhook
}

fn tell(
    chain: &Chain<'_>,
    part: &Part<'_>,
    report: &mut Report<'_>,
    message: String,
    (level, source, release): (Level, &str, &str),
) {
    report
        .add(&part.workload.meta.object, chain.template_path("/spec/containers"), message)
        .level(level)
        .evidence(source.to_owned())
        .fix(Fix::manual(format!("upgrade {} to {release} or later", part.application.title())));
}

rule! {
    /// ## What it does
    /// Finds settings of a known application that force another credential, or that name another client or tenant than
    /// the one that is injected; and custom resources whose status shows that their operator asks for a secret or key.
    ///
    /// ## Why it breaks
    /// Every application has its own order of credentials, and most put a secret, a key or the node's identity before
    /// the token.
    ///
    /// ## How it is known
    /// From the application's configuration in `ConfigMaps`, Secrets (names and ids only) and custom resources. Applications
    /// with rules of their own are told of there.
    ///
    /// ## Fix
    /// As the finding says.
    ///
    /// ## Fix safety
    /// As the finding says; a changed configuration needs a restart.
    ///
    /// ## References
    /// - grafana/mimir issue 7447, grafana/tempo documentation, Azure/azure-service-operator, kubernetes-sigs
    ///   cluster-api-provider-azure, crossplane-contrib/provider-upjet-azure issue 1280, fluxcd `pkg/auth`, dapr
    ///   components-contrib, Azure/AppConfiguration-KubernetesProvider, argoproj/argo-cd
    ApplicationConfig {
        code: "WI776",
        name: "application-config",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ApplicationConfig {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() {
            return;
        }
        let (inventory, _) = (chain.inventory(), chain.secrets());
        let injected = chain.injected();
        let parts = chain.applications().iter();
        let mut all: Vec<Complaint> = parts.flat_map(|part| part.application.complaints(part, &injected)).collect();
        if let crate::chain::Target::Other(resource) = chain.target()
            && let Some(application) = super::of_resource(&resource.meta.object)
        {
            all.extend(resource_complaints(application, resource, inventory));
        }
        for complaint in all {
            let draft = report
                .add(&complaint.object, complaint.path, complaint.message)
                .level(complaint.level)
                .evidence_all(complaint.evidence)
                .points_to_all(complaint.points_to)
                .fix(complaint.fix);
            if complaint.symptom {
                draft.consequence();
            }
        }
    }
}

fn resource_complaints(
    application: &dyn Application,
    resource: &crate::model::inventory::RawObject,
    inventory: &crate::model::inventory::Inventory,
) -> Vec<Complaint> {
    application.resource_complaints(resource, inventory)
}
