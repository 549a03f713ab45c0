//! `kubectl wi explain`: the page of a rule or of a code of Entra, and what a pasted text says.

use super::error::Failure;
use super::output::YesNo;
use super::{Cli, Surroundings, output};
use crate::manifest::log::{self, read_log};
use crate::report::redact;
use crate::rules::page::{self, RulePage};
use crate::rules::{RuleInfo, registry};
use crate::symptoms::{PastedReport, diagnose, report};
use crate::token::aadsts::CodePage;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kubectl wi explain WI101\n  kubectl wi explain pod-label-missing -o markdown\n  kubectl wi explain AADSTS700213\n  kubectl logs deploy/velero -n velero | kubectl wi explain -\n  kubectl describe pod cart-0 | kubectl wi explain -\n  kubectl wi explain \"no client ID specified. Check pod configuration or set ClientID in the options\"\n  kubectl wi explain --all -o json\n\nA pasted text may be a log, an error, events, a description of a pod, the output of kubectl exec, or what az, the\nportal or Azure's resource manager say. It is read here and sent nowhere; tokens and secrets in it are not shown."
)]
pub struct Args {
    /// A rule (WI101, pod-label-missing), a code of Entra (AADSTS700213), or - for a log or an error on standard input
    #[arg(value_name = "CODE|-", required_unless_present = "all")]
    what: Option<String>,
    /// Explain all rules
    #[arg(long, conflicts_with = "what")]
    all: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
    /// Replace names, hosts and GUIDs of a pasted text by stand-ins; markdown does it unless told no
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "yes", value_name = "yes|no")]
    redact: Option<YesNo>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Markdown,
    Json,
}

/// Runs `explain`.
pub fn run(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    match args.what.as_deref() {
        None => rules(args, &registry::infos().collect::<Vec<_>>(), cli, around),
        Some("-") => pasted(args, cli, around),
        // Nothing that has a name here has a blank in it: it is the error itself.
        Some(text) if text.trim().contains(char::is_whitespace) => said(args, &diagnose(text), cli, around),
        Some(word) => match registry::find(word) {
            Some(info) => rules(args, &[info], cli, around),
            None => code(args, word, cli, around),
        },
    }
}

fn rules(args: &Args, infos: &[&RuleInfo], cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let style = around.terminal.style(cli.color);
    match args.output {
        Format::Json if args.all => {
            let pages: Vec<RulePage> = infos.iter().map(|info| RulePage::of(info)).collect();
            output::write_json(around.stdout, &pages)?;
        }
        Format::Json => {
            for info in infos {
                output::write_json(around.stdout, &RulePage::of(info))?;
            }
        }
        Format::Markdown => {
            let pages: Vec<String> = infos.iter().map(|info| page::markdown(info)).collect();
            write!(around.stdout, "{}", pages.join("\n"))?;
        }
        Format::Text => {
            let pages: Vec<String> = infos.iter().map(|info| page::text(info, style)).collect();
            write!(around.stdout, "{}", pages.join("\n"))?;
        }
    }
    Ok(0)
}

/// The page of a code of Entra: `AADSTS700213`, in any case, or its number alone.
fn code(args: &Args, word: &str, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let bare = word.trim().trim_end_matches([':', '.', ',']);
    let digits =
        bare.get(..6).filter(|head| head.eq_ignore_ascii_case("aadsts")).map_or(bare, |head| &bare[head.len()..]);
    let is_code = (4..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let Some(number) = is_code.then(|| digits.parse().ok()).flatten() else { return Err(unknown(word)) };
    let page = CodePage::of(number).ok_or_else(|| {
        Failure::new(
            format!("AADSTS{number} is not in the catalogue"),
            Some(format!("Microsoft explains it at https://login.microsoftonline.com/error?code={number}; the text around it may tell more: kubectl wi explain -")),
        )
    })?;
    let style = around.terminal.style(cli.color);
    match args.output {
        Format::Json => output::write_json(around.stdout, &page)?,
        Format::Markdown => write!(around.stdout, "{}", page.markdown())?,
        Format::Text => write!(around.stdout, "{}", page::plain(&page.markdown(), style))?,
    }
    Ok(0)
}

/// What stands on standard input.
fn pasted(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    if around.terminal.stdin && around.terminal.stderr {
        let end = if cfg!(windows) { "Ctrl-Z and Enter" } else { "Ctrl-D" };
        writeln!(around.stderr, "Paste the log or the error, then press {end} on a line of its own.")?;
    }
    let read = read_log("-", around.stdin)?;
    let mut report = diagnose(&read.text);
    if read.shortened {
        report.notes.push(format!("only the last {} MiB were read", log::MOST >> 20));
    }
    said(args, &report, cli, around)
}

fn said(args: &Args, report: &PastedReport, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let hidden = args.redact.map_or(args.output == Format::Markdown, |choice| choice == YesNo::Yes);
    let redacted = hidden.then(|| redact::pasted(report));
    let report = redacted.as_ref().unwrap_or(report);
    match args.output {
        Format::Json => output::write_json(around.stdout, &report::Document::of(report))?,
        Format::Markdown => write!(around.stdout, "{}", report::markdown(report))?,
        Format::Text => write!(around.stdout, "{}", report::text(report, around.terminal.style(cli.color)))?,
    }
    Ok(0)
}

fn unknown(what: &str) -> Failure {
    let mut near: Vec<(usize, &str)> = registry::infos()
        .flat_map(|info| [info.code, info.name])
        .map(|known| (strsim::osa_distance(&known.to_lowercase(), &what.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .collect();
    near.sort_unstable();
    let hint = match near.first() {
        Some((_, known)) => format!("did you mean {known}?"),
        None => "kubectl wi explain --all lists every rule; kubectl wi explain - reads a log or an error".to_owned(),
    };
    Failure::new(format!("there is no rule or code \"{what}\""), Some(hint))
}
