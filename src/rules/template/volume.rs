//! Token volumes that a person wrote.

use crate::chain::Chain;
use crate::chain::environment::Setting;
use crate::chain::meant::{is_azure_audience, is_below};
use crate::model::finding::{Fix, FixKind, Level, Link, Operation};
use crate::model::pod::{Container, ContainerList, TokenProjection, VolumeMount};
use crate::model::workload::Workload;
use crate::rules::edit::template_fix;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::injection::Placement;
use crate::webhook::{AccountView, Injection, Naming, WebhookSettings, injection, keys};
use serde_json::json;

rule! {
    /// ## What it does
    /// Finds a hand-written `serviceAccountToken` projection that cannot serve: with the wrong audience, in the way of
    /// the volume that the webhook injects, mounted by `subPath`, or in another file than the variable names.
    ///
    /// ## Why it breaks
    /// Entra takes a token only for the audience that the federated identity credential names, by default
    /// `api://AzureADTokenExchange`; without an audience the token is one for the Kubernetes API (`AADSTS700212`). Two
    /// mounts at one path, or a mount of a volume that is not there, make the pod invalid: up to webhook 1.5.1 a token
    /// of the path `azure-identity-token` in a volume of another name does that. A `subPath` mount is never refreshed,
    /// so the token expires after an hour (`AADSTS700024`).
    ///
    /// ## How it is known
    /// From the volumes and mounts of the pod template, and from what the installed webhook would add to them. Where
    /// its version is not known, a collision is a warning that names the releases. Token volumes for somebody else,
    /// such as Vault, are left alone.
    ///
    /// ## Fix
    /// Leave the volume to the webhook: remove it together with its mounts. A pod without the label may keep its own,
    /// with the right audience and mounted as a directory.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over.
    ///
    /// ## References
    /// - Kubernetes, "Projected volumes" and "Volumes", `subPath`
    /// - Azure/azure-workload-identity, `pkg/webhook/webhook.go`, `addProjectedVolume`
    ManualTokenVolume {
        code: "WI114",
        name: "manual-token-volume",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook, Reads::Objects],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for ManualTokenVolume {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.is_meant() || workload.is_from_pod() {
            return;
        }
        for (volume, source, token) in projections(workload) {
            let used = mounts(workload, volume);
            let at = At { volume, source, token };
            audience(chain, workload, at, &used, report);
            sub_path(chain, workload, at, &used, report);
            other_file(chain, workload, at, &used, report);
        }
        if chain.needs_injection() {
            collision(chain, workload, report);
        }
    }
}

/// A projection: which volume, which source of it.
#[derive(Clone, Copy)]
struct At<'a> {
    volume: usize,
    source: usize,
    token: &'a TokenProjection,
}

impl At<'_> {
    fn path(self, chain: &Chain<'_>, below: &str) -> String {
        let Self { volume, source, .. } = self;
        chain.template_path(&format!("/spec/volumes/{volume}/projected/sources/{source}/serviceAccountToken{below}"))
    }
}

/// A mount of a volume, and whether its container takes its token from there.
struct Mounted<'a> {
    list: ContainerList,
    index: usize,
    at: usize,
    container: &'a Container,
    mount: &'a VolumeMount,
}

impl Mounted<'_> {
    /// What the container's variable says, where it names a file in this mount.
    fn token_file(&self, chain: &Chain<'_>) -> Option<String> {
        let Setting::Known(value) = chain.explicit(self.container, keys::ENV_TOKEN_FILE) else { return None };
        let text = value.shown()?.to_owned();
        is_below(&text, &self.mount.mount_path).then_some(text)
    }
}

fn projections(workload: &Workload) -> impl Iterator<Item = (usize, usize, &TokenProjection)> {
    workload.template.spec.volumes.iter().enumerate().flat_map(|(at, volume)| {
        let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().enumerate());
        sources.filter_map(move |(source, projection)| Some((at, source, projection.service_account_token.as_ref()?)))
    })
}

fn mounts(workload: &Workload, volume: usize) -> Vec<Mounted<'_>> {
    let spec = &workload.template.spec;
    let Some(name) = spec.volumes.get(volume).map(|volume| volume.name.as_str()) else { return Vec::new() };
    let all = spec.all_containers().flat_map(|(list, index, container)| {
        let mounts = container.volume_mounts.iter().enumerate();
        mounts.map(move |(at, mount)| Mounted { list, index, at, container, mount })
    });
    all.filter(|mounted| mounted.mount.name == name).collect()
}

/// Whether a token is one for Azure, or was meant to be one: by its audience, its file's name, or a variable.
fn is_for_azure(chain: &Chain<'_>, token: &TokenProjection, used: &[Mounted<'_>]) -> bool {
    let audience = token.audience.as_deref().unwrap_or_default();
    is_azure_audience(audience)
        || resembles(audience)
        || token.path.contains(keys::TOKEN_NAME)
        || used.iter().any(|mounted| mounted.token_file(chain).is_some())
}

/// An audience that was meant to be Azure's: another case, a slash too many, the scheme forgotten.
fn resembles(audience: &str) -> bool {
    let letters: String =
        audience.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    letters.contains("azureadtokenexchange") || letters.contains("azureadtoken") || letters.contains("sts.windows")
}

fn audience(chain: &Chain<'_>, workload: &Workload, at: At<'_>, used: &[Mounted<'_>], report: &mut Report<'_>) {
    let audience = at.token.audience.as_deref().unwrap_or_default();
    let webhook = chain.webhook();
    let settings = webhook.known().map(|webhook| &webhook.settings);
    let of_webhook = settings.is_some_and(|settings| {
        settings.audience == audience
            || settings.custom_endpoint.as_ref().is_some_and(|endpoint| endpoint.audience == audience)
    });
    let fine = [
        keys::DEFAULT_AUDIENCE,
        "api://AzureADTokenExchangeUSGov",
        "api://AzureADTokenExchangeChina",
        "api://AKSIdentityBinding",
    ];
    if fine.contains(&audience) || of_webhook || !is_for_azure(chain, at.token, used) {
        return;
    }
    let taken = used.iter().any(|mounted| mounted.token_file(chain).is_some());
    let (level, said) = if audience.is_empty() {
        let level = if taken { Level::Error } else { Level::Warning };
        (level, "has no audience, so it is one for the Kubernetes API".to_owned())
    } else if resembles(audience) {
        (if taken { Level::Error } else { Level::Warning }, format!("is for the audience {audience}"))
    } else {
        (Level::Warning, format!("is for the audience {audience}"))
    };
    let path = at.path(chain, if audience.is_empty() { "" } else { "/audience" });
    let patch = vec![Operation::Add { path: at.path(chain, "/audience"), value: json!(keys::DEFAULT_AUDIENCE) }];
    let volume = &workload.template.spec.volumes[at.volume].name;
    report
        .add(
            &workload.meta.object,
            path,
            format!(
                "the token in volume {volume} {said}; Entra takes it only where the federated credential names that \
                 audience, by default {}",
                keys::DEFAULT_AUDIENCE
            ),
        )
        .level(level)
        .fix(template_fix(workload, format!("project it for {}", keys::DEFAULT_AUDIENCE), patch));
}

fn sub_path(chain: &Chain<'_>, workload: &Workload, at: At<'_>, used: &[Mounted<'_>], report: &mut Report<'_>) {
    if !is_for_azure(chain, at.token, used) {
        return;
    }
    for mounted in used {
        let Mounted { list, index, at: mount_at, container, mount } = mounted;
        if mount.sub_path.is_none() && mount.sub_path_expr.is_none() {
            continue;
        }
        let field = if mount.sub_path.is_some() { "subPath" } else { "subPathExpr" };
        report
            .add(
                &workload.meta.object,
                chain.container_path(*list, *index, &format!("/volumeMounts/{mount_at}/{field}")),
                format!(
                    "container {} mounts the token in volume {} by {field}; such a mount is never refreshed, and the \
                     token expires",
                    container.name, mount.name
                ),
            )
            .level(if mounted.token_file(chain).is_some() { Level::Error } else { Level::Warning })
            .fix(Fix::manual("mount the volume as a directory, without subPath"));
    }
}

/// The variable names a file in the mount that the volume does not have.
fn other_file(chain: &Chain<'_>, workload: &Workload, at: At<'_>, used: &[Mounted<'_>], report: &mut Report<'_>) {
    let volume = &workload.template.spec.volumes[at.volume];
    let tokens: Vec<&str> = volume
        .projected
        .iter()
        .flat_map(|projected| &projected.sources)
        .filter_map(|source| source.service_account_token.as_ref())
        .map(|token| token.path.as_str())
        .collect();
    // The first token of a volume speaks for all of them.
    if tokens.first() != Some(&at.token.path.as_str()) {
        return;
    }
    for mounted in
        used.iter().filter(|mounted| mounted.mount.sub_path.is_none() && mounted.mount.sub_path_expr.is_none())
    {
        let Some(file) = mounted.token_file(chain) else { continue };
        let directory = mounted.mount.mount_path.trim_end_matches('/');
        if tokens.iter().any(|token| file == format!("{directory}/{token}")) {
            continue;
        }
        let Setting::Known(value) = chain.explicit(mounted.container, keys::ENV_TOKEN_FILE) else { continue };
        let right = format!("{directory}/{}", at.token.path);
        let path = chain.container_path(mounted.list, mounted.index, &format!("{}/value", value.place.path));
        let patch = vec![Operation::Replace { path: path.clone(), value: json!(right) }];
        report
            .add(
                &workload.meta.object,
                path,
                format!(
                    "container {} sets {} to {file}, and volume {} has the token at {right}; there is no such file",
                    mounted.container.name,
                    keys::ENV_TOKEN_FILE,
                    volume.name
                ),
            )
            .fix(template_fix(workload, format!("set it to {right}"), patch));
    }
}

/// What the webhook adds does not go together with what is there.
fn collision(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    let known = chain.profile().is_some();
    let candidates: Vec<WebhookSettings> = match chain.webhook().known() {
        Some(webhook) if known => vec![webhook.settings.clone()],
        _ => ["1.6.0", "1.5.1"].iter().filter_map(|v| Some(WebhookSettings::new(v.parse().ok()?))).collect(),
    };
    let account = AccountView { name: chain.account_name(), labels: None, annotations: None };
    for settings in candidates {
        let Ok(injection) = injection(&workload.template, Naming::Unknown, Some(account), &settings) else { continue };
        let Some((path, why)) = clash(chain, workload, &injection) else { continue };
        let follows = match (known, settings.profile().named_after_pod) {
            (true, _) => format!("the API server refuses the pods that webhook {} makes of it", settings.version()),
            (false, true) => "from webhook 1.6.0 on the API server refuses such pods".to_owned(),
            (false, false) => "up to webhook 1.5.1 the API server refuses such pods".to_owned(),
        };
        report
            .add(&workload.meta.object, path, format!("{why}; {follows}"))
            .level(if known { Level::Error } else { Level::Warning })
            .fix(Fix::new(FixKind::Manual, "remove the hand-written volume and its mounts: the webhook makes them"));
        return;
    }
}

fn clash(chain: &Chain<'_>, workload: &Workload, injection: &Injection) -> Option<(String, String)> {
    let spec = &workload.template.spec;
    let name = &injection.volume.name;
    let same_name = spec.volumes.iter().position(|volume| volume.name == *name);
    let mounts = injection.containers.iter().any(|container| container.mount != Placement::Kept);
    match (injection.volume.placement, same_name) {
        (Placement::Appended, Some(at)) => {
            let why = format!("the volume {name} has the name of the token volume");
            return Some((chain.template_path(&format!("/spec/volumes/{at}/name")), why));
        }
        (Placement::Kept, None) if mounts => {
            let at = spec.volumes.iter().position(|volume| {
                let sources = volume.projected.iter().flat_map(|projected| &projected.sources);
                sources.filter_map(|source| source.service_account_token.as_ref()).any(|t| t.path == keys::TOKEN_NAME)
            })?;
            let why = format!(
                "volume {} has a token at the path {}, so the webhook adds no volume {name} and yet mounts it",
                spec.volumes[at].name,
                keys::TOKEN_NAME
            );
            return Some((chain.template_path(&format!("/spec/volumes/{at}/name")), why));
        }
        _ => {}
    }
    for added in injection.containers.iter().filter(|container| container.mount == Placement::Appended) {
        let list = match added.list {
            ContainerList::Init => &spec.init_containers,
            ContainerList::Main => &spec.containers,
        };
        let Some(container) = list.get(added.index) else { continue };
        let path = injection.volume.mount_path.as_str();
        let there = container.volume_mounts.iter().position(|mount| mount.mount_path.trim_end_matches('/') == path);
        if let Some(at) = there {
            let why = format!("container {} mounts something at {path}, where the token goes", container.name);
            let below = format!("/volumeMounts/{at}/mountPath");
            return Some((chain.container_path(added.list, added.index, &below), why));
        }
    }
    None
}
