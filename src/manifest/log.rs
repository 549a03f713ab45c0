//! Logs and pasted text, out of files and standard input.

use super::read::STDIN;
use crate::text::decode;
use std::io::Read;

/// The most bytes that are kept of one text; of more, the end counts, as with `tail`.
pub const MOST: usize = 64 << 20;

/// A text that somebody saved or pasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogText {
    /// The file as the user named it, or [`STDIN`].
    pub name: String,
    /// The text.
    pub text: String,
    /// Whether its beginning was left out, because it is longer than [`MOST`].
    pub shortened: bool,
}

/// Why a text could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be opened.
    #[error("cannot read {path}: {source}")]
    Open {
        /// As the user named it.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(String),
    /// It is no text.
    #[error("{path} is no text but {what}")]
    Binary {
        /// As the user named it.
        path: String,
        /// What it seems to be.
        what: &'static str,
        /// What makes text of it.
        unpack: Option<&'static str>,
    },
}

impl Error {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some("name a file with a log, or - for standard input".to_owned())
            }
            Self::Open { .. } => None,
            Self::Empty(_) => Some("kubectl logs POD -n NAMESPACE --all-containers | kubectl wi explain -".to_owned()),
            Self::Binary { path, unpack, .. } => unpack.map(|unpack| {
                let file = if path == "standard input" { "FILE" } else { path };
                format!("{unpack} {file} | kubectl wi explain -")
            }),
        }
    }
}

/// Reads a file, or standard input where the path is `-`.
pub fn read_log(path: &str, stdin: &mut dyn Read) -> Result<LogText, Error> {
    let from_stdin = path == "-";
    let open = |source| Error::Open { path: path.to_owned(), source };
    let said = if from_stdin { "standard input" } else { path };
    let (bytes, shortened) = if from_stdin {
        end_of(stdin).map_err(|source| Error::Open { path: said.to_owned(), source })?
    } else {
        end_of(&mut std::fs::File::open(path).map_err(open)?).map_err(open)?
    };
    if let Some((what, unpack)) = binary(&bytes) {
        return Err(Error::Binary { path: said.to_owned(), what, unpack });
    }
    let text = decode(&bytes).into_owned();
    if text.trim().is_empty() {
        return Err(Error::Empty(said.to_owned()));
    }
    Ok(LogText { name: if from_stdin { STDIN.to_owned() } else { path.to_owned() }, text, shortened })
}

/// The last [`MOST`] bytes, and whether there were more.
fn end_of(from: &mut dyn Read) -> std::io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let mut shortened = false;
    while (&mut *from).take(MOST as u64).read_to_end(&mut bytes)? > 0 {
        if bytes.len() > MOST {
            shortened = true;
            bytes.drain(..bytes.len() - MOST);
        }
    }
    Ok((bytes, shortened))
}

/// What a file is that holds no text, and the command that makes text of it.
fn binary(bytes: &[u8]) -> Option<(&'static str, Option<&'static str>)> {
    const SAMPLE: usize = 64 * 1024;
    match bytes {
        [0x1f, 0x8b, ..] => return Some(("gzip", Some("gunzip -c"))),
        [b'P', b'K', 3, 4, ..] => return Some(("a zip archive", Some("unzip -p"))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => return Some(("zstd", Some("zstd -dc"))),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => return Some(("xz", Some("xz -dc"))),
        [0x7f, b'E', b'L', b'F', ..] => return Some(("a program", None)),
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => {
            return Some(("a picture; paste the text itself", None));
        }
        [b'%', b'P', b'D', b'F', ..] => return Some(("a PDF document", Some("pdftotext"))),
        _ => {}
    }
    let text = decode(&bytes[..bytes.len().min(SAMPLE)]);
    let strange = |char: &char| {
        *char == char::REPLACEMENT_CHARACTER
            || (char.is_control() && !matches!(char, '\n' | '\r' | '\t' | '\u{1b}' | '\u{8}' | '\0'))
    };
    // A log that was cut by its rotation begins with zeros; they are no sign of a program.
    let (all, odd) = (text.chars().filter(|char| *char != '\0').count(), text.chars().filter(strange).count());
    let zeros = text.chars().count() - all;
    let nothing_else = all == 0 && zeros > 0;
    (nothing_else || odd * 10 > all.max(1)).then_some(("binary data", None))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(bytes: &[u8]) -> Result<LogText, Error> {
        read_log("-", &mut &*bytes)
    }

    #[test]
    fn text_in_any_encoding_is_read() {
        let utf16: Vec<u8> = "\u{feff}no client ID".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(of(&utf16).unwrap().text, "no client ID");
        assert_eq!(of(b"a\x1b[31mb\xff c").unwrap().text, "a\u{1b}[31mb\u{fffd} c");
        // What `copytruncate` leaves of a log.
        let cut = [&[0_u8; 4096][..], b"AADSTS700016\n"].concat();
        assert!(of(&cut).unwrap().text.ends_with("AADSTS700016\n"));
    }

    #[test]
    fn what_is_no_text_is_named() {
        assert!(matches!(of(b""), Err(Error::Empty(_))));
        assert!(matches!(of(b" \n\t\n"), Err(Error::Empty(_))));
        let gzip = of(&[0x1f, 0x8b, 8, 0, 1, 2, 3]).unwrap_err();
        assert_eq!(gzip.hint().as_deref(), Some("gunzip -c FILE | kubectl wi explain -"));
        let noise: Vec<u8> = (0..9000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
        assert!(matches!(of(&noise), Err(Error::Binary { .. })));
        assert!(matches!(of(&[0; 100]), Err(Error::Binary { .. })));
    }

    #[test]
    fn of_a_text_that_is_too_long_the_end_counts() {
        let mut text = vec![b'x'; MOST];
        text.extend_from_slice(b"\nAADSTS700016\n");
        let read = of(&text).unwrap();
        assert!(read.shortened && read.text.ends_with("AADSTS700016\n"));
        assert_eq!(read.text.len(), MOST);
    }
}
