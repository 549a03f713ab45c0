//! The files of `tests/data/azure`, and what was asked of the emulator.

use serde_json::Value;
use std::path::PathBuf;

/// A request as it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Method.
    pub method: String,
    /// `Host` of the request.
    pub host: String,
    /// Path, as it was sent.
    pub path: String,
    /// Query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Headers by lower-case name. `authorization` is shown as it was: the tests look for it elsewhere.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; a form as an object; `null` where there was none.
    pub body: Value,
}

impl Recorded {
    /// The value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a file of `tests/data/azure`: `rest/msi/errors/403-AuthorizationFailed-fic-read.json`.
///
/// # Panics
/// The file is not there, or is no JSON: the test data is broken.
#[allow(clippy::panic)]
pub fn file(path: &str) -> Value {
    let full = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data/azure").join(path);
    let text = std::fs::read_to_string(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", full.display()))
}
