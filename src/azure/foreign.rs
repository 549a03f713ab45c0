//! Text that Azure, its programs or the network sent, made safe to show.

use crate::text::{clean, mask};

/// Longest text that is kept; a proxy's error page is no message.
const LIMIT: usize = 600;

/// Without secrets, without what moves a cursor, and not too long. A program that quotes its own command line or its
/// request must not bring a token into the output.
pub(crate) fn presentable(text: &str) -> String {
    let masked = mask(text);
    let clean = clean(&masked);
    let text = clean.trim();
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_control_characters_and_length_go() {
        let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci8iLCJzdWIiOiJzIn0.c2lnbmF0dXJl";
        let shown = presentable(&format!(" sent {token}: refused\u{1b}[2J "));
        assert!(shown.starts_with("sent [hidden]: refused") && !shown.contains('\u{1b}'), "{shown}");
        assert_eq!(presentable(&"é".repeat(2000)).chars().count(), LIMIT + 1);
        assert_eq!(presentable(""), "");
    }
}
