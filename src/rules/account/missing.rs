//! The account does not exist.

use crate::chain::{Chain, meant};
use crate::model::finding::{Ask, Fix, FixKind, Level, Link};
use crate::model::object::ObjectRef;
use crate::rules::{Needs, Reads, Report, Rule, rule};
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
