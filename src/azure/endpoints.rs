//! From `--cloud` and `--arm-endpoint` to the hosts that are asked.

use super::cloud::CloudName;
use super::error::Error;
use super::session::Endpoints;
use super::transport::{Request, Transport, check_target, origin};
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use url::Url;

/// The endpoints of a cloud.
pub(crate) fn of_cloud(name: CloudName) -> Result<Endpoints, Error> {
    let cloud = name.cloud();
    Ok(Endpoints {
        arm: parse(cloud.arm)?,
        arm_resource: cloud.arm.to_owned(),
        graph: Some(parse(cloud.graph)?),
        graph_resource: cloud.graph.to_owned(),
    })
}

/// The endpoints behind `--arm-endpoint`.
///
/// A known cloud's host brings the cloud's Graph along. Any other one is asked where its Graph is
/// (`/metadata/endpoints`, which every Resource Manager serves without a login). Tokens are asked for the very host
/// that they are sent to, so a token for the real Azure never goes to an endpoint that somebody else runs.
pub(crate) async fn of_endpoint(endpoint: &str, transport: &Transport) -> Result<Endpoints, Error> {
    let arm = parse(endpoint)?;
    check_target(&arm)?;
    for name in CloudName::ALL {
        let known = of_cloud(name)?;
        if known.arm.origin() == arm.origin() {
            return Ok(known);
        }
    }
    let own = origin(&arm);
    let graph = graph_of(&arm, transport).await?;
    Ok(Endpoints { graph_resource: graph.as_ref().map(origin).unwrap_or_default(), graph, arm_resource: own, arm })
}

/// Asks for the metadata: an object since 2022-09-01, before that a list with one entry for each cloud.
async fn graph_of(arm: &Url, transport: &Transport) -> Result<Option<Url>, Error> {
    let mut url = arm.clone();
    url.set_path("/metadata/endpoints");
    url.query_pairs_mut().clear().append_pair("api-version", "2022-09-01");
    let request = Request { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() };
    let reply = transport.send(request).await?;
    if !reply.is_success() {
        return Ok(None);
    }
    let metadata: Value = reply.json(&format!("{}/metadata/endpoints", origin(arm)))?;
    let entry = match &metadata {
        Value::Array(entries) => entries
            .iter()
            .find(|entry| {
                let manager = entry["resourceManager"].as_str().and_then(|url| Url::parse(url).ok());
                manager.is_some_and(|manager| manager.origin() == arm.origin())
            })
            .or_else(|| entries.first()),
        entry => Some(entry),
    };
    let graph = entry.and_then(|entry| entry["microsoftGraphResourceId"].as_str()).and_then(|url| Url::parse(url).ok());
    Ok(graph.filter(|graph| check_target(graph).is_ok()))
}

fn parse(url: &str) -> Result<Url, Error> {
    let refused = |why: &str| Error::Refused(format!("--arm-endpoint: {why}, write https://management.azure.com"));
    let mut url = Url::parse(url).map_err(|error| refused(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it carries a user name"));
    }
    // The generated client overwrites the path of the endpoint.
    if url.path() != "/" || url.query().is_some() {
        return Err(refused("it has a path"));
    }
    url.set_fragment(None);
    Ok(url)
}
