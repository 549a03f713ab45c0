//! How many credentials an identity holds, and which of them are for nobody.

use super::judge::{self, cases};
use super::{READS, identities, identity_object, named};
use crate::azure::LIMIT;
use crate::azure::compare::{Outcome, Room, is_stale, room};
use crate::azure::declared::Declared;
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::rules::{Needs, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds an identity that holds 18 or more of the 20 federated credentials that it can hold.
    ///
    /// ## Why it breaks
    /// The 21st is refused: "Maximum number of Federated Identity Credentials" (by status 400). Each cluster, namespace
    /// and account needs one of its own.
    ///
    /// ## How it is known
    /// From the identity's credentials in Azure (`--azure`), or from the status of the object from which Azure Service
    /// Operator or Crossplane tries to write another one. An error where the workload needs one more and there is no
    /// room; a warning before.
    ///
    /// ## Fix
    /// Delete credentials that nobody uses (`kubectl wi inspect identity/CLIENT-ID --azure` names them), use another
    /// identity, or AKS identity bindings, which need one credential for a whole cluster.
    ///
    /// ## Fix safety
    /// By hand only: a credential that this cluster does not use may serve another one.
    ///
    /// ## References
    /// - Microsoft Entra, "Workload identity federation", "Important considerations and restrictions"
    /// - AKS, "Identity bindings"
    FederatedCredentialLimit {
        code: "WI506",
        name: "federated-credential-limit",
        level: Level::Error,
        link: Link::FederatedCredential,
        needs: &[Needs::Azure, Needs::Exchange, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

/// What Azure says when it refuses the 21st.
const REFUSED: &str = "maximum number of federated identity credentials";

impl Rule for FederatedCredentialLimit {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let cases = cases(chain);
        for (shown, facts) in identities(chain) {
            let Fact::Known(credentials) = chain.federated_credentials(shown.client) else { continue };
            let space = room(credentials.len());
            if space == Room::Enough {
                continue;
            }
            let lacks = cases
                .iter()
                .filter(|case| case.shown.client == shown.client)
                .any(|case| matches!(judge::code_of(&case.compare(chain).outcome), Some("WI502" | "WI503" | "WI504")));
            let (level, follows) = match space {
                Room::Full if lacks => (Level::Error, "the one that this workload needs cannot be created"),
                Room::Full => (Level::Warning, "another one cannot be created"),
                _ => (Level::Warning, "there is hardly room for another cluster or account"),
            };
            let who = named(&shown, facts);
            report
                .add(
                    &identity_object(&shown, facts),
                    "/federatedIdentityCredentials",
                    format!("{who} holds {} of {LIMIT} federated credentials; {follows}", credentials.len()),
                )
                .level(level)
                .fix(make_room(&shown.client.to_string()));
        }
        for declared in chain.declared() {
            let Declared::Credential(credential) = declared else { continue };
            let Some(ready) = credential.by.ready.as_ref().filter(|ready| !ready.ok) else { continue };
            let mine = credential.credential().and_then(|credential| credential.subject);
            let asked = chain.presentations().into_iter().find(|shown| mine.as_ref() == Some(&shown.subject));
            let Some(shown) = asked.filter(|_| ready.message.to_lowercase().contains(REFUSED)) else { continue };
            report
                .add(
                    &super::fixes::declared_ref(&credential),
                    "/status/conditions",
                    format!(
                        "{} cannot write federated credential {}: its identity holds as many as it can",
                        credential.by.operator.name(),
                        credential.azure_name
                    ),
                )
                .confidence(Confidence::Observed)
                .evidence(ready.message.clone())
                .fix(make_room(&shown.client.to_string()));
        }
    }
}

fn make_room(client: &str) -> Fix {
    Fix::manual("delete credentials that nobody uses, use another identity, or AKS identity bindings")
        .command(format!("kubectl wi inspect identity/{client} -A --azure"))
}

rule! {
    /// ## What it does
    /// Names federated credentials of an identity whose issuer is no cluster that is known here.
    ///
    /// ## Why it breaks
    /// Nothing breaks. They may be what a deleted cluster left behind, which uses up room, or serve another cluster.
    ///
    /// ## How it is known
    /// From the identity's credentials in Azure (`--azure`), held against this cluster's issuer.
    ///
    /// ## Fix
    /// Where no such cluster exists any more, delete them.
    ///
    /// ## Fix safety
    /// By hand only: whether another cluster uses one cannot be told from here.
    ///
    /// ## References
    /// - Microsoft Entra, "Workload identity federation", "Important considerations and restrictions"
    FederatedCredentialStale {
        code: "WI507",
        name: "federated-credential-stale",
        level: Level::Info,
        link: Link::FederatedCredential,
        needs: &[Needs::Azure],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for FederatedCredentialStale {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let cases = cases(chain);
        for (shown, facts) in identities(chain) {
            let Fact::Known(credentials) = chain.federated_credentials(shown.client) else { continue };
            let Some(issuer) = shown.issuer.as_deref() else { continue };
            // What another rule tells of already.
            let told: Vec<&str> = cases
                .iter()
                .filter(|case| case.shown.client == shown.client)
                .filter_map(|case| match case.compare(chain).outcome {
                    Outcome::NearestMiss { credential, .. } => Some(credential.name.as_str()),
                    _ => None,
                })
                .collect();
            let stale: Vec<_> = credentials
                .iter()
                .filter(|credential| is_stale(credential, &[issuer]) && !told.contains(&credential.name.as_str()))
                .collect();
            let Some(first) = stale.first() else { continue };
            let who = named(&shown, facts);
            let found = facts.found();
            let mut fix = Fix::manual("delete those whose cluster does not exist any more");
            if let Some(id) = found.map(|found| &found.id) {
                fix = fix.command(format!(
                    "az identity federated-credential delete --subscription {} --resource-group {} --identity-name {} --name {}",
                    id.subscription().unwrap_or_default(),
                    id.resource_group().unwrap_or_default(),
                    id.name(),
                    first.name
                ));
            }
            report
                .add(
                    &identity_object(&shown, facts),
                    "/federatedIdentityCredentials",
                    match stale.len() {
                        1 => format!(
                            "federated credential {} of {who} is for a cluster that is not known here",
                            first.name
                        ),
                        count => {
                            format!("{count} federated credentials of {who} are for clusters that are not known here")
                        }
                    },
                )
                .evidence_all(stale.iter().take(5).map(|one| {
                    format!("{}: {} at {}", one.name, one.subject.as_deref().unwrap_or_default(), one.issuer)
                }))
                .fix(fix);
        }
    }
}
