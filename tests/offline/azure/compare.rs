//! Near misses: every way in which a credential can differ from a token.

use kubectl_wi::azure::compare::{
    AccountState, Comparison, Contest, Field, Mistake, Never, Outcome, Presented, Room, Usage, Why, automation_of_tags,
    compare, contested, is_identity_binding, is_stale, mistaken_client_id, usage,
};
use kubectl_wi::azure::{CloudName, FederatedCredential, Guid, Identity, ResourceId, declared};
use std::collections::BTreeMap;
use wi_test_azure::examples::{AUDIENCE, CLIENT, IDENTITY, ISSUER, PRINCIPAL, SUBJECT, TENANT};

fn presented() -> Presented {
    Presented { issuer: ISSUER.to_owned(), subject: SUBJECT.to_owned(), audience: AUDIENCE.to_owned() }
}

fn credential(issuer: &str, subject: &str, audience: &str) -> FederatedCredential {
    FederatedCredential {
        name: "fic1".to_owned(),
        issuer: issuer.to_owned(),
        subject: Some(subject.to_owned()),
        audiences: vec![audience.to_owned()],
        expression: None,
    }
}

fn flexible(expression: Option<&str>) -> FederatedCredential {
    FederatedCredential { subject: None, expression: expression.map(str::to_owned), ..credential(ISSUER, "", AUDIENCE) }
}

fn alone(credentials: &[FederatedCredential]) -> Comparison<'_> {
    compare(&presented(), credentials, &|_| false)
}

/// The differences of the nearest miss; `None` where nothing comes near.
fn miss(credential: FederatedCredential) -> Option<Vec<(Field, Why)>> {
    let credentials = [credential];
    match alone(&credentials).outcome {
        Outcome::NearestMiss { differences, .. } => {
            for difference in &differences {
                assert_ne!(difference.token, difference.credential);
            }
            Some(differences.into_iter().map(|difference| (difference.field, difference.why)).collect())
        }
        Outcome::None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_to_the_letter_matches_and_nothing_else_does() {
    let credentials = [credential("https://other/", SUBJECT, AUDIENCE), credential(ISSUER, SUBJECT, AUDIENCE)];
    let comparison = alone(&credentials);
    assert_eq!(comparison.outcome, Outcome::Exact(&credentials[1]));
    assert_eq!((comparison.entra, comparison.room, comparison.count), (None, Room::Enough, 2));
}

#[test]
fn every_near_miss_of_the_issuer_is_named() {
    let bare = ISSUER.trim_end_matches('/');
    for (issuer, why) in [
        (bare.to_owned(), Why::TrailingSlash),
        (format!("{ISSUER}/"), Why::TrailingSlash),
        (format!(" {ISSUER}"), Why::WhiteSpace),
        (format!("{ISSUER}\n"), Why::WhiteSpace),
        (ISSUER.replace("eastus", "EastUS"), Why::LetterCase),
        (bare.to_uppercase(), Why::TrailingSlash),
        (ISSUER.replace("https://", "http://"), Why::Scheme),
        (ISSUER.replace("eastus", "westeurope"), Why::OtherRegion),
        (ISSUER.replace("11111111-2222", "99999999-2222"), Why::OtherCluster),
        (ISSUER.replace("b6c948ef", "c7c948ef"), Why::OtherCluster),
        ("https://oidc.prod-aks.azure.com/11111111-2222-3333-4444-555555555555/".to_owned(), Why::OtherCluster),
        ("https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF".to_owned(), Why::OtherCluster),
        ("https://container.googleapis.com/v1/projects/p/locations/l/clusters/c".to_owned(), Why::OtherCluster),
        ("https://kubernetes.default.svc.cluster.local".to_owned(), Why::ClusterInternalIssuer),
        (ISSUER.replace("prod-aks", "prod-ask"), Why::TypingError),
    ] {
        assert_eq!(miss(credential(&issuer, SUBJECT, AUDIENCE)), Some(vec![(Field::Issuer, why)]), "{issuer}");
    }
    assert_eq!(miss(credential("https://token.actions.githubusercontent.com", SUBJECT, AUDIENCE)), None);
}

#[test]
fn every_near_miss_of_the_subject_is_named() {
    for (subject, why) in [
        ("system:serviceaccount:ns1:sa1 ", Why::WhiteSpace),
        ("system:serviceaccount:NS1:sa1", Why::LetterCase),
        ("System:ServiceAccount:ns1:sa1", Why::LetterCase),
        ("system:serviceaccount:sa1:ns1", Why::Swapped),
        ("system:serviceaccount:ns1:*", Why::Wildcard),
        ("system:serviceaccount:*:sa1", Why::Wildcard),
        ("system:serviceaccount:ns2:sa1", Why::OtherNamespace),
        ("system:serviceaccount:ns1:backend", Why::OtherAccount),
        ("system:serviceaccount:other:backend", Why::OtherWorkload),
        ("system:serviceaccount:ns1/sa1", Why::MalformedSubject),
        ("system:serviceaccounts:ns1:sa1", Why::MalformedSubject),
        ("ns1:sa1", Why::MalformedSubject),
        ("serviceaccount:ns1:sa1", Why::MalformedSubject),
        ("system:serviceaccount:ns1:sa1/", Why::TypingError),
    ] {
        assert_eq!(miss(credential(ISSUER, subject, AUDIENCE)), Some(vec![(Field::Subject, why)]), "{subject}");
    }
    assert_eq!(miss(credential(ISSUER, "repo:contoso/app:ref:refs/heads/main", AUDIENCE)), None);
    // A slip in a longer name is a slip, and not another account.
    let token = Presented { subject: "system:serviceaccount:velero:velero-server".to_owned(), ..presented() };
    for (subject, why) in [
        ("system:serviceaccount:velero:velero-sever", Why::TypingError),
        ("system:serviceaccount:velero:velero", Why::OtherAccount),
    ] {
        let credentials = [credential(ISSUER, subject, AUDIENCE)];
        let Outcome::NearestMiss { differences, .. } = compare(&token, &credentials, &|_| false).outcome else {
            panic!()
        };
        assert_eq!(differences[0].why, why, "{subject}");
    }
}

#[test]
fn every_near_miss_of_the_audience_is_named() {
    for (audience, why) in [
        ("api://AzureADTokenExchange ", Why::WhiteSpace),
        ("api://AzureADTokenExchange/", Why::TrailingSlash),
        ("api://azureadtokenexchange", Why::LetterCase),
        ("api://AzureADTokenExchangeChina", Why::CloudAudience(CloudName::China)),
        ("api://AzureADTokenExchangeUSGov", Why::CloudAudience(CloudName::UsGov)),
        ("api://AKSIdentityBinding", Why::IdentityBindingAudience),
        ("api://AzureADTokenExchang", Why::TypingError),
        ("https://my-audience", Why::OtherAudience),
        ("", Why::NoAudience),
    ] {
        assert_eq!(miss(credential(ISSUER, SUBJECT, audience)), Some(vec![(Field::Audience, why)]), "{audience}");
    }
    let none = FederatedCredential { audiences: Vec::new(), ..credential(ISSUER, SUBJECT, "") };
    assert_eq!(miss(none), Some(vec![(Field::Audience, Why::NoAudience)]));
    // Both sides agree on a custom one: that is a match.
    let custom = [credential(ISSUER, SUBJECT, "custom")];
    let token = Presented { audience: "custom".to_owned(), ..presented() };
    assert!(matches!(compare(&token, &custom, &|_| false).outcome, Outcome::Exact(_)));
}

#[test]
fn several_slips_are_one_near_miss_and_two_strangers_are_none() {
    let both = miss(credential(ISSUER.trim_end_matches('/'), "system:serviceaccount:NS1:sa1", AUDIENCE));
    assert_eq!(both, Some(vec![(Field::Issuer, Why::TrailingSlash), (Field::Subject, Why::LetterCase)]));
    let other = ISSUER.replace("11111111-2222", "99999999-2222");
    assert_eq!(miss(credential(&other, "system:serviceaccount:ns1:backend", AUDIENCE)), None);
    assert_eq!(miss(credential("https://gitlab.example", "project_path:x", "https://gitlab.example")), None);
    assert_eq!(alone(&[]).outcome, Outcome::None);
    assert_eq!(alone(&[]).entra, Some(70_025));
}

#[test]
fn the_nearest_of_several_is_chosen_whatever_their_order() {
    let slash =
        FederatedCredential { name: "slash".to_owned(), ..credential(ISSUER.trim_end_matches('/'), SUBJECT, AUDIENCE) };
    let account = FederatedCredential {
        name: "account".to_owned(),
        ..credential(ISSUER, "system:serviceaccount:ns1:backend", AUDIENCE)
    };
    let github = FederatedCredential {
        name: "github".to_owned(),
        ..credential("https://token.actions.githubusercontent.com", "repo:x", AUDIENCE)
    };
    let mut credentials = [github, account, slash];
    for _ in 0..3 {
        credentials.rotate_left(1);
        let Outcome::NearestMiss { credential, .. } = alone(&credentials).outcome else { panic!() };
        assert_eq!(credential.name, "slash");
    }
    assert_eq!(
        alone(&credentials).entra,
        Some(700_213),
        "Entra names the field after the one that some credential has"
    );
}

#[test]
fn a_credential_that_serves_another_workload_is_no_near_miss() {
    let credentials = [credential(ISSUER, "system:serviceaccount:ns1:backend", AUDIENCE)];
    let comparison = compare(&presented(), &credentials, &|credential| {
        credential.subject.as_deref() == Some("system:serviceaccount:ns1:backend")
    });
    assert_eq!(comparison.outcome, Outcome::None);
    assert_eq!(comparison.entra, Some(700_213));
}

#[test]
fn flexible_credentials_are_not_judged_as_missing() {
    for (expression, expected) in [
        (Some("claims['sub'] matches 'system:serviceaccount:ns1:*'"), Some(Some(true))),
        (Some("claims['sub'] matches 'system:serviceaccount:ns2:*'"), None),
        (Some("claims['job_workflow_ref'] eq 'x'"), Some(None)),
        (None, Some(None)),
    ] {
        let credentials = [flexible(expression)];
        let comparison = alone(&credentials);
        match (expected, &comparison.outcome) {
            (Some(expected), Outcome::Flexible { matches, .. }) => {
                assert_eq!(*matches, expected, "{expression:?}");
                assert_eq!(comparison.entra, None, "what Entra says to it is not known");
            }
            (None, Outcome::None) => assert_eq!(comparison.entra, Some(700_213)),
            (expected, outcome) => panic!("{expression:?}: {expected:?} {outcome:?}"),
        }
    }
    // A plain one that matches goes before.
    let credentials = [flexible(None), credential(ISSUER, SUBJECT, AUDIENCE)];
    assert_eq!(alone(&credentials).outcome, Outcome::Exact(&credentials[1]));
    // Another issuer is another issuer.
    let elsewhere = [FederatedCredential { issuer: "https://elsewhere/".to_owned(), ..flexible(None) }];
    assert_eq!(alone(&elsewhere).outcome, Outcome::None);
}

#[test]
fn the_credential_of_identity_bindings_is_left_alone() {
    let binding = FederatedCredential {
        name: "aks-identity-binding".to_owned(),
        ..credential(
            &format!("https://ib.oic.prod-aks.azure.com/{TENANT}/{CLIENT}"),
            SUBJECT,
            "api://AKSIdentityBinding",
        )
    };
    let renamed = FederatedCredential { name: "x".to_owned(), ..binding.clone() };
    assert!(is_identity_binding(&binding) && is_identity_binding(&renamed));
    let credentials = [binding];
    let comparison = alone(&credentials);
    assert_eq!((comparison.outcome, comparison.identity_binding), (Outcome::None, Some(&credentials[0])));
    assert!(!is_stale(&credentials[0], &[]));
    assert_eq!(usage(&credentials[0], ISSUER, &|_, _| AccountState::Missing), Usage::IdentityBinding);
}

#[test]
fn what_never_matches_is_listed() {
    let credentials = [
        credential(ISSUER, "system:serviceaccount:ns1:*", AUDIENCE),
        credential(&format!("{ISSUER} "), SUBJECT, AUDIENCE),
        FederatedCredential { audiences: Vec::new(), ..credential(ISSUER, SUBJECT, "") },
        credential(ISSUER, "system:serviceaccount:ns2:sa2", AUDIENCE),
    ];
    let never: Vec<Never> = alone(&credentials).never.into_iter().map(|(_, never)| never).collect();
    assert_eq!(never, [Never::Wildcard, Never::WhiteSpace, Never::NoAudience]);
}

#[test]
fn the_limit_is_seen_coming() {
    let many = |count: usize| -> Vec<FederatedCredential> {
        (0..count).map(|i| credential("https://other/", &format!("s{i}"), AUDIENCE)).collect()
    };
    for (count, room) in [
        (0, Room::Enough),
        (17, Room::Enough),
        (18, Room::Close),
        (19, Room::Close),
        (20, Room::Full),
        (25, Room::Full),
    ] {
        assert_eq!(alone(&many(count)).room, room, "{count}");
    }
}

#[test]
fn stale_is_another_cluster_and_not_another_spelling() {
    let old = credential(&ISSUER.replace("11111111-2222", "99999999-2222"), SUBJECT, AUDIENCE);
    assert!(is_stale(&old, &[ISSUER]));
    assert!(!is_stale(&credential(ISSUER.trim_end_matches('/'), SUBJECT, AUDIENCE), &[ISSUER]));
    assert!(!is_stale(&credential(ISSUER, SUBJECT, AUDIENCE), &[ISSUER]));
    assert!(!is_stale(&credential("https://token.actions.githubusercontent.com", "repo:x", AUDIENCE), &[ISSUER]));
}

#[test]
fn the_reverse_view_tells_what_a_credential_is_for() {
    let account = |namespace: &str, name: &str| match (namespace, name) {
        ("ns1", "sa1") => AccountState::Used,
        ("ns1", "idle") => AccountState::Unused,
        ("hidden", _) => AccountState::Unknown,
        _ => AccountState::Missing,
    };
    let of = |issuer: &str, subject: &str| usage(&credential(issuer, subject, AUDIENCE), ISSUER, &account);
    assert_eq!(of(ISSUER, SUBJECT), Usage::Used);
    assert_eq!(of(ISSUER, "system:serviceaccount:ns1:idle"), Usage::Unused);
    assert_eq!(of(ISSUER, "system:serviceaccount:ns1:gone"), Usage::AccountMissing);
    assert_eq!(of(ISSUER, "system:serviceaccount:hidden:x"), Usage::Unknown);
    assert_eq!(of("https://token.actions.githubusercontent.com", "repo:x"), Usage::Elsewhere);
    assert_eq!(usage(&flexible(None), ISSUER, &account), Usage::Flexible);
}

fn identity(name: &str, client: &str, principal: &str) -> Identity {
    Identity {
        id: ResourceId::parse(&IDENTITY.replace("mi1", name)).unwrap(),
        client_id: Guid::parse(client),
        principal_id: Guid::parse(principal),
        tenant_id: Guid::parse(TENANT),
        location: "eastus".to_owned(),
        tags: BTreeMap::new(),
    }
}

#[test]
fn what_stands_in_the_client_ids_place_is_recognized() {
    let other = "99999999-0000-4000-8000-0000000000cc";
    let identities =
        [identity("mi1", CLIENT, PRINCIPAL), identity("mi2", other, "99999999-0000-4000-8000-0000000000dd")];
    for (value, expected) in [
        (PRINCIPAL.to_uppercase(), Some(Mistake::ObjectId)),
        (IDENTITY.to_lowercase(), Some(Mistake::ResourceId)),
        ("MI1".to_owned(), Some(Mistake::Name)),
        (format!(" {PRINCIPAL}\n"), Some(Mistake::ObjectId)),
        (CLIENT.to_owned(), None),
        ("mi3".to_owned(), None),
        (String::new(), None),
    ] {
        let found = mistaken_client_id(&value, &identities);
        assert_eq!(found.map(|(mistake, _)| mistake), expected, "{value}");
        if let Some((_, identity)) = found {
            assert_eq!(identity.client_id, Guid::parse(CLIENT));
        }
    }
    // Two of one name: which is meant is not known.
    let twins = [identity("mi1", CLIENT, PRINCIPAL), identity("mi1", other, other)];
    assert_eq!(mistaken_client_id("mi1", &twins), None);
}

#[test]
fn tags_name_the_tool_that_writes() {
    let tagged = |key: &str, value: &str| {
        let mut identity = identity("mi1", CLIENT, PRINCIPAL);
        identity.tags.insert(key.to_owned(), value.to_owned());
        identity
    };
    for (key, value, tool) in [
        ("managed-by", "Terraform", Some("Terraform")),
        ("terraform", "true", Some("Terraform")),
        ("terraform", "false", None),
        ("crossplane-name", "mi1", Some("Crossplane")),
        ("azd-env-name", "dev", Some("Azure Developer CLI")),
        ("team", "platform", None),
    ] {
        assert_eq!(automation_of_tags(&tagged(key, value)).map(|(tool, _)| tool), tool, "{key}={value}");
    }
    let id = ResourceId::parse(IDENTITY).unwrap();
    let own = tagged("managed-by", "terraform");
    let contest = contested(&id, Some(&own), "fic1", &[]);
    assert_eq!(contest, Some(Contest::Tagged { tool: "Terraform", tag: "managed-by=terraform".to_owned() }));
    assert_eq!(contested(&id, None, "fic1", &[]), None);
    // An operator's object is known, tags are only likely.
    let object = serde_json::json!({
        "apiVersion": "managedidentity.azure.com/v1api20230131", "kind": "FederatedIdentityCredential",
        "metadata": {"name": "fic1", "namespace": "ns1"},
        "spec": {"owner": {"armId": IDENTITY}, "issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]},
    });
    let declared = [declared::read(&object).unwrap()];
    assert!(
        matches!(contested(&id, Some(&own), "FIC1", &declared), Some(Contest::Declared(by)) if by.by.name == "fic1")
    );
}
