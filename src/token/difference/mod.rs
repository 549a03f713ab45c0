//! Where two values differ, and why that may be.
//!
//! Entra compares issuer, subject and audience byte for byte (case-sensitive since 2025-02, entra breaking changes), and
//! most mismatches are a slash, a letter's case or another cluster's id: hard to see, easy to show. The result is data:
//! [`Difference::runs`] for a renderer with colours, [`Difference::carets`] for one without.

mod reason;

pub use reason::{Reason, account};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use unicode_width::UnicodeWidthStr as _;

/// What the two values are; decides which reasons are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// `iss` of a token, `issuer` of a federated credential.
    Issuer,
    /// `sub` of a token, `subject` of a federated credential.
    Subject,
    /// `aud` of a token, `audiences` of a federated credential.
    Audience,
    /// Anything else.
    Other,
}

impl Field {
    /// The field's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Subject => "subject",
            Self::Audience => "audience",
            Self::Other => "value",
        }
    }
}

/// One of the two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// What was found, or presented.
    Found,
    /// What was expected.
    Expected,
}

/// Two values that are not equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What the values are.
    pub field: Field,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// Why they differ, where that can be told from the values.
    pub reason: Option<Reason>,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Same(String),
    Differs { found: String, expected: String },
}

/// A piece of one value, as it is to be shown: what cannot be seen is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The text; empty where the other value has something that is missing here.
    pub text: String,
    /// Whether it differs from the other value.
    pub differs: bool,
}

impl Difference {
    /// Compares two values byte for byte; `None` where they are equal.
    pub fn between(field: Field, found: &str, expected: &str) -> Option<Self> {
        (found != expected).then(|| Self {
            field,
            found: found.to_owned(),
            expected: expected.to_owned(),
            reason: reason::find(field, found, expected),
            segments: segments(found, expected),
        })
    }

    /// One value in pieces, for a renderer that has colours.
    pub fn runs(&self, side: Side) -> Vec<Run> {
        self.segments
            .iter()
            .map(|segment| match (segment, side) {
                (Segment::Same(text), _) => Run { text: visible(text), differs: false },
                (Segment::Differs { found, .. }, Side::Found) => Run { text: visible(found), differs: true },
                (Segment::Differs { expected, .. }, Side::Expected) => Run { text: visible(expected), differs: true },
            })
            .collect()
    }

    /// One value as it is to be shown, in one line.
    pub fn line(&self, side: Side) -> String {
        self.runs(side).into_iter().map(|run| run.text).collect()
    }

    /// The line to be put under [`Difference::line`]: a caret under every character that differs, and one under the
    /// place where something is missing.
    pub fn carets(&self, side: Side) -> String {
        let mut line = String::new();
        let mut owed = false;
        for run in self.runs(side) {
            let width = run.text.width();
            let mark = if run.differs { '^' } else { ' ' };
            let start = line.len();
            line.extend(std::iter::repeat_n(mark, width));
            if std::mem::take(&mut owed) {
                if width == 0 {
                    owed = true;
                } else {
                    line.replace_range(start..=start, "^");
                }
            }
            owed |= run.differs && width == 0;
        }
        if owed {
            line.push('^');
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Escapes what cannot be seen, and what would move the carets away from their characters.
fn visible(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            ' ' => "\u{2423}".to_owned(),
            _ if char.is_ascii_graphic() => char.to_string(),
            _ if char.is_alphanumeric() && !is_lookalike(char) => char.to_string(),
            _ => char.escape_unicode().to_string(),
        })
        .collect()
}

/// Letters of other scripts that are drawn like Latin ones, and everything outside of letters: identifiers in this
/// field are ASCII.
fn is_lookalike(char: char) -> bool {
    !char.is_ascii()
}

fn segments(found: &str, expected: &str) -> Vec<Segment> {
    let (old, new) = (words(found), words(expected));
    let mut segments = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        match op {
            DiffOp::Equal { old_index, len, .. } => same(&mut segments, &old[old_index..old_index + len].concat()),
            DiffOp::Delete { old_index, old_len, .. } => {
                differs(&mut segments, &old[old_index..old_index + old_len].concat(), "");
            }
            DiffOp::Insert { new_index, new_len, .. } => {
                differs(&mut segments, "", &new[new_index..new_index + new_len].concat());
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                let found = old[old_index..old_index + old_len].concat();
                let expected = new[new_index..new_index + new_len].concat();
                replaced(&mut segments, &found, &expected);
            }
        }
    }
    segments
}

/// What two different pieces have in common at their ends is not marked, unless it is little: two GUIDs that begin
/// with the same digit by chance differ as a whole.
fn replaced(segments: &mut Vec<Segment>, found: &str, expected: &str) {
    let front = found.char_indices().zip(expected.chars()).find(|((_, a), b)| a != b);
    let front = front.map_or(found.len().min(expected.len()), |((at, _), _)| at);
    let (rest_found, rest_expected) = (&found[front..], &expected[front..]);
    let back: usize = rest_found
        .chars()
        .rev()
        .zip(rest_expected.chars().rev())
        .take_while(|(a, b)| a == b)
        .map(|(char, _)| char.len_utf8())
        .sum();
    if (front + back) * 2 < found.len().max(expected.len()) {
        differs(segments, found, expected);
        return;
    }
    same(segments, &found[..front]);
    differs(segments, &rest_found[..rest_found.len() - back], &rest_expected[..rest_expected.len() - back]);
    same(segments, &rest_found[rest_found.len() - back..]);
}

fn same(segments: &mut Vec<Segment>, text: &str) {
    match segments.last_mut() {
        _ if text.is_empty() => {}
        Some(Segment::Same(last)) => last.push_str(text),
        _ => segments.push(Segment::Same(text.to_owned())),
    }
}

fn differs(segments: &mut Vec<Segment>, found: &str, expected: &str) {
    if found.is_empty() && expected.is_empty() {
        return;
    }
    if let Some(Segment::Differs { found: last_found, expected: last_expected }) = segments.last_mut() {
        last_found.push_str(found);
        last_expected.push_str(expected);
    } else {
        segments.push(Segment::Differs { found: found.to_owned(), expected: expected.to_owned() });
    }
}

/// Runs of letters and digits, and every other character by itself.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    for (at, char) in text.char_indices() {
        if !char.is_alphanumeric() {
            if start < at {
                words.push(&text[start..at]);
            }
            words.push(&text[at..at + char.len_utf8()]);
            start = at + char.len_utf8();
        }
    }
    if start < text.len() {
        words.push(&text[start..]);
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const A: &str = "https://westeurope.oic.prod-aks.azure.com/11111111-1111-1111-1111-111111111111/22222222-2222-2222-2222-222222222222/";

    fn why(field: Field, found: &str, expected: &str) -> &'static str {
        Difference::between(field, found, expected).unwrap().reason.map_or("none", Reason::name)
    }

    #[test]
    fn equal_values_have_no_difference() {
        assert_eq!(Difference::between(Field::Issuer, A, A), None);
    }

    #[test]
    fn names_what_issuers_differ_in() {
        let issuer = |expected: &str| why(Field::Issuer, A, expected);
        assert_eq!(issuer(A.trim_end_matches('/')), "slash-extra");
        assert_eq!(why(Field::Issuer, A.trim_end_matches('/'), A), "slash-missing");
        assert_eq!(issuer(&A.replace("westeurope", "WestEurope")), "case");
        assert_eq!(issuer(&A.replace("westeurope", "northeurope")), "region");
        assert_eq!(issuer(&A.replace("1111-", "3333-")), "tenant");
        assert_eq!(issuer(&A.replace("2222-", "3333-")), "cluster");
        assert_eq!(issuer(&A.replace("azure.com", "azure.cn")), "cloud");
        assert_eq!(issuer("https://ib.oic.prod-aks.azure.com/t/c"), "identity-binding");
        assert_eq!(issuer("https://oidc.eks.eu-west-1.amazonaws.com/id/ABC"), "host");
        assert_eq!(issuer("https://kubernetes.default.svc.cluster.local"), "in-cluster");
        assert_eq!(issuer(&A.replace("https", "http")), "scheme");
        assert_eq!(issuer(&format!("{A}.well-known/openid-configuration")), "document");
        assert_eq!(issuer(&format!("{A} ")), "white-space");
        assert_eq!(issuer(&format!("\"{A}\"")), "quotes");
        assert_eq!(issuer("${SERVICE_ACCOUNT_ISSUER}"), "placeholder");
        assert_eq!(issuer(&A.replace("east", "e\u{430}st").replace("westeurope", "w\u{435}steurope")), "lookalike");
    }

    #[test]
    fn names_what_subjects_and_audiences_differ_in() {
        let subject = |expected: &str| why(Field::Subject, "system:serviceaccount:shop:cart", expected);
        assert_eq!(subject("system:serviceaccount:cart:shop"), "swapped");
        assert_eq!(subject("system:serviceaccount:shop:default"), "account");
        assert_eq!(subject("system:serviceaccount:other:cart"), "namespace");
        assert_eq!(subject("system:serviceaccount:a:b"), "namespace-and-account");
        assert_eq!(subject("system:serviceaccount:shop:*"), "wildcard");
        assert_eq!(subject("shop:cart"), "subject-form");
        let audience = |expected: &str| why(Field::Audience, "api://AzureADTokenExchange", expected);
        assert_eq!(audience("api://AzureADTokenExchangeChina"), "cloud");
        assert_eq!(audience("api://AKSIdentityBinding"), "identity-binding");
        assert_eq!(audience("AzureADTokenExchange"), "scheme");
        assert_eq!(audience("https://kubernetes.default.svc"), "api-server");
    }

    #[test]
    fn marks_the_characters() {
        let slash = Difference::between(Field::Issuer, "https://a/b", "https://a/b/").unwrap();
        assert_eq!(slash.carets(Side::Found), "           ^");
        assert_eq!(slash.carets(Side::Expected), "           ^");
        let account = Difference::between(Field::Subject, "system:x:velero-server", "system:x:velero").unwrap();
        assert_eq!(account.carets(Side::Found), "               ^^^^^^^");
        assert_eq!(account.carets(Side::Expected), "               ^");
        let typo = Difference::between(Field::Other, "westeurope", "westeurpoe").unwrap();
        assert_eq!(typo.carets(Side::Found), "       ^^");
        let blank = Difference::between(Field::Other, "a b", "ab").unwrap();
        assert_eq!(blank.line(Side::Found), "a\u{2423}b");
    }

    #[test]
    fn missing_in_the_middle_is_marked_where_it_is_missing() {
        let difference = Difference::between(Field::Other, "ab.cd", "ab.x.cd").unwrap();
        assert_eq!(difference.line(Side::Found), "ab.cd");
        assert_eq!(difference.carets(Side::Found).trim_start().len(), 1);
        assert_eq!(difference.carets(Side::Expected).matches('^').count(), 2);
    }
}
