//! Why the API server did not create a pod, read from its words: events and conditions of the pod's owner carry them.

use std::fmt;

/// Names of the webhook's entry upstream and on `OpenShift`.
const ENTRIES: &[&str] = &["mutation.azure-workload-identity.io", "pod-identity-webhook.azure.mutate.io"];

/// Why a pod with the label was not created, as far as identity has to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The API server could not ask the webhook.
    NotReached(NotReached),
    /// The webhook said no; its words.
    Denied(String),
    /// The account does not exist: `namespace/name`.
    AccountMissing(String),
    /// The namespace's Pod Security level does not take the proxy's init container; the level.
    ProxyForbidden(String),
    /// Two volumes are mounted at one path below the webhook's own; the path of the field.
    MountedTwice(String),
    /// The `restartPolicy` of a native sidecar was dropped on the way, and what needs it stayed; the field.
    SidecarBroken(String),
}

/// How the call of the webhook failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReached {
    /// No answer in time.
    Timeout,
    /// The Service has no pod that is ready.
    NoEndpoints,
    /// Nothing listens.
    ConnectionRefused,
    /// The connection broke off.
    BrokenOff,
    /// Something in between answers in plain text.
    PlainHttp,
    /// The certificate is not trusted; the words of the TLS client.
    Certificate(String),
    /// The Service does not exist.
    ServiceMissing(String),
    /// Anything else, in the API server's words.
    Other(String),
}

impl NotReached {
    fn read(tail: &str) -> Self {
        let lower = tail.to_lowercase();
        let has = |text: &str| lower.contains(text);
        if let Some(at) = lower.find("x509:") {
            Self::Certificate(tail.get(at + "x509:".len()..).unwrap_or_default().trim().to_owned())
        } else if has("no endpoints available") {
            Self::NoEndpoints
        } else if has("server gave http response") {
            Self::PlainHttp
        } else if has("context deadline exceeded") || has("i/o timeout") || has("timeout exceeded") {
            Self::Timeout
        } else if has("connection refused") {
            Self::ConnectionRefused
        } else if lower.trim_end().ends_with("eof") {
            Self::BrokenOff
        } else if has("not found") && has("service ") {
            Self::ServiceMissing(quoted(tail).unwrap_or_default().to_owned())
        } else {
            Self::Other(tail.trim().to_owned())
        }
    }

    /// What to look at for each of them.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Timeout => {
                "something between the API server and port 9443 of the webhook's pods swallows the call: a firewall \
                 of a private cluster, a NetworkPolicy, or a konnectivity tunnel that is down"
            }
            Self::NoEndpoints => "no pod of the webhook is ready",
            Self::ConnectionRefused => "nothing listens on the webhook's port: its pods are starting, or crash",
            Self::BrokenOff | Self::PlainHttp => {
                "a proxy or service mesh stands between the API server and the webhook"
            }
            Self::Certificate(_) => {
                "the caBundle does not belong to the certificate that the webhook serves: it was pruned, or two \
                 installations write it"
            }
            Self::ServiceMissing(_) => "the webhook was removed and its configuration was left behind",
            Self::Other(_) => "the API server's own words say how",
        }
    }
}

/// Ends the sentence "the API server cannot call the webhook: ...".
impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer in time"),
            Self::NoEndpoints => f.write_str("its Service has no endpoint"),
            Self::ConnectionRefused => f.write_str("connection refused"),
            Self::BrokenOff => f.write_str("the connection breaks off (EOF)"),
            Self::PlainHttp => f.write_str("something answers in plain HTTP"),
            Self::Certificate(words) => write!(f, "x509: {words}"),
            Self::ServiceMissing(name) => write!(f, "service {name:?} not found"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl Refusal {
    /// Reads a text; `None` where it speaks of something else. `entries` are further names of the identity webhook.
    pub fn read(text: &str, entries: &[&str]) -> Option<Self> {
        let ours = |name: &str| ENTRIES.contains(&name) || entries.contains(&name);
        if let Some(rest) = after(text, "failed calling webhook ") {
            let name = quoted(rest)?;
            // What follows the address says how the call failed.
            let tail = after(rest, "\": ").and_then(|tail| after(tail, "\": ").or(Some(tail))).unwrap_or(rest);
            return ours(name).then(|| Self::NotReached(NotReached::read(tail)));
        }
        if let Some(rest) = after(text, "admission webhook ") {
            let name = quoted(rest)?;
            let words = after(rest, "denied the request: ")?;
            return ours(name).then(|| Self::Denied(words.trim().to_owned()));
        }
        if let Some(rest) = after(text, "error looking up service account ") {
            return Some(Self::AccountMissing(rest.split(':').next().unwrap_or_default().trim().to_owned()));
        }
        if let Some(rest) = after(text, "violates PodSecurity ")
            && rest.contains(super::keys::PROXY_INIT_CONTAINER)
        {
            return Some(Self::ProxyForbidden(quoted(rest).unwrap_or_default().to_owned()));
        }
        if text.contains("must be unique") && text.contains("mountPath") && text.contains("/var/run/secrets/azure/wi") {
            return Some(Self::MountedTwice(field_before(text, "mountPath")));
        }
        if text.contains("may not be set for init containers without restartPolicy=Always") {
            return Some(Self::SidecarBroken(field_before(text, ":")));
        }
        None
    }
}

fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.split_once(words).map(|(_, rest)| rest)
}

/// The text between the first two double quotes, without a level's version: `restricted:latest` is `restricted`.
fn quoted(text: &str) -> Option<&str> {
    let inner = text.split('"').nth(1)?;
    Some(inner.strip_suffix(":latest").unwrap_or(inner))
}

/// The path of a field that ends with a word, such as `spec.containers[0].volumeMounts[2].mountPath`.
fn field_before(text: &str, end: &str) -> String {
    text.split_whitespace()
        .map(|word| word.trim_matches(['[', ',', '"']))
        .find_map(|word| {
            let from = word.find("spec.")?;
            let field = word.get(from..)?;
            let end = if end == ":" { field.find(':')? } else { field.find(end)? + end.len() };
            field.get(..end)
        })
        .unwrap_or("spec")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "Error creating: Internal error occurred: failed calling webhook \
        \"mutation.azure-workload-identity.io\": failed to call webhook: Post \
        \"https://azure-wi-webhook-webhook-service.kube-system.svc:443/mutate-v1-pod?timeout=10s\": ";

    #[test]
    fn the_way_a_call_fails_is_told_from_its_tail() {
        for (tail, expected) in [
            ("context deadline exceeded", NotReached::Timeout),
            ("dial tcp 10.0.3.7:9443: i/o timeout", NotReached::Timeout),
            ("net/http: request canceled (Client.Timeout exceeded while awaiting headers)", NotReached::Timeout),
            ("no endpoints available for service \"azure-wi-webhook-webhook-service\"", NotReached::NoEndpoints),
            ("dial tcp 10.0.3.7:9443: connect: connection refused", NotReached::ConnectionRefused),
            ("EOF", NotReached::BrokenOff),
            ("http: server gave HTTP response to HTTPS client", NotReached::PlainHttp),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                NotReached::Certificate("certificate signed by unknown authority".to_owned()),
            ),
            (
                "service \"azure-wi-webhook-webhook-service\" not found",
                NotReached::ServiceMissing("azure-wi-webhook-webhook-service".to_owned()),
            ),
        ] {
            let read = Refusal::read(&format!("{CALL}{tail}"), &[]);
            assert_eq!(read, Some(Refusal::NotReached(expected)), "{tail}");
        }
    }

    #[test]
    fn refusals_of_the_pod_itself_are_told_apart() {
        let read = |text| Refusal::read(text, &["mine.example.com"]);
        assert_eq!(
            read(
                "admission webhook \"mutation.azure-workload-identity.io\" denied the request: token expiration 60 not valid. Expected value to be between 3600 and 86400"
            ),
            Some(Refusal::Denied(
                "token expiration 60 not valid. Expected value to be between 3600 and 86400".to_owned()
            ))
        );
        assert_eq!(
            read(
                "Error creating: pods \"app-1-\" is forbidden: error looking up service account shop/app: serviceaccount \"app\" not found"
            ),
            Some(Refusal::AccountMissing("shop/app".to_owned()))
        );
        assert_eq!(
            read(
                "Error creating: pods \"app\" is forbidden: violates PodSecurity \"restricted:latest\": privileged (container \"azwi-proxy-init\" must not set securityContext.privileged=true)"
            ),
            Some(Refusal::ProxyForbidden("restricted".to_owned()))
        );
        assert_eq!(
            read(
                "Pod \"app-x\" is invalid: spec.containers[0].volumeMounts[2].mountPath: Invalid value: \"/var/run/secrets/azure/wi\": must be unique"
            ),
            Some(Refusal::MountedTwice("spec.containers[0].volumeMounts[2].mountPath".to_owned()))
        );
        assert_eq!(
            read(
                "Pod \"app-x\" is invalid: spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always"
            ),
            Some(Refusal::SidecarBroken("spec.initContainers[0].lifecycle".to_owned()))
        );
        assert!(matches!(read("failed calling webhook \"mine.example.com\": EOF"), Some(Refusal::NotReached(_))));
    }

    #[test]
    fn what_other_webhooks_and_quotas_say_is_left_alone() {
        for text in [
            "failed calling webhook \"validate.kyverno.svc\": context deadline exceeded",
            "admission webhook \"policy.example.com\" denied the request: no",
            "pods \"app\" is forbidden: exceeded quota: compute",
            "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/data\": must be unique",
            "",
            "admission webhook ",
        ] {
            assert_eq!(Refusal::read(text, &[]), None, "{text}");
        }
    }
}
