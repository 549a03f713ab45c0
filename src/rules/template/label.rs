//! The label that asks the webhook for identity: missing, misspelt, or with another value.

use crate::apps;
use crate::chain::meant::{Reason, declines, wants_label};
use crate::chain::running::is_mutated;
use crate::chain::{Chain, label_path, near};
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::model::object::{ObjectRef, OwnerReference};
use crate::model::pod::PodTemplate;
use crate::model::workload::Workload;
use crate::rules::edit::{
    arguments, metadata_fix, patch_command, remove_entry, set_entry, template_fix_by, then_restart,
};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::{Trigger, keys};
use serde_json::{Value, json};
use std::collections::BTreeMap;

rule! {
    /// ## What it does
    /// Finds a workload that is meant for workload identity and whose pod template lacks the label
    /// `azure.workload.identity/use: "true"`. It also looks at the other pods and Jobs of the namespace that run as
    /// the same annotated account and have no Deployment, StatefulSet, DaemonSet or CronJob behind them: what a worker
    /// or an operator starts needs the label as much as the worker itself.
    ///
    /// ## Why it breaks
    /// The identity webhook's `objectSelector` matches pods by this label alone (since webhook 1.0.0). Without it the
    /// API server never calls the webhook: the pod gets no `AZURE_FEDERATED_TOKEN_FILE` and no token volume, and the
    /// Azure SDK falls back to the node's metadata endpoint, 169.254.169.254. Labels of the Deployment itself, of the
    /// service account or of the namespace do nothing.
    ///
    /// ## How it is known
    /// From the pod template, in a manifest or on the cluster. A workload counts as meant for identity when its service
    /// account carries a client id, when it sets `AZURE_CLIENT_ID` or `AZURE_FEDERATED_TOKEN_FILE`, or when a known
    /// application's settings ask for it. Pods with a token volume of their own, and workloads whose tokens come from
    /// a CSI driver or from the TokenRequest API, need no label. Where the installed webhook is older than 1.0.0, the
    /// label of the service account is asked instead (up to 0.14), or as well (0.15).
    ///
    /// ## Fix
    /// Add the label to the pod template. In a Helm chart that is usually `podLabels`. For pods that an operator makes,
    /// set it where the operator takes its pod template from.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over. From then on the webhook also removes from these pods every field
    /// that its own API types do not know (see WI313).
    ///
    /// ## References
    /// - Azure Workload Identity, "Mutating admission webhook" and "Labels and annotations"
    /// - Azure/azure-workload-identity issues 756 and 1025
    PodLabelMissing {
        code: "WI101",
        name: "pod-label-missing",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Pods, Reads::Workloads, Reads::Webhook],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for PodLabelMissing {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.needs_injection() {
            return;
        }
        match chain.trigger() {
            Trigger::PodLabel => own_template(chain, workload, report),
            Trigger::AccountLabel | Trigger::PodOrAccountLabel => account_label(chain, workload, report),
            Trigger::Undocumented => return,
        }
        if chain.trigger() == Trigger::PodLabel {
            others_of_account(chain, workload, report);
        }
    }
}

fn own_template(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    if workload.template.metadata.label(keys::USE_LABEL).is_some() || labelled_on_the_way(chain) {
        return;
    }
    report
        .add(
            &workload.meta.object,
            chain.template_path("/metadata/labels"),
            format!(
                "the pod template lacks {}: \"true\"; the webhook only touches pods with the label, so these pods get \
                 no token and the SDK asks the node instead",
                keys::USE_LABEL
            ),
        )
        .evidence_all(meant_evidence(chain))
        .fix(add_label(chain, workload));
}

/// Whether another webhook, called before the identity webhook, labels the pods: then they have all they need.
fn labelled_on_the_way(chain: &Chain<'_>) -> bool {
    chain.pods().known().is_some_and(|pods| {
        let labelled = |value: Option<&str>| value == Some(keys::USE_LABEL_VALUE);
        !pods.is_empty() && pods.iter().all(|pod| labelled(pod.meta.label(keys::USE_LABEL)) && is_mutated(&pod.spec))
    })
}

/// Before 1.0.0 the label of the account selects: alone up to 0.14, beside the pod's in 0.15.
fn account_label(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    let Some(account) = chain.account().known().copied() else { return };
    let of_pod = workload.template.metadata.label(keys::USE_LABEL).is_some();
    let asks = account.meta.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE);
    if asks || of_pod && chain.trigger() == Trigger::PodOrAccountLabel {
        return;
    }
    let (name, version) =
        (account.meta.name(), chain.webhook().known().map(|webhook| webhook.settings.version().to_string()));
    let operation = set_entry(account.meta.labels.as_ref(), "/metadata/labels", keys::USE_LABEL, keys::USE_LABEL_VALUE);
    let object = &account.meta.object;
    let command = format!("kubectl label {} {}=true", arguments(object), keys::USE_LABEL);
    let fix = metadata_fix(object, format!("label service account {name}, then restart"), command, operation);
    report
        .add(
            object,
            "/metadata/labels",
            format!(
                "service account {} lacks {}: \"true\"; the webhook {} goes by the account's label, so these pods get \
                 no token",
                object.path(),
                keys::USE_LABEL,
                version.unwrap_or_default()
            ),
        )
        .evidence_all(meant_evidence(chain))
        .link(Link::ServiceAccount)
        .fix(then_restart(fix, chain));
}

/// What runs as the same annotated account without a workload of its own behind it.
fn others_of_account(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    let annotated = chain.account().known().is_some_and(|a| crate::chain::meant::identity_annotation(a).is_some());
    if !annotated || chain.account_name() == "default" {
        return;
    }
    let own = &workload.meta.object;
    let mut found: BTreeMap<ObjectRef, (String, usize)> = BTreeMap::new();
    let jobs = chain.workloads().filter(|other| {
        other.meta.object.kind == "Job" && other.meta.object != *own && other.meta.controller().is_none()
    });
    for job in jobs.filter(|job| job.account() == chain.account_name() && !is_finished(job)) {
        if lacks_label(&job.template) && !has_rules_of_its_own(chain, job, None) {
            found.insert(job.meta.object.clone(), ("/spec/template/metadata/labels".to_owned(), 1));
        }
    }
    for pod in chain.pods_of_account(chain.account_name()).filter(|pod| !pod.is_mirror()) {
        let as_workload = pod.to_workload();
        let of_application = has_rules_of_its_own(chain, &as_workload, pod.maker());
        if !lacks_label(&as_workload.template) || pod.meta.object == *own || of_application {
            continue;
        }
        match pod.maker() {
            None => {
                found.insert(pod.meta.object.clone(), ("/metadata/labels".to_owned(), 1));
            }
            Some(owner) if is_workload_kind(&owner.kind) => {}
            // A custom controller: its object is the source.
            Some(owner) => {
                let object = ObjectRef::new(&owner.api_version, &owner.kind, Some(chain.namespace()), &owner.name);
                if object != *own {
                    found.entry(object).or_insert((String::new(), 0)).1 += 1;
                }
            }
        }
    }
    for (object, (path, pods)) in found {
        let made = path.is_empty();
        let what = match (object.kind.as_str(), made) {
            (_, true) => format!("the pods of {object} run as {} and lack", chain.account_name()),
            ("Job", _) => format!("{object} runs as {} and its pod template lacks", chain.account_name()),
            _ => format!("{object} runs as {} and lacks", chain.account_name()),
        };
        let fix = Fix::manual(format!("set {}: \"true\" where {object} takes its pods from", keys::USE_LABEL));
        report
            .add(
                &object,
                path,
                format!("{what} {}: \"true\"; the webhook leaves them alone and they get no token", keys::USE_LABEL),
            )
            .evidence_all(made.then(|| format!("{pods} running without the label")))
            .evidence(format!("{own} runs as the same service account"))
            .fix(fix);
    }
}

/// Whether a known application starts it, whose own rules say what it lacks.
fn has_rules_of_its_own(chain: &Chain<'_>, other: &Workload, maker: Option<&OwnerReference>) -> bool {
    let made = maker.map(|owner| ObjectRef::new(&owner.api_version, &owner.kind, Some(chain.namespace()), &owner.name));
    made.is_some_and(|object| apps::of_resource(&object).is_some()) || chain.is_part_of_application(other)
}

fn lacks_label(template: &PodTemplate) -> bool {
    wants_label(template) && !crate::chain::containers::is_supporting("", template)
}

fn is_finished(job: &Workload) -> bool {
    job.status.conditions.iter().any(|c| matches!(c.kind.as_str(), "Complete" | "Failed") && c.status == "True")
}

fn is_workload_kind(kind: &str) -> bool {
    crate::model::workload::WORKLOAD_KINDS.iter().any(|(_, known)| *known == kind)
}

rule! {
    /// ## What it does
    /// Finds a pod template whose label `azure.workload.identity/use` has another value than the text `true`.
    ///
    /// ## Why it breaks
    /// The webhook's `objectSelector` compares the value letter by letter: `True`, `yes`, `1` and `enabled` do not
    /// match, and the pod is created without a token. A value without quotes is a boolean in YAML, and the API server
    /// refuses the whole object: labels are texts.
    ///
    /// ## How it is known
    /// From the label's value in the pod template. A no (`false`, `no`, `off`, `0`) is a decision and is left alone.
    /// Webhook 0.15 takes any value, and older ones do not look at the pod's label; where such a one is installed
    /// nothing is said.
    ///
    /// ## Fix
    /// Write `"true"`, with quotes. Helm: `--set-string`, or quotes in the values file.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over.
    ///
    /// ## References
    /// - Azure Workload Identity, "Labels and annotations"
    /// - Kubernetes, "Labels and selectors"
    PodLabelWrongValue {
        code: "WI103",
        name: "pod-label-wrong-value",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Webhook],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for PodLabelWrongValue {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let Some(value) = workload.template.metadata.label(keys::USE_LABEL) else { return };
        let path = chain.template_path(&label_path(keys::USE_LABEL));
        let unquoted = workload.not_text.contains(&path);
        if !unquoted && (value == keys::USE_LABEL_VALUE || declines(value) || chain.trigger() != Trigger::PodLabel) {
            return;
        }
        let message = if unquoted {
            format!(
                "{} is {value} without quotes, which is no text; the API server refuses the whole object",
                keys::USE_LABEL
            )
        } else {
            format!(
                "{} is {value:?} and not \"true\"; the webhook compares it letter by letter and leaves these pods alone",
                keys::USE_LABEL
            )
        };
        let operation = Operation::Replace { path: path.clone(), value: json!(keys::USE_LABEL_VALUE) };
        report.add(&workload.meta.object, path, message).fix(label_fix(
            workload,
            format!("set {} to \"true\"", keys::USE_LABEL),
            &json!({ keys::USE_LABEL: keys::USE_LABEL_VALUE }),
            vec![operation],
        ));
    }
}

rule! {
    /// ## What it does
    /// Finds a label in the pod template that is nearly `azure.workload.identity/use`: another case, another separator,
    /// a letter too many or too few, another domain.
    ///
    /// ## Why it breaks
    /// Kubernetes takes any label. The webhook's `objectSelector` asks for this one key, so a pod with a misspelt one
    /// is created without a token, and nothing says why.
    ///
    /// ## How it is known
    /// From the keys of the template's labels, where none of them is the right one.
    ///
    /// ## Fix
    /// Replace the key.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over.
    ///
    /// ## References
    /// - Azure Workload Identity, "Labels and annotations"
    PodLabelTypo {
        code: "WI104",
        name: "pod-label-typo",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Webhook],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for PodLabelTypo {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let labels = &workload.template.metadata.labels;
        let right = workload.template.metadata.label(keys::USE_LABEL).is_some();
        if right || !chain.needs_injection() || chain.trigger() != Trigger::PodLabel {
            return;
        }
        let near = labels.iter().flatten().find(|(key, value)| near::is_nearly_use_label(key) && !declines(value));
        let Some((key, _)) = near else { return };
        let map = chain.template_path("/metadata/labels");
        let operations =
            vec![remove_entry(&map, key), set_entry(labels.as_ref(), &map, keys::USE_LABEL, keys::USE_LABEL_VALUE)];
        report
            .add(
                &workload.meta.object,
                chain.template_path(&label_path(key)),
                format!(
                    "the pod template's label {key} is misspelt; the webhook asks for {}: \"true\" and leaves these \
                     pods alone",
                    keys::USE_LABEL
                ),
            )
            .fix(label_fix(
                workload,
                format!("replace {key} by {}: \"true\"", keys::USE_LABEL),
                &json!({ (key.as_str()): null, keys::USE_LABEL: keys::USE_LABEL_VALUE }),
                operations,
            ));
    }
}

/// Why the workload counts as meant for identity, as a reader wants to see it.
pub(super) fn meant_evidence(chain: &Chain<'_>) -> Vec<String> {
    let account = chain.account();
    let reasons: Vec<String> = chain
        .meant()
        .iter()
        .filter_map(|reason| match reason {
            Reason::Account(key) => {
                let account = account.known()?;
                let value = account.meta.annotation(key).or_else(|| account.meta.label(key)).unwrap_or_default();
                Some(format!("service account {} carries {key}: {value}", chain.account_name()))
            }
            Reason::StrayClientId(key) => Some(format!("{} carries {key}", chain.target().object())),
            Reason::ClientIdVariable(container) => {
                Some(format!("container {container} sets {} and no other credential", keys::ENV_CLIENT_ID))
            }
            Reason::TokenFileVariable(container) => {
                Some(format!("container {container} sets {}", keys::ENV_TOKEN_FILE))
            }
            Reason::Terraform(container) => {
                Some(format!("container {container} asks the Terraform provider for a federated token"))
            }
            Reason::SecretProviderClass(name) => Some(format!("SecretProviderClass {name} names a client id")),
            Reason::CustomResource(what) => Some(format!("{what} names an account that carries a client id")),
            Reason::Application(why) => Some(why.clone()),
            Reason::Formerly => {
                Some("it has workload identity as the cluster is; the files drop what asks for it".into())
            }
            Reason::Label | Reason::NearLabel(_) | Reason::OwnToken(_) => None,
        })
        .collect();
    // An application may give the same reason with fewer words.
    let is_shorter =
        |one: &String| reasons.iter().any(|other| other.len() > one.len() && other.starts_with(one.as_str()));
    reasons.iter().filter(|one| !is_shorter(one)).cloned().collect()
}

/// The fix that puts the label into the template.
pub(crate) fn add_label(chain: &Chain<'_>, workload: &Workload) -> Fix {
    let map = chain.template_path("/metadata/labels");
    let labels = workload.template.metadata.labels.as_ref();
    let operation = set_entry(labels, &map, keys::USE_LABEL, keys::USE_LABEL_VALUE);
    label_fix(
        workload,
        format!("add {}: \"true\" to the pod template", keys::USE_LABEL),
        &json!({ keys::USE_LABEL: keys::USE_LABEL_VALUE }),
        vec![operation],
    )
}

/// A fix of the template's labels, with a merge patch to type: `null` takes an entry out.
pub(super) fn label_fix(workload: &Workload, summary: String, labels: &Value, patch: Vec<Operation>) -> Fix {
    let change = Change { object: workload.meta.object.clone(), patch };
    let merge = json!({ "metadata": { "labels": labels } });
    let steps = workload.template_pointer().rsplit('/').filter(|name| !name.is_empty());
    let merge = steps.fold(merge, |inner, name| json!({ name: inner }));
    let command = if workload.is_pod() {
        format!("{} --dry-run=client -o yaml | kubectl replace --force -f -", patch_command(&change))
    } else {
        format!("kubectl patch {} --type merge -p '{merge}'", arguments(&workload.meta.object))
    };
    template_fix_by(workload, summary, &command, change)
}
