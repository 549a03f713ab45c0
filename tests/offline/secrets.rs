//! Nothing of a Secret's value is ever written, in no format, by no rule.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubectl_wi::manifest::read::{Paths, Problem, Sink, read};
use kubectl_wi::model::object::Origin;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is planted. It reads as a word, as a value of YAML and of an environment file.
const MARKER: &str = "PLANTED0MARKER1IN2EVERY3SECRET";

struct Objects(Vec<Value>);

impl Sink for Objects {
    fn object(&mut self, value: Value, _: Origin) -> Result<(), serde_json::Error> {
        self.0.push(value);
        Ok(())
    }
    fn problem(&mut self, problem: Problem) {
        // The cases of this rule are about what cannot be read, and what a probe saw is no manifest.
        let expected = problem.file.contains("WI003-invalid-object") || problem.file.ends_with("probe.json");
        assert!(expected, "{problem:?}");
    }
}

/// How the marker is put into a value.
#[derive(Clone, Copy)]
enum Planting {
    /// The marker is the whole value.
    Whole,
    /// The names in a configuration stay, so that rules speak of them; every value becomes the marker.
    Inside,
}

fn plant(text: &str, how: Planting) -> String {
    if matches!(how, Planting::Whole) {
        return MARKER.to_owned();
    }
    if let Ok(mut value) = serde_json::from_str::<Value>(text)
        && value.is_object()
    {
        plant_json(&mut value);
        return value.to_string();
    }
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let at = line.find(['=', ':']);
            match at {
                // Switches and kinds stay: what comes after them would not be looked at.
                Some(at)
                    if !line[at + 1..].trim().is_empty()
                        && !["true", "false", "AZURE", "azure"].contains(&line[at + 1..].trim()) =>
                {
                    format!("{} {MARKER}", &line[..=at]).replace("= ", "=")
                }
                _ => line.to_owned(),
            }
        })
        .collect();
    if lines.len() == 1 && !text.contains(['=', ':']) { MARKER.to_owned() } else { lines.join("\n") }
}

fn plant_json(value: &mut Value) {
    match value {
        Value::String(text) => MARKER.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(plant_json),
        Value::Object(map) => map.values_mut().for_each(plant_json),
        _ => {}
    }
}

fn plant_secret(secret: &mut Value, how: Planting) {
    for (map, encoded) in [("data", true), ("stringData", false)] {
        let Some(entries) = secret.get_mut(map).and_then(Value::as_object_mut) else { continue };
        for value in entries.values_mut() {
            let text = value.as_str().unwrap_or_default();
            let decoded =
                STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
            let planted = plant(if encoded { &decoded } else { text }, how);
            *value = json!(if encoded { STANDARD.encode(planted) } else { planted });
        }
    }
    secret["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!(MARKER);
}

fn folders(path: &Path, depth: usize) -> Vec<PathBuf> {
    let mut below: Vec<PathBuf> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    below.sort();
    if depth == 0 { below } else { below.iter().flat_map(|path| folders(path, depth - 1)).collect() }
}

fn objects_of(folder: &Path) -> Vec<Value> {
    let mut objects = Objects(Vec::new());
    let paths = Paths { paths: vec![folder.to_str().unwrap().to_owned()], recursive: true };
    read(&paths, &mut std::io::empty(), &mut objects).unwrap();
    objects.0
}

/// Everything that the program writes about objects, in all formats.
fn written(file: &Path, args: &[String]) -> Vec<u8> {
    let folder = file.parent().unwrap();
    let formats = ["wide", "json", "yaml", "jsonl", "name"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"));
    command.args(["inspect", "-f"]).arg(file).args(args).args(["--color", "never", "-o", "text"]);
    for format in formats {
        command.args(["-o", &format!("{format}={}", folder.join(format).display())]);
    }
    let output = command.env_remove("KUBECONFIG").output().unwrap();
    assert!(matches!(output.status.code(), Some(0..=3)), "{:?}", output.status);
    let mut all = [output.stdout, output.stderr].concat();
    for format in formats {
        all.extend(std::fs::read(folder.join(format)).unwrap_or_default());
    }
    all
}

fn tells(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    // Of the base64 only the part that no neighbour changes.
    let encoded = STANDARD.encode(MARKER);
    text.contains(MARKER) || text.contains("PLANTED0MARKER") || text.contains(&encoded[..20])
}

#[test]
fn no_value_of_a_secret_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = folders(&root.join("examples"), 0);
    all.extend(folders(&root.join("tests/cases"), 1));
    let (mut secrets, mut findings) = (0, 0);
    for folder in all {
        let objects = objects_of(&folder);
        if !objects.iter().any(|object| object["kind"] == "Secret") {
            continue;
        }
        let args = std::fs::read_to_string(folder.join("args")).unwrap_or_default();
        let args: Vec<String> = args.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        for how in [Planting::Whole, Planting::Inside] {
            let mut planted = objects.clone();
            for secret in planted.iter_mut().filter(|object| object["kind"] == "Secret") {
                plant_secret(secret, how);
                secrets += 1;
            }
            let list = json!({"apiVersion": "v1", "kind": "List", "items": planted});
            let scratch = tempfile::tempdir().unwrap();
            let file = scratch.path().join("planted.json");
            // One line, and many: what stands on a line may be shown beside a finding.
            let text = if matches!(how, Planting::Whole) {
                list.to_string()
            } else {
                serde_json::to_string_pretty(&list).unwrap()
            };
            std::fs::write(&file, text).unwrap();
            let bytes = written(&file, &args);
            assert!(!tells(&bytes), "{}: {}", folder.display(), String::from_utf8_lossy(&bytes));
            findings += String::from_utf8_lossy(&bytes).matches("(WI").count();
        }
    }
    assert!(secrets > 40 && findings > 40, "{secrets} Secrets, {findings} findings: the test looks at too little");
}

#[test]
fn a_secret_that_cannot_be_read_is_not_quoted() {
    let scratch = tempfile::tempdir().unwrap();
    for (at, text) in [
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData:\n  a: {MARKER}: {MARKER}\n"),
        format!("apiVersion: v1\nkind: Secret\nmetadata: {MARKER}\n"),
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a, labels: [{MARKER}]}}\n"),
        format!("kind: Secret\nstringData: {{a: {MARKER}}}\n"),
        format!("apiVersion: v1\nkind: Secret\n  data: *{MARKER}\n"),
        format!("{{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"data\": {MARKER}}}"),
    ]
    .iter()
    .enumerate()
    {
        let file = scratch.path().join(format!("{at}.yaml"));
        std::fs::write(&file, text).unwrap();
        let bytes = written(&file, &[]);
        assert!(!tells(&bytes), "{text}\n{}", String::from_utf8_lossy(&bytes));
    }
}
