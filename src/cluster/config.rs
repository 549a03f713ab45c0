//! From flags, kubeconfig and surroundings to a connection, with kubectl's rules.
//!
//! kube's own loader differs from kubectl in what people rely on (a missing file in `KUBECONFIG` is fatal to it,
//! `--server` without a context too, `NO_PROXY` is judged against the proxy, credential plugins run three times), so
//! the public parts of [`kube::Config`] are filled here.

use super::config_error::ConfigError;
use super::environment::Environment;
use super::kubeconfig::{self, Selection};
use super::options::{ConnectOptions, RequestTimeout};
use super::{exec_plugin, proxy};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::config::{AuthInfo, Cluster};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;

/// How we introduce ourselves; audit logs of the API server show it.
pub const USER_AGENT: &str = concat!("kubectl-wi/", env!("CARGO_PKG_VERSION"));

/// Where to connect to and as whom: everything that was decided before the first request.
pub struct Connection {
    pub(super) config: kube::Config,
    pub(super) request_timeout: RequestTimeout,
    /// The context's name; `None` in a pod, or where `--server` stands alone.
    pub context: Option<String>,
    /// The cluster's name in the kubeconfig.
    pub cluster: Option<String>,
    /// The user's name in the kubeconfig.
    pub user: Option<String>,
    /// The namespace that is meant where none is named.
    pub namespace: String,
    /// Scheme, host and port of the API server, and its path where it has one; never a user or password.
    pub server: String,
    /// What a person should be told, although it goes on.
    pub notes: Vec<String>,
}

/// The proxy's URL, headers and credentials stay out.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("context", &self.context)
            .field("cluster", &self.cluster)
            .field("user", &self.user)
            .field("namespace", &self.namespace)
            .field("server", &self.server)
            .field("request_timeout", &self.request_timeout)
            .field("proxied", &self.config.proxy_url.is_some())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// The proxy on the way to the API server, without its password.
    pub fn proxy(&self) -> Option<String> {
        self.config.proxy_url.as_ref().map(without_userinfo)
    }

    /// Decides how to connect. Starts a credential plugin where the kubeconfig names one, and nothing else.
    ///
    /// # Errors
    /// What kubectl would refuse too: see [`ConfigError`].
    pub async fn resolve(options: &ConnectOptions, environment: &Environment) -> Result<Self, ConfigError> {
        let loaded = kubeconfig::load(options, environment)?;
        let mut chosen = kubeconfig::select(loaded.kubeconfig, options)?;
        let mut namespace_here = None;
        let brings_own = options.token.is_some() || options.client_certificate.is_some();
        let missing_user = chosen.missing_user.iter().filter(|_| !brings_own);
        let notes: Vec<String> = missing_user.map(|error| format!("{error}; going on without credentials")).collect();
        override_cluster(&mut chosen.cluster, options);
        if chosen.cluster.server.as_deref().unwrap_or_default().is_empty() {
            if let Some(missing) = chosen.missing_cluster.take() {
                return Err(missing);
            }
            let pod = in_cluster(environment)?;
            let (cluster, user, namespace) = pod.ok_or_else(|| not_configured(&chosen, &loaded.paths, environment))?;
            chosen.cluster = cluster;
            chosen.user = user;
            namespace_here = namespace;
            override_cluster(&mut chosen.cluster, options);
        }
        override_user(&mut chosen.user, options);
        let server = server_uri(&chosen.cluster, &chosen.user)?;
        log_in(&mut chosen, &server, environment).await?;

        let mut config = kube::Config::new(server.clone());
        trust(&mut config, &chosen.cluster)?;
        config.tls_server_name = chosen.cluster.tls_server_name.filter(|name| !name.is_empty());
        config.disable_compression = chosen.cluster.disable_compression.unwrap_or(false);
        config.proxy_url = proxy::for_server(&server, chosen.cluster.proxy_url.as_deref(), environment)?;
        config.auth_info = chosen.user;
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT)));
        // kube's own retry repeats writes, 15 times, and waits as long as the server says: see `retry`.
        config.default_retry = false;

        let named = |namespace: &Option<String>| namespace.clone().filter(|name| !name.is_empty());
        let namespace = named(&options.namespace)
            .or_else(|| named(&chosen.context.namespace))
            .or(namespace_here)
            .unwrap_or_else(|| "default".to_owned());
        config.default_namespace.clone_from(&namespace);
        Ok(Self {
            config,
            request_timeout: options.request_timeout,
            context: chosen.context_name,
            cluster: chosen.cluster_name,
            user: chosen.user_name,
            namespace,
            server: without_userinfo(&server),
            notes,
        })
    }
}

fn not_configured(chosen: &Selection, paths: &[std::path::PathBuf], environment: &Environment) -> ConfigError {
    let reason = match (&chosen.cluster_name, &chosen.context_name) {
        (Some(cluster), _) => format!("the cluster \"{cluster}\" has no server"),
        (None, Some(context)) => format!("the context \"{context}\" names no cluster"),
        (None, None) => {
            let (found, missing): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.exists());
            let list = |paths: &[&std::path::PathBuf]| {
                paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
            };
            match (found.is_empty(), missing.is_empty()) {
                (false, _) => format!("no current context in {}", list(&found)),
                (true, false) => format!("there is no {}", list(&missing)),
                (true, true) if environment.home.is_none() => {
                    "neither KUBECONFIG nor a home directory is known".to_owned()
                }
                (true, true) => "KUBECONFIG names no file".to_owned(),
            }
        }
    };
    ConfigError::NotConfigured { reason }
}

/// The cluster flags, as clientcmd's `getCluster` lays them over the kubeconfig: a CA or the insecure flag clears what
/// the kubeconfig says about both, a server clears its TLS name.
fn override_cluster(cluster: &mut Cluster, options: &ConnectOptions) {
    let server = options.server.clone().filter(|server| !server.is_empty());
    let authority = options.certificate_authority.as_deref().filter(|path| !path.as_os_str().is_empty());
    if options.insecure_skip_tls_verify || authority.is_some() {
        cluster.insecure_skip_tls_verify = Some(options.insecure_skip_tls_verify);
        cluster.certificate_authority = authority.map(|path| path.to_string_lossy().into_owned());
        cluster.certificate_authority_data = None;
    }
    if server.is_some() || options.tls_server_name.is_some() {
        cluster.tls_server_name.clone_from(&options.tls_server_name);
    }
    if server.is_some() {
        cluster.server = server;
    }
    if options.disable_compression.is_some() {
        cluster.disable_compression = options.disable_compression;
    }
}

fn override_user(user: &mut AuthInfo, options: &ConnectOptions) {
    if let Some(token) = &options.token {
        user.token = Some(token.clone());
        user.token_file = None;
        user.username = None;
        user.password = None;
        user.exec = None;
        user.auth_provider = None;
    }
    if options.username.is_some() {
        user.username.clone_from(&options.username);
    }
    if options.password.is_some() {
        user.password.clone_from(&options.password);
    }
    let path = |path: &Path| Some(path.to_string_lossy().into_owned());
    if let Some(certificate) = &options.client_certificate {
        user.client_certificate = path(certificate);
        user.client_certificate_data = None;
    }
    if let Some(key) = &options.client_key {
        user.client_key = path(key);
        user.client_key_data = None;
    }
    let impersonate = &options.impersonate;
    if impersonate.user.is_some() {
        user.impersonate.clone_from(&impersonate.user);
    }
    if impersonate.uid.is_some() {
        user.impersonate_uid.clone_from(&impersonate.uid);
    }
    if !impersonate.groups.is_empty() {
        user.impersonate_groups = Some(impersonate.groups.clone());
    }
    if !impersonate.extra.is_empty() {
        let extra = user.impersonate_user_extra.get_or_insert_default();
        extra.extend(impersonate.extra.iter().map(|(key, values)| (key.clone(), values.clone())));
    }
}

/// In a pod: the API server's address from the environment, the rest from the service account's directory (client-go,
/// `InClusterConfig`).
fn in_cluster(environment: &Environment) -> Result<Option<(Cluster, AuthInfo, Option<String>)>, ConfigError> {
    let directory = &environment.service_account_directory;
    let (Some(host), Some(port)) =
        (environment.text("KUBERNETES_SERVICE_HOST"), environment.text("KUBERNETES_SERVICE_PORT"))
    else {
        return Ok(None);
    };
    let token = directory.join("token");
    if !token.is_file() {
        return Ok(None);
    }
    let authority = directory.join("ca.crt");
    std::fs::read(&authority)
        .map_err(|error| ConfigError::InCluster { path: authority.clone(), reason: error.to_string() })?;
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let cluster = Cluster {
        server: Some(format!("https://{host}:{port}")),
        certificate_authority: Some(authority.to_string_lossy().into_owned()),
        ..Cluster::default()
    };
    let user = AuthInfo { token_file: Some(token.to_string_lossy().into_owned()), ..AuthInfo::default() };
    let namespace = environment.text("POD_NAMESPACE").map(str::to_owned).or_else(|| {
        let read = std::fs::read_to_string(directory.join("namespace")).ok()?;
        Some(read.trim().to_owned()).filter(|namespace| !namespace.is_empty())
    });
    Ok(Some((cluster, user, namespace)))
}

/// A URL, or host and port: then with TLS where a CA, a client certificate or the insecure flag speaks of it (client-go,
/// `DefaultServerURL`).
fn server_uri(cluster: &Cluster, user: &AuthInfo) -> Result<http::Uri, ConfigError> {
    let given = cluster.server.as_deref().unwrap_or_default().trim();
    let text = if given.contains("://") {
        given.to_owned()
    } else {
        let tls = cluster.certificate_authority.is_some()
            || cluster.certificate_authority_data.is_some()
            || cluster.insecure_skip_tls_verify == Some(true)
            || user.client_certificate.is_some()
            || user.client_certificate_data.is_some();
        format!("{}://{given}", if tls { "https" } else { "http" })
    };
    let shown = given.rsplit_once('@').map_or(given, |(_, host)| host).to_owned();
    let wrong = |reason: &str| ConfigError::Server { server: shown.clone(), reason: reason.to_owned() };
    let uri: http::Uri = text.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong("it names no host"));
    }
    // http::Uri takes any text for a port.
    let after_host = uri.authority().and_then(|authority| authority.as_str().rsplit_once(uri.host()?));
    if uri.port_u16().is_none() && after_host.is_some_and(|(_, rest)| !rest.is_empty()) {
        return Err(wrong("its port is not a number up to 65535"));
    }
    match uri.scheme_str() {
        Some("http" | "https") => Ok(uri),
        _ => Err(wrong("only http and https lead to an API server")),
    }
}

/// Scheme, host and port, and a path that is more than a slash.
fn without_userinfo(uri: &http::Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{}{port}{}", uri.host().unwrap_or_default(), uri.path().trim_end_matches('/'))
}

/// Settles the credentials, so that kube has nothing left to fetch: files are read, a plugin is run.
async fn log_in(chosen: &mut Selection, server: &http::Uri, environment: &Environment) -> Result<(), ConfigError> {
    let name = chosen.user_name.clone().unwrap_or_default();
    let user = &mut chosen.user;
    read_token_file(user)?;
    if user.token.is_some() && (user.username.is_some() || user.password.is_some()) {
        return Err(ConfigError::TwoMethods { user: name });
    }
    if user.username.is_some() || user.password.is_some() {
        // client-go sends an empty password where there is none; kube would send no header at all.
        user.username.get_or_insert_default();
        user.password.get_or_insert_with(|| SecretString::from(String::new()));
    }
    if let Some(provider) = user.auth_provider.take()
        && user.token.is_none()
    {
        match (provider.name.as_str(), provider.config.get("id-token")) {
            ("oidc", Some(token)) => user.token = Some(SecretString::from(token.clone())),
            _ => return Err(ConfigError::AuthProvider { name: provider.name, user: name }),
        }
    }
    // client-go puts a plugin's token only where no other is set, and starts none for a server without TLS.
    if let Some(exec) = user.exec.take()
        && user.token.is_none()
        && user.username.is_none()
        && server.scheme_str() == Some("https")
    {
        let credential = exec_plugin::run(&exec, &chosen.cluster, environment).await?;
        user.token = credential.token;
        if let Some((certificate, key)) = credential.certificate {
            user.client_certificate_data = Some(BASE64.encode(certificate));
            user.client_key_data = Some(BASE64.encode(key.expose_secret()).into());
        }
    }
    read_client_certificate(user)?;
    let speaks_for_others = user.impersonate_uid.is_some()
        || user.impersonate_groups.as_ref().is_some_and(|groups| !groups.is_empty())
        || user.impersonate_user_extra.as_ref().is_some_and(|extra| !extra.is_empty());
    if speaks_for_others && user.impersonate.as_deref().unwrap_or_default().is_empty() {
        return Err(ConfigError::ImpersonationWithoutUser);
    }
    user.impersonate = user.impersonate.take().filter(|user| !user.is_empty());
    Ok(())
}

/// The token file goes before the token where it can be read (client-go, `NewBearerAuthWithRefreshRoundTripper`).
/// It is read once: a run of ours is shorter than a token's life.
fn read_token_file(user: &mut AuthInfo) -> Result<(), ConfigError> {
    user.token = user.token.take().filter(|token| !token.expose_secret().is_empty());
    let Some(path) = user.token_file.take().filter(|path| !path.is_empty()) else { return Ok(()) };
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => user.token = Some(SecretString::from(text.trim().to_owned())),
        _ if user.token.is_some() => {}
        Ok(_) => return Err(ConfigError::Credential { what: "token file", from: path, reason: "it is empty".into() }),
        Err(error) => {
            return Err(ConfigError::Credential { what: "token file", from: path, reason: error.to_string() });
        }
    }
    Ok(())
}

fn read_client_certificate(user: &mut AuthInfo) -> Result<(), ConfigError> {
    let key_data = user.client_key_data.take();
    let certificate = material(
        "client certificate",
        "client-certificate-data",
        user.client_certificate_data.take().as_deref(),
        user.client_certificate.take().as_deref(),
    )?;
    let key = material(
        "client key",
        "client-key-data",
        key_data.as_ref().map(ExposeSecret::expose_secret),
        user.client_key.take().as_deref(),
    )?;
    let lacks = |what: &'static str, other: &str| {
        let reason = format!("a {other} is given, so it has to be given too");
        Err(ConfigError::Credential { what, from: "of the kubeconfig or the flags".into(), reason })
    };
    match (certificate, key) {
        (Some((certificate, _)), Some((key, _))) => {
            user.client_certificate_data = Some(BASE64.encode(certificate));
            user.client_key_data = Some(BASE64.encode(key).into());
            Ok(())
        }
        (None, None) => Ok(()),
        (Some(_), None) => lacks("client key", "client certificate"),
        (None, Some(_)) => lacks("client certificate", "client key"),
    }
}

/// Decoded data, or the file's bytes, and where they came from; data goes before the file.
fn material(
    what: &'static str,
    field: &str,
    data: Option<&str>,
    path: Option<&str>,
) -> Result<Option<(Vec<u8>, String)>, ConfigError> {
    if let Some(data) = data.filter(|data| !data.is_empty()) {
        // YAML may fold a long value over lines.
        let compact: String = data.split_ascii_whitespace().collect();
        return match BASE64.decode(compact) {
            Ok(bytes) => Ok(Some((bytes, field.to_owned()))),
            Err(_) => {
                Err(ConfigError::Credential { what, from: field.to_owned(), reason: "it is not base64".to_owned() })
            }
        };
    }
    let Some(path) = path.filter(|path| !path.is_empty()) else { return Ok(None) };
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some((bytes, path.to_owned()))),
        Err(error) => Err(ConfigError::Credential { what, from: path.to_owned(), reason: error.to_string() }),
    }
}

/// Whom to believe to be the API server.
fn trust(config: &mut kube::Config, cluster: &Cluster) -> Result<(), ConfigError> {
    let what = "certificate authority";
    let authority = material(
        what,
        "certificate-authority-data",
        cluster.certificate_authority_data.as_deref(),
        cluster.certificate_authority.as_deref(),
    )?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    if config.accept_invalid_certs && authority.is_some() {
        return Err(ConfigError::CertificateAuthorityAndInsecure);
    }
    let no_tls = config.cluster_url.scheme_str() == Some("http");
    config.root_cert = match authority {
        Some((pem, from)) => {
            let certificates: Result<Vec<Vec<u8>>, _> =
                CertificateDer::pem_slice_iter(&pem).map(|read| read.map(|certificate| certificate.to_vec())).collect();
            match certificates {
                Ok(certificates) if !certificates.is_empty() => Some(certificates),
                _ => {
                    let reason = "it holds no certificate in PEM".to_owned();
                    return Err(ConfigError::Credential { what, from, reason });
                }
            }
        }
        // An empty list keeps rustls from loading the system's roots, which nobody will ask and which may be missing.
        None if config.accept_invalid_certs || no_tls => Some(Vec::new()),
        None => None,
    };
    Ok(())
}
