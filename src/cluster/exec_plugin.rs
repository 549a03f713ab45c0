//! Credential plugins (`users[].user.exec`, such as kubelogin), run as client-go runs them: once for a connection.
//!
//! kube 5.0.0 starts the plugin three times for one client, tells it that it is interactive where it is not, runs
//! `interactiveMode: Always` without a terminal, and does not show `installHint`. So the plugin is run here, and kube
//! gets the outcome.

use super::environment::Environment;
use kube::config::{Cluster, ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use secrecy::SecretString;
use serde::Deserialize;
use std::process::Stdio;
use tokio::process::Command;

/// What a plugin gave: a token, or a client certificate with its key.
#[derive(Debug)]
pub(super) struct ExecCredential {
    pub(super) token: Option<SecretString>,
    /// PEM, and the key that belongs to it.
    pub(super) certificate: Option<(String, SecretString)>,
}

/// Why a credential plugin gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecPluginError {
    /// The program is not there.
    #[error("the credential plugin \"{command}\" that the kubeconfig names is not installed")]
    NotFound {
        /// The program.
        command: String,
        /// `installHint` of the kubeconfig.
        install_hint: Option<String>,
    },
    /// It could not be started.
    #[error("cannot start the credential plugin \"{command}\": {reason}")]
    Start {
        /// The program.
        command: String,
        /// The system's reason.
        reason: String,
    },
    /// It needs to ask, and there is nobody.
    #[error(
        "exec plugin cannot support interactive mode: standard input is not a terminal (\"{command}\" has interactiveMode Always)"
    )]
    NoTerminal {
        /// The program.
        command: String,
    },
    /// It ended with an error.
    #[error("getting credentials: exec: executable \"{command}\" failed with {status}")]
    Failed {
        /// The program.
        command: String,
        /// `exit code 1`, or the signal.
        status: String,
    },
    /// What it printed is not a credential. The output itself is never shown.
    #[error("the credential plugin \"{command}\" did not answer as it should: {reason}")]
    Answer {
        /// The program.
        command: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The kubeconfig's entry for it is incomplete or outdated.
    #[error("the kubeconfig's exec entry cannot be used: {reason}")]
    Entry {
        /// What is wrong with it.
        reason: String,
    },
}

impl ExecPluginError {
    /// The next step, where one can be told.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { install_hint: Some(hint), .. } => Some(plain(hint)),
            Self::NotFound { command, .. } if command.ends_with("kubelogin") => {
                Some("az aks install-cli installs kubelogin".to_owned())
            }
            Self::NotFound { command, .. } => Some(format!("install \"{command}\", or add its directory to PATH")),
            Self::NoTerminal { .. } => Some("run it in a terminal, or give --token".to_owned()),
            Self::Failed { command, .. } => {
                Some(format!("its own message stands above; \"{command}\" is started by kubectl in the same way"))
            }
            Self::Entry { .. } => {
                Some("kubelogin convert-kubeconfig, or az aks get-credentials, writes a current entry".to_owned())
            }
            Self::Start { .. } | Self::Answer { .. } => None,
        }
    }
}

/// Text from a kubeconfig goes to the terminal without its control characters (client-go cleans them too).
fn plain(text: &str) -> String {
    text.trim().chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// Runs the plugin. Its standard error goes to ours, as with kubectl: there it asks to open a browser.
pub(super) async fn run(
    exec: &ExecConfig,
    cluster: &Cluster,
    environment: &Environment,
) -> Result<ExecCredential, ExecPluginError> {
    let entry = |reason: &str| ExecPluginError::Entry { reason: reason.to_owned() };
    let command = exec.command.clone().filter(|c| !c.is_empty()).ok_or_else(|| entry("it has no command"))?;
    let api_version = exec.api_version.as_deref().unwrap_or_default();
    if !["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"].contains(&api_version) {
        return Err(entry(&format!("exec plugin: invalid apiVersion \"{api_version}\"")));
    }
    let interactive = match exec.interactive_mode {
        Some(ExecInteractiveMode::Never) => false,
        Some(ExecInteractiveMode::Always) if !environment.stdin_is_terminal => {
            return Err(ExecPluginError::NoTerminal { command });
        }
        _ => environment.stdin_is_terminal,
    };

    let mut process = Command::new(&command);
    process
        .args(exec.args.iter().flatten())
        .env("KUBERNETES_EXEC_INFO", exec_info(exec, api_version, interactive, cluster)?)
        .stdin(if interactive { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            process.env(name, value);
        }
    }
    let output = process.spawn().map_err(|error| start_error(&command, exec, &error))?.wait_with_output().await;
    let output = output.map_err(|error| start_error(&command, exec, &error))?;
    if !output.status.success() {
        let status = output.status.code().map_or_else(|| output.status.to_string(), |code| format!("exit code {code}"));
        return Err(ExecPluginError::Failed { command, status });
    }
    read_answer(&output.stdout, api_version).map_err(|reason| ExecPluginError::Answer { command, reason })
}

fn start_error(command: &str, exec: &ExecConfig, error: &std::io::Error) -> ExecPluginError {
    let command = command.to_owned();
    if error.kind() == std::io::ErrorKind::NotFound {
        return ExecPluginError::NotFound {
            command,
            install_hint: exec.install_hint.clone().filter(|h| !h.is_empty()),
        };
    }
    ExecPluginError::Start { command, reason: error.to_string() }
}

/// `KUBERNETES_EXEC_INFO`: what the plugin may know about the call.
fn exec_info(
    exec: &ExecConfig,
    api_version: &str,
    interactive: bool,
    cluster: &Cluster,
) -> Result<String, ExecPluginError> {
    let mut spec = serde_json::json!({ "interactive": interactive });
    if exec.provide_cluster_info {
        let cluster =
            ExecAuthCluster::try_from(cluster).ok().and_then(|cluster| serde_json::to_value(cluster).ok()).ok_or_else(
                || ExecPluginError::Entry { reason: "the cluster's CA, which it wants, cannot be read".into() },
            )?;
        spec["cluster"] = cluster;
    }
    Ok(serde_json::json!({ "apiVersion": api_version, "kind": "ExecCredential", "spec": spec }).to_string())
}

/// The fields of `ExecCredential` that count. No `Debug`: it holds the token in clear.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_version: Option<String>,
    kind: Option<String>,
    status: Option<AnswerStatus>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct AnswerStatus {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

fn read_answer(stdout: &[u8], api_version: &str) -> Result<ExecCredential, String> {
    let answer: Answer = serde_json::from_slice(stdout).map_err(|error| {
        format!("its output is not an ExecCredential in JSON (line {}, column {})", error.line(), error.column())
    })?;
    if answer.kind.as_deref() != Some("ExecCredential") {
        return Err("its output is JSON, but no ExecCredential".to_owned());
    }
    let returned = answer.api_version.unwrap_or_default();
    if returned != api_version {
        return Err(format!(
            "exec plugin is configured to use API version {api_version}, plugin returned version {returned}"
        ));
    }
    let status = answer.status.ok_or("exec plugin didn't return a status field")?;
    let some = |value: Option<String>| value.filter(|value| !value.is_empty());
    let token = some(status.token).map(SecretString::from);
    let certificate = match (some(status.client_certificate_data), some(status.client_key_data)) {
        (Some(certificate), Some(key)) => Some((certificate, SecretString::from(key))),
        (None, None) => None,
        _ => return Err("exec plugin returned only certificate or key, not both".to_owned()),
    };
    if token.is_none() && certificate.is_none() {
        return Err("exec plugin didn't return a token or cert/key pair".to_owned());
    }
    Ok(ExecCredential { token, certificate })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    #[test]
    fn an_answer_that_is_none_is_refused_without_being_shown() {
        let wrap = |status: &str| format!(r#"{{"apiVersion":"{V1}","kind":"ExecCredential"{status}}}"#);
        for (stdout, said) in [
            ("To sign in, secret-token-1".to_owned(), "not an ExecCredential"),
            (r#"{"kind":"Status","token":"secret-token-1"}"#.to_owned(), "no ExecCredential"),
            (wrap(""), "status field"),
            (wrap(r#","status":{}"#), "token or cert/key pair"),
            (wrap(r#","status":{"clientCertificateData":"secret-token-1"}"#), "only certificate or key"),
            (wrap(r#","status":{"token":["secret-token-1"]}"#), "not an ExecCredential"),
            (wrap(r#","status":{"token":"secret-token-1"}"#).replace("/v1", "/v1beta1"), "v1beta1"),
        ] {
            let reason = read_answer(stdout.as_bytes(), V1).unwrap_err();
            assert!(reason.contains(said), "{reason}");
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn the_token_is_not_in_debug() {
        let stdout =
            format!(r#"{{"apiVersion":"{V1}","kind":"ExecCredential","status":{{"token":"secret-token-1"}}}}"#);
        let credential = read_answer(stdout.as_bytes(), V1).unwrap();
        assert!(!format!("{credential:?}").contains("secret-token-1"));
    }
}
