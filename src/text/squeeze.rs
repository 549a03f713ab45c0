//! Text without its layout.

use std::ops::Range;

/// A text without what only lays it out, so that a phrase is found however it was wrapped, escaped or quoted.
///
/// White space and line breaks are gone, also in the middle of words, where a terminal broke them; so are backslashes
/// and the escaped line breaks of JSON and Go; `\u0027`, `%2F` and `&quot;` are the characters that they stand for;
/// curly quotes are straight, boxes are gone, and what is not ASCII is `?`. There are two forms of the same length,
/// one as it came and one in lower case, and every byte knows where it stood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Squeezed {
    lower: Vec<u8>,
    cased: Vec<u8>,
    at: Vec<u32>,
}

impl Squeezed {
    /// Squeezes a text. Only its first 4 GiB count.
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let bytes = &bytes[..bytes.len().min(u32::MAX as usize)];
        let mut out = Self::default();
        let mut at = 0;
        while at < bytes.len() {
            at += out.take(bytes, at);
        }
        out
    }

    /// The text in lower case.
    pub fn lower(&self) -> &[u8] {
        &self.lower
    }

    /// The text in its own case.
    pub fn cased(&self) -> &[u8] {
        &self.cased
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.lower.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }

    /// A part in its own case, as text: always ASCII.
    pub fn text(&self, range: Range<usize>) -> String {
        self.cased.get(range).map(|bytes| bytes.iter().map(|byte| char::from(*byte)).collect()).unwrap_or_default()
    }

    /// A part by itself.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let part = |form: &[u8]| form.get(range.clone()).unwrap_or_default().to_vec();
        Self {
            lower: part(&self.lower),
            cased: part(&self.cased),
            at: self.at.get(range.clone()).unwrap_or_default().to_vec(),
        }
    }

    /// Where in the text a part stood: from its first byte to its last.
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        let start = self.at.get(range.start).map_or(0, |at| *at as usize);
        let last = range.end.checked_sub(1).and_then(|last| self.at.get(last)).map_or(start, |at| *at as usize);
        start..(last + 1).max(start)
    }

    /// Hides a part in both forms.
    pub(super) fn blank(&mut self, range: Range<usize>, with: u8) {
        for form in [&mut self.lower, &mut self.cased] {
            if let Some(part) = form.get_mut(range.clone()) {
                part.fill(with);
            }
        }
    }

    fn push(&mut self, byte: u8, at: usize) {
        // `new` has cut the text to what fits.
        let Ok(at) = u32::try_from(at) else { return };
        self.lower.push(byte.to_ascii_lowercase());
        self.cased.push(byte);
        self.at.push(at);
    }

    /// Takes one character, or one escape; how many bytes that was.
    fn take(&mut self, bytes: &[u8], at: usize) -> usize {
        let byte = bytes[at];
        match byte {
            b'\\' => self.take_backslash(bytes, at),
            b'%' => self.take_percent(bytes, at),
            b'&' => self.take_entity(bytes, at),
            b'!'..=b'~' | 1 => {
                self.push(byte, at);
                1
            }
            0..=b' ' | 0x7f => 1,
            0x80.. => self.take_wide(bytes, at),
        }
    }

    fn take_backslash(&mut self, bytes: &[u8], at: usize) -> usize {
        match bytes.get(at + 1) {
            Some(b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let code = bytes.get(at + 2..at + 6).and_then(hex_value);
                match code {
                    Some(code @ 0x21..=0x7e) => {
                        self.push(code.to_le_bytes()[0], at);
                        6
                    }
                    Some(0x2018 | 0x2019) => {
                        self.push(b'\'', at);
                        6
                    }
                    Some(0..=0x20 | 0xa0) => 6,
                    Some(_) => {
                        self.push(b'?', at);
                        6
                    }
                    None => 1,
                }
            }
            _ => 1,
        }
    }

    fn take_percent(&mut self, bytes: &[u8], at: usize) -> usize {
        // %253A is %3A escaped once more.
        let mut digits = at + 1;
        while bytes.get(digits..digits + 2) == Some(b"25") && bytes.get(digits + 2..).is_some_and(is_hex_pair) {
            digits += 2;
        }
        match bytes.get(digits..digits + 2).and_then(hex_value) {
            Some(code @ 0x21..=0x7e) => {
                self.push(code.to_le_bytes()[0], at);
                digits + 2 - at
            }
            Some(0x09 | 0x0a | 0x0d | 0x20) => digits + 2 - at,
            _ => {
                self.push(b'%', at);
                1
            }
        }
    }

    fn take_entity(&mut self, bytes: &[u8], at: usize) -> usize {
        const ENTITIES: [(&[u8], u8); 9] = [
            (b"&quot;", b'"'),
            (b"&#34;", b'"'),
            (b"&#x22;", b'"'),
            (b"&apos;", b'\''),
            (b"&#39;", b'\''),
            (b"&#x27;", b'\''),
            (b"&amp;", b'&'),
            (b"&lt;", b'<'),
            (b"&gt;", b'>'),
        ];
        for (entity, char) in ENTITIES {
            if bytes[at..].starts_with(entity) {
                self.push(char, at);
                return entity.len();
            }
        }
        if bytes[at..].starts_with(b"&nbsp;") {
            return 6;
        }
        self.push(b'&', at);
        1
    }

    fn take_wide(&mut self, bytes: &[u8], at: usize) -> usize {
        let length = match bytes[at] {
            0xf0.. => 4,
            0xe0.. => 3,
            _ => 2,
        };
        let end = (at + length).min(bytes.len());
        let char = std::str::from_utf8(&bytes[at..end]).ok().and_then(|text| text.chars().next());
        match char {
            Some('\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{2032}') => self.push(b'\'', at),
            Some('\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}') => self.push(b'"', at),
            Some('\u{2010}'..='\u{2015}') => self.push(b'-', at),
            Some('\u{2026}') => self.push(b'.', at),
            // Boxes that tools draw around errors (Terraform, k9s).
            Some('\u{2500}'..='\u{259f}') => {}
            Some(char) if char.is_whitespace() => {}
            _ => self.push(b'?', at),
        }
        end - at
    }
}

fn is_hex_pair(bytes: &[u8]) -> bool {
    bytes.get(..2).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
}

fn hex_value(digits: &[u8]) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(text: &str) -> String {
        let squeezed = Squeezed::new(text);
        squeezed.text(0..squeezed.len())
    }

    #[test]
    fn wraps_escapes_and_quotes_make_no_difference() {
        let plain = squeezed("no client ID specified. 'a'");
        for same in [
            "no client ID spec\n   ified.\u{a0}'a'",
            "no client ID\\nspecified. \\u0027a\\u0027",
            "no client ID\\\\n specified. \u{2018}a\u{2019}",
            "no%20client ID specified.%0A&#39;a&apos;",
            "\u{2502} no client ID \u{2502}\n\u{2502} specified. \\'a\\'",
        ] {
            assert_eq!(squeezed(same), plain, "{same}");
        }
    }

    #[test]
    fn percent_escapes_are_their_characters() {
        assert_eq!(squeezed("resource=https%3A%2F%2Fmanagement%252Ex"), "resource=https://management.x");
        assert_eq!(squeezed("100% of %zz"), "100%of%zz");
    }

    #[test]
    fn a_part_knows_where_it_stood() {
        let text = "ab \u{e9} c\nd";
        let squeezed = Squeezed::new(text);
        assert_eq!(squeezed.lower(), b"ab?cd");
        let origin = squeezed.origin(3..5);
        assert_eq!(&text[origin], "c\nd");
        assert_eq!(squeezed.origin(9..12), 0..1);
    }
}
