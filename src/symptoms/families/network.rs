//! The authority cannot be reached: name, connection, certificate, proxy.

use crate::symptoms::commands::Next;
use crate::symptoms::model::Kind;
use crate::symptoms::signature::{SIGNATURE, Signature};

/// Hosts of Entra in all clouds.
pub(in crate::symptoms) const AUTHORITY: &str = r"(?:login\.(?:microsoftonline\.(?:com|us|de)|chinacloudapi\.cn|partner\.microsoftonline\.cn|windows\.net|microsoft\.com|sovcloud-identity\.fr)|sts\.windows\.net)";

const AUTHORITY_FAILED: Signature = Signature {
    kind: Kind::Network,
    code: "WI805",
    gives: Some("WI420"),
    points_to: &["WI420", "WI310"],
    reach: (120, 260),
    unless: &[r"aadsts[0-9]"],
    next: &[Next::Authority, Next::Inspect],
    ..SIGNATURE
};

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "authority-name",
        patterns: &[AUTHORITY],
        near: &[
            r"no such host|name or service not known|temporary failure in name resolution|server misbehaving",
            r"enotfound|eai_again|getaddrinfo|unknownhostexception|could not resolve host|name resolution|nodename nor servname|failed to resolve|no address associated|nameresolutionerror",
            r"lookup login\S{0,80}(?:i/o timeout|read udp|connection refused|no answer)",
        ],
        means: "The name of Entra's authority host cannot be resolved from this pod.",
        causes: &[
            "an egress NetworkPolicy that allows no DNS",
            "a private DNS set-up or firewall that does not forward public names",
            "a typo in AZURE_AUTHORITY_HOST",
        ],
        ..AUTHORITY_FAILED
    },
    Signature {
        id: "authority-certificate",
        patterns: &[AUTHORITY],
        near: &[
            r"x509:|unknown authority|certificate verify failed|tls handshake|tls:|sslhandshakeexception|pkix path|issuer certificate|self-? signed certificate|ssl connection could not be established|certificate_verify_failed|remotecertificate|sslerror|depth_zero_self_signed|certificate has expired",
        ],
        means: "The connection to Entra's authority host fails at its certificate: something in between answers in its place.",
        causes: &[
            "a firewall or proxy that inspects TLS, whose authority the container does not trust",
            "a container without root certificates",
            "a wrong time on the node",
        ],
        ..AUTHORITY_FAILED
    },
    Signature {
        id: "authority-proxy",
        patterns: &[AUTHORITY],
        near: &[
            r"proxyconnect|proxy authentication required|proxyerror|tunnel connection failed|cannot connect to proxy|unable to connect to proxy",
        ],
        means: "The proxy that the container is told to use does not let it through to Entra's authority host.",
        causes: &[
            "HTTPS_PROXY names a proxy that refuses or is not there",
            "the authority host belongs into NO_PROXY, or into the proxy's list",
        ],
        ..AUTHORITY_FAILED
    },
    Signature {
        id: "authority-unreachable",
        patterns: &[AUTHORITY],
        near: &[
            r"context deadline exceeded|i/o timeout|client\.timeout|timed out|timeout (?:was )?(?:reached|expired|exceeded)|etimedout|connecttimeout|operation was canceled|taskcanceledexception|connection timed",
            r"connection refused|connection reset|econnrefused|econnreset|no route to host|network is unreachable|ehostunreach|enetunreach|:eof|unexpected eof|broken pipe|socket hang up|upstream connect error|remote end closed|connection aborted|failed to establish a new connection|max retries exceeded|connection was forcibly closed|actively refused|no healthy upstream|retry failed after",
        ],
        means: "Entra's authority host cannot be reached from this pod.",
        causes: &[
            "a firewall, route or egress NetworkPolicy that does not let port 443 through to the authority host",
            "a proxy that the container does not know of, or should not use",
            "a service mesh whose sidecar is not up yet (init containers, start of the pod)",
        ],
        ..AUTHORITY_FAILED
    },
    Signature {
        id: "authority-discovery",
        patterns: &[
            r"unable to resolve an endpoint",
            r"unable to get authority configuration for https://login",
            r"endpoints_resolution_error",
        ],
        near: &[r"status code (?:was)? 404"],
        gives: None,
        points_to: &["WI775", "WI770", "WI310"],
        means: "The SDK asked the authority for its endpoints at an address that does not exist.",
        causes: &[
            "a release with a wrong token address (external-secrets 0.10.6: upgrade to 0.10.7)",
            "a wrong authority host or tenant",
        ],
        next: &[Next::Inspect],
        ..AUTHORITY_FAILED
    },
    Signature {
        id: "authority-endpoints",
        patterns: &[
            r"unable to resolve an endpoint",
            r"unable to get authority configuration for https://login",
            r"endpoints_resolution_error",
        ],
        unless: &[r"status code (?:was)? 404", r"aadsts[0-9]", r"does not match authority"],
        means: "The SDK could not fetch the authority's endpoints: the network, or the wrong cloud.",
        causes: &[
            "a firewall, route or NetworkPolicy between the pod and the authority host",
            "AZURE_AUTHORITY_HOST names another cloud than the tenant's",
        ],
        ..AUTHORITY_FAILED
    },
    Signature {
        id: "authority-issuer",
        // China: login.chinacloudapi.cn answers as login.partner.microsoftonline.cn (MSAL for Go, issue 589).
        patterns: &[r"issuer from oidc discovery '\S{1,200}' does not match authority"],
        gives: None,
        points_to: &["WI310", "WI775"],
        unless: &[],
        means: "The authority answers under another name than it was asked by. In China the old host login.chinacloudapi.cn does so, and the webhook injects it.",
        causes: &[
            "an SDK that does not take the two names for one: upgrade it",
            "until then AZURE_AUTHORITY_HOST=https://login.partner.microsoftonline.cn/ in the container (a value that is there is not overwritten)",
        ],
        next: &[Next::Inspect],
        ..AUTHORITY_FAILED
    },
];
