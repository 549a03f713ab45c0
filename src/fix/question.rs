//! Questions in a terminal.
//!
//! dialoguer looks at standard error alone before it asks, so the caller has to know that standard input is a terminal
//! too. On Ctrl-C it restores the terminal's mode and raises the signal; with a handler in place (see
//! [`Interrupts`]) that comes back as an error, and the cursor, which a list hides, is shown again here.

use super::answers;
use super::candidates::Candidate;
use crate::model::finding::Ask;
use crate::model::object::ObjectRef;
use dialoguer::console::Term;
use dialoguer::{Input, MultiSelect, Select};

/// What a person says to one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Make it.
    Yes,
    /// Leave it.
    No,
    /// Give another value.
    Edit,
    /// Make this one and all that follow.
    All,
    /// Make no more.
    Quit,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The terminal is gone.
    #[error("cannot ask: {0}")]
    Terminal(std::io::Error),
}

impl From<dialoguer::Error> for NoAnswer {
    fn from(error: dialoguer::Error) -> Self {
        let dialoguer::Error::IO(error) = error;
        let _ = Term::stderr().show_cursor();
        match error.kind() {
            std::io::ErrorKind::Interrupted => Self::Interrupted,
            _ => Self::Terminal(error),
        }
    }
}

/// Asks whether to make a change. Nothing is preselected: an answer has to be typed.
pub fn confirm(question: &str, can_edit: bool) -> Result<Reply, NoAnswer> {
    let words = if can_edit { "yes, no, edit, all, quit" } else { "yes, no, all, quit" };
    let answer: String = Input::new()
        .with_prompt(format!("{question} ({words})"))
        .validate_with(|text: &String| match reply(text) {
            Some(Reply::Edit) if !can_edit => Err(format!("there is no value to edit; answer {words}")),
            Some(_) => Ok(()),
            None => Err(format!("answer {words}, or the first letter")),
        })
        .interact_text()?;
    Ok(reply(&answer).unwrap_or(Reply::No))
}

fn reply(text: &str) -> Option<Reply> {
    Some(match text.trim().to_lowercase().as_str() {
        "y" | "yes" => Reply::Yes,
        "n" | "no" => Reply::No,
        "e" | "edit" => Reply::Edit,
        "a" | "all" => Reply::All,
        "q" | "quit" => Reply::Quit,
        _ => return None,
    })
}

/// Asks for a value, the likeliest ones first; `None` where the person does not know it either.
pub fn value(ask: &Ask, candidates: &[Candidate]) -> Result<Option<String>, NoAnswer> {
    if let Ask::Containers(workload) = ask {
        return containers(workload, candidates);
    }
    let prompt = format!("{} for {}", answers::what(ask), answers::object(ask));
    if !candidates.is_empty() {
        let mut items: Vec<String> =
            candidates.iter().map(|candidate| format!("{}   {}", candidate.value, candidate.seen)).collect();
        items.push("another one".to_owned());
        items.push("leave it".to_owned());
        // Without a default nothing is selected, and Enter alone does nothing.
        let at = Select::new().with_prompt(format!("Which {prompt}?")).items(&items).interact()?;
        match candidates.get(at) {
            Some(candidate) => return Ok(Some(candidate.value.clone())),
            None if at > candidates.len() => return Ok(None),
            None => {}
        }
    }
    let text: String = Input::new()
        .with_prompt(format!("The {prompt} (empty: leave it)"))
        .allow_empty(true)
        .validate_with(|text: &String| match text.trim() {
            "" => Ok(()),
            text => answers::check(ask, text),
        })
        .interact_text()?;
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// Asks which containers need identity; nothing is marked beforehand, and none means to leave it.
fn containers(workload: &ObjectRef, candidates: &[Candidate]) -> Result<Option<String>, NoAnswer> {
    let items: Vec<String> =
        candidates.iter().map(|candidate| format!("{}   {}", candidate.value, candidate.seen)).collect();
    let chosen = MultiSelect::new()
        .with_prompt(format!("Which containers of {workload} need identity? (space marks, enter ends; none: leave it)"))
        .items(&items)
        .interact()?;
    let names: Vec<&str> =
        chosen.iter().filter_map(|at| candidates.get(*at)).map(|candidate| candidate.value.as_str()).collect();
    Ok(Some(names.join(",")).filter(|names| !names.is_empty()))
}

/// Takes Ctrl-C from here on: it ends what is under way in order, instead of the process at once.
#[derive(Debug)]
pub struct Interrupts(#[cfg(unix)] tokio::signal::unix::Signal, #[cfg(not(unix))] ());

impl Interrupts {
    /// Has to be called within a Tokio runtime.
    pub fn take() -> std::io::Result<Self> {
        #[cfg(unix)]
        return Ok(Self(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?));
        #[cfg(not(unix))]
        return Ok(Self(()));
    }

    /// Waits for Ctrl-C.
    pub async fn wait(&mut self) {
        #[cfg(unix)]
        self.0.recv().await;
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
