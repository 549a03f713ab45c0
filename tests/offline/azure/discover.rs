//! From client ids to identities.

use super::support::{Lab, client, mi1, principal};
use kubectl_wi::azure::{Discovered, Found, Guid, Through};
use kubectl_wi::model::fact::Fact;
use wi_test_azure::{Answer, Fault, Subscription, Tenant, examples};

const UNKNOWN: &str = "00000000-1111-4111-8111-000000000009";

fn guid(text: &str) -> Guid {
    Guid::parse(text).unwrap()
}

fn user_assigned(discovered: &Discovered) -> &Found {
    match discovered {
        Discovered::UserAssigned(found) => found,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_directory_names_the_identity_in_one_call() {
    let lab = Lab::start(Tenant::example()).await;
    let discovery = lab.azure.discover(&[client()]).await;
    let found = user_assigned(&discovery.identities[&client()]);
    assert_eq!((found.through, &found.id), (Through::Directory, &mi1()));
    assert_eq!(found.identity.known().unwrap().principal_id, Some(principal()));
    assert_eq!(found.identity.known().unwrap().tenant_id, Some(guid(examples::TENANT)));
    assert_eq!(lab.requests().len(), 2, "Graph, and ARM for the rest");
    lab.assert_proper();
}

#[tokio::test]
async fn without_the_directory_resource_graph_finds_it_and_then_the_lists() {
    let lab = Lab::start(Tenant::example()).await;
    lab.emulator.change(|tenant| tenant.caller.reads_directory = false);
    let discovery = lab.azure.discover(&[client()]).await;
    let found = user_assigned(&discovery.identities[&client()]);
    assert_eq!(found.through, Through::ResourceGraph);
    assert!(found.identity.known().is_some());
    assert!(matches!(discovery.searched.directory, Fact::Denied(_)));
    // The index lags behind: the list has it.
    lab.emulator.change(|tenant| tenant.identities[0].indexed = false);
    let discovery = lab.azure.discover(&[client()]).await;
    assert_eq!(user_assigned(&discovery.identities[&client()]).through, Through::List);
    lab.assert_proper();
}

#[tokio::test]
async fn not_found_says_where_was_searched() {
    let mut tenant = Tenant::example();
    tenant.subscriptions.push(Subscription {
        id: "55555555-1111-1111-1111-111111111111".to_owned(),
        name: "Hidden".to_owned(),
        visible: false,
    });
    let lab = Lab::start(tenant).await;
    let discovery = lab.azure.discover(&[guid(UNKNOWN)]).await;
    assert_eq!(discovery.identities[&guid(UNKNOWN)], Discovered::NotSeen);
    assert_eq!(
        discovery.searched.to_string(),
        "the directory of the tenant; Resource Graph over subscription Pay-As-You-Go; the identities of subscription Pay-As-You-Go"
    );
    lab.assert_proper();
}

#[tokio::test]
async fn what_may_not_be_searched_is_said_with_the_missing_action() {
    let action = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
    let mut tenant = Tenant::example().denying(action, &format!("/subscriptions/{}", examples::SUBSCRIPTION));
    tenant.caller.reads_directory = false;
    let lab = Lab::start(tenant).await;
    let discovery = lab.azure.discover(&[client()]).await;
    assert_eq!(discovery.identities[&client()], Discovered::NotSeen);
    let said = discovery.searched.to_string();
    assert!(said.contains("not the directory (no permission to Authorization_RequestDenied"), "{said}");
    assert!(said.contains(&format!("not subscription Pay-As-You-Go (no permission to {action}")), "{said}");
    lab.assert_proper();
}

#[tokio::test]
async fn exists_but_may_not_be_read_is_told_apart_from_deleted() {
    let action = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
    let lab = Lab::start(Tenant::example().denying(action, examples::IDENTITY)).await;
    let discovery = lab.azure.discover(&[client()]).await;
    let found = user_assigned(&discovery.identities[&client()]);
    assert!(matches!(&found.identity, Fact::Denied(denied) if denied.verb == action));
    assert_eq!((found.client_id, found.principal_id), (Some(client()), Some(principal())));
    // The directory still knows a deleted one.
    lab.emulator.change(|tenant| tenant.caller.denied.clear());
    let gone = Answer::recorded("rest/msi/errors/404-ResourceNotFound-identity.json");
    lab.emulator.fault(Fault::on("/userAssignedIdentities/mi1", gone));
    let discovery = lab.azure.discover(&[client()]).await;
    assert_eq!(user_assigned(&discovery.identities[&client()]).identity, Fact::Absent);
}

#[tokio::test]
async fn an_object_id_is_recognized_by_each_way() {
    for (reads_directory, indexed, through) in
        [(true, true, Through::Directory), (false, true, Through::ResourceGraph), (false, false, Through::List)]
    {
        let mut tenant = Tenant::example();
        tenant.caller.reads_directory = reads_directory;
        tenant.identities[0].indexed = indexed;
        let lab = Lab::start(tenant).await;
        let discovery = lab.azure.discover(&[principal()]).await;
        let Discovered::ObjectIdOf(found) = &discovery.identities[&principal()] else {
            panic!("{:?}", discovery.identities)
        };
        assert_eq!((found.through, found.client_id), (through, Some(client())));
    }
}

#[tokio::test]
async fn app_registrations_are_told_apart() {
    let mut tenant = Tenant::example();
    let application = tenant.applications[0].clone();
    let foreign = "77777777-0000-4000-8000-0000000000a2";
    let bare = "77777777-0000-4000-8000-0000000000a3";
    let other_tenant = "88888888-0000-4000-8000-000000000001";
    tenant.applications.push(wi_test_azure::Application {
        client_id: foreign.to_owned(),
        owner: Some(other_tenant.to_owned()),
        principal_id: Some("77777777-0000-4000-8000-0000000000c2".to_owned()),
        ..application.clone()
    });
    tenant.applications.push(wi_test_azure::Application {
        client_id: bare.to_owned(),
        principal_id: None,
        ..application
    });
    let lab = Lab::start(tenant).await;
    let ids = [examples::APPLICATION, foreign, bare].map(guid);
    let discovery = lab.azure.discover(&ids).await;
    assert_eq!(
        discovery.identities[&ids[0]],
        Discovered::Application { name: "wi-app".to_owned(), has_principal: true }
    );
    assert_eq!(discovery.identities[&ids[1]], Discovered::ForeignApplication { owner: Some(guid(other_tenant)) });
    assert_eq!(
        discovery.identities[&ids[2]],
        Discovered::Application { name: "wi-app".to_owned(), has_principal: false }
    );
    let credentials = lab.azure.application_credentials(ids[0]).await;
    assert_eq!(credentials.known().unwrap().len(), 2);
    assert_eq!(lab.azure.application_credentials(ids[1]).await, Fact::Absent);
    lab.assert_proper();
}

#[tokio::test]
async fn a_system_assigned_identity_is_no_user_assigned_one() {
    let lab = Lab::start(Tenant::example()).await;
    let id = guid("77777777-0000-4000-8000-0000000000d1");
    let answer = Answer::recorded("graph/graph-200-serviceprincipal-systemassigned.json");
    lab.emulator.fault(Fault::on("servicePrincipals", answer));
    let discovery = lab.azure.discover(&[id]).await;
    let Discovered::SystemAssigned { host: Some(host) } = &discovery.identities[&id] else {
        panic!("{:?}", discovery.identities)
    };
    assert_eq!(host.resource_type().unwrap(), "microsoft.compute/virtualmachines");
}

#[tokio::test]
async fn two_thousand_identities_in_twenty_subscriptions_take_a_bounded_number_of_requests() {
    let mut tenant = Tenant::example().with_many(20, 100);
    tenant.caller.reads_directory = false;
    let lab = Lab::start(tenant).await;
    let ids: Vec<Guid> = (0..20).map(|s| guid(&format!("33333333-3333-4333-8{s:03}-{:012}", s * 3))).collect();
    let discovery = lab.azure.discover(&ids).await;
    assert!(discovery.identities.values().all(|found| matches!(found, Discovered::UserAssigned(_))));
    // Graph once and refused, one question for all of them, and ARM for each that was found.
    assert_eq!(lab.requests().len(), 1 + 1 + 20);

    // None of them in the index, and one that does not exist: every list once, each of three pages.
    lab.emulator.change(|tenant| tenant.identities.iter_mut().for_each(|identity| identity.indexed = false));
    lab.emulator.forget();
    let mut all = ids.clone();
    all.push(guid(UNKNOWN));
    let discovery = lab.azure.discover(&all).await;
    assert_eq!(discovery.identities.values().filter(|found| matches!(found, Discovered::UserAssigned(_))).count(), 20);
    assert_eq!(discovery.identities[&guid(UNKNOWN)], Discovered::NotSeen);
    let listed: usize = discovery.searched.listed.iter().filter_map(|(_, count)| count.known()).sum();
    assert_eq!(listed, 2001);
    // Graph, two questions and the coverage, the subscriptions, 20 lists of 3 pages and the example's of 2.
    assert_eq!(lab.requests().len(), 1 + 3 + 1 + 20 * 3 + 2);

    // Asked again: the lists are known.
    lab.emulator.forget();
    lab.azure.discover(&all).await;
    assert_eq!(lab.requests().len(), 1 + 3);
    assert!(discovery.searched.to_string().contains("Resource Graph over 21 subscriptions"), "{}", discovery.searched);
    lab.assert_proper();
}

#[tokio::test]
async fn a_subscription_that_fails_does_not_hide_the_others() {
    let mut tenant = Tenant::example().with_many(3, 2);
    tenant.caller.reads_directory = false;
    tenant.identities.iter_mut().for_each(|identity| identity.indexed = false);
    let lab = Lab::start(tenant).await;
    lab.emulator.fault(Fault::on("22222222-2222-4222-8222-000000000001/providers", Answer::empty(500)).always());
    let id = guid("33333333-3333-4333-8002-000000000001");
    let discovery = lab.azure.discover(&[id, guid(UNKNOWN)]).await;
    assert!(matches!(discovery.identities[&id], Discovered::UserAssigned(_)));
    assert!(discovery.searched.to_string().contains("not subscription subscription-01 ("), "{}", discovery.searched);
}
