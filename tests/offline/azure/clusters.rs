//! Managed clusters and what belongs to them.

use super::support::{Lab, subscription};
use kubectl_wi::azure::{ManagedCluster, ResourceId};
use kubectl_wi::model::fact::Fact;
use wi_test_azure::{Answer, Extension, Fault, Tenant, examples, file};

const HOST: &str = "akswi-abcd1234.hcp.eastus.azmk8s.io";

async fn find(lab: &Lab, issuer: Option<&str>, host: Option<&str>) -> ManagedCluster {
    lab.azure.cluster(issuer, host).await.known().unwrap().clone()
}

#[tokio::test]
async fn a_cluster_is_found_by_its_issuer_or_its_api_server() {
    let lab = Lab::start(Tenant::example()).await;
    let by_issuer = find(&lab, Some(examples::ISSUER), None).await;
    assert_eq!(by_issuer.id, ResourceId::parse(examples::CLUSTER).unwrap());
    assert!(by_issuer.issuer_enabled && by_issuer.workload_identity);
    assert_eq!(by_issuer.issuer.as_deref(), Some(examples::ISSUER));
    assert_eq!(by_issuer.enable_command(), None);
    assert_eq!(by_issuer.provisioning_state.as_deref(), Some("Succeeded"));
    assert_eq!(by_issuer.power_state.as_deref(), Some("Running"));
    assert_eq!(find(&lab, Some(examples::ISSUER.trim_end_matches('/')), None).await, by_issuer);
    assert_eq!(find(&lab, None, Some(&HOST.to_uppercase())).await, by_issuer);
    let private = "akspriv-abcd1234.77777777-2222-3333-4444-555555555555.privatelink.westeurope.azmk8s.io";
    assert_ne!(find(&lab, None, Some(private)).await.id, by_issuer.id);
    // The API server counts for more than a copied issuer.
    let both = find(&lab, Some(examples::ISSUER), Some(private)).await;
    assert_ne!(both.id, by_issuer.id);
    lab.assert_proper();
}

#[tokio::test]
async fn without_resource_graph_the_lists_find_it() {
    let lab = Lab::start(Tenant::example()).await;
    lab.emulator.fault(Fault::on("/resources", Answer::recorded("graph/resourcegraph-403-AccessDenied.json")).always());
    assert_eq!(find(&lab, Some(examples::ISSUER), None).await.id.name(), "aks-wi-on");
    assert_eq!(find(&lab, None, Some(HOST)).await.id.name(), "aks-wi-on");
    lab.assert_proper();
}

#[tokio::test]
async fn a_cluster_that_nobody_sees_is_unknown_and_not_absent() {
    let lab = Lab::start(Tenant::example()).await;
    let fact = lab.azure.cluster(Some("https://oidc.eks.eu-west-1.amazonaws.com/id/ABC"), None).await;
    assert!(matches!(&fact, Fact::Failed(why) if why.contains("the login can read")), "{fact:?}");
    // A question that could not be asked stays one.
    let fact = lab.azure.cluster(Some("https://x/' or true"), None).await;
    assert!(matches!(fact, Fact::Failed(_)), "{fact:?}");
    assert!(lab.requests().iter().all(|request| !request.body.to_string().contains("or true")));
}

/// The four clusters of the test data: on, workload identity off, both off, private.
#[tokio::test]
async fn what_is_off_comes_with_the_line_that_switches_it_on() {
    let lab = Lab::start(Tenant::example()).await;
    let list = file("rest/aks/managedclusters-list-by-subscription.reconstructed.json");
    let mut lines = Vec::new();
    for body in list["body"]["value"].as_array().unwrap() {
        let id = ResourceId::parse(body["id"].as_str().unwrap()).unwrap();
        let cluster = lab.azure.cluster_by_id(&id).await.known().unwrap().clone();
        lines.push((cluster.issuer_enabled, cluster.workload_identity, cluster.enable_command()));
    }
    let line = |group: &str, name: &str, flags: &str| {
        Some(format!(
            "az aks update --subscription {} --resource-group {group} --name {name} {flags}",
            examples::SUBSCRIPTION
        ))
    };
    let name = |index: usize| {
        let id = ResourceId::parse(list["body"]["value"][index]["id"].as_str().unwrap()).unwrap();
        (id.resource_group().unwrap().to_owned(), id.name().to_owned())
    };
    assert_eq!(lines[0], (true, true, None));
    let (group, cluster) = name(1);
    assert_eq!(lines[1], (true, false, line(&group, &cluster, "--enable-workload-identity")));
    let (group, cluster) = name(2);
    assert_eq!(lines[2], (false, false, line(&group, &cluster, "--enable-oidc-issuer --enable-workload-identity")));
    assert_eq!(lines[3].0 && lines[3].1, lines[3].2.is_none());
}

#[tokio::test]
async fn service_connectors_parts_are_read() {
    let body = file("rest/kubernetesconfiguration/aks-sc-extension.reconstructed.json");
    let cluster = ResourceId::parse(examples::CLUSTER).unwrap();
    let mut tenant = Tenant::example();
    tenant.registrations.insert(
        (examples::SUBSCRIPTION.to_owned(), "Microsoft.KubernetesConfiguration".to_owned()),
        "NotRegistered".to_owned(),
    );
    tenant.extensions.push(Extension {
        cluster: examples::CLUSTER.to_owned(),
        name: "sc-extension".to_owned(),
        body: body["failed"].clone(),
    });
    tenant.clusters[0].body["properties"]["addonProfiles"] = serde_json::json!({
        "azureKeyvaultSecretsProvider": {"enabled": true, "config": {"enableSecretRotation": "true"}, "identity": {"clientId": examples::CLIENT}}
    });
    let lab = Lab::start(tenant).await;
    let extension = lab.azure.extension(&cluster, "sc-extension").await.known().unwrap().clone();
    assert_eq!(extension.provisioning_state, "Failed");
    assert_eq!(extension.statuses[0].message, "Unable to get a response from the agent in time");
    assert_eq!(extension.statuses[0].level, "Error");
    assert_eq!(extension.error.as_deref(), Some("Unable to get a response from the agent in time"));
    let state = lab.azure.registration(&subscription(), "Microsoft.KubernetesConfiguration").await;
    assert_eq!(state, Fact::Known("NotRegistered".to_owned()));
    let read = lab.azure.cluster_by_id(&cluster).await.known().unwrap().clone();
    let add_on = read.key_vault_add_on.unwrap();
    assert!(add_on.enabled && add_on.rotates);
    assert_eq!(add_on.client_id, Some(super::support::client()));
    lab.emulator.change(|tenant| tenant.extensions[0].body = body["succeeded"].clone());
    let extension = lab.azure.extension(&cluster, "sc-extension").await.known().unwrap().clone();
    assert_eq!((extension.provisioning_state.as_str(), extension.statuses.len()), ("Succeeded", 0));
    lab.assert_proper();
}

/// The bodies that Azure really sent, in the public cloud and in China.
#[tokio::test]
async fn recorded_clusters_are_read() {
    let lab = Lab::start(Tenant::example()).await;
    for path in ["rest/recorded/managedcluster-get-200.json"] {
        lab.emulator.fault(Fault::on("aks-wi-on", Answer::recorded(path)));
        let cluster = lab.azure.cluster_by_id(&ResourceId::parse(examples::CLUSTER).unwrap()).await;
        let cluster = cluster.known().unwrap();
        assert!(!cluster.issuer_enabled && !cluster.workload_identity, "{path}");
        assert!(cluster.fqdn.as_deref().unwrap().contains(".hcp.eastus."), "{path}");
    }
    lab.emulator.fault(Fault::on("/resources", Answer::empty(500)).times(4));
    let mut china = Answer::recorded("rest/recorded/managedcluster-list-page1.china.json");
    let mut body: serde_json::Value = serde_json::from_str(&china.body).unwrap();
    let host = body["value"][0]["properties"]["fqdn"].as_str().unwrap().to_owned();
    body.as_object_mut().unwrap().remove("nextLink");
    china.body = body.to_string();
    lab.emulator.fault(Fault::on("/managedClusters", china));
    assert!(lab.azure.cluster(None, Some(&host)).await.known().is_some());
}
