//! `-o FORMAT[=FILE]`: what is printed, and where.

use super::error::{Failure, Message};
use crate::report::model::{API_VERSION, ErrorReport};
use crate::report::sarif;
use serde::Serialize;
use std::ffi::OsString;
use std::io::Write;
use std::str::FromStr;

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The drawing.
    Text,
    /// The drawing with everything in it.
    Wide,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// One JSON document a line: each target, then the report without its targets.
    Jsonl,
    /// SARIF 2.1.0.
    Sarif,
    /// Annotations of a GitHub workflow.
    Github,
    /// Markdown for tickets; redacted.
    Markdown,
    /// Names alone, as kubectl prints them.
    Name,
}

impl Format {
    /// All formats with their words.
    pub const ALL: [(&'static str, Self); 9] = [
        ("text", Self::Text),
        ("wide", Self::Wide),
        ("json", Self::Json),
        ("yaml", Self::Yaml),
        ("jsonl", Self::Jsonl),
        ("sarif", Self::Sarif),
        ("github", Self::Github),
        ("markdown", Self::Markdown),
        ("name", Self::Name),
    ];

    /// The word that asks for it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("text", |(word, _)| word)
    }
}

/// Formats that will come; they are refused with one line until they work.
const LATER: &[&str] = &["junit", "html", "dot", "mermaid"];

/// A format and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The format.
    pub format: Format,
    /// The file; `None` for standard output.
    pub file: Option<String>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, file) = match text.split_once('=') {
            Some((word, "")) => return Err(format!("{word}= names no file")),
            Some((word, file)) => (word, Some(file.to_owned())),
            None => (text, None),
        };
        match Format::ALL.iter().find(|(known, _)| *known == word) {
            Some((_, format)) => Ok(Self { format: *format, file }),
            None if LATER.contains(&word) => Err(format!("-o {word} does not work yet")),
            None => Err(format!("expected one of {}", Format::ALL.map(|(word, _)| word).join(", "))),
        }
    }
}

/// `--redact`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum YesNo {
    /// Always
    Yes,
    /// Never
    No,
}

/// How an error is told on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// Not at all.
    None,
    /// By the error document.
    Error,
    /// By a SARIF document without results.
    Sarif,
}

/// Which structured format the arguments ask for on standard output: needed before they are parsed, because a usage
/// error has to be structured too.
pub fn wanted_structure(args: &[OsString]) -> Structure {
    let words: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let structure = |word: &str| match word {
        "json" | "yaml" | "jsonl" => Some(Structure::Error),
        "sarif" => Some(Structure::Sarif),
        _ => None,
    };
    let found = words.iter().enumerate().find_map(|(at, word)| match word.as_str() {
        "-o" | "--output" => words.get(at + 1).and_then(|next| structure(next)),
        _ => ["--output=", "-o=", "-o"].iter().find_map(|flag| word.strip_prefix(flag).and_then(structure)),
    });
    found.unwrap_or(Structure::None)
}

/// Prints the error document.
pub fn write_error(out: &mut dyn Write, message: &Message, structure: Structure) -> Result<(), Failure> {
    let (text, hint) = (message.text.clone(), message.hint.clone());
    match structure {
        Structure::None => return Ok(()),
        Structure::Error => {}
        Structure::Sarif => return write_json(out, &sarif::failed(&text)),
    }
    write_json(out, &ErrorReport { api_version: API_VERSION, kind: "Error", message: text, hint })
}

/// Prints one line.
pub fn write_line(out: &mut dyn Write, line: &str) -> Result<(), Failure> {
    writeln!(out, "{line}")?;
    Ok(())
}

/// Prints one JSON document, indented.
pub fn write_json<T: Serialize>(out: &mut dyn Write, value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(error.to_string(), None))?;
    writeln!(out, "{text}")?;
    Ok(())
}

/// Prints one JSON document on one line.
pub fn write_json_line<T: Serialize>(out: &mut dyn Write, value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::new(error.to_string(), None))?;
    writeln!(out, "{text}")?;
    Ok(())
}

/// Prints one YAML document.
pub fn write_yaml<T: Serialize>(out: &mut dyn Write, value: &T) -> Result<(), Failure> {
    let text = serde_saphyr::to_string(value).map_err(|error| Failure::new(error.to_string(), None))?;
    writeln!(out, "{}", text.trim_end())?;
    Ok(())
}
