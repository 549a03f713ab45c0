//! `kubectl wi simulate`: what the identity webhook would make of objects, without asking it.

use super::error::Failure;
use super::live;
use super::{Cli, Surroundings, output, words};
use crate::chain::select::{Item, Scope, parse_selector};
use crate::cluster::collect::{Progress, Request, objects};
use crate::cluster::parse_duration;
use crate::manifest::read::{self, Paths, Problem, Sink};
use crate::model::fact::Fact;
use crate::model::inventory::ReadState;
use crate::model::object::{ObjectRef, Origin};
use crate::report::style::clean;
use crate::simulate::report::{SimulateReport, Source};
use crate::simulate::{Options, render, simulate};
use crate::webhook::{KubernetesVersion, WebhookVersion};
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kubectl wi simulate -f pod.yaml\n  kubectl wi simulate -f pod.yaml --webhook-version 1.6.0 -o diff\n  kubectl wi simulate deploy/velero -n velero -o diff\n\nExit codes: 0 done, 1 a pod would be denied, 2 could not run, 3 an account or setting was not seen"
)]
pub struct Args {
    /// What to simulate: TYPE/NAME ..., TYPE NAME, or TYPE; without it, everything
    #[arg(value_name = "TYPE/NAME")]
    words: Vec<String>,
    /// All namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Simulate manifests: a file, a directory, or - for standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    files: Vec<String>,
    /// Read directories with all that is below them
    #[arg(short = 'R', long, requires = "files")]
    recursive: bool,
    /// The files are the whole cluster: an account that is not there does not exist
    #[arg(long, requires = "files")]
    as_cluster: bool,
    /// The webhook's version, such as 1.5.1; without it, the one that is installed, else the newest known
    #[arg(long, value_name = "VERSION")]
    webhook_version: Option<WebhookVersion>,
    /// The cluster's version, such as 1.31; it decides about native sidecars
    #[arg(long, value_name = "VERSION")]
    kubernetes_version: Option<KubernetesVersion>,
    /// How long reading the cluster may take in all
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30s")]
    timeout: Duration,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "yaml", value_name = "FORMAT")]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The objects as they would be
    Yaml,
    /// A `SimulateReport`
    Json,
    /// What would change
    Diff,
}

/// Runs `simulate`.
pub fn run(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let report = if args.files.is_empty() { cluster(args, cli, around)? } else { files(args, cli, around)? };
    let style = around.terminal.style(cli.color);
    let unwritable = |error: serde_saphyr::ser::Error| Failure::new(format!("cannot write YAML: {error}"), None);
    match args.output {
        Format::Json => output::write_json(around.stdout, &report)?,
        Format::Yaml => around.stdout.write_all(render::yaml(&report).map_err(unwritable)?.as_bytes())?,
        Format::Diff => around.stdout.write_all(render::diff(&report, style).map_err(unwritable)?.as_bytes())?,
    }
    if report.items.is_empty() {
        writeln!(around.stderr, "nothing here is a pod or makes any").map_err(Failure::from)?;
    }
    Ok(report.exit_code())
}

/// Whether an object was selected.
fn is_wanted(items: &[Item], scope: &Scope, object: &ObjectRef) -> bool {
    scope.contains(object.namespace.as_deref().unwrap_or_default())
        && (items.is_empty()
            || items.iter().any(|item| match item {
                Item::Object { kind, name } => {
                    *kind == object.kind && name.as_ref().is_none_or(|name| *name == object.name)
                }
                Item::Identity(_) => false,
            }))
}

/// Every name that was given has to be there.
fn check_names(items: &[Item], report: &SimulateReport) -> Result<(), Failure> {
    for item in items {
        let Item::Object { kind, name: Some(name) } = item else { continue };
        if !report.items.iter().any(|found| found.object.kind == *kind && found.object.name == *name) {
            return Err(Failure::new(format!("{} \"{name}\" not found", kind.to_lowercase()), None));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Objects {
    values: Vec<Value>,
    problems: Vec<Problem>,
}

impl Sink for Objects {
    fn object(&mut self, value: Value, _: Origin) -> Result<(), serde_json::Error> {
        self.values.push(value);
        Ok(())
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

fn files(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<SimulateReport, Failure> {
    let mut found = Objects::default();
    let paths = Paths { paths: args.files.clone(), recursive: args.recursive };
    read::read(&paths, around.stdin, &mut found)?;
    if found.values.is_empty()
        && let Some(problem) = found.problems.first()
    {
        let text = format!("{}:{}: {}", problem.file, problem.line, problem.message);
        return Err(Failure::new(text, problem.hint.clone()));
    }
    for problem in &found.problems {
        let line = format!("{}:{}: {}", problem.file, problem.line, problem.message);
        writeln!(around.stderr, "skipped: {}", clean(&line)).map_err(Failure::from)?;
    }
    let here = cli.kubectl.namespace();
    let scope = match here {
        Some(namespace) if !args.all_namespaces => Scope::Namespace(namespace.to_owned()),
        _ => Scope::All,
    };
    let kinds: HashSet<&str> = found.values.iter().filter_map(|value| value.get("kind")?.as_str()).collect();
    let items = words::items(&args.words, &|word| {
        kinds.iter().find(|kind| kind.eq_ignore_ascii_case(word)).map(|kind| (*kind).to_owned())
    })?;
    let missing = |_: &str, _: &str| if args.as_cluster { Fact::Absent } else { Fact::NotAsked };
    let kubernetes = args.kubernetes_version.clone();
    let options = Options {
        namespace: here.unwrap_or("default"),
        source: Source::Files,
        missing_account: &missing,
        wanted: &|object| is_wanted(&items, &scope, object),
        webhook_version: args.webhook_version.clone(),
        kubernetes_version: kubernetes,
    };
    let values = labelled(found.values, args.selector.as_deref())?;
    let report = simulate(values, &options);
    check_names(&items, &report)?;
    Ok(report)
}

fn cluster(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<SimulateReport, Failure> {
    live::block_on(async {
        let client = live::connect(cli, around).await?;
        let namespace = client.namespace().to_owned();
        let scope = if args.all_namespaces { Scope::All } else { Scope::Namespace(namespace.clone()) };
        let kinds = live::other_kinds(&client, &args.words).await?;
        let items = words::items(&args.words, &|word| kinds.get(word).cloned())?;
        let progress = Progress::default();
        let request = Request { scope: scope.clone(), detailed: true, within: args.timeout, issuer: None, progress };
        let reading = Box::pin(objects(&client, &request));
        let read = live::watched(reading, &request.progress, &client, around.terminal.stderr, around.stderr).await?;
        let missing = |namespace: &str, _: &str| match read.accounts.get(namespace).or(read.all_accounts.as_ref()) {
            Some(ReadState::Complete) => Fact::Absent,
            Some(ReadState::Denied(denied)) => Fact::Denied(denied.clone()),
            Some(ReadState::Failed(reason)) => Fact::Failed(reason.clone()),
            None => Fact::NotAsked,
        };
        let server = read.kubernetes_version.and_then(|version| version.parse().ok());
        let options = Options {
            namespace: &namespace,
            source: Source::Cluster,
            missing_account: &missing,
            wanted: &|object| is_wanted(&items, &scope, object),
            webhook_version: args.webhook_version.clone(),
            kubernetes_version: args.kubernetes_version.clone().or(server),
        };
        let values = labelled(read.values, args.selector.as_deref())?;
        let report = simulate(values, &options);
        live::tell(&client, cli, around);
        check_names(&items, &report)?;
        Ok(report)
    })
}

/// Leaves out the pods and workloads whose labels a selector does not match; other objects only bring context.
fn labelled(values: Vec<Value>, selector: Option<&str>) -> Result<Vec<Value>, Failure> {
    let Some(selector) = selector else { return Ok(values) };
    let requirements = parse_selector(selector).map_err(|error| Failure::new(error, None))?;
    let context = ["ServiceAccount", "Namespace", "ConfigMap", "MutatingWebhookConfiguration"];
    let keeps = |value: &Value| {
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
        let labels = value.pointer("/metadata/labels").and_then(|labels| serde_json::from_value(labels.clone()).ok());
        context.contains(&kind) || requirements.iter().all(|requirement| requirement.matches(labels.as_ref()))
    };
    Ok(values.into_iter().filter(keeps).collect())
}
