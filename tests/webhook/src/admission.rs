//! Admission reviews: pods in, JSON patches or denials out.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use kubectl_wi::webhook::{self, AccountView, Denial, WebhookSettings};
use serde_json::{Value, json};

use crate::{Flags, deviation::Deviation, log, settings};

/// The webhook's handler.
pub(crate) struct Admission {
    client: Client,
    settings: WebhookSettings,
    deviation: Option<Deviation>,
    /// Reviews by namespace.
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Admission {
    pub(crate) async fn new(client: Client, flags: &Flags) -> Result<Self> {
        let version = client.apiserver_version().await.context("the API server does not answer")?.git_version;
        log("info", "API server", &version);
        let settings = settings::read(flags, &version)?;
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
                response["status"] = json!({"code": Denial::CODE, "message": message});
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
        let account = account.as_ref().map(|account| AccountView {
            name,
            labels: account.metadata.labels.as_ref(),
            annotations: account.metadata.annotations.as_ref(),
        });

        let mutated = match webhook::admit(pod, namespace, account, &self.settings) {
            webhook::Admission::Allowed { pod, .. } => pod,
            webhook::Admission::Denied(denial) => return Err(denial.to_string()),
        };
        match self.deviation {
            Some(deviation) => deviation.apply(pod, mutated),
            None => Ok(mutated),
        }
    }
}
