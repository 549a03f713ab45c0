//! Names of the codes that symptoms carry and point to, and the question that each asks.

/// Code, name, and the question to which it is the answer.
const CODES: &[(&str, &str, &str)] = &[
    ("WI101", "pod-label-missing", "does the pod template have the label azure.workload.identity/use: \"true\"?"),
    (
        "WI102",
        "pod-label-wrong-place",
        "does the label sit on the workload, the Job or the service account instead of the pod template?",
    ),
    ("WI103", "pod-label-wrong-value", "is the label's value exactly the string \"true\"?"),
    ("WI104", "pod-label-typo", "is the label spelt right?"),
    (
        "WI105",
        "wrong-service-account",
        "do the pods run as the account that is annotated, and not as `default` or another one?",
    ),
    (
        "WI107",
        "container-skipped",
        "does skip-containers name this container, or was it added by another webhook later?",
    ),
    ("WI108", "env-override", "does the pod template set an AZURE_* variable itself, which then is not injected?"),
    (
        "WI109",
        "client-secret-precedence",
        "does the container still have AZURE_CLIENT_SECRET, a certificate or a user name, which come first?",
    ),
    (
        "WI110",
        "token-path-hardcoded",
        "does the application or its configuration name a token path instead of reading AZURE_FEDERATED_TOKEN_FILE?",
    ),
    ("WI111", "token-expiration-invalid", "is the token expiration annotation an integer from 3600 to 86400?"),
    ("WI112", "proxy-sidecar-misused", "is the proxy sidecar asked for, where it cannot work?"),
    ("WI113", "pod-identity-label", "do the pods still carry aadpodidbinding?"),
    (
        "WI114",
        "manual-token-volume",
        "does the pod mount a token volume of its own, with another audience or by subPath?",
    ),
    ("WI115", "identity-binding-mode", "is the pod in identity binding mode, with an SDK that does not use its proxy?"),
    ("WI116", "static-pod", "is it a static pod?"),
    ("WI117", "label-added-too-late", "is the label added by a webhook that is called after the identity webhook?"),
    ("WI118", "windows-os-missing", "is it a Windows pod without spec.os, or with runAsUser?"),
    ("WI119", "virtual-node-unsupported", "does it run on a virtual node?"),
    ("WI201", "service-account-missing", "does the service account exist?"),
    (
        "WI202",
        "client-id-missing",
        "does the account that the pods run as have the annotation azure.workload.identity/client-id?",
    ),
    ("WI203", "client-id-invalid", "is the annotated client id a GUID, without quotes or blanks?"),
    ("WI204", "annotation-wrong-key", "is the annotation spelt right, and on the account?"),
    ("WI205", "tenant-id-invalid", "is the tenant id a GUID?"),
    ("WI301", "webhook-missing", "is the identity webhook installed at all?"),
    ("WI302", "webhook-unhealthy", "are the webhook's pods ready, and does the API server reach them?"),
    ("WI303", "webhook-excludes-namespace", "is the namespace left out by the webhook's selector?"),
    ("WI304", "webhook-duplicate", "are there two installations of the webhook?"),
    ("WI305", "webhook-outdated", "is the webhook old?"),
    ("WI306", "webhook-ca-invalid", "does the webhook's caBundle sign its certificate?"),
    ("WI307", "oidc-issuer-unusable", "is the cluster's issuer one that Entra can reach?"),
    (
        "WI308",
        "oidc-issuer-unreachable",
        "can the issuer's documents be fetched from the internet, and do they agree with the cluster?",
    ),
    ("WI309", "pod-identity-installed", "is aad-pod-identity still installed?"),
    ("WI310", "webhook-misconfigured", "do the webhook's tenant and cloud fit?"),
    ("WI311", "signing-algorithm-unsupported", "does the cluster sign its tokens with RS256?"),
    (
        "WI312",
        "webhook-not-idempotent",
        "does another webhook rename the pod between two calls of the identity webhook?",
    ),
    ("WI313", "webhook-drops-fields", "does the webhook remove fields that it does not know?"),
    ("WI401", "pod-not-mutated", "were the pods started after the webhook and the label were there?"),
    ("WI402", "pod-stale", "are the injected values still the ones of today?"),
    ("WI403", "pod-creation-denied", "is a webhook refusing the owner's pods?"),
    ("WI410", "token-file-missing", "is the token file there?"),
    ("WI411", "token-unreadable", "may the container's user read the token file?"),
    ("WI412", "token-expired", "is the token in the file expired?"),
    ("WI413", "token-issuer-mismatch", "is the token's issuer the cluster's?"),
    ("WI415", "token-audience-mismatch", "is the token's audience the one that is expected?"),
    ("WI416", "token-key-unknown", "is the key that signed the token published?"),
    ("WI417", "clock-skew", "do the clocks agree?"),
    ("WI418", "exchange-rejected", "does an exchange succeed now?"),
    ("WI419", "exchange-flaky", "does the exchange fail only now and then?"),
    ("WI420", "authority-unreachable", "can the pod reach the authority host?"),
    ("WI421", "assertion-cached", "does the application read the token file again?"),
    ("WI501", "identity-not-found", "does an identity with this client id exist in this tenant?"),
    (
        "WI502",
        "federated-credential-missing",
        "does the identity have a federated credential for this issuer and subject?",
    ),
    ("WI503", "federated-issuer-mismatch", "is the credential's issuer the cluster's, to the last slash?"),
    ("WI504", "federated-subject-mismatch", "is the credential's subject the account that the pod runs as?"),
    ("WI505", "federated-audience-mismatch", "is the credential's audience the token's?"),
    ("WI506", "federated-credential-limit", "are there 20 federated credentials already?"),
    ("WI508", "client-id-is-object-id", "is the annotated id the client id, and not the object id?"),
    ("WI509", "tenant-mismatch", "is the identity in the tenant that the pod asks?"),
    ("WI510", "aks-feature-disabled", "are OIDC issuer and workload identity enabled on the cluster?"),
    ("WI601", "role-assignment-missing", "does the identity have the role, at a scope that covers the resource?"),
    ("WI701", "velero-client-secret", "does Velero's credentials file hold a secret?"),
    ("WI702", "velero-use-aad-unset", "does the backup storage location say useAAD: \"true\"?"),
    ("WI703", "velero-node-agent-unlabelled", "does the node-agent's pod template have the label too?"),
    ("WI704", "velero-data-mover-defect", "is it Velero 1.15.0, whose data movers never get the label?"),
    ("WI705", "velero-plugin-outdated", "does the plugin's version know workload identity, and fit Velero's?"),
    ("WI706", "velero-pod-labels-replaced", "does a ConfigMap's podLabels replace the identity label?"),
    ("WI707", "velero-location-unavailable", "what does the backup storage location say?"),
    ("WI708", "velero-uploader-unsupported", "does the uploader need account keys?"),
    ("WI709", "velero-data-mover-unlabelled", "do the data mover and maintenance pods have the label?"),
    ("WI720", "keda-provider-removed", "does the TriggerAuthentication still say provider azure?"),
    ("WI721", "keda-identity-id-invalid", "is identityId a client id?"),
    ("WI722", "keda-operator-not-wired", "are the KEDA operator's pods injected?"),
    ("WI724", "keda-connection-overrides", "does the trigger still pass a connection string?"),
    ("WI725", "keda-authentication-not-found", "is the TriggerAuthentication in the ScaledObject's namespace?"),
    ("WI726", "keda-scaler-failing", "what do the ScaledObject's conditions and the operator's log say?"),
    ("WI740", "thanos-user-assigned-id", "does objstore set user_assigned_id, which forces the node's identity?"),
    ("WI741", "thanos-static-credentials", "does objstore hold a key, a connection string or a secret?"),
    ("WI742", "thanos-version-unsupported", "is Thanos older than 0.33.0?"),
    ("WI743", "thanos-account-switched", "does the component run as the annotated account?"),
    ("WI760", "service-connector-job-failed", "what does the Service Connector's extension say?"),
    (
        "WI762",
        "service-connector-workload-unwired",
        "does the workload use the connection's account and carry the label?",
    ),
    ("WI770", "external-secrets-store", "do the store's authType, account reference and tenant fit workload identity?"),
    ("WI771", "external-dns-config", "does azure.json choose another credential, client or tenant?"),
    ("WI772", "cert-manager-solver", "does the azureDNS solver choose workload identity?"),
    ("WI773", "secrets-store-class", "does the SecretProviderClass choose workload identity, with a client id?"),
    (
        "WI774",
        "loki-storage-config",
        "does Loki's storage configuration choose the federated token, in the right cloud?",
    ),
    ("WI775", "application-outdated", "is the application or its SDK old enough not to know workload identity?"),
    ("WI776", "application-config", "does the application's configuration choose another credential, client or scope?"),
    (
        "WI777",
        "csi-token-requests-missing",
        "does the CSIDriver object ask for tokens of the audience api://AzureADTokenExchange?",
    ),
    ("WI778", "csi-volume-identity", "does the volume choose workload identity, with a client id?"),
    ("WI779", "terraform-runner-config", "do the runner's ARM_* settings fit what is injected?"),
    ("WI801", "symptom-imds-fallback", ""),
    ("WI802", "symptom-not-configured", ""),
    ("WI803", "symptom-entra-rejected", ""),
    ("WI804", "symptom-not-authorized", ""),
    ("WI805", "symptom-network", ""),
    ("WI806", "symptom-other-credential", ""),
    ("WI807", "symptom-not-identity", ""),
    ("WI808", "symptom-network-denied", ""),
];

/// The name of a code, such as `pod-label-missing` for `WI101`.
pub fn name(code: &str) -> &'static str {
    find(code).map_or("", |(_, name, _)| name)
}

/// The question that looks for the cause a code stands for.
pub fn question(code: &str) -> &'static str {
    find(code).map_or("", |(_, _, question)| question)
}

fn find(code: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    CODES.iter().find(|(known, _, _)| *known == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::registry;

    #[test]
    fn names_are_those_of_the_rules() {
        for info in registry::infos() {
            assert!(find(info.code).is_none_or(|(_, name, _)| *name == info.name), "{}", info.code);
        }
    }

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(CODES.is_sorted_by(|(a, _, _), (b, _, _)| a < b));
    }
}
