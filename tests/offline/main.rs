//! Tests that need neither a cluster nor Azure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod fix;
mod generated;
mod rules;
mod simulate;
mod webhook_properties;
mod webhook_recordings;
