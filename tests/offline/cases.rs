//! Every rule against manifests of its own: `tests/cases/<rule>/<fires|quiet>-<name>/`.
//!
//! A case holds manifests, live objects among them where a rule needs some, and `report.txt`, the whole report as a
//! person sees it. `args`, where it is there, holds further arguments, one a line; `facts` what
//! only a live cluster tells (see `facts.rs`). A case that fires has to contain
//! its rule's finding, one that is quiet must not; the first line of every report says `verdict` and codes, so that a
//! change in relations shows up too. `UPDATE_CASES=1` writes the reports anew.
//!
//! Rules about a probe need one: `probe.json` in a case holds what a probe saw (and the cluster's issuer), and the
//! report is that of `exec-probe` on the case's only workload. No cluster is there to run the program on, so such a
//! case goes through the library; that a probe sees what its record holds is tested on a whole cluster.

use kubectl_wi::chain::Chain;
use kubectl_wi::chain::select::{Scope, Selection, select};
use kubectl_wi::manifest::collect::Collector;
use kubectl_wi::manifest::read::{Paths, read};
use kubectl_wi::probe::ProbeFacts;
use kubectl_wi::probe::report::{Asked, conclude};
use kubectl_wi::probe::text::draw;
use kubectl_wi::report::style::Style;
use kubectl_wi::rules::registry;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Case {
    folder: PathBuf,
    rule: String,
    name: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn cases() -> Vec<Case> {
    folders(&root())
        .into_iter()
        .flat_map(|rule| {
            folders(&rule).into_iter().map(move |folder| Case {
                rule: name_of(&rule).split('-').next().unwrap().to_owned(),
                name: format!("{}/{}", name_of(&rule), name_of(&folder)),
                folder,
            })
        })
        .collect()
}

impl Case {
    fn args(&self) -> Vec<String> {
        let more = std::fs::read_to_string(self.folder.join("args")).unwrap_or_default();
        let mut args = vec!["inspect".to_owned(), "-f".to_owned(), ".".to_owned()];
        args.extend(more.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        args
    }

    /// The report of `exec-probe`, where the case holds a recorded probe.
    fn probe(&self) -> Option<(serde_json::Value, String)> {
        let recorded = std::fs::read_to_string(self.folder.join("probe.json")).ok()?;
        let recorded: serde_json::Value = serde_json::from_str(&recorded).unwrap();
        let facts = ProbeFacts::deserialize(&recorded).unwrap();
        let mut collector = Collector::new("default");
        let manifest = self.folder.join("app.yaml").to_str().unwrap().to_owned();
        let texts =
            read(&Paths { paths: vec![manifest], recursive: false }, &mut std::io::empty(), &mut collector).unwrap();
        let input = collector.finish(texts, true, recorded["issuer"].as_str(), None);
        let selection = Selection { scope: Scope::All, items: Vec::new(), labels: Vec::new() };
        let target = select(&input.inventory, &selection).unwrap()[0];
        let chain = Chain::new(target, &input.inventory, &input.cluster);
        let asked = Asked { exchange: facts.pods.iter().any(|probe| probe.exchange.is_some()), ..Asked::default() };
        let report = conclude(chain, &facts, asked);
        let drawn = draw(&report, facts.now, Style { colour: false, width: 100 });
        Some((serde_json::to_value(&report).unwrap(), drawn))
    }

    /// The program's report as JSON and as text, written in one run.
    fn run(&self) -> (serde_json::Value, String) {
        let folder = tempfile::tempdir().unwrap();
        let json = folder.path().join("report.json");
        let output = Command::new(env!("CARGO_BIN_EXE_kubectl-wi"))
            .args(self.args())
            .args(["-o", "text", "--color", "never", "-o", &format!("json={}", json.display())])
            .env("COLUMNS", "100")
            .env("SOURCE_DATE_EPOCH", crate::facts::NOW.to_string())
            .env_remove("KUBECONFIG")
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{}: {:?} {error}", self.name, output.status);
        let json = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
        (json, String::from_utf8(output.stdout).unwrap())
    }

    /// The report as JSON and as text: of the program, or with facts that no manifest holds.
    fn reports(&self) -> (serde_json::Value, String) {
        match std::fs::read_to_string(self.folder.join("facts")) {
            Ok(facts) => crate::facts::run(&self.folder, &facts),
            Err(_) => self.run(),
        }
    }
}

/// The first lines of a report: each target's verdict and codes, root causes marked.
fn gist(report: &serde_json::Value) -> String {
    let mut out = String::new();
    let codes = |findings: &serde_json::Value| -> String {
        let list = findings.as_array().unwrap().iter().map(|finding| {
            let root = if finding["rootCause"] == true { "*" } else { "" };
            format!(" {}{root}({})", finding["code"].as_str().unwrap(), finding["level"].as_str().unwrap())
        });
        list.collect()
    };
    for pod in report["pods"].as_array().into_iter().flatten() {
        writeln!(out, "{}: {}", pod["container"].as_str().unwrap(), pod["verdict"].as_str().unwrap()).unwrap();
    }
    for target in report["targets"].as_array().into_iter().flatten() {
        let object = &target["object"];
        let name = format!("{}/{}", object["kind"].as_str().unwrap(), object["name"].as_str().unwrap());
        writeln!(out, "{name}: {}{}", target["verdict"].as_str().unwrap(), codes(&target["findings"])).unwrap();
    }
    let of = if report["kind"] == "ProbeReport" { "probe" } else { "cluster" };
    writeln!(out, "{of}:{}", codes(&report["findings"])).unwrap();
    out
}

fn all_codes(report: &serde_json::Value) -> BTreeSet<String> {
    let of = |findings: &serde_json::Value| -> Vec<String> {
        findings.as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect()
    };
    let targets = report["targets"].as_array().into_iter().flatten().flat_map(|target| of(&target["findings"]));
    targets.chain(of(&report["findings"])).collect()
}

/// What is wrong with a case.
fn faults(case: &Case, update: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let (json, drawn) = case.probe().unwrap_or_else(|| case.reports());
    let said = all_codes(&json).contains(&case.rule);
    let kind = case.name.rsplit('/').next().unwrap();
    if kind.starts_with("fires-") != said || !(kind.starts_with("fires-") || kind.starts_with("quiet-")) {
        wrong.push(format!("{}: {} says {}", case.name, if said { "it" } else { "nothing" }, case.rule));
    }
    let report = format!("{}\n{drawn}", gist(&json));
    let path = case.folder.join("report.txt");
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if update {
        std::fs::write(&path, &report).unwrap();
    } else if report != expected {
        let diff = similar::TextDiff::from_lines(&expected, &report);
        wrong.push(format!("{}\n{}", case.name, diff.unified_diff().header("expected", "now")));
    }
    wrong
}

#[test]
fn every_case_gives_its_report() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let cases = cases();
    assert!(!cases.is_empty());
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let wrong: BTreeSet<String> = std::thread::scope(|scope| {
        let work = || -> Vec<String> {
            let mine = std::iter::from_fn(|| cases.get(next.fetch_add(1, Ordering::Relaxed)));
            mine.flat_map(|case| faults(case, update)).collect()
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_rule_has_a_case_that_fires_and_one_that_is_quiet() {
    let names: Vec<String> = cases().iter().map(|case| case.name.clone()).collect();
    let mut missing = Vec::new();
    // A permission is missing only where there is an API server: tests/live/.
    for info in registry::infos().filter(|info| info.code != "WI002") {
        for kind in ["fires", "quiet"] {
            let prefix = format!("{}-{}/{kind}-", info.code, info.name);
            if !names.iter().any(|name| name.starts_with(&prefix)) {
                missing.push(format!("tests/cases/{prefix}NAME"));
            }
        }
    }
    assert!(missing.is_empty(), "no such case:\n{}", missing.join("\n"));
}
