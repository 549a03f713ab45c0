//! Carries a plan out on a cluster: rights first, then dry runs, then one patch for each object, each tied to what
//! was read.

use super::effect::pod_of;
use super::journal::{self, Journal, Line};
use super::operations::operations;
use super::path::{apply, drifts};
use super::plan::{Found, Objects, Outcome, Plan, PlanStep};
use crate::cluster::resource::{self, ResourceType};
use crate::cluster::{Client, Error, Patch, PatchRequest, Precondition, Right, TypeLookup};
use crate::model::object::{ObjectRef, Origin};
use serde_json::Value;
use std::collections::BTreeSet;

/// How often a change is tried anew when others change the object at the same time. A Deployment that rolls out
/// changes its status several times a second.
const TRIES: usize = 8;

/// What became of one try.
#[derive(Debug)]
pub enum Tried {
    /// It is done.
    Done,
    /// The same fields were changed by somebody else; the step holds the object as it is now.
    Changed(Vec<String>),
}

/// The kind of an object, as the cluster serves it.
pub async fn resource_of(client: &Client, object: &ObjectRef) -> Result<ResourceType, Error> {
    if let Some(known) = resource::of_kind(&object.api_version, &object.kind) {
        return Ok(known.clone());
    }
    let word = match object.api_version.split_once('/') {
        Some((group, version)) => format!("{}.{version}.{group}", object.kind.to_lowercase()),
        None => object.kind.to_lowercase(),
    };
    match client.look_up_type(&word).await? {
        TypeLookup::Found(found) => Ok(found),
        TypeLookup::Unknown { .. } => {
            let (group, version) = object.api_version.split_once('/').unwrap_or(("", object.api_version.as_str()));
            let plural = format!("{}s", object.kind.to_lowercase());
            Ok(ResourceType::custom(group, version, &object.kind, &plural, object.namespace.is_some()))
        }
    }
}

/// Reads an object as it is now; null where it does not exist.
pub async fn read(client: &Client, object: &ObjectRef) -> Result<Value, Error> {
    let resource = resource_of(client, object).await?;
    match client.get::<Value>(&resource, object.namespace.as_deref(), &object.name).await {
        Ok(mut value) => {
            if let Some(map) = value.as_object_mut() {
                map.entry("apiVersion").or_insert_with(|| object.api_version.clone().into());
                map.entry("kind").or_insert_with(|| object.kind.clone().into());
            }
            Ok(value)
        }
        Err(error) if error.is_absent() => Ok(Value::Null),
        Err(error) => Err(error),
    }
}

/// Reads the objects that a plan may change. One that may not be read is left out: its fixes cannot be planned then.
pub async fn read_all(client: &Client, needed: BTreeSet<ObjectRef>) -> Result<(Objects, Vec<String>), Error> {
    let (mut objects, mut gaps) = (Objects::new(), Vec::new());
    for object in needed {
        match read(client, &object).await {
            Ok(value) => {
                objects.insert(object, Found { value, origin: Origin::Cluster });
            }
            Err(error @ (Error::Unreachable { .. } | Error::Unauthorized { .. })) => return Err(error),
            Err(error) => gaps.push(error.to_string()),
        }
    }
    Ok((objects, gaps))
}

fn verb(step: &PlanStep) -> &'static str {
    match (step.creates(), step.desired.is_null()) {
        (true, _) => "create",
        (false, true) => "delete",
        (false, false) => "patch",
    }
}

/// Finds out which steps the user may not make, before the first one is made.
pub async fn check_rights(client: &Client, plan: &mut Plan) {
    for step in plan.steps.iter_mut().filter(|step| step.is_planned()) {
        let resource = match resource_of(client, &step.object).await {
            Ok(resource) => resource,
            Err(error) => {
                step.end(Outcome::Refused, error.to_string());
                continue;
            }
        };
        let verb = verb(step);
        let namespace = step.object.namespace.as_deref();
        let name = (verb != "create").then_some(step.object.name.as_str());
        let right =
            Right { verb, group: &resource.group, resource: &resource.plural, subresource: None, namespace, name };
        match client.can(&right).await {
            Ok(access) if access.allowed => {}
            Ok(_) => {
                let group = if resource.group.is_empty() { String::new() } else { format!(".{}", resource.group) };
                let place = namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
                let why = format!("no permission to {verb} {}{group}{place}", resource.plural);
                step.end(Outcome::Refused, why);
                step.commands = vec!["kubectl wi rbac --for fix".to_owned()];
            }
            // The question for the right failed, which says nothing about the right: the dry run will show.
            Err(error) => step.notes.push(format!("not known whether it is allowed: {error}")),
        }
    }
}

/// What a dry run showed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trial {
    Passed,
    /// It could not be tried; why. Never counted as passed.
    Untried(String),
    Refused(String),
}

fn trial<T>(outcome: Result<T, Error>, what: &str) -> Trial {
    match outcome {
        Ok(_) => Trial::Passed,
        Err(Error::Denied { denied, .. }) => Trial::Untried(format!("{what} could not be tried: {denied}")),
        Err(error) if error.to_string().contains("does not support dry run") => {
            Trial::Untried(format!("{what} could not be tried: {error}"))
        }
        Err(error) => Trial::Refused(format!("{what} is refused: {error}")),
    }
}

/// Tries every step without making it: the patch, and a pod made from the patched template. `strict` refuses what
/// could not be tried, for runs in which nobody is asked.
pub async fn rehearse(client: &Client, plan: &mut Plan, strict: bool) {
    let made: Vec<ObjectRef> =
        plan.steps.iter().filter(|step| step.creates() && step.is_planned()).map(|step| step.object.clone()).collect();
    for step in plan.steps.iter_mut().filter(|step| step.is_planned()) {
        let mut trials = Vec::new();
        for _ in 0..TRIES {
            match send(client, step, true).await {
                Err(Error::Conflict { .. }) => match reread(client, step).await {
                    Ok(None) => {}
                    Ok(Some(changed)) => {
                        if step.is_planned() {
                            step.end(Outcome::Conflict, format!("somebody else changed {}", changed.join(", ")));
                        }
                        break;
                    }
                    Err(error) => {
                        step.end(Outcome::Failed, error.to_string());
                        break;
                    }
                },
                other => {
                    trials.push(trial(other, "the change"));
                    break;
                }
            }
        }
        if step.is_planned() && step.changes_template() {
            if let Some(waits_for) = account_of(step).filter(|account| made.contains(account)) {
                step.notes.push(format!("a pod of it is tried once {waits_for} exists"));
            } else {
                trials.push(try_pod(client, step).await);
            }
        }
        for trial in trials {
            if step.is_planned() {
                settle(step, trial, strict);
            }
        }
    }
}

fn settle(step: &mut PlanStep, trial: Trial, strict: bool) {
    match trial {
        Trial::Passed => {}
        Trial::Refused(why) => step.end(Outcome::Refused, why),
        Trial::Untried(why) if strict && !step.restarts.is_empty() => {
            step.end(Outcome::Refused, format!("{why}; --restart=yes goes on without having tried it"));
        }
        Trial::Untried(why) => step.notes.push(why),
    }
}

/// The account of the pods that a step's template makes.
fn account_of(step: &PlanStep) -> Option<ObjectRef> {
    let pod = pod_of(&step.object, &step.desired)?;
    let name = pod.pointer("/spec/serviceAccountName").and_then(Value::as_str).unwrap_or("default");
    Some(ObjectRef::service_account(step.object.namespace.as_deref().unwrap_or_default(), name))
}

async fn try_pod(client: &Client, step: &PlanStep) -> Trial {
    let Some(pod) = pod_of(&step.object, &step.desired) else { return Trial::Passed };
    let namespace = step.object.namespace.as_deref();
    trial(client.dry_run_create::<Value>(&resource::POD, namespace, &pod).await, "a pod of the changed template")
}

fn precondition(object: &Value) -> Precondition {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Precondition { uid: text("/metadata/uid"), resource_version: text("/metadata/resourceVersion") }
}

async fn send(client: &Client, step: &PlanStep, dry_run: bool) -> Result<(), Error> {
    let resource = resource_of(client, &step.object).await?;
    let namespace = step.object.namespace.as_deref();
    let name = &step.object.name;
    if step.creates() {
        return if dry_run {
            client.dry_run_create::<Value>(&resource, namespace, &step.desired).await.map(|_| ())
        } else {
            client.create::<Value>(&resource, namespace, &step.desired).await.map(|_| ())
        };
    }
    let precondition = precondition(&step.current);
    if step.desired.is_null() {
        return client.delete(&resource, namespace, name, &precondition, dry_run).await;
    }
    let operations = operations(&step.current, &step.desired);
    let operations = operations.iter().filter_map(|operation| serde_json::to_value(operation).ok()).collect();
    let request = PatchRequest {
        resource: &resource,
        namespace,
        name,
        subresource: None,
        patch: Patch::Json(operations),
        precondition,
        dry_run,
    };
    client.patch::<Value>(&request).await.map(|_| ())
}

/// Reads the object of a step again. Where our fields are as they were, the step goes on from what is there now;
/// where they are not, the fields are told, and the step's edits start from what stands in them now. No fields: it is
/// another object by now, and the step has ended.
async fn reread(client: &Client, step: &mut PlanStep) -> Result<Option<Vec<String>>, Error> {
    let now = read(client, &step.object).await?;
    let uid = |value: &Value| value.pointer("/metadata/uid").cloned();
    if now.is_null() != step.creates() || (!step.creates() && uid(&now) != uid(&step.current)) {
        let what = if now.is_null() { "it was deleted meanwhile" } else { "it was made anew meanwhile" };
        step.end(Outcome::Conflict, what);
        return Ok(Some(Vec::new()));
    }
    let changed: Vec<String> = drifts(&now, &step.edits).into_iter().map(|drift| drift.path).collect();
    for edit in &mut step.edits {
        edit.before = edit.path.get(&now).cloned();
    }
    step.edits.retain(|edit| edit.before != edit.after);
    if !step.desired.is_null() {
        match apply(&now, &step.edits) {
            Ok(desired) => step.desired = desired,
            Err(why) => {
                step.end(Outcome::Conflict, why);
                return Ok(Some(Vec::new()));
            }
        }
    }
    step.current = now;
    Ok((!changed.is_empty()).then_some(changed))
}

/// Makes a step. It is in the journal, and on the disk, before it is sent.
pub async fn make(client: &Client, step: &mut PlanStep, journal: &mut Journal) -> Result<Tried, journal::Error> {
    for _ in 0..TRIES {
        if step.edits.is_empty() && !step.creates() && !step.desired.is_null() {
            step.end(Outcome::Applied, "somebody else made the same change");
            return Ok(Tried::Done);
        }
        // An account that this run made may be what the pod was waiting for.
        if step.changes_template()
            && let Trial::Refused(why) = try_pod(client, step).await
        {
            step.end(Outcome::Refused, why);
            return Ok(Tried::Done);
        }
        let uid = precondition(&step.current).uid;
        let manner = (step.creates(), step.desired.is_null());
        let number = journal.sent(&step.object, uid.as_deref(), &step.edits, manner)?;
        match send(client, step, false).await {
            Ok(()) => {
                journal.write(&Line::Confirmed { number })?;
                step.outcome = Outcome::Applied;
                return Ok(Tried::Done);
            }
            Err(Error::Conflict { .. } | Error::NotFound { .. }) => {
                journal.write(&Line::Refused { number })?;
                match reread(client, step).await {
                    Ok(None) => {}
                    Ok(Some(_)) if !step.is_planned() => return Ok(Tried::Done),
                    Ok(Some(changed)) => return Ok(Tried::Changed(changed)),
                    Err(error) => {
                        step.end(Outcome::Failed, error.to_string());
                        return Ok(Tried::Done);
                    }
                }
            }
            Err(error @ (Error::Timeout { .. } | Error::Unreachable { .. } | Error::Malformed { .. })) => {
                unconfirmed(client, step, journal, number, &error).await?;
                return Ok(Tried::Done);
            }
            Err(error) => {
                journal.write(&Line::Refused { number })?;
                step.end(Outcome::Failed, error.to_string());
                return Ok(Tried::Done);
            }
        }
    }
    step.end(Outcome::Conflict, "somebody else keeps changing it");
    Ok(Tried::Done)
}

/// No answer came: whether the change was made shows when the object is read again.
async fn unconfirmed(
    client: &Client,
    step: &mut PlanStep,
    journal: &mut Journal,
    number: usize,
    error: &Error,
) -> Result<(), journal::Error> {
    let now = read(client, &step.object).await;
    let drifted = now.as_ref().map(|now| drifts(now, &step.edits));
    match drifted {
        Ok(drifts) if drifts.is_empty() => {
            journal.write(&Line::Refused { number })?;
            step.end(Outcome::Failed, format!("it was not made: {error}"));
        }
        Ok(drifts) if drifts.iter().all(|drift| drift.done) => {
            journal.write(&Line::Confirmed { number })?;
            step.outcome = Outcome::Applied;
            step.why = Some(format!("made, although no answer came: {error}"));
        }
        _ => step.end(Outcome::Failed, format!("not known whether it was made: {error}")),
    }
    Ok(())
}
