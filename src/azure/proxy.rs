//! Which proxy leads to Azure, as the environment says it.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, upper case before lower case, loopback never through a proxy: as Go's
//! programs do it, which is what the other commands of a Kubernetes user do. `ALL_PROXY` means nothing to them.

use crate::cluster::Environment;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;

/// The environment's proxies. No `Debug`: a proxy's URL may hold a password.
pub struct Proxies {
    matcher: Matcher,
    /// A variable whose value is no proxy that can be used: connections that it decides about must not go direct.
    unusable: Option<&'static str>,
}

/// A proxy to connect to.
pub(super) struct Proxy {
    pub uri: Uri,
    pub authorization: Option<HeaderValue>,
    /// User and password for a SOCKS proxy.
    pub login: Option<(String, String)>,
    pub is_socks: bool,
}

impl Proxies {
    /// Reads the environment.
    pub fn of(environment: &Environment) -> Self {
        let any = |names: [&str; 2]| names.into_iter().find_map(|name| environment.text(name)).unwrap_or_default();
        let https = any(["HTTPS_PROXY", "https_proxy"]);
        let no = any(["NO_PROXY", "no_proxy"]);
        let matcher = Matcher::builder().https(https).no(no).build();
        // Only https:// is ever asked, and http:// on this machine, which no proxy leads to: HTTP_PROXY has no say.
        let probe = Matcher::builder().https(https).build();
        let refused = !https.is_empty() && probe.intercept(&Uri::from_static("https://probe.invalid")).is_none();
        Self { matcher, unusable: refused.then_some("HTTPS_PROXY") }
    }

    /// No proxy at all.
    pub fn none() -> Self {
        Self { matcher: Matcher::builder().build(), unusable: None }
    }

    /// The proxy for a URL; `None` is a direct connection.
    pub(super) fn of_target(&self, target: &Uri) -> Result<Option<Proxy>, String> {
        if target.scheme_str() != Some("https") || target.host().is_none_or(is_loopback) {
            return Ok(None);
        }
        if let Some(variable) = self.unusable {
            return Err(format!("{variable} is not the URL of a proxy: write http://host:port or socks5://host:port"));
        }
        let Some(proxy) = self.matcher.intercept(target) else { return Ok(None) };
        let is_socks = match proxy.uri().scheme_str() {
            Some("http") => false,
            Some("socks5" | "socks5h") => true,
            other => {
                let scheme = other.unwrap_or_default();
                return Err(format!(
                    "HTTPS_PROXY: a proxy with {scheme}:// is not supported, write http:// or socks5://"
                ));
            }
        };
        Ok(Some(Proxy {
            uri: proxy.uri().clone(),
            authorization: proxy.basic_auth().cloned(),
            login: proxy.raw_auth().map(|(user, password)| (user.to_owned(), password.to_owned())),
            is_socks,
        }))
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn choose(target: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let environment = variables.iter().fold(Environment::empty(), |e, (name, value)| e.with(name, value));
        let proxies = Proxies::of(&environment);
        Ok(proxies.of_target(&target.parse().unwrap())?.map(|proxy| proxy.uri.to_string()))
    }

    #[test]
    fn the_environment_decides_as_for_a_go_program() {
        let proxy = [("https_proxy", "http://low:1"), ("HTTPS_PROXY", "http://me:secret@up:3128")];
        assert_eq!(choose("https://management.azure.com/", &proxy), Ok(Some("http://up:3128/".to_owned())));
        assert_eq!(choose("https://127.0.0.1:8443/", &proxy), Ok(None));
        assert_eq!(choose("http://localhost:8080/", &proxy), Ok(None));
        let with_exception = [("HTTPS_PROXY", "p.example:3128"), ("NO_PROXY", "azure.com")];
        assert_eq!(choose("https://management.azure.com/", &with_exception), Ok(None));
        assert_eq!(
            choose("https://graph.microsoft.com/", &with_exception),
            Ok(Some("http://p.example:3128/".to_owned()))
        );
        assert_eq!(choose("https://graph.microsoft.com/", &[("ALL_PROXY", "http://p:1")]), Ok(None));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_and_no_way_around_it() {
        for url in ["ftp://p:1", "https://p:1", "http://["] {
            let error = choose("https://management.azure.com/", &[("HTTPS_PROXY", url)]).unwrap_err();
            assert!(error.contains("HTTPS_PROXY") && !error.contains(url), "{error}");
        }
    }
}
