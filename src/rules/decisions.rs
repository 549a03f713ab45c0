//! Keeps account of the suppressions of one inspection: which are in force, which were used, which are to be told.

use super::suppress::{self, ANNOTATION, Origin, ParseError, Suppressed, Suppression};
use super::tool::UnusedSuppression;
use super::{loose, registry};
use crate::chain::{Chain, Target, annotation_path};
use crate::model::finding::{Finding, SourceLocation};
use crate::model::inventory::Inventory;
use crate::model::object::ObjectRef;
use crate::report::model::Unknown;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// The suppressions of one inspection.
#[derive(Debug)]
pub struct Decisions {
    given: Vec<Suppression>,
    select: Vec<String>,
    everything: bool,
    today: Date,
    /// Of each suppression that was seen: whether it was used.
    seen: BTreeMap<(Origin, String), Seen>,
    malformed: BTreeMap<(Origin, String), ParseError>,
}

#[derive(Debug, Clone)]
struct Seen {
    suppression: Suppression,
    used: bool,
    /// Whether it would have been used, had there been something to leave out.
    judged: bool,
}

impl Decisions {
    /// Of what flags and file say; `everything` tells that nothing in reach was left aside.
    pub fn new(given: &[Suppression], select: &[String], everything: bool, today: Date) -> Self {
        let mut decisions = Self {
            given: given.to_vec(),
            select: select.to_vec(),
            everything,
            today,
            seen: BTreeMap::new(),
            malformed: BTreeMap::new(),
        };
        for suppression in given {
            decisions.see(suppression, suppression.origin == Origin::Flag || everything);
        }
        decisions
    }

    fn see(&mut self, suppression: &Suppression, judged: bool) {
        let key = (suppression.origin.clone(), suppression.codes());
        let seen =
            self.seen.entry(key).or_insert_with(|| Seen { suppression: suppression.clone(), used: false, judged });
        seen.judged |= judged;
    }

    /// Takes out of findings what is suppressed; with a chain, also by the annotations of its objects.
    pub fn apply(
        &mut self,
        findings: &mut Vec<Finding>,
        of: Option<(&Chain<'_>, &Inventory)>,
        suppressed: &mut Vec<Suppressed>,
    ) {
        let mut all = self.given.clone();
        if let Some((chain, inventory)) = of {
            for (origin, text, own) in annotations(chain, inventory) {
                for line in suppress::of_annotation(&text, &origin) {
                    match line {
                        Ok(suppression) => {
                            self.see(&suppression, own || self.everything);
                            all.push(suppression);
                        }
                        Err(error) => {
                            self.malformed.insert((origin.clone(), error.to_string()), error);
                        }
                    }
                }
            }
        }
        if all.is_empty() {
            return;
        }
        let nobody = ObjectRef::new("", "", None, "");
        let target = of.map_or(&nobody, |(chain, _)| chain.target().object());
        let seen = &mut self.seen;
        let gone = suppress::apply(findings, target, &all, self.today, |suppression| {
            if let Some(entry) = seen.get_mut(&(suppression.origin.clone(), suppression.codes())) {
                entry.used = true;
            }
        });
        // What several chains share is left out once.
        suppressed.extend(
            gone.into_iter().filter(|one| suppressed.iter().all(|other| other.id != one.id)).collect::<Vec<_>>(),
        );
    }

    /// What is to be told of the suppressions themselves.
    pub fn unused(&self, unknown: &[Unknown]) -> Vec<Finding> {
        let malformed = self.malformed.iter().map(|((origin, _), error)| finding(origin, &error.to_string()));
        let seen = self.seen.values().filter_map(|seen| {
            let message = self.flaw(seen, unknown)?;
            Some(finding(&seen.suppression.origin, &message))
        });
        let mut findings: Vec<Finding> = malformed.chain(seen).collect();
        let muted = |suppression: &Suppression| suppression.origin == Origin::Flag && suppression.names("WI001");
        if self.given.iter().any(muted) {
            findings.clear();
        }
        findings
    }

    fn flaw(&self, seen: &Seen, unknown: &[Unknown]) -> Option<String> {
        let Seen { suppression, used, judged } = seen;
        let codes = suppression.codes();
        let known =
            suppression.codes.iter().any(|code| registry::infos().any(|info| registry::matches(code, info.code)));
        if !known {
            return Some(format!("the suppression of {codes} names no rule; it leaves nothing out"));
        }
        if suppression.is_expired(self.today) {
            let until = suppression.until.map(|until| until.to_string()).unwrap_or_default();
            return Some(format!("the suppression of {codes} has expired on {until}; it no longer counts"));
        }
        let asked = self.select.is_empty()
            || registry::infos().any(|info| {
                suppression.names(info.code)
                    && self.select.iter().any(|selector| registry::matches(selector, info.code))
            });
        let unanswered = unknown.iter().flat_map(|gap| &gap.rules).any(|code| suppression.names(code));
        let of_itself = suppression.names("WI001");
        if *used || !*judged || !asked || unanswered || of_itself {
            return None;
        }
        Some(format!("the suppression of {codes} matched nothing; it only hides what comes next"))
    }
}

/// The annotations that speak for a chain, and whether they are on the workload itself.
fn annotations(chain: &Chain<'_>, inventory: &Inventory) -> Vec<(Origin, String, bool)> {
    let mut found = Vec::new();
    let path = annotation_path(ANNOTATION);
    let mut add = |object: &ObjectRef, at: &str, text: Option<&str>, own: bool| {
        if let Some(text) = text {
            let origin = Origin::Annotation { object: object.clone(), path: format!("{at}{path}") };
            found.push((origin, text.to_owned(), own));
        }
    };
    let target = chain.target();
    let meta = match target {
        Target::Workload(workload) => {
            let at = workload.template_pointer();
            if !at.is_empty() && workload.is_built_in() {
                add(&workload.meta.object, at, workload.template.metadata.annotation(ANNOTATION), true);
            }
            &workload.meta
        }
        Target::Account(account) => &account.meta,
        Target::Other(other) => &other.meta,
    };
    add(&meta.object, "", meta.annotation(ANNOTATION), true);
    if let Some(account) = chain.peek_account()
        && account.meta.object != meta.object
    {
        add(&account.meta.object, "", account.meta.annotation(ANNOTATION), false);
    }
    if let Some(namespace) = inventory.other("Namespace", None, chain.namespace()).known() {
        add(&namespace.meta.object, "", namespace.meta.annotation(ANNOTATION), false);
    }
    found
}

fn finding(origin: &Origin, message: &str) -> Finding {
    match origin {
        Origin::Annotation { object, path } => loose::<UnusedSuppression>(object, path, message),
        Origin::File { file, line } => {
            let mut finding =
                loose::<UnusedSuppression>(&ObjectRef::new("", "File", None, file), &format!("line {line}"), message);
            finding.path = String::new();
            let text = String::new();
            finding.source = Some(SourceLocation { file: file.clone(), line: *line, column: 1, text });
            finding
        }
        Origin::Flag => {
            let mut finding =
                loose::<UnusedSuppression>(&ObjectRef::new("", "Flag", None, "--ignore"), message, message);
            finding.path = String::new();
            finding
        }
    }
}
