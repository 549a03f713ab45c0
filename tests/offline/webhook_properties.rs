//! What holds for the webhook function whatever the pod.

use kubectl_wi::model::StringMap;
use kubectl_wi::model::fact::Fact;
use kubectl_wi::report::style::Style;
use kubectl_wi::simulate::report::Source;
use kubectl_wi::simulate::{Options, render, simulate};
use kubectl_wi::webhook::condition::{self, PodRequest};
use kubectl_wi::webhook::fields::drop_unknown;
use kubectl_wi::webhook::{AccountView, Admission, CustomTokenEndpoint, WebhookSettings, admit};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// The pod's name in `reserved_volume`.
const POD: &str = "velero-0";
const RESERVED_VOLUME: &str = "azure-workload-identity-reserved-737e1a74a966134ca95dbf1661c210";

fn versions() -> impl Strategy<Value = &'static str> {
    select(vec![
        "0.6.0",
        "0.15.0",
        "1.0.0",
        "1.1.0",
        "1.3.0",
        "1.4.1",
        "1.5.0",
        "1.5.1",
        "1.6.0-alpha.1",
        "1.6.0",
        "1.7.0",
    ])
}

fn settings() -> impl Strategy<Value = WebhookSettings> {
    (versions(), select(vec!["1.31.14", "1.34.4"]), any::<bool>(), any::<bool>()).prop_map(
        |(version, kubernetes, tenant, endpoint)| {
            let mut settings = WebhookSettings::new(version.parse().unwrap());
            settings.kubernetes = Some(kubernetes.parse().unwrap());
            settings.tenant_id = tenant.then(|| "11111111-aaaa-4bbb-8ccc-222222222222".to_owned());
            settings.custom_endpoint = endpoint.then(|| CustomTokenEndpoint {
                annotation_suffix: "identity-binding".to_owned(),
                audience: "api://AKSIdentityBinding".to_owned(),
                ca_config_map: "wi-ca".to_owned(),
                ..CustomTokenEndpoint::default()
            });
            settings
        },
    )
}

fn variable_names() -> impl Strategy<Value = &'static str> {
    select(vec![
        "AZURE_CLIENT_ID",
        "AZURE_TENANT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_AUTHORITY_HOST",
        "LOG",
        "PROXY_PORT",
    ])
}

fn volume_names() -> impl Strategy<Value = &'static str> {
    select(vec!["azure-identity-token", RESERVED_VOLUME, "data", "token"])
}

fn container() -> impl Strategy<Value = Value> {
    let names = select(vec!["app", "sidecar", "azwi-proxy", "azwi-proxy-init"]);
    let images = select(vec!["velero:v1", "mcr.microsoft.com/oss/azure/workload-identity/proxy:v1.0.0"]);
    let variable = (variable_names(), option::of("[a-z]{0,3}")).prop_map(|(name, value)| match value {
        Some(value) => json!({"name": name, "value": value}),
        None => json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
    });
    let mount = (volume_names(), "/[a-z]{1,3}").prop_map(|(name, path)| json!({"name": name, "mountPath": path}));
    (names, images, option::of(vec(variable, 0..4)), option::of(vec(mount, 0..3)), any::<bool>()).prop_map(
        |(name, image, env, mounts, newer)| {
            let mut container = json!({"name": name, "image": image, "env": env, "volumeMounts": mounts});
            if newer {
                container["restartPolicy"] = "Always".into();
                container["lifecycle"] = json!({"stopSignal": "SIGUSR1"});
            }
            container
        },
    )
}

fn volume() -> impl Strategy<Value = Value> {
    let paths = select(vec!["azure-identity-token", "token/azure-identity-token", "else"]);
    (volume_names(), option::of(paths)).prop_map(|(name, path)| match path {
        Some(path) => json!({"name": name, "projected": {"sources": [{"serviceAccountToken": {"path": path}}]}}),
        None => json!({"name": name, "emptyDir": {}}),
    })
}

fn annotations() -> impl Strategy<Value = StringMap> {
    let keys = select(vec![
        "azure.workload.identity/inject-proxy-sidecar",
        "azure.workload.identity/proxy-sidecar-port",
        "azure.workload.identity/service-account-token-expiration",
        "azure.workload.identity/skip-containers",
        "azure.workload.identity/use-identity-binding",
        "azure.workload.identity/client-id",
        "azure.workload.identity/tenant-id",
    ])
    .prop_map(str::to_owned);
    let values = prop_oneof![
        select(vec!["true", "7200", "app; azwi-proxy", "8080", "", "3600"]).prop_map(str::to_owned),
        any::<String>()
    ];
    btree_map(keys, values, 0..5)
}

fn pod() -> impl Strategy<Value = Value> {
    let containers = || vec(container(), 0..4);
    let naming = select(vec![json!({"name": POD}), json!({"generateName": "velero-"}), json!({})]);
    let lists = (containers(), option::of(containers()), option::of(vec(volume(), 0..3)));
    (naming, annotations(), lists, any::<bool>(), any::<bool>()).prop_map(
        |(mut metadata, annotations, (containers, init, volumes), host_network, newer)| {
            metadata["annotations"] = json!(annotations);
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
                "spec": {"containers": containers, "initContainers": init, "volumes": volumes},
            });
            if host_network {
                pod["spec"]["hostNetwork"] = true.into();
            }
            if newer {
                pod["spec"]["resources"] = json!({"limits": {"cpu": "1"}});
            }
            pod
        },
    )
}

/// Any JSON, with a liking for the keys that the function looks at.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    let keys = prop_oneof![
        select(vec![
            "metadata",
            "spec",
            "containers",
            "initContainers",
            "volumes",
            "annotations",
            "name",
            "env",
            "volumeMounts",
            "projected",
            "sources",
            "serviceAccountToken",
            "hostNetwork",
            "azure.workload.identity/inject-proxy-sidecar",
        ])
        .prop_map(str::to_owned),
        ".{0,4}",
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map(keys.clone(), inner, 0..6).prop_map(|map| Value::Object(Map::from_iter(map))),
        ]
    })
}

fn kinds() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(vec![
        ("v1", "Pod"),
        ("v1", "ServiceAccount"),
        ("v1", "Namespace"),
        ("v1", "ConfigMap"),
        ("apps/v1", "Deployment"),
        ("batch/v1", "CronJob"),
        ("argoproj.io/v1alpha1", "Rollout"),
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ])
}

fn account(annotations: &StringMap) -> AccountView<'_> {
    AccountView { name: "velero", labels: None, annotations: Some(annotations) }
}

/// Whether everything of `old` is still in `new`, entries of lists in their order; `replaced` names what may be
/// another, which is the webhook's own.
fn holds(new: &Value, old: &Value, replaced: &str) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(key, value)| new.get(key).is_some_and(|new| holds(new, value, replaced)))
        }
        (Value::Array(new), Value::Array(old)) => {
            let mut rest = new.iter();
            old.iter().all(|old| {
                let own = old.get("name").is_some_and(|name| name == replaced);
                rest.any(|new| if own { new["name"] == old["name"] } else { holds(new, old, replaced) })
            })
        }
        // A list or map that was null is as good as absent.
        (_, Value::Null) => true,
        (new, old) => new == old,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Called again under the same name, as reinvocationPolicy IfNeeded does it, the webhook changes nothing more.
    #[test]
    fn a_second_call_changes_nothing(pod in pod(), annotations in annotations(), settings in settings()) {
        if let Admission::Allowed { pod: once, .. } = admit(&pod, "velero", Some(account(&annotations)), &settings) {
            let twice = admit(&once, "velero", Some(account(&annotations)), &settings);
            prop_assert_eq!(twice, Admission::Allowed { pod: once, dropped: Vec::new() });
        }
    }

    /// Besides fields that it does not know, and its own volume from 1.6.0 on, the webhook takes nothing away.
    #[test]
    fn nothing_is_lost(pod in pod(), annotations in annotations(), settings in settings()) {
        if let Admission::Allowed { pod: new, dropped } = admit(&pod, "velero", Some(account(&annotations)), &settings) {
            let mut known = pod.clone();
            prop_assert_eq!(drop_unknown(&mut known, settings.profile()), dropped);
            let own = if settings.profile().named_after_pod { RESERVED_VOLUME } else { "" };
            prop_assert!(holds(&new, &known, own), "{new}\nlacks something of\n{known}");
        }
    }

    /// Every container that is not skipped ends up with the variables and the mount; the pod with one volume at least
    /// that projects the token.
    #[test]
    fn everything_needed_is_there(pod in pod(), annotations in annotations(), settings in settings()) {
        let skip = pod["metadata"]["annotations"]["azure.workload.identity/skip-containers"].as_str();
        let skipped: Vec<_> = skip.unwrap_or_default().split(';').map(str::trim).collect();
        if let Admission::Allowed { pod: new, .. } = admit(&pod, "velero", Some(account(&annotations)), &settings) {
            let lists = ["containers", "initContainers"].map(|list| new["spec"][list].as_array());
            for container in lists.into_iter().flatten().flatten() {
                let has = |list: &str, key: &str, value: &str| {
                    container[list].as_array().is_some_and(|list| list.iter().any(|entry| entry[key] == value))
                };
                let volume = if !settings.profile().named_after_pod {
                    "azure-identity-token"
                } else if pod["metadata"]["name"] == POD {
                    RESERVED_VOLUME
                } else {
                    continue;
                };
                if !skipped.contains(&container["name"].as_str().unwrap_or_default()) {
                    prop_assert!(has("env", "name", "AZURE_FEDERATED_TOKEN_FILE"), "{container}");
                    prop_assert!(has("volumeMounts", "name", volume), "{container}");
                }
            }
            let volumes = new["spec"]["volumes"].as_array().unwrap();
            let token = |volume: &Value| volume["projected"]["sources"][0]["serviceAccountToken"]["path"].is_string();
            prop_assert!(volumes.iter().any(token), "{new}");
        }
    }

    #[test]
    fn no_json_makes_it_panic(pod in any_json(), annotations in annotations(), settings in settings()) {
        let _ = admit(&pod, "velero", Some(account(&annotations)), &settings);
        let _ = admit(&pod, "velero", None, &settings);
    }

    #[test]
    fn no_objects_make_the_simulation_panic(mut objects in vec(any_json(), 1..5), kinds in vec(kinds(), 5)) {
        for (object, (api_version, kind)) in objects.iter_mut().zip(kinds) {
            if let Some(object) = object.as_object_mut() {
                object.insert("apiVersion".to_owned(), api_version.into());
                object.insert("kind".to_owned(), kind.into());
            }
        }
        let options = Options {
            namespace: "default",
            source: Source::Files,
            missing_account: &|_, _| Fact::Absent,
            wanted: &|_| true,
            webhook_version: None,
            kubernetes_version: None,
        };
        let report = simulate(objects, &options);
        prop_assert!(render::yaml(&report).is_ok() && render::diff(&report, Style::PLAIN).is_ok());
    }

    #[test]
    fn no_condition_makes_it_panic(condition in any::<String>(), like_cel in "[a-z.'\"()!&|=\\[\\], ]{0,30}") {
        let request = PodRequest { namespace: "velero", labels: None, annotations: None };
        let _ = [condition, like_cel].map(|text| condition::holds(&text, request));
    }
}

/// Issue 1744 of azure-workload-identity: another webhook names the pod between two calls of 1.6.0.
#[test]
fn a_pod_that_is_named_between_two_calls_is_mounted_twice() {
    let annotations = StringMap::new();
    let mount_paths = |version: &str| {
        let settings = WebhookSettings::new(version.parse().unwrap());
        let call = |pod: &Value| match admit(pod, "velero", Some(account(&annotations)), &settings) {
            Admission::Allowed { pod, .. } => pod,
            Admission::Denied(denial) => panic!("{denial}"),
        };
        let unnamed = json!({"metadata": {"generateName": "velero-"}, "spec": {"containers": [{"name": "app"}]}});
        let mut named = call(&unnamed);
        named["metadata"]["name"] = "velero-abcde".into();
        let mounts = call(&named)["spec"]["containers"][0]["volumeMounts"].as_array().unwrap().clone();
        mounts.iter().map(|mount| mount["mountPath"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(mount_paths("1.5.1").len(), 1);
    assert_eq!(mount_paths("1.6.0"), ["/var/run/secrets/azure/wi"; 2]);
    let mended = mount_paths("1.7.0");
    assert_eq!(mended.len(), 2);
    assert_ne!(mended[0], mended[1], "the API server takes two mounts at two paths");
}
