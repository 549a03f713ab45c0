//! `cargo xtask cluster`: a test cluster for trying things by hand.

use std::{env, process::Command};

use anyhow::Result;
use clap::Subcommand;
use wi_test_cluster::by_hand::{self, Size};

/// What to do with the cluster.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// Start a cluster that stays until `down`.
    Up {
        /// control-plane: no nodes, no privileges. whole: with a node and the identity webhook; Linux and root.
        #[arg(long, default_value = "control-plane")]
        size: Size,
    },
    /// Stop it.
    Down,
    /// Open a shell that reaches it, or run a command there.
    Shell {
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// (What `up` leaves in the background.)
    #[command(hide = true)]
    Hold {
        /// As for `up`.
        #[arg(long)]
        size: Size,
    },
}

/// Does it, and gives the exit code.
pub(crate) fn run(action: &Action) -> Result<u8> {
    match action {
        Action::Up { size } => {
            let mut holder = Command::new(env::current_exe()?);
            holder.args(["cluster", "hold", "--size", size.name()]);
            println!("{}", by_hand::up(*size, holder)?);
        }
        Action::Down => println!("{}", if by_hand::down()? { "stopped" } else { "no cluster was up" }),
        Action::Shell { command } => {
            let status = by_hand::shell(command)?;
            return Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
        }
        Action::Hold { size } => by_hand::hold(*size)?,
    }
    Ok(0)
}
