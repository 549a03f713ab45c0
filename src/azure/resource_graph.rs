//! Azure Resource Graph: one question over all subscriptions.
//!
//! Quick, and never proof of absence: what the caller may not read is left out without a word, and the index can lag
//! by minutes, at times by hours. What it finds is asked for again at ARM.

use super::arm::{Arm, version};
use super::error::Error;
use super::guid::Guid;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashSet;

const PATH: &str = "/providers/Microsoft.ResourceGraph/resources";

/// The largest page.
const ROWS: u32 = 1000;

/// Subscriptions in one question; Microsoft's guidance is to stay below 300.
const SUBSCRIPTIONS: usize = 300;

/// Ids in one question: its text is bounded.
const IDS: usize = 100;

/// A row about an identity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityRow {
    pub id: String,
    #[serde(default)]
    pub client_id: String,
    #[serde(default)]
    pub principal_id: String,
}

/// A row about a managed cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ClusterRow {
    pub id: String,
    #[serde(default)]
    pub fqdn: Option<String>,
    #[serde(default, rename = "privateFqdn")]
    pub private_fqdn: Option<String>,
}

/// A subscription that the login may read, with its name for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionRow {
    pub subscription_id: String,
    #[serde(default)]
    pub name: String,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Answer<T> {
    #[serde(default = "Vec::new")]
    data: Vec<T>,
    #[serde(default, rename = "$skipToken")]
    skip_token: Option<String>,
}

pub(crate) struct ResourceGraph {
    arm: Arm,
}

impl ResourceGraph {
    pub(crate) fn new(arm: Arm) -> Self {
        Self { arm }
    }

    /// User-assigned identities whose client id, or whose principal id, is one of these.
    pub(crate) async fn identities(
        &self,
        by: IdentityKey,
        ids: &[Guid],
        subscriptions: &[Guid],
    ) -> Result<Vec<IdentityRow>, Error> {
        let mut rows = Vec::new();
        for ids in ids.chunks(IDS) {
            let query = identity_query(&format!("properties.{} {}", by.field(), one_of(ids)));
            rows.extend(self.ask(&query, subscriptions).await?);
        }
        Ok(rows)
    }

    /// User-assigned identities of this name, without regard to case.
    pub(crate) async fn identities_named(&self, name: &str, subscriptions: &[Guid]) -> Result<Vec<IdentityRow>, Error> {
        self.ask(&identity_query(&format!("name =~ '{}'", literal(name)?)), subscriptions).await
    }

    /// Managed clusters with this issuer, a trailing slash more or less, or with this API server.
    pub(crate) async fn clusters(
        &self,
        issuer: Option<&str>,
        host: Option<&str>,
        subscriptions: &[Guid],
    ) -> Result<Vec<ClusterRow>, Error> {
        let mut conditions = Vec::new();
        if let Some(issuer) = issuer {
            conditions.push(format!("trim_end('/', issuer) =~ '{}'", literal(issuer.trim_end_matches('/'))?));
        }
        if let Some(host) = host {
            let host = literal(host)?;
            conditions.push(format!("fqdn =~ '{host}'"));
            conditions.push(format!("privateFqdn =~ '{host}'"));
        }
        if conditions.is_empty() {
            return Ok(Vec::new());
        }
        let query = format!(
            "resources | where type =~ 'microsoft.containerservice/managedclusters' \
             | extend issuer = tostring(properties.oidcIssuerProfile.issuerURL), fqdn = tostring(properties.fqdn), \
             privateFqdn = tostring(properties.privateFQDN) \
             | where {} \
             | project id, name, resourceGroup, subscriptionId, location, issuer, fqdn, privateFqdn, \
             workloadIdentity = tobool(properties.securityProfile.workloadIdentity.enabled)",
            conditions.join(" or ")
        );
        self.ask(&query, subscriptions).await
    }

    /// The subscriptions that a question over these really searches: the ones that may be read. A row comes for each,
    /// also for one without resources.
    pub(crate) async fn coverage(&self, subscriptions: &[Guid]) -> Result<Vec<SubscriptionRow>, Error> {
        let query = "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' \
                     | project subscriptionId, name | order by name asc";
        self.ask(query, subscriptions).await
    }

    /// Asks, and reads all pages. No subscription at all is the whole tenant.
    async fn ask<T: DeserializeOwned>(&self, query: &str, subscriptions: &[Guid]) -> Result<Vec<T>, Error> {
        let mut rows = Vec::new();
        let mut chunks = subscriptions.chunks(SUBSCRIPTIONS);
        let mut chunk = chunks.next();
        loop {
            self.ask_some(query, chunk, &mut rows).await?;
            chunk = chunks.next();
            if chunk.is_none() {
                return Ok(rows);
            }
        }
    }

    async fn ask_some<T: DeserializeOwned>(
        &self,
        query: &str,
        subscriptions: Option<&[Guid]>,
        rows: &mut Vec<T>,
    ) -> Result<(), Error> {
        // `$top` is the name: an unknown option such as `top` is ignored without a word. `subscriptions` is left out
        // for the whole tenant: an empty list is an error.
        let mut body = json!({"query": query, "options": {"resultFormat": "objectArray", "$top": ROWS}});
        if let Some(subscriptions) = subscriptions {
            body["subscriptions"] = subscriptions.iter().map(|id| Value::from(id.as_str())).collect();
        }
        let mut seen = HashSet::new();
        loop {
            let answer: Answer<T> = self.arm.ask(PATH, version::RESOURCE_GRAPH, &body).await?;
            rows.extend(answer.data);
            // `resultTruncated` stays "false" where more pages exist: only the token counts.
            let Some(token) = answer.skip_token.filter(|token| !token.is_empty()) else { return Ok(()) };
            if !seen.insert(token.clone()) {
                let reason = "its pages lead in a circle".to_owned();
                return Err(Error::Unreadable { what: "the answer of Resource Graph".to_owned(), reason });
            }
            body["options"]["$skipToken"] = Value::from(token);
        }
    }
}

fn identity_query(condition: &str) -> String {
    format!(
        "resources | where type =~ 'microsoft.managedidentity/userassignedidentities' \
         | where {condition} \
         | project id, name, location, resourceGroup, subscriptionId, tenantId, \
         clientId = tostring(properties.clientId), principalId = tostring(properties.principalId)"
    )
}

/// What an identity is looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentityKey {
    Client,
    Principal,
}

impl IdentityKey {
    fn field(self) -> &'static str {
        match self {
            Self::Client => "clientId",
            Self::Principal => "principalId",
        }
    }
}

fn one_of(ids: &[Guid]) -> String {
    match ids {
        [id] => format!("=~ '{id}'"),
        ids => {
            let quoted: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
            format!("in~ ({})", quoted.join(", "))
        }
    }
}

/// A text that can stand in quotes: the characters of URLs and host names, no quote and no backslash.
fn literal(text: &str) -> Result<&str, Error> {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '.' | '-' | '_')) {
        return Ok(text);
    }
    let shown: String = text.chars().take(100).collect();
    Err(Error::Refused(format!("\"{shown}\" cannot stand in a question to Resource Graph")))
}
