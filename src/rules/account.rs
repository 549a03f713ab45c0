//! WI2: the service account.

use super::{Needs, Reads, Report, Rule, RuleInfo, registry, rule};
use crate::chain::meant::TokenSource;
use crate::chain::{Chain, meant};
use crate::model::fact::Fact;
use crate::model::finding::{Ask, Fix, FixKind, Level, Link};
use crate::model::object::ObjectRef;
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds a workload whose pods name a service account that does not exist.
    ///
    /// ## Why it breaks
    /// The API server refuses the pods: `error looking up service account NAMESPACE/NAME: serviceaccount "NAME" not
    /// found`. A chart update that renames the account, or an account that is made by another release, are the usual
    /// causes.
    ///
    /// ## How it is known
    /// From the cluster's list of accounts, or from manifests that are said to be the whole cluster (`--as-cluster`).
    /// `default` always exists: the API server makes it with the namespace.
    ///
    /// ## Fix
    /// Create the account with the client-id annotation, or name the account that exists.
    ///
    /// ## Fix safety
    /// Creating an account restarts nothing; its controller creates the missing pods by itself.
    ///
    /// ## References
    /// - Kubernetes, "Configure service accounts for pods"
    ServiceAccountMissing {
        code: "WI201",
        name: "service-account-missing",
        level: Level::Error,
        link: Link::ServiceAccount,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Accounts],
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for ServiceAccountMissing {
    fn info(&self) -> &'static RuleInfo {
        registry::info_of::<Self>()
    }

    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let name = chain.account_name();
        if !chain.is_meant() || name == "default" || !chain.account().is_absent() {
            return;
        }
        let namespace = chain.namespace();
        let annotated: Vec<&str> = chain
            .accounts()
            .filter(|account| meant::identity_annotation(account).is_some())
            .map(|account| account.meta.name())
            .collect();
        let evidence = match annotated.as_slice() {
            [] => None,
            names => Some(format!("accounts of {namespace} that carry a client id: {}", names.join(", "))),
        };
        let account = ObjectRef::service_account(namespace, name);
        report
            .add(
                &workload.meta.object,
                chain.template_path("/spec/serviceAccountName"),
                format!("service account {namespace}/{name} does not exist; the API server refuses these pods"),
            )
            .evidence_all(evidence)
            .fix(
                Fix::new(FixKind::Metadata, format!("create service account {name} with the client id"))
                    .command(format!("kubectl create serviceaccount {name} -n {namespace}"))
                    .command(format!("kubectl annotate sa/{name} -n {namespace} {}=CLIENT_ID", keys::CLIENT_ID))
                    .ask(Ask::ClientId(account)),
            );
    }
}

rule! {
    /// ## What it does
    /// Finds a workload whose service account has no `azure.workload.identity/client-id` annotation.
    ///
    /// ## Why it breaks
    /// The webhook takes `AZURE_CLIENT_ID` from this annotation and from nowhere else. Up to 1.5.0 it injects an empty
    /// variable, with which Entra answers `AADSTS900144: The request body must contain the following parameter:
    /// 'client_id'`; from 1.5.1 on it leaves the variable out, and the SDK says `no client ID specified`.
    ///
    /// ## How it is known
    /// From the account, in a manifest or on the cluster. Where every container that takes part sets a client id
    /// itself, this is only worth knowing; a client id from `envFrom` does not count with webhook 1.5.0 and older,
    /// because the injected empty variable wins.
    ///
    /// ## Fix
    /// Annotate the account with the client id of the managed identity or app registration.
    ///
    /// ## Fix safety
    /// The annotation itself restarts nothing. Pods that run already keep what was injected, so they have to be
    /// restarted once.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 661, 1231 and 1353; pull request 1593 (1.5.1)
    ClientIdMissing {
        code: "WI202",
        name: "client-id-missing",
        level: Level::Error,
        link: Link::ServiceAccount,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook],
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for ClientIdMissing {
    fn info(&self) -> &'static RuleInfo {
        registry::info_of::<Self>()
    }

    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.is_meant() || chain.token_source() != TokenSource::Injected {
            return;
        }
        let Fact::Known(account) = chain.account() else { return };
        if account.meta.annotation(keys::CLIENT_ID).is_some() || meant::identity_annotation(account).is_some() {
            return;
        }
        let (name, namespace) = (account.meta.name(), account.meta.namespace());
        let empty_wins = match chain.webhook() {
            Fact::Known(webhook) => !webhook.settings.profile().leaves_out_empty,
            _ => false,
        };
        let passes = |container: &crate::model::pod::Container| {
            container.variable(keys::ENV_CLIENT_ID).is_some_and(|v| v.literal() != Some(""))
                || (!empty_wins && !container.env_from.is_empty())
        };
        let passed = workload.template.spec.containers.iter().filter(|container| passes(container));
        let passed: Vec<&str> = passed.map(|container| container.name.as_str()).collect();
        let by_application = chain.client_id_passed_by();
        let (level, message) = if let (Some(who), true) = (&by_application, passed.is_empty()) {
            (Level::Info, format!("service account {namespace}/{name} has no {} annotation; {who}", keys::CLIENT_ID))
        } else if passed.is_empty() {
            (
                Level::Error,
                format!(
                    "service account {namespace}/{name} has no {} annotation; the pods get no AZURE_CLIENT_ID and the \
                     SDK does not know which identity to ask for",
                    keys::CLIENT_ID
                ),
            )
        } else {
            (
                Level::Info,
                format!(
                    "service account {namespace}/{name} has no {} annotation; {} sets the client id itself",
                    keys::CLIENT_ID,
                    passed.join(", ")
                ),
            )
        };
        report.add(&account.meta.object, "/metadata/annotations", message).level(level).fix(
            Fix::new(FixKind::Metadata, format!("annotate service account {name} with the client id, then restart"))
                .command(format!("kubectl annotate sa/{name} -n {namespace} {}=CLIENT_ID", keys::CLIENT_ID))
                .command(format!("kubectl rollout restart {} -n {namespace}", workload.meta.object.argument()))
                .ask(Ask::ClientId(account.meta.object.clone())),
        );
    }
}
