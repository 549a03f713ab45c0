//! The commands of this repository: `cargo xtask test`, `generate`, `cluster`, `azure`.

mod azure;
mod cluster;
mod generate;
mod test;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The commands of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run all tests, with everything that they need.
    Test {
        /// Passed on to cargo test.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Make everything in the repository that comes from the program itself.
    Generate {
        /// Only say what is not as it should be.
        #[arg(long)]
        check: bool,
    },
    /// A Kubernetes cluster for trying things by hand.
    Cluster {
        #[command(subcommand)]
        action: cluster::Action,
    },
    /// An Azure for trying things by hand, without an account.
    Azure {
        #[command(subcommand)]
        action: azure::Action,
    },
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let result = root().and_then(|root| match command {
        Task::Test { arguments } => test::run(&root, &arguments).map(|()| 0),
        Task::Generate { check } => generate::run(&root, check).map(|()| 0),
        Task::Cluster { action } => cluster::run(&action),
        Task::Azure { action } => azure::run(&root, action).map(|()| 0),
    });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository: the folder above this crate.
fn root() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("this crate has no folder above it")?;
    Ok(folder.to_owned())
}
