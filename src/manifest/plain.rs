//! Reads the YAML that machines write, several times faster than a whole YAML reader.
//!
//! What `helm template`, `kustomize build` and `kubectl get -o yaml` print is a small part of YAML: mappings and
//! sequences in block style, scalars on one line, literal blocks. That part is read here; at the first thing that is
//! anything else (flow style, anchors, tags, several lines for one scalar, an error) this reader gives way, and the
//! whole reader decides about the whole document. Tests hold the two together: where this one answers, the other
//! answers the same.

use serde_json::{Map, Value};
use std::collections::HashMap;

/// Nested deeper than this, a document is left to the whole reader, which has bounds of its own.
const DEEPEST: usize = 60;
/// Scalars that are remembered at most.
const REMEMBERED: usize = 4096;

/// What plain scalars that are no obvious text mean, as the whole reader reads them: numbers, booleans, `100m`.
#[derive(Debug, Default)]
pub(super) struct Scalars(HashMap<String, Option<Value>>);

impl Scalars {
    fn value(&mut self, text: &str) -> Option<Value> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let value = serde_saphyr::from_str::<Value>(text).ok().filter(|value| !value.is_object() && !value.is_array());
        if self.0.len() < REMEMBERED {
            self.0.insert(text.to_owned(), value.clone());
        }
        value
    }
}

/// The document, or `None` where it is not as plain as that.
pub(super) fn read(text: &str, scalars: &mut Scalars) -> Option<Value> {
    // A line break is a line feed here, and nothing else; other characters may mean more than themselves.
    if !text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)) {
        return None;
    }
    let mut reader = Reader { lines: Lines { rest: text, line: None }, scalars, depth: 0 };
    reader.lines.next();
    if reader.lines.line.is_some_and(|line| line.indent == 0 && line.text == "---") {
        reader.lines.next();
    }
    let first = reader.lines.line?;
    if first.indent != 0 || first.is_item() {
        return None;
    }
    let value = reader.mapping(0, None)?;
    reader.lines.line.is_none().then_some(value)
}

/// A line with something on it.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    indent: usize,
    /// Without indentation and without blanks at its end.
    text: &'a str,
}

impl Line<'_> {
    fn is_item(&self) -> bool {
        self.text == "-" || self.text.starts_with("- ")
    }
}

/// The lines of a document, without empty ones and comments.
struct Lines<'a> {
    rest: &'a str,
    line: Option<Line<'a>>,
}

impl<'a> Lines<'a> {
    /// The next line as it stands, for literal blocks.
    fn raw(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.find('\n').map_or(self.rest.len(), |end| end + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(line)
    }

    fn next(&mut self) {
        self.line = None;
        while let Some(raw) = self.raw() {
            let text = raw.trim_end();
            let bare = text.trim_start_matches(' ');
            if !bare.is_empty() && !bare.starts_with('#') {
                self.line = Some(Line { indent: text.len() - bare.len(), text: bare });
                return;
            }
        }
    }
}

struct Reader<'a, 's> {
    lines: Lines<'a>,
    scalars: &'s mut Scalars,
    depth: usize,
}

impl<'a> Reader<'a, '_> {
    /// A mapping whose keys stand in that column; `first` is the rest of a line that began before it.
    fn mapping(&mut self, indent: usize, first: Option<&'a str>) -> Option<Value> {
        self.deeper()?;
        let mut map = Map::new();
        let mut entry = first.or_else(|| self.entry_at(indent));
        while let Some(text) = entry {
            let (key, rest) = key(text)?;
            let value = self.value(indent, rest, true)?;
            if map.insert(key.to_owned(), value).is_some() {
                return None;
            }
            entry = self.entry_at(indent);
            // An item where a key should be.
            if entry.is_some_and(|text| text == "-" || text.starts_with("- ")) {
                return None;
            }
        }
        self.depth -= 1;
        self.ends(indent)?;
        Some(Value::Object(map))
    }

    /// A sequence whose dashes stand in that column.
    fn sequence(&mut self, indent: usize) -> Option<Value> {
        self.deeper()?;
        let mut items = Vec::new();
        while let Some(line) = self.lines.line.filter(|line| line.indent == indent && line.is_item()) {
            let rest = line.text[1..].trim_start_matches(' ');
            let column = indent + line.text.len() - rest.len();
            if rest.is_empty() || rest.starts_with('#') {
                items.push(self.value(indent, "", false)?);
            } else if rest == "-" || rest.starts_with("- ") {
                return None;
            } else if key(rest).is_some() {
                items.push(self.mapping(column, Some(rest))?);
            } else {
                items.push(self.value(indent, rest, false)?);
            }
        }
        self.depth -= 1;
        Some(Value::Array(items))
    }

    fn deeper(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth <= DEEPEST).then_some(())
    }

    fn entry_at(&self, indent: usize) -> Option<&'a str> {
        self.lines.line.filter(|line| line.indent == indent).map(|line| line.text)
    }

    /// What stands further right than what it would belong to is no plain YAML, and perhaps none at all.
    fn ends(&self, indent: usize) -> Option<()> {
        self.lines.line.is_none_or(|line| line.indent <= indent).then_some(())
    }

    /// The value that follows a key or a dash in that column; `rest` is what stands behind it on its line.
    fn value(&mut self, indent: usize, rest: &'a str, of_key: bool) -> Option<Value> {
        if let Some(keep) = literal(rest) {
            return self.literal(indent, keep);
        }
        self.lines.next();
        if !rest.is_empty() && !rest.starts_with('#') {
            let value = self.scalar(rest)?;
            self.ends(indent)?;
            return Some(value);
        }
        match self.lines.line {
            Some(line) if line.indent > indent && line.is_item() => {
                let value = self.sequence(line.indent)?;
                self.ends(indent)?;
                Some(value)
            }
            Some(line) if line.indent > indent => {
                key(line.text)?;
                let value = self.mapping(line.indent, None)?;
                self.ends(indent)?;
                Some(value)
            }
            // The items of a key may stand right below it.
            Some(line) if of_key && line.indent == indent && line.is_item() => self.sequence(indent),
            _ => Some(Value::Null),
        }
    }

    fn scalar(&mut self, rest: &'a str) -> Option<Value> {
        match rest.as_bytes().first()? {
            b'"' => {
                let (text, after) = rest[1..].split_once('"')?;
                (!text.contains('\\') && ends_line(after)).then(|| Value::from(text))
            }
            b'\'' => {
                let (text, after) = rest[1..].split_once('\'')?;
                (ends_line(after)).then(|| Value::from(text))
            }
            b'{' if rest.strip_prefix("{}").is_some_and(ends_line) => Some(Value::Object(Map::new())),
            b'[' if rest.strip_prefix("[]").is_some_and(ends_line) => Some(Value::Array(Vec::new())),
            b'{' | b'[' | b']' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'%' | b'@' | b'`' | b',' | b'?' | b'#' => {
                None
            }
            first => {
                let text = rest.split_once(" #").map_or(rest, |(text, _)| text).trim_end();
                if text.contains(": ") || text.ends_with(':') {
                    return None;
                }
                if matches!(first, b'/' | b'_' | b'$') || first.is_ascii_alphabetic() && !is_word(text) {
                    return Some(Value::from(text));
                }
                if text == "-" || text.starts_with("- ") || text.starts_with("---") || text.starts_with("...") {
                    return None;
                }
                self.scalars.value(text)
            }
        }
    }

    /// A literal block below a key or dash in that column.
    fn literal(&mut self, indent: usize, keep: Keep) -> Option<Value> {
        let mut lines: Vec<&str> = Vec::new();
        let mut column = None;
        let mut rest = self.lines.rest;
        while let Some(raw) = self.lines.raw() {
            let line = raw.strip_suffix('\n').unwrap_or(raw);
            let bare = line.trim_start_matches(' ');
            let at = line.len() - bare.len();
            if bare.is_empty() {
                // Blanks beyond the block's column belong to it; before its first line they may be an error.
                match column {
                    None if at > 0 => return None,
                    Some(column) if at > column => lines.push(&line[column..]),
                    _ => lines.push(""),
                }
                rest = self.lines.rest;
                continue;
            }
            if at <= indent {
                break;
            }
            let column = *column.get_or_insert(at);
            if at < column {
                return None;
            }
            lines.push(&line[column..]);
            rest = self.lines.rest;
        }
        self.lines.rest = rest;
        column?;
        self.lines.next();
        let text_end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |at| at + 1);
        let mut text = lines[..text_end].join("\n");
        match keep {
            Keep::None => {}
            Keep::One => text.push('\n'),
        }
        Some(Value::from(text))
    }
}

/// How many line breaks at the end of a literal block are kept.
#[derive(Debug, Clone, Copy)]
enum Keep {
    None,
    One,
}

fn literal(rest: &str) -> Option<Keep> {
    match rest {
        "|" => Some(Keep::One),
        "|-" => Some(Keep::None),
        _ => None,
    }
}

/// Whether nothing but a comment follows on a line.
fn ends_line(after: &str) -> bool {
    let rest = after.trim_start_matches(' ');
    rest.is_empty() || rest.len() < after.len() && rest.starts_with('#')
}

/// The key at the beginning of a line, and what follows it; `None` where there is none, or no plain one.
fn key(text: &str) -> Option<(&str, &str)> {
    let (key, rest) = if let Some(quoted) = text.strip_prefix('"') {
        let (key, rest) = quoted.split_once('"')?;
        (!key.contains('\\')).then_some((key, rest.strip_prefix(':')?))?
    } else {
        let end = text.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || b"._/-".contains(&byte)))?;
        let (key, rest) = text.split_at(end);
        if !key.as_bytes().first()?.is_ascii_alphabetic() || is_word(key) {
            return None;
        }
        (key, rest.strip_prefix(':')?)
    };
    (rest.is_empty() || rest.starts_with(' ')).then(|| (key, rest.trim_start_matches(' ')))
}

/// Words that some version of YAML takes for a boolean, nothing or a number.
fn is_word(text: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "infinity", "nan"];
    text.len() <= 8 && WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    /// Whether the plain reader answers; what it answers is what the whole reader does.
    fn agrees(text: &str) -> bool {
        let Some(value) = read(text, &mut Scalars::default()) else { return false };
        let whole = serde_saphyr::from_str::<Option<Value>>(text).map(Option::unwrap_or_default);
        assert_eq!(whole.ok(), Some(value), "{text:?}");
        true
    }

    fn documents(folder: &Path, each: &mut impl FnMut(&str)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                documents(&path, each);
            } else if path.extension().is_some_and(|end| end == "yaml") {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                text.split("\n---\n").for_each(&mut *each);
            }
        }
    }

    #[test]
    fn all_manifests_here_mean_the_same_to_both_readers() {
        let (mut plain, mut all) = (0, 0);
        for folder in ["tests/cases", "examples"] {
            documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut |text| {
                all += 1;
                plain += usize::from(agrees(text));
            });
        }
        assert!(plain * 5 > all, "{plain} of {all}");
    }

    #[test]
    fn what_helm_prints_is_plain() {
        for text in [
            "---\n# Source: x.yaml\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n  labels: {}\n",
            "a: 1\nb: -1.5\nc: 100m\nd: true\ne: ~\nf:\ng: 3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2\nh: 1.27.4\ni: yes\n",
            "spec:\n  containers:\n  - name: a\n    args:\n    - --flag=\"x\"\n    - 'b c'\n    env:\n      - name: X\n        value: \"1\"\n  -\n    name: b\n",
            "data:\n  app.conf: |\n    a = b\n\n      c\n    # no comment\n  next: |-\n    x\n\n\nlast: '' # comment\n",
            "\"azure.workload.identity/use\": \"true\"\nurl: https://x/y#z\n",
        ] {
            assert!(agrees(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_other() {
        for text in [
            "a: b: c\n",
            "a: &x 1\n",
            "a: [1]\n",
            "a: >\n  b\n",
            "a: b\n  c\n",
            "a: 1\na: 2\n",
            "- a\n",
            "a:\n\tb: 1\n",
            "? a\n",
            "a: |2\n    x\n",
            "a: !!str 1\n",
            "<<: {}\n",
            "a\n",
            "",
            "a: \"x\ny\"\n",
            "a: caf\u{e9}\n",
            "yes: 1\n",
        ] {
            assert!(!agrees(text), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]
        #[test]
        fn where_it_answers_the_other_answers_the_same(lines in prop::collection::vec(
            (0usize..5, "(- |- - )?(key|a|b.c/d|\"q\"|yes|1)?(:|: | :)?(x y|\"t\"|'s'|''|\"\"|\\||\\|-|\\{\\}|\\[\\]|1|0x1f|1e3|-|--- |~|null|on|# c| #c|a#b|x: y|\\*a|&a|12:30|\\.5|\\+1|0o7|1_0|2020-01-01|\\.inf|=|@|\\$\\(X\\))?( # c| )?"),
            0..12,
        )) {
            let text: String = lines.iter().map(|(indent, line)| format!("{}{line}\n", " ".repeat(*indent))).collect();
            agrees(&text);
        }
    }
}
