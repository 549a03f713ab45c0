//! What the process finds around itself, handed in so that a test can say what it is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// The part of the surroundings that a connection depends on.
#[derive(Clone)]
pub struct Environment {
    /// Environment variables.
    pub variables: BTreeMap<String, OsString>,
    /// The home directory; its `.kube/config` is the default kubeconfig.
    pub home: Option<PathBuf>,
    /// Whether standard input is a terminal: a credential plugin may only ask questions on one.
    pub stdin_is_terminal: bool,
    /// Where a pod finds its service account's token, namespace and CA.
    pub service_account_directory: PathBuf,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
            home: std::env::home_dir(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            service_account_directory: PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount"),
        }
    }

    /// An empty one: no variables, no home, no terminal, not in a cluster.
    pub fn empty() -> Self {
        Self {
            variables: BTreeMap::new(),
            home: None,
            stdin_is_terminal: false,
            service_account_directory: PathBuf::new(),
        }
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.variables.insert(name.to_owned(), value.as_ref().as_os_str().to_owned());
        self
    }

    /// The value of a variable that is set, not empty and text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.to_str().filter(|value| !value.is_empty())
    }

    /// The first of several variables that has a value.
    pub(crate) fn any(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.text(name))
    }
}

/// The variables may hold secrets (a client secret for a credential plugin): their names are shown only.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("home", &self.home)
            .field("stdin_is_terminal", &self.stdin_is_terminal)
            .field("service_account_directory", &self.service_account_directory)
            .finish()
    }
}
