//! A cluster for trying things by hand: `cargo xtask cluster up`, `shell` and `down`.
//!
//! A process in the background, the holder, has the cluster. It writes down how to reach it, and ends with it when that
//! file goes. A lock tells whether there is a holder, so no process number is ever trusted.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io::ErrorKind,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    str::FromStr,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    binaries::{self, Program},
    cluster::Cluster,
    control_plane::ControlPlane,
    paths, requirements,
    webhook::{self, WebhookOptions},
    whole::WholeCluster,
};

/// How much of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// [`ControlPlane`].
    ControlPlane,
    /// [`WholeCluster`], with the identity webhook.
    Whole,
}

impl Size {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Size::ControlPlane => "control-plane",
            Size::Whole => "whole",
        }
    }
}

impl FromStr for Size {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        [Size::ControlPlane, Size::Whole]
            .into_iter()
            .find(|size| size.name() == text)
            .with_context(|| format!("{text:?}: a cluster is `control-plane` or `whole`"))
    }
}

/// Builds and installs everything that clusters of that size need, so that the tests find it there.
///
/// # Errors
/// Something cannot be had: the message says in one line what to install.
pub fn set_up(size: Size) -> Result<()> {
    // What can fail at once goes before what takes minutes.
    if size == Size::Whole {
        requirements::ensure_whole_cluster()?;
        webhook::build_server()?;
        binaries::ensure_programs(&Program::NODE)?;
    }
    binaries::ensure_programs(&Program::CONTROL_PLANE)
}

/// Starts a cluster that stays, or finds the one that is up, and tells how to use it.
///
/// `holder` is the command that calls [`hold`] with the same size.
///
/// # Errors
/// The cluster does not start, or one of the other size is up.
pub fn up(size: Size, mut holder: Command) -> Result<String> {
    set_up(size)?;
    let folder = paths::state();
    fs::create_dir_all(&folder)?;
    if is_held()? {
        let state = read()?;
        ensure!(
            state["size"] == size.name(),
            "a cluster of size {} is up; `cargo xtask cluster down` stops it",
            state["size"].as_str().unwrap_or("unknown")
        );
        return Ok(explain(&state));
    }
    let _ = fs::remove_file(state_file()); // of a holder that was killed
    let log = folder.join("up.log");
    let output = File::create(&log)?;
    let mut holder = holder
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .context("cannot start the process that holds the cluster")?;
    while !state_file().exists() {
        if let Some(status) = holder.try_wait()? {
            let text = fs::read_to_string(&log).unwrap_or_default();
            bail!("the cluster did not start ({status}): {}", text.trim());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(explain(&read()?))
}

/// Holds a cluster until [`down`] is asked for.
///
/// # Errors
/// The cluster does not start.
pub fn hold(size: Size) -> Result<()> {
    let lock = File::create(lock_file())?;
    lock.try_lock().context("a cluster is up already")?;
    match size {
        Size::ControlPlane => wait_beside(&*ControlPlane::start()?, size),
        Size::Whole => {
            let cluster = WholeCluster::start()?;
            cluster.webhook_install(&WebhookOptions::default())?;
            wait_beside(&cluster, size)
        }
    }
    // The lock goes last, when the cluster has.
}

fn wait_beside(cluster: &Cluster, size: Size) -> Result<()> {
    // The shell gets what a test's command gets; `sh` is replaced by what it is to run.
    let command = cluster.command("sh");
    let text = |text: &OsStr| text.to_string_lossy().into_owned();
    let mut words = vec![text(command.get_program())];
    words.extend(command.get_args().map(text));
    let environment: BTreeMap<_, _> = command.get_envs().map(|(name, value)| (text(name), value.map(text))).collect();
    let state = json!({
        "size": size.name(),
        "kubeconfig": cluster.kubeconfig(),
        "command": words,
        "environment": environment,
    });
    let aside = paths::state().join("up.json.new");
    fs::write(&aside, format!("{state:#}\n"))?;
    fs::rename(aside, state_file())?;
    while state_file().exists() {
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Stops the cluster that [`up`] started and waits until it is gone; whether there was one.
///
/// # Errors
/// The file that says how to reach it cannot be removed.
pub fn down() -> Result<bool> {
    let held = is_held()?;
    loop {
        // Again and again: one that is still starting has yet to write it.
        match fs::remove_file(state_file()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).context("cannot stop the cluster"),
            _ if !is_held()? => return Ok(held),
            _ => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Runs a command, or without one an interactive shell, that reaches the cluster: in its network, with KUBECONFIG set,
/// kubectl and what cargo built last (`kubectl wi`) on its PATH.
///
/// # Errors
/// No cluster is up, or the command cannot be started.
pub fn shell(words: &[String]) -> Result<ExitStatus> {
    ensure!(is_held()?, "no cluster is up; `cargo xtask cluster up` starts one");
    let state = read()?;
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|word| Some(word.as_str()?.to_owned())).collect()
    };
    let mut start = list(&state["command"]);
    start.pop(); // the `sh` that stands for it
    if words.is_empty() {
        start.push(env::var("SHELL").unwrap_or_else(|_| "sh".to_owned()));
    } else {
        start.extend_from_slice(words);
    }
    let mut command = Command::new(&start[0]);
    command.args(&start[1..]);
    for (name, value) in state["environment"].as_object().into_iter().flatten() {
        match value.as_str() {
            Some(value) if name == "PATH" => command.env(name, format!("{}:{value}", paths::built().display())),
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.status().with_context(|| format!("cannot run {}", start[0]))
}

fn explain(state: &Value) -> String {
    let kubeconfig = state["kubeconfig"].as_str().unwrap_or_default();
    let enter = if state["size"] == Size::Whole.name() {
        "# It has a network of its own: `cargo xtask cluster shell [COMMAND ...]` goes in, with kubectl on the PATH."
    } else {
        "# `cargo xtask cluster shell [COMMAND ...]` has this set, and kubectl on the PATH."
    };
    format!("export KUBECONFIG={kubeconfig}\n{enter}\n# `cargo xtask cluster down` stops it.")
}

fn read() -> Result<Value> {
    let file = state_file();
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}: is it still starting?", file.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// Whether a holder runs.
fn is_held() -> Result<bool> {
    let Ok(lock) = File::open(lock_file()) else { return Ok(false) };
    match lock.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error).context("cannot see whether a cluster is up"),
    }
}

fn state_file() -> PathBuf {
    paths::state().join("up.json")
}

fn lock_file() -> PathBuf {
    paths::state().join("up.lock")
}
