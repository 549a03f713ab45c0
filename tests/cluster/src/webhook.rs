//! The identity webhook, installed under the names that it has in the field.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    control_plane::{TENANT_ID, free_port},
    images::{self, Image},
    names, paths,
    pki::Authority,
    whole::WholeCluster,
};

/// The webhook's namespace.
pub const WEBHOOK_NAMESPACE: &str = "azure-workload-identity-system";

const DEPLOYMENT: &str = "deployment/azure-wi-webhook-controller-manager";
const CONFIGURATION: &str = "mutatingwebhookconfiguration/azure-wi-webhook-mutating-webhook-configuration";
const SELECTOR: &str = "azure-workload-identity.io/system=true";
const MANIFESTS: &str = include_str!("webhook.yaml");

/// How the identity webhook is installed. The default is as its own manifest of version 1.6.0 does it.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// The version that it says it is, and, unless it is a real one, behaves as: without `v`.
    pub version: String,
    /// The number of its pods.
    pub replicas: u32,
    /// `--audience`; empty is Microsoft Entra's.
    pub audience: String,
    /// `--deviate` of our own server: it answers otherwise than the webhook would, in the way of that name
    /// (`drop-client-id`, `other-audience`, `other-tenant`, `unchanged`, `deny`, `fail`, `hang`).
    pub deviate: Option<String>,
    /// Keys of its `ConfigMap` besides the tenant and the cloud, or instead of them.
    pub configuration: BTreeMap<String, String>,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// The `namespaceSelector` of its `MutatingWebhookConfiguration`.
    pub namespace_selector: Value,
    /// `Fail`, or `Ignore` as before version 1.0.0.
    pub failure_policy: String,
    /// How many seconds the API server waits for it.
    pub timeout_seconds: u32,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        let version = env::var("KUBECTL_WI_TEST_WEBHOOK_VERSION").unwrap_or_else(|_| "1.6.0".to_owned());
        Self {
            version: version.trim_start_matches('v').to_owned(),
            replicas: 2,
            audience: String::new(),
            deviate: None,
            configuration: BTreeMap::new(),
            arguments: Vec::new(),
            namespace_selector: json!({}),
            failure_policy: "Fail".to_owned(),
            timeout_seconds: 10,
        }
    }
}

impl WholeCluster {
    /// Installs the identity webhook, or changes how it is installed, and waits until it answers.
    ///
    /// It is our own server, which answers with this project's webhook function; or the program that
    /// `KUBECTL_WI_TEST_WEBHOOK` names, whose version `KUBECTL_WI_TEST_WEBHOOK_VERSION` tells (default `v1.6.0`).
    ///
    /// # Errors
    /// It cannot be built or does not become ready: the message has its log.
    pub fn webhook_install(&self, options: &WebhookOptions) -> Result<()> {
        let server = Server::find()?;
        let tag = format!("v{}", options.version);
        let image = Image {
            name: format!("mcr.microsoft.com/oss/azure/workload-identity/webhook:{tag}"),
            files: images::with_libraries("manager", &server.program)?,
            links: Vec::new(),
            entry_point: vec!["/manager".to_owned()],
            user: "65532:65532".to_owned(),
        };
        self.import(&[image], "webhook")?;

        let service = format!("azure-wi-webhook-webhook-service.{WEBHOOK_NAMESPACE}.svc");
        let authority = &self.started()?.authority;
        let client_config = json!({
            "service": {"name": "azure-wi-webhook-webhook-service", "namespace": WEBHOOK_NAMESPACE, "path": "/mutate-v1-pod"},
            "caBundle": BASE64_STANDARD.encode(authority.certificate()),
        });
        self.apply(&render(options, &server, authority, &[&service], &client_config)?)?;
        self.webhook_wait(options)
    }

    /// Changes the number of the webhook's pods and waits until there are as many: with none, every labelled pod is
    /// refused.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub fn webhook_scale(&self, replicas: u32) -> Result<()> {
        let count = format!("--replicas={replicas}");
        self.kubectl(&["--namespace", WEBHOOK_NAMESPACE, "scale", DEPLOYMENT, &count])?;
        self.wait_for("the webhook's pods", Duration::from_mins(1), || {
            let pods = self.kubectl_json(&["--namespace", WEBHOOK_NAMESPACE, "get", "pods", "-l", SELECTOR])?;
            let pods = pods["items"].as_array().cloned().unwrap_or_default();
            let ready = |pod: &Value| {
                let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
                conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True")
            };
            Ok((pods.len() == replicas as usize && pods.iter().all(ready)).then_some(()))
        })
    }

    /// Removes everything that [`WholeCluster::webhook_install`] installed.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub fn webhook_uninstall(&self) -> Result<()> {
        // The configuration first: while it is there and the webhook is not, no labelled pod can be made.
        self.kubectl(&["delete", CONFIGURATION, "--ignore-not-found"])?;
        for kind in ["clusterrole", "clusterrolebinding", "namespace"] {
            self.kubectl(&["delete", kind, "-l", SELECTOR, "--ignore-not-found", "--timeout=60s"])?;
        }
        Ok(())
    }

    fn webhook_wait(&self, options: &WebhookOptions) -> Result<()> {
        let rollout =
            self.kubectl(&["--namespace", WEBHOOK_NAMESPACE, "rollout", "status", DEPLOYMENT, "--timeout=90s"]);
        if let Err(error) = rollout {
            let pods = self.kubectl(&["--namespace", WEBHOOK_NAMESPACE, "describe", "pods"]).unwrap_or_default();
            let logs = self.kubectl(&["--namespace", WEBHOOK_NAMESPACE, "logs", DEPLOYMENT]).unwrap_or_default();
            return Err(error.context(format!("the identity webhook does not become ready\n{pods}\n{logs}")));
        }
        // Pods of an earlier installation still answer until they are gone.
        self.webhook_scale(options.replicas)?;
        if options.replicas == 0 || options.deviate.is_some() {
            return Ok(());
        }
        wait_for_answers(self, &options.namespace_selector)
    }
}

impl Cluster {
    /// Runs our own webhook server beside a control plane, which has no nodes, and registers it by URL under the name
    /// that the configuration has in the field; waits until it answers, unless it deviates. There is no Deployment of
    /// it then. Called again, it puts a new server in the place of the last one.
    ///
    /// It is for a cluster of a test's own: on a shared one it would mutate the pods of the other tests.
    ///
    /// # Errors
    /// It cannot be built or does not start, or the cluster is not one that the tests started.
    pub fn webhook_beside(&self, options: &WebhookOptions) -> Result<()> {
        let started = self.started()?;
        let server = Server::ours()?;
        let name = names::unique("webhook");
        let folder = self.folder().join(&name);
        std::fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        started.authority.server(&["127.0.0.1", "localhost"])?.write(&folder, "tls")?;
        let port = free_port()?;
        let mut arguments = vec![format!("KUBECONFIG={}", self.kubeconfig().display())];
        arguments.extend(configuration(options).into_iter().map(|(key, value)| format!("{key}={value}")));
        arguments.push(server.program.display().to_string());
        arguments.extend(server.arguments(options));
        arguments.extend([
            format!("--webhook-cert-dir={}", folder.display()),
            format!("--bind=127.0.0.1:{port}"),
            format!("--health-addr=127.0.0.1:{}", free_port()?),
            format!("--metrics-addr=127.0.0.1:{}", free_port()?),
        ]);
        started.supervisor.run(&name, Path::new("env"), &arguments)?;
        let client_config = json!({
            "url": format!("https://127.0.0.1:{port}/mutate-v1-pod"),
            "caBundle": BASE64_STANDARD.encode(started.authority.certificate()),
        });
        let manifests = render(options, &server, &started.authority, &["127.0.0.1"], &client_config)?;
        // The last document of the manifests: nothing but the registration.
        self.apply(manifests.rsplit("\n---\n").next().unwrap_or_default())?;
        if options.deviate.is_some() {
            return Ok(());
        }
        wait_for_answers(self, &options.namespace_selector)
    }
}

/// Asks the API server for a dry run of a labelled pod until that one is mutated.
fn wait_for_answers(cluster: &Cluster, namespace_selector: &Value) -> Result<()> {
    if *namespace_selector != json!({}) {
        return Ok(()); // there may be no namespace that it selects
    }
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "is-the-webhook-there", "namespace": "default", "labels": {"azure.workload.identity/use": "true"}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    });
    cluster.wait_for("an answer of the identity webhook", Duration::from_secs(30), || {
        let dry_run = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
        let answer = cluster.kubectl_with(&dry_run, Some(&pod.to_string()))?;
        Ok(answer.contains("AZURE_FEDERATED_TOKEN_FILE").then_some(()))
    })
}

/// Builds our own webhook server, unless a real one takes its place.
pub(crate) fn build_server() -> Result<()> {
    Server::find().map(drop)
}

/// Cargo, for tests that need a program which cargo does not build for them.
///
/// What cargo has told this process about its own package would look like a change to build scripts that read it
/// (ring's does), and everything above them would be built anew, here and by the next cargo.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    command
}

/// The program that answers.
struct Server {
    program: PathBuf,
    /// Whether it is our own, with flags of its own.
    ours: bool,
}

impl Server {
    fn find() -> Result<Self> {
        match env::var_os("KUBECTL_WI_TEST_WEBHOOK") {
            Some(path) => {
                let program = PathBuf::from(path);
                ensure!(program.is_file(), "KUBECTL_WI_TEST_WEBHOOK: no such file: {}", program.display());
                Ok(Self { program, ours: false })
            }
            None => Self::ours(),
        }
    }

    /// Cargo builds no programs of the packages that tests link with, so it is asked to.
    fn ours() -> Result<Self> {
        let mut command = cargo();
        let output = command
            .args(["build", "--quiet", "--package=wi-test-webhook", "--message-format=json-render-diagnostics"])
            .current_dir(paths::workspace())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "cargo cannot build wi-test-webhook; its message stands above");
        let program = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
            .context("cargo built wi-test-webhook and does not say where it is")?;
        Ok(Self { program, ours: true })
    }

    fn arguments(&self, options: &WebhookOptions) -> Vec<String> {
        let mut arguments = vec!["--disable-cert-rotation".to_owned(), "--log-level=info".to_owned()];
        if !options.audience.is_empty() {
            arguments.push(format!("--audience={}", options.audience));
        }
        if self.ours {
            arguments.push(format!("--profile={}", options.version));
            arguments.extend(options.deviate.as_ref().map(|way| format!("--deviate={way}")));
        }
        arguments.extend(options.arguments.iter().cloned());
        arguments
    }
}

fn configuration(options: &WebhookOptions) -> BTreeMap<String, String> {
    let mut configuration = BTreeMap::from([
        ("AZURE_ENVIRONMENT".to_owned(), "AzurePublicCloud".to_owned()),
        ("AZURE_TENANT_ID".to_owned(), TENANT_ID.to_owned()),
    ]);
    configuration.extend(options.configuration.clone());
    configuration
}

fn render(
    options: &WebhookOptions,
    server: &Server,
    authority: &Authority,
    names: &[&str],
    client_config: &Value,
) -> Result<String> {
    ensure!(
        server.ours || options.deviate.is_none(),
        "only our own webhook server deviates; unset KUBECTL_WI_TEST_WEBHOOK for this test"
    );
    let pair = authority.server(names)?;
    let certificates = json!({
        "ca.crt": BASE64_STANDARD.encode(authority.certificate()),
        "tls.crt": BASE64_STANDARD.encode(pair.certificate),
        "tls.key": BASE64_STANDARD.encode(pair.key),
    });
    let values = [
        ("${CONFIGURATION}", json!(configuration(options)).to_string()),
        ("${CERTIFICATES}", certificates.to_string()),
        ("${REPLICAS}", options.replicas.to_string()),
        ("${REVISION}", names::unique("revision")),
        ("${TAG}", format!("v{}", options.version)),
        ("${ARGUMENTS}", json!(server.arguments(options)).to_string()),
        ("${CLIENT_CONFIG}", client_config.to_string()),
        ("${NAMESPACE_SELECTOR}", options.namespace_selector.to_string()),
        ("${FAILURE_POLICY}", options.failure_policy.clone()),
        ("${TIMEOUT}", options.timeout_seconds.to_string()),
    ];
    Ok(values.iter().fold(MANIFESTS.to_owned(), |text, (name, value)| text.replace(name, value)))
}
