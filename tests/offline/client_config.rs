//! Which cluster is meant: kubeconfig files, contexts, flags and surroundings, as kubectl reads them.

use kubectl_wi::cluster::{ConfigError, ConnectOptions, Connection, Environment, Impersonation};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory of files, and an environment whose home it is.
struct Home {
    directory: TempDir,
}

impl Home {
    fn with(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn environment(&self) -> Environment {
        Environment { home: Some(self.directory.path().to_owned()), ..Environment::empty() }
    }

    /// KUBECONFIG with those files.
    fn listing(&self, names: &[&str]) -> Environment {
        let list: OsString = std::env::join_paths(names.iter().map(|name| self.path(name))).unwrap();
        self.environment().with("KUBECONFIG", Path::new(&list))
    }
}

fn kubeconfig(name: &str, server: &str, extra_cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {name}\n\
         contexts: [{{name: {name}, context: {{cluster: {name}-cluster, user: {name}-user, namespace: {name}-ns}}}}]\n\
         clusters: [{{name: {name}-cluster, cluster: {{server: \"{server}\"{extra_cluster}}}}}]\n\
         users: [{{name: {name}-user, user: {{{user}}}}}]\n"
    )
}

fn plain(name: &str) -> String {
    kubeconfig(name, &format!("http://{name}.example:8080"), "", "token: sesame")
}

async fn resolve(options: ConnectOptions, environment: &Environment) -> Result<Connection, ConfigError> {
    Connection::resolve(&options, environment).await
}

fn context(name: &str) -> ConnectOptions {
    ConnectOptions { context: Some(name.into()), ..ConnectOptions::default() }
}

#[tokio::test]
async fn a_list_of_files_is_merged_and_those_that_are_missing_are_left_out() {
    let home = Home::with(&[
        ("a", &plain("alpha")),
        ("b", &plain("beta")),
        // The same names again: the first file wins, and its current-context too.
        ("c", &plain("alpha").replace("alpha.example", "other.example")),
        ("empty", ""),
    ]);
    let environment = home.listing(&["missing", "empty", "a", "b", "c"]);
    let connection = resolve(ConnectOptions::default(), &environment).await.unwrap();
    assert_eq!(connection.context.as_deref(), Some("alpha"));
    assert_eq!((connection.server.as_str(), connection.namespace.as_str()), ("http://alpha.example:8080", "alpha-ns"));
    let connection = resolve(context("beta"), &environment).await.unwrap();
    assert_eq!(connection.server, "http://beta.example:8080");
}

#[tokio::test]
async fn an_empty_current_context_is_none() {
    let home = Home::with(&[
        ("a", &plain("alpha").replace("current-context: alpha", "current-context: \"\"")),
        ("b", &plain("beta")),
    ]);
    let connection = resolve(ConnectOptions::default(), &home.listing(&["a", "b"])).await.unwrap();
    assert_eq!(connection.context.as_deref(), Some("beta"));
}

#[tokio::test]
async fn the_file_at_home_is_the_default() {
    let home = Home::with(&[(".kube/config", &plain("home"))]);
    assert_eq!(
        resolve(ConnectOptions::default(), &home.environment()).await.unwrap().server,
        "http://home.example:8080"
    );
}

#[tokio::test]
async fn a_file_that_was_named_has_to_be_there_and_stands_alone() {
    let home = Home::with(&[("a", &plain("alpha")), ("b", &plain("beta"))]);
    let named = |name: &str| ConnectOptions { kubeconfig: Some(home.path(name)), ..ConnectOptions::default() };
    let environment = home.listing(&["a"]);
    assert_eq!(resolve(named("b"), &environment).await.unwrap().context.as_deref(), Some("beta"));
    let error = resolve(named("missing"), &environment).await.unwrap_err();
    assert!(matches!(&error, ConfigError::Read { path, .. } if path.ends_with("missing")), "{error}");
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[tokio::test]
async fn a_context_that_is_not_there_suggests_the_nearest() {
    let home = Home::with(&[(".kube/config", &plain("prod-westeurope"))]);
    for (options, asked_by) in [
        (context("prod-westeurop"), "--context"),
        (ConnectOptions { server: Some("http://x".into()), ..context("prod-westeurop") }, "--context"),
    ] {
        let error = resolve(options, &home.environment()).await.unwrap_err();
        assert_eq!(error.to_string(), "context \"prod-westeurop\" does not exist in the kubeconfig");
        let hint = error.hint().unwrap();
        assert!(hint.contains(asked_by) && hint.contains("did you mean \"prod-westeurope\"?"), "{hint}");
    }
    let hint = resolve(context("zzz"), &home.environment()).await.unwrap_err().hint().unwrap();
    assert!(hint.contains("there are: prod-westeurope"), "{hint}");
    for (options, message) in [
        (
            ConnectOptions { cluster: Some("nope".into()), ..ConnectOptions::default() },
            "cluster \"nope\" does not exist",
        ),
        (ConnectOptions { user: Some("nope".into()), ..ConnectOptions::default() }, "user \"nope\" does not exist"),
    ] {
        let error = resolve(options, &home.environment()).await.unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let dangling = Home::with(&[(".kube/config", &plain("a").replace("current-context: a", "current-context: b"))]);
    let error = resolve(ConnectOptions::default(), &dangling.environment()).await.unwrap_err();
    assert!(error.hint().unwrap().contains("current-context"), "{error:?}");
}

/// kubectl goes on without the user, and without the cluster where `--server` says where to.
#[tokio::test]
async fn what_a_context_refers_to_need_not_be_there() {
    let text = plain("a").replace("name: a-user", "name: other").replace("name: a-cluster", "name: another");
    let home = Home::with(&[(".kube/config", &text)]);
    let error = resolve(ConnectOptions::default(), &home.environment()).await.unwrap_err();
    assert_eq!(error.to_string(), "cluster \"a-cluster\" does not exist in the kubeconfig");
    let options = ConnectOptions { server: Some("https://here".into()), ..ConnectOptions::default() };
    let connection = resolve(options, &home.environment()).await.unwrap();
    assert_eq!(connection.server, "https://here");
    assert_eq!(connection.notes, ["user \"a-user\" does not exist in the kubeconfig; going on without credentials"]);
}

#[tokio::test]
async fn a_server_needs_no_kubeconfig() {
    for (server, expected) in [
        ("https://c.example:6443", "https://c.example:6443"),
        ("c.example:6443", "http://c.example:6443"),
        ("[fe80::1]:6443", "http://[fe80::1]:6443"),
        ("https://me:hunter2@c.example/base/", "https://c.example/base"),
    ] {
        let options = ConnectOptions { server: Some(server.into()), ..ConnectOptions::default() };
        let connection = resolve(options, &Environment::empty()).await.unwrap();
        assert_eq!(connection.server, expected);
        assert_eq!((connection.context, connection.namespace.as_str()), (None, "default"));
    }
    for server in ["ftp://c.example", "https://", "http://c .example", "https://c:port", "me:hunter2@c d"] {
        let options = ConnectOptions { server: Some(server.into()), ..ConnectOptions::default() };
        let error = resolve(options, &Environment::empty()).await.unwrap_err();
        assert!(matches!(error, ConfigError::Server { .. }), "{server}: {error}");
        assert!(!error.to_string().contains("hunter2"));
    }
    // With TLS flags, host and port alone mean TLS.
    let insecure = ConnectOptions {
        server: Some("c.example:6443".into()),
        insecure_skip_tls_verify: true,
        ..ConnectOptions::default()
    };
    assert_eq!(resolve(insecure, &Environment::empty()).await.unwrap().server, "https://c.example:6443");
}

#[tokio::test]
async fn without_any_cluster_the_error_says_where_was_looked() {
    let home = Home::with(&[("empty", "apiVersion: v1\nkind: Config\n")]);
    for (environment, part) in [
        (home.environment(), "/.kube/config"),
        (home.listing(&["missing"]), "there is no "),
        (home.listing(&["empty"]), "no current context in "),
        (Environment::empty(), "home"),
    ] {
        let error = resolve(ConnectOptions::default(), &environment).await.unwrap_err();
        assert!(matches!(error, ConfigError::NotConfigured { .. }), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.hint().unwrap().contains("az aks get-credentials"));
    }
}

#[tokio::test]
async fn in_a_pod_the_service_account_is_used() {
    let authority = rcgen::generate_simple_self_signed(["kubernetes".to_owned()]).unwrap().cert.pem();
    let home = Home::with(&[("sa/token", "sesame\n"), ("sa/ca.crt", &authority), ("sa/namespace", "tools\n")]);
    let pod = |host: &str| {
        Environment { service_account_directory: home.path("sa"), ..home.environment() }
            .with("KUBERNETES_SERVICE_HOST", host)
            .with("KUBERNETES_SERVICE_PORT", "443")
    };
    let connection = resolve(ConnectOptions::default(), &pod("10.0.0.1")).await.unwrap();
    assert_eq!((connection.server.as_str(), connection.namespace.as_str()), ("https://10.0.0.1:443", "tools"));
    assert_eq!(resolve(ConnectOptions::default(), &pod("fd00::1")).await.unwrap().server, "https://[fd00::1]:443");
    let elsewhere = pod("10.0.0.1").with("POD_NAMESPACE", "downward");
    assert_eq!(resolve(ConnectOptions::default(), &elsewhere).await.unwrap().namespace, "downward");
    let options = ConnectOptions { namespace: Some("flag".into()), ..ConnectOptions::default() };
    assert_eq!(resolve(options, &elsewhere).await.unwrap().namespace, "flag");
    // A kubeconfig goes first.
    std::fs::create_dir(home.path(".kube")).unwrap();
    std::fs::write(home.path(".kube/config"), plain("alpha")).unwrap();
    assert_eq!(resolve(ConnectOptions::default(), &pod("10.0.0.1")).await.unwrap().server, "http://alpha.example:8080");
    std::fs::remove_file(home.path(".kube/config")).unwrap();
    std::fs::remove_file(home.path("sa/ca.crt")).unwrap();
    let error = resolve(ConnectOptions::default(), &pod("10.0.0.1")).await.unwrap_err();
    assert!(matches!(error, ConfigError::InCluster { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_authority_and_insecure_exclude_each_other() {
    let authority = rcgen::generate_simple_self_signed(["c".to_owned()]).unwrap().cert.pem();
    let home = Home::with(&[("ca.pem", &authority), ("not.pem", "hello")]);
    let with = |extra: &str| {
        std::fs::create_dir_all(home.path(".kube")).unwrap();
        let text = kubeconfig("a", "https://c.example", extra, "token: sesame");
        std::fs::write(home.path(".kube/config"), text).unwrap();
    };
    let flags = |insecure: bool, authority: Option<&str>| ConnectOptions {
        insecure_skip_tls_verify: insecure,
        certificate_authority: authority.map(|name| home.path(name)),
        ..ConnectOptions::default()
    };
    let environment = home.environment();
    // In the kubeconfig together, or on the command line together: kubectl's own words.
    with(", certificate-authority: ../ca.pem, insecure-skip-tls-verify: true");
    for options in [flags(false, None), flags(true, Some("ca.pem"))] {
        let error = resolve(options, &environment).await.unwrap_err();
        assert_eq!(error.to_string(), "specifying a root certificates file with the insecure flag is not allowed");
    }
    // The flag clears what the kubeconfig says.
    with(", certificate-authority: ../ca.pem");
    resolve(flags(true, None), &environment).await.unwrap();
    with(", insecure-skip-tls-verify: true");
    resolve(flags(false, Some("ca.pem")), &environment).await.unwrap();
    for (options, part) in
        [(flags(false, Some("none.pem")), "No such file"), (flags(false, Some("not.pem")), "no certificate")]
    {
        let error = resolve(options, &environment).await.unwrap_err();
        assert!(error.to_string().contains(part) && error.to_string().contains("certificate authority"), "{error}");
    }
}

#[tokio::test]
async fn a_broken_kubeconfig_is_told_by_its_place_and_not_by_its_text() {
    let broken = [
        "apiVersion: v1\nusers:\n- name: a\n  user: {token: hunter2\n",
        "users:\n- name: a\n  user:\n    token: [hunter2]\n",
        "users: hunter2\n",
        "- hunter2\n",
        "users:\n- name: a\n  user:\n    exec: {interactiveMode: hunter2}\n",
    ];
    for text in broken {
        let home = Home::with(&[(".kube/config", text)]);
        let error = resolve(ConnectOptions::default(), &home.environment()).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.hint());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(matches!(error, ConfigError::Parse { .. }) && shown.contains(".kube/config"), "{shown}");
    }
    let home = Home::with(&[(".kube/config", "contexts:\n- name: a\n  context: {user: a}\n")]);
    let error = resolve(ConnectOptions::default(), &home.environment()).await.unwrap_err().to_string();
    assert!(error.contains("at line 3") && error.ends_with("the field `cluster` is missing"), "{error}");
    let home = Home::with(&[]);
    std::fs::create_dir(home.path(".kube")).unwrap();
    std::fs::write(home.path(".kube/config"), [0xff, 0xfe, 0x00, 0xd8]).unwrap();
    let error = resolve(ConnectOptions::default(), &home.environment()).await.unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }), "{error:?}");
}

#[tokio::test]
async fn credentials_that_contradict_each_other_are_refused() {
    let user = |user: &str| Home::with(&[(".kube/config", &kubeconfig("a", "https://c.example", "", user))]);
    let fail = async |home: &Home, options: ConnectOptions| resolve(options, &home.environment()).await.unwrap_err();

    let both = user("token: hunter2, username: me, password: hunter2");
    let error = fail(&both, ConnectOptions::default()).await;
    assert_eq!(
        error.to_string(),
        "more than one authentication method found for user \"a-user\"; found [token basicAuth], only one is allowed"
    );
    // --token takes the place of everything else.
    let token = ConnectOptions { token: Some("hunter2".to_owned().into()), ..ConnectOptions::default() };
    resolve(token, &both.environment()).await.unwrap();

    let error = fail(&user("client-certificate-data: aGVsbG8="), ConnectOptions::default()).await;
    assert!(error.to_string().contains("client key"), "{error}");
    let error = fail(&user("client-key-data: aGVsbG8="), ConnectOptions::default()).await;
    assert!(error.to_string().contains("client certificate"), "{error}");
    let error =
        fail(&user("client-certificate-data: '%%', client-key-data: aGVsbG8="), ConnectOptions::default()).await;
    assert!(error.to_string().contains("not base64"), "{error}");
    let error = fail(&user("tokenFile: missing"), ConnectOptions::default()).await;
    assert!(error.to_string().contains("token file"), "{error}");
    let error =
        fail(&user("auth-provider: {name: azure, config: {access-token: hunter2}}"), ConnectOptions::default()).await;
    assert!(error.to_string().contains("\"azure\"") && error.hint().unwrap().contains("kubelogin"), "{error}");
    let groups = Impersonation { groups: vec!["g".into()], ..Impersonation::default() };
    let error = fail(&user(""), ConnectOptions { impersonate: groups, ..ConnectOptions::default() }).await;
    assert_eq!(error.to_string(), "requesting uid, groups or user-extra without impersonating a user");
}

#[tokio::test]
async fn the_proxy_is_decided_for_the_clusters_host() {
    let with = |extra: &str| Home::with(&[(".kube/config", &kubeconfig("a", "https://c.example:6443", extra, ""))]);
    let proxied = async |home: &Home, variables: &[(&str, &str)]| {
        let environment = variables.iter().fold(home.environment(), |e, (name, value)| e.with(name, value));
        resolve(ConnectOptions::default(), &environment).await.unwrap().proxy()
    };
    let plain = with("");
    let proxy = ("HTTPS_PROXY", "http://me:hunter2@localhost:3128");
    assert_eq!(proxied(&plain, &[proxy]).await.as_deref(), Some("http://localhost:3128"));
    // kube 5.0.0 compares NO_PROXY with the proxy's own host.
    assert_eq!(proxied(&plain, &[proxy, ("NO_PROXY", "localhost")]).await.as_deref(), Some("http://localhost:3128"));
    assert_eq!(proxied(&plain, &[proxy, ("NO_PROXY", "c.example,")]).await, None);
    assert_eq!(proxied(&plain, &[proxy, ("no_proxy", ".example")]).await, None);
    assert_eq!(proxied(&plain, &[("HTTP_PROXY", "http://p:1")]).await, None);
    let own = with(", proxy-url: \"socks5://own:1080\"");
    assert_eq!(proxied(&own, &[proxy, ("NO_PROXY", "*")]).await.as_deref(), Some("socks5://own:1080"));
}
