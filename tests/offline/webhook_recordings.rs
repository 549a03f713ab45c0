//! The webhook function against recorded answers of the real webhook, every one of them.

use flate2::read::GzDecoder;
use kubectl_wi::model::StringMap;
use kubectl_wi::webhook::settings::authority_host;
use kubectl_wi::webhook::{AccountView, Admission, CustomTokenEndpoint, Denial, WebhookSettings, admit};
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recording {
    id: String,
    webhook: Webhook,
    namespace: String,
    service_account: Option<Account>,
    object: Value,
    response: Response,
}

/// How the webhook ran.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    version: String,
    kubernetes_version: String,
    tenant_id: String,
    environment: Option<String>,
    audience: Option<String>,
    log_level: String,
    proxy_image: Option<String>,
    proxy_init_image: Option<String>,
    custom_token_endpoint: Option<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoint {
    annotation_suffix: String,
    audience: String,
    token_proxy: String,
    #[serde(default)]
    sni_name: String,
    #[serde(default)]
    ca_data: String,
    #[serde(default)]
    ca_config_map_name: String,
    #[serde(default)]
    ca_signer_name: String,
    ca_label_selector: Option<Value>,
}

#[derive(Deserialize)]
struct Account {
    metadata: AccountMeta,
}

#[derive(Deserialize)]
struct AccountMeta {
    name: String,
    labels: Option<StringMap>,
    annotations: Option<StringMap>,
}

#[derive(Deserialize, Debug)]
struct Response {
    allowed: bool,
    object: Option<Value>,
    code: Option<u16>,
    message: Option<String>,
}

fn settings(webhook: &Webhook) -> WebhookSettings {
    let mut settings = WebhookSettings::new(webhook.version.parse().unwrap());
    settings.kubernetes = Some(webhook.kubernetes_version.parse().unwrap());
    settings.tenant_id = Some(webhook.tenant_id.clone());
    let environment = webhook.environment.as_deref().unwrap_or_default();
    settings.authority_host = authority_host(environment).map(str::to_owned);
    settings.audience = webhook.audience.clone().unwrap_or(settings.audience);
    settings.log_level.clone_from(&webhook.log_level);
    settings.proxy_image.clone_from(&webhook.proxy_image);
    settings.proxy_init_image.clone_from(&webhook.proxy_init_image);
    settings.custom_endpoint = webhook.custom_token_endpoint.as_ref().map(|endpoint| CustomTokenEndpoint {
        annotation_suffix: endpoint.annotation_suffix.clone(),
        audience: endpoint.audience.clone(),
        token_proxy: endpoint.token_proxy.clone(),
        sni_name: endpoint.sni_name.clone(),
        ca_data: endpoint.ca_data.clone(),
        ca_config_map: endpoint.ca_config_map_name.clone(),
        ca_signer: endpoint.ca_signer_name.clone(),
        ca_label_selector: endpoint.ca_label_selector.clone(),
    });
    settings
}

/// Without null, `{}`, `[]` and `""` at any depth: the real webhook's serializer writes them as it likes.
fn without_empty(value: &Value) -> Value {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(map) => {
            let kept = map.iter().map(|(key, value)| (key.clone(), without_empty(value)));
            Value::Object(kept.filter(|(_, value)| !empty(value)).collect())
        }
        // An entry of a list keeps its place, even an empty one.
        Value::Array(list) => Value::Array(list.iter().map(without_empty).collect()),
        other => other.clone(),
    }
}

#[test]
fn every_recording_is_equal() {
    // Other recordings of the same form can be tried without adding them.
    let path = std::env::var_os("KUBECTL_WI_TEST_RECORDINGS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/webhook/webhook-recordings.jsonl.gz"),
        Into::into,
    );
    let mut seen = 0;
    let mut different = Vec::new();
    for line in BufReader::new(GzDecoder::new(File::open(path).unwrap())).lines() {
        let recording: Recording = serde_json::from_str(&line.unwrap()).unwrap();
        let account = recording.service_account.as_ref().map(|account| AccountView {
            name: &account.metadata.name,
            labels: account.metadata.labels.as_ref(),
            annotations: account.metadata.annotations.as_ref(),
        });
        let admission = admit(&recording.object, &recording.namespace, account, &settings(&recording.webhook));
        let equal = match (&admission, &recording.response) {
            (Admission::Allowed { pod, .. }, Response { allowed: true, object: Some(object), .. }) => {
                without_empty(pod) == without_empty(object)
            }
            (Admission::Denied(denial), Response { allowed: false, code, message, .. }) => {
                *code == Some(Denial::CODE) && message.as_deref() == Some(&denial.to_string())
            }
            _ => false,
        };
        if !equal {
            different.push(format!("{}: {admission:?}\nbut the webhook: {:?}", recording.id, recording.response));
        }
        seen += 1;
    }
    assert!(different.is_empty(), "{} of {seen} differ; the first:\n{}", different.len(), different[0]);
    assert!(seen >= 1200, "only {seen} recordings");
}
