//! Entra's answers: the code decides, see [`crate::token::aadsts`].

use crate::symptoms::commands::Next;
use crate::symptoms::model::Kind;
use crate::symptoms::signature::{SIGNATURE, Signature};
use crate::token::aadsts;

/// Id of the signature whose meaning the catalogue of codes has.
pub(in crate::symptoms) const CODE: &str = "aadsts";

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: CODE,
        kind: Kind::Entra,
        code: "WI803",
        patterns: &[r"aadsts:? [0-9]{5,9}", r#""error_codes":\[ [0-9]{5,9}"#],
        means: "Entra answered with an error code.",
        causes: &["the code says"],
        next: &[Next::Inspect, Next::Exchange],
        ..SIGNATURE
    },
    Signature {
        id: "federation-limit",
        kind: Kind::Entra,
        code: "WI803",
        gives: Some("WI506"),
        patterns: &[r"maximum number of federated identity credentials", r"federated identity credentials? limit"],
        points_to: &["WI506"],
        means: "The identity has as many federated credentials as it may have (20).",
        causes: &["one credential for each cluster, namespace and account has added up"],
        next: &[Next::FederatedCredentials],
        ..SIGNATURE
    },
    Signature {
        id: "federation-concurrent",
        kind: Kind::Entra,
        code: "WI803",
        patterns: &[
            r"concurrentfederatedidentitycredentialswritesforsinglemanagedidentity",
            r"too many concurrent write requests .{0,80} managed identity",
        ],
        points_to: &["WI502"],
        means: "Two federated credentials of one identity were written at the same time; one of them was refused.",
        causes: &["a template or a pipeline makes several credentials side by side: make them one after the other"],
        next: &[Next::FederatedCredentials],
        ..SIGNATURE
    },
    Signature {
        id: "federation-duplicate",
        kind: Kind::Entra,
        code: "WI803",
        patterns: &[r"issuer and subject combination already exists for this managed identity"],
        points_to: &["WI505", "WI502"],
        means: "The identity has a federated credential with this issuer and subject already.",
        causes: &["it exists under another name, perhaps with another audience"],
        next: &[Next::FederatedCredentials],
        ..SIGNATURE
    },
];

/// What to run next for a code.
pub(in crate::symptoms) fn next(kind: aadsts::Kind) -> &'static [Next] {
    match kind {
        aadsts::Kind::Federation => {
            &[Next::Inspect, Next::FixAzure, Next::FederatedCredentials, Next::CreateFederatedCredential]
        }
        aadsts::Kind::Issuer => &[Next::IssuerDocument, Next::Inspect],
        aadsts::Kind::Assertion => &[Next::Probe, Next::Inspect],
        aadsts::Kind::Client => &[Next::Identity, Next::Inspect],
        aadsts::Kind::Tenant => &[Next::Inspect, Next::Run("az account show --query tenantId -o tsv")],
        aadsts::Kind::Request => &[Next::Inspect, Next::Probe],
        aadsts::Kind::Policy => &[Next::Inspect],
        aadsts::Kind::OtherCredential => &[Next::Inspect, Next::Fix],
        aadsts::Kind::Transient => &[Next::Exchange],
    }
}
