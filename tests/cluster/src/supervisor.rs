//! Programs that are stopped when the process that started them ends, however it ends.

use std::{
    fs::{self, File},
    io::{Read, Seek, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{names, paths, quote::shell_word};

const SCRIPT: &str = include_str!("supervise.sh");

/// Whether a cluster shares the machine's network or has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    Loopback,
    Namespaces,
}

/// The supervising shell of one cluster and the cluster's folder.
///
/// A destructor is not enough: a panic in another thread, `std::process::exit`, Ctrl-C and `kill -9` all skip it, and
/// a static is never dropped. So a process outside holds the other end of a pipe, and stops everything at its end.
pub(crate) struct Supervisor {
    name: String,
    folder: PathBuf,
    shell: Mutex<Child>,
    requests: Mutex<Option<ChildStdin>>,
    /// The shell's own messages; open, because the shell removes the folder when it ends.
    log: File,
}

impl Supervisor {
    pub(crate) fn start(isolation: Isolation) -> Result<Self> {
        let running = paths::running();
        fs::create_dir_all(&running).with_context(|| format!("cannot create {}", running.display()))?;
        let name = names::unique("wi-test");
        // Not removed by this process: the supervisor outlives it.
        let folder = running.join(&name);
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let script = folder.join("supervise.sh");
        fs::write(&script, SCRIPT)?;
        let log_path = folder.join("supervise.log");
        let log = File::create(&log_path)?;
        let own_log = File::open(&log_path)?;
        let mut shell = Command::new("sh")
            .arg(&script)
            .arg(match isolation {
                Isolation::Loopback => "loopback",
                Isolation::Namespaces => "isolated",
            })
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Out of the terminal's foreground group: Ctrl-C ends the tests, and their end ends the cluster.
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let requests = Mutex::new(shell.stdin.take());
        Ok(Self { name, folder, shell: Mutex::new(shell), requests, log: own_log })
    }

    /// The name of the cluster: unique on this machine, good as a DNS label.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The folder for certificates, kubeconfigs and logs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process whose namespaces are the cluster's, as its number outside.
    pub(crate) fn inside(&self) -> Result<u32> {
        let file = self.folder.join("inside");
        let text = self.wait("its namespaces", Duration::from_secs(20), || {
            fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
        })?;
        text.trim().parse().with_context(|| format!("{} holds no process number", file.display()))
    }

    /// Starts a program; its output goes to `<name>.log` in the folder.
    pub(crate) fn run(&self, name: &str, program: &Path, arguments: &[String]) -> Result<()> {
        let words: Vec<_> = std::iter::once(shell_word(&program.to_string_lossy()))
            .chain(arguments.iter().map(|argument| shell_word(argument)))
            .collect();
        fs::write(self.folder.join(format!("{name}.sh")), format!("exec {}\n", words.join(" \\\n  ")))?;
        let mut requests = self.requests.lock().map_err(|_| anyhow::anyhow!("the supervisor's pipe was poisoned"))?;
        let Some(pipe) = requests.as_mut() else { bail!("the cluster was stopped") };
        writeln!(pipe, "{name}").and_then(|()| pipe.flush()).with_context(|| self.explain(name))
    }

    /// Asks again and again until there is an answer, a program of the cluster ends, or the time is over.
    pub(crate) fn wait<T>(&self, what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return Ok(answer);
            }
            if let Some(name) = self.ended() {
                bail!("{}", self.explain(&name));
            }
            if self.shell.lock().is_ok_and(|mut shell| !matches!(shell.try_wait(), Ok(None))) {
                bail!("test cluster: its supervisor ended: {}", self.messages());
            }
            if start.elapsed() > limit {
                bail!("test cluster: no sign of {what} after {} s; {}", limit.as_secs(), self.logs());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops everything and waits for it; done by dropping, too.
    pub(crate) fn stop(&mut self) {
        if let Ok(mut requests) = self.requests.lock() {
            requests.take();
        }
        if let Ok(shell) = self.shell.get_mut() {
            // There is nobody to tell in a destructor; what could not be stopped is what the supervisor's log says.
            let _ = shell.wait();
        }
    }

    /// A program that has ended, which none does by itself.
    fn ended(&self) -> Option<String> {
        fs::read_dir(&self.folder).ok()?.flatten().find_map(|entry| {
            let path = entry.path();
            let ended = path.extension().is_some_and(|extension| extension == "exit");
            ended.then(|| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        })
    }

    fn explain(&self, name: &str) -> String {
        let log = tail(&self.folder.join(format!("{name}.log")));
        format!("test cluster: {name} ended; the end of its log:\n{log}\n{}", self.messages())
    }

    fn messages(&self) -> String {
        let mut text = String::new();
        let _ = (&self.log).rewind().and_then(|()| (&self.log).read_to_string(&mut text));
        text
    }

    fn logs(&self) -> String {
        let mut text = String::from("the ends of the logs:");
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                text.extend(["\n--- ", &entry.file_name().to_string_lossy(), "\n", &tail(&path)]);
            }
        }
        text
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
