//! Exchanges a service account's token for an access token: the proof that the whole chain works.
//!
//! The token goes to the authority host over TLS and nowhere else. Of the access token that comes back only the
//! claims that say who it is are read; then it is wiped.

use super::authority::{Authority, TokenFailure, TokenRefusal, request_token};
use super::credential::scope;
use super::error::Error;
use super::transport::Transport;
use crate::token::jwt::{EntraClaims, Jwt, RawToken};
use std::time::{Duration, Instant};

/// What is sent.
#[derive(Clone, Copy)]
pub struct ExchangeRequest<'a> {
    /// Where to: [`Authority::known`] for what a pod or a cluster names, [`Authority::given`] for what the user named.
    pub authority: &'a Authority,
    /// The tenant, a GUID or a domain name.
    pub tenant: &'a str,
    /// The client id. It is sent as it is, also where it is none: Entra's answer to it is what an application gets.
    pub client_id: &'a str,
    /// The resource, with or without `/.default`.
    pub resource: &'a str,
    /// The service account's token.
    pub assertion: &'a RawToken,
}

/// An exchange that Entra granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// From sending to the whole answer, connecting included.
    pub latency: Duration,
    /// How long the access token lives.
    pub expires_in: Duration,
    /// Who it is; `None` where the access token is not one that can be read (some resources encrypt theirs).
    pub identity: Option<EntraClaims>,
}

/// An exchange that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Entra said no.
    Entra {
        /// Its answer.
        error: Box<TokenRefusal>,
        /// From sending to the whole answer.
        latency: Duration,
    },
    /// No answer of Entra came.
    NoAnswer(Error),
}

/// Several exchanges after each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// The ones that were granted, in order.
    pub granted: Vec<Exchanged>,
    /// The ones that were not.
    pub rejected: Vec<Rejection>,
}

impl Exchange {
    /// Smallest, median and largest latency of the answers, granted or not.
    pub fn latency(&self) -> Option<(Duration, Duration, Duration)> {
        let rejected = self.rejected.iter().filter_map(|rejection| match rejection {
            Rejection::Entra { latency, .. } => Some(*latency),
            Rejection::NoAnswer(_) => None,
        });
        let mut all: Vec<Duration> = self.granted.iter().map(|granted| granted.latency).chain(rejected).collect();
        all.sort_unstable();
        Some((*all.first()?, *all.get(all.len() / 2)?, *all.last()?))
    }

    /// The AADSTS codes with how often each came and its first answer, the most frequent first. Answers without a
    /// code count as 0.
    pub fn codes(&self) -> Vec<(u32, usize, &TokenRefusal)> {
        let mut codes: Vec<(u32, usize, &TokenRefusal)> = Vec::new();
        for rejection in &self.rejected {
            if let Rejection::Entra { error, .. } = rejection {
                let code = error.code().unwrap_or_default();
                match codes.iter_mut().find(|(known, ..)| *known == code) {
                    Some((_, count, _)) => *count += 1,
                    None => codes.push((code, 1, error)),
                }
            }
        }
        codes.sort_by_key(|(code, count, _)| (std::cmp::Reverse(*count), *code));
        codes
    }
}

/// Exchanges a token once.
///
/// # Errors
/// What Entra said, or why it said nothing.
pub async fn exchange(transport: &Transport, request: &ExchangeRequest<'_>) -> Result<Exchanged, Rejection> {
    let endpoint = request.authority.token_endpoint(request.tenant).map_err(Rejection::NoAnswer)?;
    let scope = scope(request.resource);
    let form = [
        ("scope", scope.as_str()),
        ("client_id", request.client_id),
        ("client_assertion_type", super::credential::ASSERTION_TYPE),
        ("client_assertion", request.assertion.expose()),
        ("grant_type", "client_credentials"),
    ];
    let start = Instant::now();
    match request_token(transport, &endpoint, &form).await {
        Ok(granted) => Ok(Exchanged {
            latency: start.elapsed(),
            expires_in: granted.expires_in,
            // Header and claims are read, and of these only who it is; then the token is wiped.
            identity: Jwt::parse(&granted.token).ok().map(|token| token.claims.entra),
        }),
        Err(TokenFailure::Rejected(error)) => Err(Rejection::Entra { error, latency: start.elapsed() }),
        Err(TokenFailure::NoAnswer(error)) => Err(Rejection::NoAnswer(error)),
    }
}

/// Exchanges a token several times, one after the other: Entra rejects a few percent of good ones, so one rejection
/// proves little.
pub async fn sample(transport: &Transport, request: &ExchangeRequest<'_>, samples: usize, pause: Duration) -> Exchange {
    let mut result = Exchange::default();
    for number in 0..samples {
        if number > 0 {
            tokio::time::sleep(pause).await;
        }
        match exchange(transport, request).await {
            Ok(granted) => result.granted.push(granted),
            Err(rejection) => result.rejected.push(rejection),
        }
    }
    result
}
