//! Running a program in a container, over a websocket that behaves and over ones that do not.

use crate::fake_api::{FakeApi, Reply};
use futures::{SinkExt, StreamExt};
use kubectl_wi::cluster::{Client, ConnectOptions, Environment, Error, ExecOutcome, ExecQuery};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// What the container's side does once the program has been started.
#[derive(Clone)]
enum Script {
    /// Sends those messages (channel, bytes), then closes.
    Say(Vec<(u8, Vec<u8>)>),
    /// Sends those messages, then drops the connection without a word.
    Break(Vec<(u8, Vec<u8>)>),
    /// Sends those messages, then nothing.
    Hang(Vec<(u8, Vec<u8>)>),
}

/// A kubelet, seen through the API server.
struct Container {
    url: String,
    starts: Arc<AtomicUsize>,
    asked: Arc<Mutex<String>>,
}

impl Container {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (starts, asked): (Arc<AtomicUsize>, Arc<Mutex<String>>) = Default::default();
        let (count, uri) = (Arc::clone(&starts), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(play(stream, script.clone(), Arc::clone(&uri)));
            }
        });
        Self { url, starts, asked }
    }

    async fn run(&self, limit: Duration, max_output: usize) -> Result<ExecOutcome, Error> {
        let options = ConnectOptions { server: Some(self.url.clone()), ..ConnectOptions::default() };
        let client = Client::connect(&options, &Environment::empty()).await.unwrap();
        client.exec(&ExecQuery { limit, max_output, ..QUERY }).await
    }
}

const QUERY: ExecQuery<'static> = ExecQuery {
    namespace: "velero",
    pod: "velero-1",
    container: "velero",
    command: &["cat", "/var/run/secrets/azure/tokens/azure-identity-token"],
    limit: Duration::from_secs(10),
    max_output: 1 << 20,
};

async fn play(stream: TcpStream, script: Script, asked: Arc<Mutex<String>>) {
    #[allow(clippy::result_large_err)] // the shape that tungstenite wants
    let accept = |request: &Request, mut response: Response| {
        *asked.lock().unwrap() = request.uri().to_string();
        response.headers_mut().insert("sec-websocket-protocol", "v5.channel.k8s.io".parse().unwrap());
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, accept).await.unwrap();
    let (messages, end) = match script {
        Script::Say(messages) => (messages, 0),
        Script::Break(messages) => (messages, 1),
        Script::Hang(messages) => (messages, 2),
    };
    for (channel, bytes) in messages {
        let mut framed = vec![channel];
        framed.extend(bytes);
        // Whoever has read enough goes away.
        if socket.send(Message::binary(framed)).await.is_err() {
            return;
        }
    }
    match end {
        0 => finish(socket).await,
        1 => drop(socket),
        _ => std::future::pending().await,
    }
}

async fn finish(mut socket: WebSocketStream<TcpStream>) {
    let _ = socket.close(None).await;
    while let Some(Ok(_)) = socket.next().await {}
}

fn status(value: &serde_json::Value) -> (u8, Vec<u8>) {
    (3, value.to_string().into_bytes())
}

fn success() -> (u8, Vec<u8>) {
    status(&json!({ "status": "Success", "metadata": {} }))
}

fn out(text: &str) -> (u8, Vec<u8>) {
    (1, text.as_bytes().to_vec())
}

#[tokio::test]
async fn output_and_exit_code_come_whole() {
    let script = Script::Say(vec![out("sesame"), (2, b"warning".to_vec()), out(" open"), success()]);
    let container = Container::start(script).await;
    let outcome = container.run(Duration::from_secs(10), 1 << 20).await.unwrap();
    assert_eq!((outcome.stdout.as_slice(), outcome.stderr.as_slice()), (&b"sesame open"[..], &b"warning"[..]));
    assert_eq!(outcome.exit_code, Some(0));
    assert!(!format!("{outcome:?}").contains("sesame"), "the output may be a token: {outcome:?}");
    let asked = container.asked.lock().unwrap().clone();
    assert!(asked.starts_with("/api/v1/namespaces/velero/pods/velero-1/exec?"), "{asked}");
    assert!(asked.contains("container=velero") && asked.contains("command=cat&command=%2Fvar%2Frun"), "{asked}");
}

#[tokio::test]
async fn another_exit_code_is_that_code() {
    let failed = json!({
        "status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with non-zero exit code",
        "details": { "causes": [{ "reason": "ExitCode", "message": "137" }] },
    });
    let container = Container::start(Script::Say(vec![status(&failed)])).await;
    assert_eq!(container.run(Duration::from_secs(10), 100).await.unwrap().exit_code, Some(137));
}

#[tokio::test]
async fn a_program_that_is_not_there_has_no_exit_code_but_a_reason() {
    let missing = json!({
        "status": "Failure", "reason": "InternalError", "code": 500,
        "message": "OCI runtime exec failed: exec: \"cat\": executable file not found in $PATH",
    });
    let container = Container::start(Script::Say(vec![status(&missing)])).await;
    let outcome = container.run(Duration::from_secs(10), 100).await.unwrap();
    assert_eq!(outcome.exit_code, None);
    assert!(outcome.message.clone().unwrap().contains("executable file not found"));
}

/// kube 5.0.0 leaves the streams open for ever when the connection breaks, and `join()` then calls it a success.
#[tokio::test]
async fn a_connection_that_breaks_is_unknown_and_soon() {
    for script in [Script::Break(vec![out("half")]), Script::Break(vec![]), Script::Say(vec![out("half")])] {
        let container = Container::start(script).await;
        let started = Instant::now();
        let outcome = container.run(Duration::from_secs(20), 100).await.unwrap();
        assert_eq!(outcome.exit_code, None);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!(container.starts.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_program_that_does_not_end_is_left_in_time() {
    let container = Container::start(Script::Hang(vec![out("waiting")])).await;
    let started = Instant::now();
    let error = container.run(Duration::from_millis(400), 100).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(6));

    let api = FakeApi::in_turn(vec![Reply::hang]).await;
    let error = api.client().await.exec(&ExecQuery { limit: Duration::from_millis(300), ..QUERY }).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn more_output_than_is_wanted_is_cut_and_does_not_block() {
    let container =
        Container::start(Script::Say(vec![out(&"x".repeat(300_000)), out(&"y".repeat(300_000)), success()])).await;
    let outcome = container.run(Duration::from_secs(10), 1000).await.unwrap();
    assert_eq!((outcome.stdout.len(), outcome.exit_code), (1000, Some(0)));

    let large =
        Container::start(Script::Say(vec![out(&"x".repeat(900_000)), (2, vec![b'e'; 900_000]), success()])).await;
    let outcome = large.run(Duration::from_secs(10), 1 << 20).await.unwrap();
    assert_eq!((outcome.stdout.len(), outcome.stderr.len(), outcome.exit_code), (900_000, 900_000, Some(0)));
}

#[tokio::test]
async fn a_refusal_is_told_as_what_it_is_and_nothing_is_started_twice() {
    type Case = (fn() -> Reply, &'static str);
    let forbidden = r#"pods "velero-1" is forbidden: User "me" cannot create resource "pods/exec" in API group "" in the namespace "velero""#;
    let cases: [Case; 6] = [
        (
            || {
                Reply::status(
                    403,
                    "Forbidden",
                    r#"pods "velero-1" is forbidden: User "me" cannot create resource "pods/exec" in API group "" in the namespace "velero""#,
                )
            },
            "no permission to create pods/exec in namespace velero: ",
        ),
        (|| Reply::status(503, "ServiceUnavailable", "later"), "answered 503: later"),
        (|| Reply::status(400, "BadRequest", "container x is not valid for pod velero-1"), "container x is not valid"),
        (|| Reply::json(500, &json!({ "error": "kubelet" })), "answered 500: JSON of another kind"),
        (
            || Reply::text(502, "text/html", "<html><title>Bad Gateway</title>"),
            "502 with an HTML page (\"Bad Gateway\")",
        ),
        (|| Reply::text(200, "text/plain", "not a websocket"), "failed to switch protocol"),
    ];
    for (reply, part) in cases {
        let api = FakeApi::in_turn(vec![reply]).await;
        let error = api.client().await.exec(&QUERY).await.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(api.requests(), 1, "{part}");
        if part.contains("no permission") {
            assert!(error.to_string().ends_with(forbidden), "{error}");
        }
    }
}
