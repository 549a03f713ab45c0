//! Patterns over squeezed text.

use regex::bytes::{Regex, RegexBuilder};

/// Compiles a constant pattern for [`super::Squeezed`] text: blanks in it count as nothing, and bytes are bytes.
///
/// Written for `LazyLock`s of this crate, whose tests compile every one of them.
#[expect(clippy::expect_used, reason = "the patterns are constants, and a test compiles each")]
pub(crate) fn pattern(pattern: &'static str) -> Regex {
    RegexBuilder::new(pattern)
        .unicode(false)
        .ignore_whitespace(true)
        .build()
        .expect("a constant pattern that a test compiles")
}
