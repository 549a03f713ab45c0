//! What is not about identity, so that nobody hunts it there.

use super::network::AUTHORITY;
use crate::symptoms::commands::Next;
use crate::symptoms::model::{Class, Kind};
use crate::symptoms::signature::{SIGNATURE, Signature};

const OTHER: Signature = Signature { kind: Kind::Elsewhere, code: "WI807", next: &[Next::Describe], ..SIGNATURE };

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "disk-full",
        class: Some(Class::Storage),
        patterns: &[
            r"no space left on device",
            r"disk quota exceeded",
            r"enospc",
            r"there is not enough space on the disk",
            r"\bdisk (?:is)? full",
        ],
        means: "A disk is full.",
        ..OTHER
    },
    Signature {
        id: "volume-attach",
        class: Some(Class::Storage),
        patterns: &[
            r"multi-attach error for volume",
            r"attachvolume\.attach failed",
            r"timed out waiting for the condition .{0,80} volumes?",
            r"unable to attach or mount volumes",
            r"failedattachvolume",
            r"persistentvolumeclaim \S{1,80} not found",
            r"unbound immediate persistentvolumeclaims",
        ],
        means: "A volume cannot be attached or bound.",
        ..OTHER
    },
    Signature {
        id: "read-only",
        class: Some(Class::Storage),
        patterns: &[r"read-only file system", r"erofs"],
        means: "A program writes where the file system is read-only.",
        ..OTHER
    },
    Signature {
        id: "out-of-memory",
        class: Some(Class::Memory),
        patterns: &[
            r"oomkilled",
            r"out of memory(?:error)?",
            r"java\.lang\.outofmemoryerror",
            r"cannot allocate memory",
            r"the node was low on resource",
        ],
        means: "A container ran out of memory, or was evicted for it.",
        ..OTHER
    },
    Signature {
        id: "quota",
        class: Some(Class::Quota),
        patterns: &[
            r"exceeded quota:",
            r"quotaexceeded",
            r"operation could not be completed as it results in exceeding approved",
            r"maximum number of (?:shares|snapshots|disks|zones|records)",
            r"toomanysnapshots",
            r"resource quota",
        ],
        means: "A quota or limit is reached.",
        ..OTHER
    },
    Signature {
        id: "throttled",
        class: Some(Class::Throttling),
        patterns: &[
            r"toomanyrequests",
            r"too many requests",
            r"(?:status(?: code)?|response|http)['\x22]?[:=]?['\x22]? 429",
            r"no countdetails element",
            r"operationthrottled|serverbusy|requestratetoolarge|server is currently unable to receive requests",
            r"rate limit(?:ed| exceeded)?",
            r"toomanypullrequests|you have reached your pull rate limit",
        ],
        unless: &[r"aadsts|169\.254|adal: refresh"],
        means: "Too many requests: a service slows the application down. It passes, or the application has to ask less often.",
        ..OTHER
    },
    Signature {
        id: "not-found",
        class: Some(Class::NotFound),
        patterns: &[
            r"containernotfound|the specified container does not exist",
            r"resourcenotfound|the resource \S{1,160} under resource group \S{1,90} was not found",
            r"resourcegroupnotfound|resource group \S{1,90} could not be found",
            r"parentresourcenotfound",
            r"blobnotfound|the specified blob does not exist",
            r"secretnotfound|a secret with \(name/id\)",
            r"the messaging entity \S{1,120} could not be found",
            r"(?:queue|topic|subscription) \S{1,80} (?:doesn't|does not) exist",
            r"queue not found",
            r"subscriptionnotfound|the subscription \S{1,60} could not be found",
            r"(?:vaultnotfound|certificatenotfound|keynotfound)",
            r"(?:response|status(?: code)?)['\x22]?[:=]?['\x22]? 404",
            r"configmap \S{1,80} not found",
            r"secret \S{1,80} not found",
            r"couldn't find key \S{1,80} in (?:secret|configmap)",
            r"storageaccount is required in bsl",
        ],
        unless: &[
            r"169\.254|metadata/identity|nmi|created state failed|aadsts|azure-identity-token|azure-workload-identity-reserved|no azure identity|unable to resolve an endpoint|\.well-known",
        ],
        means: "Something that is named does not exist: a container, a resource, a queue, an object. Its name, its resource group or the subscription is wrong, or it was deleted.",
        causes: &["a name or id in the application's configuration", "a resource in another subscription or cloud"],
        ..OTHER
    },
    Signature {
        id: "conflict",
        class: Some(Class::Conflict),
        patterns: &[
            r"leaseidmissing|leasealreadypresent|there is currently a lease on the",
            r"(?:containeralreadyexists|storageaccountalreadytaken|containerbeingdeleted)",
            r"scopelocked|is locked\. please remove the lock",
            r"anotheroperationinprogress|conflictingoperation|another operation .{0,60} (?:is)? in progress",
            r"please apply your changes to the latest version and try again",
            r"unable to create lock in backend|repository is already locked",
        ],
        means: "Something else holds, locks or changes the resource.",
        ..OTHER
    },
    Signature {
        id: "image-pull",
        class: Some(Class::Image),
        patterns: &[
            r"errimagepull|imagepullbackoff|errimageneverpull|invalidimagename",
            r"failed to pull (?:and unpack)? image",
            r"back-off pulling image",
            r"failed to (?:authorize|fetch anonymous token|resolve reference)",
            r"pull access denied|manifest unknown|no match for platform in manifest",
            r"azurecr\.io\S{0,160}unauthorized: authentication required",
        ],
        unless: &[r"scaksextension"],
        means: "An image cannot be pulled. The kubelet pulls with the node's identity or an image pull secret, never with the pod's workload identity.",
        causes: &[
            "the image's name or tag",
            "AcrPull for the cluster's kubelet identity (az aks update --attach-acr), or the pull secret",
            "the way to the registry",
        ],
        ..OTHER
    },
    Signature {
        id: "kubernetes-forbidden",
        class: Some(Class::KubernetesRbac),
        patterns: &[
            r"is forbidden: user \S{1,200} cannot",
            r"user \S{1,3} system:serviceaccount:\S{1,160} cannot (?:get|list|watch|create|update|patch|delete)",
            r"unauthorized: \(?(?:get|list) /api",
            r"error from server \(forbidden\)",
        ],
        unless: &[r"azure-wi-webhook-admin"],
        means: "The Kubernetes API refuses the pod's account: a Role or RoleBinding of the cluster is missing. That is not Azure's permission.",
        causes: &[
            "the application's Role or ClusterRoleBinding",
            "the account's API token is not mounted (automountServiceAccountToken: false)",
        ],
        ..OTHER
    },
    Signature {
        id: "kubernetes-token-missing",
        class: Some(Class::KubernetesRbac),
        patterns: &[
            r"/var/run/secrets/kubernetes\.io/serviceaccount/\S{0,30} no such file",
            r"unable to load in-cluster configuration",
        ],
        means: "The account's token for the Kubernetes API is not mounted (automountServiceAccountToken: false). The token for Azure is another volume and needs no automount.",
        causes: &[
            "automountServiceAccountToken is false on the pod or its account, and the application needs the Kubernetes API",
        ],
        ..OTHER
    },
    Signature {
        id: "policy",
        class: Some(Class::Policy),
        patterns: &[
            r"requestdisallowedbypolicy",
            r"violates podsecurity",
            r"admission webhook \S{1,120} denied the request",
            r"azurepolicy|gatekeeper\S{0,60}denied",
        ],
        unless: &[r"azwi-proxy|mutation\.azure-workload-identity|pod-identity-webhook"],
        means: "A policy of the cluster or of Azure refuses the object.",
        ..OTHER
    },
    Signature {
        id: "other-webhook",
        class: Some(Class::Policy),
        patterns: &[r"failed calling webhook"],
        unless: &[r"failed calling webhook \S{0,3} (?:mutation\.azure-workload-identity|pod-identity-webhook)"],
        reach: (10, 200),
        means: "Another webhook than the identity webhook cannot be called.",
        ..OTHER
    },
    Signature {
        id: "scheduling",
        class: Some(Class::Scheduling),
        patterns: &[
            r"failedscheduling",
            r"[0-9]{1,5}/[0-9]{1,5} nodes are available",
            r"insufficient (?:cpu|memory|pods)\b",
            r"untolerated taint",
        ],
        means: "No node fits the pod.",
        ..OTHER
    },
    Signature {
        id: "database-password",
        class: Some(Class::Password),
        patterns: &[
            r"password authentication failed for user",
            r"access denied for user \S{1,120} \(using password",
            r"login failed for user '[^<']",
            r"wrongpass invalid username-password|noauth authentication required",
            r"authentication failed: .{0,40} (?:sasl|scram)",
            r"error_description\S{0,4}invalid_grant.{0,40}refresh",
        ],
        unless: &[r"token-identified|entra|azure ad|access token"],
        means: "A database or broker refuses its own user and password.",
        ..OTHER
    },
    Signature {
        id: "other-cloud",
        class: Some(Class::OtherCloud),
        patterns: &[
            r"nocredentialproviders|no valid providers in chain",
            r"webidentityerr|sts\.amazonaws\.com",
            r"unable to locate credentials\. you can configure",
            r"could not find default credentials|google: could not",
            r"failed to retrieve credentials .{0,60} (?:sts|ec2)|ec2metadata|ec2 imds",
            r"accessdenied:? .{0,80} sts:assumerole|invalididentitytoken",
        ],
        means: "Another cloud's credentials are looked for: the application is configured for AWS or Google Cloud.",
        ..OTHER
    },
    Signature {
        id: "probe",
        class: Some(Class::Crash),
        patterns: &[
            r"(?:readiness|liveness|startup) probe failed",
            r"back-off restarting failed container",
            r"crashloopbackoff",
        ],
        means: "A container ends, or does not become ready. That says nothing about why: its own log does.",
        causes: &["kubectl logs POD --previous | kubectl wi explain -"],
        next: &[
            Next::Run("kubectl logs POD -n NAMESPACE --previous --tail 500 | kubectl wi explain -"),
            Next::Describe,
        ],
        ..OTHER
    },
    Signature {
        id: "certificate",
        class: Some(Class::Tls),
        patterns: &[
            r"x509: certificate",
            r"certificate signed by unknown authority",
            r"certificate verify failed",
            r"unable to get (?:local)? issuer certificate",
            r"sslhandshakeexception|pkix path building failed",
            r"certificate has expired",
            r"tls: (?:failed to verify|handshake failure|bad certificate)",
            r"self-?signed certificate",
            r"the remote certificate (?:is|was) invalid",
        ],
        unless: &[AUTHORITY, r"azure-wi-webhook|mutation\.azure-workload-identity", r"169\.254"],
        means: "A certificate is refused on a connection that has nothing to do with Entra.",
        ..OTHER
    },
    Signature {
        id: "name-resolution",
        class: Some(Class::Network),
        patterns: &[
            r"no such host",
            r"name or service not known",
            r"temporary failure in name resolution",
            r"getaddrinfo (?:enotfound|eai_again)",
            r"unknownhostexception",
            r"could not resolve host",
            r"nodename nor servname provided",
        ],
        unless: &[AUTHORITY, r"azure-wi-webhook", r"169\.254"],
        means: "A name cannot be resolved that is not Entra's: it is wrong, or its private DNS zone is not linked to the cluster's network.",
        causes: &[
            "a typo in the name of the storage account, vault or host",
            "a private endpoint whose DNS zone the cluster does not see",
            "the cluster's DNS",
        ],
        ..OTHER
    },
    Signature {
        id: "connection",
        class: Some(Class::Network),
        patterns: &[
            r"dial tcp \S{1,80} (?:i/o timeout|connect: connection refused|connect: no route to host|connect: connection timed out)",
            r"connection refused",
            r"econnrefused|etimedout|econnreset|ehostunreach",
            r"connection reset by peer",
            r"i/o timeout",
            r"connection timed out",
            r"no route to host|network is unreachable",
            r"upstream connect error",
            r"context deadline exceeded",
            r"connecttimeoutexception|connectexception|sockettimeoutexception",
            r"(?:error|failed) connecting to|could not connect to server",
        ],
        unless: &[AUTHORITY, r"azure-wi-webhook", r"169\.254", r"managed identity|imds|metadata/identity"],
        reach: (300, 300),
        means: "A host that has nothing to do with Entra cannot be reached.",
        causes: &["the host, its port or its firewall", "a NetworkPolicy or route of the cluster"],
        ..OTHER
    },
    Signature {
        id: "service-fault",
        class: Some(Class::Service),
        patterns: &[
            r"(?:response|status(?: code)?)['\x22]?[:=]?['\x22]? 50[0234]",
            r"internalservererror|serviceunavailable",
            r"the server is currently unable to handle the request",
            r"an unexpected error occurred while processing your request",
        ],
        unless: &[r"169\.254|metadata/identity|aadsts|azure-wi-webhook"],
        means: "A service answers with a fault of its own.",
        causes: &["wait and try again; look at Azure's service health"],
        ..OTHER
    },
    Signature {
        id: "acme",
        class: Some(Class::Application),
        patterns: &[
            r"urn:ietf:params:acme:error",
            r"dns record for \S{1,160} not yet propagated",
            r"waiting for dns-01 challenge propagation",
            r"no configured challenge solvers can be used",
            r"acme: (?:error|authorization)",
        ],
        unless: &[r"aadsts|authorizationfailed|managedidentity"],
        means: "The certificate authority or the propagation of the DNS record, not the way to Azure.",
        ..OTHER
    },
    Signature {
        id: "configuration",
        class: Some(Class::Application),
        patterns: &[
            r"yaml: (?:line [0-9]|unmarshal errors|did not find)",
            r"error (?:parsing|unmarshall?ing) \S{0,40} config",
            r"field \S{1,60} not found in type",
            r"unknown (?:flag|command|field) \S{0,3}",
            r"invalid configuration:",
            r"flag provided but not defined",
            r"unrecognized arguments?:",
            r"error validating data|strict decoding error",
            r"jsonpath|json: cannot unmarshal",
        ],
        unless: &[r"aadsts"],
        means: "The application's configuration cannot be read.",
        ..OTHER
    },
    Signature {
        id: "program-fault",
        class: Some(Class::Application),
        patterns: &[
            r"panic: runtime error",
            r"invalid memory address or nil pointer dereference",
            r"nullpointerexception|nullreferenceexception",
            r"segmentation fault",
            r"(?:attributeerror|typeerror|importerror|modulenotfounderror|keyerror|nameerror): ",
            r"cannot find module '",
            r"sources cannot contain nil",
            r"classnotfoundexception|nosuchmethoderror|noclassdeffounderror",
            r"could not load file or assembly",
            r"exec format error",
        ],
        means: "The program itself is at fault, or a part of it is missing.",
        ..OTHER
    },
    Signature {
        id: "backup-content",
        class: Some(Class::Application),
        patterns: &[
            r"error executing custom action",
            r"timed out awaiting reconciliation of volumesnapshot",
            r"volumesnapshot(?:class|content)? \S{0,80} not found",
            r"no matches for kind \S{1,80} in version",
            r"unable to find (?:snapshotclass|volumesnapshotclass)",
            r"hook \S{0,60} failed|pod volume backup failed: (?:data path|.{0,40}expired)",
        ],
        unless: &[r"aadsts|managedidentity|authorizationfailed|credential"],
        means: "The backup's content or the cluster's snapshots, not the way to Azure.",
        ..OTHER
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_here_is_elsewhere() {
        assert!(SIGNATURES.iter().all(|signature| signature.kind == Kind::Elsewhere && signature.class.is_some()));
    }
}
