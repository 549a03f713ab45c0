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
//! A whole cluster has a network of its own, where the test's process is not: [`Cluster::command`] makes a command
//! there, for the program under test as for any other. Pseudo-terminals and the like wrap the command that it gives.
//!
//! What is missing makes [`ControlPlane::shared`] and [`WholeCluster::shared`] fail with one line that says what to
//! install; nothing is skipped.
//!
//! | variable | effect |
//! |---|---|
//! | `KUBEBUILDER_ASSETS` | a folder with the programs of Kubernetes; what is not in it is built from the pinned Go modules in `tests/cluster/go/`, once |
//! | `KUBECTL_WI_TEST_BIN_DIR` | where built programs are kept, for several working copies to share; else `target/test-cluster/bin` |
//! | `KUBECTL_WI_TEST_KUBECONFIG` | [`ControlPlane::shared`] is the cluster of this file's current context |
//! | `KUBECTL_WI_TEST_WEBHOOK` | a real identity webhook's program, which whole clusters run in the place of ours |
//! | `KUBECTL_WI_TEST_WEBHOOK_VERSION` | its version, default `v1.6.0`; what ours behaves as, too |
//! | `KUBECTL_WI_TEST_KEEP` | `1` leaves the folders of clusters, with logs and command lines, in `target/test-cluster/run` |

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

pub use binaries::{KUBERNETES_VERSION, Program, ensure_programs, path as program};
pub use cluster::{Cluster, Subject};
pub use control_plane::{ControlPlane, TENANT_ID};
pub use images::{IMAGE_APP, IMAGE_CAT, IMAGE_SHELL};
pub use namespace::TestNamespace;
pub use pki::{Authority, Certificate};
pub use requirements::{ensure_shells, ensure_whole_cluster};
pub use webhook::{WEBHOOK_NAMESPACE, WebhookOptions, cargo};
pub use whole::{NODE, WholeCluster};
