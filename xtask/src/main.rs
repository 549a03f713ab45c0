//! The commands of this repository: `cargo xtask test`, `generate`, `cluster`.

mod generate;
mod test;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};

/// The commands of this repository
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run all tests, with everything that they need
    Test {
        /// Passed on to cargo test
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        filters: Vec<String>,
    },
    /// Make everything in the repository that comes from the program itself
    Generate {
        /// Only say what is not as it should be
        #[arg(long)]
        check: bool,
    },
}

fn main() -> Result<()> {
    let root = root()?;
    match Cli::parse().command {
        Task::Test { filters } => test::run(&root, &filters),
        Task::Generate { check } => generate::run(&root, check),
    }
}

/// The repository: the folder above this crate.
fn root() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("this crate has no folder above it")?;
    Ok(folder.to_owned())
}
