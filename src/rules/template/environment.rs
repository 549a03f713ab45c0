//! Variables that a container sets itself, and that the webhook therefore leaves alone.

use crate::chain::environment::{Setting, Value};
use crate::chain::meant::{is_below, own_token};
use crate::chain::{Chain, near};
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::model::pod::{Container, ContainerList};
use crate::model::workload::Workload;
use crate::rules::account::client_id::Flaw;
use crate::rules::account::tenant::is_domain;
use crate::rules::edit::{arguments, template_fix_by};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds a container that sets `AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_FEDERATED_TOKEN_FILE` or
    /// `AZURE_AUTHORITY_HOST` itself, to something else than the webhook would inject, or to nothing.
    ///
    /// ## Why it breaks
    /// The webhook adds a variable only where the container has none of that name; one that is there stays, also an
    /// empty one. The container then asks for another identity, in another tenant, with a token file that is not
    /// there, and the annotation on the account looks right all the while.
    ///
    /// ## How it is known
    /// From `env` in the pod template, never from what the webhook put into a running pod; values of a ConfigMap or
    /// Secret count where the object was read, those of a Secret are compared and never shown. They are held against
    /// what the webhook would inject: the account's annotations and the webhook's own settings. `envFrom` is not
    /// looked at: the injected variables win over it. A client id in good form that differs from the annotation is a
    /// warning, because a pod may use several identities; a valid tenant alone is only told (cross-tenant).
    ///
    /// ## Fix
    /// Remove the variable, and let the webhook set it.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over. The container then asks for the identity that the account names.
    ///
    /// ## References
    /// - Azure/azure-workload-identity, `pkg/webhook/webhook.go`, `addEnvironmentVariables`
    /// - Microsoft Learn, "Use Microsoft Entra Workload ID with AKS", cross-tenant
    EnvOverride {
        code: "WI108",
        name: "env-override",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook, Reads::Objects],
        fix: Some(FixKind::Restart),
    }
}

/// What is wrong with a variable.
struct Fault {
    level: Level,
    /// What follows from it.
    follows: String,
    /// What would be injected.
    instead: Option<String>,
}

impl Fault {
    fn new(level: Level, follows: impl Into<String>, instead: Option<&str>) -> Option<Self> {
        Some(Self { level, follows: follows.into(), instead: instead.map(str::to_owned) })
    }
}

impl Rule for EnvOverride {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        // In a pod that exists the webhook's own variables stand beside the container's.
        if !chain.needs_injection() || workload.is_from_pod() {
            return;
        }
        let skipped = workload.template.metadata.annotation(keys::SKIP_CONTAINERS).unwrap_or_default();
        for (list, index, container) in workload.template.spec.all_containers() {
            if skipped.split(';').any(|name| name.trim() == container.name) {
                continue;
            }
            for (name, judge) in JUDGES {
                let Setting::Known(value) = chain.explicit(container, name) else { continue };
                let Some(fault) = judge(chain, workload, container, &value) else { continue };
                add(chain, workload, (list, index, container), name, &value, fault, report);
            }
        }
    }
}

type Judge = fn(&Chain<'_>, &Workload, &Container, &Value) -> Option<Fault>;

const JUDGES: [(&str, Judge); 4] = [
    (keys::ENV_CLIENT_ID, client_id),
    (keys::ENV_TENANT_ID, tenant_id),
    (keys::ENV_TOKEN_FILE, token_file),
    (keys::ENV_AUTHORITY_HOST, authority_host),
];

fn add(
    chain: &Chain<'_>,
    workload: &Workload,
    (list, index, container): (ContainerList, usize, &Container),
    name: &str,
    value: &Value,
    fault: Fault,
    report: &mut Report<'_>,
) {
    let path = chain.container_path(list, index, &value.place.path);
    let set = if value.is_empty() { "to nothing".to_owned() } else { format!("to {}", value.said()) };
    let command = format!("kubectl set env {} -c {} {name}-", arguments(&workload.meta.object), container.name);
    let draft = report
        .add(
            &workload.meta.object,
            path.clone(),
            format!("container {} sets {name} itself, {set}; {}", container.name, fault.follows),
        )
        .level(fault.level)
        .evidence_all(fault.instead.map(|instead| format!("the webhook would set {instead}")));
    match fault.level {
        Level::Error => {
            let patch = vec![Operation::Remove { path }];
            let change = Change { object: workload.meta.object.clone(), patch };
            let summary = format!("let the webhook set {name} in {}", container.name);
            draft.fix(template_fix_by(workload, summary, &command, change));
        }
        // It may be meant so: nothing that is applied without a person's say.
        Level::Warning => {
            draft.fix(Fix::manual(format!("let the webhook set {name}, unless it is meant so")).command(command));
        }
        Level::Info => {}
    }
}

fn client_id(chain: &Chain<'_>, _: &Workload, _: &Container, value: &Value) -> Option<Fault> {
    let annotated = chain.account().known().and_then(|account| account.meta.annotation(keys::CLIENT_ID));
    let annotated = annotated.filter(|id| Flaw::of(id).is_none());
    if value.is_empty() {
        return Fault::new(
            Level::Error,
            "the webhook leaves it alone, and the SDK has no client id to ask for",
            annotated,
        );
    }
    if value.is(|text| Flaw::of(text).is_some()) {
        return Fault::new(
            Level::Error,
            "that is no client id, and Entra does not find such an application",
            annotated,
        );
    }
    let annotated = annotated?;
    if value.is(|text| text.eq_ignore_ascii_case(annotated)) {
        return None;
    }
    let follows = "it asks for another identity than the one on its service account";
    Fault::new(Level::Warning, follows, Some(annotated))
}

fn tenant_id(chain: &Chain<'_>, _: &Workload, _: &Container, value: &Value) -> Option<Fault> {
    let of_account = chain.account().known().and_then(|account| account.meta.annotation(keys::TENANT_ID));
    let injected = match of_account {
        Some(tenant) => Some(tenant),
        None => chain.webhook().known().and_then(|webhook| webhook.settings.tenant_id.as_deref()),
    };
    let injected = injected.filter(|tenant| near::is_guid(tenant));
    if value.is_empty() {
        return Fault::new(Level::Error, "the webhook leaves it alone, and the SDK has no tenant to ask", injected);
    }
    if value.is(|text| Flaw::of(text).is_some() && !is_domain(text)) {
        return Fault::new(Level::Error, "that is no tenant, and Entra does not find it", injected);
    }
    let injected = injected?;
    if value.is(|text| text.eq_ignore_ascii_case(injected) || is_domain(text)) {
        return None;
    }
    Fault::new(Level::Info, "it asks for its identity in another tenant (cross-tenant)", Some(injected))
}

fn token_file(chain: &Chain<'_>, workload: &Workload, container: &Container, value: &Value) -> Option<Fault> {
    let profile = chain.profile();
    let injected = match chain.injection() {
        Some(Ok(injection)) if profile.is_some() => Some(injection.token.file),
        _ => None,
    };
    if value.is_empty() {
        let follows = "the webhook leaves it alone, and the SDK has no token to present";
        return Fault::new(Level::Error, follows, injected.as_deref());
    }
    // A volume of the pod's own is judged with that volume.
    let mounted = |text: &str| container.volume_mounts.iter().any(|mount| is_below(text, &mount.mount_path));
    if value.is(mounted) || own_token(&workload.template.spec).is_some() {
        return None;
    }
    let known = value.is(|text| super::token_path::KNOWN.iter().any(|path| text.starts_with(path)));
    match (injected, profile) {
        (Some(path), _) if value.is(|text| text == path) => None,
        (Some(path), Some(profile)) if profile.mounted_after_pod => {
            Fault::new(Level::Error, "the webhook mounts the token at a path of each pod's own", Some(&path))
        }
        (Some(path), _) => {
            Fault::new(Level::Error, "the webhook mounts the token elsewhere, so no such file is there", Some(&path))
        }
        (None, _) if known => Fault::new(
            Level::Warning,
            "the path differs between releases of the webhook, and works with some of them only",
            None,
        ),
        (None, _) => Fault::new(
            Level::Error,
            "no release of the webhook puts a token there, and no volume is mounted there",
            None,
        ),
    }
}

fn authority_host(chain: &Chain<'_>, _: &Workload, _: &Container, value: &Value) -> Option<Fault> {
    let injected = chain.webhook().known().and_then(|webhook| webhook.settings.authority_host.as_deref());
    if value.is_empty() {
        let follows = "the webhook leaves it alone; most SDKs take the public cloud then, some give up";
        return Fault::new(Level::Warning, follows, injected);
    }
    if value.is(|text| !text.starts_with("https://")) {
        return Fault::new(Level::Error, "SDKs refuse an authority that is not https", injected);
    }
    let injected = injected?;
    let same = |text: &str| bare(text) == bare(injected);
    // China's authority has two names, and newer libraries take only the second.
    let partner = |text: &str| {
        bare(text) == "https://login.partner.microsoftonline.cn" && bare(injected) == "https://login.chinacloudapi.cn"
    };
    if value.is(|text| same(text) || partner(text)) {
        return None;
    }
    Fault::new(Level::Warning, "it asks the authority of another cloud than the webhook is set for", Some(injected))
}

fn bare(address: &str) -> String {
    address.trim_end_matches('/').to_lowercase()
}
