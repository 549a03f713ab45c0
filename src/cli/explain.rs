//! `kubectl wi explain`: the page of a rule.

use super::error::Failure;
use super::{Cli, Surroundings, output};
use crate::rules::page::{self, RulePage};
use crate::rules::{RuleInfo, registry};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kubectl wi explain WI101\n  kubectl wi explain pod-label-missing -o markdown\n  kubectl wi explain --all -o json"
)]
pub struct Args {
    /// Code or name of a rule, such as WI101 or pod-label-missing
    #[arg(value_name = "CODE", required_unless_present = "all")]
    what: Option<String>,
    /// Explain all rules
    #[arg(long, conflicts_with = "what")]
    all: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Markdown,
    Json,
}

/// Runs `explain`.
pub fn run(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let infos: Vec<&RuleInfo> = match &args.what {
        None => registry::infos().collect(),
        Some(what) => vec![registry::find(what).ok_or_else(|| unknown(what))?],
    };
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

fn unknown(what: &str) -> Failure {
    let mut near: Vec<(usize, &str)> = registry::infos()
        .flat_map(|info| [info.code, info.name])
        .map(|known| (strsim::osa_distance(&known.to_lowercase(), &what.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .collect();
    near.sort_unstable();
    let hint = match near.first() {
        Some((_, known)) => format!("did you mean {known}?"),
        None => "kubectl wi explain --all lists every rule".to_owned(),
    };
    Failure::new(format!("there is no rule \"{what}\""), Some(hint))
}
