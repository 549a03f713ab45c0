//! Names that the identity webhook reads and writes: labels, annotations, variables, containers, paths.
//!
//! Source: `pkg/webhook/consts.go` of Azure/azure-workload-identity at each release.

/// Pod label (on the account up to 0.14); since 1.0.0 its value must be exactly `true`.
pub const USE_LABEL: &str = "azure.workload.identity/use";
/// The only value of [`USE_LABEL`] that selects a pod: case matters.
pub const USE_LABEL_VALUE: &str = "true";
/// Account annotation: the client id of the application or managed identity. Never validated by the webhook.
pub const CLIENT_ID: &str = "azure.workload.identity/client-id";
/// Account annotation: the tenant, in place of the webhook's own. Counts as soon as the key is there, even if empty.
pub const TENANT_ID: &str = "azure.workload.identity/tenant-id";
/// Pod or account annotation: lifetime of the token in seconds; the pod's wins.
pub const TOKEN_EXPIRATION: &str = "azure.workload.identity/service-account-token-expiration";
/// Pod annotation: names of containers to leave alone, separated by `;`.
pub const SKIP_CONTAINERS: &str = "azure.workload.identity/skip-containers";
/// Pod annotation: adds the proxy containers. Its presence counts, not its value.
pub const INJECT_PROXY: &str = "azure.workload.identity/inject-proxy-sidecar";
/// Pod annotation: the proxy's port.
pub const PROXY_PORT: &str = "azure.workload.identity/proxy-sidecar-port";
/// Start of the pod annotation of identity binding mode; the rest is the webhook's own setting (AKS:
/// `identity-binding`).
pub const CUSTOM_ENDPOINT_PREFIX: &str = "azure.workload.identity/use-";

/// Variable: the client id.
pub const ENV_CLIENT_ID: &str = "AZURE_CLIENT_ID";
/// Variable: the tenant.
pub const ENV_TENANT_ID: &str = "AZURE_TENANT_ID";
/// Variable: path of the token file.
pub const ENV_TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
/// Variable: the authority that tokens are asked from, with a slash at the end.
pub const ENV_AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";
/// Variable of identity binding mode: where tokens are asked from instead of the authority.
pub const ENV_TOKEN_PROXY: &str = "AZURE_KUBERNETES_TOKEN_PROXY";
/// Variable of identity binding mode: server name for TLS.
pub const ENV_SNI_NAME: &str = "AZURE_KUBERNETES_SNI_NAME";
/// Variable of identity binding mode: file with the proxy's certificate authority.
pub const ENV_CA_FILE: &str = "AZURE_KUBERNETES_CA_FILE";
/// Variable of identity binding mode: the certificate authority itself.
pub const ENV_CA_DATA: &str = "AZURE_KUBERNETES_CA_DATA";

/// The init container that redirects calls to the node's metadata endpoint.
pub const PROXY_INIT_CONTAINER: &str = "azwi-proxy-init";
/// The sidecar that answers in place of the node's metadata endpoint.
pub const PROXY_CONTAINER: &str = "azwi-proxy";
/// Where the webhook's images come from unless it was built otherwise.
pub const IMAGE_REGISTRY: &str = "mcr.microsoft.com/oss/azure/workload-identity";
/// The variable of [`PROXY_INIT_CONTAINER`].
pub const ENV_PROXY_PORT: &str = "PROXY_PORT";
/// The proxy's port where no annotation says otherwise.
pub const DEFAULT_PROXY_PORT: i32 = 8000;

/// The audience that Entra expects of a federated token, in every cloud unless the webhook was told otherwise.
pub const DEFAULT_AUDIENCE: &str = "api://AzureADTokenExchange";
/// The authority of the public cloud, which is what a webhook injects unless it is configured for another.
pub const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com/";
/// Lowest lifetime of a token that the webhook accepts, in seconds.
pub const MIN_EXPIRATION: i64 = 3600;
/// Highest lifetime of a token that the webhook accepts, in seconds.
pub const MAX_EXPIRATION: i64 = 86400;

/// Name of the volume up to 1.5.1, and of the token file in it in every release.
pub const TOKEN_NAME: &str = "azure-identity-token";
/// Start of the volume's name from 1.6.0 on; the rest is a hash of the pod's name.
pub const RESERVED_VOLUME_PREFIX: &str = "azure-workload-identity-reserved-";

/// What stands for the hash of the pod's name while the pod has none, as in the template of a workload. It is no
/// valid name on purpose: nobody should apply it.
pub const UNNAMED_POD_HASH: &str = "<pod-name-hash>";
/// What stands for the webhook's tenant where its configuration was not seen.
pub const UNSEEN_TENANT: &str = "<tenant of the webhook>";
