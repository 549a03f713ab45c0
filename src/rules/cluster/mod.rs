//! WI3: the cluster and the identity webhook.

pub mod webhook;
