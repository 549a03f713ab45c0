//! What az, the portal and ARM say when a connection of the AKS Service Connector cannot be made.

use crate::symptoms::commands::Next;
use crate::symptoms::model::Kind;
use crate::symptoms::signature::{SIGNATURE, Signature};

const CONNECTOR: Signature = Signature {
    kind: Kind::Application,
    code: "WI760",
    gives: Some("WI760"),
    points_to: &["WI760"],
    next: &[SHOW, JOB],
    ..SIGNATURE
};

const SHOW: Next = Next::Run(
    "az k8s-extension show --name sc-extension --cluster-type managedClusters --cluster-name CLUSTER -g RESOURCE-GROUP --query statuses",
);
const JOB: Next = Next::Run("kubectl logs job/sc-job -n sc-system");
const HELM: Next = Next::Run("helm list -n sc-system -a");

/// That it is about the connector at all.
const ABOUT: &[&str] = &[
    r"sc-extension|sc-system|sc-job|service connector|servicelinker|scaksextension|aks connection|k8s-extension|kubernetesconfiguration|cluster extension|extension",
];

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "connector-agent",
        patterns: &[r"unable to get a response from the agent in time"],
        means: "Service Connector: the cluster's extension agent did not answer in time.",
        causes: &[
            "the pods extension-agent and extension-operator in kube-system are not running, or cannot reach Azure",
        ],
        next: &[Next::Run("kubectl get pods -n kube-system -l app.kubernetes.io/name=extension-manager"), SHOW],
        ..CONNECTOR
    },
    Signature {
        id: "connector-tainted",
        patterns: &[r"extension pods can't be scheduled if all the node pools in the cluster are"],
        means: "Service Connector: its pods fit on no node, all pools are tainted CriticalAddonsOnly.",
        causes: &["add a node pool without that taint"],
        next: &[Next::Run("kubectl describe nodes | grep -i taints"), SHOW],
        ..CONNECTOR
    },
    Signature {
        id: "connector-chart",
        patterns: &[r"unable to download the helm chart from the repo url"],
        means: "Service Connector: its chart cannot be downloaded.",
        causes: &["an egress firewall: allow scaksextension.azurecr.io"],
        next: &[SHOW, Next::Run("kubectl get events -n kube-system --sort-by=.lastTimestamp")],
        ..CONNECTOR
    },
    Signature {
        id: "connector-image",
        patterns: &[r"scaksextension\.azurecr\.io"],
        near: &[r"imagepull|errimage|failed to pull|back-off pulling|not found|unauthorized|manifest unknown|401|403"],
        reach: (300, 400),
        means: "Service Connector: the image of its operator cannot be pulled.",
        causes: &[
            "an old extension whose image was removed: update the extension",
            "the registry refuses (Azure/AKS issue 5493), or a firewall does not let it through",
        ],
        next: &[
            Next::Run(
                "az k8s-extension update --name sc-extension --cluster-type managedClusters --cluster-name CLUSTER -g RESOURCE-GROUP",
            ),
            Next::Run("kubectl describe job/sc-job -n sc-system"),
            SHOW,
        ],
        ..CONNECTOR
    },
    Signature {
        id: "connector-readiness",
        patterns: &[
            r"timed out waiting for resource readiness",
            r"timed out waiting for the resource to come to a ready",
            r"helm installation failed",
        ],
        near: ABOUT,
        reach: (800, 800),
        means: "Service Connector: its Helm release did not become ready.",
        causes: &["its pods do not start: taints, resources, images, policies; the events of sc-system say which"],
        next: &[Next::Run("kubectl get events -n sc-system --sort-by=.lastTimestamp"), JOB, HELM, SHOW],
        ..CONNECTOR
    },
    Signature {
        id: "connector-rendering",
        patterns: &[r"helm chart rendering failed with given values"],
        means: "Service Connector: its chart cannot be rendered, a value is missing or wrong.",
        causes: &["a required value of the extension's configuration is missing"],
        ..CONNECTOR
    },
    Signature {
        id: "connector-exists",
        patterns: &[r"resource already exists in your cluster"],
        means: "Service Connector: an object that it wants to create is there already.",
        causes: &["a left-over of an earlier connection: remove the object that is named, if nothing else needs it"],
        next: &[HELM, SHOW],
        ..CONNECTOR
    },
    Signature {
        id: "connector-in-progress",
        patterns: &[
            r"operation is already in progress for helm",
            r"another operation \(install/upgrade/rollback\) is in progress",
        ],
        near: ABOUT,
        reach: (600, 600),
        means: "Service Connector: another operation on its Helm release is still running.",
        causes: &["wait ten minutes and try again; if it stays, look at the release"],
        next: &[HELM, SHOW],
        ..CONNECTOR
    },
    Signature {
        id: "connector-conflict",
        patterns: &[r"operation returned an invalid status (?:code)?:? '?conflict"],
        means: "Service Connector: the cluster is being changed by another operation, or its provider is not registered.",
        causes: &[
            "the cluster is updating: wait until its provisioning state is Succeeded, then try again",
            "the subscription is not registered for Microsoft.KubernetesConfiguration",
        ],
        next: &[
            Next::Run("az aks show -n CLUSTER -g RESOURCE-GROUP --query provisioningState"),
            Next::Run("az provider show -n Microsoft.KubernetesConfiguration --query registrationState"),
            SHOW,
        ],
        ..CONNECTOR
    },
    Signature {
        id: "connector-provider",
        patterns: &[r"not registered to use namespace \S{0,3} microsoft\.(?:kubernetesconfiguration|servicelinker)"],
        means: "Service Connector: the subscription is not registered for a provider that it needs.",
        causes: &["register Microsoft.KubernetesConfiguration and Microsoft.ServiceLinker, then try again"],
        next: &[
            Next::Run("az provider register -n Microsoft.KubernetesConfiguration"),
            Next::Run("az provider register -n Microsoft.ServiceLinker"),
        ],
        ..CONNECTOR
    },
    Signature {
        id: "connector-permission",
        patterns: &[r"you do not have permission to perform .{0,160} if access was recently granted"],
        means: "Service Connector: whoever creates the connection may not do so on a resource that it needs.",
        causes: &["get the permission on the resource that is named, log in again, then try again"],
        next: &[Next::Run("az role assignment list --assignee YOU --all -o table"), SHOW],
        ..CONNECTOR
    },
    Signature {
        id: "connector-job",
        patterns: &[
            r"\bjob\.?(?:batch)? \S{0,3} sc-job \S{0,60} (?:fail|backofflimit|deadline)",
            r"sc-job\S{0,80}(?:backofflimitexceeded|has reached the specified backoff limit)",
        ],
        means: "Service Connector: its job in the cluster failed.",
        causes: &["the job's log says why"],
        next: &[JOB, Next::Run("kubectl describe job/sc-job -n sc-system"), SHOW],
        ..CONNECTOR
    },
];
