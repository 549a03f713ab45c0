//! Finds out why a pod on Kubernetes does not get its Azure identity, proves it, and repairs it.

pub mod applied;
pub mod apps;
pub mod azure;
pub mod chain;
pub mod cli;
pub mod cluster;
pub mod fix;
pub mod inspect;
pub mod manifest;
pub mod model;
pub mod probe;
pub mod report;
pub mod rules;
pub mod simulate;
pub mod symptoms;
pub mod text;
pub mod token;
pub mod webhook;
