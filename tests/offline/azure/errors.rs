//! Every error body that is on record, through the client.

use super::support::{Lab, mi1, subscription};
use kubectl_wi::azure::{CredentialBody, CredentialName, Error, Expected, Guid, ResourceId};
use kubectl_wi::model::fact::{Denied, Fact};
use wi_test_azure::{Answer, Credential, Fault, Tenant, examples, file};

fn body() -> CredentialBody {
    CredentialBody {
        issuer: examples::ISSUER.to_owned(),
        subject: "system:serviceaccount:velero:velero-server".to_owned(),
        audience: examples::AUDIENCE.to_owned(),
    }
}

async fn write(lab: &Lab, name: &str, body: &CredentialBody) -> Result<(), Error> {
    let name = CredentialName::parse(name).unwrap();
    lab.azure.write_credential(&mi1(), &name, &Expected::Absent, Some(body)).await.map(|_| ())
}

/// Each file of recorded errors comes out with its status, code and message, whatever the request was.
#[tokio::test]
async fn every_recorded_body_is_read() {
    let lab = Lab::with(Tenant::example(), |options| options.longest_wait = std::time::Duration::ZERO).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/azure/rest/msi/errors");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("rest/msi/errors/{name}");
        let response = file(&path)["response"].clone();
        lab.emulator.fault(Fault::on("mi1", Answer::recorded(&path)).times(2));
        let error = lab.azure.store().get(&mi1()).await.expect_err(&name);
        // A 401 is tried with a new token once, so the fault answers twice; of others one is left over.
        if response["status"] != 401 {
            let _ = lab.azure.store().get(&mi1()).await;
        }
        let api = error.api().unwrap_or_else(|| panic!("{name}: {error}"));
        assert_eq!(u64::from(api.status), response["status"].as_u64().unwrap(), "{name}");
        assert_eq!(api.code, response["body"]["error"]["code"].as_str().unwrap(), "{name}");
        let message = response["body"]["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(api.message.trim_end_matches('…')), "{name}: {}", api.message);
        assert_eq!(api.request_id.as_deref(), Some("aaaaaaaa-1111-4222-8333-000000000001"), "{name}");
        assert!(error.to_string().contains(&api.code), "{name}: {error}");
        count += 1;
    }
    assert_eq!(count, 27);
}

#[tokio::test]
async fn a_missing_permission_is_a_fact_with_its_action() {
    let read = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
    let credentials = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read";
    let lab =
        Lab::start(Tenant::example().denying(read, examples::IDENTITY).denying(credentials, examples::IDENTITY)).await;
    let denied =
        |action: &str| Denied { verb: action.to_owned(), resource: examples::IDENTITY.to_owned(), namespace: None };
    assert_eq!(lab.azure.identity(&mi1()).await, Fact::Denied(denied(read)));
    assert_eq!(lab.azure.federated_credentials(&mi1()).await, Fact::Denied(denied(credentials)));
    lab.assert_proper();
}

#[tokio::test]
async fn not_there_is_absent_and_not_to_be_seen_is_not() {
    let lab = Lab::start(Tenant::example()).await;
    let missing = ResourceId::parse(&examples::IDENTITY.replace("mi1", "mi9")).unwrap();
    assert_eq!(lab.azure.identity(&missing).await, Fact::Absent);
    assert_eq!(lab.azure.federated_credentials(&missing).await, Fact::Absent);
    let elsewhere = ResourceId::parse(&examples::IDENTITY.replace("11111111-1111", "55555555-1111")).unwrap();
    let fact = lab.azure.identity(&elsewhere).await;
    assert!(matches!(&fact, Fact::Failed(why) if why.contains("SubscriptionNotFound")), "{fact:?}");
    let cluster = ResourceId::parse(&examples::CLUSTER.replace("aks-wi-on", "aks-none")).unwrap();
    assert_eq!(lab.azure.cluster_by_id(&cluster).await, Fact::Absent);
    assert_eq!(lab.azure.extension(&ResourceId::parse(examples::CLUSTER).unwrap(), "sc-extension").await, Fact::Absent);
}

#[tokio::test]
async fn an_unreachable_or_broken_azure_is_a_reason_and_no_panic() {
    let lab =
        Lab::with(Tenant::example(), |options| options.request_timeout = std::time::Duration::from_millis(300)).await;
    // A connection that breaks once is tried again.
    lab.emulator.fault(Fault::hang_up("mi1"));
    assert!(lab.azure.identity(&mi1()).await.known().is_some());
    lab.emulator.fault(Fault::broken("mi1"));
    assert!(lab.azure.identity(&mi1()).await.known().is_some());
    // One that stays broken is a reason.
    lab.emulator.fault(Fault::broken("mi1").times(4));
    let fact = lab.azure.identity(&mi1()).await;
    assert!(matches!(&fact, Fact::Failed(why) if why.contains("127.0.0.1")), "{fact:?}");
    // The time limit is spent once.
    let before = lab.requests().len();
    lab.emulator.fault(Fault::late("mi1", std::time::Duration::from_secs(2)).times(4));
    let fact = lab.azure.identity(&mi1()).await;
    assert!(matches!(&fact, Fact::Failed(why) if why.contains("no answer within 0.3 s")), "{fact:?}");
    assert_eq!(lab.requests().len() - before, 1);
}

#[tokio::test]
async fn answers_that_are_no_azure_answers_are_reasons() {
    let lab = Lab::start(Tenant::example()).await;
    for body in
        ["", "null", "[]", "<html>captive portal</html>", "{\"value\":7}", "{\"id\":\"/x/../y\",\"properties\":{}}"]
    {
        let answer = Answer { status: 200, headers: Vec::new(), body: body.to_owned() };
        lab.emulator.fault(Fault::on("/mi1", answer.clone()));
        let fact = lab.azure.identity(&mi1()).await;
        assert!(matches!(fact, Fact::Failed(_)), "{body}: {fact:?}");
        lab.emulator.fault(Fault::on("managedClusters/aks-wi-on", answer));
        let fact = lab.azure.cluster_by_id(&ResourceId::parse(examples::CLUSTER).unwrap()).await;
        assert!(matches!(fact, Fact::Failed(_)), "{body}: {fact:?}");
    }
}

#[tokio::test]
async fn a_next_page_elsewhere_does_not_get_the_token() {
    let lab = Lab::start(Tenant::example()).await;
    for link in ["https://evil.example/x?api-version=2023-01-31", "http://127.0.0.1:1/x", "//evil.example/x"] {
        let page = serde_json::json!({"value": [], "nextLink": link});
        lab.emulator.fault(Fault::on("federatedIdentityCredentials", Answer::json(200, &page)));
        let fact = lab.azure.federated_credentials(&mi1()).await;
        assert!(matches!(&fact, Fact::Failed(why) if why.contains("the token is not sent there")), "{link}: {fact:?}");
        lab.emulator.fault(Fault::on("/resources", Answer::empty(500)).times(4));
        lab.emulator.fault(Fault::on("/managedClusters", Answer::json(200, &page)));
        let fact = lab.azure.cluster(Some(examples::ISSUER), None).await;
        assert!(matches!(&fact, Fact::Failed(why) if why.contains("the token is not sent there")), "{link}: {fact:?}");
    }
}

#[tokio::test]
async fn pages_that_lead_in_a_circle_end() {
    let lab = Lab::start(Tenant::example()).await;
    let path = format!("{}{}/federatedIdentityCredentials", lab.emulator.arm_endpoint(), examples::IDENTITY);
    let page = serde_json::json!({"value": [], "nextLink": format!("{path}?api-version=2023-01-31&page=1")});
    lab.emulator.fault(Fault::on("federatedIdentityCredentials", Answer::json(200, &page)).always());
    let fact = lab.azure.federated_credentials(&mi1()).await;
    assert!(matches!(&fact, Fact::Failed(why) if why.contains("circle")), "{fact:?}");
    assert!(lab.requests().len() <= 3);
}

#[tokio::test]
async fn what_azure_refuses_about_a_credential_is_said() {
    let lab = Lab::start(Tenant::example()).await;
    // The same issuer and subject under another name.
    let duplicate = CredentialBody { subject: examples::SUBJECT.to_owned(), ..body() };
    let error = write(&lab, "another-name", &duplicate).await.unwrap_err();
    assert!(error.api().unwrap().is_duplicate_credential(), "{error}");
    // Before a 21st one nothing is sent.
    lab.emulator.change(|tenant| {
        let full = (0..20).map(|i| Credential::new(&format!("fic-{i}"), "https://i/", &format!("s{i}"), "a"));
        tenant.identities[0].credentials = full.collect();
    });
    lab.emulator.forget();
    let error = write(&lab, "number-21", &body()).await.unwrap_err();
    assert!(matches!(error, Error::LimitReached { count: 20, limit: 20, .. }), "{error}");
    assert!(lab.requests().iter().all(|request| request.method == "GET"));
    // A region without the feature.
    lab.emulator.change(|tenant| {
        tenant.identities[0].credentials.clear();
        tenant.identities[0].location = "malaysiasouth".to_owned();
    });
    let error = write(&lab, "velero", &body()).await.unwrap_err();
    assert_eq!(error.status(), Some(405));
    // No permission to write.
    let action = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write";
    lab.emulator.change(|tenant| tenant.caller.denied.push((action.to_owned(), examples::IDENTITY.to_owned())));
    let error = write(&lab, "velero", &body()).await.unwrap_err();
    assert_eq!(error.api().unwrap().action.as_deref(), Some(action));
    assert!(error.is_denied());
    lab.assert_proper();
}

#[tokio::test]
async fn a_name_that_would_leave_its_place_is_never_sent() {
    assert!(CredentialName::parse("a/../../x").is_err());
    let lab = Lab::start(Tenant::example()).await;
    for wrong in [examples::CLUSTER, "/subscriptions/11111111-1111-1111-1111-111111111111"] {
        let id = ResourceId::parse(wrong).unwrap();
        assert!(matches!(lab.azure.store().get(&id).await, Err(Error::Refused(_))), "{wrong}");
        assert!(matches!(lab.azure.federated_credentials(&id).await, Fact::Failed(_)), "{wrong}");
    }
    for (field, body) in [
        ("issuer", CredentialBody { issuer: String::new(), ..body() }),
        ("subject", CredentialBody { subject: " system:serviceaccount:a:b".to_owned(), ..body() }),
        ("audience", CredentialBody { audience: "a".repeat(601), ..body() }),
    ] {
        let error = write(&lab, "velero", &body).await.unwrap_err();
        assert!(matches!(&error, Error::Refused(why) if why.contains(field)), "{error}");
    }
    assert!(lab.requests().iter().all(|request| request.method == "GET"));
}

#[tokio::test]
async fn a_subscription_by_a_name_that_nobody_has_is_an_error_with_a_next_step() {
    let lab = Lab::with(Tenant::example(), |options| options.subscriptions = vec!["prod".to_owned()]).await;
    let error = lab.azure.subscriptions().await.unwrap_err().to_string();
    assert!(error.contains("prod") && error.contains("az account list"), "{error}");
    let named = Lab::with(Tenant::example(), |options| options.subscriptions = vec!["pay-as-you-go".to_owned()]).await;
    assert_eq!(named.azure.subscriptions().await.unwrap()[0].id, subscription());
    let by_id = Lab::with(Tenant::example(), |o| o.subscriptions = vec![examples::SUBSCRIPTION.to_uppercase()]).await;
    assert_eq!(by_id.azure.subscriptions().await.unwrap()[0].id, Guid::parse(examples::SUBSCRIPTION).unwrap());
    assert!(by_id.requests().is_empty(), "ids need no list");
}
