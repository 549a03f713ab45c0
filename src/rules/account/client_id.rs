//! The client id on the account: missing, or no client id.

use super::tenant::sets_itself;
use crate::chain::containers::{Need, need};
use crate::chain::environment::Setting;
use crate::chain::meant::TokenSource;
use crate::chain::{Chain, annotation_path, meant, near};
use crate::model::fact::Fact;
use crate::model::finding::{Ask, Change, Fix, FixKind, Level, Link, Operation};
use crate::model::object::ObjectRef;
use crate::model::pod::Container;
use crate::model::workload::{ServiceAccount, Workload};
use crate::rules::edit::{and, arguments, then_restart};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::json;

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
    /// Annotate the account with the client id of the managed identity or app registration. For the account `default`,
    /// which every pod of the namespace may run as, make an account of its own instead.
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
        reads: &[Reads::Template, Reads::Account, Reads::Webhook, Reads::Objects],
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for ClientIdMissing {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.is_meant() || chain.token_source() != TokenSource::Injected {
            return;
        }
        let Fact::Known(account) = chain.account() else { return };
        if meant::identity_annotation(account).is_some() {
            return;
        }
        let object = &account.meta.object;
        let passing = Passing::of(chain, workload);
        let lacks = format!("service account {} has no {} annotation", object.path(), keys::CLIENT_ID);
        let by_application = chain.client_id_passed_by();
        let (level, message) = match (passing, by_application) {
            (Passing::Some(_) | Passing::None | Passing::Perhaps(_), Some(who)) => {
                (Level::Info, format!("{lacks}; {who}"))
            }
            (passing, _) => said(passing, &lacks),
        };
        report.add(object, "/metadata/annotations", message).level(level).fix(annotate(chain, workload, account));
    }
}

/// How bad it is, and the sentence.
fn said(passing: Passing<'_>, lacks: &str) -> (Level, String) {
    match passing {
        Passing::All(names) => (Level::Info, format!("{lacks}; {} the client id itself", sets(&names))),
        Passing::Perhaps(objects) => (
            Level::Warning,
            format!("{lacks}; the pods get no AZURE_CLIENT_ID unless {objects}, which was not read, has one"),
        ),
        Passing::Some(without) => (
            Level::Error,
            format!("{lacks}; container {without} gets no AZURE_CLIENT_ID and does not know which identity to ask for"),
        ),
        Passing::None => (
            Level::Error,
            format!("{lacks}; the pods get no AZURE_CLIENT_ID and the SDK does not know which identity to ask for"),
        ),
    }
}

fn sets(names: &[&str]) -> String {
    match names {
        [one] => format!("container {one} sets"),
        many => format!("containers {} set", and(many)),
    }
}

/// Which containers bring a client id of their own.
enum Passing<'a> {
    /// All that certainly need one.
    All(Vec<&'a str>),
    /// Nobody knows: an object was not read.
    Perhaps(String),
    /// Some do, and this one, which needs one, does not.
    Some(&'a str),
    /// Nobody.
    None,
}

impl<'a> Passing<'a> {
    fn of(chain: &Chain<'a>, workload: &'a Workload) -> Self {
        // Up to 1.5.0 an empty variable is injected, which wins over `envFrom`.
        let empty_wins = match chain.webhook() {
            Fact::Known(webhook) => !webhook.settings.profile().leaves_out_empty,
            _ => false,
        };
        let setting = |container: &Container| match chain.explicit(container, keys::ENV_CLIENT_ID) {
            Setting::Absent if !empty_wins => chain.setting(container, keys::ENV_CLIENT_ID),
            other => other,
        };
        let template = &workload.template;
        let mut passing = Vec::new();
        let (mut without, mut unread) = (None, None);
        for (list, _, container) in template.spec.all_containers() {
            match setting(container) {
                set if set.is_set() => passing.push(container.name.as_str()),
                Setting::Unknown(place) => unread = unread.or(Some(place.object)),
                _ if need(template, list, container) == Need::Certain => {
                    without = without.or(Some(container.name.as_str()));
                }
                _ => {}
            }
        }
        match (passing.is_empty(), without, unread) {
            (_, None, Some(object)) => Self::Perhaps(object),
            (false, None, None) => Self::All(passing),
            (false, Some(without), _) => Self::Some(without),
            (true, _, _) => Self::None,
        }
    }
}

fn annotate(chain: &Chain<'_>, workload: &Workload, account: &ServiceAccount) -> Fix {
    let (object, name, namespace) = (&account.meta.object, account.meta.name(), account.meta.namespace());
    if name == "default" {
        let own = workload.meta.name();
        return Fix::new(
            FixKind::Restart,
            format!("run it as an account of its own, such as {own}, with the client id"),
        )
        .command(format!("kubectl create serviceaccount {own} -n {namespace}"))
        .command(format!("kubectl annotate sa/{own} -n {namespace} {}=CLIENT_ID", keys::CLIENT_ID))
        .command(format!("kubectl set serviceaccount {} {own}", arguments(&workload.meta.object)))
        .ask(Ask::ServiceAccount(workload.meta.object.clone()));
    }
    let fix = Fix::new(FixKind::Metadata, format!("annotate service account {name} with the client id, then restart"))
        .command(format!("kubectl annotate {} {}=CLIENT_ID", arguments(object), keys::CLIENT_ID))
        .ask(Ask::ClientId(object.clone()));
    then_restart(fix, chain)
}

rule! {
    /// ## What it does
    /// Finds a client-id annotation whose value is no client id: empty, with blanks, quotes or braces around it, an ARM
    /// resource id, a placeholder that nobody filled in, or a name.
    ///
    /// ## Why it breaks
    /// The webhook copies the value into `AZURE_CLIENT_ID` without looking at it. Entra answers `AADSTS700016:
    /// Application with identifier '...' was not found in the directory`, or `AADSTS90013` for what is no id at all.
    ///
    /// ## How it is known
    /// From the annotation. A client id is a GUID: 36 characters, hexadecimal with dashes. A GUID that belongs to
    /// something else, such as the principal, is only seen by asking Azure (WI508).
    ///
    /// ## Fix
    /// Write the client id: `az identity show -g RESOURCE_GROUP -n NAME --query clientId -o tsv`. Where the id is
    /// there and only wrapped in something, the fix takes the wrapping off.
    ///
    /// ## Fix safety
    /// The annotation itself restarts nothing. Pods that run already keep what was injected, so they have to be
    /// restarted once.
    ///
    /// ## References
    /// - Microsoft Learn, "Microsoft Entra authentication and authorization error codes"
    /// - Azure/azure-workload-identity issues 1026 and 1357
    ClientIdInvalid {
        code: "WI203",
        name: "client-id-invalid",
        level: Level::Error,
        link: Link::ServiceAccount,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for ClientIdInvalid {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Fact::Known(account) = chain.account() else { return };
        let Some(value) = account.meta.annotation(keys::CLIENT_ID).filter(|_| chain.is_meant()) else { return };
        let Some(flaw) = Flaw::of(value) else { return };
        let object = &account.meta.object;
        let overridden = sets_itself(chain, keys::ENV_CLIENT_ID);
        let follows = match &overridden {
            Some(_) => "it counts for nothing as long as every container sets its own",
            None if flaw == Flaw::Empty => {
                "the pods get no client id and the SDK does not know which identity to ask for"
            }
            None => "Entra does not find such an application",
        };
        let message =
            format!("{} of service account {} {}; {follows}", keys::CLIENT_ID, object.path(), flaw.said(value));
        let level = if overridden.is_some() { Level::Warning } else { Level::Error };
        report
            .add(object, annotation_path(keys::CLIENT_ID), message)
            .level(level)
            .fix(then_restart(flaw.fix(object, keys::CLIENT_ID, value), chain));
    }
}

/// What is wrong with a text that should be a GUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing there.
    Empty,
    /// A GUID with something around it, or without its dashes: the GUID.
    Wrapped(String),
    /// The id of a resource in Azure's resource manager.
    ResourceId,
    /// Something that was to be filled in.
    Placeholder,
    /// Anything else.
    Other,
}

impl Flaw {
    /// The flaw of a text; `None` for a GUID that is not all zeros.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let zeros = |text: &str| text.bytes().all(|byte| matches!(byte, b'0' | b'-' | b'x' | b'X'));
        if near::is_guid(text) && !zeros(text) {
            return None;
        }
        let bare = text.trim_matches(|c: char| c.is_whitespace() || "\"'`{}()<>[]".contains(c));
        if text.trim().is_empty() {
            return Some(Self::Empty);
        }
        if near::is_guid(bare) && !zeros(bare) {
            return Some(Self::Wrapped(bare.to_lowercase()));
        }
        if bare.len() == 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) && !zeros(bare) {
            let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| bare[part].to_lowercase());
            return Some(Self::Wrapped(format!("{a}-{b}-{c}-{d}-{e}")));
        }
        if bare.to_lowercase().contains("/subscriptions/") || bare.to_lowercase().contains("/providers/microsoft.") {
            return Some(Self::ResourceId);
        }
        if is_placeholder(text) || zeros(bare) {
            return Some(Self::Placeholder);
        }
        Some(Self::Other)
    }

    /// For a sentence: what the value is.
    pub(crate) fn said(&self, value: &str) -> String {
        let shown: String = value.chars().take(90).collect();
        match self {
            Self::Empty => "is empty".to_owned(),
            Self::Wrapped(guid) if value.len() < guid.len() => format!("is {shown:?}, a GUID without its dashes"),
            Self::Wrapped(_) => format!("is {shown:?}, a GUID with something around it"),
            Self::ResourceId => {
                let segments: Vec<&str> = value.trim().trim_matches(['"', '\'', '/']).rsplit('/').take(2).collect();
                let named: Vec<&str> = segments.into_iter().rev().collect();
                format!("is the resource id of {} and no client id", named.join("/"))
            }
            Self::Placeholder => format!("is the placeholder {shown:?}, which nobody filled in"),
            Self::Other => format!("is {shown:?}, which is no GUID"),
        }
    }

    /// The fix of an annotation with such a value.
    pub(crate) fn fix(&self, object: &ObjectRef, key: &str, value: &str) -> Fix {
        let name = &object.name;
        let target = arguments(object);
        let path = annotation_path(key);
        let (what, placeholder, ask) = if key == keys::TENANT_ID {
            ("tenant id", "TENANT_ID", Ask::TenantId(object.clone()))
        } else {
            ("client id", "CLIENT_ID", Ask::ClientId(object.clone()))
        };
        if let Self::Wrapped(guid) = self {
            let operation = Operation::Replace { path, value: json!(guid) };
            return Fix::new(
                FixKind::Metadata,
                format!("write the {what} alone on service account {name}, then restart"),
            )
            .command(format!("kubectl annotate {target} {key}={guid} --overwrite"))
            .change(Change { object: object.clone(), patch: vec![operation] });
        }
        let mut fix = Fix::new(FixKind::Metadata, format!("write the {what} on service account {name}, then restart"));
        if *self == Self::ResourceId {
            fix = fix.command(format!("az identity show --ids {} --query clientId -o tsv", value.trim()));
        }
        fix.command(format!("kubectl annotate {target} {key}={placeholder} --overwrite")).ask(ask)
    }
}

/// Whether a text is what templates and examples hold where a value belongs.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let wrapped =
        [("${", "}"), ("{{", "}}"), ("<", ">"), ("$(", ")"), ("#{", "}#"), ("__", "__"), ("[", "]"), ("%", "%")];
    wrapped.iter().any(|(open, close)| lower.starts_with(open) && lower.ends_with(close))
        || lower.starts_with('$')
        || ["replace", "change-me", "changeme", "change_me", "todo", "fixme", "example", "dummy", "placeholder", "your"]
            .iter()
            .any(|word| lower.contains(word))
        || [
            "client_id",
            "client-id",
            "clientid",
            "tenant_id",
            "tenant-id",
            "tenantid",
            "user_assigned_client_id",
            "none",
            "null",
            "nil",
            "n/a",
            "tbd",
            "undefined",
            "xxx",
        ]
        .contains(&lower.as_str())
        || lower.len() > 3 && lower.chars().all(|c| matches!(c, 'x' | '-' | '*' | '.'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_flaw_is_told_apart() {
        let guid = "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2";
        assert_eq!(Flaw::of(guid), None);
        assert_eq!(Flaw::of(&guid.to_uppercase()), None);
        let wrapped = [
            format!(" {guid}"),
            format!("{guid}\n"),
            format!("\"{guid}\""),
            format!("'{guid}'"),
            format!("{{{guid}}}"),
            guid.replace('-', ""),
        ];
        for text in wrapped {
            assert_eq!(Flaw::of(&text), Some(Flaw::Wrapped(guid.to_owned())), "{text}");
        }
        for text in [
            "${CLIENT_ID}",
            "$CLIENT_ID",
            "<client-id>",
            "{{ .Values.clientId }}",
            "REPLACE_ME",
            "your-client-id",
            "00000000-0000-0000-0000-000000000000",
            "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
            "CLIENT_ID",
            "__CLIENT_ID__",
        ] {
            assert_eq!(Flaw::of(text), Some(Flaw::Placeholder), "{text}");
        }
        let resource = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n";
        assert_eq!(Flaw::of(resource), Some(Flaw::ResourceId));
        assert_eq!(Flaw::of(""), Some(Flaw::Empty));
        assert_eq!(Flaw::of("velero-identity"), Some(Flaw::Other));
        assert_eq!(Flaw::of("3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91dg"), Some(Flaw::Other));
    }
}
