//! Which containers of a pod need identity, as far as a specification tells.

use crate::model::pod::{Container, ContainerList, PodTemplate};
use crate::webhook::keys;

/// Whether a container needs identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It is known for something else, such as a mesh's proxy.
    Unlikely,
    /// Nothing tells.
    Possible,
    /// It is the only one that could, or it has variables that only an Azure SDK reads.
    Certain,
}

/// Words in names and images of containers that do not talk to Azure themselves.
const BYSTANDERS: &[&str] = &[
    "istio-proxy",
    "istio-init",
    "linkerd-proxy",
    "linkerd-init",
    "envoy",
    "consul-dataplane",
    "kuma-sidecar",
    "azwi-proxy",
    "kube-rbac-proxy",
    "oauth2-proxy",
    "auth-proxy",
    "cloud-sql-proxy",
    "vault-agent",
    "config-reloader",
    "configmap-reload",
    "k8s-sidecar",
    "exporter",
    "fluent-bit",
    "fluentbit",
    "fluentd",
    "promtail",
    "filebeat",
    "vector",
    "otel-collector",
    "datadog-agent",
    "dynatrace",
    "jaeger-agent",
    "nginx",
    "haproxy",
    "traefik",
    "varnish",
    "memcached",
    "redis",
    "valkey",
    "node-driver-registrar",
    "livenessprobe",
    "csi-provisioner",
    "csi-attacher",
    "csi-resizer",
    "csi-snapshotter",
    "busybox",
    "pause",
    "kubectl",
    "wait-for",
];

/// Words in names of workloads that serve others, and seldom talk to Azure themselves.
const SUPPORTING: &[&str] =
    &["gateway", "proxy", "exporter", "ingress", "nginx", "envoy", "haproxy", "memcached", "redis", "cache", "canary"];

/// Variables that only something which talks to Azure is given.
const SIGNS: &[&str] = &[
    keys::ENV_CLIENT_ID,
    keys::ENV_TENANT_ID,
    keys::ENV_TOKEN_FILE,
    keys::ENV_AUTHORITY_HOST,
    "AZURE_TOKEN_CREDENTIALS",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_STORAGE_ACCOUNT",
    "ARM_USE_OIDC",
    "ARM_USE_AKS_WORKLOAD_IDENTITY",
    "ARM_CLIENT_ID",
];

/// Whether a container of a pod needs identity.
pub fn need(template: &PodTemplate, list: ContainerList, container: &Container) -> Need {
    if container.env.iter().any(|variable| SIGNS.contains(&variable.name.as_str())) {
        return Need::Certain;
    }
    if is_bystander(container) {
        return Need::Unlikely;
    }
    let alone = list == ContainerList::Main
        && template.spec.containers.iter().filter(|other| !is_bystander(other)).count() == 1;
    if alone { Need::Certain } else { Need::Possible }
}

/// Whether a container is known for something other than talking to Azure.
pub fn is_bystander(container: &Container) -> bool {
    let image = container.image.as_deref().unwrap_or_default();
    // The last part of the image's path, without registry, tag and digest.
    let image = image.rsplit('/').next().unwrap_or_default();
    let image = image.split(['@', ':']).next().unwrap_or_default();
    BYSTANDERS.iter().any(|word| has_words(&container.name, word) || has_words(image, word))
}

/// Whether a workload serves others: a gateway, a proxy, an exporter, or a cache.
pub fn is_supporting(name: &str, template: &PodTemplate) -> bool {
    let component = template.metadata.label("app.kubernetes.io/component").unwrap_or_default();
    let named = SUPPORTING.iter().any(|word| has_words(name, word) || has_words(component, word));
    let containers = &template.spec.containers;
    named || (!containers.is_empty() && containers.iter().all(is_bystander))
}

/// Whether a hyphenated name contains these words as whole words.
fn has_words(name: &str, words: &str) -> bool {
    format!("-{}-", name.to_lowercase().replace(['_', '.'], "-")).contains(&format!("-{words}-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_make_a_bystander() {
        let container = |name: &str, image: &str| Container {
            name: name.into(),
            image: Some(image.into()),
            ..Container::default()
        };
        assert!(is_bystander(&container("exporter", "x")));
        assert!(is_bystander(&container("web", "docker.io/library/nginx:1.27@sha256:00")));
        assert!(is_bystander(&container("istio-proxy", "x")));
        assert!(!is_bystander(&container("exporters", "vectorized")));
        assert!(!is_bystander(&container("app", "registry.example/nginx/app:1")));
    }
}
