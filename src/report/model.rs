//! The report as data: the JSON that users rely on, in the order of its fields.

use super::identity::IdentityView;
use crate::chain::needs::AzureNeeds;
use crate::model::finding::{Finding, Link};
use crate::model::object::ObjectRef;
use crate::rules::suppress::Suppressed;
use schemars::JsonSchema;
use serde::Serialize;

/// `apiVersion` of everything that is printed as JSON or YAML.
pub const API_VERSION: &str = "kubectl-wi/v1";

/// What `inspect` found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InspectReport {
    /// [`API_VERSION`]
    pub api_version: &'static str,
    /// `InspectReport`
    pub kind: &'static str,
    /// The cluster; `None` where files were read alone.
    pub cluster: Option<ClusterReport>,
    /// Each inspected object.
    pub targets: Vec<TargetReport>,
    /// Findings of the cluster as a whole, referred to by id from the chains.
    pub findings: Vec<Finding>,
    /// The identities that were named by `identity/CLIENT-ID`, from their own side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentityView>,
    /// Numbers.
    pub summary: Summary,
    /// Whether workloads may be missing from it, because their kind could not be read.
    #[serde(skip)]
    pub incomplete: bool,
    /// What could not be read.
    pub unknown: Vec<Unknown>,
    /// Findings that were left out because somebody has decided so.
    pub suppressed: Vec<Suppressed>,
}

/// The cluster as a whole.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// Name of the kubeconfig's context.
    pub context: Option<String>,
    /// Address of the API server.
    pub server: Option<String>,
    /// Version of the API server.
    pub kubernetes_version: Option<String>,
    /// Issuer of service account tokens.
    pub issuer: Option<String>,
    /// The identity webhook; `None` where there is none or it could not be read.
    pub webhook: Option<WebhookReport>,
}

/// The identity webhook.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookReport {
    /// Who installed it.
    pub distribution: String,
    /// Its release; `None` where nothing tells it.
    pub version: Option<String>,
    /// Whether it can answer; `None` where that is not to be seen.
    pub ready: Option<bool>,
}

/// One inspected object.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// Which object it is.
    pub object: ObjectRef,
    /// The application that it belongs to.
    pub application: Option<ApplicationReport>,
    /// Who manages it.
    pub owner: Option<OwnerReport>,
    /// The account that its pods run as.
    pub service_account: Option<String>,
    /// What it presents to Entra.
    pub identities: Vec<IdentityReport>,
    /// Path of the token file in its containers.
    pub token_file: Option<String>,
    /// The judgement.
    pub verdict: Verdict,
    /// The chain, link by link.
    pub chain: Vec<ChainLink>,
    /// Its findings, root causes first.
    pub findings: Vec<Finding>,
    /// What applying the files changes of it; only with `--as-applied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<AppliedReport>,
    /// Where the object stands, for the drawing: file and line.
    #[serde(skip)]
    pub place: Option<String>,
    /// What Azure has to know, for the drawing; the JSON has it under `identities`.
    #[serde(skip)]
    pub azure: Option<AzureNeeds>,
    /// What runs, for the short form of the drawing; `None` where nothing was seen.
    #[serde(skip)]
    pub running: Option<String>,
    /// How the drawing calls fixing it: `fix deploy/velero -n velero` or `fix -f FILE`.
    #[serde(skip)]
    pub fix_arguments: String,
}

/// What applying files changes of a target, against what runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedReport {
    /// Whether it is there already.
    pub change: ChangeKind,
    /// Its verdict as things are; `None` where it is not there yet, or was not meant for identity.
    pub verdict_before: Option<Verdict>,
    /// What becomes another.
    pub differences: Vec<FieldChange>,
    /// What becomes of its pods.
    pub pods: PodsAfter,
    /// How many of them run.
    pub running: usize,
}

/// Whether applying changes a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is not there yet.
    Created,
    /// Its way to its identity becomes another, or its verdict does.
    Changed,
    /// Neither does.
    Unchanged,
}

/// One thing about a target that becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// `service account`, `subject`, `client id`, `tenant`, `audience`, `token file`, or a label's key
    pub what: &'static str,
    /// As it is: as the pods have it, where some run.
    pub before: Option<String>,
    /// As it would be.
    pub after: Option<String>,
}

/// What becomes of the pods of a target when files are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PodsAfter {
    /// None runs.
    None,
    /// The rollout makes them anew.
    Replaced,
    /// They stay as they are, with what was injected when they were created.
    Kept,
}

/// A recognised application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationReport {
    /// Such as `velero`.
    pub name: String,
    /// Such as `server`.
    pub component: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// Chart and version, such as `velero-8.1.0`.
    pub chart: Option<String>,
}

/// Who manages an object, and would revert a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReport {
    /// `helm`, `flux`, `argocd`, `kustomize`, `operator` or `none`
    pub manager: String,
    /// The release, application or object.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
}

/// What is presented to Entra; `None` where it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityReport {
    /// Client id of the managed identity or app registration.
    pub client_id: Option<String>,
    /// Tenant.
    pub tenant_id: Option<String>,
    /// Issuer of the token.
    pub issuer: Option<String>,
    /// Subject of the token.
    pub subject: Option<String>,
    /// Audience of the token.
    pub audience: Option<String>,
    /// How the application comes by the token.
    pub source: &'static str,
}

/// The judgement over one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// An error of its own, or above it in the chain.
    Broken,
    /// Warnings only.
    Degraded,
    /// No error, but a link could not be checked that was asked for.
    Unknown,
    /// All that was checked is well.
    Healthy,
    /// Not meant for identity.
    NotConfigured,
}

/// One link of the chain.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChainLink {
    /// Which one.
    pub link: Link,
    /// How it stands.
    pub state: LinkState,
    /// One line.
    pub summary: String,
    /// Ids of the findings about it.
    pub findings: Vec<String>,
}

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Nothing is wrong with it.
    Ok,
    /// It has warnings.
    Warning,
    /// It has errors.
    Broken,
    /// It cannot work because of one above it.
    Blocked,
    /// It could not be read.
    Unknown,
    /// Nobody looked.
    Skipped,
}

/// Numbers over all targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Inspected objects that are meant for identity, or were named.
    pub targets: usize,
    /// Of these, broken.
    pub broken: usize,
    /// Of these, degraded.
    pub degraded: usize,
    /// Of these, healthy.
    pub healthy: usize,
    /// Of these, unknown.
    pub unknown: usize,
    /// Of these, not meant for identity.
    pub not_configured: usize,
    /// Objects that are not meant for identity and were counted only.
    pub skipped: usize,
    /// Findings of level error.
    pub errors: usize,
    /// Findings of level warning.
    pub warnings: usize,
    /// Findings of level info.
    pub infos: usize,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unknown {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
    /// The rules that could not answer.
    pub rules: Vec<&'static str>,
}

/// What is printed, in a structured format, when nothing could be done.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// [`API_VERSION`]
    pub api_version: &'static str,
    /// `Error`
    pub kind: &'static str,
    /// What went wrong.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}
