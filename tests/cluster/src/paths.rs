//! Where the harness keeps what it makes: all of it below the workspace's target folder.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// `target/test-cluster`.
pub(crate) fn state() -> PathBuf {
    // A relative CARGO_TARGET_DIR is relative to where cargo was started: the workspace, for every documented command.
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace().join(target).join("test-cluster")
}

/// The cache of the built programs; `KUBECTL_WI_TEST_BIN_DIR` lets several working copies share one.
pub(crate) fn binaries() -> PathBuf {
    env::var_os("KUBECTL_WI_TEST_BIN_DIR").map_or_else(|| state().join("bin"), PathBuf::from)
}

/// Where running clusters have their certificates, kubeconfigs and logs, a folder each.
pub(crate) fn running() -> PathBuf {
    state().join("run")
}

/// Where cargo puts programs that it builds without further flags.
pub(crate) fn built() -> PathBuf {
    state().with_file_name("debug")
}
