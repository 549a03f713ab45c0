//! What a whole cluster needs of the machine, and how it gets there.

use std::{
    env,
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::paths;

/// A program, and the package of Debian and Ubuntu that has it.
const PROGRAMS: [(&str, &str); 9] = [
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
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let Some(apt) = find("apt-get") else {
        bail!("a whole test cluster needs programs that are not installed; Debian's packages with them are: {list}");
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
    installed.with_context(|| format!("a whole test cluster needs: apt-get install {list}"))?;
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
    let mut packages: Vec<_> =
        PROGRAMS.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package).collect();
    if cni_plugins().is_none() {
        packages.push(CNI_PACKAGE);
    }
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
