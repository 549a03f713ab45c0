//! The events that tell what happened to an object.

use super::client::Client;
use super::error::Error;
use super::list::ListQuery;
use super::resource;
use jiff::Timestamp;
use serde::Deserialize;

/// An event about an object, oldest first where there are several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectEvent {
    /// `Normal` or `Warning`
    #[serde(rename = "type")]
    pub severity: Option<String>,
    /// `FailedCreate`, `BackOff`
    pub reason: Option<String>,
    /// The sentence.
    pub message: Option<String>,
    /// How often it happened; `None` is once.
    pub count: Option<u32>,
    /// Last time, as the old API writes it.
    last_timestamp: Option<Timestamp>,
    /// The time, as the new API writes it.
    event_time: Option<Timestamp>,
    series: Option<Series>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Series {
    count: Option<u32>,
    last_observed_time: Option<Timestamp>,
}

impl ObjectEvent {
    /// When it happened last.
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.series.as_ref().and_then(|series| series.last_observed_time).or(self.last_timestamp).or(self.event_time)
    }

    /// How often it happened.
    pub fn times(&self) -> u32 {
        self.series.as_ref().and_then(|series| series.count).or(self.count).unwrap_or(1)
    }
}

impl Client {
    /// The events about one object, oldest first. The API server keeps them for an hour unless told otherwise.
    pub async fn events_about(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Vec<ObjectEvent>, Error> {
        let mut selector = format!("involvedObject.kind={},involvedObject.name={}", escape(kind), escape(name));
        if let Some(uid) = uid {
            selector.push_str(",involvedObject.uid=");
            selector.push_str(&escape(uid));
        }
        let query = ListQuery::all(&resource::EVENT).in_namespace(namespace).fields(&selector);
        let mut events: Vec<ObjectEvent> = self.list(&query).await?.value;
        events.sort_by_key(ObjectEvent::last_seen);
        Ok(events)
    }
}

/// A value in a field selector (apimachinery, `fields.EscapeValue`).
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}
