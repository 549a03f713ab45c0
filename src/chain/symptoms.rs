//! What the workload's own words say: its logs, and the events about it and its pods.

use super::running::is_mutated;
use super::{Chain, Target};
use crate::model::event::Event;
use crate::model::fact::Fact;
use crate::model::log::LogSource;
use crate::model::object::ObjectRef;
use crate::model::workload::Pod;
use crate::rules::Reads;
use crate::symptoms::{self, Context, Origin, Symptom};

/// A symptom, and where it was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What was recognised.
    pub symptom: Symptom,
    /// Where: `log of container velero in pod velero-7d9f8`.
    pub source: String,
    /// The container that said it.
    pub container: Option<String>,
    /// How many other pods, containers or events say the same.
    pub elsewhere: usize,
    /// Whether it was said before what runs now began, and that is ready: it may be over.
    pub past: bool,
    /// Whether somebody handed the text in, so that everything in it is wanted.
    pub asked: bool,
}

impl<'a> Chain<'a> {
    /// What the logs that were read and the events say, recognised; each failure once.
    pub fn symptoms(&self) -> &[Seen] {
        for read in [Reads::Logs, Reads::Events, Reads::Template, Reads::Pods] {
            self.note(read);
        }
        self.seen.get_or_init(|| self.recognise())
    }

    /// What is known about the workload whose words are read.
    pub fn context(&self) -> Context<'_> {
        Context {
            meant: Some(self.is_meant()),
            mutated: self.mutated(),
            application: self
                .peek_applications()
                .iter()
                .find(|part| part.is_whole())
                .map(|part| part.application.name()),
            issuer: self.cluster.issuer.known().map(String::as_str),
        }
    }

    /// Classifies a text of a status or condition of this workload's application.
    pub fn classify(&self, text: &str) -> Vec<Symptom> {
        symptoms::classify(text, Origin::Condition, &self.context())
    }

    /// Whether the pods that run have what the webhook injects; `None` where none are known, or they differ.
    fn mutated(&self) -> Option<bool> {
        let pods = self.live_pods();
        let mutated = pods.iter().filter(|pod| is_mutated(&pod.spec)).count();
        match (mutated, pods.len()) {
            (_, 0) => None,
            (0, _) => Some(false),
            (some, all) if some == all => Some(true),
            _ => None,
        }
    }

    fn own_pods(&self) -> Vec<&'a Pod> {
        self.peek_workload().map(|workload| self.inventory.pods_of(workload)).unwrap_or_default()
    }

    fn live_pods(&self) -> Vec<&'a Pod> {
        self.own_pods().into_iter().filter(|pod| pod.is_live()).collect()
    }

    fn recognise(&self) -> Vec<Seen> {
        let context = self.context();
        let pods = self.own_pods();
        let mut seen: Vec<Seen> = Vec::new();
        let own = self.target.object();
        let objects =
            std::iter::once(own).chain(pods.iter().map(|pod| &pod.meta.object).filter(|object| *object != own));
        for log in objects.flat_map(|object| self.inventory.logs_of(object)) {
            let ready = pods.iter().any(|pod| pod.meta.object == log.about && pod.ready);
            let (container, past, asked) = match &log.source {
                LogSource::Container { name, previous } => (Some(name.clone()), *previous && ready, false),
                LogSource::File(_) => (None, false, true),
            };
            for symptom in symptoms::classify(&log.text, Origin::Log, &context) {
                let one =
                    Seen { symptom, source: log.to_string(), container: container.clone(), elsewhere: 0, past, asked };
                add(&mut seen, one);
            }
        }
        for event in self.telling_events(&pods) {
            for symptom in symptoms::classify(&format!("{}: {}", event.reason, event.message), Origin::Event, &context)
            {
                let source = format!("event {} of {}", event.reason, event.about);
                add(&mut seen, Seen { symptom, source, container: None, elsewhere: 0, past: false, asked: false });
            }
        }
        seen
    }

    /// The events that tell of what still is: about pods that are not ready, and those that are newer than the newest
    /// pod.
    fn telling_events(&self, pods: &[&'a Pod]) -> Vec<&'a Event> {
        let Target::Workload(workload) = self.target else { return Vec::new() };
        let own = &workload.meta.object;
        let newest = pods.iter().filter(|pod| pod.is_live()).filter_map(|pod| pod.meta.created).max();
        let newer = |event: &Event| newest.is_none_or(|newest| event.last.is_none_or(|last| last > newest));
        let children = self.inventory.children(own).map(|child| &child.meta.object);
        let of_makers = std::iter::once(own)
            .chain(children)
            .flat_map(|object| self.inventory.events_of(object))
            .filter(|event| newer(event));
        let troubled: Vec<&ObjectRef> =
            pods.iter().filter(|pod| !pod.ready && pod.meta.deleted.is_none()).map(|pod| &pod.meta.object).collect();
        let mut events: Vec<&Event> = of_makers.collect();
        if !workload.is_pod() {
            events.extend(troubled.into_iter().flat_map(|object| self.inventory.events_of(object)));
        }
        events
    }

    /// Whether the objects that a rule judges were read, so that its own answer counts and no text's: the account for
    /// WI2, the webhook for WI3, the template for WI1, running pods for WI401.
    pub(crate) fn is_answered(&self, code: &str) -> bool {
        match code.get(..3) {
            Some("WI1") if !matches!(code, "WI116" | "WI118" | "WI119") => self.peek_workload().is_some(),
            Some("WI2") => matches!(self.account_fact(), Fact::Known(_) | Fact::Absent),
            Some("WI3") => matches!(self.cluster.webhook, Fact::Known(_) | Fact::Absent),
            _ => code == "WI401" && !self.live_pods().is_empty(),
        }
    }

    /// Whether a pod of the workload is not ready, restarts, or has failed.
    pub fn is_in_trouble(&self) -> bool {
        self.note(Reads::Pods);
        self.own_pods().iter().any(|pod| pod.is_in_trouble())
    }

    /// Whether logs were read, or handed in.
    pub fn has_logs(&self) -> bool {
        self.note(Reads::Logs);
        let of = |object: &ObjectRef| !self.inventory.logs_of(object).is_empty();
        of(self.target.object()) || self.own_pods().iter().any(|pod| of(&pod.meta.object))
    }
}

/// Adds a symptom, or counts it where it is known; what is said now beats what was said before.
fn add(seen: &mut Vec<Seen>, one: Seen) {
    let same = |other: &&mut Seen| {
        let (a, b) = (&other.symptom, &one.symptom);
        a.signature == b.signature
            && a.facts.aadsts == b.facts.aadsts
            && a.facts.client_id == b.facts.client_id
            && a.facts.subject == b.facts.subject
            && a.facts.action == b.facts.action
    };
    let Some(known) = seen.iter_mut().find(same) else {
        seen.push(one);
        return;
    };
    let elsewhere = known.elsewhere + 1;
    if known.past && !one.past {
        *known = one;
    }
    known.elsewhere = elsewhere;
    known.asked |= known.asked;
}
