//! Client ids, tenant ids, subscription ids and object ids.

use std::fmt;

/// A GUID in its canonical form: lower case, with hyphens. Only GUIDs are put into queries and URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid([u8; 36]);

impl Guid {
    /// Reads `8-4-4-4-12` hexadecimal digits in either case; white space around it is not accepted.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes: [u8; 36] = text.as_bytes().try_into().ok()?;
        for (index, byte) in bytes.iter_mut().enumerate() {
            let valid = if matches!(index, 8 | 13 | 18 | 23) { *byte == b'-' } else { byte.is_ascii_hexdigit() };
            if !valid {
                return None;
            }
            byte.make_ascii_lowercase();
        }
        Some(Self(bytes))
    }

    /// The text, lower case.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in, see `parse`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Guid {
    type Err = NotAGuid;

    fn from_str(text: &str) -> Result<Self, NotAGuid> {
        Self::parse(text).ok_or(NotAGuid)
    }
}

/// The text is not a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID (8-4-4-4-12 hexadecimal digits)")]
pub struct NotAGuid;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_either_case_and_nothing_else() {
        let guid = Guid::parse("4024AB25-56a8-4370-aea6-6389221caf29").unwrap();
        assert_eq!(guid.as_str(), "4024ab25-56a8-4370-aea6-6389221caf29");
        for wrong in [
            "",
            "4024ab25-56a8-4370-aea6-6389221caf2",
            " 4024ab25-56a8-4370-aea6-6389221caf29",
            "4024ab25x56a8-4370-aea6-6389221caf29",
            "4024ab25-56a8-4370-aea6-6389221caf2g",
            "{4024ab25-56a8-4370-aea6-6389221caf29}",
            "4024ab25-56a8-4370-aea6-6389221caf2é",
        ] {
            assert_eq!(Guid::parse(wrong), None, "{wrong}");
        }
    }
}
