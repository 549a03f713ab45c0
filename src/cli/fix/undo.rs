//! `fix --undo`: the way back of one run, shown and asked about like the way there.

use super::live::{READ, State, bounded, close, make, report_of};
use super::session::{Decision, Session, Stop};
use super::verify::{Waited, wait};
use super::{Args, DryRun, history};
use crate::cli::azure_flags::{AzureMode, failure};
use crate::cli::error::Failure;
use crate::cli::live::connect_to;
use crate::cli::{Cli, Surroundings};
use crate::fix::journal::{self, Run};
use crate::fix::plan::{Outcome, Plan, PlanStep};
use crate::fix::report::live_diff;
use crate::fix::{apply, azure, safety, undo};

/// Takes a run back; the exit code comes back.
pub(super) fn run(args: &Args, id: Option<&str>, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let hint = || Some("kubectl wi fix --history lists the runs".to_owned());
    let run = journal::find(&history::folder()?, id).map_err(|error| Failure::new(error.to_string(), hint()))?;
    bounded(args, cli, around, async |state, around| take_back(args, &run, cli, state, around).await)
}

async fn take_back(
    args: &Args,
    run: &Run,
    cli: &Cli,
    state: &mut State,
    around: &mut Surroundings<'_>,
) -> Result<u8, Stop> {
    let client = connect_to(cli, run.context.as_deref(), around).await?;
    if client.server() != run.server {
        let text = format!("run {} changed {}, and this is {}", run.id, run.server, client.server());
        let hint = run.context.as_ref().map(|context| format!("--context {context}"));
        return Err(Failure::new(text, hint).into());
    }
    let mut session = Session::new(args, cli, around);
    session.cover_restarts();
    let (in_cluster, in_azure) = azure::split_run(run);
    state.plan = undo::undo(&client, &in_cluster).await?;
    let credentials = if azure::concerns(run) {
        state.login = args.azure_flags.or_endpoint(run.azure.as_deref()).login(AzureMode::Yes, READ).await?;
        match state.login.azure() {
            Some(login) => azure::undo(login, &in_azure).await.map_err(|error| failure(&error))?,
            None => Vec::new(),
        }
    } else {
        Vec::new()
    };
    for step in &mut state.plan.steps {
        // How many pods run is not read for this: the kind tells how they are replaced.
        let replicas = step.current.pointer("/status/replicas").and_then(serde_json::Value::as_u64);
        let count = replicas.and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
        safety::effects(step, count);
    }
    session.hold_restarts(&mut state.plan);
    if session.changes() || args.dry_run == DryRun::Server {
        apply::check_rights(&client, &mut state.plan).await;
        apply::rehearse(&client, &mut state.plan, session.is_strict()).await;
    }
    azure::put_back(&mut state.plan, credentials);
    state.diffs = state.plan.steps.iter().map(live_diff).collect();
    let report = report_of(state, Vec::new());
    session.show(&state.plan, &state.diffs, &report, around)?;
    if !session.changes() {
        session.print(&report, around)?;
        if !args.only_shows() && state.plan.steps.iter().any(PlanStep::is_planned) {
            writeln!(around.stderr, "nothing was changed: there is nobody to ask here; --yes says yes to this plan")?;
            return Ok(1);
        }
        return Ok(code(&state.plan));
    }
    for at in 0..state.plan.steps.len() {
        if !state.plan.steps[at].is_planned() {
            continue;
        }
        match session.decide(&state.plan.steps[at], false)? {
            Decision::Make => make(&client, &mut session, state, at, Some(&run.id), around).await?,
            Decision::Leave | Decision::Edit => state.plan.steps[at].end(Outcome::Skipped, "not wanted"),
        }
    }
    let waited = wait(&client, args, &state.plan, &session, around).await?;
    close(state)?;
    state.told = true;
    session.print(&report_of(state, Vec::new()), around)?;
    Ok(match waited {
        Waited::OutOfTime => 124,
        Waited::Stuck => 1,
        Waited::Done | Waited::Not => code(&state.plan),
    })
}

/// What was back already is no failure.
fn code(plan: &Plan) -> u8 {
    let well = |step: &PlanStep| {
        matches!(step.outcome, Outcome::Applied | Outcome::Planned)
            || (step.outcome == Outcome::Skipped && step.why.as_deref() != Some("not wanted"))
    };
    u8::from(!plan.steps.iter().all(well))
}
