//! Takes a list apart while it arrives, so that no more than one item is held.
//!
//! A list that is read from the API server's cache comes in one piece, whatever `limit` says: 120 MB for 10,000 pods.
//! This scanner finds the elements of the top-level `items` array in the bytes as they come; everything else of the
//! document (kind, metadata) is kept, with `items` emptied.

/// The scanner's state between two pieces.
#[derive(Debug, Default)]
pub(super) struct ItemSplitter {
    place: Place,
    /// Open braces and brackets, of the document or of the item that is being read.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The document without its items.
    envelope: Vec<u8>,
    /// Where in the envelope the last string at the top level began and ended.
    last_string: (usize, usize),
    /// The last colon at the top level followed the key `items`.
    after_items_key: bool,
    /// The beginning of an item whose end has not come yet.
    pending: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Envelope,
    BetweenItems,
    InItem,
}

impl ItemSplitter {
    /// Reads on. `emit` gets the JSON text of each item that is complete.
    pub(super) fn push(&mut self, piece: &[u8], mut emit: impl FnMut(&[u8])) {
        let mut at = 0;
        while at < piece.len() {
            at = match self.place {
                Place::Envelope => self.read_envelope(piece, at),
                Place::BetweenItems => self.skip_to_item(piece, at),
                Place::InItem => self.read_item(piece, at, &mut emit),
            };
        }
    }

    /// The document without its items, once everything has come.
    pub(super) fn into_envelope(self) -> Vec<u8> {
        self.envelope
    }

    fn read_envelope(&mut self, piece: &[u8], mut at: usize) -> usize {
        while at < piece.len() {
            let byte = piece[at];
            at += 1;
            self.envelope.push(byte);
            if self.in_string {
                self.step_in_string(byte);
                if !self.in_string && self.depth == 1 {
                    self.last_string.1 = self.envelope.len();
                }
                continue;
            }
            match byte {
                b'"' => {
                    self.in_string = true;
                    if self.depth == 1 {
                        self.last_string.0 = self.envelope.len() - 1;
                    }
                }
                b':' if self.depth == 1 => {
                    let (start, end) = self.last_string;
                    self.after_items_key = self.envelope.get(start..end) == Some(b"\"items\"");
                }
                b',' if self.depth == 1 => self.after_items_key = false,
                b'[' if self.depth == 1 && self.after_items_key => {
                    self.place = Place::BetweenItems;
                    return at;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        at
    }

    fn skip_to_item(&mut self, piece: &[u8], mut at: usize) -> usize {
        while at < piece.len() {
            match piece[at] {
                b',' | b' ' | b'\n' | b'\r' | b'\t' => at += 1,
                b']' => {
                    self.envelope.push(b']');
                    self.after_items_key = false;
                    self.place = Place::Envelope;
                    self.depth = 1;
                    return at + 1;
                }
                _ => {
                    self.place = Place::InItem;
                    self.depth = 0;
                    return at;
                }
            }
        }
        at
    }

    fn read_item(&mut self, piece: &[u8], start: usize, emit: &mut impl FnMut(&[u8])) -> usize {
        for at in start..piece.len() {
            let byte = piece[at];
            if self.in_string {
                self.step_in_string(byte);
                continue;
            }
            let end = match byte {
                b'"' => {
                    self.in_string = true;
                    continue;
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    continue;
                }
                b'}' | b']' if self.depth > 1 => {
                    self.depth -= 1;
                    continue;
                }
                b'}' | b']' if self.depth == 1 => at + 1,
                // A scalar ends where the array goes on or ends.
                b',' | b']' if self.depth == 0 => at,
                _ => continue,
            };
            if self.pending.is_empty() {
                emit(&piece[start..end]);
            } else {
                self.pending.extend_from_slice(&piece[start..end]);
                emit(&self.pending);
                self.pending.clear();
            }
            self.place = Place::BetweenItems;
            return end;
        }
        self.pending.extend_from_slice(&piece[start..]);
        piece.len()
    }

    fn step_in_string(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            _ => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// The list put together again from what the splitter makes of it, cut into pieces of that many bytes.
    fn rejoin(text: &str, size: usize) -> Option<Value> {
        let mut splitter = ItemSplitter::default();
        let mut items = Vec::new();
        for piece in text.as_bytes().chunks(size.max(1)) {
            splitter.push(piece, |item| items.push(serde_json::from_slice::<Value>(item).unwrap()));
        }
        let mut list: Value = serde_json::from_slice(&splitter.into_envelope()).ok()?;
        if list["items"].is_array() {
            list["items"] = Value::Array(items);
        }
        Some(list)
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[\"\\\\{}\\[\\]:, items\u{e9}\n]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("(items|[\"\\\\{}a-c]{0,4})", inner, 0..5)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_comes_out_is_what_went_in(
            items in prop::collection::vec(value(), 0..6), before in value(), after in value(),
            size in 1usize..64, pretty: bool,
        ) {
            let mut list = json!({ "a": before, "items": items, "metadata": after });
            let text = if pretty { serde_json::to_string_pretty(&list) } else { serde_json::to_string(&list) }.unwrap();
            prop_assert_eq!(rejoin(&text, size).unwrap(), list.take());
        }

        #[test]
        fn no_input_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1usize..20) {
            let mut splitter = ItemSplitter::default();
            for piece in bytes.chunks(size) {
                splitter.push(piece, |_| {});
            }
        }
    }

    #[test]
    fn an_items_field_deeper_down_is_no_list() {
        let text =
            r#"{"kind":"PodList","metadata":{"items":[1]},"x":"items","items":[{"items":[2]},{"k":"\"items\":["}]}"#;
        for size in 1..text.len() {
            assert_eq!(rejoin(text, size).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{size}");
        }
        assert_eq!(rejoin(r#"{"items":null}"#, 3).unwrap(), json!({ "items": null }));
    }

    #[test]
    fn half_a_list_has_no_envelope() {
        let text = r#"{"kind":"PodList","items":[{"a":1},{"b":2}],"metadata":{}}"#;
        for end in 1..text.len() {
            assert_eq!(rejoin(&text[..end], 7), None, "{}", &text[..end]);
        }
    }
}
