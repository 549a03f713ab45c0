//! Releases of Velero and its plugin, and the uploader that they come with.

use super::view::{READS, View};
use crate::apps::version::Version;
use crate::apps::{config, custom};
use crate::chain::Chain;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::rules::{Needs, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds a velero-plugin-for-microsoft-azure that is too old for workload identity, that does not fit this Velero,
    /// or that is a single release with a known defect.
    ///
    /// ## Why it breaks
    /// Workload identity came with plugin 1.8.0, for Velero 1.12; 1.7 and older end with
    /// `AzureCLICredential: fork/exec /bin/sh: no such file or directory`. Each minor release of the plugin is built
    /// for one of Velero. Velero 1.13.0 with plugin 1.9.0 fails where no credentials file is given:
    /// `failed to read credentials from file : open : no such file or directory`.
    ///
    /// ## How it is known
    /// From the images of the server and its init container. A digest or a branch tells nothing. A pair that does not
    /// fit is a warning. With `inject-proxy-sidecar` all of it is: the proxy stands in for an old SDK.
    ///
    /// ## Fix
    /// Take the plugin that fits: 1.8 for Velero 1.12, 1.9 for 1.13, and so on up to 1.13 for 1.17.
    ///
    /// ## Fix safety
    /// Restarts the server.
    ///
    /// ## References
    /// - velero-plugin-for-microsoft-azure, README, "Compatibility"; pull request 188 (1.8.0)
    /// - velero-io/velero issues 6011, 6510 and 7395
    VeleroPluginOutdated {
        code: "WI705",
        name: "velero-plugin-outdated",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for VeleroPluginOutdated {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        let (Some(server), Some((at, image, Some(plugin)))) = (&view.server, view.plugin()) else { return };
        let velero = view.version();
        let fitting = velero.and_then(fitting_plugin);
        let proxied = |level| if view.has_proxy() { Level::Warning } else { level };
        let without_file = velero.is_some_and(|velero| velero.is(1, 13, 0)) && plugin.is(1, 9, 0) && has_no_file(&view);
        let (level, what) = if !plugin.at_least(1, 8, 0) {
            let level = proxied(Level::Error);
            (level, format!("the Azure plugin {plugin} knows no workload identity, which came with 1.8.0"))
        } else if without_file {
            let what = "Velero 1.13.0 with plugin 1.9.0 fails without a credentials file; 1.13.1 and 1.9.1 do not";
            (Level::Error, what.to_owned())
        } else if let (Some(fit), Some(velero)) = (fitting, velero)
            && plugin.line() != (1, fit)
            && !(velero.line() == (1, 18) && plugin.line() == (1, 14))
        {
            (Level::Warning, format!("the Azure plugin {plugin} is not the one for Velero {velero}, which is 1.{fit}"))
        } else {
            return;
        };
        let wanted = match (fitting, velero) {
            _ if without_file => "v1.9.1".to_owned(),
            (Some(fit), _) if fit >= 8 => format!("v1.{fit}.0 or a later patch"),
            _ => "v1.8.0, with Velero 1.12".to_owned(),
        };
        report
            .add(
                &server.workload.meta.object,
                chain.template_path(&format!("/spec/initContainers/{at}/image")),
                format!("{what}; backups get no token from it"),
            )
            .level(level)
            .evidence(format!("image {image}"))
            .fix(
                Fix::manual(format!("use velero-plugin-for-microsoft-azure {wanted}")).values(
                    server.chart.as_ref().map(|_| {
                        "initContainers: [{name: velero-plugin-for-azure, image: \"velero/velero-plugin-for-microsoft-azure:VERSION\", volumeMounts: [{mountPath: /target, name: plugins}]}]".to_owned()
                    }),
                ),
            );
    }
}

/// The minor release of the plugin that fits a release of Velero: the README's table.
fn fitting_plugin(velero: &Version) -> Option<u32> {
    match velero.line() {
        (1, minor @ 10..=17) => Some(minor - 4),
        // The table has no row for 1.18 yet; the plugin's own release for it is 1.14.
        (1, 18) => Some(13),
        _ => None,
    }
}

fn has_no_file(view: &View<'_>) -> bool {
    let unset = view.server_container().is_some_and(|container| container.variable("AZURE_CREDENTIALS_FILE").is_none());
    unset && view.locations.iter().all(|location| custom::filled(location, "/spec/credential/name").is_none())
}

rule! {
    /// ## What it does
    /// Finds a Velero whose file-system backups cannot use workload identity: the uploader is restic, or kopia before
    /// Velero 1.13.
    ///
    /// ## Why it breaks
    /// restic only knows storage account keys, which the identity then has to list. kopia learned workload identity
    /// with Velero 1.13; with 1.12 only the object store and native snapshots use it.
    ///
    /// ## How it is known
    /// From Velero's version and `--uploader-type`, where a node-agent is there to use it. With
    /// `storageAccountKeyEnvVar` on every location it is silent; where no location asks for tokens (`useAAD`) it is a
    /// warning.
    ///
    /// ## Fix
    /// Use kopia with Velero 1.13 or later: `--uploader-type=kopia`.
    ///
    /// ## Fix safety
    /// Restarts the server. Backups that restic made stay restorable; new ones go to a new repository.
    ///
    /// ## References
    /// - velero-plugin-for-microsoft-azure, README, "Limitations"; velero-io/velero issue 5984
    VeleroUploaderUnsupported {
        code: "WI708",
        name: "velero-uploader-unsupported",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for VeleroUploaderUnsupported {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        let (Some(server), Some(container)) = (&view.server, view.server_container()) else { return };
        if view.node_agents.is_empty() || view.uses_account_keys() {
            return;
        }
        let asked = config::flag(container, "uploader-type");
        // restic was the default through 1.11.
        let restic = asked == Some("restic") || (asked.is_none() && server.older_than(1, 12, 0));
        let why = if restic {
            "restic only works with storage account keys"
        } else if server.older_than(1, 13, 0) {
            "kopia knows workload identity from Velero 1.13 on"
        } else {
            return;
        };
        let by_token = |l: &&crate::model::inventory::RawObject| custom::flag(l, "/spec/config/useAAD") == Some(true);
        let level = if view.locations.is_empty() || view.locations.iter().any(by_token) {
            Level::Error
        } else {
            Level::Warning
        };
        let version = view.version().map(|version| format!(" {version}")).unwrap_or_default();
        report
            .add(
                &server.workload.meta.object,
                chain.template_path("/spec/containers"),
                format!("file-system backups of Velero{version} need account keys; {why}"),
            )
            .level(level)
            .evidence_all(asked.map(|uploader| format!("--uploader-type={uploader}")))
            .fix(
                Fix::manual("use kopia with Velero 1.13 or later")
                    .command(format!(
                        "kubectl get deploy/velero -n {} -o jsonpath='{{.spec.template.spec.containers[0].args}}'",
                        view.namespace
                    ))
                    .values(server.chart.as_ref().map(|_| "configuration: {uploaderType: kopia}".to_owned())),
            );
    }
}
