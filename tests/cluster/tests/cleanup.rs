//! Nothing stays behind, however the process that started a cluster ends.
//!
//! Each test starts itself again as a child process that holds a cluster, and ends that child in some way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use wi_test_cluster::{Cluster, ControlPlane};

const HOLD: &str = "WI_TEST_HOLD";

#[test]
#[ignore = "not a test: what the child processes of the tests below do"]
fn hold() {
    match std::env::var(HOLD).as_deref() {
        Ok("control-plane") => announce(ControlPlane::shared()),
        other => panic!("{HOLD}={other:?}"),
    }
}

fn announce(cluster: &Cluster) {
    println!("\nholding {}", cluster.folder().display());
    assert!(std::env::var_os("WI_TEST_PANIC").is_none(), "this test fails");
    thread::sleep(Duration::from_mins(5));
}

fn holder(size: &str, panics: bool) -> (Child, PathBuf) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["hold", "--exact", "--ignored", "--nocapture"])
        .env(HOLD, size)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if panics {
        command.env("WI_TEST_PANIC", "1");
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let folder = lines.map_while(Result::ok).find_map(|line| Some(PathBuf::from(line.strip_prefix("holding ")?)));
    (child, folder.expect("the child holds a cluster"))
}

/// Processes with the cluster's name in their command line.
fn processes(folder: &Path) -> Vec<String> {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let output = Command::new("ps").args(["-A", "-o", "pid=,args="]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.contains(&name)).map(str::to_owned).collect()
}

fn assert_nothing_is_left(folder: &Path) {
    let start = Instant::now();
    while folder.exists() || !processes(folder).is_empty() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "still there: {}, {:#?}",
            folder.display(),
            processes(folder)
        );
        thread::sleep(Duration::from_millis(100));
    }
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    assert!(!mounts.contains(&name), "{mounts}");
}

#[test]
fn a_killed_process_leaves_nothing() {
    let (mut child, folder) = holder("control-plane", false);
    assert!(processes(&folder).iter().any(|line| line.contains("kube-apiserver")), "{:#?}", processes(&folder));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_nothing_is_left(&folder);
}

#[test]
fn a_failing_test_leaves_nothing() {
    let (mut child, folder) = holder("control-plane", true);
    assert!(!child.wait().unwrap().success());
    assert_nothing_is_left(&folder);
}

#[test]
fn an_interrupted_process_leaves_nothing() {
    let (mut child, folder) = holder("control-plane", false);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    child.wait().unwrap();
    assert_nothing_is_left(&folder);
}
