//! What is wrong with a Thanos.

use super::{Thanos, annotated_account, made_by};
use crate::apps::objstore::{Store, Takes, stores};
use crate::apps::{Application, Keep, Part, has_proxy};
use crate::chain::Chain;
use crate::chain::annotation_path;
use crate::chain::meant::identity_annotation;
use crate::chain::near::is_guid;
use crate::model::fact::Fact;
use crate::model::finding::{Ask, Change, Fix, FixKind, Level, Link, Operation};
use crate::model::workload::ServiceAccount;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::json;

const READS: &[Reads] =
    &[Reads::Template, Reads::Account, Reads::Accounts, Reads::Workloads, Reads::Objects, Reads::Secrets];

/// The component, where it talks to object storage and is meant for identity.
fn storing<'c, 'a>(chain: &'c Chain<'a>) -> Option<&'c Part<'a>> {
    let part = chain.part(Thanos.name()).filter(|part| part.component != "query")?;
    let _ = (chain.inventory(), chain.secrets());
    chain.is_meant().then_some(part)
}

fn stores_with(part: &Part<'_>, wanted: impl Fn(Takes) -> bool) -> Vec<Store> {
    stores(part).into_iter().filter(|store| wanted(store.takes())).collect()
}

rule! {
    /// ## What it does
    /// Finds `user_assigned_id` in the object store configuration of a Thanos that is meant for workload identity.
    ///
    /// ## Why it breaks
    /// With `user_assigned_id` Thanos uses the node's managed identity and nothing else; the token in the pod is never
    /// looked at. It is the classic error of a migration: the client id of the identity is written where the old
    /// configuration had one, and the node answers `Identity not found`.
    ///
    /// ## How it is known
    /// From `objstore.yml`, in a Secret, a `ConfigMap` or the arguments. Of a Secret only names and ids are kept.
    ///
    /// ## Fix
    /// Remove `user_assigned_id`; for workload identity only `storage_account`, `container` and `endpoint` remain.
    ///
    /// ## Fix safety
    /// By hand: the file may hold values that this tool does not read. Restart the component afterwards.
    ///
    /// ## References
    /// - thanos-io/objstore `providers/azure/helpers.go`; thanos-io/thanos issue 5891
    ThanosUserAssignedId {
        code: "WI740",
        name: "thanos-user-assigned-id",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ThanosUserAssignedId {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = storing(chain) else { return };
        for store in stores_with(part, |takes| takes == Takes::NodeIdentity) {
            let object = &store.object;
            let id = store.section.id("user_assigned_id").map(|id| format!(" ({id})")).unwrap_or_default();
            report
                .add(
                    object,
                    store.path.clone(),
                    format!("the object store in {object} sets user_assigned_id{id}; Thanos then asks the node and never the token"),
                )
                .evidence_all(made_by(part).map(|by| format!("made by {by}")))
                .fix(edit(part, &store, "remove user_assigned_id, then restart"));
        }
    }
}

fn edit(part: &Part<'_>, store: &Store, summary: &str) -> Fix {
    let namespace = part.namespace();
    let object = &store.object;
    let place = format!("kubectl edit {}/{} -n {namespace}", object.kind.to_lowercase(), object.name);
    let values = match part.chart.as_ref().map(|chart| chart.name.as_str()) {
        Some("thanos") => Some(
            "objstoreConfig: {type: AZURE, config: {storage_account: ACCOUNT, container: CONTAINER}}".to_owned(),
        ),
        Some("kube-prometheus-stack") => Some(
            "prometheus: {prometheusSpec: {thanos: {objectStorageConfig: {secret: {type: AZURE, config: {storage_account: ACCOUNT, container: CONTAINER}}}}}}"
                .to_owned(),
        ),
        _ => None,
    };
    Fix::manual(summary)
        .command(place)
        .command(format!("kubectl rollout restart {} -n {namespace}", part.workload.meta.object.argument()))
        .values(values)
}

rule! {
    /// ## What it does
    /// Finds an account key, a connection string or a client secret in the object store configuration of a Thanos that
    /// is meant for workload identity.
    ///
    /// ## Why it breaks
    /// Thanos takes a connection string first, then an account key, then `az_tenant_id`, `client_id` and
    /// `client_secret` together. As long as one of them is there, workload identity is not used; it works until the
    /// key is rotated or shared keys are disabled.
    ///
    /// ## How it is known
    /// From the names in `objstore.yml`, and whether something stands behind them. The values are not kept.
    ///
    /// ## Fix
    /// Remove the secret from the configuration.
    ///
    /// ## Fix safety
    /// By hand. Restart the component afterwards; it then needs `Storage Blob Data Contributor`.
    ///
    /// ## References
    /// - thanos-io/objstore `providers/azure/helpers.go`; pull request 157 (client secret)
    ThanosStaticCredentials {
        code: "WI741",
        name: "thanos-static-credentials",
        level: Level::Warning,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ThanosStaticCredentials {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = storing(chain) else { return };
        for store in stores_with(part, |takes| matches!(takes, Takes::Secret(_))) {
            let Takes::Secret(name) = store.takes() else { continue };
            let object = &store.object;
            report
                .add(
                    object,
                    store.path.clone(),
                    format!("the object store in {object} sets {name}; Thanos uses it instead of workload identity"),
                )
                .fix(edit(part, &store, &format!("remove {name}, then restart")));
        }
    }
}

rule! {
    /// ## What it does
    /// Finds a Thanos before 0.33.0, which knows no workload identity.
    ///
    /// ## Why it breaks
    /// Older releases take keys or the node's managed identity. On a pod that has its token they still ask the node.
    ///
    /// ## How it is known
    /// From the image's version, or the chart's. With `inject-proxy-sidecar` it is a warning: the proxy stands in for
    /// an old SDK.
    ///
    /// ## Fix
    /// Upgrade to 0.33.0 or later.
    ///
    /// ## Fix safety
    /// Read Thanos's changelog: block formats are kept, flags have changed.
    ///
    /// ## References
    /// - thanos-io/thanos pull request 6891; thanos-io/objstore pull request 82
    ThanosVersionUnsupported {
        code: "WI742",
        name: "thanos-version-unsupported",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ThanosVersionUnsupported {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = storing(chain).filter(|part| part.older_than(0, 33, 0)) else { return };
        let version = part.version.as_ref().map(ToString::to_string).unwrap_or_default();
        report
            .add(
                &part.workload.meta.object,
                chain.template_path("/spec/containers"),
                format!(
                    "Thanos {version} knows no workload identity, which came with 0.33.0; it asks the node instead"
                ),
            )
            .level(if has_proxy(part) { Level::Warning } else { Level::Error })
            .fix(Fix::manual("upgrade Thanos to 0.33.0 or later").values(
                part.chart.as_ref().filter(|chart| chart.name == "thanos").map(|_| "image: {tag: 0.39.2}".to_owned()),
            ));
    }
}

rule! {
    /// ## What it does
    /// Finds a component of Thanos that runs as another account than the one that carries the identity.
    ///
    /// ## Why it breaks
    /// The pod is mutated, and gets no `AZURE_CLIENT_ID`: the SDK asks Entra without a client, or with another one. The
    /// Bitnami chart switched accounts under the users: with 12.20.4 every component got an account of its own, with
    /// 13.0.0 `existingServiceAccount` went away. `automountServiceAccountToken`, which changed in the same release,
    /// has nothing to do with it: the webhook does not look at it.
    ///
    /// ## How it is known
    /// From the account that the pods run as, and from the accounts of Thanos that carry a client id. It silences
    /// WI105 and WI202 for this component.
    ///
    /// ## Fix
    /// Annotate the account that is used, or name the annotated one: `<component>.serviceAccount`.
    ///
    /// ## Fix safety
    /// Annotating restarts nothing by itself; the component has to be restarted once. Each account needs a federated
    /// credential of its own.
    ///
    /// ## References
    /// - thanos-io/thanos issue 7138; bitnami/charts pull request 22031 (12.20.4)
    ThanosAccountSwitched {
        code: "WI743",
        name: "thanos-account-switched",
        level: Level::Error,
        link: Link::ServiceAccount,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for ThanosAccountSwitched {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = storing(chain) else { return };
        let passed = part.workload.template.spec.containers.iter().any(|container| {
            container.variable(keys::ENV_CLIENT_ID).is_some_and(|variable| variable.literal() != Some(""))
        });
        let used = chain.account();
        if passed || used.is_unknown() && part.workload.account() != "default" {
            return;
        }
        if let Fact::Known(account) = used
            && identity_annotation(account).is_some()
        {
            return;
        }
        // What only holds a secret of its own needs no account.
        if !stores_with(part, |takes| matches!(takes, Takes::Secret(_))).is_empty() {
            return;
        }
        let _ = chain.accounts().count();
        let Some(meant) = annotated_account(part) else { return };
        let id = meant.meta.annotation(keys::CLIENT_ID).filter(|id| is_guid(id)).map(str::to_owned);
        let (account, namespace, meant) = (part.workload.account(), part.namespace(), meant.meta.name());
        let object = crate::model::object::ObjectRef::service_account(namespace, account);
        let changed = part.chart.as_ref().filter(|chart| chart.name == "thanos" && chart.version.at_least(12, 20, 4));
        let shown = id.as_deref().unwrap_or("CLIENT_ID");
        let mut fix =
            Fix::new(FixKind::Metadata, format!("annotate service account {account} with the client id, then restart"))
                .command(format!("kubectl annotate sa/{account} -n {namespace} {}={shown}", keys::CLIENT_ID))
                .command(format!("kubectl rollout restart {} -n {namespace}", part.workload.meta.object.argument()))
                .values(part.application.values(part, Keep::ClientId).map(|values| values.replace("CLIENT_ID", shown)));
        fix = match (id, used.known()) {
            (Some(id), Some(used)) => fix.change(annotate(used, &id)),
            _ => fix.ask(Ask::ClientId(object)),
        };
        report
            .add(
                &part.workload.meta.object,
                chain.template_path("/spec/serviceAccountName"),
                format!(
                    "the {} runs as service account {account}, and it is {meant} that carries the client id; its pods get no AZURE_CLIENT_ID",
                    part.component
                ),
            )
            .evidence_all(changed.map(|chart| format!("chart {chart}: each component has an account of its own from 12.20.4 on")))
            .fix(fix);
    }
}

/// The change that gives an account a client id.
fn annotate(account: &ServiceAccount, id: &str) -> Change {
    let (path, value) = match account.meta.annotations {
        Some(_) => (annotation_path(keys::CLIENT_ID), json!(id)),
        None => ("/metadata/annotations".to_owned(), json!({ keys::CLIENT_ID: id })),
    };
    Change { object: account.meta.object.clone(), patch: vec![Operation::Add { path, value }] }
}
