//! The repository as a whole: workflows, the action, the hook, and links between its pages.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &str) -> Vec<PathBuf> {
    std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// All jobs of all workflows, with a name to tell them by.
fn jobs() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for path in files(".github/workflows") {
        let workflow = yaml(&path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(workflow["on"].is_object() || workflow["on"].is_string(), "{name} starts never");
        assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}), "{name}");
        for (id, job) in workflow["jobs"].as_object().unwrap() {
            all.push((format!("{name} {id}"), job.clone()));
        }
    }
    assert!(all.len() >= 6);
    all
}

fn steps(job: &Value) -> &Vec<Value> {
    job["steps"].as_array().unwrap()
}

#[test]
fn actions_are_pinned_by_commit_with_the_release_beside() {
    let mut seen = 0;
    for path in files(".github/workflows").into_iter().chain([root().join("action.yml")]) {
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let Some(uses) = line.trim().trim_start_matches("- ").strip_prefix("uses: ") else { continue };
            let (action, release) = uses.split_once(" # v").unwrap_or_else(|| panic!("{uses}: which release is it?"));
            let (name, commit) = action.split_once('@').unwrap();
            let full = commit.len() == 40 && commit.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
            assert!(full && name.contains('/'), "{uses}");
            assert!(release.starts_with(|c: char| c.is_ascii_digit()), "{uses}");
            seen += 1;
        }
    }
    assert!(seen > 10);
}

#[test]
fn jobs_have_limits_and_only_one_may_write() {
    let mut writers = Vec::new();
    for (name, job) in jobs() {
        assert!(job["timeout-minutes"].is_u64(), "{name} has no time limit");
        let granted = job["permissions"].as_object().cloned().unwrap_or_default();
        for (scope, access) in granted {
            if access == "write" {
                writers.push(format!("{name} {scope}"));
            }
        }
        for step in steps(&job) {
            assert!(step["uses"].is_string() != step["run"].is_string(), "{name}: {step}");
            // What others can write (tags, titles, branches) reaches a shell through its environment only.
            let script = step["run"].as_str().unwrap_or_default();
            assert!(!script.contains("${{"), "{name}: {script}");
        }
    }
    writers.sort();
    let publish = ["attestations", "contents", "id-token"].map(|scope| format!("release.yml publish {scope}"));
    assert_eq!(writers, publish);
}

#[test]
fn jobs_wait_for_jobs_that_exist() {
    let all = jobs();
    let names: BTreeSet<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    for (name, job) in &all {
        if let Some(needs) = job["needs"].as_str() {
            let workflow = name.split(' ').next().unwrap();
            assert!(names.contains(format!("{workflow} {needs}").as_str()), "{name} needs {needs}");
        }
    }
}

#[test]
fn every_command_of_a_workflow_exists() {
    // What the runners' images bring along, or a step before installs.
    let tools = [
        "bash",
        "cargo",
        "cat",
        "cosign",
        "gh",
        "grep",
        "rm",
        "rustup",
        "sha256sum",
        "sudo",
        "target/$TARGET/release/kubectl-wi",
    ];
    let xtask = std::fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let mut tasks = BTreeSet::new();
    for (name, job) in jobs() {
        for line in steps(&job).iter().filter_map(|step| step["run"].as_str()).flat_map(str::lines) {
            let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches('"')).collect();
            let Some(first) = words.first() else { continue };
            assert!(tools.contains(first), "{name}: what is {first}?");
            if let ["cargo", "xtask", task, ..] = words.as_slice() {
                tasks.insert((*task).to_owned());
                let mut variant = task[..1].to_uppercase();
                variant.push_str(&task[1..]);
                assert!(xtask.contains(&format!("    {variant} {{\n")), "{name}: there is no cargo xtask {task}");
            }
            for path in words.iter().filter(|word| word.starts_with(".ci/")) {
                assert!(root().join(path).is_file(), "{name}: {path}");
            }
        }
    }
    assert!(tasks.contains("archive") && tasks.contains("krew"), "{tasks:?}");
}

#[test]
fn issue_templates_ask_for_a_redacted_report() {
    for path in files(".github/ISSUE_TEMPLATE") {
        let form = yaml(&path);
        if path.ends_with("config.yml") {
            continue;
        }
        assert!(form["name"].is_string() && form["body"].is_array(), "{}", path.display());
        assert!(form["body"].to_string().contains("-o json --redact"), "{}", path.display());
    }
}

/// A PATH that begins with the program that is tested.
fn path_with_program() -> std::ffi::OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_kubectl-wi")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([program].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

#[cfg(unix)]
#[test]
fn the_action_inspects_what_it_is_told_to() {
    let action = yaml(&root().join("action.yml"));
    assert_eq!(action["runs"]["using"], "composite");
    let steps = action["runs"]["steps"].as_array().unwrap();
    for step in steps {
        assert!(!step["run"].as_str().unwrap().contains("${{"), "{step}");
        for value in step["env"].as_object().unwrap().values().filter_map(Value::as_str) {
            if let Some(input) = value.strip_prefix("${{ inputs.") {
                let input = input.trim_end_matches(" }}");
                assert!(action["inputs"][input].is_object(), "{input}");
            }
        }
    }
    let script = steps.last().unwrap()["run"].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sarif = folder.path().join("wi.sarif");
    let run = |path: &str, fail_on: &str| {
        Command::new("bash")
            .args(["-c", script])
            .env("PATH", path_with_program())
            .envs([("WI_PATH", path), ("WI_FAIL_ON", fail_on), ("WI_AS_CLUSTER", "false")])
            .env("WI_SARIF", &sarif)
            .current_dir(root())
            .output()
            .unwrap()
    };
    let said = run("examples/velero-broken\n", "error");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stdout).starts_with("::error file=examples/velero-broken/"), "{said:?}");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&sarif).unwrap()).unwrap();
    assert_eq!(written["version"], "2.1.0");
    assert_eq!(run("examples/velero-broken", "never").status.code(), Some(0));
    assert_eq!(run("no-such-folder", "error").status.code(), Some(2));
}

#[test]
fn the_hooks_run() {
    let hooks = yaml(&root().join(".pre-commit-hooks.yaml"));
    for hook in hooks.as_array().unwrap() {
        let words: Vec<&str> = hook["entry"].as_str().unwrap().split(' ').collect();
        assert_eq!(words[0], "kubectl-wi");
        let arguments = hook["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let said = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"))
            .args(&words[1..])
            .args(arguments)
            .env_remove("KUBECONFIG")
            .current_dir(root().join("examples"))
            .output()
            .unwrap();
        assert_eq!(said.status.code(), Some(1), "{said:?}");
    }
}

/// All pages of the repository, without what is built.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "target" | ".git" | "node_modules") {
            pages(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept: String = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect();
    kept.replace(' ', "-")
}

#[test]
fn links_between_pages_resolve() {
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut all = Vec::new();
    pages(root(), &mut all);
    assert!(all.len() > 20);
    let (mut broken, mut seen) = (Vec::new(), 0);
    for page in &all {
        let text = std::fs::read_to_string(page).unwrap();
        let prose: String = text.split("```").step_by(2).collect();
        for found in link.captures_iter(&prose) {
            let target = &found[1];
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let there = path.exists()
                && (fragment.is_empty()
                    || std::fs::read_to_string(&path)
                        .unwrap_or_default()
                        .lines()
                        .any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#')) == fragment));
            if !there {
                broken.push(format!("{}: {target}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(seen > 20, "{seen}");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_commands_of_the_readme_are_accepted() {
    let mut seen = 0;
    for page in ["README.md", "README.zh.md", "docs/troubleshooting.md", "docs/faq.md"] {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("$ kubectl wi ")) {
            let words: Vec<&str> = line.split(" #").next().unwrap().split_whitespace().collect();
            // With --help behind it, clap still refuses unknown subcommands; flags are looked up in the reference.
            let help = Command::new(env!("CARGO_BIN_EXE_kubectl-wi")).args([words[0], "--help"]).output().unwrap();
            assert!(help.status.success(), "{page}: {line}");
            let help = String::from_utf8(help.stdout).unwrap();
            for flag in words.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
                let name = flag.split('=').next().unwrap();
                assert!(help.contains(name), "{page}: {line}: {name}");
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

/// With a second provider of cryptography in the tree, rustls cannot choose and panics at the first connection. It
/// comes in unnoticed, through a default feature of a dependency.
#[test]
fn rustls_has_one_provider_of_cryptography() {
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let locked = |name: &str| lock.contains(&format!("name = \"{name}\"\n"));
    assert!(locked("rustls") && locked("ring"));
    for other in ["aws-lc-rs", "aws-lc-sys", "rustls-rustcrypto", "rustls-openssl"] {
        assert!(!locked(other), "{other} is in Cargo.lock: cut the feature that brings it");
    }
}
