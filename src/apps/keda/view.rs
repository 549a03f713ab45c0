//! What KEDA's custom resources say.

use crate::apps::{NamedResource, RoleNeed, custom};
use crate::chain::Chain;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::ObjectRef;
use crate::rules::Reads;
use serde_json::Value;

/// What rules about KEDA read.
pub(crate) const READS: &[Reads] =
    &[Reads::Template, Reads::Account, Reads::Pods, Reads::Objects, Reads::Cluster, Reads::Webhook];

/// `spec.podIdentity.provider`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// `azure-workload`
    AzureWorkload,
    /// `azure`: aad-pod-identity
    Azure,
    /// Anything else, or none.
    Other,
}

/// A `TriggerAuthentication` or `ClusterTriggerAuthentication`.
pub struct Authentication<'a> {
    /// The object.
    pub resource: &'a RawObject,
    /// Its provider.
    pub provider: Provider,
    /// `identityId`: `None` where it is absent, which is not empty.
    pub identity_id: Option<&'a str>,
    /// `identityTenantId`
    pub tenant_id: Option<&'a str>,
    /// `identityAuthorityHost`
    pub authority_host: Option<&'a str>,
}

/// A trigger of a `ScaledObject` or `ScaledJob`.
pub struct Trigger<'a> {
    /// Its place in `spec.triggers`.
    pub at: usize,
    /// `type`
    pub kind: &'a str,
    /// `metadata`
    pub metadata: &'a Value,
    /// `authenticationRef`: kind and name.
    pub authentication: Option<(&'a str, &'a str)>,
}

/// A `ScaledObject` or `ScaledJob`.
pub struct Scaled<'a> {
    /// The object.
    pub resource: &'a RawObject,
    /// Its triggers.
    pub triggers: Vec<Trigger<'a>>,
}

/// All of KEDA's custom resources that were read.
pub struct View<'a> {
    /// Who may be asked for credentials.
    pub authentications: Vec<Authentication<'a>>,
    /// What is scaled.
    pub scaled: Vec<Scaled<'a>>,
}

impl<'a> View<'a> {
    /// What was read.
    pub fn of(inventory: &'a Inventory) -> Self {
        let mut view = Self { authentications: Vec::new(), scaled: Vec::new() };
        for resource in inventory.others() {
            if !resource.meta.object.api_version.starts_with("keda.sh/") {
                continue;
            }
            match resource.meta.object.kind.as_str() {
                "TriggerAuthentication" | "ClusterTriggerAuthentication" => {
                    view.authentications.push(authentication(resource));
                }
                "ScaledObject" | "ScaledJob" => view.scaled.push(scaled(resource)),
                _ => {}
            }
        }
        view
    }

    /// What the rules of a chain look at: everything for the operator, one resource where it stands for itself.
    pub fn led_by(chain: &Chain<'a>) -> Option<Self> {
        if !chain.is_meant() {
            return None;
        }
        if let Some(resource) = chain.resource_of("keda") {
            let mut view = Self::of(chain.inventory());
            view.scaled.retain(|scaled| scaled.resource.meta.object == resource.meta.object);
            if !view.scaled.is_empty() {
                return Some(view);
            }
            view = Self::of(chain.inventory());
            view.scaled.clear();
            view.authentications.retain(|a| a.resource.meta.object == resource.meta.object);
            return Some(view);
        }
        let part = chain.part("keda").filter(|part| part.component == super::OPERATOR)?;
        let _ = part;
        Some(Self::of(chain.inventory()))
    }

    /// The authentication that a trigger names, looked for from the namespace of what is scaled.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Authentication<'a>> {
        self.authentications.iter().find(|a| {
            let object = &a.resource.meta.object;
            let here = kind == "ClusterTriggerAuthentication" || a.resource.meta.namespace() == namespace;
            object.kind == kind && object.name == name && here
        })
    }

    /// The roles that the triggers with workload identity need.
    pub fn roles(&self) -> Vec<RoleNeed> {
        let mut roles: Vec<RoleNeed> = Vec::new();
        for scaled in &self.scaled {
            for trigger in &scaled.triggers {
                let uses = trigger
                    .authentication
                    .and_then(|(kind, name)| self.find(kind, scaled.resource.meta.namespace(), name))
                    .is_some_and(|a| a.provider == Provider::AzureWorkload);
                let Some(need) = role_of(trigger).filter(|_| uses) else { continue };
                if !roles.contains(&need) {
                    roles.push(need);
                }
            }
        }
        roles
    }
}

fn role_of(trigger: &Trigger<'_>) -> Option<RoleNeed> {
    let text = |name: &str| trigger.metadata.get(name).and_then(Value::as_str).unwrap_or("?");
    let (role, scope, why, or): (_, String, _, &'static [&'static str]) = match trigger.kind {
        "azure-servicebus" => (
            "Azure Service Bus Data Owner",
            format!("the Service Bus namespace {}", text("namespace")),
            "reading the number of messages, which needs Manage claims",
            &[],
        ),
        "azure-queue" => (
            "Storage Queue Data Reader",
            format!("the storage account {}", text("accountName")),
            "reading the length of the queue",
            &["Storage Queue Data Contributor", "Storage Queue Data Message Processor"],
        ),
        "azure-blob" => (
            "Storage Blob Data Reader",
            format!("the storage account {}", text("accountName")),
            "counting blobs",
            &["Storage Blob Data Contributor", "Storage Blob Data Owner"],
        ),
        "azure-eventhub" => (
            "Azure Event Hubs Data Receiver",
            format!("the event hub {}", text("eventHubName")),
            "reading partitions; the checkpoints need Storage Blob Data Reader besides",
            &["Azure Event Hubs Data Owner"],
        ),
        "azure-monitor" => (
            "Monitoring Reader",
            format!("the resource {}", text("resourceURI")),
            "reading metrics",
            &["Reader", "Contributor"],
        ),
        "azure-log-analytics" => (
            "Log Analytics Reader",
            format!("the workspace {}", text("workspaceId")),
            "running the query",
            &["Reader", "Monitoring Reader"],
        ),
        _ => return None,
    };
    let on = match trigger.kind {
        "azure-servicebus" => NamedResource::named("Microsoft.ServiceBus/namespaces", Some(text("namespace"))),
        "azure-queue" | "azure-blob" => {
            NamedResource::named("Microsoft.Storage/storageAccounts", Some(text("accountName")))
        }
        _ => None,
    };
    Some(RoleNeed { role, scope, why, or, on: on.into_iter().collect() })
}

fn authentication(resource: &RawObject) -> Authentication<'_> {
    let field = |name: &str| custom::text(resource, &format!("/spec/podIdentity/{name}"));
    Authentication {
        resource,
        provider: match field("provider") {
            Some("azure-workload") => Provider::AzureWorkload,
            Some("azure") => Provider::Azure,
            _ => Provider::Other,
        },
        identity_id: field("identityId"),
        tenant_id: field("identityTenantId"),
        authority_host: field("identityAuthorityHost"),
    }
}

fn scaled(resource: &RawObject) -> Scaled<'_> {
    let triggers = custom::list(resource, "/spec/triggers").iter().enumerate().map(|(at, trigger)| {
        let text = |pointer: &str| trigger.pointer(pointer).and_then(Value::as_str);
        let kind = text("/authenticationRef/kind").filter(|kind| !kind.is_empty());
        Trigger {
            at,
            kind: text("/type").unwrap_or_default(),
            metadata: trigger.get("metadata").unwrap_or(&Value::Null),
            authentication: text("/authenticationRef/name").map(|name| (kind.unwrap_or("TriggerAuthentication"), name)),
        }
    });
    Scaled { resource, triggers: triggers.collect() }
}

impl Trigger<'_> {
    /// Whether it asks a service of Azure.
    pub fn is_azure(&self) -> bool {
        self.kind.starts_with("azure-")
    }

    /// The setting that passes a connection string.
    pub fn connection(&self) -> Option<&'static str> {
        ["connection", "connectionFromEnv"]
            .into_iter()
            .find(|name| self.metadata.get(name).and_then(Value::as_str).is_some_and(|value| !value.is_empty()))
    }
}

impl Scaled<'_> {
    /// Whether one of its triggers takes a token.
    pub fn uses_azure_workload(&self, view: &View<'_>) -> bool {
        self.triggers.iter().any(|trigger| {
            trigger
                .authentication
                .and_then(|(kind, name)| view.find(kind, self.resource.meta.namespace(), name))
                .is_some_and(|a| a.provider == Provider::AzureWorkload)
        })
    }
}

/// `kubectl` words for an object.
pub(super) fn command(verb: &str, object: &ObjectRef) -> String {
    let namespace = object.namespace.as_deref().map(|ns| format!(" -n {ns}")).unwrap_or_default();
    format!("kubectl {verb} {}/{}{namespace}", object.kind.to_lowercase(), object.name)
}
