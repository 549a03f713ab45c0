//! `simulate`: what the identity webhook would make of objects, without asking it.
//!
//! Pure: whoever calls it has read objects, accounts, namespaces and the webhook's settings before. Of a workload the
//! pod template is changed as a pod made from it would be.
//!
//! # The volume's name from webhook 1.6.0 on
//!
//! It follows the pod's name. A pod is hashed by its `name`, else by `generateName` with ` (prefix)` after it, as the
//! webhook does it; a pod that exists in a cluster (it has a `uid`) and carries a `generateName` had no name yet when
//! it was created, so the prefix counts. The pods of a workload are not named yet, so
//! [`UNNAMED_POD_HASH`](crate::webhook::keys::UNNAMED_POD_HASH) stands for the hash. That is no valid name on purpose:
//! a simulated template is to be looked at, not to be applied.

pub mod objects;
pub mod render;
pub mod report;
mod secrets;

pub use objects::{Options, simulate};

use crate::model::StringMap;
use crate::model::fact::Fact;
use crate::model::finding::pointer_token;
use crate::model::object::ObjectRef;
use crate::model::pod::PodTemplate;
use crate::model::workload::{WORKLOAD_KINDS, template_pointer};
use crate::webhook::{
    AccountView, Admission, Candidate, Denial, Naming, Selection, Trigger, WebhookEntry, WebhookSettings, admit,
    admit_template, selects,
};
use report::{Item, Outcome, SimulateReport, SimulatedWebhook};
use serde::Deserialize;
use serde_json::Value;

/// Everything besides the objects that decides what becomes of them.
pub struct Simulator<'a> {
    /// The webhook's version and settings.
    pub settings: &'a WebhookSettings,
    /// Its registrations; where none was seen, [`WebhookEntry::upstream`] stands in. With several, each is asked.
    pub entries: &'a [WebhookEntry],
    /// Where objects without a namespace are.
    pub namespace: &'a str,
    /// The account of that namespace and name. What is neither known nor absent gives [`Outcome::Unknown`].
    pub accounts: &'a dyn Fn(&str, &str) -> Fact<AccountView<'a>>,
    /// The labels of a namespace; `None` where it was not read.
    pub namespaces: &'a dyn Fn(&str) -> Option<&'a StringMap>,
}

impl Simulator<'_> {
    /// What becomes of all objects. Those that are neither pods nor make any have no item.
    pub fn run(&self, webhook: SimulatedWebhook, objects: impl IntoIterator<Item = Value>) -> SimulateReport {
        let mut report = SimulateReport::new(webhook);
        report.items.extend(objects.into_iter().filter_map(|object| self.object(object)));
        report
    }

    /// What becomes of one object; `None` where it is neither a pod nor makes any.
    ///
    /// Client secrets that stand in it as variables are hidden, before and after.
    pub fn object(&self, mut object: Value) -> Option<Item> {
        let pointer = pods_at(&object)?;
        secrets::hide(&mut object, pointer);
        let reference = self.reference(&object);
        let namespace = reference.namespace.clone().unwrap_or_default();
        let fate = match object.pointer(pointer) {
            None => Fate::unknown("it has no pod template"),
            Some(template) => self.template(template, pointer.is_empty(), &namespace),
        };
        let result = match fate.template {
            None if matches!(fate.outcome, Outcome::Denied | Outcome::Unknown) => None,
            None => Some(object.clone()),
            Some(template) => {
                let mut result = object.clone();
                if let Some(place) = result.pointer_mut(pointer) {
                    *place = template;
                }
                Some(result)
            }
        };
        let Fate { outcome, message, dropped, .. } = fate;
        Some(Item { object: reference, outcome, message, result, before: object, dropped })
    }

    fn reference(&self, object: &Value) -> ObjectRef {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = text("/metadata/name").or_else(|| text("/metadata/generateName")).unwrap_or_default();
        let namespace = text("/metadata/namespace").unwrap_or(self.namespace);
        let (api_version, kind) = (text("/apiVersion").unwrap_or_default(), text("/kind").unwrap_or_default());
        ObjectRef::new(api_version, kind, Some(namespace), name)
    }

    /// What becomes of a pod, or of the pods of a template.
    fn template(&self, template: &Value, is_pod: bool, namespace: &str) -> Fate {
        if let Some(pointer) = not_text(template) {
            return Fate::unknown(format!("{pointer} is no text: the API server refuses the object"));
        }
        let view = match PodTemplate::deserialize(template) {
            Ok(view) => view,
            Err(error) => return Fate::unreadable(&error),
        };
        let account = (self.accounts)(namespace, view.spec.account());
        let candidate = Candidate {
            labels: view.metadata.labels.as_ref(),
            annotations: view.metadata.annotations.as_ref(),
            namespace,
            namespace_labels: (self.namespaces)(namespace),
            account: account.known().copied(),
        };
        match self.selection(candidate) {
            Selection::NotSelected(barrier) => return Fate::unchanged(format!("left alone: {barrier}")),
            Selection::Unknown(barrier) => return Fate::unknown(barrier.question()),
            Selection::Selected => {}
        }
        let account = match &account {
            Fact::Known(account) => Some(*account),
            Fact::Absent => None,
            other => {
                let why = other.why().map(|why| format!(": {why}")).unwrap_or_default();
                let name = view.spec.account();
                return Fate::unknown(format!("service account {namespace}/{name} was not seen{why}"));
            }
        };
        let exists = template.pointer("/metadata/uid").is_some();
        let admission = match (is_pod, exists) {
            (true, false) => admit(template, namespace, account, self.settings),
            (true, true) => admit_template(template, Naming::BeforeNamed, account, self.settings),
            (false, _) => admit_template(template, Naming::Unknown, account, self.settings),
        };
        match admission {
            Admission::Denied(Denial::Unreadable(error)) => Fate::unreadable(&error),
            Admission::Denied(denial) => Fate::new(Outcome::Denied, Some(denial.to_string())),
            Admission::Allowed { pod, dropped } => {
                let changed = pod.get("spec") != template.get("spec");
                let fate = if changed {
                    Fate::new(Outcome::Mutated, None)
                } else {
                    Fate::unchanged("it has all that the webhook adds")
                };
                Fate { template: Some(pod), dropped, ..fate }
            }
        }
    }

    /// Whether any of the registrations takes it; a doubt goes before a no.
    fn selection(&self, candidate: Candidate<'_>) -> Selection {
        let trigger: Trigger = self.settings.profile().trigger;
        let upstream = [WebhookEntry::upstream()];
        let entries = if self.entries.is_empty() { &upstream } else { self.entries };
        let mut best = None;
        for entry in entries {
            match selects(entry, trigger, candidate) {
                Selection::Selected => return Selection::Selected,
                doubt @ Selection::Unknown(_) if !matches!(best, Some(Selection::Unknown(_))) => best = Some(doubt),
                other => best = best.or(Some(other)),
            }
        }
        best.unwrap_or(Selection::Selected)
    }
}

/// What becomes of a pod or template.
struct Fate {
    outcome: Outcome,
    message: Option<String>,
    template: Option<Value>,
    dropped: Vec<String>,
}

impl Fate {
    fn new(outcome: Outcome, message: Option<String>) -> Self {
        Self { outcome, message, template: None, dropped: Vec::new() }
    }

    fn unchanged(message: impl Into<String>) -> Self {
        Self::new(Outcome::Unchanged, Some(message.into()))
    }

    fn unknown(message: impl Into<String>) -> Self {
        Self::new(Outcome::Unknown, Some(message.into()))
    }

    fn unreadable(error: &dyn std::fmt::Display) -> Self {
        Self::unknown(format!("the API server refuses the object: {error}"))
    }
}

/// JSON pointer of the pod (empty) or of the pod template of an object. Custom resources count where they carry a
/// template in one of the usual places.
fn pods_at(object: &Value) -> Option<&'static str> {
    let kind = object.get("kind").and_then(Value::as_str)?;
    let api_version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let built_in = matches!(group, "" | "apps" | "batch" | "extensions");
    if built_in && (kind == "PodTemplate" || WORKLOAD_KINDS.iter().any(|(_, known)| *known == kind)) {
        return Some(template_pointer(kind));
    }
    // Argo Rollouts, Knative services, OpenShift's DeploymentConfigs; KEDA's ScaledJobs.
    ["/spec/template", "/spec/jobTemplate/spec/template", "/spec/jobTargetRef/template"]
        .into_iter()
        .find(|pointer| object.pointer(&format!("{pointer}/spec/containers")).is_some_and(Value::is_array))
}

/// The first label or annotation that is no text, as a JSON pointer.
fn not_text(template: &Value) -> Option<String> {
    ["labels", "annotations"].into_iter().find_map(|map| {
        let entries = template.pointer(&format!("/metadata/{map}"))?.as_object()?;
        let (key, _) = entries.iter().find(|(_, value)| !value.is_string())?;
        Some(format!("/metadata/{map}/{}", pointer_token(key)))
    })
}
