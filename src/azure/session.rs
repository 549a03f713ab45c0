//! One login, its endpoints, and how a request is sent: with a token, again where that helps, never for ever.

use super::credential::{AccessToken, Tokens};
use super::error::Error;
use super::error_body;
use super::transport::{Reply, Request, Transport, origin};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use url::Url;
use zeroize::Zeroizing;

/// How many requests are under way at the same time. Resource providers throttle by the second.
const AT_ONCE: usize = 8;

/// How often a read is tried in all.
const ATTEMPTS: u32 = 4;

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Which of Azure's APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Arm,
    Graph,
}

/// Where the APIs are, and what their tokens are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub arm: Url,
    pub arm_resource: String,
    /// `None`: this Azure has no Graph that is known.
    pub graph: Option<Url>,
    pub graph_resource: String,
}

impl Endpoints {
    pub(crate) fn base(&self, api: Api) -> Result<&Url, Error> {
        match api {
            Api::Arm => Ok(&self.arm),
            Api::Graph => self
                .graph
                .as_ref()
                .ok_or_else(|| Error::Refused("the endpoint names no Microsoft Graph, so it is not asked".to_owned())),
        }
    }

    fn resource(&self, api: Api) -> &str {
        match api {
            Api::Arm => &self.arm_resource,
            Api::Graph => &self.graph_resource,
        }
    }
}

/// A request to one of the APIs, without its token.
pub(crate) struct Call {
    pub api: Api,
    pub method: Method,
    pub url: Url,
    pub body: Option<Bytes>,
    /// Whether it only reads; a write is not repeated after a failure whose effect nobody knows.
    pub reads: bool,
}

impl Call {
    /// Method and path, without the query: what an error message says.
    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.method, self.url.path())
    }
}

/// A login with everything that a request needs.
pub(crate) struct Session {
    pub transport: Transport,
    pub endpoints: Endpoints,
    pub tokens: Tokens,
    /// The longest pause that Azure can ask for; a longer one is reported instead of waited for.
    pub longest_wait: Duration,
    gate: Semaphore,
}

impl Session {
    pub(crate) fn new(transport: Transport, endpoints: Endpoints, tokens: Tokens, longest_wait: Duration) -> Self {
        Self { transport, endpoints, tokens, longest_wait, gate: Semaphore::new(AT_ONCE) }
    }

    /// Sends a call and returns the successful answer.
    ///
    /// A refused token is fetched anew once. Reads are repeated after 408, 429, 5xx and broken connections, writes
    /// after 429 only, with pauses that honour what Azure asks for.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, Error> {
        self.check_host(call)?;
        let resource = self.endpoints.resource(call.api);
        let mut renewed = false;
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let token = self.tokens.get(resource).await?;
            let outcome = {
                let _permit = self.gate.acquire().await;
                self.transport.send(request(call, &token)?).await
            };
            let error = match outcome {
                Ok(reply) if reply.is_success() => return Ok(reply),
                Ok(reply) if reply.status == 401 && !renewed => {
                    renewed = true;
                    self.tokens.forget(resource, &token).await;
                    continue;
                }
                Ok(reply) => error_body::read(&call.what(), reply.status, &reply.headers, &reply.body),
                Err(error) => error,
            };
            let wait = error.api().and_then(|error| error.retry_after).unwrap_or_default().max(pause);
            if attempt >= ATTEMPTS || !may_repeat(call, &error) || wait > self.longest_wait {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
            pause *= 2;
        }
    }

    /// The token belongs to one host: an address in an answer (`nextLink`) that leads elsewhere is not followed.
    fn check_host(&self, call: &Call) -> Result<(), Error> {
        let base = self.endpoints.base(call.api)?;
        if call.url.origin() == base.origin() && call.url.username().is_empty() && call.url.password().is_none() {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "an answer of {} leads to {}: the token is not sent there",
            origin(base),
            origin(&call.url)
        )))
    }
}

fn may_repeat(call: &Call, error: &Error) -> bool {
    match error {
        Error::Api(error) if error.status == 429 => true,
        Error::Api(error) => call.reads && matches!(error.status, 408 | 500 | 502 | 503 | 504),
        // The time limit is the caller's patience: it is not spent four times.
        Error::Unreachable { timed_out, .. } => call.reads && !timed_out,
        _ => false,
    }
}

fn request(call: &Call, token: &Arc<AccessToken>) -> Result<Request, Error> {
    let mut headers = HeaderMap::new();
    let bearer = Bytes::from_owner(Zeroizing::new(format!("Bearer {}", token.secret().expose()).into_bytes()));
    let mut bearer = HeaderValue::from_maybe_shared(bearer)
        .map_err(|_| Error::Refused("the login gave a token that cannot stand in a header".to_owned()))?;
    bearer.set_sensitive(true);
    headers.insert(http::header::AUTHORIZATION, bearer);
    if call.body.is_some() {
        // Resource Graph answers 500 to any other type.
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(Request {
        method: call.method.clone(),
        url: call.url.clone(),
        headers,
        body: call.body.clone().unwrap_or_default(),
    })
}
