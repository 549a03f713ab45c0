//! Whether the API server asks the webhook about a pod at all, and whether the webhook then looks at it.

use super::account::AccountView;
use super::condition::{self, PodRequest};
use super::keys;
use super::profile::Trigger;
use super::registration::WebhookEntry;
use super::selector::{Labels, Requirement, Truth};
use crate::model::StringMap;
use std::fmt;

/// Whether a pod goes through the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// It does.
    Selected,
    /// It does not.
    NotSelected(Barrier),
    /// It cannot be told.
    Unknown(Barrier),
}

/// What keeps a pod from the webhook, or may keep it. Displays a sentence's end about the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Barrier {
    /// The pod does not carry the label with the value that counts; what it carries instead.
    PodLabel(Option<String>),
    /// Up to 0.14: the account does not carry the label.
    AccountLabel,
    /// 0.15: neither the pod nor its account carries the label.
    PodAndAccountLabel,
    /// Before 1.0.0: the account, which decides, was not seen.
    AccountNotSeen,
    /// Before 0.10: what selects is not known.
    OldRelease,
    /// Another requirement of the objectSelector.
    ObjectSelector(Requirement),
    /// A requirement of the namespaceSelector.
    NamespaceSelector(Requirement),
    /// A match condition, by name.
    MatchCondition(String),
    /// The registration does not name the creation of pods.
    Rules,
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (label, value) = (keys::USE_LABEL, keys::USE_LABEL_VALUE);
        match self {
            Self::PodLabel(None) => write!(f, "it lacks the label {label}: \"{value}\""),
            Self::PodLabel(Some(found)) => write!(f, "its label {label} is {found:?}, and only \"{value}\" counts"),
            Self::AccountLabel => write!(f, "its service account lacks the label {label}: \"{value}\""),
            Self::PodAndAccountLabel => write!(f, "neither it nor its service account has the label {label}"),
            Self::AccountNotSeen => write!(f, "its service account, whose label decides, was not seen"),
            Self::OldRelease => write!(f, "what selects pods before webhook 0.10 is not known"),
            Self::ObjectSelector(requirement) => {
                write!(f, "its labels do not meet the webhook's objectSelector: {requirement}")
            }
            Self::NamespaceSelector(requirement) => {
                write!(f, "its namespace does not meet the webhook's namespaceSelector: {requirement}")
            }
            Self::MatchCondition(name) => write!(f, "the webhook's match condition {name:?} does not hold"),
            Self::Rules => write!(f, "the webhook's registration does not name the creation of pods"),
        }
    }
}

impl Barrier {
    /// The same as a question, for what cannot be told.
    pub fn question(&self) -> String {
        match self {
            Self::NamespaceSelector(requirement) => {
                format!("whether its namespace meets the webhook's namespaceSelector ({requirement}) is not known")
            }
            Self::ObjectSelector(requirement) => {
                format!("whether its labels meet the webhook's objectSelector ({requirement}) is not known")
            }
            Self::MatchCondition(name) => format!("whether the webhook's match condition {name:?} holds is not known"),
            other => other.to_string(),
        }
    }
}

/// A pod, or a pod of a template, as far as selection looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its labels.
    pub labels: Option<&'a StringMap>,
    /// Its annotations.
    pub annotations: Option<&'a StringMap>,
    /// Its namespace.
    pub namespace: &'a str,
    /// Labels of the namespace; `None` where it was not read.
    pub namespace_labels: Option<&'a StringMap>,
    /// Its account, which releases before 1.0.0 ask; `None` where it is absent or was not read.
    pub account: Option<AccountView<'a>>,
}

/// Whether the API server sends this pod to that webhook on creation, and whether a webhook with that trigger goes on.
pub fn selects(entry: &WebhookEntry, trigger: Trigger, pod: Candidate<'_>) -> Selection {
    let mut doubt = None;
    for (truth, barrier) in questions(entry, trigger, pod) {
        match truth {
            Truth::Yes => {}
            Truth::No => return Selection::NotSelected(barrier),
            Truth::Unknown => doubt = doubt.or(Some(barrier)),
        }
    }
    doubt.map_or(Selection::Selected, Selection::Unknown)
}

/// All that has to hold, the label first: it is what most pods lack.
fn questions<'a>(
    entry: &'a WebhookEntry,
    trigger: Trigger,
    pod: Candidate<'a>,
) -> impl Iterator<Item = (Truth, Barrier)> + 'a {
    let labels = Labels::all(pod.labels);
    let object = entry.object_selector.takes(labels);
    let object_barrier = match entry.object_selector.obstacle(labels) {
        Some(requirement) if requirement.key != keys::USE_LABEL => Barrier::ObjectSelector(requirement),
        _ => Barrier::PodLabel(use_label(pod).map(str::to_owned)),
    };
    let namespace_labels = Labels::of_namespace(pod.namespace, pod.namespace_labels);
    let namespace = entry.namespace_selector.takes(namespace_labels);
    let obstacle = entry.namespace_selector.obstacle(namespace_labels).unwrap_or_default();
    let request = PodRequest { namespace: pod.namespace, labels: pod.labels, annotations: pod.annotations };
    let conditions = entry.match_conditions.iter().map(move |condition| {
        (condition::holds(&condition.expression, request), Barrier::MatchCondition(condition.name.clone()))
    });
    [
        (object, object_barrier),
        triggered(trigger, pod),
        (entry.rules.iter().any(super::registration::Rule::takes_new_pods).into(), Barrier::Rules),
        (namespace, Barrier::NamespaceSelector(obstacle)),
    ]
    .into_iter()
    .chain(conditions)
}

fn use_label(pod: Candidate<'_>) -> Option<&str> {
    pod.labels?.get(keys::USE_LABEL).map(String::as_str)
}

/// What the webhook itself looks at once it is asked.
fn triggered(trigger: Trigger, pod: Candidate<'_>) -> (Truth, Barrier) {
    let by_account = pod.account.map(|account| account.selects_pods());
    match (trigger, by_account) {
        (Trigger::PodLabel, _) => (Truth::Yes, Barrier::Rules),
        (Trigger::PodOrAccountLabel, _) if use_label(pod).is_some() => (Truth::Yes, Barrier::PodAndAccountLabel),
        (Trigger::Undocumented, _) => (Truth::Unknown, Barrier::OldRelease),
        (Trigger::PodOrAccountLabel | Trigger::AccountLabel, None) => (Truth::Unknown, Barrier::AccountNotSeen),
        (Trigger::PodOrAccountLabel, Some(labelled)) => (labelled.into(), Barrier::PodAndAccountLabel),
        (Trigger::AccountLabel, Some(labelled)) => (labelled.into(), Barrier::AccountLabel),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::selector::LabelSelector;
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    fn labels(value: &str) -> StringMap {
        StringMap::from([(keys::USE_LABEL.to_owned(), value.to_owned())])
    }

    fn pod(labels: Option<&StringMap>) -> Candidate<'_> {
        Candidate { labels, annotations: None, namespace: "velero", namespace_labels: None, account: None }
    }

    fn says(entry: &WebhookEntry, pod: Candidate<'_>) -> String {
        match selects(entry, Trigger::PodLabel, pod) {
            Selection::Selected => "selected".to_owned(),
            Selection::NotSelected(barrier) => barrier.to_string(),
            Selection::Unknown(barrier) => barrier.question(),
        }
    }

    #[test]
    fn only_the_exact_label_selects() {
        let upstream = WebhookEntry::upstream();
        let (good, bad) = (labels("true"), labels("True"));
        assert_eq!(says(&upstream, pod(Some(&good))), "selected");
        assert_eq!(says(&upstream, pod(None)), r#"it lacks the label azure.workload.identity/use: "true""#);
        assert_eq!(
            says(&upstream, pod(Some(&bad))),
            r#"its label azure.workload.identity/use is "True", and only "true" counts"#
        );
    }

    #[test]
    fn an_operator_can_leave_namespaces_out() {
        let good = labels("true");
        let mut entry = WebhookEntry::upstream();
        let selector = json!({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}]});
        entry.namespace_selector = Deserialize::deserialize(selector).unwrap();
        assert!(says(&entry, pod(Some(&good))).contains("(team=a) is not known"));
        let of_team = StringMap::from([("team".to_owned(), "a".to_owned())]);
        assert_eq!(says(&entry, Candidate { namespace_labels: Some(&of_team), ..pod(Some(&good)) }), "selected");
        let bare = StringMap::new();
        let refused = says(&entry, Candidate { namespace_labels: Some(&bare), ..pod(Some(&good)) });
        assert_eq!(refused, "its namespace does not meet the webhook's namespaceSelector: team=a");
        // A pod without the label is not selected, whatever its namespace.
        assert!(says(&entry, pod(None)).contains("lacks the label"));
    }

    #[test]
    fn match_conditions_are_read_or_doubted() {
        let good = labels("true");
        let mut entry = WebhookEntry::upstream();
        let condition = |expression: &str| {
            vec![super::super::registration::MatchCondition {
                name: "mine".to_owned(),
                expression: expression.to_owned(),
            }]
        };
        entry.match_conditions = condition("request.namespace != 'velero'");
        assert_eq!(says(&entry, pod(Some(&good))), "the webhook's match condition \"mine\" does not hold");
        entry.match_conditions = condition("request.userInfo.username != 'admin'");
        assert_eq!(says(&entry, pod(Some(&good))), "whether the webhook's match condition \"mine\" holds is not known");
    }

    #[test]
    fn before_1_0_the_account_selects() {
        let entry = WebhookEntry { object_selector: LabelSelector::default(), ..WebhookEntry::upstream() };
        let (good, other) = (labels("true"), labels("no"));
        let account = |labels| Some(AccountView { name: "velero", labels, annotations: None });
        let old = |pod| selects(&entry, Trigger::AccountLabel, pod);
        assert_eq!(old(Candidate { account: account(Some(&good)), ..pod(None) }), Selection::Selected);
        assert_eq!(
            old(Candidate { account: account(None), ..pod(Some(&good)) }),
            Selection::NotSelected(Barrier::AccountLabel)
        );
        assert_eq!(old(pod(Some(&good))), Selection::Unknown(Barrier::AccountNotSeen));
        let either = |pod| selects(&entry, Trigger::PodOrAccountLabel, pod);
        assert_eq!(either(pod(Some(&other))), Selection::Selected);
        assert_eq!(
            either(Candidate { account: account(None), ..pod(None) }),
            Selection::NotSelected(Barrier::PodAndAccountLabel)
        );
        assert_eq!(selects(&entry, Trigger::Undocumented, pod(None)), Selection::Unknown(Barrier::OldRelease));
    }
}
