//! The command line: parses, wires, prints; knows nothing of identity.

pub mod azure_flags;
mod complete;
pub mod completion;
pub mod error;
pub mod exec_probe;
pub mod explain;
pub mod fix;
pub mod inspect;
pub mod kubectl_flags;
mod live;
mod logs;
pub mod output;
pub mod rbac;
mod selection;
pub mod simulate;
mod suppressions;
pub mod terminal;
pub mod version;
pub mod words;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use error::Failure;
use kubectl_flags::KubectlFlags;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use terminal::{ColorChoice, Terminal};

/// Finds out why a pod does not get its Azure identity, proves it, and repairs it.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-wi",
    bin_name = "kubectl wi",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "First steps:\n  kubectl wi inspect deploy/velero -n velero    one workload: its chain drawn, root cause first\n  kubectl wi inspect -A                         every workload that is meant for identity\n  helm template velero vmware-tanzu/velero | kubectl wi inspect -f -\n\nExit codes: 0 nothing found, 1 findings, 2 could not run, 3 incomplete"
)]
pub struct Cli {
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    color: ColorChoice,
    #[command(flatten)]
    kubectl: KubectlFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show why identity works or does not: the whole chain, root cause first
    Inspect(inspect::Args),
    /// Repair what inspect finds: shows the change, asks, makes it, looks again
    Fix(fix::Args),
    /// Prove it from inside the pod: the token file, the token, and with --exchange Entra's answer
    #[command(visible_alias = "probe")]
    ExecProbe(exec_probe::Args),
    /// Print what the identity webhook would make of objects, without asking it
    Simulate(simulate::Args),
    /// Explain a rule: what it finds, why that breaks, how to mend it
    Explain(explain::Args),
    /// Print the least Kubernetes roles that the features need
    Rbac(rbac::Args),
    /// Print a completion script, or let kubectl complete the plugin
    Completion(completion::Args),
    /// Print the version and the webhook releases that are known
    Version(version::Args),
}

/// What the program reads and writes, and what it knows of its surroundings: passed in, so that tests can tell.
pub struct Surroundings<'a> {
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Standard output: results only.
    pub stdout: &'a mut dyn Write,
    /// Standard error: everything else.
    pub stderr: &'a mut dyn Write,
    /// What the terminal can do.
    pub terminal: Terminal,
    /// The time, for ages and expiry.
    pub now: jiff::Timestamp,
    /// The current directory, where it can be told.
    pub directory: Option<PathBuf>,
}

pub use completion::{PLUGIN, Shell, script};

/// The command line as clap sees it, for help, completions and the reference.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with its arguments; the exit code comes back.
pub fn run(args: Vec<OsString>, around: &mut Surroundings<'_>) -> u8 {
    if let Some(words) = complete::wanted(&args) {
        return complete::run(words, around);
    }
    let structure = output::wanted_structure(&args);
    let cli = match Cli::command().try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, structure, around),
    };
    let outcome = match &cli.command {
        Command::Inspect(args) => inspect::run(args, &cli, around),
        Command::Fix(args) => fix::run(args, &cli, around),
        Command::ExecProbe(args) => exec_probe::run(args, &cli, around),
        Command::Simulate(args) => simulate::run(args, &cli, around),
        Command::Explain(args) => explain::run(args, &cli, around),
        Command::Rbac(args) => rbac::run(args, around),
        Command::Completion(args) => completion::run(args, around),
        Command::Version(args) => version::run(args, around),
    };
    match outcome {
        Ok(code) => code,
        Err(Failure::Closed) => 0,
        Err(failure) => {
            let message = failure.into_message();
            let _ = output::write_error(around.stdout, &message, structure);
            let style = around.terminal.style_for_errors(cli.color);
            let _ = write!(around.stderr, "{}", message.draw(style));
            2
        }
    }
}

/// Help and version go to standard output with 0; everything else is a usage error with 2.
fn usage(error: &clap::Error, structure: output::Structure, around: &mut Surroundings<'_>) -> u8 {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = write!(around.stdout, "{}", error.render());
        return 0;
    }
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let _ = output::write_error(around.stdout, &error::Message { text: first, hint: None }, structure);
    let _ = write!(around.stderr, "{text}");
    2
}
