//! Token paths that are written down where `AZURE_FEDERATED_TOKEN_FILE` should be read.

use crate::chain::Chain;
use crate::chain::containers::{Need, need};
use crate::chain::meant::is_below;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::object::ObjectRef;
use crate::model::pod::{Container, ContainerList};
use crate::model::workload::Workload;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::Value;
use std::collections::BTreeSet;

rule! {
    /// ## What it does
    /// Finds the path of the token file written down in a container's command, arguments or variables, or in a
    /// ConfigMap that it mounts, where the installed webhook puts the token elsewhere.
    ///
    /// ## Why it breaks
    /// The path has changed twice: `/var/run/secrets/tokens` up to webhook 0.7, `/var/run/secrets/azure/tokens` up to
    /// 1.5.1, `/var/run/secrets/azure/wi/token` in 1.6.0; the release after that has a directory for each pod. With the
    /// wrong one the application says `open /var/run/secrets/azure/tokens/azure-identity-token: no such file or
    /// directory`, on the day the webhook is upgraded.
    ///
    /// ## How it is known
    /// From the texts in the pod template, held against the path that the installed webhook uses. Where its version is
    /// not known, a written-down path is a warning. A path at which the pod mounts a volume of its own is left alone.
    ///
    /// ## Fix
    /// Read the variable `AZURE_FEDERATED_TOKEN_FILE`, which always names the right file. In a container's arguments
    /// `$(AZURE_FEDERATED_TOKEN_FILE)` does it. Writing down the other path only moves the fault to the next upgrade.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over.
    ///
    /// ## References
    /// - Azure/azure-workload-identity pull request 1720 (1.6.0); Azure/AKS issue 5541
    /// - prometheus/prometheus issue 18972, crossplane-contrib/provider-upjet-azure issue 1280
    TokenPathHardcoded {
        code: "WI110",
        name: "token-path-hardcoded",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook, Reads::Objects],
        fix: Some(FixKind::Manual),
    }
}

/// Where releases of the webhook have mounted the token, the longer ones first.
pub(super) const KNOWN: [&str; 3] =
    ["/var/run/secrets/azure/tokens", "/var/run/secrets/azure/wi", "/var/run/secrets/tokens/azure-identity-token"];

/// A path that was found, and where.
struct Written {
    object: ObjectRef,
    path: String,
    /// For a sentence: `the arguments of container app`.
    place: String,
    text: String,
    level: Level,
}

impl Rule for TokenPathHardcoded {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.needs_injection() {
            return;
        }
        let profile = chain.profile();
        // The version decides the path; the pod's name does in the release after 1.6.0.
        let right = profile.filter(|profile| !profile.mounted_after_pod).map(|profile| profile.mount_path);
        let mut told = BTreeSet::new();
        for written in written(chain, workload) {
            let fits = right.is_some_and(|right| is_below(&written.text, right));
            if fits || !told.insert((written.object.clone(), written.path.clone())) {
                continue;
            }
            let (level, follows) = match profile {
                Some(profile) if profile.mounted_after_pod => {
                    (written.level, "the installed webhook mounts the token at a path of each pod's own".to_owned())
                }
                Some(profile) => (written.level, format!("the installed webhook puts it below {}", profile.mount_path)),
                None => (Level::Warning, "the path differs between releases of the webhook".to_owned()),
            };
            let fix = Fix::manual(format!("use {} instead of any path", keys::ENV_TOKEN_FILE));
            let fix = if written.path.contains("/args/") || written.path.contains("/command/") {
                fix.command(format!("$({}) in the arguments", keys::ENV_TOKEN_FILE))
            } else {
                fix
            };
            report
                .add(
                    &written.object,
                    written.path,
                    format!("{} name the token file {}; {follows}", written.place, written.text),
                )
                .level(level)
                .fix(fix);
        }
    }
}

fn written(chain: &Chain<'_>, workload: &Workload) -> Vec<Written> {
    let mut found = Vec::new();
    for (list, index, container) in workload.template.spec.all_containers() {
        let need = need(&workload.template, list, container);
        if need != Need::Unlikely {
            let level = if need == Need::Certain { Level::Error } else { Level::Warning };
            in_container(chain, workload, (list, index, container), level, &mut found);
        }
    }
    in_config(chain, workload, &mut found);
    found
}

fn in_container(
    chain: &Chain<'_>,
    workload: &Workload,
    (list, index, container): (ContainerList, usize, &Container),
    level: Level,
    found: &mut Vec<Written>,
) {
    let mut look = |text: &str, below: String, place: &str| {
        let Some(path) = token_path(text).filter(|path| !is_mounted(container, path)) else { return };
        found.push(Written {
            object: workload.meta.object.clone(),
            path: chain.container_path(list, index, &below),
            place: format!("the {place} of container {}", container.name),
            text: path.to_owned(),
            level,
        });
    };
    for (at, text) in container.command.iter().enumerate() {
        look(text, format!("/command/{at}"), "words of the command");
    }
    for (at, text) in container.args.iter().enumerate() {
        look(text, format!("/args/{at}"), "arguments");
    }
    for (at, variable) in container.env.iter().enumerate() {
        // The variable itself is WI108's.
        if variable.name != keys::ENV_TOKEN_FILE {
            look(variable.literal().unwrap_or_default(), format!("/env/{at}"), "variables");
        }
    }
}

/// A `ConfigMap` may mention the path without using it, so that is a warning at most.
fn in_config(chain: &Chain<'_>, workload: &Workload, found: &mut Vec<Written>) {
    let spec = &workload.template.spec;
    let of_volumes = spec.volumes.iter().flat_map(|volume| {
        let projected = volume.projected.iter().flat_map(|projected| &projected.sources);
        volume.config_map.iter().chain(projected.filter_map(|source| source.config_map.as_ref()))
    });
    let names: BTreeSet<&str> = of_volumes.map(|config| config.name.as_str()).collect();
    for config in chain.inventory().others_of("ConfigMap") {
        if config.meta.namespace() != chain.namespace() || !names.contains(config.meta.name()) {
            continue;
        }
        let data = config.value.get("data").and_then(Value::as_object);
        for (key, text) in data.into_iter().flatten() {
            let Some(path) = text.as_str().and_then(token_path) else { continue };
            if spec.all_containers().any(|(_, _, container)| is_mounted(container, path)) {
                continue;
            }
            found.push(Written {
                object: config.meta.object.clone(),
                path: format!("/data/{}", crate::model::finding::pointer_token(key)),
                place: format!("the settings {key} in ConfigMap {}", config.meta.name()),
                text: path.to_owned(),
                level: Level::Warning,
            });
        }
    }
}

/// The first token path in a text.
fn token_path(text: &str) -> Option<&str> {
    let start = KNOWN.iter().filter_map(|known| text.find(known)).min()?;
    let rest = &text[start..];
    let end = rest.find(|c: char| c.is_whitespace() || "\"'`,;:)}]|&<>".contains(c)).unwrap_or(rest.len());
    Some(&rest[..end])
}

fn is_mounted(container: &Container, path: &str) -> bool {
    container.volume_mounts.iter().any(|mount| is_below(path, &mount.mount_path))
}
