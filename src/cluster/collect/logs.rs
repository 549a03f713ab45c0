//! The ends of logs, of the workloads that are inspected: a few pods each, all containers, this run and the one before.

use crate::chain::select::{Selection, select};
use crate::chain::{Chain, Target};
use crate::cluster::client::Client;
use crate::cluster::error::Error;
use crate::cluster::logs::LogQuery;
use crate::inspect::Input;
use crate::model::inventory::ReadState;
use crate::model::log::{Log, LogSource};
use crate::model::object::ObjectRef;
use crate::model::workload::Pod;
use futures::{StreamExt, stream};
use tokio::time::Instant;

/// Pods of one workload whose logs are read; what one says, mostly all say.
const PODS: usize = 3;
/// Logs that are read in all, whatever is selected.
const MOST: usize = 60;
/// Requests under way at once.
const AT_ONCE: usize = 6;
/// The most bytes of one log. 500 lines have 50 to 500 thousand.
const BYTES: u32 = 2 << 20;

/// Which logs to read.
#[derive(Debug, Clone, Copy)]
pub struct LogRequest {
    /// Lines from the end of each log.
    pub lines: u32,
    /// Only of pods that are not ready, restart or fail.
    pub only_in_trouble: bool,
    /// Only of workloads that are meant for identity.
    pub only_meant: bool,
    /// When to stop.
    pub until: Instant,
}

/// A log to read.
#[derive(Debug, Clone)]
struct Wanted {
    pod: ObjectRef,
    container: String,
    previous: bool,
}

/// Reads the logs of what is selected into the input. What may not be read, or is not read in time, is noted: a verdict
/// does not hang on it.
pub async fn read_logs(client: &Client, input: &mut Input, selection: &Selection, request: &LogRequest) {
    let wanted = wanted(input, selection, request);
    let namespaces: std::collections::BTreeSet<String> =
        wanted.iter().filter_map(|wanted| wanted.pod.namespace.clone()).collect();
    let read = stream::iter(wanted)
        .map(|wanted| async {
            let text = read(client, &wanted, request).await;
            (wanted, text)
        })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    for namespace in namespaces {
        input.inventory.note_read("Log", Some(&namespace), ReadState::Complete);
    }
    for (wanted, text) in read {
        let namespace = wanted.pod.namespace.clone();
        let source = LogSource::Container { name: wanted.container, previous: wanted.previous };
        match text {
            Ok(text) => input.inventory.add_log(Log { about: wanted.pod, source, text }),
            Err(Error::Denied { denied, .. }) => {
                input.inventory.note_read("Log", namespace.as_deref(), ReadState::Denied(denied));
            }
            // A container that has not started yet, or has had no run before; a pod that is gone by now.
            Err(Error::Invalid { .. } | Error::NotFound { .. }) => {}
            Err(error) => {
                input.inventory.note_read("Log", namespace.as_deref(), ReadState::Failed(error.to_string()));
            }
        }
    }
}

async fn read(client: &Client, wanted: &Wanted, request: &LogRequest) -> Result<String, Error> {
    let query = LogQuery {
        namespace: wanted.pod.namespace.as_deref().unwrap_or_default(),
        pod: &wanted.pod.name,
        container: Some(&wanted.container),
        previous: wanted.previous,
        tail_lines: Some(request.lines),
        limit_bytes: Some(BYTES),
        timestamps: false,
    };
    let left = request.until.saturating_duration_since(Instant::now());
    match tokio::time::timeout_at(request.until, client.logs(&query)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::OutOfTime { within: left }),
    }
}

/// The logs to read, those of pods in trouble first.
fn wanted(input: &Input, selection: &Selection, request: &LogRequest) -> Vec<Wanted> {
    let Ok(targets) = select(&input.inventory, selection) else { return Vec::new() };
    let mut wanted = Vec::new();
    for target in targets {
        let Target::Workload(workload) = target else { continue };
        let mut pods: Vec<&Pod> = input.inventory.pods_of(workload);
        pods.retain(|pod| pod.meta.deleted.is_none() && (!request.only_in_trouble || pod.is_in_trouble()));
        if pods.is_empty() || (request.only_meant && !Chain::new(target, &input.inventory, &input.cluster).is_meant()) {
            continue;
        }
        pods.sort_by_key(|pod| (!pod.is_in_trouble(), std::cmp::Reverse(pod.meta.created)));
        for pod in pods.into_iter().take(PODS) {
            for (_, _, container) in pod.spec.all_containers() {
                let of =
                    |previous| Wanted { pod: pod.meta.object.clone(), container: container.name.clone(), previous };
                wanted.push(of(false));
                if pod.restarts > 0 {
                    wanted.push(of(true));
                }
            }
        }
        if wanted.len() >= MOST {
            break;
        }
    }
    wanted.truncate(MOST);
    wanted
}
