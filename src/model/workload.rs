//! Everything that makes pods, pods themselves, and the accounts they run as.

use super::object::{ApiMeta, Meta, Origin, OwnerReference};
use super::pod::{PodSpec, PodTemplate, TemplateMeta, null_as_default};
use crate::webhook::fields::NewerField;
use serde::Deserialize;

/// An object with a pod template; a bare pod counts as its own template.
#[derive(Debug, Clone)]
pub struct Workload {
    /// `metadata`
    pub meta: Meta,
    /// What its pods are made from.
    pub template: PodTemplate,
    /// `spec.jobTemplate.metadata` of a `CronJob`, which is easily taken for the pod template's.
    pub job_metadata: TemplateMeta,
    /// `spec.replicas`; 1 where a kind that has replicas does not say.
    pub replicas: Option<i32>,
    /// `spec.paused` of a Deployment, `spec.suspend` of a Job or `CronJob`.
    pub paused: bool,
    /// `spec.updateStrategy.type` or `spec.strategy.type`.
    pub strategy: Option<String>,
    /// What its status says, where it has one.
    pub status: WorkloadStatus,
    /// Fields of the pod specification that some release of the webhook, built with older API types, drops.
    pub newer_fields: Vec<NewerField>,
    /// JSON pointers, below the object, of labels and annotations whose value is no text in the file.
    pub not_text: Vec<String>,
}

impl Workload {
    /// JSON pointer of the pod template below the object: empty for a pod.
    pub fn template_pointer(&self) -> &'static str {
        template_pointer(&self.meta.object.kind)
    }

    /// Whether this is a pod without a controller, standing for itself.
    pub fn is_pod(&self) -> bool {
        self.meta.object.kind == "Pod"
    }

    /// Whether its template was taken from a pod that exists, with all that admission added to it: a bare pod, or
    /// the pods of a controller that was not read.
    pub fn is_from_pod(&self) -> bool {
        self.meta.uid.is_some() && (self.is_pod() || !self.is_built_in())
    }

    /// Whether its kind is one of Kubernetes itself, so that it is known where its template stands.
    pub fn is_built_in(&self) -> bool {
        self.meta.object.kind == "PodTemplate" || WORKLOAD_KINDS.iter().any(|(_, kind)| *kind == self.meta.object.kind)
    }

    /// The account that its pods run as.
    pub fn account(&self) -> &str {
        self.template.spec.account()
    }
}

/// JSON pointer of the pod template of a kind.
pub fn template_pointer(kind: &str) -> &'static str {
    match kind {
        "Pod" => "",
        "PodTemplate" => "/template",
        "CronJob" => "/spec/jobTemplate/spec/template",
        _ => "/spec/template",
    }
}

/// The built-in kinds with a pod template, with their API version.
pub const WORKLOAD_KINDS: &[(&str, &str)] = &[
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("v1", "ReplicationController"),
    ("v1", "Pod"),
];

/// The numbers of a workload's status that tell a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadStatus {
    /// `observedGeneration`
    pub observed_generation: Option<i64>,
    /// `replicas`
    pub replicas: Option<i32>,
    /// `readyReplicas` (`numberReady` of a `DaemonSet`)
    #[serde(alias = "numberReady")]
    pub ready_replicas: Option<i32>,
    /// `updatedReplicas` (`updatedNumberScheduled` of a `DaemonSet`)
    #[serde(alias = "updatedNumberScheduled")]
    pub updated_replicas: Option<i32>,
    /// `availableReplicas` (`numberAvailable` of a `DaemonSet`)
    #[serde(alias = "numberAvailable")]
    pub available_replicas: Option<i32>,
    /// `conditions`
    #[serde(deserialize_with = "null_as_default")]
    pub conditions: Vec<Condition>,
}

/// An entry of `status.conditions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// `type`
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
    /// `status`
    #[serde(deserialize_with = "null_as_default")]
    pub status: String,
    /// `reason`
    #[serde(deserialize_with = "null_as_default")]
    pub reason: String,
    /// `message`
    #[serde(deserialize_with = "null_as_default")]
    pub message: String,
}

/// A pod that exists.
#[derive(Debug, Clone)]
pub struct Pod {
    /// `metadata`
    pub meta: Meta,
    /// `spec`
    pub spec: PodSpec,
    /// `status.phase`
    pub phase: String,
    /// `status.startTime`
    pub started: Option<jiff::Timestamp>,
    /// Containers that are not ready, with the reason that the kubelet gives.
    pub waiting: Vec<(String, String)>,
    /// Restarts of all containers together.
    pub restarts: i64,
    /// Whether the Ready condition is true.
    pub ready: bool,
}

impl Pod {
    /// Whether its containers may still run: neither finished nor on the way out.
    pub fn is_live(&self) -> bool {
        self.meta.deleted.is_none() && !matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    /// Whether it is not ready although it should be, has restarted, or has failed.
    pub fn is_in_trouble(&self) -> bool {
        match self.phase.as_str() {
            "Succeeded" => false,
            "Failed" => true,
            _ => self.meta.deleted.is_none() && (!self.ready || self.restarts > 0),
        }
    }

    /// Who made it, where that is a controller: a node is none, it only mirrors its manifests.
    pub fn maker(&self) -> Option<&OwnerReference> {
        self.meta.controller().filter(|owner| owner.kind != "Node")
    }

    /// Whether it stands for a manifest on a node, which the API server only mirrors.
    pub fn is_mirror(&self) -> bool {
        self.meta.annotation("kubernetes.io/config.mirror").is_some()
    }
}

/// A service account.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// `metadata`
    pub meta: Meta,
    /// `automountServiceAccountToken`
    pub automount: Option<bool>,
    /// JSON pointers of labels and annotations whose value is no text in the file.
    pub not_text: Vec<String>,
}

/// The API's JSON of any kind with a pod template.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiWorkload {
    #[serde(deserialize_with = "null_as_default")]
    metadata: ApiMeta,
    #[serde(deserialize_with = "null_as_default")]
    spec: ApiWorkloadSpec,
    #[serde(deserialize_with = "null_as_default")]
    status: WorkloadStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApiWorkloadSpec {
    #[serde(deserialize_with = "null_as_default")]
    template: PodTemplate,
    job_template: Option<ApiJobTemplate>,
    replicas: Option<i32>,
    paused: Option<bool>,
    suspend: Option<bool>,
    strategy: Option<ApiStrategy>,
    update_strategy: Option<ApiStrategy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiJobTemplate {
    #[serde(deserialize_with = "null_as_default")]
    metadata: TemplateMeta,
    #[serde(deserialize_with = "null_as_default")]
    spec: ApiJobSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiJobSpec {
    #[serde(deserialize_with = "null_as_default")]
    template: PodTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiStrategy {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl ApiWorkload {
    pub(crate) fn into_workload(self, api_version: &str, kind: &str, origin: Origin) -> Workload {
        let spec = self.spec;
        let (job_metadata, template) = match spec.job_template {
            Some(job) => (job.metadata, job.spec.template),
            None => (TemplateMeta::default(), spec.template),
        };
        Workload {
            template,
            job_metadata,
            replicas: spec.replicas,
            paused: spec.paused.or(spec.suspend).unwrap_or_default(),
            strategy: spec.strategy.or(spec.update_strategy).and_then(|strategy| strategy.kind),
            status: self.status,
            newer_fields: Vec::new(),
            not_text: Vec::new(),
            meta: self.metadata.into_meta(api_version, kind, origin),
        }
    }
}

/// The API's JSON of a pod.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiPod {
    #[serde(deserialize_with = "null_as_default")]
    metadata: ApiMeta,
    #[serde(deserialize_with = "null_as_default")]
    spec: PodSpec,
    #[serde(deserialize_with = "null_as_default")]
    status: ApiPodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApiPodStatus {
    #[serde(deserialize_with = "null_as_default")]
    phase: String,
    start_time: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "null_as_default")]
    container_statuses: Vec<ApiContainerStatus>,
    #[serde(deserialize_with = "null_as_default")]
    init_container_statuses: Vec<ApiContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApiContainerStatus {
    #[serde(deserialize_with = "null_as_default")]
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    restart_count: i64,
    #[serde(deserialize_with = "null_as_default")]
    state: ApiContainerState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiContainerState {
    waiting: Option<ApiReason>,
    terminated: Option<ApiReason>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiReason {
    #[serde(deserialize_with = "null_as_default")]
    reason: String,
}

impl ApiPod {
    /// The pod as it exists.
    pub(crate) fn into_pod(self, origin: Origin) -> Pod {
        let statuses = || self.status.init_container_statuses.iter().chain(&self.status.container_statuses);
        let waiting = statuses()
            .filter_map(|status| {
                let reason = status.state.waiting.as_ref().or(status.state.terminated.as_ref())?;
                Some((status.name.clone(), reason.reason.clone()))
            })
            .filter(|(_, reason)| reason != "Completed")
            .collect();
        let restarts = statuses().map(|status| status.restart_count).sum();
        Pod {
            waiting,
            restarts,
            ready: self.status.conditions.iter().any(|c| c.kind == "Ready" && c.status == "True"),
            phase: self.status.phase,
            started: self.status.start_time.and_then(|text| text.parse().ok()),
            spec: self.spec,
            meta: self.metadata.into_meta("v1", "Pod", origin),
        }
    }

    /// Whether the API server has ever seen it: a manifest has no uid and no status.
    pub(crate) fn is_live_object(&self) -> bool {
        self.metadata.uid.is_some() || !self.status.phase.is_empty()
    }
}

impl Pod {
    /// The pod as a workload of its own, for pods that no controller made.
    pub fn to_workload(&self) -> Workload {
        Workload {
            meta: self.meta.clone(),
            template: PodTemplate {
                metadata: TemplateMeta {
                    name: Some(self.meta.object.name.clone()),
                    generate_name: None,
                    labels: self.meta.labels.clone(),
                    annotations: self.meta.annotations.clone(),
                },
                spec: self.spec.clone(),
            },
            job_metadata: TemplateMeta::default(),
            replicas: None,
            paused: false,
            strategy: None,
            status: WorkloadStatus::default(),
            newer_fields: Vec::new(),
            not_text: Vec::new(),
        }
    }
}

/// The API's JSON of a service account.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ApiServiceAccount {
    #[serde(deserialize_with = "null_as_default")]
    metadata: ApiMeta,
    automount_service_account_token: Option<bool>,
}

impl ApiServiceAccount {
    pub(crate) fn into_account(self, origin: Origin) -> ServiceAccount {
        ServiceAccount {
            automount: self.automount_service_account_token,
            not_text: Vec::new(),
            meta: self.metadata.into_meta("v1", "ServiceAccount", origin),
        }
    }
}
