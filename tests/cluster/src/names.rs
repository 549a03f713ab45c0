//! Names that clash with nothing.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Random bits: the standard library seeds its hash tables from the operating system.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// `<prefix>-<eight random hexadecimal digits>`: a DNS label, if the prefix is one.
pub(crate) fn unique(prefix: &str) -> String {
    format!("{prefix}-{:08x}", random() >> 32)
}

/// A random UUID, as Azure writes them.
pub(crate) fn uuid() -> String {
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
