//! Nothing stays behind, however the process that started a cluster ends.
//!
//! Each test starts itself again as a child process that holds a cluster, and ends that child in some way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use wi_test_cluster::{Cluster, ControlPlane, IMAGE_APP, WholeCluster};

const HOLD: &str = "WI_TEST_HOLD";

#[test]
#[ignore = "not a test: what the child processes of the tests below do"]
fn hold() {
    match std::env::var(HOLD).as_deref() {
        Ok("control-plane") => announce(ControlPlane::shared()),
        Ok("whole") => {
            let cluster = WholeCluster::start().unwrap();
            cluster.kubectl(&["run", "app", "--image", IMAGE_APP]).unwrap();
            cluster.kubectl(&["wait", "pod/app", "--for=condition=Ready", "--timeout=60s"]).unwrap();
            announce(&cluster);
        }
        other => panic!("{HOLD}={other:?}"),
    }
}

fn announce(cluster: &Cluster) {
    println!("\nholding {}", cluster.folder().display());
    assert!(std::env::var_os("WI_TEST_PANIC").is_none(), "this test fails");
    thread::sleep(Duration::from_mins(5));
}

/// A child process that holds a cluster, and what there is of it on this machine.
struct Holder {
    child: Child,
    folder: PathBuf,
    /// Its network, mount and process namespaces.
    namespaces: Vec<PathBuf>,
}

impl Holder {
    fn start(size: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["hold", "--exact", "--ignored", "--nocapture"]).env(HOLD, size).envs(variables.iter().copied());
        // A group of its own, to be interrupted as a terminal does it.
        command.stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let folder = lines.map_while(Result::ok).find_map(|line| Some(PathBuf::from(line.strip_prefix("holding ")?)));
        let folder = folder.expect("the child holds a cluster");
        let namespaces = match fs::read_to_string(folder.join("inside")) {
            Ok(process) => ["net", "mnt", "pid"]
                .map(|kind| fs::read_link(format!("/proc/{}/ns/{kind}", process.trim())).unwrap())
                .to_vec(),
            Err(_) => Vec::new(),
        };
        Self { child, folder, namespaces }
    }

    fn name(&self) -> &str {
        self.folder.file_name().unwrap().to_str().unwrap()
    }

    /// Everything of the cluster that is still there.
    fn left(&self) -> Vec<String> {
        let output = Command::new("ps").args(["-A", "-o", "pid=,args="]).output().unwrap();
        let mut left: Vec<_> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter(|line| line.contains(self.name()))
            .map(str::to_owned)
            .collect();
        left.extend(self.folder.exists().then(|| self.folder.display().to_string()));
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            for kind in ["net", "mnt", "pid"] {
                let link = fs::read_link(process.path().join("ns").join(kind)).unwrap_or_default();
                if self.namespaces.contains(&link) {
                    left.push(format!("{} in {}", process.path().display(), link.display()));
                }
            }
        }
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        left.extend(mounts.lines().filter(|line| line.contains(self.name())).map(str::to_owned));
        let groups = Command::new("find").args(["/sys/fs/cgroup", "-name", self.name()]).output().unwrap();
        left.extend(String::from_utf8_lossy(&groups.stdout).lines().map(str::to_owned));
        left
    }

    fn assert_nothing_is_left(&mut self) {
        self.child.wait().unwrap();
        let start = Instant::now();
        while !self.left().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(30), "still there: {:#?}", self.left());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_failing_test_leaves_nothing() {
    let mut holder = Holder::start("control-plane", &[("WI_TEST_PANIC", "1")]);
    holder.assert_nothing_is_left();
}

#[test]
fn a_killed_process_leaves_nothing_of_a_control_plane() {
    let mut holder = Holder::start("control-plane", &[]);
    assert!(holder.left().iter().any(|line| line.contains("kube-apiserver")), "{:#?}", holder.left());
    holder.child.kill().unwrap();
    holder.assert_nothing_is_left();
}

#[test]
fn a_killed_process_leaves_nothing_of_a_whole_cluster() {
    let mut holder = Holder::start("whole", &[]);
    assert!(holder.left().iter().any(|line| line.contains("/sys/fs/cgroup/")), "{:#?}", holder.left());
    holder.child.kill().unwrap();
    holder.assert_nothing_is_left();
}

#[test]
fn ctrl_c_leaves_nothing_of_a_whole_cluster() {
    let mut holder = Holder::start("whole", &[]);
    let group = format!("-{}", holder.child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    holder.assert_nothing_is_left();
}
