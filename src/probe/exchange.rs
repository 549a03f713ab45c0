//! The exchange of the token for an access token, as often as was asked for.

use super::facts::{ExchangeError, ExchangedIdentity, Latency, ProbedExchange, Unanswered};
use super::reader::first_line;
use crate::azure::{Authority, CloudName, Exchange, ExchangeRequest, Rejection, Service, Transport, sample};
use crate::token::jwt::RawToken;
use std::time::Duration;

/// Between two exchanges.
const PAUSE: Duration = Duration::from_secs(1);

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How often.
    pub samples: usize,
    /// `--authority-host`, which alone may be none of Microsoft's.
    pub authority: Option<Authority>,
    /// The resource.
    pub resource: Resource,
    /// `--tenant`
    pub tenant: Option<String>,
}

/// What the access token is to be for.
#[derive(Debug, Clone)]
pub enum Resource {
    /// `--resource`
    Uri(String),
    /// `--for`; the authority's cloud says which URI that is.
    Of(Service),
}

/// Who exchanges.
#[derive(Debug, Clone, Copy, Default)]
pub struct Who<'a> {
    /// `AZURE_AUTHORITY_HOST` of the container.
    pub authority: Option<&'a str>,
    /// The tenant.
    pub tenant: Option<&'a str>,
    /// The client id.
    pub client_id: Option<&'a str>,
}

impl Wanted {
    /// The authority host that a container's token goes to, or why it goes nowhere.
    pub fn authority(&self, of_container: Option<&str>) -> Result<Authority, String> {
        match (&self.authority, of_container) {
            (Some(authority), _) => Ok(authority.clone()),
            (None, Some(host)) => Authority::known(host).map_err(|error| error.to_string()),
            (None, None) => Ok(Authority::of_cloud(CloudName::Public)),
        }
    }
}

/// Exchanges the token. Where something that has to be sent is not known, nothing is sent.
pub async fn run(transport: &Transport, wanted: &Wanted, who: &Who<'_>, token: &RawToken) -> ProbedExchange {
    let mut seen = ProbedExchange { samples: wanted.samples, ..ProbedExchange::default() };
    let authority = match wanted.authority(who.authority) {
        Ok(authority) => authority,
        Err(why) => return ProbedExchange { not_sent: Some(why), ..seen },
    };
    seen.authority = authority.to_string();
    let cloud = CloudName::of_authority(&seen.authority).unwrap_or_default().cloud();
    seen.resource = match &wanted.resource {
        Resource::Uri(uri) => uri.clone(),
        Resource::Of(service) => cloud.resource(*service).to_owned(),
    };
    seen.tenant = wanted.tenant.as_deref().or(who.tenant).unwrap_or_default().to_owned();
    seen.client_id = who.client_id.unwrap_or_default().to_owned();
    if seen.tenant.is_empty() {
        let why = "the tenant is not known: the container has no AZURE_TENANT_ID; --tenant gives it";
        return ProbedExchange { not_sent: Some(why.to_owned()), ..seen };
    }
    let request = ExchangeRequest {
        authority: &authority,
        tenant: &seen.tenant,
        client_id: &seen.client_id,
        resource: &seen.resource,
        assertion: token,
    };
    let result = sample(transport, &request, wanted.samples, PAUSE).await;
    note(&mut seen, &result);
    seen
}

fn note(seen: &mut ProbedExchange, result: &Exchange) {
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    seen.succeeded = result.granted.len();
    seen.latency_ms = result.latency().map(|(min, median, max)| Latency {
        min: milliseconds(min),
        median: milliseconds(median),
        max: milliseconds(max),
    });
    seen.errors = result
        .codes()
        .into_iter()
        .map(|(aadsts, count, error)| ExchangeError {
            aadsts,
            count,
            message: first_line(&error.message),
            correlation_id: error.entra.as_ref().and_then(|entra| entra.correlation_id.clone()),
            trace_id: error.entra.as_ref().and_then(|entra| entra.trace_id.clone()),
        })
        .collect();
    for rejection in &result.rejected {
        if let Rejection::NoAnswer(error) = rejection {
            let why = first_line(&error.to_string());
            match seen.unanswered.iter_mut().find(|known| known.why == why) {
                Some(known) => known.count += 1,
                None => seen.unanswered.push(Unanswered { why, count: 1 }),
            }
        }
    }
    seen.identity =
        result.granted.iter().find_map(|granted| granted.identity.as_ref()).map(|identity| ExchangedIdentity {
            oid: identity.object_id.clone(),
            appid: identity.client_id.clone(),
            tid: identity.tenant_id.clone(),
        });
}
