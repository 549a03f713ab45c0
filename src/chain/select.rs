//! What the user named, found among the objects.

use super::Target;
use crate::apps;
use crate::chain::meant::identity_annotation;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::workload::Workload;
use crate::webhook::keys;

/// Which namespaces are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One namespace.
    Namespace(String),
    /// All of them.
    All,
}

impl Scope {
    /// The namespace, where it is one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Namespace(namespace) => Some(namespace),
            Self::All => None,
        }
    }

    /// Whether a namespace is in it.
    pub fn contains(&self, namespace: &str) -> bool {
        match self {
            Self::Namespace(one) => one == namespace,
            Self::All => true,
        }
    }
}

/// What is inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Where.
    pub scope: Scope,
    /// Kind and name, or kind alone, or `identity` and a client id; empty: everything.
    pub items: Vec<Item>,
    /// `-l`, as requirements that all have to hold.
    pub labels: Vec<Requirement>,
}

/// One thing the user named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `TYPE/NAME`, or `TYPE` alone. The kind is the API's, such as `Deployment`.
    Object {
        /// The API's kind.
        kind: String,
        /// The name; `None`: all of that kind.
        name: Option<String>,
    },
    /// `identity/CLIENT-ID`
    Identity(String),
}

/// A requirement of a label selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// `key=value`
    Equals(String, String),
    /// `key!=value`
    NotEquals(String, String),
    /// `key in (a, b)`
    In(String, Vec<String>),
    /// `key notin (a, b)`
    NotIn(String, Vec<String>),
    /// `key`
    Exists(String),
    /// `!key`
    Absent(String),
}

impl Requirement {
    /// Whether labels meet it, with the API's meaning: `!=` and `notin` also match where the key is absent.
    pub fn matches(&self, labels: Option<&crate::model::StringMap>) -> bool {
        let value = |key: &String| labels.and_then(|labels| labels.get(key));
        match self {
            Self::Equals(key, wanted) => value(key) == Some(wanted),
            Self::NotEquals(key, wanted) => value(key) != Some(wanted),
            Self::In(key, wanted) => value(key).is_some_and(|value| wanted.contains(value)),
            Self::NotIn(key, wanted) => !value(key).is_some_and(|value| wanted.contains(value)),
            Self::Exists(key) => value(key).is_some(),
            Self::Absent(key) => value(key).is_none(),
        }
    }
}

/// Reads a label selector as kubectl takes it after `-l`.
pub fn parse_selector(text: &str) -> Result<Vec<Requirement>, String> {
    let mut requirements = Vec::new();
    for part in split_outside_parentheses(text) {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        requirements.push(parse_requirement(part).ok_or_else(|| {
            format!("-l {text}: cannot read {part:?}; expected key=value, key!=value, key in (a,b), key or !key")
        })?);
    }
    Ok(requirements)
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(part: &str) -> Option<Requirement> {
    let key = |text: &str| {
        let text = text.trim();
        let fine = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        fine.then(|| text.to_owned())
    };
    let set = |text: &str| {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|value| value.trim().to_owned()).collect::<Vec<_>>())
    };
    if let Some((left, right)) = part.split_once("!=") {
        return Some(Requirement::NotEquals(key(left)?, right.trim().to_owned()));
    }
    if let Some((left, right)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(Requirement::Equals(key(left)?, right.trim().to_owned()));
    }
    if let Some((left, right)) = part.split_once(" notin ") {
        return Some(Requirement::NotIn(key(left)?, set(right)?));
    }
    if let Some((left, right)) = part.split_once(" in ") {
        return Some(Requirement::In(key(left)?, set(right)?));
    }
    match part.strip_prefix('!') {
        Some(absent) => Some(Requirement::Absent(key(absent)?)),
        None => Some(Requirement::Exists(key(part)?)),
    }
}

/// Something that was named and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What was named, such as `deployments "velro"`.
    pub what: String,
    /// The nearest names that are there, as arguments: `deploy/velero`.
    pub nearest: Vec<String>,
    /// Why its kind could not be read, where that is so: then it may be there.
    pub unread: Option<String>,
}

/// Finds what was selected. Each object stands once, in the order in which it was named or read.
pub fn select<'a>(inventory: &'a Inventory, selection: &Selection) -> Result<Vec<Target<'a>>, Vec<Missing>> {
    let mut targets: Vec<Target<'a>> = Vec::new();
    let mut missing = Vec::new();
    let mut add = |target: Target<'a>| {
        if !targets.iter().any(|other| other.object() == target.object()) {
            targets.push(target);
        }
    };
    if selection.items.is_empty() {
        let workloads = top_level(inventory).filter(|w| in_selection(w, selection)).map(Target::Workload);
        let orphans = apps::orphans(inventory).filter(|other| {
            selection.labels.iter().all(|requirement| requirement.matches(other.meta.labels.as_ref()))
                && (other.meta.object.namespace.is_none() || selection.scope.contains(other.meta.namespace()))
        });
        return Ok(workloads.chain(orphans.map(Target::Other)).collect());
    }
    for item in &selection.items {
        match item {
            Item::Object { kind, name: None } => {
                for workload in inventory.workloads().iter().filter(|w| &w.meta.object.kind == kind) {
                    if in_selection(workload, selection) {
                        add(Target::Workload(top_of(inventory, workload)));
                    }
                }
                if kind == "ServiceAccount" {
                    for account in inventory.accounts().filter(|a| selection.scope.contains(a.meta.namespace())) {
                        account_targets(inventory, account.meta.namespace(), account.meta.name(), &mut add);
                    }
                }
                let mine = |other: &&RawObject| {
                    &other.meta.object.kind == kind && apps::of_resource(&other.meta.object).is_some()
                };
                for other in inventory.others().iter().filter(mine) {
                    if other.meta.object.namespace.is_none() || selection.scope.contains(other.meta.namespace()) {
                        resource_targets(inventory, other, &mut add);
                    }
                }
            }
            Item::Object { kind, name: Some(name) } => {
                let before = find_named(inventory, selection, kind, name, &mut add);
                if !before {
                    missing.push(Missing {
                        what: format!("{} \"{name}\"", kind.to_lowercase()),
                        nearest: nearest(inventory, selection, kind, name),
                        unread: inventory.coverage(kind, selection.scope.namespace()).why(),
                    });
                }
            }
            Item::Identity(client_id) => {
                let mut found = false;
                for account in inventory.accounts().filter(|a| {
                    selection.scope.contains(a.meta.namespace())
                        && a.meta
                            .annotation(keys::CLIENT_ID)
                            .is_some_and(|id| id.trim().eq_ignore_ascii_case(client_id))
                }) {
                    found = true;
                    account_targets(inventory, account.meta.namespace(), account.meta.name(), &mut add);
                }
                for workload in top_level(inventory).filter(|w| selection.scope.contains(w.meta.namespace())) {
                    let uses = workload.template.spec.all_containers().any(|(_, _, container)| {
                        container
                            .variable(keys::ENV_CLIENT_ID)
                            .and_then(|v| v.literal())
                            .is_some_and(|id| id.eq_ignore_ascii_case(client_id))
                    });
                    let own = |part: &apps::Part<'_>| {
                        let ids = part.application.identities(part).into_iter().filter_map(|own| own.client_id);
                        ids.into_iter().any(|id| id.trim().eq_ignore_ascii_case(client_id))
                    };
                    let uses = uses || apps::recognise(workload, inventory).iter().any(own);
                    if uses {
                        found = true;
                        add(Target::Workload(workload));
                    }
                }
                if !found {
                    missing.push(Missing {
                        what: format!("identity \"{client_id}\""),
                        nearest: Vec::new(),
                        unread: inventory.coverage("ServiceAccount", selection.scope.namespace()).why(),
                    });
                }
            }
        }
    }
    if missing.is_empty() { Ok(targets) } else { Err(missing) }
}

/// Adds everything of that kind and name in the scope; whether there was any.
fn find_named<'a>(
    inventory: &'a Inventory,
    selection: &Selection,
    kind: &str,
    name: &str,
    add: &mut impl FnMut(Target<'a>),
) -> bool {
    let mut found = false;
    for workload in inventory.workloads() {
        let object = &workload.meta.object;
        if object.kind == kind && object.name == name && selection.scope.contains(workload.meta.namespace()) {
            found = true;
            add(Target::Workload(top_of(inventory, workload)));
        }
    }
    if kind == "Pod" {
        for pod in
            inventory.pods().iter().filter(|p| p.meta.name() == name && selection.scope.contains(p.meta.namespace()))
        {
            if let Some(owner) = pod.meta.controller()
                && let Some(workload) = inventory.workload(&owner.kind, pod.meta.namespace(), &owner.name)
            {
                found = true;
                add(Target::Workload(top_of(inventory, workload)));
            }
        }
    }
    if kind == "ServiceAccount" {
        for account in
            inventory.accounts().filter(|a| a.meta.name() == name && selection.scope.contains(a.meta.namespace()))
        {
            found = true;
            account_targets(inventory, account.meta.namespace(), name, add);
        }
    }
    if !found {
        for other in inventory.others().iter().filter(|o| o.meta.object.kind == kind && o.meta.name() == name) {
            if other.meta.object.namespace.is_none() || selection.scope.contains(other.meta.namespace()) {
                found = true;
                resource_targets(inventory, other, add);
            }
        }
    }
    found
}

/// A custom resource stands for the workloads whose identity it uses, and for itself where none are here.
fn resource_targets<'a>(inventory: &'a Inventory, resource: &'a RawObject, add: &mut impl FnMut(Target<'a>)) {
    let users = apps::users(resource, inventory);
    if users.is_empty() {
        add(Target::Other(resource));
    }
    for workload in users {
        add(Target::Workload(top_of(inventory, workload)));
    }
}

/// An account stands for the workloads that run as it, and for itself where there are none.
fn account_targets<'a>(inventory: &'a Inventory, namespace: &str, name: &str, add: &mut impl FnMut(Target<'a>)) {
    let mut any = false;
    for workload in inventory.workloads_of_account(namespace, name) {
        any = true;
        add(Target::Workload(top_of(inventory, workload)));
    }
    if !any && let crate::model::fact::Fact::Known(account) = inventory.account(namespace, name) {
        // Only accounts that carry an identity are worth a chain of their own.
        if identity_annotation(account).is_some() || name != "default" {
            add(Target::Account(account));
        }
    }
}

fn in_selection(workload: &Workload, selection: &Selection) -> bool {
    selection.scope.contains(workload.meta.namespace())
        && selection.labels.iter().all(|requirement| requirement.matches(workload.meta.labels.as_ref()))
}

/// The workloads that no other workload here controls.
pub fn top_level(inventory: &Inventory) -> impl Iterator<Item = &Workload> {
    inventory.workloads().iter().filter(|workload| parent(inventory, workload).is_none())
}

fn parent<'a>(inventory: &'a Inventory, workload: &Workload) -> Option<&'a Workload> {
    let owner = workload.meta.controller()?;
    inventory.workload(&owner.kind, workload.meta.namespace(), &owner.name)
}

/// The workload at the top of the chain of controllers.
fn top_of<'a>(inventory: &'a Inventory, workload: &'a Workload) -> &'a Workload {
    let mut top = workload;
    // Owner references cannot form a circle in a cluster; in a file they can.
    for _ in 0..8 {
        match parent(inventory, top) {
            Some(next) => top = next,
            None => break,
        }
    }
    top
}

/// The three names that are nearest to a misspelt one.
fn nearest(inventory: &Inventory, selection: &Selection, kind: &str, name: &str) -> Vec<String> {
    let accounts = inventory.accounts().map(|account| &account.meta);
    let workloads = inventory.workloads().iter().map(|workload| &workload.meta);
    let mut names: Vec<(usize, String)> = workloads
        .chain(accounts)
        .filter(|meta| selection.scope.contains(meta.namespace()))
        .filter(|meta| meta.controller().is_none())
        .map(|meta| {
            let other_kind = usize::from(meta.object.kind != kind);
            (strsim::osa_distance(meta.name(), name) * 2 + other_kind, meta.object.argument())
        })
        .filter(|(distance, _)| *distance <= 2 * (name.len() / 3).max(2) + 1)
        .collect();
    names.sort();
    names.dedup();
    names.into_iter().take(3).map(|(_, argument)| argument).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn selectors_mean_what_they_mean_to_kubectl() {
        let labels: crate::model::StringMap = [("app".to_owned(), "velero".to_owned())].into();
        for (text, matches) in [
            ("app=velero", true),
            ("app==velero,tier!=x", true),
            ("app in (velero, keda)", true),
            ("app notin (velero)", false),
            ("tier notin (x)", true),
            ("app", true),
            ("!app", false),
            ("", true),
        ] {
            let all = parse_selector(text).unwrap();
            assert_eq!(all.iter().all(|r| r.matches(Some(&labels))), matches, "{text}");
        }
        for bad in ["app in velero", "a b", "=x"] {
            assert!(parse_selector(bad).is_err(), "{bad}");
        }
    }
}
