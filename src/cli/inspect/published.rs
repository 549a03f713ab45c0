//! The issuer's public address, where it is asked for.

use super::{Args, Failure};
use crate::azure::{Proxies, Transport, published};
use crate::chain::Cluster;
use crate::chain::cluster::{Discovery, PublicKey};
use crate::cluster::{Client, Environment};
use crate::model::fact::Fact;
use std::time::Duration;

/// How long each of the two documents may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Whether the user has asked for the rule that compares what is published: by its own code, since a report that only
/// reads the cluster asks nobody else.
pub(super) fn is_asked(args: &Args) -> bool {
    args.select.iter().any(|selector| selector.trim().eq_ignore_ascii_case("WI308"))
}

/// Reads what stands at the public address of the cluster's issuer, beside what the API server says of its own keys.
pub(super) async fn add(cluster: &mut Cluster, client: Option<&Client>) -> Result<(), Failure> {
    let Fact::Known(issuer) = &cluster.issuer else { return Ok(()) };
    let transport = Transport::new(LIMIT, Proxies::of(&Environment::of_process()), Vec::new())
        .map_err(|error| Failure::new(error.to_string(), None))?;
    let (found, own) = tokio::join!(published(&transport, issuer), keys(client));
    cluster.published = Fact::Known(found);
    if let Some(keys) = own {
        let known = cluster.discovery.known().cloned();
        let discovery = known.unwrap_or_else(|| Discovery { issuer: issuer.clone(), ..Discovery::default() });
        cluster.discovery = Fact::Known(Discovery { keys, ..discovery });
    }
    Ok(())
}

/// The keys that the API server signs with, where it may be asked.
async fn keys(client: Option<&Client>) -> Option<Vec<PublicKey>> {
    let mut set = client?.jwks().await.ok()?;
    serde_json::from_value(set.get_mut("keys")?.take()).ok()
}
