//! The client against a real API server: what a made-up one cannot prove, because it would only answer what we believe.

use kubectl_wi::cluster::{
    Client, ConnectOptions, Consistency, Environment, Error, ExecQuery, ListQuery, LogQuery, Patch, PatchRequest,
    Precondition, Right, TokenQuery, TypeLookup, resource,
};
use kubectl_wi::model::fact::Fact;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use wi_test_cluster::{Cluster, ControlPlane, IMAGE_APP, IMAGE_SHELL, Subject, TestNamespace, WholeCluster};

async fn client_of(kubeconfig: &Path) -> Client {
    let options = ConnectOptions { kubeconfig: Some(kubeconfig.to_owned()), ..ConnectOptions::default() };
    Client::connect(&options, &Environment::of_process()).await.unwrap()
}

async fn administrator(cluster: &Cluster) -> Client {
    client_of(cluster.kubeconfig()).await
}

fn config_maps(namespace: &TestNamespace<'_>, count: usize) {
    let maps: Vec<String> = (0..count)
        .map(|n| {
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": format!("map-{n}") } }).to_string()
        })
        .collect();
    namespace.apply(&maps.join("\n---\n")).unwrap();
}

#[tokio::test]
async fn the_server_tells_version_issuer_and_keys() {
    let cluster = ControlPlane::shared();
    let client = administrator(cluster).await;
    assert!(client.server_version().await.unwrap().git_version.starts_with('v'));
    let discovered = client.openid_configuration().await.unwrap();
    assert_eq!(discovered.issuer, cluster.issuer().unwrap());
    assert!(client.jwks().await.unwrap()["keys"][0]["kid"].is_string());
}

#[tokio::test]
async fn lists_are_whole_in_pages_from_the_cache_and_as_metadata() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("lists").unwrap();
    config_maps(&namespace, 7);
    let client = administrator(cluster).await;
    let query = ListQuery::all(&resource::CONFIG_MAP).in_namespace(namespace.name()).labels("!nothing");
    let names = |all: &mut Vec<String>, map: Value| all.push(map["metadata"]["name"].as_str().unwrap().to_owned());
    let whole = client.fold(&query, Vec::new, names).await.unwrap();
    assert!(whole.count >= 7 && whole.pages == 1 && !whole.resource_version.is_empty(), "{whole:?}");
    let paged = client.fold(&query.clone().page_size(2), Vec::new, names).await.unwrap();
    assert_eq!(paged.value, whole.value);
    assert!(paged.pages >= 4 && paged.is_one_moment, "{paged:?}");
    let cached = client.fold(&query.clone().consistency(Consistency::Cached), Vec::new, names).await.unwrap();
    assert_eq!(cached.value, whole.value);
    let one = query.clone().metadata_only().fields("metadata.name=map-3");
    let metadata = client.list::<Value>(&one).await.unwrap().value;
    assert_eq!((metadata.len(), &metadata[0]["kind"]), (1, &json!("PartialObjectMetadata")));
}

#[tokio::test]
async fn what_is_not_there_and_what_may_not_be_read_are_two_facts() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("facts").unwrap();
    let client = administrator(cluster).await;
    let name = namespace.name();
    assert!(Fact::from(client.get::<Value>(&resource::POD, Some(name), "none").await).is_absent());
    let keda = kubectl_wi::cluster::ResourceType::custom("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", true);
    let query = ListQuery::all(&keda).in_namespace(name);
    assert!(Fact::from(client.list::<Value>(&query).await).is_absent());

    let stranger = Subject::User { name: "stranger", group: None };
    let client = client_of(&cluster.kubeconfig_for(&stranger).unwrap()).await;
    let query = ListQuery::all(&resource::POD).in_namespace(name);
    let denied = Fact::from(client.list::<Value>(&query).await).why().unwrap();
    assert_eq!(denied, format!("no permission to list pods in namespace {name}"));
    assert!(Fact::from(client.openid_configuration().await).is_unknown());
    assert_eq!(client.who_am_i().await.unwrap().username, "stranger");
}

#[tokio::test]
async fn rights_are_those_of_the_role() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("rights").unwrap();
    let reader = Subject::User { name: "reader", group: None };
    let rules = json!([{ "apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["get"] }]);
    cluster.allow(&reader, Some(namespace.name()), &rules).unwrap();
    let client = client_of(&cluster.kubeconfig_for(&reader).unwrap()).await;
    let right = Right {
        verb: "get",
        group: "",
        resource: "pods",
        subresource: Some("exec"),
        namespace: Some(namespace.name()),
        name: None,
    };
    assert!(client.can(&right).await.unwrap().allowed);
    assert!(!client.can(&Right { verb: "create", ..right }).await.unwrap().allowed);
    assert!(!client.can(&Right { namespace: None, ..right }).await.unwrap().allowed);
}

#[tokio::test]
async fn a_stale_precondition_is_a_conflict_in_every_notation() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("patch").unwrap();
    config_maps(&namespace, 1);
    let client = administrator(cluster).await;
    let read = || client.get::<Value>(&resource::CONFIG_MAP, Some(namespace.name()), "map-0");
    let before = read().await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let uid = text(&before["metadata"]["uid"]);
    namespace.kubectl(&["label", "configmap", "map-0", "changed=yes"]).unwrap();
    let now = text(&read().await.unwrap()["metadata"]["resourceVersion"]);
    let stale = text(&before["metadata"]["resourceVersion"]);
    assert_ne!(now, stale);

    let change = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "annotations": { "a": "b" } } });
    let add = json!({ "op": "add", "path": "/metadata/annotations", "value": { "a": "b" } });
    for patch in [
        Patch::Json(vec![add]),
        Patch::Merge(change.clone()),
        Patch::Strategic(change.clone()),
        Patch::Apply(change.clone()),
    ] {
        let request = |uid: &str, version: &str| PatchRequest {
            resource: &resource::CONFIG_MAP,
            namespace: Some(namespace.name()),
            name: "map-0",
            subresource: None,
            patch: patch.clone(),
            precondition: Precondition { uid: Some(uid.to_owned()), resource_version: Some(version.to_owned()) },
            dry_run: true,
        };
        let error = client.patch::<Value>(&request(&uid, &stale)).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{patch:?}: {error:?}");
        let error = client.patch::<Value>(&request("00000000-0000-0000-0000-000000000000", &now)).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{patch:?}: {error:?}");
        let after: Value = client.patch(&request(&uid, &now)).await.unwrap();
        assert_eq!(after["metadata"]["annotations"]["a"], "b");
    }
    // All of that was tried and nothing done.
    assert_eq!(read().await.unwrap()["metadata"]["resourceVersion"], now.as_str());
}

#[tokio::test]
async fn a_refusal_does_not_show_the_object() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("strict").unwrap();
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
        "name": "odd", "annotations": { "note": "hunter2" },
    }});
    namespace.apply(&account.to_string()).unwrap();
    let client = administrator(cluster).await;
    for patch in [
        Patch::Merge(json!({ "spec": { "foo": 1 } })),
        Patch::Strategic(json!({ "spec": { "foo": 1 } })),
        Patch::Json(vec![json!({ "op": "add", "path": "/foo", "value": 1 })]),
        Patch::Json(vec![json!({ "op": "test", "path": "/metadata/name", "value": "other" })]),
        Patch::Apply(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "foo": 1 })),
    ] {
        let request = PatchRequest {
            resource: &resource::SERVICE_ACCOUNT,
            namespace: Some(namespace.name()),
            name: "odd",
            subresource: None,
            patch: patch.clone(),
            precondition: Precondition::default(),
            dry_run: true,
        };
        let error = client.patch::<Value>(&request).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{patch:?}: {error}");
        assert!(error.to_string().len() < 500, "{patch:?}: {error}");
    }
}

#[tokio::test]
async fn a_pod_can_be_tried_and_a_refusal_says_whose_it_is() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("dry").unwrap();
    let client = administrator(cluster).await;
    let pod = |account: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "generateName": "try-" },
            "spec": { "serviceAccountName": account, "containers": [{ "name": "app", "image": "app" }] },
        })
    };
    let tried: Value = client.dry_run_create(&resource::POD, Some(namespace.name()), &pod("default")).await.unwrap();
    assert!(tried["metadata"]["name"].as_str().unwrap().starts_with("try-"), "{tried}");
    let error =
        client.dry_run_create::<Value>(&resource::POD, Some(namespace.name()), &pod("nobody")).await.unwrap_err();
    assert!(matches!(&error, Error::Rejected { message, .. } if message.contains("nobody")), "{error:?}");
    let query = ListQuery::all(&resource::POD).in_namespace(namespace.name());
    assert_eq!(client.list::<Value>(&query).await.unwrap().count, 0);
}

#[tokio::test]
async fn a_token_is_given_for_ten_minutes_at_least() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("token").unwrap();
    let client = administrator(cluster).await;
    let query = TokenQuery {
        namespace: namespace.name(),
        service_account: "default",
        audience: "api://AzureADTokenExchange",
        expiration_seconds: 600,
        pod: None,
    };
    let answer = client.request_token(&query).await.unwrap();
    assert_eq!(answer.token.expose_secret().split('.').count(), 3);
    assert!(answer.expires.unwrap() > jiff::Timestamp::now());
    let short = client.request_token(&TokenQuery { expiration_seconds: 599, ..query }).await.unwrap_err();
    assert!(matches!(short, Error::Invalid { .. }), "{short:?}");
    let absent = client.request_token(&TokenQuery { service_account: "none", ..query }).await.unwrap_err();
    assert!(absent.is_absent(), "{absent:?}");
}

#[tokio::test]
async fn a_custom_resource_is_found_by_its_short_name() {
    let cluster = ControlPlane::shared();
    let group = format!("wi{}.example.com", std::process::id());
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("widgets.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": { "kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": ["wdg"] },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
            }}],
        },
    });
    cluster.apply(&definition.to_string()).unwrap();
    let client = administrator(cluster).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    let found = loop {
        match client.look_up_type("wdg").await.unwrap() {
            TypeLookup::Found(found) => break found,
            // The API server serves a new definition a moment after it has taken it.
            TypeLookup::Unknown { .. } if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            other @ TypeLookup::Unknown { .. } => panic!("{other:?}"),
        }
    };
    assert_eq!((found.api_version(), &*found.plural), (format!("{group}/v1"), "widgets"));
    client.list::<Value>(&ListQuery::all(&found)).await.unwrap();
    let near = client.look_up_type("widgest").await.unwrap();
    assert!(matches!(&near, TypeLookup::Unknown { nearest: Some(near), .. } if near.starts_with("widget")), "{near:?}");
    cluster.kubectl(&["delete", "crd", &format!("widgets.{group}")]).unwrap();
}

#[tokio::test]
async fn acting_as_another_is_that_others_rights() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("as").unwrap();
    let mut options = ConnectOptions { kubeconfig: Some(cluster.kubeconfig().to_owned()), ..ConnectOptions::default() };
    options.impersonate.user = Some("system:serviceaccount:x:y".to_owned());
    options.impersonate.groups = vec!["g".to_owned()];
    let client = Client::connect(&options, &Environment::of_process()).await.unwrap();
    let me = client.who_am_i().await.unwrap();
    assert_eq!(me.username, "system:serviceaccount:x:y");
    assert!(me.groups.contains(&"g".to_owned()), "{me:?}");
    let query = ListQuery::all(&resource::POD).in_namespace(namespace.name());
    assert!(matches!(client.list::<Value>(&query).await, Err(Error::Denied { .. })));
}

const INSIDE: &str = "WI_TEST_NAMESPACE";

/// Starts the test below in the network of the whole cluster, where the API server is.
#[test]
fn programs_are_run_in_containers() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("exec").unwrap();
    let pod = |name: &str, image: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{ "name": "app", "image": image, "imagePullPolicy": "IfNotPresent" }],
            },
        })
    };
    namespace.apply(&format!("{}\n---\n{}\n", pod("shell", IMAGE_SHELL), pod("bare", IMAGE_APP))).unwrap();
    namespace.kubectl(&["wait", "--for=condition=Ready", "pod/shell", "pod/bare", "--timeout=60s"]).unwrap();
    let output = cluster
        .command(std::env::current_exe().unwrap())
        .args(["client::inside_the_cluster", "--exact", "--ignored", "--nocapture"])
        .env(INSIDE, namespace.name())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "programs_are_run_in_containers starts it in the network of the whole cluster"]
async fn inside_the_cluster() {
    let namespace = std::env::var(INSIDE).unwrap();
    let client = Client::connect(&ConnectOptions::default(), &Environment::of_process()).await.unwrap();
    let query = |pod: &'static str, command: &'static [&'static str]| ExecQuery {
        namespace: &namespace,
        pod,
        container: "app",
        command,
        limit: Duration::from_secs(20),
        max_output: 8 << 20,
    };
    let run = async |pod, command| client.exec(&query(pod, command)).await;

    let said = run("shell", &["sh", "-c", "echo out; echo err >&2; exit 7"]).await.unwrap();
    assert_eq!(
        (said.stdout.as_slice(), said.stderr.as_slice(), said.exit_code),
        (&b"out\n"[..], &b"err\n"[..], Some(7))
    );
    let much = run("shell", &["sh", "-c", "head -c 5000000 /dev/zero; head -c 300000 /dev/zero >&2"]).await.unwrap();
    assert_eq!((much.stdout.len(), much.stderr.len(), much.exit_code), (5_000_000, 300_000, Some(0)));
    let capped = client
        .exec(&ExecQuery { max_output: 100, ..query("shell", &["head", "-c", "5000000", "/dev/zero"]) })
        .await
        .unwrap();
    assert_eq!((capped.stdout.len(), capped.exit_code), (100, Some(0)));
    let killed = run("shell", &["sh", "-c", "kill -9 $$"]).await.unwrap();
    assert_eq!(killed.exit_code, Some(137));

    let missing = run("bare", &["sh", "-c", "true"]).await.unwrap();
    assert_eq!(missing.exit_code, None);
    assert!(missing.message.as_deref().unwrap().contains("executable file not found"), "{missing:?}");

    let started = Instant::now();
    let endless = ExecQuery { limit: Duration::from_secs(2), ..query("shell", &["sh", "-c", "sleep 4"]) };
    assert!(matches!(client.exec(&endless).await, Err(Error::Timeout { .. })));
    assert!(started.elapsed() < Duration::from_secs(10));

    let absent = run("none", &["true"]).await.unwrap_err();
    assert!(absent.is_absent(), "{absent:?}");
    let unknown = client.exec(&ExecQuery { container: "other", ..query("shell", &["true"]) }).await.unwrap_err();
    assert!(unknown.to_string().contains("container"), "{unknown}");

    let logs = LogQuery {
        namespace: &namespace,
        pod: "bare",
        container: Some("app"),
        previous: false,
        tail_lines: Some(5),
        limit_bytes: None,
        timestamps: true,
    };
    client.logs(&logs).await.unwrap();
    let error = client.logs(&LogQuery { previous: true, ..logs }).await.unwrap_err();
    assert!(error.to_string().contains("previous terminated container"), "{error}");
    let events = client.events_about(&namespace, "Pod", "bare", None).await.unwrap();
    assert!(events.iter().any(|event| event.reason.as_deref() == Some("Started")), "{events:?}");
}
