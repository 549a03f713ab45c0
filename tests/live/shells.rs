//! The Tab key in the shells that people have: of the program itself, and of kubectl with the plugin.

use crate::packaging::Installed;
use crate::support::App;
use rexpect::session::{PtySession, spawn_command};
use std::process::Command;
use wi_test_cluster::{Cluster, ControlPlane, ensure_shells};

/// How a shell is started without anybody's settings, and how it learns to complete.
struct Shell {
    words: &'static [&'static str],
    set_up: &'static str,
}

const BASH: Shell = Shell {
    words: &["bash", "--norc", "--noprofile", "-i"],
    set_up: ". /usr/share/bash-completion/bash_completion; . <(kubectl completion bash); . <(kubectl-wi completion bash)",
};
const ZSH: Shell = Shell {
    words: &["zsh", "-f", "-i"],
    set_up: "autoload -Uz compinit; compinit -u -D; . <(kubectl completion zsh); . <(kubectl-wi completion zsh)",
};
const FISH: Shell = Shell {
    words: &["fish", "--private", "--no-config", "-i"],
    set_up: "kubectl completion fish | source; kubectl-wi completion fish | source",
};

impl Shell {
    fn start(&self, plugin: &Installed, cluster: &Cluster) -> PtySession {
        // The pseudo-terminal comes without echo, and readline then shows nothing of what it completes.
        let mut command = Command::new("sh");
        command.args(["-c", "stty echo; exec \"$@\"", "sh"]);
        // In a folder of its own: what a shell would write goes there.
        command.env("HOME", plugin.folder()).env("TERM", "dumb").current_dir(plugin.folder());
        plugin.find_first(&mut command, cluster);
        command.args(self.words);
        let mut session = spawn_command(command, Some(60_000)).unwrap();
        // Interactive shells do not mind the signal by which a session that is dropped is asked to end.
        session.process_mut().set_kill_timeout(Some(1));
        session.send_line(self.set_up).unwrap();
        // The terminal echoes the line; only what it prints has the whole word.
        session.send_line("printf 'set-up-%s\\n' over").unwrap();
        session.exp_string("set-up-over").unwrap();
        session
    }
}

/// Types words, presses Tab, and waits for what stands on the line then.
#[track_caller]
fn completes(session: &mut PtySession, typed: &str, wanted: &str) {
    session.send(typed).unwrap();
    session.send("\t").unwrap();
    session.flush().unwrap();
    let found = session.exp_string(wanted);
    assert!(found.is_ok(), "{typed:?} does not become {wanted:?}: {found:?}");
}

fn try_shell(shell: &Shell) {
    ensure_shells().unwrap();
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("tab").unwrap();
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plugin = Installed::link(folder.path());
    let wrote = plugin.kubectl(cluster, &["wi", "completion", "kubectl", "--install"]);
    assert!(wrote.status.success(), "{wrote:?}");

    for program in ["kubectl-wi", "kubectl wi"] {
        let mut session = shell.start(&plugin, cluster);
        completes(&mut session, &format!("{program} insp"), "ect ");
        completes(&mut session, "--as-cl", "uster");
    }
    // What the cluster has comes with kubectl's own completion.
    let mut session = shell.start(&plugin, cluster);
    completes(&mut session, &format!("kubectl wi inspect -n {} deploy/vel", namespace.name()), "ero");
}

#[test]
fn bash_completes() {
    try_shell(&BASH);
}

#[test]
fn zsh_completes() {
    try_shell(&ZSH);
}

#[test]
fn fish_completes() {
    try_shell(&FISH);
}
