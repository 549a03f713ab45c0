//! AKS Service Connector: its extension's job, and the workloads that use what it made.
//!
//! Sources: Microsoft's article on Service Connector in AKS and its troubleshooting section, the samples of
//! Azure-Samples/serviceconnector-aks-samples, Azure/AKS issues 4197, 5276 and 5493.

pub mod job;
pub mod rules;

use super::marks::{Marks, Sighting, Signs};
use super::{Application, Need, Part, config};
use crate::chain::meant::{Reason, TokenSource};
use crate::model::fact::Fact;
use crate::model::inventory::Inventory;
use crate::model::secret::Secret;
use crate::model::settings::Setting;

/// AKS Service Connector.
#[derive(Debug)]
pub struct ServiceConnector;

/// The extension's job.
pub const JOB: &str = "job";
/// A workload that uses a connection.
pub const CONNECTION: &str = "connection";
/// Where the extension works.
pub const SYSTEM: &str = "sc-system";
/// What the name of a connection's account begins with; the client id follows.
pub const ACCOUNT_PREFIX: &str = "sc-account-";

const LOOKS: &[Signs] = &[Signs {
    component: JOB,
    images: &["image/sc-operator", "prod/image/sc-operator"],
    workloads: &["sc-job"],
    containers: &["sc-operator", "sc-job"],
    ..Signs::NONE
}];

impl Application for ServiceConnector {
    fn name(&self) -> &'static str {
        "service-connector"
    }

    fn title(&self) -> &'static str {
        "AKS Service Connector"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        if marks.meta.namespace() == SYSTEM && marks.meta.name().starts_with("sc-job") {
            let container = marks.template.spec.containers.first();
            return Some(Sighting { component: JOB, score: 3, container });
        }
        if let Some(sighting) = marks.best(LOOKS) {
            return Some(sighting);
        }
        let spec = &marks.template.spec;
        let uses =
            spec.account().starts_with(ACCOUNT_PREFIX) || config::secrets_of(spec).into_iter().any(is_connection);
        // Whatever else the workload is comes first.
        uses.then_some(Sighting { component: CONNECTION, score: 0, container: None })
    }

    fn need(&self, part: &Part<'_>) -> Need {
        if part.component == JOB {
            let failed = job::failure(part);
            return Need::of(failed.map(|why| format!("the extension's job failed: {why}")).into_iter().collect());
        }
        let mut why: Vec<String> = connections(part)
            .into_iter()
            .filter(|connection| connection.by_token)
            .map(|connection| format!("it uses Secret {} of a connection with workload identity", connection.secret))
            .collect();
        let account = part.workload.account();
        if account.starts_with(ACCOUNT_PREFIX) {
            why.push(format!("it runs as service account {account} of a connection"));
        }
        Need::of(why)
    }

    fn token_source(&self, part: &Part<'_>, _why: &[Reason]) -> Option<TokenSource> {
        (part.component == JOB).then_some(TokenSource::OtherCredential)
    }

    fn secrets(&self, part: &Part<'_>) -> Vec<(String, String)> {
        let names = config::secrets_of(&part.workload.template.spec).into_iter().filter(|name| is_connection(name));
        names.map(|name| (part.namespace().to_owned(), name.to_owned())).collect()
    }
}

/// Whether a Secret's name is one that Service Connector gives: `sc-CONNECTION-secret`.
pub fn is_connection(name: &str) -> bool {
    name.strip_prefix("sc-").and_then(|rest| rest.strip_suffix("-secret")).is_some_and(|name| !name.is_empty())
}

/// A connection that a workload uses.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Name of its Secret.
    pub secret: String,
    /// Whether it is one with workload identity: a client id, and no secret besides.
    pub by_token: bool,
    /// The client id.
    pub client_id: Option<String>,
}

/// The connections whose Secrets a workload uses, as far as they were read.
pub fn connections(part: &Part<'_>) -> Vec<Connection> {
    let names = config::secrets_of(&part.workload.template.spec).into_iter().filter(|name| is_connection(name));
    names.filter_map(|name| connection(part.inventory, part.namespace(), name)).collect()
}

fn connection(inventory: &Inventory, namespace: &str, name: &str) -> Option<Connection> {
    let Fact::Known(secret) = inventory.secret(namespace, name) else { return None };
    let client_id = secret.entries.iter().find_map(|(key, entry)| match &entry.variable {
        Some(Setting::Id(id)) if key.ends_with("_CLIENTID") => Some(id.clone()),
        _ => None,
    });
    Some(Connection { secret: name.to_owned(), by_token: client_id.is_some() && !holds_secret(secret), client_id })
}

fn holds_secret(secret: &Secret) -> bool {
    let endings = ["_CLIENTSECRET", "_CONNECTIONSTRING", "_PASSWORD", "_KEY", "_ACCESSKEY", "_ACCOUNTKEY"];
    secret.entries.iter().any(|(key, entry)| !entry.empty && endings.iter().any(|end| key.ends_with(end)))
}
