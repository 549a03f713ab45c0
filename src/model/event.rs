//! What the cluster's components said about objects: events.

use super::object::{ApiMeta, Meta, ObjectRef, Origin};
use super::pod::null_as_default;
use serde::Deserialize;

/// An event of either API, `v1` or `events.k8s.io/v1`.
#[derive(Debug, Clone)]
pub struct Event {
    /// `metadata`
    pub meta: Meta,
    /// What it is about: `involvedObject`, or `regarding`.
    pub about: ObjectRef,
    /// `reason`, such as `FailedCreate`.
    pub reason: String,
    /// `message`, or `note`.
    pub message: String,
    /// How often it happened; 1 where nothing says.
    pub count: i64,
    /// When it happened last.
    pub last: Option<jiff::Timestamp>,
}

/// Both APIs' JSON in one: they share no field names that mean different things.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ApiEvent {
    #[serde(deserialize_with = "null_as_default")]
    metadata: ApiMeta,
    #[serde(alias = "regarding", deserialize_with = "null_as_default")]
    involved_object: ApiReference,
    #[serde(deserialize_with = "null_as_default")]
    reason: String,
    #[serde(alias = "note", deserialize_with = "null_as_default")]
    message: String,
    #[serde(alias = "deprecatedCount")]
    count: Option<i64>,
    series: Option<ApiSeries>,
    #[serde(alias = "deprecatedLastTimestamp")]
    last_timestamp: Option<String>,
    event_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApiSeries {
    count: Option<i64>,
    last_observed_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApiReference {
    #[serde(deserialize_with = "null_as_default")]
    api_version: String,
    #[serde(deserialize_with = "null_as_default")]
    kind: String,
    namespace: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    name: String,
}

impl ApiEvent {
    pub(crate) fn into_event(self, api_version: &str, origin: Origin) -> Event {
        let meta = self.metadata.into_meta(api_version, "Event", origin);
        let series = self.series.unwrap_or_default();
        let times = [series.last_observed_time, self.last_timestamp, self.event_time];
        let last = times.into_iter().flatten().find_map(|text| text.parse().ok()).or(meta.created);
        let about = self.involved_object;
        Event {
            about: ObjectRef {
                api_version: about.api_version,
                kind: about.kind,
                namespace: about.namespace.filter(|namespace| !namespace.is_empty()),
                name: about.name,
            },
            reason: self.reason,
            message: self.message,
            count: series.count.or(self.count).unwrap_or(1).max(1),
            last,
            meta,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(value: serde_json::Value) -> Event {
        ApiEvent::deserialize(value).unwrap().into_event("v1", Origin::Cluster)
    }

    #[test]
    fn both_apis_are_read() {
        let old = event(json!({
            "metadata": {"name": "a", "namespace": "shop"}, "reason": "FailedCreate", "message": "no", "count": 7,
            "involvedObject": {"kind": "ReplicaSet", "namespace": "shop", "name": "app-1"},
            "lastTimestamp": "2026-11-18T09:12:00Z", "eventTime": null,
        }));
        assert_eq!((old.count, old.about.kind.as_str()), (7, "ReplicaSet"));
        assert_eq!(old.last.unwrap().to_string(), "2026-11-18T09:12:00Z");
        let new = event(json!({
            "metadata": {"name": "a", "namespace": "shop"}, "reason": "FailedCreate", "note": "no",
            "regarding": {"kind": "Job", "namespace": "shop", "name": "app"},
            "series": {"count": 3, "lastObservedTime": "2026-11-18T09:13:00.000000Z"},
            "eventTime": "2026-11-18T09:10:00.000000Z",
        }));
        assert_eq!((new.count, new.message.as_str(), new.about.name.as_str()), (3, "no", "app"));
        assert_eq!(new.last.unwrap().to_string(), "2026-11-18T09:13:00Z");
    }
}
