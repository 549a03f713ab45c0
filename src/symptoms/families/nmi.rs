//! aad-pod-identity, which still answers for the node's metadata endpoint.

use crate::symptoms::commands::Next;
use crate::symptoms::model::Kind;
use crate::symptoms::signature::{SIGNATURE, Signature};

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[Signature {
    id: "nmi",
    kind: Kind::PodIdentity,
    code: "WI801",
    patterns: &[
        r"no azure identity found for request clientid",
        r"getting assigned identities for pod \S{1,200} in (?:created|assigned) state failed after",
        r"request blocked by aad pod identity nmi",
        r"nmi response failed with status code",
        r"failed to get matching identities for pod",
        r"check mic pod logs for identity assignment errors",
    ],
    points_to: &["WI101", "WI309", "WI401", "WI775", "WI113"],
    step: true,
    means: "The process asked the node's metadata endpoint, and aad-pod-identity, which is still installed and takes such calls, has no identity for this pod.",
    causes: &[
        "the pod was not mutated, so the SDK asked the node's endpoint instead of exchanging its token",
        "the application or its SDK is older than workload identity",
        "aad-pod-identity was never removed (az aks update --disable-pod-identity, or its DaemonSet nmi)",
        "AKS Backup's own extension: az aks pod-identity exception add --namespace dataprotection-microsoft --pod-labels app.kubernetes.io/name=dataprotection-microsoft-kubernetes",
    ],
    next: &[Next::Inspect, Next::Run("kubectl get daemonset -A | grep -i nmi"), Next::Fix],
    ..SIGNATURE
}];
