//! Starts a real Kubernetes for the tests, in two sizes, and stops it however the tests end.
//!
//! - [`ControlPlane`]: etcd, the API server and the controllers on loopback; a few seconds, no privileges.
//! - [`WholeCluster`]: the same with scheduler, kubelet, containerd and the identity webhook as a Deployment; Linux and root.
//!
//! A test talks to a [`Cluster`] through child processes, so that it is written once for both sizes:
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let cluster = wi_test_cluster::ControlPlane::shared();
//! let namespace = cluster.namespace("velero")?;
//! namespace.apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: velero-server}}")?;
//! let output = cluster.command("kubectl-wi").args(["inspect", "-n", namespace.name()]).output()?;
//! # Ok(()) }
//! ```
//!
//! Programs are found in `KUBEBUILDER_ASSETS`, else built from the pinned Go modules in `tests/cluster/go/`, once.
//! `KUBECTL_WI_TEST_KEEP=1` leaves a cluster's folder (logs, command lines) in `target/test-cluster/run/`.

mod binaries;
pub mod by_hand;
mod cluster;
mod control_plane;
mod images;
mod kubeconfig;
mod names;
mod namespace;
mod paths;
mod pki;
mod quote;
mod requirements;
mod supervisor;
mod webhook;
mod whole;

pub use binaries::{KUBERNETES_VERSION, Program, ensure_programs};
pub use cluster::{Cluster, Subject};
pub use control_plane::{ControlPlane, TENANT_ID};
pub use images::{IMAGE_APP, IMAGE_CAT, IMAGE_SHELL};
pub use namespace::TestNamespace;
pub use pki::{Authority, Certificate};
pub use requirements::ensure_whole_cluster;
pub use webhook::{WEBHOOK_NAMESPACE, WebhookOptions};
pub use whole::{NODE, WholeCluster};
