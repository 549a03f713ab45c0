//! The client id under a key, or on an object, where nobody reads it.

use super::client_id::Flaw;
use super::tenant::sets_itself;
use crate::chain::{Chain, annotation_path, label_path, near};
use crate::model::StringMap;
use crate::model::fact::Fact;
use crate::model::finding::{Ask, Change, Fix, FixKind, Level, Link};
use crate::model::object::ObjectRef;
use crate::rules::edit::{arguments, remove_entry, set_entry, then_restart};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds a client id under a key that is nearly `azure.workload.identity/client-id`, as a label instead of an
    /// annotation, or on the wrong object: on the pod, the workload or a Service instead of the service account. The
    /// same for `azure.workload.identity/tenant-id`.
    ///
    /// ## Why it breaks
    /// The webhook reads these two annotations from the service account, under these very keys. Everything else is
    /// taken by Kubernetes and read by nobody, so the pods get no `AZURE_CLIENT_ID`.
    ///
    /// ## How it is known
    /// From the labels and annotations of the account, the pod template, the workload and the Services in front of it.
    /// Nothing is said where the account has a valid annotation besides.
    ///
    /// ## Fix
    /// Write the value under the right key on the service account, and take the other away.
    ///
    /// ## Fix safety
    /// The annotation itself restarts nothing. Pods that run already keep what was injected, so they have to be
    /// restarted once.
    ///
    /// ## References
    /// - Azure Workload Identity, "Labels and annotations"
    /// - Azure/azure-workload-identity issue 1353
    AnnotationWrongKey {
        code: "WI204",
        name: "annotation-wrong-key",
        level: Level::Error,
        link: Link::ServiceAccount,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Metadata),
    }
}

/// A key that was found.
struct Stray<'a> {
    object: &'a ObjectRef,
    path: String,
    key: &'a str,
    value: &'a str,
    /// For a sentence: `on the pod template`, `a label`.
    place: String,
    /// On the account itself, where the fix can take it away: as annotation or label.
    own: Option<&'static str>,
}

impl Rule for AnnotationWrongKey {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() {
            return;
        }
        client_id(chain, report);
        tenant_id(chain, report);
    }
}

fn client_id(chain: &Chain<'_>, report: &mut Report<'_>) {
    let account = chain.account().known().copied();
    let right = account.and_then(|account| account.meta.annotation(keys::CLIENT_ID));
    // A right key with a wrong value is WI203's.
    if right.is_some() {
        return;
    }
    let strays = strays(chain, near::is_nearly_client_id, keys::CLIENT_ID);
    let Some(first) = strays.first() else { return };
    let level = if account.is_none() || sets_itself(chain, keys::ENV_CLIENT_ID).is_some() {
        Level::Warning
    } else {
        Level::Error
    };
    let follows = match chain.account() {
        Fact::Known(_) => "the webhook does not see it, so the pods get no AZURE_CLIENT_ID",
        _ => "the webhook reads it from the service account alone, which was not seen",
    };
    report
        .add(first.object, first.path.clone(), format!("{}; {follows}", sentence(first, keys::CLIENT_ID)))
        .level(level)
        .evidence_all(strays[1..].iter().map(|stray| format!("{} also {}", stray.key, stray.place)))
        .fix(move_to_account(chain, first, keys::CLIENT_ID));
}

/// A misspelt tenant leaves the webhook's own in place, which is the right one for most.
fn tenant_id(chain: &Chain<'_>, report: &mut Report<'_>) {
    let Fact::Known(account) = chain.account() else { return };
    // Without a client id that is the fault to mend first.
    if account.meta.annotation(keys::TENANT_ID).is_some() || account.meta.annotation(keys::CLIENT_ID).is_none() {
        return;
    }
    let strays = strays(chain, near::is_nearly_tenant_id, keys::TENANT_ID);
    let Some(first) = strays.first() else { return };
    report
        .add(
            first.object,
            first.path.clone(),
            format!("{}; the webhook's own tenant is used", sentence(first, keys::TENANT_ID)),
        )
        .level(Level::Warning)
        .fix(move_to_account(chain, first, keys::TENANT_ID));
}

fn sentence(stray: &Stray<'_>, wanted: &str) -> String {
    let Stray { key, place, .. } = stray;
    match (stray.own, *key == wanted) {
        (Some("labels"), true) => format!("{key} is {place} and not an annotation"),
        (Some(_), _) => format!("{key} is {place}, and nearly {wanted}"),
        (None, true) => format!("{key} is {place} and not on the service account"),
        (None, false) => format!("{key} is {place}, nearly {wanted}, and not on the service account"),
    }
}

/// All places where the key, or one that is nearly it, was found, the nearest to the right one first.
fn strays<'a>(chain: &Chain<'a>, is_near: impl Fn(&str) -> bool, wanted: &str) -> Vec<Stray<'a>> {
    let mut strays = Vec::new();
    let mut add =
        |object: &'a ObjectRef, at: &str, map: &'a Option<StringMap>, name: &'static str, own: bool, of: &str| {
            let exact_is_right = own && name == "annotations";
            for (key, value) in map.iter().flatten() {
                if is_near(key) || key == wanted && !exact_is_right {
                    let below = if name == "labels" { label_path(key) } else { annotation_path(key) };
                    let kind = if name == "labels" { "a label" } else { "an annotation" };
                    let place = format!("{kind} of {of}");
                    strays.push(Stray {
                        object,
                        path: format!("{at}{below}"),
                        key,
                        value,
                        place,
                        own: own.then_some(name),
                    });
                }
            }
        };
    if let Fact::Known(account) = chain.account() {
        let (object, of) = (&account.meta.object, format!("service account {}", account.meta.name()));
        add(object, "", &account.meta.annotations, "annotations", true, &of);
        add(object, "", &account.meta.labels, "labels", true, &of);
    }
    let Some(workload) = chain.workload() else { return strays };
    let (object, kind) = (&workload.meta.object, &workload.meta.object.kind);
    let template = &workload.template.metadata;
    if workload.is_built_in() {
        let of = if workload.is_pod() { "the pod" } else { "the pod template" };
        let at = workload.template_pointer();
        add(object, at, &template.annotations, "annotations", false, of);
        add(object, at, &template.labels, "labels", false, of);
        add(object, "/spec/jobTemplate", &workload.job_metadata.annotations, "annotations", false, "the job template");
    }
    if !workload.is_pod() {
        let of = format!("the {kind} itself");
        add(object, "", &workload.meta.annotations, "annotations", false, &of);
        add(object, "", &workload.meta.labels, "labels", false, &of);
    }
    for service in chain.inventory().others_of("Service") {
        let same = service.meta.namespace() == chain.namespace();
        let selector = service.value.pointer("/spec/selector").and_then(serde_json::Value::as_object);
        let selects = selector.is_some_and(|selector| {
            !selector.is_empty() && selector.iter().all(|(key, value)| template.label(key) == value.as_str())
        });
        if same && selects {
            let of = format!("Service {}", service.meta.name());
            add(&service.meta.object, "", &service.meta.annotations, "annotations", false, &of);
            add(&service.meta.object, "", &service.meta.labels, "labels", false, &of);
        }
    }
    strays
}

/// The fix: the right key on the account, with the value that was found where it is one.
fn move_to_account(chain: &Chain<'_>, stray: &Stray<'_>, wanted: &str) -> Fix {
    let name = chain.account_name();
    let object = ObjectRef::service_account(chain.account_namespace(), name);
    let target = arguments(&object);
    let value = match Flaw::of(stray.value) {
        None => Some(stray.value.to_owned()),
        Some(Flaw::Wrapped(guid)) => Some(guid),
        Some(_) => None,
    };
    let placeholder = if wanted == keys::TENANT_ID { "TENANT_ID" } else { "CLIENT_ID" };
    let mut fix = Fix::new(FixKind::Metadata, format!("annotate service account {name} with {wanted}, then restart"))
        .command(format!("kubectl annotate {target} {wanted}={}", value.as_deref().unwrap_or(placeholder)));
    match (stray.own, chain.account(), &value) {
        (Some("labels"), ..) => fix = fix.command(format!("kubectl label {target} {}-", stray.key)),
        (Some(_), ..) => fix = fix.command(format!("kubectl annotate {target} {}-", stray.key)),
        _ => {}
    }
    fix = match (chain.account(), value) {
        (Fact::Known(account), Some(value)) => {
            let annotations = account.meta.annotations.as_ref();
            let mut patch = vec![set_entry(annotations, "/metadata/annotations", wanted, value)];
            patch.extend(stray.own.map(|map| remove_entry(&format!("/metadata/{map}"), stray.key)));
            fix.change(Change { object, patch })
        }
        _ if wanted == keys::TENANT_ID => fix.ask(Ask::TenantId(object)),
        _ => fix.ask(Ask::ClientId(object)),
    };
    then_restart(fix, chain)
}
