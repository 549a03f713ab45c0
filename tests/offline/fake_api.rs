//! An API server that answers what the test says, over real sockets.

use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper_util::rt::TokioIo;
use kubectl_wi::cluster::{Client, ConnectOptions, Connection, Environment, RequestTimeout};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// A query parameter, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What to answer.
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    end: End,
}

enum End {
    Whole,
    /// The connection breaks after the body so far; the length that was announced is longer.
    Cut,
    /// The rest of the body never comes.
    Stall,
    /// Not even the head comes.
    Hang,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    pub(crate) fn text(status: u16, content_type: &str, body: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: vec![("content-type", content_type.to_owned())],
            body: body.as_bytes().to_vec(),
            end: End::Whole,
        }
    }

    /// A `metav1.Status`.
    pub(crate) fn status(code: u16, reason: &str, message: &str) -> Self {
        let kind = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "reason": reason, "message": message, "code": code,
        });
        Self::json(code, &kind)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Only the first half of the body comes, then the connection breaks.
    pub(crate) fn cut(mut self) -> Self {
        self.body.truncate(self.body.len() / 2);
        self.end = End::Cut;
        self
    }

    /// Only the first half of the body comes, then nothing.
    pub(crate) fn stalled(mut self) -> Self {
        self.body.truncate(self.body.len() / 2);
        self.end = End::Stall;
        self
    }

    pub(crate) fn hang() -> Self {
        Self { end: End::Hang, ..Self::text(200, "text/plain", "") }
    }

    async fn into_response(self) -> Response<BoxBody<Bytes, std::io::Error>> {
        if matches!(self.end, End::Hang) {
            std::future::pending::<()>().await;
        }
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        let first = futures::stream::iter([Ok(Frame::data(Bytes::from(self.body.clone())))]);
        let body = match self.end {
            End::Whole | End::Hang => {
                Full::new(Bytes::from(self.body)).map_err(|never: Infallible| match never {}).boxed()
            }
            End::Cut => {
                // The pause lets the first half out before the connection is torn down.
                let broken = futures::stream::once(async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err(std::io::Error::other("cut"))
                });
                BodyExt::boxed(StreamBody::new(futures::StreamExt::chain(first, broken)))
            }
            End::Stall => BodyExt::boxed(StreamBody::new(futures::StreamExt::chain(first, futures::stream::pending()))),
        };
        response.body(body).unwrap()
    }
}

type Handler = Arc<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

/// The server; it ends with the test's runtime.
pub(crate) struct FakeApi {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FakeApi {
    /// Answers each request with what the function says; it gets the request and how many came before it.
    pub(crate) async fn start(handler: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Arc::new(handler), None).await
    }

    /// The same over TLS.
    pub(crate) async fn start_tls(
        tls: tokio_rustls::rustls::ServerConfig,
        handler: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Arc::new(handler), Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    /// Answers the first requests in turn, and every later one like the last.
    pub(crate) async fn in_turn(replies: Vec<fn() -> Reply>) -> Self {
        Self::start(move |_, nth| replies[nth.min(replies.len() - 1)]()).await
    }

    async fn listen(handler: Handler, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let all = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, all, tls) = (Arc::clone(&handler), Arc::clone(&all), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        // A client that does not trust us ends the handshake; its error is what the test looks at.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(TokioIo::new(stream), handler, all).await;
                            }
                        }
                        None => serve(TokioIo::new(stream), handler, all).await,
                    }
                });
            }
        });
        Self { address, scheme, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// `--server URL` and nothing else.
    pub(crate) fn options(&self) -> ConnectOptions {
        ConnectOptions { server: Some(self.url()), ..ConnectOptions::default() }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.options(), &Environment::empty()).await.unwrap()
    }

    /// A client whose calls end after that many milliseconds.
    pub(crate) async fn client_within(&self, milliseconds: u64) -> Client {
        let request_timeout = RequestTimeout::After(Duration::from_millis(milliseconds));
        let options = ConnectOptions { request_timeout, ..self.options() };
        Client::new(Connection::resolve(&options, &Environment::empty()).await.unwrap()).unwrap()
    }
}

async fn serve<I>(io: I, handler: Handler, all: Arc<Mutex<Vec<Seen>>>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (handler, all) = (Arc::clone(&handler), Arc::clone(&all));
        async move {
            let (head, body) = request.into_parts();
            let seen = Seen {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default(),
            };
            let reply = {
                let mut all = all.lock().unwrap();
                all.push(seen.clone());
                handler(&seen, all.len() - 1)
            };
            Ok::<_, Infallible>(reply.into_response().await)
        }
    });
    // A client that goes away is no failure of the server.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

/// A list as the API server writes it.
pub(crate) fn list(kind: &str, names: &[&str], continue_token: Option<&str>) -> serde_json::Value {
    let items: Vec<_> =
        names.iter().map(|name| serde_json::json!({ "metadata": { "namespace": "ns", "name": name } })).collect();
    serde_json::json!({
        "kind": kind, "apiVersion": "v1",
        "metadata": { "resourceVersion": "42", "continue": continue_token.unwrap_or_default() },
        "items": items,
    })
}

/// The name of an object, which is all that these tests read of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Named {
    pub(crate) metadata: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Name {
    pub(crate) name: String,
}
