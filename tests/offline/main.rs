//! Tests that need neither a cluster nor Azure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aadsts;
mod cases;
mod rules;
mod symptoms;
mod token;
mod webhook_properties;
mod webhook_recordings;
