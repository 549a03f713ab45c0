//! From bytes to text.

use std::borrow::Cow;

/// Makes text of bytes: UTF-8 (a byte order mark does not count), UTF-16 with a mark (PowerShell's `>` writes it) or,
/// where every second byte is zero, without one. What is neither is kept with replacement characters.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ if zeros(bytes, 1) => Cow::Owned(utf16(bytes, u16::from_le_bytes)),
        _ if zeros(bytes, 0) => Cow::Owned(utf16(bytes, u16::from_be_bytes)),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Whether the first bytes are ASCII in UTF-16: zero at every second place, counted from `offset`, and nowhere else.
fn zeros(bytes: &[u8], offset: usize) -> bool {
    let sample = &bytes[..bytes.len().min(64)];
    sample.len() >= 8 && sample.iter().enumerate().all(|(at, byte)| (*byte == 0) == (at % 2 == offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_shell_on_windows_writes() {
        let text = "no client ID specified";
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&[&[0xff, 0xfe], le.as_slice()].concat()), text);
        assert_eq!(decode(&[&[0xfe, 0xff], be.as_slice()].concat()), text);
        assert_eq!(decode(&le), text);
        assert_eq!(decode(&be), text);
        assert_eq!(decode(&[&[0xef, 0xbb, 0xbf], text.as_bytes()].concat()), text);
    }

    #[test]
    fn keeps_what_it_can_of_garbage() {
        assert_eq!(decode(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(decode(&[0xff, 0xfe, b'a']), "");
    }
}
