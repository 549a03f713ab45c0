//! The way to the cluster: TLS and proxies.

use crate::fake_api::{FakeApi, Reply};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use kubectl_wi::cluster::{Client, ConnectOptions, Environment, Error};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

/// A certificate authority of the test's own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A server with a certificate for those names.
    pub(crate) fn server(&self, names: &[&str]) -> ServerConfig {
        let (certificate, key) = self.issue(names);
        builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()
    }

    /// The same, and it wants a client certificate of this authority.
    pub(crate) fn server_that_asks(&self, names: &[&str]) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let (certificate, key) = self.issue(names);
        builder().with_client_cert_verifier(verifier).with_single_cert(vec![certificate], key).unwrap()
    }

    /// A client certificate and its key in PEM.
    pub(crate) fn client(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn issue(&self, names: &[&str]) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

fn builder() -> tokio_rustls::rustls::ConfigBuilder<ServerConfig, tokio_rustls::rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
}

/// Some authority, where none is asked.
pub(crate) fn trusting() -> String {
    Authority::new().pem()
}

fn version() -> Reply {
    Reply::json(200, &json!({ "gitVersion": "v1.34.4" }))
}

/// A kubeconfig for one cluster and user, written where the test can name it.
struct Kubeconfig {
    directory: tempfile::TempDir,
}

impl Kubeconfig {
    fn new(cluster: &serde_json::Value, user: &serde_json::Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{ "name": "a", "context": { "cluster": "a", "user": "a" } }],
            "clusters": [{ "name": "a", "cluster": cluster }],
            "users": [{ "name": "a", "user": user }],
        });
        std::fs::write(directory.path().join("config"), config.to_string()).unwrap();
        Self { directory }
    }

    fn options(&self) -> ConnectOptions {
        ConnectOptions { kubeconfig: Some(self.directory.path().join("config")), ..ConnectOptions::default() }
    }

    async fn version(&self) -> Result<String, Error> {
        let client = Client::connect(&self.options(), &Environment::empty()).await?;
        Ok(client.server_version().await?.git_version)
    }
}

#[tokio::test]
async fn the_authority_of_the_kubeconfig_is_believed_and_no_other() {
    let authority = Authority::new();
    let api = FakeApi::start_tls(authority.server(&["127.0.0.1"]), |_, _| version()).await;
    let data = BASE64.encode(authority.pem());
    let good = json!({ "server": api.url(), "certificate-authority-data": data });
    assert_eq!(Kubeconfig::new(&good, &json!({})).version().await.unwrap(), "v1.34.4");

    let other = json!({ "server": api.url(), "certificate-authority-data": BASE64.encode(trusting()) });
    let error = Kubeconfig::new(&other, &json!({})).version().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(error.hint().unwrap().contains("certificate-authority"));

    let insecure = json!({ "server": api.url(), "insecure-skip-tls-verify": true });
    assert_eq!(Kubeconfig::new(&insecure, &json!({})).version().await.unwrap(), "v1.34.4");
}

#[tokio::test]
async fn the_name_on_the_certificate_can_be_another() {
    let authority = Authority::new();
    let api = FakeApi::start_tls(authority.server(&["api.cluster.internal"]), |_, _| version()).await;
    let cluster = |name: &str| json!({ "server": api.url(), "certificate-authority-data": BASE64.encode(authority.pem()), "tls-server-name": name });
    assert!(Kubeconfig::new(&cluster("api.cluster.internal"), &json!({})).version().await.is_ok());
    for name in ["", "other.internal"] {
        let error = Kubeconfig::new(&cluster(name), &json!({})).version().await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    // clientcmd: --server clears the TLS name of the kubeconfig, which belonged to another server.
    let kubeconfig = Kubeconfig::new(&cluster("api.cluster.internal"), &json!({}));
    let options = ConnectOptions { server: Some(api.url()), ..kubeconfig.options() };
    let client = Client::connect(&options, &Environment::empty()).await.unwrap();
    assert!(client.server_version().await.is_err());
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_has_to_fit_its_key() {
    let authority = Authority::new();
    let api = FakeApi::start_tls(authority.server_that_asks(&["127.0.0.1"]), |_, _| version()).await;
    let cluster = json!({ "server": api.url(), "certificate-authority-data": BASE64.encode(authority.pem()) });
    let (certificate, key) = authority.client("me");
    let user = json!({ "client-certificate-data": BASE64.encode(&certificate), "client-key-data": BASE64.encode(key) });
    assert_eq!(Kubeconfig::new(&cluster, &user).version().await.unwrap(), "v1.34.4");
    assert!(Kubeconfig::new(&cluster, &json!({})).version().await.is_err());

    let nonsense =
        json!({ "client-certificate-data": BASE64.encode(&certificate), "client-key-data": BASE64.encode("no key") });
    let error = Kubeconfig::new(&cluster, &nonsense).version().await.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error:?}");
    assert!(error.to_string().contains("private key"), "{error}");
}

#[tokio::test]
async fn a_token_file_is_read_without_its_line_end_and_basic_authentication_without_a_password() {
    let api = FakeApi::start(|_, _| version()).await;
    let cluster = json!({ "server": api.url() });
    let kubeconfig = Kubeconfig::new(&cluster, &json!({ "tokenFile": "token", "token": "older" }));
    std::fs::write(kubeconfig.directory.path().join("token"), "sesame\n").unwrap();
    kubeconfig.version().await.unwrap();
    std::fs::remove_file(kubeconfig.directory.path().join("token")).unwrap();
    kubeconfig.version().await.unwrap();
    Kubeconfig::new(&cluster, &json!({ "username": "me" })).version().await.unwrap();
    Kubeconfig::new(&cluster, &json!({ "username": "me", "password": "pw" })).version().await.unwrap();
    let oidc = json!({ "auth-provider": { "name": "oidc", "config": { "id-token": "idt" } } });
    Kubeconfig::new(&cluster, &oidc).version().await.unwrap();
    let sent: Vec<String> = api.seen().iter().map(|seen| seen.header("authorization").unwrap().to_owned()).collect();
    let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
    assert_eq!(sent, ["Bearer sesame", "Bearer older", &basic("me:"), &basic("me:pw"), "Bearer idt"]);
}

/// A proxy that notes what it is asked for, and leads every connection to one place.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn http(target: SocketAddr) -> Self {
        Self::start(move |mut stream, asked| async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            asked.lock().unwrap().push(String::from_utf8(head).unwrap());
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            lead(stream, target).await;
        })
        .await
    }

    pub(crate) async fn socks(target: SocketAddr) -> Self {
        Self::start(move |mut stream, asked| async move {
            let mut greeting = [0; 2];
            stream.read_exact(&mut greeting).await.unwrap();
            let mut methods = vec![0; usize::from(greeting[1])];
            stream.read_exact(&mut methods).await.unwrap();
            stream.write_all(&[5, 0]).await.unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).await.unwrap();
            assert_eq!(
                (request[0], request[1], request[3]),
                (5, 1, 3),
                "a connection to a name, resolved by the proxy"
            );
            let mut name = vec![0; usize::from(stream.read_u8().await.unwrap())];
            stream.read_exact(&mut name).await.unwrap();
            let port = stream.read_u16().await.unwrap();
            asked.lock().unwrap().push(format!("{}:{port}", String::from_utf8(name).unwrap()));
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
            lead(stream, target).await;
        })
        .await
    }

    async fn start<F>(serve: impl Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let notes = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&notes)));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn lead(mut stream: TcpStream, target: SocketAddr) {
    let mut upstream = TcpStream::connect(target).await.unwrap();
    // Either side may end it.
    let _ = copy_bidirectional(&mut stream, &mut upstream).await;
}

/// A cluster whose name nobody can resolve: only the proxy knows the way.
async fn hidden_cluster() -> (FakeApi, serde_json::Value) {
    let authority = Authority::new();
    let api = FakeApi::start_tls(authority.server(&["api.hidden.invalid"]), |_, _| version()).await;
    let cluster = json!({
        "server": "https://api.hidden.invalid:6443",
        "certificate-authority-data": BASE64.encode(authority.pem()),
    });
    (api, cluster)
}

#[tokio::test]
async fn a_proxy_of_the_environment_leads_to_the_cluster() {
    let (api, cluster) = hidden_cluster().await;
    let proxy = Proxy::http(api.address).await;
    let kubeconfig = Kubeconfig::new(&cluster, &json!({}));
    let environment = Environment::empty()
        .with("HTTPS_PROXY", format!("http://me:p%40ss@{}", proxy.address))
        // The proxy's own host in NO_PROXY says nothing about the cluster.
        .with("NO_PROXY", "127.0.0.1,localhost");
    let client = Client::connect(&kubeconfig.options(), &environment).await.unwrap();
    assert_eq!(client.server_version().await.unwrap().git_version, "v1.34.4");
    let asked = proxy.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("CONNECT api.hidden.invalid:6443 HTTP/1.1\r\n"), "{asked:?}");
    let credentials = format!("Basic {}", BASE64.encode("me:p@ss"));
    assert!(
        asked[0].to_lowercase().contains(&format!("proxy-authorization: {}", credentials.to_lowercase())),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_proxy_of_the_kubeconfig_goes_first_and_may_be_socks() {
    let (api, mut cluster) = hidden_cluster().await;
    let proxy = Proxy::socks(api.address).await;
    cluster["proxy-url"] = json!(format!("socks5://{}", proxy.address));
    let environment = Environment::empty().with("HTTPS_PROXY", "http://127.0.0.1:9").with("NO_PROXY", "*");
    let kubeconfig = Kubeconfig::new(&cluster, &json!({}));
    let client = Client::connect(&kubeconfig.options(), &environment).await.unwrap();
    assert_eq!(client.server_version().await.unwrap().git_version, "v1.34.4");
    assert_eq!(proxy.asked(), ["api.hidden.invalid:6443"]);
}

#[tokio::test]
async fn a_proxy_that_is_down_is_named_without_its_password() {
    let (_api, mut cluster) = hidden_cluster().await;
    cluster["proxy-url"] = json!("http://me:hunter2@127.0.0.1:9");
    let error = Kubeconfig::new(&cluster, &json!({})).version().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("through the proxy http://127.0.0.1:9"), "{hint}");
    assert!(!format!("{error} {error:?} {hint}").contains("hunter2"));
}
