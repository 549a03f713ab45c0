//! Writes and questions that are asked by POST: sent once, bounded, with their precondition, and without secrets in
//! what is shown of them.

use crate::fake_api::{FakeApi, Reply};
use http::Method;
use kubectl_wi::cluster::{
    Client, ConnectOptions, Environment, Error, Patch, PatchRequest, Precondition, Right, TokenQuery, resource,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

fn label_patch(patch: Patch) -> PatchRequest<'static> {
    PatchRequest {
        resource: &resource::DEPLOYMENT,
        namespace: Some("velero"),
        name: "velero",
        subresource: None,
        patch,
        precondition: Precondition { uid: Some("u-1".into()), resource_version: Some("7".into()) },
        dry_run: true,
    }
}

const TOKEN_QUERY: TokenQuery<'static> = TokenQuery {
    namespace: "velero",
    service_account: "velero-server",
    audience: "api://AzureADTokenExchange",
    expiration_seconds: 600,
    pod: Some(("velero-1", "u-2")),
};

const RIGHT: Right<'static> = Right {
    verb: "create",
    group: "",
    resource: "pods",
    subresource: Some("exec"),
    namespace: Some("velero"),
    name: None,
};

/// kube 5.0.0's default client sends each of these 15 times.
#[tokio::test]
async fn nothing_but_a_read_is_ever_sent_twice() {
    for reply in [
        (|| Reply::status(503, "ServiceUnavailable", "no").header("retry-after", "0")) as fn() -> Reply,
        || Reply::status(429, "TooManyRequests", "no").header("retry-after", "0"),
        || Reply::status(504, "Timeout", "no"),
        || Reply::json(200, &json!({ "status": {} })).cut(),
    ] {
        let api = FakeApi::in_turn(vec![reply]).await;
        let client = api.client().await;
        client.patch::<Value>(&label_patch(Patch::Merge(json!({})))).await.unwrap_err();
        client.dry_run_create::<Value>(&resource::POD, Some("velero"), &json!({})).await.unwrap_err();
        client.request_token(&TOKEN_QUERY).await.unwrap_err();
        client.can(&RIGHT).await.unwrap_err();
        client.who_am_i().await.unwrap_err();
        let methods: Vec<Method> = api.seen().into_iter().map(|seen| seen.method).collect();
        assert_eq!(methods, [Method::PATCH, Method::POST, Method::POST, Method::POST, Method::POST]);
        assert_eq!(client.stats().retries, 0);
    }
}

#[tokio::test]
async fn a_patch_says_what_it_is_and_what_it_stands_on() {
    let api = FakeApi::start(|_, _| Reply::json(200, &json!({ "kind": "Deployment" }))).await;
    let client = api.client().await;
    for (patch, content_type) in [
        (Patch::Merge(json!({ "spec": {} })), "application/merge-patch+json"),
        (Patch::Strategic(json!({ "spec": {} })), "application/strategic-merge-patch+json"),
        (Patch::Apply(json!({ "spec": {} })), "application/apply-patch+yaml"),
        (Patch::Json(vec![json!({ "op": "remove", "path": "/a" })]), "application/json-patch+json"),
    ] {
        let result: Value = client.patch(&label_patch(patch)).await.unwrap();
        assert_eq!(result["kind"], "Deployment");
        let seen = api.seen().pop().unwrap();
        assert_eq!(seen.path, "/apis/apps/v1/namespaces/velero/deployments/velero");
        assert_eq!(seen.header("content-type"), Some(content_type));
        assert_eq!(seen.parameter("dryRun").as_deref(), Some("All"));
        assert_eq!(seen.parameter("fieldManager").as_deref(), Some("kubectl-wi"));
        assert_ne!(seen.parameter("force").as_deref(), Some("true"));
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let guards = match &body {
            Value::Array(operations) => {
                json!({ "uid": operations[0]["value"], "resourceVersion": operations[1]["value"] })
            }
            object => object["metadata"].clone(),
        };
        assert_eq!(guards, json!({ "uid": "u-1", "resourceVersion": "7" }));
    }
    let real = PatchRequest { dry_run: false, subresource: Some("status"), ..label_patch(Patch::Merge(json!({}))) };
    client.patch::<Value>(&real).await.unwrap();
    let seen = api.seen().pop().unwrap();
    assert_eq!((seen.parameter("dryRun"), seen.path.ends_with("/velero/status")), (None, true));
}

#[tokio::test]
async fn a_conflict_names_who_owns_the_field() {
    let conflict = json!({
        "kind": "Status", "reason": "Conflict", "code": 409, "message": "Apply failed with 1 conflict",
        "details": { "causes": [{
            "reason": "FieldManagerConflict", "field": ".spec.template.metadata.labels",
            "message": "conflict with \"helm\" using apps/v1",
        }]},
    });
    let api = FakeApi::start(move |_, _| Reply::json(409, &conflict)).await;
    let error = api.client().await.patch::<Value>(&label_patch(Patch::Apply(json!({})))).await.unwrap_err();
    match error {
        Error::Conflict { fields, already_exists: false, .. } => {
            assert_eq!(fields, [".spec.template.metadata.labels: conflict with \"helm\" using apps/v1"]);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_object_that_was_made_anew_is_a_conflict() {
    let message = "Deployment.apps \"velero\" is invalid: metadata.uid: Invalid value: \"u-1\": field is immutable";
    let api = FakeApi::start(move |_, _| Reply::status(422, "Invalid", message)).await;
    let error = api.client().await.patch::<Value>(&label_patch(Patch::Merge(json!({})))).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "cannot patch deployments.apps velero/velero: it was deleted and made anew since it was read"
    );
}

#[tokio::test]
async fn a_dry_run_is_one_and_its_refusal_says_who_refused() {
    let denial = r#"admission webhook "mutation.azure-workload-identity.io" denied the request: serviceaccounts "none" not found"#;
    let api = FakeApi::start(move |_, _| Reply::status(400, "", denial)).await;
    let error =
        api.client().await.dry_run_create::<Value>(&resource::POD, Some("velero"), &json!({})).await.unwrap_err();
    let seen = api.seen().pop().unwrap();
    assert_eq!(
        (seen.path.as_str(), seen.parameter("dryRun").as_deref()),
        ("/api/v1/namespaces/velero/pods", Some("All"))
    );
    assert!(
        matches!(&error, Error::Rejected { webhook: Some(name), .. } if name == "mutation.azure-workload-identity.io")
    );
    assert!(error.to_string().contains("serviceaccounts \"none\" not found"));
}

#[tokio::test]
async fn a_token_is_handed_over_and_never_shown() {
    let api = FakeApi::start(|_, _| {
        Reply::json(
            201,
            &json!({ "status": { "token": "sesame.open.now", "expirationTimestamp": "2026-11-21T12:00:00Z" } }),
        )
    })
    .await;
    let client = api.client().await;
    let answer = client.request_token(&TOKEN_QUERY).await.unwrap();
    assert_eq!(answer.token.expose_secret(), "sesame.open.now");
    assert_eq!(answer.expires.unwrap().to_string(), "2026-11-21T12:00:00Z");
    assert!(!format!("{answer:?} {client:?}").contains("sesame"));
    let seen = api.seen().pop().unwrap();
    assert_eq!(seen.path, "/api/v1/namespaces/velero/serviceaccounts/velero-server/token");
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["spec"]["audiences"], json!(["api://AzureADTokenExchange"]));
    assert_eq!(body["spec"]["boundObjectRef"]["uid"], "u-2");
}

#[tokio::test]
async fn a_broken_token_answer_does_not_show_the_token() {
    let api = FakeApi::start(|_, _| Reply::json(201, &json!({ "status": "sesame.open.now" }))).await;
    let error = api.client().await.request_token(&TOKEN_QUERY).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
}

#[tokio::test]
async fn rights_are_asked_for_one_by_one() {
    let api = FakeApi::start(|seen, _| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let allowed = body["spec"]["resourceAttributes"]["subresource"] == "exec";
        Reply::json(201, &json!({ "status": { "allowed": allowed, "reason": "RBAC" } }))
    })
    .await;
    let client = api.client().await;
    assert!(client.can(&RIGHT).await.unwrap().allowed);
    let other = client.can(&Right { subresource: None, ..RIGHT }).await.unwrap();
    assert_eq!((other.allowed, other.reason.as_str()), (false, "RBAC"));
    assert_eq!(api.seen()[0].path, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
}

/// The API server waits 10 seconds for a webhook that hangs, and answers then: a write has to wait longer than that.
#[tokio::test]
async fn a_write_may_take_longer_than_a_read() {
    use kubectl_wi::cluster::RequestTimeout;
    let default = RequestTimeout::default();
    assert!(default.for_writes().unwrap() > std::time::Duration::from_secs(11));
    assert_eq!(default.for_reads().unwrap(), std::time::Duration::from_secs(10));
    assert_eq!(RequestTimeout::Unlimited.for_writes(), None);

    let api = FakeApi::in_turn(vec![Reply::hang]).await;
    let error = api.client_within(200).await.can(&RIGHT).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert_eq!(api.requests(), 1);
}

#[tokio::test]
async fn credentials_are_in_no_debug_output() {
    let options = ConnectOptions {
        server: Some("http://me:hunter2@127.0.0.1:1".into()),
        username: Some("me".into()),
        password: Some("hunter2".to_owned().into()),
        ..ConnectOptions::default()
    };
    let environment = Environment::empty().with("AZURE_CLIENT_SECRET", "hunter2");
    let client = Client::connect(&options, &environment).await.unwrap();
    let error = client.server_version().await.unwrap_err();
    let shown = format!("{:?} {environment:?} {client:?} {error:?} {error} {:?}", options.password, error.hint());
    assert!(!shown.contains("hunter2"), "{shown}");
}
