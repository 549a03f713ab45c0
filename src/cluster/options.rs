//! What a person said about the cluster to connect to, as plain data.

use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// kubectl's connection flags. Every field is one flag; `None` leaves the matter to the kubeconfig.
///
/// `Debug` shows neither token nor password.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// `--kubeconfig`: read this file only, and it has to be there.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`
    pub context: Option<String>,
    /// `--cluster`
    pub cluster: Option<String>,
    /// `--user`
    pub user: Option<String>,
    /// `--namespace`
    pub namespace: Option<String>,
    /// `--server`: a URL, or host and port.
    pub server: Option<String>,
    /// `--token`: takes the place of every other way to log in.
    pub token: Option<SecretString>,
    /// `--username`
    pub username: Option<String>,
    /// `--password`
    pub password: Option<SecretString>,
    /// `--certificate-authority`: a PEM file.
    pub certificate_authority: Option<PathBuf>,
    /// `--client-certificate`: a PEM file.
    pub client_certificate: Option<PathBuf>,
    /// `--client-key`: a PEM file.
    pub client_key: Option<PathBuf>,
    /// `--insecure-skip-tls-verify`; false where it was not given.
    pub insecure_skip_tls_verify: bool,
    /// `--tls-server-name`
    pub tls_server_name: Option<String>,
    /// `--disable-compression`
    pub disable_compression: Option<bool>,
    /// `--as`, `--as-group`, `--as-uid`, `--as-user-extra`
    pub impersonate: Impersonation,
    /// `--request-timeout`
    pub request_timeout: RequestTimeout,
}

/// Whom to act as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Impersonation {
    /// `--as`
    pub user: Option<String>,
    /// `--as-group`, one each.
    pub groups: Vec<String>,
    /// `--as-uid`
    pub uid: Option<String>,
    /// `--as-user-extra KEY=VALUE`, by key.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// How long one request may take, from its first byte sent to the last byte of its answer, retries included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestTimeout {
    /// 10 seconds to read; 15 to write or to try a write, since the API server itself waits 10 for an admission
    /// webhook that hangs.
    #[default]
    Default,
    /// As long as it takes: kubectl's `--request-timeout=0`.
    Unlimited,
    /// That long, for reads and writes.
    After(Duration),
}

impl RequestTimeout {
    /// The bound of a request that changes nothing.
    pub fn for_reads(self) -> Option<Duration> {
        self.or_default(Duration::from_secs(10))
    }

    /// The bound of a request that writes, or that tries a write (a dry run).
    pub fn for_writes(self) -> Option<Duration> {
        self.or_default(Duration::from_secs(15))
    }

    fn or_default(self, default: Duration) -> Option<Duration> {
        match self {
            Self::Default => Some(default),
            Self::Unlimited => None,
            Self::After(duration) => Some(duration),
        }
    }
}
