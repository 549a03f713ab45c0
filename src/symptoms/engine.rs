//! Looking for all signatures at once, entry by entry.

use super::families;
use super::model::Kind;
use super::record::Record;
use super::signature::Signature;
use crate::text::{Squeezed, mask_squeezed};
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

/// The most places at which one wording is looked at in one entry.
const MOST_PLACES: usize = 6;

/// All signatures, compiled.
struct Compiled {
    /// Every pattern of every signature.
    set: RegexSet,
    /// The signatures, in the order of their tables.
    signatures: Vec<&'static Signature>,
    /// For each pattern: its signature, and itself.
    patterns: Vec<(usize, Pattern)>,
    /// For each signature: what must and must not stand near.
    near: Vec<(Vec<Pattern>, Vec<Pattern>)>,
}

/// A pattern that is compiled when it is first needed: most never are.
struct Pattern {
    source: &'static str,
    regex: OnceLock<Regex>,
}

impl Pattern {
    fn new(source: &'static str) -> Self {
        Self { source, regex: OnceLock::new() }
    }

    fn get(&self) -> &Regex {
        self.regex.get_or_init(|| compile(self.source))
    }
}

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let signatures: Vec<&'static Signature> = families::all().collect();
    let patterns: Vec<(usize, Pattern)> = signatures
        .iter()
        .enumerate()
        .flat_map(|(at, signature)| signature.patterns.iter().map(move |source| (at, Pattern::new(source))))
        .collect();
    let all = |sources: &[&'static str]| sources.iter().map(|source| Pattern::new(source)).collect();
    let near = signatures.iter().map(|signature| (all(signature.near), all(signature.unless))).collect();
    let sources: Vec<&'static str> = patterns.iter().map(|(_, pattern)| pattern.source).collect();
    Compiled { set: compile_set(&sources), signatures, patterns, near }
});

/// Patterns are constants, and a test compiles every one of them. Should one fail all the same, it finds nothing.
fn compile(source: &str) -> Regex {
    RegexBuilder::new(source)
        .unicode(false)
        .ignore_whitespace(true)
        .build()
        .unwrap_or_else(|_| crate::text::pattern("[^\\x00-\\xff]"))
}

#[expect(clippy::expect_used, reason = "the patterns are constants, and a test compiles them")]
fn compile_set(sources: &[&'static str]) -> RegexSet {
    RegexSetBuilder::new(sources)
        .unicode(false)
        .ignore_whitespace(true)
        .size_limit(64 << 20)
        .dfa_size_limit(64 << 20)
        .build()
        .expect("constant patterns that a test compiles")
}

/// The place of a signature in the tables.
pub(super) fn order(id: &str) -> usize {
    families::all().position(|signature| signature.id == id).unwrap_or(usize::MAX)
}

/// A wording found in an entry.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub signature: &'static Signature,
    /// Its place in the tables: the more telling wording comes first.
    pub order: usize,
    /// Where in the squeezed text.
    pub range: Range<usize>,
}

/// An entry made ready: masked, and squeezed.
pub(super) struct Entry<'a> {
    pub record: &'a Record,
    /// The text of the record; hidden bytes are marks, see [`crate::text::reveal`].
    pub text: String,
    pub squeezed: Squeezed,
}

impl<'a> Entry<'a> {
    pub(super) fn new(record: &'a Record) -> Self {
        let mut squeezed = Squeezed::new(&record.text);
        let text = mask_squeezed(&record.text, &mut squeezed).unwrap_or_else(|| record.text.clone());
        Self { record, text, squeezed }
    }

    /// Everything that is found, in the order of the text.
    pub(super) fn hits(&self) -> Vec<Hit> {
        let compiled = &*COMPILED;
        let text = self.squeezed.lower();
        let mut hits: Vec<Hit> = Vec::new();
        for pattern in compiled.set.matches(text) {
            let (order, regex) = &compiled.patterns[pattern];
            let (signature, near) = (compiled.signatures[*order], &compiled.near[*order]);
            for found in regex.get().find_iter(text).take(MOST_PLACES) {
                let range = found.range();
                if self.is_new(&range) && self.fits(signature, near, &range) {
                    hits.push(Hit { signature, order: *order, range });
                }
            }
        }
        hits.sort_by_key(|hit| (hit.range.start, hit.order, hit.range.end));
        // Two wordings of one signature that overlap are one place.
        hits.dedup_by(|later, earlier| later.order == earlier.order && later.range.start <= earlier.range.end);
        hits
    }

    /// Whether a place is not wholly in what the entry before has shown already.
    pub(super) fn is_new(&self, range: &Range<usize>) -> bool {
        self.record.overlap == 0 || self.squeezed.origin(range.clone()).end > self.record.overlap
    }

    fn fits(&self, signature: &Signature, (near, unless): &(Vec<Pattern>, Vec<Pattern>), hit: &Range<usize>) -> bool {
        let window = self.window(hit, signature.reach);
        (near.is_empty() || near.iter().any(|pattern| pattern.get().is_match(window)))
            && !unless.iter().any(|pattern| pattern.get().is_match(window))
    }

    /// The squeezed text around a place, in lower case.
    pub(super) fn window(&self, place: &Range<usize>, (before, after): (usize, usize)) -> &[u8] {
        &self.squeezed.lower()[self.around(place, (before, after))]
    }

    /// Where the neighbourhood of a place begins and ends.
    pub(super) fn around(&self, place: &Range<usize>, (before, after): (usize, usize)) -> Range<usize> {
        place.start.saturating_sub(before)..(place.end.saturating_add(after)).min(self.squeezed.len())
    }
}

/// Hits that belong to one failure: closer together than a stack trace is long.
pub(super) fn groups(hits: Vec<Hit>) -> Vec<Vec<Hit>> {
    const FAR: usize = 4000;
    let mut groups: Vec<Vec<Hit>> = Vec::new();
    for hit in hits {
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| hit.range.start.saturating_sub(last.range.end) <= FAR) => {
                group.push(hit);
            }
            _ => groups.push(vec![hit]),
        }
    }
    groups
}

/// Whether a failure of the first kind explains one of the second in the same breath.
pub(super) fn explains(cause: Kind, consequence: Kind) -> bool {
    use Kind::{
        Application, Elsewhere, Entra, Firewall, Network, NodeIdentity, NotConfigured, OtherCredential, Pod,
        PodIdentity, Roles, Summary, TokenFile, Webhook,
    };
    match consequence {
        Summary => cause != Summary,
        Elsewhere => cause.is_identity() && cause != Summary,
        NodeIdentity => {
            matches!(cause, Entra | TokenFile | NotConfigured | PodIdentity | Network | Application | OtherCredential)
        }
        NotConfigured => matches!(cause, Entra | Application | TokenFile),
        PodIdentity => matches!(cause, Entra | NotConfigured),
        Network => matches!(cause, Webhook | Entra | Pod),
        Pod => cause == Webhook,
        OtherCredential => matches!(cause, Roles | Firewall | Application),
        Roles => matches!(cause, Firewall),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]
    use super::*;
    use crate::symptoms::codes;
    use std::collections::BTreeSet;

    #[test]
    fn every_signature_is_whole() {
        let mut ids = BTreeSet::new();
        for signature in families::all() {
            let id = signature.id;
            assert!(ids.insert(id), "{id} twice");
            assert!(!signature.patterns.is_empty(), "{id}");
            assert!(!signature.means.is_empty() && signature.means.ends_with('.'), "{id}");
            assert!(!codes::name(signature.code).is_empty(), "{id}: {}", signature.code);
            for code in signature.points_to.iter().chain(signature.gives.iter()) {
                assert!(!codes::question(code).is_empty(), "{id}: {code} has no question");
            }
            assert_eq!(signature.class.is_some(), signature.code == "WI807", "{id}");
            if signature.kind != Kind::Elsewhere {
                assert!(!signature.causes.is_empty(), "{id} has no causes");
                assert!(!signature.next.is_empty(), "{id} has no next command");
            }
            for source in signature.patterns.iter().chain(signature.near).chain(signature.unless) {
                let built = RegexBuilder::new(source).unicode(false).ignore_whitespace(true).build();
                let regex = built.unwrap_or_else(|error| panic!("{id}: {error}"));
                assert!(!regex.is_match(b""), "{id}: {source} matches nothing");
                let capital =
                    source.replace("\\S", "").replace("\\D", "").chars().any(|char| char.is_ascii_uppercase());
                assert!(!capital, "{id}: {source} has a capital, the text is in lower case");
            }
        }
        assert!(ids.len() > 100, "{}", ids.len());
        assert_eq!(COMPILED.patterns.len(), COMPILED.set.len());
    }

    #[test]
    fn explanations_go_one_way() {
        let kinds = [
            Kind::Webhook,
            Kind::Pod,
            Kind::Entra,
            Kind::TokenFile,
            Kind::NotConfigured,
            Kind::OtherCredential,
            Kind::Application,
            Kind::PodIdentity,
            Kind::Network,
            Kind::NodeIdentity,
            Kind::Roles,
            Kind::Firewall,
            Kind::Summary,
            Kind::Elsewhere,
        ];
        for a in kinds {
            for b in kinds {
                assert!(!(explains(a, b) && explains(b, a)), "{a:?} {b:?}");
            }
        }
    }
}
