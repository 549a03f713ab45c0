//! Nothing secret comes out: not in errors, not in `Debug`, not in what libraries log at their most talkative.

use super::support::{Lab, client, mi1, options, principal};
use kubectl_wi::azure::{
    AccessToken, Authority, Azure, CredentialBody, CredentialKind, CredentialName, ExchangeRequest, Expected, Options,
    Proxies, Transport, sample,
};
use kubectl_wi::cluster::Environment;
use kubectl_wi::token::jwt::RawToken;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use wi_test_azure::{Answer, Emulator, Fault, SigningKey, Tenant, examples, token};

/// A type must not have a trait: two candidates would make this ambiguous.
macro_rules! lacks {
    ($type:ty, $trait:path) => {
        const _: fn() = || {
            trait Ambiguous<A> {
                fn item() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Second;
            impl<T: ?Sized + $trait> Ambiguous<Second> for T {}
            let _ = <$type as Ambiguous<_>>::item;
        };
    };
}

lacks!(RawToken, Clone);
lacks!(RawToken, serde::Serialize);
lacks!(AccessToken, std::fmt::Debug);
lacks!(AccessToken, std::fmt::Display);
lacks!(AccessToken, Clone);
lacks!(Azure, std::fmt::Debug);
lacks!(Transport, std::fmt::Debug);
lacks!(Proxies, std::fmt::Debug);

/// Writes down everything that any library says.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Line(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().unwrap();
        let _ = write!(text, "\n{}", event.metadata().target());
        event.record(&mut Line(&mut text));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct OfThread(std::thread::ThreadId, Everything);

impl log::Log for OfThread {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        std::thread::current().id() == self.0
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let _ = write!(self.1.0.lock().unwrap(), "\n{} {}", record.target(), record.args());
        }
    }
    fn flush(&self) {}
}

const SECRET: &str = "test-client-secret";

fn assert_clean(what: &str, text: &str) {
    for secret in [SECRET, "Bearer ey", "hunter2"] {
        assert!(!text.contains(secret), "{what} holds {secret}");
    }
    // Any token: header, claims and signature of one begin so.
    for (at, _) in text.match_indices("eyJ") {
        let word: String = text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
        assert!(word.len() < 20, "{what} holds a token");
    }
}

/// All that the Azure side does, with every result in `Debug`.
async fn everything_that_is_done(emulator: &Emulator, azure: &Azure) -> String {
    let mut said = String::new();
    let name = CredentialName::parse("velero").unwrap();
    let body = CredentialBody {
        issuer: examples::ISSUER.to_owned(),
        subject: "system:serviceaccount:velero:velero".to_owned(),
        audience: examples::AUDIENCE.to_owned(),
    };
    for round in 0..3 {
        if round == 1 {
            emulator.revoke_tokens();
        }
        if round == 2 {
            emulator.fault(
                Fault::on("/", Answer::recorded("rest/msi/errors/401-InvalidAuthenticationToken.json")).always(),
            );
        }
        let _ = writeln!(said, "{:?}", azure.identity(&mi1()).await);
        let _ = writeln!(said, "{:?}", azure.federated_credentials(&mi1()).await);
        let _ = writeln!(said, "{:?}", azure.discover(&[client(), principal()]).await);
        let _ = writeln!(said, "{:?}", azure.cluster(Some(examples::ISSUER), None).await);
        let _ = writeln!(said, "{:?}", azure.role_assignments(principal(), &mi1()).await);
        let _ = writeln!(said, "{:?}", azure.write_credential(&mi1(), &name, &Expected::Absent, Some(&body)).await);
    }
    said
}

#[tokio::test]
async fn no_token_is_in_any_log_or_debug_output() {
    let log = Everything::default();
    // The runtime of the test has this one thread; what other tests log at the same time is not looked at.
    let _tracing = tracing::subscriber::set_default(log.clone());
    log::set_boxed_logger(Box::new(OfThread(std::thread::current().id(), log.clone()))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    let emulator = Emulator::start(Tenant::example()).await.unwrap();
    let environment = Environment::empty()
        .with("AZURE_AUTHORITY_HOST", emulator.authority())
        .with("AZURE_TENANT_ID", examples::TENANT)
        .with("AZURE_CLIENT_ID", examples::APPLICATION)
        .with("AZURE_CLIENT_SECRET", SECRET);
    let options = Options {
        arm_endpoint: Some(emulator.arm_endpoint_tls()),
        credential: CredentialKind::Env,
        ..options(&emulator)
    };
    let azure = Azure::connect(&options, &environment).await.unwrap();
    let mut said = everything_that_is_done(&emulator, &azure).await;
    let _ = writeln!(said, "{environment:?}");

    let lab = Emulator::start(Tenant::example()).await.unwrap();
    let transport = Transport::new(Duration::from_secs(5), Proxies::none(), vec![lab.ca()]).unwrap();
    let authority = Authority::given(&lab.authority()).unwrap();
    let assertion = RawToken::new(token(&SigningKey::ISSUER, examples::ISSUER, examples::SUBJECT, examples::AUDIENCE));
    let request = ExchangeRequest {
        authority: &authority,
        tenant: examples::TENANT,
        client_id: examples::CLIENT,
        resource: "https://storage.azure.com",
        assertion: &assertion,
    };
    let _ = writeln!(said, "{:?}", sample(&transport, &request, 2, Duration::ZERO).await);
    // An answer that quotes the token back is shown without it.
    let quote = serde_json::json!({"error": "invalid_request", "error_description": format!("AADSTS50027: {} is no token", assertion.expose())});
    lab.fault(Fault::on("/token", Answer::json(400, &quote)));
    let _ = writeln!(said, "{:?}", sample(&transport, &request, 1, Duration::ZERO).await);
    let page = Answer { status: 500, headers: Vec::new(), body: format!("echo: {}", assertion.expose()) };
    lab.fault(Fault::on("/token", page.clone()));
    let _ = writeln!(said, "{:?}", sample(&transport, &request, 1, Duration::ZERO).await);
    let arm = Lab::start(Tenant::example()).await;
    arm.emulator.fault(Fault::on("/mi1", page.clone()).always());
    let _ = writeln!(said, "{:?}", arm.azure.identity(&mi1()).await);
    assert_clean("the output", &said);
    assert!(said.contains("[hidden]"), "the quoted tokens were seen and cut");

    let logged = log.0.lock().unwrap().clone();
    assert_clean("the log", &logged);
    // The log is one that would have shown it: the generated crate's own, known to print this header in clear.
    assert!(logged.contains("will be passed to the transport policy"), "azure_core logs nothing any more");
    assert!(logged.contains("Bearer placeholder"));
}

#[tokio::test]
async fn a_proxy_s_password_is_not_shown() {
    let emulator = Emulator::start(Tenant::example()).await.unwrap();
    let environment = Environment::empty().with("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:9");
    let proxies = Proxies::of(&environment);
    let transport = Transport::new(Duration::from_secs(2), proxies, vec![emulator.ca()]).unwrap();
    let authority = Authority::given("https://login.example/").unwrap();
    let assertion = RawToken::new("x".to_owned());
    let request = ExchangeRequest {
        authority: &authority,
        tenant: examples::TENANT,
        client_id: examples::CLIENT,
        resource: "https://storage.azure.com",
        assertion: &assertion,
    };
    let result = sample(&transport, &request, 1, Duration::ZERO).await;
    assert_clean("the error", &format!("{result:?}"));
    assert_eq!(result.rejected.len(), 1);
}
