//! What a team has decided to live with: findings that an annotation, a file or a flag takes out of the report, each
//! with its reason, until a day. Pure: whoever reads the file or knows the date passes it in.

use super::registry;
use crate::model::finding::Finding;
use crate::model::object::ObjectRef;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The annotation of pod template, workload, account and namespace.
pub const ANNOTATION: &str = "kubectl-wi/ignore";
/// The file, looked for from the current directory upward.
pub const FILE: &str = ".kubectl-wi.toml";

/// Something that asks for findings to be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Codes or beginnings of codes, such as `WI204` or `WI7`.
    pub codes: Vec<String>,
    /// Only findings about, or in the chain of, such an object; `None`: any.
    pub object: Option<ObjectPattern>,
    /// Why.
    pub reason: String,
    /// The last day on which it counts.
    pub until: Option<Date>,
    /// Who asks.
    pub origin: Origin,
}

/// Who asks for a suppression.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The annotation of an object, at a JSON pointer.
    Annotation {
        /// The object.
        object: ObjectRef,
        /// JSON pointer of the annotation.
        path: String,
    },
    /// An entry of the file.
    File {
        /// The file.
        file: String,
        /// Line of the entry, from 1.
        line: usize,
    },
    /// `--ignore`
    Flag,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Annotation { object, path } if path.contains("/template/") => {
                write!(f, "annotation of the pod template of {object}")
            }
            Self::Annotation { object, .. } => write!(f, "annotation of {object}"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Flag => f.write_str("--ignore"),
        }
    }
}

/// An object as the file names it: `deploy/app`, `Deployment/app`, `shop/deployment/app`; `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPattern {
    namespace: Option<String>,
    kind: String,
    name: String,
}

impl ObjectPattern {
    /// Reads a pattern: `TYPE/NAME` or `NAMESPACE/TYPE/NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').map(str::trim).collect();
        let (namespace, kind, name) = match parts.as_slice() {
            [kind, name] => (None, kind, name),
            [namespace, kind, name] => (Some((*namespace).to_owned()), kind, name),
            _ => return None,
        };
        let full = !kind.is_empty() && !name.is_empty() && namespace.as_deref() != Some("");
        full.then(|| Self { namespace, kind: kind.to_lowercase(), name: (*name).to_owned() })
    }

    fn matches(&self, object: &ObjectRef) -> bool {
        let kind = object.kind.to_lowercase();
        let short = object.argument();
        let short = short.split('/').next().unwrap_or_default();
        let kinds = [kind.as_str(), &format!("{kind}s"), short];
        let namespace = self
            .namespace
            .as_deref()
            .is_none_or(|wanted| object.namespace.as_deref().is_some_and(|namespace| fits(wanted, namespace)));
        namespace && (self.kind == "*" || kinds.contains(&self.kind.as_str())) && fits(&self.name, &object.name)
    }
}

/// Whether a text fits a pattern in which `*` stands for any number of characters.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter().any(|at| fits(after, &rest[at..]))
        }),
    }
}

/// Something in a suppression that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is no code, or nothing that looks like one.
    #[error("{0:?} names no rule; write WI204: reason; until=2027-01-31")]
    Code(String),
    /// The date is none.
    #[error("until={0} is no day; write it as 2027-01-31")]
    Date(String),
    /// The object is none.
    #[error("object {0:?} is none; write TYPE/NAME or NAMESPACE/TYPE/NAME")]
    Object(String),
    /// The reason is missing.
    #[error("the entry for {0} has no reason")]
    Reason(String),
    /// The file is no such file.
    #[error("{0}")]
    Toml(String),
}

/// The suppressions of an annotation: one a line, `WI204: reason; until=2027-01-31`, several codes with commas.
pub fn of_annotation(text: &str, origin: &Origin) -> Vec<Result<Suppression, ParseError>> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| of_line(line, origin)).collect()
}

fn of_line(line: &str, origin: &Origin) -> Result<Suppression, ParseError> {
    let (codes, rest) = line.split_once(':').unwrap_or((line, ""));
    let (reason, until) = match rest.rfind("until=") {
        Some(at) => (rest[..at].trim().trim_end_matches([';', ',']).trim_end(), Some(rest[at + 6..].trim())),
        None => (rest.trim().trim_end_matches(';'), None),
    };
    Ok(Suppression {
        codes: codes_of(codes)?,
        object: None,
        reason: reason.trim().to_owned(),
        until: until.map(day).transpose()?,
        origin: origin.clone(),
    })
}

/// Codes with commas or blanks between them; each begins like a code.
fn codes_of(text: &str) -> Result<Vec<String>, ParseError> {
    let codes: Vec<String> = text.split([',', ' ']).filter(|code| !code.is_empty()).map(str::to_uppercase).collect();
    let is_code = |code: &String| code.strip_prefix("WI").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    if codes.is_empty() || !codes.iter().all(is_code) {
        Err(ParseError::Code(text.trim().to_owned()))
    } else {
        Ok(codes)
    }
}

fn day(text: &str) -> Result<Date, ParseError> {
    text.trim_end_matches(';').trim().parse().map_err(|_| ParseError::Date(text.to_owned()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    ignore: Vec<toml::Spanned<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: String,
    object: Option<String>,
    #[serde(default)]
    reason: String,
    until: Option<Day>,
}

/// A day with or without quotes: TOML has dates of its own.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Day {
    Text(String),
    Date(toml::value::Datetime),
}

/// The suppressions of the file.
pub fn of_file(text: &str, file: &str) -> Result<Vec<Suppression>, ParseError> {
    let parsed: File = toml::from_str(text).map_err(|error| ParseError::Toml(error.to_string().trim().to_owned()))?;
    parsed
        .ignore
        .into_iter()
        .map(|entry| {
            let line = 1 + text.get(..entry.span().start).unwrap_or_default().matches('\n').count();
            let Entry { code, object, reason, until } = entry.into_inner();
            let codes = codes_of(&code)?;
            if reason.trim().is_empty() {
                return Err(ParseError::Reason(code));
            }
            let object = object.map(|object| ObjectPattern::parse(&object).ok_or(ParseError::Object(object)));
            let until = until.map(|until| match until {
                Day::Text(text) => day(&text),
                Day::Date(date) => day(&date.to_string()),
            });
            Ok(Suppression {
                codes,
                object: object.transpose()?,
                reason,
                until: until.transpose()?,
                origin: Origin::File { file: file.to_owned(), line },
            })
        })
        .collect()
}

/// The suppressions of `--ignore`. Words that are no codes stay as they are, and match nothing.
pub fn of_flag(codes: &[String]) -> Vec<Suppression> {
    let one = |code: &String| Suppression {
        codes: vec![code.trim().to_uppercase()],
        object: None,
        reason: String::new(),
        until: None,
        origin: Origin::Flag,
    };
    codes.iter().filter(|code| !code.trim().is_empty()).map(one).collect()
}

impl Suppression {
    /// Whether its last day is over.
    pub fn is_expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }

    /// Whether it speaks of a finding in the chain of a target.
    pub fn matches(&self, finding: &Finding, target: &ObjectRef) -> bool {
        let object = self.object.as_ref();
        self.names(finding.code)
            && object.is_none_or(|object| object.matches(&finding.object) || object.matches(target))
    }

    /// Whether it names a code.
    pub fn names(&self, code: &str) -> bool {
        self.codes.iter().any(|selector| registry::matches(selector, code))
    }

    /// Its codes, for a sentence.
    pub fn codes(&self) -> String {
        self.codes.join(", ")
    }
}

/// A finding that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suppressed {
    /// Id of the finding.
    pub id: String,
    /// Its code.
    pub code: &'static str,
    /// What it was about.
    pub object: ObjectRef,
    /// Why it was left out.
    pub reason: String,
    /// Until when.
    pub until: Option<String>,
    /// Who asked for it.
    pub by: String,
}

/// Takes out of the findings of a chain what is suppressed; `used` learns which suppressions had something to do.
pub fn apply(
    findings: &mut Vec<Finding>,
    target: &ObjectRef,
    suppressions: &[Suppression],
    today: Date,
    mut used: impl FnMut(&Suppression),
) -> Vec<Suppressed> {
    let mut gone = Vec::new();
    findings.retain(|finding| {
        let mut by = None;
        // All that match are in use, the first one takes it out.
        for suppression in suppressions.iter().filter(|s| !s.is_expired(today) && s.matches(finding, target)) {
            used(suppression);
            by = by.or(Some(suppression));
        }
        let Some(suppression) = by else { return true };
        gone.push(Suppressed {
            id: finding.id.clone(),
            code: finding.code,
            object: finding.object.clone(),
            reason: suppression.reason.clone(),
            until: suppression.until.map(|until| until.to_string()),
            by: suppression.origin.to_string(),
        });
        false
    });
    // What is left may not lean on what is gone.
    for finding in findings.iter_mut() {
        finding.blocked_by.retain(|id| gone.iter().all(|gone| gone.id != *id));
    }
    gone
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn annotation(text: &str) -> Vec<Result<Suppression, ParseError>> {
        of_annotation(text, &Origin::Flag)
    }

    #[test]
    fn an_annotation_holds_codes_reason_and_day() {
        let all = annotation("WI204: moved with the next release; until=2027-01-31\nWI1, wi206: known");
        let [first, second] = all.as_slice() else { unreachable!() };
        let first = first.as_ref().unwrap();
        assert_eq!((first.codes(), first.reason.as_str()), ("WI204".into(), "moved with the next release"));
        assert!(!first.is_expired("2027-01-31".parse().unwrap()));
        assert!(first.is_expired("2027-02-01".parse().unwrap()));
        let second = second.as_ref().unwrap();
        assert!(second.names("WI101") && second.names("WI206") && !second.names("WI202"));
        assert!(annotation("WI204").first().unwrap().is_ok());
        assert!(matches!(annotation("pod label: no")[0], Err(ParseError::Code(_))));
        assert!(matches!(annotation("WI204: x; until=tomorrow")[0], Err(ParseError::Date(_))));
    }

    #[test]
    fn a_file_holds_entries_with_reasons() {
        let text = "# ours\n[[ignore]]\ncode = \"WI204\"\nobject = \"shop/deploy/app-*\"\nreason = \"r\"\nuntil = 2027-01-31\n\n[[ignore]]\ncode = \"WI7\"\nreason = \"s\"\nuntil = \"2027-02-01\"\n";
        let all = of_file(text, FILE).unwrap();
        assert_eq!(all[0].until, Some("2027-01-31".parse().unwrap()));
        assert_eq!(all[1].origin, Origin::File { file: FILE.to_owned(), line: 8 });
        let object = |namespace, name| ObjectRef::new("apps/v1", "Deployment", Some(namespace), name);
        let pattern = all[0].object.as_ref().unwrap();
        assert!(pattern.matches(&object("shop", "app-1")));
        assert!(!pattern.matches(&object("other", "app-1")) && !pattern.matches(&object("shop", "web")));
        assert!(matches!(of_file("[[ignore]]\ncode = \"WI204\"\n", FILE), Err(ParseError::Reason(_))));
        assert!(matches!(of_file("[[ignore]]\ncode = \"WI204\"\nreson = \"x\"\n", FILE), Err(ParseError::Toml(_))));
        assert!(matches!(of_file("ignore = 3", FILE), Err(ParseError::Toml(_))));
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, fits_it) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*é*", "café au", true),
            ("a", "b", false),
        ] {
            assert_eq!(fits(pattern, text), fits_it, "{pattern} {text}");
        }
    }
}
