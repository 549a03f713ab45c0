//! A small client for Azure Resource Manager: what the generated crate does not cover.

use super::error::Error;
use super::resource_id::ResourceId;
use super::session::{Api, Call, Session};
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::sync::Arc;
use url::Url;

/// The API versions that are asked for. Stable ones that were recorded in the public cloud and in China, or that the
/// resource provider is recorded to offer; newer ones are not everywhere yet.
pub(crate) mod version {
    pub(crate) const SUBSCRIPTIONS: &str = "2020-01-01";
    pub(crate) const PROVIDERS: &str = "2021-04-01";
    pub(crate) const MANAGED_CLUSTERS: &str = "2025-02-01";
    pub(crate) const EXTENSIONS: &str = "2023-05-01";
    pub(crate) const AUTHORIZATION: &str = "2022-04-01";
    pub(crate) const VAULTS: &str = "2023-07-01";
    pub(crate) const RESOURCE_GRAPH: &str = "2022-10-01";
    /// Flexible credentials show their expression in the previews only.
    pub(crate) const FLEXIBLE_CREDENTIALS: &str = "2025-01-31-preview";
}

/// An answer with more pages than this is no list of ours.
pub(crate) const PAGE_LIMIT: usize = 1000;

/// ARM, and everything that answers at its host.
#[derive(Clone)]
pub(crate) struct Arm {
    session: Arc<Session>,
}

/// A page of ARM: an empty `nextLink` ends the list as a missing one does, and the page behind a link can be empty.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
struct Page<T> {
    #[serde(default = "Vec::new", deserialize_with = "null_as_empty")]
    value: Vec<T>,
    #[serde(default, alias = "@odata.nextLink")]
    next_link: Option<String>,
}

fn null_as_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: DeserializeOwned,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

impl Arm {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    /// Reads one thing.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, version: &str) -> Result<T, Error> {
        let url = address(&self.session, Api::Arm, path, &[("api-version", version)])?;
        get(&self.session, Api::Arm, url).await
    }

    /// Reads one resource.
    pub(crate) async fn resource<T: DeserializeOwned>(&self, id: &ResourceId, version: &str) -> Result<T, Error> {
        self.get(id.as_str(), version).await
    }

    /// Reads a list, all pages of it.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        version: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Error> {
        let mut all = query.to_vec();
        all.push(("api-version", version));
        let url = address(&self.session, Api::Arm, path, &all)?;
        list(&self.session, Api::Arm, url).await
    }

    /// Posts a question. It reads: nothing is changed by it.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        version: &str,
        body: &serde_json::Value,
    ) -> Result<T, Error> {
        let url = address(&self.session, Api::Arm, path, &[("api-version", version)])?;
        let body = Some(Bytes::from(body.to_string()));
        let call = Call { api: Api::Arm, method: Method::POST, url, body, reads: true };
        self.session.send(&call).await?.json(&call.what())
    }
}

/// The URL of a path at one of the APIs.
pub(crate) fn address(session: &Session, api: Api, path: &str, query: &[(&str, &str)]) -> Result<Url, Error> {
    let mut url = session.endpoints.base(api)?.clone();
    let prefix = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{prefix}{path}"));
    url.query_pairs_mut().clear().extend_pairs(query);
    Ok(url)
}

/// Reads one answer.
pub(crate) async fn get<T: DeserializeOwned>(session: &Session, api: Api, url: Url) -> Result<T, Error> {
    let call = Call { api, method: Method::GET, url, body: None, reads: true };
    session.send(&call).await?.json(&call.what())
}

/// Reads all pages of a list; the links are followed as they are.
pub(crate) async fn list<T: DeserializeOwned>(session: &Session, api: Api, first: Url) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    let mut url = first;
    loop {
        let what = format!("GET {}", url.path());
        let unreadable = |reason: &str| Error::Unreadable { what: what.clone(), reason: reason.to_owned() };
        if seen.len() >= PAGE_LIMIT {
            return Err(unreadable("the list has more than 1000 pages"));
        }
        if !seen.insert(url.to_string()) {
            return Err(unreadable("its pages lead in a circle"));
        }
        let page: Page<T> = get(session, api, url.clone()).await?;
        all.extend(page.value);
        match page.next_link.filter(|link| !link.is_empty()) {
            // A relative link stays at the host; an absolute one is held against it when it is sent.
            Some(link) => url = url.join(&link).map_err(|_| unreadable("its next page has no valid address"))?,
            None => return Ok(all),
        }
    }
}
