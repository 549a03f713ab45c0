//! Containers that the webhook leaves alone.

use crate::chain::containers::{Need, is_bystander, need};
use crate::chain::running::is_mutated;
use crate::chain::{Chain, annotation_path};
use crate::model::finding::{Ask, Fix, FixKind, Level, Link, Operation};
use crate::model::inventory::RawObject;
use crate::model::pod::Container;
use crate::model::workload::{Pod, Workload};
use crate::rules::edit::{and, arguments, restart_command, template_fix};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::Value;
use std::collections::BTreeMap;

rule! {
    /// ## What it does
    /// Finds containers that get no identity although their pod does: `azure.workload.identity/skip-containers` names
    /// the container that needs it, names no container at all, or separates the names with commas; or another webhook
    /// has added the container after the identity webhook was called.
    ///
    /// ## Why it breaks
    /// The webhook splits the list at `;`, trims the names, and leaves these containers without variables and without
    /// the token volume. With commas the whole list is one name that no container has, so nothing is skipped.
    ///
    /// ## How it is known
    /// From the annotation and the containers of the pod template. A container certainly needs identity when it is the
    /// only one that is no known sidecar, or when it sets variables that only an Azure SDK reads. A container that was
    /// added later is seen in the running pod: its siblings have the token, and it has not. Dapr's `daprd` needs one
    /// where a Component of an Azure type brings no credential of its own.
    ///
    /// ## Fix
    /// Take the name off the list, or separate the names with `;`. For a container that was added later: restart the
    /// pods once (the identity webhook is called again when others change the pod), else have the other webhook called
    /// first.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over.
    ///
    /// ## References
    /// - Azure Workload Identity, "Labels and annotations"; `pkg/webhook/webhook.go`, `getSkipContainers`
    ContainerSkipped {
        code: "WI107",
        name: "container-skipped",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Pods, Reads::Objects],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for ContainerSkipped {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.needs_injection() {
            return;
        }
        if let Some(list) = workload.template.metadata.annotation(keys::SKIP_CONTAINERS) {
            skip_list(chain, workload, list, report);
        }
        added_later(chain, workload, report);
    }
}

fn skip_list(chain: &Chain<'_>, workload: &Workload, list: &str, report: &mut Report<'_>) {
    let path = chain.template_path(&annotation_path(keys::SKIP_CONTAINERS));
    let template = &workload.template;
    let exists = |name: &str| {
        let running = || chain.pods().known().is_some_and(|pods| pods.iter().any(|pod| has_container(pod, name)));
        template.spec.all_containers().any(|(_, _, container)| container.name == name) || running()
    };
    let names: Vec<&str> = list.split(';').map(str::trim).filter(|name| !name.is_empty()).collect();
    let with_comma = names.iter().any(|name| name.contains(','));
    let set = |value: String| {
        let path = path.clone();
        if value.is_empty() { Operation::Remove { path } } else { Operation::Replace { path, value: value.into() } }
    };
    if with_comma {
        let better: Vec<&str> = list.split([';', ',']).map(str::trim).filter(|name| !name.is_empty()).collect();
        // To do what was meant would take from a container what it certainly needs.
        let taken = |name: &str| better.contains(&name);
        let needed =
            template.spec.all_containers().any(|(at, _, c)| taken(&c.name) && need(template, at, c) == Need::Certain)
                || !template.spec.containers.iter().any(|c| !taken(&c.name) && !is_bystander(c));
        let fix = if needed {
            which(workload, "separate the names with ;, without the containers that need identity")
        } else {
            template_fix(workload, "separate the names with ;", vec![set(better.join(";"))])
        };
        report
            .add(
                &workload.meta.object,
                path.clone(),
                format!("skip-containers separates the names in {list:?} with commas; the webhook splits at ; alone and skips none of them"),
            )
            .level(Level::Warning)
            .fix(fix);
        return;
    }
    let needed: Vec<(&str, Need)> = template
        .spec
        .all_containers()
        .filter(|(_, _, container)| names.contains(&container.name.as_str()) && !brings_token(chain, container))
        .map(|(at, _, container)| (container.name.as_str(), need(template, at, container)))
        .filter(|(_, need)| *need != Need::Unlikely)
        .collect();
    let left = template.spec.containers.iter().any(|c| !names.contains(&c.name.as_str()) && !is_bystander(c));
    let certain: Vec<&str> = needed.iter().filter(|(_, need)| *need == Need::Certain).map(|(name, _)| *name).collect();
    let guessed = certain.is_empty();
    let skipped = if guessed && !left { needed.iter().map(|(name, _)| *name).collect() } else { certain };
    if !skipped.is_empty() {
        let rest: Vec<&str> = names.iter().copied().filter(|name| !skipped.contains(name)).collect();
        let (what, verb) = if skipped.len() == 1 { ("container", "needs") } else { ("containers", "need") };
        let fix = if skipped.len() > 1 && skipped.len() == needed.len() && guessed {
            which(workload, &format!("take off the list which of {} need identity", and(&skipped)))
        } else {
            template_fix(workload, format!("take {} off the list", and(&skipped)), vec![set(rest.join(";"))])
        };
        report
            .add(
                &workload.meta.object,
                path.clone(),
                format!(
                    "skip-containers names {}, which {verb} identity; the webhook leaves the {what} without variables \
                     and token",
                    and(&skipped)
                ),
            )
            .fix(fix);
        return;
    }
    // Sidecars that other webhooks add are not in the template.
    let absent: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !exists(name))
        .filter(|name| !is_bystander(&Container { name: (*name).to_owned(), ..Container::default() }))
        .filter(|name| !name.starts_with("azwi-proxy"))
        .collect();
    if !absent.is_empty() {
        let containers: Vec<&str> = template.spec.all_containers().map(|(_, _, c)| c.name.as_str()).collect();
        report
            .add(
                &workload.meta.object,
                path.clone(),
                format!(
                    "skip-containers names {}, and no container is called so; nothing is skipped by it",
                    and(&absent)
                ),
            )
            .level(Level::Warning)
            .evidence(format!("containers: {}", containers.join(", ")))
            .fix(template_fix(
                workload,
                format!("take {} off the list", and(&absent)),
                vec![set(names.iter().copied().filter(|name| !absent.contains(name)).collect::<Vec<_>>().join(";"))],
            ));
    }
}

/// A fix that only a person can complete: identity is not given to a container that nobody named.
fn which(workload: &Workload, summary: &str) -> Fix {
    let object = &workload.meta.object;
    if !workload.is_built_in() {
        return Fix::manual(format!("{summary}, where {object} says what its pods look like"));
    }
    Fix::new(FixKind::Restart, summary)
        .command(format!("kubectl wi fix {} --only WI107 --container NAME", arguments(object)))
        .ask(Ask::Containers(object.clone()))
}

fn has_container(pod: &Pod, name: &str) -> bool {
    pod.spec.all_containers().any(|(_, _, container)| container.name == name)
}

/// Whether a container has a token file of its own.
fn brings_token(chain: &Chain<'_>, container: &Container) -> bool {
    chain.setting(container, keys::ENV_TOKEN_FILE).may_be_set()
}

/// Containers of running pods that the template does not have, and that lack what their siblings got.
fn added_later(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    if workload.is_from_pod() {
        return;
    }
    let pods = chain.pods();
    let skipped = workload.template.metadata.annotation(keys::SKIP_CONTAINERS).unwrap_or_default();
    let mut found: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in pods.known().into_iter().flat_map(|pods| pods.iter()).filter(|pod| is_mutated(&pod.spec)) {
        for (_, _, container) in pod.spec.all_containers() {
            let of_template = workload.template.spec.all_containers().any(|(_, _, own)| own.name == container.name);
            let listed = skipped.split(';').any(|name| name.trim() == container.name);
            if !of_template
                && !listed
                && container.variable(keys::ENV_TOKEN_FILE).is_none()
                && talks_to_azure(chain, container)
            {
                found.entry(&container.name).or_default().push(pod);
            }
        }
    }
    for (name, pods) in found {
        let mut fix = Fix::new(
            FixKind::Restart,
            "restart the pods: the identity webhook is called again when another changes them",
        );
        fix.commands.extend(restart_command(&workload.meta.object));
        report
            .add(
                &workload.meta.object,
                chain.template_path("/spec/containers"),
                format!(
                    "container {name}, which another webhook adds, has no token while its siblings have one; it asks \
                     for another credential"
                ),
            )
            .link(Link::Pod)
            .evidence(format!("pod {}", pods[0].meta.name()))
            .fix(fix);
    }
}

fn talks_to_azure(chain: &Chain<'_>, container: &Container) -> bool {
    if is_bystander(container) {
        return false;
    }
    if container.name != "daprd" {
        return container.env.iter().any(|variable| variable.name.starts_with("AZURE_"));
    }
    chain
        .inventory()
        .others_of("Component")
        .filter(|component| component.meta.namespace() == chain.namespace())
        .any(wants_identity)
}

/// Whether a Dapr component of an Azure type brings no credential of its own.
fn wants_identity(component: &RawObject) -> bool {
    let text = |pointer: &str| component.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let entries = component.value.pointer("/spec/metadata").and_then(Value::as_array);
    let names = entries.into_iter().flatten().filter_map(|entry| entry.get("name").and_then(Value::as_str));
    let secrets = ["accountKey", "connectionString", "azureClientSecret", "azureCertificate", "masterKey", "sasToken"];
    text("/apiVersion").starts_with("dapr.io/")
        && text("/spec/type").contains("azure")
        && !names.into_iter().any(|name| secrets.iter().any(|secret| name.eq_ignore_ascii_case(secret)))
}
