//! WI1: the pod template.

pub mod account;
pub mod automount;
pub mod binding;
pub mod containers;
pub mod credential;
pub mod environment;
pub mod expiration;
pub mod label;
pub mod late;
pub mod place;
pub mod platform;
pub mod pod_identity;
pub mod proxy;
pub mod token_path;
pub mod volume;

use crate::chain::Chain;
use crate::chain::meant::TokenSource;

/// Whether the pods take a projected token: the webhook's, or one of their own.
fn takes_token(chain: &Chain<'_>) -> bool {
    matches!(chain.token_source(), TokenSource::Injected | TokenSource::Projected)
}
