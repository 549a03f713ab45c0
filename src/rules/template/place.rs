//! The label in a place where nobody looks.

use super::label::label_fix;
use crate::chain::meant::declines;
use crate::chain::{Chain, annotation_path, label_path, near};
use crate::model::StringMap;
use crate::model::finding::{FixKind, Level, Link};
use crate::model::object::ObjectRef;
use crate::rules::edit::{remove_entry, set_entry};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::{Trigger, keys};
use serde_json::json;

rule! {
    /// ## What it does
    /// Finds the label `azure.workload.identity/use` in a place where the webhook does not see it: on the Deployment,
    /// Job or CronJob itself instead of its pod template, on the service account or the namespace only, or as an
    /// annotation.
    ///
    /// ## Why it breaks
    /// The API server matches the webhook's `objectSelector` against the labels of the pod that is created. Labels of
    /// a workload are not handed down to its pods, and annotations are no labels. The label of the service account
    /// counted up to webhook 0.15 and does nothing since 1.0.0.
    ///
    /// ## How it is known
    /// From the labels and annotations of the workload, its pod template, its account and its namespace, where the pod
    /// template itself lacks the label.
    ///
    /// ## Fix
    /// Add the label to the pod template: `spec.template.metadata.labels`, for a CronJob
    /// `spec.jobTemplate.spec.template.metadata.labels`.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over. The stray label may stay: nobody reads it.
    ///
    /// ## References
    /// - Azure Workload Identity, "Labels and annotations" and "Mutating admission webhook"
    /// - Azure/azure-workload-identity issues 756 and 1025
    PodLabelWrongPlace {
        code: "WI102",
        name: "pod-label-wrong-place",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Namespace, Reads::Webhook],
        fix: Some(FixKind::Restart),
    }
}

/// Where the label was found.
struct Stray {
    object: ObjectRef,
    path: String,
    /// For a sentence: `on the Deployment itself`.
    place: String,
}

impl Rule for PodLabelWrongPlace {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let labels = workload.template.metadata.labels.as_ref();
        let misspelt = labels.is_some_and(|labels| labels.keys().any(|key| near::is_nearly_use_label(key)));
        if workload.template.metadata.label(keys::USE_LABEL).is_some()
            || misspelt
            || !chain.needs_injection()
            || chain.trigger() != Trigger::PodLabel
        {
            return;
        }
        let strays = strays(chain);
        let Some(first) = strays.first() else { return };
        let map = chain.template_path("/metadata/labels");
        let operation = set_entry(labels, &map, keys::USE_LABEL, keys::USE_LABEL_VALUE);
        let mut patch = vec![operation];
        // An annotation of the template is taken along: two spellings of one thing only confuse.
        if let Some(annotation) = strays.iter().find(|stray| stray.path.contains("/annotations/") && stray.is_of(chain))
        {
            let key = annotation.path.rsplit('/').next().unwrap_or_default().replace("~1", "/");
            patch.push(remove_entry(&chain.template_path("/metadata/annotations"), &key));
        }
        report
            .add(
                &first.object,
                first.path.clone(),
                format!(
                    "{} is {} and not a label of the pod template; the webhook looks at the pods' own labels and \
                     leaves these pods alone",
                    keys::USE_LABEL,
                    first.place
                ),
            )
            .evidence_all(strays[1..].iter().map(|stray| format!("it is also {}", stray.place)))
            .fix(label_fix(
                workload,
                format!("add {}: \"true\" to the labels of the pod template", keys::USE_LABEL),
                &json!({ keys::USE_LABEL: keys::USE_LABEL_VALUE }),
                patch,
            ));
    }
}

impl Stray {
    /// Whether it stands in the pod template.
    fn is_of(&self, chain: &Chain<'_>) -> bool {
        let template = chain.template_path("/metadata/annotations");
        self.object == *chain.target().object() && !template.is_empty() && self.path.starts_with(&template)
    }
}

/// All places but the right one, the nearest to it first.
fn strays(chain: &Chain<'_>) -> Vec<Stray> {
    let Some(workload) = chain.workload() else { return Vec::new() };
    let (object, kind) = (&workload.meta.object, workload.meta.object.kind.as_str());
    let mut strays = Vec::new();
    let mut add = |object: &ObjectRef, at: &str, map: Option<&StringMap>, labels: bool, place: &str| {
        let key = map.into_iter().flatten().find(|(key, value)| {
            (key.as_str() == keys::USE_LABEL || near::is_nearly_use_label(key)) && !declines(value)
        });
        if let Some((key, _)) = key {
            let below = if labels { label_path(key) } else { annotation_path(key) };
            let as_annotation = if labels { "" } else { " as an annotation" };
            let place = format!("on {place}{as_annotation}");
            strays.push(Stray { object: object.clone(), path: format!("{at}{below}"), place });
        }
    };
    let template = &workload.template.metadata;
    if workload.is_pod() {
        add(object, "", template.annotations.as_ref(), false, "the pod");
    } else {
        add(object, workload.template_pointer(), template.annotations.as_ref(), false, "the pod template");
        let job = &workload.job_metadata;
        add(object, "/spec/jobTemplate", job.labels.as_ref(), true, "the job template");
        add(object, "/spec/jobTemplate", job.annotations.as_ref(), false, "the job template");
        let itself = format!("the {kind} itself");
        add(object, "", workload.meta.labels.as_ref(), true, &itself);
        add(object, "", workload.meta.annotations.as_ref(), false, &itself);
    }
    if let Some(account) = chain.account().known() {
        let place = format!("service account {}", account.meta.name());
        add(&account.meta.object, "", account.meta.labels.as_ref(), true, &place);
        add(&account.meta.object, "", account.meta.annotations.as_ref(), false, &place);
    }
    if let Some(namespace) = chain.namespace_object().known() {
        let place = format!("namespace {}", namespace.meta.name());
        add(&namespace.meta.object, "", namespace.meta.labels.as_ref(), true, &place);
        add(&namespace.meta.object, "", namespace.meta.annotations.as_ref(), false, &place);
    }
    strays
}
