//! `--as-applied`: manifests laid over the cluster.

use super::{Args, Failure, wanted};
use crate::applied::{Manifests, lay};
use crate::chain::select::{Scope, Selection};
use crate::cli::azure_flags::AzureMode;
use crate::cli::{Cli, Surroundings, live};
use crate::cluster::collect::{Request, collect, whole};
use crate::cluster::{Client, Error};
use crate::inspect::{Input, Wanted};
use crate::manifest::read;
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeSet;

/// Namespaces that are read at once.
const AT_ONCE: usize = 4;

/// Reads the manifests, then the namespaces of the cluster that they are for, and lays the ones over the others.
pub(super) fn read(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<(Input, Wanted), Failure> {
    let mut manifests = Manifests::default();
    let texts = read::read(&args.on.paths(), around.stdin, &mut manifests)?;
    let mut manifests = manifests.with_texts(texts);
    if manifests.is_empty() {
        return Err(super::unreadable(manifests.problems()));
    }
    live::block_on(async {
        let client = live::connect(cli, around).await?;
        manifests.default_namespace(client.namespace());
        let scope = args.on.scope_in_files(cli.kubectl.namespace());
        let wanted = wanted(args, scope, around, &|word| manifests.kind_named(word))?;
        let request = Request {
            detailed: true,
            secrets: !args.no_secrets,
            issuer: args.issuer.clone(),
            ..Request::new(&wanted.selection, args.timeout)
        };
        let scopes =
            scopes(&request.selection.scope, manifests.namespaces(), args.on.all_namespaces, client.namespace());
        let objects = manifests.merged_kinds();
        let reading = Box::pin(async {
            let whole = whole(&client, &objects, request.within, &request.progress);
            tokio::join!(cluster(&client, &request, scopes), whole)
        });
        let mode = AzureMode::of(args.azure, args.on.names_objects() && !args.on.all_namespaces);
        let ((live, whole), login) = tokio::join!(
            live::watched(reading, &request.progress, &client, around.terminal.stderr, around.stderr),
            args.azure_flags.login(mode, args.timeout),
        );
        live::tell(&client, cli, around);
        let mut input = lay(manifests, live?, &whole);
        input.azure = login?.ask(&input, &wanted.selection, around.stderr).await;
        Ok((input, wanted))
    })
}

/// What has to be read of the cluster: the namespaces of the manifests, as far as they are looked at.
fn scopes(scope: &Scope, named: BTreeSet<String>, all: bool, current: &str) -> Vec<Scope> {
    if all {
        return vec![Scope::All];
    }
    let mut scopes: Vec<Scope> =
        named.into_iter().filter(|namespace| scope.contains(namespace)).map(Scope::Namespace).collect();
    if scopes.is_empty() {
        scopes.push(Scope::Namespace(current.to_owned()));
    }
    scopes
}

/// Reads several namespaces as one.
async fn cluster(client: &Client, request: &Request, scopes: Vec<Scope>) -> Result<Input, Error> {
    let requests = scopes.into_iter().map(|scope| {
        let selection = Selection { scope, ..request.selection.clone() };
        Request { selection, ..request.clone() }
    });
    let readings =
        futures::stream::iter(requests).map(|request| async move { Box::pin(collect(client, &request)).await });
    let inputs: Vec<Input> = readings.buffered(AT_ONCE).try_collect().await?;
    let mut inputs = inputs.into_iter();
    let mut whole = inputs.next().unwrap_or_default();
    for input in inputs {
        whole.inventory.absorb(input.inventory);
    }
    whole.cluster.find(&whole.inventory);
    Ok(whole)
}
