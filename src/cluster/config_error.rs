//! Why there is no connection to try: the kubeconfig, the flags or a credential plugin.

use super::exec_plugin::ExecPluginError;
use std::path::PathBuf;

/// A configuration that cannot be used. Nothing has been sent to a cluster yet.
///
/// Messages name files, contexts and users, and never what a credential is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A kubeconfig that was asked for, or that exists, cannot be read.
    #[error("cannot read the kubeconfig {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// A kubeconfig is not what it should be.
    #[error("the kubeconfig {} is not valid{}: {reason}", path.display(), at.map(|(line, column)| format!(" at line {line}, column {column}")).unwrap_or_default())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line and column, counted from one.
        at: Option<(u64, u64)>,
        /// What is wrong, without the text itself, which may be a credential.
        reason: String,
    },
    /// A name that the kubeconfig does not have.
    #[error("{what} \"{name}\" does not exist in the kubeconfig")]
    NoSuchName {
        /// `context`, `cluster` or `user`.
        what: &'static str,
        /// The name that was given, or that the context refers to.
        name: String,
        /// Who asked for it: a flag, `current-context`, or a context.
        asked_by: String,
        /// The name that was most likely meant.
        nearest: Option<String>,
        /// The names that there are.
        known: Vec<String>,
    },
    /// No kubeconfig, no `--server`, and not in a pod.
    #[error("no cluster is configured: {reason}")]
    NotConfigured {
        /// Where it was looked for, and what was found there.
        reason: String,
    },
    /// The server's address is not one.
    #[error("the server \"{server}\" is not a URL or host:port: {reason}")]
    Server {
        /// What was given, without user and password.
        server: String,
        /// Why it is not one.
        reason: String,
    },
    /// kubectl refuses a CA together with `insecure-skip-tls-verify`, and so do we.
    #[error("specifying a root certificates file with the insecure flag is not allowed")]
    CertificateAuthorityAndInsecure,
    /// A file or value with a certificate or key.
    #[error("cannot use the {what} {from}: {reason}")]
    Credential {
        /// `certificate authority`, `client certificate`, `client key` or `token file`.
        what: &'static str,
        /// The file, or the field that holds the data.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Token and password together (kubectl's `validateAuthInfo`).
    #[error(
        "more than one authentication method found for user \"{user}\"; found [token basicAuth], only one is allowed"
    )]
    TwoMethods {
        /// The user of the kubeconfig; empty where there is none.
        user: String,
    },
    /// An authentication provider that was removed from kubectl.
    #[error("the auth-provider \"{name}\" of user \"{user}\" is no longer supported by Kubernetes clients")]
    AuthProvider {
        /// The provider.
        name: String,
        /// The user of the kubeconfig.
        user: String,
    },
    /// The credential plugin gave nothing.
    #[error(transparent)]
    Plugin(#[from] ExecPluginError),
    /// The proxy cannot be used.
    #[error("cannot use the proxy from {from}: {reason}")]
    Proxy {
        /// The variable or field that names it; its value may hold a password.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Groups, uid or extra without a user (client-go refuses that too).
    #[error("requesting uid, groups or user-extra without impersonating a user")]
    ImpersonationWithoutUser,
    /// In a pod, but its service account cannot be used.
    #[error("this process runs in a cluster, but {}: {reason}", path.display())]
    InCluster {
        /// The file of the service account.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The transport refused the configuration (a key that does not fit its certificate, a TLS name that is none).
    #[error("the connection to {server} cannot be set up: {reason}")]
    Transport {
        /// The API server.
        server: String,
        /// What is wrong.
        reason: String,
    },
}

impl ConfigError {
    /// The next step, where one can be told.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } | Self::Parse { .. } => "kubectl config view shows what kubectl makes of it".to_owned(),
            Self::NoSuchName { what, asked_by, nearest, known, .. } => {
                let instead = match nearest {
                    Some(nearest) => format!("did you mean \"{nearest}\"?"),
                    None if known.is_empty() => format!("there is no {what} in it"),
                    None => {
                        let more = if known.len() > 8 { ", ..." } else { "" };
                        format!("there are: {}{more}", known.iter().take(8).cloned().collect::<Vec<_>>().join(", "))
                    }
                };
                format!("it is asked for by {asked_by}; {instead}")
            }
            Self::NotConfigured { .. } => {
                "az aks get-credentials --resource-group GROUP --name CLUSTER writes a kubeconfig; without a cluster, -f FILE inspects manifests"
                    .to_owned()
            }
            Self::AuthProvider { name, .. } if name == "azure" => {
                "kubelogin convert-kubeconfig -l azurecli turns it into a credential plugin".to_owned()
            }
            Self::AuthProvider { .. } => "configure a credential plugin (users[].user.exec) in its place".to_owned(),
            Self::CertificateAuthorityAndInsecure => {
                "give either --certificate-authority or --insecure-skip-tls-verify".to_owned()
            }
            Self::ImpersonationWithoutUser => "add --as USER".to_owned(),
            Self::Plugin(error) => return error.hint(),
            _ => return None,
        })
    }
}
