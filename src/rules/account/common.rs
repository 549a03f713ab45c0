//! The account that every pod of a namespace runs as unless it names another.

use crate::chain::{Chain, annotation_path};
use crate::model::fact::Fact;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::rules::edit::arguments;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds an identity on the account `default` of a namespace.
    ///
    /// ## Why it breaks
    /// Nothing breaks, and that is the trouble: every pod of the namespace that names no account runs as `default`, and
    /// each of them can take the identity with one label. The federated identity credential names the account, so Entra
    /// cannot tell these pods apart.
    ///
    /// ## How it is known
    /// From the client-id annotation of the account `default` that the pods run as.
    ///
    /// ## Fix
    /// Give the workload a service account of its own, with the annotation, and a federated identity credential for
    /// its subject; then take the annotation off `default`.
    ///
    /// ## Fix safety
    /// The subject changes with the account: the new federated identity credential has to be there first. Changing the
    /// account rolls the pods over.
    ///
    /// ## References
    /// - Microsoft Learn, "Use Microsoft Entra Workload ID with AKS"
    /// - Kubernetes, "Security checklist", service accounts
    DefaultAccountAnnotated {
        code: "WI207",
        name: "default-account-annotated",
        level: Level::Warning,
        link: Link::ServiceAccount,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Cluster],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for DefaultAccountAnnotated {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Fact::Known(account) = chain.account() else { return };
        let annotated = account.meta.annotation(keys::CLIENT_ID).is_some_and(|id| !id.is_empty());
        if account.meta.name() != "default" || !annotated || !chain.is_meant() {
            return;
        }
        let object = &account.meta.object;
        let (namespace, own) = (account.meta.namespace(), chain.target().object().name.as_str());
        let mut fix = Fix::manual("run the workload as an account of its own");
        if let Some(workload) = chain.workload() {
            let issuer = chain.cluster().issuer.known().map_or("ISSUER", String::as_str);
            fix = fix
                .command(format!("kubectl create serviceaccount {own} -n {namespace}"))
                .command(format!(
                    "kubectl annotate sa/{own} -n {namespace} {}={}",
                    keys::CLIENT_ID,
                    account.meta.annotation(keys::CLIENT_ID).unwrap_or("CLIENT_ID")
                ))
                .command(format!(
                    "az identity federated-credential create -g RESOURCE_GROUP --identity-name IDENTITY -n {own} \
                     --issuer {issuer} --subject system:serviceaccount:{namespace}:{own} --audiences {}",
                    keys::DEFAULT_AUDIENCE
                ))
                .command(format!("kubectl set serviceaccount {} {own}", arguments(&workload.meta.object)));
        }
        report
            .add(
                object,
                annotation_path(keys::CLIENT_ID),
                format!(
                    "the account default of namespace {namespace} carries an identity; every pod of the namespace \
                     that names no account can take it"
                ),
            )
            .fix(fix);
    }
}
