//! `kubectl wi fix`: plan, question, change, verify, undo.

mod azure;
mod files;
mod history;
mod live;
mod session;
mod undo;
mod verify;

use super::azure_flags::AzureFlags;
use super::error::Failure;
use super::output::{Format, Output};
use super::selection::SelectionArgs;
use super::{Cli, Surroundings};
use crate::chain::select::Scope;
use crate::cluster::parse_duration;
use crate::fix::answers;
use crate::inspect::Wanted;
use crate::model::finding::Ask;
use crate::model::object::ObjectRef;
use crate::rules::registry;
use std::time::Duration;

/// Arguments of `fix`.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("files", |files| files.help("Fix manifests in place: a file, a directory, or - to write the fixed stream to standard output; may be repeated")),
    after_help = "Examples:\n  kubectl wi fix deploy/velero -n velero\n  kubectl wi fix deploy/velero -n velero --diff\n  kubectl wi fix deploy/velero -n velero --client-id 3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2 --yes --wait\n  kubectl wi fix -f manifests/ -R\n  helm template velero vmware-tanzu/velero | kubectl wi fix -f - > fixed.yaml\n  kubectl wi fix --history\n  kubectl wi fix --undo\n\nExit codes: 0 all fixed, or the plan is complete; 1 something was not, or cannot be, fixed; 2 could not run; 3 incomplete; 124 out of time; 130 interrupted"
)]
pub struct Args {
    #[command(flatten)]
    on: SelectionArgs,
    /// Only these rules, by code or prefix; without it, all warnings and errors
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    only: Vec<String>,
    /// The client id for accounts that lack one
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The tenant id for accounts that lack one
    #[arg(long, value_name = "ID")]
    tenant_id: Option<String>,
    /// The service account for workloads that name the wrong one
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,
    /// Containers that need identity, for workloads that tell the webhook to skip them
    #[arg(short, long = "container", value_name = "NAME", value_delimiter = ',')]
    containers: Vec<String>,
    /// Change nothing: `client` only plans, `server` also lets the API server try it
    #[arg(long, value_enum, default_value = "none", value_name = "none|client|server", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: DryRun,
    /// Show what would be changed and change nothing
    #[arg(long)]
    diff: bool,
    /// Say yes to the plan that is shown
    #[arg(short, long)]
    yes: bool,
    /// Whether pods may be restarted; with --yes and without single names, only `yes` restarts
    #[arg(long, value_enum, default_value = "ask", value_name = "ask|yes|no")]
    restart: Restart,
    /// Patch the cluster also where Argo CD or Flux will take it back: a stop-gap
    #[arg(long)]
    live: bool,
    /// Create or correct federated credentials in Azure, too: each after its diff and a yes of its own, which --yes gives
    #[arg(long, conflicts_with = "files")]
    azure: bool,
    #[command(flatten)]
    azure_flags: AzureFlags,
    /// Wait until the changed pods are ready, and until Entra takes the token of a changed credential; then look again
    #[arg(long)]
    wait: bool,
    /// How long all of it may take; without it, 30s to read and 5m to wait
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// Change nothing and write the change for another tool
    #[arg(long, value_enum, value_name = "FORMAT")]
    export: Option<crate::fix::export::Export>,
    /// Take back what a run changed; without an ID, the last one
    #[arg(long, value_name = "ID", num_args = 0..=1, conflicts_with_all = ["files", "words", "history", "export", "all_namespaces"])]
    #[allow(clippy::option_option)] // clap's way to say "the flag, with or without a value"
    undo: Option<Option<String>>,
    /// List what was changed before
    #[arg(long, conflicts_with_all = ["files", "words", "export", "all_namespaces"])]
    history: bool,
    /// How to print it: text, json, yaml; FORMAT=FILE writes to a file; may be repeated
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    output: Vec<Output>,
}

/// `--dry-run`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DryRun {
    /// Make the changes
    None,
    /// Only plan
    Client,
    /// Let the API server try them
    Server,
}

/// `--restart`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Restart {
    /// As the question is answered
    Ask,
    /// Yes
    Yes,
    /// No: leave what restarts pods
    No,
}

impl Args {
    /// Whether nothing is to be changed.
    fn only_shows(&self) -> bool {
        self.diff || self.dry_run != DryRun::None || self.export.is_some()
    }

    fn wanted(
        &self,
        scope: Scope,
        now: jiff::Timestamp,
        other_kind: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Wanted, Failure> {
        let selection = self.on.selection(scope, other_kind)?;
        let today = now.to_zoned(jiff::tz::TimeZone::system()).date();
        Ok(Wanted { selection, select: Vec::new(), suppressions: Vec::new(), today })
    }

    fn check(&self) -> Result<(), Failure> {
        let nobody = ObjectRef::new("", "", None, "");
        let values = [
            (self.client_id.as_slice(), Ask::ClientId(nobody.clone())),
            (self.tenant_id.as_slice(), Ask::TenantId(nobody.clone())),
            (self.service_account.as_slice(), Ask::ServiceAccount(nobody.clone())),
            (&self.containers, Ask::Containers(nobody)),
        ];
        for (values, ask) in values {
            let named = |why: String| Failure::new(format!("{}: {why}", answers::flag(&ask)), None);
            values.iter().try_for_each(|value| answers::check(&ask, value)).map_err(named)?;
        }
        if let Some(unknown) =
            self.only.iter().find(|only| !registry::infos().any(|info| registry::matches(only, info.code)))
        {
            let text = format!("--only {unknown}: there is no such rule");
            return Err(Failure::new(text, Some("kubectl wi explain --all lists them".to_owned())));
        }
        let made = [Format::Text, Format::Wide, Format::Json, Format::Yaml, Format::Jsonl, Format::Name];
        match self.output.iter().find(|output| !made.contains(&output.format)) {
            Some(output) => {
                let hint = "inspect -f writes what is left in any format".to_owned();
                Err(Failure::new(
                    format!(
                        "fix does not print -o {}: text, wide, json, yaml, jsonl and name are known",
                        output.format.word()
                    ),
                    Some(hint),
                ))
            }
            None => Ok(()),
        }
    }
}

/// Runs `fix`.
pub fn run(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    args.check()?;
    if args.history {
        return history::history(args, cli, around);
    }
    if let Some(id) = &args.undo {
        return undo::run(args, id.as_deref(), cli, around);
    }
    if args.on.reads_files() { files::run(args, cli, around) } else { live::run(args, cli, around) }
}
