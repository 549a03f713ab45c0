//! Where suppressions come from: flags, and the file of the directory that one works in.

use super::Surroundings;
use super::error::Failure;
use crate::rules::suppress::{self, FILE, Suppression};
use std::path::{Path, PathBuf};

/// The suppressions of `--ignore` and of `.kubectl-wi.toml`.
pub(super) fn suppressions(ignore: &[String], around: &Surroundings<'_>) -> Result<Vec<Suppression>, Failure> {
    let mut all = suppress::of_flag(ignore);
    if let Some(directory) = &around.directory
        && let Some(path) = find(directory)
    {
        let shown = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::new(format!("cannot read {shown}: {error}"), None))?;
        let hint = || {
            let example = "[[ignore]] with code = \"WI204\", reason = \"...\" and, if wanted, object and until";
            Some(format!("each entry is {example}"))
        };
        let file = suppress::of_file(&text, &shown);
        all.extend(file.map_err(|error| Failure::new(format!("{shown}: {error}"), hint()))?);
    }
    Ok(all)
}

/// The file in the directory, or in the nearest one above it that has one.
fn find(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().map(|above| above.join(FILE)).find(|path| path.is_file())
}
