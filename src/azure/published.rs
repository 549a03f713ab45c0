//! What stands at the public address of an issuer: the documents that Entra reads to check tokens.
//!
//! Nothing but the addresses is sent, and only over TLS.

use super::transport::Transport;
use crate::chain::cluster::{Discovery, PublicKey, Published};
use crate::model::fact::Fact;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<PublicKey>,
}

/// Reads the discovery document of an issuer and the keys that it names. `Absent` is a server that answers and does
/// not give them out; what could not be reached, or is no such document, is `Failed`.
pub async fn published(transport: &Transport, issuer: &str) -> Published {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document: Fact<Discovery> = read(transport, &url).await;
    let keys = match &document {
        Fact::Known(document) => read::<KeySet>(transport, &document.jwks_uri).await.map(|set| set.keys),
        _ => Fact::NotAsked,
    };
    Published { url, document, keys }
}

async fn read<T: DeserializeOwned>(transport: &Transport, url: &str) -> Fact<T> {
    if !Url::parse(url).is_ok_and(|url| url.scheme() == "https") {
        return Fact::Failed(format!("{url} is no https:// address"));
    }
    match transport.fetch_if_there(url).await {
        Ok(Some(body)) => match serde_json::from_slice(&body) {
            Ok(document) => Fact::Known(document),
            // The parser's words would quote the document.
            Err(_) => Fact::Failed(format!("what stands at {url} is not the document that Entra expects there")),
        },
        Ok(None) => Fact::Absent,
        Err(error) => Fact::Failed(error.to_string()),
    }
}
