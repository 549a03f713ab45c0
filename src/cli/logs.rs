//! `--logs` and `--log-file`: which logs `inspect` reads.

use super::error::Failure;
use super::selection::SelectionArgs;
use crate::chain::select::{Selection, select};
use crate::chain::{Chain, Target};
use crate::cluster::Client;
use crate::cluster::collect::{LogRequest, read_logs};
use crate::inspect::Input;
use crate::manifest::log::read_log;
use crate::model::log::{Log, LogSource};
use crate::model::object::ObjectRef;
use std::io::Read;
use std::str::FromStr;
use tokio::time::Instant;

/// Lines of each log, where nothing else is said.
const LINES: u32 = 500;

/// Arguments about logs.
#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    /// Read logs, this run's and the one before, of all containers: auto (of named workloads that are not ready, restart or fail), no, or how many lines of each; without a value 500
    #[arg(long, value_name = "auto|no|LINES", num_args = 0..=1, require_equals = true, default_missing_value = "500", conflicts_with = "files")]
    logs: Option<Logs>,
    /// A log that was saved, of the workload that is named or the only one; - for standard input; may be repeated
    #[arg(long, value_name = "FILE")]
    log_file: Vec<String>,
}

/// `--logs`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Logs {
    /// Where it helps.
    Auto,
    /// Not at all.
    No,
    /// Whatever is selected, so many lines of each.
    Lines(u32),
}

impl FromStr for Logs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "no" => Ok(Self::No),
            _ => match text.parse() {
                Ok(lines @ 1..=100_000) => Ok(Self::Lines(lines)),
                _ => Err("expected auto, no, or a number of lines from 1 to 100000".to_owned()),
            },
        }
    }
}

impl LogArgs {
    /// Which logs of a cluster to read; `None` for none.
    fn request(&self, on: &SelectionArgs, until: Instant) -> Option<LogRequest> {
        let named = on.names_objects();
        let (lines, only_in_trouble) = match self.logs {
            Some(Logs::No) => return None,
            Some(Logs::Lines(lines)) => (lines, false),
            Some(Logs::Auto) => (LINES, true),
            None if named => (LINES, true),
            None => return None,
        };
        Some(LogRequest { lines, only_in_trouble, only_meant: !named, until })
    }

    /// Reads the logs of what is selected from the cluster.
    pub(super) async fn read(
        &self,
        on: &SelectionArgs,
        client: &Client,
        input: &mut Input,
        selection: &Selection,
        until: Instant,
    ) {
        if let Some(request) = self.request(on, until) {
            read_logs(client, input, selection, &request).await;
        }
    }

    /// Reads the files that were named, and adds them to the workload that is inspected.
    pub(super) fn add_files(
        &self,
        on: &SelectionArgs,
        stdin: &mut dyn Read,
        input: &mut Input,
        selection: &Selection,
    ) -> Result<(), Failure> {
        if self.log_file.is_empty() {
            return Ok(());
        }
        let stdins = self.log_file.iter().filter(|file| *file == "-").count();
        if stdins > 1 || (stdins == 1 && on.reads_stdin()) {
            return Err(Failure::new("standard input can be read once only: -f - or --log-file -", None));
        }
        let about = writer(input, selection)?;
        for file in &self.log_file {
            let read = read_log(file, stdin)?;
            let log = Log { about: about.clone(), source: LogSource::File(read.name), text: read.text };
            input.inventory.add_log(log);
        }
        Ok(())
    }
}

/// Whose log it is: the one workload that is selected, or the only one of them that is meant for identity.
fn writer(input: &Input, selection: &Selection) -> Result<ObjectRef, Failure> {
    // What is selected wrongly is told by the inspection itself.
    let targets = select(&input.inventory, selection).unwrap_or_default();
    let of = |target: &Target<'_>| target.object().clone();
    let workloads: Vec<&Target<'_>> = targets.iter().filter(|target| matches!(target, Target::Workload(_))).collect();
    let meant = |target: &&&Target<'_>| Chain::new(***target, &input.inventory, &input.cluster).is_meant();
    let all: Vec<ObjectRef> = match (workloads.as_slice(), targets.as_slice()) {
        ([], [other]) => vec![of(other)],
        (several, _) => {
            let wanted: Vec<ObjectRef> = several.iter().filter(meant).map(|target| of(target)).collect();
            if wanted.is_empty() { several.iter().map(|target| of(target)).collect() } else { wanted }
        }
    };
    match all.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new(
            "--log-file: there is no workload here whose log it could be",
            Some("kubectl wi explain - < FILE   explains a log by itself".to_owned()),
        )),
        [first, ..] => {
            let names: Vec<String> = all.iter().take(4).map(ObjectRef::argument).collect();
            let more = if all.len() > 4 { ", ..." } else { "" };
            Err(Failure::new(
                format!("--log-file: which of {} workloads wrote it? {}{more}", all.len(), names.join(", ")),
                Some(format!("name it: kubectl wi inspect {} ... --log-file FILE", first.argument())),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_a_word_or_a_number_of_lines() {
        assert_eq!("auto".parse(), Ok(Logs::Auto));
        assert_eq!("no".parse(), Ok(Logs::No));
        assert_eq!("50".parse(), Ok(Logs::Lines(50)));
        for wrong in ["", "yes", "0", "-1", "100001"] {
            assert!(wrong.parse::<Logs>().is_err(), "{wrong}");
        }
    }
}
