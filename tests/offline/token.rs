//! Tokens signed with real keys, read and checked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kubectl_wi::token::check::{Comparison, Expectation, Lifetime, check};
use kubectl_wi::token::difference::{Difference, Field, Reason, Side};
use kubectl_wi::token::jwks::{Jwks, Verification, verify};
use kubectl_wi::token::jwt::{Jwt, RawToken};
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};

fn key(name: &str) -> KeyPair {
    let path = format!("{}/tests/data/keys/{name}.pkcs8.base64", env!("CARGO_MANIFEST_DIR"));
    let text: String = std::fs::read_to_string(path).unwrap().split_whitespace().collect();
    KeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()
}

fn published(keys: &[(&str, &KeyPair)]) -> Jwks {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(id, key)| {
            let parts: PublicKeyComponents<Vec<u8>> = key.public().into();
            json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
                   "n": URL_SAFE_NO_PAD.encode(parts.n), "e": URL_SAFE_NO_PAD.encode(parts.e)})
        })
        .collect();
    Jwks::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

fn signed(key: &KeyPair, header: &Value, claims: &Value) -> RawToken {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    RawToken::new(format!("{text}.{}\n", URL_SAFE_NO_PAD.encode(signature)))
}

fn claims() -> Value {
    json!({"iss": "https://issuer.example/", "sub": "system:serviceaccount:shop:cart",
           "aud": ["api://AzureADTokenExchange"], "iat": 1_700_000_000, "nbf": 1_700_000_000, "exp": 1_700_003_600,
           "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "cart", "uid": "u"}}})
}

fn rs256(id: &str) -> Value {
    json!({"alg": "RS256", "kid": id})
}

#[test]
fn a_token_of_the_cluster_is_valid_and_fits() {
    let key = key("test-only-rsa-2048");
    let token = signed(&key, &rs256("k1"), &claims());
    let jwt = Jwt::parse(&token).unwrap();
    assert_eq!(verify(&token, &jwt, &published(&[("k1", &key)])), Verification::Valid { key_id: "k1".into() });
    let expected = Expectation {
        issuer: Some("https://issuer.example/"),
        subject: Some("system:serviceaccount:shop:cart"),
        audience: Some("api://AzureADTokenExchange"),
        now: 1_700_000_100,
    };
    assert!(check(&jwt, &expected).passes());
    let later = Expectation { now: 1_700_003_601, ..expected };
    assert_eq!(check(&jwt, &later).lifetime, Lifetime::Expired { ago: 1 });
}

#[test]
fn a_token_of_another_key_is_told_from_a_key_that_is_not_published() {
    let (mine, other) = (key("test-only-rsa-2048"), key("test-only-rsa-2048-other"));
    let keys = published(&[("k1", &mine), ("k2", &other)]);
    let verdict = |token: &RawToken| verify(token, &Jwt::parse(token).unwrap(), &keys);
    assert_eq!(verdict(&signed(&other, &rs256("k1"), &claims())), Verification::Forged { key_id: "k1".into() });
    assert_eq!(
        verdict(&signed(&mine, &rs256("k3"), &claims())),
        Verification::KeyUnknown { key_id: "k3".into(), published: vec!["k1".into(), "k2".into()] }
    );
    assert_eq!(verdict(&signed(&mine, &json!({"alg": "RS256"}), &claims())), Verification::KeyUnnamed);
    assert_eq!(
        verdict(&signed(&mine, &json!({"alg": "ES256", "kid": "k1"}), &claims())),
        Verification::AlgorithmUnsupported { algorithm: "ES256".into() }
    );
    assert_eq!(
        verdict(&signed(&mine, &json!({"alg": "none"}), &claims())),
        Verification::AlgorithmUnsupported { algorithm: "none".into() }
    );
}

#[test]
fn a_changed_claim_is_noticed() {
    let key = key("test-only-rsa-2048");
    let token = signed(&key, &rs256("k1"), &claims());
    let parts: Vec<&str> = token.expose().split('.').collect();
    let mut changed = claims();
    changed["sub"] = json!("system:serviceaccount:kube-system:admin");
    let forged = RawToken::new(format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(changed.to_string()), parts[2]));
    let jwt = Jwt::parse(&forged).unwrap();
    assert_eq!(verify(&forged, &jwt, &published(&[("k1", &key)])), Verification::Forged { key_id: "k1".into() });
}

#[test]
fn keys_that_cannot_verify_are_named() {
    let key = key("test-only-rsa-2048");
    let token = signed(&key, &rs256("k1"), &claims());
    let jwt = Jwt::parse(&token).unwrap();
    let why = |published: &str| match verify(&token, &jwt, &Jwks::parse(published.as_bytes()).unwrap()) {
        Verification::KeyUnusable { why, .. } => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(r#"{"keys":[{"kty":"EC","kid":"k1"}]}"#), "it is no RSA key");
    assert_eq!(why(r#"{"keys":[{"kty":"RSA","kid":"k1","use":"enc"}]}"#), "it is not published for signatures");
    assert_eq!(why(r#"{"keys":[{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}]}"#), "it is shorter than 2048 bits");
    assert!(why(r#"{"keys":[{"kty":"RSA","kid":"k1","n":"%%","e":"AQAB"}]}"#).contains("base64url"));
}

#[test]
fn the_signature_is_in_nothing_that_can_be_printed() {
    let key = key("test-only-rsa-2048");
    let token = signed(&key, &rs256("k1"), &claims());
    let signature = token.expose().rsplit('.').next().unwrap().to_owned();
    let jwt = Jwt::parse(&token).unwrap();
    let verdict = verify(&token, &jwt, &published(&[("k1", &key)]));
    let printed = format!("{token:?}{token}{jwt:?}{verdict:?}{}", serde_json::to_string(&jwt.header).unwrap());
    for part in signature.as_bytes().chunks(8) {
        assert!(!printed.contains(std::str::from_utf8(part).unwrap()));
    }
}

#[test]
fn the_differing_characters_are_marked() {
    let key = key("test-only-rsa-2048");
    let jwt = Jwt::parse(&signed(&key, &rs256("k1"), &claims())).unwrap();
    let expected = Expectation { subject: Some("system:serviceaccount:shop:default"), ..Expectation::default() };
    let Comparison::Differs(difference) = check(&jwt, &expected).subject else { panic!("equal") };
    assert_eq!(difference.reason, Some(Reason::Account));
    assert_eq!(difference.line(Side::Found), "system:serviceaccount:shop:cart");
    assert_eq!(difference.carets(Side::Found), "                           ^^^^");
    assert_eq!(difference.carets(Side::Expected), "                           ^^^^^^^");
}

proptest! {
    #[test]
    fn reading_a_token_never_panics(text in "(?s).{0,200}", parts in proptest::collection::vec("[A-Za-z0-9_=-]{0,40}", 0..6)) {
        for text in [text, parts.join(".")] {
            let token = RawToken::new(text);
            if let Ok(jwt) = Jwt::parse(&token) {
                check(&jwt, &Expectation { issuer: Some("a"), subject: Some("b"), audience: Some("c"), now: i64::MAX });
                verify(&token, &jwt, &Jwks::default());
            }
        }
    }

    #[test]
    fn claims_of_any_json_never_panic(claims in any_json(3), now in any::<i64>()) {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let all = json!({"iss": claims, "sub": claims, "aud": claims, "exp": claims, "iat": claims, "nbf": claims,
                         "kubernetes.io": claims});
        let token = RawToken::new(format!("{}.{}.c2ln", encode(&json!({"alg": claims, "kid": claims})), encode(&all)));
        let jwt = Jwt::parse(&token).unwrap();
        check(&jwt, &Expectation { now, ..Expectation::default() });
    }

    #[test]
    fn a_difference_loses_nothing(found in "\\PC{0,40}", expected in "\\PC{0,40}") {
        for field in [Field::Issuer, Field::Subject, Field::Audience, Field::Other] {
            match Difference::between(field, &found, &expected) {
                None => prop_assert_eq!(&found, &expected),
                Some(difference) => {
                    prop_assert!(found != expected);
                    let marked = difference.carets(Side::Found) + &difference.carets(Side::Expected);
                    prop_assert!(marked.contains('^'), "{:?}", difference);
                    if found.bytes().all(|byte| byte.is_ascii_graphic()) {
                        prop_assert_eq!(difference.line(Side::Found), found.clone());
                    }
                }
            }
        }
    }
}

fn any_json(depth: u32) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(depth, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("[a-z.]{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
