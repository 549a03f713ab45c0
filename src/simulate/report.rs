//! `SimulateReport`: the JSON that users rely on, in the order of its fields.

use crate::model::object::ObjectRef;
use crate::report::model::API_VERSION;
use crate::webhook::{WebhookInstallation, WebhookSettings};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// What the identity webhook would make of objects.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulateReport {
    /// [`API_VERSION`]
    pub api_version: &'static str,
    /// `SimulateReport`
    pub kind: &'static str,
    /// The webhook that was simulated.
    pub webhook: SimulatedWebhook,
    /// One for each pod or workload, in the order of the input.
    pub items: Vec<Item>,
}

impl SimulateReport {
    /// A report without items yet.
    pub fn new(webhook: SimulatedWebhook) -> Self {
        Self { api_version: API_VERSION, kind: "SimulateReport", webhook, items: Vec::new() }
    }

    /// The exit code: 1 when a pod would be denied, 3 when something that decides was not seen, else 0.
    pub fn exit_code(&self) -> u8 {
        let any = |outcome| self.items.iter().any(|item| item.outcome == outcome);
        match () {
            () if any(Outcome::Denied) => 1,
            () if any(Outcome::Unknown) => 3,
            () => 0,
        }
    }
}

/// The webhook that was simulated.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulatedWebhook {
    /// Its version.
    pub version: String,
    /// Where the version is known from.
    pub source: Source,
    /// How it was installed; `unknown` where nothing of it was seen.
    pub distribution: String,
    /// Version of Kubernetes that it was simulated on; `None`: not known, taken as current.
    pub kubernetes_version: Option<String>,
    /// Tenant where no account says otherwise; `None`: not seen, a placeholder stands in.
    pub tenant_id: Option<String>,
    /// Authority host; `None`: not seen, that of the public cloud stands in.
    pub authority_host: Option<String>,
    /// Audience of the tokens.
    pub audience: String,
    /// What was not seen, or stands in for it.
    pub notes: Vec<String>,
}

impl SimulatedWebhook {
    /// The webhook with these settings.
    ///
    /// `source` says where the version was sought. Where nothing told it, the version stands in for it, and that is
    /// what the report says instead.
    pub fn new(installation: &WebhookInstallation, settings: &WebhookSettings, source: Source) -> Self {
        let told = source == Source::Flag || installation.version.is_some();
        let mut notes = installation.notes.clone();
        if !told {
            notes.push(format!("no version of the webhook is known; {} stands in", settings.version()));
        }
        if settings.profile().assumed {
            notes.push(format!("what webhook {} does is assumed, not recorded", settings.version()));
        }
        Self {
            version: settings.version().to_string(),
            source: if told { source } else { Source::Assumed },
            distribution: installation.distribution.to_string(),
            kubernetes_version: settings.kubernetes.as_ref().map(ToString::to_string),
            tenant_id: settings.tenant_id.clone(),
            authority_host: settings.authority_host.clone(),
            audience: settings.audience.clone(),
            notes,
        }
    }
}

/// Where the webhook's version is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The webhook's objects in the cluster.
    Cluster,
    /// The webhook's objects among the files.
    Files,
    /// `--webhook-version`
    Flag,
    /// Nothing told it: the newest known one stands in.
    Assumed,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cluster => "from the cluster",
            Self::Files => "from the files",
            Self::Flag => "as given",
            Self::Assumed => "assumed",
        })
    }
}

/// What becomes of one pod or workload.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which object it is.
    pub object: ObjectRef,
    /// What becomes of it.
    pub outcome: Outcome,
    /// The webhook's words, or why it is left alone; `None` where the result says everything.
    pub message: Option<String>,
    /// The whole object after; `None` where there is none, or it is not known.
    pub result: Option<Value>,
    /// The whole object before, for the diff.
    #[serde(skip)]
    pub before: Value,
    /// Fields that the webhook takes away, as JSON pointers below pod or template: its API types lack them.
    #[serde(skip)]
    pub dropped: Vec<String>,
}

/// What becomes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The webhook changes it.
    Mutated,
    /// The webhook leaves it as it is, or is not asked.
    Unchanged,
    /// The webhook refuses its pods.
    Denied,
    /// Something that decides was not seen.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mutated => "mutated",
            Self::Unchanged => "unchanged",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        })
    }
}
