//! The plugin as people get it: from an archive that Krew installs, completed by kubectl, with the least role.

use crate::breadth::{WEBHOOK, define, definitions, velero};
use crate::support::{App, CLIENT_ID, wi, wi_as};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wi_test_cluster::{Cluster, ControlPlane, Program, Subject};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder at the front of the PATH that has the plugin.
pub(crate) struct Installed {
    folder: PathBuf,
}

impl Installed {
    /// A link to the program under test, and nothing else.
    pub(crate) fn link(folder: &Path) -> Self {
        let executable = Path::new(env!("CARGO_BIN_EXE_kubectl-wi"));
        std::os::unix::fs::symlink(executable, folder.join("kubectl-wi")).unwrap();
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The real kubectl, which finds the plugin.
    pub(crate) fn kubectl(&self, cluster: &Cluster, arguments: &[&str]) -> Output {
        let mut command: Command = cluster.command("kubectl");
        self.find_first(&mut command, cluster);
        command.args(arguments).current_dir(root()).output().unwrap()
    }

    /// Lets a command find the plugin before anything else, and kubectl and the cluster too.
    pub(crate) fn find_first(&self, command: &mut Command, cluster: &Cluster) {
        for (name, value) in cluster.command("kubectl").get_envs() {
            if let Some(value) = value.filter(|_| name != OsStr::new("PATH")) {
                command.env(name, value);
            }
        }
        let path = cluster.command("kubectl");
        let path = path.get_envs().find(|(name, _)| *name == OsStr::new("PATH")).unwrap().1.unwrap();
        let folders = [self.folder.clone()].into_iter().chain(std::env::split_paths(path));
        command.env("PATH", std::env::join_paths(folders).unwrap());
        command.env("KUBECACHEDIR", self.folder.join("cache"));
    }
}

fn xtask(arguments: &[&str]) -> String {
    let mut cargo = wi_test_cluster::cargo();
    let cargo = cargo.args(["run", "--quiet", "--package", "xtask", "--"]).args(arguments).current_dir(root());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The real Krew, with a store of its own.
struct Krew {
    root: tempfile::TempDir,
}

impl Krew {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn run(&self, program: Program, arguments: &[&OsStr]) -> Output {
        let mut command = Command::new(wi_test_cluster::program(program).unwrap());
        command.env("KREW_ROOT", self.root.path()).env("KREW_NO_UPGRADE_CHECK", "1").args(arguments);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }

    /// Where it links the plugins; people put it on their PATH.
    fn bin(&self) -> PathBuf {
        self.root.path().join("bin")
    }
}

#[test]
fn krew_installs_an_archive_and_kubectl_runs_it() {
    let cluster = ControlPlane::shared();
    let work = tempfile::tempdir().unwrap();
    let dist = work.path().join("dist");
    let dist_text = dist.to_str().unwrap();
    let target = if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-musl" } else { "x86_64-unknown-linux-musl" };
    let executable = env!("CARGO_BIN_EXE_kubectl-wi");
    xtask(&["archive", "--tag", "v9.9.9", "--target", target, "--executable", executable, "--out", dist_text]);
    // The other five archives are not built here; their sums only fill the manifest.
    let mut sums = String::new();
    for entry in std::fs::read_dir(&dist).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sha256") {
            sums.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    for (os, arch) in [
        ("linux", "amd64"),
        ("linux", "arm64"),
        ("darwin", "amd64"),
        ("darwin", "arm64"),
        ("windows", "amd64"),
        ("windows", "arm64"),
    ] {
        let name = format!("kubectl-wi_v9.9.9_{os}_{arch}.tar.gz");
        if !sums.contains(&name) {
            sums.push_str(&format!("{}  {name}\n", "0a".repeat(32)));
        }
    }
    let checksums = work.path().join("SHA256SUMS");
    std::fs::write(&checksums, sums).unwrap();
    xtask(&["krew", "--tag", "v9.9.9", "--checksums", checksums.to_str().unwrap(), "--out", dist_text]);
    let manifest = dist.join("wi.yaml");
    let krew = Krew::new();
    let validate = ["-manifest".as_ref(), manifest.as_os_str(), "-skip-install".as_ref()];
    krew.run(Program::ValidateKrewManifest, &validate);
    let archive = std::fs::read_dir(&dist).unwrap().map(|entry| entry.unwrap().path());
    let archive = archive.into_iter().find(|path| path.extension().is_some_and(|end| end == "gz")).unwrap();
    let install = ["install", "--manifest"].map(OsStr::new);
    krew.run(
        Program::Krew,
        &[&install[..], &[manifest.as_os_str(), "--archive".as_ref(), archive.as_os_str()]].concat(),
    );
    assert!(krew.root.path().join("store/wi/v9.9.9/LICENSE").is_file());
    let plugin = Installed { folder: krew.bin() };

    let said = plugin.kubectl(cluster, &["wi", "inspect", "-f", "examples/velero-broken"]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stdout).contains("pod-label-missing (WI101)"), "{said:?}");
    let said = plugin.kubectl(cluster, &["wi", "explain", "WI101"]);
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains("WI101"), "{said:?}");
    let help = plugin.kubectl(cluster, &["wi", "inspect", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("kubectl wi inspect"), "{help:?}");
    let help = plugin.kubectl(cluster, &["wi", "fix", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("kubectl wi fix"), "{help:?}");
}

#[test]
fn kubectl_completes_the_plugin() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("complete").unwrap();
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plugin = Installed::link(folder.path());
    let wrote = plugin.kubectl(cluster, &["wi", "completion", "kubectl", "--install"]);
    assert!(wrote.status.success(), "{wrote:?}");
    assert!(plugin.folder.join("kubectl_complete-wi").is_file());

    let complete = |words: &[&str]| -> (BTreeSet<String>, String) {
        let output = plugin.kubectl(cluster, &[&["__complete", "wi"], words].concat());
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
        let directive = lines.pop().unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains("error"), "{output:?}");
        (lines.into_iter().collect(), directive)
    };
    let has = |words: &[&str], wanted: &str, directive: &str| {
        let (found, said) = complete(words);
        assert!(
            found.iter().any(|line| line == wanted || line.starts_with(&format!("{wanted}\t"))),
            "{words:?} {found:?}"
        );
        assert_eq!(said, directive, "{words:?} {found:?}");
    };
    let ns = namespace.name();
    let (subcommands, _) = complete(&["ins"]);
    assert!(subcommands.iter().any(|line| line.starts_with("inspect\tShow why")), "{subcommands:?}");
    has(&["inspect", "depl"], "deployment/", ":6");
    has(&["inspect", "-n", ns, "deploy/"], "deploy/velero", ":4");
    has(&["inspect", &format!("--namespace={ns}"), "sa", ""], "velero-server", ":4");
    has(&["inspect", "-n", ns, "identity/"], &format!("identity/{CLIENT_ID}"), ":4");
    has(&["inspect", "-n", ""], ns, ":4");
    has(&["inspect", "-o", ""], "sarif", ":4");
    has(&["inspect", "--output=s"], "sarif", ":4");
    has(&["inspect", "--select", "WI202,WI1"], "WI202,WI101", ":4");
    has(&["inspect", "--context", ""], cluster_context(cluster).as_str(), ":4");
    has(&["inspect", "--as-cl"], "--as-cluster", ":4");
    has(&["explain", "pod-label"], "pod-label-missing", ":4");
    has(&["completion", "z"], "zsh", ":4");
    assert_eq!(complete(&["inspect", "-f", ""]).1, ":0", "files are the shell's");
    // What is not there, or cannot be asked, is silence.
    assert_eq!(complete(&["inspect", "-n", "nowhere", "deploy/"]), (BTreeSet::new(), ":4".to_owned()));
    let start = std::time::Instant::now();
    let dead = ["inspect", "--server", "https://203.0.113.1", "deploy/"];
    assert_eq!(complete(&dead), (BTreeSet::new(), ":4".to_owned()));
    assert!(start.elapsed() < std::time::Duration::from_secs(8), "{:?}", start.elapsed());
}

fn cluster_context(cluster: &Cluster) -> String {
    cluster.kubectl(&["config", "current-context"]).unwrap().trim().to_owned()
}

/// Verb, group and resource of each request that was sent, from what `-v 6` tells.
fn requests(stderr: &str) -> BTreeSet<(String, String, String)> {
    let mut sent = BTreeSet::new();
    for line in stderr.lines() {
        let mut words = line.split_whitespace();
        let (Some("GET"), Some(path)) = (words.next(), words.next()) else { continue };
        let parts: Vec<&str> = path.split('?').next().unwrap().trim_matches('/').split('/').collect();
        let (group, rest) = match parts.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => continue,
        };
        let subresource;
        let (resource, name) = match rest {
            ["namespaces", _, resource, name, part] => {
                subresource = format!("{resource}/{part}");
                (subresource.as_str(), Some(*name))
            }
            ["namespaces", _, resource, name] => (*resource, Some(*name)),
            ["namespaces", _, resource] if *resource != "status" => (*resource, None),
            [resource, name] => (*resource, Some(*name)),
            [resource] => (*resource, None),
            _ => continue,
        };
        let verb = if name.is_some() { "get" } else { "list" };
        sent.insert((verb.to_owned(), group.to_owned(), resource.to_owned()));
    }
    sent
}

fn granted(role: &Value) -> BTreeSet<(String, String, String)> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for verb in texts(&rule["verbs"]) {
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    all.insert((verb.clone(), group.clone(), resource));
                }
            }
        }
    }
    all
}

#[test]
fn the_least_role_is_enough_and_grants_nothing_else() {
    let cluster = ControlPlane::start().unwrap();
    let namespace = cluster.namespace("least").unwrap();
    define(&cluster, &definitions());
    cluster.apply(WEBHOOK).unwrap();
    velero(&namespace);
    let printed = wi(&cluster, &["rbac"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    cluster.apply(&printed.out).unwrap();
    let role: Value = serde_saphyr::from_str(&printed.out).unwrap();
    let user = Subject::User { name: "dora", group: None };
    cluster
        .kubectl(&["create", "clusterrolebinding", "dora", "--clusterrole=kubectl-wi-inspect", "--user=dora"])
        .unwrap();
    let kubeconfig = cluster.kubeconfig_for(&user).unwrap();
    let mut sent = BTreeSet::new();
    for words in [
        vec!["inspect", "deploy/velero", "-n", namespace.name()],
        vec!["inspect", "-n", namespace.name()],
        vec!["inspect", "-A"],
    ] {
        let said = wi_as(&cluster, &kubeconfig, &[words.as_slice(), &["-v", "6", "-o", "json"]].concat());
        let report = said.json();
        assert_eq!(report["unknown"], serde_json::json!([]), "{words:?}");
        assert!(report["cluster"]["issuer"].is_string() && report["cluster"]["kubernetesVersion"].is_string());
        assert!(!said.err.contains(" 403 "), "{}", said.err);
        sent.extend(requests(&said.err));
    }
    assert_eq!(sent, granted(&role), "left what is read, right what is granted");

    // One namespace: the same in pieces, and nothing of other namespaces.
    let printed = wi(&cluster, &["rbac", "--in", namespace.name()]);
    let kinds: Vec<&str> = printed.out.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    assert_eq!(kinds, ["ClusterRole", "Role", "Role", "Role"]);
}
