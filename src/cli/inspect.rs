//! `kubectl wi inspect`.

mod applied;
mod ask;
mod published;

use super::azure_flags::{AzureFlags, AzureMode};
use super::error::Failure;
use super::logs::LogArgs;
use super::output::{self, Format, Output, YesNo};
use super::selection::SelectionArgs;
use super::suppressions::suppressions;
use super::terminal::Terminal;
use super::{Cli, Surroundings, live};
use crate::chain::select::{Missing, Scope};
use crate::cluster::collect::{Request, collect};
use crate::cluster::parse_duration;
use crate::inspect::{Input, Wanted, exit_code, inspect};
use crate::manifest::collect::Collector;
use crate::manifest::read::{self, Problem};
use crate::model::finding::Level;
use crate::report::model::InspectReport;
use crate::report::redact::redact;
use crate::report::{github, markdown, sarif, text};
use std::io::Write;
use std::time::Duration;
use tokio::time::Instant;

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kubectl wi inspect deploy/velero -n velero\n  kubectl wi inspect -A --fail-on warning\n  kubectl wi inspect sa/velero-server -n velero -o json\n  kubectl wi inspect deploy/velero -n velero --logs=2000\n  kubectl wi inspect -f velero.yaml --log-file velero.log\n  helm template velero vmware-tanzu/velero | kubectl wi inspect -f -\n  helm template velero vmware-tanzu/velero -n velero | kubectl wi inspect -f - --as-applied -n velero\n\nSuppression, always with a reason:\n  --ignore WI106,WI7\n  annotation kubectl-wi/ignore: \"WI204: moves with the next release; until=2027-01-31\" on pod template, workload,\n    service account or namespace\n  .kubectl-wi.toml in this directory or above it: [[ignore]] code, object, reason, until"
)]
pub struct Args {
    #[command(flatten)]
    on: SelectionArgs,
    /// What would be, once the files were applied: they are laid over the cluster
    #[arg(long, requires = "files", conflicts_with = "as_cluster")]
    as_applied: bool,
    /// Ask the API server for a pod of each named workload, without creating it, and compare
    #[arg(long, conflicts_with = "files")]
    ask_server: bool,
    /// The issuer of the cluster's tokens, where it cannot be read
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// How long reading the cluster may take in all
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30s")]
    timeout: Duration,
    /// Ask Azure about credentials, identities and roles; auto, the default for single objects of a cluster, uses a login that is there
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "yes", value_name = "auto|yes|no")]
    azure: Option<AzureMode>,
    #[command(flatten)]
    azure_flags: AzureFlags,
    #[command(flatten)]
    logs: LogArgs,
    /// Leave Secrets alone; without it, those that applications name are fetched, and of their values ids alone are kept
    #[arg(long)]
    no_secrets: bool,
    /// Only these rules, by code or prefix
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    select: Vec<String>,
    /// Not these rules, by code or prefix
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    ignore: Vec<String>,
    /// The lowest level to show
    #[arg(long, value_enum, default_value = "info", value_name = "LEVEL")]
    show: ShowLevel,
    /// The lowest level that makes the exit code 1
    #[arg(long, value_enum, default_value = "error", value_name = "LEVEL")]
    fail_on: FailLevel,
    /// Replace names, hosts and GUIDs by stand-ins, to show the report to others; markdown does it unless told no
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "yes", value_name = "yes|no")]
    redact: Option<YesNo>,
    /// How to print it: text, wide, json, yaml, jsonl, sarif, github, markdown, name; FORMAT=FILE writes to a file; may be repeated
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    output: Vec<Output>,
}

/// `--show`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ShowLevel {
    /// Everything
    Info,
    /// Warnings and errors
    Warning,
    /// Errors
    Error,
}

/// `--fail-on`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailLevel {
    /// On anything
    Info,
    /// On warnings and errors
    Warning,
    /// On errors
    Error,
    /// Never
    Never,
}

impl From<ShowLevel> for Level {
    fn from(level: ShowLevel) -> Self {
        match level {
            ShowLevel::Info => Self::Info,
            ShowLevel::Warning => Self::Warning,
            ShowLevel::Error => Self::Error,
        }
    }
}

impl FailLevel {
    fn level(self) -> Option<Level> {
        match self {
            Self::Info => Some(Level::Info),
            Self::Warning => Some(Level::Warning),
            Self::Error => Some(Level::Error),
            Self::Never => None,
        }
    }
}

/// Runs `inspect`.
pub fn run(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let (mut input, wanted) = match args.on.reads_files() {
        true if args.as_applied => applied::read(args, cli, around)?,
        true => files(args, cli, around)?,
        false => cluster(args, cli, around)?,
    };
    args.logs.add_files(&args.on, around.stdin, &mut input, &wanted.selection)?;
    let in_files = args.on.reads_files();
    let report = inspect(&input, &wanted).map_err(|missing| not_found(&missing, &wanted.selection.scope, in_files))?;
    print(args, cli, &report, &input, around)?;
    Ok(exit_code(&report, args.fail_on.level()))
}

fn wanted(
    args: &Args,
    scope: Scope,
    around: &Surroundings<'_>,
    other_kind: &dyn Fn(&str) -> Option<String>,
) -> Result<Wanted, Failure> {
    let selection = args.on.selection(scope, other_kind)?;
    let suppressions = suppressions(&args.ignore, around)?;
    Ok(Wanted {
        selection,
        select: args.select.clone(),
        suppressions,
        today: around.now.to_zoned(jiff::tz::TimeZone::system()).date(),
    })
}

/// Reads manifests; no kubeconfig is looked at.
fn files(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<(Input, Wanted), Failure> {
    let namespace = cli.kubectl.namespace();
    let mut collector = Collector::new(namespace.unwrap_or("default"));
    let texts = read::read(&args.on.paths(), around.stdin, &mut collector)?;
    let mut input = collector.finish(texts, args.on.as_cluster, args.issuer.as_deref(), Some(around.now));
    if input.inventory.is_empty() && !input.problems.is_empty() {
        return Err(unreadable(&input.problems));
    }
    let scope = args.on.scope_in_files(namespace);
    let wanted = wanted(args, scope, around, &|word| input.inventory.kind_named(word))?;
    if published::is_asked(args) {
        live::block_on(published::add(&mut input.cluster, None))?;
    }
    let mode = AzureMode::of(args.azure, false);
    if mode != AzureMode::No {
        input.azure = live::block_on(async {
            let login = args.azure_flags.login(mode, args.timeout).await?;
            Ok(login.ask(&input, &wanted.selection, around.stderr).await)
        })?;
    }
    Ok((input, wanted))
}

/// What is told of manifests in which there is no object at all.
fn unreadable(problems: &[Problem]) -> Failure {
    let Some(problem) = problems.first() else {
        return Failure::new("there is no object in these files", None);
    };
    let more = match problems.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let text = format!("{}:{}: {}{more}", problem.file, problem.line, problem.message);
    Failure::new(text, problem.hint.clone())
}

/// Reads a cluster.
fn cluster(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<(Input, Wanted), Failure> {
    if args.ask_server && !args.on.names_objects() {
        let hint = "kubectl wi inspect deploy/NAME --ask-server".to_owned();
        return Err(Failure::new("--ask-server is for named workloads", hint));
    }
    live::block_on(async {
        let client = live::connect(cli, around).await?;
        let scope = args.on.scope_in_cluster(client.namespace());
        let kinds = live::other_kinds(&client, &args.on.words).await?;
        let wanted = wanted(args, scope, around, &|word| kinds.get(word).cloned())?;
        let request = Request {
            secrets: !args.no_secrets,
            issuer: args.issuer.clone(),
            ..Request::new(&wanted.selection, args.timeout)
        };
        let mode = AzureMode::of(args.azure, args.on.names_objects() && !args.on.all_namespaces);
        let reading = Box::pin(async {
            let mut input = Box::pin(collect(&client, &request)).await?;
            if args.ask_server {
                ask::add_answers(&client, &mut input, &wanted, args.timeout, &request.progress).await;
            }
            if published::is_asked(args) {
                published::add(&mut input.cluster, Some(&client)).await?;
            }
            Ok::<_, Failure>(input)
        });
        let until = Instant::now() + args.timeout;
        let (input, login) = tokio::join!(
            live::watched(reading, &request.progress, &client, around.terminal.stderr, around.stderr),
            args.azure_flags.login(mode, args.timeout),
        );
        let mut input = input?;
        args.logs.read(&args.on, &client, &mut input, &wanted.selection, until).await;
        input.azure = login?.ask(&input, &wanted.selection, around.stderr).await;
        live::tell(&client, cli, around);
        Ok((input, wanted))
    })
}

/// What is told of names that match nothing.
pub(super) fn not_found(missing: &[Missing], scope: &Scope, in_files: bool) -> Failure {
    let what: Vec<&str> = missing.iter().map(|missing| missing.what.as_str()).collect();
    let place = match scope {
        Scope::Namespace(namespace) => format!(" in namespace {namespace}"),
        Scope::All if in_files => " in these files".to_owned(),
        Scope::All => " in any namespace".to_owned(),
    };
    if let Some((unread, why)) = missing.iter().find_map(|missing| Some((&missing.what, missing.unread.as_ref()?))) {
        let hint = "kubectl wi rbac prints the least role".to_owned();
        return Failure::new(format!("cannot tell whether {unread} is there{place}: {why}"), hint);
    }
    let nearest: Vec<String> = missing.iter().flat_map(|missing| missing.nearest.clone()).collect();
    let hint = match (nearest.as_slice(), scope) {
        ([], Scope::Namespace(_)) => Some("-n NAMESPACE looks elsewhere, -A everywhere".to_owned()),
        ([], Scope::All) => None,
        (near, _) => Some(format!("did you mean {}?", near.join(", "))),
    };
    Failure::new(format!("{} not found{place}", what.join(", ")), hint)
}

fn print(
    args: &Args,
    cli: &Cli,
    report: &InspectReport,
    input: &Input,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let redacted = std::cell::LazyCell::new(|| redact(report, input));
    for output in &args.output {
        let hidden = match args.redact {
            Some(choice) => choice == YesNo::Yes,
            None => output.format == Format::Markdown,
        };
        let report = if hidden { &*redacted } else { report };
        let mut drawing = Drawing { format: output.format, show: args.show.into(), terminal: around.terminal, cli };
        match &output.file {
            None => drawing.write(report, around.stdout)?,
            Some(path) => {
                drawing.terminal.stdout = false;
                let unwritable = |error: std::io::Error| Failure::new(format!("cannot write {path}: {error}"), None);
                let mut file = std::fs::File::create(path).map_err(unwritable)?;
                drawing.write(report, &mut file)?;
            }
        }
    }
    Ok(())
}

struct Drawing<'a> {
    format: Format,
    show: Level,
    terminal: Terminal,
    cli: &'a Cli,
}

impl Drawing<'_> {
    fn write(&self, report: &InspectReport, out: &mut dyn Write) -> Result<(), Failure> {
        match self.format {
            Format::Text | Format::Wide => {
                let style = self.terminal.style(self.cli.color);
                let options = text::Options { style, show: self.show, wide: self.format == Format::Wide };
                out.write_all(text::draw(report, options).as_bytes())?;
            }
            Format::Json => output::write_json(out, report)?,
            Format::Yaml => output::write_yaml(out, report)?,
            Format::Jsonl => {
                for target in &report.targets {
                    output::write_json_line(out, target)?;
                }
                output::write_json_line(out, &InspectReport { targets: Vec::new(), ..report.clone() })?;
            }
            Format::Sarif => output::write_json(out, &sarif::sarif(report))?,
            Format::Github => out.write_all(github::annotations(report, self.show).as_bytes())?,
            Format::Markdown => out.write_all(markdown::markdown(report, self.show).as_bytes())?,
            Format::Name => {
                for target in &report.targets {
                    writeln!(out, "{}/{}", target.object.kind.to_lowercase(), target.object.name)?;
                }
            }
        }
        Ok(())
    }
}
