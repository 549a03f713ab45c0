//! The part of a plan that is carried out in Azure: federated credentials of managed identities.
//!
//! A credential is an object like any other in the plan, its diff and the journal; only reading and writing it differ.
//! ARM knows no precondition for these writes and no dry run, so each credential is read again right before it is
//! written, and writes under one identity wait for each other.

use super::journal::{self, Journal, Line};
use super::operations::patched;
use super::plan::{Found, Objects, Outcome, Plan, PlanStep};
use crate::azure::facts::AzureFacts;
use crate::azure::object::{body_from, credential_from, credential_of, credential_value, is_credential};
use crate::azure::{Azure, Error, Expected};
use crate::model::finding::Operation;
use crate::model::object::{ObjectRef, Origin};
use serde_json::Value;
use std::collections::BTreeSet;

/// A credential as it is now; null where it does not exist.
///
/// # Errors
/// What Azure said.
pub async fn read(azure: &Azure, object: &ObjectRef) -> Result<Value, Error> {
    let (identity, name) =
        credential_of(object).ok_or_else(|| Error::Refused(format!("{object} is no federated credential")))?;
    let found = azure.store().credential(&identity, &name).await?;
    Ok(found.map_or(Value::Null, |credential| credential_value(object, &credential)))
}

/// Takes the credentials out of what a plan needs.
pub fn split_needed(needed: BTreeSet<ObjectRef>) -> (BTreeSet<ObjectRef>, BTreeSet<ObjectRef>) {
    needed.into_iter().partition(|object| !is_credential(object))
}

/// Reads the credentials that a plan may change, and says what could not be read.
pub async fn read_all(azure: &Azure, needed: &BTreeSet<ObjectRef>) -> (Objects, Vec<String>) {
    let (mut objects, mut gaps) = (Objects::new(), Vec::new());
    for object in needed {
        match read(azure, object).await {
            Ok(value) => drop(objects.insert(object.clone(), Found { value, origin: Origin::Cluster })),
            Err(error) => gaps.push(error.to_string()),
        }
    }
    (objects, gaps)
}

/// A credential as a rule wants it. One that is created has the whole object as its one operation.
///
/// # Errors
/// It was not read, or is not as the rule saw it.
pub fn wanted(object: &ObjectRef, found: Option<&Found>, patch: &[Operation]) -> Result<Value, String> {
    let found = found.ok_or_else(|| format!("{object} was not read"))?;
    match patch {
        [Operation::Add { path, value }] if path.is_empty() => Ok(value.clone()),
        _ if found.value.is_null() => Err(format!("{object} is not there any more")),
        _ => patched(&found.value, patch).map_err(|why| format!("{object} has changed: {why}")),
    }
}

/// Takes the steps in Azure out of a plan, for what only looks at a cluster.
pub fn take(plan: &mut Plan) -> Vec<PlanStep> {
    let (azure, cluster) = std::mem::take(&mut plan.steps).into_iter().partition(|step| is_credential(&step.object));
    plan.steps = cluster;
    azure
}

/// Puts them back, before all others: what restarts afterwards finds its credential.
pub fn put_back(plan: &mut Plan, mut steps: Vec<PlanStep>) {
    for step in steps.iter_mut().filter(|step| step.is_planned()) {
        note(step);
    }
    steps.append(&mut plan.steps);
    plan.steps = steps;
}

fn note(step: &mut PlanStep) {
    let Some((_, name)) = credential_of(&step.object) else { return };
    let text = if step.desired.is_null() {
        format!("takes access away: the account that {name} names is this identity no more")
    } else {
        match credential_from(&step.desired).and_then(|credential| credential.subject) {
            Some(subject) => format!("grants access: {subject} of that issuer becomes this identity"),
            None => "grants access".to_owned(),
        }
    };
    if !step.notes.contains(&text) {
        step.notes.push(text);
    }
}

/// Makes a step. It is in the journal, and on the disk, before it is sent.
///
/// # Errors
/// The journal cannot be written: then nothing is sent.
pub async fn make(azure: &Azure, step: &mut PlanStep, journal: &mut Journal) -> Result<(), journal::Error> {
    let Some((identity, name)) = credential_of(&step.object) else { return Ok(()) };
    let wanted = body_from(&step.desired);
    if wanted.is_none() && !step.desired.is_null() {
        step.end(Outcome::Refused, "a credential without a subject, or with several audiences, cannot be written");
        return Ok(());
    }
    let expected = credential_from(&step.current).map_or(Expected::Absent, Expected::Unchanged);
    let manner = (step.creates(), step.desired.is_null());
    let number = journal.sent(&step.object, None, &step.edits, manner)?;
    match azure.write_credential(&identity, &name, &expected, wanted.as_ref()).await {
        Ok(_) => {
            journal.write(&Line::Confirmed { number })?;
            step.outcome = Outcome::Applied;
        }
        Err(error) if is_unclear(&error) => unconfirmed(azure, step, journal, number, &error).await?,
        Err(error) => {
            journal.write(&Line::Refused { number })?;
            let outcome = if matches!(error, Error::Changed { .. }) { Outcome::Conflict } else { Outcome::Failed };
            step.end(outcome, said(&error));
        }
    }
    Ok(())
}

/// Whether it is open that the write happened.
fn is_unclear(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::Unreadable { .. })
        || error.status().is_some_and(|status| status >= 500)
}

fn said(error: &Error) -> String {
    if error.api().is_some_and(crate::azure::ApiError::is_duplicate_credential) {
        return "another credential of this identity has this issuer and subject already".to_owned();
    }
    error.to_string()
}

/// No clear answer came: whether the change was made shows when the credential is read again.
async fn unconfirmed(
    azure: &Azure,
    step: &mut PlanStep,
    journal: &mut Journal,
    number: usize,
    error: &Error,
) -> Result<(), journal::Error> {
    match read(azure, &step.object).await {
        Ok(now) if credential_from(&now) == credential_from(&step.desired) => {
            journal.write(&Line::Confirmed { number })?;
            step.outcome = Outcome::Applied;
            step.why = Some(format!("made, although no answer came: {error}"));
        }
        Ok(now) if credential_from(&now) == credential_from(&step.current) => {
            journal.write(&Line::Refused { number })?;
            step.end(Outcome::Failed, format!("it was not made: {error}"));
        }
        _ => step.end(Outcome::Failed, format!("not known whether it was made: {error}")),
    }
    Ok(())
}

/// Whether a run changed anything in Azure.
pub fn concerns(run: &journal::Run) -> bool {
    run.sent.iter().any(|(sent, _)| is_credential(&sent.object()))
}

/// The run without, and only with, what it changed in Azure.
pub fn split_run(run: &journal::Run) -> (journal::Run, journal::Run) {
    let part = |azure: bool| {
        let sent = run.sent.iter().filter(|(sent, _)| is_credential(&sent.object()) == azure).cloned().collect();
        journal::Run { sent, ..run.clone() }
    };
    (part(false), part(true))
}

/// The steps that take the Azure part of a run back.
///
/// # Errors
/// What Azure said.
pub async fn undo(azure: &Azure, run: &journal::Run) -> Result<Vec<PlanStep>, Error> {
    let mut steps: Vec<PlanStep> = Vec::new();
    for (sent, confirmed) in run.sent.iter().rev() {
        let now = read(azure, &sent.object()).await?;
        let step = super::undo::undo_step(sent, now, *confirmed);
        if !steps.iter().any(|other| other.object == step.object && other.edits == step.edits) {
            steps.push(PlanStep { kind: crate::model::finding::FixKind::Access, ..step });
        }
    }
    Ok(steps)
}

/// What Azure will say once the plan is carried out.
pub fn predicted(facts: &AzureFacts, plan: &Plan) -> AzureFacts {
    let mut facts = facts.clone();
    let made = plan.steps.iter().filter(|step| matches!(step.outcome, Outcome::Planned | Outcome::Applied));
    for step in made {
        let Some((identity, name)) = credential_of(&step.object) else { continue };
        for known in facts.identities.values_mut() {
            if known.found().is_none_or(|found| found.id != identity) {
                continue;
            }
            if let crate::model::fact::Fact::Known(credentials) = &mut known.credentials {
                credentials.retain(|credential| credential.name != name.as_str());
                credentials.extend(credential_from(&step.desired));
            }
        }
    }
    facts
}
