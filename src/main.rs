//! The plugin's executable: starts, and maps the outcome to the exit code.

use kubectl_wi::cli::terminal::Terminal;
use kubectl_wi::cli::{Surroundings, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut stdin, mut stdout, mut stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let mut around =
        Surroundings { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr, terminal: Terminal::detect() };
    ExitCode::from(run(std::env::args_os().collect(), &mut around))
}
