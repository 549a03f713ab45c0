//! Finds the place of a value in a file again, from the object's document and a JSON pointer.
//!
//! Places are looked up only for values that a finding points at: reading keeps no positions, so a large pile of
//! manifests costs no more than its objects.

use super::read::Texts;
use crate::model::finding::SourceLocation;
use crate::model::object::FileOrigin;
use saphyr::{LoadableYamlNode, MarkedYaml, YamlData};

/// Line, column and text of the value that `pointer` names below the object; of the deepest ancestor that is there
/// where the value itself is missing.
pub fn locate(texts: &Texts, origin: &FileOrigin, pointer: &str) -> SourceLocation {
    let place = texts.document(origin).and_then(|document| place_in(&document, origin, pointer));
    let (line, column, text) = place.unwrap_or((origin.line, 1, String::new()));
    SourceLocation { file: origin.file.to_string(), line, column, text }
}

fn place_in(document: &str, origin: &FileOrigin, pointer: &str) -> Option<(usize, usize, String)> {
    let nodes = MarkedYaml::load_from_str(document).ok()?;
    let mut node = nodes.first()?;
    let mut place = (node.span.start.line(), node.span.start.col());
    let full = format!("{}{pointer}", origin.pointer);
    for token in full.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")) {
        let next = match &node.data {
            YamlData::Mapping(map) => map
                .iter()
                .find(|(key, _)| key.data.as_str() == Some(token.as_str()))
                .map(|(key, value)| ((key.span.start.line(), key.span.start.col()), value)),
            YamlData::Sequence(items) => token
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index))
                .map(|value| ((value.span.start.line(), value.span.start.col()), value)),
            _ => None,
        };
        match next {
            Some((at, value)) => (place, node) = (at, value),
            None => break,
        }
    }
    let (line, column) = place;
    // A line of a document with a Secret in it may be the Secret; a line may hold a secret by itself.
    let shown = document.lines().nth(line.saturating_sub(1)).filter(|line| !holds_secret(line));
    let text = shown.filter(|_| !tells_of_secret(document)).unwrap_or_default().to_owned();
    Some((origin.line + line.saturating_sub(1), column + 1, text))
}

/// Whether a line gives a value to something whose name says that it is secret: an account key inside an argument.
fn holds_secret(line: &str) -> bool {
    const NAMES: &[&str] =
        &["account_key", "accountkey", "connection_string", "connectionstring", "secret", "password"];
    let line = line.to_lowercase();
    NAMES.iter().flat_map(|name| line.match_indices(name).map(|(at, _)| &line[at + name.len()..])).any(|rest| {
        let value = rest.trim_start_matches(['"', '\'']).trim_start();
        let value = value.strip_prefix([':', '=']).map(str::trim_start);
        // The name of a Secret, a template or nothing is no secret: `secretName: x` does not come here.
        value.is_some_and(|value| !value.is_empty() && !value.starts_with(['{', '[', '|', '>']))
    })
}

/// Whether a document is, or holds, a Secret: `kind: Secret` in YAML or JSON, however it is spaced or quoted.
pub(crate) fn tells_of_secret(document: &str) -> bool {
    document.split("kind").skip(1).any(|rest| {
        let value = rest.trim_start_matches(|c: char| c.is_whitespace() || "\"':".contains(c));
        value.strip_prefix("Secret").is_some_and(|end| !end.starts_with(|c: char| c.is_alphanumeric()))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_pointer_leads_to_its_line_or_to_the_nearest_ancestor() {
        let text =
            "---\nkind: List\nitems:\n- metadata:\n    name: a\n    labels:\n      azure.workload.identity/use: yes\n";
        let origin = FileOrigin { file: Arc::from("x"), bytes: (0, text.len()), line: 10, pointer: "/items/0".into() };
        let at = |pointer| place_in(text, &origin, pointer).unwrap();
        assert_eq!(at("/metadata/labels/azure.workload.identity~1use").0, 16);
        assert_eq!(at("/metadata/labels/azure.workload.identity~1use").1, 7);
        assert_eq!(at("/metadata/annotations/none").0, 13);
        assert_eq!(at("/metadata/labels/azure.workload.identity~1use").2.trim(), "azure.workload.identity/use: yes");
    }

    #[test]
    fn no_line_of_a_secret_is_shown() {
        for text in ["kind: Secret\ndata: {a: b}\n", "{\"kind\" : \"Secret\"}", "- kind: 'Secret'\n"] {
            assert!(tells_of_secret(text), "{text}");
        }
        for text in ["kind: SecretStore\n", "secretName: kind\n", "kind: Pod\n"] {
            assert!(!tells_of_secret(text), "{text}");
        }
        let origin = FileOrigin { file: Arc::from("x"), bytes: (0, 25), line: 1, pointer: String::new() };
        assert_eq!(place_in("kind: Secret\ndata: {a: b}\n", &origin, "/data/a").unwrap().2, "");
    }
}
