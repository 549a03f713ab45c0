//! A wording that is recognised, and what it says.

use super::commands::Next;
use super::model::{Class, Kind};

/// One failure in all its wordings.
///
/// Patterns are regular expressions over [`crate::text::Squeezed`] text in lower case: blanks in them count as nothing,
/// `#` has to be escaped, and they stay short, because all of them are looked for at once. What has to stand beside a
/// hit is a pattern of its own (`near`), which is looked for in the neighbourhood only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    /// Stable name of the wording.
    pub id: &'static str,
    /// What kind of failure it is.
    pub kind: Kind,
    /// Code of the symptom, or of the rule that the text proves by itself.
    pub code: &'static str,
    /// The wordings.
    pub patterns: &'static [&'static str],
    /// One of these must stand near a hit; empty asks for nothing.
    pub near: &'static [&'static str],
    /// None of these may stand near a hit.
    pub unless: &'static [&'static str],
    /// How far "near" reaches, in bytes of squeezed text before and after a hit.
    pub reach: (usize, usize),
    /// The rule that the text is an observation of.
    pub gives: Option<&'static str>,
    /// The rules that look for the cause, the likeliest first.
    pub points_to: &'static [&'static str],
    /// Whether another reading is possible.
    pub probable: bool,
    /// Whether a record at the level of information says it on the way to a credential that works.
    pub step: bool,
    /// The class, for what is not about identity.
    pub class: Option<Class>,
    /// What it means.
    pub means: &'static str,
    /// What causes it, in the order to look.
    pub causes: &'static [&'static str],
    /// What to run next.
    pub next: &'static [Next],
}

/// What most signatures have in common.
pub(super) const SIGNATURE: Signature = Signature {
    id: "",
    kind: Kind::Elsewhere,
    code: "WI807",
    patterns: &[],
    near: &[],
    unless: &[],
    reach: (250, 400),
    gives: None,
    points_to: &[],
    probable: false,
    step: false,
    class: None,
    means: "",
    causes: &[],
    next: &[],
};
