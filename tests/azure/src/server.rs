//! The listeners.

use crate::answer::Answer;
use crate::fault::Effect;
use crate::recorded::Recorded;
use crate::{Shared, arm, entra, graph, lock};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Tls {
    pub acceptor: TlsAcceptor,
    pub ca: CertificateDer<'static>,
    pub ca_pem: String,
}

impl Tls {
    /// An authority and a certificate for loopback.
    pub(crate) fn make() -> Result<Self> {
        let ca_key = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new(Vec::new())?;
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "kubectl-wi test authority");
        let ca = params.self_signed(&ca_key)?;
        let issuer = rcgen::Issuer::new(params, ca_key);
        let key = rcgen::KeyPair::generate()?;
        let names = ["127.0.0.1", "localhost", "::1"].map(str::to_owned);
        let certificate = rcgen::CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .context("the certificate for loopback")?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, ca: ca.der().clone(), ca_pem: ca.pem() })
    }
}

pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            match tls {
                None => talk(stream, "http", shared).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        talk(stream, "https", shared).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, scheme: &'static str, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { respond(request, scheme, &shared).await }
    });
    // An error is the client's hanging up, or a fault's.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Reply = Result<Response<Content>, std::io::Error>;

/// A body, whole or broken off behind what there is of it.
struct Content {
    rest: Option<Bytes>,
    breaks_off: bool,
}

impl Body for Content {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.rest.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None if self.breaks_off => Poll::Ready(Some(Err(std::io::Error::other("breaks off")))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(Bytes::is_empty) && !self.breaks_off
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Some(bytes) if !self.breaks_off => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

async fn respond(request: Request<Incoming>, scheme: &'static str, shared: &Shared) -> Reply {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let request = Recorded {
        method: parts.method.to_string(),
        host: format!("{scheme}://{}", header("host").unwrap_or_default()),
        path: parts.uri.path().to_owned(),
        query: query.into_owned().collect(),
        body: read_body(header("content-type").unwrap_or_default(), &bytes),
        headers,
    };
    lock(&shared.recorded).push(request.clone());
    let effect = {
        let mut faults = lock(&shared.faults);
        let mut hit = None;
        for fault in faults.iter_mut() {
            if hit.is_none() && fault.hits(&request) {
                hit = Some(fault.effect.clone());
            }
        }
        hit
    };
    let answer = match effect {
        Some(Effect::Answer(answer)) => answer,
        Some(Effect::HangUp) => return Err(std::io::Error::other("hangs up")),
        Some(Effect::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            route(&request, shared).await
        }
        Some(Effect::BreakOff) => {
            let mut answer = route(&request, shared).await;
            answer.body.truncate(answer.body.len() / 2);
            return build(&answer, true);
        }
        None => route(&request, shared).await,
    };
    build(&answer, false)
}

fn build(answer: &Answer, breaks_off: bool) -> Reply {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = Content { rest: Some(Bytes::from(answer.body.clone())), breaks_off };
    response.body(body).map_err(std::io::Error::other)
}

fn read_body(content_type: &str, bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    if content_type.starts_with("application/x-www-form-urlencoded") {
        let form = url::form_urlencoded::parse(bytes);
        return Value::Object(form.into_owned().map(|(key, value)| (key, Value::String(value))).collect());
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)))
}

async fn route(request: &Recorded, shared: &Shared) -> Answer {
    let path = request.path.to_lowercase();
    if path == "/metadata/endpoints" {
        return metadata(request);
    }
    if path.starts_with("/v1.0/") || path.starts_with("/beta/") {
        return graph::answer(request, shared);
    }
    if path.contains("/oauth2/") || path.contains("/.well-known/") || path.ends_with("/discovery/v2.0/keys") {
        return entra::answer(request, shared);
    }
    let answer = arm::answer(request, shared);
    if request.method != "GET" && request.method != "POST" {
        let latency = lock(&shared.tenant).write_latency;
        if latency > Duration::ZERO && answer.status < 300 {
            tokio::time::sleep(latency).await;
            arm::write_is_over(request, shared);
        }
    }
    answer
}

/// What every Resource Manager serves without a login.
fn metadata(request: &Recorded) -> Answer {
    let port = request.host.rsplit(':').next().unwrap_or_default();
    let scheme = request.host.split("://").next().unwrap_or_default();
    Answer::json(
        200,
        &json!({
            "name": "Emulator",
            "resourceManager": format!("{}/", request.host),
            "microsoftGraphResourceId": format!("{scheme}://localhost:{port}/"),
            "authentication": {"loginEndpoint": "https://login.microsoftonline.com", "audiences": [format!("{}/", request.host)], "tenant": "common", "identityProvider": "AAD"},
        }),
    )
}
