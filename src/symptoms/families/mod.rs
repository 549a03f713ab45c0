//! The wordings, one file a family.
//!
//! Each file is a table. To add a wording: a line in the right table, and an excerpt under `tests/data/symptoms/`.
//! Where a wording comes from (an SDK's source, an issue) stands beside it.

pub(super) mod application;
pub(super) mod authorization;
pub(super) mod connector;
pub(super) mod credential;
pub(super) mod entra;
pub(super) mod imds;
pub(super) mod kubernetes;
pub(super) mod network;
pub(super) mod nmi;
pub(super) mod other;
pub(super) mod sdk;
pub(super) mod shell;

use super::signature::Signature;

/// All signatures.
pub(super) fn all() -> impl Iterator<Item = &'static Signature> {
    [
        entra::SIGNATURES,
        sdk::SIGNATURES,
        imds::SIGNATURES,
        nmi::SIGNATURES,
        network::SIGNATURES,
        credential::SIGNATURES,
        authorization::SIGNATURES,
        kubernetes::SIGNATURES,
        application::SIGNATURES,
        connector::SIGNATURES,
        shell::SIGNATURES,
        other::SIGNATURES,
    ]
    .into_iter()
    .flatten()
}
