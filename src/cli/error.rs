//! The one place that turns errors into words: what, why, and the next step.

use crate::manifest::{log, read};
use crate::report::style::{Style, clean};
use std::fmt::Write as _;

/// Why the program could not run.
#[derive(Debug)]
pub enum Failure {
    /// Something to tell the user.
    Message(Message),
    /// Nobody reads the output any more.
    Closed,
}

/// What is told.
#[derive(Debug, Clone)]
pub struct Message {
    /// What went wrong, with the thing and the reason.
    pub text: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure that says what, and what next.
    pub fn new(text: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self::Message(Message { text: text.into(), hint: hint.into() })
    }

    /// What is told of it.
    pub fn into_message(self) -> Message {
        match self {
            Self::Message(message) => message,
            Self::Closed => Message { text: "the output was closed".to_owned(), hint: None },
        }
    }
}

impl Message {
    /// The message for a terminal.
    pub fn draw(&self, style: Style) -> String {
        let mut out = format!("{}: {}\n", style.error("error"), clean(&self.text));
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "  {}", clean(hint).replace('\n', "\n  "));
        }
        out
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        Self::new(format!("cannot write the output: {error}"), None)
    }
}

impl From<read::Error> for Failure {
    fn from(error: read::Error) -> Self {
        Self::new(error.to_string(), error.hint())
    }
}

impl From<log::Error> for Failure {
    fn from(error: log::Error) -> Self {
        Self::new(error.to_string(), error.hint())
    }
}
