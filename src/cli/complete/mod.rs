//! kubectl's completion of plugins: candidates with descriptions, one a line, and a last line that says what the shell
//! may do besides (Cobra's directive; kubectl 1.26 and newer ask `kubectl_complete-wi` for it).
//!
//! Silent on every error: nobody wants a message in the middle of a command line.

mod cache;
mod line;
mod live;

use super::completion::PLUGIN;
use super::output::Format;
use super::{Cli, Surroundings};
use crate::cluster::resource;
use crate::report::style::clean;
use crate::rules::registry;
use clap::{Arg, FromArgMatches};
use line::{Line, Slot};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The shell adds no blank after the candidate.
const NO_SPACE: u8 = 2;
/// The shell does not offer files.
const NO_FILES: u8 = 4;

/// What may stand at the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
struct Candidates {
    /// Values, each with a description that may be empty.
    values: Vec<(String, String)>,
    /// Files are wanted as well.
    files: bool,
    /// More has to follow: `deploy/`.
    open: bool,
}

impl Candidates {
    fn of(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { values: values.into_iter().collect(), ..Self::default() }
    }

    fn plain(values: impl IntoIterator<Item = String>) -> Self {
        Self::of(values.into_iter().map(|value| (value, String::new())))
    }

    fn files() -> Self {
        Self { files: true, ..Self::default() }
    }
}

/// The words to complete, where that is what the program was started for: by the name that kubectl looks for, or with
/// `__complete`.
pub(super) fn wanted(args: &[OsString]) -> Option<&[OsString]> {
    let (program, rest) = args.split_first()?;
    let stem = Path::new(program).file_stem().and_then(OsStr::to_str).unwrap_or_default();
    if stem == format!("kubectl_complete-{PLUGIN}") {
        return Some(rest);
    }
    rest.split_first().filter(|(first, _)| *first == "__complete").map(|(_, rest)| rest)
}

/// Prints the candidates.
pub(super) fn run(words: &[OsString], around: &mut Surroundings<'_>) -> u8 {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut command = super::command();
    command.build();
    let line = Line::read(&command, &words);
    let found = candidates(&line);
    let (head, typed) = list_head(&line);
    for (value, about) in &found.values {
        if !value.starts_with(typed) || value.contains(char::is_control) {
            continue;
        }
        let about = clean(about.lines().next().unwrap_or_default()).replace('\t', " ");
        let tab = if about.is_empty() { "" } else { "\t" };
        let _ = writeln!(around.stdout, "{head}{value}{tab}{about}");
    }
    let directive = if found.files { 0 } else { NO_FILES } | if found.open { NO_SPACE } else { 0 };
    let _ = writeln!(around.stdout, ":{directive}");
    0
}

/// What stands before the value that is completed: the earlier ones of a list with commas.
fn list_head<'t>(line: &'t Line<'_>) -> (&'t str, &'t str) {
    let list = matches!(&line.slot, Slot::Value(arg) if arg.get_value_delimiter() == Some(','));
    match line.typed.rfind(',').filter(|_| list) {
        Some(at) => line.typed.split_at(at + 1),
        None => ("", &line.typed),
    }
}

fn candidates(line: &Line<'_>) -> Candidates {
    match &line.slot {
        Slot::Subcommand => {
            let shown = line.program.get_subcommands().filter(|command| !command.is_hide_set());
            Candidates::of(shown.map(|command| {
                let about = command.get_about().map(ToString::to_string).unwrap_or_default();
                (command.get_name().to_owned(), about)
            }))
        }
        Slot::Flag => flags(line),
        Slot::Value(arg) => values(line, arg),
        Slot::Word => words(line),
    }
}

fn flags(line: &Line<'_>) -> Candidates {
    let shown = line.args().filter(|arg| !arg.is_hide_set());
    Candidates::of(shown.filter_map(|arg| {
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        Some((format!("--{}", arg.get_long()?), about))
    }))
}

fn values(line: &Line<'_>, arg: &Arg) -> Candidates {
    let possible: Vec<_> = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if !possible.is_empty() {
        return Candidates::of(possible.into_iter().map(|value| {
            (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default())
        }));
    }
    match arg.get_id().as_str() {
        "output" => Candidates::plain(Format::ALL.map(|(word, _)| word.to_owned())),
        "select" | "ignore" | "only" => codes(),
        "context" => local(line, |names| names.contexts),
        "cluster" => local(line, |names| names.clusters.into_iter().map(|name| (name, String::new())).collect()),
        "user" => local(line, |names| names.users.into_iter().map(|name| (name, String::new())).collect()),
        "namespace" => Candidates::plain(ask(line, &live::Question::Namespaces)),
        "client_id" => Candidates::plain(ask(line, &live::Question::ClientIds)),
        "container" => match target(line) {
            Some((kind, name)) => Candidates::plain(ask(line, &live::Question::Containers { kind, name })),
            None => Candidates::default(),
        },
        _ => {
            let names = arg.get_value_names().unwrap_or_default();
            let file = names.iter().any(|name| matches!(name.as_str(), "FILE" | "DIRECTORY"));
            if file { Candidates::files() } else { Candidates::default() }
        }
    }
}

/// The words of a subcommand: rules for `explain`, the values of an enumeration, else objects.
fn words(line: &Line<'_>) -> Candidates {
    let positionals: Vec<&Arg> = line.command.get_positionals().collect();
    let at = positionals.get(line.words.len()).or(positionals.last().filter(|arg| is_list(arg)));
    let Some(arg) = at else { return Candidates::default() };
    if !arg.get_possible_values().is_empty() {
        return values(line, arg);
    }
    match arg.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str) {
        Some("CODE|-") => codes(),
        Some("TYPE/NAME") => objects(line),
        _ => Candidates::default(),
    }
}

fn is_list(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
        || matches!(arg.get_action(), clap::ArgAction::Append)
}

fn codes() -> Candidates {
    let code = registry::infos().map(|info| (info.code.to_owned(), info.name.to_owned()));
    let name = registry::infos().map(|info| (info.name.to_owned(), info.code.to_owned()));
    Candidates::of(code.chain(name))
}

/// `TYPE/NAME`, `TYPE`, or the names of a type that stands before.
fn objects(line: &Line<'_>) -> Candidates {
    if let Some((kind, _)) = line.typed.split_once('/') {
        let names = match kind {
            "identity" => ask(line, &live::Question::ClientIds),
            _ => ask(line, &live::Question::Names { kind: kind.to_owned() }),
        };
        return Candidates::plain(names.into_iter().map(|name| format!("{kind}/{name}")));
    }
    if let Some(kind) = line.words.first().filter(|first| !first.contains('/')) {
        return Candidates::plain(ask(line, &live::Question::Names { kind: kind.clone() }));
    }
    let own = std::iter::once(&resource::SERVICE_ACCOUNT);
    let types = own.chain(crate::model::workload::WORKLOAD_KINDS.iter().filter_map(|(_, kind)| resource::find(kind)));
    let mut values: Vec<(String, String)> =
        types.map(|kind| (format!("{}/", kind.singular), kind.kind.to_string())).collect();
    values.push(("identity/".to_owned(), "every workload that uses a client id".to_owned()));
    values.sort();
    values.dedup();
    Candidates { open: true, ..Candidates::of(values) }
}

/// The object that was named before, for its containers.
fn target(line: &Line<'_>) -> Option<(String, String)> {
    let first = line.words.first()?;
    let (kind, name) = match first.split_once('/') {
        Some(pair) => pair,
        None => (first.as_str(), line.words.get(1)?.as_str()),
    };
    Some((kind.to_owned(), name.to_owned()))
}

/// The connection that the line says so far.
fn connection(line: &Line<'_>) -> Option<super::kubectl_flags::KubectlFlags> {
    // Only kubectl's own flags are handed on, so that an unfinished line does not matter.
    let mut words = vec![format!("kubectl-{PLUGIN}")];
    for arg in line.program.get_arguments().filter(|arg| arg.is_global_set()) {
        for value in line.values.get(arg.get_id().as_str()).into_iter().flatten() {
            words.push(format!("--{}={value}", arg.get_long()?));
        }
    }
    words.push("version".to_owned());
    let matches = super::command().try_get_matches_from(words).ok()?;
    Cli::from_arg_matches(&matches).ok().map(|cli| cli.kubectl)
}

fn local(line: &Line<'_>, pick: impl Fn(crate::cluster::Names) -> Vec<(String, String)>) -> Candidates {
    let names = connection(line).and_then(|flags| live::names(&flags.connect_options()));
    Candidates::of(names.map(pick).unwrap_or_default())
}

fn ask(line: &Line<'_>, question: &live::Question) -> Vec<String> {
    let everywhere = line.value("all_namespaces") == Some("true");
    connection(line).map(|flags| live::ask(&flags.connect_options(), question, everywhere)).unwrap_or_default()
}
