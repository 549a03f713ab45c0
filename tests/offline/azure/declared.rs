//! Objects of Azure Service Operator and Crossplane, from the samples of both projects.

use kubectl_wi::azure::compare::{Contest, Outcome, Presented, compare, contested};
use kubectl_wi::azure::declared::{
    Declared, DeclaredCredential, Operator, Owner, Source, credentials_of, read, writer_of,
};
use kubectl_wi::azure::{Guid, ResourceId};
use serde_json::{Value, json};
use wi_test_azure::examples::{AUDIENCE, CLIENT, IDENTITY, ISSUER, PRINCIPAL, SUBJECT};

fn objects(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/azure/operators/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

fn declared(name: &str) -> Vec<Declared> {
    objects(name).iter().map(|object| read(object).unwrap()).collect()
}

fn credential(declared: &Declared) -> &DeclaredCredential {
    match declared {
        Declared::Credential(credential) => credential,
        other => panic!("{other:?}"),
    }
}

fn mi1() -> ResourceId {
    ResourceId::parse(IDENTITY).unwrap()
}

#[test]
fn service_operators_credential_is_the_same_evidence_as_azures() {
    let declared = declared("aso-federatedidentitycredential");
    let own = credential(&declared[0]);
    assert_eq!(
        (own.by.operator, own.by.writes, own.by.ready.as_ref().unwrap().ok),
        (Operator::ServiceOperator, true, true)
    );
    assert_eq!(own.id.as_ref().unwrap().parent_identity(), Some(mi1()));
    let found = [own.credential().unwrap()];
    let token = Presented { issuer: ISSUER.to_owned(), subject: SUBJECT.to_owned(), audience: AUDIENCE.to_owned() };
    assert!(matches!(compare(&token, &found, &|_| false).outcome, Outcome::Exact(_)));
}

#[test]
fn values_from_a_config_map_and_waiting_owners_are_said() {
    let declared = declared("aso-federatedidentitycredential-fromconfig-waiting");
    let skipped = credential(&declared[0]);
    assert_eq!(skipped.issuer, Source::ConfigMap { name: "aks-oidc-config".to_owned(), key: "issuer-url".to_owned() });
    assert_eq!(skipped.credential(), None, "the issuer is not known here");
    assert_eq!(skipped.owner, Owner::Id(mi1()));
    assert!(!skipped.by.writes, "reconcile-policy: skip");
    assert_eq!(skipped.by.ready.as_ref().unwrap().reason, "AzureResourceNotFound");
    let waiting = credential(&declared[1]);
    assert_eq!((waiting.by.ready.as_ref().unwrap().reason.as_str(), waiting.by.writes), ("WaitingForOwner", true));
    assert_eq!(waiting.owner, Owner::Object("mi-missing".to_owned()));
    // What only observes reverts nothing.
    assert_eq!(writer_of(&declared, &mi1(), "fic-from-config"), None);
}

#[test]
fn identities_give_their_ids_and_where_the_client_id_goes() {
    let declared = [declared("aso-userassignedidentity"), declared("crossplane-userassignedidentity")].concat();
    for (declared, operator) in declared.iter().zip([Operator::ServiceOperator, Operator::Crossplane]) {
        let Declared::Identity(identity) = declared else { panic!() };
        assert_eq!(identity.by.operator, operator);
        assert_eq!(identity.id, Some(mi1()));
        assert_eq!((identity.client_id, identity.principal_id), (Guid::parse(CLIENT), Guid::parse(PRINCIPAL)));
        assert_eq!(identity.azure_name, "mi1");
    }
    let Declared::Identity(own) = &declared[0] else { panic!() };
    assert_eq!(own.client_id_goes_to, Some(("mi1-settings".to_owned(), "clientId".to_owned())));
}

#[test]
fn crossplane_s_two_generations_are_read() {
    let declared = declared("crossplane-federatedidentitycredential");
    assert_eq!(declared.len(), 2);
    for (declared, (subject, namespace)) in
        declared.iter().zip([(SUBJECT, None), ("system:serviceaccount:ns1:sa2", Some("ns1"))])
    {
        let own = credential(declared);
        assert_eq!((own.by.operator, own.by.namespace.as_deref()), (Operator::Crossplane, namespace));
        assert_eq!(own.owner, Owner::Id(mi1()));
        let found = own.credential().unwrap();
        assert_eq!((found.subject.as_deref(), found.issuer.as_str()), (Some(subject), ISSUER));
        assert_eq!(found.audiences, [AUDIENCE]);
        assert!(own.by.ready.as_ref().unwrap().ok && own.by.writes);
        assert_eq!(writer_of(std::slice::from_ref(declared), &mi1(), &own.azure_name).unwrap().by, own.by);
    }
}

#[test]
fn an_observing_crossplane_object_is_no_writer_and_has_its_values_in_the_status() {
    let mut object = objects("crossplane-federatedidentitycredential").remove(0);
    object["spec"]["managementPolicies"] = json!(["Observe"]);
    object["spec"]["forProvider"] = json!({});
    let declared = [read(&object).unwrap()];
    let own = credential(&declared[0]);
    assert!(!own.by.writes);
    assert_eq!((&own.issuer, own.credential().unwrap().issuer.as_str()), (&Source::Missing, ISSUER));
    assert_eq!(own.owner, Owner::Id(mi1()));
    assert_eq!(writer_of(&declared, &mi1(), &own.azure_name), None);
}

#[test]
fn role_assignments_are_read_with_what_failed() {
    let service_operator = declared("aso-roleassignment");
    let Declared::Assignment(own) = &service_operator[0] else { panic!() };
    assert_eq!(own.principal, Source::Given(Guid::parse(PRINCIPAL).unwrap()), "the status resolves the ConfigMap");
    assert_eq!(
        (own.role_name.as_deref(), own.role.unwrap().to_string().as_str()),
        (Some("Reader"), "acdd72a7-3385-48ef-bd42-f606fba81ae7")
    );
    assert_eq!(own.scope.as_ref().unwrap().resource_group(), Some("rg1"));
    let crossplane = declared("crossplane-roleassignment");
    let Declared::Assignment(failing) = &crossplane[1] else { panic!() };
    assert_eq!(failing.role.unwrap().to_string(), "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "the name is in the table");
    let ready = failing.by.ready.as_ref().unwrap();
    assert_eq!((ready.ok, ready.reason.as_str()), (false, "ReconcileError"));
    assert_eq!(failing.scope.as_ref().unwrap().name(), "acc1");
}

#[test]
fn the_credentials_of_an_identity_are_found_by_client_id_by_id_and_by_name() {
    let mut all = [
        declared("aso-userassignedidentity"),
        declared("aso-federatedidentitycredential"),
        declared("crossplane-federatedidentitycredential"),
    ]
    .concat();
    let by_client = credentials_of(&all, Guid::parse(CLIENT), None);
    assert_eq!((by_client.identity.unwrap().azure_name.as_str(), by_client.credentials.len()), ("mi1", 3));
    assert_eq!(credentials_of(&all, None, Some(&mi1())).credentials.len(), 3);
    let other = ResourceId::parse(&IDENTITY.replace("mi1", "mi2")).unwrap();
    let none = credentials_of(&all, None, Some(&other));
    assert_eq!((none.credentials.len(), none.unclear.len()), (0, 0));
    // Before the operator has written anything, names are all there is.
    let mut object = objects("aso-federatedidentitycredential").remove(0);
    object["metadata"].as_object_mut().unwrap().remove("annotations");
    object.as_object_mut().unwrap().remove("status");
    all = [declared("aso-userassignedidentity"), vec![read(&object).unwrap()]].concat();
    assert_eq!(credentials_of(&all, Guid::parse(CLIENT), None).credentials.len(), 1);
    // In another namespace the name means another object.
    object["metadata"]["namespace"] = json!("ns2");
    all = [declared("aso-userassignedidentity"), vec![read(&object).unwrap()]].concat();
    let unclear = credentials_of(&all, Guid::parse(CLIENT), None);
    assert_eq!((unclear.credentials.len(), unclear.unclear.len()), (0, 1));
}

#[test]
fn what_an_operator_owns_is_contested_in_azure() {
    let all = declared("aso-federatedidentitycredential");
    let Some(Contest::Declared(by)) = contested(&mi1(), None, "aks-wi-on-ns1-sa1", &all) else { panic!() };
    assert_eq!(
        (by.by.kind.as_str(), by.by.namespace.as_deref(), by.by.name.as_str()),
        ("FederatedIdentityCredential", Some("ns1"), "aks-wi-on-ns1-sa1")
    );
    assert_eq!(contested(&mi1(), None, "another", &all), None);
}

#[test]
fn anything_else_is_none_of_them_and_nothing_panics() {
    for object in [
        json!(null),
        json!([]),
        json!({}),
        json!({"apiVersion": 1, "kind": 2}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}),
        json!({"apiVersion": "managedidentity.azure.com/v1", "kind": "FederatedIdentityCredential"}),
        json!({"apiVersion": "managedidentity.azure.com/v1", "kind": "SomethingElse", "metadata": {"name": "x"}}),
    ] {
        assert_eq!(read(&object), None, "{object}");
    }
    for group in ["managedidentity.azure.com", "managedidentity.azure.m.upbound.io"] {
        let odd = json!({
            "apiVersion": format!("{group}/v9"), "kind": "FederatedIdentityCredential", "metadata": {"name": "x", "annotations": []},
            "spec": {"owner": 7, "audiences": "x", "issuer": null, "forProvider": [1], "managementPolicies": {}},
            "status": {"conditions": {}, "id": "not an id", "atProvider": {"id": 1}},
        });
        let Some(Declared::Credential(odd)) = read(&odd) else { panic!("{group}") };
        assert_eq!((odd.owner, odd.id, odd.issuer), (Owner::Unknown, None, Source::Missing));
    }
}
