//! The client that every read and write goes through.

use super::answer::{self, Asked, describe_body, describe_json_error, one_line};
use super::config::Connection;
use super::config_error::ConfigError;
use super::environment::Environment;
use super::error::Error;
use super::operation::Operation;
use super::options::ConnectOptions;
use super::retry::{Again, Attempts, Fault};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy;
use kube::client::Body;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A connection to one API server, as one user. Cheap to clone; clones share their counts and warnings.
///
/// It needs a Tokio runtime, and opens no connection before the first request.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    kube: kube::Client,
    connection: Facts,
    requests: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    warnings: Mutex<Vec<String>>,
    clock: Mutex<Option<i64>>,
    observer: Option<Observer>,
}

/// What is left of the [`Connection`] once kube has its configuration.
struct Facts {
    server: String,
    proxy: Option<String>,
    context: Option<String>,
    user: Option<String>,
    namespace: String,
    notes: Vec<String>,
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
}

type Observer = Box<dyn Fn(&Exchange<'_>) + Send + Sync>;

/// One request that was sent, for `-v`. It holds no header and no body, so no credential.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// HTTP method.
    pub method: &'a Method,
    /// Path and query.
    pub path: &'a str,
    /// The answer's status; `None` where none came.
    pub status: Option<StatusCode>,
    /// From sending to the head of the answer.
    pub elapsed: Duration,
}

/// What has been asked of the API server so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Requests that were sent, repeated ones included.
    pub requests: u64,
    /// Of them, those that repeat another.
    pub retries: u64,
    /// Bytes of all answers' bodies, after decompression.
    pub bytes: u64,
}

/// One call: an operation and how it is put to the API server.
pub(super) struct Call<'a> {
    pub(super) operation: &'a Operation,
    pub(super) method: Method,
    /// Query pairs; encoded when it is sent.
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) accept: &'static str,
    /// Content type and body.
    pub(super) body: Option<(&'static str, Vec<u8>)>,
}

impl<'a> Call<'a> {
    /// A read in JSON.
    pub(super) fn get(operation: &'a Operation) -> Self {
        Self { operation, method: Method::GET, query: Vec::new(), accept: "application/json", body: None }
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    fn path_and_query(&self) -> String {
        if self.query.is_empty() {
            return self.operation.path().to_owned();
        }
        let mut query = form_urlencoded::Serializer::new(format!("{}?", self.operation.path()));
        query.extend_pairs(&self.query);
        query.finish()
    }
}

/// The end of a call's time.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    limit: Option<Duration>,
    at: Option<Instant>,
}

impl Deadline {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, at: limit.and_then(|limit| Instant::now().checked_add(limit)) }
    }

    pub(super) fn left(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The future's outcome, or the bound that it did not keep.
    async fn bound<F: Future>(&self, future: F) -> Result<F::Output, Duration> {
        match self.at {
            Some(at) => tokio::time::timeout_at(at, future).await.map_err(|_| self.limit.unwrap_or_default()),
            None => Ok(future.await),
        }
    }
}

impl Client {
    /// Finds the cluster as kubectl would, and prepares to talk to it.
    pub async fn connect(options: &ConnectOptions, environment: &Environment) -> Result<Self, Error> {
        let connection = Connection::resolve(options, environment).await?;
        Ok(Self::new(connection)?)
    }

    /// A client for a connection that has been decided.
    pub fn new(connection: Connection) -> Result<Self, ConfigError> {
        Self::with_observer(connection, None)
    }

    /// A client that tells about every request after it was answered, for `-v`.
    pub fn observed(
        connection: Connection,
        observer: impl Fn(&Exchange<'_>) + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        Self::with_observer(connection, Some(Box::new(observer)))
    }

    fn with_observer(connection: Connection, observer: Option<Observer>) -> Result<Self, ConfigError> {
        let proxy = connection.proxy();
        let kube = kube::Client::try_from(connection.config).map_err(|error| ConfigError::Transport {
            server: connection.server.clone(),
            reason: chain_of(&error).join(": "),
        })?;
        let connection = Facts {
            proxy,
            server: connection.server,
            context: connection.context,
            user: connection.user,
            namespace: connection.namespace,
            notes: connection.notes,
            read_limit: connection.request_timeout.for_reads(),
            write_limit: connection.request_timeout.for_writes(),
        };
        let (requests, retries, bytes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let inner = Inner {
            kube,
            connection,
            requests,
            retries,
            bytes,
            warnings: Mutex::default(),
            clock: Mutex::default(),
            observer,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The API server: scheme, host and port.
    pub fn server(&self) -> &str {
        &self.inner.connection.server
    }

    /// The context of the kubeconfig; `None` in a pod, or with `--server` alone.
    pub fn context(&self) -> Option<&str> {
        self.inner.connection.context.as_deref()
    }

    /// The namespace that is meant where none is named.
    pub fn namespace(&self) -> &str {
        &self.inner.connection.namespace
    }

    /// What a person should be told about the configuration, although it works.
    pub fn notes(&self) -> &[String] {
        &self.inner.connection.notes
    }

    /// What has been asked so far.
    pub fn stats(&self) -> Stats {
        Stats {
            requests: self.inner.requests.load(Ordering::Relaxed),
            retries: self.inner.retries.load(Ordering::Relaxed),
            bytes: self.inner.bytes.load(Ordering::Relaxed),
        }
    }

    /// The warnings of the API server since the last call of this function, each once (`Warning` headers, which
    /// kubectl prints).
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.inner.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// By how many seconds this machine's clock is ahead of the API server's (negative: behind), as its latest answer
    /// tells; `None` where it does not. Exact to a second and the time that the answer took.
    pub fn clock_ahead(&self) -> Option<i64> {
        *self.inner.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request that kube made: counted, but neither bounded nor repeated.
    pub(super) async fn send_raw(&self, request: Request<Body>) -> Result<Response<Body>, kube::Error> {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let started = Instant::now();
        let sent = self.inner.kube.send(request).await;
        let status = sent.as_ref().ok().map(Response::status);
        self.note_exchange(&Exchange { method: &method, path: &path, status, elapsed: started.elapsed() });
        if let Ok(response) = &sent {
            self.note_warnings(response.headers());
        }
        sent
    }

    /// The time that a call may take.
    pub(super) fn deadline(&self, call: &Call<'_>) -> Deadline {
        let facts = &self.inner.connection;
        Deadline::new(if call.is_read() { facts.read_limit } else { facts.write_limit })
    }

    /// The whole answer to a call, read as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Error> {
        let body = self.bytes(call).await?;
        serde_json::from_slice(&body).map_err(|error| self.unreadable(call.operation, &body, &error))
    }

    /// The whole answer to a call. Reads are repeated as [`super::retry`] tells.
    pub(super) async fn bytes(&self, call: &Call<'_>) -> Result<Vec<u8>, Error> {
        let deadline = self.deadline(call);
        let mut attempts = Attempts::new(call.is_read());
        loop {
            let fault = match self.attempt(call, &deadline).await {
                Ok(body) => return Ok(body),
                Err(fault) => fault,
            };
            self.pause(&mut attempts, fault, &deadline).await?;
        }
    }

    async fn attempt(&self, call: &Call<'_>, deadline: &Deadline) -> Result<Vec<u8>, Fault> {
        let mut body = self.open(call, deadline).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(&mut body, call.operation, deadline).await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// Waits until the call may be repeated, or gives the fault back where it may not.
    pub(super) async fn pause(&self, attempts: &mut Attempts, fault: Fault, deadline: &Deadline) -> Result<(), Error> {
        let Some(delay) = attempts.next(fault.again, deadline.left()) else { return Err(*fault.error) };
        self.inner.retries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(delay).await;
        Ok(())
    }

    /// Sends a call once and returns the body of a successful answer, unread.
    pub(super) async fn open(&self, call: &Call<'_>, deadline: &Deadline) -> Result<Body, Fault> {
        let path = call.path_and_query();
        let request = request(call, &path)?;
        let started = Instant::now();
        let sent = deadline.bound(self.inner.kube.send(request)).await;
        let status = sent.as_ref().ok().and_then(|sent| sent.as_ref().ok()).map(Response::status);
        self.note_exchange(&Exchange { method: &call.method, path: &path, status, elapsed: started.elapsed() });
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.broken(&error)),
            Err(after) => return Err(self.too_late(call.operation, after)),
        };
        self.note_warnings(response.headers());
        self.note_clock(response.headers());
        let (head, mut body) = response.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let refusal = self.read_refusal(&mut body, call.operation, deadline).await?;
        let facts = &self.inner.connection;
        let asked = Asked {
            operation: call.operation,
            server: &facts.server,
            user: facts.user.as_deref(),
            is_write: !call.is_read(),
        };
        let error = Box::new(answer::error_of(head.status, &refusal, &asked));
        let again = Again::of_answer(head.status, &head.headers, jiff::Timestamp::now());
        let fresh_continue = answer::Status::fresh_continue(&refusal);
        Err(Fault { error, again, fresh_continue })
    }

    /// The next piece of a body, `None` at its end.
    pub(super) async fn piece(
        &self,
        body: &mut Body,
        operation: &Operation,
        deadline: &Deadline,
    ) -> Result<Option<impl std::ops::Deref<Target = [u8]> + use<>>, Fault> {
        loop {
            match deadline.bound(body.frame()).await {
                Err(after) => return Err(self.too_late(operation, after)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(self.broken(&error)),
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.inner.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
                    return Ok(Some(data));
                }
            }
        }
    }

    /// The body of a refusal; no more of it than an API server's message needs.
    async fn read_refusal(
        &self,
        body: &mut Body,
        operation: &Operation,
        deadline: &Deadline,
    ) -> Result<Vec<u8>, Fault> {
        const LIMIT: usize = 1 << 20;
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(body, operation, deadline).await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > LIMIT {
                bytes.truncate(LIMIT);
                break;
            }
        }
        Ok(bytes)
    }

    fn note_exchange(&self, exchange: &Exchange<'_>) {
        self.inner.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(observer) = &self.inner.observer {
            observer(exchange);
        }
    }

    fn note_warnings(&self, headers: &HeaderMap) {
        for text in headers.get_all(http::header::WARNING).iter().filter_map(|value| warning_text(value.to_str().ok()?))
        {
            let mut warnings = self.inner.warnings.lock().unwrap_or_else(PoisonError::into_inner);
            if !warnings.contains(&text) {
                warnings.push(text);
            }
        }
    }

    /// Go's HTTP server dates every answer.
    fn note_clock(&self, headers: &HeaderMap) {
        let date = headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
            let ahead = jiff::Timestamp::now().as_second() - date.timestamp().as_second();
            *self.inner.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
    }

    fn too_late(&self, operation: &Operation, after: Duration) -> Fault {
        let server = self.server().to_owned();
        Fault::final_of(Error::Timeout { operation: operation.clone(), server, after })
    }

    /// A connection that did not come about, or broke.
    pub(super) fn broken(&self, error: &kube::Error) -> Fault {
        let chain = chain_of(error);
        let not_connected = match error {
            kube::Error::Service(inner) => inner.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect),
            _ => false,
        };
        let again = if chain.iter().any(|message| message.to_lowercase().contains("certificate")) {
            Again::No
        } else if not_connected {
            Again::Once
        } else {
            Again::After(None)
        };
        let error =
            Error::Unreachable { server: self.server().to_owned(), chain, proxy: self.inner.connection.proxy.clone() };
        Fault { error: Box::new(error), again, fresh_continue: None }
    }

    /// An answer that was expected to be JSON of some kind and is not.
    pub(super) fn unreadable(&self, operation: &Operation, body: &[u8], error: &serde_json::Error) -> Error {
        let reason =
            if body.trim_ascii_start().starts_with(b"{") { describe_json_error(error) } else { describe_body(body) };
        Error::Malformed { operation: operation.clone(), server: self.server().to_owned(), reason }
    }
}

fn request(call: &Call<'_>, path: &str) -> Result<Request<Body>, Fault> {
    let mut builder =
        Request::builder().method(call.method.clone()).uri(path).header(http::header::ACCEPT, call.accept);
    let body = match &call.body {
        Some((content_type, body)) => {
            builder = builder.header(http::header::CONTENT_TYPE, *content_type);
            Body::from(body.clone())
        }
        None => Body::empty(),
    };
    builder.body(body).map_err(|error| {
        let (operation, message) = (call.operation.clone(), error.to_string());
        Fault::final_of(Error::Invalid { operation, message })
    })
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("server", &self.server()).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// What each layer of an error said, outermost first, without repetitions and without the layers' own names.
pub(super) fn chain_of(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut chain: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next.filter(|_| chain.len() < 8) {
        let message = one_line(&error.to_string());
        let is_wrapper = error.is::<kube::Error>() || message.starts_with("client error (");
        if !is_wrapper && !message.is_empty() && !chain.iter().any(|said| said.contains(&message)) {
            // A layer that repeats what is below it says nothing new itself.
            chain.retain(|said| !message.contains(said.as_str()));
            chain.push(message);
        }
        next = error.source();
    }
    if chain.is_empty() {
        chain.push(one_line(&error.to_string()));
    }
    chain
}

/// The text of a `Warning` header: `299 - "text"`, as the API server writes it.
fn warning_text(value: &str) -> Option<String> {
    let quoted = value.split_once('"')?.1;
    let mut text = String::new();
    let mut escaped = false;
    for c in quoted.chars() {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some(one_line(&text)),
            _ => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::warning_text;

    #[test]
    fn warnings_are_read_as_the_api_server_writes_them() {
        let deprecated = r#"299 - "v1 Endpoints is deprecated in v1.33+; use \"EndpointSlice\"""#;
        assert_eq!(
            warning_text(deprecated).as_deref(),
            Some("v1 Endpoints is deprecated in v1.33+; use \"EndpointSlice\"")
        );
        assert_eq!(warning_text("299 - nothing"), None);
        assert_eq!(warning_text("299 - \"unfinished"), None);
    }
}
