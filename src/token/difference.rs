//! Where two values differ, and why that may be.
//!
//! Entra compares issuer, subject and audience byte for byte (case-sensitive since 2025-02, entra breaking changes), and
//! most mismatches are a slash, a letter's case or another cluster's id: hard to see, easy to show. The result is data:
//! [`Difference::runs`] for a renderer with colours, [`Difference::carets`] for one without.

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

/// A reason that the values themselves show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Only the expected value ends with a slash.
    SlashMissing,
    /// Only the found value ends with a slash.
    SlashExtra,
    /// The same letters in another case.
    Case,
    /// Blanks or line breaks at an end, or within.
    WhiteSpace,
    /// Quotes that belong to a shell or a YAML file.
    Quotes,
    /// Characters that look like others, or like nothing.
    Lookalike,
    /// A placeholder that nobody filled in.
    Placeholder,
    /// A wildcard: classic credentials store it literally and never match.
    Wildcard,
    /// `http` against `https`, or no scheme at all.
    Scheme,
    /// The address of the discovery document or the keys instead of the issuer.
    Document,
    /// The issuer that Kubernetes has where nobody set one; Entra cannot reach it.
    InCluster,
    /// An identity binding's issuer or audience (`ib.oic...`, `api://AKSIdentityBinding`).
    IdentityBinding,
    /// Another Azure cloud.
    Cloud,
    /// An AKS issuer of another region.
    Region,
    /// An AKS issuer with another tenant in its path.
    Tenant,
    /// An AKS issuer of another cluster: a new one of the same name has a new id.
    Cluster,
    /// The issuer of another host altogether.
    Host,
    /// No `system:serviceaccount:NAMESPACE:NAME`.
    SubjectForm,
    /// Namespace and account in the wrong order.
    Swapped,
    /// Another namespace.
    Namespace,
    /// Another account of the same namespace.
    Account,
    /// Another account of another namespace.
    NamespaceAndAccount,
    /// The audience of tokens for the API server.
    ApiServer,
}

impl Reason {
    /// A short name, for JSON and tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlashMissing => "slash-missing",
            Self::SlashExtra => "slash-extra",
            Self::Case => "case",
            Self::WhiteSpace => "white-space",
            Self::Quotes => "quotes",
            Self::Lookalike => "lookalike",
            Self::Placeholder => "placeholder",
            Self::Wildcard => "wildcard",
            Self::Scheme => "scheme",
            Self::Document => "document",
            Self::InCluster => "in-cluster",
            Self::IdentityBinding => "identity-binding",
            Self::Cloud => "cloud",
            Self::Region => "region",
            Self::Tenant => "tenant",
            Self::Cluster => "cluster",
            Self::Host => "host",
            Self::SubjectForm => "subject-form",
            Self::Swapped => "swapped",
            Self::Namespace => "namespace",
            Self::Account => "account",
            Self::NamespaceAndAccount => "namespace-and-account",
            Self::ApiServer => "api-server",
        }
    }

    /// The reason as a sentence. `found` and `expected` name the two sides: "the token", "the federated credential".
    pub fn sentence(self, found: &str, expected: &str) -> String {
        match self {
            Self::SlashMissing => format!("{found} lacks the slash at the end that {expected} has"),
            Self::SlashExtra => format!("{found} has a slash at the end that {expected} lacks"),
            Self::Case => format!("{found} and {expected} differ in upper and lower case only, and case counts"),
            Self::WhiteSpace => format!("{found} and {expected} differ in blanks or line breaks only"),
            Self::Quotes => "quotes of a shell or a YAML file have become part of the value".to_owned(),
            Self::Lookalike => "a character only looks like the right one, or cannot be seen at all".to_owned(),
            Self::Placeholder => "a placeholder was never filled in".to_owned(),
            Self::Wildcard => "a wildcard is stored literally and matches nothing".to_owned(),
            Self::Scheme => "an issuer begins with https://".to_owned(),
            Self::Document => {
                "the issuer is the address before /.well-known/ or /openid/, not the document's".to_owned()
            }
            Self::InCluster => "one of them is the in-cluster issuer, which Entra cannot reach".to_owned(),
            Self::IdentityBinding => "one of them belongs to an identity binding, the other does not".to_owned(),
            Self::Cloud => "they belong to different Azure clouds".to_owned(),
            Self::Region => "they are issuers of AKS clusters in different regions".to_owned(),
            Self::Tenant => "they are AKS issuers of different tenants".to_owned(),
            Self::Cluster => {
                "they are issuers of different AKS clusters (a cluster that is created anew gets a new one)".to_owned()
            }
            Self::Host => "they are issuers of different clusters".to_owned(),
            Self::SubjectForm => {
                "one of them is no system:serviceaccount:NAMESPACE:NAME, which every pod's token has".to_owned()
            }
            Self::Swapped => "namespace and account have changed places".to_owned(),
            Self::Namespace => format!("{found} names another namespace than {expected}"),
            Self::Account => format!("{found} names another service account than {expected}"),
            Self::NamespaceAndAccount => {
                format!("{found} names another namespace and another service account than {expected}")
            }
            Self::ApiServer => "one of them is meant for the Kubernetes API, not for Entra".to_owned(),
        }
    }
}

impl Difference {
    /// Compares two values byte for byte; `None` where they are equal.
    pub fn between(field: Field, found: &str, expected: &str) -> Option<Self> {
        (found != expected).then(|| Self {
            field,
            found: found.to_owned(),
            expected: expected.to_owned(),
            reason: reason(field, found, expected),
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

fn reason(field: Field, found: &str, expected: &str) -> Option<Reason> {
    let pair = [found, expected];
    if pair.iter().any(|value| value.contains("${") || (value.contains('<') && value.contains('>'))) {
        return Some(Reason::Placeholder);
    }
    if without(found, char::is_whitespace) == without(expected, char::is_whitespace) {
        return Some(Reason::WhiteSpace);
    }
    let quotes = |char: char| matches!(char, '"' | '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}');
    if without(found, quotes) == without(expected, quotes) {
        return Some(Reason::Quotes);
    }
    if found.is_ascii() != expected.is_ascii() {
        return Some(Reason::Lookalike);
    }
    if found.eq_ignore_ascii_case(expected) {
        return Some(Reason::Case);
    }
    match field {
        Field::Issuer => issuer_reason(found, expected),
        Field::Subject => subject_reason(found, expected),
        Field::Audience => audience_reason(found, expected),
        Field::Other => None,
    }
}

fn without(text: &str, drop: impl Fn(char) -> bool) -> String {
    text.chars().filter(|char| !drop(*char)).collect()
}

fn issuer_reason(found: &str, expected: &str) -> Option<Reason> {
    match (found.strip_suffix('/'), expected.strip_suffix('/')) {
        (Some(rest), None) if rest == expected => return Some(Reason::SlashExtra),
        (None, Some(rest)) if rest == found => return Some(Reason::SlashMissing),
        _ => {}
    }
    let pair = [found, expected];
    if pair.iter().any(|value| value.contains("/.well-known") || value.contains("/openid/v1/jwks")) {
        return Some(Reason::Document);
    }
    if pair.iter().any(|value| value.contains("kubernetes.default") || *value == "kubernetes/serviceaccount") {
        return Some(Reason::InCluster);
    }
    if pair.iter().any(|value| value.starts_with("http://") || !value.contains("://")) {
        return Some(Reason::Scheme);
    }
    let (found, expected) = (Issuer::read(found)?, Issuer::read(expected)?);
    if found.is_binding() != expected.is_binding() {
        return Some(Reason::IdentityBinding);
    }
    let (Some(found_aks), Some(expected_aks)) = (found.aks(), expected.aks()) else { return Some(Reason::Host) };
    if found_aks.cloud != expected_aks.cloud {
        return Some(Reason::Cloud);
    }
    // From the most to the least telling: another cluster has another id wherever it is.
    if found.path.last() != expected.path.last() {
        return Some(Reason::Cluster);
    }
    if found_aks.region != expected_aks.region {
        return Some(Reason::Region);
    }
    (found.path != expected.path).then_some(Reason::Tenant)
}

/// An issuer's host and the segments of its path.
struct Issuer<'a> {
    host: &'a str,
    path: Vec<&'a str>,
}

struct AksHost<'a> {
    region: &'a str,
    cloud: &'a str,
}

impl<'a> Issuer<'a> {
    fn read(value: &'a str) -> Option<Self> {
        let rest = value.split_once("://")?.1;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        Some(Self { host, path: path.split('/').filter(|segment| !segment.is_empty()).collect() })
    }

    fn is_binding(&self) -> bool {
        self.host.starts_with("ib.oic.")
    }

    /// `REGION.oic.prod-aks.azure.com`, and `.us` and `.cn`.
    fn aks(&self) -> Option<AksHost<'a>> {
        let (region, rest) = self.host.split_once(".oic.")?;
        Some(AksHost { region, cloud: rest.strip_prefix("prod-aks.azure.")? })
    }
}

fn subject_reason(found: &str, expected: &str) -> Option<Reason> {
    if [found, expected].iter().any(|value| value.contains('*') || value.contains('?')) {
        return Some(Reason::Wildcard);
    }
    let (Some(found), Some(expected)) = (account(found), account(expected)) else {
        return Some(Reason::SubjectForm);
    };
    Some(match (found.0 == expected.0, found.1 == expected.1) {
        (false, false) if found.0 == expected.1 && found.1 == expected.0 => Reason::Swapped,
        (false, false) => Reason::NamespaceAndAccount,
        (false, true) => Reason::Namespace,
        (true, _) => Reason::Account,
    })
}

/// Namespace and name of the service account that a subject stands for.
pub fn account(subject: &str) -> Option<(&str, &str)> {
    let (namespace, name) = subject.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

fn audience_reason(found: &str, expected: &str) -> Option<Reason> {
    const EXCHANGE: &str = "api://AzureADTokenExchange";
    let pair = [found, expected];
    if pair.iter().any(|value| value.contains("AKSIdentityBinding")) {
        return Some(Reason::IdentityBinding);
    }
    if pair.iter().all(|value| value.starts_with(EXCHANGE)) {
        return Some(Reason::Cloud);
    }
    if pair.iter().any(|value| value.contains("kubernetes.default") || value.contains(".hcp.")) {
        return Some(Reason::ApiServer);
    }
    pair.iter().any(|value| !value.contains("://") && EXCHANGE.ends_with(*value)).then_some(Reason::Scheme)
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
