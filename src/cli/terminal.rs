//! What the terminal can do.

use crate::report::style::Style;
use std::io::IsTerminal;

/// `--color`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What is known of the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Standard input is a terminal.
    pub stdin: bool,
    /// Standard output is a terminal.
    pub stdout: bool,
    /// Standard error is a terminal.
    pub stderr: bool,
    /// Colour is welcome where there is a terminal: `NO_COLOR` is not set, `TERM` is not `dumb`.
    pub colour: bool,
    /// Colour is wanted even without a terminal (`CLICOLOR_FORCE`).
    pub force_colour: bool,
    /// Columns.
    pub width: usize,
}

impl Terminal {
    /// The terminal of this process.
    pub fn detect() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let stdout = std::io::stdout().is_terminal();
        let measured = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).filter(|_| stdout);
        let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self {
            stdin: std::io::stdin().is_terminal(),
            stdout,
            stderr: std::io::stderr().is_terminal(),
            colour: !set("NO_COLOR") && !dumb,
            force_colour: set("CLICOLOR_FORCE") && !set("NO_COLOR"),
            width: measured.or(said).unwrap_or(100).clamp(60, 160),
        }
    }

    /// How results are drawn.
    pub fn style(&self, choice: ColorChoice) -> Style {
        Style { colour: self.colours(choice, self.stdout), width: self.width }
    }

    /// How messages are drawn.
    pub fn style_for_errors(&self, choice: ColorChoice) -> Style {
        Style { colour: self.colours(choice, self.stderr), width: self.width }
    }

    fn colours(&self, choice: ColorChoice, terminal: bool) -> bool {
        match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => self.force_colour || (self.colour && terminal),
        }
    }
}
