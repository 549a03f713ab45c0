//! What Kubernetes says: the webhook cannot be called, a pod is refused, a volume cannot be set up.

use crate::symptoms::commands::Next;
use crate::symptoms::model::Kind;
use crate::symptoms::signature::{SIGNATURE, Signature};

/// The webhook's name. OpenShift has its own (`pod-identity-webhook`).
const CALL: &[&str] = &[
    r"failed calling webhook \S{0,3} mutation\.azure-workload-identity\.io",
    r"failed calling webhook \S{0,3} pod-identity-webhook",
    r"azure-wi-webhook-webhook-service\.\S{1,80}\.svc",
];
const CALL_REACH: (usize, usize) = (60, 420);

const WEBHOOK: Signature = Signature {
    kind: Kind::Webhook,
    code: "WI302",
    gives: Some("WI302"),
    reach: CALL_REACH,
    points_to: &["WI302", "WI306", "WI304"],
    next: &[Next::WebhookPods, Next::WebhookLogs, Next::Inspect],
    ..SIGNATURE
};

const DENIED: Signature =
    Signature { kind: Kind::Webhook, code: "WI403", reach: (60, 500), next: &[Next::Inspect, Next::Fix], ..SIGNATURE };

const POD: Signature =
    Signature { kind: Kind::Pod, code: "WI403", next: &[Next::Describe, Next::Inspect], ..SIGNATURE };

const DENIAL: &[&str] = &[
    r"admission webhook \S{0,3} mutation\.azure-workload-identity\.io \S{0,3} denied the request",
    r"admission webhook \S{0,3} pod-identity-webhook\S{0,40} denied the request",
];

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "webhook-certificate",
        patterns: CALL,
        near: &[
            r"x509:|certificate signed by unknown authority|certificate has expired|failed to verify certificate|tls: bad certificate",
        ],
        gives: Some("WI306"),
        points_to: &["WI306", "WI304", "WI302"],
        means: "The API server does not trust the identity webhook's certificate, so pods with the label cannot be created.",
        causes: &[
            "the caBundle of the webhook configuration is old, empty, or was pruned by a GitOps tool",
            "two installations overwrite each other's certificate",
        ],
        next: &[Next::WebhookConfiguration, Next::WebhookPods, Next::Inspect],
        ..WEBHOOK
    },
    Signature {
        id: "webhook-service-missing",
        patterns: CALL,
        near: &[r"service \S{0,3} \S{1,60} not found"],
        points_to: &["WI302", "WI301", "WI304"],
        means: "The webhook configuration names a Service that does not exist: the webhook is gone, its configuration was left behind.",
        causes: &["the namespace or release was deleted, the MutatingWebhookConfiguration was not"],
        next: &[Next::WebhookConfiguration, Next::WebhookPods, Next::Inspect],
        ..WEBHOOK
    },
    Signature {
        id: "webhook-no-endpoints",
        patterns: CALL,
        near: &[r"no endpoints available"],
        means: "The identity webhook has no ready pod, so pods with the label cannot be created.",
        causes: &[
            "the webhook's pods are not ready: not scheduled, killed for memory, being replaced",
            "all of them ran on a node that went away",
        ],
        ..WEBHOOK
    },
    Signature {
        id: "webhook-answers-otherwise",
        patterns: CALL,
        near: &[
            r"server gave http response to https client|:eof|connection reset|malformed http|bad gateway|upstream connect error",
        ],
        means: "Something else than the identity webhook answers the API server: a proxy or a service mesh stands in front of it.",
        causes: &["a mesh sidecar in the webhook's pods", "a proxy between the API server and the cluster's network"],
        ..WEBHOOK
    },
    Signature {
        id: "webhook-unreachable",
        patterns: CALL,
        near: &[
            r"context deadline exceeded|i/o timeout|client\.timeout|connection refused|no route to host|timed out|network is unreachable|dial tcp|failed to call webhook",
        ],
        means: "The API server cannot reach the identity webhook, so pods with the label cannot be created.",
        causes: &[
            "a firewall between the API server and port 9443 of the webhook's pods (private GKE clusters, for example)",
            "a NetworkPolicy in the webhook's namespace that lets no API server in",
            "the tunnel of the managed control plane (konnectivity) is down",
            "the webhook's pods are starting or overloaded",
        ],
        ..WEBHOOK
    },
    Signature {
        id: "denied-account-missing",
        patterns: DENIAL,
        near: &[r"serviceaccounts? \S{1,80} not found"],
        gives: Some("WI201"),
        points_to: &["WI201", "WI105"],
        means: "The webhook refuses the pod: the service account that it names does not exist.",
        causes: &["the account was never created, or in another namespace"],
        ..DENIED
    },
    Signature {
        id: "denied-expiration",
        patterns: DENIAL,
        near: &[r"token expiration \S{1,20} not valid|strconv\.parseint"],
        unless: &[r"proxy sidecar port"],
        gives: Some("WI111"),
        points_to: &["WI111"],
        means: "The webhook refuses the pod: the annotation service-account-token-expiration is no integer from 3600 to 86400.",
        causes: &["the annotation on the pod or on its account has a unit, blanks, or a value out of range"],
        ..DENIED
    },
    Signature {
        id: "denied-proxy",
        patterns: DENIAL,
        near: &[r"cannot inject proxy sidecar|proxy sidecar port"],
        gives: Some("WI112"),
        points_to: &["WI112"],
        means: "The webhook refuses the pod: the proxy sidecar cannot be injected as it is asked for.",
        causes: &[
            "hostNetwork together with inject-proxy-sidecar (its value does not matter, only its presence)",
            "proxy-sidecar-port is no number",
        ],
        ..DENIED
    },
    Signature {
        id: "denied",
        patterns: DENIAL,
        unless: &[r"serviceaccounts? \S{1,80} not found|token expiration|strconv\.parseint|proxy sidecar"],
        gives: Some("WI403"),
        points_to: &["WI403", "WI302"],
        means: "The identity webhook refuses the pod.",
        causes: &["the text after `denied the request` says why"],
        ..DENIED
    },
    Signature {
        id: "account-missing",
        kind: Kind::Pod,
        code: "WI201",
        gives: Some("WI201"),
        patterns: &[r"error looking up service account \S{1,160}: serviceaccount \S{1,100} not found"],
        points_to: &["WI201", "WI105"],
        means: "The pods name a service account that does not exist, so they cannot be created.",
        causes: &["the account was never created, or in another namespace", "a chart was installed with create: false"],
        next: &[Next::Inspect],
        ..SIGNATURE
    },
    Signature {
        id: "webhook-rights",
        kind: Kind::Webhook,
        code: "WI302",
        gives: Some("WI302"),
        patterns: &[
            r"azure-wi-webhook-admin \S{0,3} cannot (?:get|list|watch|update|patch) resource",
            r"cannot update resource \S{0,3} mutatingwebhookconfigurations",
        ],
        points_to: &["WI304", "WI302"],
        means: "The identity webhook lacks its own rights in the cluster.",
        causes: &[
            "two installations (the AKS add-on and a chart, for example) overwrite each other's ClusterRoleBinding",
            "the RBAC objects were changed",
        ],
        next: &[Next::WebhookPods, Next::WebhookLogs, Next::Inspect],
        ..SIGNATURE
    },
    Signature {
        id: "webhook-two-owners",
        kind: Kind::Webhook,
        code: "WI304",
        gives: Some("WI304"),
        patterns: &[r"invalid ownership metadata"],
        near: &[r"azure-wi-webhook|workload-identity"],
        reach: (500, 500),
        points_to: &["WI304"],
        means: "A chart of the webhook is to be installed where another installation of it is already.",
        causes: &["the AKS add-on is enabled: leave the chart out, or disable the add-on"],
        next: &[Next::WebhookPods, Next::Inspect],
        ..SIGNATURE
    },
    Signature {
        id: "webhook-settings",
        kind: Kind::Webhook,
        code: "WI310",
        gives: Some("WI310"),
        patterns: &[
            r"there is no cloud environment matching the name",
            r"unable to set up pod mutator",
            r"required key azure_tenant_id missing value",
            r"azure_tenant_id is required",
        ],
        points_to: &["WI310"],
        means: "The identity webhook does not start: its configuration is wrong.",
        causes: &[
            "AZURE_ENVIRONMENT is no cloud's name (a placeholder that was applied unfilled, perhaps)",
            "AZURE_TENANT_ID is missing in ConfigMap azure-wi-webhook-config",
        ],
        next: &[
            Next::Run("kubectl get configmap -A -l azure-workload-identity.io/system=true -o yaml"),
            Next::WebhookPods,
        ],
        ..SIGNATURE
    },
    Signature {
        id: "webhook-certificate-missing",
        kind: Kind::Webhook,
        code: "WI306",
        patterns: &[r"cert secret is not well-formed, missing ca\.crt"],
        points_to: &["WI306", "WI304"],
        probable: true,
        step: true,
        means: "The webhook's certificate Secret has no authority in it: normal for a moment at the first start, a fault where it stays.",
        causes: &["the Secret azure-wi-webhook-server-cert was replaced or emptied"],
        next: &[Next::WebhookPods, Next::WebhookLogs],
        ..SIGNATURE
    },
    Signature {
        id: "proxy-forbidden",
        patterns: &[r"violates podsecurity"],
        near: &[r"azwi-proxy"],
        reach: (300, 900),
        gives: Some("WI112"),
        points_to: &["WI112"],
        means: "Pod Security refuses the pod: the injected proxy's init container is privileged.",
        causes: &[
            "the namespace enforces baseline or restricted, and inject-proxy-sidecar is set: an SDK with workload identity needs no proxy",
        ],
        ..POD
    },
    Signature {
        id: "proxy-not-mutated",
        patterns: &[r"azure_tenant_id not set", r"failed to probe proxy"],
        near: &[r"prox"],
        code: "WI112",
        gives: None,
        points_to: &["WI401", "WI101", "WI112"],
        means: "The workload identity proxy runs in the pod and has no identity itself: the pod was not mutated.",
        causes: &["the proxy was written into the template by hand (azwi detect), without the pod's label"],
        ..POD
    },
    Signature {
        id: "volume-on-windows",
        code: "WI118",
        gives: Some("WI118"),
        patterns: &[r"not supported by windows"],
        near: &[r"azure-identity-token|azure-workload-identity-reserved|/var/run/secrets/azure|projected|chown"],
        reach: (500, 200),
        points_to: &["WI118"],
        means: "The kubelet cannot set up the token volume on this Windows node: it would have to change the file's owner.",
        causes: &["the pod has runAsUser or fsGroup: remove it and set spec.os.name: windows"],
        next: &[Next::Inspect, Next::Fix],
        ..POD
    },
    Signature {
        id: "volume-configmap-missing",
        patterns: &[
            r"mountvolume\.setup failed for volume \S{0,3} (?:azure-identity-token|azure-workload-identity-reserved)",
        ],
        near: &[r"configmap \S{1,80} not found|clustertrustbundle"],
        points_to: &["WI115", "WI310"],
        means: "The token volume also holds a certificate authority (identity binding mode), whose ConfigMap is missing in the pod's namespace.",
        causes: &[
            "the ConfigMap exists in the webhook's namespace only: it has to be in every namespace with such pods",
        ],
        ..POD
    },
    Signature {
        id: "volume-token-denied",
        patterns: &[
            r"mountvolume\.setup failed for volume \S{0,3} (?:azure-identity-token|azure-workload-identity-reserved)",
            r"failed to fetch token:? .{0,160} serviceaccounts",
        ],
        unless: &[r"configmap \S{1,80} not found|clustertrustbundle|not supported by windows"],
        probable: true,
        points_to: &["WI201", "WI302", "WI410"],
        means: "The kubelet cannot get a token for the pod's account, so the pod does not start.",
        causes: &[
            "the service account was deleted after the pod was created",
            "the node may not ask for tokens (TokenRequest), or the API server does not answer",
        ],
        ..POD
    },
    Signature {
        id: "mount-twice",
        patterns: &[
            r"mountpath: invalid value: \S{0,3} /var/run/secrets/azure/\S{1,120} must be unique",
            r"duplicate value: .{0,40} azure-(?:identity-token|workload-identity-reserved)",
        ],
        gives: Some("WI312"),
        points_to: &["WI312", "WI114", "WI304"],
        means: "The token volume is there twice, so the API server refuses the pod.",
        causes: &[
            "webhook 1.6.0 was called twice for the pod, and another webhook gave the pod its name in between",
            "the template was copied from a running pod, with what had been injected",
            "two installations of the webhook",
        ],
        next: &[Next::Inspect, Next::Run("kubectl get mutatingwebhookconfigurations")],
        ..POD
    },
    Signature {
        id: "native-sidecar-lost",
        patterns: &[r"may not be set for init containers without restartpolicy=always"],
        gives: Some("WI313"),
        points_to: &["WI313"],
        means: "An init container was a native sidecar and is none any more: a webhook that is older than Kubernetes 1.28 has removed its restartPolicy.",
        causes: &["identity webhook 1.0 to 1.2 writes pods back without fields that it does not know: upgrade it"],
        next: &[Next::Inspect, Next::WebhookPods],
        ..POD
    },
    Signature {
        id: "mirror-pod",
        patterns: &[
            r"mirror pod may not .{0,60} serviceaccounttoken",
            r"a mirror pod may not (?:reference|use|have) service account",
        ],
        gives: Some("WI116"),
        points_to: &["WI116"],
        means: "A static pod cannot have a token of a service account.",
        causes: &["the pod is started by the kubelet from a file: run it as a DaemonSet or Deployment"],
        ..POD
    },
    Signature {
        id: "virtual-node",
        patterns: &[
            r"pod \S{0,60} volume \S{1,100} (?:projected|serviceaccounttoken) \S{0,100} not supported",
            r"virtual-?kubelet .{0,200} (?:projected|serviceaccounttoken) .{0,80} (?:not|un) supported",
        ],
        gives: Some("WI119"),
        points_to: &["WI119"],
        means: "The pod runs on a virtual node (Azure Container Instances), where projected account tokens do not work.",
        causes: &["the pod tolerates or selects the virtual node"],
        ..POD
    },
    Signature {
        id: "csi-tokens-missing",
        kind: Kind::Application,
        code: "WI802",
        patterns: &[
            r"service account tokens not found",
            r"failed to parse workload identity tokens",
            r"service account token .{0,40} not (?:found|provided) in (?:volume|mount)",
        ],
        points_to: &["WI777", "WI773"],
        means: "The CSI driver got no token of the pod's account from the kubelet.",
        causes: &[
            "the CSIDriver object lacks tokenRequests with the audience api://AzureADTokenExchange",
            "the driver or its provider is older than 1.1.0",
        ],
        next: &[Next::Run("kubectl get csidriver secrets-store.csi.k8s.io -o yaml"), Next::Inspect],
        ..SIGNATURE
    },
    Signature {
        id: "csi-client-id-missing",
        kind: Kind::Application,
        code: "WI802",
        patterns: &[
            r"workload identity client id and service account token are required",
            r"nodepublishsecretref secret is not set",
            r"no identity mode is enabled",
        ],
        points_to: &["WI773", "WI777"],
        means: "The SecretProviderClass chooses no identity: its clientID is missing or empty, or no token came with the mount.",
        causes: &[
            "parameters.clientID of the SecretProviderClass is missing (the account's annotation is not read here)",
            "the CSIDriver object asks for no tokens",
        ],
        next: &[Next::Run("kubectl get secretproviderclass -A"), Next::Inspect],
        ..SIGNATURE
    },
];
