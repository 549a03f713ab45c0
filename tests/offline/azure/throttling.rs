//! Throttling, refused tokens, and writes that meet.

use super::support::{Lab, client, mi1};
use kubectl_wi::azure::{CredentialBody, CredentialName, Error, Expected, FederatedCredential, Written};
use kubectl_wi::model::fact::Fact;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use wi_test_azure::{Answer, Fault, Tenant, examples};

fn throttled(retry_after: &str) -> Answer {
    Answer::recorded("rest/msi/errors/429-msi-rp-throttled.json").with_header("retry-after", retry_after)
}

fn body(account: &str) -> CredentialBody {
    CredentialBody {
        issuer: examples::ISSUER.to_owned(),
        subject: format!("system:serviceaccount:velero:{account}"),
        audience: examples::AUDIENCE.to_owned(),
    }
}

#[tokio::test]
async fn a_read_waits_as_long_as_azure_asks() {
    let lab = Lab::start(Tenant::example()).await;
    lab.emulator.fault(Fault::on("mi1", throttled("1")));
    let start = Instant::now();
    assert!(lab.azure.identity(&mi1()).await.known().is_some());
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(lab.requests().len(), 2);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_reported_at_once() {
    let lab = Lab::start(Tenant::example()).await;
    lab.emulator.fault(Fault::on("mi1", throttled("120")));
    let start = Instant::now();
    let fact = lab.azure.identity(&mi1()).await;
    assert!(
        matches!(&fact, Fact::Failed(why) if why.contains("429") && why.contains("asks to wait 120 s")),
        "{fact:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(lab.requests().len(), 1);
}

#[tokio::test]
async fn patience_ends() {
    let lab = Lab::start(Tenant::example()).await;
    lab.emulator.fault(Fault::on("mi1", Answer::empty(503)).always());
    let fact = lab.azure.identity(&mi1()).await;
    assert!(matches!(&fact, Fact::Failed(why) if why.contains("503")), "{fact:?}");
    assert_eq!(lab.requests().len(), 4);
}

#[tokio::test]
async fn resource_graphs_quota_is_waited_for_and_not_its_shorter_retry_after() {
    let lab = Lab::with(Tenant::example(), |options| options.longest_wait = Duration::from_secs(4)).await;
    lab.emulator.change(|tenant| tenant.caller.reads_directory = false);
    // The recorded answer: Retry-After 2, the quota's reset 5 seconds; the longer one is over this limit.
    let recorded = Answer::recorded("graph/resourcegraph-429-RateLimiting.json");
    lab.emulator.fault(Fault::on("/resources", recorded.clone()));
    let start = Instant::now();
    let discovery = lab.azure.discover(&[client()]).await;
    assert!(start.elapsed() < Duration::from_secs(2));
    // The lists find it all the same, and the reason is kept.
    assert!(
        matches!(&discovery.searched.resource_graph, Fact::Failed(why) if why.contains("RateLimiting") && why.contains("5 s"))
    );
    lab.emulator.fault(Fault::on(
        "/resources",
        recorded.with_header("x-ms-user-quota-resets-after", "00:00:00").with_header("retry-after", "0"),
    ));
    let discovery = lab.azure.discover(&[client()]).await;
    assert!(!discovery.searched.resource_graph.is_unknown() || discovery.searched.resource_graph == Fact::NotAsked);
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_once() {
    let lab = Lab::start(Tenant::example()).await;
    let before = lab.fetched.load(Ordering::SeqCst);
    lab.emulator.revoke_tokens();
    assert!(lab.azure.identity(&mi1()).await.known().is_some());
    assert_eq!(lab.fetched.load(Ordering::SeqCst), before + 1);
    let sent = lab.requests();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].header("authorization"), sent[1].header("authorization"));

    // Refused again and again: one new token, then the reason.
    let expired = Answer::recorded("rest/msi/errors/401-ExpiredAuthenticationToken.json");
    lab.emulator.fault(Fault::on("mi1", expired).always());
    let fact = lab.azure.identity(&mi1()).await;
    assert!(matches!(&fact, Fact::Failed(why) if why.contains("ExpiredAuthenticationToken")), "{fact:?}");
    assert_eq!(lab.fetched.load(Ordering::SeqCst), before + 2);
}

#[tokio::test]
async fn the_wrong_tenant_is_named() {
    let lab = Lab::start(Tenant::example()).await;
    let wrong = Answer::recorded("rest/msi/errors/401-InvalidAuthenticationTokenTenant.json");
    lab.emulator.fault(Fault::on("mi1", wrong).times(2));
    let error = lab.azure.store().get(&mi1()).await.unwrap_err();
    assert_eq!(error.api().unwrap().tenant.as_deref(), Some(examples::TENANT));
}

#[tokio::test]
async fn requests_that_start_together_share_one_token() {
    let lab = Lab::start(Tenant::example().with_many(20, 1)).await;
    let before = lab.fetched.load(Ordering::SeqCst);
    let subscriptions = lab.azure.subscriptions().await.unwrap();
    let lists = futures::future::join_all(subscriptions.iter().map(|s| lab.azure.identities(&s.id))).await;
    assert!(lists.iter().all(Result::is_ok));
    assert_eq!(lab.fetched.load(Ordering::SeqCst), before, "the token of the connect serves all");
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_replaced() {
    use super::support::{Login, options};
    use kubectl_wi::azure::Azure;
    use kubectl_wi::cluster::Environment;
    let emulator = std::sync::Arc::new(wi_test_azure::Emulator::start(Tenant::example()).await.unwrap());
    let fetched = std::sync::Arc::default();
    let login = Login {
        emulator: std::sync::Arc::clone(&emulator),
        lifetime: Duration::from_secs(30),
        fetched: std::sync::Arc::clone(&fetched),
    };
    let azure = Azure::connect_with(&options(&emulator), &Environment::empty(), Box::new(login)).await.unwrap();
    assert!(azure.identity(&mi1()).await.known().is_some());
    assert!(fetched.load(Ordering::SeqCst) >= 2, "a token of 30 seconds is not kept");
}

#[tokio::test]
async fn writes_under_one_identity_take_turns() {
    let mut tenant = Tenant::example();
    tenant.write_latency = Duration::from_millis(50);
    let lab = Lab::start(tenant).await;
    let names: Vec<CredentialName> = (0..5).map(|i| CredentialName::parse(&format!("account-{i}")).unwrap()).collect();
    let bodies: Vec<CredentialBody> = (0..5).map(|i| body(&format!("account-{i}"))).collect();
    let (id, absent) = (mi1(), Expected::Absent);
    let writes =
        names.iter().zip(&bodies).map(|(name, body)| lab.azure.write_credential(&id, name, &absent, Some(body)));
    for written in futures::future::join_all(writes).await {
        assert!(matches!(written.unwrap(), Written::Created(_)));
    }
    let puts = lab.requests().iter().filter(|request| request.method == "PUT").count();
    assert_eq!(puts, 5, "none of them met another one");
    lab.assert_proper();
}

#[tokio::test]
async fn a_write_of_another_program_is_waited_for() {
    let lab = Lab::start(Tenant::example()).await;
    let conflict = Answer::recorded("rest/msi/errors/409-fic-concurrent-write.json");
    lab.emulator.fault(Fault::on("velero", conflict.clone()).method("PUT").times(3));
    let name = CredentialName::parse("velero").unwrap();
    let written = lab.azure.write_credential(&mi1(), &name, &Expected::Absent, Some(&body("server"))).await.unwrap();
    assert!(matches!(written, Written::Created(_)));
    let Written::Created(seen) = written else { unreachable!() };
    // For ever it is not.
    lab.emulator.fault(Fault::on("velero", conflict).method("DELETE").always());
    lab.emulator.forget();
    let error = lab.azure.write_credential(&mi1(), &name, &Expected::Unchanged(seen), None).await.unwrap_err();
    assert!(error.api().unwrap().is_concurrent_write(), "{error}");
    assert_eq!(lab.requests().iter().filter(|request| request.method == "DELETE").count(), 6);
}

#[tokio::test]
async fn a_write_is_repeated_after_429_and_not_after_500() {
    let lab = Lab::start(Tenant::example()).await;
    let name = CredentialName::parse("velero").unwrap();
    lab.emulator.fault(Fault::on("velero", throttled("0")).method("PUT"));
    lab.azure.write_credential(&mi1(), &name, &Expected::Absent, Some(&body("server"))).await.unwrap();
    let other = CredentialName::parse("other").unwrap();
    lab.emulator.forget();
    lab.emulator.fault(Fault::on("other", Answer::empty(500)).method("PUT"));
    let error = lab.azure.write_credential(&mi1(), &other, &Expected::Absent, Some(&body("other"))).await.unwrap_err();
    assert_eq!(error.status(), Some(500));
    assert_eq!(lab.requests().iter().filter(|request| request.method == "PUT").count(), 1);
}

#[tokio::test]
async fn what_was_changed_meanwhile_is_not_overwritten() {
    let lab = Lab::start(Tenant::example()).await;
    let name = CredentialName::parse("fic1").unwrap();
    let seen = lab.azure.federated_credentials(&mi1()).await.known().unwrap()[0].clone();
    lab.emulator.change(|tenant| tenant.identities[0].credentials[0].issuer = "https://somebody.else/".to_owned());
    for (expected, wanted) in [
        (Expected::Unchanged(seen.clone()), Some(body("server"))),
        (Expected::Unchanged(seen.clone()), None),
        (Expected::Absent, Some(body("server"))),
    ] {
        let error = lab.azure.write_credential(&mi1(), &name, &expected, wanted.as_ref()).await.unwrap_err();
        assert!(matches!(&error, Error::Changed { what } if what.ends_with("/fic1")), "{error}");
    }
    assert!(lab.requests().iter().all(|request| request.method == "GET"));
    // What is already as wanted needs no write, whoever made it so.
    let own = CredentialBody {
        issuer: "https://somebody.else/".to_owned(),
        subject: examples::SUBJECT.to_owned(),
        ..body("x")
    };
    let written = lab.azure.write_credential(&mi1(), &name, &Expected::Unchanged(seen), Some(&own)).await.unwrap();
    assert_eq!(written, Written::Unchanged);
}

#[tokio::test]
async fn an_undo_finds_what_was_there_before() {
    let lab = Lab::start(Tenant::example()).await;
    let name = CredentialName::parse("fic1").unwrap();
    let before = lab.azure.federated_credentials(&mi1()).await.known().unwrap()[0].clone();
    let corrected = lab
        .azure
        .write_credential(&mi1(), &name, &Expected::Unchanged(before.clone()), Some(&body("server")))
        .await
        .unwrap();
    let Written::Updated { before: saved, after } = corrected else { panic!("{corrected:?}") };
    assert_eq!(saved, before);
    let as_body = |credential: &FederatedCredential| CredentialBody {
        issuer: credential.issuer.clone(),
        subject: credential.subject.clone().unwrap(),
        audience: credential.audiences[0].clone(),
    };
    lab.azure.write_credential(&mi1(), &name, &Expected::Unchanged(after), Some(&as_body(&saved))).await.unwrap();
    assert_eq!(lab.azure.federated_credentials(&mi1()).await.known().unwrap(), &[before]);
    lab.assert_proper();
}
