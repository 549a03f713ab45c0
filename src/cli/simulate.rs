//! `kubectl wi simulate`: what the identity webhook would make of objects, without asking it.

use super::error::Failure;
use super::live;
use super::selection::SelectionArgs;
use super::{Cli, Surroundings, output};
use crate::chain::select::{Item, Selection};
use crate::cluster::collect::{Request, objects};
use crate::cluster::parse_duration;
use crate::manifest::read::{self, Problem, Sink};
use crate::model::fact::Fact;
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
    #[command(flatten)]
    on: SelectionArgs,
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
    let report = if args.on.reads_files() { files(args, cli, around)? } else { cluster(args, cli, around)? };
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
fn is_wanted(selection: &Selection, object: &ObjectRef) -> bool {
    selection.scope.contains(object.namespace.as_deref().unwrap_or_default())
        && (selection.items.is_empty()
            || selection.items.iter().any(|item| match item {
                Item::Object { kind, name } => {
                    *kind == object.kind && name.as_ref().is_none_or(|name| *name == object.name)
                }
                Item::Identity(_) => false,
            }))
}

/// Every name that was given has to be there.
fn check_names(items: &[Item], report: &SimulateReport) -> Result<(), Failure> {
    for item in items {
        let (kind, name) = match item {
            Item::Object { kind, name: Some(name) } => (kind, name),
            Item::Object { name: None, .. } => continue,
            Item::Identity(id) => {
                let next = format!("kubectl wi inspect identity/{id} names the workloads that use it");
                return Err(Failure::new("simulate takes pods and workloads, not identities", Some(next)));
            }
        };
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
    read::read(&args.on.paths(), around.stdin, &mut found)?;
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
    let kinds: HashSet<&str> = found.values.iter().filter_map(|value| value.get("kind")?.as_str()).collect();
    let selection = args.on.selection(args.on.scope_in_files(here), &|word| {
        kinds.iter().find(|kind| kind.eq_ignore_ascii_case(word)).map(|kind| (*kind).to_owned())
    })?;
    let missing = |_: &str, _: &str| if args.on.as_cluster { Fact::Absent } else { Fact::NotAsked };
    let kubernetes = args.kubernetes_version.clone();
    let options = Options {
        namespace: here.unwrap_or("default"),
        source: Source::Files,
        missing_account: &missing,
        wanted: &|object| is_wanted(&selection, object),
        webhook_version: args.webhook_version.clone(),
        kubernetes_version: kubernetes,
    };
    let values = labelled(found.values, &selection);
    let report = simulate(values, &options);
    check_names(&selection.items, &report)?;
    Ok(report)
}

fn cluster(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<SimulateReport, Failure> {
    live::block_on(async {
        let client = live::connect(cli, around).await?;
        let namespace = client.namespace().to_owned();
        let kinds = live::other_kinds(&client, &args.on.words).await?;
        let scope = args.on.scope_in_cluster(&namespace);
        let selection = args.on.selection(scope, &|word| kinds.get(word).cloned())?;
        let request = Request::new(&selection, args.timeout);
        let reading = Box::pin(objects(&client, &request));
        let read = live::watched(reading, &request.progress, &client, around.terminal.stderr, around.stderr).await?;
        let missing = |namespace: &str, _: &str| match read.accounts.get(namespace).or(read.all_accounts.as_ref()) {
            Some(state) => state.missing(),
            None => Fact::NotAsked,
        };
        let server = read.kubernetes_version.and_then(|version| version.parse().ok());
        let options = Options {
            namespace: &namespace,
            source: Source::Cluster,
            missing_account: &missing,
            wanted: &|object| is_wanted(&selection, object),
            webhook_version: args.webhook_version.clone(),
            kubernetes_version: args.kubernetes_version.clone().or(server),
        };
        let values = labelled(read.values, &selection);
        let report = simulate(values, &options);
        live::tell(&client, cli, around);
        check_names(&selection.items, &report)?;
        Ok(report)
    })
}

/// Leaves out the pods and workloads whose labels a selector does not match; other objects only bring context.
fn labelled(values: Vec<Value>, selection: &Selection) -> Vec<Value> {
    let context = ["ServiceAccount", "Namespace", "ConfigMap", "MutatingWebhookConfiguration"];
    let keeps = |value: &Value| {
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
        let labels = value.pointer("/metadata/labels").and_then(|labels| serde_json::from_value(labels.clone()).ok());
        context.contains(&kind) || selection.labels.iter().all(|requirement| requirement.matches(labels.as_ref()))
    };
    values.into_iter().filter(keeps).collect()
}
