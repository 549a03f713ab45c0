//! What a test does with a cluster, of whatever size.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{
    binaries::{self, Program},
    kubeconfig::{self, Credential},
    names,
    namespace::TestNamespace,
    pki::{self, Authority},
    supervisor::Supervisor,
};

/// A Kubernetes cluster that tests talk to: through [`Cluster::command`], [`Cluster::kubectl`] and kubeconfig files.
///
/// A whole cluster has a network of its own, which the test process is not in; so a test reaches it through child
/// processes only. On the control plane alone a client in the test's own process works as well.
pub struct Cluster {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) origin: Origin,
}

/// Where a cluster comes from.
pub(crate) enum Origin {
    /// Started here; it ends with this value.
    Started(Box<Started>),
    /// Given by `KUBECTL_WI_TEST_KUBECONFIG`; the folder holds what the tests make for it.
    Existing { _folder: tempfile::TempDir },
}

pub(crate) struct Started {
    pub(crate) supervisor: Supervisor,
    pub(crate) authority: Authority,
    pub(crate) server: String,
    pub(crate) issuer: String,
    /// The process whose network the cluster is in; `None` on loopback.
    pub(crate) inside: Option<u32>,
}

/// Someone who asks the API server.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A user, perhaps in a group.
    User {
        /// The user's name.
        name: &'a str,
        /// One group besides `system:authenticated`.
        group: Option<&'a str>,
    },
    /// A service account, which must exist.
    ServiceAccount {
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
}

impl Cluster {
    /// Uses the cluster of an existing kubeconfig's current context.
    pub(crate) fn existing(kubeconfig: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("wi-test-").tempdir()?;
        let kubeconfig = fs::canonicalize(kubeconfig).with_context(|| {
            format!("KUBECTL_WI_TEST_KUBECONFIG names {}, which cannot be read", kubeconfig.display())
        })?;
        let cluster = Self {
            name: names::unique("wi-test"),
            folder: folder.path().to_owned(),
            kubeconfig,
            origin: Origin::Existing { _folder: folder },
        };
        cluster.kubectl(&["get", "--raw", "/version"]).context("the cluster of KUBECTL_WI_TEST_KUBECONFIG")?;
        Ok(cluster)
    }

    /// A name that no other running cluster has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A folder for files of this cluster's tests; it goes with the cluster. Logs of its programs are here, too.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server's URL, as it stands in the kubeconfig.
    ///
    /// # Errors
    /// The kubeconfig of an existing cluster cannot be read.
    pub fn server(&self) -> Result<String> {
        match &self.origin {
            Origin::Started(started) => Ok(started.server.clone()),
            Origin::Existing { .. } => {
                let view = self.kubectl_json(&["config", "view", "--minify"])?;
                Ok(view["clusters"][0]["cluster"]["server"].as_str().unwrap_or_default().to_owned())
            }
        }
    }

    /// The issuer of the cluster's service account tokens (`iss`), with its final slash as AKS has it.
    ///
    /// # Errors
    /// An existing cluster does not publish its discovery document.
    pub fn issuer(&self) -> Result<String> {
        match &self.origin {
            Origin::Started(started) => Ok(started.issuer.clone()),
            Origin::Existing { .. } => {
                let document = self.kubectl_json(&["get", "--raw", "/.well-known/openid-configuration"])?;
                let issuer = document["issuer"].as_str().context("the discovery document names no issuer")?;
                Ok(issuer.to_owned())
            }
        }
    }

    /// The authority behind a started cluster's certificates; `None` on a cluster that existed before.
    pub fn authority(&self) -> Option<&Authority> {
        match &self.origin {
            Origin::Started(started) => Some(&started.authority),
            Origin::Existing { .. } => None,
        }
    }

    pub(crate) fn started(&self) -> Result<&Started> {
        match &self.origin {
            Origin::Started(started) => Ok(started),
            Origin::Existing { .. } => {
                bail!("this needs a cluster that the tests start; unset KUBECTL_WI_TEST_KUBECONFIG")
            }
        }
    }

    /// A command that can reach the API server, with KUBECONFIG set to the administrator's and kubectl on its PATH.
    ///
    /// On a whole cluster it is wrapped by nsenter, so that it starts in the cluster's network; everything else, the
    /// working directory and the files included, is the caller's.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match &self.origin {
            Origin::Started(started) if let Some(process) = started.inside => {
                let mut enter = Command::new("nsenter");
                enter.arg(format!("--net=/proc/{process}/ns/net")).arg("--").arg(program);
                enter
            }
            _ => Command::new(program),
        };
        command.env("KUBECONFIG", &self.kubeconfig);
        // kubectl's discovery cache otherwise collects every random port in the home folder.
        command.env("KUBECACHEDIR", self.folder.join("kubectl-cache"));
        if let Ok(kubectl) = binaries::path(Program::Kubectl) {
            let folder = kubectl.parent().unwrap_or(&kubectl).to_owned();
            let path = std::env::var_os("PATH").unwrap_or_default();
            if let Ok(path) = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path))) {
                command.env("PATH", path);
            }
        }
        if matches!(self.origin, Origin::Started(_)) {
            for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs kubectl as the administrator and gives its standard output.
    ///
    /// # Errors
    /// kubectl fails: the message has its arguments and what it said.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(arguments, None)
    }

    /// Like [`Cluster::kubectl`] with `-o json`, parsed.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub fn kubectl_json(&self, arguments: &[&str]) -> Result<Value> {
        // What `get --raw` prints is the API server's answer as it came.
        let format: &[&str] = if arguments.contains(&"--raw") { &[] } else { &["-o", "json"] };
        let text = self.kubectl(&[arguments, format].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {} gave no JSON", arguments.join(" ")))
    }

    /// Applies manifests (YAML or JSON, several documents), server-side, as field manager `test`.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub fn apply(&self, manifests: &str) -> Result<String> {
        self.kubectl_with(
            &["apply", "--server-side", "--force-conflicts", "--field-manager=test", "-f", "-"],
            Some(manifests),
        )
    }

    pub(crate) fn kubectl_with(&self, arguments: &[&str], input: Option<&str>) -> Result<String> {
        let mut command = self.command(binaries::path(Program::Kubectl)?);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().context("cannot start kubectl")?;
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            // kubectl may have ended already; why is on its standard error.
            let _ = pipe.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("kubectl {}: {}", arguments.join(" "), error.trim());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A new namespace, whose `default` service account is there already; deleted when dropped.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`], or nobody makes the service account.
    pub fn namespace(&self, prefix: &str) -> Result<TestNamespace<'_>> {
        TestNamespace::create(self, prefix)
    }

    /// Asks until there is an answer.
    ///
    /// # Errors
    /// The time is over: the message names `what`.
    pub fn wait_for<T>(&self, what: &str, limit: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let start = Instant::now();
        loop {
            let answer = ask();
            match answer {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) if start.elapsed() > limit => bail!("waited {} s for {what}", limit.as_secs()),
                Err(error) if start.elapsed() > limit => {
                    return Err(error.context(format!("waited {} s for {what}", limit.as_secs())));
                }
                _ => thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// Grants rules (a JSON array of `PolicyRule`) to a subject: in one namespace, or in the whole cluster.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub fn allow(&self, subject: &Subject<'_>, namespace: Option<&str>, rules: &Value) -> Result<()> {
        let name = names::unique("wi-test");
        let prefix = if namespace.is_some() { "" } else { "Cluster" };
        let group = "rbac.authorization.k8s.io";
        let version = format!("{group}/v1");
        let metadata = json!({"name": name, "namespace": namespace});
        let role =
            json!({"apiVersion": version, "kind": format!("{prefix}Role"), "metadata": metadata, "rules": rules});
        let subject = match subject {
            Subject::User { name, .. } => json!({"kind": "User", "apiGroup": group, "name": name}),
            Subject::ServiceAccount { namespace, name } => {
                json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
            }
        };
        let binding = json!({
            "apiVersion": version, "kind": format!("{prefix}RoleBinding"), "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": format!("{prefix}Role"), "name": name}, "subjects": [subject],
        });
        self.apply(&format!("{role}\n---\n{binding}\n")).map(drop)
    }

    /// Writes a kubeconfig for a subject and gives its path. What the subject may do is said by [`Cluster::allow`].
    ///
    /// A user proves itself with a client certificate (on an existing cluster the administrator impersonates it), a
    /// service account with a token of one hour.
    ///
    /// # Errors
    /// The service account does not exist, or the file cannot be written.
    pub fn kubeconfig_for(&self, subject: &Subject<'_>) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.kubeconfig", names::unique("subject")));
        let token = match subject {
            Subject::ServiceAccount { namespace, name } => {
                Some(self.kubectl(&["create", "token", name, "-n", namespace, "--duration=1h"])?)
            }
            Subject::User { .. } => None,
        };
        let text = match (&self.origin, subject, &token) {
            (Origin::Started(started), Subject::User { name, group }, _) => {
                let pair = started.authority.client(name, *group)?;
                kubeconfig::render(&started.server, &started.authority.certificate(), &Credential::Certificate(&pair))
            }
            (Origin::Started(started), Subject::ServiceAccount { .. }, token) => {
                let credential = Credential::Token(token.as_deref().unwrap_or_default());
                kubeconfig::render(&started.server, &started.authority.certificate(), &credential)
            }
            (Origin::Existing { .. }, Subject::User { name, group }, _) => {
                let view = self.kubectl_json(&["config", "view", "--flatten", "--minify"])?;
                let mut user = view["users"][0]["user"].clone();
                user["as"] = json!(name);
                user["as-groups"] = json!(group.iter().copied().chain(["system:authenticated"]).collect::<Vec<_>>());
                kubeconfig::with_user(&view, &user)
            }
            (Origin::Existing { .. }, Subject::ServiceAccount { .. }, token) => {
                let view = self.kubectl_json(&["config", "view", "--flatten", "--minify"])?;
                kubeconfig::with_user(&view, &json!({"token": token}))
            }
        };
        pki::write_private(&path, &text)?;
        Ok(path)
    }
}
