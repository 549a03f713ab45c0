//! What is known, as plain data: no input, no output, no judgement.
//!
//! Four sources make the same model (a live cluster, files, files laid over a cluster, a recording), so every rule
//! works on all of them.

pub mod fact;
pub mod pod;

/// Sorted text-to-text map, as Kubernetes uses it for labels and annotations.
pub type StringMap = std::collections::BTreeMap<String, String>;
