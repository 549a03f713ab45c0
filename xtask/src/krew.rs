//! `cargo xtask archive` and `cargo xtask krew`: what a release consists of, and what Krew is told about it.

pub(crate) mod rules;

use anyhow::{Context, Result, bail};
use kubectl_wi::cli::PLUGIN;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where releases are.
const REPOSITORY: &str = "https://github.com/kubectl-wi/kubectl-wi";

/// What a release is built for: Krew's os and arch, and the target that Rust calls it.
pub(crate) const PLATFORMS: [(&str, &str, &str); 6] = [
    ("linux", "amd64", "x86_64-unknown-linux-musl"),
    ("linux", "arm64", "aarch64-unknown-linux-musl"),
    ("darwin", "amd64", "x86_64-apple-darwin"),
    ("darwin", "arm64", "aarch64-apple-darwin"),
    ("windows", "amd64", "x86_64-pc-windows-msvc"),
    ("windows", "arm64", "aarch64-pc-windows-msvc"),
];

/// The plugin's executable on a platform.
fn binary(os: &str) -> String {
    format!("kubectl-{PLUGIN}{}", if os == "windows" { ".exe" } else { "" })
}

/// An archive's file name. Krew unpacks `.tar.gz` on every platform.
fn archive_name(tag: &str, os: &str, arch: &str) -> String {
    format!("kubectl-{PLUGIN}_{tag}_{os}_{arch}.tar.gz")
}

/// Packs an executable with the licence, and writes the checksum beside the archive in the form of `sha256sum`.
pub(crate) fn archive(root: &Path, tag: &str, target: &str, executable: &Path, out: &Path) -> Result<PathBuf> {
    let Some((os, arch, _)) = PLATFORMS.iter().find(|(_, _, known)| *known == target) else {
        bail!("no release is built for {target}");
    };
    let staging = out.join(format!("{os}_{arch}"));
    std::fs::create_dir_all(&staging)?;
    let name = binary(os);
    let copy = |from: &Path, to: &str| {
        std::fs::copy(from, staging.join(to)).with_context(|| format!("cannot copy {}", from.display()))
    };
    copy(executable, &name)?;
    copy(&root.join("LICENSE"), "LICENSE")?;
    let path = out.join(archive_name(tag, os, arch));
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&path).arg("-C").arg(&staging).args([name.as_str(), "LICENSE"]);
    if !tar.status().context("cannot start tar")?.success() {
        bail!("tar failed");
    }
    std::fs::remove_dir_all(&staging)?;
    let sum = format!("{}  {}\n", sha256(&path)?, archive_name(tag, os, arch));
    std::fs::write(out.join(format!("{}.sha256", archive_name(tag, os, arch))), sum)?;
    Ok(path)
}

fn sha256(path: &Path) -> Result<String> {
    let content = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut text = String::new();
    for byte in Sha256::digest(content) {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

/// The manifest from the template and a release's checksums.
pub(crate) fn manifest(root: &Path, tag: &str, checksums: &str, base: Option<&str>) -> Result<String> {
    let sums: BTreeMap<&str, &str> = checksums
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .map(|(sum, name)| (name.trim_start_matches([' ', '*']), sum))
        .collect();
    let base = base.map_or_else(|| format!("{REPOSITORY}/releases/download/{tag}"), str::to_owned);
    let mut missing = Vec::new();
    let manifest = render(root, tag, |os, arch| {
        let name = archive_name(tag, os, arch);
        let sum = sums.get(name.as_str()).copied().unwrap_or_else(|| {
            missing.push(name.clone());
            ""
        });
        // Quoted: a sum of nothing but digits would be a number to YAML.
        format!("      uri: {base}/{name}\n      sha256: \"{sum}\"\n")
    })?;
    if !missing.is_empty() {
        bail!("no checksum for {}", missing.join(", "));
    }
    let wrong = rules::violations(&manifest, &format!("{PLUGIN}.yaml"))?;
    if !wrong.is_empty() {
        bail!("Krew would refuse it: {}", wrong.join("; "));
    }
    Ok(manifest)
}

/// The same for krew-release-bot, which downloads the archives of a release and hashes them itself.
pub(crate) fn bot_template(root: &Path) -> Result<String> {
    render(root, "{{ .TagName }}", |os, arch| {
        let name = archive_name("{{ .TagName }}", os, arch);
        let uri = format!("{REPOSITORY}/releases/download/{{{{ .TagName }}}}/{name}");
        format!("      {{{{addURIAndSha \"{uri}\" .TagName | indent 6}}}}\n")
    })
    .map(|text| format!("# Made by `cargo xtask generate` from krew/{PLUGIN}.yaml.in, for krew-release-bot.\n{text}"))
}

fn render(root: &Path, tag: &str, mut place: impl FnMut(&str, &str) -> String) -> Result<String> {
    let path = root.join("krew").join(format!("{PLUGIN}.yaml.in"));
    let template = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut platforms = String::new();
    for (os, arch, _) in PLATFORMS {
        let bin = binary(os);
        write!(platforms, "    - selector:\n        matchLabels:\n          os: {os}\n          arch: {arch}\n")?;
        writeln!(platforms, "{}      bin: {bin}", place(os, arch))?;
    }
    let text: String = template.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
    Ok(text.replace("@name@", PLUGIN).replace("@tag@", tag).replace("@platforms@\n", &platforms))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    fn sums(tag: &str) -> String {
        let line =
            |(os, arch, _): (&str, &str, &str)| format!("{}  {}\n", "0a".repeat(32), archive_name(tag, os, arch));
        PLATFORMS.map(line).concat()
    }

    #[test]
    fn the_manifest_of_a_release_keeps_all_rules() {
        let manifest = manifest(&root(), "v1.2.3", &sums("v1.2.3"), None).unwrap();
        assert_eq!(manifest.matches("sha256: \"0a0a").count(), 6);
        assert!(manifest.contains("version: v1.2.3\n"), "{manifest}");
        assert!(manifest.contains("/releases/download/v1.2.3/kubectl-wi_v1.2.3_windows_arm64.tar.gz\n"), "{manifest}");
        assert!(!manifest.contains('@'), "{manifest}");
    }

    #[test]
    fn a_missing_checksum_and_a_tag_without_v_are_refused() {
        let all = sums("v1.2.3");
        let some: String = all.split_inclusive('\n').skip(1).collect();
        let error = manifest(&root(), "v1.2.3", &some, None).unwrap_err().to_string();
        assert!(error.contains("kubectl-wi_v1.2.3_linux_amd64.tar.gz"), "{error}");
        let error = manifest(&root(), "1.2.3", &sums("1.2.3"), None).unwrap_err().to_string();
        assert!(error.contains("version"), "{error}");
    }
}
