//! `cargo xtask azure up`: what it tells people to do works, from the first command on.
#![cfg(unix)]

use super::support::{client, mi1, principal};
use kubectl_wi::azure::compare::{Outcome, Presented, compare};
use kubectl_wi::azure::roles::{Action, Grant, Need, judge};
use kubectl_wi::azure::{
    Authority, Azure, CredentialKind, Discovered, ExchangeRequest, Options, Proxies, ResourceId, Transport, exchange,
};
use kubectl_wi::cluster::Environment;
use kubectl_wi::token::difference::Reason;
use kubectl_wi::token::jwt::RawToken;
use std::time::Duration;
use wi_test_azure::{SigningKey, UpOptions, examples, start_seeded, token};

#[tokio::test]
async fn the_seeded_tenant_can_be_asked_with_its_az() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("jwks.json");
    std::fs::write(&keys, SigningKey::OTHER.jwks().to_string()).unwrap();
    let own = "https://my-cluster.example/";
    let options = UpOptions {
        port: 0,
        tls_port: 0,
        directory: directory.path().to_owned(),
        issuers: vec![(own.to_owned(), keys)],
        credentials: vec![(own.to_owned(), examples::SUBJECT.to_owned())],
    };
    let emulator = start_seeded(&options).await.unwrap();
    let path = std::env::join_paths([directory.path().join("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
    let environment = Environment::empty().with("PATH", path);
    let options = Options { arm_endpoint: Some(emulator.arm_endpoint()), ..Options::default() };
    let azure = Azure::connect(&options, &environment).await.unwrap();
    assert_eq!(azure.credential(), "Azure CLI");

    let discovery = azure.discover(&[client()]).await;
    assert!(matches!(discovery.identities[&client()], Discovered::UserAssigned(_)));
    let credentials = azure.credentials_of(client(), &discovery.identities[&client()]).await.known().unwrap().clone();
    let velero = Presented {
        issuer: examples::ISSUER.to_owned(),
        subject: "system:serviceaccount:velero:velero-server".to_owned(),
        audience: examples::AUDIENCE.to_owned(),
    };
    let comparison = compare(&velero, &credentials, &|_| false);
    let Outcome::NearestMiss { differences, .. } = &comparison.outcome else { panic!("{comparison:?}") };
    assert_eq!(differences[0].reason, Some(Reason::SlashMissing));
    let need = Need {
        actions: vec![Action::data("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read")],
        roles: Vec::new(),
        scope: ResourceId::parse(&format!("{}/x/y", mi1().as_str().split("/Microsoft.").next().unwrap())).unwrap(),
    };
    let found = azure.role_assignments(principal(), &need.scope).await;
    assert!(matches!(judge(&need, found.known().unwrap()), Grant::Granted(_)));
    let cluster = azure.cluster(Some(examples::ISSUER), None).await.known().unwrap().clone();
    let extension = azure.extension(&cluster.id, "sc-extension").await;
    assert_eq!(extension.known().unwrap().provisioning_state, "Succeeded");

    // The certificate in the folder is the one to trust, and the given cluster's tokens are exchanged.
    let pem = std::fs::read(directory.path().join("ca.pem")).unwrap();
    let ca = <rustls_pki_types::CertificateDer<'_> as rustls_pki_types::pem::PemObject>::from_pem_slice(&pem).unwrap();
    let transport = Transport::new(Duration::from_secs(5), Proxies::none(), vec![ca]).unwrap();
    let request = ExchangeRequest {
        authority: &Authority::given(&emulator.authority()).unwrap(),
        tenant: examples::TENANT,
        client_id: examples::CLIENT,
        resource: "https://storage.azure.com",
        assertion: &RawToken::new(token(&SigningKey::OTHER, own, examples::SUBJECT, examples::AUDIENCE)),
    };
    exchange(&transport, &request).await.unwrap();

    // The stand-in knows nothing else than the emulator.
    let real = Options { credential: CredentialKind::Cli, ..Options::default() };
    let error = Azure::connect(&real, &environment).await.err().unwrap().to_string();
    assert!(error.contains("only knows the emulator"), "{error}");
}
