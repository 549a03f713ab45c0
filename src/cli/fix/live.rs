//! `fix` on a cluster.

use super::azure::await_entra;
use super::session::{Decision, Session, Stop, exit_code};
use super::verify::{Asked, Waited, verify, wait};
use super::{Args, DryRun, history};
use crate::azure::object::is_credential;
use crate::cli::azure_flags::{AzureMode, Login};
use crate::cli::error::Failure;
use crate::cli::live::{block_on, connect, other_kinds, tell};
use crate::cli::{Cli, Surroundings, inspect as cli_inspect};
use crate::cluster::Client;
use crate::cluster::collect::{Request, collect};
use crate::fix::apply::{self, Tried};
use crate::fix::journal::{Journal, Line};
use crate::fix::plan::{Outcome, Plan, PlanStep, Wishes, needed, plan};
use crate::fix::predict::{left_after, predicted};
use crate::fix::question::Interrupts;
use crate::fix::report::{FixReport, ended, live_diff};
use crate::fix::safety::close_gates;
use crate::fix::{azure, export, impact, owner};
use crate::inspect::{Input, Wanted, inspect};
use crate::model::finding::{Ask, Finding};
use crate::report::model::{InspectReport, Summary};
use crate::report::style::clean;
use std::time::Duration;

/// How long reading may take.
pub(super) const READ: Duration = Duration::from_secs(30);

/// What happened so far; it outlives an interruption.
#[derive(Default)]
pub(super) struct State {
    pub(super) plan: Plan,
    pub(super) diffs: Vec<String>,
    pub(super) journal: Option<Journal>,
    before: Summary,
    /// Nothing is to be told about the rest any more.
    pub(super) told: bool,
    /// The login with which Azure is asked and changed.
    pub(super) login: Login,
}

/// Runs it; the exit code comes back.
pub(super) fn run(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    bounded(args, cli, around, async |state, around| Box::pin(fix(args, cli, state, around)).await)
}

/// Runs something that Ctrl-C and `--timeout` may end, and says then what was made.
pub(super) fn bounded(
    args: &Args,
    cli: &Cli,
    around: &mut Surroundings<'_>,
    body: impl AsyncFnOnce(&mut State, &mut Surroundings<'_>) -> Result<u8, Stop>,
) -> Result<u8, Failure> {
    block_on(async {
        let mut interrupts = Interrupts::take()?;
        let mut state = State::default();
        let limit = args.timeout.unwrap_or(Duration::from_secs(24 * 3600));
        let ended = tokio::select! {
            ended = Box::pin(body(&mut state, around)) => ended,
            () = interrupts.wait() => Err(Stop::Interrupted),
            () = tokio::time::sleep(limit) => Err(Stop::OutOfTime),
        };
        let (code, word) = match ended {
            Ok(code) => return Ok(code),
            Err(Stop::Failed(failure)) => {
                if state.journal.is_some() {
                    tell_made(&state, around)?;
                }
                return Err(failure);
            }
            Err(Stop::Interrupted) => (130, "interrupted"),
            Err(Stop::OutOfTime) => (124, "out of time"),
        };
        writeln!(around.stderr, "{word}")?;
        if !state.told {
            tell_made(&state, around)?;
            let session = Session::new(args, cli, around);
            session.print(&report_of(&state, Vec::new()), around)?;
        }
        Ok(code)
    })
}

/// Says what was made, what is not known, and how to take it back.
fn tell_made(state: &State, around: &mut Surroundings<'_>) -> Result<(), Failure> {
    let made: Vec<String> = state
        .plan
        .steps
        .iter()
        .filter(|step| step.outcome == Outcome::Applied)
        .map(|step| step.object.to_string())
        .collect();
    match &state.journal {
        None => writeln!(around.stderr, "nothing was changed")?,
        Some(journal) => {
            let list = if made.is_empty() { "nothing that was confirmed".to_owned() } else { made.join(", ") };
            writeln!(around.stderr, "changed: {}", clean(&list))?;
            writeln!(around.stderr, "kubectl wi fix --history shows what was sent")?;
            writeln!(around.stderr, "kubectl wi fix --undo {} takes it back", journal.run())?;
        }
    }
    Ok(())
}

pub(super) fn report_of(state: &State, left: Vec<Finding>) -> FixReport {
    let mut report = FixReport::new(&state.plan, &state.diffs, state.before.clone(), left);
    if let Some(journal) = &state.journal {
        report.run = Some(journal.run().to_owned());
        report.undo = Some(format!("kubectl wi fix --undo {}", journal.run()));
    }
    report
}

/// What was read, and what the rules say to it.
pub(super) struct Seen {
    pub(super) input: Input,
    pub(super) report: InspectReport,
}

pub(super) async fn look(client: &Client, args: &Args, wanted: &Wanted, login: &Login) -> Result<Seen, Stop> {
    let within = args.timeout.map_or(READ, |timeout| timeout.min(READ));
    let request = Request::new(&wanted.selection, within);
    let mut input = Box::pin(collect(client, &request)).await?;
    input.azure = login.ask(&input, &wanted.selection, &mut std::io::sink()).await;
    let report =
        inspect(&input, wanted).map_err(|missing| cli_inspect::not_found(&missing, &wanted.selection.scope, false))?;
    Ok(Seen { input, report })
}

async fn fix(args: &Args, cli: &Cli, state: &mut State, around: &mut Surroundings<'_>) -> Result<u8, Stop> {
    let client = connect(cli, around).await?;
    let kinds = other_kinds(&client, &args.on.words).await?;
    let wanted =
        args.wanted(args.on.scope_in_cluster(client.namespace()), around.now, &|word| kinds.get(word).cloned())?;
    let mode = if args.azure { AzureMode::Yes } else { AzureMode::No };
    state.login = args.azure_flags.login(mode, args.timeout.unwrap_or(READ)).await?;
    let seen = Box::pin(look(&client, args, &wanted, &state.login)).await?;
    tell(&client, cli, around);
    state.before = seen.report.summary.clone();
    let mut session = Session::new(args, cli, around);
    let mut wishes = session.wishes();
    let mut open = make_plan(&client, &seen, &wishes, &session, state, around).await?;
    if session.fill(&mut wishes, &open, &seen.input)? {
        open = make_plan(&client, &seen, &wishes, &session, state, around).await?;
    }
    let left = remaining(&seen, &state.plan, &wanted, &wishes);
    if let Some(format) = args.export {
        around.stdout.write_all(export::export(&state.plan, format).as_bytes())?;
        return Ok(exit_code(&report_of(state, left), &seen.report));
    }
    let report = report_of(state, left.clone());
    session.show(&state.plan, &state.diffs, &report, around)?;
    if !session.changes() {
        session.print(&report, around)?;
        if !args.only_shows() && !state.plan.steps.is_empty() {
            writeln!(around.stderr, "nothing was changed: there is nobody to ask here; --yes says yes to this plan")?;
            return Ok(1);
        }
        return Ok(exit_code(&report, &seen.report));
    }
    let mut at = 0;
    while at < state.plan.steps.len() {
        if state.plan.steps[at].is_planned() {
            match session.decide(&state.plan.steps[at], !wishes.answers.given.is_empty())? {
                Decision::Make => make(&client, &mut session, state, at, None, around).await?,
                Decision::Leave => state.plan.steps[at].end(Outcome::Skipped, "not wanted"),
                Decision::Edit => {
                    let asks: Vec<_> = open.iter().chain(&open_before(&seen, &wishes)).cloned().collect();
                    wishes.answers.given.clear();
                    session.fill(&mut wishes, &asks, &seen.input)?;
                    let decided = std::mem::take(&mut state.plan.steps);
                    open = make_plan(&client, &seen, &wishes, &session, state, around).await?;
                    keep(state, decided);
                    session.show(&state.plan, &state.diffs, &report_of(state, left.clone()), around)?;
                    at = 0;
                    continue;
                }
            }
        }
        at += 1;
    }
    let mut waited = wait(&client, args, &state.plan, &session, around).await?;
    if waited == Waited::Done && !await_entra(&client, args, &state.plan, &seen.input, &session, around).await? {
        waited = Waited::OutOfTime;
    }
    let asked = Asked { args, wanted: &wanted, wishes: &wishes, before: &seen };
    let after = Box::pin(verify(&client, &asked, state, waited, &session, around)).await?;
    close(state)?;
    state.told = true;
    session.print(&after, around)?;
    Ok(match waited {
        Waited::OutOfTime => 124,
        Waited::Stuck => 1,
        Waited::Done | Waited::Not => exit_code(&after, &seen.report),
    })
}

/// Keeps what was decided, and made, before the plan was made anew.
fn keep(state: &mut State, before: Vec<PlanStep>) {
    let decided: Vec<PlanStep> = before.into_iter().filter(|step| !step.is_planned()).collect();
    state.plan.steps.retain(|step| !decided.iter().any(|other| other.object == step.object));
    state.plan.steps.splice(0..0, decided);
    state.diffs = state.plan.steps.iter().map(live_diff).collect();
}

/// The questions that were open before they were answered: what `edit` asks again.
fn open_before(seen: &Seen, wishes: &Wishes) -> Vec<(Ask, Vec<String>)> {
    let asks = seen.report.targets.iter().flat_map(|target| &target.findings).filter_map(|finding| {
        let fix = finding.fix.as_ref()?;
        Some(fix.asks.iter().map(|ask| (ask.clone(), vec![finding.id.clone()])).collect::<Vec<_>>())
    });
    let mut all: Vec<_> = asks.flatten().filter(|(ask, _)| wishes.answers.get(ask).is_some()).collect();
    all.dedup_by(|a, b| a.0 == b.0);
    all
}

/// Reads the objects, plans, and finds out what cannot be made: rights, owners, dry runs.
async fn make_plan(
    client: &Client,
    seen: &Seen,
    wishes: &Wishes,
    session: &Session<'_>,
    state: &mut State,
    around: &mut Surroundings<'_>,
) -> Result<Vec<(Ask, Vec<String>)>, Stop> {
    let (in_cluster, in_azure) = azure::split_needed(needed(&seen.report, wishes));
    let (mut objects, mut gaps) = apply::read_all(client, in_cluster).await?;
    if let Some(login) = state.login.azure() {
        let (found, more) = azure::read_all(login, &in_azure).await;
        objects.extend(found);
        gaps.extend(more);
    }
    for gap in gaps {
        writeln!(around.stderr, "not read: {}", clean(&gap))?;
    }
    state.plan = plan(&seen.input, &seen.report, &objects, wishes);
    let in_azure = azure::take(&mut state.plan);
    close_gates(&mut state.plan, &seen.report);
    owner::name_owners(client, &mut state.plan, session.args.live || session.args.export.is_some()).await;
    impact::name_impact(client, &seen.input, &mut state.plan).await;
    session.hold_restarts(&mut state.plan);
    let asks_server = session.args.dry_run == DryRun::Server || session.changes();
    if asks_server {
        apply::check_rights(client, &mut state.plan).await;
        apply::rehearse(client, &mut state.plan, session.is_strict()).await;
    }
    azure::put_back(&mut state.plan, in_azure);
    state.diffs = state.plan.steps.iter().map(live_diff).collect();
    Ok(state.plan.open.clone())
}

pub(super) fn remaining(seen: &Seen, plan: &Plan, wanted: &Wanted, wishes: &Wishes) -> Vec<Finding> {
    match inspect(&predicted(&seen.input, plan), wanted) {
        Ok(after) => left_after(&seen.report, &after, wishes).into_iter().cloned().collect(),
        Err(_) => Vec::new(),
    }
}

/// Makes one step; where somebody else changed the same fields meanwhile, the new diff is shown and asked about.
pub(super) async fn make(
    client: &Client,
    session: &mut Session<'_>,
    state: &mut State,
    at: usize,
    undoes: Option<&str>,
    around: &mut Surroundings<'_>,
) -> Result<(), Stop> {
    if state.journal.is_none() {
        let now = jiff::Timestamp::now();
        state.journal = Some(Journal::begin(&history::folder()?, now, client.context(), client.server(), undoes)?);
    }
    let Some(journal) = &mut state.journal else { return Ok(()) };
    let style = session.style(around);
    if is_credential(&state.plan.steps[at].object) {
        let step = &mut state.plan.steps[at];
        if let Some(login) = state.login.azure() {
            journal.write(&Line::Azure { endpoint: login.endpoint() })?;
            azure::make(login, step, journal).await?;
        }
        return session.say(&format!("{}: {}", clean(&step.object.to_string()), ended(step, style)), around);
    }
    loop {
        let step = &mut state.plan.steps[at];
        match apply::make(client, step, journal).await? {
            Tried::Done => break,
            Tried::Changed(fields) => {
                let why = format!("somebody else changed {}", fields.join(", "));
                state.diffs[at] = live_diff(step);
                if step.edits.is_empty() || !session.ask_again() {
                    step.end(Outcome::Conflict, why);
                    break;
                }
                session.say(&format!("{}; as it is now:", clean(&why)), around)?;
                session.say(&crate::fix::report::draw_step(step, &state.diffs[at], style), around)?;
                if session.decide(step, false)? != Decision::Make {
                    step.end(Outcome::Conflict, why);
                    break;
                }
            }
        }
    }
    let step = &state.plan.steps[at];
    session.say(&format!("{}: {}", clean(&step.object.to_string()), ended(step, style)), around)?;
    Ok(())
}

pub(super) fn close(state: &mut State) -> Result<(), Stop> {
    if let Some(journal) = &mut state.journal {
        journal.write(&Line::End)?;
    }
    Ok(())
}
