//! HTTP: the reviews over TLS, health and metrics in the clear.

use std::{convert::Infallible, future::Future, net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        version::TLS13,
    },
};

use crate::{admission::Admission, deviation::Deviation, log};

/// Larger than any object that the API server stores (1.5 MiB) in a review that holds it once.
const LARGEST_REVIEW: usize = 8 << 20;

type Answer = Response<Full<Bytes>>;

/// Reads tls.crt and tls.key. Like the real webhook, the server speaks TLS 1.3 only.
pub(crate) fn acceptor(folder: &Path) -> Result<TlsAcceptor> {
    let certificate = folder.join("tls.crt");
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read {}", certificate.display()))?;
    let key = folder.join("tls.key");
    let key = PrivateKeyDer::from_pem_file(&key).with_context(|| format!("cannot read {}", key.display()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Answers admission reviews.
pub(crate) async fn reviews(address: SocketAddr, tls: TlsAcceptor, admission: Arc<Admission>) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        let (tls, admission) = (tls.clone(), Arc::clone(&admission));
        tokio::spawn(async move {
            match tls.accept(connection).await {
                Ok(connection) => serve(connection, move |request| review(request, Arc::clone(&admission))).await,
                Err(error) => log("warning", "no TLS", error),
            }
        });
    }
}

/// Answers GET requests by their path.
pub(crate) async fn plain(
    address: SocketAddr,
    answer: impl Fn(&str) -> Option<String> + Clone + Send + Sync + 'static,
) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        let answer = answer.clone();
        tokio::spawn(serve(connection, move |request: Request<Incoming>| {
            let found = answer(request.uri().path());
            std::future::ready(match found {
                Some(text) => respond(StatusCode::OK, text),
                None => respond(StatusCode::NOT_FOUND, String::new()),
            })
        }));
    }
}

/// What the kubelet's probes ask.
pub(crate) fn health(path: &str) -> Option<String> {
    matches!(path, "/healthz" | "/readyz").then(|| "ok".to_owned())
}

async fn serve<F>(connection: impl AsyncRead + AsyncWrite + Unpin, handle: impl Fn(Request<Incoming>) -> F)
where
    F: Future<Output = Answer>,
{
    let service = service_fn(|request| {
        let answer = handle(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await {
        log("debug", "a connection ended", error);
    }
}

async fn review(request: Request<Incoming>, admission: Arc<Admission>) -> Answer {
    if request.method() != Method::POST || request.uri().path() != "/mutate-v1-pod" {
        return respond(StatusCode::NOT_FOUND, String::new());
    }
    match admission.deviation() {
        Some(Deviation::Fail) => return respond(StatusCode::INTERNAL_SERVER_ERROR, "--deviate=fail".to_owned()),
        Some(Deviation::Hang) => std::future::pending().await,
        _ => {}
    }
    let body = match Limited::new(request.into_body(), LARGEST_REVIEW).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return respond(StatusCode::BAD_REQUEST, error.to_string()),
    };
    match admission.review(&body).await {
        Ok(answer) => respond(StatusCode::OK, answer.to_string()),
        Err(error) => respond(StatusCode::BAD_REQUEST, format!("{error:#}")),
    }
}

fn respond(status: StatusCode, text: String) -> Answer {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer
}
