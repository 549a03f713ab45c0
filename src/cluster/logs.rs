//! The logs of a container.

use super::client::{Call, Client};
use super::error::Error;
use super::operation::Operation;
use super::resource;

/// Which lines to read.
#[derive(Debug, Clone, Copy)]
pub struct LogQuery<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// The pod.
    pub pod: &'a str,
    /// The container; `None` only where there is one alone.
    pub container: Option<&'a str>,
    /// Of the container's run before this one.
    pub previous: bool,
    /// The last lines only.
    pub tail_lines: Option<u32>,
    /// No more bytes than that.
    pub limit_bytes: Option<u32>,
    /// Each line begins with the time at which it was written.
    pub timestamps: bool,
}

impl Client {
    /// Reads a container's log. What is no UTF-8 in it is replaced; nothing else is changed or left out, so whoever
    /// shows it has to look for tokens first.
    pub async fn logs(&self, query: &LogQuery<'_>) -> Result<String, Error> {
        let operation = Operation::on_one("get", &resource::POD, Some(query.namespace), query.pod, Some("log"))?;
        let mut call = Call { accept: "*/*", ..Call::get(&operation) };
        let mut add = |name, value: String| call.query.push((name, value));
        if let Some(container) = query.container {
            add("container", container.to_owned());
        }
        if query.previous {
            add("previous", "true".to_owned());
        }
        if let Some(lines) = query.tail_lines {
            add("tailLines", lines.to_string());
        }
        if let Some(bytes) = query.limit_bytes {
            add("limitBytes", bytes.to_string());
        }
        if query.timestamps {
            add("timestamps", "true".to_owned());
        }
        Ok(String::from_utf8_lossy(&self.bytes(&call).await?).into_owned())
    }
}
