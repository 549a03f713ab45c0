//! Starts a real Kubernetes for the tests.
