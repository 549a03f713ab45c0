//! Versions of applications and charts.

use std::fmt;

/// A version as an image tag or a chart has it. What follows the three numbers is shown and does not count: it is a
/// rebuild (`1.15.0-debian-12-r3`) more often than a pre-release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    numbers: (u32, u32, u32),
    text: String,
}

impl Version {
    /// Reads `v1.15.0`, `1.15.0-debian-12-r3`, `1.15.0_1`, `1.15`; `None` for `latest`, a digest or a branch.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.trim().trim_start_matches(['v', 'V']);
        let core = &plain[..plain.find(['-', '+', '_']).unwrap_or(plain.len())];
        let numbers: Vec<u32> = core.split('.').take(4).map(|part| part.parse().ok()).collect::<Option<_>>()?;
        match *numbers.as_slice() {
            // A tag of two numbers moves on with the releases: it stands for the newest of them.
            [major, minor] => Some(Self { numbers: (major, minor, u32::MAX), text: plain.to_owned() }),
            [major, minor, patch] | [major, minor, patch, _] => {
                Some(Self { numbers: (major, minor, patch), text: plain.to_owned() })
            }
            _ => None,
        }
    }

    /// Whether it is that release or a later one.
    pub fn at_least(&self, major: u32, minor: u32, patch: u32) -> bool {
        self.numbers >= (major, minor, patch)
    }

    /// Whether it is exactly that release.
    pub fn is(&self, major: u32, minor: u32, patch: u32) -> bool {
        self.numbers == (major, minor, patch)
    }

    /// Major and minor.
    pub fn line(&self) -> (u32, u32) {
        (self.numbers.0, self.numbers.1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A Helm chart, from the label `helm.sh/chart`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Such as `velero`.
    pub name: String,
    /// Such as `8.1.0`.
    pub version: Version,
}

impl Chart {
    /// Reads `velero-8.1.0`.
    pub fn parse(label: &str) -> Option<Self> {
        let at = label.match_indices('-').map(|(at, _)| at).find(|at| {
            let rest = label[at + 1..].trim_start_matches('v');
            rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('.')
        })?;
        Some(Self { name: label[..at].to_owned(), version: Version::parse(&label[at + 1..])? })
    }
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.version)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_people_write_them() {
        for (text, numbers) in [
            ("v1.15.0", (1, 15, 0)),
            ("1.15.0-debian-12-r3", (1, 15, 0)),
            ("v0.13.6", (0, 13, 6)),
            ("1.2.3.4", (1, 2, 3)),
            ("2.9_1", (2, 9, u32::MAX)),
        ] {
            assert_eq!(Version::parse(text).unwrap().numbers, numbers, "{text}");
        }
        for text in ["latest", "main", "", "15", "v", "a.b.c"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn charts_have_a_name_and_a_version() {
        let chart = Chart::parse("kube-prometheus-stack-61.3.0").unwrap();
        assert_eq!(
            (chart.name.as_str(), chart.to_string().as_str()),
            ("kube-prometheus-stack", "kube-prometheus-stack-61.3.0")
        );
        assert_eq!(Chart::parse("cert-manager-v1.15.0").unwrap().version.line(), (1, 15));
        assert_eq!(Chart::parse("velero"), None);
    }
}
