//! The applications: people do not have "a workload", they have Velero whose backups fail.
//!
//! One file, or one folder, an application. It says how the application is recognised, which of its settings matter
//! to identity, which of its objects need one and how they take it, its Helm values, its roles; and its own rules.
//! docs/adding-an-application.md has the five steps.

pub mod cert_manager;
pub mod config;
pub mod custom;
pub mod delivery;
pub mod external_dns;
pub mod external_secrets;
pub mod general;
pub mod grafana;
pub mod image;
pub mod keda;
pub mod loki;
pub mod marks;
pub mod message;
pub mod objstore;
pub mod operators;
pub mod platform;
pub mod secrets_store;
pub mod service_connector;
pub mod terraform;
pub mod thanos;
pub mod velero;
pub mod version;
pub mod volumes;

use crate::chain::meant::{Reason, TokenSource};
use crate::chain::{Chain, Target};
use crate::model::finding::{Fix, Level};
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::ObjectRef;
use crate::model::workload::{WORKLOAD_KINDS, Workload};
use crate::report::model::ApplicationReport;
use crate::webhook::keys;
use marks::{Marks, Sighting};
use version::{Chart, Version};

/// Every application. A new one is one line here.
pub static APPLICATIONS: &[&dyn Application] = &[
    &velero::Velero,
    &keda::Keda,
    &thanos::Thanos,
    &service_connector::ServiceConnector,
    &external_secrets::ExternalSecrets,
    &external_dns::ExternalDns,
    &cert_manager::CertManager,
    &secrets_store::SecretsStore,
    &volumes::AzureStorage,
    &terraform::Terraform,
    &loki::Loki,
    &grafana::Mimir,
    &grafana::Tempo,
    &operators::Aso,
    &operators::Capz,
    &operators::Crossplane,
    &delivery::Flux,
    &delivery::ArgoCd,
    &platform::Prometheus,
    &platform::Dapr,
    &platform::AppConfiguration,
];

/// What is known of one application.
pub trait Application: Sync {
    /// Its name in reports, such as `velero`.
    fn name(&self) -> &'static str;

    /// How people call it, such as `Velero`.
    fn title(&self) -> &'static str;

    /// Recognises a workload of it by several marks together.
    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>>;

    /// The version of the application that a version of its chart installs, where no image tells.
    fn version_of_chart(&self, _chart: &Chart) -> Option<Version> {
        None
    }

    /// Whether a component needs identity, as far as the application's own settings say.
    fn need(&self, _part: &Part<'_>) -> Need {
        Need::Unsaid
    }

    /// How a component takes its token, where that is not by injection.
    fn token_source(&self, _part: &Part<'_>, _why: &[Reason]) -> Option<TokenSource> {
        None
    }

    /// Who passes the client id besides the account's annotation, in words, where the application does it itself.
    fn passes_client_id(&self, _part: &Part<'_>) -> Option<String> {
        None
    }

    /// The identities that a component presents, where that is not the one of its account.
    fn identities(&self, _part: &Part<'_>) -> Vec<OwnIdentity> {
        Vec::new()
    }

    /// The Helm values, on one line of YAML, that keep a setting over the next upgrade.
    fn values(&self, _part: &Part<'_>, _keep: Keep) -> Option<String> {
        None
    }

    /// The first release that knows workload identity, where there was one without.
    fn first_release(&self, _part: &Part<'_>) -> Option<First> {
        None
    }

    /// Single releases with a known defect of identity.
    fn defects(&self, _part: &Part<'_>) -> &'static [Defect] {
        &[]
    }

    /// Settings of a component that force another credential or contradict what is injected.
    fn complaints(&self, _part: &Part<'_>, _seen: &Injected) -> Vec<Complaint> {
        Vec::new()
    }

    /// The same of a custom resource that stands for itself.
    fn resource_complaints(&self, _resource: &RawObject, _inventory: &Inventory) -> Vec<Complaint> {
        Vec::new()
    }

    /// The roles that a component needs.
    fn roles(&self, _part: &Part<'_>) -> Vec<RoleNeed> {
        Vec::new()
    }

    /// Group and kind of its custom resources that configure identity.
    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The workloads whose identity a custom resource uses, as far as they are here.
    fn users<'a>(&self, _resource: &'a RawObject, _inventory: &'a Inventory) -> Vec<&'a Workload> {
        Vec::new()
    }

    /// Whether a custom resource that stands for itself asks for workload identity.
    fn resource_need(&self, _resource: &RawObject, _inventory: &Inventory) -> Need {
        Need::Unsaid
    }

    /// Namespace and name of the account whose token a custom resource asks for.
    fn resource_account(&self, _resource: &RawObject) -> Option<(String, String)> {
        None
    }

    /// Namespace and name of the Secrets whose settings decide, to be fetched by name.
    fn secrets(&self, _part: &Part<'_>) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Namespace and name of the `ConfigMaps` whose settings decide: those that its pods mount or take variables from.
    fn config_maps(&self, part: &Part<'_>) -> Vec<(String, String)> {
        let names = config::config_maps_of(&part.workload.template.spec);
        names.into_iter().map(|name| (part.namespace().to_owned(), name.to_owned())).collect()
    }

    /// Whether its custom resources may be in other namespaces than its workloads.
    fn serves_all_namespaces(&self) -> bool {
        true
    }
}

/// A recognised component of an application.
#[derive(Clone)]
pub struct Part<'a> {
    /// Which application.
    pub application: &'static dyn Application,
    /// Which component; empty where there is only one.
    pub component: &'static str,
    /// Its version, from image, label or chart.
    pub version: Option<Version>,
    /// Its chart.
    pub chart: Option<Chart>,
    /// The workload.
    pub workload: &'a Workload,
    /// All that was read.
    pub inventory: &'a Inventory,
    score: u8,
}

impl Part<'_> {
    /// Namespace of the workload.
    pub fn namespace(&self) -> &str {
        self.workload.meta.namespace()
    }

    /// Whether the workload is this application, and does not only use it.
    pub fn is_whole(&self) -> bool {
        self.score > 0
    }

    /// Whether the version is known and older than a release.
    pub fn older_than(&self, major: u32, minor: u32, patch: u32) -> bool {
        self.version.as_ref().is_some_and(|version| !version.at_least(major, minor, patch))
    }

    /// Whether the version is known and exactly a release.
    pub fn is_release(&self, major: u32, minor: u32, patch: u32) -> bool {
        self.version.as_ref().is_some_and(|version| version.is(major, minor, patch))
    }

    /// Whether the version is known and at least a release.
    pub fn at_least(&self, major: u32, minor: u32, patch: u32) -> bool {
        self.version.as_ref().is_some_and(|version| version.at_least(major, minor, patch))
    }

    /// As reports show it.
    pub fn report(&self) -> ApplicationReport {
        ApplicationReport {
            name: self.application.name().to_owned(),
            component: Some(self.component).filter(|name| !name.is_empty()).map(str::to_owned),
            version: self.version.as_ref().map(ToString::to_string),
            chart: self.chart.as_ref().map(ToString::to_string),
        }
    }
}

impl std::fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.application.title())?;
        if let Some(version) = &self.version {
            write!(f, " {version}")?;
        }
        if let Some(chart) = &self.chart {
            write!(f, ", chart {chart}")?;
        }
        if !self.component.is_empty() {
            write!(f, ", {}", self.component)?;
        }
        Ok(())
    }
}

/// Whether something needs identity, by its application's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The settings ask for workload identity; each text says where.
    Asks(Vec<String>),
    /// It asks Azure for nothing, even where it shares an account with what does.
    No,
    /// The settings do not say.
    Unsaid,
}

impl Need {
    /// `Asks`, or `Unsaid` where there is no reason.
    pub fn of(reasons: Vec<String>) -> Self {
        if reasons.is_empty() { Self::Unsaid } else { Self::Asks(reasons) }
    }
}

/// A setting that a chart's next upgrade would undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The label on the pods.
    PodLabel,
    /// The client id on the account.
    ClientId,
    /// The tenant id on the account.
    TenantId,
    /// The account that the pods run as.
    AccountName,
    /// The mounted API token.
    Automount,
}

/// An identity that an application names itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnIdentity {
    /// Client id; `None` where it is the annotation's.
    pub client_id: Option<String>,
    /// Tenant; `None` where it is the injected one.
    pub tenant_id: Option<String>,
    /// Subject; `None` where it is the account of the workload.
    pub subject: Option<String>,
    /// How the token is taken: `application`, `csi`, `token-request`, `projected` or `webhook`.
    pub source: &'static str,
}

/// The first release of an application that knows workload identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First {
    /// Major, minor, patch.
    pub release: (u32, u32, u32),
    /// What older releases do instead.
    pub before: &'static str,
    /// The source.
    pub source: &'static str,
}

/// Releases with a known defect of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect {
    /// The first release that has it.
    pub from: (u32, u32, u32),
    /// The first release that has it no more.
    pub mended: (u32, u32, u32),
    /// Whether identity certainly fails.
    pub level: Level,
    /// What happens.
    pub what: &'static str,
    /// The source.
    pub source: &'static str,
    /// The webhook's release from which on it shows; `None`: with any.
    pub webhook: Option<(u16, u16, u16)>,
}

/// What is injected into a component, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Injected {
    /// The client id of the account's annotation.
    pub client_id: Option<String>,
    /// The tenant.
    pub tenant_id: Option<String>,
    /// The host of the authority, such as `login.microsoftonline.com`.
    pub authority: Option<String>,
}

/// Something about an application's settings that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Complaint {
    /// Where it stands.
    pub object: ObjectRef,
    /// JSON pointer.
    pub path: String,
    /// How bad it is.
    pub level: Level,
    /// One sentence.
    pub message: String,
    /// What was seen.
    pub evidence: Vec<String>,
    /// What mends it.
    pub fix: Fix,
    /// Whether it is a consequence of something else.
    pub symptom: bool,
    /// Codes of likely causes.
    pub points_to: &'static [&'static str],
}

impl Complaint {
    /// An error.
    pub fn error(object: &ObjectRef, path: impl Into<String>, message: impl Into<String>, fix: Fix) -> Self {
        Self {
            object: object.clone(),
            path: path.into(),
            level: Level::Error,
            message: message.into(),
            evidence: Vec::new(),
            fix,
            symptom: false,
            points_to: &[],
        }
    }

    /// The same, as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.level = Level::Warning;
        self
    }

    /// Adds what was seen.
    #[must_use]
    pub fn evidence(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }
}

/// A role that an application needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleNeed {
    /// Name of the built-in role.
    pub role: &'static str,
    /// On what.
    pub scope: String,
    /// What for.
    pub why: &'static str,
    /// Other roles that serve as well.
    pub or: &'static [&'static str],
    /// The resources, where the settings name them.
    pub on: Vec<NamedResource>,
}

/// A resource of Azure as settings name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedResource {
    /// Its type, such as `Microsoft.Storage/storageAccounts`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its resource group, where that is said.
    pub group: Option<String>,
    /// Its subscription, where that is said.
    pub subscription: Option<String>,
}

impl NamedResource {
    /// A resource of which only the name is known.
    pub fn named(kind: &'static str, name: Option<&str>) -> Option<Self> {
        let name = name.map(str::trim).filter(|name| !name.is_empty() && *name != "?")?.to_owned();
        Some(Self { kind, name, group: None, subscription: None })
    }

    /// A resource whose name, group and subscription stand in fields of a custom resource.
    pub fn of(kind: &'static str, resource: &RawObject, name: &str, group: &str, subscription: &str) -> Option<Self> {
        let field = |pointer| custom::filled(resource, pointer).map(str::to_owned);
        Some(Self {
            group: field(group),
            subscription: field(subscription),
            ..Self::named(kind, custom::filled(resource, name))?
        })
    }
}

/// Whether the webhook puts its proxy into the pods, which stands in for an SDK that knows no workload identity. The
/// annotation counts with any value.
pub(crate) fn has_proxy(part: &Part<'_>) -> bool {
    part.workload.template.metadata.annotation(keys::INJECT_PROXY).is_some()
}

/// All applications that a workload is part of, the likeliest first: a Prometheus with a Thanos sidecar is both.
pub fn recognise<'a>(workload: &'a Workload, inventory: &'a Inventory) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> =
        APPLICATIONS.iter().filter_map(|application| part_of(*application, workload, inventory)).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.score));
    parts
}

fn part_of<'a>(
    application: &'static dyn Application,
    workload: &'a Workload,
    inventory: &'a Inventory,
) -> Option<Part<'a>> {
    let marks = Marks::of(workload);
    let sighting = application.recognise(&marks)?;
    let chart = marks.chart().and_then(Chart::parse);
    let image = sighting.container.and_then(|container| container.image.as_deref()).unwrap_or_default();
    let version = image::version(image)
        .or_else(|| Version::parse(marks.label("app.kubernetes.io/version")?))
        .or_else(|| application.version_of_chart(chart.as_ref()?));
    let (component, score) = (sighting.component, sighting.score);
    Some(Part { application, component, version, chart, workload, inventory, score })
}

/// Whether a workload is a component of an application.
pub(crate) fn is_part(workload: &Workload, application: &dyn Application) -> bool {
    application.recognise(&Marks::of(workload)).is_some()
}

/// The components of one application in a namespace.
pub fn parts_in<'a>(inventory: &'a Inventory, namespace: &str, name: &str) -> Vec<Part<'a>> {
    parts(inventory, name, |workload| workload.meta.namespace() == namespace)
}

/// The components of one application everywhere.
pub fn parts_of<'a>(inventory: &'a Inventory, name: &str) -> Vec<Part<'a>> {
    parts(inventory, name, |_| true)
}

fn parts<'a>(inventory: &'a Inventory, name: &str, which: impl Fn(&Workload) -> bool) -> Vec<Part<'a>> {
    let Some(application) = APPLICATIONS.iter().find(|application| application.name() == name) else {
        return Vec::new();
    };
    inventory
        .workloads()
        .iter()
        .filter(|workload| !is_made_by_workload(workload) && which(workload))
        .filter_map(|workload| part_of(*application, workload, inventory))
        .collect()
}

/// Whether a workload is the `ReplicaSet` or Job of another, which stands for it. One that an operator's custom
/// resource owns stands for itself.
fn is_made_by_workload(workload: &Workload) -> bool {
    let owner = workload.meta.controller();
    owner.is_some_and(|owner| WORKLOAD_KINDS.iter().any(|(_, kind)| *kind == owner.kind))
}

/// The application whose custom resource an object is.
pub fn of_resource(object: &ObjectRef) -> Option<&'static dyn Application> {
    let group = object.api_version.split('/').next().unwrap_or_default();
    let mine = |known: &&(&str, &str)| known.1 == object.kind && known.0 == group;
    APPLICATIONS.iter().find(|application| application.resources().iter().any(|known| mine(&known))).copied()
}

/// The workloads whose identity a custom resource uses, as far as they are here.
pub fn users<'a>(resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
    of_resource(&resource.meta.object).map(|application| application.users(resource, inventory)).unwrap_or_default()
}

/// Custom resources that configure identity and have no workload here: they are looked at for themselves.
pub fn orphans(inventory: &Inventory) -> impl Iterator<Item = &RawObject> {
    inventory.others().iter().filter(|other| {
        of_resource(&other.meta.object).is_some_and(|application| {
            application.users(other, inventory).is_empty()
                && matches!(application.resource_need(other, inventory), Need::Asks(_))
        })
    })
}

/// Group and kind of all custom resources that applications are configured by.
pub fn resources() -> impl Iterator<Item = (&'static str, &'static str)> {
    APPLICATIONS.iter().flat_map(|application| application.resources().iter().copied())
}

impl<'a> Chain<'a> {
    /// The component of the application of that name.
    pub fn part(&self, name: &str) -> Option<&Part<'a>> {
        self.applications().iter().find(|part| part.application.name() == name)
    }

    /// The resource, where the target is a custom resource of the application of that name.
    pub fn resource_of(&self, name: &str) -> Option<&'a RawObject> {
        match self.target() {
            Target::Other(other) if of_resource(&other.meta.object)?.name() == name => Some(other),
            _ => None,
        }
    }

    /// What the webhook injects, as far as account and webhook are known.
    pub fn injected(&self) -> Injected {
        let annotation = |key: &str| {
            let account = self.account();
            account.known()?.meta.annotation(key).map(str::to_owned).filter(|value| !value.is_empty())
        };
        let settings = self.webhook().known().map(|webhook| webhook.settings.clone());
        let tenant = settings.as_ref().and_then(|settings| settings.tenant_id.clone());
        let authority = match self.injection() {
            Some(Ok(_)) => settings.and_then(|settings| settings.authority_host),
            _ => None,
        };
        Injected {
            client_id: annotation(keys::CLIENT_ID),
            tenant_id: annotation(keys::TENANT_ID).or(tenant),
            authority,
        }
    }

    /// The Helm values that keep a setting over the next upgrade.
    pub fn values(&self, keep: Keep) -> Option<String> {
        self.applications().iter().find_map(|part| part.application.values(part, keep))
    }
}
