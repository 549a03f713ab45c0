//! `cargo xtask test`: all tests, with everything that they need.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs all tests of the workspace and says at the end, in one line, what ran.
pub(crate) fn run(root: &Path, filters: &[String]) -> Result<()> {
    // What is missing is said before anything is compiled: the whole cluster is the larger of the two.
    wi_test_cluster::ensure_whole_cluster()?;
    wi_test_cluster::ensure_shells()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["test", "--workspace", "--no-fail-fast"]).args(filters);
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let (mut passed, mut failed, mut ignored, mut suites) = (0, 0, 0, 0);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            if line.starts_with("test result:") {
                suites += 1;
                passed += count(&line, "passed");
                failed += count(&line, "failed");
                ignored += count(&line, "ignored");
            }
        }
    }
    let status = child.wait()?;
    println!();
    println!(
        "{suites} suites with the control plane and the whole cluster of Kubernetes {}: {passed} passed, {failed} failed, \
         {ignored} ignored",
        wi_test_cluster::KUBERNETES_VERSION
    );
    if !status.success() {
        bail!("tests failed");
    }
    if passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

/// The number before a word: `12 passed`.
fn count(line: &str, word: &str) -> u32 {
    let words: Vec<&str> = line.split([' ', ';']).filter(|part| !part.is_empty()).collect();
    let at = words.iter().position(|part| *part == word);
    at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or(0)
}
