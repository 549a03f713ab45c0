//! Tokens and secrets: wiped when dropped, and nothing prints them.

use zeroize::{Zeroize, Zeroizing};

/// A token, a client secret or a signed assertion.
///
/// There is no `Debug`, no `Display` and no serialization, so no format string and no derive can print it. The memory
/// is wiped when it is dropped; copies inside the TLS and HTTP libraries are out of reach.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; nothing is copied.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Takes white space at both ends away, as files and shells leave it.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        let trimmed = self.0.trim();
        if trimmed.len() != self.0.len() {
            let copy = trimmed.to_owned();
            self.0.zeroize();
            self.0 = Zeroizing::new(copy);
        }
        self
    }
}

/// Replaces whatever looks like a JSON Web Token in a foreign text: error messages are shown, and a program that
/// quotes its own command line or request must not bring a token into the output.
pub(crate) fn without_tokens(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    // `eyJ` is base64url of `{"`, with which every JOSE header starts.
    while let Some(start) = rest.find("eyJ") {
        let token = &rest[start..];
        let length =
            token.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')).unwrap_or(token.len());
        clean.push_str(&rest[..start]);
        // A short word that happens to start so is a word.
        clean.push_str(if length >= 20 { "(token)" } else { &token[..length] });
        rest = &token[length..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_cut_out_of_foreign_text() {
        let text = "sent eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln: refused; eyJx is a word";
        assert_eq!(without_tokens(text), "sent (token): refused; eyJx is a word");
        assert_eq!(without_tokens("eyJ"), "eyJ");
        assert_eq!(without_tokens("é eyJhbGciOiJSUzI1NiJ9é"), "é (token)é");
    }

    #[test]
    fn white_space_of_a_file_goes() {
        assert_eq!(Secret::new(" a\n".to_owned()).trimmed().expose(), "a");
    }
}
