//! What is known about something that was, or was not, looked at.

use std::fmt;

/// A fact, or the reason why there is none. Only `Known` and `Absent` can make a verdict.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Fact<T> {
    /// It was read.
    Known(T),
    /// It was looked for, and is not there.
    Absent,
    /// It may not be read.
    Denied(Denied),
    /// Reading it failed; the text says how.
    Failed(String),
    /// Nobody looked.
    #[default]
    NotAsked,
}

/// A permission that was missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    /// Verb of Kubernetes RBAC such as `list`, or an Azure action.
    pub verb: String,
    /// Resource such as `serviceaccounts`, or an Azure scope.
    pub resource: String,
    /// The namespace; `None` where it was asked of the whole cluster.
    pub namespace: Option<String>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no permission to {} {}", self.verb, self.resource)?;
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

impl<T> Fact<T> {
    /// The value, where it was read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it was looked for and is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether no verdict can be built on it.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::Failed(_) | Self::NotAsked)
    }

    /// Why it could not be read; `None` where it was read, is absent, or nobody asked.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Denied(denied) => Some(denied.to_string()),
            Self::Failed(reason) => Some(reason.clone()),
            Self::Known(_) | Self::Absent | Self::NotAsked => None,
        }
    }

    /// The same fact about a reference.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Known(value) => Fact::Known(value),
            Self::Absent => Fact::Absent,
            Self::Denied(denied) => Fact::Denied(denied.clone()),
            Self::Failed(reason) => Fact::Failed(reason.clone()),
            Self::NotAsked => Fact::NotAsked,
        }
    }

    /// Applies a function to the value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        self.and_then(|value| Fact::Known(f(value)))
    }

    /// Goes on from the value to a fact that depends on it.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Known(value) => f(value),
            Self::Absent => Fact::Absent,
            Self::Denied(denied) => Fact::Denied(denied),
            Self::Failed(reason) => Fact::Failed(reason),
            Self::NotAsked => Fact::NotAsked,
        }
    }
}
