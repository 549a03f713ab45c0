//! Controllers that undo what the webhook did.

use crate::chain::Chain;
use crate::chain::running::is_mutated;
use crate::model::event::Event;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::rules::{Needs, Reads, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds pods that their controller recreates over and over because the webhook's injection makes them differ from
    /// what the controller asked for.
    ///
    /// ## Why it breaks
    /// Operators that make pods themselves compare the pods that exist with the specification that they keep. A
    /// mutation that they do not know of looks like drift: they delete the pod, make it anew, the webhook mutates it
    /// again, and so for ever.
    ///
    /// ## How it is known
    /// The pods belong to a custom resource, they were mutated, and events of pod or owner speak again and again of a
    /// changed specification or of recreating the pod. It is inferred: the controller's own log decides.
    ///
    /// ## Fix
    /// Upgrade the operator to a version that ignores fields which it did not set, or give it the label by its own
    /// template setting, so that it expects the mutation.
    ///
    /// ## Fix safety
    /// Depends on the operator; a database's pods restart.
    ///
    /// ## References
    /// - cloudnative-pg issue 1384
    MutationFought {
        code: "WI405",
        name: "mutation-fought",
        level: Level::Error,
        link: Link::Pod,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Pods, Reads::Events],
        fix: Some(FixKind::Manual),
    }
}

/// Recreations after which it is no coincidence.
const AGAIN: i64 = 3;

impl Rule for MutationFought {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if workload.is_built_in() || !chain.is_meant() {
            return;
        }
        let Fact::Known(pods) = chain.pods() else { return };
        if !pods.iter().any(|pod| is_mutated(&pod.spec)) {
            return;
        }
        let events = chain.events();
        let telling: Vec<&&Event> = events.iter().filter(|event| speaks_of_drift(event)).collect();
        let times: i64 = telling.iter().map(|event| event.count).sum();
        let Some(first) = telling.iter().max_by_key(|event| event.last).filter(|_| times >= AGAIN) else { return };
        let namespace = chain.namespace();
        let owner = &workload.meta.object;
        report
            .add(
                owner,
                "",
                format!(
                    "{} {} keeps recreating its pods; what the identity webhook injects looks like drift to its \
                     controller",
                    owner.kind, owner.name
                ),
            )
            .confidence(Confidence::Inferred)
            .evidence(format!("{times} times, {} {}: {}", first.about.kind, first.about.name, first.message))
            .fix(
                Fix::manual("upgrade the operator to a version that tolerates injected fields")
                    .command(format!("kubectl describe {} -n {namespace}", owner.argument()))
                    .command(format!("kubectl get events -n {namespace} --sort-by=.lastTimestamp")),
            );
    }
}

/// Whether an event is about a pod that is not as it should be, or is made anew for that.
fn speaks_of_drift(event: &Event) -> bool {
    let text = format!("{} {}", event.reason, event.message).to_lowercase();
    let differs = ["differ", "drift", "mismatch", "out of date", "outdated", "changed", "not match", "recreat"];
    let about_spec = ["spec", "recreat", "definition", "template"];
    differs.iter().any(|word| text.contains(word)) && about_spec.iter().any(|word| text.contains(word))
}
