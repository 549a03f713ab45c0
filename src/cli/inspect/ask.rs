//! `--ask-server`: what the API server would make of the pods of named workloads.

use crate::chain::Target;
use crate::chain::select::select;
use crate::cluster::Client;
use crate::cluster::collect::{Progress, ask, whole};
use crate::inspect::{Input, Wanted};
use crate::model::fact::Fact;
use crate::model::object::ObjectRef;
use futures::StreamExt;
use std::time::Duration;

/// Pods that are asked for at once.
const AT_ONCE: usize = 4;

/// Asks for a pod of each workload that was named, and adds the answers. Names that match nothing are told later.
pub(super) async fn add_answers(
    client: &Client,
    input: &mut Input,
    wanted: &Wanted,
    within: Duration,
    progress: &Progress,
) {
    let workloads: Vec<ObjectRef> = select(&input.inventory, &wanted.selection)
        .unwrap_or_default()
        .into_iter()
        .filter(|target| matches!(target, Target::Workload(_)))
        .map(|target| target.object().clone())
        .collect();
    let names: Vec<String> = match &input.cluster.webhook {
        Fact::Known(webhook) => webhook.registrations.iter().map(|found| found.entry.name.clone()).collect(),
        _ => Vec::new(),
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let as_they_are = whole(client, &workloads, within, progress).await;
    let answers = futures::stream::iter(workloads).map(|object| {
        let (workload, names) = (as_they_are.get(&object), &names);
        async move {
            let answer = match workload {
                Some(Fact::Known(workload)) => ask(client, workload, names).await,
                Some(Fact::Denied(denied)) => Fact::Denied(denied.clone()),
                Some(Fact::Failed(why)) => Fact::Failed(why.clone()),
                Some(Fact::Absent | Fact::NotAsked) => Fact::Failed(format!("{object} is gone")),
                None => Fact::Failed(format!("nothing tells what pods {object} asks for before admission")),
            };
            (object, answer)
        }
    });
    input.asked = answers.buffer_unordered(AT_ONCE).collect().await;
}
