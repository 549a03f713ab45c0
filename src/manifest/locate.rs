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
    let place = texts.text(&origin.file).and_then(|text| place_in(&text, origin, pointer));
    let (line, column, text) = place.unwrap_or((origin.line, 1, String::new()));
    SourceLocation { file: origin.file.to_string(), line, column, text }
}

fn place_in(text: &str, origin: &FileOrigin, pointer: &str) -> Option<(usize, usize, String)> {
    let document = text.get(origin.bytes.0..origin.bytes.1)?;
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
    let text = document.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned();
    Some((origin.line + line.saturating_sub(1), column + 1, text))
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
}
