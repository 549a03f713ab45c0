//! `-o FORMAT[=FILE]`: what is printed, and where.

use super::error::{Failure, Message};
use crate::report::model::{API_VERSION, ErrorReport};
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
    /// Names alone, as kubectl prints them.
    Name,
}

impl Format {
    /// All formats with their words.
    pub const ALL: [(&'static str, Self); 6] = [
        ("text", Self::Text),
        ("wide", Self::Wide),
        ("json", Self::Json),
        ("yaml", Self::Yaml),
        ("jsonl", Self::Jsonl),
        ("name", Self::Name),
    ];
}

/// Formats that will come; they are refused with one line until they work.
const LATER: &[&str] = &["sarif", "junit", "github", "markdown", "html", "dot", "mermaid"];

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

/// Whether the arguments ask for a structured format on standard output: needed before they are parsed, because a
/// usage error has to be structured too.
pub fn wants_structure(args: &[OsString]) -> bool {
    let words: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let structured = |word: &str| matches!(word, "json" | "yaml" | "jsonl");
    words.iter().enumerate().any(|(at, word)| match word.as_str() {
        "-o" | "--output" => words.get(at + 1).is_some_and(|next| structured(next)),
        _ => ["--output=", "-o=", "-o"].iter().any(|flag| word.strip_prefix(flag).is_some_and(structured)),
    })
}

/// Prints the error document.
pub fn write_error(out: &mut dyn Write, message: &Message) -> Result<(), Failure> {
    let (text, hint) = (message.text.clone(), message.hint.clone());
    write_json(out, &ErrorReport { api_version: API_VERSION, kind: "Error", message: text, hint })
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
