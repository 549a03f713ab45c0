//! How an application is recognised: by several marks together, never by one fragile mark.

use super::image::{self, Likeness};
use crate::model::object::Meta;
use crate::model::pod::{Container, PodTemplate};
use crate::model::workload::Workload;

/// What is known of the look of one component.
#[derive(Debug, Clone, Copy)]
pub struct Signs {
    /// Which component it is.
    pub component: &'static str,
    /// Paths of its images, such as `velero/velero`.
    pub images: &'static [&'static str],
    /// Values of `app.kubernetes.io/name`, `app` or `k8s-app`.
    pub names: &'static [&'static str],
    /// Further labels of its pods.
    pub labels: &'static [(&'static str, &'static str)],
    /// Names of charts.
    pub charts: &'static [&'static str],
    /// Names of its main container.
    pub containers: &'static [&'static str],
    /// Names of its workload.
    pub workloads: &'static [&'static str],
}

impl Signs {
    /// Nothing known.
    pub const NONE: Self =
        Self { component: "", images: &[], names: &[], labels: &[], charts: &[], containers: &[], workloads: &[] };
}

/// Points from which on a component counts as recognised: one sure mark, or two weak ones.
const ENOUGH: u8 = 2;

/// A workload that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a> {
    /// Its metadata.
    pub meta: &'a Meta,
    /// Its pod template.
    pub template: &'a PodTemplate,
}

/// A component that was recognised.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// Which component it is.
    pub component: &'static str,
    /// How sure that is.
    pub score: u8,
    /// The container that tells the version.
    pub container: Option<&'a Container>,
}

impl<'a> Marks<'a> {
    /// The marks of a workload.
    pub fn of(workload: &'a Workload) -> Self {
        Self { meta: &workload.meta, template: &workload.template }
    }

    /// A label of the pods, or else of the workload.
    pub fn label(&self, key: &str) -> Option<&'a str> {
        self.template.metadata.label(key).or_else(|| self.meta.label(key))
    }

    /// The chart's label.
    pub fn chart(&self) -> Option<&'a str> {
        self.label("helm.sh/chart").or_else(|| self.label("chart"))
    }

    /// How well a component fits, and the container that it runs in.
    pub fn score(&self, signs: &Signs) -> (u8, Option<&'a Container>) {
        let mut score = 0;
        let likeness = |container: &Container| {
            let image = container.image.as_deref().unwrap_or_default();
            signs.images.iter().map(|known| image::likeness(image, known)).max().unwrap_or(Likeness::None)
        };
        let best = self.template.spec.containers.iter().max_by_key(|container| likeness(container));
        let found = best.filter(|container| likeness(container) > Likeness::None);
        score += match found.map_or(Likeness::None, likeness) {
            Likeness::None => 0,
            Likeness::Name => 1,
            Likeness::Joined => 2,
            Likeness::Path => 3,
        };
        let named = ["app.kubernetes.io/name", "app", "k8s-app"]
            .iter()
            .filter_map(|key| self.label(key))
            .any(|name| signs.names.contains(&name));
        let labelled = signs.labels.iter().any(|(key, value)| self.label(key) == Some(value));
        let chart = self.chart().is_some_and(|chart| {
            signs.charts.iter().any(|name| chart.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')))
        });
        let container = self.template.spec.containers.iter().find(|c| signs.containers.contains(&c.name.as_str()));
        let workload = signs.workloads.contains(&self.meta.name());
        for mark in [named, labelled, chart, container.is_some(), workload] {
            score += u8::from(mark);
        }
        (score, found.or(container))
    }

    /// The component that fits best, where one fits well enough.
    pub fn best(&self, all: &[Signs]) -> Option<Sighting<'a>> {
        let mut best: Option<Sighting<'a>> = None;
        for signs in all {
            let (score, container) = self.score(signs);
            // Labels alone are also on what a chart brings along: jobs, exporters, test pods.
            if score >= ENOUGH && container.is_some() && best.is_none_or(|best| score > best.score) {
                best = Some(Sighting { component: signs.component, score, container });
            }
        }
        best
    }
}
