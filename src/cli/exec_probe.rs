//! `kubectl wi exec-probe`.

use super::error::Failure;
use super::output::{self, Format, Output};
use super::{Cli, Surroundings, words};
use crate::azure::{Authority, Proxies, Service, Transport};
use crate::chain::Chain;
use crate::chain::select::{Item, Scope, Selection, select};
use crate::cluster::collect::{Request, collect};
use crate::cluster::{Environment, parse_duration};
use crate::probe::ephemeral::IMAGE;
use crate::probe::exchange::{Resource, Wanted};
use crate::probe::facts::Method;
use crate::probe::ladder::Choice;
use crate::probe::report::{Asked, ProbeReport, conclude, exit_code};
use crate::probe::run::{NotThere, Options, Pods, run as probe};
use crate::probe::text;
use crate::report::style::clean;
use std::io::Write;
use std::time::Duration;

/// Arguments of `exec-probe`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kubectl wi exec-probe deploy/velero -n velero\n  kubectl wi exec-probe deploy/velero -n velero --exchange --for storage\n  kubectl wi exec-probe deploy/velero -n velero --method ephemeral\n  kubectl wi exec-probe sa/velero-server -n velero --method token-request --exchange --samples 20\n\nExit codes: 0 proved, 1 something is wrong, 2 could not run, 3 not proved"
)]
pub struct Args {
    /// What to probe: TYPE/NAME or TYPE NAME
    #[arg(value_name = "TYPE/NAME", required = true)]
    words: Vec<String>,
    /// This container; without it, every one that is told of a token file
    #[arg(short = 'c', long, value_name = "CONTAINER")]
    container: Option<String>,
    /// This pod; without it, one that runs
    #[arg(long, value_name = "POD", conflicts_with = "all_pods")]
    pod: Option<String>,
    /// Every pod of the workload
    #[arg(long)]
    all_pods: bool,
    /// How to come by the token
    #[arg(long, value_enum, default_value = "auto", value_name = "METHOD")]
    method: MethodArg,
    /// Image of the ephemeral container: it needs sh, sleep and cat
    #[arg(long, value_name = "IMAGE", default_value = IMAGE)]
    image: String,
    /// Exchange the token at the authority host, from this machine
    #[arg(long)]
    exchange: bool,
    /// How often to exchange it, a second apart
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    samples: u16,
    /// What the access token is to be for; without it, Azure's resource manager
    #[arg(long, value_name = "URI", conflicts_with = "service")]
    resource: Option<String>,
    /// The same, by name: storage, keyvault, servicebus, arm, sql, postgres
    #[arg(long = "for", id = "service", value_name = "RESOURCE")]
    service: Option<Service>,
    /// Send the token there, also where it is none of Microsoft's hosts
    #[arg(long, value_name = "URL")]
    authority_host: Option<String>,
    /// The tenant, where the container does not say
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// The issuer of the cluster's tokens, where it cannot be read
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// How long reading the cluster may take before the probe
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30s")]
    timeout: Duration,
    /// How to print it: text, wide, json, yaml, jsonl, name; FORMAT=FILE writes to a file; may be repeated
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    output: Vec<Output>,
}

/// `--method`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum MethodArg {
    /// In the container; else, after a yes, from an ephemeral one; else from the API server
    Auto,
    /// Read the file with what the image has
    Exec,
    /// Read it from an ephemeral container, which stays listed in the pod
    Ephemeral,
    /// Ask the API server for a token like the one in the file
    TokenRequest,
}

impl From<MethodArg> for Choice {
    fn from(method: MethodArg) -> Self {
        match method {
            MethodArg::Auto => Self::Auto,
            MethodArg::Exec => Self::Only(Method::Exec),
            MethodArg::Ephemeral => Self::Only(Method::Ephemeral),
            MethodArg::TokenRequest => Self::Only(Method::TokenRequest),
        }
    }
}

/// How long one exchange may take.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(10);

/// Runs `exec-probe`.
pub fn run(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let mut options = options(args)?;
    let (report, now) = super::live::block_on(async {
        let client = super::live::connect(cli, around).await?;
        let kinds = super::live::other_kinds(&client, &args.words).await?;
        let items = words::items(&args.words, &|word| kinds.get(word).cloned())?;
        let [Item::Object { kind, name: Some(name) }] = items.as_slice() else {
            let next = "kubectl wi exec-probe deploy/velero -n velero".to_owned();
            return Err(Failure::new("exec-probe needs one object by TYPE and NAME", next));
        };
        if kind == "Pod" && options.pods == Pods::One {
            options.pods = Pods::Named(name.clone());
        }
        let scope = Scope::Namespace(client.namespace().to_owned());
        let selection = Selection { scope, items: items.clone(), labels: Vec::new() };
        // What a probe sees says more than the Secrets that applications name.
        let request = Request { secrets: false, issuer: args.issuer.clone(), ..Request::new(&selection, args.timeout) };
        let input = Box::pin(collect(&client, &request)).await?;
        let targets = select(&input.inventory, &selection).map_err(|missing| missing_failure(&missing, &client))?;
        let Some(target) = targets.first() else {
            return Err(Failure::new(format!("{}/{name} has nothing to probe", kind.to_lowercase()), None));
        };
        let chain = Chain::new(*target, &input.inventory, &input.cluster);
        let mut ask = |question: &str| consent(args, around, question);
        let facts = Box::pin(probe(&client, &chain, &options, &mut ask)).await.map_err(not_there)?;
        super::live::tell(&client, cli, around);
        let asked = Asked { choice: options.choice, exchange: args.exchange };
        Ok((conclude(chain, &facts, asked), facts.now))
    })?;
    print(args, cli, &report, now, around)?;
    Ok(exit_code(&report))
}

fn options(args: &Args) -> Result<Options, Failure> {
    let refused = |error: crate::azure::Error| Failure::new(error.to_string(), None);
    let authority = args.authority_host.as_deref().map(Authority::given).transpose().map_err(refused)?;
    let environment = Environment::of_process();
    let transport = Transport::new(EXCHANGE_LIMIT, Proxies::of(&environment), Vec::new());
    let transport = match transport {
        Ok(transport) => Some(transport),
        Err(error) if args.exchange => return Err(refused(error)),
        Err(_) => None,
    };
    let resource = match (&args.resource, args.service) {
        (Some(uri), _) => Resource::Uri(uri.clone()),
        (None, service) => Resource::Of(service.unwrap_or(Service::Arm)),
    };
    let wanted = Wanted {
        samples: usize::from(args.samples),
        authority: authority.clone(),
        resource,
        tenant: args.tenant.clone(),
    };
    let pods = match (&args.pod, args.all_pods) {
        (Some(pod), _) => Pods::Named(pod.clone()),
        (None, true) => Pods::All,
        (None, false) => Pods::One,
    };
    Ok(Options {
        pods,
        container: args.container.clone(),
        choice: args.method.into(),
        image: args.image.clone(),
        exchange: args.exchange.then_some(wanted),
        authority,
        transport,
    })
}

/// A yes to an ephemeral container: given with `--method ephemeral`, else asked for at a terminal.
fn consent(args: &Args, around: &mut Surroundings<'_>, question: &str) -> bool {
    if args.method == MethodArg::Ephemeral {
        let _ = writeln!(around.stderr, "note: {}", clean(question));
        return true;
    }
    if !(around.terminal.stdin && around.terminal.stderr) {
        return false;
    }
    let _ = write!(around.stderr, "{}\nAdd it? [y/N] ", clean(question));
    let _ = around.stderr.flush();
    let mut answer = Vec::new();
    let mut byte = [0; 1];
    while let Ok(1) = around.stdin.read(&mut byte) {
        if byte[0] == b'\n' || answer.len() >= 16 {
            break;
        }
        answer.push(byte[0]);
    }
    matches!(String::from_utf8_lossy(&answer).trim().to_lowercase().as_str(), "y" | "yes")
}

fn missing_failure(missing: &[crate::chain::select::Missing], client: &crate::cluster::Client) -> Failure {
    let what: Vec<&str> = missing.iter().map(|missing| missing.what.as_str()).collect();
    let nearest: Vec<String> = missing.iter().flat_map(|missing| missing.nearest.clone()).collect();
    let hint = match nearest.as_slice() {
        [] => "-n NAMESPACE looks elsewhere".to_owned(),
        near => format!("did you mean {}?", near.join(", ")),
    };
    Failure::new(format!("{} not found in namespace {}", what.join(", "), client.namespace()), hint)
}

fn not_there(error: NotThere) -> Failure {
    let hint = match &error {
        NotThere::NoWorkload(_) => None,
        NotThere::Pod { there, .. } | NotThere::Container { there, .. } => {
            (!there.is_empty()).then(|| format!("there are {}", there.join(", ")))
        }
    };
    Failure::new(error.to_string(), hint)
}

fn print(args: &Args, cli: &Cli, report: &ProbeReport, now: i64, around: &mut Surroundings<'_>) -> Result<(), Failure> {
    for output in &args.output {
        let mut terminal = around.terminal;
        match &output.file {
            None => write(output.format, report, now, terminal.style(cli.color), around.stdout)?,
            Some(path) => {
                terminal.stdout = false;
                let unwritable = |error: std::io::Error| Failure::new(format!("cannot write {path}: {error}"), None);
                let mut file = std::fs::File::create(path).map_err(unwritable)?;
                write(output.format, report, now, terminal.style(cli.color), &mut file)?;
            }
        }
    }
    Ok(())
}

fn write(
    format: Format,
    report: &ProbeReport,
    now: i64,
    style: crate::report::style::Style,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match format {
        Format::Text | Format::Wide => out.write_all(text::draw(report, now, style).as_bytes())?,
        Format::Json => output::write_json(out, report)?,
        Format::Yaml => output::write_yaml(out, report)?,
        Format::Jsonl => {
            for pod in &report.pods {
                output::write_json_line(out, pod)?;
            }
            output::write_json_line(out, &ProbeReport { pods: Vec::new(), ..report.clone() })?;
        }
        Format::Name => {
            for pod in report.pods.iter().filter_map(|pod| pod.probe.pod.as_ref()) {
                writeln!(out, "pod/{pod}")?;
            }
        }
        Format::Sarif | Format::Github | Format::Markdown => {
            let hint = "text, wide, json, yaml, jsonl and name work here".to_owned();
            return Err(Failure::new("exec-probe does not print this format", Some(hint)));
        }
    }
    Ok(())
}
