//! Candidates that only the cluster knows: asked for within a short time, remembered for a few seconds.

use super::cache::Cache;
use crate::cluster::{Client, ConnectOptions, Connection, Environment, ListQuery, Names, TypeLookup, resource};
use crate::model::object::Origin;
use crate::model::workload::{ApiServiceAccount, template_pointer};
use crate::webhook::keys;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Longer than this nobody waits for a completion.
const WITHIN: Duration = Duration::from_millis(1500);

/// What is asked.
#[derive(Debug)]
pub(super) enum Question {
    /// Names of namespaces.
    Namespaces,
    /// Names of the objects of a type.
    Names {
        /// The type as it was written.
        kind: String,
    },
    /// Client ids that accounts are annotated with.
    ClientIds,
    /// The containers of an object.
    Containers {
        /// The type as it was written.
        kind: String,
        /// The object.
        name: String,
    },
}

/// The names in the kubeconfig.
pub(super) fn names(options: &ConnectOptions) -> Option<Names> {
    Names::read(options, &environment()).ok()
}

fn environment() -> Environment {
    // A credential plugin must not ask anything in the middle of a command line.
    Environment { stdin_is_terminal: false, ..Environment::of_process() }
}

/// The answer; empty where there is none in time.
pub(super) fn ask(options: &ConnectOptions, question: &Question, everywhere: bool) -> Vec<String> {
    let key = key(options, question, everywhere);
    let cache = key.as_deref().and_then(Cache::of_process);
    if let Some(values) = cache.as_ref().and_then(Cache::read) {
        return values;
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let answer = runtime
        .block_on(async { tokio::time::timeout(WITHIN, answer(options, question, everywhere)).await.ok().flatten() });
    // A name that is still being looked up must not hold the process.
    runtime.shutdown_background();
    let Some(mut values) = answer else { return Vec::new() };
    values.sort();
    values.dedup();
    if let Some(cache) = cache {
        cache.write(&values);
    }
    values
}

/// What tells one answer from another; `None` where it hangs on something that has no place in a cache.
fn key(options: &ConnectOptions, question: &Question, everywhere: bool) -> Option<String> {
    if options.token.is_some() || options.password.is_some() {
        return None;
    }
    let names = names(options)?;
    let files = (&options.kubeconfig, std::env::var_os("KUBECONFIG"));
    let who = (&options.user, &options.client_certificate, &options.impersonate);
    let place = (options.context.as_ref().or(names.current.as_ref()), &options.cluster, &options.server);
    Some(format!("{files:?} {who:?} {place:?} {:?} {everywhere} {question:?} {names:?}", options.namespace))
}

#[derive(Deserialize)]
struct Named {
    metadata: Name,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

async fn answer(options: &ConnectOptions, question: &Question, everywhere: bool) -> Option<Vec<String>> {
    let client = Client::new(Connection::resolve(options, &environment()).await.ok()?).ok()?;
    let namespace = (!everywhere).then(|| client.namespace());
    match question {
        Question::Namespaces => list_names(&client, &resource::NAMESPACE, None).await,
        Question::Names { kind } => match resource::find(kind) {
            Some(known) => list_names(&client, known, namespace).await,
            None => match client.look_up_type(kind).await.ok()? {
                TypeLookup::Found(found) => list_names(&client, &found, namespace).await,
                TypeLookup::Unknown { .. } => None,
            },
        },
        Question::ClientIds => {
            let query = ListQuery::all(&resource::SERVICE_ACCOUNT).in_scope(namespace);
            let listed = client.list::<ApiServiceAccount>(&query).await.ok()?;
            let accounts = listed.value.into_iter().map(|account| account.into_account(Origin::Cluster));
            Some(accounts.filter_map(|account| account.meta.annotation(keys::CLIENT_ID).map(str::to_owned)).collect())
        }
        Question::Containers { kind, name } => {
            let known = resource::find(kind)?;
            let object: Value = client.get(known, Some(client.namespace()), name).await.ok()?;
            let spec = object.pointer(template_pointer(&known.kind))?.get("spec")?;
            let all = ["initContainers", "containers"].into_iter().filter_map(|list| spec.get(list)?.as_array());
            let names = all.flatten().filter_map(|container| container.get("name")?.as_str());
            Some(names.map(str::to_owned).collect())
        }
    }
}

async fn list_names(
    client: &Client,
    kind: &crate::cluster::ResourceType,
    namespace: Option<&str>,
) -> Option<Vec<String>> {
    let query = ListQuery::all(kind).in_scope(namespace.filter(|_| kind.namespaced)).metadata_only();
    let listed = client.list::<Named>(&query).await.ok()?;
    Some(listed.value.into_iter().map(|object| object.metadata.name).collect())
}
