//! Tests against a real API server, and against a whole cluster with kubelet, containerd and the identity webhook.

// The clusters are made of processes and namespaces of Unix.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod applied;
mod asked;
mod azure;
mod breadth;
mod client;
mod exports;
mod first_walk;
mod fix;
mod fixable;
#[path = "../common/fixable_cases.rs"]
mod fixable_cases;
#[cfg(unix)]
mod killed;
mod packaging;
mod probe;
mod probe_exchange;
#[cfg(unix)]
mod questions;
mod reading;
mod selection;
mod shells;
mod support;
