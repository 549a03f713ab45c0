//! The workloads that use a connection, and what connections leave behind.

use super::{ACCOUNT_PREFIX, CONNECTION, Connection, SYSTEM, connections, is_connection};
use crate::apps::{Part, config};
use crate::chain::{Chain, Target};
use crate::model::fact::Fact;
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::model::object::ObjectRef;
use crate::rules::template::label::add_label;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::json;

const READS: &[Reads] =
    &[Reads::Template, Reads::Account, Reads::Accounts, Reads::Workloads, Reads::Pods, Reads::Objects, Reads::Secrets];

/// The same, and what Azure says about the extension.
const GONE_READS: &[Reads] = &[
    Reads::Template,
    Reads::Account,
    Reads::Accounts,
    Reads::Workloads,
    Reads::Pods,
    Reads::Objects,
    Reads::Secrets,
    Reads::ManagedCluster,
];

/// The workload that uses a connection.
fn using<'c, 'a>(chain: &'c Chain<'a>) -> Option<&'c Part<'a>> {
    let part = chain.part("service-connector").filter(|part| part.component == CONNECTION)?;
    let _ = (chain.inventory(), chain.secrets());
    Some(part)
}

rule! {
    /// ## What it does
    /// Finds what is left of a connection whose extension is gone.
    ///
    /// ## Why it breaks
    /// Uninstalling `sc-extension` makes all connections of the cluster unavailable; their Secrets and accounts stay
    /// and look right. Nobody renews or repairs them any more.
    ///
    /// ## How it is known
    /// From Azure (`--azure`): the managed cluster has no `sc-extension`. Else from the list of namespaces: `sc-system` is
    /// not among them. Files tell only where they hold namespaces and are said to be the whole cluster.
    ///
    /// ## Fix
    /// Create the connection again, which installs the extension; or remove what uses it.
    ///
    /// ## Fix safety
    /// Nothing of the cluster is changed by this tool.
    ///
    /// ## References
    /// - Microsoft Learn, "Use Service Connector in AKS"
    ServiceConnectorExtensionGone {
        code: "WI761",
        name: "service-connector-extension-gone",
        level: Level::Warning,
        link: Link::Application,
        needs: &[Needs::Live, Needs::Azure],
        reads: GONE_READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ServiceConnectorExtensionGone {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = using(chain).filter(|_| chain.is_meant()) else { return };
        let inventory = chain.inventory();
        let listed = inventory.others_of("Namespace").next().is_some();
        let gone = inventory.other("Namespace", None, SYSTEM).is_absent();
        let works = inventory.workloads().iter().any(|workload| workload.meta.namespace() == SYSTEM);
        let uninstalled = chain.connector().is_some_and(|azure| azure.connector.is_absent());
        if !uninstalled && (!listed || !gone || works) {
            return;
        }
        let seen = if uninstalled {
            "the managed cluster has no extension sc-extension".to_owned()
        } else {
            format!("there is no namespace {SYSTEM}")
        };
        report
            .add(
                &part.workload.meta.object,
                "",
                "it uses a connection of Service Connector, whose extension is gone; nobody keeps the connection working",
            )
            .evidence(seen)
            .fix(
                Fix::manual("create the connection again, which installs the extension")
                    .command("az aks connection list -g RESOURCE_GROUP -n CLUSTER -o table")
                    .command("az k8s-extension show --name sc-extension --cluster-type managedClusters -g RESOURCE_GROUP -c CLUSTER"),
            );
    }
}

rule! {
    /// ## What it does
    /// Finds a workload that uses the Secret or account of a connection with workload identity and lacks the label on
    /// its pods, or does not run as the connection's account.
    ///
    /// ## Why it breaks
    /// Service Connector makes an account `sc-account-CLIENT_ID` and a Secret with the endpoint and the client id.
    /// Neither puts a token into a pod: that needs the label on the pod template and the account in it. Microsoft's own
    /// sample, and articles that copy it, put the label on the Job's metadata, where nothing reads it. The variables of
    /// the Secret (`AZURE_STORAGEBLOB_CLIENTID`) are not the `AZURE_CLIENT_ID` that SDKs read.
    ///
    /// ## How it is known
    /// From the pod template and the Secret: it is one with workload identity if it holds a client id and neither a
    /// client secret nor a connection string. Of a Secret that could not be read nothing is said. It silences WI101,
    /// WI102, WI105 and WI202 for this workload.
    ///
    /// ## Fix
    /// Put `azure.workload.identity/use: "true"` under `spec.template.metadata.labels`, and name the account.
    ///
    /// ## Fix safety
    /// Restarts the pods. The template of a Job cannot be changed: delete and create it again.
    ///
    /// ## References
    /// - Azure-Samples/serviceconnector-aks-samples; Microsoft Learn, "Use Service Connector in AKS"
    ServiceConnectorWorkloadUnwired {
        code: "WI762",
        name: "service-connector-workload-unwired",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Restart),
    }
}

impl Rule for ServiceConnectorWorkloadUnwired {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let (Some(part), Some(workload)) = (using(chain), chain.workload()) else { return };
        if !chain.is_meant() {
            return;
        }
        let used: Vec<Connection> = connections(part).into_iter().filter(|c| c.by_token).collect();
        let mut evidence: Vec<String> =
            used.iter().map(|c| format!("Secret {} holds a client id and no secret", c.secret)).collect();
        if workload.account().starts_with(ACCOUNT_PREFIX) {
            evidence.push(format!("the pods run as {}", workload.account()));
        }
        if workload.template.metadata.label(keys::USE_LABEL).is_none() {
            if workload.meta.label(keys::USE_LABEL).is_some() {
                evidence.push(format!(
                    "the label sits on the {} itself, where nothing reads it",
                    workload.meta.object.kind
                ));
            }
            report
                .add(
                    &workload.meta.object,
                    chain.template_path("/metadata/labels"),
                    format!("it uses a connection with workload identity and its pod template lacks {}: \"true\"; its pods get no token", keys::USE_LABEL),
                )
                .evidence_all(evidence)
                .fix(add_label(chain, workload));
        }
        wrong_account(chain, part, &used, report);
    }
}

fn wrong_account(chain: &Chain<'_>, part: &Part<'_>, used: &[Connection], report: &mut Report<'_>) {
    let workload = part.workload;
    let Some(id) = used.iter().find_map(|connection| connection.client_id.clone()) else { return };
    let wanted = format!("{ACCOUNT_PREFIX}{id}");
    let annotated = match chain.account() {
        Fact::Known(account) => account.meta.annotation(keys::CLIENT_ID).is_some_and(|other| !other.is_empty()),
        Fact::Absent => false,
        // The account may be one that carries the identity, too.
        _ => workload.account() != "default",
    };
    let passed = workload.template.spec.containers.iter().any(|container| {
        container.variable(keys::ENV_CLIENT_ID).is_some_and(|variable| variable.literal() != Some(""))
    });
    if workload.account() == wanted || annotated || passed {
        return;
    }
    let path = chain.template_path("/spec/serviceAccountName");
    let namespace = part.namespace();
    let object = workload.meta.object.clone();
    report
        .add(
            &object,
            path.clone(),
            format!("it uses a connection with workload identity and runs as service account {}; the connection's is {wanted}", workload.account()),
        )
        .fix(
            Fix::new(FixKind::Restart, format!("run the pods as {wanted}"))
                .command(format!("kubectl set serviceaccount {} {wanted} -n {namespace}", object.argument()))
                .change(Change { object, patch: vec![Operation::Add { path, value: json!(wanted) }] }),
        );
}

rule! {
    /// ## What it does
    /// Names Secrets and accounts of Service Connector that nothing uses.
    ///
    /// ## Why it breaks
    /// Deleting a connection leaves its Secret and its account behind. They do no harm, until somebody takes them for
    /// a connection that works.
    ///
    /// ## How it is known
    /// From their names, and from the workloads and pods of the namespace. Whether the connection is really gone only
    /// Azure knows.
    ///
    /// ## Fix
    /// Look whether the connection exists; if not, delete them.
    ///
    /// ## Fix safety
    /// By hand only.
    ///
    /// ## References
    /// - Microsoft Learn, "Use Service Connector in AKS"
    ServiceConnectorOrphan {
        code: "WI763",
        name: "service-connector-orphan",
        level: Level::Info,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ServiceConnectorOrphan {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let _ = chain.account_name();
        let own = match chain.target() {
            Target::Account(account) if account.meta.name().starts_with(ACCOUNT_PREFIX) => true,
            Target::Workload(_) => using(chain).is_some_and(|_| chain.is_meant()),
            _ => false,
        };
        if !own {
            return;
        }
        let namespace = chain.namespace();
        // The account that a workload should run as is not left over: WI762 tells of it.
        let wanted: Vec<String> = using(chain)
            .map(connections)
            .into_iter()
            .flatten()
            .filter_map(|connection| connection.client_id.map(|id| format!("{ACCOUNT_PREFIX}{id}")))
            .collect();
        let used: Vec<&str> =
            chain.workloads().flat_map(|workload| config::secrets_of(&workload.template.spec)).collect();
        for account in chain.accounts().filter(|account| account.meta.name().starts_with(ACCOUNT_PREFIX)) {
            let name = account.meta.name();
            let by_pods = chain.inventory().pods_of_account(namespace, name).next().is_some();
            if !by_pods
                && !wanted.iter().any(|wanted| wanted == name)
                && chain.inventory().workloads_of_account(namespace, name).next().is_none()
            {
                orphan(&account.meta.object, report);
            }
        }
        for secret in chain.secrets().secrets_in(namespace) {
            let name = secret.meta.name();
            if is_connection(name) && !used.contains(&name) {
                orphan(&secret.meta.object, report);
            }
        }
    }
}

fn orphan(object: &ObjectRef, report: &mut Report<'_>) {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    report.add(object, "", format!("{object} is of a connection of Service Connector, and nothing here uses it")).fix(
        Fix::manual("look whether the connection exists; if not, delete it")
            .command("az aks connection list -g RESOURCE_GROUP -n CLUSTER -o table")
            .command(format!("kubectl delete {} -n {namespace}", object.argument())),
    );
}
