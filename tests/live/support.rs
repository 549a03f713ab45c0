//! What the tests share: running the program, and workloads to run it on.

use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};
use wi_test_cluster::Cluster;

pub(crate) const CLIENT_ID: &str = "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2";

/// What the program said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("ended by a signal"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the program as the cluster's administrator.
pub(crate) fn wi(cluster: &Cluster, arguments: &[&str]) -> Said {
    Said::of(cluster.command(env!("CARGO_BIN_EXE_kubectl-wi")).args(arguments).output().unwrap())
}

/// Runs the program as the cluster's administrator, with something on its standard input.
pub(crate) fn wi_with(cluster: &Cluster, arguments: &[&str], input: &str) -> Said {
    let mut command = cluster.command(env!("CARGO_BIN_EXE_kubectl-wi"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Said::of(child.wait_with_output().unwrap())
}

/// Runs the program with another kubeconfig.
pub(crate) fn wi_as(cluster: &Cluster, kubeconfig: &Path, arguments: &[&str]) -> Said {
    let mut command = cluster.command(env!("CARGO_BIN_EXE_kubectl-wi"));
    Said::of(command.env("KUBECONFIG", kubeconfig).args(arguments).output().unwrap())
}

/// An account and a Deployment that runs as it.
pub(crate) struct App<'a> {
    pub(crate) name: &'a str,
    pub(crate) account: &'a str,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) image: &'a str,
}

impl App<'_> {
    /// Everything as it should be.
    pub(crate) const HEALTHY: App<'static> = App {
        name: "velero",
        account: "velero-server",
        client_id: Some(CLIENT_ID),
        label: Some("true"),
        image: wi_test_cluster::IMAGE_CAT,
    };

    pub(crate) fn account(&self) -> Value {
        let mut account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.account}});
        if let Some(id) = self.client_id {
            account["metadata"]["annotations"] = json!({"azure.workload.identity/client-id": id});
        }
        account
    }

    pub(crate) fn deployment(&self) -> Value {
        let mut labels = json!({"app": self.name});
        if let Some(value) = self.label {
            labels["azure.workload.identity/use"] = json!(value);
        }
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": self.name},
            "spec": {
                "selector": {"matchLabels": {"app": self.name}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "serviceAccountName": self.account,
                        "terminationGracePeriodSeconds": 0,
                        "containers": [{"name": "app", "image": self.image, "imagePullPolicy": "IfNotPresent"}],
                    },
                },
            },
        })
    }

    pub(crate) fn manifests(&self) -> String {
        format!("{}\n---\n{}\n", self.account(), self.deployment())
    }
}

/// The codes of a report's root causes, those of the cluster included.
pub(crate) fn roots(report: &Value) -> Vec<String> {
    let of = |findings: &Value| -> Vec<String> {
        let list = findings.as_array().unwrap().iter().filter(|finding| finding["rootCause"] == true);
        list.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    };
    let targets = report["targets"].as_array().unwrap().iter().flat_map(|target| of(&target["findings"]));
    let mut roots: Vec<String> = targets.chain(of(&report["findings"])).collect();
    roots.sort();
    roots
}
