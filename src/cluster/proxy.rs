//! Which proxy leads to the cluster.
//!
//! kubectl takes `proxy-url` of the kubeconfig first, without asking `NO_PROXY`; else the environment decides as Go's
//! `golang.org/x/net/http/httpproxy` reads it. Both are done here: kube 5.0.0 judges `NO_PROXY` against the proxy's
//! own host instead of the cluster's, and lets it override `proxy-url`.

use super::config_error::ConfigError;
use super::environment::Environment;
use std::net::IpAddr;

/// The proxy for a cluster's URL, or `None` for a direct connection.
pub(super) fn for_server(
    server: &http::Uri,
    proxy_url: Option<&str>,
    environment: &Environment,
) -> Result<Option<http::Uri>, ConfigError> {
    if let Some(url) = proxy_url.filter(|url| !url.is_empty()) {
        return parse(url, "proxy-url of the kubeconfig").map(Some);
    }
    match from_environment(server, environment) {
        Some((url, variable)) => {
            // httpproxy: what has no scheme is tried again with http://.
            let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
            parse(&url, variable).map(Some)
        }
        None => Ok(None),
    }
}

/// The environment's proxy for a URL of any kind: Azure is reached as the cluster is.
pub(crate) fn of_environment(target: &http::Uri, environment: &Environment) -> Result<Option<http::Uri>, ConfigError> {
    for_server(target, None, environment)
}

/// Accepts what the transport can do; Go treats `socks5h` and `socks5` alike (the proxy resolves the name).
fn parse(url: &str, from: &str) -> Result<http::Uri, ConfigError> {
    let wrong = |reason: &str| ConfigError::Proxy { from: from.to_owned(), reason: reason.to_owned() };
    let url = url.strip_prefix("socks5h://").map_or_else(|| url.to_owned(), |rest| format!("socks5://{rest}"));
    let uri: http::Uri = url.parse().map_err(|_| wrong("it is not a URL"))?;
    let Some(authority) = uri.authority() else { return Err(wrong("it names no host")) };
    match uri.scheme_str() {
        Some("socks5") if authority.as_str().contains('@') => {
            Err(wrong("a SOCKS5 proxy with user and password is not supported"))
        }
        Some("http" | "https" | "socks5") => Ok(uri),
        Some(scheme) => Err(wrong(&format!("unsupported scheme \"{scheme}\", must be http, https, or socks5"))),
        None => Err(wrong("it has no scheme: write http://, https:// or socks5:// before it")),
    }
}

fn from_environment<'a>(server: &http::Uri, environment: &'a Environment) -> Option<(&'a str, &'static str)> {
    let tls = server.scheme_str() == Some("https");
    let (proxy, variable) = if tls {
        (environment.any(&["HTTPS_PROXY", "https_proxy"])?, "HTTPS_PROXY")
    } else {
        (environment.any(&["HTTP_PROXY", "http_proxy"])?, "HTTP_PROXY")
    };
    let port = server.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let no_proxy = environment.any(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
    uses_proxy(server.host()?, port, no_proxy).then_some((proxy, variable))
}

/// httpproxy's `useProxy`: loopback never, then each entry of `NO_PROXY`.
fn uses_proxy(host: &str, port: u16, no_proxy: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return false;
    }
    !no_proxy.split(',').any(|entry| excludes(entry.trim().to_lowercase().as_str(), &host, address, port))
}

/// Whether one entry of `NO_PROXY` names the host: `*`, an address range, or an address or domain with or without a
/// port. `example.com` covers its subdomains; `.example.com` and `*.example.com` cover only those.
fn excludes(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry.is_empty() {
        return false;
    }
    if entry == "*" {
        return true;
    }
    if let Ok(range) = entry.parse::<ipnet::IpNet>() {
        return address.is_some_and(|address| range.contains(&address.to_canonical()));
    }
    let (name, entry_port) = split_port(entry);
    if name.is_empty() || entry_port.is_some_and(|entry_port| entry_port != port.to_string()) {
        return false;
    }
    if let Ok(excluded) = name.parse::<IpAddr>() {
        return address.is_some_and(|address| address.to_canonical() == excluded.to_canonical());
    }
    let domain = name.strip_prefix("*.").map_or(name, |_| &name[1..]);
    match domain.strip_prefix('.') {
        Some(_) => host.ends_with(domain),
        None => host == domain || host.strip_suffix(domain).is_some_and(|before| before.ends_with('.')),
    }
}

/// `host:port` or `[v6]:port`; an address of IPv6 alone has no port.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some(rest) = entry.strip_prefix('[')
        && let Some((address, tail)) = rest.split_once(']')
    {
        return (address, tail.strip_prefix(':'));
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => (name, Some(port)),
        _ => (entry, None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn choose(
        server: &str,
        proxy_url: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Option<String>, ConfigError> {
        let environment = variables.iter().fold(Environment::empty(), |e, (name, value)| e.with(name, value));
        for_server(&server.parse().unwrap(), proxy_url, &environment).map(|uri| uri.map(|uri| uri.to_string()))
    }

    /// The table of httpproxy's own test (`proxy_test.go`), and the cases that kube 5.0.0 gets wrong.
    #[test]
    fn no_proxy_is_judged_as_go_judges_it() {
        for (host, port, no_proxy, expected) in [
            ("localhost", 443, "", false),
            ("127.0.0.1", 443, "", false),
            ("127.0.0.2", 443, "", false),
            ("[::1]", 443, "", false),
            ("[::2]", 443, "", true),
            ("barbaz.net", 443, "foobar.com, .barbaz.net", true),
            ("www.barbaz.net", 443, "foobar.com, .barbaz.net", false),
            ("foobar.com", 443, "foobar.com, .barbaz.net", false),
            ("www.foobar.com", 443, "foobar.com, .barbaz.net", false),
            ("foofoobar.com", 443, "foobar.com, .barbaz.net", true),
            ("baz.com", 443, "foobar.com, .barbaz.net", true),
            ("localhost.net", 443, "foobar.com", true),
            ("local.localhost", 443, "foobar.com", true),
            ("barbarbaz.net", 443, ".barbaz.net", true),
            ("www.foobar.com", 443, "*.foobar.com", false),
            ("foobar.com", 443, "*.foobar.com", true),
            ("192.168.1.1", 443, "192.168.1.1", false),
            ("192.168.1.2", 443, "192.168.1.1", true),
            ("192.168.1.2", 443, "192.168.1.0/24", false),
            ("192.168.2.2", 443, "192.168.1.0/24", true),
            ("[fe80::1]", 6443, "fe80::/10", false),
            ("[fe80::1]", 6443, "[fe80::1]:6443", false),
            ("[fe80::1]", 443, "[fe80::1]:6443", true),
            ("10.0.0.1", 6443, "10.0.0.1:443", true),
            ("10.0.0.1", 6443, "10.0.0.1:6443", false),
            ("api.aks.example", 443, "api.aks.example:443", false),
            ("API.aks.example", 443, "api.AKS.example,", false),
            ("api.aks.example", 443, "*", false),
            ("api.aks.example", 443, ":443,,", true),
            ("api.aks.example", 443, "10.0.0.0/33", true),
        ] {
            assert_eq!(uses_proxy(host, port, no_proxy), expected, "{host}:{port} NO_PROXY={no_proxy}");
        }
    }

    #[test]
    fn the_scheme_of_the_cluster_chooses_the_variable() {
        let both = [("HTTPS_PROXY", "http://s:1"), ("HTTP_PROXY", "http://p:2")];
        assert_eq!(choose("https://c.example", None, &both).unwrap().unwrap(), "http://s:1/");
        assert_eq!(choose("http://c.example", None, &both).unwrap().unwrap(), "http://p:2/");
        assert_eq!(choose("http://c.example", None, &both[..1]).unwrap(), None);
        // Upper case first, as Go does; ALL_PROXY means nothing to it.
        let cases = [("https_proxy", "http://low:1"), ("HTTPS_PROXY", "http://up:1"), ("ALL_PROXY", "http://all:1")];
        assert_eq!(choose("https://c.example", None, &cases).unwrap().unwrap(), "http://up:1/");
        assert_eq!(choose("https://c.example", None, &cases[2..]).unwrap(), None);
        assert_eq!(
            choose("https://c.example", None, &[("HTTPS_PROXY", "p.example:3128")]).unwrap().unwrap(),
            "http://p.example:3128/"
        );
        assert_eq!(
            choose("https://c.example", None, &[("HTTPS_PROXY", "socks5h://p:1080")]).unwrap().unwrap(),
            "socks5://p:1080/"
        );
    }

    #[test]
    fn the_kubeconfig_goes_before_the_environment() {
        let no_proxy = [("HTTPS_PROXY", "http://env:1"), ("NO_PROXY", "*")];
        assert_eq!(choose("https://c.example", Some("http://kube:2"), &no_proxy).unwrap().unwrap(), "http://kube:2/");
        assert_eq!(choose("https://c.example", Some(""), &no_proxy).unwrap(), None);
    }

    #[test]
    fn a_wrong_proxy_is_named_without_its_password() {
        for (url, said) in [
            ("ftp://p:1", "must be http, https, or socks5"),
            ("p.example:1", "scheme"),
            ("socks5://me:hunter2@p:1", "SOCKS5"),
            ("http://[", "not a URL"),
        ] {
            let sentence = choose("https://c.example", Some(url), &[]).unwrap_err().to_string();
            assert!(sentence.contains(said) && sentence.contains("proxy-url"), "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }
}
