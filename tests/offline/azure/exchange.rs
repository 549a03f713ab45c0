//! Token exchanges with an Entra that verifies what it is given.

use kubectl_wi::azure::compare::{Presented, compare};
use kubectl_wi::azure::{
    Authority, Exchange, ExchangeRequest, Exchanged, Proxies, Rejection, Secret, Transport, exchange, sample,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wi_test_azure::{Answer, Credential, Emulator, Fault, SigningKey, Tenant, examples, file, token};

struct Lab {
    emulator: Emulator,
    transport: Transport,
    authority: Authority,
}

impl Lab {
    async fn start(tenant: Tenant) -> Self {
        let emulator = Emulator::start(tenant).await.unwrap();
        let transport = Transport::new(Duration::from_secs(5), Proxies::none(), vec![emulator.ca()]).unwrap();
        let authority = Authority::given(&emulator.authority()).unwrap();
        Self { emulator, transport, authority }
    }

    async fn exchange_as(
        &self,
        client: &str,
        tenant: &str,
        resource: &str,
        assertion: &str,
    ) -> Result<Exchanged, Rejection> {
        let assertion = Secret::new(assertion.to_owned());
        let request =
            ExchangeRequest { authority: &self.authority, tenant, client_id: client, resource, assertion: &assertion };
        exchange(&self.transport, &request).await
    }

    async fn exchange(&self, assertion: &str) -> Result<Exchanged, Rejection> {
        self.exchange_as(examples::CLIENT, examples::TENANT, "https://storage.azure.com", assertion).await
    }
}

fn good() -> String {
    token(&SigningKey::ISSUER, examples::ISSUER, examples::SUBJECT, examples::AUDIENCE)
}

fn code(result: Result<Exchanged, Rejection>) -> u32 {
    match result.expect_err("Entra lets it in") {
        Rejection::Entra { error, .. } => error.code().unwrap(),
        Rejection::NoAnswer(error) => panic!("{error}"),
    }
}

fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({
        "iss": examples::ISSUER, "sub": examples::SUBJECT, "aud": [examples::AUDIENCE],
        "iat": now, "nbf": now, "exp": now + 3600,
    });
    change(&mut claims);
    claims
}

fn signed(header: &Value, claims: &Value) -> String {
    SigningKey::ISSUER.sign(header, claims)
}

#[tokio::test]
async fn a_good_token_becomes_the_identity() {
    let lab = Lab::start(Tenant::example()).await;
    let granted = lab.exchange(&good()).await.unwrap();
    let identity = granted.identity.unwrap();
    assert_eq!(identity.oid.as_deref(), Some(examples::PRINCIPAL));
    assert_eq!(identity.appid.as_deref(), Some(examples::CLIENT));
    assert_eq!(identity.tid.as_deref(), Some(examples::TENANT));
    assert!(identity.resource.unwrap().ends_with("/userAssignedIdentities/mi1"));
    assert_eq!(granted.expires_in, Duration::from_secs(86_399));
    assert!(granted.latency > Duration::ZERO);

    // The form is the documented one, field for field.
    let sent = lab.emulator.requests();
    let documented = file("entra/token-request.client_credentials-client_assertion.json");
    assert_eq!(sent[0].method, documented["method"]);
    assert_eq!(sent[0].path, documented["path"].as_str().unwrap().replace("{tenant}", examples::TENANT));
    assert_eq!(sent[0].header("content-type"), documented["headers"]["Content-Type"].as_str());
    let mut expected = documented["form"].clone();
    expected["scope"] = json!("https://storage.azure.com/.default");
    expected["client_assertion"] = sent[0].body["client_assertion"].clone();
    assert_eq!(sent[0].body, expected);
    assert!(sent[0].host.starts_with("https://"));
    assert!(sent[0].header("authorization").is_none());
}

#[tokio::test]
async fn every_mismatch_has_its_code() {
    let lab = Lab::start(Tenant::example()).await;
    let now = jiff::Timestamp::now().as_second();
    let header = json!({"alg": "RS256", "kid": SigningKey::ISSUER.id});
    let by = |change: &dyn Fn(&mut Value)| signed(&header, &claims(|claims| change(claims)));
    for (what, assertion, expected) in [
        ("issuer without its slash", by(&|c| c["iss"] = json!(examples::ISSUER.trim_end_matches('/'))), 700_211),
        ("another account", by(&|c| c["sub"] = json!("system:serviceaccount:ns1:sa2")), 700_213),
        ("another case", by(&|c| c["sub"] = json!("system:serviceaccount:NS1:sa1")), 7_002_138),
        ("another audience", by(&|c| c["aud"] = json!(["api://AKSIdentityBinding"])), 700_212),
        ("an old token", by(&|c| c["exp"] = json!(now - 3600)), 700_024),
        ("a token of the future", by(&|c| c["nbf"] = json!(now + 3600)), 700_024),
        (
            "no issuer",
            by(&|c| {
                c.as_object_mut().unwrap().remove("iss");
            }),
            90_014,
        ),
        ("an Entra token", by(&|c| c["iss"] = json!("https://sts.windows.net/x/")), 700_222),
        ("another algorithm", signed(&json!({"alg": "ES256", "kid": "x"}), &claims(|_| {})), 5_002_738),
        ("no key id", signed(&json!({"alg": "RS256"}), &claims(|_| {})), 5_002_723),
        ("another key", SigningKey::OTHER.sign(&header, &claims(|_| {})), 700_027),
        (
            "a key that the issuer does not publish",
            SigningKey::OTHER.sign(&json!({"alg": "RS256", "kid": "new"}), &claims(|_| {})),
            700_027,
        ),
        ("no token at all", "not.a.token".to_owned(), 50_027),
        ("an empty file", String::new(), 7_000_218),
    ] {
        assert_eq!(code(lab.exchange(&assertion).await), expected, "{what}");
    }
    let storage = "https://storage.azure.com";
    let as_client = |client: &'static str| lab.exchange_as(client, examples::TENANT, storage, "x");
    assert_eq!(code(as_client("00000000-1111-4111-8111-000000000009").await), 700_016);
    assert_eq!(code(as_client("").await), 900_144);
    let token = good();
    let unknown_tenant = lab.exchange_as(examples::CLIENT, "00000000-1111-4111-8111-000000000001", storage, &token);
    assert_eq!(code(unknown_tenant.await), 90_002);
    assert_eq!(
        code(lab.exchange_as(examples::CLIENT, examples::TENANT, "https://nothing.example", &token).await),
        500_011
    );
    lab.emulator.change(|tenant| tenant.issuers[0].jwks = None);
    assert_eq!(code(lab.exchange(&token).await), 90_061);
    lab.emulator.change(|tenant| tenant.identities[0].credentials.clear());
    assert_eq!(code(lab.exchange(&token).await), 70_025);
    lab.emulator.change(|tenant| *tenant = Tenant::example());
    lab.emulator.change(|tenant| tenant.blocked.push(examples::APPLICATION.to_owned()));
    assert_eq!(code(lab.exchange_as(examples::APPLICATION, examples::TENANT, storage, &token).await), 53_003);
    lab.emulator.change(|tenant| tenant.applications[0].disabled = true);
    assert_eq!(code(lab.exchange_as(examples::APPLICATION, examples::TENANT, storage, &token).await), 7_000_112);
    lab.emulator.change(|tenant| tenant.applications[0].principal_id = None);
    assert_eq!(code(lab.exchange_as(examples::APPLICATION, examples::TENANT, storage, &token).await), 7_000_229);
}

/// What comparing predicts is what Entra says.
#[tokio::test]
async fn comparing_predicts_entras_code() {
    let lab = Lab::start(Tenant::example()).await;
    let header = json!({"alg": "RS256", "kid": SigningKey::ISSUER.id});
    let credential = |issuer: &str, subject: &str, audience: &str| Credential::new("fic1", issuer, subject, audience);
    for credentials in [
        vec![],
        vec![credential(examples::ISSUER, examples::SUBJECT, examples::AUDIENCE)],
        vec![credential(examples::ISSUER.trim_end_matches('/'), examples::SUBJECT, examples::AUDIENCE)],
        vec![credential(&examples::ISSUER.to_uppercase(), examples::SUBJECT, examples::AUDIENCE)],
        vec![credential(examples::ISSUER, "system:serviceaccount:ns1:SA1", examples::AUDIENCE)],
        vec![credential(examples::ISSUER, "system:serviceaccount:ns1:*", examples::AUDIENCE)],
        vec![credential(examples::ISSUER, "system:serviceaccount:sa1:ns1", examples::AUDIENCE)],
        vec![credential(examples::ISSUER, examples::SUBJECT, "api://AzureADTokenExchangeChina")],
        vec![
            credential(examples::ISSUER, "system:serviceaccount:ns2:sa1", examples::AUDIENCE),
            credential("https://elsewhere/", examples::SUBJECT, examples::AUDIENCE),
        ],
        vec![
            credential("https://elsewhere/", examples::SUBJECT, examples::AUDIENCE),
            credential(examples::ISSUER, examples::SUBJECT, examples::AUDIENCE),
        ],
    ] {
        lab.emulator.change(|tenant| tenant.identities[0].credentials.clone_from(&credentials));
        let ours: Vec<kubectl_wi::azure::FederatedCredential> = credentials
            .iter()
            .map(|c| kubectl_wi::azure::FederatedCredential {
                name: c.name.clone(),
                issuer: c.issuer.clone(),
                subject: c.subject.clone(),
                audiences: c.audiences.clone(),
                expression: None,
            })
            .collect();
        let presented = Presented {
            issuer: examples::ISSUER.to_owned(),
            subject: examples::SUBJECT.to_owned(),
            audience: examples::AUDIENCE.to_owned(),
        };
        let predicted = compare(&presented, &ours, &|_| false).entra;
        let said = lab.exchange(&signed(&header, &claims(|_| {}))).await.err().map(|rejection| code(Err(rejection)));
        assert_eq!(predicted, said, "{credentials:?}");
    }
}

/// Every body of the catalogue is taken apart, and the bodies of public captures as they are.
#[tokio::test]
async fn every_entra_body_is_read() {
    let lab = Lab::start(Tenant::example()).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/azure/entra/errors");
    let mut bodies: Vec<(u64, Value)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let body = file(&format!("entra/errors/{name}"));
            (body["http_status"].as_u64().unwrap(), body["body"].clone())
        })
        .collect();
    for capture in file("entra/real-captures.json")["captures"].as_array().unwrap() {
        bodies.push((capture["http_status"].as_u64().unwrap_or(400), capture["body"].clone()));
    }
    assert!(bodies.len() > 50);
    for (status, body) in bodies {
        let answer = Answer::json(u16::try_from(status).unwrap(), &body);
        lab.emulator.fault(Fault::on("/oauth2/v2.0/token", answer));
        let Err(Rejection::Entra { error, .. }) = lab.exchange(&good()).await else { panic!("{body}") };
        assert_eq!(u64::from(error.status), status);
        assert_eq!(json!(error.codes), body["error_codes"], "{body}");
        assert_eq!(json!(error.error), body["error"]);
        assert_eq!(json!(error.trace_id), body["trace_id"]);
        assert_eq!(json!(error.correlation_id), body["correlation_id"]);
        assert!(!error.message.contains("Trace ID") && !error.message.starts_with("AADSTS"), "{}", error.message);
        assert!(body["error_description"].as_str().unwrap().contains(error.message.trim_end_matches('…')), "{body}");
    }
}

#[tokio::test]
async fn samples_are_counted() {
    let mut tenant = Tenant::example();
    tenant.flaky_every = 3;
    let lab = Lab::start(tenant).await;
    let assertion = Secret::new(good());
    let request = ExchangeRequest {
        authority: &lab.authority,
        tenant: examples::TENANT,
        client_id: examples::CLIENT,
        resource: "https://storage.azure.com/.default",
        assertion: &assertion,
    };
    let result: Exchange = sample(&lab.transport, &request, 7, Duration::from_millis(1)).await;
    assert_eq!((result.granted.len(), result.rejected.len()), (5, 2));
    let codes = result.codes();
    assert_eq!((codes.len(), codes[0].0, codes[0].1), (1, 700_213, 2));
    assert_eq!(codes[0].2.correlation_id.as_deref(), Some("aaaa0000-bb11-2222-33cc-444444dddddd"));
    let (least, median, most) = result.latency().unwrap();
    assert!(least <= median && median <= most && least > Duration::ZERO);
    assert_eq!(Exchange::default().latency(), None);
    let sent = lab.emulator.requests();
    assert!(sent.iter().all(|request| request.body["scope"] == "https://storage.azure.com/.default"));
}

#[tokio::test]
async fn a_new_credential_is_not_seen_at_once_and_asking_early_prolongs_that() {
    let mut tenant = Tenant::example();
    tenant.propagation = Duration::from_millis(400);
    tenant.identities[0].credentials[0].visible_from = Some(Instant::now() + tenant.propagation);
    let lab = Lab::start(tenant).await;
    assert_eq!(code(lab.exchange(&good()).await), 70_025);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(code(lab.exchange(&good()).await), 70_025, "the early question prolonged it");
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert!(lab.exchange(&good()).await.is_ok());
}

#[tokio::test]
async fn no_answer_is_no_rejection() {
    let lab = Lab::start(Tenant::example()).await;
    lab.emulator.fault(Fault::hang_up("/oauth2/v2.0/token"));
    let Err(Rejection::NoAnswer(error)) = lab.exchange(&good()).await else { panic!() };
    assert!(error.to_string().contains("127.0.0.1 could not be reached"), "{error}");
    // Without the emulator's authority its certificate is not trusted.
    let transport = Transport::new(Duration::from_secs(5), Proxies::none(), Vec::new()).unwrap();
    let assertion = Secret::new(good());
    let request = ExchangeRequest {
        authority: &lab.authority,
        tenant: examples::TENANT,
        client_id: examples::CLIENT,
        resource: "https://storage.azure.com",
        assertion: &assertion,
    };
    let Err(Rejection::NoAnswer(error)) = exchange(&transport, &request).await else { panic!() };
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
    // A tenant that is none is not sent anywhere.
    lab.emulator.forget();
    let Err(Rejection::NoAnswer(error)) =
        lab.exchange_as(examples::CLIENT, "${AZURE_TENANT_ID}", "https://x", "y").await
    else {
        panic!()
    };
    assert!(error.to_string().contains("is no tenant"), "{error}");
    assert!(lab.emulator.requests().is_empty());
}
