//! The way to Azure: proxies, TLS, and what is never sent in clear text.

use super::support::{Lab, options};
use crate::client_network::Proxy;
use kubectl_wi::azure::{
    Authority, Azure, CloudName, CredentialKind, ExchangeRequest, Options, Proxies, Transport, exchange,
};
use kubectl_wi::cluster::Environment;
use kubectl_wi::token::jwt::RawToken;
use std::net::SocketAddr;
use std::time::Duration;
use wi_test_azure::{Emulator, SigningKey, Tenant, examples, token};

/// A host that only the proxy knows, and whose certificate the emulator has.
fn hidden(emulator: &Emulator) -> (String, SocketAddr) {
    let port = emulator.authority().rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    (format!("https://azure.invalid:{port}"), SocketAddr::from(([127, 0, 0, 1], port)))
}

async fn exchanged(emulator: &Emulator, environment: &Environment) -> Result<(), String> {
    let (host, _) = hidden(emulator);
    let transport = Transport::new(Duration::from_secs(5), Proxies::of(environment), vec![emulator.ca()]).unwrap();
    let authority = Authority::given(&host).unwrap();
    let assertion = token(&SigningKey::ISSUER, examples::ISSUER, examples::SUBJECT, examples::AUDIENCE);
    let request = ExchangeRequest {
        authority: &authority,
        tenant: examples::TENANT,
        client_id: examples::CLIENT,
        resource: "https://storage.azure.com",
        assertion: &RawToken::new(assertion),
    };
    exchange(&transport, &request).await.map(|_| ()).map_err(|rejection| format!("{rejection:?}"))
}

#[tokio::test]
async fn a_proxy_leads_to_azure_and_sees_no_token() {
    let emulator = Emulator::start(Tenant::example()).await.unwrap();
    let (host, target) = hidden(&emulator);
    let proxy = Proxy::http(target).await;
    let environment = Environment::empty().with("HTTPS_PROXY", format!("http://me:p%40ss@{}", proxy.address));
    exchanged(&emulator, &environment).await.unwrap();
    let asked = proxy.asked();
    assert_eq!(asked.len(), 1);
    let name = host.trim_start_matches("https://");
    assert!(asked[0].starts_with(&format!("CONNECT {name} HTTP/1.1")), "{}", asked[0]);
    // me:p@ss
    assert!(asked[0].to_lowercase().contains("proxy-authorization: basic bwu6ceb"), "{}", asked[0]);
    assert!(!asked[0].contains("eyJ"));

    let socks = Proxy::socks(target).await;
    let environment = Environment::empty().with("https_proxy", format!("socks5h://{}", socks.address));
    exchanged(&emulator, &environment).await.unwrap();
    assert_eq!(socks.asked(), [name]);
}

#[tokio::test]
async fn an_exception_goes_around_the_proxy_and_a_broken_one_is_named_without_its_password() {
    let emulator = Emulator::start(Tenant::example()).await.unwrap();
    let proxy = Environment::empty().with("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:9");
    let error = exchanged(&emulator, &proxy).await.unwrap_err();
    assert!(error.contains("azure.invalid") && !error.contains("hunter2"), "{error}");
    // Directly nobody knows the name.
    let error = exchanged(&emulator, &proxy.with("NO_PROXY", "azure.invalid")).await.unwrap_err();
    assert!(error.to_lowercase().contains("failed to lookup") || error.contains("dns"), "{error}");
    let wrong = Environment::empty().with("HTTPS_PROXY", "ftp://me:hunter2@proxy");
    let error = exchanged(&emulator, &wrong).await.unwrap_err();
    assert!(error.contains("HTTPS_PROXY") && !error.contains("hunter2"), "{error}");
    // This machine is reached without it.
    let lab = Lab::start(Tenant::example()).await;
    let transport = Transport::new(Duration::from_secs(5), Proxies::of(&wrong), vec![lab.emulator.ca()]).unwrap();
    let authority = Authority::given(&lab.emulator.authority()).unwrap();
    let request = ExchangeRequest {
        authority: &authority,
        tenant: examples::TENANT,
        client_id: examples::CLIENT,
        resource: "https://storage.azure.com",
        assertion: &RawToken::new(token(&SigningKey::ISSUER, examples::ISSUER, examples::SUBJECT, examples::AUDIENCE)),
    };
    exchange(&transport, &request).await.unwrap();
}

/// `--azure=auto` gives three seconds: whoever stops waiting leaves nothing behind that goes on.
#[cfg(unix)]
#[tokio::test]
async fn a_login_that_takes_too_long_can_be_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    let emulator = Emulator::start(Tenant::example()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let az = directory.path().join("az");
    let (began, ended) = (directory.path().join("began"), directory.path().join("ended"));
    let script = format!("#!/bin/sh\n: > {}\nsleep 1\n: > {}\n", began.display(), ended.display());
    std::fs::write(&az, script).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::join_paths([directory.path(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    let environment = Environment::empty().with("PATH", path);
    let options = Options { credential: CredentialKind::Cli, ..options(&emulator) };
    let connect = Azure::connect(&options, &environment);
    let waiting = async {
        while !began.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = connect => panic!("it is still asleep"),
        () = waiting => {}
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!ended.exists(), "it went on");
}

#[test]
fn every_cloud_has_endpoints_of_its_own() {
    let mut hosts = std::collections::BTreeSet::new();
    for name in CloudName::ALL {
        let cloud = name.cloud();
        for url in [cloud.authority, cloud.arm, cloud.graph, cloud.portal] {
            assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
            assert!(hosts.insert(url), "{url} stands twice");
        }
    }
}
