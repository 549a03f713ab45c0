//! Whether the pods of a workload are those of its template by now: `kubectl rollout status`.

use super::client::Client;
use super::error::Error;
use super::resource::ResourceType;
use serde_json::Value;
use std::time::Duration;

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// All pods are new and available.
    Done,
    /// Not yet; what it waits for.
    Waiting(String),
    /// It does not go on by itself; why.
    Stuck(String),
}

/// How far the rollout of a workload is, by its own status.
pub fn status(workload: &Value) -> Rollout {
    let number = |pointer: &str| workload.pointer(pointer).and_then(Value::as_i64);
    let count = |pointer: &str| number(pointer).unwrap_or(0);
    let text = |pointer: &str| workload.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if number("/metadata/generation").unwrap_or(0) > count("/status/observedGeneration") {
        return Rollout::Waiting("its controller has not seen the change yet".to_owned());
    }
    let waiting = |have: i64, of: i64, what: &str| Rollout::Waiting(format!("{have} of {of} {what}"));
    match text("/kind") {
        "Deployment" => {
            let conditions = workload.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
            let exceeded = conditions
                .filter(|condition| condition["type"] == "Progressing")
                .find(|condition| condition["reason"] == "ProgressDeadlineExceeded");
            if let Some(condition) = exceeded {
                return Rollout::Stuck(condition["message"].as_str().unwrap_or("its deadline is over").to_owned());
            }
            if workload.pointer("/spec/paused") == Some(&Value::Bool(true)) {
                return Rollout::Stuck("it is paused".to_owned());
            }
            let wanted = number("/spec/replicas").unwrap_or(1);
            let updated = count("/status/updatedReplicas");
            let (all, available) = (count("/status/replicas"), count("/status/availableReplicas"));
            if updated < wanted {
                waiting(updated, wanted, "pods are new")
            } else if all > updated {
                waiting(all - updated, all, "pods are old and about to end")
            } else if available < updated {
                waiting(available, updated, "new pods are available")
            } else {
                Rollout::Done
            }
        }
        "StatefulSet" => {
            let wanted = number("/spec/replicas").unwrap_or(1);
            let partition = count("/spec/updateStrategy/rollingUpdate/partition").min(wanted);
            let updated = count("/status/updatedReplicas");
            if count("/status/readyReplicas") < wanted {
                waiting(count("/status/readyReplicas"), wanted, "pods are ready")
            } else if partition > 0 && updated < wanted - partition {
                waiting(updated, wanted - partition, "pods are new")
            } else if partition == 0 && text("/status/updateRevision") != text("/status/currentRevision") {
                waiting(updated, wanted, "pods are new")
            } else {
                Rollout::Done
            }
        }
        "DaemonSet" => {
            let wanted = count("/status/desiredNumberScheduled");
            let (updated, available) = (count("/status/updatedNumberScheduled"), count("/status/numberAvailable"));
            if updated < wanted {
                waiting(updated, wanted, "pods are new")
            } else if available < wanted {
                waiting(available, wanted, "new pods are available")
            } else {
                Rollout::Done
            }
        }
        _ => Rollout::Done,
    }
}

/// How often a workload is read while its rollout is waited for.
const EVERY: Duration = Duration::from_millis(500);

impl Client {
    /// Waits until a rollout is done or stuck, and tells what it waits for whenever that changes.
    ///
    /// It waits for ever: the caller bounds it.
    pub async fn wait_for_rollout(
        &self,
        resource: &ResourceType,
        namespace: Option<&str>,
        name: &str,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Rollout, Error> {
        let mut said = String::new();
        loop {
            let mut workload: Value = self.get(resource, namespace, name).await?;
            workload["kind"] = Value::from(&*resource.kind);
            match status(&workload) {
                Rollout::Waiting(what) => {
                    if what != said {
                        tell(&what);
                        said = what;
                    }
                }
                other => return Ok(other),
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollout_is_done_when_kubectl_says_so() {
        let deployment = |status: Value| json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status});
        let waits = |status: Value| matches!(super::status(&deployment(status)), Rollout::Waiting(_));
        assert!(waits(json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2})));
        assert!(waits(json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2})));
        assert!(waits(json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1})));
        let done = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        assert_eq!(super::status(&deployment(done)), Rollout::Done);
        let stuck = json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "m"}]});
        assert_eq!(super::status(&deployment(stuck)), Rollout::Stuck("m".to_owned()));
    }

    #[test]
    fn a_stateful_set_keeps_its_old_pods_below_the_partition() {
        let set = |updated: i64| {
            json!({"kind": "StatefulSet", "spec": {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
                "status": {"readyReplicas": 3, "updatedReplicas": updated, "updateRevision": "b", "currentRevision": "a"}})
        };
        assert_eq!(status(&set(1)), Rollout::Done);
        assert!(matches!(status(&set(0)), Rollout::Waiting(_)));
    }
}
