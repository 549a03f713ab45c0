//! One change in the text of one YAML document, made at the places that the scanner names.

use crate::model::finding::{Operation, pointer_token};
use saphyr::{LoadableYamlNode, MarkedYaml, YamlData};
use serde_json::Value;
use std::fmt::Write as _;

/// Carries out an operation on the object at `root` in a document. The reason of a refusal is a phrase.
pub(super) fn splice(document: &str, root: &str, operation: &Operation) -> Result<String, String> {
    let (path, value) = match operation {
        Operation::Add { path, value } | Operation::Replace { path, value } => (path, Some(value)),
        Operation::Remove { path } => (path, None),
    };
    let nodes = MarkedYaml::load_from_str(document).map_err(|_| "it is not valid YAML".to_owned())?;
    let text = Text::new(document);
    let full = format!("{root}{path}");
    let mut names: Vec<String> =
        full.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
    let last = names.pop().ok_or("it is the whole document")?;
    let mut node = nodes.first().ok_or("the document is empty")?;
    let mut above = None;
    for name in &names {
        let below = child(node, name).ok_or_else(|| format!("there is no {}", pointer_token(name)))?;
        above = Some(std::mem::replace(&mut node, below));
    }
    let insert = matches!(operation, Operation::Add { .. });
    if let (None, Some(above), Some(name)) = (value, above, names.last())
        && text.is_last_of_block(node)
    {
        return text.emptied(above, name, node);
    }
    match &node.data {
        YamlData::Mapping(_) => text.map(node, &last, value),
        YamlData::Sequence(_) => text.list(node, &last, value, insert),
        _ => Err("it stands below something that is neither map nor list".to_owned()),
    }
}

fn child<'a, 'i>(node: &'a MarkedYaml<'i>, name: &str) -> Option<&'a MarkedYaml<'i>> {
    match &node.data {
        YamlData::Mapping(map) => map.iter().find(|(key, _)| key.data.as_str() == Some(name)).map(|(_, value)| value),
        YamlData::Sequence(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// How values are written here.
#[derive(Clone, Copy)]
struct Style {
    newline: &'static str,
    /// Columns of one level.
    step: usize,
    /// The quotes that the document prefers.
    quote: char,
    json: bool,
}

struct Text<'a> {
    text: &'a str,
    /// Byte of each character: the scanner counts characters.
    bytes: Vec<usize>,
    style: Style,
}

impl<'a> Text<'a> {
    fn new(text: &'a str) -> Self {
        let bytes = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let json = text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<Value>(text).is_ok();
        let single = text.matches(": '").count() > text.matches(": \"").count();
        let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let step = text.lines().map(indent).find(|indent| *indent > 1).unwrap_or(2).min(8);
        let style = Style {
            newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
            step,
            quote: if single { '\'' } else { '"' },
            json,
        };
        Self { text, bytes, style }
    }

    /// Where a value starts, behind its anchor and tag.
    fn start(&self, node: &MarkedYaml<'_>) -> usize {
        let mut start = self.bytes.get(node.span.start.index()).copied().unwrap_or(self.text.len());
        while self.text[start..].starts_with(['&', '!']) {
            let word = self.text[start..].find(char::is_whitespace).unwrap_or(self.text.len() - start);
            let rest = &self.text[start + word..];
            start += word + rest.len() - rest.trim_start_matches(' ').len();
            if word == 0 {
                break;
            }
        }
        start
    }

    fn end(&self, node: &MarkedYaml<'_>) -> usize {
        let end = self.bytes.get(node.span.end.index()).copied().unwrap_or(self.text.len());
        let start = self.start(node).min(end);
        let collection = matches!(node.data, YamlData::Mapping(_) | YamlData::Sequence(_));
        if collection && self.is_flow(node) {
            // The scanner's mark stands before the closing bracket.
            return end + usize::from(self.text[end..].starts_with(['}', ']']));
        }
        start + self.text[start..end].trim_end().len()
    }

    /// Where a value ends, with all that is below it.
    fn end_of(&self, node: &MarkedYaml<'_>) -> usize {
        if self.is_flow(node) {
            return self.end(node);
        }
        match &node.data {
            YamlData::Mapping(map) => match map.iter().next_back() {
                Some((key, value)) => self.end_of(value).max(self.end(key)),
                None => self.end(node),
            },
            YamlData::Sequence(items) => items.last().map_or_else(|| self.end(node), |item| self.end_of(item)),
            _ => self.end(node),
        }
    }

    fn is_flow(&self, node: &MarkedYaml<'_>) -> bool {
        self.text[self.start(node)..].starts_with(['{', '['])
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |found| found + 1)
    }

    /// After the line end, or the end of the text.
    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |found| at + found + 1)
    }

    /// Whether nothing but blanks stands before it on its line.
    fn starts_line(&self, at: usize) -> bool {
        self.text[self.line_start(at)..at].bytes().all(|byte| byte == b' ')
    }

    fn replaced(&self, from: usize, to: usize, with: &str) -> String {
        format!("{}{with}{}", &self.text[..from], &self.text[to..])
    }

    /// Whole lines after the one on which something ends.
    fn lines_after(&self, end: usize, lines: &str) -> String {
        let at = self.line_end(end);
        let newline = self.style.newline;
        if self.text[..at].ends_with('\n') {
            self.replaced(at, at, lines)
        } else {
            self.replaced(at, at, &format!("{newline}{}", lines.trim_end_matches(['\r', '\n'])))
        }
    }

    fn map(&self, node: &MarkedYaml<'_>, name: &str, value: Option<&Value>) -> Result<String, String> {
        let YamlData::Mapping(map) = &node.data else { return Err("it is no map".to_owned()) };
        let entries: Vec<(&MarkedYaml<'_>, &MarkedYaml<'_>)> = map.iter().collect();
        let at = entries.iter().position(|(key, _)| key.data.as_str() == Some(name));
        let flow = self.is_flow(node);
        match (at, value) {
            (None, None) => Err("it is not there".to_owned()),
            (Some(at), Some(value)) => self.replace(&entries, at, value, flow),
            (None, Some(value)) if flow => {
                let entry = format!("{}: {}", self.flow_key(name), self.style.flow(value));
                let ends: Vec<_> =
                    entries.iter().map(|(key, value)| (self.start(key), self.end(value).max(self.end(key)))).collect();
                Ok(self.insert_flow(node, &ends, entries.len(), &entry))
            }
            (None, Some(value)) => self.insert_block(&entries, name, value),
            (Some(at), None) if flow => {
                let ends: Vec<_> =
                    entries.iter().map(|(key, value)| (self.start(key), self.end(value).max(self.end(key)))).collect();
                Ok(self.remove_flow(node, &ends, at))
            }
            (Some(at), None) => self.remove_block(&entries, at),
        }
    }

    fn flow_key(&self, name: &str) -> String {
        if self.style.json { Value::from(name).to_string() } else { key(name) }
    }

    fn insert_block(
        &self,
        entries: &[(&MarkedYaml<'_>, &MarkedYaml<'_>)],
        name: &str,
        value: &Value,
    ) -> Result<String, String> {
        let (Some((first, _)), Some((last, last_value))) = (entries.first(), entries.last()) else {
            return Err("the map around it is empty".to_owned());
        };
        let column = first.span.start.col();
        let mut lines = format!("{}{}:", " ".repeat(column), key(name));
        self.style.below_key(&mut lines, value, column, is_text_map(name));
        lines.push_str(self.style.newline);
        let start = self.start(first);
        // As everybody writes it: metadata before what it describes.
        if name == "metadata" && self.starts_line(start) {
            let at = self.line_start(start);
            return Ok(self.replaced(at, at, &lines));
        }
        Ok(self.lines_after(self.end_of(last_value).max(self.end(last)), &lines))
    }

    fn replace(
        &self,
        entries: &[(&MarkedYaml<'_>, &MarkedYaml<'_>)],
        at: usize,
        value: &Value,
        flow: bool,
    ) -> Result<String, String> {
        let (name, old) = entries[at];
        let (start, end) = (self.start(old), self.end_of(old));
        let is_scalar = !matches!(old.data, YamlData::Mapping(_) | YamlData::Sequence(_));
        let empty = start >= end || old.data.is_null();
        if flow {
            return if empty {
                Err("it is null in a flow map".to_owned())
            } else {
                Ok(self.replaced(start, end, &self.style.flow(value)))
            };
        }
        let column = name.span.start.col();
        if empty {
            let key_end = self.end(name);
            let colon = self.text[key_end..].find(':').map(|found| key_end + found + 1).ok_or("it has no colon")?;
            let mut written = String::new();
            self.style.below_key(&mut written, value, column, false);
            // What is nested goes below the line, which keeps its comment; `~` and `null` are written over.
            let line = self.text[colon..self.line_end(colon)].trim_end_matches(['\r', '\n']);
            return match written.strip_prefix(self.style.newline) {
                Some(lines) if line.trim().is_empty() || line.trim_start().starts_with('#') => {
                    Ok(self.lines_after(colon, &format!("{lines}{}", self.style.newline)))
                }
                _ => {
                    Ok(self.replaced(colon, colon + line.split('#').next().unwrap_or(line).trim_end().len(), &written))
                }
            };
        }
        if is_scalar && !value.is_object() && !value.is_array() {
            let old_text = &self.text[start..end];
            if old_text.contains('\n') || old_text.starts_with(['|', '>', '&', '*', '!']) {
                return Err("it is written over several lines or carries an anchor or tag".to_owned());
            }
            let quote = old_text.chars().next().filter(|c| matches!(c, '"' | '\''));
            let style = Style { quote: quote.unwrap_or(self.style.quote), ..self.style };
            return Ok(self.replaced(start, end, &style.scalar(value, quote.is_some())));
        }
        let mut written = String::new();
        self.style.below_key(&mut written, value, column, false);
        let colon =
            self.text[self.end(name)..].find(':').map(|found| self.end(name) + found + 1).ok_or("it has no colon")?;
        Ok(self.replaced(colon, end, &written))
    }

    /// Whether a map or list in block style has one entry alone.
    fn is_last_of_block(&self, node: &MarkedYaml<'_>) -> bool {
        let entries = match &node.data {
            YamlData::Mapping(map) => map.len(),
            YamlData::Sequence(items) => items.len(),
            _ => 0,
        };
        entries == 1 && !self.is_flow(node)
    }

    /// Takes the only entry out of a map or list in block style, which is written as `{}` or `[]` then.
    fn emptied(&self, above: &MarkedYaml<'_>, name: &str, node: &MarkedYaml<'_>) -> Result<String, String> {
        let braces = if matches!(node.data, YamlData::Mapping(_)) { "{}" } else { "[]" };
        let (start, end) = (self.start(node), self.end_of(node));
        let YamlData::Mapping(map) = &above.data else { return Ok(self.replaced(start, end, braces)) };
        let key = map.iter().find(|(key, _)| key.data.as_str() == Some(name)).map(|(key, _)| key);
        let key_end = self.end(key.ok_or("it is not there")?);
        let colon = self.text[key_end..].find(':').map(|found| key_end + found + 1).ok_or("it has no colon")?;
        let line = self.line_start(start);
        if line <= colon || !self.text[line..start].trim_start().trim_start_matches('-').trim().is_empty() {
            return Err("it does not stand on a line of its own".to_owned());
        }
        let after = &self.text[self.line_end(end)..];
        Ok(format!("{} {braces}{}{after}", &self.text[..colon], &self.text[colon..line]))
    }

    fn remove_block(&self, entries: &[(&MarkedYaml<'_>, &MarkedYaml<'_>)], at: usize) -> Result<String, String> {
        if entries.len() == 1 {
            return Err("nothing would be left of the map around it".to_owned());
        }
        let (key, value) = entries[at];
        let start = self.start(key);
        if self.starts_line(start) {
            let end = self.line_end(self.end_of(value).max(self.end(key)));
            return Ok(self.replaced(self.line_start(start), end, ""));
        }
        // The first entry of a list's item: the next one moves up to the dash.
        let next = entries.get(at + 1).ok_or("it stands behind a dash alone")?;
        Ok(self.replaced(start, self.start(next.0), ""))
    }

    fn list(&self, node: &MarkedYaml<'_>, name: &str, value: Option<&Value>, insert: bool) -> Result<String, String> {
        let YamlData::Sequence(items) = &node.data else { return Err("it is no list".to_owned()) };
        let at =
            if name == "-" { items.len() } else { name.parse::<usize>().map_err(|_| "it is no index".to_owned())? };
        if self.is_flow(node) {
            let ends: Vec<_> = items.iter().map(|item| (self.start(item), self.end(item))).collect();
            return match (value, items.get(at)) {
                (Some(value), Some(item)) if !insert => {
                    Ok(self.replaced(self.start(item), self.end(item), &self.style.flow(value)))
                }
                (Some(value), _) => Ok(self.insert_flow(node, &ends, at, &self.style.flow(value))),
                (None, Some(_)) => Ok(self.remove_flow(node, &ends, at)),
                (None, None) => Err("it is not there".to_owned()),
            };
        }
        let dash = |item: &MarkedYaml<'_>| {
            let start = self.start(item);
            let line = self.line_start(start);
            let before = &self.text[line..start];
            (before.trim() == "-").then(|| (line, before.len() - before.trim_start().len()))
        };
        let odd = "its dash does not stand alone on the line".to_owned();
        let first = items.first().ok_or("the list is empty")?;
        let (_, column) = dash(first).ok_or_else(|| odd.clone())?;
        let item = |value: &Value| {
            let mut lines = " ".repeat(column);
            lines.push('-');
            self.style.below_dash(&mut lines, value, column);
            lines + self.style.newline
        };
        match (value, items.get(at)) {
            (None, Some(old)) => {
                if items.len() == 1 {
                    return Err("nothing would be left of the list".to_owned());
                }
                let (line, _) = dash(old).ok_or(odd)?;
                Ok(self.replaced(line, self.line_end(self.end_of(old)), ""))
            }
            (Some(value), None) if at == items.len() => {
                let last = items.last().ok_or("the list is empty")?;
                Ok(self.lines_after(self.end_of(last), &item(value)))
            }
            (Some(value), Some(next)) if insert => {
                let (line, _) = dash(next).ok_or(odd)?;
                Ok(self.replaced(line, line, &item(value)))
            }
            (Some(value), Some(old)) => {
                let scalar = !matches!(old.data, YamlData::Mapping(_) | YamlData::Sequence(_));
                let (start, end) = (self.start(old), self.end(old));
                if scalar && !self.text[start..end].contains('\n') {
                    return Ok(self.replaced(start, end, &self.style.scalar(value, false)));
                }
                let (line, _) = dash(old).ok_or(odd)?;
                Ok(self.replaced(line, self.line_end(self.end_of(old)), &item(value)))
            }
            _ => Err("it is not there".to_owned()),
        }
    }

    fn insert_flow(&self, node: &MarkedYaml<'_>, ends: &[(usize, usize)], at: usize, entry: &str) -> String {
        let open = self.start(node) + 1;
        match (ends.get(at), ends.last()) {
            (Some((start, _)), _) => self.replaced(*start, *start, &format!("{entry}, ")),
            (None, Some((start, end))) => {
                let line = self.line_start(*start);
                let own_line = line > open && self.starts_line(*start);
                let gap = if own_line {
                    format!("{}{}", self.style.newline, &self.text[line..*start])
                } else {
                    " ".to_owned()
                };
                self.replaced(*end, *end, &format!(",{gap}{entry}"))
            }
            (None, None) => self.replaced(open, open + self.text[open..].find(['}', ']']).unwrap_or(0), entry),
        }
    }

    fn remove_flow(&self, node: &MarkedYaml<'_>, ends: &[(usize, usize)], at: usize) -> String {
        match (ends.get(at + 1), at.checked_sub(1).and_then(|before| ends.get(before))) {
            (Some((next, _)), _) => self.replaced(ends[at].0, *next, ""),
            (None, Some((_, before))) => self.replaced(*before, ends[at].1, ""),
            (None, None) => self.replaced(self.start(node) + 1, ends[at].1, ""),
        }
    }
}

/// Labels and annotations are texts, and everybody quotes them.
fn is_text_map(name: &str) -> bool {
    name.contains('/')
}

impl Style {
    /// What follows `key:`.
    fn below_key(self, out: &mut String, value: &Value, column: usize, quoted: bool) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (name, value) in map {
                    let inner = column + self.step;
                    let _ = write!(out, "{}{}{}:", self.newline, " ".repeat(inner), key(name));
                    self.below_key(out, value, inner, is_text_map(name));
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for item in items {
                    let _ = write!(out, "{}{}-", self.newline, " ".repeat(column));
                    self.below_dash(out, item, column);
                }
            }
            value => {
                let _ = write!(out, " {}", self.scalar(value, quoted));
            }
        }
    }

    /// What follows a dash at a column.
    fn below_dash(self, out: &mut String, value: &Value, column: usize) {
        let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
            return self.below_key(out, value, column + 2, false);
        };
        for (at, (name, value)) in map.iter().enumerate() {
            if at == 0 {
                let _ = write!(out, " {}:", key(name));
            } else {
                let _ = write!(out, "{}{}{}:", self.newline, " ".repeat(column + 2), key(name));
            }
            self.below_key(out, value, column + 2, is_text_map(name));
        }
    }

    fn scalar(self, value: &Value, quoted: bool) -> String {
        let Value::String(text) = value else { return value.to_string() };
        if !quoted && !self.json && is_plain(text) {
            return text.clone();
        }
        let simple = text.chars().all(|c| !c.is_control());
        if self.quote == '\'' && !self.json && simple {
            return format!("'{}'", text.replace('\'', "''"));
        }
        value.to_string()
    }

    /// A value inside braces or brackets.
    fn flow(self, value: &Value) -> String {
        match value {
            Value::Object(map)
                if !self.json && map.values().all(Value::is_string) && map.keys().all(|k| k.contains('/')) =>
            {
                let entries: Vec<String> =
                    map.iter().map(|(name, value)| format!("{}: {}", key(name), self.flow(value))).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::Object(map) if self.json => {
                let entries: Vec<String> = map
                    .iter()
                    .map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), self.flow(value)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::String(text) if !self.json && is_plain(text) => text.clone(),
            other => self.scalar(other, true),
        }
    }
}

/// A key as it is written in block style.
fn key(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_'));
    if plain && name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_word(name) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

/// Whether a text is one also without quotes, in YAML 1.1 and 1.2.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_'))
        && !is_word(text)
        && !text.chars().any(|c| c.is_ascii_digit() && text.len() == 36)
}

/// Words that YAML reads as something else than text.
fn is_word(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null"].contains(&text.to_lowercase().as_str())
}
