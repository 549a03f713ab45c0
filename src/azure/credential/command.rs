//! Runs a login's own program: `az`, `azd`.

use super::super::secret::without_tokens;
use super::CredentialError;
use crate::cluster::Environment;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use zeroize::Zeroizing;

/// Microsoft's SDKs give the program as long.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// What a program said.
pub(super) struct Output {
    pub success: bool,
    /// Wiped when dropped: it holds the token.
    pub stdout: Zeroizing<Vec<u8>>,
    /// The first lines, without anything that looks like a token.
    pub stderr: String,
}

/// Runs the program that `PATH` finds first; `None` where there is none.
///
/// Only absolute directories of `PATH` count, never the current one, and the program runs in the root directory: a
/// file of that name in a checked-out repository must not get hold of a login.
pub(super) async fn run(
    environment: &Environment,
    program: &str,
    arguments: &[&str],
) -> Result<Option<Output>, CredentialError> {
    let Some(path) = find(environment, program) else { return Ok(None) };
    let next = format!("run \"{program} {}\" to see what it says", arguments.join(" "));
    let failed = |reason: String| CredentialError::failed(reason, next.clone());
    let mut command = Command::new(path);
    command
        .args(arguments)
        .env_clear()
        .envs(&environment.variables)
        .env("AZURE_CORE_NO_COLOR", "true")
        .current_dir(root(environment))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output = tokio::time::timeout(TIME_LIMIT, command.output())
        .await
        .map_err(|_| failed(format!("{program} gave no answer within {} s", TIME_LIMIT.as_secs())))?
        .map_err(|error| failed(format!("{program} cannot be started: {error}")))?;
    let stderr: Vec<&str> = std::str::from_utf8(&output.stderr)
        .unwrap_or_default()
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("WARNING"))
        .take(3)
        .collect();
    Ok(Some(Output {
        success: output.status.success(),
        stdout: Zeroizing::new(output.stdout),
        stderr: without_tokens(&stderr.join(" ")).chars().take(500).collect(),
    }))
}

fn find(environment: &Environment, program: &str) -> Option<PathBuf> {
    let names: Vec<String> =
        if cfg!(windows) { vec![format!("{program}.cmd"), format!("{program}.exe")] } else { vec![program.to_owned()] };
    std::env::split_paths(environment.variables.get("PATH")?)
        .filter(|directory| directory.is_absolute())
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)))
        .find(|path| is_executable(path))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

fn root(environment: &Environment) -> PathBuf {
    if cfg!(windows) { environment.text("SystemRoot").unwrap_or("C:\\").into() } else { PathBuf::from("/") }
}

/// Whether a value may stand in a command line: `az` is a batch file on Windows, where quoting cannot be relied upon.
pub(super) fn is_plain(argument: &str) -> bool {
    !argument.is_empty()
        && argument.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '.' | '-' | '_'))
        && !argument.starts_with('-')
}
