//! The configuration of an application: variables and files, wherever they come from.

use crate::model::fact::Fact;
use crate::model::finding::pointer_token;
use crate::model::inventory::Inventory;
use crate::model::object::ObjectRef;
use crate::model::pod::{Container, KeyToPath, PodSpec};
use crate::model::settings::{Setting, Settings};

/// A configuration file, and where it stands.
#[derive(Debug, Clone)]
pub struct File {
    /// The `ConfigMap` or Secret.
    pub object: ObjectRef,
    /// JSON pointer of the file in it.
    pub path: String,
    /// What of it matters.
    pub settings: Settings,
}

/// What a variable of a container says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// A literal, or the value in a `ConfigMap`.
    Text(String),
    /// What is kept of the value in a Secret.
    Secret(Setting),
    /// It is set; what to is not to be seen.
    Unseen,
}

impl Variable {
    /// Whether it is set to something.
    pub fn is_set(&self) -> bool {
        !matches!(self, Self::Secret(Setting::Empty)) && *self != Self::Text(String::new())
    }

    /// The text, or the id or known word from a Secret.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Secret(Setting::Id(text)) => Some(text),
            Self::Secret(Setting::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// The switch; `None` where it is no boolean.
    pub fn flag(&self) -> Option<bool> {
        match self {
            Self::Secret(Setting::Flag(flag)) => Some(*flag),
            Self::Text(text) => match text.to_lowercase().as_str() {
                "true" | "1" | "t" => Some(true),
                "false" | "0" | "f" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A place that a value or file comes from.
struct Source<'a> {
    secret: bool,
    name: &'a str,
    key: String,
}

/// A variable of a container, by `env` or `envFrom`; the last one given wins, and `env` over `envFrom`.
pub fn variable(inventory: &Inventory, namespace: &str, container: &Container, name: &str) -> Option<Variable> {
    if let Some(variable) = container.variable(name) {
        if let Some(text) = variable.literal() {
            return Some(Variable::Text(text.to_owned()));
        }
        let from = variable.value_from.as_ref()?;
        if let Some(key) = &from.config_map_key_ref {
            let text = config_map_text(inventory, namespace, &key.name, &key.key);
            return Some(text.map_or(Variable::Unseen, |text| Variable::Text(text.to_owned())));
        }
        if let Some(key) = &from.secret_key_ref {
            return Some(in_secret(inventory, namespace, &key.name, &key.key, name).unwrap_or(Variable::Unseen));
        }
        return Some(Variable::Unseen);
    }
    container.env_from.iter().rev().find_map(|from| {
        let key = name.strip_prefix(from.prefix.as_deref().unwrap_or_default())?;
        if let Some(map) = &from.config_map_ref {
            return Some(Variable::Text(config_map_text(inventory, namespace, &map.name, key)?.to_owned()));
        }
        in_secret(inventory, namespace, &from.secret_ref.as_ref()?.name, key, name)
    })
}

fn in_secret(inventory: &Inventory, namespace: &str, secret: &str, key: &str, name: &str) -> Option<Variable> {
    let Fact::Known(secret) = inventory.secret(namespace, secret) else { return None };
    let entry = secret.entry(key)?;
    // The key may be called otherwise than the variable; then only whether it is set was kept.
    let kept = if key == name { entry.variable.clone() } else { None };
    Some(Variable::Secret(kept.unwrap_or(if entry.empty { Setting::Empty } else { Setting::Set })))
}

/// The text of a key of a `ConfigMap`.
pub fn config_map_text<'a>(inventory: &'a Inventory, namespace: &str, name: &str, key: &str) -> Option<&'a str> {
    match inventory.other("ConfigMap", Some(namespace), name) {
        Fact::Known(map) => map.value.get("data")?.get(key)?.as_str(),
        _ => None,
    }
}

/// The configuration file that a container finds at a path.
pub fn file(inventory: &Inventory, namespace: &str, spec: &PodSpec, container: &Container, path: &str) -> Option<File> {
    let source = source_of_path(inventory, namespace, spec, container, path)?;
    read(inventory, namespace, &source)
}

/// The configuration that a variable holds as a whole: `--objstore.config=$(OBJSTORE_CONFIG)`.
pub fn file_in_variable(inventory: &Inventory, namespace: &str, container: &Container, name: &str) -> Option<File> {
    let from = container.variable(name)?.value_from.as_ref()?;
    let (secret, key) = match (&from.secret_key_ref, &from.config_map_key_ref) {
        (Some(key), _) => (true, key),
        (None, Some(key)) => (false, key),
        (None, None) => return None,
    };
    read(inventory, namespace, &Source { secret, name: &key.name, key: key.key.clone() })
}

/// All configuration files that a container mounts from `ConfigMaps` and Secrets.
pub fn files(inventory: &Inventory, namespace: &str, spec: &PodSpec, container: &Container) -> Vec<File> {
    let mut files = Vec::new();
    for mount in &container.volume_mounts {
        for (secret, name, items) in volume_sources(spec, &mount.name) {
            let keys: Vec<String> = keys_of(inventory, namespace, secret, name)
                .into_iter()
                .filter(|key| items.is_empty() || items.iter().any(|item| &item.key == key))
                .filter(|key| mount.sub_path.as_ref().is_none_or(|sub| file_name(items, key) == sub))
                .collect();
            files.extend(keys.into_iter().filter_map(|key| read(inventory, namespace, &Source { secret, name, key })));
        }
    }
    files
}

/// Names of the Secrets that a pod mounts or takes variables from.
pub fn secrets_of(spec: &PodSpec) -> Vec<&str> {
    let mut names: Vec<&str> = spec
        .volumes
        .iter()
        .flat_map(|volume| volume_sources(spec, &volume.name))
        .filter_map(|(secret, name, _)| secret.then_some(name))
        .collect();
    for (_, _, container) in spec.all_containers() {
        let keys = container.env.iter().filter_map(|v| v.value_from.as_ref()?.secret_key_ref.as_ref());
        names.extend(keys.map(|key| key.name.as_str()));
        names.extend(container.env_from.iter().filter_map(|from| Some(from.secret_ref.as_ref()?.name.as_str())));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Names of the `ConfigMaps` that a pod mounts or takes variables from.
pub fn config_maps_of(spec: &PodSpec) -> Vec<&str> {
    let sources = spec.volumes.iter().flat_map(|volume| volume_sources(spec, &volume.name));
    let mut names: Vec<&str> = sources.filter_map(|(secret, name, _)| (!secret).then_some(name)).collect();
    names.extend(sources_of_variables(spec).into_iter().filter(|source| !source.secret).map(|source| source.name));
    names.sort_unstable();
    names.dedup();
    names
}

/// A `ConfigMap` or Secret that variables come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariableSource<'a> {
    /// A Secret, and no `ConfigMap`.
    pub secret: bool,
    /// Its name, in the namespace of the pod.
    pub name: &'a str,
    /// All of its keys become variables.
    pub is_whole: bool,
    /// A variable that says something about identity comes from it.
    pub says_identity: bool,
}

/// The `ConfigMaps` and Secrets that the variables of all containers come from.
pub fn sources_of_variables(spec: &PodSpec) -> Vec<VariableSource<'_>> {
    let mut sources = Vec::new();
    for (_, _, container) in spec.all_containers() {
        for variable in &container.env {
            let says_identity = IDENTITY_VARIABLES.iter().any(|start| variable.name.starts_with(start));
            let from = variable.value_from.iter();
            let of = |secret, name| VariableSource { secret, name, is_whole: false, says_identity };
            sources.extend(from.clone().filter_map(|from| Some(of(false, &*from.config_map_key_ref.as_ref()?.name))));
            sources.extend(from.filter_map(|from| Some(of(true, &*from.secret_key_ref.as_ref()?.name))));
        }
        for from in &container.env_from {
            let of = |secret, name| VariableSource { secret, name, is_whole: true, says_identity: false };
            sources.extend(from.config_map_ref.as_ref().map(|map| of(false, &*map.name)));
            sources.extend(from.secret_ref.as_ref().map(|secret| of(true, &*secret.name)));
        }
    }
    sources
}

/// How the variables begin by which SDKs, Terraform's providers and the identity endpoints are told of an identity.
const IDENTITY_VARIABLES: &[&str] = &["AZURE_", "ARM_", "IDENTITY_", "MSI_"];

/// `$(NAME)`, which the kubelet replaces in arguments.
pub fn reference(text: &str) -> Option<&str> {
    text.trim().strip_prefix("$(")?.strip_suffix(')')
}

/// The value of a flag among a container's command and arguments: `--name=value` or `--name value`.
pub fn flag<'a>(container: &'a Container, name: &str) -> Option<&'a str> {
    let words: Vec<&str> = container.command.iter().chain(&container.args).map(String::as_str).collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let plain = word.trim_start_matches('-');
        if plain.len() == word.len() {
            return None;
        }
        match plain.split_once('=') {
            Some((flag, value)) => (flag == name).then_some(value),
            None if plain == name => {
                Some(words.get(at + 1).filter(|next| !next.starts_with('-')).map_or("", |next| next))
            }
            None => None,
        }
    })
}

/// A flag without value, or with a boolean.
pub fn is_on(container: &Container, name: &str) -> Option<bool> {
    flag(container, name).map(|value| !value.eq_ignore_ascii_case("false") && value != "0")
}

fn source_of_path<'a>(
    inventory: &Inventory,
    namespace: &str,
    spec: &'a PodSpec,
    container: &Container,
    path: &str,
) -> Option<Source<'a>> {
    let mut mounts: Vec<(&str, &str)> = container
        .volume_mounts
        .iter()
        .filter_map(|mount| {
            let rest = path.strip_prefix(mount.mount_path.trim_end_matches('/'))?;
            if rest.is_empty() {
                return Some((mount.name.as_str(), mount.sub_path.as_deref().unwrap_or_default()));
            }
            Some((mount.name.as_str(), rest.strip_prefix('/')?))
        })
        .collect();
    // The deepest mount hides the others.
    mounts.sort_by_key(|(_, rest)| rest.len());
    let (volume, rest) = mounts.into_iter().next()?;
    for (secret, name, items) in volume_sources(spec, volume) {
        if let Some(item) = items.iter().find(|item| item.path == rest) {
            return Some(Source { secret, name, key: item.key.clone() });
        }
        if items.is_empty() {
            let keys = keys_of(inventory, namespace, secret, name);
            if keys.iter().any(|key| key == rest) {
                return Some(Source { secret, name, key: rest.to_owned() });
            }
        }
    }
    None
}

/// The `ConfigMaps` and Secrets behind a volume: whether a Secret, its name, and its `items`.
fn volume_sources<'a>(spec: &'a PodSpec, volume: &str) -> Vec<(bool, &'a str, &'a [KeyToPath])> {
    let mut sources = Vec::new();
    for volume in spec.volumes.iter().filter(|known| known.name == volume) {
        if let Some(secret) = &volume.secret {
            sources.push((true, secret.secret_name.as_str(), secret.items.as_slice()));
        }
        if let Some(map) = &volume.config_map {
            sources.push((false, map.name.as_str(), map.items.as_slice()));
        }
        for source in volume.projected.iter().flat_map(|projected| &projected.sources) {
            let object = source.secret.as_ref().map(|s| (true, s)).or(source.config_map.as_ref().map(|c| (false, c)));
            sources.extend(object.map(|(secret, object)| (secret, object.name.as_str(), object.items.as_slice())));
        }
    }
    sources
}

fn keys_of(inventory: &Inventory, namespace: &str, secret: bool, name: &str) -> Vec<String> {
    if secret {
        return match inventory.secret(namespace, name) {
            Fact::Known(secret) => secret.entries.keys().cloned().collect(),
            _ => Vec::new(),
        };
    }
    match inventory.other("ConfigMap", Some(namespace), name) {
        Fact::Known(map) => map
            .value
            .get("data")
            .and_then(|data| data.as_object())
            .into_iter()
            .flat_map(|data| data.keys().cloned())
            .collect(),
        _ => Vec::new(),
    }
}

fn file_name<'a>(items: &'a [KeyToPath], key: &'a str) -> &'a str {
    items.iter().find(|item| item.key == key).map_or(key, |item| item.path.as_str())
}

fn read(inventory: &Inventory, namespace: &str, source: &Source<'_>) -> Option<File> {
    if source.secret {
        let Fact::Known(secret) = inventory.secret(namespace, source.name) else { return None };
        let settings = secret.entry(&source.key)?.file.clone();
        return Some(File { object: secret.meta.object.clone(), path: secret.path(&source.key), settings });
    }
    let text = config_map_text(inventory, namespace, source.name, &source.key)?;
    Some(File {
        object: ObjectRef::new("v1", "ConfigMap", Some(namespace), source.name),
        path: format!("/data/{}", pointer_token(&source.key)),
        settings: Settings::of_text(text),
    })
}
