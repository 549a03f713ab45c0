//! What was changed, written down before it is sent.
//!
//! A run is one file of JSON lines in the user's state folder, which nobody else may read. A line is on the disk
//! before the request goes out, so that after any end, `kill -9` included, it is known what was sent and whether it
//! was confirmed. Only the fields that were changed are in it, before and after, and no value that may be a secret.

use super::diff::{self, HIDDEN};
use super::path::{Edit, Step};
use crate::model::object::ObjectRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Line {
    /// The run begins.
    Begin {
        /// Its id.
        run: String,
        /// When.
        time: String,
        /// The context of the kubeconfig.
        context: Option<String>,
        /// The API server.
        server: String,
        /// The run that this one takes back.
        undoes: Option<String>,
    },
    /// What follows changes this Azure: the address of its resource manager.
    Azure {
        /// Such as `https://management.azure.com`.
        endpoint: String,
    },
    /// A request is about to be sent.
    Sent(Box<Sent>),
    /// The API server confirmed it.
    Confirmed {
        /// Which request.
        number: usize,
    },
    /// The API server refused it: nothing was changed.
    Refused {
        /// Which request.
        number: usize,
    },
    /// The run came to its end.
    End,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// Its number in the run, from 0.
    pub number: usize,
    /// `apiVersion` of the object.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its uid; `None` where it is made.
    pub uid: Option<String>,
    /// Whether the object is made by it.
    pub creates: bool,
    /// Whether the object is deleted by it.
    #[serde(default)]
    pub deletes: bool,
    /// Our fields.
    pub edits: Vec<Edit>,
}

impl Sent {
    /// Which object it is.
    pub fn object(&self) -> ObjectRef {
        ObjectRef::new(&self.api_version, &self.kind, self.namespace.as_deref(), &self.name)
    }
}

/// Why the journal cannot be written or read. Without a journal nothing is changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no place for it.
    #[error("no folder for the journal is known: neither XDG_STATE_HOME nor HOME is set")]
    NoFolder,
    /// The system refuses.
    #[error("cannot use the journal {path}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// No run of that id.
    #[error("there is no run {0}")]
    NoRun(String),
    /// Nothing was ever changed.
    #[error("no run was recorded yet")]
    Empty,
}

/// The folder of the journals: of XDG where that is set, else of the platform.
pub fn folder(variable: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, Error> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // XDG: a relative path is to be ignored.
    let xdg = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        xdg.or_else(|| set("LOCALAPPDATA"))
    } else if cfg!(target_os = "macos") {
        xdg.or_else(|| set("HOME").map(|home| home.join("Library/Application Support")))
    } else {
        xdg.or_else(|| set("HOME").map(|home| home.join(".local/state")))
    };
    base.map(|base| base.join("kubectl-wi").join("fix")).ok_or(Error::NoFolder)
}

/// A run that is being written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    run: String,
    next: usize,
}

impl Journal {
    /// Begins a run.
    pub fn begin(
        folder: &Path,
        now: jiff::Timestamp,
        context: Option<&str>,
        server: &str,
        undoes: Option<&str>,
    ) -> Result<Self, Error> {
        let failed = |source: std::io::Error| Error::Io { path: folder.display().to_string(), source };
        private_folder(folder).map_err(failed)?;
        let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        for number in 0..1000 {
            let run = if number == 0 { stamp.clone() } else { format!("{stamp}-{number}") };
            let path = folder.join(format!("{run}.jsonl"));
            match private_file(&path) {
                Ok(file) => {
                    let mut journal = Self { file, path, run: run.clone(), next: 0 };
                    let (context, server) = (context.map(str::to_owned), server.to_owned());
                    let undoes = undoes.map(str::to_owned);
                    journal.write(&Line::Begin { run, time: now.to_string(), context, server, undoes })?;
                    // The file's name is on the disk once the folder is.
                    if let Ok(folder) = File::open(folder) {
                        let _ = folder.sync_all();
                    }
                    return Ok(journal);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(std::io::Error::from(std::io::ErrorKind::AlreadyExists)))
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Writes down a request before it is sent, and returns its number.
    pub fn sent(
        &mut self,
        object: &ObjectRef,
        uid: Option<&str>,
        edits: &[Edit],
        (creates, deletes): (bool, bool),
    ) -> Result<usize, Error> {
        let number = self.next;
        self.next += 1;
        self.write(&Line::Sent(Box::new(Sent {
            number,
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            uid: uid.map(str::to_owned),
            creates,
            deletes,
            edits: edits.iter().map(without_secrets).collect(),
        })))?;
        Ok(number)
    }

    /// Writes a line, to the disk.
    pub fn write(&mut self, line: &Line) -> Result<(), Error> {
        let failed = |source: std::io::Error| Error::Io { path: self.path.display().to_string(), source };
        let mut text = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(failed)?;
        self.file.sync_data().map_err(failed)
    }
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The edit without values that may be secrets; an undo cannot bring those back, and says so.
fn without_secrets(edit: &Edit) -> Edit {
    let mut edit = edit.clone();
    let telling = edit.path.0.iter().any(|step| match step {
        Step::Item { value, .. } => diff::is_sensitive(value),
        Step::Field(_) => false,
    });
    let is_value = matches!(edit.path.0.last(), Some(Step::Field(name)) if name == "value");
    for value in [&mut edit.before, &mut edit.after].into_iter().flatten() {
        diff::hide(value, telling && is_value);
    }
    edit
}

/// Whether a value was left out of the journal.
pub fn is_left_out(value: &Value) -> bool {
    match value {
        Value::String(text) => text == HIDDEN,
        Value::Array(items) => items.iter().any(is_left_out),
        Value::Object(map) => map.values().any(is_left_out),
        _ => false,
    }
}

/// A run as it was recorded.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// When it began.
    pub time: String,
    /// The context of the kubeconfig.
    pub context: Option<String>,
    /// The API server.
    pub server: String,
    /// The run that it takes back.
    pub undoes: Option<String>,
    /// Its requests, and whether each was confirmed; refused ones are left out.
    pub sent: Vec<(Sent, bool)>,
    /// Whether it came to its end.
    pub ended: bool,
    /// The resource manager of the Azure that it changed.
    pub azure: Option<String>,
}

/// All runs, the newest first. A line that was not written whole is the last one of a run that was killed.
pub fn runs(folder: &Path) -> Result<Vec<Run>, Error> {
    let mut runs = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(runs),
        Err(source) => return Err(Error::Io { path: folder.display().to_string(), source }),
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            runs.extend(read(&path)?);
        }
    }
    runs.sort_by(|a, b| (&b.time, &b.id).cmp(&(&a.time, &a.id)));
    Ok(runs)
}

fn read(path: &Path) -> Result<Option<Run>, Error> {
    let failed = |source: std::io::Error| Error::Io { path: path.display().to_string(), source };
    let mut run: Option<Run> = None;
    for line in BufReader::new(File::open(path).map_err(failed)?).lines() {
        let Ok(line) = serde_json::from_str::<Line>(&line.map_err(failed)?) else { break };
        match (line, &mut run) {
            (Line::Begin { run: id, time, context, server, undoes }, none @ None) => {
                *none = Some(Run { id, time, context, server, undoes, sent: Vec::new(), ended: false, azure: None });
            }
            (Line::Azure { endpoint }, Some(run)) => run.azure = Some(endpoint),
            (Line::Sent(sent), Some(run)) => run.sent.push((*sent, false)),
            (Line::Confirmed { number }, Some(run)) => {
                if let Some((_, confirmed)) = run.sent.iter_mut().find(|(sent, _)| sent.number == number) {
                    *confirmed = true;
                }
            }
            (Line::Refused { number }, Some(run)) => run.sent.retain(|(sent, _)| sent.number != number),
            (Line::End, Some(run)) => run.ended = true,
            _ => {}
        }
    }
    Ok(run)
}

/// The run of that id, or the newest that is no undo and was not taken back.
pub fn find(folder: &Path, id: Option<&str>) -> Result<Run, Error> {
    let runs = runs(folder)?;
    if let Some(id) = id {
        return runs.into_iter().find(|run| run.id == id).ok_or_else(|| Error::NoRun(id.to_owned()));
    }
    let undone: Vec<String> = runs.iter().filter_map(|run| run.undoes.clone()).collect();
    let is_open = |run: &Run| run.undoes.is_none() && !undone.contains(&run.id) && !run.sent.is_empty();
    runs.into_iter().find(is_open).ok_or(Error::Empty)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fix::difference::differences;
    use serde_json::json;

    #[test]
    fn a_run_is_read_back_and_what_was_not_confirmed_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let now: jiff::Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let mut journal = Journal::begin(folder.path(), now, Some("c"), "https://s", None).unwrap();
        let object = ObjectRef::service_account("velero", "velero");
        let edits = differences(&json!({"a": "1"}), &json!({"a": "2"}));
        let first = journal.sent(&object, Some("u"), &edits, (false, false)).unwrap();
        journal.write(&Line::Confirmed { number: first }).unwrap();
        let second = journal.sent(&object, Some("u"), &edits, (false, false)).unwrap();
        journal.write(&Line::Refused { number: second }).unwrap();
        journal.sent(&object, Some("u"), &edits, (false, false)).unwrap();
        // Killed in the middle of a line.
        journal.file.write_all(b"{\"event\":\"confir").unwrap();
        let again = Journal::begin(folder.path(), now, None, "https://s", None).unwrap();
        assert_ne!(again.run(), journal.run());
        let run = find(folder.path(), None).unwrap();
        assert_eq!(run.id, journal.run());
        assert_eq!(
            run.sent.iter().map(|(sent, done)| (sent.number, *done)).collect::<Vec<_>>(),
            [(0, true), (2, false)]
        );
        assert_eq!(run.sent[0].0.edits, edits);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&journal.path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn no_secret_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut journal = Journal::begin(folder.path(), now, None, "https://s", None).unwrap();
        let env = |value: Value| json!({"env": [{"name": "AZURE_CLIENT_SECRET", "value": value}, {"name": "B"}]});
        let object = ObjectRef::new("v1", "Pod", None, "a");
        let removed = differences(&env(json!("hunter2")), &json!({"env": [{"name": "B"}]}));
        let changed = differences(&env(json!("hunter2")), &env(json!("")));
        assert!(!removed.is_empty() && !changed.is_empty());
        journal.sent(&object, None, &[removed, changed].concat(), (false, false)).unwrap();
        let text = std::fs::read_to_string(&journal.path).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        let run = runs(folder.path()).unwrap().remove(0);
        assert!(run.sent[0].0.edits.iter().all(|edit| edit.before.as_ref().is_some_and(is_left_out)));
    }

    #[test]
    fn the_folder_follows_the_platform() {
        let at = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            folder(&move |name| set.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())).ok()
        };
        assert_eq!(at(&[("XDG_STATE_HOME", "/s")]), Some("/s/kubectl-wi/fix".into()));
        assert_eq!(at(&[]), None);
        #[cfg(target_os = "linux")]
        assert_eq!(
            at(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")]),
            Some("/h/.local/state/kubectl-wi/fix".into())
        );
    }
}
