//! The chain: everything that is known of one workload's way to its identity.
//!
//! A [`Chain`] is what rules read. Its methods note which facts were read, so that a test can hold every rule to the
//! facts that it declares, and so that a fact that is missing can be named together with the rules that needed it.

pub mod azure;
pub(crate) mod azure_links;
pub mod cluster;
pub mod compare;
pub mod containers;
pub mod custom;
pub mod entra;
pub mod environment;
pub mod gaps;
pub mod history;
pub mod issuer;
pub mod links;
pub mod meant;
pub mod near;
pub mod needs;
pub mod pod_identity;
pub mod running;
pub mod select;
pub mod symptoms;

pub use cluster::{Cluster, cluster_from};

use crate::apps::{self, Part};
use crate::azure::facts::AzureFacts;
use crate::model::event::Event;
use crate::model::fact::{Denied, Fact};
use crate::model::finding::pointer_token;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::ObjectRef;
use crate::model::pod::{Container, ContainerList, PodTemplate};
use crate::model::workload::{Pod, ServiceAccount, Workload};
use crate::probe::facts::{ContainerProbe, ProbeFacts, ProbedExchange};
use crate::rules::{FactSet, Reads};
use crate::webhook::health::Health;
use crate::webhook::install::WebhookInstallation;
use crate::webhook::{
    AccountView, Denial, Injection, Naming, Profile, Trigger, WebhookSettings, WebhookVersion, injection, keys,
};
use compare::Answer;
use environment::Setting;
use meant::{Environment, Reason, TokenSource};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

/// What is inspected.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// Something that makes pods, or a bare pod.
    Workload(&'a Workload),
    /// An account that no workload here uses.
    Account(&'a ServiceAccount),
    /// An object that configures identity and has no workload here.
    Other(&'a RawObject),
}

impl<'a> Target<'a> {
    /// Which object it is.
    pub fn object(&self) -> &'a ObjectRef {
        match self {
            Self::Workload(workload) => &workload.meta.object,
            Self::Account(account) => &account.meta.object,
            Self::Other(other) => &other.meta.object,
        }
    }
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// What it is called.
    pub what: String,
    /// Why it could not be read.
    pub why: String,
    /// The permission that is missing, where it is that.
    pub denied: Option<Denied>,
}

impl Gap {
    /// Of a fact that was asked for and could not be read; `None` where it was read, is absent, or nobody asked.
    pub fn of<T>(what: String, fact: &Fact<T>) -> Option<Self> {
        let denied = match fact {
            Fact::Denied(denied) => Some(denied.clone()),
            _ => None,
        };
        Some(Self { what, why: fact.why()?, denied })
    }
}

/// One target with all that is known of its way to an identity.
pub struct Chain<'a> {
    target: Target<'a>,
    inventory: &'a Inventory,
    cluster: &'a Cluster,
    reads: Cell<FactSet>,
    reasons: OnceCell<Vec<Reason>>,
    pods: OnceCell<Vec<&'a Pod>>,
    applications: OnceCell<Vec<Part<'a>>>,
    asked: Fact<&'a Answer>,
    probe: Option<&'a ProbeFacts>,
    azure: Option<&'a AzureFacts>,
    formerly: bool,
    seen: OnceCell<Vec<symptoms::Seen>>,
}

impl<'a> Chain<'a> {
    /// The chain of a target.
    pub fn new(target: Target<'a>, inventory: &'a Inventory, cluster: &'a Cluster) -> Self {
        Self {
            target,
            inventory,
            cluster,
            reads: Cell::default(),
            reasons: OnceCell::new(),
            pods: OnceCell::new(),
            applications: OnceCell::new(),
            asked: Fact::NotAsked,
            probe: None,
            azure: None,
            formerly: false,
            seen: OnceCell::new(),
        }
    }

    /// The same chain of a target that is meant for identity as the cluster is, before files are applied: what they
    /// drop is then missing, and no decision.
    #[must_use]
    pub fn with_former(self, formerly: bool) -> Self {
        Self { formerly, ..self }
    }

    /// The same chain, with what the API server answered when it was asked for such a pod without creating it.
    #[must_use]
    pub fn with_asked(self, asked: Fact<&'a Answer>) -> Self {
        Self { asked, ..self }
    }

    /// The chain with what a probe saw.
    #[must_use]
    pub fn with_probe(mut self, probe: &'a ProbeFacts) -> Self {
        self.probe = Some(probe);
        self
    }

    /// What a probe saw; `None` where there was none.
    pub fn probe(&self) -> Option<&'a ProbeFacts> {
        self.note(Reads::Probe);
        self.probe
    }

    /// What Entra said to the tokens that a probe read: the container and the answer.
    pub fn exchanges(&self) -> impl Iterator<Item = (&'a ContainerProbe, &'a ProbedExchange)> {
        self.note(Reads::Exchange);
        let pods = self.probe.into_iter().flat_map(|probe| &probe.pods);
        pods.filter_map(|probe| Some((probe, probe.exchange.as_ref()?)))
    }

    fn note(&self, read: Reads) {
        self.reads.set(self.reads.get().with(read));
    }

    /// The facts that were read since the last call.
    pub fn take_reads(&self) -> FactSet {
        self.reads.take()
    }

    /// What is inspected.
    pub fn target(&self) -> Target<'a> {
        self.target
    }

    /// The workload, where the target is one.
    pub fn workload(&self) -> Option<&'a Workload> {
        self.note(Reads::Template);
        self.peek_workload()
    }

    /// The workload, for the judgement whether it is meant for identity, which comes before all rules.
    pub(crate) fn peek_workload(&self) -> Option<&'a Workload> {
        match self.target {
            Target::Workload(workload) => Some(workload),
            Target::Account(_) | Target::Other(_) => None,
        }
    }

    /// The pod template, where the target is a workload.
    pub fn template(&self) -> Option<&'a PodTemplate> {
        Some(&self.workload()?.template)
    }

    /// JSON pointer, below the workload, of something in its pod template; empty, the workload as a whole, where its
    /// kind keeps the template in a place of its own.
    pub fn template_path(&self, below: &str) -> String {
        match self.peek_workload() {
            Some(workload) if workload.is_built_in() => format!("{}{below}", workload.template_pointer()),
            _ => String::new(),
        }
    }

    /// JSON pointer, below the workload, of something in one of its containers.
    pub fn container_path(&self, list: ContainerList, index: usize, below: &str) -> String {
        self.template_path(&format!("/spec/{}/{index}{below}", list.field()))
    }

    /// The namespace of the target.
    pub fn namespace(&self) -> &'a str {
        self.target.object().namespace.as_deref().unwrap_or_default()
    }

    /// Name of the account that the pods run as.
    pub fn account_name(&self) -> &'a str {
        self.note(Reads::Template);
        match self.target {
            Target::Workload(workload) => workload.account(),
            Target::Account(account) => account.meta.name(),
            Target::Other(other) => custom::account_of(other).map_or("default", |(_, name)| name),
        }
    }

    /// Namespace of that account: another than the target's only where a custom resource says so.
    pub fn account_namespace(&self) -> &'a str {
        match self.target {
            Target::Other(other) => custom::account_of(other).map_or(self.namespace(), |(namespace, _)| namespace),
            Target::Workload(_) | Target::Account(_) => self.namespace(),
        }
    }

    /// The account that the pods run as.
    pub fn account(&self) -> Fact<&'a ServiceAccount> {
        self.note(Reads::Account);
        self.account_fact()
    }

    fn account_fact(&self) -> Fact<&'a ServiceAccount> {
        match self.target {
            Target::Workload(workload) => self.inventory.account(workload.meta.namespace(), workload.account()),
            Target::Account(account) => Fact::Known(account),
            Target::Other(_) => match self.account_of_resource() {
                Some((namespace, name)) => self.inventory.account(&namespace, &name),
                None => Fact::NotAsked,
            },
        }
    }

    /// Namespace and name of the account whose token a custom resource asks for.
    pub(crate) fn account_of_resource(&self) -> Option<(String, String)> {
        let Target::Other(other) = self.target else { return None };
        let known = apps::of_resource(&other.meta.object).and_then(|app| app.resource_account(other));
        let named = || custom::account_of(other).map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        known.or_else(named)
    }

    pub(crate) fn peek_account(&self) -> Option<&'a ServiceAccount> {
        match self.account_fact() {
            Fact::Known(account) => Some(account),
            _ => None,
        }
    }

    /// The accounts of the namespace that were read.
    pub fn accounts(&self) -> impl Iterator<Item = &'a ServiceAccount> {
        self.note(Reads::Accounts);
        self.inventory.accounts_in(self.namespace())
    }

    /// The pods that run, newest first; `NotAsked` where the source has no live objects.
    pub fn pods(&self) -> Fact<&[&'a Pod]> {
        self.note(Reads::Pods);
        let pods = self.pods.get_or_init(|| {
            let mut pods = self.peek_workload().map(|w| self.inventory.pods_of(w)).unwrap_or_default();
            pods.retain(|pod| pod.is_live());
            pods.sort_by(|a, b| b.meta.created.cmp(&a.meta.created).then_with(|| a.meta.object.cmp(&b.meta.object)));
            pods
        });
        if pods.is_empty() {
            return self.inventory.coverage("Pod", Some(self.namespace())).map(|()| pods.as_slice());
        }
        Fact::Known(pods.as_slice())
    }

    /// What the API server answered to a dry run of such a pod.
    pub fn asked(&self) -> Fact<&'a Answer> {
        self.note(Reads::Asked);
        self.asked.clone()
    }

    /// The events about the workload, what it controls, and its pods.
    pub fn events(&self) -> Vec<&'a Event> {
        self.note(Reads::Events);
        let Some(workload) = self.peek_workload() else { return Vec::new() };
        let own = &workload.meta.object;
        let children = self.inventory.children(own).map(|child| &child.meta.object);
        let pods = self.inventory.pods_of(workload).into_iter().map(|pod| &pod.meta.object);
        let mut objects: Vec<ObjectRef> = std::iter::once(own).chain(children).chain(pods).cloned().collect();
        objects.dedup();
        objects.iter().flat_map(|object| self.inventory.events_of(object)).collect()
    }

    /// The workloads that this one controls, such as the `ReplicaSets` of a Deployment.
    pub fn children(&self) -> Vec<&'a Workload> {
        self.note(Reads::Workloads);
        self.peek_workload().map(|w| self.inventory.children(&w.meta.object).collect()).unwrap_or_default()
    }

    /// Whether the webhook can answer.
    pub fn health(&self) -> &'a Health {
        self.note(Reads::Webhook);
        &self.cluster.health
    }

    /// When everything was read.
    pub fn now(&self) -> Option<jiff::Timestamp> {
        self.cluster.now
    }

    /// The workloads of the namespace.
    pub fn workloads(&self) -> impl Iterator<Item = &'a Workload> {
        self.note(Reads::Workloads);
        let namespace = self.namespace();
        self.inventory.workloads().iter().filter(move |workload| workload.meta.namespace() == namespace)
    }

    /// The identity webhook.
    pub fn webhook(&self) -> Fact<&'a WebhookInstallation> {
        self.note(Reads::Webhook);
        self.cluster.webhook.as_ref()
    }

    /// The cluster as a whole.
    pub fn cluster(&self) -> &'a Cluster {
        self.note(Reads::Cluster);
        self.cluster
    }

    /// The namespace object.
    pub fn namespace_object(&self) -> Fact<&'a RawObject> {
        self.note(Reads::Namespace);
        self.inventory.other("Namespace", None, self.namespace())
    }

    /// All that was read, for what comes before or after all rules.
    pub(crate) fn peek_inventory(&self) -> &'a Inventory {
        self.inventory
    }

    /// All that was read, for rules about other objects.
    pub fn inventory(&self) -> &'a Inventory {
        self.note(Reads::Objects);
        self.inventory
    }

    /// The known applications that the workload is part of, the likeliest first.
    pub fn applications(&self) -> &[Part<'a>] {
        self.note(Reads::Template);
        self.peek_applications()
    }

    /// The applications, for what comes before all rules.
    pub(crate) fn peek_applications(&self) -> &[Part<'a>] {
        self.applications.get_or_init(|| {
            self.peek_workload().map(|workload| apps::recognise(workload, self.inventory)).unwrap_or_default()
        })
    }

    /// Whether another workload is part of a known application.
    pub fn is_part_of_application(&self, other: &Workload) -> bool {
        self.note(Reads::Workloads);
        !apps::recognise(other, self.inventory).is_empty()
    }

    /// The application that the workload is part of.
    pub fn application(&self) -> Option<&Part<'a>> {
        self.applications().iter().find(|part| part.is_whole())
    }

    /// The Secrets that the target's applications are configured by, as far as they were fetched.
    pub fn secrets(&self) -> &'a Inventory {
        self.note(Reads::Secrets);
        self.inventory
    }

    /// Who passes the client id, where the application does it itself.
    pub fn client_id_passed_by(&self) -> Option<String> {
        self.applications().iter().find_map(|part| part.application.passes_client_id(part))
    }

    /// What a variable is in a container: from `env`, else from `envFrom`.
    pub fn setting(&self, container: &Container, name: &str) -> Setting {
        self.note(Reads::Objects);
        environment::setting(self.inventory, self.namespace(), container, name)
    }

    /// What a variable is in a container by `env` alone, which is all that the webhook looks at.
    pub fn explicit(&self, container: &Container, name: &str) -> Setting {
        self.note(Reads::Objects);
        environment::explicit(self.inventory, self.namespace(), container, name)
    }

    fn environment<'c>(&'c self, container: &'c Container) -> Environment<'c> {
        Environment { inventory: self.inventory, namespace: self.namespace(), container }
    }

    /// By what the installed webhook selects pods: by the pod's label where nothing tells, as since 1.0.0.
    pub fn trigger(&self) -> Trigger {
        match self.webhook() {
            Fact::Known(webhook) => webhook.settings.profile().trigger,
            _ => Trigger::PodLabel,
        }
    }

    /// What the installed webhook does; `None` where its version is not known.
    pub fn profile(&self) -> Option<&'a Profile> {
        match self.webhook() {
            // Settings that were learned from a mutated pod are not the newest version's, or are right by chance.
            Fact::Known(webhook) => {
                let told = webhook.version.is_some() || *webhook.settings.version() != WebhookVersion::NEWEST;
                told.then(|| webhook.settings.profile())
            }
            _ => None,
        }
    }

    /// The pods of the namespace that run as an account, whoever made them.
    pub fn pods_of_account(&self, account: &'a str) -> impl Iterator<Item = &'a Pod> {
        self.note(Reads::Pods);
        self.inventory.pods_of_account(self.namespace(), account).filter(|pod| pod.is_live())
    }

    /// Why the workload counts as meant for workload identity; empty where it does not.
    pub fn meant(&self) -> &[Reason] {
        self.reasons.get_or_init(|| meant::reasons(self))
    }

    /// Whether the workload counts as meant for workload identity.
    pub fn is_meant(&self) -> bool {
        !self.meant().is_empty()
    }

    /// How the workload takes its token.
    pub fn token_source(&self) -> TokenSource {
        let by_application =
            self.peek_applications().iter().find_map(|part| part.application.token_source(part, self.meant()));
        by_application.unwrap_or_else(|| meant::token_source(self))
    }

    /// Whether the webhook has to act for this workload to work.
    pub fn needs_injection(&self) -> bool {
        self.is_meant() && self.token_source() == TokenSource::Injected
    }

    /// Whether the pod template carries the label exactly as the webhook's selector wants it.
    pub fn is_labelled(&self) -> bool {
        self.template().is_some_and(|t| t.metadata.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE))
    }

    /// Whether another workload of the namespace runs as the same account and carries the label.
    pub(crate) fn labelled_sibling_shares_account(&self) -> bool {
        let Some(me) = self.peek_workload() else { return false };
        self.inventory.workloads_of_account(self.namespace(), me.account()).any(|other| {
            other.meta.object != me.meta.object
                && other.template.metadata.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE)
                && !is_part_of(other, me)
        })
    }

    /// Whether the source has live objects at all.
    pub fn is_live(&self) -> bool {
        match self.target {
            Target::Workload(workload) => workload.meta.origin.is_cluster() || workload.meta.uid.is_some(),
            Target::Account(account) => account.meta.origin.is_cluster(),
            Target::Other(other) => other.meta.origin.is_cluster(),
        }
    }

    /// The subject of the token that the pods get.
    pub fn subject(&self) -> String {
        let (namespace, name) =
            self.account_of_resource().unwrap_or_else(|| (self.namespace().to_owned(), self.account_name().to_owned()));
        format!("system:serviceaccount:{namespace}:{name}")
    }
}

/// Whether a workload was made by the other: a `ReplicaSet` of a Deployment, a Job of a `CronJob`.
fn is_part_of(child: &Workload, parent: &Workload) -> bool {
    let owned = |child: &Workload, parent: &Workload| {
        child
            .meta
            .controller()
            .is_some_and(|owner| owner.kind == parent.meta.object.kind && owner.name == parent.meta.object.name)
    };
    owned(child, parent) || owned(parent, child)
}

/// JSON pointer below a template: `/metadata/labels/KEY`.
pub fn label_path(key: &str) -> String {
    format!("/metadata/labels/{}", pointer_token(key))
}

/// JSON pointer: `/metadata/annotations/KEY`.
pub fn annotation_path(key: &str) -> String {
    format!("/metadata/annotations/{}", pointer_token(key))
}

/// What the webhook would make of the pods of a template.
impl Chain<'_> {
    /// What the webhook adds to the pods, or why it refuses them; `None` where account or webhook are not known well
    /// enough, or where nothing asks for it.
    pub fn injection(&self) -> Option<Result<Injection, Denial>> {
        let workload = self.workload()?;
        let account = match self.account() {
            Fact::Known(account) => Some(AccountView {
                name: account.meta.name(),
                labels: account.meta.labels.as_ref(),
                annotations: account.meta.annotations.as_ref(),
            }),
            Fact::Absent => None,
            _ => return None,
        };
        let settings = self.settings();
        Some(injection::injection(&workload.template, Naming::Unknown, account, &settings))
    }

    /// How the webhook is set; where it was not seen, the newest known one stands in.
    pub(crate) fn settings(&self) -> Cow<'_, WebhookSettings> {
        match self.webhook() {
            Fact::Known(webhook) => Cow::Borrowed(&webhook.settings),
            _ => Cow::Owned(WebhookSettings::new(WebhookVersion::NEWEST)),
        }
    }

    /// Audience of the token that the pods get.
    pub fn audience(&self) -> String {
        match self.injection() {
            Some(Ok(injection)) => injection.token.audience,
            _ => keys::DEFAULT_AUDIENCE.to_owned(),
        }
    }

    /// What `AZURE_FEDERATED_TOKEN_FILE` says in the pods, or would say; `None` where the webhook is not known.
    pub fn token_file(&self) -> Option<String> {
        if let Fact::Known(pods) = self.pods() {
            let told = pods.iter().find_map(|pod| {
                let mut containers = pod.spec.all_containers();
                containers.find_map(|(_, _, c)| c.variable(keys::ENV_TOKEN_FILE)?.literal().map(str::to_owned))
            });
            if told.is_some() {
                return told;
            }
        }
        match (self.webhook(), self.injection()) {
            (Fact::Known(_), Some(Ok(injection))) if self.needs_injection() => Some(injection.token.file),
            _ => None,
        }
    }

    /// The client id that the containers set themselves, where they do.
    pub fn client_id_of_application(&self) -> Option<String> {
        let mut containers = self.peek_workload()?.template.spec.all_containers();
        containers.find_map(|(_, _, container)| {
            let id = container.variable(keys::ENV_CLIENT_ID)?.literal()?;
            (!id.is_empty()).then(|| id.to_owned())
        })
    }
}
