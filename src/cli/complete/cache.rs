//! Answers of the last seconds, beside kubectl's own cache: names only, readable by their owner alone.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Somebody who presses the key again wants the same answer; somebody who created an object meanwhile does not.
const FRESH: Duration = Duration::from_secs(10);
/// Files beyond this number are removed, oldest first.
const FILES: usize = 64;

/// Where one answer is kept.
pub(super) struct Cache {
    path: PathBuf,
}

impl Cache {
    /// kubectl's cache folder, else that of the home folder.
    pub(super) fn of_process(key: &str) -> Option<Self> {
        let kubectl = std::env::var_os("KUBECACHEDIR").filter(|path| !path.is_empty()).map(PathBuf::from);
        let folder = kubectl.or_else(|| Some(std::env::home_dir()?.join(".kube").join("cache")))?;
        Some(Self::new(&folder.join("kubectl-wi"), key))
    }

    fn new(folder: &Path, key: &str) -> Self {
        let mut name = String::new();
        for byte in Sha256::digest(key.as_bytes()) {
            let _ = write!(name, "{byte:02x}");
        }
        Self { path: folder.join(name + ".json") }
    }

    /// The answer, where it is fresh.
    pub(super) fn read(&self) -> Option<Vec<String>> {
        let age = std::fs::metadata(&self.path).ok()?.modified().ok()?.elapsed().ok()?;
        if age > FRESH {
            return None;
        }
        serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()
    }

    /// Keeps an answer; what cannot be written is asked again.
    pub(super) fn write(&self, values: &[String]) {
        let _ = self.try_write(values);
    }

    fn try_write(&self, values: &[String]) -> Option<()> {
        let folder = self.path.parent()?;
        create_private(folder).ok()?;
        let beside = self.path.with_extension(std::process::id().to_string());
        std::fs::write(&beside, serde_json::to_vec(values).ok()?).ok()?;
        std::fs::rename(&beside, &self.path).ok()?;
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| Some((entry.as_ref().ok()?.metadata().ok()?.modified().ok()?, entry.ok()?.path())))
            .collect();
        files.sort_unstable_by(|a, b| b.cmp(a));
        for (_, path) in files.into_iter().skip(FILES) {
            let _ = std::fs::remove_file(path);
        }
        Some(())
    }
}

#[cfg(unix)]
fn create_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_for_seconds_and_files_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), "one");
        assert_eq!(cache.read(), None);
        cache.write(&["velero".to_owned()]);
        assert_eq!(cache.read().unwrap(), ["velero"]);
        assert_eq!(Cache::new(folder.path(), "two").read(), None);
        let old = std::time::SystemTime::now() - FRESH * 2;
        std::fs::File::options().write(true).open(&cache.path).unwrap().set_modified(old).unwrap();
        assert_eq!(cache.read(), None);
        for key in 0..FILES + 8 {
            Cache::new(folder.path(), &key.to_string()).write(&[]);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), FILES);
    }
}
