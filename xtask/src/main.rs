//! The commands of this repository: `cargo xtask test`, `generate`, `bench`, `archive`, `krew`, `cluster`, `azure`.

mod azure;
#[cfg(unix)]
mod bench;
#[cfg(unix)]
mod cluster;
mod generate;
mod krew;
mod picture;
#[cfg(unix)]
mod test;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use kubectl_wi::cli::PLUGIN;
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
    #[cfg(unix)]
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
    /// Measure what reading a large cluster and many files costs, against kubectl.
    #[cfg(unix)]
    Bench(bench::Arguments),
    /// Pack an executable for a release, with its checksum.
    Archive {
        /// The release, such as v0.1.0.
        #[arg(long)]
        tag: String,
        /// What it was built for, such as x86_64-unknown-linux-musl.
        #[arg(long)]
        target: String,
        /// The executable; without it, the release build of that target.
        #[arg(long)]
        executable: Option<PathBuf>,
        /// The folder for the archive.
        #[arg(long, default_value = "dist")]
        out: PathBuf,
    },
    /// Print Krew's manifest of a release, from the template and the release's checksums.
    Krew {
        /// The release, such as v0.1.0.
        #[arg(long)]
        tag: String,
        /// The checksums of all archives, as sha256sum prints them.
        #[arg(long, default_value = "dist/SHA256SUMS")]
        checksums: PathBuf,
        /// Where the archives are, if not at the release's own address.
        #[arg(long)]
        base_url: Option<String>,
        /// The folder to write it to, under the name that Krew asks for; without it, standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// A Kubernetes cluster for trying things by hand.
    #[cfg(unix)]
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
        #[cfg(unix)]
        Task::Test { arguments } => test::run(&root, &arguments).map(|()| 0),
        #[cfg(unix)]
        Task::Bench(arguments) => bench::run(&root, &arguments).map(|()| 0),
        Task::Generate { check } => generate::run(&root, check).map(|()| 0),
        Task::Archive { tag, target, executable, out } => {
            let built = || {
                let name = format!("kubectl-{PLUGIN}{}", if target.contains("windows") { ".exe" } else { "" });
                root.join("target").join(&target).join("release").join(name)
            };
            let path = krew::archive(&root, &tag, &target, &executable.unwrap_or_else(built), &out)?;
            println!("{}", path.display());
            Ok(0)
        }
        Task::Krew { tag, checksums, base_url, out } => {
            let sums =
                std::fs::read_to_string(&checksums).with_context(|| format!("cannot read {}", checksums.display()))?;
            let manifest = krew::manifest(&root, &tag, &sums, base_url.as_deref())?;
            match out {
                Some(folder) => std::fs::write(folder.join(format!("{PLUGIN}.yaml")), manifest)?,
                None => print!("{manifest}"),
            }
            Ok(0)
        }
        #[cfg(unix)]
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
