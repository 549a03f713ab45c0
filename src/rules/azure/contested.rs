//! Somebody else writes the credential.

use super::judge::{self, Case, cases};
use super::{READS, identity_object, named};
use crate::azure::compare::{Contest, Outcome, contested};
use crate::azure::declared::{Declared, DeclaredCredential};
use crate::azure::{FederatedCredential, Identity};
use crate::chain::Chain;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::rules::{Needs, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds that another automation writes the federated credential that would have to be corrected, or one that says
    /// otherwise than Azure has it: Azure Service Operator, Crossplane, Terraform by the identity's tags.
    ///
    /// ## Why it breaks
    /// What is corrected in Azure is reverted there by its next run. Two clusters that declare the same credential take
    /// it from each other for ever: each works until the other one's operator comes by.
    ///
    /// ## How it is known
    /// From `FederatedIdentityCredential` objects of Azure Service Operator and Crossplane in the cluster or the files,
    /// held against the credentials in Azure (`--azure`); and from tags such as `managed-by=terraform`. Tags are the
    /// identity's, a credential has none: that a tool writes the credential too is likely, not known.
    ///
    /// ## Fix
    /// Correct it where it is declared. `kubectl wi fix --azure` leaves such a credential alone.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program.
    ///
    /// ## References
    /// - Azure Service Operator, "Annotations": reconcile-policy
    /// - Crossplane, "Managed resources": managementPolicies
    CredentialContested {
        code: "WI511",
        name: "credential-contested",
        level: Level::Warning,
        link: Link::FederatedCredential,
        needs: &[Needs::Azure, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for CredentialContested {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let declared = chain.declared();
        for case in cases(chain) {
            let comparison = case.compare(chain);
            let credential = match &comparison.outcome {
                Outcome::NearestMiss { credential, .. } | Outcome::Exact(credential) => Some(*credential),
                Outcome::Flexible { .. } => None,
                Outcome::None => None,
            };
            let wrong = judge::code_of(&comparison.outcome).is_some();
            check_case(&case, credential, wrong, &declared, report);
        }
    }
}

fn check_case(
    case: &Case<'_>,
    credential: Option<&FederatedCredential>,
    wrong: bool,
    declared: &[Declared],
    report: &mut Report<'_>,
) {
    let Some(found) = case.facts.found() else { return };
    let name = credential.map_or("", |credential| credential.name.as_str());
    // An identity that was read has its tags; they matter only where something has to be corrected.
    let tags: Option<&Identity> = found.identity.known().filter(|_| wrong);
    let path = format!("/federatedIdentityCredentials/{name}");
    match contested(&found.id, tags, name, declared) {
        Some(Contest::Declared(writer)) => {
            let differs = credential.is_some_and(|credential| !agrees(writer, credential));
            if wrong || differs {
                let object = super::fixes::declared_ref(writer);
                report
                    .add(
                        &identity_object(&case.shown, case.facts),
                        path,
                        format!(
                            "{object} writes federated credential {name} by {}; what is corrected in Azure is reverted",
                            writer.by.operator.name()
                        ),
                    )
                    .evidence_all(
                        differs.then(|| "it says otherwise than Azure has it: somebody else writes it, too".to_owned()),
                    )
                    .evidence_all(writer.by.ready.iter().map(|ready| {
                        format!("its condition Ready: {} {}", ready.reason, ready.message).trim_end().to_owned()
                    }))
                    .fix(Fix::manual(format!("correct it in {object}")));
            }
        }
        Some(Contest::Tagged { tool, tag }) => {
            report
                .add(
                    &identity_object(&case.shown, case.facts),
                    path,
                    format!(
                        "{tool} seems to write {}; what is corrected in Azure is probably reverted by its next run",
                        named(&case.shown, case.facts)
                    ),
                )
                .confidence(Confidence::Inferred)
                .evidence(format!("the identity has the tag {tag}"))
                .fix(Fix::manual(format!("correct it in {tool}")));
        }
        None => {}
    }
}

/// Whether the object says what Azure has.
fn agrees(writer: &DeclaredCredential, credential: &FederatedCredential) -> bool {
    writer.credential().is_none_or(|declared| {
        declared.issuer == credential.issuer
            && declared.subject == credential.subject
            && declared.audiences == credential.audiences
    })
}
