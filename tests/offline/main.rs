//! Tests that need neither a cluster nor Azure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aadsts;
mod azure;
mod cases;
mod client_config;
mod client_discovery;
mod client_exec;
mod client_lists;
mod client_network;
mod client_plugin;
mod client_requests;
mod client_writes;
mod explain;
mod facts;
mod facts_azure;
mod fake_api;
mod fix;
mod fixable;
#[path = "../common/fixable_cases.rs"]
mod fixable_cases;
mod formats;
mod generated;
mod logs;
mod repository;
mod rules;
mod secrets;
mod simulate;
mod sweep;
mod symptoms;
mod token;
mod webhook_properties;
mod webhook_recordings;
