//! Reading and merging kubeconfig files, and finding in them what was asked for.

use super::config_error::ConfigError;
use super::environment::Environment;
use super::options::ConnectOptions;
use crate::model::nearest::nearest;
use kube::config::{Kubeconfig, KubeconfigError};
use std::path::{Path, PathBuf};

/// The kubeconfig as kubectl loads it, and the files that it was looked for in.
pub(super) struct Loaded {
    pub(super) kubeconfig: Kubeconfig,
    /// Where it was looked for, in order of precedence.
    pub(super) paths: Vec<PathBuf>,
}

/// `--kubeconfig` alone, and it has to exist; else every file of `KUBECONFIG`, those that are missing left out; else
/// `~/.kube/config`. What an earlier file says wins (client-go, `ClientConfigLoadingRules`).
pub(super) fn load(options: &ConnectOptions, environment: &Environment) -> Result<Loaded, ConfigError> {
    if let Some(path) = options.kubeconfig.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        return Ok(Loaded { kubeconfig: read(path)?, paths: vec![path.clone()] });
    }
    let paths: Vec<PathBuf> = match environment.variables.get("KUBECONFIG").filter(|list| !list.is_empty()) {
        Some(list) => std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => environment.home.iter().map(|home| home.join(".kube").join("config")).collect(),
    };
    let mut merged = Kubeconfig::default();
    for path in &paths {
        if matches!(path.try_exists(), Ok(false)) {
            continue;
        }
        merged = merged.merge(read(path)?).map_err(|error| parse_error(path, &error))?;
    }
    Ok(Loaded { kubeconfig: merged, paths })
}

/// The names in a kubeconfig, for completion: nothing of it is used to connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Contexts, each with its cluster.
    pub contexts: Vec<(String, String)>,
    /// Clusters.
    pub clusters: Vec<String>,
    /// Users.
    pub users: Vec<String>,
    /// `current-context`
    pub current: Option<String>,
}

impl Names {
    /// The names in the kubeconfig that kubectl would use.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(options: &ConnectOptions, environment: &Environment) -> Result<Self, ConfigError> {
        let kubeconfig = load(options, environment)?.kubeconfig;
        let cluster = |context: Option<kube::config::Context>| context.map(|context| context.cluster);
        Ok(Self {
            contexts: kubeconfig
                .contexts
                .into_iter()
                .map(|named| (named.name, cluster(named.context).unwrap_or_default()))
                .collect(),
            clusters: kubeconfig.clusters.into_iter().map(|named| named.name).collect(),
            users: kubeconfig.auth_infos.into_iter().map(|named| named.name).collect(),
            current: kubeconfig.current_context,
        })
    }
}

fn read(path: &Path) -> Result<Kubeconfig, ConfigError> {
    let mut kubeconfig = Kubeconfig::read_from(path).map_err(|error| match error {
        KubeconfigError::ReadConfig(error, _) => ConfigError::Read { path: path.to_owned(), reason: error.to_string() },
        other => parse_error(path, &other),
    })?;
    // An empty current-context is none: a later file may set it.
    kubeconfig.current_context = kubeconfig.current_context.filter(|name| !name.is_empty());
    Ok(kubeconfig)
}

/// The YAML reader's own message shows the line, and names the value that it did not expect; in a kubeconfig either may
/// be a token. So only the place is told, and the name of a field that is missing.
fn parse_error(path: &Path, error: &KubeconfigError) -> ConfigError {
    let (at, reason) = match error {
        KubeconfigError::Parse(error) => {
            let text = error.without_snippet().to_string();
            let missing = text.split_once("missing field `").and_then(|(_, rest)| rest.split_once('`'));
            let reason = match missing {
                Some((field, _)) => format!("the field `{field}` is missing"),
                None => "it is not the YAML of a kubeconfig".to_owned(),
            };
            (error.location().map(|location| (location.line(), location.column())), reason)
        }
        KubeconfigError::KindMismatch => (None, "its kind differs from that of the files before it".to_owned()),
        KubeconfigError::ApiVersionMismatch => {
            (None, "its apiVersion differs from that of the files before it".to_owned())
        }
        _ => (None, "it cannot be used".to_owned()),
    };
    ConfigError::Parse { path: path.to_owned(), at, reason }
}

/// What context, cluster and user come to.
#[derive(Default)]
pub(super) struct Selection {
    pub(super) context_name: Option<String>,
    pub(super) context: kube::config::Context,
    pub(super) cluster_name: Option<String>,
    pub(super) cluster: kube::config::Cluster,
    pub(super) user_name: Option<String>,
    pub(super) user: kube::config::AuthInfo,
    /// The context names a cluster that is not there: fatal unless `--server` says where to go.
    pub(super) missing_cluster: Option<ConfigError>,
    /// The context names a user that is not there: kubectl goes on without credentials.
    pub(super) missing_user: Option<ConfigError>,
}

/// Picks context, cluster and user. A name on the command line has to be there, and the current context too; what a
/// context refers to need not (seen with kubectl 1.33: it goes on without).
pub(super) fn select(kubeconfig: Kubeconfig, options: &ConnectOptions) -> Result<Selection, ConfigError> {
    let given = |flag: &Option<String>| flag.clone().filter(|name| !name.is_empty());
    let (context_name, asked_by) = match given(&options.context) {
        Some(name) => (Some(name), "--context"),
        None => (kubeconfig.current_context, "current-context"),
    };
    let context = match &context_name {
        Some(name) => {
            let all = kubeconfig.contexts.into_iter().map(|named| (named.name, named.context));
            find("context", name, asked_by, all)?
        }
        None => kube::config::Context::default(),
    };
    let of_context = format!("the context \"{}\"", context_name.as_deref().unwrap_or_default());

    let cluster_of_context = Some(context.cluster.clone()).filter(|name| !name.is_empty());
    let clusters = kubeconfig.clusters.into_iter().map(|named| (named.name, named.cluster));
    let cluster = pick("cluster", given(&options.cluster), cluster_of_context, &of_context, clusters)?;
    let user_of_context = context.user.clone().filter(|name| !name.is_empty());
    let users = kubeconfig.auth_infos.into_iter().map(|named| (named.name, named.auth_info));
    let user = pick("user", given(&options.user), user_of_context, &of_context, users)?;
    Ok(Selection {
        context_name,
        context,
        cluster_name: cluster.name,
        cluster: cluster.entry,
        user_name: user.name,
        user: user.entry,
        missing_cluster: cluster.missing,
        missing_user: user.missing,
    })
}

struct Picked<T> {
    name: Option<String>,
    entry: T,
    missing: Option<ConfigError>,
}

/// The entry that a flag names, else the one of the context.
fn pick<T: Default>(
    what: &'static str,
    flag: Option<String>,
    of_context: Option<String>,
    context: &str,
    all: impl Iterator<Item = (String, Option<T>)>,
) -> Result<Picked<T>, ConfigError> {
    if let Some(name) = flag {
        let entry = find(what, &name, &format!("--{what}"), all)?;
        return Ok(Picked { name: Some(name), entry, missing: None });
    }
    let Some(name) = of_context else { return Ok(Picked { name: None, entry: T::default(), missing: None }) };
    let (entry, missing) = match find(what, &name, context, all) {
        Ok(entry) => (entry, None),
        Err(error) => (T::default(), Some(error)),
    };
    Ok(Picked { name: Some(name), entry, missing })
}

fn find<T: Default>(
    what: &'static str,
    name: &str,
    asked_by: &str,
    all: impl Iterator<Item = (String, Option<T>)>,
) -> Result<T, ConfigError> {
    let mut known = Vec::new();
    for (candidate, value) in all {
        if candidate == name {
            return Ok(value.unwrap_or_default());
        }
        known.push(candidate);
    }
    let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Err(ConfigError::NoSuchName { what, name: name.to_owned(), asked_by: asked_by.to_owned(), nearest, known })
}
