//! What was seen that may be the answer to a question, the likeliest first, each with where it was seen. Nothing of it
//! is ever taken without a person's say.

use super::answers::{is_guid, object};
use crate::apps::{self, config};
use crate::inspect::Input;
use crate::model::finding::Ask;
use crate::model::inventory::RawObject;
use crate::model::object::ObjectRef;
use crate::model::workload::Workload;
use crate::webhook::keys;
use serde_json::Value;
use std::collections::BTreeSet;

/// A value that may be the right one, and where it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The value.
    pub value: String,
    /// Where it was seen.
    pub seen: String,
}

impl Candidate {
    /// A value and where it was seen.
    pub fn new(value: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { value: value.into(), seen: seen.into() }
    }
}

/// A candidate that is known from elsewhere, such as Azure's federated credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The question that it may answer.
    pub ask: Ask,
    /// What it says.
    pub candidate: Candidate,
}

/// The candidates for a question. What the workload itself says comes first, then what others know of it, then what
/// its neighbours use.
pub fn candidates(ask: &Ask, input: &Input, hints: &[Hint]) -> Vec<Candidate> {
    let namespace = object(ask).namespace.as_deref().unwrap_or_default();
    let hinted = || hints.iter().filter(|hint| hint.ask == *ask).map(|hint| hint.candidate.clone());
    let mut found = Vec::new();
    match ask {
        Ask::ClientId(account) => {
            variables(&mut found, input, account, keys::ENV_CLIENT_ID);
            settings(&mut found, input, account, |identity| identity.client_id);
            running(&mut found, input, account, keys::ENV_CLIENT_ID);
            found.extend(hinted());
            resources(&mut found, input, namespace);
            annotations(&mut found, input, account, keys::CLIENT_ID);
        }
        Ask::TenantId(account) => {
            variables(&mut found, input, account, keys::ENV_TENANT_ID);
            settings(&mut found, input, account, |identity| identity.tenant_id);
            running(&mut found, input, account, keys::ENV_TENANT_ID);
            found.extend(hinted());
            if let Some(webhook) = input.cluster.webhook.known()
                && let Some(tenant) = &webhook.settings.tenant_id
            {
                found.push(Candidate::new(tenant, "the identity webhook's tenant"));
            }
            annotations(&mut found, input, account, keys::TENANT_ID);
        }
        Ask::ServiceAccount(_) => {
            accounts(&mut found, input, namespace);
            found.extend(hinted());
        }
        Ask::Containers(workload) => containers(&mut found, input, workload),
    }
    let guids = matches!(ask, Ask::ClientId(_) | Ask::TenantId(_));
    let mut seen = BTreeSet::new();
    found.retain(|candidate| (!guids || is_guid(&candidate.value)) && seen.insert(candidate.value.to_lowercase()));
    found
}

fn users<'a>(input: &'a Input, account: &'a ObjectRef) -> impl Iterator<Item = &'a Workload> {
    input.inventory.workloads_of_account(account.namespace.as_deref().unwrap_or_default(), &account.name)
}

/// Variables of the containers that run as the account, wherever their values come from.
fn variables(found: &mut Vec<Candidate>, input: &Input, account: &ObjectRef, name: &str) {
    for workload in users(input, account) {
        for (_, _, container) in workload.template.spec.all_containers() {
            let variable = config::variable(&input.inventory, workload.meta.namespace(), container, name);
            let Some(value) = variable.as_ref().and_then(config::Variable::text) else { continue };
            let seen = format!("{name} of container {} in {}", container.name, workload.meta.object);
            found.push(Candidate::new(value, seen));
        }
    }
}

/// What the settings of known applications name.
fn settings(
    found: &mut Vec<Candidate>,
    input: &Input,
    account: &ObjectRef,
    id: impl Fn(apps::OwnIdentity) -> Option<String>,
) {
    for workload in users(input, account) {
        for part in apps::recognise(workload, &input.inventory) {
            let seen = format!("settings of {} in {}", part.application.title(), workload.meta.object);
            let ids = part.application.identities(&part).into_iter().filter_map(&id);
            found.extend(ids.map(|value| Candidate::new(value, seen.clone())));
        }
    }
}

/// What pods still have that were made when the account said so.
fn running(found: &mut Vec<Candidate>, input: &Input, account: &ObjectRef, name: &str) {
    let namespace = account.namespace.as_deref().unwrap_or_default();
    for pod in input.inventory.pods_of_account(namespace, &account.name).filter(|pod| pod.is_live()) {
        let mut containers = pod.spec.all_containers();
        let value = containers.find_map(|(_, _, container)| container.variable(name)?.literal().map(str::to_owned));
        if let Some(value) = value {
            found.push(Candidate::new(value, format!("{name} in {}, which runs with it", pod.meta.object)));
        }
    }
}

/// Custom resources of the namespace that name a client id.
fn resources(found: &mut Vec<Candidate>, input: &Input, namespace: &str) {
    for resource in input.inventory.others().iter().filter(|other| other.meta.namespace() == namespace) {
        if let Some((field, value)) = client_id_in(resource) {
            found.push(Candidate::new(value, format!("{field} of {}", resource.meta.object)));
        }
    }
}

fn client_id_in(resource: &RawObject) -> Option<(String, String)> {
    // What ConfigMaps and Secrets hold is somebody's setting, and said with the workload that reads it.
    let spec = resource.value.get("spec").filter(|_| resource.meta.object.api_version.contains('.'))?;
    find(spec, 0)
}

fn find(value: &Value, depth: usize) -> Option<(String, String)> {
    const FIELDS: &[&str] = &["clientID", "clientId", "identityId", "identityID"];
    match value {
        Value::Object(map) if depth < 8 => map.iter().find_map(|(name, value)| match value.as_str() {
            Some(text) if FIELDS.contains(&name.as_str()) && is_guid(text) => Some((name.clone(), text.to_owned())),
            _ => find(value, depth + 1),
        }),
        Value::Array(items) if depth < 8 => items.iter().find_map(|item| find(item, depth + 1)),
        _ => None,
    }
}

/// Annotations of other accounts, those of the namespace first.
fn annotations(found: &mut Vec<Candidate>, input: &Input, asked: &ObjectRef, key: &str) {
    let mut all: Vec<_> = input.inventory.accounts().filter(|account| account.meta.object != *asked).collect();
    all.sort_by_key(|account| Some(account.meta.namespace()) != asked.namespace.as_deref());
    for account in all {
        if let Some(value) = account.meta.annotation(key) {
            found.push(Candidate::new(value, format!("service account {}", account.meta.object.path())));
        }
    }
}

/// Accounts of the namespace that carry a client id, and who runs as them.
fn accounts(found: &mut Vec<Candidate>, input: &Input, namespace: &str) {
    for account in input.inventory.accounts_in(namespace) {
        let Some(id) = account.meta.annotation(keys::CLIENT_ID) else { continue };
        let users: Vec<String> = users(input, &account.meta.object).map(|user| user.meta.object.argument()).collect();
        let users = if users.is_empty() { "nothing runs as it".to_owned() } else { format!("of {}", users.join(", ")) };
        found.push(Candidate::new(account.meta.name(), format!("has client id {id}; {users}")));
    }
}

/// The containers that the webhook is told to skip.
fn containers(found: &mut Vec<Candidate>, input: &Input, object: &ObjectRef) {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let Some(workload) = input.inventory.workload(&object.kind, namespace, &object.name) else { return };
    let list = workload.template.metadata.annotation(keys::SKIP_CONTAINERS).unwrap_or_default();
    let skipped: Vec<&str> = super::answers::names(list);
    for (_, _, container) in workload.template.spec.all_containers() {
        if skipped.contains(&container.name.as_str()) {
            found.push(Candidate::new(&*container.name, container.image.clone().unwrap_or_default()));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::inventory::Inventory;
    use crate::model::object::Origin;
    use serde_json::json;

    fn guid(last: u8) -> String {
        format!("00000000-0000-0000-0000-0000000000{last:02}")
    }

    #[test]
    fn each_candidate_says_where_it_was_seen_and_the_workloads_own_comes_first() {
        let mut inventory = Inventory::default();
        let account = |namespace: &str, name: &str, id: Option<String>| {
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name,
                "annotations": id.map(|id| json!({keys::CLIENT_ID: id}))}})
        };
        let objects = [
            account("far", "other", Some(guid(5))),
            account("n", "neighbour", Some(guid(4))),
            account("n", "twin", Some(guid(1))),
            account("n", "asked", None),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "n", "name": "settings"},
                "data": {"AZURE_CLIENT_ID": guid(1)}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n", "name": "app"},
                "spec": {"template": {"spec": {"serviceAccountName": "asked", "containers": [
                    {"name": "app", "envFrom": [{"configMapRef": {"name": "settings"}}]}]}}}}),
            json!({"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass",
                "metadata": {"namespace": "n", "name": "vault"}, "spec": {"parameters": {"clientID": guid(3)}}}),
        ];
        for object in objects {
            inventory.add_value(object, Origin::Cluster, "default").unwrap();
        }
        let input = Input { inventory, ..Input::default() };
        let ask = Ask::ClientId(ObjectRef::service_account("n", "asked"));
        let hint = Hint { ask: ask.clone(), candidate: Candidate::new(guid(2), "a federated credential") };
        let found = candidates(&ask, &input, &[hint]);
        let values: Vec<&str> = found.iter().map(|candidate| candidate.value.as_str()).collect();
        let expected: Vec<String> = (1..6).map(guid).collect();
        assert_eq!(values, expected.iter().map(String::as_str).collect::<Vec<_>>(), "{found:?}");
        assert_eq!(found[0].seen, "AZURE_CLIENT_ID of container app in Deployment n/app");
        assert_eq!(found[2].seen, "clientID of SecretProviderClass n/vault");
        assert_eq!(found[3].seen, "service account n/neighbour");
        let which =
            candidates(&Ask::ServiceAccount(ObjectRef::new("apps/v1", "Deployment", Some("n"), "app")), &input, &[]);
        assert_eq!(which.len(), 2, "{which:?}");
        assert!(which.iter().all(|candidate| candidate.seen.ends_with("nothing runs as it")), "{which:?}");
    }
}
