//! Files laid over the live cluster: what would be, once they were applied.
//!
//! Pure. The result is an [`Input`] like any other, so every rule works on it, and beside it what was there before,
//! so that a report can say what changes.

pub mod change;
pub mod merge;

use crate::apps;
use crate::chain::select::top_level;
use crate::inspect::Input;
use crate::manifest::read::{Problem, Sink, Texts};
use crate::model::fact::Fact;
use crate::model::inventory::{Inventory, is_cluster_scoped};
use crate::model::object::{ObjectRef, Origin};
use crate::model::workload::{WORKLOAD_KINDS, template_pointer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The objects of manifests, as they are written.
#[derive(Debug, Default)]
pub struct Manifests {
    objects: Vec<(Value, Origin)>,
    problems: Vec<Problem>,
    texts: Texts,
}

impl Sink for Manifests {
    fn object(&mut self, value: Value, origin: Origin) -> Result<(), serde_json::Error> {
        self.objects.push((value, origin));
        Ok(())
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

impl Manifests {
    /// With the texts that they were read from.
    #[must_use]
    pub fn with_texts(self, texts: Texts) -> Self {
        Self { texts, ..self }
    }

    /// Puts objects that name no namespace into the given one, as `kubectl apply` does.
    pub fn default_namespace(&mut self, namespace: &str) {
        for (value, _) in &mut self.objects {
            let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
            if is_cluster_scoped(kind) {
                continue;
            }
            if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.entry("namespace").or_insert_with(|| namespace.into());
            }
        }
    }

    /// Documents that could not be read.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether there is no object in them.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The namespaces that their objects are in.
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.objects.iter().filter_map(|(value, _)| object_of(value).namespace).collect()
    }

    /// Workloads and accounts, which have to be read whole to know what applying makes of them.
    pub fn merged_kinds(&self) -> Vec<ObjectRef> {
        let objects = self.objects.iter().map(|(value, _)| object_of(value));
        objects.filter(|object| is_merged(object) && !object.name.is_empty()).collect()
    }

    /// The kinds of objects that are neither workloads nor accounts, for words of the user that name them.
    pub fn kind_named(&self, word: &str) -> Option<String> {
        let mut inventory = Inventory::default();
        for (value, origin) in &self.objects {
            // What does not fit its kind names none.
            let _ = inventory.add_value(value.clone(), origin.clone(), "");
        }
        inventory.kind_named(word)
    }
}

/// Whether a live object of that kind is kept as what rules read of it only, so that it has to be read again whole.
fn is_merged(object: &ObjectRef) -> bool {
    let group = object.api_version.split('/').next().unwrap_or_default();
    let built_in = object.api_version == "v1" || matches!(group, "apps" | "batch");
    built_in && (object.kind == "ServiceAccount" || WORKLOAD_KINDS.iter().any(|(_, kind)| *kind == object.kind))
}

fn object_of(value: &Value) -> ObjectRef {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let namespace = text("/metadata/namespace");
    ObjectRef::new(
        text("/apiVersion"),
        text("/kind"),
        (!namespace.is_empty()).then_some(namespace),
        text("/metadata/name"),
    )
}

/// Objects by kind, namespace and name, whatever API version names them.
fn key(object: &ObjectRef) -> ObjectRef {
    ObjectRef { api_version: String::new(), ..object.clone() }
}

/// What was there before, and which of it the files touch.
#[derive(Debug, Default)]
pub struct Overlay {
    /// The cluster as it is.
    pub live: Input,
    /// What the files say of each of their objects.
    manifests: HashMap<ObjectRef, Value>,
    /// The same objects as they would be.
    merged: HashMap<ObjectRef, Value>,
    /// The targets that the files touch.
    touched: HashSet<ObjectRef>,
    /// Workloads whose pods are made anew, because their template becomes another.
    renewed: HashSet<ObjectRef>,
    /// Objects of the files that could not be read as they are, and why.
    unread: BTreeMap<ObjectRef, String>,
}

impl Overlay {
    /// Whether the files say anything about a target: about itself, its account, or a custom resource that it serves.
    pub fn touches(&self, target: &ObjectRef) -> bool {
        self.touched.contains(&key(target))
    }

    /// Whether applying makes all pods of a workload anew.
    pub fn renews(&self, workload: &ObjectRef) -> bool {
        self.renewed.contains(&key(workload))
    }

    /// Whether an object is in the files.
    pub fn names(&self, object: &ObjectRef) -> bool {
        self.manifests.contains_key(&key(object))
    }

    /// Why what applying makes of an object is not known.
    pub fn unread(&self, object: &ObjectRef) -> Option<&str> {
        self.unread.get(&key(object)).map(String::as_str)
    }

    /// Whether a value of an object that is in the files comes from the cluster all the same: the file does not say
    /// it, and applying leaves it as it is.
    pub fn is_kept(&self, object: &ObjectRef, pointer: &str) -> bool {
        let object = key(object);
        let has =
            |of: &HashMap<ObjectRef, Value>| of.get(&object).is_some_and(|value| value.pointer(pointer).is_some());
        !pointer.is_empty() && has(&self.merged) && !has(&self.manifests)
    }
}

/// Lays manifests over what was read of the cluster. `whole` holds the objects of [`Manifests::merged_kinds`] as they
/// are in the cluster.
pub fn lay(manifests: Manifests, live: Input, whole: &BTreeMap<ObjectRef, Fact<Value>>) -> Input {
    let mut overlay = Overlay::default();
    let mut inventory = live.inventory.clone();
    let mut problems = manifests.problems;
    for (manifest, origin) in manifests.objects {
        let object = object_of(&manifest);
        let before = match whole.get(&object) {
            Some(Fact::Known(value)) => Some(value),
            Some(unread @ (Fact::Denied(_) | Fact::Failed(_))) => {
                overlay.unread.insert(key(&object), unread.why().unwrap_or_default());
                None
            }
            _ if is_merged(&object) => None,
            _ => inventory.other(&object.kind, object.namespace.as_deref(), &object.name).known().map(|o| &o.value),
        };
        let after =
            before.map_or_else(|| manifest.clone(), |live| merge::applied(live, &manifest, is_built_in(&object)));
        if let Some(before) = before
            && rolls_over(&object, &after)
            && differ(before, &after, template_pointer(&object.kind))
        {
            inventory.end_pods_of(&object);
            overlay.renewed.insert(key(&object));
        }
        if let Err(error) = inventory.add_value(after.clone(), origin.clone(), "") {
            problems.push(unfit(&object, &origin, &error));
            continue;
        }
        // A Secret's values are kept nowhere.
        if object.kind != "Secret" {
            overlay.merged.insert(key(&object), after);
            overlay.manifests.insert(key(&object), manifest);
        }
    }
    let mut cluster = live.cluster.clone();
    cluster.find(&inventory);
    overlay.touched = touched(&inventory, &overlay.manifests);
    overlay.live = live;
    Input { inventory, cluster, problems, texts: manifests.texts, overlay: Some(Box::new(overlay)), ..Input::default() }
}

/// Whether the lists of that kind have keys: only the API server's own kinds do.
fn is_built_in(object: &ObjectRef) -> bool {
    let group = object.api_version.split('/').next().unwrap_or_default();
    object.api_version == "v1" || matches!(group, "apps" | "batch") || group.ends_with(".k8s.io")
}

/// Whether a change of the template replaces the pods that run: not those of a Job, which stays as it was created,
/// and not where somebody has to delete them first.
fn rolls_over(object: &ObjectRef, after: &Value) -> bool {
    let strategy = after.pointer("/spec/updateStrategy/type").and_then(Value::as_str);
    let paused = after.pointer("/spec/paused").and_then(Value::as_bool).unwrap_or_default();
    match object.kind.as_str() {
        "Deployment" => !paused,
        "StatefulSet" | "DaemonSet" => strategy != Some("OnDelete"),
        _ => false,
    }
}

fn differ(before: &Value, after: &Value, template: &str) -> bool {
    let none = Value::Null;
    merge::is_other_template(before.pointer(template).unwrap_or(&none), after.pointer(template).unwrap_or(&none))
}

fn unfit(object: &ObjectRef, origin: &Origin, error: &serde_json::Error) -> Problem {
    let (file, line) = match origin {
        Origin::File(origin) => (origin.file.to_string(), origin.line),
        Origin::Cluster => (String::new(), 1),
    };
    Problem { file, line, column: 1, message: format!("{object} does not fit its kind: {error}"), hint: None }
}

/// The targets that manifests touch: workloads, those that run as an account in the files or live in a namespace of
/// the files, those whose identity a custom resource of the files uses, and all where they configure the webhook.
fn touched(inventory: &Inventory, manifests: &HashMap<ObjectRef, Value>) -> HashSet<ObjectRef> {
    let has = |object: &ObjectRef| manifests.contains_key(&key(object));
    let everything = manifests.keys().any(|object| object.kind == "MutatingWebhookConfiguration");
    let mut touched: HashSet<ObjectRef> = top_level(inventory)
        .filter(|workload| {
            let namespace = workload.meta.namespace();
            everything
                || has(&workload.meta.object)
                || has(&ObjectRef::service_account(namespace, workload.account()))
                || has(&ObjectRef::new("", "Namespace", None, namespace))
        })
        .map(|workload| key(&workload.meta.object))
        .collect();
    for other in inventory.others().iter().filter(|other| has(&other.meta.object)) {
        touched.insert(key(&other.meta.object));
        touched.extend(apps::users(other, inventory).into_iter().map(|workload| key(&workload.meta.object)));
    }
    touched
}
