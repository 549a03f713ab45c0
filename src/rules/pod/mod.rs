//! WI4: the pods that run, and those that do not come to be.

pub mod denied;
pub mod fought;
pub mod mutated;
pub mod stale;
pub mod unlabelled;

use crate::model::finding::{Fix, FixKind};
use crate::model::object::ObjectRef;

/// A fix that only restarts. `pod` is one of the pods, for owners that kubectl cannot restart.
pub(crate) fn restart(object: &ObjectRef, pod: &str, summary: &str) -> Fix {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let fix = Fix::new(FixKind::Restart, summary);
    match object.kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" => {
            fix.command(format!("kubectl rollout restart {} -n {namespace}", object.argument()))
        }
        // A Job makes no new pod once it is done; who made the Job makes the next one.
        "Job" => fix,
        "CronJob" => {
            fix.command(format!("kubectl create job {}-now -n {namespace} --from=cronjob/{}", object.name, object.name))
        }
        _ => fix.command(format!("kubectl delete pod {pod} -n {namespace}")),
    }
}
