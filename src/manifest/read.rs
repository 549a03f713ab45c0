//! Reads manifests: files, directories and standard input; YAML and JSON; several documents and `List` objects.

use super::plain::{self, Scalars};
use crate::model::object::{FileOrigin, Origin};
use serde::Deserialize;
use serde_json::Value;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How standard input is called in messages.
pub const STDIN: &str = "<stdin>";

/// Where manifests come from, as the user said it.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// Values of `-f`: a file, a directory, or `-`.
    pub paths: Vec<String>,
    /// Whether directories are read with all that is below them.
    pub recursive: bool,
}

/// Why the manifests could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory cannot be opened.
    #[error("cannot read {path}: {source}")]
    Open {
        /// As the user named it.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// An address was given.
    #[error("-f {0} is an address; kubectl wi reads files")]
    Address(String),
    /// A directory holds no manifest.
    #[error("no .yaml, .yml or .json file in {0}")]
    EmptyDirectory(String),
    /// Nothing was on standard input.
    #[error("standard input is empty")]
    EmptyInput,
}

impl Error {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some("name a file, a directory, or - for standard input".to_owned())
            }
            Self::Open { .. } => None,
            Self::Address(url) => Some(format!("curl -fsSL {url} | kubectl wi inspect -f -")),
            Self::EmptyDirectory(path) => {
                Some(format!("kubectl wi inspect -R -f {path}   also reads what is below it"))
            }
            Self::EmptyInput => Some("helm template RELEASE CHART | kubectl wi inspect -f -".to_owned()),
        }
    }
}

/// A document that cannot be read as what it says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// What takes the objects of the manifests one by one.
pub trait Sink {
    /// An object, with `List`s already taken apart.
    fn object(&mut self, value: Value, origin: Origin) -> Result<(), serde_json::Error>;
    /// A document that could not be read.
    fn problem(&mut self, problem: Problem);
}

/// Texts that cannot be read a second time, for finding places in them.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    stdin: Option<Arc<str>>,
}

impl Texts {
    /// The text of a file that was read before.
    pub fn text(&self, file: &str) -> Option<Arc<str>> {
        if file == STDIN { self.stdin.clone() } else { std::fs::read_to_string(file).ok().map(Arc::from) }
    }

    /// The text of one document of a file that was read before, and no more of the file.
    pub fn document(&self, origin: &FileOrigin) -> Option<String> {
        let (start, end) = origin.bytes;
        if &*origin.file == STDIN {
            return self.stdin.as_ref()?.get(start..end).map(str::to_owned);
        }
        let mut file = std::fs::File::open(&*origin.file).ok()?;
        file.seek(SeekFrom::Start(u64::try_from(start).ok()?)).ok()?;
        let mut bytes = vec![0; end.checked_sub(start)?];
        file.read_exact(&mut bytes).ok()?;
        String::from_utf8(bytes).ok()
    }
}

/// Reads everything that `paths` names, in that order and by name within a directory.
pub fn read(paths: &Paths, stdin: &mut dyn Read, sink: &mut dyn Sink) -> Result<Texts, Error> {
    let mut texts = Texts::default();
    for path in &paths.paths {
        if path == "-" {
            let mut bytes = Vec::new();
            stdin.read_to_end(&mut bytes).map_err(|source| Error::Open { path: STDIN.to_owned(), source })?;
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Err(Error::EmptyInput);
            }
            if let Some(text) = text_of(STDIN, bytes, sink) {
                let text: Arc<str> = Arc::from(text);
                read_text(STDIN, &text, sink);
                texts.stdin = Some(text);
            }
        } else if path.starts_with("http://") || path.starts_with("https://") {
            return Err(Error::Address(path.clone()));
        } else {
            read_path(path, paths.recursive, sink)?;
        }
    }
    Ok(texts)
}

fn read_path(path: &str, recursive: bool, sink: &mut dyn Sink) -> Result<(), Error> {
    let open = |source| Error::Open { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(open)?;
    if !metadata.is_dir() {
        return read_file(Path::new(path), sink);
    }
    let mut files = Vec::new();
    collect_files(Path::new(path), recursive, &mut files).map_err(open)?;
    if files.is_empty() {
        return Err(Error::EmptyDirectory(path.to_owned()));
    }
    files.iter().try_for_each(|file| read_file(file, sink))
}

fn collect_files(directory: &Path, recursive: bool, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            // A link to a directory above would never end.
            if recursive && !entry.file_type()?.is_symlink() {
                collect_files(&path, recursive, files)?;
            }
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json") {
            files.push(path);
        }
    }
    Ok(())
}

fn read_file(path: &Path, sink: &mut dyn Sink) -> Result<(), Error> {
    let name = path.to_string_lossy();
    let bytes = std::fs::read(path).map_err(|source| Error::Open { path: name.to_string(), source })?;
    if let Some(text) = text_of(&name, bytes, sink) {
        read_text(&name, &text, sink);
    }
    Ok(())
}

/// The bytes as text; bytes that are none are a problem of the file.
fn text_of(file: &str, bytes: Vec<u8>, sink: &mut dyn Sink) -> Option<String> {
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Some(text),
        _ => {
            sink.problem(Problem {
                file: file.to_owned(),
                line: 1,
                column: 1,
                message: "this is binary data, not YAML or JSON".to_owned(),
                hint: Some("give the manifests themselves, not an archive or image of them".to_owned()),
            });
            None
        }
    }
}

/// Reads the documents of one text.
fn read_text(file: &str, text: &str, sink: &mut dyn Sink) {
    let name: Arc<str> = Arc::from(file);
    let start = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    if start.starts_with('{') || start.starts_with('[') {
        let before = text.len() - start.len();
        if read_json(&name, text, before, sink) {
            return;
        }
    }
    let pieces = split_documents(text);
    parse_in_order(text, &pieces, |piece, parsed| {
        let body = &text[piece.bytes.0..piece.bytes.1];
        let origin = FileOrigin { file: name.clone(), bytes: piece.bytes, line: piece.line, pointer: String::new() };
        match parsed {
            Ok(Value::Null) => {}
            Ok(value) => deliver(value, &origin, sink),
            Err(error) => sink.problem(unreadable(file, body, piece, error)),
        }
    });
}

/// Why a document is no YAML: where, what the parser says, and what it may be instead.
fn unreadable(file: &str, body: &str, piece: &Piece, (line, column, message): ParseError) -> Problem {
    let template = body.contains("{{");
    Problem {
        file: file.to_owned(),
        line: piece.line + line.saturating_sub(1),
        column,
        message: if template {
            "this is a Helm template, not a manifest yet".to_owned()
        } else {
            format!("not valid YAML: {message}")
        },
        hint: template.then(|| "helm template RELEASE CHART | kubectl wi inspect -f -".to_owned()),
    }
}

/// Bytes of YAML that a thread parses at a time.
const BATCH: usize = 64 * 1024;

/// Parses documents on all processors and hands them over one by one, in their order. What waits to be handed over is
/// bounded, so a large file costs no more memory than its objects.
fn parse_in_order(text: &str, pieces: &[Piece], mut each: impl FnMut(&Piece, Result<Value, ParseError>)) {
    let parse = |piece: &Piece, scalars: &mut Scalars| {
        let body = &text[piece.bytes.0..piece.bytes.1];
        match plain::read(body, scalars) {
            Some(value) => Ok(value),
            None if is_blank(body) => Ok(Value::Null),
            None => parse_yaml(body),
        }
    };
    let batches = batches(pieces);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(batches.len());
    if threads < 2 {
        let mut scalars = Scalars::default();
        return pieces.iter().for_each(|piece| each(piece, parse(piece, &mut scalars)));
    }
    std::thread::scope(|scope| {
        let (batches, parse) = (&batches, &parse);
        let receivers: Vec<_> = (0..threads)
            .map(|thread| {
                let (sender, receiver) = std::sync::mpsc::sync_channel(2);
                scope.spawn(move || {
                    let mut scalars = Scalars::default();
                    for batch in batches.iter().skip(thread).step_by(threads) {
                        let parsed: Vec<_> = batch.iter().map(|piece| parse(piece, &mut scalars)).collect();
                        if sender.send(parsed).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for (batch, receiver) in batches.iter().zip(receivers.iter().cycle()) {
            let Ok(parsed) = receiver.recv() else { return };
            batch.iter().zip(parsed).for_each(|(piece, parsed)| each(piece, parsed));
        }
    });
}

/// Neighbouring documents of about [`BATCH`] bytes together.
fn batches(pieces: &[Piece]) -> Vec<&[Piece]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, piece) in pieces.iter().enumerate() {
        bytes += piece.bytes.1 - piece.bytes.0;
        if bytes >= BATCH {
            batches.push(&pieces[start..=at]);
            (start, bytes) = (at + 1, 0);
        }
    }
    if start < pieces.len() {
        batches.push(&pieces[start..]);
    }
    batches
}

/// Reads JSON documents one after the other; false where the text is no JSON after all (YAML in flow style).
fn read_json(file: &Arc<str>, text: &str, before: usize, sink: &mut dyn Sink) -> bool {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(&text[before..]).into_iter::<Value>();
    let mut from = before;
    while let Some(document) = stream.next() {
        let Ok(value) = document else { return false };
        let to = before + stream.byte_offset();
        from += text[from..to].len() - text[from..to].trim_start().len();
        let line = 1 + text[..from].matches('\n').count();
        documents.push((value, FileOrigin { file: file.clone(), bytes: (from, to), line, pointer: String::new() }));
        from = to;
    }
    for (value, origin) in documents {
        deliver(value, &origin, sink);
    }
    true
}

/// Hands over one document: a single object, or each object of a `List`.
fn deliver(value: Value, origin: &FileOrigin, sink: &mut dyn Sink) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.into_iter().enumerate() {
                let pointer = format!("{}/{index}", origin.pointer);
                deliver(item, &FileOrigin { pointer, ..origin.clone() }, sink);
            }
        }
        Value::Object(mut object) if is_list(&object) => {
            let Some(Value::Array(items)) = object.remove("items") else { return };
            for (index, item) in items.into_iter().enumerate() {
                let pointer = format!("{}/items/{index}", origin.pointer);
                deliver(item, &FileOrigin { pointer, ..origin.clone() }, sink);
            }
        }
        value => {
            if let Some((message, hint)) = not_an_object(&value, &origin.file) {
                sink.problem(problem_at(origin, message, hint));
            } else if let Err(error) = sink.object(value, Origin::File(origin.clone())) {
                sink.problem(problem_at(origin, format!("does not fit its kind: {error}"), None));
            }
        }
    }
}

fn problem_at(origin: &FileOrigin, message: String, hint: Option<String>) -> Problem {
    Problem { file: origin.file.to_string(), line: origin.line, column: 1, message, hint }
}

fn is_list(object: &serde_json::Map<String, Value>) -> bool {
    object.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"))
        && object.get("items").is_some_and(Value::is_array)
}

/// What a document is that is no object of the Kubernetes API, and how to make objects of it.
fn not_an_object(value: &Value, file: &str) -> Option<(String, Option<String>)> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let path = Path::new(file);
    let directory = path.parent().map(|p| p.display().to_string()).filter(|p| !p.is_empty());
    let directory = directory.unwrap_or_else(|| ".".to_owned());
    let file_name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version.starts_with("kustomize.config.k8s.io/") || file_name.starts_with("kustomization.y") {
        let hint = format!("kubectl kustomize {directory} | kubectl wi inspect -f -");
        return Some(("this is a Kustomization, not its result".to_owned(), Some(hint)));
    }
    if file_name == "chart.yaml" && kind.is_empty() {
        let hint = format!("helm template RELEASE {directory} | kubectl wi inspect -f -");
        return Some(("this describes a Helm chart, not its manifests".to_owned(), Some(hint)));
    }
    if !value.is_object() {
        return Some(("this is no Kubernetes object: there is no apiVersion and no kind".to_owned(), None));
    }
    if kind.is_empty() || api_version.is_empty() {
        let missing = match (api_version.is_empty(), kind.is_empty()) {
            (true, true) => "apiVersion and no kind",
            (true, false) => "apiVersion",
            _ => "kind",
        };
        if file_name.starts_with("values") {
            let hint = format!("helm template RELEASE CHART -f {file} | kubectl wi inspect -f -");
            return Some(("these are Helm values, not manifests".to_owned(), Some(hint)));
        }
        return Some((format!("this is no Kubernetes object: there is no {missing}"), None));
    }
    None
}

/// One document of a YAML stream.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    bytes: (usize, usize),
    line: usize,
}

/// Splits a stream at its document markers. A line that starts with `---` in the first column always is one: the
/// content of block scalars is indented.
fn split_documents(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_end();
        if at > start && (bare == "---" || bare.starts_with("--- ") || bare.starts_with("---\t")) {
            pieces.push(Piece { bytes: (start, at), line: start_line });
            (start, start_line) = (at, index + 1);
        }
        at += line.len();
    }
    pieces.push(Piece { bytes: (start, text.len()), line: start_line });
    pieces
}

fn is_blank(document: &str) -> bool {
    document.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---" || line == "..."
    })
}

/// Line and column within a document, and what is wrong there.
type ParseError = (usize, usize, String);

/// Parses one document.
fn parse_yaml(text: &str) -> Result<Value, ParseError> {
    serde_saphyr::from_str::<Option<Value>>(text).map(Option::unwrap_or_default).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((1, 1), |at| (usize::try_from(at.line()).unwrap_or(1), usize::try_from(at.column()).unwrap_or(1)));
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default().trim();
        (line.max(1), column.max(1), message.trim_start_matches("error: ").to_owned())
    })
}

/// Reads one value of any type from a YAML or JSON text, such as a configuration file inside a `ConfigMap`.
pub fn parse_value<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_saphyr::from_str(text).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept {
        objects: Vec<(Value, FileOrigin)>,
        problems: Vec<Problem>,
    }

    impl Sink for Kept {
        fn object(&mut self, value: Value, origin: Origin) -> Result<(), serde_json::Error> {
            if let Origin::File(origin) = origin {
                self.objects.push((value, origin));
            }
            Ok(())
        }
        fn problem(&mut self, problem: Problem) {
            self.problems.push(problem);
        }
    }

    fn kept(text: &str) -> Kept {
        let mut kept = Kept::default();
        read(&Paths { paths: vec!["-".into()], recursive: false }, &mut text.as_bytes(), &mut kept).unwrap();
        kept
    }

    #[test]
    fn documents_lists_and_json_become_single_objects_with_their_lines() {
        let kept = kept(
            "# a comment\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- {apiVersion: v1, kind: Pod}\n---\n",
        );
        let places: Vec<_> = kept.objects.iter().map(|(_, o)| (o.line, o.pointer.as_str())).collect();
        assert_eq!(places, [(2, ""), (6, "/items/0"), (6, "/items/1")]);
        let json = self::kept("{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}\n{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}");
        assert_eq!(json.objects.iter().map(|(_, o)| o.line).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_bad_document_is_named_and_the_rest_is_read() {
        let kept = kept("apiVersion: v1\nkind: Pod\n---\na: [1\n---\nimage: {{ .Values.image }}\n---\nfoo: bar\n");
        assert_eq!(kept.objects.len(), 1);
        let said: Vec<_> = kept.problems.iter().map(|p| (p.line, p.message.as_str())).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].0 >= 4 && said[0].1.contains("not valid YAML"), "{said:?}");
        assert!(said[1].1.contains("Helm template"), "{said:?}");
        assert!(said[2].1.contains("no apiVersion and no kind"), "{said:?}");
    }

    #[test]
    fn hostile_input_is_an_error_and_no_crash() {
        for text in ["[".repeat(200_000), "a: &a [*a,*a]\n".to_owned(), "\u{0}\u{1}".to_owned(), ": : :".to_owned()] {
            let kept = kept(&text);
            assert!(kept.objects.is_empty());
            assert!(!kept.problems.is_empty());
        }
    }
}
