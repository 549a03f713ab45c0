//! `ScaledObjects` and `ScaledJobs`: their triggers, and what they say.

use super::view::{Provider, READS, Scaled, View, command};
use crate::apps::custom;
use crate::apps::message::{Class, Meaning, classify};
use crate::chain::Chain;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::rules::{Needs, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds a trigger of an Azure service that still passes a connection string, where a trigger authentication for
    /// workload identity is there.
    ///
    /// ## Why it breaks
    /// Without `authenticationRef` the trigger works with the shared key of the connection string: workload identity is
    /// not used, and scaling stops on the day on which the key is rotated or shared keys are disabled. With both,
    /// nobody sees which of the two counts.
    ///
    /// ## How it is known
    /// From `metadata.connection` and `metadata.connectionFromEnv` of the trigger.
    ///
    /// ## Fix
    /// Remove the connection, name the authentication, and give `namespace` (Service Bus) or `accountName` (storage)
    /// instead.
    ///
    /// ## Fix safety
    /// Nothing restarts. The identity needs its role first.
    ///
    /// ## References
    /// - KEDA, "Azure Service Bus" and the other scalers of Azure
    KedaConnectionOverrides {
        code: "WI724",
        name: "keda-connection-overrides",
        level: Level::Warning,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for KedaConnectionOverrides {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        for scaled in &view.scaled {
            let (object, namespace) = (&scaled.resource.meta.object, scaled.resource.meta.namespace());
            for trigger in scaled.triggers.iter().filter(|trigger| trigger.is_azure()) {
                let Some(setting) = trigger.connection() else { continue };
                let named = trigger.authentication.and_then(|(kind, name)| view.find(kind, namespace, name));
                let message = match named {
                    Some(a) if a.provider == Provider::AzureWorkload => {
                        format!(
                            "{object} passes {setting} besides {}; one of the two is not used",
                            a.resource.meta.object
                        )
                    }
                    Some(_) => continue,
                    None if trigger.authentication.is_some() => continue,
                    None => {
                        let there = view.authentications.iter().find(|a| {
                            a.provider == Provider::AzureWorkload && a.resource.meta.namespace() == namespace
                        });
                        let Some(there) = there else { continue };
                        format!(
                            "{object} passes {setting} and does not name {}; the shared key is used, not workload identity",
                            there.resource.meta.object
                        )
                    }
                };
                report.add(object, format!("/spec/triggers/{}/metadata/{setting}", trigger.at), message).fix(
                    Fix::manual("remove the connection and name the authentication").command(command("edit", object)),
                );
            }
        }
    }
}

rule! {
    /// ## What it does
    /// Reads why a `ScaledObject` or `ScaledJob` is not ready, and says whether identity is the reason.
    ///
    /// ## Why it breaks
    /// The operator (before 2.9, or with `KEDA_USE_METRICS_SERVICE_GRPC=false`, also the metrics API server) asks the
    /// service of each trigger. What it is told stands in the conditions and events: no token, no credential, a missing
    /// role (`Manage,EntityRead claims required` of Service Bus), a firewall.
    ///
    /// ## How it is known
    /// From the condition `Ready` and from events `KEDAScalerFailed`. Where another finding explains it, this one is
    /// its evidence. A message about something else, such as a missing scale target, is none of its business; one that
    /// only says that triggers do not work is told as a warning.
    ///
    /// ## Fix
    /// Mend the cause that is named. This is a `ScaledObject` to test with, on a queue that may be empty:
    /// `{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: wi-test}, spec: {scaleTargetRef: {name:
    /// DEPLOYMENT}, triggers: [{type: azure-servicebus, metadata: {namespace: NAMESPACE, queueName: QUEUE,
    /// messageCount: "5"}, authenticationRef: {name: AUTHENTICATION}}]}}`
    ///
    /// ## Fix safety
    /// As for the cause.
    ///
    /// ## References
    /// - kedacore/keda issues 4123, 4219, 4597, 5491 and 7822; pull request 3861 (2.9)
    KedaScalerFailing {
        code: "WI726",
        name: "keda-scaler-failing",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Live, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for KedaScalerFailing {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        for scaled in &view.scaled {
            let object = &scaled.resource.meta.object;
            if !scaled.uses_azure_workload(&view) {
                continue;
            }
            let look = Fix::manual("mend the cause, then look again")
                .command(command("describe", object))
                .command("kubectl logs -n keda deploy/keda-operator --tail=200");
            if let Some((text, meaning)) = failure(chain, scaled) {
                report
                    .add(object, "/status/conditions", format!("{object} is not ready; {}", meaning.says))
                    .evidence(custom::shown(&text))
                    .points_to_all(meaning.points_to)
                    .fix(look);
            } else if let Some(("False", reason, message)) = custom::condition(scaled.resource, "Ready")
                && reason == "TriggerError"
            {
                report
                    .add(
                        object,
                        "/status/conditions",
                        format!("{object} is not ready and uses workload identity; its triggers do not work"),
                    )
                    .level(Level::Warning)
                    .confidence(Confidence::Inferred)
                    .evidence(format!("{reason}: {}", custom::shown(message)))
                    .fix(look);
            }
        }
    }
}

/// What is said about a failure of identity or authorization, by conditions or events.
pub(super) fn failure(chain: &Chain<'_>, scaled: &Scaled<'_>) -> Option<(String, Meaning)> {
    let (status, reason, message) = custom::condition(scaled.resource, "Ready").unwrap_or(("", "", ""));
    if status == "True" {
        return None;
    }
    let object = &scaled.resource.meta.object;
    let mut texts = Vec::new();
    if status == "False" {
        texts.push(format!("{reason}: {message}"));
    }
    texts.extend(custom::events(chain.inventory(), object));
    let about = |meaning: &Meaning| meaning.class.is_about_identity();
    if let Some(found) = texts.iter().find_map(|text| Some((text.clone(), classify(text).filter(about)?))) {
        return Some(found);
    }
    // Azure's own hosts in the message of what uses workload identity: the service refused.
    let hosts = [
        "servicebus.windows.net",
        "core.windows.net",
        "vault.azure.net",
        "management.azure.com",
        "servicebus.usgovcloudapi.net",
        "servicebus.chinacloudapi.cn",
    ];
    let named = |text: &&String| hosts.iter().any(|host| text.contains(host));
    texts.iter().find(named).map(|text| {
        let meaning = Meaning {
            class: Class::Authorization,
            says: "the service of Azure that it asks refused",
            points_to: &["WI601"],
        };
        (text.clone(), meaning)
    })
}
