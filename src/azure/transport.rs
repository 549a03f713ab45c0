//! The one HTTP client of the Azure side.
//!
//! hyper with rustls and ring, the system's roots, a time limit for each request, and a proxy as the environment says.
//! Nothing is logged: neither headers nor bodies, which carry tokens. A request goes over TLS, or in clear text to the
//! own machine only.

use super::error::Error;
use super::proxy::Proxies;
use crate::azure::foreign::presentable;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::CertificateDer;
use std::error::Error as StdError;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower::Service;
use url::{Host, Url};
use zeroize::Zeroizing;

/// The largest answer that is read: ARM's pages stay far below.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// How requests travel.
#[derive(Clone)]
pub struct Transport {
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
    timeout: Duration,
}

/// A request. It has no `Debug`: its headers and its body may hold a token.
pub(crate) struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An answer. It has no `Debug`, and its body is wiped: the token endpoint's holds a token.
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Zeroizing<Vec<u8>>,
}

impl Transport {
    /// Makes the client; nothing is sent.
    ///
    /// `extra_roots` are trusted besides the system's (`SSL_CERT_FILE` and `SSL_CERT_DIR` on Linux).
    ///
    /// # Errors
    /// No root certificate at all, or one of the extra ones is malformed.
    pub fn new(timeout: Duration, proxies: Proxies, extra_roots: Vec<CertificateDer<'static>>) -> Result<Self, Error> {
        let tls = |error: &dyn std::fmt::Display| Error::Refused(format!("TLS cannot be set up: {error}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(extra_roots, Arc::clone(&provider))
            .map_err(|error| tls(&error))?;
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls(&error))?
            // The platform's own verifier; "dangerous" is rustls' word for any verifier that is not its own.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let config = Arc::new(config);
        let hop = HttpsConnector::from((tcp, Arc::clone(&config)));
        let connector = HttpsConnector::from((Connector { hop, proxies: Arc::new(proxies) }, config));
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(connector);
        Ok(Self { client, timeout })
    }

    /// The time that one request may take, connecting included.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Reads a public document: no credential is sent.
    ///
    /// # Errors
    /// No answer, an answer that is no success, or an address that is not asked.
    pub async fn fetch(&self, url: &str) -> Result<Vec<u8>, Error> {
        let missing = |what| Error::Unreadable { what, reason: "it has no such document".to_owned() };
        self.fetch_if_there(url)
            .await?
            .ok_or_else(|| missing(Url::parse(url).map(|url| host_of(&url)).unwrap_or_default()))
    }

    /// The same; `None` where the server answers that it has no such document, or does not give it out.
    ///
    /// # Errors
    /// No answer, an answer that is neither, or an address that is not asked.
    pub async fn fetch_if_there(&self, url: &str) -> Result<Option<Vec<u8>>, Error> {
        let url = Url::parse(url).map_err(|_| Error::Refused("an address that is no URL is not asked".to_owned()))?;
        let what = host_of(&url);
        let request = Request { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() };
        let reply = self.send(request).await?;
        match reply.status {
            200..300 => Ok(Some(reply.body.to_vec())),
            // A storage account answers 409 where anonymous reading is switched off.
            401 | 403 | 404 | 409 | 410 => Ok(None),
            status => Err(Error::Unreadable { what, reason: format!("it answered with status {status}") }),
        }
    }

    /// Sends one request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Reply, Error> {
        let host = host_of(&request.url);
        check_target(&request.url)?;
        let unreachable = |reason: String, timed_out| Error::Unreachable { host: host.clone(), reason, timed_out };
        let mut builder = http::Request::builder().method(request.method).uri(request.url.as_str());
        if let Some(headers) = builder.headers_mut() {
            *headers = request.headers;
            headers.insert(http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
            headers.entry(http::header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        }
        let request = builder
            .body(Full::new(request.body))
            .map_err(|error| Error::Refused(format!("the request to {host} cannot be written: {error}")))?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| unreachable(reason(&error), false))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, BODY_LIMIT)
                .collect()
                .await
                .map_err(|error| unreachable(format!("the answer broke off: {}", reason(error.as_ref())), false))?;
            Ok(Reply {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: Zeroizing::new(body.to_bytes().into()),
            })
        };
        tokio::time::timeout(self.timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(unreachable(format!("no answer within {} s", self.timeout.as_secs_f32()), true)))
    }
}

/// Names the program and its version, as Azure's support asks for; nothing about the machine.
const USER_AGENT: &str = concat!("kubectl-wi/", env!("CARGO_PKG_VERSION"));

impl Reply {
    /// Whether the status is a success.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Reads the body as JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Unreadable {
            what: what.to_owned(),
            reason: format!("the answer is not the JSON that was expected ({error})"),
        })
    }
}

/// A token travels over TLS, or stays on this machine (the emulator of the tests).
pub(crate) fn check_target(url: &Url) -> Result<(), Error> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => {
            Err(Error::Refused(format!("{} is not asked: only https:// is, and http:// on this machine", origin(url))))
        }
    }
}

/// Whether the host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Scheme, host and port, without anything that could be a secret.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// The innermost cause: hyper's own text is "client error (Connect)".
fn reason(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = presentable(&innermost.to_string());
    if text.contains("certificate") {
        // A proxy that looks into TLS signs with an authority of its own.
        return format!("{text} (if a proxy looks into TLS here, let the system trust its authority)");
    }
    text
}

type BoxError = Box<dyn StdError + Send + Sync>;

/// Opens a connection: straight, through an HTTP proxy's tunnel, or through a SOCKS proxy. TLS to the target comes on
/// top of it.
#[derive(Clone)]
struct Connector {
    /// The first hop: in clear text to the target or a proxy, over TLS to a proxy with https://.
    hop: HttpsConnector<HttpConnector>,
    proxies: Arc<Proxies>,
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Stream, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.hop.poll_ready(context)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let mut hop = self.hop.clone();
        let proxy = self.proxies.of_target(&target);
        Box::pin(async move {
            let Some(proxy) = proxy? else { return hop.call(plain(&target)?).await };
            if proxy.uri.scheme_str() == Some("socks5") {
                return SocksV5::new(plain(&proxy.uri)?, hop).call(target).await.map_err(Into::into);
            }
            let mut tunnel = Tunnel::new(proxy.uri, hop);
            if let Some(authorization) = proxy.authorization {
                tunnel = tunnel.with_auth(authorization);
            }
            tunnel.call(target).await.map_err(Into::into)
        })
    }
}

/// Host and port of a URL with http://, so that the first hop adds no TLS of its own.
fn plain(target: &Uri) -> Result<Uri, http::Error> {
    let host = target.host().unwrap_or_default();
    let port = target.port_u16().unwrap_or(match target.scheme_str() {
        Some("https") => 443,
        Some("socks5") => 1080,
        _ => 80,
    });
    Uri::builder().scheme("http").authority(format!("{host}:{port}")).path_and_query("/").build()
}
