//! Which proxy leads to Azure: the environment's, as Go's programs read it, which are what a Kubernetes user runs
//! beside this one.

use crate::cluster::{Environment, proxy_of_environment};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;

/// The environment's proxies. No `Debug`: a proxy's URL may hold a password.
pub struct Proxies(Environment);

/// A proxy to connect to.
pub(super) struct Proxy {
    /// Without user and password.
    pub uri: Uri,
    /// User and password for an HTTP proxy.
    pub authorization: Option<HeaderValue>,
}

impl Proxies {
    /// Those of `HTTPS_PROXY` and `NO_PROXY`.
    pub fn of(environment: &Environment) -> Self {
        Self(environment.clone())
    }

    /// No proxy at all.
    pub fn none() -> Self {
        Self(Environment::empty())
    }

    /// The proxy for a URL; `None` is a direct connection.
    pub(super) fn of_target(&self, target: &Uri) -> Result<Option<Proxy>, String> {
        let Some(proxy) = proxy_of_environment(target, &self.0).map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let authority = proxy.authority().map(ToString::to_string).unwrap_or_default();
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority.as_str()),
        };
        let uri = Uri::builder()
            .scheme(proxy.scheme_str().unwrap_or("http"))
            .authority(host)
            .path_and_query("/")
            .build()
            .map_err(|_| "the proxy's URL names no host".to_owned())?;
        Ok(Some(Proxy { uri, authorization: login.map(basic).transpose()? }))
    }
}

fn basic(login: &str) -> Result<HeaderValue, String> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let value = format!("Basic {}", STANDARD.encode(format!("{}:{}", decode(user), decode(password))));
    let mut header =
        HeaderValue::from_str(&value).map_err(|_| "the proxy's user and password cannot be sent".to_owned())?;
    header.set_sensitive(true);
    Ok(header)
}
