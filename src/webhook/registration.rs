//! How an identity webhook is registered with the API server.

use super::keys;
use super::selector::LabelSelector;
use crate::model::StringMap;
use crate::model::pod::{lenient_map, null_as_default};
use serde::Deserialize;
use serde_json::Value;

/// Name of the entry in every upstream release.
const UPSTREAM_ENTRY: &str = "mutation.azure-workload-identity.io";
/// Name of the entry that `OpenShift` makes; its cloud credential operator uses one configuration name for all clouds.
const OPENSHIFT_ENTRY: &str = "pod-identity-webhook.azure.mutate.io";
/// The path that every release listens on.
const PATH: &str = "/mutate-v1-pod";

/// An entry of a `MutatingWebhookConfiguration` that is an identity webhook, under whatever name.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// Name of the configuration.
    pub configuration: String,
    /// Labels of the configuration.
    pub labels: StringMap,
    /// Annotations of the configuration.
    pub annotations: StringMap,
    /// `metadata.creationTimestamp`, where it is registered in a cluster.
    pub created: Option<jiff::Timestamp>,
    /// The entry.
    pub entry: WebhookEntry,
}

impl Registration {
    /// The identity webhooks among the entries of a `MutatingWebhookConfiguration`.
    pub fn read(configuration: &Value) -> Result<Vec<Self>, serde_json::Error> {
        let ApiConfiguration { metadata, webhooks } = ApiConfiguration::deserialize(configuration)?;
        let identity = webhooks.into_iter().filter(WebhookEntry::is_identity_webhook);
        Ok(identity
            .map(|entry| Self {
                configuration: metadata.name.clone(),
                labels: metadata.labels.clone().unwrap_or_default(),
                annotations: metadata.annotations.clone().unwrap_or_default(),
                created: metadata.creation_timestamp.as_deref().and_then(|text| text.parse().ok()),
                entry,
            })
            .collect())
    }

    /// Whether `OpenShift`'s operator, or `HyperShift`, made it.
    pub(super) fn is_openshift(&self) -> bool {
        self.entry.name == OPENSHIFT_ENTRY || self.configuration == "pod-identity-webhook"
    }

    /// Whether the AKS admissions enforcer is told to keep its hands off this configuration. It writes exclusions of
    /// `kube-system` and of namespaces with the label `control-plane` into the others, except the add-on's.
    pub fn enforcer_disabled(&self) -> bool {
        let key = "admissions.enforcer/disabled";
        let says = |map: &StringMap| map.get(key).is_some_and(|value| value == "true");
        says(&self.labels) || says(&self.annotations)
    }
}

/// Whether the AKS admissions enforcer keeps custom webhooks from this namespace, where it is not
/// [disabled](Registration::enforcer_disabled).
pub fn enforcer_excludes(namespace: &str, labels: Option<&StringMap>) -> bool {
    namespace == "kube-system" || labels.is_some_and(|labels| labels.contains_key("control-plane"))
}

/// An entry of `webhooks`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WebhookEntry {
    /// `name`
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// `clientConfig`
    #[serde(deserialize_with = "null_as_default")]
    pub client_config: ClientConfig,
    /// `rules`
    #[serde(deserialize_with = "null_as_default")]
    pub rules: Vec<Rule>,
    /// `objectSelector`
    #[serde(deserialize_with = "null_as_default")]
    pub object_selector: LabelSelector,
    /// `namespaceSelector`
    #[serde(deserialize_with = "null_as_default")]
    pub namespace_selector: LabelSelector,
    /// `matchConditions`
    #[serde(deserialize_with = "null_as_default")]
    pub match_conditions: Vec<MatchCondition>,
    /// `failurePolicy`; the API's default is `Fail`.
    pub failure_policy: Option<String>,
    /// `reinvocationPolicy`; the API's default is `Never`.
    pub reinvocation_policy: Option<String>,
    /// `timeoutSeconds`; the API's default is 10.
    pub timeout_seconds: Option<i32>,
}

impl WebhookEntry {
    /// An entry as every release since 1.0.0 makes it. Stands in where no configuration was seen.
    pub fn upstream() -> Self {
        let one = |text: &str| vec![text.to_owned()];
        Self {
            name: UPSTREAM_ENTRY.to_owned(),
            rules: vec![Rule {
                operations: one("CREATE"),
                api_groups: one(""),
                api_versions: one("v1"),
                resources: one("pods"),
                scope: None,
            }],
            object_selector: LabelSelector {
                match_labels: Some(StringMap::from([(keys::USE_LABEL.to_owned(), keys::USE_LABEL_VALUE.to_owned())])),
                match_expressions: Vec::new(),
            },
            failure_policy: Some("Fail".to_owned()),
            reinvocation_policy: Some("IfNeeded".to_owned()),
            ..Self::default()
        }
    }

    /// Whether a failing call refuses the pod.
    pub fn refuses_on_failure(&self) -> bool {
        self.failure_policy.as_deref() != Some("Ignore")
    }

    /// By its name, by the label that it asks for, or by its path at a service or address that speaks of identity.
    fn is_identity_webhook(&self) -> bool {
        if [UPSTREAM_ENTRY, OPENSHIFT_ENTRY].contains(&self.name.as_str())
            || self.object_selector.asks_for(keys::USE_LABEL)
        {
            return true;
        }
        let speaks = |text: &str| {
            ["azure-wi-", "azure-workload-identity", "workload-identity-webhook"].iter().any(|part| text.contains(part))
        };
        let ClientConfig { service, url, .. } = &self.client_config;
        let by_service =
            service.as_ref().is_some_and(|service| service.path.as_deref() == Some(PATH) && speaks(&service.name));
        let by_url = url.as_deref().is_some_and(|url| url.ends_with(PATH) && (speaks(url) || speaks(&self.name)));
        by_service || by_url
    }
}

/// `clientConfig`: how the API server reaches a webhook.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClientConfig {
    /// `service`
    pub service: Option<ServiceReference>,
    /// `url`: a webhook beside the API server, as on `HyperShift`; nothing of it is to be seen in the cluster.
    pub url: Option<String>,
    /// `caBundle`, base64. The webhook writes it itself when it starts.
    #[serde(deserialize_with = "null_as_default")]
    pub ca_bundle: String,
}

/// `clientConfig.service`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ServiceReference {
    /// `namespace`
    #[serde(deserialize_with = "null_as_default")]
    pub namespace: String,
    /// `name`
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// `path`
    pub path: Option<String>,
    /// `port`; 443 where absent
    pub port: Option<i32>,
}

/// An entry of `rules`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    /// `operations`
    #[serde(deserialize_with = "null_as_default")]
    pub operations: Vec<String>,
    /// `apiGroups`
    #[serde(deserialize_with = "null_as_default")]
    pub api_groups: Vec<String>,
    /// `apiVersions`
    #[serde(deserialize_with = "null_as_default")]
    pub api_versions: Vec<String>,
    /// `resources`
    #[serde(deserialize_with = "null_as_default")]
    pub resources: Vec<String>,
    /// `scope`; `*` where absent
    pub scope: Option<String>,
}

impl Rule {
    /// Whether it takes the creation of pods.
    pub fn takes_new_pods(&self) -> bool {
        let has = |list: &[String], names: &[&str]| list.iter().any(|entry| names.contains(&entry.as_str()));
        has(&self.operations, &["CREATE", "*"])
            && has(&self.api_groups, &["", "*"])
            && has(&self.api_versions, &["v1", "*"])
            && has(&self.resources, &["pods", "*", "*/*"])
            && self.scope.as_deref() != Some("Cluster")
    }
}

/// An entry of `matchConditions`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct MatchCondition {
    /// `name`
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// `expression`, in CEL
    #[serde(deserialize_with = "null_as_default")]
    pub expression: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiConfiguration {
    #[serde(deserialize_with = "null_as_default")]
    metadata: ApiConfigurationMeta,
    #[serde(deserialize_with = "null_as_default")]
    webhooks: Vec<WebhookEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ApiConfigurationMeta {
    #[serde(deserialize_with = "null_as_default")]
    name: String,
    #[serde(deserialize_with = "lenient_map")]
    labels: Option<StringMap>,
    #[serde(deserialize_with = "lenient_map")]
    annotations: Option<StringMap>,
    creation_timestamp: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn found(webhook: &Value) -> usize {
        let configuration = json!({"metadata": {"name": "any"}, "webhooks": [webhook, {"name": "other.example.com"}]});
        Registration::read(&configuration).unwrap().len()
    }

    #[test]
    fn an_identity_webhook_is_known_under_any_name() {
        let label = json!({"matchLabels": {"azure.workload.identity/use": "true"}});
        let expression = json!({"matchExpressions": [{"key": "azure.workload.identity/use", "operator": "Exists"}]});
        for webhook in [
            json!({"name": "mutation.azure-workload-identity.io", "objectSelector": null}),
            json!({"name": "pod-identity-webhook.azure.mutate.io"}),
            json!({"name": "hypershift", "objectSelector": label, "clientConfig": {"url": "https://127.0.0.1:9443/mutate-v1-pod"}}),
            json!({"name": "x", "objectSelector": expression}),
            json!({"name": "x", "clientConfig": {"service": {"name": "azure-wi-webhook-webhook-service", "path": "/mutate-v1-pod"}}}),
        ] {
            assert_eq!(found(&webhook), 1, "{webhook}");
        }
    }

    #[test]
    fn other_webhooks_are_not_taken_for_it() {
        for webhook in [
            // OpenShift on AWS: the same configuration name.
            json!({"name": "pod-identity-webhook.aws.mutate.io", "clientConfig": {"service": {"name": "pod-identity-webhook", "path": "/mutate"}}}),
            json!({"name": "vpod.example.com", "clientConfig": {"service": {"name": "example", "path": "/mutate-v1-pod"}}}),
            json!({"name": "x", "objectSelector": {"matchExpressions": [{"key": "azure.workload.identity/use", "operator": "DoesNotExist"}]}}),
        ] {
            assert_eq!(found(&webhook), 0, "{webhook}");
        }
    }

    #[test]
    fn rules_take_pods_only_when_they_are_created() {
        let rule = |value: Value| Rule::deserialize(value).unwrap().takes_new_pods();
        assert!(WebhookEntry::upstream().rules[0].takes_new_pods());
        assert!(rule(json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]})));
        assert!(!rule(
            json!({"operations": ["UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]})
        ));
        assert!(!rule(
            json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/exec"]})
        ));
    }
}
