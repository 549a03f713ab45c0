//! Pods that are older than the label in their template.

use super::restart;
use crate::chain::Chain;
use crate::chain::running::is_mutated;
use crate::model::fact::Fact;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::workload::{Pod, Workload};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds running pods without the label although their template has it now: the rollout is paused or stuck, the
    /// update strategy waits for somebody to delete the pods, or the label was taken off the pods.
    ///
    /// ## Why it breaks
    /// Everything that people look at is right, and the pods that serve are of the template before. They have no
    /// token.
    ///
    /// ## How it is known
    /// From the labels of the running pods against the template, with the rollout's state from the workload's status.
    /// A rollout that is under way is left alone.
    ///
    /// ## Fix
    /// Resume the rollout, find out why its new pods do not come up, or delete the old pods where the strategy is
    /// `OnDelete`.
    ///
    /// ## Fix safety
    /// Replaces the pods.
    ///
    /// ## References
    /// - Kubernetes, "Deployments" (pausing, failed deployment), "Performing a rolling update on a `DaemonSet`"
    PodsUnlabelledByOwner {
        code: "WI404",
        name: "pods-unlabelled-by-owner",
        level: Level::Error,
        link: Link::Pod,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Pods, Reads::Workloads],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for PodsUnlabelledByOwner {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if workload.is_pod() || !chain.is_labelled() || !chain.needs_injection() {
            return;
        }
        let Fact::Known(pods) = chain.pods() else { return };
        let bare: Vec<&&Pod> = pods
            .iter()
            .filter(|pod| pod.meta.label(keys::USE_LABEL) != Some(keys::USE_LABEL_VALUE))
            .filter(|pod| !is_mutated(&pod.spec))
            .collect();
        let Some(first) = bare.first() else { return };
        let Some(hold) = hold(workload) else { return };
        let count = bare.len();
        let lack = if count == 1 { "1 running pod lacks".to_owned() } else { format!("{count} running pods lack") };
        let namespace = chain.namespace();
        let argument = workload.meta.object.argument();
        let fix = match hold {
            Hold::Paused => {
                Fix::manual("resume the rollout").command(format!("kubectl rollout resume {argument} -n {namespace}"))
            }
            Hold::OnDelete => Fix::manual("delete the pods, one after the other; new ones have the label")
                .command(format!("kubectl delete pod {} -n {namespace}", first.meta.name())),
            Hold::Stuck(_) => Fix::manual("find out why the new pods do not come up")
                .command(format!("kubectl rollout status {argument} -n {namespace} --timeout 5s"))
                .command(format!("kubectl describe {argument} -n {namespace}")),
            Hold::Finished => {
                restart(&workload.meta.object, first.meta.name(), "restart the pods, which then have the label again")
            }
        };
        report
            .add(&workload.meta.object, "", format!("{lack} the label that the template has now; {}", hold.because()))
            .evidence(format!("pod {}", first.meta.name()))
            .evidence_all(hold.evidence(workload))
            .fix(fix);
    }
}

/// What keeps the pods from being replaced.
enum Hold {
    Paused,
    OnDelete,
    Stuck(String),
    Finished,
}

impl Hold {
    fn because(&self) -> &'static str {
        match self {
            Self::Paused => "the rollout is paused",
            Self::OnDelete => "the strategy is OnDelete, so nothing replaces them",
            Self::Stuck(_) => "the rollout is stuck",
            Self::Finished => "the rollout is complete, so somebody took it off the pods",
        }
    }

    fn evidence(&self, workload: &Workload) -> Option<String> {
        let status = &workload.status;
        match self {
            Self::Stuck(why) => Some(why.clone()),
            Self::Paused | Self::OnDelete => Some(format!(
                "{} of {} replicas are of the present template",
                status.updated_replicas.unwrap_or_default(),
                status.replicas.or(workload.replicas)?
            )),
            Self::Finished => None,
        }
    }
}

/// `None` while a rollout is under way.
fn hold(workload: &Workload) -> Option<Hold> {
    let status = &workload.status;
    let failing = status.conditions.iter().find(|condition| {
        (condition.kind == "Progressing" && condition.status == "False")
            || (condition.kind == "ReplicaFailure" && condition.status == "True")
    });
    if workload.paused {
        return Some(Hold::Paused);
    }
    if workload.strategy.as_deref() == Some("OnDelete") {
        return Some(Hold::OnDelete);
    }
    if let Some(condition) = failing {
        return Some(Hold::Stuck(format!("condition {}: {} {}", condition.kind, condition.reason, condition.message)));
    }
    let seen = status.observed_generation.zip(workload.meta.generation).is_some_and(|(seen, now)| seen >= now);
    let complete = seen && status.updated_replicas.is_some() && status.updated_replicas == status.replicas;
    complete.then_some(Hold::Finished)
}
