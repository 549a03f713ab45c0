//! A pasted text explained, without any cluster: root first, what follows from it, where to look, what to run.

use super::assemble::put_first;
use super::classifier::{Classifier, FAILURE, Words};
use super::codes;
use super::commands::{self, Next};
use super::describe::Described;
use super::model::{Class, Context, Facts, Kind, Origin, Place, Symptom, Weight};
use crate::model::finding::Confidence;
use crate::text::{Squeezed, clean, mask, pattern};
use crate::token::jwt::{Jwt, RawToken};
use regex::bytes::Regex;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::LazyLock;

/// What a pasted text comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A failure of identity, or behind it.
    Identity,
    /// A failure, of something else.
    NotIdentity,
    /// A failure whose words are not known, and that may be about identity.
    Unknown,
    /// Nothing in it is a failure.
    Nothing,
    /// There is no text.
    Empty,
}

/// A step of the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The rule that looks.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
}

/// A token that stood in the text, without anything secret of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PastedToken {
    /// `iss`
    pub issuer: Option<String>,
    /// `sub`
    pub subject: Option<String>,
    /// `aud`
    pub audiences: Vec<String>,
    /// `exp`, in seconds since 1970.
    pub expires: Option<i64>,
    /// `alg`
    pub algorithm: Option<String>,
    /// `kid`
    pub key_id: Option<String>,
}

/// What was made of a pasted text.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PastedReport {
    /// What it comes to.
    pub verdict: Verdict,
    /// The failure from which the others follow, as far as the text tells.
    pub root: Option<Symptom>,
    /// Failures of their own.
    pub others: Vec<Symptom>,
    /// What follows from the root or the others.
    pub consequences: Vec<Symptom>,
    /// Where to look, in this order.
    pub look: Vec<Step>,
    /// What to run, the most useful first.
    pub next: Vec<String>,
    /// Tokens that stood in the text.
    pub tokens: Vec<PastedToken>,
    /// What else is to be said.
    pub notes: Vec<String>,
}

impl PastedReport {
    /// The code of the root cause: the rule that the words give, else the likeliest one that they point to.
    pub fn root_code(&self) -> Option<&'static str> {
        self.root.as_ref().map(Symptom::root_code)
    }
}

static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"eyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{0,2000}"));

/// Explains a text that somebody pasted.
pub fn diagnose(text: &str) -> PastedReport {
    diagnose_in(text, &Context::default())
}

/// The same, where something is known about the workload.
pub fn diagnose_in(text: &str, context: &Context<'_>) -> PastedReport {
    let mut report = PastedReport {
        verdict: Verdict::Empty,
        root: None,
        others: Vec::new(),
        consequences: Vec::new(),
        look: Vec::new(),
        next: Vec::new(),
        tokens: tokens(text),
        notes: Vec::new(),
    };
    if text.trim().is_empty() {
        report.notes.push("there is no text to explain".to_owned());
        return report;
    }
    let described = Described::read(text);
    let mut context = *context;
    if let Some(described) = &described {
        context.mutated = context.mutated.or(Some(described.mutated()));
    }
    let mut classifier = Classifier::new(Origin::Pasted, context);
    classifier.guess_application(text);
    for line in text.split('\n') {
        classifier.push_line(line);
    }
    let (found, words) = classifier.finish_with_words();
    sort_out(&mut report, found);
    if let Some(described) = &described {
        apply_description(&mut report, described);
    }
    report.verdict = verdict(&report, words);
    if report.root.is_none() {
        nothing_known(&mut report, text);
    }
    finish(&mut report);
    report
}

/// Root, others, consequences.
fn sort_out(report: &mut PastedReport, found: Vec<Symptom>) {
    let (harmless, mut found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|symptom| symptom.weight == Weight::Harmless);
    for symptom in harmless {
        report.notes.push(format!(
            "harmless: {} (line {}), the application does without it",
            symptom.facts.action.as_deref().unwrap_or("a refusal"),
            symptom.first.line
        ));
    }
    let root = found
        .iter()
        .position(|symptom| symptom.follows.is_none() && symptom.kind.is_identity())
        .or_else(|| found.iter().position(|symptom| symptom.follows.is_none()));
    report.root = root.map(|at| found.remove(at));
    let (consequences, others) = found.into_iter().partition(|symptom| symptom.follows.is_some());
    report.consequences = consequences;
    let mut others: Vec<Symptom> = others;
    // What has nothing to do with identity is said once for each wording.
    let mut said: Vec<&'static str> = report.root.iter().map(|root| root.signature).collect();
    others.retain(|symptom| {
        let again = !symptom.kind.is_identity() && said.contains(&symptom.signature);
        said.push(symptom.signature);
        !again
    });
    report.others = others;
}

/// What a description of the pod shows beats what a message only makes likely.
fn apply_description(report: &mut PastedReport, described: &Described) {
    let Some((code, sentence)) = described.cause() else { return };
    let about = |kind| matches!(kind, Kind::NodeIdentity | Kind::NotConfigured | Kind::PodIdentity | Kind::TokenFile);
    let asked = described.label.is_some();
    match &mut report.root {
        Some(root) if about(root.kind) || root.kind == Kind::Summary => {
            put_first(&mut root.points_to, &[code]);
            root.gives = Some(code);
            report.notes.push(sentence);
        }
        // A label and nothing injected is a failure of its own, whatever the events say.
        root if asked && root.as_ref().is_none_or(|root| !root.kind.is_identity()) => {
            let facts = Facts {
                namespace: described.namespace.clone(),
                service_account: described.account.clone(),
                ..Facts::default()
            };
            report.others.extend(root.take());
            *root = Some(Symptom {
                code,
                name: codes::name(code),
                signature: "described-pod",
                kind: Kind::NotConfigured,
                class: None,
                weight: Weight::Failure,
                confidence: Confidence::Observed,
                gives: Some(code),
                points_to: vec![code],
                means: Cow::Owned(format!("{sentence}.")),
                causes: Vec::new(),
                next: commands::write(&[Next::Inspect, Next::Fix], &facts, None),
                facts,
                application: None,
                excerpt: mask(&clean(described.name.as_deref().unwrap_or_default())).into_owned(),
                count: 1,
                first: Place { line: 1, time: None },
                last: Place { line: 1, time: None },
                follows: None,
            });
        }
        _ => {}
    }
}

fn verdict(report: &PastedReport, words: Words) -> Verdict {
    match &report.root {
        Some(root) if root.kind.is_identity() => Verdict::Identity,
        Some(_) => Verdict::NotIdentity,
        None if !report.notes.is_empty() || words.success => Verdict::Nothing,
        None => match (words.failure, words.identity) {
            (true, true) => Verdict::Unknown,
            (true, false) => Verdict::NotIdentity,
            (false, _) => Verdict::Nothing,
        },
    }
}

/// No wording that is known.
fn nothing_known(report: &mut PastedReport, text: &str) {
    match report.verdict {
        Verdict::NotIdentity => report.root = Some(something_else(text)),
        Verdict::Unknown => {
            report.notes.push("the words of identity are in it, but no failure whose wording is known".to_owned());
            report.next = commands::write(&[Next::Inspect, Next::Probe, Next::Exchange], &Facts::default(), None);
        }
        Verdict::Nothing if report.tokens.is_empty() && report.notes.is_empty() => {
            report.notes.push("nothing in it is a failure that is known".to_owned());
            report.next = commands::write(&[Next::Inspect], &Facts::default(), None);
        }
        _ => {}
    }
}

/// A failure without any word of identity.
fn something_else(text: &str) -> Symptom {
    let line = text.lines().position(|line| FAILURE.is_match(Squeezed::new(line).lower())).unwrap_or_default();
    let words = text.lines().nth(line).unwrap_or_default();
    let excerpt: String =
        mask(&clean(words)).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect();
    let place = Place { line: line as u64 + 1, time: None };
    Symptom {
        code: "WI807",
        name: codes::name("WI807"),
        signature: "something-else",
        kind: Kind::Elsewhere,
        class: Some(Class::Other),
        weight: Weight::Failure,
        confidence: Confidence::Inferred,
        gives: None,
        points_to: Vec::new(),
        means: Cow::Borrowed(
            "A failure that names neither Entra, nor a token, nor a credential: nothing of it is about identity.",
        ),
        causes: Vec::new(),
        next: commands::write(&[Next::Describe], &Facts::default(), None),
        facts: Facts::default(),
        application: None,
        excerpt,
        count: 1,
        first: place.clone(),
        last: place,
        follows: None,
    }
}

/// Where to look and what to run: the root's, then the others'.
fn finish(report: &mut PastedReport) {
    let roots: Vec<&Symptom> = report.root.iter().chain(&report.others).collect();
    for symptom in roots {
        for code in symptom.gives.iter().chain(&symptom.points_to) {
            if !report.look.iter().any(|step| step.code == *code) {
                report.look.push(Step { code, name: codes::name(code), question: codes::question(code) });
            }
        }
        for command in &symptom.next {
            if !report.next.contains(command) {
                report.next.push(command.clone());
            }
        }
    }
    if !report.tokens.is_empty() {
        report.notes.push(
            "a token stands in the text; whoever has it can use it until it expires, so do not pass the text on"
                .to_owned(),
        );
    }
}

/// The tokens of a text: what they say, never themselves.
fn tokens(text: &str) -> Vec<PastedToken> {
    const MOST: usize = 5;
    if !text.contains("ey") {
        return Vec::new();
    }
    let squeezed = Squeezed::new(text);
    let mut tokens: Vec<PastedToken> = Vec::new();
    for found in TOKEN.find_iter(squeezed.cased()).take(MOST) {
        let token = RawToken::new(squeezed.text(found.range()));
        let Ok(jwt) = Jwt::parse(&token) else { continue };
        let token = PastedToken {
            issuer: jwt.claims.issuer,
            subject: jwt.claims.subject,
            audiences: jwt.claims.audiences,
            expires: jwt.claims.expires,
            algorithm: jwt.header.algorithm,
            key_id: jwt.header.key_id,
        };
        if !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    tokens
}
