//! What can go wrong between us and the API server.

use super::config_error::ConfigError;
use super::duration::show_duration;
use super::operation::Operation;
use crate::model::fact::{Denied, Fact};
use std::time::Duration;

/// Why a cluster did not answer, or did not answer what was asked.
///
/// `Display` is one sentence that names the thing and the reason; [`Error::hint`] is the next step. Neither shows more
/// of an object than its name: the API server quotes whole objects in some refusals, and those are cut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no connection to try.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The user has no right to do it (403 of an authorizer).
    #[error("{denied}: {message}")]
    Denied {
        /// The missing right.
        denied: Denied,
        /// The API server's words.
        message: String,
    },
    /// The object is not there (404).
    #[error("{} does not exist", operation.object())]
    NotFound {
        /// What was asked.
        operation: Operation,
    },
    /// The API server does not serve that kind: a custom resource whose definition is not installed.
    #[error("the cluster does not have {}", operation.resource())]
    NotServed {
        /// What was asked.
        operation: Operation,
    },
    /// A list could not be read to its end because its continue token expired (410), again and again.
    #[error("cannot {operation}: {message}")]
    Gone {
        /// What was asked.
        operation: Operation,
        /// The API server's words.
        message: String,
    },
    /// No answer, or not all of it, within the bound.
    #[error("cannot {operation}: no answer from {server} within {}", show_duration(*after))]
    Timeout {
        /// What was asked.
        operation: Operation,
        /// The API server.
        server: String,
        /// The bound.
        after: Duration,
    },
    /// The time for all requests together is up.
    #[error("not read within {} (--timeout)", show_duration(*within))]
    OutOfTime {
        /// The bound.
        within: Duration,
    },
    /// The API server cannot be reached, or the connection broke.
    #[error("cannot reach {server}: {}", chain.join(": "))]
    Unreachable {
        /// The API server.
        server: String,
        /// What each layer said, outermost first.
        chain: Vec<String>,
        /// The proxy on the way, without its password.
        proxy: Option<String>,
    },
    /// The credentials are not accepted (401).
    #[error("{server} does not accept the credentials{}: {message}", user.as_ref().map(|user| format!(" of user \"{user}\"")).unwrap_or_default())]
    Unauthorized {
        /// The API server.
        server: String,
        /// The user of the kubeconfig.
        user: Option<String>,
        /// The API server's words.
        message: String,
    },
    /// The object is not what it was when it was read, someone else owns the field, or it exists already (409).
    #[error("cannot {operation}: {message}")]
    Conflict {
        /// What was asked.
        operation: Operation,
        /// Whether it is there already, which is no change by another.
        already_exists: bool,
        /// The fields that others manage: manager and path of each, from the causes of an apply conflict.
        fields: Vec<String>,
        /// The API server's words.
        message: String,
    },
    /// The API server finds the request wrong (422, and 400 of its own).
    #[error("cannot {operation}: {message}")]
    Invalid {
        /// What was asked.
        operation: Operation,
        /// The API server's words, without the values that it quotes.
        message: String,
    },
    /// Admission refused it: a webhook, Pod Security, or a missing service account.
    #[error("cannot {operation}: {message}")]
    Rejected {
        /// What was asked.
        operation: Operation,
        /// The webhook's name, where it was one.
        webhook: Option<String>,
        /// The words of the refusal.
        message: String,
    },
    /// Any other answer that is not a success.
    #[error("cannot {operation}: the API server answered {code}: {message}")]
    Server {
        /// What was asked.
        operation: Operation,
        /// The HTTP status.
        code: u16,
        /// The API server's words.
        message: String,
    },
    /// An answer that no API server gives: HTML, or JSON of another kind.
    #[error("cannot {operation}: the answer of {server} is not the Kubernetes API's: {reason}")]
    Malformed {
        /// What was asked.
        operation: Operation,
        /// The API server.
        server: String,
        /// What is wrong with it; never the answer itself.
        reason: String,
    },
    /// A name that no object can have.
    #[error("invalid resource name \"{name}\": {reason}")]
    Name {
        /// The name.
        name: String,
        /// client-go's reason.
        reason: String,
    },
}

impl Error {
    /// The next step, where one can be told.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Config(error) => return error.hint(),
            Self::Denied { denied, .. } => {
                let scope = denied.namespace.as_ref().map_or_else(|| " -A".to_owned(), |ns| format!(" -n {ns}"));
                format!("kubectl auth can-i {} {}{scope} tells whether it is allowed; kubectl wi rbac prints the roles", denied.verb, denied.resource)
            }
            Self::OutOfTime { .. } => "raise --timeout, or name one workload".to_owned(),
            Self::Timeout { .. } => "raise --request-timeout, or see whether the API server or the way to it is slow".to_owned(),
            Self::Unreachable { chain, proxy, .. } => unreachable_hint(&chain.join(": "), proxy.as_deref()),
            Self::Unauthorized { .. } => {
                "log in again (az login, kubelogin remove-tokens), or give another --context, --user or --token".to_owned()
            }
            Self::Conflict { already_exists: false, .. } => "read it again and repeat".to_owned(),
            Self::Rejected { webhook: Some(webhook), .. } => {
                format!("the refusal comes from the admission webhook {webhook}, not from Kubernetes")
            }
            Self::Server { message, .. } if message.contains("failed calling webhook") => {
                "an admission webhook does not answer: kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations"
                    .to_owned()
            }
            Self::Malformed { .. } => {
                "check --server and the proxy settings: a login page or another server may stand in between".to_owned()
            }
            _ => return None,
        })
    }

    /// The API server answers that the object, or its kind, is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::NotServed { .. })
    }
}

fn unreachable_hint(chain: &str, proxy: Option<&str>) -> String {
    let lower = chain.to_lowercase();
    let hint = if lower.contains("certificate") || lower.contains("unknownissuer") {
        "the server's certificate does not fit: check certificate-authority(-data) in the kubeconfig, and whether a \
         TLS-inspecting proxy stands in between"
    } else if lower.contains("dns error") || lower.contains("lookup") {
        "its name is not known here: a private cluster's name resolves in its own network only (VPN, az aks command \
         invoke)"
    } else if lower.contains("refused") {
        "nothing listens there: check the address, and whether the cluster is stopped (az aks show --query powerState)"
    } else {
        "check the address, the network, and whether the cluster is running"
    };
    match proxy {
        Some(proxy) => format!("{hint}; the connection goes through the proxy {proxy}"),
        None => hint.to_owned(),
    }
}

/// What an answer says about the thing that was asked for.
impl<T> From<Result<T, Error>> for Fact<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(Error::Denied { denied, .. }) => Self::Denied(denied),
            Err(error) if error.is_absent() => Self::Absent,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}
