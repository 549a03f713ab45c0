//! The page of a code: what `explain AADSTS700213` prints.

use super::{Entry, Lookup, lookup};
use serde::Serialize;

/// A code, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodePage {
    /// `AADSTS700213`
    pub code: String,
    /// What Entra says, short.
    pub title: &'static str,
    /// What kind of failure it is.
    pub kind: &'static str,
    /// What it means where a pod exchanges its token.
    pub meaning: &'static str,
    /// What causes it, the likeliest first.
    pub causes: &'static [&'static str],
    /// What to do, in this order.
    pub actions: &'static [&'static str],
    /// The rule that the code by itself is an observation of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gives: Option<&'static str>,
    /// The rules that look for the causes.
    pub points_to: &'static [&'static str],
    /// How sure that is.
    pub confidence: &'static str,
    /// Where it is written.
    pub source: &'static str,
    /// The shorter code whose explanation this is, where the catalogue lacks the code itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
}

impl CodePage {
    /// The page of a code; `None` where neither it nor its family is in the catalogue.
    pub fn of(code: u32) -> Option<Self> {
        let found = lookup(code);
        let entry: &Entry = found.entry()?;
        Some(Self {
            code: format!("AADSTS{code}"),
            title: entry.title,
            kind: entry.kind.name(),
            meaning: entry.meaning,
            causes: entry.causes,
            actions: entry.actions,
            gives: entry.gives,
            points_to: entry.points_to,
            confidence: found.confidence().name(),
            source: entry.source,
            family: matches!(found, Lookup::Family(_)).then(|| format!("AADSTS{}", entry.code)),
        })
    }

    /// The page in Markdown.
    pub fn markdown(&self) -> String {
        let list = |items: &[&str]| items.iter().map(|item| format!("- {item}\n")).collect::<String>();
        let steps: String =
            self.actions.iter().enumerate().map(|(at, action)| format!("{}. {action}\n", at + 1)).collect();
        let family = match &self.family {
            Some(family) => {
                format!("This code is not in the catalogue; it looks like one of the family of {family}.\n\n")
            }
            None => String::new(),
        };
        let rules = match self.points_to {
            [] => "none".to_owned(),
            codes => codes.join(", "),
        };
        format!(
            "# {}\n\n{}.\n\n{family}{}\n\n## Causes\n{}\n## What to do\n{steps}\n**Rules**: {rules} · **Kind**: {} · **Confidence**: {} · **Source**: {}\n",
            self.code,
            self.title,
            self.meaning,
            list(self.causes),
            self.kind,
            self.confidence,
            self.source
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_code_has_a_page_and_a_longer_one_says_that_it_is_a_guess() {
        let page = CodePage::of(700_213).unwrap();
        assert_eq!((page.gives, page.family.as_deref()), (Some("WI504"), None));
        assert!(page.markdown().contains("## What to do\n1. "));
        let guess = CodePage::of(7_002_139).unwrap();
        assert_eq!((guess.family.as_deref(), guess.confidence), (Some("AADSTS700213"), "low"));
        assert!(guess.markdown().contains("looks like one of the family of AADSTS700213"));
        assert_eq!(CodePage::of(12_345), None);
    }
}
