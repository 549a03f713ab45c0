//! Finding out what a TYPE means that is not built in.

use crate::fake_api::{FakeApi, Reply, Seen};
use kubectl_wi::cluster::{ResourceType, TypeLookup};
use serde_json::{Value, json};

fn resource(plural: &str, kind: &str, short: &[&str], verbs: &[&str]) -> Value {
    json!({
        "resource": plural, "responseKind": { "group": "", "version": "", "kind": kind }, "scope": "Namespaced",
        "singularResource": kind.to_lowercase(), "shortNames": short, "verbs": verbs,
    })
}

fn aggregated(seen: &Seen, _: usize) -> Reply {
    assert!(seen.header("accept").unwrap().contains("as=APIGroupDiscoveryList"));
    let keda = json!({ "metadata": { "name": "keda.sh" }, "versions": [{
        "version": "v1alpha1", "freshness": "Current",
        "resources": [
            resource("scaledobjects", "ScaledObject", &["so"], &["get", "list"]),
            resource("scaledobjects/status", "ScaledObject", &[], &["get"]),
        ],
    }]});
    let metrics = json!({ "metadata": { "name": "metrics.k8s.io" }, "versions": [
        { "version": "v1beta1", "freshness": "Stale", "resources": [] },
    ]});
    let core = json!({ "metadata": { "name": "" }, "versions": [{ "version": "v1", "resources": [
        resource("persistentvolumeclaims", "PersistentVolumeClaim", &["pvc"], &["get"]),
        resource("bindings", "Binding", &[], &["create"]),
    ]}]});
    let items = if seen.path == "/api" { json!([core]) } else { json!([keda, metrics]) };
    Reply::json(
        200,
        &json!({ "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items }),
    )
}

/// An API server before 1.26: one document a group and version, one of them behind an API server that is down.
fn older(seen: &Seen, _: usize) -> Reply {
    let listed = |plural: &str, kind: &str| json!({ "name": plural, "kind": kind, "namespaced": true, "singularName": "", "verbs": ["get"] });
    let version = |group: &str| json!({ "groupVersion": group, "version": group.split_once('/').unwrap().1 });
    match seen.path.as_str() {
        "/api" => Reply::json(200, &json!({ "kind": "APIVersions", "versions": ["v1"] })),
        "/api/v1" => {
            Reply::json(200, &json!({ "resources": [listed("persistentvolumeclaims", "PersistentVolumeClaim")] }))
        }
        "/apis" => Reply::json(
            200,
            &json!({ "kind": "APIGroupList", "groups": [
                {
                    "name": "external-secrets.io",
                    "versions": [version("external-secrets.io/v1beta1"), version("external-secrets.io/v1")],
                    "preferredVersion": version("external-secrets.io/v1"),
                },
                { "name": "metrics.k8s.io", "versions": [version("metrics.k8s.io/v1beta1")] },
            ]}),
        ),
        path if path.starts_with("/apis/external-secrets.io/") => Reply::json(
            200,
            &json!({ "resources": [listed("secretstores", "SecretStore"), listed("secretstores/status", "SecretStore")] }),
        ),
        _ => Reply::status(403, "Forbidden", "no"),
    }
}

#[tokio::test]
async fn a_custom_resource_is_found_by_any_of_its_names() {
    let api = FakeApi::start(aggregated).await;
    let client = api.client().await;
    for word in ["scaledobject", "ScaledObjects", "so", "scaledobjects.keda.sh", "scaledobjects.v1alpha1.keda.sh"] {
        match client.look_up_type(word).await.unwrap() {
            TypeLookup::Found(found) => {
                assert_eq!((found.api_version().as_str(), &*found.plural), ("keda.sh/v1alpha1", "scaledobjects"));
                assert!(found.namespaced);
            }
            other @ TypeLookup::Unknown { .. } => panic!("{word}: {other:?}"),
        }
    }
    assert_eq!(api.requests(), 10, "two requests a look-up");
    assert!(
        matches!(client.look_up_type("pvc").await.unwrap(), TypeLookup::Found(found) if found.kind == "PersistentVolumeClaim")
    );
    assert!(matches!(client.look_up_type("binding").await.unwrap(), TypeLookup::Unknown { .. }));
}

#[tokio::test]
async fn a_misspelt_one_is_suggested_and_what_could_not_be_read_is_said() {
    let api = FakeApi::start(aggregated).await;
    let lookup = api.client().await.look_up_type("scaledobejct").await.unwrap();
    let unavailable = vec!["metrics.k8s.io/v1beta1".to_owned()];
    assert_eq!(lookup, TypeLookup::Unknown { nearest: Some("scaledobject".into()), unavailable });
}

#[tokio::test]
async fn what_is_built_in_asks_nobody() {
    let api = FakeApi::start(aggregated).await;
    assert!(matches!(api.client().await.look_up_type("deploy").await.unwrap(), TypeLookup::Found(_)));
    assert_eq!(api.requests(), 0);
}

#[tokio::test]
async fn an_older_api_server_is_asked_group_by_group() {
    let api = FakeApi::start(older).await;
    let discovery = api.client().await.discover().await.unwrap();
    let versions: Vec<String> =
        discovery.resources.iter().filter(|r| r.answers_to("secretstore")).map(ResourceType::api_version).collect();
    assert_eq!(versions, ["external-secrets.io/v1", "external-secrets.io/v1beta1"], "the preferred version first");
    assert_eq!(discovery.find("persistentvolumeclaims").unwrap().api_version(), "v1");
    assert_eq!(discovery.unavailable, ["metrics.k8s.io/v1beta1"]);
}
