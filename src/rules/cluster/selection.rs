//! The identity webhook: whether it is asked about the pods of a namespace.

use super::configuration;
use crate::chain::running::is_mutated;
use crate::chain::{Chain, label_path};
use crate::model::StringMap;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::model::object::ObjectRef;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::registration::enforcer_excludes;
use crate::webhook::{Barrier, Candidate, Distribution, Registration, Selection, keys, selects};

rule! {
    /// ## What it does
    /// Finds a workload whose namespace the identity webhook leaves out: by its `namespaceSelector`, by a match
    /// condition, or because the AKS admissions enforcer keeps custom webhooks from it.
    ///
    /// ## Why it breaks
    /// The API server does not ask the webhook about such pods, and says nothing. They start without token and
    /// variables, whatever label and annotation say. On AKS the enforcer excludes `kube-system` and namespaces with the
    /// label `control-plane` from every webhook configuration but its own, so a webhook that was installed with Helm
    /// does not see them, while the add-on does.
    ///
    /// ## How it is known
    /// The selectors of the registered webhook are evaluated against the namespace's labels and against the pods as
    /// they would be with the label. What the enforcer does follows from the configuration's marks and is inferred; it
    /// is not reported where pods of the workload were mutated.
    ///
    /// ## Fix
    /// Give the namespace the label that the selector asks for, or widen the selector (Helm value
    /// `mutatingWebhookNamespaceSelector`). For the enforcer: move the workload, use the AKS add-on, or label the
    /// configuration with `admissions.enforcer/disabled: "true"`. Then restart the workload.
    ///
    /// ## Fix safety
    /// A label of a namespace restarts nothing, but other selectors may ask for it too.
    ///
    /// ## References
    /// - Azure Workload Identity, "Known issues"; Azure/azure-workload-identity issues 525 and 687
    /// - Microsoft Learn, "Can admission controller webhooks impact kube-system and internal AKS namespaces?"
    WebhookExcludesNamespace {
        code: "WI303",
        name: "webhook-excludes-namespace",
        level: Level::Error,
        link: Link::Webhook,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook, Reads::Namespace, Reads::Pods, Reads::Cluster],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for WebhookExcludesNamespace {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let (Some(workload), Fact::Known(webhook)) = (chain.workload(), chain.webhook()) else { return };
        if !chain.needs_injection() {
            return;
        }
        let namespace = chain.namespace();
        let object = ObjectRef::new("v1", "Namespace", None, namespace);
        let namespace_labels = match chain.namespace_object() {
            Fact::Known(object) => Some(object.meta.labels.clone().unwrap_or_default()),
            _ => None,
        };
        // The label itself is another rule's question.
        let mut labels = workload.template.metadata.labels.clone().unwrap_or_default();
        labels.insert(keys::USE_LABEL.to_owned(), keys::USE_LABEL_VALUE.to_owned());
        let account = chain.account();
        let candidate = Candidate {
            labels: Some(&labels),
            annotations: workload.template.metadata.annotations.as_ref(),
            namespace,
            namespace_labels: namespace_labels.as_ref(),
            account: account.known().map(|account| (*account).into()),
        };
        let trigger = webhook.settings.profile().trigger;
        let mut barred: Option<(&Registration, Barrier)> = None;
        for registration in &webhook.registrations {
            let barrier = match selects(&registration.entry, trigger, candidate) {
                Selection::NotSelected(barrier) if is_of_namespace(&barrier) => barrier,
                // This one takes the pod, or may.
                Selection::Selected | Selection::NotSelected(_) | Selection::Unknown(_) => {
                    barred = None;
                    break;
                }
            };
            barred = barred.or(Some((registration, barrier)));
        }
        if let Some((registration, barrier)) = barred {
            let (about, path) = match &barrier {
                Barrier::NamespaceSelector(requirement) => (object, label_path(&requirement.key)),
                _ => (configuration(registration), "/webhooks".to_owned()),
            };
            report
                .add(
                    &about,
                    path,
                    format!(
                        "the identity webhook leaves namespace {namespace} out; pods there get no token, and nothing \
                         says so"
                    ),
                )
                .evidence(format!("a pod of {} with the label is not selected: {barrier}", workload.meta.object))
                .fix(fix(&barrier, namespace, registration));
            return;
        }
        self::enforced(chain, namespace_labels.as_ref(), &object, report);
    }
}

/// Whether the registration keeps the pods of a namespace out, and not the label of the pod or account.
fn is_of_namespace(barrier: &Barrier) -> bool {
    matches!(
        barrier,
        Barrier::NamespaceSelector(_) | Barrier::MatchCondition(_) | Barrier::ObjectSelector(_) | Barrier::Rules
    )
}

fn fix(barrier: &Barrier, namespace: &str, registration: &Registration) -> Fix {
    let look = format!("kubectl get {} -o yaml", configuration(registration).argument());
    match barrier {
        Barrier::NamespaceSelector(requirement) => {
            let label = match requirement.operator.as_str() {
                "In" => requirement.values.first().map(|value| format!("{}={value}", requirement.key)),
                "Exists" => Some(format!("{}=", requirement.key)),
                // NotIn and DoesNotExist: the label has to go.
                _ => Some(format!("{}-", requirement.key)),
            };
            let by_name = requirement.key == "kubernetes.io/metadata.name";
            let command =
                label.filter(|_| !by_name).map(|label| format!("kubectl label namespace {namespace} {label}"));
            let fix = Fix::manual("make the namespace meet the webhook's namespaceSelector, then restart the workload");
            command.into_iter().fold(fix, Fix::command).command(look)
        }
        _ => Fix::manual("change what the webhook's registration asks for, then restart the workload").command(look),
    }
}

/// What the AKS admissions enforcer does to a webhook that was installed by somebody else.
fn enforced(chain: &Chain<'_>, labels: Option<&StringMap>, object: &ObjectRef, report: &mut Report<'_>) {
    let Fact::Known(webhook) = chain.webhook() else { return };
    let namespace = chain.namespace();
    let custom = webhook.distribution != Distribution::AksAddon
        && webhook.registrations.iter().all(|found| !found.enforcer_disabled());
    if !custom || !chain.cluster().is_aks() || !enforcer_excludes(namespace, labels) {
        return;
    }
    let works = chain.pods().known().is_some_and(|pods| pods.iter().any(|pod| is_mutated(&pod.spec)));
    let Some(registration) = webhook.registrations.first().filter(|_| !works) else { return };
    let configuration = configuration(registration);
    report
        .add(
            object,
            "",
            format!(
                "the AKS admissions enforcer keeps custom webhooks from namespace {namespace}; pods there get no token"
            ),
        )
        .confidence(Confidence::Inferred)
        .evidence(format!("{configuration} is no AKS add-on and lacks admissions.enforcer/disabled: \"true\""))
        .fix(
            Fix::manual("move the workload to a namespace of its own, or tell the enforcer to leave the webhook alone")
                .command(format!("kubectl label {} admissions.enforcer/disabled=true", configuration.argument())),
        );
}
