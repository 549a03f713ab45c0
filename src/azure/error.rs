//! What can go wrong between here and Azure, typed so that a verdict can tell "not there" from "may not look".

use crate::model::fact::{Denied, Fact};
use std::fmt;
use std::time::Duration;

/// Why Azure gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody is logged in: every way to a token that was allowed has been tried.
    #[error(transparent)]
    NoLogin(#[from] NoLogin),
    /// The login works, and gives no token for one of the APIs.
    #[error("{credential} gives no token for {resource}: {reason}; {next}")]
    NoToken {
        /// The login: `Azure CLI`.
        credential: &'static str,
        /// What the token was to be for.
        resource: String,
        /// What the login said.
        reason: String,
        /// The command, or the setting, that mends it.
        next: String,
    },
    /// Azure answered, and the answer is an error.
    #[error(transparent)]
    Api(#[from] Box<ApiError>),
    /// No answer came.
    #[error("{host} could not be reached: {reason}")]
    Unreachable {
        /// The host that was asked.
        host: String,
        /// What happened on the way.
        reason: String,
        /// Whether the time for one request ran out.
        timed_out: bool,
    },
    /// An answer came that is not what Azure's documentation promises.
    #[error("{what} could not be read: {reason}")]
    Unreadable {
        /// What was asked for.
        what: String,
        /// Why it could not be read.
        reason: String,
    },
    /// The request was not sent: a name, an id or a URL is not one that may be sent.
    #[error("{0}")]
    Refused(String),
    /// The credential is not as it was when the change was planned.
    #[error("{what} was changed since it was read; nothing was written: look at it again")]
    Changed {
        /// Name of the credential.
        what: String,
    },
    /// The identity holds as many credentials as it can.
    #[error(
        "{identity} has {count} federated credentials and cannot hold more than {limit}: delete one that nothing uses, \
         or use another identity"
    )]
    LimitReached {
        /// ARM id of the identity.
        identity: String,
        /// How many it has.
        count: usize,
        /// How many it may have.
        limit: usize,
    },
}

impl Error {
    /// Azure's answer, where there was one.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// The HTTP status of Azure's answer.
    pub fn status(&self) -> Option<u16> {
        self.api().map(|error| error.status)
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the caller may not do this.
    pub fn is_denied(&self) -> bool {
        self.status() == Some(403)
    }

    /// Whether Azure asked to wait.
    pub fn is_throttled(&self) -> bool {
        self.status() == Some(429)
    }

    /// The fact that this error leaves behind: a missing permission is `Denied` with the action, everything else
    /// `Failed`.
    ///
    /// 404 is `Failed` too: whether a 404 means that a thing is absent depends on the question (a subscription that
    /// the caller may not see is a 404 as well), so the caller that knows says `Absent` itself.
    pub fn to_fact<T>(&self) -> Fact<T> {
        match self {
            Self::Api(error) if error.status == 403 => match (&error.action, &error.scope) {
                (Some(verb), Some(resource)) => {
                    Fact::Denied(Denied { verb: verb.clone(), resource: resource.clone(), namespace: None })
                }
                _ if error.has_code("Authorization_RequestDenied") => Fact::Denied(Denied {
                    verb: "read".to_owned(),
                    resource: "the directory (Microsoft Graph, Application.Read.All)".to_owned(),
                    namespace: None,
                }),
                // A policy, a lock, a firewall: another permission would not help.
                _ => Fact::Failed(self.to_string()),
            },
            other => Fact::Failed(other.to_string()),
        }
    }
}

/// No way to a token worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoLogin {
    /// Each way that was tried, and why it did not work.
    pub tried: Vec<(String, String)>,
    /// The command, or the setting, that mends it.
    pub next: String,
}

impl fmt::Display for NoLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no Azure login: {}", self.next)?;
        for (index, (way, why)) in self.tried.iter().enumerate() {
            write!(f, "{}{way}: {why}", if index == 0 { " (" } else { "; " })?;
        }
        if self.tried.is_empty() { Ok(()) } else { write!(f, ")") }
    }
}

impl std::error::Error for NoLogin {}

/// An error body of ARM, Resource Graph or Microsoft Graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What was asked: method and path, without the query.
    pub what: String,
    /// HTTP status.
    pub status: u16,
    /// `error.code`, the word to decide on; `""` where the body had none.
    pub code: String,
    /// `error.message`, for people: its wording changes.
    pub message: String,
    /// `error.details[]` as (code, message). Resource Graph says the reason here only.
    pub details: Vec<(String, String)>,
    /// The action that `AuthorizationFailed` says is missing.
    pub action: Option<String>,
    /// The scope that `AuthorizationFailed` names.
    pub scope: Option<String>,
    /// How long Azure asked to wait.
    pub retry_after: Option<Duration>,
    /// The tenant that the answer names as the right one.
    pub tenant: Option<String>,
    /// `x-ms-request-id` or `request-id`, for a support case.
    pub request_id: Option<String>,
}

impl ApiError {
    /// Whether the code, or one of the details' codes, is this one.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.eq_ignore_ascii_case(code) || self.details.iter().any(|(c, _)| c.eq_ignore_ascii_case(code))
    }

    /// Two writes under one identity at the same time: the second is refused with 409.
    pub fn is_concurrent_write(&self) -> bool {
        self.status == 409 && self.has_code("ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity")
    }

    /// Another credential of the identity has this issuer and subject. Entra's documentation says status 400,
    /// deployments show 409: only the text is common to both.
    pub fn is_duplicate_credential(&self) -> bool {
        matches!(self.status, 400 | 409) && self.message.contains("Issuer and subject combination already exists")
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} {}",
            self.what,
            self.status,
            if self.code.is_empty() { "without a code" } else { &self.code }
        )?;
        if let Some(action) = &self.action {
            write!(f, ": no permission for {action}")?;
            return match &self.scope {
                Some(scope) => write!(f, " at {scope}"),
                None => Ok(()),
            };
        }
        match self.details.last() {
            Some((code, message)) => write!(f, ": {code}: {message}")?,
            None if !self.message.is_empty() => write!(f, ": {}", self.message)?,
            None => {}
        }
        match self.retry_after {
            Some(wait) if self.status == 429 => write!(f, " (asks to wait {} s)", wait.as_secs_f64().ceil()),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}
