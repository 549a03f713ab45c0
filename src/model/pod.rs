//! The part of a pod that identity depends on.
//!
//! These types hold the fields that rules and the webhook function read, and nothing else: a sweep over a large
//! cluster keeps thousands of them. They read the API's JSON ([`serde::Deserialize`]); fields that are not listed
//! here are ignored. A whole pod, where one is needed, stays a [`serde_json::Value`].

use super::StringMap;
use serde::{Deserialize, Deserializer};

/// `metadata` and `spec` of a pod template, or of a pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PodTemplate {
    /// `metadata`: only what a template can carry.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: TemplateMeta,
    /// `spec`.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: PodSpec,
}

/// Labels and annotations of a pod template. `None` is "the map is not there", which a JSON patch has to know.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TemplateMeta {
    /// `name`; templates seldom have one.
    pub name: Option<String>,
    /// `generateName`, the prefix of a name that the API server completes.
    pub generate_name: Option<String>,
    /// `labels`
    #[serde(deserialize_with = "lenient_map")]
    pub labels: Option<StringMap>,
    /// `annotations`
    #[serde(deserialize_with = "lenient_map")]
    pub annotations: Option<StringMap>,
}

impl TemplateMeta {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

/// `spec` of a pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    /// `serviceAccountName`; use [`PodSpec::account`] for the name that counts.
    pub service_account_name: Option<String>,
    /// `serviceAccount`, the deprecated twin of `serviceAccountName`.
    pub service_account: Option<String>,
    /// `automountServiceAccountToken`
    pub automount_service_account_token: Option<bool>,
    /// `hostNetwork`
    #[serde(deserialize_with = "null_as_default")]
    pub host_network: bool,
    /// `nodeName`
    pub node_name: Option<String>,
    /// `nodeSelector`
    #[serde(deserialize_with = "lenient_map")]
    pub node_selector: Option<StringMap>,
    /// `os`
    pub os: Option<PodOs>,
    /// `securityContext`
    pub security_context: Option<SecurityContext>,
    /// `containers`
    #[serde(deserialize_with = "null_as_default")]
    pub containers: Vec<Container>,
    /// `initContainers`
    #[serde(deserialize_with = "null_as_default")]
    pub init_containers: Vec<Container>,
    /// `volumes`
    #[serde(deserialize_with = "null_as_default")]
    pub volumes: Vec<Volume>,
}

impl PodSpec {
    /// The service account that pods of this specification run as: `default` where nothing is named.
    pub fn account(&self) -> &str {
        [&self.service_account_name, &self.service_account]
            .into_iter()
            .find_map(|name| name.as_deref().filter(|name| !name.is_empty()))
            .unwrap_or("default")
    }

    /// Init containers, then containers: the order in which they start.
    pub fn all_containers(&self) -> impl Iterator<Item = (ContainerList, usize, &Container)> {
        let init = self.init_containers.iter().enumerate().map(|(i, c)| (ContainerList::Init, i, c));
        let main = self.containers.iter().enumerate().map(|(i, c)| (ContainerList::Main, i, c));
        init.chain(main)
    }
}

/// Which list of a pod's specification a container stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContainerList {
    /// `initContainers`
    Init,
    /// `containers`
    Main,
}

impl ContainerList {
    /// The field's name in the API.
    pub fn field(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Main => "containers",
        }
    }
}

/// `spec.os`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PodOs {
    /// `linux` or `windows`
    pub name: String,
}

/// The fields of a pod's or container's security context that decide who may read the token file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityContext {
    /// `runAsUser`
    pub run_as_user: Option<i64>,
    /// `runAsGroup`
    pub run_as_group: Option<i64>,
    /// `runAsNonRoot`
    pub run_as_non_root: Option<bool>,
    /// `fsGroup`, of a pod only
    pub fs_group: Option<i64>,
    /// `windowsOptions.runAsUserName`
    pub windows_options: Option<WindowsOptions>,
}

/// `securityContext.windowsOptions`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WindowsOptions {
    /// `runAsUserName`
    pub run_as_user_name: Option<String>,
}

/// A container or init container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    /// `name`
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// `image`
    pub image: Option<String>,
    /// `command`
    #[serde(deserialize_with = "null_as_default")]
    pub command: Vec<String>,
    /// `args`
    #[serde(deserialize_with = "null_as_default")]
    pub args: Vec<String>,
    /// `env`
    #[serde(deserialize_with = "null_as_default")]
    pub env: Vec<EnvVar>,
    /// `envFrom`
    #[serde(deserialize_with = "null_as_default")]
    pub env_from: Vec<EnvFrom>,
    /// `volumeMounts`
    #[serde(deserialize_with = "null_as_default")]
    pub volume_mounts: Vec<VolumeMount>,
    /// `restartPolicy`: `Always` on an init container makes it a native sidecar (Kubernetes 1.28).
    pub restart_policy: Option<String>,
    /// `securityContext`
    pub security_context: Option<SecurityContext>,
}

impl Container {
    /// The variable of that name, whatever its value. The last one counts, as the kubelet has it.
    pub fn variable(&self, name: &str) -> Option<&EnvVar> {
        self.env.iter().rev().find(|variable| variable.name == name)
    }
}

/// An entry of `env`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVar {
    /// `name`
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// `value`
    #[serde(deserialize_with = "lenient_text")]
    pub value: Option<String>,
    /// `valueFrom`
    pub value_from: Option<EnvSource>,
}

impl EnvVar {
    /// The literal value, `""` where neither `value` nor `valueFrom` is given; `None` where it comes from elsewhere.
    pub fn literal(&self) -> Option<&str> {
        if self.value_from.is_some() { None } else { Some(self.value.as_deref().unwrap_or_default()) }
    }
}

/// `env[].valueFrom`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvSource {
    /// `configMapKeyRef`
    pub config_map_key_ref: Option<KeyRef>,
    /// `secretKeyRef`
    pub secret_key_ref: Option<KeyRef>,
    /// `fieldRef`
    pub field_ref: Option<FieldRef>,
}

/// A key of a `ConfigMap` or Secret.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct KeyRef {
    /// Name of the object.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// The key in it.
    #[serde(deserialize_with = "null_as_default")]
    pub key: String,
    /// Whether the object may be absent.
    pub optional: Option<bool>,
}

/// `valueFrom.fieldRef`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FieldRef {
    /// `fieldPath`
    #[serde(deserialize_with = "null_as_default")]
    pub field_path: String,
}

/// An entry of `envFrom`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvFrom {
    /// `prefix`, put before each key.
    pub prefix: Option<String>,
    /// `configMapRef`
    pub config_map_ref: Option<ObjectName>,
    /// `secretRef`
    pub secret_ref: Option<ObjectName>,
}

/// A reference by name within the namespace.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ObjectName {
    /// Name of the object.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// Whether the object may be absent.
    pub optional: Option<bool>,
    /// `items`, of a volume only
    #[serde(deserialize_with = "null_as_default")]
    pub items: Vec<KeyToPath>,
}

/// An entry of a volume's `items`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct KeyToPath {
    /// The key in the `ConfigMap` or Secret.
    #[serde(deserialize_with = "null_as_default")]
    pub key: String,
    /// The file's path below the mount.
    #[serde(deserialize_with = "null_as_default")]
    pub path: String,
}

/// An entry of `volumeMounts`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeMount {
    /// `name` of the volume
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// `mountPath`
    #[serde(deserialize_with = "null_as_default")]
    pub mount_path: String,
    /// `subPath`: such a mount never sees a rotated token.
    pub sub_path: Option<String>,
    /// `subPathExpr`
    pub sub_path_expr: Option<String>,
}

/// An entry of `volumes`, with the sources that identity has to do with.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Volume {
    /// `name`
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// `projected`
    pub projected: Option<Projected>,
    /// `secret`
    pub secret: Option<SecretVolume>,
    /// `configMap`
    pub config_map: Option<ObjectName>,
    /// `csi`
    pub csi: Option<CsiVolume>,
    /// `persistentVolumeClaim`
    pub persistent_volume_claim: Option<ClaimVolume>,
}

/// `volumes[].projected`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Projected {
    /// `defaultMode`; 0644 where absent
    pub default_mode: Option<i32>,
    /// `sources`
    #[serde(deserialize_with = "null_as_default")]
    pub sources: Vec<ProjectedSource>,
}

/// An entry of `projected.sources`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProjectedSource {
    /// `serviceAccountToken`
    pub service_account_token: Option<TokenProjection>,
    /// `configMap`
    pub config_map: Option<ObjectName>,
    /// `secret`
    pub secret: Option<ObjectName>,
}

/// `projected.sources[].serviceAccountToken`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TokenProjection {
    /// `audience`; the API server's own where absent or empty
    pub audience: Option<String>,
    /// `expirationSeconds`; 3600 where absent
    pub expiration_seconds: Option<i64>,
    /// `path`, relative to the mount
    #[serde(deserialize_with = "null_as_default")]
    pub path: String,
}

/// `volumes[].secret`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretVolume {
    /// `secretName`
    #[serde(deserialize_with = "null_as_default")]
    pub secret_name: String,
    /// `optional`
    pub optional: Option<bool>,
    /// `items`
    #[serde(deserialize_with = "null_as_default")]
    pub items: Vec<KeyToPath>,
}

/// `volumes[].csi`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CsiVolume {
    /// `driver`
    #[serde(deserialize_with = "null_as_default")]
    pub driver: String,
    /// `volumeAttributes`
    #[serde(deserialize_with = "lenient_map")]
    pub volume_attributes: Option<StringMap>,
    /// `nodePublishSecretRef`
    pub node_publish_secret_ref: Option<ObjectName>,
}

/// `volumes[].persistentVolumeClaim`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClaimVolume {
    /// `claimName`
    #[serde(deserialize_with = "null_as_default")]
    pub claim_name: String,
}

/// Reads `null` as the default: Helm templates leave `labels:` or `env:` empty.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a text, and keeps what a person wrote where YAML made a boolean or a number of it. The API server refuses
/// such a value in a map of texts; a rule has to see it to say so.
fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<serde_json::Value>::deserialize(deserializer)?.and_then(plain_text))
}

/// Reads a map of texts like [`lenient_text`]; an entry without a value is `""`.
pub(crate) fn lenient_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StringMap>, D::Error> {
    let map = Option::<std::collections::BTreeMap<String, serde_json::Value>>::deserialize(deserializer)?;
    Ok(map.map(|map| map.into_iter().map(|(key, value)| (key, plain_text(value).unwrap_or_default())).collect()))
}

fn plain_text(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}
