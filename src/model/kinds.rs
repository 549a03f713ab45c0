//! The kinds that can be named on the command line without asking an API server.

/// A kind of the Kubernetes API and the words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindName {
    /// `kind`, such as `Deployment`.
    pub kind: &'static str,
    /// Plural as in the API's paths.
    pub plural: &'static str,
    /// Short names as in kubectl.
    pub short: &'static [&'static str],
}

const fn name(kind: &'static str, plural: &'static str, short: &'static [&'static str]) -> KindName {
    KindName { kind, plural, short }
}

/// The built-in kinds of TYPE.
pub const KINDS: &[KindName] = &[
    name("Pod", "pods", &["po"]),
    name("Deployment", "deployments", &["deploy"]),
    name("ReplicaSet", "replicasets", &["rs"]),
    name("StatefulSet", "statefulsets", &["sts"]),
    name("DaemonSet", "daemonsets", &["ds"]),
    name("Job", "jobs", &[]),
    name("CronJob", "cronjobs", &["cj"]),
    name("ReplicationController", "replicationcontrollers", &["rc"]),
    name("ServiceAccount", "serviceaccounts", &["sa"]),
];

/// The kind that a word names: kind, singular, plural or short name, in any case, with or without its group.
pub fn built_in(word: &str) -> Option<&'static KindName> {
    let word = word.split('.').next().unwrap_or_default().to_lowercase();
    KINDS
        .iter()
        .find(|kind| kind.kind.to_lowercase() == word || kind.plural == word || kind.short.contains(&word.as_str()))
}

/// The words that are nearest to one that names no kind.
pub fn nearest(word: &str) -> Vec<&'static str> {
    let word = word.to_lowercase();
    let mut words: Vec<(usize, &str)> = KINDS
        .iter()
        .flat_map(|kind| std::iter::once(kind.plural).chain(kind.short.iter().copied()))
        .map(|known| (strsim::osa_distance(known, &word), known))
        .filter(|(distance, known)| *distance <= known.len().max(word.len()) / 3)
        .collect();
    words.sort_unstable();
    words.into_iter().map(|(_, word)| word).take(2).collect()
}
