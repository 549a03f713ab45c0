//! What is known, as plain data: no input, no output, no judgement.
//!
//! Four sources make the same model (a live cluster, files, files laid over a cluster, a recording), so every rule
//! works on all of them.

pub mod event;
pub mod fact;
pub mod finding;
pub mod inventory;
pub mod log;
pub mod nearest;
pub mod object;
pub mod pod;
pub mod secret;
pub mod settings;
pub mod workload;

/// Sorted text-to-text map, as Kubernetes uses it for labels and annotations.
pub type StringMap = std::collections::BTreeMap<String, String>;
