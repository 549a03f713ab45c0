//! What fixing files and fixing a cluster share: questions, what is printed, exit codes.

use super::{Args, Restart};
use crate::cli::error::Failure;
use crate::cli::output::{self, Format};
use crate::cli::{Cli, Surroundings};
use crate::fix::answers::Answers;
use crate::fix::candidates::{Hint, candidates};
use crate::fix::plan::{Outcome, Plan, PlanStep, Wishes};
use crate::fix::question::{self, NoAnswer, Reply};
use crate::fix::report::{FixReport, draw_left, draw_step};
use crate::inspect::Input;
use crate::model::finding::{Ask, FixKind};
use crate::report::model::{InspectReport, Verdict};
use crate::report::style::{Style, clean};
use std::io::Write;

/// One run of `fix`, as the person sees it.
pub(super) struct Session<'a> {
    pub(super) args: &'a Args,
    pub(super) cli: &'a Cli,
    /// Candidates for what is asked that are known from elsewhere.
    pub(super) hints: Vec<Hint>,
    /// There is somebody to ask: standard input and standard error are a terminal.
    can_ask: bool,
    /// Yes to everything that follows.
    all: bool,
    /// No more changes.
    quit: bool,
    /// Whether the run restarts what it changes, without asking.
    restarts_covered: bool,
}

/// Whether a step is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Make,
    Leave,
    /// Ask for the values again, and plan anew.
    Edit,
}

/// What ended the run before its end.
#[derive(Debug)]
pub(super) enum Stop {
    Interrupted,
    OutOfTime,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<crate::cluster::Error> for Stop {
    fn from(error: crate::cluster::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<crate::fix::journal::Error> for Stop {
    fn from(error: crate::fix::journal::Error) -> Self {
        Self::Failed(Failure::new(error.to_string(), None))
    }
}

impl From<NoAnswer> for Stop {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Interrupted => Self::Interrupted,
            NoAnswer::Terminal(_) => Self::Failed(Failure::new(why.to_string(), Some("--yes asks nothing".to_owned()))),
        }
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(args: &'a Args, cli: &'a Cli, around: &Surroundings<'_>) -> Self {
        let can_ask = around.terminal.stdin && around.terminal.stderr && !args.yes && !args.only_shows();
        let restarts_covered = args.restart == Restart::Yes || (args.yes && args.on.names_objects());
        Self { args, cli, hints: Vec::new(), can_ask, all: args.yes, quit: false, restarts_covered }
    }

    /// Whether changes are made at all: somebody says yes.
    pub(super) fn changes(&self) -> bool {
        !self.args.only_shows() && (self.can_ask || self.all)
    }

    /// Whether nobody is asked, so that what could not be tried counts as refused.
    pub(super) fn is_strict(&self) -> bool {
        !self.can_ask && self.args.restart != Restart::Yes
    }

    /// Goes back to asking about each change; whether there is somebody to ask.
    pub(super) fn ask_again(&mut self) -> bool {
        self.all = self.all && !self.can_ask;
        self.can_ask
    }

    /// Restarts are part of what was named.
    pub(super) fn cover_restarts(&mut self) {
        self.restarts_covered = true;
    }

    pub(super) fn wishes(&self) -> Wishes {
        Wishes {
            only: self.args.only.clone(),
            answers: Answers {
                client_id: self.args.client_id.clone(),
                tenant_id: self.args.tenant_id.clone(),
                service_account: self.args.service_account.clone(),
                containers: self.args.containers.clone(),
                ..Answers::default()
            },
            now: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            azure: self.args.azure,
        }
    }

    /// Asks for the values that are missing; whether any was given.
    pub(super) fn fill(&self, wishes: &mut Wishes, open: &[(Ask, Vec<String>)], input: &Input) -> Result<bool, Stop> {
        let mut given = false;
        if !self.can_ask {
            return Ok(given);
        }
        for (ask, _) in open {
            if let Some(value) = question::value(ask, &candidates(ask, input, &self.hints))? {
                wishes.answers.give(ask, value);
                given = true;
            }
        }
        Ok(given)
    }

    /// Leaves what restarts pods where nobody said that it may.
    pub(super) fn hold_restarts(&self, plan: &mut Plan) {
        for step in plan.steps.iter_mut().filter(|step| step.is_planned() && !step.restarts.is_empty()) {
            if self.args.restart == Restart::No {
                step.end(Outcome::Skipped, "it restarts pods, and --restart=no was given");
            } else if self.args.yes && !self.restarts_covered {
                step.end(Outcome::Skipped, "it restarts pods that were not named; --restart=yes includes them");
            }
        }
    }

    /// Asks whether to make a step.
    pub(super) fn decide(&mut self, step: &PlanStep, can_edit: bool) -> Result<Decision, Stop> {
        if self.quit {
            return Ok(Decision::Leave);
        }
        // Access takes a yes of its own, which "all" at a question is not.
        let covered = step.kind != FixKind::Access || self.args.yes;
        if self.all && covered && (step.restarts.is_empty() || self.restarts_covered) {
            return Ok(Decision::Make);
        }
        if !self.can_ask {
            return Ok(Decision::Leave);
        }
        let verb = match (step.creates(), step.desired.is_null()) {
            (true, _) => "Create",
            (false, true) => "Delete",
            (false, false) => "Change",
        };
        let restarts = if step.restarts.is_empty() { "" } else { " and restart its pods" };
        let azure = if step.kind == FixKind::Access { " in Azure, which changes who gets access" } else { "" };
        let question = format!("{verb} {}{restarts}{azure}?", clean(&step.object.to_string()));
        Ok(match question::confirm(&question, can_edit)? {
            Reply::Yes => Decision::Make,
            Reply::No => Decision::Leave,
            Reply::Edit => Decision::Edit,
            Reply::All => {
                // The whole plan was shown before the first question, restarts included.
                (self.all, self.restarts_covered) = (true, true);
                Decision::Make
            }
            Reply::Quit => {
                self.quit = true;
                Decision::Leave
            }
        })
    }

    /// How the plan is drawn, and where: with a structured format on standard output it goes to standard error.
    fn drawn(&self, around: &Surroundings<'_>) -> (bool, Style) {
        let on_stdout = |output: &output::Output| output.file.is_none() && is_text(output.format);
        if self.args.output.iter().any(on_stdout) && !self.streams() {
            (true, around.terminal.style(self.cli.color))
        } else {
            (false, around.terminal.style_for_errors(self.cli.color))
        }
    }

    /// Whether standard output is the fixed stream.
    pub(super) fn streams(&self) -> bool {
        self.args.on.reads_stdin() && !self.args.only_shows()
    }

    /// Prints a line about the progress of the run.
    pub(super) fn say(&self, line: &str, around: &mut Surroundings<'_>) -> Result<(), Stop> {
        let (stdout, _) = self.drawn(around);
        if stdout {
            writeln!(around.stdout, "{line}")?;
            around.stdout.flush()?;
        } else {
            writeln!(around.stderr, "{line}")?;
        }
        Ok(())
    }

    pub(super) fn style(&self, around: &Surroundings<'_>) -> Style {
        self.drawn(around).1
    }

    /// Prints the steps with their diffs, and what is left.
    pub(super) fn show(
        &self,
        plan: &Plan,
        diffs: &[String],
        report: &FixReport,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Stop> {
        let text_wanted = self.can_ask || self.args.output.iter().any(|output| is_text(output.format));
        if !text_wanted {
            return Ok(());
        }
        let style = self.style(around);
        for (step, diff) in plan.steps.iter().zip(diffs) {
            self.say(&draw_step(step, diff, style), around)?;
        }
        if plan.steps.is_empty() && report.left.is_empty() {
            self.say("nothing to fix", around)?;
        }
        let left = draw_left(&report.left, plan, style);
        if !left.is_empty() {
            self.say(left.trim_end(), around)?;
        }
        Ok(())
    }

    /// Prints the report in every structured format that was asked for.
    pub(super) fn print(&self, report: &FixReport, around: &mut Surroundings<'_>) -> Result<(), Failure> {
        for output in self.args.output.iter().filter(|output| !is_text(output.format)) {
            let mut file;
            let out: &mut dyn Write = match &output.file {
                None => &mut *around.stdout,
                Some(path) => {
                    let unwritable =
                        |error: std::io::Error| Failure::new(format!("cannot write {path}: {error}"), None);
                    file = std::fs::File::create(path).map_err(unwritable)?;
                    &mut file
                }
            };
            match output.format {
                Format::Yaml => output::write_yaml(out, report)?,
                Format::Jsonl => output::write_json_line(out, report)?,
                Format::Name => {
                    for step in &report.plan {
                        writeln!(out, "{}/{}", step.object.kind.to_lowercase(), step.object.name)?;
                    }
                }
                _ => output::write_json(out, report)?,
            }
        }
        Ok(())
    }
}

fn is_text(format: Format) -> bool {
    matches!(format, Format::Text | Format::Wide)
}

/// The exit code of a run that came to its end.
pub(super) fn exit_code(report: &FixReport, seen: &InspectReport) -> u8 {
    if !report.is_complete() {
        return 1;
    }
    if seen.targets.iter().any(|target| target.verdict == Verdict::Unknown) { 3 } else { 0 }
}
