//! `cargo xtask azure`: an Azure for trying things by hand, on this machine and without an account.

use anyhow::{Context, Result};
use clap::Subcommand;
use std::path::{Path, PathBuf};
use wi_test_azure::UpOptions;

/// What can be done with it.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// Start an emulator of Azure Resource Manager, Graph and Entra, and say how to use it. Ctrl-C ends it.
    Up {
        /// Port for HTTP on loopback; 0 is a free one.
        #[arg(long, default_value_t = 8410)]
        http_port: u16,
        /// Port for HTTPS on loopback; 0 is a free one.
        #[arg(long, default_value_t = 8411)]
        https_port: u16,
        /// A cluster whose tokens can be exchanged: its issuer, and a file with its keys
        /// (kubectl get --raw /openid/v1/jwks). Repeatable.
        #[arg(long, value_name = "ISSUER=FILE", value_parser = pair)]
        trust: Vec<(String, String)>,
        /// A further federated credential of the identity mi1. Repeatable.
        #[arg(long, value_name = "ISSUER=SUBJECT", value_parser = pair)]
        credential: Vec<(String, String)>,
    },
}

/// An issuer has no equals sign, whatever comes behind it.
fn pair(text: &str) -> Result<(String, String), String> {
    let (issuer, value) = text.split_once('=').ok_or("write ISSUER=VALUE")?;
    Ok((issuer.to_owned(), value.to_owned()))
}

pub(crate) fn run(root: &Path, action: Action) -> Result<()> {
    let Action::Up { http_port, https_port, trust, credential } = action;
    wi_test_azure::up(&UpOptions {
        port: http_port,
        tls_port: https_port,
        directory: root.join("target/azure"),
        issuers: trust.into_iter().map(|(issuer, file)| (issuer, PathBuf::from(file))).collect(),
        credentials: credential,
    })
    .context("the Azure emulator")
}
