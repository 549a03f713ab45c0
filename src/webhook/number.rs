//! Go's `strconv.ParseInt` in base 10, with its words: the webhook passes them on to whoever created the pod.

use std::fmt::{self, Write as _};

/// Why a number was not understood. Displays what Go says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NumberError {
    /// The text as it was given.
    pub text: String,
    /// What is wrong with it.
    pub kind: NumberErrorKind,
}

/// The two ways in which `strconv.ParseInt` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberErrorKind {
    /// Not a sign and digits.
    Syntax,
    /// A number, but too large or too small.
    Range,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.kind {
            NumberErrorKind::Syntax => "invalid syntax",
            NumberErrorKind::Range => "value out of range",
        };
        write!(f, "strconv.ParseInt: parsing {}: {why}", quote(&self.text))
    }
}

/// A 64-bit number as `strconv.ParseInt(text, 10, 64)` reads it.
pub(super) fn parse_i64(text: &str) -> Result<i64, NumberError> {
    // The smallest number is one further from zero than the largest.
    parse(text, u64::MAX, 1 << 63)
        .map(|(negative, digits)| if negative { 0_i64.wrapping_sub_unsigned(digits) } else { digits.cast_signed() })
}

/// A 32-bit number as `strconv.ParseInt(text, 10, 32)` reads it.
pub(super) fn parse_i32(text: &str) -> Result<i32, NumberError> {
    let (negative, digits) = parse(text, u64::from(u32::MAX), 1 << 31)?;
    let value = digits.cast_signed();
    i32::try_from(if negative { -value } else { value }).map_err(|_| error(text, NumberErrorKind::Range))
}

fn error(text: &str, kind: NumberErrorKind) -> NumberError {
    NumberError { text: text.to_owned(), kind }
}

/// Sign and digits. Go reads the digits as an unsigned number first, and gives up at the first one that overflows:
/// `4294967296x` is out of range for 32 bits, `2147483648x` is a syntax error.
fn parse(text: &str, unsigned_max: u64, cutoff: u64) -> Result<(bool, u64), NumberError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() {
        return Err(error(text, NumberErrorKind::Syntax));
    }
    let mut value = 0_u64;
    for byte in digits {
        let digit = match byte {
            b'0'..=b'9' => u64::from(byte - b'0'),
            _ => return Err(error(text, NumberErrorKind::Syntax)),
        };
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(digit))
            .filter(|value| *value <= unsigned_max)
            .ok_or_else(|| error(text, NumberErrorKind::Range))?;
    }
    let fits = if negative { value <= cutoff } else { value < cutoff };
    if fits { Ok((negative, value)) } else { Err(error(text, NumberErrorKind::Range)) }
}

/// Go's `strconv.Quote`.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            c if is_printable(c) => quoted.push(c),
            c => {
                let code = u32::from(c);
                // Writing to a String cannot fail.
                let _ = match code {
                    ..0x20 | 0x7f => write!(quoted, "\\x{code:02x}"),
                    ..0x1_0000 => write!(quoted, "\\u{code:04x}"),
                    _ => write!(quoted, "\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space: Go's `strconv.IsPrint`, which Rust asks of a
/// character that is not the first of a text when it writes it for debugging.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    let text = String::from_iter(['x', c]);
    text.escape_debug().eq(text.chars())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_go_accepts() {
        for (text, value) in [
            ("3600", 3600),
            ("+7200", 7200),
            ("007200", 7200),
            ("-0", 0),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(parse_i64(text), Ok(value), "{text}");
        }
        assert_eq!(parse_i32("2147483647"), Ok(i32::MAX));
        assert_eq!(parse_i32("-2147483648"), Ok(i32::MIN));
        assert_eq!(parse_i32("+00000000000000000000008000"), Ok(8000));
    }

    #[test]
    fn what_go_says_of_the_rest() {
        for (text, words) in [
            ("", r#"strconv.ParseInt: parsing "": invalid syntax"#),
            ("+", r#"strconv.ParseInt: parsing "+": invalid syntax"#),
            ("+-1", r#"strconv.ParseInt: parsing "+-1": invalid syntax"#),
            ("7_200", r#"strconv.ParseInt: parsing "7_200": invalid syntax"#),
            ("0x2000", r#"strconv.ParseInt: parsing "0x2000": invalid syntax"#),
            ("7200\n", r#"strconv.ParseInt: parsing "7200\n": invalid syntax"#),
            ("\"7200\"", r#"strconv.ParseInt: parsing "\"7200\"": invalid syntax"#),
            ("7200\u{a0}", r#"strconv.ParseInt: parsing "7200\u00a0": invalid syntax"#),
            ("\x1b\x7f", r#"strconv.ParseInt: parsing "\x1b\x7f": invalid syntax"#),
            ("'ä\u{301}'\u{e0001}", "strconv.ParseInt: parsing \"'ä\u{301}'\\U000e0001\": invalid syntax"),
            ("７２００", r#"strconv.ParseInt: parsing "７２００": invalid syntax"#),
            ("9223372036854775808", r#"strconv.ParseInt: parsing "9223372036854775808": value out of range"#),
            ("-9223372036854775809", r#"strconv.ParseInt: parsing "-9223372036854775809": value out of range"#),
            ("18446744073709551616x", r#"strconv.ParseInt: parsing "18446744073709551616x": value out of range"#),
            ("9223372036854775808x", r#"strconv.ParseInt: parsing "9223372036854775808x": invalid syntax"#),
        ] {
            assert_eq!(parse_i64(text).unwrap_err().to_string(), words);
        }
        for (text, kind) in [
            ("2147483648", NumberErrorKind::Range),
            ("-2147483649", NumberErrorKind::Range),
            ("2147483648x", NumberErrorKind::Syntax),
            ("4294967296x", NumberErrorKind::Range),
        ] {
            assert_eq!(parse_i32(text).unwrap_err().kind, kind, "{text}");
        }
    }
}
