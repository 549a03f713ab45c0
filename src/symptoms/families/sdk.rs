//! What the Azure SDKs and MSAL say where workload identity is not configured.
//!
//! The credentials of Go, .NET, Java, Python, JavaScript, Rust and C++ look for client id, tenant and token file in
//! orders of their own, and name the first that is missing: Go and JavaScript begin with the client id, the others
//! with the tenant. So a missing client id in Rust tells that the rest is there.

use crate::symptoms::commands::Next;
use crate::symptoms::model::Kind;
use crate::symptoms::signature::{SIGNATURE, Signature};

const NOT_CONFIGURED: Signature =
    Signature { kind: Kind::NotConfigured, code: "WI802", step: true, next: &[Next::Inspect, Next::Fix], ..SIGNATURE };

const TOKEN_FILE: Signature = Signature { kind: Kind::TokenFile, next: &[Next::Inspect, Next::Probe], ..SIGNATURE };

/// Nothing was injected; which part is missing first does not tell more.
const NOT_INJECTED: &[&str] = &["WI101", "WI401", "WI301", "WI202", "WI107", "WI303"];
const NOT_INJECTED_CAUSES: &[&str] = &[
    "the pod template lacks the label azure.workload.identity/use: \"true\" (a label on the Deployment's own metadata or on the service account does nothing)",
    "the pod is older than the label or the webhook: it has to be recreated",
    "the identity webhook is not installed: an OIDC issuer alone does not bring it",
    "the service account that the pod runs as has no client-id annotation",
    "the container is named in skip-containers, or another webhook added it later",
];
const NO_TOKEN: &[&str] = &["WI101", "WI401", "WI301", "WI107", "WI303"];
const NO_TOKEN_CAUSES: &[&str] = &[
    "the pod template lacks the label azure.workload.identity/use: \"true\"",
    "the pod is older than the label or the webhook: it has to be recreated",
    "the identity webhook is not installed, or leaves this namespace out",
    "the container is named in skip-containers, or another webhook added it later",
];
const NO_ANNOTATION: &[&str] = &["WI202", "WI204", "WI105", "WI108"];
const NO_ANNOTATION_CAUSES: &[&str] = &[
    "the service account that the pod runs as has no annotation azure.workload.identity/client-id",
    "the annotation is misspelt (clientId, client_id), or sits on another object",
    "the pod runs as another account than the annotated one, or was started before it was annotated",
];

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "no-client-id",
        // azidentity for Go, workload_identity.go; azure-identity for C++ has the same words.
        patterns: &[r"no client id specified"],
        unless: &[r"set client_id in the options"],
        points_to: NOT_INJECTED,
        means: "The container has no AZURE_CLIENT_ID. In Go that is the first value that is looked for, so the token file may be missing as well.",
        causes: NOT_INJECTED_CAUSES,
        ..NOT_CONFIGURED
    },
    Signature {
        id: "no-client-id-alone",
        // azure_identity for Rust reads tenant and token file first; older Python reads the tenant first.
        patterns: &[
            r"no client id specified\. check pod configuration or set client_id in the options",
            r"'client_id' is required\. please pass it in or set the azure_client_id",
            r"workload identity was selected but no client id was provided",
            r"missing required arguments:? ['\[]* client_id ['\]]* (?:[^,'\]]|$)",
            r"the client_id parameter or azure_client_id environment variable must be set",
        ],
        points_to: NO_ANNOTATION,
        means: "Tenant and token file are there, so the pod was mutated; only the client id is missing.",
        causes: NO_ANNOTATION_CAUSES,
        ..NOT_CONFIGURED
    },
    Signature {
        id: "no-token-file",
        // azidentity for Go; "token source" from the releases with a custom token endpoint on.
        patterns: &[r"no token (?:file|source) specified", r"'token_file_path' is required\. please pass it in"],
        points_to: NO_TOKEN,
        means: "The container has no AZURE_FEDERATED_TOKEN_FILE: the webhook did not touch this pod. A client id was found; the application or its template sets it.",
        causes: NO_TOKEN_CAUSES,
        ..NOT_CONFIGURED
    },
    Signature {
        id: "no-tenant",
        patterns: &[
            r"no tenant id specified\. check pod",
            r"'tenant_id' is required\. please pass it in or set the azure_tenant_id",
        ],
        points_to: NO_TOKEN,
        means: "The container has no AZURE_TENANT_ID: the webhook did not touch this pod.",
        causes: NO_TOKEN_CAUSES,
        ..NOT_CONFIGURED
    },
    Signature {
        id: "options-not-configured",
        // .NET, Java, Python.
        patterns: &[
            r"workload options are not fully configured",
            r"workloadidentitycredential (?:authentication)? (?:is)? unavailable",
            r"workload identity (?:credential)? (?:is not|isn't) (?:fully)? configured",
            r"missing required arguments:? ['\[]* (?:tenant_id|token_file_path)",
            r"missing required arguments:? ['\[]* client_id ['\]]* ,",
        ],
        points_to: NOT_INJECTED,
        means: "One or more of AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE are missing in the container.",
        causes: NOT_INJECTED_CAUSES,
        ..NOT_CONFIGURED
    },
    Signature {
        id: "js-parameter-missing",
        // @azure/identity, workloadIdentityCredential.ts
        patterns: &[
            r"workloadidentitycredential:? is unavailable\. \S{0,60} (?:is a required parameter|are required parameters)",
            r"workloadidentitycredential:? is unavailable\. invalid file path provided",
        ],
        points_to: NOT_INJECTED,
        means: "One or more of AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE are missing in the container.",
        causes: NOT_INJECTED_CAUSES,
        ..NOT_CONFIGURED
    },
    Signature {
        id: "variable-not-set",
        patterns: &[
            r#"azure_(?:client_id|tenant_id|federated_token_file|authority_host) ['"`]? \)? (?:env(?:ironment)?)? (?:variable|var)? (?:is|was|are)? (?:not|n't) (?:set|defined|found|present|provided|configured)"#,
            r#"azure_(?:client_id|tenant_id|federated_token_file|authority_host) ['"`]? \)? (?:env(?:ironment)?)? (?:variable|var)? (?:is|was)? (?:empty|missing|required|undefined|unset|mustbeset)"#,
            r#"(?:missing|undefined|unset|required) (?:env(?:ironment)?)? (?:variables?|vars?) :? ['"`]? azure_(?:client_id|tenant_id|federated_token_file)"#,
            r"azure_client_id, azure_tenant_id,? and azure_federated_token_file must be set",
        ],
        unless: &[r"environmentcredential:? (?:missing|incomplete)", r"(?:secret|configmap|key) \S{0,20} not found"],
        reach: (60, 60),
        points_to: NOT_INJECTED,
        means: "The application looked for a variable that the webhook injects, and the container does not have it.",
        causes: NOT_INJECTED_CAUSES,
        ..NOT_CONFIGURED
    },
    Signature {
        id: "empty-token-path",
        // open("") in Go, Python and Node: the variable is not there, the code opened its empty value.
        patterns: &[
            r"\bopen :? no such file or directory",
            r"(?:token|assertion|file) [-:]? open:nosuchfileordirectory",
            r"no such file or directory: ''",
            r"no such file or directory, open ''",
        ],
        unless: &[r"failed to read credentials from file"],
        reach: (120, 20),
        points_to: NO_TOKEN,
        means: "The application opened a token file without a name: AZURE_FEDERATED_TOKEN_FILE is empty, the pod was not mutated.",
        causes: NO_TOKEN_CAUSES,
        ..NOT_CONFIGURED
    },
    Signature {
        id: "authority-empty",
        // MSAL for Go, with an empty AZURE_AUTHORITY_HOST (Azure/azure-workload-identity issue 611).
        patterns: &[r"the authority does not appear to use https", r"cannot use an authority host without https"],
        points_to: &["WI101", "WI401", "WI301", "WI108", "WI310"],
        means: "AZURE_AUTHORITY_HOST is empty or no https address: mostly nothing was injected.",
        causes: &[
            "the pod was not mutated: label, webhook, or a pod that is older than both",
            "the pod template sets AZURE_AUTHORITY_HOST itself",
        ],
        ..NOT_CONFIGURED
    },
    Signature {
        id: "tenant-id-invalid",
        patterns: &[r"invalid tenant id(?: provided)?\. you can locate your tenant"],
        points_to: &["WI205", "WI310", "WI108"],
        means: "The tenant id that the SDK got is no tenant id.",
        causes: &[
            "a placeholder such as ${AZURE_TENANT_ID} in the webhook's configuration or in the pod template",
            "quotes or blanks in the account's tenant-id annotation",
        ],
        ..NOT_CONFIGURED
    },
    Signature {
        id: "tenant-not-allowed",
        patterns: &[r"(?:isn't|is not) configured to acquire tokens for tenant"],
        points_to: &["WI509", "WI205", "WI776"],
        means: "The resource belongs to another tenant than the credential was made for, and the SDK does not switch by itself.",
        causes: &[
            "the tenant id of the account or the webhook is not the resource's",
            "the application asks across tenants without saying so in the SDK's options",
        ],
        ..NOT_CONFIGURED
    },
    Signature {
        id: "identity-binding-variables",
        // azidentity for Go from 1.14: identity bindings.
        patterns: &[
            r"azure_kubernetes_token_proxy is not set but other custom endpoint-related",
            r"only one of azure_kubernetes_ca_file and azure_kubernetes_ca_data",
            r"custom token endpoint must use https",
            r"failed to parse ca file .{0,80} azure_kubernetes",
        ],
        points_to: &["WI115", "WI310", "WI108"],
        means: "The variables of identity binding mode do not fit together.",
        causes: &[
            "the webhook's custom token endpoint is half configured",
            "the pod template sets one of the AZURE_KUBERNETES_ variables itself",
        ],
        ..NOT_CONFIGURED
    },
    Signature {
        id: "token-file-not-found",
        code: "WI410",
        patterns: &[
            r#"azure-identity-token ['")]{0,3} :? (?:open:)? no such file or directory"#,
            r#"no such file or directory[,:]? (?:open|file)? :? ['"]? /var/run/secrets/(?:azure|tokens)/\S{0,80}"#,
            r"enoent\S{0,60}/var/run/secrets/(?:azure|tokens)",
            r"(?:nosuchfileexception|filenotfoundexception|filenotfounderror)\S{0,60}/var/run/secrets/(?:azure|tokens)",
            r#"could not find (?:file|a part of the path) ['"]? /var/run/secrets/(?:azure|tokens)"#,
            r"failed to read federated token from file /\S{0,120} no such file",
        ],
        unless: &[r"(?:ls|cat|stat):(?:cannot|can't|/|')", r"permission denied"],
        reach: (40, 160),
        points_to: &["WI110", "WI401", "WI101"],
        means: "The application looked for the token at a path where none is. Webhooks from 1.6.0 on put it elsewhere (/var/run/secrets/azure/wi/...), and a pod that was not mutated has none at all.",
        causes: &[
            "the application or its configuration names the path instead of reading AZURE_FEDERATED_TOKEN_FILE; upgrade it, or give it the variable's value",
            "the pod was not mutated",
            "the volume is not mounted in this container",
        ],
        ..TOKEN_FILE
    },
    Signature {
        id: "token-file-empty",
        code: "WI410",
        patterns: &[r"no content on the file"],
        points_to: &["WI410", "WI412"],
        means: "The token file is empty: the kubelet could not write it.",
        causes: &["the kubelet could not get a token for the account; the pod's events say why"],
        ..TOKEN_FILE
    },
    Signature {
        id: "token-file-unreadable",
        code: "WI411",
        gives: Some("WI411"),
        patterns: &[
            r#"azure-identity-token ['")]{0,3} :? (?:open:)? permission denied"#,
            r#"permission denied[,:]? (?:open|file)? :? ['"]? /var/run/secrets/(?:azure|tokens)/"#,
            r"(?:accessdeniedexception|eacces)\S{0,60}/var/run/secrets/(?:azure|tokens)",
            r#"access to the path ['"]? /var/run/secrets/(?:azure|tokens)\S{0,80} (?:is|was) denied"#,
            r"failed to read federated token from file /\S{0,120} permission denied",
        ],
        points_to: &["WI411"],
        means: "The token is there, and the user that the container runs as may not read it.",
        causes: &[
            "the containers of the pod run as different users, or one without runAsUser: set fsGroup in the pod's securityContext",
            "Kubernetes 1.18, whose token files only root can read",
        ],
        next: &[Next::Inspect, Next::Probe, Next::Fix],
        ..TOKEN_FILE
    },
    Signature {
        id: "chain-failed",
        kind: Kind::Summary,
        code: "WI802",
        patterns: &[
            r"(?:defaultazurecredential|chainedtokencredential):? (?:authentication)? (?:failed|unavailable)",
            r"aggregateauthenticationerror",
            r"credentialunavailable(?:exception|error)",
            r"unable to get credential|no credential in this chain provided a token",
        ],
        points_to: NOT_INJECTED,
        probable: true,
        step: true,
        means: "No credential of the SDK's chain gave a token. The line of WorkloadIdentityCredential, or the first failure before this one, tells why.",
        causes: NOT_INJECTED_CAUSES,
        next: &[Next::Inspect, Next::Probe],
        ..SIGNATURE
    },
    Signature {
        id: "no-candidates",
        kind: Kind::Summary,
        code: "WI802",
        // NewChainedTokenCredential of Go with an empty list: every candidate's constructor failed (kedacore/keda issue 5006).
        patterns: &[r"sources must contain at least one tokencredential"],
        points_to: NO_TOKEN,
        probable: true,
        means: "The application could not build any credential; it follows from the line before it, mostly that no token file is specified.",
        causes: NO_TOKEN_CAUSES,
        next: &[Next::Inspect, Next::Fix],
        ..SIGNATURE
    },
];
