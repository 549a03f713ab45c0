//! The tenant on the account.

use super::client_id::Flaw;
use crate::chain::containers::{Need, need};
use crate::chain::{Chain, annotation_path};
use crate::model::fact::Fact;
use crate::model::finding::{Change, FixKind, Level, Link};
use crate::rules::edit::{arguments, remove_entry, then_restart};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds a tenant-id annotation on the service account that is empty or no GUID.
    ///
    /// ## Why it breaks
    /// The annotation replaces the webhook's own tenant as soon as its key is there, even with an empty value. An empty
    /// one leaves the pods without a tenant (`no tenant ID specified`), anything else goes into the address of the
    /// token endpoint: `AADSTS90002: Tenant '...' not found` or `AADSTS900023: Specified tenant identifier '...' is
    /// neither a valid DNS name, nor a valid external domain`.
    ///
    /// ## How it is known
    /// From the annotation. A domain of the tenant, such as `contoso.onmicrosoft.com`, is taken by Entra and only a
    /// warning: it stops working when the domain moves, and not every SDK takes it.
    ///
    /// ## Fix
    /// Write the tenant's id, or take the annotation away: the webhook then uses the tenant that it was installed with.
    ///
    /// ## Fix safety
    /// The annotation itself restarts nothing. Pods that run already keep what was injected, so they have to be
    /// restarted once.
    ///
    /// ## References
    /// - Azure Workload Identity, "Labels and annotations"; `pkg/webhook/webhook.go`, `getTenantID`
    TenantIdInvalid {
        code: "WI205",
        name: "tenant-id-invalid",
        level: Level::Error,
        link: Link::ServiceAccount,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for TenantIdInvalid {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Fact::Known(account) = chain.account() else { return };
        let Some(value) = account.meta.annotation(keys::TENANT_ID).filter(|_| chain.is_meant()) else { return };
        let Some(flaw) = Flaw::of(value) else { return };
        let object = &account.meta.object;
        let domain = flaw == Flaw::Other && is_domain(value);
        let overridden = sets_itself(chain, keys::ENV_TENANT_ID).is_some();
        let (said, follows) = match &flaw {
            Flaw::Other if domain => (
                format!("is the domain {value} and not the tenant's id"),
                "Entra takes it as long as the domain is this tenant's",
            ),
            Flaw::Empty => ("is empty".to_owned(), "it still replaces the webhook's tenant, so the pods get none"),
            _ => (flaw.said(value), "Entra does not find such a tenant"),
        };
        let mut fix = flaw.fix(object, keys::TENANT_ID, value);
        if flaw == Flaw::Empty {
            let patch = vec![remove_entry("/metadata/annotations", keys::TENANT_ID)];
            fix.summary = format!("take the annotation off service account {}, then restart", object.name);
            fix.commands = vec![format!("kubectl annotate {} {}-", arguments(object), keys::TENANT_ID)];
            fix.asks.clear();
            fix = fix.change(Change { object: object.clone(), patch });
        }
        report
            .add(
                object,
                annotation_path(keys::TENANT_ID),
                format!("{} of service account {} {said}; {follows}", keys::TENANT_ID, object.path()),
            )
            .level(if domain || overridden { Level::Warning } else { Level::Error })
            .fix(then_restart(fix, chain));
    }
}

/// Whether a text is a domain name that could belong to a tenant.
pub(crate) fn is_domain(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let label = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = labels.last().is_some_and(|top| top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic()));
    labels.len() >= 2 && top && labels.iter().all(label)
}

/// The containers that take part, where every one of them sets a variable itself.
pub(crate) fn sets_itself<'a>(chain: &Chain<'a>, variable: &str) -> Option<Vec<&'a str>> {
    let template = chain.template()?;
    let taking_part: Vec<_> = template
        .spec
        .all_containers()
        .filter(|(list, _, container)| need(template, *list, container) != Need::Unlikely)
        .collect();
    let all = !taking_part.is_empty()
        && taking_part.iter().all(|(_, _, container)| chain.explicit(container, variable).is_set());
    all.then(|| taking_part.iter().map(|(_, _, container)| container.name.as_str()).collect())
}
