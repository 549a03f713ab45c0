//! Lists: pages, caches, selectors, and what happens when one breaks in the middle.

use crate::fake_api::{FakeApi, Named, Reply, list};
use flate2::write::GzEncoder;
use kubectl_wi::cluster::{Consistency, Error, ListQuery, Listed, ResourceType, resource};
use kubectl_wi::model::fact::Fact;
use serde_json::json;
use std::io::Write;
use std::time::Duration;

async fn names(api: &FakeApi, query: &ListQuery<'_>) -> Result<Listed<Vec<String>>, Error> {
    api.client().await.fold(query, Vec::new, |names, pod: Named| names.push(pod.metadata.name)).await
}

fn expired(fresh: Option<&str>) -> Reply {
    let kind = json!({
        "kind": "Status", "reason": "Expired", "code": 410, "metadata": { "continue": fresh.unwrap_or_default() },
        "message": "The provided continue parameter is too old to display a consistent list result.",
    });
    Reply::json(410, &kind)
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let api = FakeApi::start(|seen, _| match seen.parameter("continue").as_deref() {
        None => Reply::json(200, &list("PodList", &["a", "b"], Some("t/1+="))),
        Some("t/1+=") => Reply::json(200, &list("PodList", &["c"], Some("t2"))),
        _ => Reply::json(200, &list("PodList", &["d"], None)),
    })
    .await;
    let query =
        ListQuery::all(&resource::POD).in_namespace("ns").labels("azure.workload.identity/use=true,a!=b").page_size(2);
    let listed = names(&api, &query).await.unwrap();
    assert_eq!(listed.value, ["a", "b", "c", "d"]);
    assert_eq!((listed.count, listed.pages, listed.resource_version.as_str()), (4, 3, "42"));
    assert!(listed.is_one_moment && listed.unreadable.is_empty());
    for seen in api.seen() {
        assert_eq!(seen.path, "/api/v1/namespaces/ns/pods");
        assert_eq!(seen.parameter("limit").as_deref(), Some("2"));
        assert_eq!(seen.parameter("labelSelector").as_deref(), Some("azure.workload.identity/use=true,a!=b"));
    }
}

#[tokio::test]
async fn a_sweep_reads_from_the_cache_and_metadata_only() {
    let api = FakeApi::start(|_, _| Reply::json(200, &list("PartialObjectMetadataList", &["a"], None))).await;
    let query = ListQuery::all(&resource::POD)
        .fields("spec.serviceAccountName=velero")
        .consistency(Consistency::Cached)
        .metadata_only();
    assert_eq!(names(&api, &query).await.unwrap().value, ["a"]);
    let seen = &api.seen()[0];
    assert_eq!(seen.path, "/api/v1/pods");
    assert_eq!(seen.parameter("resourceVersion").as_deref(), Some("0"));
    assert_eq!(seen.parameter("resourceVersionMatch").as_deref(), Some("NotOlderThan"));
    assert_eq!(seen.parameter("limit"), None, "a limit would keep some API servers from using the cache");
    assert_eq!(seen.parameter("fieldSelector").as_deref(), Some("spec.serviceAccountName=velero"));
    assert!(seen.header("accept").unwrap().starts_with("application/json;as=PartialObjectMetadataList;"));
}

#[tokio::test]
async fn a_big_compressed_list_is_read_whole() {
    let names_of: Vec<String> = (0..20_000).map(|n| format!("pod-{n}-{}", "x".repeat(n % 50))).collect();
    let refs: Vec<&str> = names_of.iter().map(String::as_str).collect();
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(list("PodList", &refs, None).to_string().as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let api = FakeApi::start(move |_, _| {
        Reply::json(200, &json!(null)).header("content-encoding", "gzip").bytes(packed.clone())
    })
    .await;
    let listed = names(&api, &ListQuery::all(&resource::POD)).await.unwrap();
    assert_eq!(listed.value, names_of);
}

#[tokio::test]
async fn an_expired_token_goes_on_where_the_server_says() {
    let api = FakeApi::start(|seen, _| match seen.parameter("continue").as_deref() {
        None => Reply::json(200, &list("PodList", &["a"], Some("old"))),
        Some("old") => expired(Some("fresh")),
        _ => Reply::json(200, &list("PodList", &["b"], None)),
    })
    .await;
    let listed = names(&api, &ListQuery::all(&resource::POD)).await.unwrap();
    assert_eq!(listed.value, ["a", "b"]);
    assert!(!listed.is_one_moment);
    assert_eq!(api.requests(), 3);
}

#[tokio::test]
async fn an_expired_token_without_a_new_one_starts_over_with_nothing_twice() {
    let api = FakeApi::start(|seen, nth| match (seen.parameter("continue").as_deref(), nth) {
        (None, _) => Reply::json(200, &list("PodList", &["a"], Some("t"))),
        (_, 1) => expired(None),
        _ => Reply::json(200, &list("PodList", &["b"], None)),
    })
    .await;
    let listed = names(&api, &ListQuery::all(&resource::POD)).await.unwrap();
    assert_eq!(listed.value, ["a", "b"]);
    assert_eq!(api.requests(), 4);
}

#[tokio::test]
async fn a_list_that_always_expires_is_given_up() {
    let api = FakeApi::start(|seen, _| match seen.parameter("continue") {
        None => Reply::json(200, &list("PodList", &["a"], Some("t"))),
        _ => expired(None),
    })
    .await;
    let error = names(&api, &ListQuery::all(&resource::POD)).await.unwrap_err();
    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
    assert_eq!(api.requests(), 6);
    // The last start asks for everything at once: what has no pages cannot expire between them.
    assert_eq!(api.seen()[4].parameter("limit"), None);
}

#[tokio::test]
async fn a_list_that_breaks_in_the_middle_has_nothing_twice() {
    let all: Vec<String> = (0..2000).map(|n| format!("p{n}")).collect();
    let refs: Vec<&str> = all.iter().map(String::as_str).collect();
    let whole = list("PodList", &refs, None);
    let api = FakeApi::start(move |_, nth| {
        let reply = Reply::json(200, &whole);
        if nth == 0 { reply.cut() } else { reply }
    })
    .await;
    assert_eq!(names(&api, &ListQuery::all(&resource::POD)).await.unwrap().value, all);
    assert_eq!(api.requests(), 2);
}

#[tokio::test]
async fn a_server_that_repeats_a_page_for_ever_is_left() {
    let api = FakeApi::start(|_, _| Reply::json(200, &list("PodList", &["a"], Some("same")))).await;
    let error = names(&api, &ListQuery::all(&resource::POD)).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
    assert_eq!(api.requests(), 2);
}

#[derive(serde::Deserialize)]
struct Scaled {
    metadata: crate::fake_api::Name,
    #[serde(default)]
    #[allow(dead_code)] // what its type does is what the test is about
    spec: Option<Vec<u8>>,
}

#[tokio::test]
async fn one_odd_item_does_not_hide_the_others() {
    let api = FakeApi::start(|_, _| {
        Reply::json(
            200,
            &json!({
                "kind": "ScaledObjectList", "metadata": {},
                "items": [
                    { "metadata": { "namespace": "ns", "name": "good" } },
                    { "metadata": { "namespace": "ns", "name": "odd" }, "spec": "hunter2" },
                    null,
                ],
            }),
        )
    })
    .await;
    let keda = ResourceType::custom("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", true);
    let query = ListQuery::all(&keda);
    let listed =
        api.client().await.fold(&query, Vec::new, |names, item: Scaled| names.push(item.metadata.name)).await.unwrap();
    assert_eq!(listed.value, ["good"]);
    assert_eq!(listed.unreadable.len(), 2);
    assert!(listed.unreadable[0].starts_with("scaledobjects.keda.sh ns/odd: invalid type"), "{:?}", listed.unreadable);
    assert!(!listed.unreadable[0].contains("hunter2"));
}

#[tokio::test]
async fn a_kind_that_is_not_installed_is_absent_and_a_stranger_is_not() {
    let keda = ResourceType::custom("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", true);
    let api = FakeApi::start(|_, _| Reply::text(404, "text/plain; charset=utf-8", "404 page not found\n")).await;
    let listed = names(&api, &ListQuery::all(&keda)).await;
    assert_eq!(listed.as_ref().unwrap_err().to_string(), "the cluster does not have scaledobjects.keda.sh");
    assert!(Fact::from(listed).is_absent());

    for body in ["{}", "{\"kind\":\"Status\"}", "[]", "", "{\"kind\":\"PodList\",\"items\":[{\"a\":1}"] {
        let api = FakeApi::start(move |_, _| Reply::text(200, "application/json", body)).await;
        let listed = names(&api, &ListQuery::all(&keda)).await;
        assert!(matches!(listed, Err(Error::Malformed { .. })), "{body}: {listed:?}");
    }
}

#[tokio::test]
async fn a_list_that_stalls_is_left_in_time() {
    let api = FakeApi::start(|_, _| Reply::json(200, &list("PodList", &["a", "b", "c"], None)).stalled()).await;
    let client = api.client_within(300).await;
    let started = std::time::Instant::now();
    let error = client.list::<Named>(&ListQuery::all(&resource::POD)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn events_are_those_of_the_object_oldest_first() {
    let api = FakeApi::start(|_, _| {
        Reply::json(200, &json!({ "kind": "EventList", "metadata": {}, "items": [
            { "type": "Warning", "reason": "BackOff", "message": "later", "count": 3, "lastTimestamp": "2026-11-21T12:05:00Z" },
            { "type": "Normal", "reason": "Scheduled", "message": "first", "lastTimestamp": null, "eventTime": "2026-11-21T12:00:00.000000Z" },
        ]}))
    })
    .await;
    let events = api.client().await.events_about("velero", "Pod", "velero-1", Some("u")).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.message.as_deref().unwrap(), event.times())).collect();
    assert_eq!(told, [("first", 1), ("later", 3)]);
    let selector = api.seen()[0].parameter("fieldSelector").unwrap();
    assert_eq!(selector, "involvedObject.kind=Pod,involvedObject.name=velero-1,involvedObject.uid=u");
}
