//! Admission reviews: pods in, JSON patches or denials out.

use std::{
    collections::BTreeMap,
    env,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::{Flags, deviation::Deviation, log};

/// What the webhook was started with.
struct Settings {
    /// The version that it is, without `v`.
    profile: String,
    tenant_id: String,
    environment: String,
    audience: String,
}

/// The webhook's handler.
pub(crate) struct Admission {
    client: Client,
    settings: Settings,
    deviation: Option<Deviation>,
    /// Reviews by namespace.
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Admission {
    pub(crate) async fn new(client: Client, flags: &Flags) -> Result<Self> {
        let tenant_id =
            env::var("AZURE_TENANT_ID").ok().filter(|id| !id.is_empty()).context("AZURE_TENANT_ID is required")?;
        let environment = env::var("AZURE_ENVIRONMENT").unwrap_or_default();
        let version = client.apiserver_version().await.context("the API server does not answer")?;
        log("info", "API server", version.git_version);
        let settings =
            Settings { profile: flags.profile.clone(), tenant_id, environment, audience: flags.audience.clone() };
        Ok(Self { client, settings, deviation: flags.deviate, counts: Mutex::default() })
    }

    pub(crate) fn deviation(&self) -> Option<Deviation> {
        self.deviation
    }

    /// The one metric of the real webhook that people look at.
    pub(crate) fn metrics(&self, path: &str) -> Option<String> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(namespace, count): (&String, &u64)| {
            format!("azwi_mutation_request_count{{namespace=\"{namespace}\"}} {count}\n")
        };
        (path == "/metrics").then(|| counts.iter().map(line).collect())
    }

    /// Answers one `AdmissionReview`.
    pub(crate) async fn review(&self, body: &[u8]) -> Result<Value> {
        let review: Value = serde_json::from_slice(body).context("the review is no JSON")?;
        let request = &review["request"];
        let pod = &request["object"];
        let namespace = request["namespace"].as_str().unwrap_or_default();
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(namespace.to_owned()).or_default() += 1;

        let mut response = json!({"uid": request["uid"]});
        match self.answer(pod, namespace).await {
            Ok(mutated) => {
                let patch = json_patch::diff(pod, &mutated);
                response["allowed"] = json!(true);
                if !patch.is_empty() {
                    response["patchType"] = json!("JSONPatch");
                    response["patch"] = json!(BASE64_STANDARD.encode(serde_json::to_vec(&patch)?));
                }
            }
            Err(message) => {
                log("error", "denied", &message);
                response["allowed"] = json!(false);
                response["status"] = json!({"code": 400, "message": message});
            }
        }
        Ok(json!({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}))
    }

    async fn answer(&self, pod: &Value, namespace: &str) -> Result<Value, String> {
        // The real webhook has a cache and asks the API server only for accounts that are not in it yet; a look each
        // time gives the same answers.
        let name = pod["spec"]["serviceAccountName"].as_str().filter(|name| !name.is_empty()).unwrap_or("default");
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let account = accounts.get_opt(name).await.map_err(|error| format!("serviceaccounts {name:?}: {error}"))?;
        let account = account.map(serde_json::to_value).transpose().map_err(|error| error.to_string())?;

        let mutated = admit(pod, namespace, account.as_ref(), &self.settings)?;
        match self.deviation {
            Some(deviation) => deviation.apply(pod, mutated),
            None => Ok(mutated),
        }
    }
}

/// THE SEAM: what the webhook makes of a pod.
///
/// This stands in until `kubectl_wi::webhook` is there: the variables, the volume and the mounts of webhook 1.5.1,
/// without proxy containers, skipped containers, expiration, or any other denial than that of a missing account.
fn admit(pod: &Value, namespace: &str, account: Option<&Value>, settings: &Settings) -> Result<Value, String> {
    let name = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default");
    let account = account.ok_or_else(|| format!("serviceaccounts {name:?} not found"))?;
    let annotation = |key: &str| account["metadata"]["annotations"][key].as_str();
    let client_id = annotation("azure.workload.identity/client-id").unwrap_or_default();
    let tenant_id = annotation("azure.workload.identity/tenant-id").unwrap_or(&settings.tenant_id);
    let authority = match settings.environment.as_str() {
        "AzureUSGovernmentCloud" => "https://login.microsoftonline.us/",
        "AzureChinaCloud" => "https://login.chinacloudapi.cn/",
        _ => "https://login.microsoftonline.com/",
    };
    let audience = if settings.audience.is_empty() { "api://AzureADTokenExchange" } else { &settings.audience };
    log("debug", "mutating", format_args!("{namespace} {}", settings.profile));

    let mut pod = pod.clone();
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            for (variable, value) in [
                ("AZURE_CLIENT_ID", client_id),
                ("AZURE_TENANT_ID", tenant_id),
                ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token"),
                ("AZURE_AUTHORITY_HOST", authority),
            ] {
                let variables = container["env"].as_array().cloned().unwrap_or_default();
                if !value.is_empty() && variables.iter().all(|it| it["name"] != variable) {
                    push(&mut container["env"], json!({"name": variable, "value": value}));
                }
            }
            let mount =
                json!({"name": "azure-identity-token", "mountPath": "/var/run/secrets/azure/tokens", "readOnly": true});
            push(&mut container["volumeMounts"], mount);
        }
    }
    let source = json!({"audience": audience, "expirationSeconds": 3600, "path": "azure-identity-token"});
    let volume = json!({"name": "azure-identity-token", "projected": {"sources": [{"serviceAccountToken": source}]}});
    push(&mut pod["spec"]["volumes"], volume);
    Ok(pod)
}

fn push(list: &mut Value, item: Value) {
    match list.as_array_mut() {
        Some(items) => items.push(item),
        None => *list = json!([item]),
    }
}
