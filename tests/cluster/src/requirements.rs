//! What a whole cluster, and the tests beside it, need of the machine, and how it gets there.

use std::{
    env,
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::paths;

/// A program or file, and the package of Debian and Ubuntu that has it.
type Needed = (&'static str, &'static str);

/// What a whole cluster is made of besides Kubernetes.
const PROGRAMS: [Needed; 9] = [
    ("containerd", "containerd"),
    ("containerd-shim-runc-v2", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("busybox", "busybox-static"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
];

/// The shells in which completion is tried.
const SHELLS: [Needed; 4] = [
    ("bash", "bash"),
    ("zsh", "zsh"),
    ("fish", "fish"),
    ("/usr/share/bash-completion/bash_completion", "bash-completion"),
];

const CNI_PLUGINS: [&str; 3] = ["bridge", "host-local", "loopback"];
const CNI_PACKAGE: &str = "containernetworking-plugins";

/// Makes sure that this machine can run a whole cluster: as root on Debian and Ubuntu, installs the packages that it
/// lacks.
///
/// # Errors
/// It cannot; the message says in one line what to install or how to run it.
pub fn ensure_whole_cluster() -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "a whole test cluster needs Linux; --size control-plane runs everywhere");
    // The kernel gives /proc/self to the effective user.
    ensure!(
        fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0),
        "a whole test cluster needs root, for its namespaces and containers; run as root, or take the control plane only"
    );
    ensure_packages("a whole test cluster", missing_packages)
}

/// Makes sure that the shells for which there are completions are here, in the same way.
///
/// # Errors
/// They are not, and cannot be installed; the message says in one line what to install.
pub fn ensure_shells() -> Result<()> {
    ensure_packages("a test of the completions", || missing_of(&SHELLS))
}

fn ensure_packages(what: &str, missing_packages: impl Fn() -> Vec<&'static str>) -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let Some(apt) = find("apt-get") else {
        bail!("{what} needs programs that are not installed; Debian's packages with them are: {list}");
    };
    // Tests run side by side, and apt-get does not wait for another one to finish.
    fs::create_dir_all(paths::state())?;
    let lock = File::create(paths::state().join("packages.lock"))?;
    lock.lock()?;
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("test cluster: installing {list}");
    let mut installed = install(&apt, &missing);
    if installed.is_err() {
        // The lists of packages may be too old, or there are none yet.
        run(Command::new(&apt).args(["-qq", "update"]))?;
        installed = install(&apt, &missing);
    }
    installed.with_context(|| format!("{what} needs: apt-get install {list}"))?;
    let missing = missing_packages();
    ensure!(missing.is_empty(), "installed, but their programs are not on PATH: {}", missing.join(" "));
    Ok(())
}

fn install(apt: &Path, packages: &[&str]) -> Result<()> {
    let mut command = Command::new(apt);
    command.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-qq",
        "-y",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=120",
        "install",
    ]);
    run(command.args(packages))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", error.lines().last().unwrap_or("apt-get failed"));
    Ok(())
}

fn missing_packages() -> Vec<&'static str> {
    let mut packages = missing_of(&PROGRAMS);
    if cni_plugins().is_none() {
        packages.push(CNI_PACKAGE);
    }
    packages
}

fn missing_of(needed: &[Needed]) -> Vec<&'static str> {
    let is_missing = |name: &str| if name.starts_with('/') { !Path::new(name).is_file() } else { find(name).is_none() };
    let mut packages: Vec<_> =
        needed.iter().filter(|(name, _)| is_missing(name)).map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

/// A program on PATH, or where system programs are for root.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join(program))
        .find(|path| fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0))
}

/// The folder of the CNI plugins: Debian's, or that of their upstream.
pub(crate) fn cni_plugins() -> Option<&'static Path> {
    ["/usr/lib/cni", "/opt/cni/bin"]
        .map(Path::new)
        .into_iter()
        .find(|folder| CNI_PLUGINS.iter().all(|plugin| folder.join(plugin).is_file()))
}
