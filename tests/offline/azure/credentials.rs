//! Federated credentials: what the generated crate cannot read.

use super::support::{Lab, mi1};
use kubectl_wi::azure::Guid;
use wi_test_azure::{Answer, Credential, Fault, Tenant, examples, file};

const EXPRESSION: &str = "claims['sub'] matches 'system:serviceaccount:ns1:*'";

fn flexible() -> Credential {
    Credential {
        subject: None,
        expression: Some(EXPRESSION.to_owned()),
        ..Credential::new("flexible", examples::ISSUER, "", examples::AUDIENCE)
    }
}

#[tokio::test]
async fn a_flexible_credential_does_not_hide_the_others() {
    let mut tenant = Tenant::example();
    tenant.identities[0].credentials.push(flexible());
    let lab = Lab::start(tenant).await;
    let credentials = lab.azure.federated_credentials(&mi1()).await.known().unwrap().clone();
    assert_eq!(credentials.len(), 2);
    assert_eq!(credentials[0].subject.as_deref(), Some(examples::SUBJECT));
    assert_eq!((credentials[1].subject.as_deref(), credentials[1].expression.as_deref()), (None, Some(EXPRESSION)));
    // The preview is asked only where it is needed.
    let versions = |lab: &Lab| -> Vec<String> {
        lab.requests().iter().filter_map(|r| r.parameter("api-version").map(str::to_owned)).collect()
    };
    assert!(versions(&lab).contains(&"2025-01-31-preview".to_owned()));
    lab.emulator.change(|tenant| tenant.identities[0].credentials.pop());
    lab.emulator.forget();
    lab.azure.federated_credentials(&mi1()).await;
    assert!(versions(&lab).iter().all(|version| version == "2023-01-31"));
    lab.assert_proper();
}

#[tokio::test]
async fn without_the_preview_its_expression_stays_unknown() {
    let mut tenant = Tenant::example();
    tenant.identities[0].credentials = vec![flexible()];
    let lab = Lab::start(tenant).await;
    let page = serde_json::json!({"value": [{"name": "flexible", "properties": {"issuer": examples::ISSUER, "audiences": null}}]});
    lab.emulator.fault(Fault::on("federatedIdentityCredentials", Answer::json(200, &page)));
    lab.emulator.fault(Fault::on("federatedIdentityCredentials", Answer::empty(400)));
    let credentials = lab.azure.federated_credentials(&mi1()).await.known().unwrap().clone();
    assert_eq!((credentials[0].subject.as_deref(), credentials[0].expression.as_deref()), (None, None));
    assert!(credentials[0].audiences.is_empty());
}

#[tokio::test]
async fn a_list_that_is_null_is_empty() {
    let lab = Lab::start(Tenant::example()).await;
    lab.emulator.fault(Fault::on(
        "federatedIdentityCredentials",
        Answer::json(200, &serde_json::json!({"value": null, "nextLink": ""})),
    ));
    assert!(lab.azure.federated_credentials(&mi1()).await.known().unwrap().is_empty());
}

/// The official examples and the recordings, as they are.
#[tokio::test]
async fn documented_and_recorded_bodies_are_read() {
    let lab = Lab::start(Tenant::example()).await;
    let mut listed = file("rest/msi/FederatedIdentityCredentialList.json")["responses"]["200"]["body"].clone();
    listed.as_object_mut().unwrap().remove("nextLink");
    lab.emulator.fault(Fault::on("federatedIdentityCredentials", Answer::json(200, &listed)));
    let credentials = lab.azure.federated_credentials(&mi1()).await.known().unwrap().clone();
    assert_eq!(credentials[0].name, "ficResourceName");
    assert_eq!(credentials[0].subject.as_deref(), Some("system:serviceaccount:ns:svcaccount"));
    assert_eq!(credentials[0].issuer, "https://oidc.prod-aks.azure.com/TenantGUID/IssuerGUID");

    let example = file("rest/msi/IdentityGet.json")["responses"]["200"]["body"].clone();
    lab.emulator.fault(Fault::on("/mi1", Answer::json(200, &example)));
    let identity = lab.azure.identity(&mi1()).await.known().unwrap().clone();
    assert_eq!((identity.id.name(), identity.tags["key1"].as_str()), ("identityName", "value1"));
    assert_eq!(identity.client_id, Guid::parse(examples::CLIENT));
    for path in ["rest/recorded/identity-get-200.json", "rest/recorded/identity-get-200.china.json"] {
        lab.emulator.fault(Fault::on("/mi1", Answer::recorded(path)));
        let identity = lab.azure.identity(&mi1()).await.known().unwrap().clone();
        assert_eq!(identity.id.name(), "testResource", "{path}");
        // The recorder put a word in the tenant's place.
        assert_eq!(identity.tenant_id, None, "{path}");
    }
    // A newer version's unknown fields, and an identity without a location.
    let mut newer = example;
    newer["properties"]["isolationScope"] = serde_json::json!("Regional");
    newer.as_object_mut().unwrap().remove("location");
    newer["tags"] = serde_json::Value::Null;
    lab.emulator.fault(Fault::on("/mi1", Answer::json(200, &newer)));
    let identity = lab.azure.identity(&mi1()).await.known().unwrap().clone();
    assert_eq!((identity.location.as_str(), identity.tags.len()), ("", 0));
}

#[tokio::test]
async fn application_credentials_are_read_over_all_pages() {
    let mut tenant = Tenant::example();
    tenant.page_size = 1;
    tenant.applications[0].credentials.push(flexible());
    let lab = Lab::start(tenant).await;
    let application = Guid::parse(examples::APPLICATION).unwrap();
    let credentials = lab.azure.application_credentials(application).await.known().unwrap().clone();
    assert_eq!(credentials.len(), 3);
    assert_eq!(credentials[1].name, "github-main");
    assert_eq!(credentials[2].expression.as_deref(), Some(EXPRESSION));

    // The documented bodies of both versions.
    let mut answer = Answer::recorded("graph/graph-200-application-fics-list-flexible.beta.json");
    lab.emulator.fault(Fault::on("federatedIdentityCredentials", answer.clone()));
    let credentials = lab.azure.application_credentials(application).await.known().unwrap().clone();
    assert_eq!(
        credentials[1].expression.as_deref(),
        Some("claims['sub'] matches 'repo:contoso/contoso-repo:ref:refs/heads/*'")
    );
    answer = Answer::recorded("graph/graph-200-application-fics-list.json");
    lab.emulator.fault(Fault::on("federatedIdentityCredentials", answer));
    assert_eq!(lab.azure.application_credentials(application).await.known().unwrap().len(), 2);
    lab.assert_proper();
}

#[tokio::test]
async fn graph_s_errors_are_reasons() {
    let lab = Lab::with(Tenant::example(), |options| options.longest_wait = std::time::Duration::ZERO).await;
    let application = Guid::parse(examples::APPLICATION).unwrap();
    for (path, said) in [
        ("graph/graph-403-Authorization_RequestDenied.json", "Authorization_RequestDenied"),
        ("graph/graph-429-TooManyRequests.json", "TooManyRequests"),
    ] {
        lab.emulator.fault(Fault::on("federatedIdentityCredentials", Answer::recorded(path)));
        let fact = lab.azure.application_credentials(application).await;
        assert!(fact.why().unwrap().contains(said), "{fact:?}");
    }
    lab.emulator.fault(
        Fault::on("federatedIdentityCredentials", Answer::recorded("graph/graph-401-InvalidAuthenticationToken.json"))
            .times(2),
    );
    let fact = lab.azure.application_credentials(application).await;
    assert!(fact.why().unwrap().contains("Lifetime validation failed"), "{fact:?}");
}
