//! The identity behind a client id: not there, another tenant's, or another id than the client id.

use super::{READS, account_ref, identities, identity_object, named};
use crate::azure::{Discovered, Guid, Identity};
use crate::chain::azure::Presentation;
use crate::chain::{Chain, annotation_path};
use crate::model::fact::Fact;
use crate::model::finding::{Change, Fix, FixKind, Level, Link};
use crate::model::workload::ServiceAccount;
use crate::rules::edit::{arguments, set_entry, then_restart};
use crate::rules::{Needs, Report, Rule, rule};
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds that no managed identity and no app registration has the client id.
    ///
    /// ## Why it breaks
    /// Entra does not know whom the token is for, and answers AADSTS700016: Application with identifier '...' was not
    /// found in the directory.
    ///
    /// ## How it is known
    /// From Entra's own words (AADSTS700016) in an exchange, a status or an event, or from Azure: the directory still
    /// names an identity that Azure's resource manager says is deleted. That an identity is not to be seen in the
    /// subscriptions that the login reads proves nothing; the report then says where was searched, and the answer is
    /// unknown.
    ///
    /// ## Fix
    /// Make the identity anew, or write the client id of the one that is meant. An identity of the same name gets
    /// another client id.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program: only a person knows which identity is meant.
    ///
    /// ## References
    /// - Microsoft Entra authentication and authorization error codes, AADSTS700016
    IdentityNotFound {
        code: "WI501",
        name: "identity-not-found",
        level: Level::Error,
        link: Link::Identity,
        needs: &[Needs::Azure, Needs::Exchange, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for IdentityNotFound {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        for (shown, facts) in identities(chain) {
            let Discovered::UserAssigned(found) = &facts.discovered else { continue };
            if found.identity != Fact::Absent {
                continue;
            }
            report
                .add(
                    &identity_object(&shown, facts),
                    "",
                    format!("identity {} is deleted; nothing has client id {} any more", found.id.name(), shown.client),
                )
                .evidence(format!("the directory names {}, and Azure's resource manager does not know it", found.id))
                .fix(look_up(chain, &shown));
        }
        let shown = chain.presentations();
        for refusal in chain.refusals().into_iter().filter(|refusal| refusal.gives == "WI501") {
            let about = |one: &&Presentation| refusal.client.is_none_or(|client| client == one.client);
            let Some(one) = shown.iter().find(about) else { continue };
            // What is wrong with the id itself is told by the rule that sees it (WI508).
            let seen = chain.azure_identity(one.client).is_some_and(|facts| facts.found().is_some());
            if seen {
                continue;
            }
            let tenant = refusal.error.presented.tenant.clone().or_else(|| one.tenant.clone());
            let place = tenant.map_or_else(String::new, |tenant| format!(" in tenant {tenant}"));
            let searched = chain.azure_facts().map(|facts| format!("searched in Azure: {}", facts.searched));
            report
                .add(
                    &account_ref(chain, &one.subject),
                    "",
                    format!("nothing has client id {}{place}; Entra does not know whom the token is for", one.client),
                )
                .confidence(refusal.confidence)
                .evidence(refusal.seen.clone())
                .evidence_all(searched)
                .fix(look_up(chain, one));
        }
    }
}

fn look_up(chain: &Chain<'_>, shown: &Presentation) -> Fix {
    let fix = Fix::manual("write the client id of the identity that is meant")
        .command("az identity list --query \"[].[name,resourceGroup,clientId]\" -o tsv");
    match chain.account() {
        Fact::Known(account) if holds(account, shown.client.as_str()) => fix.command(format!(
            "kubectl annotate --overwrite {} {}=CLIENT_ID",
            arguments(&account.meta.object),
            keys::CLIENT_ID
        )),
        _ => fix,
    }
}

/// Whether the account's annotation is where a client id comes from.
fn holds(account: &ServiceAccount, client: &str) -> bool {
    account.meta.annotation(keys::CLIENT_ID).is_some_and(|id| id.trim().eq_ignore_ascii_case(client))
}

rule! {
    /// ## What it does
    /// Finds an object id (principal id), an ARM id or a resource's name where the client id belongs.
    ///
    /// ## Why it breaks
    /// A managed identity has two ids, and the portal shows both. Roles are given to the object id; Entra is asked with
    /// the client id, and answers AADSTS700016 to anything else.
    ///
    /// ## How it is known
    /// From Azure (`--azure`): the directory, Resource Graph, or the identities of the subscriptions name an identity
    /// with this object id, ARM id or name.
    ///
    /// ## Fix
    /// Write the client id, which the fix gives.
    ///
    /// ## Fix safety
    /// The annotation itself restarts nothing. Pods that run already keep what was injected, so they have to be
    /// restarted once.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 1026 and 1357
    ClientIdIsObjectId {
        code: "WI508",
        name: "client-id-is-object-id",
        level: Level::Error,
        link: Link::ServiceAccount,
        needs: &[Needs::Azure],
        reads: READS,
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for ClientIdIsObjectId {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        for (shown, facts) in identities(chain) {
            let Discovered::ObjectIdOf(found) = &facts.discovered else { continue };
            let what = format!("the object id of identity {}", found.id.name());
            say(chain, report, shown.client.as_str(), &what, found.client_id, &shown.subject);
        }
        let Some(facts) = chain.azure_facts() else { return };
        for identity in chain.identities() {
            let text = identity.client_id.as_deref().map(str::trim).unwrap_or_default();
            let Some(Fact::Known(found)) = facts.named.get(text) else { continue };
            let Identity { id, client_id, .. } = found;
            let what = if text.starts_with('/') { "the ARM id" } else { "the name" };
            let what = format!("{what} of identity {}", id.name());
            say(chain, report, text, &what, *client_id, identity.subject.as_deref().unwrap_or_default());
        }
    }
}

fn say(chain: &Chain<'_>, report: &mut Report<'_>, text: &str, what: &str, client: Option<Guid>, subject: &str) {
    let message =
        |place: &str| format!("{place} is {text}, {what}, not its client id; Entra knows no such application");
    let right = client.map_or_else(|| "CLIENT_ID".to_owned(), |client| client.to_string());
    let Some(account) = chain.account().known().copied().filter(|account| holds(account, text)) else {
        let place = "the client id that the application is given".to_owned();
        report
            .add(&account_ref(chain, subject), "", message(&place))
            .fix(Fix::manual(format!("give it the client id {right}")));
        return;
    };
    let object = &account.meta.object;
    let line = format!("kubectl annotate --overwrite {} {}={right}", arguments(object), keys::CLIENT_ID);
    let mut fix =
        Fix::new(FixKind::Metadata, format!("annotate service account {} with {right}, then restart", object.name))
            .command(line);
    if client.is_some() {
        let patch = vec![set_entry(account.meta.annotations.as_ref(), "/metadata/annotations", keys::CLIENT_ID, right)];
        fix = fix.change(Change { object: object.clone(), patch });
    }
    let place = format!("{} of service account {}", keys::CLIENT_ID, object.path());
    report.add(object, annotation_path(keys::CLIENT_ID), message(&place)).fix(then_restart(fix, chain));
}

rule! {
    /// ## What it does
    /// Finds an identity that lives in another tenant than the one that the pods are given.
    ///
    /// ## Why it breaks
    /// The token endpoint is the tenant's: another tenant does not know the client id (AADSTS700016), or does not exist
    /// (AADSTS90002).
    ///
    /// ## How it is known
    /// From Azure (`--azure`): the identity names its tenant. The pods get theirs from the account's annotation, or
    /// from the webhook's settings.
    ///
    /// ## Fix
    /// Annotate the account with the identity's tenant.
    ///
    /// ## Fix safety
    /// The annotation itself restarts nothing. Pods that run already keep what was injected, so they have to be
    /// restarted once.
    ///
    /// ## References
    /// - Azure Workload Identity, "Labels and annotations"
    TenantMismatch {
        code: "WI509",
        name: "tenant-mismatch",
        level: Level::Error,
        link: Link::ServiceAccount,
        needs: &[Needs::Azure],
        reads: READS,
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for TenantMismatch {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        for (shown, facts) in identities(chain) {
            let lives = facts.found().and_then(|found| found.identity.known()).and_then(|identity| identity.tenant_id);
            let given = shown.tenant.as_deref().and_then(|tenant| Guid::parse(tenant.trim()));
            let (Some(lives), Some(given)) = (lives, given) else { continue };
            if lives == given {
                continue;
            }
            let message = format!(
                "{} lives in tenant {lives}, and the pods are given tenant {given}; that tenant does not know it",
                named(&shown, facts)
            );
            let Fact::Known(account) = chain.account() else {
                let fix = Fix::manual(format!("give the pods tenant {lives}"));
                report.add(&account_ref(chain, &shown.subject), "", message).fix(fix);
                continue;
            };
            let object = &account.meta.object;
            let right = lives.to_string();
            let line = format!("kubectl annotate --overwrite {} {}={right}", arguments(object), keys::TENANT_ID);
            let patch =
                vec![set_entry(account.meta.annotations.as_ref(), "/metadata/annotations", keys::TENANT_ID, right)];
            let fix = Fix::new(
                FixKind::Metadata,
                format!("annotate service account {} with tenant {lives}, then restart", object.name),
            )
            .command(line)
            .change(Change { object: object.clone(), patch });
            report.add(object, annotation_path(keys::TENANT_ID), message).fix(then_restart(fix, chain));
        }
    }
}
