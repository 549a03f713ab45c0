//! Where tokens for Azure's own APIs come from.
//!
//! The Azure CLI's login first, because it is what the person at the keyboard has; then what the environment holds (a
//! service principal's secret or certificate, a federated token file); then the Azure Developer CLI.

mod azd;
mod certificate;
mod cli;
mod command;
mod environment;
mod token;

pub(super) use environment::ASSERTION_TYPE;

pub use token::AccessToken;
pub(crate) use token::Tokens;

use super::authority::Authority;
use super::transport::Transport;
use crate::cluster::Environment;
use async_trait::async_trait;
use std::fmt;

/// `--azure-credential`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CredentialKind {
    /// The first of all the others that works.
    #[default]
    Auto,
    /// `az login`
    Cli,
    /// `AZURE_CLIENT_SECRET` or `AZURE_CLIENT_CERTIFICATE_PATH`, with `AZURE_CLIENT_ID` and `AZURE_TENANT_ID`.
    Env,
    /// `AZURE_FEDERATED_TOKEN_FILE`, with `AZURE_CLIENT_ID` and `AZURE_TENANT_ID`.
    WorkloadIdentity,
    /// `azd auth login`
    Azd,
}

impl CredentialKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Cli, Self::Env, Self::WorkloadIdentity, Self::Azd];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cli => "cli",
            Self::Env => "env",
            Self::WorkloadIdentity => "workload-identity",
            Self::Azd => "azd",
        }
    }
}

impl std::str::FromStr for CredentialKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no credential: write auto, cli, env, workload-identity or azd"))
    }
}

/// What a token is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The resource without `/.default`: `https://management.azure.com`.
    pub resource: &'a str,
    /// The tenant that was asked for; `None` leaves it to the login.
    pub tenant: Option<&'a str>,
}

impl Wanted<'_> {
    /// The scope of Entra's v2 endpoint. A resource that ends with a slash keeps it: `https://x//.default`.
    pub fn scope(&self) -> String {
        scope(self.resource)
    }
}

/// The scope for a resource.
pub(crate) fn scope(resource: &str) -> String {
    if resource.ends_with("/.default") { resource.to_owned() } else { format!("{resource}/.default") }
}

/// One way to a token.
#[async_trait]
pub trait Credential: Send + Sync {
    /// Its name for people: `Azure CLI`.
    fn name(&self) -> &'static str;

    /// Gets a token. It may take as long as starting another program does.
    async fn token(&self, wanted: Wanted<'_>) -> Result<AccessToken, CredentialError>;
}

/// Why a way to a token did not lead there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialError {
    /// What happened.
    pub reason: String,
    /// The command, or the setting, that mends it.
    pub next: String,
    /// Whether this way is not set up at all, so that its failure says nothing: not installed, no variables.
    pub not_set_up: bool,
}

impl CredentialError {
    pub(crate) fn not_set_up(reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self { reason: reason.into(), next: next.into(), not_set_up: true }
    }

    pub(crate) fn failed(reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self { reason: reason.into(), next: next.into(), not_set_up: false }
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// The ways that are allowed, in the order in which they are tried.
pub(crate) fn select(
    kind: CredentialKind,
    environment: &Environment,
    transport: &Transport,
    authority: &Authority,
) -> Vec<Box<dyn Credential>> {
    let cli = || Box::new(cli::AzureCli::new(environment.clone())) as Box<dyn Credential>;
    let azd = || Box::new(azd::DeveloperCli::new(environment.clone())) as Box<dyn Credential>;
    let env = |which| {
        Box::new(environment::FromEnvironment::new(environment.clone(), transport.clone(), authority.clone(), which))
            as Box<dyn Credential>
    };
    match kind {
        CredentialKind::Auto => vec![cli(), env(environment::Which::Any), azd()],
        CredentialKind::Cli => vec![cli()],
        CredentialKind::Env => vec![env(environment::Which::Any)],
        CredentialKind::WorkloadIdentity => vec![env(environment::Which::FederatedToken)],
        CredentialKind::Azd => vec![azd()],
    }
}
