//! The identity webhook as a pure function.
//!
//! (pod, account, settings) -> the pod after the webhook, or its refusal, without asking any webhook. The answers are
//! held against recordings of the real one, see `tests/data/webhook/README.md`.
//!
//! Two steps: [`injection()`] works out on the narrow view of a pod what is added to which container; rules ask it
//! what a pod should have. [`admit`] does that for a whole pod and writes it in, with everything else that happens to
//! a pod on its way through the webhook.
//!
//! What is not done here, because the API server does it before the webhook is asked: defaults, the canonical form of
//! quantities, and refusing a pod that is none.

pub mod account;
pub mod apply;
pub mod certificate;
pub mod condition;
pub(crate) mod deployment;
pub mod fields;
pub mod health;
pub mod injection;
pub mod install;
pub mod keys;
pub mod number;
pub(crate) mod policy;
pub mod profile;
pub mod refusal;
pub mod registration;
pub mod selection;
pub mod selector;
pub mod settings;
pub mod shape;

pub use account::AccountView;
pub use injection::{Denial, Injection, Naming, injection};
pub use install::{Distribution, WebhookInstallation};
pub use profile::{Generation, Profile, Trigger, WebhookVersion};
pub use registration::{Registration, WebhookEntry};
pub use selection::{Barrier, Candidate, Selection, selects};
pub use settings::{CustomTokenEndpoint, KubernetesVersion, WebhookSettings};

use crate::model::pod::PodTemplate;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The webhook's answer to one pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// The pod goes on.
    Allowed {
        /// The whole pod as it comes out.
        pod: Value,
        /// Fields that it lost, as JSON pointers: the webhook's API types are older than they are.
        dropped: Vec<String>,
    },
    /// The pod is refused, with HTTP status [`Denial::CODE`].
    Denied(Denial),
}

/// What the webhook makes of a pod that it is asked about.
///
/// `pod` is the object as the API server would send it, `namespace` that of the request, `account` the one that the
/// pod names, `None` if it does not exist.
pub fn admit(pod: &Value, namespace: &str, account: Option<AccountView<'_>>, settings: &WebhookSettings) -> Admission {
    match admit_template(pod, Naming::AsSent, account, settings) {
        Admission::Allowed { mut pod, dropped } => {
            set_namespace(&mut pod, namespace);
            Admission::Allowed { pod, dropped }
        }
        denied @ Admission::Denied(_) => denied,
    }
}

/// What the webhook makes of a pod of this template: [`admit`] without the namespace, which a template does not have.
pub fn admit_template(
    template: &Value,
    naming: Naming,
    account: Option<AccountView<'_>>,
    settings: &WebhookSettings,
) -> Admission {
    let view = match PodTemplate::deserialize(template) {
        Ok(view) if template.get("spec").is_some_and(Value::is_object) => view,
        Ok(_) => return Admission::Denied(Denial::Unreadable("it has no spec".to_owned())),
        Err(error) => return Admission::Denied(Denial::Unreadable(error.to_string())),
    };
    match injection(&view, naming, account, settings) {
        Ok(injection) => {
            let mut pod = template.clone();
            let dropped = fields::drop_unknown(&mut pod, settings.profile());
            apply::apply(&injection, &mut pod);
            Admission::Allowed { pod, dropped }
        }
        Err(denial) => Admission::Denied(denial),
    }
}

/// The webhook writes the request's namespace into the pod, whatever stood there.
fn set_namespace(pod: &mut Value, namespace: &str) {
    let Some(object) = pod.as_object_mut() else { return };
    let metadata = object.entry("metadata").or_insert(Value::Null);
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
}
