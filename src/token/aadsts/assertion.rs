//! The token that is sent: its life, its form, its maker.

use super::{Confidence, ENTRY, Entry, Kind};

const OWN_TOKEN: &str = "send the projected token (AZURE_FEDERATED_TOKEN_FILE) itself";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: 700_024,
        title: "Client assertion is not within its valid time range",
        kind: Kind::Assertion,
        meaning: "The token was expired, or not valid yet, when Entra got it. The kubelet renews the file, so mostly the application did not read it again.",
        causes: &[
            "the application reads the token file once and keeps it (old SDKs: Rust azure_identity 0.20 and 0.21, Pulumi azure-native before 2026, Terraform's OIDC authorizer, old MSAL samples)",
            "the file is mounted by subPath, baked into an image or copied: it is never renewed",
            "the node's clock is wrong",
            "the kubelet cannot renew the token",
        ],
        actions: &[
            "restart the pod: if that helps for an hour or a day, it is the application or a subPath mount",
            "upgrade the SDK",
            "check the node's time",
        ],
        points_to: &["WI421", "WI114", "WI412", "WI417"],
        source: "Azure/azure-workload-identity issue 693; azure-sdk-for-rust issue 1739",
        ..ENTRY
    },
    Entry {
        code: 500_133,
        title: "Assertion is not within its valid time range",
        kind: Kind::Assertion,
        meaning: "An expired token was used as the assertion of a person's login (on behalf of), not of a workload.",
        causes: &["the application exchanges a caller's token that has expired"],
        actions: &["get a fresh token from the caller"],
        points_to: &["WI776"],
        ..ENTRY
    },
    Entry {
        code: 700_023,
        title: "Client assertion audience claim does not match Realm issuer",
        kind: Kind::Assertion,
        meaning: "The assertion is meant for somebody else than Entra.",
        causes: &["the application sends the account's token for the Kubernetes API instead of the projected one"],
        actions: &[OWN_TOKEN],
        points_to: &["WI110", "WI415", "WI776"],
        confidence: Confidence::Medium,
        ..ENTRY
    },
    Entry {
        code: 70023,
        title: "The assertion's lifetime is longer than Entra takes",
        kind: Kind::Assertion,
        meaning: "Entra takes assertions that live 24 hours at most.",
        causes: &[
            "the application sends the account's token for the Kubernetes API, which lives a year, instead of the projected one",
        ],
        actions: &[OWN_TOKEN],
        points_to: &["WI110", "WI415", "WI776"],
        confidence: Confidence::Low,
        source: "one public report",
        ..ENTRY
    },
    Entry {
        code: 700_027,
        title: "Client assertion contains an invalid signature",
        kind: Kind::Assertion,
        meaning: "The assertion's signature is not from a key that Entra knows for this client. Seen with certificates; with Kubernetes tokens expect 7000272 first.",
        causes: &[
            "a certificate credential whose certificate is not on the application",
            "a token of another cluster than its issuer says",
        ],
        actions: &[
            "remove the certificate from the application's configuration",
            "compare the token's kid with the issuer's published keys",
        ],
        points_to: &["WI109", "WI416"],
        ..ENTRY
    },
    Entry {
        code: 50013,
        title: "Assertion failed signature validation",
        kind: Kind::Assertion,
        meaning: "The signature of the assertion does not verify with the issuer's keys.",
        causes: &[
            "the signing key is not among the issuer's published keys",
            "a token of Entra was passed as assertion",
        ],
        actions: &["compare the token's kid with the issuer's published keys"],
        points_to: &["WI416", "WI413"],
        confidence: Confidence::Medium,
        ..ENTRY
    },
    Entry {
        code: 900_384,
        title: "JWT token failed signature validation",
        kind: Kind::Assertion,
        meaning: "The signature of the token does not verify.",
        causes: &["a token that was changed or cut", "a token of another cluster than its issuer says"],
        actions: &["compare the token's kid with the issuer's published keys"],
        points_to: &["WI416", "WI413"],
        ..ENTRY
    },
    Entry {
        code: 50027,
        title: "JWT token is invalid or malformed",
        kind: Kind::Assertion,
        meaning: "What was sent as assertion is no token.",
        causes: &[
            "another file than the token is read",
            "the token file is empty or cut",
            "a path is sent instead of the file's content",
        ],
        actions: &["check AZURE_FEDERATED_TOKEN_FILE and what the application reads"],
        points_to: &["WI110", "WI410", "WI776"],
        ..ENTRY
    },
    Entry {
        code: 5_002_738,
        title: "Invalid JWT token: the signature algorithm is not supported",
        kind: Kind::Assertion,
        meaning: "The cluster signs its tokens with something else than RS256.",
        causes: &["a self-managed cluster with an elliptic curve signing key"],
        actions: &["sign service account tokens with an RSA key of 2048 bits or more"],
        points_to: &["WI311"],
        ..ENTRY
    },
    Entry {
        code: 5_002_723,
        title: "Invalid JWT token: no thumbprint nor keyId in its header",
        kind: Kind::Assertion,
        meaning: "The token's header names no key.",
        causes: &["the token was not made by a Kubernetes API server"],
        actions: &[OWN_TOKEN],
        points_to: &["WI416", "WI776"],
        ..ENTRY
    },
    Entry {
        code: 90014,
        title: "A required field is missing from the credential",
        kind: Kind::Assertion,
        meaning: "The request, or the assertion in it, lacks a field such as iss, aud or sub.",
        causes: &["something else than the projected token is sent"],
        actions: &[OWN_TOKEN],
        points_to: &["WI776", "WI410"],
        ..ENTRY
    },
    Entry {
        code: 700_021,
        title: "Client assertion application identifier does not match the client_id parameter",
        kind: Kind::Assertion,
        meaning: "An assertion that an application signed for itself names another application.",
        causes: &["a certificate credential is configured, with another client id"],
        actions: &["remove the certificate credential"],
        points_to: &["WI109", "WI776"],
        ..ENTRY
    },
    Entry {
        code: 700_222,
        title: "AAD-issued tokens may not be used for federated identity flows",
        kind: Kind::Assertion,
        meaning: "A token of Entra itself (an access token, a managed identity's token) was sent as assertion. It has nothing to do with an expired secret: that is 7000222.",
        causes: &[
            "the application first takes a token from the node's identity or another credential and exchanges that",
        ],
        actions: &[OWN_TOKEN],
        points_to: &["WI776"],
        family: true,
        ..ENTRY
    },
    Entry {
        code: 700_226,
        title: "Only MSI tokens may be used as federated identity credentials for the AAD issuer",
        kind: Kind::Assertion,
        meaning: "An ordinary application's token was sent as assertion.",
        causes: &["the application exchanges a token of Entra instead of the projected one"],
        actions: &[OWN_TOKEN],
        points_to: &["WI776"],
        ..ENTRY
    },
    Entry {
        code: 700_227,
        title: "This audience may not be used in a federated identity credential",
        kind: Kind::Assertion,
        meaning: "The token of Entra that was sent as assertion has an audience that is not allowed.",
        causes: &["the application exchanges a token of Entra instead of the projected one"],
        actions: &[OWN_TOKEN],
        points_to: &["WI776"],
        confidence: Confidence::Medium,
        ..ENTRY
    },
    Entry {
        code: 700_229,
        title: "Only app-only tokens can be used as federated identity credentials for the Entra issuer",
        kind: Kind::Assertion,
        meaning: "A person's token was sent as assertion.",
        causes: &["the application exchanges a caller's token"],
        actions: &[OWN_TOKEN],
        points_to: &["WI776"],
        ..ENTRY
    },
    Entry {
        code: 700_231,
        title: "The token itself was obtained through a federated identity credential",
        kind: Kind::Assertion,
        meaning: "Two exchanges in a row: the token that came from workload identity is exchanged again, which Entra does not allow.",
        causes: &["the application takes a token with workload identity and presents it for another application"],
        actions: &["put a federated credential for the service account on that other application, and exchange once"],
        points_to: &["WI776"],
        confidence: Confidence::Medium,
        source: "Azure/azure-workload-identity issue 1363",
        ..ENTRY
    },
];
