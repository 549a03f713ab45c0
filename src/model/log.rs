//! What containers wrote.

use super::object::ObjectRef;
use std::fmt;

/// A log, or the end of one.
#[derive(Clone, PartialEq, Eq)]
pub struct Log {
    /// The pod that wrote it; the workload, where a file was said to be its log.
    pub about: ObjectRef,
    /// Where it comes from.
    pub source: LogSource,
    /// What stands in it. Applications write anything into logs, tokens too: it is read by [`crate::symptoms`] alone,
    /// which hides what is secret, and never shown as it is.
    pub text: String,
}

/// Where a log comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogSource {
    /// A container of the pod.
    Container {
        /// Its name.
        name: String,
        /// Whether it is the run before this one.
        previous: bool,
    },
    /// A file that somebody saved, as the user named it.
    File(String),
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("about", &self.about)
            .field("source", &self.source)
            .field("bytes", &self.text.len())
            .finish()
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            LogSource::Container { name, previous: false } => {
                write!(f, "log of container {name} in pod {}", self.about.name)
            }
            LogSource::Container { name, previous: true } => {
                write!(f, "log of the previous run of container {name} in pod {}", self.about.name)
            }
            LogSource::File(file) => f.write_str(file),
        }
    }
}
