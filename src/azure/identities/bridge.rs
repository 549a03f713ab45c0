//! Lets the generated crate's requests go through our own transport.
//!
//! This also works around what `azure_core` and `azure_mgmt_msi` 0.21 get wrong, none of which will be mended there:
//! - `subject`, `audiences` and `location` are mandatory when an answer is read: one flexible credential, which has no
//!   subject, makes the whole list fail. Missing ones are filled in before the crate reads the answer, and the answer
//!   is kept as it came for what the crate's types leave out.
//! - Their `Debug` for headers prints `Authorization` in clear, and the transport policy logs it. The crate never gets
//!   the token: it is handed a placeholder, and the token is put on here.
//! - Any `nextLink` gets the token: [`super::super::session::Session::send`] holds every address against the endpoint.
//! - Its errors do not carry Azure's words: ours are carried through it as the source of its own.

use super::super::arm::PAGE_LIMIT;
use super::super::error::Error;
use super::super::session::{Api, Call, Session};
use async_trait::async_trait;
use azure_core::auth::{AccessToken, Secret, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::headers::Headers;
use azure_core::{Body, HttpClient, Method, Request, Response, StatusCode};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// The HTTP client of one operation of the generated crate.
pub(super) struct Bridge {
    session: Arc<Session>,
    /// Every object of the answers as it came.
    originals: Mutex<Vec<Value>>,
    /// The addresses that were read: the crate follows `nextLink` for ever if it leads in a circle.
    visited: Mutex<HashSet<String>>,
}

impl Bridge {
    pub(super) fn new(session: Arc<Session>) -> Arc<Self> {
        Arc::new(Self { session, originals: Mutex::default(), visited: Mutex::default() })
    }

    /// The objects that the operation's answers held, unchanged.
    pub(super) fn originals(&self) -> Vec<Value> {
        std::mem::take(&mut *self.originals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_new(&self, url: &Url) -> bool {
        let mut visited = self.visited.lock().unwrap_or_else(PoisonError::into_inner);
        visited.len() < PAGE_LIMIT && visited.insert(url.to_string())
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bridge")
    }
}

#[async_trait]
impl HttpClient for Bridge {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<Response> {
        let method = match request.method() {
            Method::Get => http::Method::GET,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
            other => return Err(carry(Error::Refused(format!("{other} is not a method of this client")))),
        };
        let body = match request.body() {
            Body::Bytes(bytes) if bytes.is_empty() => None,
            Body::Bytes(bytes) => Some(bytes.clone()),
            Body::SeekableStream(_) => return Err(carry(Error::Refused("a streamed body is not sent".to_owned()))),
        };
        let reads = method == http::Method::GET;
        let call = Call { api: Api::Arm, method, url: request.url().clone(), body, reads };
        if !self.is_new(&call.url) {
            let reason = "its pages lead in a circle, or there is no end to them".to_owned();
            return Err(carry(Error::Unreadable { what: call.what(), reason }));
        }
        let reply = self.session.send(&call).await.map_err(carry)?;
        let status = StatusCode::try_from(reply.status)
            .map_err(|_| carry(Error::Unreadable { what: call.what(), reason: format!("status {}", reply.status) }))?;
        let body = self.complete(&reply.body);
        let body = futures::stream::once(async move { Ok(body) });
        Ok(Response::new(status, Headers::new(), Box::pin(body)))
    }
}

impl Bridge {
    /// Fills in what the crate's types demand.
    fn complete(&self, body: &[u8]) -> Bytes {
        let Ok(mut json) = serde_json::from_slice::<Value>(body) else { return Bytes::copy_from_slice(body) };
        let mut originals = self.originals.lock().unwrap_or_else(PoisonError::into_inner);
        match json.get_mut("value") {
            Some(Value::Array(items)) => {
                for item in items {
                    originals.push(item.clone());
                    complete_object(item);
                }
            }
            Some(missing @ Value::Null) => *missing = Value::Array(Vec::new()),
            _ => {
                originals.push(json.clone());
                complete_object(&mut json);
            }
        }
        Bytes::from(json.to_string())
    }
}

/// An identity needs a `location`; a credential's `properties` need an issuer, a subject and audiences.
fn complete_object(item: &mut Value) {
    let Some(object) = item.as_object_mut() else { return };
    fill(object, "location", || Value::String(String::new()));
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        fill(properties, "issuer", || Value::String(String::new()));
        fill(properties, "subject", || Value::String(String::new()));
        fill(properties, "audiences", || Value::Array(Vec::new()));
    }
}

fn fill(object: &mut Map<String, Value>, name: &str, value: impl FnOnce() -> Value) {
    if object.get(name).is_none_or(Value::is_null) {
        object.insert(name.to_owned(), value());
    }
}

/// Puts our error into theirs.
fn carry(error: Error) -> azure_core::Error {
    azure_core::Error::new(ErrorKind::Other, error)
}

/// Takes our error out of theirs again.
pub(super) fn unwrap(error: azure_core::Error, what: &str) -> Error {
    error
        .into_downcast::<Error>()
        .unwrap_or_else(|error| Error::Unreadable { what: what.to_owned(), reason: error.to_string() })
}

/// What the crate is given in place of a login.
#[derive(Debug)]
pub(super) struct Placeholder;

#[async_trait]
impl TokenCredential for Placeholder {
    async fn get_token(&self, _scopes: &[&str]) -> azure_core::Result<AccessToken> {
        let expires = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
        Ok(AccessToken::new(Secret::new("placeholder"), expires))
    }

    async fn clear_cache(&self) -> azure_core::Result<()> {
        Ok(())
    }
}
