//! A namespace for one test.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::{cluster::Cluster, names};

/// A namespace with a name of its own; deleted, without waiting for it, when dropped.
pub struct TestNamespace<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl<'a> TestNamespace<'a> {
    pub(crate) fn create(cluster: &'a Cluster, prefix: &str) -> Result<Self> {
        let name = names::unique(prefix);
        cluster.kubectl(&["create", "namespace", &name])?;
        let namespace = Self { cluster, name };
        // Pods are refused until the controller manager has made the account that they default to.
        cluster.wait_for("the default service account", Duration::from_secs(20), || {
            Ok(namespace.kubectl(&["get", "serviceaccount", "default"]).ok())
        })?;
        Ok(namespace)
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that it is in.
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// [`Cluster::kubectl`] with `--namespace`.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        // In front: what follows `--` in the arguments is for the container.
        self.cluster.kubectl(&[&["--namespace", &self.name], arguments].concat())
    }

    /// [`Cluster::kubectl_json`] with `--namespace`.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub fn kubectl_json(&self, arguments: &[&str]) -> Result<Value> {
        self.cluster.kubectl_json(&[&["--namespace", &self.name], arguments].concat())
    }

    /// [`Cluster::apply`] with `--namespace`: objects that name no namespace go into this one.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub fn apply(&self, manifests: &str) -> Result<String> {
        let arguments = [
            "--namespace",
            &self.name,
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=test",
            "-f",
            "-",
        ];
        self.cluster.kubectl_with(&arguments, Some(manifests))
    }
}

impl Drop for TestNamespace<'_> {
    fn drop(&mut self) {
        // Best effort: the cluster goes away anyway, unless it existed before.
        let _ = self.cluster.kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}
