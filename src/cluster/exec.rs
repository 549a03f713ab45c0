//! Running a program in a container.

use super::answer::{self, Asked, one_line};
use super::client::{Client, Deadline};
use super::error::Error;
use super::operation::Operation;
use super::resource;
use futures::future::{Either, join, select};
use http::{Request, StatusCode};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{AttachParams, AttachedProcess};
use kube::client::Body;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use zeroize::{Zeroize as _, Zeroizing};

/// What to run, and how long to wait for it.
#[derive(Debug, Clone, Copy)]
pub struct ExecQuery<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// The pod.
    pub pod: &'a str,
    /// The container.
    pub container: &'a str,
    /// Program and arguments. It has to end by itself: giving up here kills nothing in the container.
    pub command: &'a [&'a str],
    /// How long to wait for its end.
    pub limit: Duration,
    /// How many bytes of each stream are kept; what comes after them is read and dropped.
    pub max_output: usize,
}

/// What became of a program. `Debug` does not show its output, which may be a token, and which is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecOutcome {
    /// Standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// Standard error, up to the limit.
    pub stderr: Vec<u8>,
    /// The exit code, where the container runtime reported one. `None` is unknown, never success: the program may not
    /// have been started, or the connection broke.
    pub exit_code: Option<i32>,
    /// Why there is no exit code, in the words of the container runtime, where it said something:
    /// `... exec: "cat": executable file not found in $PATH`.
    pub message: Option<String>,
}

impl Drop for ExecOutcome {
    fn drop(&mut self) {
        self.stdout.zeroize();
        self.stderr.zeroize();
    }
}

impl std::fmt::Debug for ExecOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecOutcome")
            .field("stdout_bytes", &self.stdout.len())
            .field("stderr_bytes", &self.stderr.len())
            .field("exit_code", &self.exit_code)
            .field("message", &self.message)
            .finish()
    }
}

impl Client {
    /// Runs a program in a container and waits for its end, or for the limit. It never hangs, and never starts the
    /// program twice: although the request is a GET, it is not repeated.
    ///
    /// Needs `get` on `pods/exec`, and from Kubernetes 1.35 on `create` too (kubernetes#134577).
    pub async fn exec(&self, query: &ExecQuery<'_>) -> Result<ExecOutcome, Error> {
        let operation = Operation::on_one("get", &resource::POD, Some(query.namespace), query.pod, Some("exec"))?;
        let too_late = || {
            let server = self.server().to_owned();
            Error::Timeout { operation: operation.clone(), server, after: query.limit }
        };
        let deadline = Deadline::new(Some(query.limit));
        let process = timeout(query.limit, self.start(query, &operation)).await.map_err(|_| too_late())??;
        let left = deadline.left().unwrap_or_default();
        timeout(left, watch(process, query.max_output)).await.map_err(|_| too_late())
    }

    async fn start(&self, query: &ExecQuery<'_>, operation: &Operation) -> Result<AttachedProcess, Error> {
        // kube's error holds `Status.code` and not the answer's own status, so that is noted on the way.
        let seen: Arc<Mutex<Option<StatusCode>>> = Arc::default();
        let service = {
            let (client, seen) = (self.clone(), Arc::clone(&seen));
            tower::service_fn(move |request: Request<Body>| {
                let (client, seen) = (client.clone(), Arc::clone(&seen));
                async move {
                    let response = client.send_raw(request).await?;
                    *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(response.status());
                    Ok::<_, kube::Error>(response)
                }
            })
        };
        let kube = kube::Client::new(service, query.namespace);
        let parameters = AttachParams::default()
            .container(query.container)
            .stdin(false)
            .stdout(true)
            .stderr(true)
            .max_stdout_buf_size(1 << 16)
            .max_stderr_buf_size(1 << 16);
        let pods: kube::Api<Pod> = kube::Api::namespaced(kube, query.namespace);
        pods.exec(query.pod, query.command.iter().copied(), &parameters).await.map_err(|error| {
            let status = *seen.lock().unwrap_or_else(PoisonError::into_inner);
            match (error, status) {
                (kube::Error::Api(said), Some(status)) => {
                    let asked = Asked { operation, server: self.server(), user: None, is_write: false };
                    answer::error_of(status, &body_of(&said), &asked)
                }
                (other, _) => *self.broken(&other).error,
            }
        })
    }
}

/// The answer's body, put together again from what kube made of it.
fn body_of(status: &kube::core::Status) -> Vec<u8> {
    // What kube could not read as a Status is in the message as it came.
    if status.reason == "Failed to parse error data" {
        return status.message.clone().into_bytes();
    }
    let mut body = serde_json::to_value(status).unwrap_or_default();
    body["kind"] = "Status".into();
    body.to_string().into_bytes()
}

/// Waits for the streams and the status, whichever ends first, and a little for the other.
///
/// Where the connection breaks, kube 5.0.0 leaves both streams open for ever, but drops the status at once; where the
/// program ends, the status may come before the last bytes.
async fn watch(mut process: AttachedProcess, max_output: usize) -> ExecOutcome {
    let mut outcome = ExecOutcome { stdout: Vec::new(), stderr: Vec::new(), exit_code: None, message: None };
    let (Some(status), Some(stdout), Some(stderr)) = (process.take_status(), process.stdout(), process.stderr()) else {
        return outcome;
    };
    let status = {
        let mut drain =
            pin!(join(drain(stdout, max_output, &mut outcome.stdout), drain(stderr, max_output, &mut outcome.stderr)));
        match select(&mut drain, pin!(status)).await {
            Either::Left((_, status)) => timeout(Duration::from_secs(1), status).await.ok().flatten(),
            Either::Right((status, _)) => {
                let patience = Duration::from_millis(if status.is_some() { 2000 } else { 50 });
                // Running out of patience leaves what has been read, which is all that there is.
                let _ = timeout(patience, drain).await;
                status
            }
        }
    };
    process.abort();
    outcome.exit_code = status.as_ref().and_then(exit_code);
    if outcome.exit_code.is_none() {
        outcome.message = status.and_then(|status| status.message).map(|message| one_line(&message));
    }
    outcome
}

/// Reads a stream to its end and keeps its beginning. The rest has to be read too: a full pipe would hold up the other
/// stream and the status behind it.
async fn drain(mut stream: impl AsyncRead + Unpin, max_output: usize, kept: &mut Vec<u8>) {
    let mut piece = Zeroizing::new(vec![0; 1 << 14]);
    // Enough for a token at once: growing would leave a copy behind.
    kept.reserve(max_output.min(1 << 16));
    // A pipe in memory has no errors but its end.
    while let Ok(length @ 1..) = stream.read(&mut piece[..]).await {
        kept.extend_from_slice(&piece[..length.min(max_output.saturating_sub(kept.len()))]);
    }
}

/// `Success` is 0; `NonZeroExitCode` has the code among its causes; anything else (`InternalError`: no such program)
/// has none.
fn exit_code(status: &Status) -> Option<i32> {
    match (status.status.as_deref(), status.reason.as_deref()) {
        (Some("Success"), _) => Some(0),
        (_, Some("NonZeroExitCode")) => {
            let causes = status.details.as_ref()?.causes.as_ref()?;
            let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
            code.message.as_deref()?.parse().ok()
        }
        _ => None,
    }
}
