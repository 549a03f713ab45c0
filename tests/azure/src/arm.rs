//! Azure Resource Manager and the resource providers behind it.

mod credentials;
mod roles;

pub(crate) use credentials::write_is_over;

use crate::answer::Answer;
use crate::recorded::{Recorded, file};
use crate::tenant::{Identity, Tenant};
use crate::{Shared, lock, query};
use serde_json::{Value, json};
use std::time::SystemTime;

/// Which versions a type of resource is served in. From the specification and the recorded list of providers.
const VERSIONS: [(&str, &[&str]); 9] = [
    ("subscriptions", &["2016-06-01", "2020-01-01", "2022-12-01"]),
    ("providers", &["2020-06-01", "2021-04-01"]),
    ("microsoft.managedidentity/userassignedidentities", &["2018-11-30", "2023-01-31", "2024-11-30"]),
    (
        "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials",
        &["2022-01-31-preview", "2023-01-31", "2023-07-31-preview", "2024-11-30", "2025-01-31-preview"],
    ),
    ("microsoft.containerservice/managedclusters", &["2023-02-01", "2025-02-01", "2025-07-01"]),
    (
        "microsoft.kubernetesconfiguration/extensions",
        &["2022-03-01", "2022-07-01", "2022-11-01", "2023-05-01", "2024-11-01"],
    ),
    ("microsoft.authorization", &["2022-04-01"]),
    ("microsoft.keyvault/vaults", &["2023-07-01", "2024-11-01"]),
    ("microsoft.resourcegraph/resources", &["2021-03-01", "2022-10-01", "2024-04-01"]),
];

/// The recorded files' errors, by their names.
pub(crate) fn error_file(name: &str) -> Answer {
    Answer::recorded(&format!("rest/msi/errors/{name}.json"))
}

/// A request on its way through ARM.
pub(crate) struct Asked<'a> {
    pub request: &'a Recorded,
    pub shared: &'a Shared,
    pub tenant: Tenant,
    /// Path segments as they were sent.
    pub segments: Vec<&'a str>,
}

pub(crate) fn answer(request: &Recorded, shared: &Shared) -> Answer {
    let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let asked = Asked { request, shared, tenant: lock(&shared.tenant).clone(), segments };
    asked.answer().unwrap_or_else(|refusal| *refusal)
}

type Outcome = Result<Answer, Box<Answer>>;

impl Asked<'_> {
    fn answer(&self) -> Outcome {
        self.check_token()?;
        let lower: Vec<String> = self.segments.iter().map(|segment| segment.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        match lower.as_slice() {
            ["subscriptions"] => {
                self.check_version("subscriptions")?;
                self.only("GET")?;
                Ok(self.subscriptions())
            }
            ["providers", "microsoft.resourcegraph", "resources"] => {
                self.check_version("microsoft.resourcegraph/resources")?;
                self.only("POST")?;
                Ok(query::answer(self.request, &self.tenant))
            }
            [.., "providers", "microsoft.authorization", "roleassignments"] => roles::assignments(self),
            [.., "providers", "microsoft.authorization", "roledefinitions", id] => roles::definition(self, id),
            ["subscriptions", subscription, "providers", rest @ ..] => {
                self.check_subscription(subscription)?;
                match rest {
                    [namespace] => self.registration(subscription, namespace),
                    ["microsoft.managedidentity", "userassignedidentities"] => self.identities(subscription),
                    ["microsoft.containerservice", "managedclusters"] => self.clusters(subscription),
                    _ => Ok(self.unknown()),
                }
            }
            ["subscriptions", subscription, "resourcegroups", _, "providers", rest @ ..] => {
                self.check_subscription(subscription)?;
                match rest {
                    ["microsoft.managedidentity", "userassignedidentities", _, tail @ ..] => {
                        credentials::answer(self, tail)
                    }
                    ["microsoft.containerservice", "managedclusters", _] => self.cluster(),
                    [
                        "microsoft.containerservice",
                        "managedclusters",
                        _,
                        "providers",
                        "microsoft.kubernetesconfiguration",
                        "extensions",
                        _,
                    ] => self.extension(),
                    ["microsoft.keyvault", "vaults", name] => self.vault(name),
                    _ => Ok(self.unknown()),
                }
            }
            _ => Ok(self.unknown()),
        }
    }

    /// The original text of a segment.
    pub(crate) fn segment(&self, index: usize) -> &str {
        self.segments.get(index).copied().unwrap_or_default()
    }

    fn violation(&self, what: &str) {
        lock(&self.shared.violations).push(format!("{} {}: {what}", self.request.method, self.request.path));
    }

    fn unknown(&self) -> Answer {
        self.violation("there is no such resource type here");
        Answer::empty(404)
    }

    pub(crate) fn only(&self, method: &str) -> Result<(), Box<Answer>> {
        if self.request.method == method {
            return Ok(());
        }
        self.violation("this method is not served");
        Err(Box::new(Answer::empty(405)))
    }

    pub(crate) fn check_version(&self, kind: &str) -> Result<(), Box<Answer>> {
        let Some(asked) = self.request.parameter("api-version") else {
            self.violation("api-version is missing");
            return Err(Box::new(error_file("400-MissingApiVersionParameter")));
        };
        let served = VERSIONS.iter().find(|(known, _)| *known == kind).map_or(&[][..], |(_, versions)| *versions);
        if served.contains(&asked) {
            return Ok(());
        }
        self.violation(&format!("api-version {asked} is not one of {}", served.join(", ")));
        let message =
            format!("The api-version '{asked}' is invalid. The supported versions are '{}'.", served.join(","));
        Err(Box::new(Answer::json(400, &json!({"error": {"code": "InvalidApiVersionParameter", "message": message}}))))
    }

    /// Query parameters besides the version and the position in a list.
    pub(crate) fn check_query(&self, known: &[&str]) {
        for (name, _) in &self.request.query {
            let common = ["api-version", "$skiptoken", "$skipToken", "skipToken"];
            if !common.contains(&name.as_str()) && !known.contains(&name.as_str()) {
                self.violation(&format!("there is no query parameter {name}"));
            }
        }
    }

    fn check_token(&self) -> Result<(), Box<Answer>> {
        let refused = |name: &str| Err(Box::new(error_file(name)));
        let subscription = (self.segment(0).eq_ignore_ascii_case("subscriptions")).then(|| self.segment(1));
        let exists = |id: &str| self.tenant.subscriptions.iter().any(|known| known.id.eq_ignore_ascii_case(id));
        let Some(token) = self.request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) else {
            return match subscription {
                Some(id) if !id.is_empty() && !exists(id) => Err(Box::new(not_found_subscription(id))),
                _ => refused("401-AuthenticationFailed-no-token"),
            };
        };
        match lock(&self.shared.issued).look_up(token) {
            Some((_, expires)) if *expires < SystemTime::now() => refused("401-ExpiredAuthenticationToken"),
            Some((audience, _)) if *audience == self.request.host => Ok(()),
            Some(_) | None => refused("401-InvalidAuthenticationToken"),
        }
    }

    fn check_subscription(&self, id: &str) -> Result<(), Box<Answer>> {
        if self.tenant.subscriptions.iter().any(|known| known.id.eq_ignore_ascii_case(id)) {
            return Ok(());
        }
        Err(Box::new(not_found_subscription(id)))
    }

    /// 403 where the caller lacks the action.
    pub(crate) fn check_permission(&self, action: &str, scope: &str, recorded: &str) -> Result<(), Box<Answer>> {
        if self.tenant.allows(action, scope) {
            return Ok(());
        }
        let answer = error_file(recorded);
        // The recorded text, with this action, this scope and this caller.
        let message: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let text = message["error"]["message"].as_str().unwrap_or_default();
        let quoted = |before: &str| {
            let start = text.find(before).map_or(0, |at| at + before.len());
            text[start..].split('\'').next().unwrap_or_default().to_owned()
        };
        let (old_action, old_scope) = (quoted("perform action '"), quoted("over scope '"));
        let scope_was = format!("over scope '{old_scope}'");
        Err(Box::new(
            answer
                .replacing(&format!("perform action '{old_action}'"), &format!("perform action '{action}'"))
                .replacing(&scope_was, &format!("over scope '{scope}'"))
                .replacing(crate::examples::PRINCIPAL, &self.tenant.caller.object_id),
        ))
    }

    /// One page of a list, with an empty page behind the last one that holds something, as recorded for clusters.
    pub(crate) fn page(&self, items: &[Value]) -> Answer {
        let token = self.request.parameter("$skiptoken").or_else(|| self.request.parameter("$skipToken"));
        let start: usize = token.and_then(|token| token.parse().ok()).unwrap_or_default();
        let end = (start + self.tenant.page_size).min(items.len());
        let mut body = json!({"value": items.get(start..end).unwrap_or_default()});
        if end > start {
            let version = self.request.parameter("api-version").unwrap_or_default();
            let host = &self.request.host;
            let path = &self.request.path;
            body["nextLink"] = json!(format!("{host}{path}?%24skiptoken={end}&api-version={version}"));
        }
        Answer::json(200, &body).with_header("x-ms-ratelimit-remaining-subscription-global-reads", "16499")
    }

    fn subscriptions(&self) -> Answer {
        self.check_query(&[]);
        let visible = self.tenant.subscriptions.iter().filter(|subscription| subscription.visible);
        let bodies: Vec<Value> = visible
            .map(|subscription| {
                json!({
                    "id": format!("/subscriptions/{}", subscription.id),
                    "authorizationSource": "RoleBased",
                    "managedByTenants": [],
                    "subscriptionId": subscription.id,
                    "tenantId": self.tenant.id,
                    "displayName": subscription.name,
                    "state": "Enabled",
                    "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
                })
            })
            .collect();
        Answer::json(200, &json!({"count": {"type": "Total", "value": bodies.len()}, "value": bodies}))
    }

    fn registration(&self, subscription: &str, namespace: &str) -> Outcome {
        self.check_version("providers")?;
        self.only("GET")?;
        let known = self
            .tenant
            .registrations
            .iter()
            .find(|((s, n), _)| s.eq_ignore_ascii_case(subscription) && n.eq_ignore_ascii_case(namespace));
        let state = known.map_or("Registered", |(_, state)| state.as_str());
        Ok(Answer::json(
            200,
            &json!({
                "id": format!("/subscriptions/{subscription}/providers/{}", self.segment(3)),
                "namespace": self.segment(3), "registrationPolicy": "RegistrationRequired",
                "resourceTypes": [], "registrationState": state,
            }),
        ))
    }

    fn identities(&self, subscription: &str) -> Outcome {
        self.check_version("microsoft.managedidentity/userassignedidentities")?;
        self.only("GET")?;
        self.check_query(&[]);
        let scope = format!("/subscriptions/{}", self.segment(1));
        let action = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
        self.check_permission(action, &scope, "403-AuthorizationFailed-list-subscription")?;
        let own = self.tenant.identities.iter().filter(|i| i.subscription.eq_ignore_ascii_case(subscription));
        // Where the caller may read some of them only, the others are left out without a word.
        let visible = own.filter(|identity| self.tenant.allows(action, &identity.id()));
        let items: Vec<Value> = visible.map(|identity| identity_body(&self.tenant, identity)).collect();
        Ok(self.page(&items))
    }

    fn clusters(&self, subscription: &str) -> Outcome {
        self.check_version("microsoft.containerservice/managedclusters")?;
        self.only("GET")?;
        self.check_query(&[]);
        let prefix = format!("/subscriptions/{subscription}/");
        let own = self.tenant.clusters.iter().filter(|cluster| cluster.id().to_lowercase().starts_with(&prefix));
        let items: Vec<Value> = own.map(|cluster| cluster.body.clone()).collect();
        Ok(self.page(&items))
    }

    fn cluster(&self) -> Outcome {
        self.check_version("microsoft.containerservice/managedclusters")?;
        self.only("GET")?;
        let action = "Microsoft.ContainerService/managedClusters/read";
        self.check_permission(action, &self.request.path, "403-AuthorizationFailed-identity-read")?;
        let path = self.request.path.to_lowercase();
        match self.tenant.clusters.iter().find(|cluster| cluster.id().to_lowercase() == path) {
            Some(cluster) => Ok(Answer::json(200, &cluster.body)),
            None => Ok(Answer::recorded("rest/recorded/managedcluster-get-404.json")
                .replacing("testResourcenotfound", self.segment(7))
                .replacing("aks-cit-ManagedCluster", self.segment(3))),
        }
    }

    fn extension(&self) -> Outcome {
        self.check_version("microsoft.kubernetesconfiguration/extensions")?;
        self.only("GET")?;
        let (cluster, name) =
            self.request.path.split_once("/providers/Microsoft.KubernetesConfiguration/").unwrap_or_default();
        let name = name.trim_start_matches("extensions/");
        let found = self.tenant.extensions.iter().find(|extension| {
            extension.cluster.eq_ignore_ascii_case(cluster) && extension.name.eq_ignore_ascii_case(name)
        });
        match found {
            Some(extension) => Ok(Answer::json(200, &extension.body)),
            None => Ok(Answer::recorded("rest/recorded/childresource-get-404-ResourceNotFound-by-RP.json")),
        }
    }

    fn vault(&self, name: &str) -> Outcome {
        self.check_version("microsoft.keyvault/vaults")?;
        self.only("GET")?;
        let action = "Microsoft.KeyVault/vaults/read";
        self.check_permission(action, &self.request.path, "403-AuthorizationFailed-identity-read")?;
        let found = self
            .tenant
            .vaults
            .iter()
            .find(|vault| vault.body["name"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)));
        match found {
            Some(vault) => Ok(Answer::json(200, &vault.body)),
            None => Ok(error_file("404-ResourceNotFound-identity").replacing(
                "Microsoft.ManagedIdentity/userAssignedIdentities/mi1",
                &format!("Microsoft.KeyVault/vaults/{name}"),
            )),
        }
    }
}

fn not_found_subscription(id: &str) -> Answer {
    error_file("404-SubscriptionNotFound").replacing(crate::examples::SUBSCRIPTION, id)
}

/// An identity, in the shape that was recorded.
pub(crate) fn identity_body(tenant: &Tenant, identity: &Identity) -> Value {
    let mut body = file("rest/recorded/identity-get-200.json")["response"]["body"].clone();
    body["id"] = json!(identity.id());
    body["name"] = json!(identity.name);
    body["location"] = json!(identity.location);
    body["tags"] = identity.tags.clone();
    body["properties"] =
        json!({"tenantId": tenant.id, "principalId": identity.principal_id, "clientId": identity.client_id});
    body
}
