//! The identity webhook: what it does to a pod besides what it should.

use super::{configuration, upgrade};
use crate::chain::Chain;
use crate::chain::compare::Answer;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::model::inventory::Inventory;
use crate::model::pod::PodTemplate;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::fields::NewerField;
use crate::webhook::refusal::Refusal;
use crate::webhook::{Generation, Registration, WebhookVersion};
use serde_json::Value;

rule! {
    /// ## What it does
    /// Finds pods that webhook 1.6.0 makes invalid because another mutating webhook sets `metadata.name`.
    ///
    /// ## Why it breaks
    /// From 1.6.0 on the name of the token volume follows the pod's name. With `reinvocationPolicy: IfNeeded` the API
    /// server asks the webhook again after another one has changed the pod. If that other webhook gave the pod its
    /// name, the second call adds a second volume at the same path, and the API server refuses the pod:
    /// `spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/var/run/secrets/azure/wi": must be unique`.
    ///
    /// ## How it is known
    /// From that text in events, in conditions of the owner, or in the answer to a dry run. The other mutating webhooks
    /// that are called for new pods are named; which of them sets the name cannot be read from their registration.
    ///
    /// ## Fix
    /// Upgrade to the release after 1.6.0, which mounts below a path of the pod's own, or go back to 1.5.1; else keep
    /// the other webhook from these pods.
    ///
    /// ## Fix safety
    /// Pods that run are not touched. The release after 1.6.0 moves the token file again: applications have to take
    /// its path from `AZURE_FEDERATED_TOKEN_FILE`.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issue 1744 and pull request 1749
    WebhookNotIdempotent {
        code: "WI312",
        name: "webhook-not-idempotent",
        level: Level::Error,
        link: Link::Webhook,
        needs: &[Needs::Live, Needs::Logs],
        reads: &[
            Reads::Template, Reads::Account, Reads::Webhook, Reads::Events, Reads::Workloads, Reads::Pods,
            Reads::Objects, Reads::Asked,
        ],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for WebhookNotIdempotent {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Fact::Known(webhook) = chain.webhook() else { return };
        let Some(registration) = webhook.registrations.first().filter(|_| chain.needs_injection()) else { return };
        let Some(Refusal::MountedTwice(field)) =
            refusals(chain).into_iter().find(|refusal| matches!(refusal, Refusal::MountedTwice(_)))
        else {
            return;
        };
        let concerned = webhook.settings.profile().generation == Generation::V1_6_0;
        let others = other_mutators(chain.inventory(), &webhook.registrations);
        let version = webhook.version().unwrap_or_else(|| "1.6.0".to_owned());
        report
            .add(
                &configuration(registration),
                "",
                format!(
                    "webhook {version} mounts its volume twice when another webhook names the pod; the API server \
                     refuses the pods"
                ),
            )
            .confidence(if concerned { Confidence::Observed } else { Confidence::Inferred })
            .evidence(format!("the API server: {field} must be unique"))
            .evidence(match others.as_slice() {
                [] => "no other mutating webhook for pods was seen".to_owned(),
                some => format!("other mutating webhooks that are called for new pods: {}", some.join(", ")),
            })
            .fix(
                Fix::manual(
                    "upgrade to the release after 1.6.0, or go back to 1.5.1; until then keep the other webhook \
                     from these pods",
                )
                .command(upgrade(webhook.distribution)),
            );
    }
}

/// Why the API server refused pods of this workload, as far as identity has to do with it: from conditions, events,
/// and a dry run.
pub(crate) fn refusals(chain: &Chain<'_>) -> Vec<Refusal> {
    let names: Vec<&str> = match chain.webhook() {
        Fact::Known(webhook) => webhook.registrations.iter().map(|found| found.entry.name.as_str()).collect(),
        _ => Vec::new(),
    };
    let mut texts: Vec<&str> = Vec::new();
    let mut owners = chain.children();
    owners.extend(chain.workload());
    for owner in &owners {
        texts.extend(owner.status.conditions.iter().map(|condition| condition.message.as_str()));
    }
    let newest = chain.pods().known().and_then(|pods| pods.first()).and_then(|pod| pod.meta.created);
    for event in chain.events() {
        // What was refused before the newest pod came to be is over.
        if event.last.zip(newest).is_none_or(|(refused, created)| refused > created) {
            texts.push(&event.message);
        }
    }
    if let Fact::Known(Answer::Refused(text)) = chain.asked() {
        texts.push(text);
    }
    texts.into_iter().filter_map(|text| Refusal::read(text, &names)).collect()
}

/// Configurations of other webhooks that are called when pods are created.
fn other_mutators(inventory: &Inventory, ours: &[Registration]) -> Vec<String> {
    let configurations = inventory.others_of("MutatingWebhookConfiguration");
    let others = configurations.filter(|other| !ours.iter().any(|found| found.configuration == other.meta.name()));
    let for_pods = others.filter(|other| {
        let webhooks = other.value.get("webhooks").and_then(Value::as_array).into_iter().flatten();
        let rules = webhooks.filter_map(|webhook| webhook.get("rules")?.as_array()).flatten();
        rules.into_iter().any(|rule| {
            serde_json::from_value::<crate::webhook::registration::Rule>(rule.clone())
                .is_ok_and(|rule| rule.takes_new_pods())
        })
    });
    for_pods.map(|other| other.meta.name().to_owned()).collect()
}

rule! {
    /// ## What it does
    /// Finds pods with the label that set fields which the installed webhook takes away.
    ///
    /// ## Why it breaks
    /// The webhook decodes the pod into the Kubernetes types that it was built with, and writes it back. Fields that
    /// are newer than these types are gone, silently: with 1.0.0 the `restartPolicy` of native sidecars (Kubernetes
    /// 1.28), with 1.4.0 to 1.6.0 pod-level `resources`, `restartPolicyRules`, `stopSignal`, `hostnameOverride` and
    /// others of 1.32 and later. The pod runs without these settings, or is refused: `may not be set for init
    /// containers without restartPolicy=Always`.
    ///
    /// ## How it is known
    /// The fields of the pod template are compared with the types of the webhook's release, known from its image. The
    /// refusal's text counts too.
    ///
    /// ## Fix
    /// Upgrade the webhook to a release that patches only what it adds. Until then give the settings in a way that
    /// older types know: resources of each container instead of the pod's, an ordinary container instead of a native
    /// sidecar. A workload that does not need identity should not carry the label.
    ///
    /// ## Fix safety
    /// Upgrading the webhook touches no pod that runs; new pods then have the fields that their templates ask for.
    ///
    /// ## References
    /// - Azure/azure-workload-identity, `go.mod` of each release; pull request 1749
    WebhookDropsFields {
        code: "WI313",
        name: "webhook-drops-fields",
        level: Level::Error,
        link: Link::Webhook,
        needs: &[Needs::Manifests, Needs::Live, Needs::Logs],
        reads: &[
            Reads::Template, Reads::Account, Reads::Webhook, Reads::Events, Reads::Workloads, Reads::Pods, Reads::Asked,
        ],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for WebhookDropsFields {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let (Some(workload), Fact::Known(webhook)) = (chain.workload(), chain.webhook()) else { return };
        if !chain.needs_injection() || !chain.is_labelled() {
            return;
        }
        let refused = refusals(chain).into_iter().find_map(|refusal| match refusal {
            Refusal::SidecarBroken(field) => Some(field),
            _ => None,
        });
        let profile = webhook.settings.profile();
        let lost: Vec<&NewerField> =
            workload.newer_fields.iter().filter(|field| webhook.version.is_some() && field.lost_to(profile)).collect();
        // A field goes with all that is below it.
        let below = |field: &NewerField, other: &NewerField| field.path.starts_with(&format!("{}/", other.path));
        let lost: Vec<&NewerField> =
            lost.iter().copied().filter(|field| !lost.iter().any(|other| below(field, other))).collect();
        let version = webhook.version().unwrap_or_else(|| "of unknown version".to_owned());
        let (path, what) = match (lost.first(), &refused) {
            (Some(first), _) => {
                let more = if lost.len() > 3 { format!(" and {} more", lost.len() - 3) } else { String::new() };
                let fields: Vec<String> =
                    lost.iter().take(3).map(|field| words(&field.path, &workload.template)).collect();
                (
                    chain.template_path(&first.path),
                    format!(
                        "webhook {version} removes {}{more} from these pods; they run without what the template asks \
                         for",
                        fields.join(", ")
                    ),
                )
            }
            (None, Some(field)) => (
                chain.template_path("/spec/initContainers"),
                format!(
                    "webhook {version} removes restartPolicy from init containers; the API server refuses the pods \
                     because of {field}"
                ),
            ),
            (None, None) => return,
        };
        let types = profile.api_types.filter(|_| webhook.version.is_some());
        report
            .add(&workload.meta.object, path, what)
            .evidence_all(
                types.map(|minor| format!("webhook {version} was built with the types of Kubernetes 1.{minor}")),
            )
            .evidence_all(refused.map(|field| {
                format!("the API server: {field} may not be set for init containers without restartPolicy=Always")
            }))
            .fix(Fix::manual(advice(&lost)).command(upgrade(webhook.distribution)));
    }
}

/// What to do: newer types may know the fields already.
fn advice(lost: &[&NewerField]) -> &'static str {
    let newest = WebhookVersion::NEWEST.profile();
    if lost.iter().all(|field| !field.lost_to(&newest)) {
        "upgrade the webhook: 1.4.0 and later know these fields"
    } else {
        "upgrade the webhook to a release after 1.6.0; until then use fields that its types know, such as resources of \
         each container"
    }
}

/// A field as people say it: `restartPolicy of init container log-shipper`.
fn words(path: &str, template: &PodTemplate) -> String {
    let below = path.trim_start_matches("/spec/");
    let mut steps = below.splitn(3, '/');
    let list = match steps.next() {
        Some("initContainers") => ("init container", &template.spec.init_containers),
        Some("containers") => ("container", &template.spec.containers),
        _ => return below.replace('/', "."),
    };
    let container = steps.next().and_then(|index| list.1.get(index.parse::<usize>().ok()?));
    match (container, steps.next()) {
        (Some(container), Some(field)) => format!("{} of {} {}", field.replace('/', "."), list.0, container.name),
        _ => below.replace('/', "."),
    }
}
