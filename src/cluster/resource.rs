//! The kinds that identity depends on, without asking the cluster for them, and how kubectl's users call them.

use crate::model::nearest::nearest;
use std::borrow::Cow;

/// A kind that the API server serves, and its names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceType {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// API version within the group.
    pub version: Cow<'static, str>,
    /// `kind`
    pub kind: Cow<'static, str>,
    /// Plural, lower case: the last part of its path.
    pub plural: Cow<'static, str>,
    /// Singular, lower case.
    pub singular: Cow<'static, str>,
    /// Short names such as `deploy`.
    pub short_names: Cow<'static, [Cow<'static, str>]>,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
}

macro_rules! resource_types {
    ($($(#[$meta:meta])* $constant:ident = $group:literal $version:literal $kind:literal $plural:literal $singular:literal [$($short:literal),*] $namespaced:literal;)*) => {
        $(
            $(#[$meta])*
            pub static $constant: ResourceType = ResourceType {
                group: Cow::Borrowed($group),
                version: Cow::Borrowed($version),
                kind: Cow::Borrowed($kind),
                plural: Cow::Borrowed($plural),
                singular: Cow::Borrowed($singular),
                short_names: Cow::Borrowed(&[$(Cow::Borrowed($short)),*]),
                namespaced: $namespaced,
            };
        )*
        /// All of them, in the order in which a name is looked for.
        pub static BUILT_IN: &[&ResourceType] = &[$(&$constant),*];
    };
}

resource_types! {
    /// `Pod`
    POD = "" "v1" "Pod" "pods" "pod" ["po"] true;
    /// `Deployment`
    DEPLOYMENT = "apps" "v1" "Deployment" "deployments" "deployment" ["deploy"] true;
    /// `ReplicaSet`
    REPLICA_SET = "apps" "v1" "ReplicaSet" "replicasets" "replicaset" ["rs"] true;
    /// `StatefulSet`
    STATEFUL_SET = "apps" "v1" "StatefulSet" "statefulsets" "statefulset" ["sts"] true;
    /// `DaemonSet`
    DAEMON_SET = "apps" "v1" "DaemonSet" "daemonsets" "daemonset" ["ds"] true;
    /// `Job`
    JOB = "batch" "v1" "Job" "jobs" "job" [] true;
    /// `CronJob`
    CRON_JOB = "batch" "v1" "CronJob" "cronjobs" "cronjob" ["cj"] true;
    /// `ReplicationController`
    REPLICATION_CONTROLLER = "" "v1" "ReplicationController" "replicationcontrollers" "replicationcontroller" ["rc"] true;
    /// `ControllerRevision`: older templates of a `StatefulSet` or `DaemonSet`.
    CONTROLLER_REVISION = "apps" "v1" "ControllerRevision" "controllerrevisions" "controllerrevision" [] true;
    /// `ServiceAccount`
    SERVICE_ACCOUNT = "" "v1" "ServiceAccount" "serviceaccounts" "serviceaccount" ["sa"] true;
    /// `Namespace`
    NAMESPACE = "" "v1" "Namespace" "namespaces" "namespace" ["ns"] false;
    /// `ConfigMap`
    CONFIG_MAP = "" "v1" "ConfigMap" "configmaps" "configmap" ["cm"] true;
    /// `Secret`: fetched by name only, never listed.
    SECRET = "" "v1" "Secret" "secrets" "secret" [] true;
    /// `Service`
    SERVICE = "" "v1" "Service" "services" "service" ["svc"] true;
    /// `Endpoints`
    ENDPOINTS = "" "v1" "Endpoints" "endpoints" "endpoints" ["ep"] true;
    /// `EndpointSlice`
    ENDPOINT_SLICE = "discovery.k8s.io" "v1" "EndpointSlice" "endpointslices" "endpointslice" [] true;
    /// `Event` of the core group, which kubectl shows too.
    EVENT = "" "v1" "Event" "events" "event" ["ev"] true;
    /// `Node`
    NODE = "" "v1" "Node" "nodes" "node" ["no"] false;
    /// `NetworkPolicy`
    NETWORK_POLICY = "networking.k8s.io" "v1" "NetworkPolicy" "networkpolicies" "networkpolicy" ["netpol"] true;
    /// `MutatingWebhookConfiguration`
    MUTATING_WEBHOOK_CONFIGURATION = "admissionregistration.k8s.io" "v1" "MutatingWebhookConfiguration" "mutatingwebhookconfigurations" "mutatingwebhookconfiguration" [] false;
    /// `ValidatingWebhookConfiguration`
    VALIDATING_WEBHOOK_CONFIGURATION = "admissionregistration.k8s.io" "v1" "ValidatingWebhookConfiguration" "validatingwebhookconfigurations" "validatingwebhookconfiguration" [] false;
    /// `Role`
    ROLE = "rbac.authorization.k8s.io" "v1" "Role" "roles" "role" [] true;
    /// `RoleBinding`
    ROLE_BINDING = "rbac.authorization.k8s.io" "v1" "RoleBinding" "rolebindings" "rolebinding" [] true;
    /// `ClusterRole`
    CLUSTER_ROLE = "rbac.authorization.k8s.io" "v1" "ClusterRole" "clusterroles" "clusterrole" [] false;
    /// `ClusterRoleBinding`
    CLUSTER_ROLE_BINDING = "rbac.authorization.k8s.io" "v1" "ClusterRoleBinding" "clusterrolebindings" "clusterrolebinding" [] false;
    /// `CSIDriver`
    CSI_DRIVER = "storage.k8s.io" "v1" "CSIDriver" "csidrivers" "csidriver" [] false;
    /// `StorageClass`
    STORAGE_CLASS = "storage.k8s.io" "v1" "StorageClass" "storageclasses" "storageclass" ["sc"] false;
    /// `PersistentVolume`
    PERSISTENT_VOLUME = "" "v1" "PersistentVolume" "persistentvolumes" "persistentvolume" ["pv"] false;
    /// `PersistentVolumeClaim`
    PERSISTENT_VOLUME_CLAIM = "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims" "persistentvolumeclaim" ["pvc"] true;
    /// `CustomResourceDefinition`
    CUSTOM_RESOURCE_DEFINITION = "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions" "customresourcedefinition" ["crd", "crds"] false;
}

impl ResourceType {
    /// A custom resource whose names are known, without asking the cluster. Whether it is served shows when it is read.
    pub fn custom(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            group: Cow::Owned(group.to_owned()),
            version: Cow::Owned(version.to_owned()),
            kind: Cow::Owned(kind.to_owned()),
            plural: Cow::Owned(plural.to_owned()),
            singular: Cow::Owned(kind.to_lowercase()),
            short_names: Cow::Borrowed(&[]),
            namespaced,
        }
    }

    /// `apiVersion` as it stands in an object.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The path of its group and version: `/api/v1`, `/apis/apps/v1`.
    pub(super) fn base_path(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        }
    }

    /// Whether a person may mean it by `word`: kind, plural, singular or short name in any case, alone or followed by
    /// the group (`deployments.apps`) or by version and group (`deployments.v1.apps`), as with kubectl.
    pub fn answers_to(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let (name, rest) = word.split_once('.').map_or((word.as_str(), None), |(name, rest)| (name, Some(rest)));
        let named = name == self.plural
            || name == self.singular
            || name == self.kind.to_lowercase()
            || self.short_names.iter().any(|short| name == short);
        named
            && rest.is_none_or(|rest| {
                rest == self.group
                    || rest
                        .strip_prefix(&*self.version)
                        .is_some_and(|group| group.strip_prefix('.').unwrap_or(group) == self.group)
            })
    }

    /// All names that a person may use, for suggestions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [&*self.plural, &*self.singular].into_iter().chain(self.short_names.iter().map(AsRef::as_ref))
    }
}

/// The built-in kind that a person means by `word`.
pub fn find(word: &str) -> Option<&'static ResourceType> {
    BUILT_IN.iter().find(|resource| resource.answers_to(word)).copied()
}

/// The built-in kind with that `apiVersion` group and `kind`, whatever the version.
pub fn of_kind(api_version: &str, kind: &str) -> Option<&'static ResourceType> {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    BUILT_IN.iter().find(|resource| resource.group == group && resource.kind == kind).copied()
}

/// The name of a built-in kind that a misspelt word was most likely meant to be.
pub fn suggest(word: &str) -> Option<&'static str> {
    nearest(word, BUILT_IN.iter().flat_map(|resource| resource.names()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_kubectl_finds_its_kind() {
        for (word, kind) in [
            ("po", "Pod"),
            ("Pods", "Pod"),
            ("deploy", "Deployment"),
            ("Deployment", "Deployment"),
            ("deployments.apps", "Deployment"),
            ("deployments.v1.apps", "Deployment"),
            ("pods.v1", "Pod"),
            ("pods.v1.", "Pod"),
            ("sa", "ServiceAccount"),
            ("serviceAccounts", "ServiceAccount"),
            ("rc", "ReplicationController"),
            ("cj", "CronJob"),
            ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
            ("netpol", "NetworkPolicy"),
            ("crd", "CustomResourceDefinition"),
            ("ev", "Event"),
        ] {
            assert_eq!(find(word).unwrap().kind, kind, "{word}");
        }
        for word in ["", "deployments.extensions", "deployments.v2.apps", "scaledobject", "pods.v1.apps"] {
            assert_eq!(find(word), None, "{word}");
        }
    }

    #[test]
    fn no_name_means_two_kinds() {
        let mut names: Vec<String> = BUILT_IN
            .iter()
            .flat_map(|r| r.names().map(str::to_owned).collect::<std::collections::BTreeSet<_>>())
            .collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_slip_is_understood() {
        assert_eq!(suggest("deployemnt"), Some("deployment"));
        assert_eq!(suggest("statefulste"), Some("statefulset"));
        assert_eq!(suggest("zzzzzzzz"), None);
    }

    #[test]
    fn kinds_are_told_apart_by_group() {
        assert_eq!(of_kind("apps/v1", "Deployment").unwrap().plural, "deployments");
        assert_eq!(of_kind("v1", "Pod").unwrap().api_version(), "v1");
        assert_eq!(of_kind("serving.knative.dev/v1", "Service"), None);
    }
}
