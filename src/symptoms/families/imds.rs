//! The node's metadata endpoint was asked: a managed identity of the node instead of the pod's own.

use crate::symptoms::commands::Next;
use crate::symptoms::model::Kind;
use crate::symptoms::signature::{SIGNATURE, Signature};

const NODE: Signature = Signature {
    kind: Kind::NodeIdentity,
    code: "WI801",
    step: true,
    points_to: FALLBACK,
    causes: FALLBACK_CAUSES,
    next: &[Next::Inspect, Next::Fix],
    ..SIGNATURE
};

const FALLBACK: &[&str] = &["WI101", "WI401", "WI301", "WI775", "WI776"];
const FALLBACK_CAUSES: &[&str] = &[
    "the pod was not mutated (no label in the pod template, no webhook, or older than both), so the SDK went on to the node's identity",
    "the application or its SDK is too old for workload identity, or asks for a managed identity outright",
    "a setting of the application forces a managed identity (user_assigned_id, useManagedIdentityExtension, authType ManagedIdentity, ...)",
    "opening the endpoint or assigning the identity to the nodes is no cure: it hides the fault behind the node's identity",
];

/// The endpoint's address, also as people mask it.
const ENDPOINT: &str = r"(?:169\.254\.169\.254|metadata/identity/oauth2/token)";

const UNREACHABLE: &[&str] = &[
    r"context deadline exceeded|i/o timeout|client\.timeout|timed? out|deadline",
    r"connection refused|connection reset|no route to host|network is unreachable|host is down|host unreachable",
    r"ehostunreach|etimedout|econnrefused|enetunreach|connecttimeout|max retries exceeded|socket operation|connect:",
];

/// The most telling wording first: of several in one error, it is the one that is shown.
pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "imds-by-old-sdk",
        // adal and go-autorest: older than workload identity.
        patterns: &[
            r"azure\.(?:bearer|multitenantserviceprincipaltoken)authorizer\#withauthorization: failed to refresh the token",
            r"adal: refresh request failed",
            r"azure\.multitenantserviceprincipaltokenauthorizer",
        ],
        near: &[ENDPOINT, r"identity not found", r"multiple user assigned"],
        unless: &[r"aadsts", r"created state failed", r"no azure identity found"],
        reach: (200, 900),
        points_to: &["WI775", "WI705", "WI101", "WI776"],
        means: "An SDK from before workload identity (adal, go-autorest) asked the node's metadata endpoint. It cannot do otherwise.",
        causes: &[
            "the application or plugin is older than its first version with workload identity: upgrade it",
            "the application is configured for a managed identity",
        ],
        ..NODE
    },
    Signature {
        id: "imds-by-java-driver",
        // The SQL driver's ActiveDirectoryMSI before azure-identity, and azure-client-authentication.
        patterns: &[r"failed to acquire token from msi endpoint", r"acquire access token from imds"],
        points_to: &["WI775", "WI776", "WI101"],
        means: "A Java library from before workload identity asked the node's metadata endpoint. It cannot do otherwise.",
        causes: &[
            "the library is older than its first version with workload identity (mssql-jdbc 12.2 with azure-identity 1.9): upgrade it",
            "authentication=ActiveDirectoryMSI: with workload identity it is ActiveDirectoryDefault, or ActiveDirectoryManagedIdentity with azure-identity 1.9 or later",
        ],
        ..NODE
    },
    Signature {
        id: "imds-by-app-authentication",
        // Microsoft.Azure.Services.AppAuthentication never does workload identity.
        patterns: &[r"microsoft\.azure\.services\.appauthentication", r"azureservicetokenprovider"],
        points_to: &["WI775", "WI309"],
        means: "The application uses Microsoft.Azure.Services.AppAuthentication, which asks the node's endpoint and never does workload identity.",
        causes: &[
            "the library: replace it with Azure.Identity 1.9.0 or later (DefaultAzureCredential or WorkloadIdentityCredential)",
        ],
        ..NODE
    },
    Signature {
        id: "imds-throttled",
        patterns: &[r"temporarily throttled, too many requests"],
        near: &[ENDPOINT, r"adal|msi|managed identity"],
        reach: (900, 600),
        means: "The node's metadata endpoint has been asked too often: the application uses the node's identity for every call.",
        ..NODE
    },
    Signature {
        id: "imds-identity-not-assigned",
        patterns: &[
            r#""?error_description"?:"?identity not found"#,
            r"(?:requested identity|identity) (?:isn't|is not|has not been|hasn't been) assigned to this resource",
            r"the managed identity endpoint is indicating there's no available identity",
        ],
        means: "The node's metadata endpoint was asked for the identity and does not know it: it is not assigned to the node. It should not be: the pod is to exchange its own token.",
        ..NODE
    },
    Signature {
        id: "imds-several-identities",
        patterns: &[r"multiple user -?assigned identities exist"],
        means: "The node's metadata endpoint was asked without a client id, and the node has several identities (add-ons bring their own).",
        ..NODE
    },
    Signature {
        id: "imds-none-assigned",
        patterns: &[
            r"no (?:default)? identity (?:is|has been) assigned to this resource",
            r"no default identity is assigned",
            r"failed to authenticate a system assigned identity",
        ],
        means: "The node's metadata endpoint was asked without a client id, and the node has no identity of its own.",
        ..NODE
    },
    Signature {
        id: "imds-unreachable",
        patterns: &[r"169\.254\.169\.254"],
        near: UNREACHABLE,
        unless: &[r"created state failed", r"nmi"],
        reach: (200, 350),
        means: "The process asked the node's metadata endpoint for a token, which cannot be reached from this pod. Workload identity never needs that endpoint.",
        ..NODE
    },
    Signature {
        id: "imds-unavailable",
        patterns: &[
            r"managed identity timed out",
            r"imds token request timed out",
            r"no response from the imds endpoint",
            r"no managed identity endpoint found",
            r"no response received from the managed identity endpoint",
            r"attempted to use the imds endpoint,? but it is not available",
            r"managed identity endpoint (?:is|was)? (?:not|n't) (?:found|available|reachable)",
            r"multiple attempts failed to obtain a token from the managed identity endpoint",
            r"managed identity authentication is not available",
            r"connection to imds endpoint cannot be established",
            r"imds endpoint (?:is)? (?:unavailable|unreachable|not available)",
            r"failed to connect to (?:the)? (?:imds|msi)",
            r"could not connect to (?:the)? (?:imds|managed identity|msi) endpoint",
            r"managed_identity_unreachable_network",
            r"no msi credential available",
            r"msi endpoint (?:is)? (?:not available|unavailable|not found)",
            r"managedidentitycredential:? (?:is unavailable|authentication unavailable)",
            r"managedidentitycredential - (?:unavailable|imds)",
        ],
        means: "The SDK tried the node's managed identity and got no answer. In a pod that is meant for workload identity it should not have come that far.",
        ..NODE
    },
    Signature {
        id: "imds-failed",
        patterns: &[
            r"managedidentitycredential authentication failed",
            r"managed_identity_request_failed",
            r"\[managed identity\] (?:error|authentication unavailable|failed)",
            r"metadata/identity/oauth2/token",
            r"failed to connect to msi\. please make sure msi is configured correctly",
        ],
        near: &[
            r"respon[sd]e? [45][0-9]{2}|status(?:code)?:?=?'?[45][0-9]{2}|[45][0-9]{2} (?:bad|not|internal|gateway|forbidden|too)",
            r"fail|error|exception|unavailable|denied",
        ],
        means: "The process asked the node's metadata endpoint for a token and was refused. It did not choose workload identity.",
        ..NODE
    },
    Signature {
        id: "imds-chosen-without-token",
        // cert-manager's controller says so before it goes to the node's identity.
        patterns: &[
            r"no azure workload identity found: attempting to authenticate with an azure managed service identity",
        ],
        means: "cert-manager found no workload identity in its environment and asks for the node's identity instead.",
        causes: &[
            "the controller's pods are not mutated: podLabels and the account's annotation are missing, or the pods are older",
        ],
        points_to: &["WI101", "WI401", "WI202", "WI301"],
        ..NODE
    },
    Signature {
        id: "imds-used",
        patterns: &[
            r"(?:acquired a token from|authenticated with|returning a? token from|credential selected: (?:azure\.identity\.)?) managedidentitycredential",
            r"attempted credential managedidentitycredential returns a token",
            r"result for managedidentitycredential: success",
            r"managedidentitycredential will use (?:imds|azure vm)",
        ],
        probable: true,
        means: "The token came from the node's identity, not from the pod's. It works for as long as the node's identity happens to have the role.",
        ..NODE
    },
];
