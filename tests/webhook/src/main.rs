//! The identity webhook of the test clusters.
//!
//! It stands where azure-workload-identity's own webhook stands, takes its flags and environment, and answers with
//! what kubectl-wi's webhook function says. Since both then share that function, `--deviate` makes it answer otherwise:
//! that is how the tests see drift between what is expected and what runs.

mod admission;
mod deviation;
mod serve;
mod settings;

use std::{fmt, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::{admission::Admission, deviation::Deviation};

/// The flags of azure-workload-identity's webhook, and those of the tests.
#[derive(Parser)]
#[command(name = "wi-test-webhook", version)]
pub(crate) struct Flags {
    /// The folder of tls.crt and tls.key.
    #[arg(long, default_value = "/certs")]
    webhook_cert_dir: PathBuf,
    /// The certificates are made by somebody else. This server makes none, so the flag is not optional.
    #[arg(long)]
    disable_cert_rotation: bool,
    /// Where /healthz and /readyz are answered.
    #[arg(long, default_value = ":9440", value_parser = address)]
    health_addr: SocketAddr,
    /// Where /metrics is answered.
    #[arg(long, default_value = ":8095", value_parser = address)]
    metrics_addr: SocketAddr,
    /// debug, info, warning or error.
    #[arg(long, default_value = "")]
    log_level: String,
    /// The audience of the injected token; empty stands for Microsoft Entra's.
    #[arg(long, default_value = "")]
    audience: String,
    /// A pod that is annotated `azure.workload.identity/use-SUFFIX: "true"` gets the custom token endpoint.
    #[arg(long, default_value = "")]
    custom_token_endpoint_annotation_suffix: String,
    /// The audience of such a pod's token.
    #[arg(long, default_value = "")]
    custom_token_endpoint_audience: String,
    /// Where reviews are answered; the real webhook always listens on :9443.
    #[arg(long, default_value = ":9443", value_parser = address)]
    bind: SocketAddr,
    /// Which version of the webhook to be.
    #[arg(long, env = "WI_TEST_WEBHOOK_PROFILE", default_value = "1.6.0")]
    profile: String,
    /// Answer otherwise than the webhook would.
    #[arg(long, value_enum)]
    deviate: Option<Deviation>,
}

/// An address as Go writes it: `:9440` is that port on every address.
fn address(text: &str) -> Result<SocketAddr, std::net::AddrParseError> {
    if text.starts_with(':') { format!("0.0.0.0{text}").parse() } else { text.parse() }
}

/// One line on standard error, in the form of the real webhook's.
pub(crate) fn log(level: &str, message: &str, detail: impl fmt::Display) {
    let line = serde_json::json!({"level": level, "logger": "handler", "msg": message, "detail": detail.to_string()});
    eprintln!("{line}");
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log("error", "ended", format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<()> {
    ensure!(flags.disable_cert_rotation, "this server makes no certificates: --disable-cert-rotation is needed");
    let client = kube::Client::try_default().await.context("no Kubernetes configuration")?;
    let admission = Arc::new(Admission::new(client, &flags).await?);
    let tls = serve::acceptor(&flags.webhook_cert_dir)?;
    log("info", "setting up manager", format_args!("azure-workload-identity/webhook/v{}", flags.profile));
    tokio::select! {
        ended = serve::reviews(flags.bind, tls, Arc::clone(&admission)) => ended.context("the webhook's port"),
        ended = serve::plain(flags.health_addr, serve::health) => ended.context("the health port"),
        ended = serve::plain(flags.metrics_addr, move |path| admission.metrics(path)) => ended.context("the metrics port"),
        ended = terminated() => ended,
    }
}

/// Kubernetes asks a container to end with SIGTERM.
async fn terminated() -> Result<()> {
    let mut signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    signal.recv().await;
    Ok(())
}
