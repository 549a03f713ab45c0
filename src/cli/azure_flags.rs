//! The flags with which Azure is asked, wherever it is, and the login behind them.

use super::error::Failure;
use crate::azure::ask::{Limit, Questions, ask};
use crate::azure::facts::{Asked, AzureFacts};
use crate::azure::{Azure, CloudName, CredentialKind, Error, Options};
use crate::chain::select::Selection;
use crate::cluster::Environment;
use crate::inspect::Input;
use crate::report::style::clean;
use std::io::Write;
use std::time::Duration;
use tokio::time::Instant;

/// How long Azure may be asked where nobody asked for it.
const UNASKED: Duration = Duration::from_secs(3);
/// The time for one request where it was asked for.
const REQUEST: Duration = Duration::from_secs(10);

/// How Azure is reached.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Azure")]
pub struct AzureFlags {
    /// Only this subscription, by id or name; may be repeated; without it, all that the login sees
    #[arg(long, value_name = "ID")]
    subscription: Vec<String>,
    /// The tenant of the login
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// The login: auto, cli (az), env (a service principal in the environment), workload-identity, azd
    #[arg(long, value_name = "LOGIN", default_value = "auto")]
    azure_credential: CredentialKind,
    /// Which Azure: public, usgov, china; without it, the one that az is set to
    #[arg(long, value_name = "CLOUD")]
    cloud: Option<CloudName>,
    /// Azure Resource Manager at another address
    #[arg(long, value_name = "URL")]
    arm_endpoint: Option<String>,
}

/// `--azure` of `inspect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AzureMode {
    /// With a login that is there, for 3 seconds at most
    Auto,
    /// An answer is needed
    Yes,
    /// Never
    No,
}

impl AzureMode {
    /// What the flag means: without it, Azure is asked about single objects of a cluster, and about nothing
    /// else.
    pub fn of(flag: Option<Self>, single: bool) -> Self {
        flag.unwrap_or(if single { Self::Auto } else { Self::No })
    }
}

/// A login that is being looked for, or why there is none.
#[derive(Default)]
pub(crate) enum Login {
    /// Nobody wants one.
    #[default]
    None,
    /// There is none, where one would only have been used.
    Missing(String),
    /// Logged in.
    In {
        azure: Box<Azure>,
        /// Whether a verdict needs the answers.
        required: bool,
        /// The time that is left for asking.
        left: Duration,
        /// Said of what has no answer by then.
        said: String,
    },
}

impl AzureFlags {
    /// The options of the client.
    pub(crate) fn options(&self) -> Options {
        Options {
            credential: self.azure_credential,
            subscriptions: self.subscription.clone(),
            tenant: self.tenant.clone(),
            cloud: self.cloud,
            arm_endpoint: self.arm_endpoint.clone(),
            request_timeout: REQUEST,
            ..Options::default()
        }
    }

    /// The same with another endpoint where none was given.
    pub(crate) fn or_endpoint(&self, endpoint: Option<&str>) -> Self {
        let mut flags = self.clone();
        if flags.arm_endpoint.is_none() && flags.cloud.is_none() {
            flags.arm_endpoint = endpoint.map(str::to_owned);
        }
        flags
    }

    /// Logs in, as far as the mode wants it. `within` is the time for all of Azure where it was asked for.
    ///
    /// # Errors
    /// No login where one was asked for.
    pub(crate) async fn login(&self, mode: AzureMode, within: Duration) -> Result<Login, Failure> {
        let (required, time) = match mode {
            AzureMode::No => return Ok(Login::None),
            AzureMode::Auto => (false, UNASKED),
            AzureMode::Yes => (true, within),
        };
        let mut options = self.options();
        if !required {
            (options.request_timeout, options.longest_wait) = (UNASKED, Duration::from_secs(1));
        }
        let more = if required { "--timeout gives it longer" } else { "--azure waits longer" };
        let said = format!("Azure did not answer within {} s; {more}", time.as_secs());
        let environment = Environment::of_process();
        let start = Instant::now();
        match tokio::time::timeout(time, Azure::connect(&options, &environment)).await {
            Ok(Ok(azure)) => {
                let left = time.saturating_sub(start.elapsed());
                Ok(Login::In { azure: Box::new(azure), required, left, said })
            }
            Ok(Err(error)) if required => Err(failure(&error)),
            Ok(Err(error)) => Ok(Login::Missing(short(&error))),
            Err(_) if required => Err(Failure::new(said, None)),
            Err(_) => Ok(Login::Missing(said)),
        }
    }
}

/// Why Azure cannot be asked, with the command that mends it.
pub(crate) fn failure(error: &Error) -> Failure {
    match error {
        Error::NoLogin(none) => {
            let tried: Vec<String> = none.tried.iter().map(|(way, why)| format!("{way}: {why}")).collect();
            Failure::new(format!("no Azure login ({})", tried.join("; ")), Some(none.next.clone()))
        }
        other => Failure::new(other.to_string(), None),
    }
}

/// The same in a few words, for a line of the chain.
fn short(error: &Error) -> String {
    match error {
        Error::NoLogin(none) => format!("no Azure login ({})", none.next),
        other => other.to_string(),
    }
}

impl Login {
    /// What can be asked and changed with it.
    pub(crate) fn azure(&self) -> Option<&Azure> {
        match self {
            Self::In { azure, .. } => Some(azure),
            Self::None | Self::Missing(_) => None,
        }
    }

    /// Asks what the selected objects make necessary to know. Where Azure was not asked although it might have been,
    /// one line says so.
    pub(crate) async fn ask(&self, input: &Input, selection: &Selection, stderr: &mut dyn Write) -> AzureFacts {
        match self {
            Self::None => AzureFacts::default(),
            Self::Missing(why) => {
                if !Questions::of(input, selection).is_empty() {
                    let line = format!("note: federated credentials, identities and roles are not checked: {why}");
                    let _ = writeln!(stderr, "{}", clean(&line));
                }
                AzureFacts { asked: Asked::Tried(why.clone()), ..AzureFacts::default() }
            }
            Self::In { azure, required, left, said } => {
                // However long reading the cluster took, asking begins now.
                let limit = Limit { until: Instant::now() + *left, said: said.clone() };
                ask(azure, &Questions::of(input, selection), *required, &limit).await
            }
        }
    }
}
