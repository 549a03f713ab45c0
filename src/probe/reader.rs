//! Reading files in a container with what its image has.
//!
//! Most images that use workload identity have no shell, some have `cat`, some nothing at all. What did not run proves
//! nothing about the file: only a program that ran and said so can say that a file is missing.

use crate::cluster::{Client, Error, ExecQuery};
use crate::text::{clean, mask};
use std::time::Duration;
use zeroize::{Zeroize as _, Zeroizing};

/// How long one program may take. All of them end at once; only a hanging kubelet takes longer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The longest output that is kept: `/proc/stat` of a large node, or a token.
const OUTPUT: usize = 256 * 1024;

/// A container to run programs in.
#[derive(Clone, Copy)]
pub struct Inside<'a> {
    /// The API server.
    pub client: &'a Client,
    /// The pod's namespace.
    pub namespace: &'a str,
    /// The pod.
    pub pod: &'a str,
    /// The container.
    pub container: &'a str,
}

/// What became of a program. No `Debug`: the output may be a token.
pub enum Ran {
    /// It ran and ended.
    Ended {
        /// Exit code.
        code: i32,
        /// Standard output.
        stdout: Zeroizing<Vec<u8>>,
        /// The first line of standard error, without anything secret.
        said: String,
    },
    /// The image does not have it, or it cannot be started there.
    NoProgram,
    /// There is no container to run it in.
    NotRunning(String),
    /// The user may not.
    Denied(String),
    /// Nobody knows: too late, or the connection broke.
    Unknown(String),
}

impl Inside<'_> {
    /// Runs a program that ends by itself.
    pub async fn run(&self, command: &[&str], limit: Duration) -> Ran {
        let query = ExecQuery {
            namespace: self.namespace,
            pod: self.pod,
            container: self.container,
            command,
            limit,
            max_output: OUTPUT,
        };
        match self.client.exec(&query).await {
            Ok(mut outcome) => {
                let stdout = Zeroizing::new(std::mem::take(&mut outcome.stdout));
                let mut stderr = std::mem::take(&mut outcome.stderr);
                let said = first_line(&String::from_utf8_lossy(&stderr));
                stderr.zeroize();
                match outcome.exit_code {
                    // What runtimes answer for a program that cannot be started, where they answer with a code.
                    Some(126 | 127) => Ran::NoProgram,
                    Some(code) => Ran::Ended { code, stdout, said },
                    None => not_started(outcome.message.as_deref()),
                }
            }
            Err(error) => refused(&error),
        }
    }
}

/// Why there is no exit code.
fn not_started(message: Option<&str>) -> Ran {
    let Some(message) = message else { return Ran::Unknown("the connection broke off".to_owned()) };
    let lower = message.to_lowercase();
    if lower.contains("container not found") || lower.contains("not running") || lower.contains("is not created") {
        return Ran::NotRunning(message.to_owned());
    }
    let no_program = ["executable file not found", "no such file or directory", "exec format error", "exec failed"];
    let not_allowed = lower.contains("permission denied") && lower.contains("exec");
    if not_allowed || no_program.iter().any(|words| lower.contains(words)) {
        return Ran::NoProgram;
    }
    Ran::Unknown(first_line(message))
}

/// What the API server's refusal means.
fn refused(error: &Error) -> Ran {
    let text = error.to_string();
    match error {
        Error::Denied { .. } => Ran::Denied(format!(
            "{}; an exec needs get on pods/exec, from Kubernetes 1.35 on create too",
            first_line(&text)
        )),
        Error::Rejected { .. } => Ran::Denied(first_line(&text)),
        Error::NotFound { .. } => Ran::NotRunning("the pod is gone".to_owned()),
        Error::Invalid { .. } => Ran::NotRunning(first_line(&text)),
        _ => Ran::Unknown(first_line(&text)),
    }
}

/// The first line of a foreign text, safe to show.
pub(crate) fn first_line(text: &str) -> String {
    let cleaned = clean(text);
    let line = cleaned.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    mask(line).chars().take(300).collect()
}

/// A program that can print a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    words: &'static [&'static str],
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Prints every byte.
    Plain,
    /// A loop of a shell's own words, which loses NUL.
    Lines,
    /// Of Windows.
    Windows,
    /// Of Windows, with the path inside a word.
    PowerShell,
}

const LOOP: &str = r#"while IFS= read -r line || [ -n "$line" ]; do printf '%s\n' "$line"; done < "$1""#;
const PYTHON: &str = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())";
const NODE: &str = "process.stdout.write(require('fs').readFileSync(process.argv[1]))";

/// The programs that are tried on Linux, in this order.
pub const LINUX: &[Reader] = &[
    plain(&["cat"]),
    plain(&["/bin/cat"]),
    plain(&["/usr/bin/cat"]),
    plain(&["busybox", "cat"]),
    plain(&["/busybox/cat"]),
    Reader { words: &["sh", "-c", LOOP, "sh"], kind: Kind::Lines },
    Reader { words: &["/bin/sh", "-c", LOOP, "sh"], kind: Kind::Lines },
    plain(&["python3", "-c", PYTHON]),
    plain(&["node", "-e", NODE]),
];

/// The programs that are tried on Windows. Not tried on a real Windows node.
pub const WINDOWS: &[Reader] = &[
    Reader { words: &["cmd", "/c", "type"], kind: Kind::Windows },
    Reader { words: &["powershell", "-NoProfile", "-Command"], kind: Kind::PowerShell },
    Reader { words: &["pwsh", "-NoProfile", "-Command"], kind: Kind::PowerShell },
];

const fn plain(words: &'static [&'static str]) -> Reader {
    Reader { words, kind: Kind::Plain }
}

/// The file that the kernel makes of a process' own variables.
const ENVIRON: &str = "/proc/self/environ";

impl Reader {
    /// Program and arguments that print a file.
    pub fn command(&self, path: &str) -> Vec<String> {
        let mut words: Vec<String> = self.words.iter().map(|word| (*word).to_owned()).collect();
        words.push(match self.kind {
            Kind::PowerShell => format!("Get-Content -Raw -LiteralPath '{}'", path.replace('\'', "''")),
            // Not an option, whatever the variable holds.
            Kind::Plain | Kind::Lines if path.starts_with('-') => format!("./{path}"),
            Kind::Plain | Kind::Lines | Kind::Windows => path.to_owned(),
        });
        words
    }

    /// Program and arguments that print the container's variables.
    fn environment(&self) -> Vec<String> {
        match self.kind {
            Kind::Windows => ["cmd", "/c", "set"].map(str::to_owned).to_vec(),
            Kind::PowerShell => {
                let mut words: Vec<String> = self.words.iter().map(|word| (*word).to_owned()).collect();
                words.push("Get-ChildItem env: | ForEach-Object { $_.Name + '=' + $_.Value }".to_owned());
                words
            }
            Kind::Plain | Kind::Lines => self.command(ENVIRON),
        }
    }

    /// What the report calls it.
    pub fn name(&self) -> &'static str {
        self.words.first().copied().unwrap_or_default()
    }

    /// Whether it is one of Windows'.
    pub fn is_windows(&self) -> bool {
        matches!(self.kind, Kind::Windows | Kind::PowerShell)
    }

    /// Reads a file.
    pub async fn read(&self, inside: &Inside<'_>, path: &str) -> Content {
        let command = self.command(path);
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        judge(inside.run(&words, PATIENCE).await)
    }
}

/// What came of reading a file. No `Debug`: it may hold a token.
pub enum Content {
    /// What is in it; never empty.
    Bytes(Zeroizing<Vec<u8>>),
    /// A program that ran says that it is not there.
    Missing(String),
    /// A program that ran says that it may not be read.
    Unreadable(String),
    /// Nothing is known.
    Unknown(String),
}

fn judge(ran: Ran) -> Content {
    match ran {
        Ran::Ended { code: 0, stdout, .. } if !stdout.trim_ascii().is_empty() => Content::Bytes(stdout),
        Ran::Ended { code: 0, .. } => Content::Unknown("the answer is empty".to_owned()),
        Ran::Ended { code, said, .. } => {
            let lower = said.to_lowercase();
            let any = |words: &[&str]| words.iter().any(|words| lower.contains(words));
            if any(&["no such file", "cannot find the file", "cannot find the path", "cannot find path", "nonexistent"])
            {
                Content::Missing(said)
            } else if any(&["permission denied", "access is denied", "access denied", "operation not permitted"]) {
                Content::Unreadable(said)
            } else if said.is_empty() {
                Content::Unknown(format!("the program ended with {code} and said nothing"))
            } else {
                Content::Unknown(format!("the program ended with {code}: {said}"))
            }
        }
        Ran::NoProgram => Content::Unknown("the program could not be started".to_owned()),
        Ran::NotRunning(why) | Ran::Denied(why) | Ran::Unknown(why) => Content::Unknown(why),
    }
}

/// What came of looking for a program that can read. No `Debug`: the variables may hold secrets.
pub enum Search {
    /// One that works, and the container's variables as it printed them.
    Found(Reader, Option<super::environment::Variables>),
    /// The image has none of them.
    None,
    /// It could not be found out.
    Stopped(Ran),
}

/// Looks for a program of the image that can read a file, by letting it read the variables.
pub async fn search(inside: &Inside<'_>, readers: &[Reader]) -> Search {
    let mut second_best = None;
    for reader in readers {
        let command = reader.environment();
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match inside.run(&words, PATIENCE).await {
            Ran::NoProgram => {}
            Ran::Ended { code: 0, stdout, .. } if !stdout.is_empty() => {
                let variables = match reader.kind {
                    Kind::Plain => super::environment::of_environ(&stdout),
                    Kind::Lines => None,
                    Kind::Windows | Kind::PowerShell => super::environment::of_lines(&stdout),
                };
                return Search::Found(*reader, variables);
            }
            // It runs, but says nothing about variables, which proves nothing about files.
            Ran::Ended { .. } => second_best = second_best.or(Some(*reader)),
            stopped => return Search::Stopped(stopped),
        }
    }
    second_best.map_or(Search::None, |reader| Search::Found(reader, None))
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    fn ended(code: i32, stdout: &str, said: &str) -> Ran {
        Ran::Ended { code, stdout: Zeroizing::new(stdout.into()), said: said.to_owned() }
    }

    #[test]
    fn only_a_program_that_ran_can_say_that_a_file_is_missing() {
        assert!(matches!(judge(ended(1, "", "cat: can't open '/x': No such file or directory")), Content::Missing(_)));
        assert!(matches!(judge(ended(1, "", "cat: /x: Permission denied")), Content::Unreadable(_)));
        assert!(matches!(judge(ended(0, "x", "")), Content::Bytes(_)));
        for ran in [
            ended(0, "", ""),
            ended(0, " \n", ""),
            ended(1, "", ""),
            ended(137, "", "Killed"),
            Ran::NoProgram,
            Ran::Unknown("late".to_owned()),
        ] {
            assert!(matches!(judge(ran), Content::Unknown(_)));
        }
    }

    #[test]
    fn the_words_of_container_runtimes_are_understood() {
        for words in [
            "failed to exec in container: OCI runtime exec failed: exec failed: unable to start container process: exec: \"cat\": executable file not found in $PATH: unknown",
            "exec: \"/bin/sh\": stat /bin/sh: no such file or directory: unknown",
            "OCI runtime exec failed: exec failed: exec: \"/bin\": permission denied",
        ] {
            assert!(matches!(not_started(Some(words)), Ran::NoProgram), "{words}");
        }
        assert!(matches!(not_started(Some("container not found (\"app\")")), Ran::NotRunning(_)));
        assert!(matches!(not_started(Some("error dialing backend: EOF")), Ran::Unknown(_)));
        assert!(matches!(not_started(None), Ran::Unknown(_)));
    }

    #[test]
    fn a_path_is_never_an_option_or_a_command() {
        assert_eq!(plain(&["cat"]).command("-x"), ["cat", "./-x"]);
        let Some(powershell) = WINDOWS.get(1) else { panic!("no PowerShell") };
        let command = powershell.command("C:\\it's; rm");
        assert_eq!(command.last().map(String::as_str), Some("Get-Content -Raw -LiteralPath 'C:\\it''s; rm'"));
    }
}
