//! Whether a workload is meant for workload identity, and how it takes its token.

use super::{Chain, Target, near};
use crate::apps::{self, Need};
use crate::model::inventory::RawObject;
use crate::model::pod::{PodSpec, PodTemplate};
use crate::model::workload::ServiceAccount;
use crate::webhook::keys;

/// Why a workload counts as meant for workload identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The pod template carries the label.
    Label,
    /// The pod template, or the workload around it, carries something that is nearly the label.
    NearLabel(String),
    /// The account carries the client id, or nearly.
    Account(String),
    /// Containers set `AZURE_CLIENT_ID` and no other credential.
    ClientIdVariable(String),
    /// Containers name a token file.
    TokenFileVariable(String),
    /// Containers ask a Terraform provider for workload identity.
    Terraform(String),
    /// A known application's setting asks for it.
    Application(String),
}

/// How a workload takes its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// The webhook puts it into the pod.
    Injected,
    /// The pod projects it itself.
    Projected,
    /// A CSI driver asks for it.
    Csi,
    /// A controller asks the API server for it.
    TokenRequest,
    /// Another credential was chosen on purpose.
    OtherCredential,
}

/// Judges one workload.
pub(super) fn reasons(chain: &Chain<'_>) -> Vec<Reason> {
    if let Target::Other(resource) = chain.target {
        return resource_reasons(chain, resource);
    }
    let Some(workload) = chain.peek_workload() else { return Vec::new() };
    let template = &workload.template;
    let mut reasons = Vec::new();
    match template.metadata.label(keys::USE_LABEL) {
        Some(keys::USE_LABEL_VALUE) => reasons.push(Reason::Label),
        // `"false"` is a decision against it, and not a misspelt `true`.
        None | Some("false") => {}
        Some(other) => reasons.push(Reason::NearLabel(format!("{}={other}", keys::USE_LABEL))),
    }
    let places =
        [&template.metadata.labels, &template.metadata.annotations, &workload.meta.labels, &workload.meta.annotations];
    for (at, map) in places.into_iter().enumerate() {
        for (key, value) in map.iter().flatten() {
            let exact = key == keys::USE_LABEL && at > 0 && !(workload.is_pod() && at == 2);
            if value != "false" && (near::is_nearly_use_label(key) || exact) {
                reasons.push(Reason::NearLabel(key.clone()));
            }
        }
    }
    if let Some(account) = chain.peek_account()
        && let Some(key) = identity_annotation(account)
        && (reasons.contains(&Reason::Label) || !chain.labelled_sibling_shares_account())
    {
        reasons.push(Reason::Account(key));
    }
    reasons.extend(variable_reasons(template));
    application_reasons(chain, &mut reasons);
    reasons
}

/// What the settings of known applications ask for, and which of their components ask for nothing.
fn application_reasons(chain: &Chain<'_>, reasons: &mut Vec<Reason>) {
    for part in chain.peek_applications() {
        match part.application.need(part) {
            Need::Asks(why) => reasons.extend(why.into_iter().map(Reason::Application)),
            // An account that it shares with what needs identity says nothing about it.
            Need::No => reasons.retain(|reason| !matches!(reason, Reason::Account(_))),
            Need::Unsaid => {}
        }
    }
}

/// What a custom resource that stands for itself asks for.
fn resource_reasons(chain: &Chain<'_>, resource: &RawObject) -> Vec<Reason> {
    match apps::of_resource(&resource.meta.object).map(|app| app.resource_need(resource, chain.inventory)) {
        Some(Need::Asks(why)) => why.into_iter().map(Reason::Application).collect(),
        _ => Vec::new(),
    }
}

/// The annotation, or near miss of it, that gives an account an identity.
pub(crate) fn identity_annotation(account: &ServiceAccount) -> Option<String> {
    let annotations = account.meta.annotations.iter().flatten();
    let labels = account.meta.labels.iter().flatten();
    annotations
        .chain(labels)
        .map(|(key, _)| key)
        .find(|key| *key == keys::CLIENT_ID || near::is_nearly_client_id(key))
        .cloned()
}

/// Variables that make an SDK take another credential than the token.
pub(crate) const OTHER_CREDENTIALS: &[&str] = &[
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "ARM_CLIENT_SECRET",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_ACCESS_KEY",
    "ARM_USE_MSI",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
];

fn variable_reasons(template: &PodTemplate) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (_, _, container) in template.spec.all_containers() {
        let set = |name: &str| container.variable(name).is_some_and(|v| v.literal() != Some(""));
        if set(keys::ENV_TOKEN_FILE) {
            reasons.push(Reason::TokenFileVariable(container.name.clone()));
        }
        if set(keys::ENV_CLIENT_ID) && !OTHER_CREDENTIALS.iter().any(|name| set(name)) && container.env_from.is_empty()
        {
            reasons.push(Reason::ClientIdVariable(container.name.clone()));
        }
        let asks = |name: &str| {
            container.variable(name).and_then(|v| v.literal()).is_some_and(|v| v.eq_ignore_ascii_case("true"))
        };
        if asks("ARM_USE_OIDC") || asks("ARM_USE_AKS_WORKLOAD_IDENTITY") {
            reasons.push(Reason::Terraform(container.name.clone()));
        }
    }
    reasons
}

/// How the pods of a specification take their token, as far as the specification alone tells.
pub(super) fn token_source(template: &PodTemplate) -> TokenSource {
    if template.metadata.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE) {
        return TokenSource::Injected;
    }
    if projects_own_token(&template.spec) { TokenSource::Projected } else { TokenSource::Injected }
}

/// Whether the pod has a token volume for Azure of its own making, and a container that is told of it.
pub(crate) fn projects_own_token(spec: &PodSpec) -> bool {
    let volumes: Vec<&str> = spec
        .volumes
        .iter()
        .filter(|volume| {
            let sources = volume.projected.iter().flat_map(|projected| &projected.sources);
            sources
                .filter_map(|source| source.service_account_token.as_ref()?.audience.as_deref())
                .any(|audience| audience.starts_with("api://AzureAD") || audience == keys::DEFAULT_AUDIENCE)
        })
        .map(|volume| volume.name.as_str())
        .collect();
    spec.all_containers()
        .any(|(_, _, container)| container.volume_mounts.iter().any(|mount| volumes.contains(&mount.name.as_str())))
}
