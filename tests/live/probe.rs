//! `exec-probe` on a whole cluster: what it proves, what it does not, and that no token leaves it.

use crate::support::{CLIENT_ID, Said, wi, wi_as};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use wi_test_cluster::{IMAGE_APP, IMAGE_CAT, IMAGE_SHELL, Subject, TestNamespace, WholeCluster};

/// An account that carries an identity.
fn account(namespace: &TestNamespace<'_>) {
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "app", "annotations": {"azure.workload.identity/client-id": CLIENT_ID}},
    });
    namespace.apply(&account.to_string()).unwrap();
}

/// A labelled pod of one container; `with` changes the specification.
fn pod(name: &str, image: &str, with: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"azure.workload.identity/use": "true"}},
        "spec": {
            "serviceAccountName": "app",
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "app", "image": image, "imagePullPolicy": "IfNotPresent"}],
        },
    });
    with(&mut pod);
    pod
}

fn start(namespace: &TestNamespace<'_>, pod: &Value) {
    namespace.apply(&pod.to_string()).unwrap();
    let name = format!("pod/{}", pod["metadata"]["name"].as_str().unwrap());
    namespace.kubectl(&["wait", "--for=condition=Ready", &name, "--timeout=90s"]).unwrap();
}

fn probe(cluster: &WholeCluster, namespace: &TestNamespace<'_>, pod: &str, more: &[&str]) -> Said {
    let name = format!("pod/{pod}");
    wi(cluster, &[&["exec-probe", &name, "-n", namespace.name(), "-o", "json"], more].concat())
}

fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

fn outcome<'a>(report: &'a Value, method: &str) -> &'a str {
    let attempts = report["pods"][0]["attempts"].as_array().unwrap();
    let attempt = attempts.iter().find(|attempt| attempt["method"] == method);
    attempt.unwrap_or_else(|| panic!("no {method}: {report:#}"))["outcome"].as_str().unwrap()
}

/// Reaches the API server instead of Entra, which a cluster without a way out cannot.
const REACHABLE: [&str; 2] = ["--authority-host", "https://10.0.0.1/"];

const EPHEMERAL: [&str; 4] = ["--method", "ephemeral", "--image", IMAGE_SHELL];

/// Every token of every pod, as the kubelet keeps them on the node.
fn signatures(cluster: &WholeCluster) -> Vec<String> {
    let mut find = cluster.enter("sh");
    find.args(["-c", "for f in /run/wi/kubelet/pods/*/volumes/kubernetes.io~projected/*/*; do case $f in *token) cat $f; echo;; esac; done"]);
    let output = find.output().unwrap();
    let tokens = String::from_utf8(output.stdout).unwrap();
    let signatures: Vec<String> =
        tokens.lines().filter_map(|token| token.trim().rsplit_once('.')).map(|(_, s)| s.to_owned()).collect();
    assert!(!signatures.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    signatures
}

/// No sixteen characters of a signature, and nothing that begins like a token.
fn assert_nothing_secret(cluster: &WholeCluster, texts: &[String]) {
    const LENGTH: usize = 16;
    let mut forbidden = HashSet::new();
    for signature in signatures(cluster) {
        forbidden.extend(signature.as_bytes().windows(LENGTH).map(<[u8]>::to_vec));
    }
    for text in texts {
        assert!(!text.contains("eyJhbGciOi"), "a token: {text}");
        assert!(!text.as_bytes().windows(LENGTH).any(|part| forbidden.contains(part)), "part of a signature: {text}");
    }
}

fn node_logs(cluster: &WholeCluster) -> String {
    let output = cluster.enter("sh").args(["-c", "find /run/wi/pods -type f -exec cat {} +"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the programs of the cluster wrote: the kubelet and the API server among them.
fn program_logs(cluster: &WholeCluster) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(cluster.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    assert!(!all.is_empty());
    all
}

#[test]
fn what_an_image_has_decides_how_the_file_is_read() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("probe").unwrap();
    account(&namespace);
    for (name, image) in [("shell", IMAGE_SHELL), ("cat", IMAGE_CAT), ("bare", IMAGE_APP)] {
        start(&namespace, &pod(name, image, |_| {}));
    }
    start(
        &namespace,
        &pod("nonroot", IMAGE_CAT, |pod| {
            pod["spec"]["securityContext"] = json!({"runAsUser": 65532, "runAsNonRoot": true});
        }),
    );
    start(
        &namespace,
        &pod("readonly", IMAGE_SHELL, |pod| {
            pod["spec"]["containers"][0]["securityContext"] = json!({"readOnlyRootFilesystem": true});
        }),
    );
    let mut said = Vec::new();
    for name in ["shell", "cat", "nonroot", "readonly"] {
        let one = probe(cluster, &namespace, name, &[]);
        let report = one.json();
        let pod = &report["pods"][0];
        assert_eq!((one.code, &pod["verdict"], &pod["method"]), (0, &json!("pass"), &json!("exec")), "{report:#}");
        assert_eq!(pod["environmentFrom"], "container");
        assert_eq!(pod["environment"]["AZURE_CLIENT_ID"], CLIENT_ID);
        assert_eq!(pod["file"]["exists"], true);
        assert_eq!(pod["token"]["signatureVerified"], true, "{report:#}");
        assert_eq!(pod["token"]["claims"]["iss"], cluster.issuer().unwrap());
        let node = pod["clock"]["nodeSkewSeconds"].as_i64().unwrap();
        assert!(node.abs() < 5, "{report:#}");
        assert!(codes(&report).is_empty(), "{report:#}");
        said.extend([one.out, one.err]);
        let drawn = wi(cluster, &["probe", &format!("pod/{name}"), "-n", namespace.name()]);
        assert!(drawn.out.contains("published by the API server"), "{}", drawn.out);
        said.extend([drawn.out, drawn.err]);
    }
    // `stat` of the shell image, and the user that the kernel names to the one with only `cat`.
    let shell = probe(cluster, &namespace, "shell", &[]).json();
    assert_eq!(shell["pods"][0]["file"]["mode"], "0644", "{shell:#}");
    assert!(shell["pods"][0]["file"]["ageSeconds"].as_i64().unwrap() < 600);
    let nonroot = probe(cluster, &namespace, "nonroot", &[]).json();
    assert_eq!(nonroot["pods"][0]["file"]["readerUid"], 65532, "{nonroot:#}");

    // Nothing in the image: without a yes a token of the API server stands in, and does not count as proof.
    let bare = probe(cluster, &namespace, "bare", &[]);
    let report = bare.json();
    assert_eq!((bare.code, &report["pods"][0]["verdict"]), (3, &json!("unknown")), "{report:#}");
    assert_eq!(outcome(&report, "exec"), "not-possible");
    assert_eq!(outcome(&report, "ephemeral"), "not-asked");
    assert_eq!(outcome(&report, "token-request"), "done");
    assert!(report["pods"][0]["next"].as_str().unwrap().contains("--method ephemeral"), "{report:#}");
    assert_eq!(report["pods"][0]["token"]["signatureVerified"], true);
    let before = namespace.kubectl_json(&["get", "pod", "bare"]).unwrap();
    assert_eq!(before["spec"]["ephemeralContainers"], Value::Null);

    let beside = probe(cluster, &namespace, "bare", &[&EPHEMERAL[..], &REACHABLE[..]].concat());
    let report = beside.json();
    let pod = &report["pods"][0];
    assert_eq!((beside.code, &pod["verdict"], &pod["method"]), (0, &json!("pass"), &json!("ephemeral")), "{report:#}");
    assert_eq!(pod["file"]["exists"], true);
    assert_eq!(pod["network"]["tcp"], true, "{report:#}");
    assert!(beside.err.contains("stays listed"), "{}", beside.err);
    let after = namespace.kubectl_json(&["get", "pod", "bare"]).unwrap();
    assert_eq!(after["spec"]["ephemeralContainers"].as_array().unwrap().len(), 1);
    let ended = || {
        let pod = namespace.kubectl_json(&["get", "pod", "bare"])?;
        let state = &pod["status"]["ephemeralContainerStatuses"][0]["state"];
        Ok((!state["terminated"].is_null()).then(|| state["terminated"]["exitCode"].clone()))
    };
    assert_eq!(cluster.wait_for("the end of the ephemeral container", Duration::from_secs(20), ended).unwrap(), 0);

    let dark = probe(cluster, &namespace, "bare", &EPHEMERAL);
    let report = dark.json();
    assert_eq!((dark.code, codes(&report)), (1, vec!["WI420"]), "{report:#}");
    assert_eq!(report["pods"][0]["network"]["name"], false, "{report:#}");

    let asked = probe(cluster, &namespace, "bare", &["--method", "token-request"]);
    let report = asked.json();
    assert_eq!((asked.code, &report["pods"][0]["verdict"]), (0, &json!("pass")), "{report:#}");
    let not_proved = report["pods"][0]["notProved"].to_string();
    assert!(not_proved.contains("rotation") && not_proved.contains("SDK"), "{not_proved}");

    for one in [bare, beside, dark, asked] {
        said.extend([one.out, one.err]);
    }
    said.extend([node_logs(cluster), program_logs(cluster)]);
    assert_nothing_secret(cluster, &said);
}

#[test]
fn what_is_wrong_with_a_token_is_found() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("probe-wrong").unwrap();
    account(&namespace);
    let told = |path: &str| json!([{"name": "AZURE_FEDERATED_TOKEN_FILE", "value": path}]);
    start(&namespace, &pod("gone", IMAGE_CAT, |pod| pod["spec"]["containers"][0]["env"] = told("/tmp/gone")));
    start(
        &namespace,
        &pod("audience", IMAGE_CAT, |pod| {
            pod["spec"]["containers"][0]["env"] = told("/own/token");
            pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "own", "mountPath": "/own"}]);
            pod["spec"]["volumes"] = json!([{"name": "own", "projected": {"sources": [
                {"serviceAccountToken": {"audience": "api://AzureADTokenExchang", "path": "token"}},
            ]}}]);
        }),
    );
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = URL_SAFE_NO_PAD.encode([7_u8; 256]);
    let expired = format!(
        "{}.{}.{signature}",
        part(json!({"alg": "RS256", "kid": "old"})),
        part(json!({
            "iss": "https://old.example/", "sub": "system:serviceaccount:other:app",
            "aud": ["api://AzureADTokenExchange"], "iat": 1_700_000_000, "exp": 1_700_003_600,
        })),
    );
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "old"}, "stringData": {
        "token": expired, "garbage": "not a token at all"}});
    namespace.apply(&secret.to_string()).unwrap();
    for (name, file, mode) in
        [("expired", "token", 0o644), ("garbage", "garbage", 0o644), ("unreadable", "token", 0o600)]
    {
        start(
            &namespace,
            &pod(name, IMAGE_SHELL, |pod| {
                pod["spec"]["containers"][0]["env"] = told(&format!("/old/{file}"));
                pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "old", "mountPath": "/old"}]);
                pod["spec"]["volumes"] = json!([{"name": "old", "secret": {"secretName": "old", "defaultMode": mode}}]);
                if mode == 0o600 {
                    pod["spec"]["containers"][0]["securityContext"] = json!({"runAsUser": 1000});
                }
            }),
        );
    }
    start(&namespace, &pod("plain", IMAGE_CAT, |pod| pod["metadata"]["labels"] = json!({})));
    let mut nowhere = pod("nowhere", IMAGE_CAT, |pod| pod["spec"]["nodeSelector"] = json!({"no": "such"}));
    nowhere["metadata"]["name"] = json!("nowhere");
    namespace.apply(&nowhere.to_string()).unwrap();

    let mut said = vec![];
    let mut report = |name: &str| {
        let one = probe(cluster, &namespace, name, &[]);
        let drawn = wi(cluster, &["exec-probe", &format!("pod/{name}"), "-n", namespace.name()]);
        assert_eq!(drawn.code, one.code);
        let (code, report) = (one.code, one.json());
        said.extend([one.out, one.err, drawn.out, drawn.err]);
        (code, report)
    };
    for (name, wanted) in [
        ("gone", vec!["WI410"]),
        ("audience", vec!["WI415"]),
        ("expired", vec!["WI412", "WI413", "WI414", "WI416"]),
        ("garbage", vec!["WI411"]),
        ("unreadable", vec!["WI411"]),
    ] {
        let (code, report) = report(name);
        let mut found = codes(&report);
        found.sort_unstable();
        assert_eq!((code, found), (1, wanted), "{name}: {report:#}");
        assert_eq!(report["pods"][0]["verdict"], "fail");
    }
    let (code, plain) = report("plain");
    assert_eq!((code, &plain["pods"][0]["verdict"]), (1, &json!("fail")), "{plain:#}");
    assert_eq!(plain["pods"][0]["attempts"][0]["outcome"], "done");
    assert_eq!(codes(&plain), ["WI101"], "{plain:#}");

    let (code, nowhere) = report("nowhere");
    assert_eq!((code, &nowhere["pods"][0]["verdict"]), (3, &json!("unknown")), "{nowhere:#}");
    assert_eq!(outcome(&nowhere, "exec"), "not-possible");
    assert_eq!(outcome(&nowhere, "token-request"), "done");

    for text in &said {
        assert!(!text.contains(&signature[..16]) && !text.contains("not a token at all"), "{text}");
    }
    assert_nothing_secret(cluster, &said);
}

#[test]
fn who_may_do_less_gets_less_and_is_told_why() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("probe-rights").unwrap();
    account(&namespace);
    start(&namespace, &pod("bare", IMAGE_APP, |_| {}));
    let rule = |resource: &str, verbs: &[&str]| json!({"apiGroups": [""], "resources": [resource], "verbs": verbs});
    let read = [rule("pods", &["get", "list"]), rule("serviceaccounts", &["get", "list"])];
    let exec = rule("pods/exec", &["get", "create"]);
    let token = rule("serviceaccounts/token", &["create"]);
    let run = |user: &str, more: &[Value], arguments: &[&str]| {
        let subject = Subject::User { name: user, group: None };
        let rules: Vec<Value> = read.iter().chain(more).cloned().collect();
        cluster.allow(&subject, Some(namespace.name()), &json!(rules)).unwrap();
        let kubeconfig = cluster.kubeconfig_for(&subject).unwrap();
        let base = ["exec-probe", "pod/bare", "-n", namespace.name(), "-o", "json"];
        let issuer = cluster.issuer().unwrap();
        wi_as(cluster, &kubeconfig, &[&base[..], &["--issuer", issuer.as_str()], arguments].concat())
    };

    let said = run("probe-no-exec", std::slice::from_ref(&token), &[]);
    let report = said.json();
    assert_eq!(
        (said.code, outcome(&report, "exec"), outcome(&report, "token-request")),
        (3, "denied", "done"),
        "{report:#}"
    );
    let why = report["pods"][0]["attempts"][0]["why"].as_str().unwrap();
    assert!(why.contains("pods/exec"), "{why}");
    // The keys are not to be read either: unknown, and not wrong.
    assert_eq!(report["pods"][0]["token"]["signatureVerified"], Value::Null, "{report:#}");

    let said = run("probe-no-ephemeral", &[exec.clone(), token.clone()], &EPHEMERAL);
    let report = said.json();
    assert_eq!((said.code, outcome(&report, "ephemeral")), (3, "denied"), "{report:#}");
    assert!(report["pods"][0]["attempts"].to_string().contains("pods/ephemeralcontainers"), "{report:#}");
    assert_eq!(namespace.kubectl_json(&["get", "pod", "bare"]).unwrap()["spec"]["ephemeralContainers"], Value::Null);

    let said = run("probe-nothing", &[], &[]);
    let report = said.json();
    assert_eq!((said.code, &report["pods"][0]["verdict"]), (3, &json!("unknown")), "{report:#}");
    assert_eq!(outcome(&report, "token-request"), "denied");
    assert_eq!(report["pods"][0]["token"], Value::Null);

    let said = run("probe-token-only", &[token], &["--method", "token-request"]);
    assert_eq!((said.code, &said.json()["pods"][0]["verdict"]), (0, &json!("pass")), "{said:?}");
}

#[test]
fn an_ephemeral_container_fits_into_a_restricted_namespace_and_a_bad_image_ends_the_wait() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("probe-restricted").unwrap();
    account(&namespace);
    let label = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", namespace.name(), label]).unwrap();
    start(
        &namespace,
        &pod("bare", IMAGE_APP, |pod| {
            pod["spec"]["securityContext"] =
                json!({"runAsUser": 1234, "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
            pod["spec"]["containers"][0]["securityContext"] =
                json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        }),
    );
    let said = probe(cluster, &namespace, "bare", &[&EPHEMERAL[..], &REACHABLE[..]].concat());
    let report = said.json();
    assert_eq!((said.code, &report["pods"][0]["verdict"]), (0, &json!("pass")), "{report:#}");
    assert_eq!(report["pods"][0]["file"]["mode"], "0600", "{report:#}");
    assert_eq!(report["pods"][0]["file"]["readerUid"], 1234);

    let image = [
        "--method",
        "ephemeral",
        "--image",
        "wi.test/none@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ];
    let said = probe(cluster, &namespace, "bare", &image);
    let report = said.json();
    assert_eq!((said.code, outcome(&report, "ephemeral")), (3, "not-possible"), "{report:#}");
    assert!(report["pods"][0]["attempts"].to_string().contains("Image"), "{report:#}");
    assert_nothing_secret(cluster, &[said.out, said.err, node_logs(cluster)]);
}

#[test]
fn a_workload_is_probed_in_all_its_pods_and_containers() {
    let cluster = WholeCluster::shared();
    let namespace = cluster.namespace("probe-all").unwrap();
    account(&namespace);
    let template = pod("x", IMAGE_CAT, |pod| {
        pod["metadata"] = json!({"labels": {"azure.workload.identity/use": "true", "app": "x"}});
        let second = json!({"name": "second", "image": IMAGE_SHELL, "imagePullPolicy": "IfNotPresent"});
        pod["spec"]["containers"].as_array_mut().unwrap().push(second);
        pod["spec"]["initContainers"] = json!([
            {"name": "side", "image": IMAGE_SHELL, "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always"},
            {"name": "first", "image": IMAGE_CAT, "imagePullPolicy": "IfNotPresent", "args": ["--exit=0"]},
        ]);
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "x"}},
                 "template": {"metadata": template["metadata"], "spec": template["spec"]}},
    });
    namespace.apply(&deployment.to_string()).unwrap();
    namespace.kubectl(&["rollout", "status", "deploy/x", "--timeout=90s"]).unwrap();
    let run = |more: &[&str]| {
        wi(cluster, &[&["exec-probe", "deploy/x", "-n", namespace.name(), "-o", "json"], more].concat())
    };
    let said = run(&["--all-pods"]);
    let report = said.json();
    assert_eq!((said.code, &report["summary"]["pass"]), (0, &json!(6)), "{report:#}");
    let one = run(&["-c", "second"]).json();
    assert_eq!((one["pods"].as_array().unwrap().len(), &one["pods"][0]["container"]), (1, &json!("second")));
    let ended = run(&["-c", "first"]);
    assert_eq!((ended.code, outcome(&ended.json(), "exec")), (3, "not-possible"), "{ended:?}");
    let none = run(&["-c", "third"]);
    assert_eq!((none.code, none.json()["hint"].as_str().unwrap().contains("second")), (2, true), "{none:?}");
    let none = run(&["--pod", "other"]);
    assert_eq!(none.code, 2, "{none:?}");
}
