//! What the request lacks, or asks for in vain; and what passes by itself.

use super::{Confidence, ENTRY, Entry, Kind};

const SCOPE: &str = "ask for RESOURCE/.default, for example https://storage.azure.com/.default";
const AGAIN: &str = "try again after a while; if it stays, give Microsoft the correlation id";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: 900_144,
        title: "The request body must contain a parameter",
        kind: Kind::Request,
        meaning: "The request lacks a field. Where it is client_id, the pod was mutated and AZURE_CLIENT_ID is empty: webhooks up to 1.5.0 inject an empty one where the account has no annotation.",
        causes: &[
            "the service account that the pod runs as has no azure.workload.identity/client-id annotation",
            "an empty AZURE_CLIENT_ID in the pod template",
        ],
        actions: &["annotate the account with the identity's client id and restart the pods"],
        points_to: &["WI202", "WI204", "WI108", "WI105", "WI305"],
        source: "cert-manager issue 5989",
        ..ENTRY
    },
    Entry {
        code: 7_000_218,
        title: "The request body must contain client_assertion or client_secret",
        kind: Kind::Request,
        meaning: "No token was sent.",
        causes: &[
            "the token file was empty",
            "the application sends no assertion: its code does not do workload identity",
        ],
        actions: &["look at the token file with kubectl wi exec-probe"],
        points_to: &["WI410", "WI776", "WI775"],
        ..ENTRY
    },
    Entry {
        code: 500_011,
        title: "The resource principal was not found in the tenant",
        kind: Kind::Request,
        meaning: "The identity is fine; the resource that the token was asked for does not exist in this tenant.",
        causes: &[
            "a wrong resource or scope",
            "the resource of another cloud (public ARM in China or US Government)",
            "the tenant never used that service",
        ],
        actions: &[
            "correct the scope or audience of the application's configuration",
            "compare the cloud of AZURE_AUTHORITY_HOST and of the resource",
        ],
        points_to: &["WI776", "WI310", "WI774"],
        source: "Microsoft Entra error codes; blob-csi-driver issue 2649",
        ..ENTRY
    },
    Entry {
        code: 50001,
        title: "The resource was not found in the tenant",
        kind: Kind::Request,
        meaning: "The resource that the token was asked for does not exist in this tenant.",
        causes: &["a wrong resource or scope", "a wrong tenant"],
        actions: &["correct the scope or audience of the application's configuration"],
        points_to: &["WI776", "WI509"],
        ..ENTRY
    },
    Entry {
        code: 650_057,
        title: "Invalid resource",
        kind: Kind::Request,
        meaning: "The application asked for a resource that it has not listed.",
        causes: &["a wrong resource or scope"],
        actions: &[SCOPE],
        points_to: &["WI776"],
        ..ENTRY
    },
    Entry {
        code: 70011,
        title: "The provided value for the input parameter 'scope' is not valid",
        kind: Kind::Request,
        meaning: "The scope has the wrong form.",
        causes: &["the scope does not end with /.default, or names no resource"],
        actions: &[SCOPE],
        points_to: &["WI776"],
        ..ENTRY
    },
    Entry {
        code: 1_002_012,
        title: "Client credential flows must have a scope value with /.default suffixed",
        kind: Kind::Request,
        meaning: "The scope does not end with /.default.",
        causes: &["a scope for people's logins is used for a workload"],
        actions: &[SCOPE],
        points_to: &["WI776"],
        ..ENTRY
    },
    Entry {
        code: 28002,
        title: "The scope is not valid",
        kind: Kind::Request,
        meaning: "The scope has the wrong form.",
        causes: &["several resources, or none, in one scope"],
        actions: &[SCOPE],
        points_to: &["WI776"],
        ..ENTRY
    },
    Entry {
        code: 901_002,
        title: "The 'resource' request parameter is not supported",
        kind: Kind::Request,
        meaning: "The request mixes the two versions of the token endpoint.",
        causes: &["a scope or resource of the old form is sent to the new endpoint"],
        actions: &[SCOPE],
        points_to: &["WI776"],
        ..ENTRY
    },
    Entry {
        code: 90013,
        title: "Invalid input",
        kind: Kind::Request,
        meaning: "A parameter of the request cannot be read.",
        causes: &["a placeholder or blanks in the tenant, the client id or the scope"],
        actions: &["look at the values that the container has: kubectl wi exec-probe"],
        points_to: &["WI203", "WI205", "WI108"],
        ..ENTRY
    },
    Entry {
        code: 900_561,
        title: "The endpoint only accepts POST requests",
        kind: Kind::Request,
        meaning: "Something in between has turned the request into a GET.",
        causes: &["a proxy that follows redirects"],
        actions: &["let the authority host go past the proxy (NO_PROXY)"],
        points_to: &["WI420"],
        confidence: Confidence::Medium,
        ..ENTRY
    },
    Entry {
        code: 90024,
        title: "RequestBudgetExceededError: a transient error has occurred",
        kind: Kind::Transient,
        meaning: "Entra could not answer in time.",
        causes: &["load on Entra's side"],
        actions: &[AGAIN],
        points_to: &["WI419"],
        confidence: Confidence::Low,
        ..ENTRY
    },
    Entry {
        code: 90033,
        title: "A transient error has occurred",
        kind: Kind::Transient,
        meaning: "Entra could not answer for the moment.",
        causes: &["a passing fault of Entra's"],
        actions: &[AGAIN],
        points_to: &["WI419"],
        confidence: Confidence::Medium,
        ..ENTRY
    },
    Entry {
        code: 90055,
        title: "TenantThrottlingError: there are too many incoming requests",
        kind: Kind::Transient,
        meaning: "The tenant sends too many requests.",
        causes: &["many pods that exchange without keeping their access tokens"],
        actions: &["keep one credential object in the application, which caches its tokens", AGAIN],
        points_to: &["WI419"],
        confidence: Confidence::Low,
        ..ENTRY
    },
    Entry {
        code: 50196,
        title: "The server terminated an operation because it encountered a client request loop",
        kind: Kind::Transient,
        meaning: "The same request came too often in a short time.",
        causes: &["an application that makes a new credential for every call, or retries without a pause"],
        actions: &["keep one credential object in the application, which caches its tokens", AGAIN],
        points_to: &["WI419", "WI776"],
        confidence: Confidence::Medium,
        ..ENTRY
    },
    Entry {
        code: 90006,
        title: "External server retryable error",
        kind: Kind::Transient,
        meaning: "A service behind Entra is not available for the moment.",
        causes: &["a passing fault"],
        actions: &[AGAIN],
        points_to: &["WI419"],
        confidence: Confidence::Medium,
        ..ENTRY
    },
];
