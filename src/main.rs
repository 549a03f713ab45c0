//! The plugin's executable: starts, and maps the outcome to the exit code.

use kubectl_wi::cli::terminal::Terminal;
use kubectl_wi::cli::{Surroundings, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut stdin, mut stdout, mut stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let mut around = Surroundings {
        stdin: &mut stdin,
        stdout: &mut stdout,
        stderr: &mut stderr,
        terminal: Terminal::detect(),
        now: now(),
        directory: std::env::current_dir().ok(),
    };
    ExitCode::from(run(std::env::args_os().collect(), &mut around))
}

/// The time, or the one that `SOURCE_DATE_EPOCH` gives: reports that are kept in version control stay the same.
fn now() -> jiff::Timestamp {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    given.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()).unwrap_or_else(jiff::Timestamp::now)
}
