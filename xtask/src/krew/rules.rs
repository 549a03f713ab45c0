//! What Krew's own validation and the index's reviewers ask of a manifest (kubernetes-sigs/krew v0.4.5,
//! `internal/index/validation/validate.go` and `cmd/validate-krew-manifest/main.go`; developer guide).

use anyhow::{Context, Result};
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// The pairs of os and arch that Krew knows.
const PAIRS: &[(&str, &[&str])] = &[
    ("windows", &["386", "amd64", "arm64"]),
    ("linux", &["386", "amd64", "arm", "arm64", "ppc64le"]),
    ("darwin", &["386", "amd64", "arm64"]),
];

/// Names that Windows keeps for devices.
const DEVICES: &str = "(?i)^(con|prn|aux|nul|com[1-9]|lpt[1-9])$";

/// What is wrong with a manifest; nothing where Krew takes it.
pub(crate) fn violations(manifest: &str, file_name: &str) -> Result<Vec<String>> {
    let value: Value = serde_saphyr::from_str(manifest).context("the manifest is no YAML")?;
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let matches = |pattern: &str, text: &str| Regex::new(pattern).map(|regex| regex.is_match(text));
    let mut wrong = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    let name = text("/metadata/name");
    check(text("/apiVersion") == "krew.googlecontainertools.github.com/v1alpha2", "apiVersion is not v1alpha2");
    check(text("/kind") == "Plugin", "kind is not Plugin");
    check(matches(r"^[\w-]+$", name)?, "the name has characters beside letters, digits, - and _");
    check(!matches(DEVICES, name)?, "the name is a device on Windows");
    check(file_name == format!("{name}.yaml"), "the file is not named after the plugin");
    let version = r"^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$";
    check(matches(version, text("/spec/version"))?, "the version is no semantic version with v before it");
    let short = text("/spec/shortDescription");
    check(!short.is_empty() && !short.contains(['\r', '\n']), "shortDescription is not one line");
    check(short.chars().count() <= 50, "shortDescription has more than 50 characters");
    check(!matches("(?i)kubernetes|kubectl", short)?, "shortDescription says what every plugin is");
    let description = text("/spec/description");
    check(!description.is_empty(), "description is missing");
    check(description.lines().all(|line| line.chars().count() <= 80), "description is not wrapped at 80 columns");
    check(text("/spec/homepage").starts_with("https://"), "homepage is no address");
    let empty = Vec::new();
    let platforms = value.pointer("/spec/platforms").and_then(Value::as_array).unwrap_or(&empty);
    check(!platforms.is_empty(), "there is no platform");
    let mut taken: BTreeSet<(&str, &str)> = BTreeSet::new();
    for platform in platforms {
        let text = |pointer: &str| platform.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let uri = text("/uri");
        check(uri.ends_with(".tar.gz") || uri.ends_with(".zip"), "an archive is neither .tar.gz nor .zip");
        check(matches("^[0-9a-f]{64}$", text("/sha256"))?, "a sha256 is not 64 hexadecimal digits in lower case");
        check(!text("/bin").is_empty(), "a platform has no bin");
        let files = platform.get("files").and_then(Value::as_array);
        check(files.is_none_or(|files| !files.is_empty()), "files is there and empty");
        let labels = platform.pointer("/selector/matchLabels").and_then(Value::as_object);
        check(labels.is_some_and(|labels| !labels.is_empty()), "a selector is empty");
        let keys = labels.into_iter().flatten().all(|(key, _)| key == "os" || key == "arch");
        check(keys, "a selector has keys beside os and arch");
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        let mut any = false;
        for (os, arches) in PAIRS {
            for arch in *arches {
                if label("os").is_none_or(|wanted| wanted == *os) && label("arch").is_none_or(|wanted| wanted == *arch)
                {
                    any = true;
                    check(taken.insert((os, arch)), "two platforms match the same machine");
                }
            }
        }
        check(any, "a selector matches no machine that Krew knows");
    }
    wrong.dedup();
    Ok(wrong)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::violations;

    const GOOD: &str = "apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: wi
spec:
  version: v1.2.3
  homepage: https://example.com
  shortDescription: Find out why
  description: Long.
  platforms:
    - selector:
        matchLabels:
          os: linux
          arch: amd64
      uri: https://example.com/a.tar.gz
      sha256: 0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
      bin: kubectl-wi
";

    #[test]
    fn a_good_manifest_has_no_violation() {
        assert_eq!(violations(GOOD, "wi.yaml").unwrap(), [""; 0]);
        assert_eq!(violations(GOOD, "other.yaml").unwrap(), ["the file is not named after the plugin"]);
    }

    #[test]
    fn every_rule_is_enforced() {
        let long = format!("shortDescription: {}", "x".repeat(51));
        let wide = format!("description: {}", "x".repeat(81));
        for (from, to, what) in [
            ("v1alpha2", "v1", "apiVersion is not v1alpha2"),
            ("kind: Plugin", "kind: Plug", "kind is not Plugin"),
            ("name: wi", "name: w.i", "the name has characters beside letters, digits, - and _"),
            ("name: wi", "name: con", "the name is a device on Windows"),
            ("v1.2.3", "1.2.3", "the version is no semantic version with v before it"),
            ("v1.2.3", "v1.2", "the version is no semantic version with v before it"),
            ("shortDescription: Find out why", "shortDescription: \"a\\nb\"", "shortDescription is not one line"),
            ("shortDescription: Find out why", &long, "shortDescription has more than 50 characters"),
            ("Find out why", "A kubectl plugin", "shortDescription says what every plugin is"),
            ("  description: Long.\n", "", "description is missing"),
            ("description: Long.", &wide, "description is not wrapped at 80 columns"),
            ("https://example.com\n", "example\n", "homepage is no address"),
            ("a.tar.gz", "a.tar.xz", "an archive is neither .tar.gz nor .zip"),
            ("sha256: 0a", "sha256: 0A", "a sha256 is not 64 hexadecimal digits in lower case"),
            ("      bin: kubectl-wi\n", "", "a platform has no bin"),
            ("      bin: kubectl-wi\n", "      bin: kubectl-wi\n      files: []\n", "files is there and empty"),
            ("arch: amd64", "libc: musl", "a selector has keys beside os and arch"),
            ("arch: amd64", "arch: s390x", "a selector matches no machine that Krew knows"),
            ("          os: linux\n          arch: amd64\n", "          {}\n", "a selector is empty"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let wrong = violations(&GOOD.replacen(from, to, 1), "wi.yaml").unwrap();
            assert!(wrong.iter().any(|violation| violation == what), "{what}: {wrong:?}");
        }
        let platforms = GOOD.split_once("  platforms:\n").unwrap();
        let none = format!("{}  platforms: []\n", platforms.0);
        assert_eq!(violations(&none, "wi.yaml").unwrap(), ["there is no platform"]);
        let twice = format!("{GOOD}{}", platforms.1.replacen("          arch: amd64\n", "", 1));
        assert_eq!(violations(&twice, "wi.yaml").unwrap(), ["two platforms match the same machine"]);
    }
}
