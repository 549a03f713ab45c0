//! Every request that is sent, held against the recorded and documented ones: not against what the emulator takes.

use super::support::{Lab, client, mi1, principal, subscription};
use kubectl_wi::azure::{CredentialBody, CredentialName, Expected, Guid, ResourceId};
use serde_json::{Value, json};
use url::Url;
use wi_test_azure::{Recorded, Tenant, examples, file};

/// Names and ids in a path stand for any.
fn shape(path: &str) -> String {
    let fixed = [
        "subscriptions",
        "resourcegroups",
        "providers",
        "userassignedidentities",
        "federatedidentitycredentials",
        "managedclusters",
        "extensions",
        "roleassignments",
        "roledefinitions",
        "vaults",
        "resources",
        "v1.0",
    ];
    let segments = path.split('/').map(|segment| {
        let lower = segment.to_lowercase();
        if segment.is_empty() || lower.starts_with("microsoft.") || fixed.contains(&lower.as_str()) {
            lower
        } else {
            "*".to_owned()
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

fn query(pairs: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort();
    pairs
}

/// The request of a file, with its URL.
fn recorded(path: &str) -> (Value, Url) {
    let request = file(path)["request"].clone();
    let url = Url::parse(request["url"].as_str().unwrap()).unwrap();
    (request, url)
}

/// Method, shape of the path, and the names of the query parameters are the recorded ones.
fn assert_like(sent: &Recorded, path: &str) {
    let (request, url) = recorded(path);
    assert_eq!(sent.method, request["method"], "{path}");
    assert_eq!(shape(&sent.path), shape(url.path()), "{path}");
    let names = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(query(sent.query.clone())), names(query(url.query_pairs().into_owned())), "{path}");
}

/// The same to the letter, query values included.
fn assert_same(sent: &Recorded, path: &str) {
    let (request, url) = recorded(path);
    assert_eq!(sent.method, request["method"], "{path}");
    assert_eq!(sent.path, url.path(), "{path}");
    assert_eq!(query(sent.query.clone()), query(url.query_pairs().into_owned()), "{path}");
    assert_eq!(sent.body, request["body"], "{path}");
}

fn assert_bearer(sent: &Recorded) {
    let header = sent.header("authorization").unwrap();
    // A JSON Web Token, not what the generated crate was handed in its place.
    assert!(header.starts_with("Bearer eyJ"), "{} {}", sent.method, sent.path);
    assert!(sent.header("user-agent").unwrap().starts_with("kubectl-wi/"));
}

#[tokio::test]
async fn identities_are_read_as_recorded() {
    let lab = Lab::start(Tenant::example()).await;
    lab.azure.identity(&mi1()).await.known().unwrap();
    let sent = lab.requests();
    assert_eq!(sent.len(), 1);
    assert_like(&sent[0], "rest/recorded/identity-get-200.json");
    assert_eq!(sent[0].path, examples::IDENTITY);
    assert_eq!(sent[0].parameter("api-version"), Some("2023-01-31"));
    assert_bearer(&sent[0]);

    lab.emulator.forget();
    lab.azure.identities(&subscription()).await.unwrap();
    let sent = lab.requests();
    let listed = file("rest/msi/IdentityListBySubscription.json");
    assert_eq!(sent[0].parameter("api-version"), listed["parameters"]["api-version"].as_str());
    // The documented next page: the same path with a skip token in either letter case.
    let next = Url::parse(listed["responses"]["200"]["body"]["nextLink"].as_str().unwrap()).unwrap();
    for page in &sent {
        assert_eq!(page.method, "GET");
        assert_eq!(shape(&page.path), shape(next.path()));
        assert_bearer(page);
    }
    assert_eq!(sent.len(), 2, "one page and the empty one behind it");
    lab.assert_proper();
}

#[tokio::test]
async fn credentials_are_listed_written_and_deleted_as_specified() {
    let lab = Lab::start(Tenant::example()).await;
    lab.azure.federated_credentials(&mi1()).await.known().unwrap();
    let listed = file("rest/msi/FederatedIdentityCredentialList.json");
    let next = Url::parse(listed["responses"]["200"]["body"]["nextLink"].as_str().unwrap()).unwrap();
    let sent = lab.requests();
    assert_eq!((sent[0].method.as_str(), shape(&sent[0].path)), ("GET", shape(next.path())));
    assert_eq!(sent[0].parameter("api-version"), listed["parameters"]["api-version"].as_str());

    // The official example's own body, written to another name.
    lab.emulator.forget();
    let example = file("rest/msi/FederatedIdentityCredentialCreate.json");
    let properties = &example["parameters"]["parameters"]["properties"];
    let text = |pointer: &str| properties.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let body = CredentialBody { issuer: text("/issuer"), subject: text("/subject"), audience: text("/audiences/0") };
    let name = CredentialName::parse("ficResourceName").unwrap();
    lab.azure.write_credential(&mi1(), &name, &Expected::Absent, Some(&body)).await.unwrap();
    let sent = lab.requests();
    let put = sent.iter().find(|request| request.method == "PUT").unwrap();
    assert_eq!(put.path, format!("{}/federatedIdentityCredentials/ficResourceName", examples::IDENTITY));
    assert_eq!(query(put.query.clone()), [("api-version".to_owned(), "2023-01-31".to_owned())]);
    assert_eq!(put.body, example["parameters"]["parameters"]);
    assert_eq!(put.header("content-type"), Some("application/json"));
    assert_bearer(put);

    lab.emulator.forget();
    let written = lab.azure.federated_credentials(&mi1()).await;
    let seen = written.known().unwrap().iter().find(|c| c.name == "ficResourceName").unwrap().clone();
    lab.azure.write_credential(&mi1(), &name, &Expected::Unchanged(seen), None).await.unwrap();
    let sent = lab.requests();
    let delete = sent.iter().find(|request| request.method == "DELETE").unwrap();
    assert_eq!(delete.path, put.path);
    assert_eq!(query(delete.query.clone()), [("api-version".to_owned(), "2023-01-31".to_owned())]);
    assert_eq!(delete.body, Value::Null);
    lab.assert_proper();
}

#[tokio::test]
async fn resource_graph_is_asked_word_for_word_as_documented() {
    let lab =
        Lab::with(Tenant::example(), |options| options.subscriptions = vec![examples::SUBSCRIPTION.to_owned()]).await;
    lab.emulator.change(|tenant| tenant.caller.reads_directory = false);
    lab.azure.discover(&[client()]).await;
    let sent = lab.requests();
    let asked: Vec<&Recorded> = sent.iter().filter(|request| request.method == "POST").collect();
    assert_eq!(asked.len(), 1);
    assert_same(asked[0], "graph/resourcegraph-200-identity-by-clientid.json");
    assert_eq!(asked[0].header("content-type"), Some("application/json"));

    // Nothing found: the coverage is asked for, with the same scope.
    lab.emulator.forget();
    lab.azure.discover(&[Guid::parse("00000000-1111-4111-8111-000000000009").unwrap()]).await;
    let sent = lab.requests();
    let coverage = sent.iter().filter(|request| request.method == "POST").next_back().unwrap();
    let documented = file("graph/resourcegraph-200-coverage-subscriptions.json");
    assert_eq!(coverage.body["query"], documented["request"]["body"]["query"]);
    assert_eq!(coverage.body["options"], documented["request"]["body"]["options"]);

    lab.emulator.forget();
    let host = "akswi-abcd1234.hcp.eastus.azmk8s.io";
    lab.azure.cluster(Some(examples::ISSUER), Some(host)).await.known().unwrap();
    let sent = lab.requests();
    let documented = file("graph/resourcegraph-200-aks-by-issuer.json");
    let expected = documented["request"]["body"]["query"].as_str().unwrap();
    // The private name of the API server is asked for too.
    let expected = expected.replace(" | project id", &format!(" or privateFqdn =~ '{host}' | project id"));
    assert_eq!(sent[0].body["query"], json!(expected));
    lab.assert_proper();
}

#[tokio::test]
async fn without_a_subscription_the_whole_tenant_is_asked() {
    let lab = Lab::start(Tenant::example()).await;
    lab.emulator.change(|tenant| tenant.caller.reads_directory = false);
    lab.azure.discover(&[client()]).await;
    let sent = lab.requests();
    let asked = sent.iter().find(|request| request.method == "POST").unwrap();
    assert_eq!(asked.body.get("subscriptions"), None, "an empty list is an error there");
}

#[tokio::test]
async fn graph_is_asked_as_documented() {
    let lab = Lab::start(Tenant::example()).await;
    lab.azure.discover(&[client()]).await;
    let sent = lab.requests();
    let asked: Vec<&Recorded> = sent.iter().filter(|request| request.path.starts_with("/v1.0/")).collect();
    assert_eq!(asked.len(), 1, "one call names the ARM id");
    let (request, url) = recorded("graph/graph-200-serviceprincipal-application.json");
    assert_eq!(asked[0].method, request["method"]);
    assert_eq!(asked[0].path, url.path().replace(examples::APPLICATION, examples::CLIENT));
    assert_eq!(query(asked[0].query.clone()), query(url.query_pairs().into_owned()));
    assert_bearer(asked[0]);
    assert!(asked[0].host.contains("localhost"), "the metadata names Graph's host");

    lab.emulator.forget();
    let application = Guid::parse(examples::APPLICATION).unwrap();
    lab.azure.application_credentials(application).await.known().unwrap();
    let sent = lab.requests();
    let (request, url) = recorded("graph/graph-200-application-fics-list.json");
    assert_eq!((sent[0].method.as_str(), sent[0].path.as_str()), (request["method"].as_str().unwrap(), url.path()));
    lab.assert_proper();
}

#[tokio::test]
async fn clusters_extensions_roles_and_vaults_are_read_as_recorded() {
    let lab = Lab::start(Tenant::example()).await;
    let cluster = ResourceId::parse(examples::CLUSTER).unwrap();
    lab.azure.cluster_by_id(&cluster).await.known().unwrap();
    lab.azure.extension(&cluster, "sc-extension").await;
    lab.azure.registration(&subscription(), "Microsoft.KubernetesConfiguration").await;
    let vault = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.KeyVault/vaults/kv-rbac";
    lab.azure.vault(&ResourceId::parse(vault).unwrap()).await.known().unwrap();
    let sent = lab.requests();
    assert_like(&sent[0], "rest/recorded/managedcluster-get-200.json");
    assert_eq!(sent[0].parameter("api-version"), Some("2025-02-01"));
    let offered = file("rest/aks/api-versions.json")["provider_recorded_api_versions"].clone();
    let version = sent[1].parameter("api-version").unwrap();
    assert!(offered["Microsoft.KubernetesConfiguration/extensions"].as_array().unwrap().contains(&json!(version)));
    let extension = file("rest/kubernetesconfiguration/aks-sc-extension.reconstructed.json");
    assert_eq!(shape(&sent[1].path), shape(extension["succeeded"]["id"].as_str().unwrap()));
    assert_eq!(
        sent[2].path,
        "/subscriptions/11111111-1111-1111-1111-111111111111/providers/Microsoft.KubernetesConfiguration"
    );
    assert_same(&sent[3], "graph/keyvault-200-vault-rbac.json");

    // Lists of clusters: the recorded request, and its second page.
    lab.emulator.forget();
    lab.azure.cluster(Some("https://elsewhere.example/"), None).await;
    let sent = lab.requests();
    let lists: Vec<&Recorded> = sent.iter().filter(|request| request.path.ends_with("/managedClusters")).collect();
    assert_eq!(lists.len(), 2);
    assert_eq!(query(lists[0].query.clone()), [("api-version".to_owned(), "2025-02-01".to_owned())]);
    let (_, second) = recorded("rest/recorded/managedcluster-list-page2-empty.json");
    let names = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(query(lists[1].query.clone())), names(query(second.query_pairs().into_owned())));

    // Microsoft's page on listing role assignments: $filter=atScope() and assignedTo('…').
    lab.emulator.forget();
    lab.azure.role_assignments(principal(), &ResourceId::parse(vault).unwrap()).await.known().unwrap();
    let sent = lab.requests();
    assert_eq!(sent[0].path, format!("{vault}/providers/Microsoft.Authorization/roleAssignments"));
    let note = file("rest/authorization/RoleAssignments_List.docs-rest-output.json")["_provenance"]["note"].to_string();
    let documented = note.split("$filter=").nth(1).unwrap().trim_end_matches('"').replace('+', " ");
    assert_eq!(sent[0].parameter("$filter").unwrap(), documented.replace("{objectId1}", examples::PRINCIPAL));
    assert_eq!(sent[0].parameter("api-version"), Some("2022-04-01"));
    lab.assert_proper();
}
