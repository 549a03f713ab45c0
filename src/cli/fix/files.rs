//! `fix -f`: manifests in place, or as a stream.

use super::Args;
use super::session::{Decision, Session, Stop, exit_code};
use crate::cli::error::Failure;
use crate::cli::{Cli, Surroundings, inspect as cli_inspect};
use crate::fix::export;
use crate::fix::files::{self, Manifests};
use crate::fix::plan::{Outcome, Plan, Wishes, plan};
use crate::fix::predict::{left_after, predicted};
use crate::fix::question::Interrupts;
use crate::fix::report::{FixReport, ended};
use crate::inspect::{Wanted, inspect};
use crate::manifest::read::STDIN;
use crate::model::finding::Finding;
use crate::report::model::InspectReport;
use crate::report::style::clean;
use std::collections::BTreeMap;

/// Runs it; the exit code comes back.
pub(super) fn run(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    crate::cli::live::block_on(async {
        // From here on Ctrl-C ends a question with an error, and no file is left half written.
        let _interrupts = Interrupts::take()?;
        match fix(args, cli, around) {
            Ok(code) => Ok(code),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::OutOfTime) => Ok(124),
            Err(Stop::Interrupted) => {
                writeln!(around.stderr, "interrupted; no further file was changed")?;
                Ok(130)
            }
        }
    })
}

fn load(args: &Args, namespace: Option<&str>, around: &mut Surroundings<'_>) -> Result<Manifests, Failure> {
    let loaded = files::load(&args.on.paths(), around.stdin, namespace.unwrap_or("default"), args.on.as_cluster, None)?;
    if loaded.input.inventory.is_empty()
        && let Some(problem) = loaded.input.problems.first()
    {
        let text = format!("{}:{}: {}", problem.file, problem.line, problem.message);
        return Err(Failure::new(text, problem.hint.clone()));
    }
    Ok(loaded)
}

fn look(manifests: &Manifests, wanted: &Wanted, args: &Args) -> Result<InspectReport, Failure> {
    inspect(&manifests.input, wanted)
        .map_err(|missing| cli_inspect::not_found(&missing, &wanted.selection.scope, args.on.reads_files()))
}

fn fix(args: &Args, cli: &Cli, around: &mut Surroundings<'_>) -> Result<u8, Stop> {
    let namespace = cli.kubectl.namespace();
    let manifests = load(args, namespace, around)?;
    let wanted =
        args.wanted(args.on.scope_in_files(namespace), around.now, &|word| manifests.input.inventory.kind_named(word))?;
    let before = look(&manifests, &wanted, args)?;
    let mut session = Session::new(args, cli, around);
    let mut wishes = session.wishes();
    let mut plan = make_plan(&manifests, &before, &wishes);
    let open = plan.open.clone();
    if session.fill(&mut wishes, &open, &manifests.input)? {
        plan = make_plan(&manifests, &before, &wishes);
    }
    let mut diffs = manifests.diffs(&mut plan);
    let left = remaining(&manifests, &before, &plan, &wanted, &wishes);
    let mut report = FixReport::new(&plan, &diffs, before.summary.clone(), left);
    if let Some(format) = args.export {
        around.stdout.write_all(export::export(&plan, format).as_bytes())?;
        return Ok(exit_code(&report, &before));
    }
    session.show(&plan, &diffs, &report, around)?;
    if session.streams() {
        let made = manifests.changed(&mut plan);
        let text = made.get(STDIN).map(String::as_str).or_else(|| Some(&**manifests.texts.get(STDIN)?));
        around.stdout.write_all(text.unwrap_or_default().as_bytes())?;
        for step in plan.steps.iter_mut().filter(|step| step.is_planned()) {
            step.outcome = Outcome::Applied;
        }
        return finish(&session, &plan, &diffs, report, &before, around);
    }
    if !session.changes() {
        session.print(&report, around)?;
        let nothing = plan.steps.is_empty();
        if !args.only_shows() && !nothing {
            writeln!(around.stderr, "nothing was changed: there is nobody to ask here; --yes says yes to this plan")?;
            return Ok(1);
        }
        return Ok(exit_code(&report, &before));
    }
    let (mut at, mut decided) = (0, BTreeMap::new());
    while at < plan.steps.len() {
        let object = plan.steps[at].object.clone();
        if plan.steps[at].is_planned() && decided.get(&object) != Some(&true) {
            let decision = match decided.get(&object) {
                Some(_) => Decision::Leave,
                None => session.decide(&plan.steps[at], !open.is_empty())?,
            };
            match decision {
                Decision::Make => {
                    decided.insert(object, true);
                }
                Decision::Leave => {
                    plan.steps[at].end(Outcome::Skipped, "not wanted");
                    decided.insert(object, false);
                }
                Decision::Edit => {
                    wishes.answers.given.clear();
                    session.fill(&mut wishes, &open, &manifests.input)?;
                    plan = make_plan(&manifests, &before, &wishes);
                    diffs = manifests.diffs(&mut plan);
                    session.show(&plan, &diffs, &report, around)?;
                    at = 0;
                    continue;
                }
            }
        }
        at += 1;
    }
    write(&session, &manifests, &mut plan, around)?;
    let after = look(&load(args, namespace, around)?, &wanted, args)?;
    report = FixReport::new(
        &plan,
        &diffs,
        before.summary.clone(),
        left_after(&before, &after, &wishes).into_iter().cloned().collect(),
    );
    report.after = Some(after.summary.clone());
    finish(&session, &plan, &diffs, report, &after, around)
}

fn make_plan(manifests: &Manifests, before: &InspectReport, wishes: &Wishes) -> Plan {
    plan(&manifests.input, before, &manifests.objects, wishes)
}

/// What the same rules find in the manifests as they will be.
fn remaining(
    manifests: &Manifests,
    before: &InspectReport,
    plan: &Plan,
    wanted: &Wanted,
    wishes: &Wishes,
) -> Vec<Finding> {
    match inspect(&predicted(&manifests.input, plan), wanted) {
        Ok(after) => left_after(before, &after, wishes).into_iter().cloned().collect(),
        Err(_) => Vec::new(),
    }
}

fn write(
    session: &Session<'_>,
    manifests: &Manifests,
    plan: &mut Plan,
    around: &mut Surroundings<'_>,
) -> Result<(), Stop> {
    let texts = manifests.changed(plan);
    for (file, text) in texts {
        let before = manifests.texts.get(&file).map(std::string::ToString::to_string).unwrap_or_default();
        let outcome = files::write(&file, &before, &text);
        let steps: Vec<usize> = (0..plan.steps.len())
            .filter(|at| plan.steps[*at].is_planned() && manifests.file(&plan.steps[*at], plan).as_ref() == Some(&file))
            .collect();
        for at in steps {
            match &outcome {
                Ok(()) => plan.steps[at].outcome = Outcome::Applied,
                Err(error) => plan.steps[at].end(Outcome::Failed, error.to_string()),
            }
        }
        match outcome {
            Ok(()) => session.say(&format!("written: {}", clean(&file)), around)?,
            Err(error) => writeln!(around.stderr, "error: {}", clean(&error.to_string()))?,
        }
    }
    Ok(())
}

fn finish(
    session: &Session<'_>,
    plan: &Plan,
    diffs: &[String],
    report: FixReport,
    seen: &InspectReport,
    around: &mut Surroundings<'_>,
) -> Result<u8, Stop> {
    let style = session.style(around);
    for step in plan.steps.iter().filter(|step| step.outcome != Outcome::Applied && !step.is_planned()) {
        session.say(&format!("{}: {}", clean(&step.object.to_string()), ended(step, style)), around)?;
    }
    let fresh = FixReport::new(plan, diffs, report.before.clone(), report.left.clone());
    let report = FixReport { after: report.after, ..fresh };
    session.print(&report, around)?;
    Ok(exit_code(&report, seen))
}
