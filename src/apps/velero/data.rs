//! The node-agent and the pods that move data for it.

use super::location::failure;
use super::view::{READS, View};
use super::{MOVER_LABELS, is_labelled};
use crate::apps::{Keep, custom};
use crate::chain::Chain;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::inventory::RawObject;
use crate::model::workload::Pod;
use crate::rules::template::label::add_label;
use crate::rules::{Needs, Report, Rule, rule};
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds a Velero whose server carries the label and whose node-agent does not.
    ///
    /// ## Why it breaks
    /// From Velero 1.15.1 on, data mover pods take the label from the pod template of the node-agent `DaemonSet`, not
    /// from the server; before 1.15 the node-agent moves data itself. So the storage location is Available and every
    /// data upload fails with `Identity not found`. Chart 8.4.0 split the key: `podLabels` no longer reaches the
    /// node-agent, an upgrade drops the label silently. `nodeAgent.labels` are labels of the `DaemonSet` itself.
    ///
    /// ## How it is known
    /// From the two pod templates.
    ///
    /// ## Fix
    /// Add the label to the node-agent's pod template: `nodeAgent.podLabels` from chart 8.4.0 on, `podLabels` before.
    ///
    /// ## Fix safety
    /// Restarts the node-agent on every node; data uploads that run are interrupted and fail.
    ///
    /// ## References
    /// - velero-io/velero issues 8433 and 8989; vmware-tanzu/helm-charts pull request 623 and issue 627
    VeleroNodeAgentUnlabelled {
        code: "WI703",
        name: "velero-node-agent-unlabelled",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Restart),
    }
}

impl Rule for VeleroNodeAgentUnlabelled {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let (Some(workload), Some(view)) = (chain.workload(), View::around(chain)) else { return };
        let mine = view.node_agents.iter().find(|part| part.workload.meta.object == workload.meta.object);
        let (Some(part), Some(server)) = (mine, &view.server) else { return };
        if !is_labelled(server.workload) || workload.template.metadata.label(keys::USE_LABEL).is_some() {
            return;
        }
        // Before 1.15 nothing inherits from it; with restic or without kopia's support it needs keys anyway: WI708.
        let mut evidence = vec![format!("{} carries the label", server.workload.meta.object)];
        if workload.meta.label(keys::USE_LABEL).is_some() {
            evidence
                .push("the label sits on the DaemonSet itself (nodeAgent.labels), where nothing reads it".to_owned());
        }
        if let Some(chart) = part.chart.as_ref().filter(|chart| chart.version.at_least(8, 4, 0)) {
            evidence.push(format!("chart {chart}: podLabels stopped reaching the node-agent with 8.4.0"));
        }
        let mut fix = add_label(chain, workload);
        fix.values = part.application.values(part, Keep::PodLabel);
        report
            .add(
                &workload.meta.object,
                chain.template_path("/metadata/labels"),
                format!(
                    "the pod template of the node-agent lacks {}: \"true\", which the server has; the pods that move \
                     data inherit from the node-agent and get no token",
                    keys::USE_LABEL
                ),
            )
            .evidence_all(evidence)
            .fix(fix);
    }
}

rule! {
    /// ## What it does
    /// Finds Velero 1.15.0, whose data mover pods never get the label.
    ///
    /// ## Why it breaks
    /// In 1.15.0 data mover pods carry `velero.io/data-upload` and `velero.io/exposer-pod-group` and nothing else,
    /// whatever the node-agent has. The webhook never sees them, and data uploads ask the node's metadata endpoint.
    ///
    /// ## How it is known
    /// From the image's version. It is an error where data is moved: `snapshotMoveData` in a Backup, a Schedule or the
    /// server's default, or a `DataUpload` that exists. With `storageAccountKeyEnvVar` on every location it is silent:
    /// no token is needed.
    ///
    /// ## Fix
    /// Upgrade to 1.15.1 or later. Until then: stay on 1.14, or give the location a storage account key
    /// (`storageAccountKeyEnvVar`).
    ///
    /// ## Fix safety
    /// An upgrade of Velero restarts server and node-agent.
    ///
    /// ## References
    /// - velero-io/velero issue 8433; pull requests 8487 and 8501 (1.15.1)
    VeleroDataMoverDefect {
        code: "WI704",
        name: "velero-data-mover-defect",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for VeleroDataMoverDefect {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::moving_by(chain) else { return };
        let Some(mover) = view.mover() else { return };
        if !view.version().is_some_and(|version| version.is(1, 15, 0)) || view.uses_account_keys() {
            return;
        }
        let moved = view.data_is_moved();
        if moved.is_none() && view.node_agents.is_empty() {
            return;
        }
        let level = if moved.is_some() { Level::Error } else { Level::Warning };
        let chart = view.server.as_ref().and_then(|part| part.chart.as_ref());
        let mut fix = Fix::manual(
            "upgrade Velero to 1.15.1 or later; until then stay on 1.14, or use a storage account key \
             (storageAccountKeyEnvVar)",
        );
        fix = match chart {
            Some(_) => fix
                .command(format!(
                    "helm upgrade velero vmware-tanzu/velero -n {} --version 8.2.0 --reuse-values",
                    view.namespace
                ))
                .values(Some("image: {tag: v1.15.1}".to_owned())),
            None => fix
                .command(format!("kubectl set image deploy/velero velero=velero/velero:v1.15.1 -n {}", view.namespace))
                .command(format!(
                    "kubectl set image ds/node-agent node-agent=velero/velero:v1.15.1 -n {}",
                    view.namespace
                )),
        };
        report
            .add(
                mover,
                "",
                "Velero 1.15.0 never gives its data mover pods the label; they get no token, and data uploads fail",
            )
            .level(level)
            .evidence_all(moved)
            .fix(fix);
    }
}

rule! {
    /// ## What it does
    /// Finds pods that move data and lack the label, and reads the status of what they leave behind: `DataUpload`,
    /// `DataDownload`, `PodVolumeBackup` and `PodVolumeRestore`. For repositories it looks at maintenance pods and at
    /// `BackupRepository`.
    ///
    /// ## Why it breaks
    /// These pods live for minutes, and are gone when the failure is written. They take the label from the node-agent's
    /// pod template (data movers) or from the server's (maintenance), unless a `ConfigMap` replaces it.
    ///
    /// ## How it is known
    /// From live pods, and from status messages that are about identity or authorization. Other messages are none of
    /// its business. Where another finding explains it, this one is its evidence.
    ///
    /// ## Fix
    /// Label what they inherit from, then run the backup again.
    ///
    /// ## Fix safety
    /// As for the cause; pods that run keep what they have.
    ///
    /// ## References
    /// - velero `pkg/util/third_party.go` and `pkg/exposer/image.go`; velero-io/velero issues 8433 and 8989
    VeleroDataMoverUnlabelled {
        code: "WI709",
        name: "velero-data-mover-unlabelled",
        level: Level::Error,
        link: Link::Pod,
        needs: &[Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for VeleroDataMoverUnlabelled {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if let Some(view) = View::moving_by(chain) {
            let movers = |pod: &&Pod| MOVER_LABELS.iter().any(|key| pod.meta.label(key).is_some());
            pods(&view, movers, "the node-agent's pod template", report);
            for kind in ["DataUpload", "DataDownload", "PodVolumeBackup", "PodVolumeRestore"] {
                statuses(&view, kind, report);
            }
        }
        if let Some(view) = View::led_by(chain) {
            let maintains = |pod: &&Pod| pod.meta.label(super::MAINTENANCE_LABEL).is_some();
            pods(&view, maintains, "the server's pod template", report);
            statuses(&view, "BackupRepository", report);
        }
    }
}

fn pods(view: &View<'_>, which: impl Fn(&&Pod) -> bool, from: &str, report: &mut Report<'_>) {
    if view.uses_account_keys() {
        return;
    }
    let live = view.inventory.pods().iter().filter(|pod| pod.meta.namespace() == view.namespace && pod.is_live());
    let bare: Vec<&Pod> =
        live.filter(which).filter(|pod| pod.meta.label(keys::USE_LABEL) != Some(keys::USE_LABEL_VALUE)).collect();
    let Some(first) = bare.first() else { return };
    report
        .add(
            &first.meta.object,
            "/metadata/labels",
            format!("pod {} was started by Velero without the label; it gets no token", first.meta.name()),
        )
        .evidence_all((bare.len() > 1).then(|| format!("{} such pods", bare.len())))
        .fix(Fix::manual(format!("the label has to be in {from}, and in the podLabels of Velero's ConfigMaps")));
}

fn statuses(view: &View<'_>, kind: &'static str, report: &mut Report<'_>) {
    let failed: Vec<(&RawObject, String, crate::apps::message::Meaning)> = view
        .inventory
        .others_of(kind)
        .filter(|other| other.meta.namespace() == view.namespace)
        .filter_map(|other| failure(other).map(|(text, meaning)| (other, text, meaning)))
        .filter(|(_, _, meaning)| meaning.class.is_about_identity())
        .collect();
    let Some((object, text, meaning)) = failed.iter().max_by_key(|(other, ..)| other.meta.created) else { return };
    report
        .add(&object.meta.object, "/status/message", format!("{} failed; {}", object.meta.object, meaning.says))
        .evidence(custom::shown(text))
        .evidence_all((failed.len() > 1).then(|| format!("{} of this kind failed so", failed.len())))
        .points_to_all(meaning.points_to)
        .fix(Fix::manual("mend the cause, then run the backup again"));
}
