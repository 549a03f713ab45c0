//! `kubectl wi completion`: scripts for shells, and the shim through which kubectl completes a plugin.

use super::error::Failure;
use super::{Surroundings, output};
use std::path::{Path, PathBuf};

/// The plugin's name: `kubectl PLUGIN`. Krew's manifest, the shim and the archives take it from here.
pub const PLUGIN: &str = "wi";

/// What makes a file recognisable as ours: nothing else is overwritten.
const MARK: &str = "Made by kubectl wi completion kubectl";

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kubectl wi completion kubectl --install       kubectl wi <TAB> completes, in every shell that completes kubectl\n  source <(kubectl wi completion bash)          completes kubectl-wi itself"
)]
pub struct Args {
    /// The shell, or kubectl for the shim through which kubectl completes the plugin (kubectl 1.26 or newer)
    #[arg(value_enum)]
    shell: Shell,
    /// Write the shim beside the plugin; with kubectl only
    #[arg(long)]
    install: bool,
}

/// Whom a script is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// `PowerShell`
    #[value(name = "powershell")]
    PowerShell,
    /// kubectl's own completion
    Kubectl,
}

impl Shell {
    /// All with the names of their files in `completions/`.
    pub const FILES: [(Self, &'static str); 5] = [
        (Self::Bash, "kubectl-wi.bash"),
        (Self::Zsh, "_kubectl-wi"),
        (Self::Fish, "kubectl-wi.fish"),
        (Self::PowerShell, "kubectl-wi.ps1"),
        (Self::Kubectl, "kubectl_complete-wi"),
    ];
}

/// The script for a shell.
pub fn script(shell: Shell) -> Vec<u8> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::PowerShell => clap_complete::Shell::PowerShell,
        Shell::Kubectl => return shim(false).into_bytes(),
    };
    let mut script = Vec::new();
    let name = format!("kubectl-{PLUGIN}");
    clap_complete::generate(shell, &mut super::command(), &name, &mut script);
    if shell == clap_complete::Shell::Bash {
        // clap_complete 4.6 takes the hyphen of the program's name for the mark of a subcommand in the second half of
        // the script, and not in the first: nothing below the first word would complete.
        let (wrong, right) = (name.replace('-', "__subcmd__"), name.replace('-', "__"));
        script = String::from_utf8_lossy(&script).replace(&wrong, &right).into_bytes();
    }
    script
}

/// kubectl starts an executable of this name with the words after the plugin's (kubectl 1.26, `plugin_completion.go`).
/// Krew links one executable only, so this file is written on request.
fn shim(windows: bool) -> String {
    if windows {
        return format!("@rem {MARK}\r\n@kubectl-{PLUGIN} __complete %*\r\n");
    }
    format!("#!/bin/sh\n# {MARK}\nexec kubectl-{PLUGIN} __complete \"$@\"\n")
}

/// Runs `completion`.
pub fn run(args: &Args, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    if !args.install {
        around.stdout.write_all(&script(args.shell))?;
        return Ok(0);
    }
    if args.shell != Shell::Kubectl {
        let hint = format!("kubectl {PLUGIN} completion kubectl --install");
        return Err(Failure::new("--install works for kubectl only: it completes in every shell", Some(hint)));
    }
    let path = install(&folder()?)?;
    output::write_line(around.stdout, &format!("wrote {}", path.display()))?;
    Ok(0)
}

/// The folder on the PATH where kubectl finds the plugin. The executable's own path will not do: Krew's entry on the
/// PATH is a link into its store.
fn folder() -> Result<PathBuf, Failure> {
    let name = format!("kubectl-{PLUGIN}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|folder| folder.is_absolute() && folder.join(&name).is_file());
    found.ok_or_else(|| {
        let hint = "put it into a folder of the PATH; kubectl finds plugins and their completion only there";
        Failure::new(format!("{name} is in no folder of the PATH"), Some(hint.to_owned()))
    })
}

fn install(folder: &Path) -> Result<PathBuf, Failure> {
    let windows = cfg!(windows);
    let path = folder.join(format!("kubectl_complete-{PLUGIN}{}", if windows { ".cmd" } else { "" }));
    match std::fs::read(&path) {
        Ok(old) if !String::from_utf8_lossy(&old).contains(MARK) => {
            let hint = "remove it if it is not needed any more".to_owned();
            return Err(Failure::new(format!("{} is there and was not made by this", path.display()), Some(hint)));
        }
        _ => {}
    }
    let unwritable = |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", path.display()), None);
    std::fs::write(&path, shim(windows)).map_err(unwritable)?;
    executable(&path).map_err(unwritable)?;
    Ok(path)
}

#[cfg(unix)]
fn executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)] // as on Unix
fn executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}
