//! What of a chain could not be read: named in the report together with the rules that needed it.

use super::{Chain, Gap, Target};
use crate::apps::{self, Application, config};
use crate::model::fact::{Denied, Fact};
use crate::model::inventory::{Inventory, ReadState};
use crate::rules::Reads;
use crate::webhook::selector::LabelSelector;
use std::collections::BTreeMap;

/// An object, or a kind, that a rule would have looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// What it is, and why it could not be read.
    pub gap: Gap,
    /// The beginnings of the codes of the rules that needed it.
    pub codes: &'static [&'static str],
    /// What it hides could change the verdict.
    pub decides: bool,
}

impl Hidden {
    fn of<T>(what: String, fact: &Fact<T>, codes: &'static [&'static str], decides: bool) -> Option<Self> {
        Some(Self { gap: Gap::of(what, fact)?, codes, decides })
    }
}

/// The rules about applications.
const APPLICATIONS: &[&str] = &["WI7"];
/// The rules about variables and tokens of a template.
const TEMPLATES: &[&str] = &["WI1"];

impl Chain<'_> {
    fn namespace_matters(&self) -> bool {
        let Fact::Known(webhook) = &self.cluster.webhook else { return false };
        webhook.registrations.iter().any(|found| found.entry.namespace_selector != LabelSelector::default())
    }

    /// Why a declared fact could not be read, with what it is called; `None` where it was read or nobody asked.
    pub fn gap(&self, read: Reads) -> Option<Gap> {
        let (what, fact) = match read {
            Reads::Account | Reads::Accounts => {
                (format!("service accounts of {}", self.namespace()), self.account_fact().map(|_| ()))
            }
            Reads::Pods => {
                (format!("pods of {}", self.namespace()), self.inventory.coverage("Pod", Some(self.namespace())))
            }
            Reads::Webhook => ("the identity webhook".to_owned(), self.cluster.webhook.as_ref().map(|_| ())),
            // Without a selector that asks for them, nothing hangs on the namespace's labels.
            Reads::Namespace if !self.namespace_matters() => return None,
            Reads::Namespace => (
                format!("namespace {}", self.namespace()),
                self.inventory.other("Namespace", None, self.namespace()).map(|_| ()),
            ),
            Reads::Cluster => ("the issuer of the cluster".to_owned(), self.cluster.issuer.as_ref().map(|_| ())),
            Reads::Events => {
                (format!("events of {}", self.namespace()), self.inventory.coverage("Event", Some(self.namespace())))
            }
            Reads::Logs => (
                format!("logs of pods in {}", self.namespace()),
                self.inventory.coverage("Log", Some(self.namespace())),
            ),
            Reads::Secrets => {
                let wanted = self.peek_applications().iter().flat_map(|part| part.application.secrets(part));
                let mut unread = wanted
                    .map(|(ns, name)| (format!("Secret {ns}/{name}"), self.inventory.secret(&ns, &name).map(|_| ())));
                unread.find(|(_, fact)| fact.why().is_some())?
            }
            Reads::Asked => {
                ("what the API server makes of such a pod (--ask-server)".to_owned(), self.asked.clone().map(|_| ()))
            }
            Reads::Identity | Reads::Credentials | Reads::Roles | Reads::ManagedCluster => return self.azure_gap(read),
            Reads::Template | Reads::Workloads | Reads::Objects | Reads::Probe | Reads::Exchange => return None,
        };
        Gap::of(what, &fact)
    }

    /// Objects that applications and variables name, or are configured by, and that could not be read.
    pub fn object_gaps(&self) -> Vec<Hidden> {
        let mut gaps = Vec::new();
        for part in self.peek_applications() {
            gaps.extend(self.resource_gaps(part.application, part.is_whole()));
            for (namespace, name) in part.application.config_maps(part) {
                let fact = self.inventory.other("ConfigMap", Some(&namespace), &name);
                let what = format!("ConfigMap {namespace}/{name}");
                gaps.extend(Hidden::of(what, &fact, APPLICATIONS, part.is_whole()));
            }
        }
        if let Target::Other(other) = self.target
            && let Some(application) = apps::of_resource(&other.meta.object)
        {
            let what = format!("the workloads of {}", application.title());
            gaps.extend(Hidden::of(what, &self.inventory.coverage("Deployment", None), APPLICATIONS, true));
            gaps.extend(self.resource_gaps(application, true));
        }
        gaps.extend(self.variable_gaps());
        gaps
    }

    /// The custom resources that an application is configured by.
    fn resource_gaps(&self, application: &dyn Application, decides: bool) -> Vec<Hidden> {
        let namespace = self.namespace();
        let gap = |&(_, kind): &(&str, &str)| {
            let what = || format!("{kind} resources");
            let here = || Hidden::of(what(), &self.inventory.coverage(kind, Some(namespace)), APPLICATIONS, decides);
            let all = || Hidden::of(what(), &self.inventory.coverage(kind, None), APPLICATIONS, decides);
            if application.serves_all_namespaces() { all().or_else(here) } else { here() }
        };
        application.resources().iter().filter_map(gap).collect()
    }

    /// What variables come from, and the classes that volumes name.
    fn variable_gaps(&self) -> Vec<Hidden> {
        let Some(workload) = self.peek_workload() else { return Vec::new() };
        let (namespace, spec) = (self.namespace(), &workload.template.spec);
        let mut gaps = Vec::new();
        for source in config::sources_of_variables(spec) {
            let (kind, fact) = if source.secret {
                ("Secret", self.inventory.secret(namespace, source.name).map(|_| ()))
            } else {
                ("ConfigMap", self.inventory.other("ConfigMap", Some(namespace), source.name).map(|_| ()))
            };
            let what = format!("{kind} {namespace}/{}", source.name);
            gaps.extend(Hidden::of(what, &fact, TEMPLATES, source.says_identity));
        }
        for class in apps::secrets_store::classes_of(spec) {
            let fact = self.inventory.other("SecretProviderClass", Some(namespace), class);
            let what = format!("SecretProviderClass {namespace}/{class}");
            gaps.extend(Hidden::of(what, &fact, &["WI1", "WI77"], true));
        }
        gaps
    }
}

/// The kinds and objects that could not be read, whoever would have needed them.
pub fn unread(inventory: &Inventory) -> Vec<Hidden> {
    let mut gaps: Vec<Hidden> = Vec::new();
    let mut resources: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for (kind, namespace, name, state) in inventory.unread() {
        // A user who may not read custom resources may read none of them: that is one thing to say.
        if let (true, ReadState::Denied(denied)) = (is_custom(kind), state) {
            resources.entry(namespace).or_default().push(&denied.resource);
            continue;
        }
        let place = match (namespace, name) {
            (Some(namespace), Some(name)) => format!(" {namespace}/{name}"),
            (None, Some(name)) => format!(" {name}"),
            (Some(namespace), None) => format!(" objects of {namespace}"),
            (None, None) => " objects".to_owned(),
        };
        gaps.extend(Hidden::of(format!("{kind}{place}"), &state.missing::<()>(), needing(kind), false));
    }
    gaps.extend(resources.into_iter().filter_map(|(namespace, plurals)| {
        let place = namespace.map(|namespace| format!(" of {namespace}")).unwrap_or_default();
        let namespace = namespace.map(str::to_owned);
        let denied = Denied { verb: "list".to_owned(), resource: plurals.join(", "), namespace };
        Hidden::of(format!("custom resources{place}"), &Fact::<()>::Denied(denied), APPLICATIONS, false)
    }));
    gaps
}

/// Whether a kind is a custom resource that applications are configured by.
fn is_custom(kind: &str) -> bool {
    apps::resources().any(|(_, known)| known == kind)
}

/// The rules that look into objects of a kind.
fn needing(kind: &str) -> &'static [&'static str] {
    match kind {
        "RoleBinding" | "ClusterRoleBinding" | "ClusterRole" => &["WI106", "WI118", "WI302"],
        "EndpointSlice" | "Service" | "NetworkPolicy" => &["WI302"],
        "ReplicaSet" | "ControllerRevision" => &["WI401"],
        "Event" => &["WI30", "WI8"],
        "ConfigMap" | "Secret" => &["WI1", "WI7"],
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" | "ReplicationController" | "Pod" => &["WI"],
        "Namespace" => &["WI3"],
        _ => APPLICATIONS,
    }
}
