//! A real API server with as many objects as a large cluster has.

use anyhow::{Context, Result};
use futures::StreamExt;
use kubectl_wi::cluster::resource::{self, ResourceType};
use kubectl_wi::cluster::{Client, ConnectOptions, Environment};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use wi_test_cluster::ControlPlane;

/// Objects for each ten pods: one Deployment, its `ReplicaSet` and an older one, and an account. One Deployment in
/// fifty is meant for identity, with the label on its pods and the annotation on its account.
const PODS_OF_ONE: usize = 10;
/// Deployments in a namespace.
const DEPLOYMENTS_OF_ONE: usize = 5;
/// One Deployment in so many is meant for identity: two percent of the pods.
const MEANT: usize = 50;
/// Requests that are under way at once.
const AT_ONCE: usize = 32;

/// How much there is of what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) pods: usize,
    pub(super) deployments: usize,
    pub(super) namespaces: usize,
}

impl Size {
    pub(super) fn of(pods: usize) -> Self {
        let deployments = pods.div_ceil(PODS_OF_ONE);
        Self { pods, deployments, namespaces: deployments.div_ceil(DEPLOYMENTS_OF_ONE) }
    }

    /// One for each Deployment, and one more in each namespace.
    pub(super) fn accounts(self) -> usize {
        self.deployments + self.namespaces
    }

    pub(super) fn meant(self) -> usize {
        self.deployments.div_ceil(MEANT) * PODS_OF_ONE
    }
}

/// Starts an API server and fills it.
pub(super) fn filled(size: Size) -> Result<ControlPlane> {
    let cluster = ControlPlane::start()?;
    // Nothing may change what is loaded: with the controllers, Deployments would make pods of their own.
    stop_controllers(cluster.folder())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(fill(&cluster, size))?;
    Ok(cluster)
}

/// Halts the controller manager of this cluster, which is told by the cluster's own folder on its command line. It
/// ends with the cluster.
fn stop_controllers(folder: &Path) -> Result<()> {
    let folder = folder.display().to_string();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let program = line.split('\0').next().unwrap_or_default();
        if program.ends_with("kube-controller-manager") && line.contains(&folder) {
            Command::new("kill").arg("-STOP").arg(entry.file_name()).status()?;
        }
    }
    Ok(())
}

async fn fill(cluster: &ControlPlane, size: Size) -> Result<()> {
    let kubeconfig = cluster.kubeconfig().to_owned();
    let options = ConnectOptions { kubeconfig: Some(kubeconfig), ..ConnectOptions::default() };
    let client = Client::connect(&options, &Environment::of_process()).await?;
    let namespaces = (0..size.namespaces).map(|at| json!({"metadata": {"name": namespace(at)}}));
    create(&client, &resource::NAMESPACE, namespaces).await?;
    create(&client, &resource::SERVICE_ACCOUNT, (0..size.namespaces).map(|at| account(at, "default", false))).await?;
    let of = |deployment: usize| {
        (deployment / DEPLOYMENTS_OF_ONE, format!("app-{deployment}"), deployment.is_multiple_of(MEANT))
    };
    let each = || (0..size.deployments).map(of);
    create(&client, &resource::SERVICE_ACCOUNT, each().map(|(at, name, meant)| account(at, &name, meant))).await?;
    create(&client, &resource::DEPLOYMENT, each().map(|(at, name, meant)| deployment(at, &name, meant))).await?;
    let sets =
        each().flat_map(|(at, name, meant)| [replica_set(at, &name, meant, 2), replica_set(at, &name, meant, 1)]);
    create(&client, &resource::REPLICA_SET, sets).await?;
    let pods = (0..size.pods).map(|pod| {
        let (at, name, meant) = of(pod / PODS_OF_ONE);
        self::pod(at, &name, meant, pod % PODS_OF_ONE)
    });
    create(&client, &resource::POD, pods).await?;
    for (resource, object) in webhook() {
        client.create::<Value>(resource, object["metadata"]["namespace"].as_str(), &object).await?;
    }
    Ok(())
}

async fn create(client: &Client, resource: &'static ResourceType, objects: impl Iterator<Item = Value>) -> Result<()> {
    let mut made = futures::stream::iter(objects.map(|object| async move {
        let namespace = object["metadata"]["namespace"].as_str().map(str::to_owned);
        client.create::<Value>(resource, namespace.as_deref(), &object).await
    }))
    .buffer_unordered(AT_ONCE);
    while let Some(outcome) = made.next().await {
        outcome.with_context(|| format!("cannot create {}", resource.plural))?;
    }
    Ok(())
}

fn namespace(at: usize) -> String {
    format!("team-{at}")
}

fn account(at: usize, name: &str, meant: bool) -> Value {
    let mut account = json!({"metadata": {"name": name, "namespace": namespace(at)}});
    if meant {
        account["metadata"]["annotations"] =
            json!({"azure.workload.identity/client-id": "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2"});
    }
    account
}

fn labels(name: &str, meant: bool) -> Value {
    let mut labels = json!({
        "app": name, "app.kubernetes.io/name": name, "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "application-1.4.2", "tier": "backend",
    });
    if meant {
        labels["azure.workload.identity/use"] = json!("true");
    }
    labels
}

/// A template as charts make them: a server with two helpers, probes, limits, variables and volumes.
fn template(name: &str, meant: bool) -> Value {
    let variables: Vec<Value> = (0..20)
        .map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("a value of ordinary length, {n}")}))
        .collect();
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": 8080}, "initialDelaySeconds": 10, "periodSeconds": 15, "timeoutSeconds": 3});
    let container = |part: &str| {
        json!({
            "name": part, "image": format!("registry.example.com/team/{part}:1.27.4"), "imagePullPolicy": "IfNotPresent",
            "args": ["--config=/etc/app/config.yaml", "--log-level=info", "--listen=:8080"],
            "env": variables, "ports": [{"name": "http", "containerPort": 8080}],
            "livenessProbe": probe("/healthz"), "readinessProbe": probe("/readyz"),
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}, {"name": "tmp", "mountPath": "/tmp"}],
        })
    };
    json!({
        "metadata": {
            "labels": labels(name, meant),
            "annotations": {"checksum/config": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
                "prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
        },
        "spec": {
            "serviceAccountName": name,
            "containers": [container("server"), container("proxy"), container("exporter")],
            "volumes": [{"name": "config", "configMap": {"name": format!("{name}-config")}}, {"name": "tmp", "emptyDir": {}}],
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "fsGroup": 1000},
        },
    })
}

fn deployment(at: usize, name: &str, meant: bool) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace(at), "labels": labels(name, false)},
        "spec": {"replicas": PODS_OF_ONE, "selector": {"matchLabels": {"app": name}}, "template": template(name, meant)},
    })
}

fn controlled_by(kind: &str, name: &str) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "controller": true, "blockOwnerDeletion": true,
        "uid": "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2"}])
}

fn replica_set(at: usize, name: &str, meant: bool, revision: usize) -> Value {
    let own = format!("{name}-{revision}");
    json!({
        "metadata": {"name": own, "namespace": namespace(at), "labels": labels(name, false),
            "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
            "ownerReferences": controlled_by("Deployment", name)},
        "spec": {"replicas": if revision == 2 { PODS_OF_ONE } else { 0 }, "selector": {"matchLabels": {"app": name}},
            "template": template(name, meant)},
    })
}

/// A pod as the identity webhook leaves it, where it is meant for identity.
fn pod(at: usize, name: &str, meant: bool, number: usize) -> Value {
    let Value::Object(mut pod) = template(name, meant) else { return Value::Null };
    let mut pod_value = json!({"metadata": pod.remove("metadata"), "spec": pod.remove("spec")});
    pod_value["metadata"]["name"] = json!(format!("{name}-2-{number:05}"));
    pod_value["metadata"]["namespace"] = json!(namespace(at));
    pod_value["metadata"]["ownerReferences"] = controlled_by("ReplicaSet", &format!("{name}-2"));
    if !meant {
        return pod_value;
    }
    let token = json!({"name": "azure-identity-token", "projected": {"sources": [{"serviceAccountToken": {
        "audience": "api://AzureADTokenExchange", "expirationSeconds": 3600, "path": "azure-identity-token"}}]}});
    let spec = &mut pod_value["spec"];
    if let Some(volumes) = spec["volumes"].as_array_mut() {
        volumes.push(token);
    }
    for container in spec["containers"].as_array_mut().into_iter().flatten() {
        let file = "/var/run/secrets/azure/tokens/azure-identity-token";
        let variables = [
            ("AZURE_CLIENT_ID", "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2"),
            ("AZURE_TENANT_ID", "72f988bf-0000-4000-8000-2d7cd011db47"),
            ("AZURE_FEDERATED_TOKEN_FILE", file),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/"),
        ];
        if let Some(env) = container["env"].as_array_mut() {
            env.extend(variables.map(|(name, value)| json!({"name": name, "value": value})));
        }
        if let Some(mounts) = container["volumeMounts"].as_array_mut() {
            mounts.push(
                json!({"name": "azure-identity-token", "mountPath": "/var/run/secrets/azure/tokens", "readOnly": true}),
            );
        }
    }
    pod_value
}

/// The webhook's registration, which calls nobody for what is loaded before it.
fn webhook() -> Vec<(&'static ResourceType, Value)> {
    let namespace = "azure-workload-identity-system";
    let labels = json!({"azure-workload-identity.io/system": "true"});
    vec![
        (&resource::NAMESPACE, json!({"metadata": {"name": namespace}})),
        (
            &resource::DEPLOYMENT,
            json!({
                "metadata": {"name": "azure-wi-webhook-controller-manager", "namespace": namespace, "labels": labels},
                "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
                    "containers": [{"name": "manager", "image": "mcr.microsoft.com/oss/azure/workload-identity/webhook:v1.6.0"}]}}},
            }),
        ),
        (
            &resource::MUTATING_WEBHOOK_CONFIGURATION,
            json!({
                "metadata": {"name": "azure-wi-webhook-mutating-webhook-configuration"},
                "webhooks": [{
                    "name": "mutation.azure-workload-identity.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                    "failurePolicy": "Ignore", "timeoutSeconds": 1,
                    "clientConfig": {"service": {"name": "azure-wi-webhook-webhook-service", "namespace": namespace,
                        "path": "/mutate-v1-pod"}},
                    "objectSelector": {"matchLabels": {"azure.workload.identity/use": "true"}},
                    "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
                }],
            }),
        ),
    ]
}
