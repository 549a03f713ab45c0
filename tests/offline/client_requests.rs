//! Reads: what is sent, what an answer means, when a request is repeated, how long it may take.

use crate::fake_api::{FakeApi, Named, Reply};
use kubectl_wi::cluster::{Client, ConnectOptions, Connection, Environment, Error, Impersonation, LogQuery, resource};
use kubectl_wi::model::fact::{Denied, Fact};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn pod() -> Reply {
    Reply::json(200, &json!({ "kind": "Pod", "metadata": { "name": "velero-1" } }))
}

fn overloaded() -> Reply {
    Reply::status(503, "ServiceUnavailable", "the server is currently unable to handle the request")
}

async fn get_pod(client: &Client) -> Result<Named, Error> {
    client.get(&resource::POD, Some("velero"), "velero-1").await
}

#[tokio::test]
async fn who_asks_and_as_whom_is_in_the_headers() {
    let api = FakeApi::in_turn(vec![pod]).await;
    let options = ConnectOptions {
        token: Some("sesame".to_owned().into()),
        impersonate: Impersonation {
            user: Some("system:serviceaccount:velero:velero".into()),
            groups: vec!["a".into(), "b".into()],
            uid: Some("7".into()),
            extra: BTreeMap::from([("example.com/scope".into(), vec!["x".into(), "y".into()])]),
        },
        ..api.options()
    };
    let client = Client::connect(&options, &Environment::empty()).await.unwrap();
    get_pod(&client).await.unwrap();
    let seen = &api.seen()[0];
    assert_eq!(seen.path, "/api/v1/namespaces/velero/pods/velero-1");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(seen.header("user-agent"), Some(format!("kubectl-wi/{version}").as_str()));
    assert_eq!(seen.header("authorization"), Some("Bearer sesame"));
    assert_eq!(seen.header("accept-encoding"), Some("gzip"));
    assert_eq!(seen.header("impersonate-user"), Some("system:serviceaccount:velero:velero"));
    assert_eq!(seen.header("impersonate-uid"), Some("7"));
    assert_eq!(seen.headers.get_all("impersonate-group").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(seen.headers.get_all("impersonate-extra-example.com%2fscope").iter().collect::<Vec<_>>(), ["x", "y"]);
}

#[tokio::test]
async fn compression_can_be_turned_off() {
    let api = FakeApi::in_turn(vec![pod]).await;
    let options = ConnectOptions { disable_compression: Some(true), ..api.options() };
    let client = Client::connect(&options, &Environment::empty()).await.unwrap();
    get_pod(&client).await.unwrap();
    assert_eq!(api.seen()[0].header("accept-encoding"), None);
}

#[tokio::test]
async fn a_read_is_repeated_until_the_server_is_back() {
    let too_many = || Reply::status(429, "TooManyRequests", "slow down").header("retry-after", "1");
    let api = FakeApi::in_turn(vec![overloaded, too_many, pod]).await;
    let client = api.client().await;
    let started = Instant::now();
    assert_eq!(get_pod(&client).await.unwrap().metadata.name, "velero-1");
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was not honoured: {:?}", started.elapsed());
    assert_eq!(api.requests(), 3);
    assert_eq!((client.stats().requests, client.stats().retries), (3, 2));
    assert!(client.stats().bytes > 100);
}

#[tokio::test]
async fn a_read_is_not_repeated_for_ever() {
    let api = FakeApi::in_turn(vec![overloaded]).await;
    let started = Instant::now();
    let error = get_pod(&api.client().await).await.unwrap_err();
    assert!(
        matches!(&error, Error::Server { code: 503, message, .. } if message.contains("currently unable")),
        "{error}"
    );
    assert_eq!(api.requests(), 4);
    assert!(started.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn a_wait_that_outlasts_the_call_is_not_begun() {
    let api = FakeApi::in_turn(vec![|| overloaded().header("retry-after", "3600")]).await;
    let started = Instant::now();
    let error = get_pod(&api.client_within(3000).await).await.unwrap_err();
    assert!(matches!(error, Error::Server { code: 503, .. }), "the reason is told, not a timeout: {error}");
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(api.requests(), 1);
}

#[tokio::test]
async fn what_is_the_servers_last_word_is_not_asked_again() {
    for status in [400, 401, 403, 404, 409, 410, 422, 500] {
        let api = FakeApi::start(move |_, _| Reply::status(status, "X", "no")).await;
        get_pod(&api.client().await).await.unwrap_err();
        assert_eq!(api.requests(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_time() {
    for reply in [Reply::hang as fn() -> Reply, || pod().stalled(), || overloaded().stalled()] {
        let api = FakeApi::in_turn(vec![reply]).await;
        let started = Instant::now();
        let error = get_pod(&api.client_within(300).await).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        let expected = format!("cannot get pods velero/velero-1: no answer from {} within 300ms", api.url());
        assert_eq!(error.to_string(), expected);
        assert!(started.elapsed() < Duration::from_secs(6));
        assert_eq!(api.requests(), 1);
        assert!(Fact::<()>::from(Err(error)).is_unknown());
    }
}

#[tokio::test]
async fn half_an_answer_is_asked_for_again() {
    let api = FakeApi::in_turn(vec![|| pod().cut(), pod]).await;
    assert!(get_pod(&api.client().await).await.is_ok());
    assert_eq!(api.requests(), 2);

    let api = FakeApi::in_turn(vec![|| pod().cut()]).await;
    let error = get_pod(&api.client().await).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(api.requests(), 4);
}

#[tokio::test]
async fn nobody_listening_is_said_soon_and_in_plain_words() {
    let address = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let options = ConnectOptions { server: Some(format!("http://{address}")), ..ConnectOptions::default() };
    let client = Client::connect(&options, &Environment::empty()).await.unwrap();
    let started = Instant::now();
    let error = get_pod(&client).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot reach http://{address}: ")), "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(error.hint().unwrap().contains("nothing listens there"));
    assert!(started.elapsed() < Duration::from_secs(6));
    assert_eq!(client.stats().requests, 2);
}

#[tokio::test]
async fn an_answer_becomes_the_fact_that_it_is() {
    let denied = Denied { verb: "get".into(), resource: "pods".into(), namespace: Some("velero".into()) };
    let forbidden = r#"pods "velero-1" is forbidden: User "me" cannot get resource "pods" in API group "" in the namespace "velero""#;
    let not_found = json!({
        "kind": "Status", "reason": "NotFound", "message": "pods \"velero-1\" not found", "code": 404,
        "details": { "name": "velero-1", "kind": "pods" },
    });
    let html = "<html><head><title>Sign in</title></head><body>hunter2</body></html>";
    let cases: Vec<(Reply, Fact<()>)> = vec![
        (Reply::status(403, "Forbidden", forbidden), Fact::Denied(denied.clone())),
        (Reply::json(403, &json!({ "error": "no" })), Fact::Denied(denied)),
        (Reply::json(404, &not_found), Fact::Absent),
        (Reply::text(404, "text/plain; charset=utf-8", "404 page not found\n"), Fact::Absent),
        (Reply::text(404, "text/html", html), Fact::Failed("404 with an HTML page (\"Sign in\")".into())),
        (Reply::text(401, "text/html", html), Fact::Failed("does not accept the credentials: 401 Unauthorized".into())),
        (Reply::json(500, &json!({ "code": 0 })), Fact::Failed("answered 500".into())),
        (Reply::text(502, "text/html", html), Fact::Failed("502 with an HTML page".into())),
        (Reply::text(200, "text/html", html), Fact::Failed("not the Kubernetes API's: an HTML page".into())),
        (Reply::text(200, "application/json", "{\"metadata\":7}"), Fact::Failed("invalid type".into())),
        (Reply::text(302, "text/html", html).header("location", "https://login"), Fact::Failed("302".into())),
        (
            Reply::text(500, "text/plain", "").bytes(vec![0xff, 0xfe, 0x00]),
            Fact::Failed("bytes that are no text".into()),
        ),
    ];
    for (reply, expected) in cases {
        let reply = Mutex::new(Some(reply));
        let api = FakeApi::start(move |_, _| reply.lock().unwrap().take().unwrap_or_else(Reply::hang)).await;
        let fact = Fact::from(get_pod(&api.client_within(2000).await).await.map(|_| ()));
        match (&fact, &expected) {
            (Fact::Failed(why), Fact::Failed(part)) => {
                assert!(why.contains(part.as_str()), "{why}");
                assert!(!why.contains("hunter2") && !why.contains('\n'), "{why}");
            }
            _ => assert_eq!(fact, expected),
        }
    }
}

#[tokio::test]
async fn warnings_are_kept_once_each() {
    let warned =
        || pod().header("warning", "299 - \"v1 Endpoints is deprecated\"").header("warning", "299 - \"other\"");
    let api = FakeApi::in_turn(vec![warned]).await;
    let client = api.client().await;
    get_pod(&client).await.unwrap();
    get_pod(&client).await.unwrap();
    assert_eq!(client.take_warnings(), ["v1 Endpoints is deprecated", "other"]);
    assert!(client.take_warnings().is_empty());
}

#[tokio::test]
async fn verbose_output_gets_paths_and_codes_and_no_credentials() {
    let api = FakeApi::in_turn(vec![overloaded, pod]).await;
    let options = ConnectOptions { token: Some("sesame".to_owned().into()), ..api.options() };
    let connection = Connection::resolve(&options, &Environment::empty()).await.unwrap();
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let client =
        Client::observed(connection, move |exchange| sink.lock().unwrap().push(format!("{exchange:?}"))).unwrap();
    get_pod(&client).await.unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("503") && lines[1].contains("/api/v1/namespaces/velero/pods/velero-1"), "{lines:?}");
    assert!(!format!("{lines:?} {client:?}").contains("sesame"));
}

#[tokio::test]
async fn the_server_tells_version_issuer_and_keys() {
    let api = FakeApi::start(|seen, _| match seen.path.as_str() {
        "/version" => {
            Reply::json(200, &json!({ "major": "1", "minor": "34+", "gitVersion": "v1.34.4-aks", "platform": "x" }))
        }
        "/.well-known/openid-configuration" => {
            Reply::json(200, &json!({ "issuer": "https://oidc.example/", "jwks_uri": "https://oidc.example/jwks" }))
        }
        // The real one answers 406 to application/json here.
        "/openid/v1/jwks" if seen.header("accept") == Some("application/jwk-set+json") => {
            Reply::json(200, &json!({ "keys": [{ "kid": "a" }] }))
        }
        _ => Reply::text(406, "text/plain", "no"),
    })
    .await;
    let client = api.client().await;
    assert_eq!(client.server_version().await.unwrap().git_version, "v1.34.4-aks");
    assert_eq!(client.openid_configuration().await.unwrap().issuer, "https://oidc.example/");
    assert_eq!(client.jwks().await.unwrap()["keys"][0]["kid"], "a");
}

#[tokio::test]
async fn the_path_of_the_server_is_kept() {
    let api = FakeApi::in_turn(vec![pod]).await;
    let options =
        ConnectOptions { server: Some(format!("{}/k8s/clusters/c-1/", api.url())), ..ConnectOptions::default() };
    let client = Client::connect(&options, &Environment::empty()).await.unwrap();
    get_pod(&client).await.unwrap();
    assert_eq!(api.seen()[0].path, "/k8s/clusters/c-1/api/v1/namespaces/velero/pods/velero-1");
    assert_eq!(client.server(), format!("{}/k8s/clusters/c-1", api.url()));
}

#[tokio::test]
async fn logs_come_as_they_are() {
    let api =
        FakeApi::start(|_, _| Reply::text(200, "text/plain", "").bytes(b"line \xff one\nline two\n".to_vec())).await;
    let query = LogQuery {
        namespace: "velero",
        pod: "velero-1",
        container: Some("velero"),
        previous: true,
        tail_lines: Some(50),
        limit_bytes: Some(1 << 20),
        timestamps: true,
    };
    assert_eq!(api.client().await.logs(&query).await.unwrap(), "line \u{fffd} one\nline two\n");
    let seen = &api.seen()[0];
    assert_eq!(seen.path, "/api/v1/namespaces/velero/pods/velero-1/log");
    for (name, value) in [
        ("container", "velero"),
        ("previous", "true"),
        ("tailLines", "50"),
        ("limitBytes", "1048576"),
        ("timestamps", "true"),
    ] {
        assert_eq!(seen.parameter(name).as_deref(), Some(value), "{name}");
    }
}
