//! `fix --history`.

use super::Args;
use crate::cli::error::Failure;
use crate::cli::output::{self, Format};
use crate::cli::{Cli, Surroundings};
use crate::fix::journal::{self, Run};
use crate::report::model::API_VERSION;
use crate::report::style::clean;
use serde_json::{Value, json};
use std::path::PathBuf;

pub(super) fn folder() -> Result<PathBuf, Failure> {
    journal::folder(&|name| std::env::var(name).ok()).map_err(|error| Failure::new(error.to_string(), None))
}

/// Lists the runs, the newest first.
pub(super) fn history(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let runs = journal::runs(&folder()?).map_err(|error| Failure::new(error.to_string(), None))?;
    let structured = args.output.iter().find(|output| !matches!(output.format, Format::Text | Format::Wide));
    if let Some(output) = structured {
        let items: Vec<Value> = runs.iter().map(|run| item(run, &runs)).collect();
        let list = json!({"apiVersion": API_VERSION, "kind": "FixHistory", "runs": items});
        match output.format {
            Format::Yaml => output::write_yaml(around.stdout, &list)?,
            _ => output::write_json(around.stdout, &list)?,
        }
        return Ok(0);
    }
    let style = around.terminal.style(cli.color);
    if runs.is_empty() {
        writeln!(around.stdout, "no run was recorded yet")?;
    }
    for run in &runs {
        let place = run.context.as_deref().unwrap_or(&run.server);
        let state = state(run, &runs);
        writeln!(around.stdout, "{}  {}  {}", style.bold(&clean(&run.id)), clean(place), style.dim(&state))?;
        for (sent, confirmed) in &run.sent {
            let what = match (sent.creates, sent.deletes) {
                (true, _) => "made",
                (_, true) => "deleted",
                _ => "changed",
            };
            let open = if *confirmed { "" } else { " (sent, not confirmed)" };
            writeln!(around.stdout, "  {what} {}{open}", clean(&sent.object().to_string()))?;
            for edit in &sent.edits {
                let show = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
                let line = format!("{}: {} -> {}", edit.path, show(&edit.before), show(&edit.after));
                writeln!(around.stdout, "    {}", style.dim(&clean(&line)))?;
            }
        }
    }
    Ok(0)
}

fn state(run: &Run, runs: &[Run]) -> String {
    if let Some(undone) = &run.undoes {
        return format!("took back {undone}");
    }
    match runs.iter().find(|other| other.undoes.as_ref() == Some(&run.id)) {
        Some(other) => format!("taken back by {}", other.id),
        None if !run.ended => "ended before its end".to_owned(),
        None => format!("kubectl wi fix --undo {}", run.id),
    }
}

fn item(run: &Run, runs: &[Run]) -> Value {
    let changes: Vec<Value> = run
        .sent
        .iter()
        .map(|(sent, confirmed)| json!({"object": sent.object(), "creates": sent.creates, "deletes": sent.deletes, "confirmed": confirmed, "edits": sent.edits}))
        .collect();
    json!({
        "run": run.id, "time": run.time, "context": run.context, "server": run.server, "undoes": run.undoes,
        "ended": run.ended, "state": state(run, runs), "changes": changes,
    })
}
