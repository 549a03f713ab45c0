//! Credential plugins: how often they run, what they are told, and what is said when they fail.
#![cfg(unix)]

use crate::client_network::{Authority, trusting};
use crate::fake_api::{FakeApi, Reply};
use kubectl_wi::cluster::{Client, ConfigError, ConnectOptions, Connection, Environment, Error, ExecPluginError};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

const V1: &str = "client.authentication.k8s.io/v1";

/// A plugin that notes each run and what it was told, and a kubeconfig that names it.
struct Plugin {
    directory: TempDir,
}

impl Plugin {
    fn new(answer: &Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let plugin = Self { directory };
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$KUBERNETES_EXEC_INFO\" >> \"$(dirname \"$0\")/runs\"\n\
             printf '%s %s' \"$1\" \"$PLUGIN_SETTING\" > \"$(dirname \"$0\")/arguments\"\n\
             cat <<'EOF'\n{answer}\nEOF\n"
        );
        plugin.write("plugin", &script);
        plugin
    }

    fn token(token: &str) -> Self {
        Self::new(&json!({ "apiVersion": V1, "kind": "ExecCredential", "status": { "token": token } }))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What it was told, run by run.
    fn runs(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("runs")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Options for a kubeconfig in the plugin's directory, which names it by a relative path.
    fn options(&self, server: &str, authority: &str, exec: &Value) -> ConnectOptions {
        let mut entry = json!({ "apiVersion": V1, "command": "./plugin", "interactiveMode": "IfAvailable" });
        entry.as_object_mut().unwrap().extend(exec.as_object().unwrap().clone());
        std::fs::write(self.path("ca.pem"), authority).unwrap();
        let mut cluster = json!({ "server": server });
        if server.starts_with("https") {
            cluster["certificate-authority"] = json!("ca.pem");
        }
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{ "name": "a", "context": { "cluster": "a", "user": "a" } }],
            "clusters": [{ "name": "a", "cluster": cluster }],
            "users": [{ "name": "a", "user": { "exec": entry } }],
        });
        std::fs::write(self.path("config"), config.to_string()).unwrap();
        ConnectOptions { kubeconfig: Some(self.path("config")), ..ConnectOptions::default() }
    }
}

fn version() -> Reply {
    Reply::json(200, &json!({ "gitVersion": "v1.34.4" }))
}

/// kube 5.0.0 starts it three times for one client, and tells it that it may ask.
#[tokio::test]
async fn it_runs_once_and_is_told_that_nobody_can_answer() {
    let authority = Authority::new();
    let api = FakeApi::start_tls(authority.server(&["127.0.0.1"]), |_, _| version()).await;
    let plugin = Plugin::token("sesame");
    let exec = json!({ "args": ["get-token"], "env": [{ "name": "PLUGIN_SETTING", "value": "set" }] });
    let options = plugin.options(&api.url(), &authority.pem(), &exec);
    let client = Client::connect(&options, &Environment::empty()).await.unwrap();
    for _ in 0..3 {
        client.server_version().await.unwrap();
    }
    let expected = json!({ "apiVersion": V1, "kind": "ExecCredential", "spec": { "interactive": false } });
    assert_eq!(plugin.runs(), [expected]);
    assert_eq!(std::fs::read_to_string(plugin.path("arguments")).unwrap(), "get-token set");
    assert!(api.seen().iter().all(|seen| seen.header("authorization") == Some("Bearer sesame")));
    assert_eq!(api.requests(), 3);
}

#[tokio::test]
async fn it_hears_of_the_cluster_where_it_asks_for_it() {
    let authority = Authority::new();
    let api = FakeApi::start_tls(authority.server(&["127.0.0.1"]), |_, _| version()).await;
    let plugin = Plugin::token("sesame");
    let options = plugin.options(&api.url(), &authority.pem(), &json!({ "provideClusterInfo": true }));
    Connection::resolve(&options, &Environment::empty()).await.unwrap();
    let cluster = &plugin.runs()[0]["spec"]["cluster"];
    assert_eq!(cluster["server"], json!(api.url()));
    assert!(cluster["certificate-authority-data"].is_string());
}

#[tokio::test]
async fn it_does_not_run_for_a_server_without_tls_or_where_a_token_is_given() {
    let api = FakeApi::start(|_, _| version()).await;
    let plugin = Plugin::token("sesame");
    let options = plugin.options(&api.url(), "", &json!({}));
    let client = Client::connect(&options, &Environment::empty()).await.unwrap();
    client.server_version().await.unwrap();
    assert_eq!(api.seen()[0].header("authorization"), None);

    let own = Some("other".to_owned().into());
    let with_token = ConnectOptions { token: own, ..plugin.options("https://c.example", &trusting(), &json!({})) };
    Connection::resolve(&with_token, &Environment::empty()).await.unwrap();
    assert!(plugin.runs().is_empty());
}

#[tokio::test]
async fn whether_it_may_ask_is_its_own_choice_and_the_terminals() {
    let plugin = Plugin::token("sesame");
    let terminal = Environment { stdin_is_terminal: true, ..Environment::empty() };
    let resolve = async |mode: &str, environment: &Environment| {
        let options = plugin.options("https://c.example", &trusting(), &json!({ "interactiveMode": mode }));
        Connection::resolve(&options, environment).await.map(|_| ())
    };
    let error = resolve("Always", &Environment::empty()).await.unwrap_err();
    assert!(matches!(&error, ConfigError::Plugin(ExecPluginError::NoTerminal { .. })), "{error:?}");
    assert!(error.to_string().contains("standard input is not a terminal"), "{error}");
    assert!(plugin.runs().is_empty());
    resolve("Never", &terminal).await.unwrap();
    resolve("IfAvailable", &terminal).await.unwrap();
    resolve("Always", &terminal).await.unwrap();
    let told: Vec<Value> = plugin.runs().into_iter().map(|run| run["spec"]["interactive"].clone()).collect();
    assert_eq!(told, [json!(false), json!(true), json!(true)]);
}

#[tokio::test]
async fn a_certificate_from_it_is_shown_to_the_server() {
    let authority = Authority::new();
    let api = FakeApi::start_tls(authority.server_that_asks(&["127.0.0.1"]), |_, _| version()).await;
    let (certificate, key) = authority.client("me");
    let status = json!({ "clientCertificateData": certificate, "clientKeyData": key });
    let plugin = Plugin::new(&json!({ "apiVersion": V1, "kind": "ExecCredential", "status": status }));
    let client = Client::connect(&plugin.options(&api.url(), &authority.pem(), &json!({})), &Environment::empty())
        .await
        .unwrap();
    assert_eq!(client.server_version().await.unwrap().git_version, "v1.34.4");
    assert_eq!(plugin.runs().len(), 1);
}

#[tokio::test]
async fn one_that_is_missing_shows_how_to_install_it() {
    let plugin = Plugin::token("sesame");
    let missing = |hint: &str| {
        let exec = json!({ "command": "kubelogin-that-is-not-there", "installHint": hint });
        plugin.options("https://c.example", &trusting(), &exec)
    };
    let options = missing("install it:\n\u{1b}[31maz aks install-cli\n");
    let error: Error = Connection::resolve(&options, &Environment::empty()).await.unwrap_err().into();
    assert_eq!(
        error.to_string(),
        "the credential plugin \"kubelogin-that-is-not-there\" that the kubeconfig names is not installed"
    );
    assert_eq!(error.hint().unwrap(), "install it:\n[31maz aks install-cli");
    let error = Connection::resolve(&missing(""), &Environment::empty()).await.unwrap_err();
    assert!(error.hint().unwrap().contains("kubelogin-that-is-not-there"));
}

#[tokio::test]
async fn one_that_fails_or_talks_nonsense_is_named_and_not_quoted() {
    let plugin = Plugin::token("sesame");
    let resolve = async |exec: Value| {
        let options = plugin.options("https://c.example", &trusting(), &exec);
        Connection::resolve(&options, &Environment::empty()).await.unwrap_err()
    };
    plugin.write("fails", "#!/bin/sh\necho sesame\nexit 3\n");
    let error = resolve(json!({ "command": "./fails" })).await;
    assert!(error.to_string().ends_with("/fails\" failed with exit code 3"), "{error}");
    plugin.write("chats", "#!/bin/sh\necho 'sesame, open'\n");
    let error = resolve(json!({ "command": "./chats" })).await;
    assert!(error.to_string().contains("not an ExecCredential"), "{error}");
    let error = resolve(json!({ "apiVersion": "client.authentication.k8s.io/v1alpha1" })).await;
    assert!(error.to_string().contains("invalid apiVersion") && error.hint().unwrap().contains("kubelogin"), "{error}");
    let error = resolve(json!({ "command": "" })).await;
    assert!(error.to_string().contains("no command"), "{error}");
    let error = resolve(json!({ "apiVersion": "client.authentication.k8s.io/v1beta1" })).await;
    assert!(error.to_string().contains("plugin returned version client.authentication.k8s.io/v1"), "{error}");
    assert!(!format!("{error:?}").contains("sesame"));
}
