//! The arguments by which `inspect`, `fix` and `simulate` are told what to look at, and where to read it from.

use super::error::Failure;
use super::words;
use crate::chain::select::{Requirement, Scope, Selection, parse_selector};
use crate::manifest::read::Paths;

/// What is selected, and whether it is read from files or from a cluster.
#[derive(Debug, clap::Args)]
pub(super) struct SelectionArgs {
    /// TYPE/NAME ..., TYPE NAME, TYPE, or identity/CLIENT-ID; without it, the namespace, or all files
    #[arg(value_name = "TYPE/NAME")]
    pub(super) words: Vec<String>,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// Only workloads whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Read manifests instead of a cluster: a file, a directory, or - for standard input; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    files: Vec<String>,
    /// Read directories with all that is below them
    #[arg(short = 'R', long, requires = "files")]
    recursive: bool,
    /// The files are the whole cluster: what is not there is absent
    #[arg(long, requires = "files")]
    pub(super) as_cluster: bool,
}

impl SelectionArgs {
    /// Whether files are read, and not a cluster.
    pub(super) fn reads_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Whether standard input is among the files.
    pub(super) fn reads_stdin(&self) -> bool {
        self.files.iter().any(|file| file == "-")
    }

    /// The files to read.
    pub(super) fn paths(&self) -> Paths {
        Paths { paths: self.files.clone(), recursive: self.recursive }
    }

    /// Whether single objects are named, as against a kind, a namespace or a label.
    pub(super) fn names_objects(&self) -> bool {
        self.selector.is_none() && (self.words.len() > 1 || self.words.iter().any(|word| word.contains('/')))
    }

    /// Which namespaces of files are looked at: all of them, unless `-n` names one.
    pub(super) fn scope_in_files(&self, namespace: Option<&str>) -> Scope {
        match namespace {
            Some(namespace) if !self.all_namespaces => Scope::Namespace(namespace.to_owned()),
            _ => Scope::All,
        }
    }

    /// Which namespaces of a cluster are looked at: the connection's own, unless `-A` asks for all of them.
    pub(super) fn scope_in_cluster(&self, namespace: &str) -> Scope {
        if self.all_namespaces { Scope::All } else { Scope::Namespace(namespace.to_owned()) }
    }

    /// The labels of `-l`.
    pub(super) fn labels(&self) -> Result<Vec<Requirement>, Failure> {
        let parse = |text: &String| parse_selector(text).map_err(|error| Failure::new(error, None));
        self.selector.as_ref().map_or_else(|| Ok(Vec::new()), parse)
    }

    /// All of it together. `other_kind` finds the API's kind for a TYPE that is not built in.
    pub(super) fn selection(
        &self,
        scope: Scope,
        other_kind: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Selection, Failure> {
        Ok(Selection { scope, items: words::items(&self.words, other_kind)?, labels: self.labels()? })
    }
}
