//! `cargo xtask bench`: what reading a cluster and files costs, against kubectl on the same machine in the same run.

mod cluster;
mod files;
mod measure;

use anyhow::{Context, Result, ensure};
use cluster::Size;
use measure::{Cost, median};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use wi_test_cluster::Cluster;

/// Between these lines of docs/performance.md stand the figures.
const MARKS: [&str; 2] = ["<!-- figures -->", "<!-- end of figures -->"];

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Pods to load, several sizes after each other.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    pods: Vec<usize>,
    /// Pairs of a Deployment and an account in files.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    pairs: Vec<usize>,
    /// Runs of each command, of which the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Runs of `kubectl get pods -A -o json`, which takes long.
    #[arg(long, default_value_t = 1)]
    runs_of_kubectl: usize,
    /// The profile to build the program with.
    #[arg(long, default_value = "release")]
    profile: String,
    /// Write the figures into docs/performance.md.
    #[arg(long)]
    write: bool,
    /// (How a run is measured.)
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    measure: Vec<String>,
}

/// Measures, and prints the figures as Markdown.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    if !arguments.measure.is_empty() {
        return measure::around(&arguments.measure);
    }
    let program = build(root, &arguments.profile)?;
    let mut text = machine();
    for pods in arguments.pods.iter().copied().filter(|pods| *pods > 0) {
        text += &of_cluster(&program, Size::of(pods), arguments)?;
    }
    let pairs: Vec<usize> = arguments.pairs.iter().copied().filter(|pairs| *pairs > 0).collect();
    if !pairs.is_empty() {
        text += &of_files(&program, &pairs, arguments.runs)?;
    }
    println!("{text}");
    if arguments.write { write(&root.join("docs/performance.md"), &text) } else { Ok(()) }
}

fn build(root: &Path, profile: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built =
        Command::new(cargo).args(["build", "--profile", profile, "--bin", "kubectl-wi"]).current_dir(root).status()?;
    ensure!(built.success(), "cannot build the program");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join(profile).join("kubectl-wi"))
}

/// What the figures were taken on; other programs were running, or were not.
fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    format!("{processors} processors, load {load} at the beginning, {}.\n", jiff::Timestamp::now().strftime("%Y-%m-%d"))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn shown(text: &mut String, name: &str, cost: &Cost, more: &str) {
    let Cost { wall, cpu, peak, .. } = cost;
    let _ = writeln!(text, "| {name} | {wall:.2} | {cpu:.2} | {peak:.0} | {more} |");
}

const HEAD: &str = "| command | wall s | processor s | peak MB | |\n|---|---|---|---|---|\n";

fn of_cluster(program: &Path, size: Size, arguments: &Arguments) -> Result<String> {
    let loaded = cluster::filled(size)?;
    let (program, kubectl) = (program.display().to_string(), kubectl(&loaded)?);
    let at = format!("--kubeconfig={}", loaded.kubeconfig().display());
    let mut text = format!(
        "\n### {} pods\n\n{} of them meant for identity, {} ReplicaSets, {} Deployments, {} accounts, {} namespaces.\n\n{HEAD}",
        size.pods,
        size.meant(),
        2 * size.deployments,
        size.deployments,
        size.accounts(),
        size.namespaces,
    );
    let client = median(arguments.runs, &words(&[&kubectl, "version", "--client"]))?;
    shown(&mut text, "`kubectl version --client`", &client, "");
    shown(&mut text, "`kubectl wi version`", &median(arguments.runs, &words(&[&program, "version"]))?, "");
    let inspect = [&*program, "inspect", "-A", &at];
    let told = median(1, &words(&[&inspect[..], &["-v", "6"]].concat()))?.said;
    let ours = median(arguments.runs, &words(&inspect))?;
    shown(&mut text, "`kubectl wi inspect -A`", &ours, &last_count(&told));
    let requests = requests(&told);
    let script: Vec<String> =
        requests.iter().map(|path| format!("'{kubectl}' '{at}' get --raw '{path}' >/dev/null 2>&1")).collect();
    let raw = median(arguments.runs.min(3), &words(&["sh", "-c", &(script.join("; ") + "; true")]))?;
    let name = format!("`kubectl get --raw` of its {} requests, one after the other", requests.len());
    shown(&mut text, &name, &raw, "");
    let together = script.join(" & ") + " & wait";
    let raw = median(arguments.runs.min(3), &words(&["sh", "-c", &together]))?;
    shown(&mut text, "the same at once", &raw, "");
    let all = words(&[&kubectl, &at, "get", "pods", "-A", "-o", "json"]);
    let theirs = median(arguments.runs_of_kubectl, &all)?;
    let ratio =
        format!("{:.0} times the wall, {:.0} times the processor", theirs.wall / ours.wall, theirs.cpu / ours.cpu);
    shown(&mut text, "`kubectl get pods -A -o json`", &theirs, &ratio);
    Ok(text)
}

/// What `-v` tells at the end: requests, repeated ones, bytes.
fn last_count(said: &str) -> String {
    said.lines().rev().find(|line| line.contains(" requests, ")).unwrap_or_default().to_owned()
}

/// The paths that were asked for, as `-v 6` tells them.
fn requests(said: &str) -> Vec<String> {
    let paths = said.lines().filter_map(|line| line.strip_prefix("GET ")?.split(' ').next());
    paths.map(str::to_owned).collect()
}

/// The program that the cluster's own commands use.
fn kubectl(cluster: &Cluster) -> Result<String> {
    let found = cluster.command("sh").args(["-c", "command -v kubectl"]).output()?;
    let path = String::from_utf8(found.stdout)?.trim().to_owned();
    ensure!(!path.is_empty(), "kubectl is not there");
    Ok(path)
}

fn of_files(program: &Path, sizes: &[usize], runs: usize) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let program = program.display().to_string();
    let mut text = format!("\n### Files\n\n{HEAD}");
    for pairs in sizes {
        let (file, bytes) = files::one(folder.path(), *pairs)?;
        let many = files::many(folder.path(), *pairs)?;
        let megabytes = format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
        for (path, name) in [(file, "in one file"), (many, "each in a file")] {
            let path = path.display().to_string();
            let cost = median(runs, &words(&[&program, "inspect", "-f", &path]))?;
            shown(&mut text, &format!("`inspect -f`, {pairs} Deployments with accounts, {name}"), &cost, &megabytes);
        }
    }
    Ok(text)
}

fn write(path: &Path, figures: &str) -> Result<()> {
    let old = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let [start, end] = MARKS;
    let (before, rest) = old.split_once(start).context("no place for the figures")?;
    let (_, after) = rest.split_once(end).context("no end of the figures")?;
    std::fs::write(path, format!("{before}{start}\n{figures}{end}{after}"))?;
    Ok(())
}
