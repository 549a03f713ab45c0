//! The pods run as another account than the one that was made for them.

use crate::chain::meant::{Reason, identity_annotation};
use crate::chain::{Chain, near};
use crate::model::fact::Fact;
use crate::model::finding::{Change, Confidence, FixKind, Level, Link, Operation};
use crate::model::object::Meta;
use crate::model::pod::Container;
use crate::model::workload::{ServiceAccount, Workload};
use crate::rules::edit::{arguments, template_fix_by};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::json;

rule! {
    /// ## What it does
    /// Finds pods that run as `default`, or as another account without a client id, while an annotated account that is
    /// plainly meant for them exists.
    ///
    /// ## Why it breaks
    /// The webhook reads the account that the pods name. An annotated account that no pod names does nothing; the pods
    /// get no `AZURE_CLIENT_ID`, and their token has the wrong subject for the federated identity credential.
    ///
    /// ## How it is known
    /// An account counts as plainly meant when it bears the workload's name, when it belongs to the same release or
    /// instance and is the only annotated one there, or when it is the only annotated account of the namespace, no
    /// other workload uses it and this is the only workload that lacks one.
    ///
    /// ## Fix
    /// Name the account in `spec.template.spec.serviceAccountName`.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over. The account decides what the pods may do in Kubernetes as well: its
    /// roles have to cover what the pods need.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issue 1231
    /// - Kubernetes, "Configure service accounts for pods"
    WrongServiceAccount {
        code: "WI105",
        name: "wrong-service-account",
        level: Level::Error,
        link: Link::ServiceAccount,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Accounts, Reads::Workloads, Reads::Objects],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for WrongServiceAccount {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !asks_itself(chain) || !lacks_identity(chain) {
            return;
        }
        let Some((account, why)) = meant_account(chain, workload) else { return };
        // Who passes a client id of its own has chosen the account too: any subject can be federated.
        let passes = |container: &Container| chain.setting(container, keys::ENV_CLIENT_ID).may_be_set();
        let mut containers = workload.template.spec.all_containers();
        if chain.client_id_passed_by().is_some() || containers.any(|(_, _, container)| passes(container)) {
            return;
        }
        let id = account.meta.annotation(keys::CLIENT_ID).unwrap_or_default();
        let name = account.meta.name();
        let path = chain.template_path("/spec/serviceAccountName");
        let mut patch = vec![Operation::Add { path: path.clone(), value: json!(name) }];
        if workload.template.spec.service_account.is_some() {
            patch.push(Operation::Add { path: chain.template_path("/spec/serviceAccount"), value: json!(name) });
        }
        let change = Change { object: workload.meta.object.clone(), patch };
        let command = format!("kubectl set serviceaccount {} {name}", arguments(&workload.meta.object));
        report
            .add(
                &workload.meta.object,
                path,
                format!(
                    "the pods run as {} and not as {name}, which carries the client id; they get none, and their \
                     token has another subject",
                    chain.account_name()
                ),
            )
            .confidence(Confidence::Inferred)
            .evidence(format!("service account {name} carries {}: {id}", keys::CLIENT_ID))
            .evidence(why)
            .fix(template_fix_by(workload, format!("run the pods as {name}"), &command, change));
    }
}

/// Whether something else than its account says that the workload is meant for identity.
fn asks_itself(chain: &Chain<'_>) -> bool {
    chain.needs_injection() && chain.meant().iter().any(|reason| !matches!(reason, Reason::Account(_)))
}

/// Whether the account that the pods name carries no identity, as far as that is known: `default` is never among the
/// manifests, and seldom annotated.
fn lacks_identity(chain: &Chain<'_>) -> bool {
    match chain.account() {
        Fact::Known(account) => identity_annotation(account).is_none(),
        Fact::NotAsked => chain.account_name() == "default",
        _ => false,
    }
}

/// The annotated account that is plainly meant for a workload, and how it is known.
fn meant_account<'a>(chain: &Chain<'a>, workload: &Workload) -> Option<(&'a ServiceAccount, String)> {
    let annotated: Vec<&ServiceAccount> = chain
        .accounts()
        .filter(|account| account.meta.annotation(keys::CLIENT_ID).is_some_and(near::is_guid))
        .collect();
    let own = workload.meta.name();
    if let Some(account) = annotated.iter().find(|account| bears_name(account.meta.name(), own)) {
        return Some((account, format!("its name is the workload's: {own}")));
    }
    let used = |account: &ServiceAccount| chain.workloads().any(|other| other.account() == account.meta.name());
    let unused: Vec<&ServiceAccount> = annotated.iter().copied().filter(|account| !used(account)).collect();
    let same: Vec<&ServiceAccount> =
        unused.iter().copied().filter(|account| same_release(&account.meta, &workload.meta)).collect();
    if let [account] = same.as_slice() {
        return Some((account, "it belongs to the same release, and no workload uses it".to_owned()));
    }
    let [account] = unused.as_slice() else { return None };
    let alone = annotated.len() == 1
        && same_group(&account.meta, &workload.meta)
        && chain.workloads().all(|other| {
            other.meta.object == workload.meta.object
                || other.meta.controller().is_some()
                || other.template.metadata.label(keys::USE_LABEL).is_none()
        });
    alone.then(|| (*account, "it is the only annotated account of the namespace, and no workload uses it".to_owned()))
}

/// `app`, `app-sa`, `sa-app`, `app-identity` for the workload `app`.
fn bears_name(account: &str, workload: &str) -> bool {
    let endings = ["sa", "serviceaccount", "service-account", "identity", "workload-identity", "wi"];
    account == workload
        || endings.iter().any(|word| account == format!("{workload}-{word}") || account == format!("{word}-{workload}"))
}

/// Whether both are of one release or instance.
fn same_release(account: &Meta, workload: &Meta) -> bool {
    let same = |of: fn(&Meta, &str) -> Option<String>, key: &str| {
        let (a, b) = (of(account, key), of(workload, key));
        a.is_some() && a == b
    };
    let label = |meta: &Meta, key: &str| meta.label(key).map(str::to_owned);
    let annotation = |meta: &Meta, key: &str| meta.annotation(key).map(str::to_owned);
    let component = |meta: &Meta| meta.label("app.kubernetes.io/component").map(str::to_owned);
    let components_fit = component(account).is_none_or(|of| component(workload).is_none_or(|other| other == of));
    components_fit
        && (same(label, "app.kubernetes.io/instance")
            || same(annotation, "meta.helm.sh/release-name")
            || same(label, "app"))
}

/// Whether nothing says that they belong to different releases.
fn same_group(account: &Meta, workload: &Meta) -> bool {
    ["app.kubernetes.io/instance", "app.kubernetes.io/name", "app"]
        .iter()
        .all(|key| account.label(key).is_none_or(|of| workload.label(key).is_none_or(|other| other == of)))
}
