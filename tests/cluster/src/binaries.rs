//! Where the programs of Kubernetes and around it come from: `KUBEBUILDER_ASSETS`, else built from pinned Go modules, once.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::{names::hex, paths};

/// The version of Kubernetes that is built, as `kubectl version` says it.
pub const KUBERNETES_VERSION: &str = "v1.34.4";

/// A program that the clusters are made of, or that the tests use beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers: Deployments, service accounts, namespaces, garbage collection.
    ControllerManager,
    /// The scheduler.
    Scheduler,
    /// The kubelet.
    Kubelet,
    /// kubectl.
    Kubectl,
    /// What runs in containers of the tests: prints its arguments and waits (`go/tools/app`).
    App,
    /// Writes an RSA key (`go/tools/rsa-key`).
    RsaKey,
    /// Krew, which installs plugins of kubectl.
    Krew,
    /// What the index of Krew's plugins checks a manifest with.
    ValidateKrewManifest,
}

/// One Go module under `tests/cluster/go/` and the programs that are built from it.
struct Module {
    folder: &'static str,
    programs: &'static [Program],
}

const MODULES: [Module; 4] = [
    Module { folder: "etcd", programs: &[Program::Etcd] },
    Module {
        folder: "k8s",
        programs: &[
            Program::ApiServer,
            Program::ControllerManager,
            Program::Scheduler,
            Program::Kubelet,
            Program::Kubectl,
        ],
    },
    Module { folder: "tools", programs: &[Program::App, Program::RsaKey] },
    Module { folder: "krew", programs: &[Program::Krew, Program::ValidateKrewManifest] },
];

impl Program {
    /// What a control plane runs, and the tests use beside it.
    pub const CONTROL_PLANE: [Program; 5] =
        [Program::RsaKey, Program::Etcd, Program::ApiServer, Program::ControllerManager, Program::Kubectl];

    /// What a whole cluster runs on top of [`Program::CONTROL_PLANE`].
    pub const NODE: [Program; 3] = [Program::Scheduler, Program::Kubelet, Program::App];

    /// The program's file name.
    pub fn name(self) -> &'static str {
        match self {
            Program::Etcd => "etcd",
            Program::ApiServer => "kube-apiserver",
            Program::ControllerManager => "kube-controller-manager",
            Program::Scheduler => "kube-scheduler",
            Program::Kubelet => "kubelet",
            Program::Kubectl => "kubectl",
            Program::App => "app",
            Program::RsaKey => "rsa-key",
            Program::Krew => "krew",
            Program::ValidateKrewManifest => "validate-krew-manifest",
        }
    }

    fn package(self) -> String {
        match self {
            Program::Etcd => "go.etcd.io/etcd/server/v3".to_owned(),
            Program::App | Program::RsaKey => format!("./{}", self.name()),
            Program::Krew | Program::ValidateKrewManifest => format!("sigs.k8s.io/krew/cmd/{}", self.name()),
            _ => format!("k8s.io/kubernetes/cmd/{}", self.name()),
        }
    }

    fn module(self) -> &'static Module {
        // Every program stands in exactly one module; the last one is also the fallback that the compiler asks for.
        MODULES.iter().find(|module| module.programs.contains(&self)).unwrap_or(&MODULES[2])
    }
}

/// Finds each program in the directory that `KUBEBUILDER_ASSETS` names, else among those built before, else builds it.
///
/// Several processes may ask at once: one builds, the others wait for it. The build is said on standard error, since it
/// takes minutes where Go has nothing cached yet.
///
/// # Errors
/// Go is missing, or a build fails: the message says what to install, or ends with Go's own.
pub fn ensure_programs(programs: &[Program]) -> Result<()> {
    for module in &MODULES {
        let wanted: Vec<_> = programs.iter().copied().filter(|it| module.programs.contains(it)).collect();
        if wanted.iter().any(|it| find(*it).is_none()) {
            build(module, &wanted)?;
        }
    }
    Ok(())
}

/// The path of a program, built if need be.
///
/// # Errors
/// As [`ensure_programs`].
pub fn path(program: Program) -> Result<PathBuf> {
    ensure_programs(&[program])?;
    find(program).with_context(|| format!("{} was built but is not there", program.name()))
}

fn find(program: Program) -> Option<PathBuf> {
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let built = cache(program.module()).ok();
    assets.into_iter().chain(built).map(|folder| folder.join(program.name())).find(|path| path.is_file())
}

fn build(module: &Module, wanted: &[Program]) -> Result<()> {
    let folder = cache(module)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lock = File::create(folder.with_extension("lock"))?;
    lock.lock().with_context(|| format!("cannot lock {}", folder.display()))?;

    let missing: Vec<_> = wanted.iter().copied().filter(|it| find(*it).is_none()).collect();
    if missing.is_empty() {
        return Ok(()); // another process built them while this one waited
    }
    let names = missing.iter().map(|it| it.name()).collect::<Vec<_>>().join(", ");
    eprintln!("test cluster: building {names} with Go (once; some minutes if nothing is cached)");

    // Built aside and renamed, so that a program which is there is whole.
    let aside = tempfile::Builder::new().prefix(".building-").tempdir_in(&folder)?;
    for group in output_groups(&missing) {
        let mut command = Command::new("go");
        command.arg("build").args(flags(module)).arg("-o");
        match group.as_slice() {
            // `go build` would name it by the last part of its import path: "server".
            [one] => command.arg(aside.path().join(one.name())),
            _ => command.arg(aside.path()),
        };
        command.args(group.iter().map(|it| it.package()));
        command.current_dir(source(module)).env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOFLAGS");
        let status = command.status().map_err(|error| no_go(&error, &names))?;
        ensure!(status.success(), "go build of {names} failed ({status}); its own message stands above");
        for program in group {
            fs::rename(aside.path().join(program.name()), folder.join(program.name()))?;
        }
    }
    Ok(())
}

/// What one `go build` makes: etcd needs a name of its own, all others can share a run.
fn output_groups(programs: &[Program]) -> Vec<Vec<Program>> {
    let (etcd, others): (Vec<_>, Vec<_>) = programs.iter().copied().partition(|it| *it == Program::Etcd);
    [etcd, others].into_iter().filter(|group| !group.is_empty()).collect()
}

fn no_go(error: &io::Error, names: &str) -> anyhow::Error {
    if error.kind() == io::ErrorKind::NotFound {
        anyhow::anyhow!(
            "{names}: neither in KUBEBUILDER_ASSETS nor built yet, and `go` is not on PATH; \
             install Go 1.24 or newer (https://go.dev/dl) and run again"
        )
    } else {
        anyhow::anyhow!("cannot run go: {error}")
    }
}

/// `target/test-cluster/bin/<module>-<hash of go.mod, go.sum, the sources and the flags>`.
fn cache(module: &Module) -> Result<PathBuf> {
    let mut hash = Sha256::new();
    for file in sources(module)? {
        hash.update(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    for flag in flags(module) {
        hash.update(flag.to_string_lossy().as_bytes());
    }
    Ok(paths::binaries().join(format!("{}-{}", module.folder, &hex(&hash.finalize())[..12])))
}

fn sources(module: &Module) -> Result<Vec<PathBuf>> {
    let folder = source(module);
    let mut files = vec![folder.join("go.mod")];
    match module.folder {
        "tools" => files.extend(module.programs.iter().map(|it| folder.join(it.name()).join("main.go"))),
        "etcd" | "k8s" | "krew" => files.push(folder.join("go.sum")),
        other => bail!("no such module: {other}"),
    }
    Ok(files)
}

fn source(module: &Module) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(module.folder)
}

fn flags(module: &Module) -> Vec<OsString> {
    let mut linker = "-s -w".to_owned();
    if module.folder == "k8s" {
        // Without these everything calls itself v0.0.0-master+$Format:%H$, which neither kubectl nor the identity
        // webhook can parse. There is no git tree to tell the commit from.
        let minor = KUBERNETES_VERSION.split('.').nth(1).unwrap_or_default();
        for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
            for (name, value) in [
                ("gitVersion", KUBERNETES_VERSION),
                ("gitMajor", "1"),
                ("gitMinor", minor),
                ("gitTreeState", "clean"),
                ("gitCommit", "unknown"),
                ("buildDate", "1970-01-01T00:00:00Z"),
            ] {
                linker.extend([" -X ", package, ".", name, "=", value]);
            }
        }
    }
    ["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags"]
        .into_iter()
        .map(OsString::from)
        .chain([OsString::from(linker)])
        .collect()
}
