//! Images: what a reference says of the program in it, whatever registry or mirror it comes from.

use super::version::Version;

/// How sure an image is to be an application's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Another program.
    None,
    /// The last name alone is the same: `registry.example/mirror/velero`.
    Name,
    /// Both names are the same, joined as some mirrors do: `registry.example/velero-velero`.
    Joined,
    /// The path ends in the same names: `registry.example/mirror/velero/velero`.
    Path,
}

/// The repository of a reference: without tag and digest.
pub fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    match image.rfind(':') {
        // A colon before the last slash belongs to the registry's port.
        Some(colon) if !image[colon..].contains('/') => &image[..colon],
        _ => image,
    }
}

/// The tag of a reference; with a digest the tag is a remark, and still the best there is.
pub fn tag(image: &str) -> Option<&str> {
    let image = image.split('@').next().unwrap_or_default();
    image[repository(image).len()..].strip_prefix(':')
}

/// The version that the tag tells.
pub fn version(image: &str) -> Option<Version> {
    Version::parse(tag(image)?)
}

/// The last name of the repository: `velero-plugin-for-microsoft-azure`.
pub fn name(image: &str) -> &str {
    repository(image).rsplit('/').next().unwrap_or_default()
}

/// Compares an image with the known path of an application's, such as `velero/velero`.
pub fn likeness(image: &str, known: &str) -> Likeness {
    let path = repository(image);
    let tail = |path: &str, end: &str| path == end || path.strip_suffix(end).is_some_and(|front| front.ends_with('/'));
    let last = known.rsplit('/').next().unwrap_or(known);
    if tail(path, known) && known.contains('/') {
        Likeness::Path
    } else if ["-", "_"].iter().any(|with| known.contains('/') && name(path).ends_with(&known.replace('/', with))) {
        Likeness::Joined
    } else if name(path) == last {
        Likeness::Name
    } else {
        Likeness::None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn registries_ports_mirrors_and_digests() {
        for (image, expected) in [
            ("velero/velero:v1.15.0", Likeness::Path),
            ("docker.io/velero/velero@sha256:0123", Likeness::Path),
            ("registry.example:5000/mirror/velero/velero", Likeness::Path),
            ("registry.example:5000/velero:1.15.0", Likeness::Name),
            ("registry.example/docker-velero-velero:1", Likeness::Joined),
            ("velero/velero-plugin-for-aws", Likeness::None),
            ("myvelero/velerox", Likeness::None),
        ] {
            assert_eq!(likeness(image, "velero/velero"), expected, "{image}");
        }
        assert_eq!(version("registry.example:5000/a/b:v1.2.3@sha256:00").unwrap().line(), (1, 2));
        assert_eq!(tag("registry.example:5000/a/b"), None);
    }
}
