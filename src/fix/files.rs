//! Fixing manifests: in place, and nothing but the lines that have to change.

use super::diff;
use super::operations::operations;
use super::plan::{Found, Objects, Outcome, Plan, PlanStep};
use crate::inspect::Input;
use crate::manifest::collect::Collector;
use crate::manifest::edit::{FileChange, edit};
use crate::manifest::read::{self, Paths, Problem, STDIN, Sink, Texts};
use crate::model::inventory::is_cluster_scoped;
use crate::model::object::{ObjectRef, Origin};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Manifests that were read, with every object as it stands there.
#[derive(Debug)]
pub struct Manifests {
    /// What rules look at.
    pub input: Input,
    /// The objects as they are written.
    pub objects: Objects,
    /// Text of each file.
    pub texts: BTreeMap<String, Arc<str>>,
}

struct Keeping {
    collector: Collector,
    objects: Objects,
    namespace: String,
}

impl Sink for Keeping {
    fn object(&mut self, value: Value, origin: Origin) -> Result<(), serde_json::Error> {
        let object = object_ref(&value, &self.namespace);
        self.objects.insert(object, Found { value: value.clone(), origin: origin.clone() });
        self.collector.object(value, origin)
    }

    fn problem(&mut self, problem: Problem) {
        self.collector.problem(problem);
    }
}

/// Which object a value is; `namespace` stands in where a namespaced one has none.
pub fn object_ref(value: &Value, namespace: &str) -> ObjectRef {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = text("/kind").unwrap_or_default();
    let own = text("/metadata/namespace");
    let namespace = if is_cluster_scoped(kind) { own } else { own.or(Some(namespace)) };
    let name = text("/metadata/name").or_else(|| text("/metadata/generateName")).unwrap_or_default();
    ObjectRef::new(text("/apiVersion").unwrap_or_default(), kind, namespace, name)
}

/// Reads manifests for fixing.
pub fn load(
    paths: &Paths,
    stdin: &mut dyn Read,
    namespace: &str,
    whole: bool,
    issuer: Option<&str>,
) -> Result<Manifests, read::Error> {
    let collector = Collector::new(namespace);
    let mut keeping = Keeping { collector, objects: Objects::new(), namespace: namespace.to_owned() };
    let texts = read::read(paths, stdin, &mut keeping)?;
    let Keeping { collector, objects, .. } = keeping;
    let files = texts_of(&objects, &texts);
    Ok(Manifests { input: collector.finish(texts, whole, issuer, None), objects, texts: files })
}

fn texts_of(objects: &Objects, texts: &Texts) -> BTreeMap<String, Arc<str>> {
    let names: BTreeSet<String> = objects.values().filter_map(|found| file_of(&found.origin)).collect();
    names.into_iter().filter_map(|name| Some((name.clone(), texts.text(&name)?))).collect()
}

fn file_of(origin: &Origin) -> Option<String> {
    match origin {
        Origin::File(origin) => Some(origin.file.to_string()),
        Origin::Cluster => None,
    }
}

impl Manifests {
    /// The file that a step changes: its own, or for an object that is made, that of the first step with one.
    pub fn file<'a>(&self, step: &'a PlanStep, plan: &'a Plan) -> Option<String> {
        let own = |step: &PlanStep| step.origin.as_ref().map(|origin| origin.file.to_string());
        own(step).or_else(|| {
            let findings = &step.findings;
            let beside = plan.left.iter().map(|left| &left.finding).chain(&plan.planned);
            let object =
                beside.filter(|finding| findings.contains(&finding.id)).map(|finding| &finding.object).next()?;
            file_of(&self.objects.get(object)?.origin)
        })
    }

    /// The diff of each step on its own; a step that cannot be written is refused with the patch.
    pub fn diffs(&self, plan: &mut Plan) -> Vec<String> {
        let files: Vec<Option<String>> = plan.steps.iter().map(|step| self.file(step, plan)).collect();
        let mut diffs = Vec::new();
        for (step, file) in plan.steps.iter_mut().zip(files) {
            let text = file.as_ref().and_then(|file| Some((file, self.texts.get(file)?)));
            let Some((file, text)) = text.filter(|_| step.is_planned()) else {
                diffs.push(super::report::live_diff(step));
                continue;
            };
            match changed(text, &[&*step]) {
                Ok(after) => {
                    let (before, after) = (diff::hide_in_text(text), diff::hide_in_text(&after));
                    diffs.push(diff::unified(file, &before, &after));
                }
                Err(why) => {
                    let line = step.origin.as_ref().map_or(1, |origin| origin.line);
                    step.end(Outcome::Refused, format!("{file}:{line}: {why}; the patch has to be made by hand"));
                    diffs.push(super::report::live_diff(step));
                }
            }
        }
        diffs
    }

    /// The new text of each file, with all steps that are planned.
    pub fn changed(&self, plan: &mut Plan) -> BTreeMap<String, String> {
        let mut by_file: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, step) in plan.steps.iter().enumerate().filter(|(_, step)| step.is_planned()) {
            if let Some(file) = self.file(step, plan) {
                by_file.entry(file).or_default().push(at);
            }
        }
        let mut texts = BTreeMap::new();
        for (file, steps) in by_file {
            let Some(text) = self.texts.get(&file) else { continue };
            let chosen: Vec<&PlanStep> = steps.iter().map(|at| &plan.steps[*at]).collect();
            match changed(text, &chosen) {
                Ok(after) => {
                    texts.insert(file, after);
                }
                Err(why) => {
                    for at in steps {
                        plan.steps[at].end(Outcome::Refused, why.clone());
                    }
                }
            }
        }
        texts
    }
}

fn changed(text: &str, steps: &[&PlanStep]) -> Result<String, String> {
    let changes: Vec<FileChange<'_>> = steps
        .iter()
        .filter_map(|step| {
            let origin = step.origin.as_ref()?;
            Some(FileChange { origin, operations: operations(&step.current, &step.desired), desired: &step.desired })
        })
        .collect();
    let mut edited = edit(text, &changes).map_err(|refusal| refusal.to_string())?;
    for step in steps.iter().filter(|step| step.creates()) {
        append(&mut edited, &step.desired)?;
    }
    Ok(edited)
}

/// Adds an object as a document at the end.
fn append(text: &mut String, object: &Value) -> Result<(), String> {
    if text.trim_start().starts_with(['{', '[']) {
        return Err("a new object cannot be added to JSON".to_owned());
    }
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    if !text.ends_with('\n') {
        text.push_str(newline);
    }
    let document = format!("---\n{}", diff::yaml(object));
    text.push_str(&document.replace('\n', newline));
    Ok(())
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It is not what was read any more.
    #[error("{0} was changed by somebody else in the meantime; nothing was written to it")]
    Changed(String),
    /// The system refuses.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Writes a file whole or not at all: beside it, to the disk, and renamed. A link stays a link, the mode is kept.
pub fn write(path: &str, read_as: &str, text: &str) -> Result<(), WriteError> {
    let failed = |source: std::io::Error| WriteError::Io { path: path.to_owned(), source };
    let real = std::fs::canonicalize(path).map_err(failed)?;
    let folder = real.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new().prefix(".kubectl-wi-").tempfile_in(folder).map_err(failed)?;
    beside.write_all(text.as_bytes()).map_err(failed)?;
    let permissions = std::fs::metadata(&real).map_err(failed)?.permissions();
    beside.as_file().set_permissions(permissions).map_err(failed)?;
    beside.as_file().sync_all().map_err(failed)?;
    if std::fs::read(&real).map_err(failed)? != read_as.as_bytes() {
        return Err(WriteError::Changed(path.to_owned()));
    }
    beside.persist(&real).map_err(|error| failed(error.error))?;
    // The rename itself is on the disk once the folder is. Not every system lets a folder be opened.
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Whether the manifests came through standard input.
pub fn is_stdin(file: &str) -> bool {
    file == STDIN
}
