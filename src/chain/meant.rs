//! Whether a workload is meant for workload identity, and how it takes its token.

use super::containers::is_supporting;
use super::environment::{Setting, setting};
use super::{Chain, Target, custom, near};
use crate::apps::{self, Need};
use crate::model::StringMap;
use crate::model::fact::Fact;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::pod::{Container, PodSpec, PodTemplate, TemplateMeta};
use crate::model::workload::{ServiceAccount, Workload};
use crate::webhook::{Trigger, keys};

/// Why a workload counts as meant for workload identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The pod template carries the label.
    Label,
    /// The pod template, or the workload around it, carries something that is nearly the label.
    NearLabel(String),
    /// The account carries the client id, or nearly.
    Account(String),
    /// The workload itself carries what belongs on the account; the key.
    StrayClientId(String),
    /// Containers set `AZURE_CLIENT_ID` and no other credential.
    ClientIdVariable(String),
    /// Containers name a token file.
    TokenFileVariable(String),
    /// Containers ask a Terraform provider for workload identity.
    Terraform(String),
    /// The pod projects a token for Azure itself; the volume.
    OwnToken(String),
    /// A `SecretProviderClass` with a client id is mounted; its name.
    SecretProviderClass(String),
    /// A custom resource names an annotated account; the resource.
    CustomResource(String),
    /// A known application's setting asks for it.
    Application(String),
    /// It is meant for identity as the cluster is, and files that are to be applied take away what said so.
    Formerly,
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

/// Judges one target.
pub(super) fn reasons(chain: &Chain<'_>) -> Vec<Reason> {
    match chain.target {
        Target::Workload(workload) => of_workload(chain, workload),
        Target::Account(account) => identity_annotation(account).map(Reason::Account).into_iter().collect(),
        Target::Other(other) => resource_reasons(chain, other),
    }
}

fn of_workload(chain: &Chain<'_>, workload: &Workload) -> Vec<Reason> {
    let mut reasons = label_reasons(workload);
    let declined = workload.template.metadata.label(keys::USE_LABEL).is_some_and(declines);
    if let Some(account) = chain.peek_account()
        && !declined
        && (reasons.contains(&Reason::Label) || speaks_for(chain, workload, account))
    {
        reasons.extend(identity_annotation(account).map(Reason::Account));
        if account.meta.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE) {
            reasons.push(Reason::NearLabel(format!("{} on the service account", keys::USE_LABEL)));
        }
    }
    reasons.extend(stray_client_id(workload).map(Reason::StrayClientId));
    for (_, _, container) in workload.template.spec.all_containers() {
        reasons.extend(variable_reasons(&chain.environment(container), container));
    }
    reasons.extend(own_token(&workload.template.spec).map(|volume| Reason::OwnToken(volume.to_owned())));
    reasons.extend(mounted_class(chain, workload).map(Reason::SecretProviderClass));
    let owner = workload.meta.controller();
    if let Some(owner) = owner
        && let Fact::Known(owner) = chain.inventory.other(&owner.kind, Some(chain.namespace()), &owner.name)
    {
        reasons.extend(of_custom_resource(chain, owner).map(Reason::CustomResource));
    }
    application_reasons(chain, &mut reasons);
    if reasons.is_empty() && chain.formerly && !declined && !has_other_credential(chain, workload) {
        reasons.push(Reason::Formerly);
    }
    reasons
}

fn has_other_credential(chain: &Chain<'_>, workload: &Workload) -> bool {
    let mut containers = workload.template.spec.all_containers();
    containers.any(|(_, _, container)| chain.environment(container).has_other_credential())
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

/// What a custom resource that stands for itself asks for: a known one by its settings, any other by the account that
/// it names.
fn resource_reasons(chain: &Chain<'_>, resource: &RawObject) -> Vec<Reason> {
    match apps::of_resource(&resource.meta.object) {
        Some(app) => match app.resource_need(resource, chain.inventory) {
            Need::Asks(why) => why.into_iter().map(Reason::Application).collect(),
            Need::No | Need::Unsaid => Vec::new(),
        },
        None => of_custom_resource(chain, resource).map(Reason::CustomResource).into_iter().collect(),
    }
}

/// Whether a label's value says no: that is a decision, and no misspelt `true`.
pub(crate) fn declines(value: &str) -> bool {
    ["false", "no", "off", "0", "disabled"].iter().any(|no| value.eq_ignore_ascii_case(no))
}

fn label_reasons(workload: &Workload) -> Vec<Reason> {
    let template = &workload.template.metadata;
    let mut reasons = Vec::new();
    match template.label(keys::USE_LABEL) {
        Some(keys::USE_LABEL_VALUE) => reasons.push(Reason::Label),
        Some(other) if !declines(other) => reasons.push(Reason::NearLabel(format!("{}={other}", keys::USE_LABEL))),
        _ => {}
    }
    let (meta, job) = (&workload.meta, &workload.job_metadata);
    // A pod's own labels are its template's.
    let own = (!workload.is_pod()).then_some(&meta.labels);
    let near = |maps: &[&Option<StringMap>], exact: bool| -> Vec<Reason> {
        let entries = maps.iter().flat_map(|map| map.iter().flatten());
        entries
            .filter(|(key, value)| {
                !declines(value) && (near::is_nearly_use_label(key) || exact && *key == keys::USE_LABEL)
            })
            .map(|(key, _)| Reason::NearLabel(key.clone()))
            .collect()
    };
    reasons.extend(near(&[&template.labels], false));
    reasons.extend(near(&[&template.annotations, &meta.annotations, &job.labels, &job.annotations], true));
    reasons.extend(own.map(|labels| near(&[labels], true)).unwrap_or_default());
    reasons
}

/// Whether an account that carries an identity makes a workload meant: not where it only shares an account with
/// another that is labelled, as gateways, proxies and exporters do, and not where it only tests a chart.
fn speaks_for(chain: &Chain<'_>, workload: &Workload, account: &ServiceAccount) -> bool {
    if is_test(workload.meta.annotations.as_ref()) || is_test(workload.template.metadata.annotations.as_ref()) {
        return false;
    }
    let name = workload.meta.name();
    let supporting = is_supporting(name, &workload.template);
    // Every pod that names no account runs as `default`.
    let common = account.meta.name() == "default";
    if chain.labelled_sibling_shares_account() { !supporting && !common } else { !supporting || !common }
}

/// Whether a chart runs it only to test itself.
fn is_test(annotations: Option<&StringMap>) -> bool {
    annotations.and_then(|annotations| annotations.get("helm.sh/hook")).is_some_and(|hook| hook.contains("test"))
}

/// The annotation, or near miss of it, that gives an account an identity.
pub(crate) fn identity_annotation(account: &ServiceAccount) -> Option<String> {
    let annotations = account.meta.annotations.iter().flatten();
    let labels = account.meta.labels.iter().flatten();
    annotations.chain(labels).map(|(key, _)| key).find(|key| is_client_id_key(key)).cloned()
}

/// Whether a key is the client-id annotation, or nearly.
pub(crate) fn is_client_id_key(key: &str) -> bool {
    key == keys::CLIENT_ID || near::is_nearly_client_id(key)
}

/// A client id on the pod template or the workload, where nobody reads it.
fn stray_client_id(workload: &Workload) -> Option<String> {
    let (template, meta, job) = (&workload.template.metadata, &workload.meta, &workload.job_metadata);
    let maps =
        [&template.annotations, &template.labels, &meta.annotations, &meta.labels, &job.annotations, &job.labels];
    maps.into_iter().flatten().flat_map(StringMap::keys).find(|key| is_client_id_key(key)).cloned()
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
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
];

/// The variables of one container, looked up where they stand.
pub(super) struct Environment<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) namespace: &'a str,
    pub(super) container: &'a Container,
}

impl Environment<'_> {
    fn get(&self, name: &str) -> Setting {
        setting(self.inventory, self.namespace, self.container, name)
    }

    /// Whether it is set, or may be, to a yes.
    fn says_yes(&self, name: &str) -> bool {
        self.get(name).value().is_some_and(|value| value.is(|text| text.eq_ignore_ascii_case("true") || text == "1"))
    }

    /// Whether another credential is set, or may hide in a Secret that was not read.
    fn has_other_credential(&self) -> bool {
        let hides = |setting: &Setting| match setting {
            Setting::Unknown(place) => place.object.starts_with("Secret"),
            other => other.is_set(),
        };
        OTHER_CREDENTIALS.iter().any(|name| hides(&self.get(name))) || self.says_yes("ARM_USE_MSI")
    }
}

fn variable_reasons(environment: &Environment<'_>, container: &Container) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if environment.get(keys::ENV_TOKEN_FILE).is_set() {
        reasons.push(Reason::TokenFileVariable(container.name.clone()));
    }
    if environment.get(keys::ENV_CLIENT_ID).is_set() && !environment.has_other_credential() {
        reasons.push(Reason::ClientIdVariable(container.name.clone()));
    }
    if environment.says_yes("ARM_USE_OIDC") || environment.says_yes("ARM_USE_AKS_WORKLOAD_IDENTITY") {
        reasons.push(Reason::Terraform(container.name.clone()));
    }
    reasons
}

/// How the pods of a target take their token.
pub(super) fn token_source(chain: &Chain<'_>) -> TokenSource {
    let Some(workload) = chain.peek_workload() else { return TokenSource::TokenRequest };
    if asks_webhook(chain, &workload.template.metadata) {
        return TokenSource::Injected;
    }
    let reasons = chain.meant();
    if own_token(&workload.template.spec).is_some() {
        return TokenSource::Projected;
    }
    let by_driver = reasons.iter().any(|reason| matches!(reason, Reason::SecretProviderClass(_)));
    if by_driver
        && reasons.iter().all(|reason| {
            matches!(reason, Reason::SecretProviderClass(_) | Reason::Account(_) | Reason::Application(_))
        })
    {
        return TokenSource::Csi;
    }
    if reasons.is_empty() && has_other_credential(chain, workload) {
        return TokenSource::OtherCredential;
    }
    TokenSource::Injected
}

/// Whether pods with these labels go through the webhook, as the installed generation selects them.
fn asks_webhook(chain: &Chain<'_>, template: &TemplateMeta) -> bool {
    let trigger = match &chain.cluster.webhook {
        Fact::Known(webhook) => webhook.settings.profile().trigger,
        _ => Trigger::PodLabel,
    };
    let of_pod = template.label(keys::USE_LABEL);
    let of_account =
        || chain.peek_account().and_then(|account| account.meta.label(keys::USE_LABEL)) == Some(keys::USE_LABEL_VALUE);
    match trigger {
        Trigger::PodLabel => of_pod == Some(keys::USE_LABEL_VALUE),
        Trigger::PodOrAccountLabel => of_pod.is_some() || of_account(),
        Trigger::AccountLabel | Trigger::Undocumented => of_account(),
    }
}

/// The volume with a token for Azure that the pod makes itself, and that a container mounts: by its audience, or
/// because a container's variable names a file in it.
pub(crate) fn own_token(spec: &PodSpec) -> Option<&str> {
    let volumes = spec.volumes.iter().filter_map(|volume| {
        let sources = volume.projected.iter().flat_map(|projected| &projected.sources);
        let audiences: Vec<&str> = sources
            .filter_map(|source| source.service_account_token.as_ref())
            .map(|token| token.audience.as_deref().unwrap_or_default())
            .collect();
        (!audiences.is_empty()).then_some((volume.name.as_str(), audiences))
    });
    let found = |(name, audiences): &(&str, Vec<&str>)| {
        let for_azure = audiences.iter().any(|audience| is_azure_audience(audience));
        spec.all_containers().any(|(_, _, container)| {
            let file = container.variable(keys::ENV_TOKEN_FILE).and_then(|variable| variable.literal());
            container
                .volume_mounts
                .iter()
                .filter(|mount| mount.name == *name)
                .any(|mount| for_azure || file.is_some_and(|file| is_below(file, &mount.mount_path)))
        })
    };
    volumes.into_iter().find(found).map(|(name, _)| name)
}

/// Whether an audience is one that Entra, or an identity binding, exchanges.
pub(crate) fn is_azure_audience(audience: &str) -> bool {
    audience.starts_with("api://AzureAD") || audience == "api://AKSIdentityBinding"
}

/// Whether a file is in a directory, or below it.
pub(crate) fn is_below(file: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    !directory.is_empty() && file.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A mounted `SecretProviderClass` that has a client id and no other mode.
fn mounted_class(chain: &Chain<'_>, workload: &Workload) -> Option<String> {
    let names = workload.template.spec.volumes.iter().filter_map(|volume| {
        let csi = volume.csi.as_ref().filter(|csi| csi.driver == "secrets-store.csi.k8s.io")?;
        csi.volume_attributes.as_ref()?.get("secretProviderClass")
    });
    names
        .filter(|name| {
            let class = chain.inventory.other("SecretProviderClass", Some(chain.namespace()), name);
            class.known().is_some_and(|class| class_wants_identity(class))
        })
        .map(String::clone)
        .next()
}

fn class_wants_identity(class: &RawObject) -> bool {
    let parameter = |name: &str| class.value.pointer("/spec/parameters")?.get(name)?.as_str();
    let yes = |name: &str| parameter(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    parameter("clientID").is_some_and(|id| !id.is_empty()) && !yes("usePodIdentity") && !yes("useVMManagedIdentity")
}

/// The custom resource, where the account that it names carries an identity.
fn of_custom_resource(chain: &Chain<'_>, object: &RawObject) -> Option<String> {
    let (namespace, name) = custom::account_of(object)?;
    let account = chain.inventory.account(namespace, name);
    account.known().and_then(|account| identity_annotation(account))?;
    Some(object.meta.object.to_string())
}

/// Whether a pod that runs as an annotated account, and that nothing but this account makes meant, should have the
/// label: it has no token of its own making.
pub(crate) fn wants_label(template: &PodTemplate) -> bool {
    let label = template.metadata.label(keys::USE_LABEL);
    label.is_none() && own_token(&template.spec).is_none() && !is_test(template.metadata.annotations.as_ref())
}
