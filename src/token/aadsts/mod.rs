//! Entra's error codes, and what they mean for a pod.
//!
//! A code is explained from the table of this module; a code that the table lacks may still belong to a family that
//! it has, because Entra adds digits to codes over time (700213, then 7002138). What Entra writes around a code is
//! read by [`EntraError::parse`].

mod assertion;
mod client;
mod federation;
mod other;
mod page;
mod parse;
mod request;

pub use page::CodePage;
pub use parse::{EntraError, Presented};

/// A code of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The number after `AADSTS`.
    pub code: u32,
    /// What Entra says, short.
    pub title: &'static str,
    /// What kind of failure it is.
    pub kind: Kind,
    /// What it means where a pod exchanges its service account token.
    pub meaning: &'static str,
    /// What causes it, the likeliest first.
    pub causes: &'static [&'static str],
    /// What to do, in this order.
    pub actions: &'static [&'static str],
    /// The rule that Entra's answer is an observation of, without asking Azure.
    pub gives: Option<&'static str>,
    /// The rules that look for the causes, the likeliest first.
    pub points_to: &'static [&'static str],
    /// Whether longer codes that begin with this one are taken for its family.
    pub family: bool,
    /// How sure the text and the meaning are.
    pub confidence: Confidence,
    /// Where that is written.
    pub source: &'static str,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No federated credential fits the token.
    Federation,
    /// Entra cannot fetch or read the issuer's documents, or does not find the key in them.
    Issuer,
    /// The token itself: too old, too new, of another form.
    Assertion,
    /// The application or identity is unknown, disabled, or absent from the tenant.
    Client,
    /// The tenant or the cloud.
    Tenant,
    /// The request lacks something, or asks for something that does not exist.
    Request,
    /// A policy of the tenant.
    Policy,
    /// A client secret, a certificate, a password or a person's login: another credential than workload identity.
    OtherCredential,
    /// Passing: ask again.
    Transient,
}

impl Kind {
    /// A short name, for JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Federation => "federation",
            Self::Issuer => "issuer",
            Self::Assertion => "assertion",
            Self::Client => "client",
            Self::Tenant => "tenant",
            Self::Request => "request",
            Self::Policy => "policy",
            Self::OtherCredential => "other-credential",
            Self::Transient => "transient",
        }
    }
}

/// How sure an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// From one report, or from a code that looks like another.
    Low,
    /// From documentation without a capture, or from a capture without documentation.
    Medium,
    /// Documented by Microsoft, or seen in several captures.
    High,
}

impl Confidence {
    /// A short name, for JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What the catalogue has for a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The code itself.
    Exact(&'static Entry),
    /// A shorter code that this one extends; a guess.
    Family(&'static Entry),
    /// Nothing.
    Unknown,
}

impl Lookup {
    /// The entry, exact or by family.
    pub fn entry(self) -> Option<&'static Entry> {
        match self {
            Self::Exact(entry) | Self::Family(entry) => Some(entry),
            Self::Unknown => None,
        }
    }

    /// How sure the explanation is: a family's is low.
    pub fn confidence(self) -> Confidence {
        match self {
            Self::Exact(entry) => entry.confidence,
            Self::Family(_) | Self::Unknown => Confidence::Low,
        }
    }
}

/// Fields that most entries have in common.
const ENTRY: Entry = Entry {
    code: 0,
    title: "",
    kind: Kind::Request,
    meaning: "",
    causes: &[],
    actions: &[],
    gives: None,
    points_to: &[],
    family: false,
    confidence: Confidence::High,
    source: ERROR_CODES,
};

const ERROR_CODES: &str = "Microsoft Entra authentication and authorization error codes";

/// All codes of the catalogue, in groups by kind.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    [federation::ENTRIES, assertion::ENTRIES, client::ENTRIES, request::ENTRIES, other::ENTRIES].into_iter().flatten()
}

/// Looks a code up: exactly, else by the family that it extends.
///
/// 700222 (a token of Entra itself as assertion) and 7000222 (an expired client secret) are not prefixes of each
/// other; only entries that are marked as a family are extended.
pub fn lookup(code: u32) -> Lookup {
    if let Some(entry) = all().find(|entry| entry.code == code) {
        return Lookup::Exact(entry);
    }
    let mut shorter = code / 10;
    while shorter >= 10_000 {
        if let Some(entry) = all().find(|entry| entry.family && entry.code == shorter) {
            return Lookup::Family(entry);
        }
        shorter /= 10;
    }
    Lookup::Unknown
}

/// Reads a code as people write it: `AADSTS700213`, `aadsts 700213`, `700213`.
pub fn read_code(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = match text.get(..6) {
        Some(prefix) if prefix.eq_ignore_ascii_case("aadsts") => text[6..].trim_start_matches([' ', ':', '-']),
        _ => text,
    };
    let fits = (5..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_entry_is_whole_and_unique() {
        let mut seen = BTreeSet::new();
        for entry in all() {
            assert!(seen.insert(entry.code), "{} twice", entry.code);
            assert!((10_000..1_000_000_000).contains(&entry.code));
            assert!(!entry.title.is_empty() && !entry.meaning.is_empty(), "{}", entry.code);
            assert!(!entry.causes.is_empty() && !entry.actions.is_empty(), "{}", entry.code);
            assert!(!entry.title.ends_with('.') && entry.meaning.ends_with('.'), "{}", entry.code);
            if let Some(gives) = entry.gives {
                assert_eq!(entry.points_to.first(), Some(&gives), "{}", entry.code);
            }
        }
        assert!(seen.len() > 70, "{}", seen.len());
    }

    #[test]
    fn longer_codes_fall_back_to_their_family_only() {
        assert!(matches!(lookup(700_213), Lookup::Exact(_)));
        assert!(matches!(lookup(7_002_139), Lookup::Family(entry) if entry.code == 700_213));
        assert!(matches!(lookup(70_021_399), Lookup::Family(entry) if entry.code == 700_213));
        assert_eq!(lookup(7_002_139).confidence(), Confidence::Low);
        assert!(matches!(lookup(7_000_222), Lookup::Exact(entry) if entry.kind == Kind::OtherCredential));
        assert!(matches!(lookup(700_222), Lookup::Exact(entry) if entry.kind == Kind::Assertion));
        // 70002224 looks like an extension of the expired secret, and is none of 700222.
        assert!(!matches!(lookup(70_002_224), Lookup::Family(entry) if entry.code == 700_222));
        assert_eq!(lookup(99_999), Lookup::Unknown);
    }

    #[test]
    fn entra_s_own_words_give_the_rules_of_the_credential() {
        let gives = |code| lookup(code).entry().and_then(|entry| entry.gives);
        assert_eq!(gives(70_021), Some("WI502"));
        assert_eq!(gives(70_025), Some("WI502"));
        assert_eq!(gives(700_211), Some("WI503"));
        assert_eq!(gives(700_213), Some("WI504"));
        assert_eq!(gives(700_212), Some("WI505"));
        assert_eq!(gives(700_016), Some("WI501"));
    }

    #[test]
    fn reads_codes_as_people_write_them() {
        for text in ["AADSTS700213", "aadsts700213", " AADSTS 700213", "AADSTS:700213", "700213"] {
            assert_eq!(read_code(text), Some(700_213), "{text}");
        }
        for text in ["WI101", "AADSTS", "AADSTS12", "70021x", "AADSTS1234567890", "ääää"] {
            assert_eq!(read_code(text), None, "{text}");
        }
    }
}
