//! What every subcommand that talks to a cluster shares: the runtime, the connection, and what is told about it.

use super::error::Failure;
use super::{Cli, Surroundings};
use crate::cluster::collect::Progress;
use crate::cluster::{Client, Connection, Environment, Error, TypeLookup, resource};
use crate::report::style::clean;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

/// Runs a future on a runtime of its own: one thread is enough to wait for answers.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(format!("cannot start: {error}"), None))?.block_on(future)
}

/// Connects as kubectl would.
pub(crate) async fn connect(cli: &Cli, around: &mut Surroundings<'_>) -> Result<Client, Failure> {
    connect_to(cli, None, around).await
}

/// Connects as kubectl would, to the given context where no flag names one.
pub(crate) async fn connect_to(
    cli: &Cli,
    context: Option<&str>,
    around: &mut Surroundings<'_>,
) -> Result<Client, Failure> {
    let environment = Environment::of_process();
    let mut options = cli.kubectl.connect_options();
    if options.context.is_none() && options.server.is_none() {
        options.context = context.map(str::to_owned);
    }
    let connection = Connection::resolve(&options, &environment).await.map_err(Error::from)?;
    let client = if cli.kubectl.verbosity() >= 6 {
        Client::observed(connection, |exchange| {
            let status = exchange.status.map_or_else(|| "no answer".to_owned(), |status| status.as_u16().to_string());
            let milliseconds = exchange.elapsed.as_millis();
            eprintln!("{} {} {status} in {milliseconds} ms", exchange.method, clean(exchange.path));
        })
    } else {
        Client::new(connection)
    };
    let client = client.map_err(Error::from)?;
    for note in client.notes() {
        let _ = writeln!(around.stderr, "note: {}", clean(note));
    }
    Ok(client)
}

/// Waits for a future and shows meanwhile, from the first half second, how much has been read: on a terminal only.
pub(crate) async fn watched<T>(
    what: impl Future<Output = T>,
    progress: &Progress,
    client: &Client,
    terminal: bool,
    stderr: &mut dyn Write,
) -> T {
    if !terminal {
        return what.await;
    }
    let mut what = std::pin::pin!(what);
    let mut shown = false;
    let outcome = loop {
        if let Ok(outcome) = tokio::time::timeout(Duration::from_millis(500), &mut what).await {
            break outcome;
        }
        let (objects, requests) = (progress.objects(), client.stats().requests);
        let server = clean(client.server());
        let _ = write!(stderr, "\r\x1b[Kreading {server}: {objects} objects in {requests} requests");
        let _ = stderr.flush();
        shown = true;
    };
    if shown {
        let _ = write!(stderr, "\r\x1b[K");
        let _ = stderr.flush();
    }
    outcome
}

/// Prints the warnings of the API server, as kubectl does, and with `-v` what was asked.
pub(crate) fn tell(client: &Client, cli: &Cli, around: &mut Surroundings<'_>) {
    for warning in client.take_warnings() {
        let _ = writeln!(around.stderr, "Warning: {}", clean(&warning));
    }
    if cli.kubectl.verbosity() >= 4 {
        let stats = client.stats();
        let _ =
            writeln!(around.stderr, "{} requests, {} repeated, {} bytes", stats.requests, stats.retries, stats.bytes);
    }
}

/// The kinds of words that are not built in, asked from the cluster once.
pub(crate) async fn other_kinds(client: &Client, words: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut kinds = BTreeMap::new();
    for word in words.iter().map(|word| word.split('/').next().unwrap_or_default()) {
        if word.is_empty() || word == "identity" || resource::find(word).is_some() || !could_be_type(words, word) {
            continue;
        }
        match client.look_up_type(word).await? {
            TypeLookup::Found(found) => {
                kinds.insert(word.to_owned(), found.kind.into_owned());
            }
            TypeLookup::Unknown { nearest, unavailable } => {
                let hint = match (nearest, unavailable.as_slice()) {
                    (Some(near), _) => Some(format!("did you mean {near}?")),
                    (None, []) => None,
                    (None, groups) => Some(format!("the kinds of {} could not be read", groups.join(", "))),
                };
                return Err(Failure::new(format!("the server does not have a resource type \"{word}\""), hint));
            }
        }
    }
    Ok(kinds)
}

/// Only the first of several words without a slash is a type.
fn could_be_type(words: &[String], word: &str) -> bool {
    words.iter().any(|other| other.contains('/')) || words.first().is_some_and(|first| first == word)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = error.hint();
        Self::new(error.to_string(), hint)
    }
}
