//! The values that stand around a failure: ids, hosts, actions, scopes.

use super::engine::Entry;
use super::model::Facts;
use crate::text::pattern;
use crate::token::aadsts::EntraError;
use crate::token::difference;
use regex::bytes::Regex;
use std::ops::Range;
use std::sync::LazyLock;

macro_rules! patterns {
    ($($name:ident = $pattern:expr;)*) => {
        $(static $name: LazyLock<Regex> = LazyLock::new(|| pattern($pattern));)*
        #[cfg(test)]
        fn compiled() -> usize {
            [$(LazyLock::force(&$name).as_str().len(),)*].len()
        }
    };
}

const QUOTED: usize = 400;

patterns! {
    CLIENT = r#"(?: theclient' | appid= | client_id= | clientid["']?[:=]["']? | requestclientid:? | application'?(?:appid|id)?=? )'? ([0-9a-f]{8}-[0-9a-f-]{27})"#;
    OBJECT = r#"(?: withobjectid' | oid= | principal\[ | objectid["']?[:=]["']? | principal` )'? ([0-9a-f]{8}-[0-9a-f-]{27})"#;
    TENANT = r"(?: login\.[a-z.]{5,40}/ | sts\.windows\.net/ ) ([0-9a-f]{8}-[0-9a-f-]{27})";
    SUBJECT = r"(system:serviceaccount:[a-z0-9.-]{1,63}:[a-z0-9.-]{1,253})";
    ACTION = r#"(?: performaction | action: | dataaction | requireddataaction | performaction\[ ) ['"`\[]? (microsoft\.[a-z0-9./*]{3,120})"#;
    CLAIM = r"'?([a-z]{4,12}(?:,[a-z]{4,12})?)'?claim(?:s|\(s\))?(?:are|is)?required";
    SCOPE = r#"(?: overscope | onresource | resource:['"]? | onresource\[ ) ['"\[]? ( /subscriptions/[^'"\s\]]{10,400}? | sb://[^'"\s.]{1,80}\.[^'"\s]{1,200}? ) (?: ['"\]] | orthescope | \.to | \r | $ )"#;
    ARM_URL = r"https://management\.[a-z.]{5,40}(/subscriptions/[^?'\s]{10,400}?)(?:\?|'|---|response|\x22)";
    HOST = r"https?://([a-z0-9][a-z0-9.-]{3,200}\.[a-z]{2,12})";
    LOOKUP = r"(?:lookup|resolve|enotfound|eai_again|unknownhostexception:|unknownhost:)([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}?)(?:on[0-9]|:|'|\x22|\(|$|no)";
    PATH = r"(/var/run/secrets/(?:azure|tokens)(?:/[a-z0-9._-]{1,100}){0,5}?/azure-identity-token|/var/run/secrets/azure/tokens)";
    WEBHOOK_NAMESPACE = r"azure-wi-webhook-webhook-service\.([a-z0-9-]{1,63})\.svc";
    ACCOUNT = r"lookingupserviceaccount([a-z0-9-]{1,63})/([a-z0-9.-]{1,253}?):";
    POD = r"forpod([a-z0-9-]{1,63})/([a-z0-9.-]{1,253}?),";
    RESOURCE = r"[?&]resource=(https://[a-z0-9./-]{4,120})";
}

/// Reads what stands around a hit. What is nearest counts.
pub(super) fn facts(entry: &Entry<'_>, hit: &Range<usize>) -> Facts {
    let near = entry.around(hit, (1500, 1500));
    let find = |pattern: &Regex| nearest(entry, pattern, 1, &near, hit);
    let mut facts = Facts {
        client_id: find(&CLIENT),
        object_id: find(&OBJECT),
        tenant: find(&TENANT),
        subject: find(&SUBJECT),
        action: find(&ACTION).or_else(|| find(&CLAIM)),
        scope: find(&SCOPE).or_else(|| find(&ARM_URL)),
        host: find(&LOOKUP).filter(|host| host.contains('.')).or_else(|| find(&HOST)).filter(|host| !is_manual(host)),
        path: find(&PATH),
        resource: find(&RESOURCE),
        ..Facts::default()
    };
    facts.scope = facts.scope.take().filter(|scope| scope.len() <= QUOTED);
    if let Some(namespace) = find(&WEBHOOK_NAMESPACE) {
        facts.namespace = Some(namespace);
    } else if let Some(namespace) = find(&ACCOUNT) {
        facts.namespace = Some(namespace);
        facts.service_account = nearest(entry, &ACCOUNT, 2, &near, hit);
    } else if let Some(namespace) = find(&POD) {
        facts.namespace = Some(namespace);
    }
    name_account(&mut facts);
    facts
}

/// A link to a manual is no host that was talked to.
fn is_manual(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    ["learn.", "docs.", "go.microsoft.", "aka.", "github.", "azure.github.", "msdn."]
        .iter()
        .any(|start| host.starts_with(start))
}

/// Adds what Entra's message quotes: it beats what only stands near.
pub(super) fn entra(entry: &Entry<'_>, hit: &Range<usize>, facts: &mut Facts) -> Option<EntraError> {
    let around = entry.around(hit, (0, 1600));
    let error = EntraError::read(&entry.squeezed.part(around))?;
    let presented = error.presented.clone();
    facts.aadsts = error.codes.first().copied();
    facts.trace_id = error.trace_id.clone();
    facts.correlation_id = error.correlation_id.clone();
    facts.issuer = presented.issuer;
    facts.subject = presented.subject.or(facts.subject.take());
    facts.audience = presented.audience;
    facts.expected_subject = presented.expected_subject;
    facts.client_id = presented.client_id.or(facts.client_id.take());
    facts.tenant = presented.tenant.or(facts.tenant.take());
    facts.resource = presented.resource.or(facts.resource.take());
    name_account(facts);
    Some(error)
}

fn name_account(facts: &mut Facts) {
    if let Some((namespace, account)) = facts.subject.as_deref().and_then(difference::account) {
        facts.namespace.get_or_insert_with(|| namespace.to_owned());
        facts.service_account.get_or_insert_with(|| account.to_owned());
    }
}

/// The match that is nearest to the hit.
fn nearest(
    entry: &Entry<'_>,
    pattern: &Regex,
    group: usize,
    near: &Range<usize>,
    hit: &Range<usize>,
) -> Option<String> {
    let text = entry.squeezed.lower().get(near.clone())?;
    let found = pattern.captures_iter(text).filter_map(|captures| captures.get(group)).min_by_key(|found| {
        let start = near.start + found.start();
        start.abs_diff(hit.start)
    })?;
    Some(entry.squeezed.text(near.start + found.start()..near.start + found.end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symptoms::record::Records;

    #[test]
    fn the_patterns_compile() {
        assert_eq!(compiled(), 15);
    }

    fn of(text: &str, at: &str) -> Facts {
        let mut records = Records::default();
        for line in text.lines() {
            records.push(line);
        }
        let Some(record) = records.finish() else { return Facts::default() };
        let entry = Entry::new(&record);
        let at: String = at.split_whitespace().collect::<String>().to_ascii_lowercase();
        let text = String::from_utf8_lossy(entry.squeezed.lower()).into_owned();
        let start = text.find(&at).unwrap_or_default();
        facts(&entry, &(start..start + at.len()))
    }

    #[test]
    fn reads_a_denial_of_the_resource_manager() {
        let facts = of(
            "The client '11111111-1111-1111-1111-111111111111' with object id '22222222-2222-2222-2222-222222222222' does not have authorization to perform action 'Microsoft.Network/dnsZones/TXT/write' over scope '/subscriptions/33333333-3333-3333-3333-333333333333/resourceGroups/dns/providers/Microsoft.Network/dnsZones/example.org/TXT/_acme-challenge' or the scope is invalid.",
            "does not have authorization",
        );
        assert_eq!(facts.client_id.as_deref(), Some("11111111-1111-1111-1111-111111111111"));
        assert_eq!(facts.object_id.as_deref(), Some("22222222-2222-2222-2222-222222222222"));
        assert_eq!(facts.action.as_deref(), Some("Microsoft.Network/dnsZones/TXT/write"));
        assert!(facts.scope.as_deref().is_some_and(|scope| scope.ends_with("example.org/TXT/_acme-challenge")));
    }

    #[test]
    fn reads_a_denial_of_a_vault_and_of_a_bus() {
        let vault = of(
            "Caller is not authorized to perform action on resource. If role assignments changed... Caller: appid=11111111-1111-1111-1111-111111111111;oid=22222222-2222-2222-2222-222222222222;iss=https://sts.windows.net/44444444-4444-4444-4444-444444444444/ Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action' Resource: '/subscriptions/3/resourcegroups/rg/providers/microsoft.keyvault/vaults/kv/secrets/s'",
            "Caller is not authorized",
        );
        assert_eq!(vault.action.as_deref(), Some("Microsoft.KeyVault/vaults/secrets/getSecret/action"));
        assert_eq!(vault.object_id.as_deref(), Some("22222222-2222-2222-2222-222222222222"));
        assert_eq!(vault.tenant.as_deref(), Some("44444444-4444-4444-4444-444444444444"));
        let bus = of(
            "Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource: 'sb://ns.servicebus.windows.net/orders'.",
            "Unauthorized access",
        );
        assert_eq!(bus.action.as_deref(), Some("Listen"));
        assert_eq!(bus.scope.as_deref(), Some("sb://ns.servicebus.windows.net/orders"));
    }

    #[test]
    fn reads_the_webhook_s_namespace_and_the_missing_account() {
        let webhook = of(
            "Post \"https://azure-wi-webhook-webhook-service.kube-system.svc:443/mutate-v1-pod?timeout=10s\": context deadline exceeded",
            "azure-wi-webhook",
        );
        assert_eq!(webhook.namespace.as_deref(), Some("kube-system"));
        let account = of(
            "pods \"a-\" is forbidden: error looking up service account shop/cart: serviceaccount \"cart\" not found",
            "error looking up",
        );
        assert_eq!(account.service_account.as_deref(), Some("cart"));
    }
}
