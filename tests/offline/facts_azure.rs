//! What Azure says in a case: asked of the emulator, in the way in which the program asks.
//!
//! `azure` in a case's `facts` describes how the emulator's tenant differs from the example's: the identity `mi1` with
//! its `credentials`, `tags` and role `assignments`, and what the login may not do.

use crate::azure::support::{Login, options};
use kubectl_wi::azure::Azure;
use kubectl_wi::azure::ask::{Limit, Questions, ask};
use kubectl_wi::chain::select::Selection;
use kubectl_wi::cluster::Environment;
use kubectl_wi::inspect::Input;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use wi_test_azure::{Answer, Assignment, Credential, Emulator, Fault, Tenant, examples};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Described {
    /// The credentials of `mi1`.
    credentials: Option<Vec<DescribedCredential>>,
    /// The tags of `mi1`.
    #[serde(default)]
    tags: Value,
    /// Whether the directory knows `mi1`, and Azure's resource manager does not.
    #[serde(default)]
    deleted: bool,
    /// Roles of `mi1`.
    #[serde(default)]
    assignments: Vec<DescribedRole>,
    /// Actions that the login may not do, and the scope below which it may not.
    #[serde(default)]
    denied: Vec<(String, String)>,
    /// Properties of the managed cluster that are other ones.
    #[serde(default)]
    cluster: serde_json::Map<String, Value>,
    /// Whether a verdict needs the answers: `--azure=yes`.
    #[serde(default)]
    required: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedCredential {
    name: String,
    issuer: String,
    subject: String,
    audience: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedRole {
    role: String,
    scope: String,
}

impl Described {
    fn tenant(&self) -> Tenant {
        let mut tenant = Tenant::example();
        let identity = &mut tenant.identities[0];
        if let Some(credentials) = &self.credentials {
            let credential =
                |one: &DescribedCredential| Credential::new(&one.name, &one.issuer, &one.subject, &one.audience);
            identity.credentials = credentials.iter().map(credential).collect();
        }
        if self.tags.is_object() {
            identity.tags = self.tags.clone();
        }
        tenant.caller.denied.extend(self.denied.iter().cloned());
        tenant.assignments.extend(self.assignments.iter().map(|one| Assignment {
            scope: one.scope.clone(),
            role: one.role.clone(),
            principal: examples::PRINCIPAL.to_owned(),
            principal_type: "ServicePrincipal".to_owned(),
            members: Vec::new(),
            condition: None,
        }));
        for cluster in tenant.clusters.iter_mut().filter(|cluster| cluster.body["name"] == "aks-wi-on") {
            for (name, value) in &self.cluster {
                cluster.body["properties"][name] = value.clone();
            }
        }
        tenant
    }

    /// Asks the emulator what the objects make necessary to know.
    pub(crate) fn ask(&self, input: &mut Input, selection: &Selection) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        input.azure = runtime.block_on(async {
            let emulator = Arc::new(Emulator::start(self.tenant()).await.unwrap());
            if self.deleted {
                let gone = Answer::recorded("rest/msi/errors/404-ResourceNotFound-identity.json");
                emulator.fault(Fault::on("/userAssignedIdentities/mi1", gone).always());
            }
            let lifetime = Duration::from_hours(1);
            let login = Login { emulator: Arc::clone(&emulator), lifetime, fetched: Arc::new(AtomicUsize::new(0)) };
            let azure = Azure::connect_with(&options(&emulator), &Environment::empty(), Box::new(login)).await.unwrap();
            let until = tokio::time::Instant::now() + Duration::from_secs(30);
            let limit = Limit { until, said: "no answer in time".to_owned() };
            ask(&azure, &Questions::of(input, selection), self.required, &limit).await
        });
    }
}
