//! An answer: made from a recorded one where there is one.

use crate::recorded::file;
use serde_json::Value;

/// An answer of the emulator.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

impl Answer {
    /// A JSON body with the headers that ARM sends along.
    pub fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type".to_owned(), "application/json; charset=utf-8".to_owned()),
                ("x-ms-request-id".to_owned(), "aaaaaaaa-1111-4222-8333-000000000001".to_owned()),
            ],
            body: body.to_string(),
        }
    }

    /// A status alone.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    /// The answer of a file: status, headers and body as they were recorded.
    ///
    /// # Panics
    /// The file has no `response`.
    #[allow(clippy::panic)]
    pub fn recorded(path: &str) -> Self {
        let file = file(path);
        let Some(response) = file.get("response") else { panic!("{path} has no response") };
        let headers = response["headers"].as_object().cloned().unwrap_or_default();
        Self {
            status: response["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or(500),
            headers: headers
                .into_iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
                .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
                .collect(),
            body: match &response["body"] {
                Value::String(text) => text.clone(),
                body => body.to_string(),
            },
        }
    }

    /// Puts other ids into the example's place.
    #[must_use]
    pub fn replacing(mut self, example: &str, real: &str) -> Self {
        // Ids and names need no escape in JSON.
        self.body = self.body.replace(example, real);
        for (_, value) in &mut self.headers {
            *value = value.replace(example, real);
        }
        self
    }

    /// Sets a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
