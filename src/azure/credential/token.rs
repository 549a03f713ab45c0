//! Access tokens, and the cache that keeps them for one run.

use super::super::error::{Error, NoLogin};
use super::{Credential, Wanted};
use crate::token::jwt::RawToken;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// A token that ends sooner than this is fetched anew, so that it does not end while a request is on its way.
const MARGIN: Duration = Duration::from_mins(1);

/// A bearer token and its end. No `Debug`.
pub struct AccessToken {
    secret: RawToken,
    expires: SystemTime,
}

impl AccessToken {
    /// Takes a token over.
    pub fn new(secret: RawToken, expires: SystemTime) -> Self {
        Self { secret, expires }
    }

    pub(crate) fn secret(&self) -> &RawToken {
        &self.secret
    }

    fn is_fresh(&self) -> bool {
        SystemTime::now() + MARGIN < self.expires
    }
}

/// The tokens of a run: one for each resource, fetched when first needed, again when it is about to end or was refused.
pub(crate) struct Tokens {
    ways: Vec<Box<dyn Credential>>,
    /// The way that worked first; later tokens come from the same login.
    chosen: OnceLock<usize>,
    tenant: Option<String>,
    // The lock is held while a token is fetched: twenty requests that start together start `az` once.
    cache: Mutex<HashMap<String, Arc<AccessToken>>>,
}

impl Tokens {
    /// Tries `ways` in order; `tenant` is `--tenant`.
    pub(crate) fn new(ways: Vec<Box<dyn Credential>>, tenant: Option<String>) -> Self {
        Self { ways, chosen: OnceLock::new(), tenant, cache: Mutex::new(HashMap::new()) }
    }

    /// The name of the login that is used, once one worked.
    pub(crate) fn credential(&self) -> Option<&'static str> {
        self.chosen.get().and_then(|&index| self.ways.get(index)).map(|way| way.name())
    }

    /// A token for the resource.
    ///
    /// # Errors
    /// [`Error::NoLogin`] with every way that was tried, [`Error::NoToken`] once one of them has worked.
    pub(crate) async fn get(&self, resource: &str) -> Result<Arc<AccessToken>, Error> {
        let mut cache = self.cache.lock().await;
        if let Some(token) = cache.get(resource).filter(|token| token.is_fresh()) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(self.fetch(Wanted { resource, tenant: self.tenant.as_deref() }).await?);
        cache.insert(resource.to_owned(), Arc::clone(&token));
        Ok(token)
    }

    /// Forgets a token that was refused, unless somebody has already replaced it.
    pub(crate) async fn forget(&self, resource: &str, refused: &Arc<AccessToken>) {
        let mut cache = self.cache.lock().await;
        if cache.get(resource).is_some_and(|token| Arc::ptr_eq(token, refused)) {
            cache.remove(resource);
        }
    }

    async fn fetch(&self, wanted: Wanted<'_>) -> Result<AccessToken, Error> {
        let mut tried = Vec::new();
        let mut next: Option<(bool, String)> = None;
        for (index, way) in self.ways.iter().enumerate() {
            if self.chosen.get().is_some_and(|&chosen| chosen != index) {
                continue;
            }
            match way.token(wanted).await {
                Ok(token) => {
                    let _ = self.chosen.set(index);
                    return Ok(token);
                }
                Err(error) if self.chosen.get().is_some() => {
                    return Err(Error::NoToken {
                        credential: way.name(),
                        resource: wanted.resource.to_owned(),
                        reason: error.reason,
                        next: error.next,
                    });
                }
                Err(error) => {
                    // What is set up and fails is what the user meant; else the first way's advice stands.
                    if next.as_ref().is_none_or(|(not_set_up, _)| *not_set_up && !error.not_set_up) {
                        next = Some((error.not_set_up, error.next));
                    }
                    tried.push((way.name().to_owned(), error.reason));
                }
            }
        }
        let next = next.map_or_else(|| "run \"az login\"".to_owned(), |(_, next)| next);
        Err(Error::NoLogin(NoLogin { tried, next }))
    }
}
