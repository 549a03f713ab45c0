//! The issuer's published keys: from the API server where the user may read them, else from the issuer itself.

use crate::azure::Transport;
use crate::cluster::Client;
use crate::token::jwks::{Discovery, Jwks};
use url::Url;

/// Keys, and where they come from.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The keys.
    pub keys: Jwks,
    /// `the API server` or the issuer's host.
    pub from: String,
}

/// Reads the keys, or says why there are none.
pub async fn read(client: &Client, transport: Option<&Transport>, issuer: Option<&str>) -> Result<Keys, String> {
    let refused = match client.jwks().await {
        Ok(document) => {
            let keys = Jwks::parse(document.to_string().as_bytes()).map_err(|error| error.to_string())?;
            return Ok(Keys { keys, from: "the API server".to_owned() });
        }
        Err(error) => super::reader::first_line(&error.to_string()),
    };
    let (Some(transport), Some(issuer)) = (transport, issuer) else { return Err(refused) };
    match of_issuer(transport, issuer).await {
        Ok(keys) => Ok(keys),
        Err(why) => Err(format!("{refused}; {why}")),
    }
}

/// Reads the documents that Entra would read. Nothing but their addresses is sent.
async fn of_issuer(transport: &Transport, issuer: &str) -> Result<Keys, String> {
    let base = Url::parse(issuer).map_err(|_| "the issuer is no URL".to_owned())?;
    if base.scheme() != "https" {
        return Err("the issuer is no https:// URL".to_owned());
    }
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = transport.fetch(&address).await.map_err(|error| error.to_string())?;
    let discovery = Discovery::parse(&document).map_err(|error| error.to_string())?;
    if discovery.issuer != issuer {
        return Err(format!("the document at {} names another issuer", base.host_str().unwrap_or_default()));
    }
    let document = transport.fetch(&discovery.jwks_uri).await.map_err(|error| error.to_string())?;
    let keys = Jwks::parse(&document).map_err(|error| error.to_string())?;
    Ok(Keys { keys, from: base.host_str().unwrap_or_default().to_owned() })
}
