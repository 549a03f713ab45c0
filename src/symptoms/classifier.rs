//! Text in, symptoms out: line by line, in bounded memory.

use super::applications;
use super::assemble;
use super::engine::{self, Entry, Hit};
use super::families::entra;
use super::line::Level;
use super::model::{Context, Kind, Origin, Symptom, Weight};
use super::record::{Record, Records};
use crate::text::{Squeezed, pattern};
use regex::bytes::Regex;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The most different symptoms that are kept. A text with more is no log.
const MOST: usize = 100;

/// An exchange that succeeded, in the words of the SDKs.
static SUCCESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:acquired a token from|authenticated with|returning a? token from|credential selected: (?:azure\.identity\.)?) workloadidentitycredential
        | workloadidentitycredential\.gettoken succeeded
        | attempted credential workloadidentitycredential returns a token
        | result for workloadidentitycredential: success
        | successfully acquired token",
    )
});

/// Words of a failure, in any program.
pub(super) static FAILURE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"error|exception|fail|fatal|panic|denied|refused|unauthorized|forbidden|cannot|couldnot|unable|invalid|timeout|timed out|not found|crash",
    )
});

/// Words of identity.
static IDENTITY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"azure\.?identity|workload identity|workloadidentity|azure_(?:client|tenant|federated|authority)|aadsts|msal|adal|managed identity|credential|login\.microsoft|oauth2|169\.254\.169\.254|azure-identity-token|entra|service principal|federated|azure ad|\baad\b",
    )
});

/// Finds the symptoms of a text.
///
/// Logs of any length may be given to a [`Classifier`] in lines instead.
pub fn classify(text: &str, origin: Origin, context: &Context<'_>) -> Vec<Symptom> {
    let mut classifier = Classifier::new(origin, *context);
    classifier.guess_application(text);
    for line in text.split('\n') {
        classifier.push_line(line);
    }
    classifier.finish()
}

/// Reads a text line by line.
#[derive(Debug)]
pub struct Classifier<'c> {
    origin: Origin,
    context: Context<'c>,
    records: Records,
    found: Vec<Symptom>,
    known: HashMap<Key, usize>,
    last_success: Option<u64>,
    words: Words,
    application: Option<&'static str>,
}

/// Which words a text has, whether or not a wording of them is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Something failed, by an entry that is not mere information.
    pub failure: bool,
    /// Something failed, and the same entry has words of identity.
    pub identity: bool,
    /// A token was got.
    pub success: bool,
}

type Key = (&'static str, Option<u32>, [Option<String>; 5]);

impl<'c> Classifier<'c> {
    /// Begins with nothing.
    pub fn new(origin: Origin, context: Context<'c>) -> Self {
        Self {
            origin,
            context,
            records: Records::default(),
            found: Vec::new(),
            known: HashMap::new(),
            last_success: None,
            words: Words::default(),
            application: None,
        }
    }

    /// Whose words they are, judged by the beginning of the whole text: for those parts of it that do not say.
    pub fn guess_application(&mut self, text: &str) {
        const ENOUGH: usize = 128 * 1024;
        let mut end = text.len().min(ENOUGH);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.application = applications::recognise(Squeezed::new(&text[..end]).lower());
    }

    /// Takes one line, without its end.
    pub fn push_line(&mut self, line: &str) {
        for record in self.records.push(line.strip_suffix('\r').unwrap_or(line)) {
            self.take(&record);
        }
    }

    /// What was found: the likeliest root first.
    pub fn finish(self) -> Vec<Symptom> {
        self.finish_with_words().0
    }

    /// The same, and which words the text has.
    pub(super) fn finish_with_words(mut self) -> (Vec<Symptom>, Words) {
        if let Some(record) = self.records.finish() {
            self.take(&record);
        }
        self.settle();
        self.words.success = self.last_success.is_some();
        (self.found, self.words)
    }

    fn take(&mut self, record: &Record) {
        let entry = Entry::new(record);
        if SUCCESS.is_match(entry.squeezed.lower()) {
            self.last_success = Some(record.line);
        }
        if self.origin == Origin::Pasted && record.level != Level::Quiet && FAILURE.is_match(entry.squeezed.lower()) {
            self.words.failure = true;
            self.words.identity |= IDENTITY.is_match(entry.squeezed.lower());
        }
        for group in engine::groups(entry.hits()) {
            for hit in resolve(&entry, group) {
                self.add(&entry, &hit);
            }
        }
    }

    fn add(&mut self, entry: &Entry<'_>, hit: &Hit) {
        let symptom = assemble::symptom(entry, hit, &self.context, self.application);
        let facts = &symptom.facts;
        let key = (
            symptom.signature,
            facts.aadsts,
            [
                facts.client_id.clone(),
                facts.subject.clone().or_else(|| facts.issuer.clone()),
                facts.action.clone(),
                facts.scope.clone(),
                facts.host.clone(),
            ],
        );
        if let Some(at) = self.known.get(&key) {
            let known = &mut self.found[*at];
            // One entry that says it twice says it once.
            if entry.record.line > known.last.line || entry.record.overlap > 0 {
                known.count += 1;
            }
            known.weight = known.weight.max(symptom.weight);
            known.last = symptom.last;
        } else if self.found.len() < MOST {
            self.known.insert(key, self.found.len());
            self.found.push(symptom);
        }
    }

    /// What the text as a whole tells about its parts.
    fn settle(&mut self) {
        if let Some(success) = self.last_success {
            // A step of the chain that failed on the way to a token is no failure.
            self.found.retain(|symptom| symptom.weight != Weight::Quiet);
            for symptom in &mut self.found {
                transient(symptom, success);
            }
        }
        // Of the summaries the SDKs' come first: they stand before the applications' in the tables.
        let order = |symptom: &Symptom| match symptom.kind {
            Kind::Summary => engine::order(symptom.signature),
            _ => 0,
        };
        self.found.sort_by_key(|symptom| {
            (std::cmp::Reverse(symptom.weight), symptom.kind, order(symptom), symptom.first.line)
        });
        let kinds: Vec<(Kind, &'static str, Weight)> =
            self.found.iter().map(|symptom| (symptom.kind, symptom.signature, symptom.weight)).collect();
        for symptom in &mut self.found {
            symptom.follows = kinds
                .iter()
                .find(|(kind, _, weight)| *weight >= symptom.weight && follows(symptom.kind, *kind))
                .map(|(_, signature, _)| *signature);
        }
        if self.origin != Origin::Pasted {
            // In a log, what only sums up what another line says is no news.
            self.found.retain(|symptom| symptom.kind != Kind::Summary || symptom.follows.is_none());
        }
    }
}

/// Refusals and network faults before an exchange that succeeded: they come and go.
fn transient(symptom: &mut Symptom, success: u64) {
    if matches!(symptom.kind, Kind::Entra | Kind::Network) && symptom.last.line <= success {
        assemble::put_first(&mut symptom.points_to, &["WI419"]);
        symptom.gives = Some("WI419");
        symptom.causes.insert(
            0,
            "later exchanges succeeded: it comes and goes, so the credential fits and nothing of it has to change"
                .into(),
        );
    }
}

/// Whether a failure of the first kind follows from one of the second in the same text.
fn follows(consequence: Kind, cause: Kind) -> bool {
    match consequence {
        Kind::NotConfigured | Kind::NodeIdentity if cause == Kind::Webhook => true,
        // One text may hold the words of several programs: what has nothing to do with identity stands by itself.
        Kind::Elsewhere => false,
        _ => cause != consequence && engine::explains(cause, consequence),
    }
}

/// Takes out of a group what others of it explain, and of several wordings of one kind the less telling ones.
fn resolve(entry: &Entry<'_>, group: Vec<Hit>) -> Vec<Hit> {
    let kinds: Vec<Kind> = group.iter().map(|hit| assemble::kind(entry, hit)).collect();
    let explained = |kind: Kind| kinds.iter().any(|other| *other != kind && engine::explains(*other, kind));
    let mut left: Vec<(Kind, Hit)> =
        group.into_iter().zip(&kinds).filter(|(_, kind)| !explained(**kind)).map(|(hit, kind)| (*kind, hit)).collect();
    // The tables have the most telling wording first.
    for one in [
        Kind::NodeIdentity,
        Kind::NotConfigured,
        Kind::Network,
        Kind::Webhook,
        Kind::Summary,
        Kind::Elsewhere,
        Kind::OtherCredential,
        Kind::Pod,
    ] {
        let best = left.iter().filter(|(kind, _)| *kind == one).map(|(_, hit)| hit.order).min();
        left.retain(|(kind, hit)| *kind != one || Some(hit.order) == best || hit.signature.id == entra::CODE);
    }
    left.into_iter().map(|(_, hit)| hit).collect()
}
