//! Finds out why a pod on Kubernetes does not get its Azure identity, proves it, and repairs it.

pub mod azure;
pub mod cluster;
pub mod model;
