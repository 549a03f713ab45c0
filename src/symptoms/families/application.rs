//! What known applications say in words of their own.

use crate::symptoms::commands::Next;
use crate::symptoms::model::Kind;
use crate::symptoms::signature::{SIGNATURE, Signature};

const SETTING: Signature =
    Signature { kind: Kind::Application, code: "WI802", next: &[Next::Inspect, Next::Fix], ..SIGNATURE };

/// A controller's own summary: the cause stands in its log.
const SUMMARY: Signature = Signature { kind: Kind::Summary, probable: true, next: &[Next::Inspect], ..SIGNATURE };

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    // external-secrets
    Signature {
        id: "eso-variables",
        patterns: &[
            r"missing environment variables\. azure_client_id, azure_tenant_id and azure_federated_token_file must be set",
        ],
        points_to: &["WI101", "WI770", "WI401", "WI202"],
        means: "external-secrets has no identity of its own: without serviceAccountRef in the store, the controller's pods must be mutated.",
        causes: &[
            "the controller's pods lack the label (podLabels of the chart), or its account the annotations",
            "the store should name an account with serviceAccountRef, which needs neither",
        ],
        ..SETTING
    },
    Signature {
        id: "eso-client-id",
        patterns: &[
            r"missing clientid: either serviceaccountref or service account annotation",
            r"missing service account annotation:? \S{0,3} azure\.workload\.identity/client-id",
            r"azure client id is not set in the service account annotation",
        ],
        points_to: &["WI202", "WI204", "WI770"],
        means: "The service account that the store or object names has no client-id annotation.",
        causes: &[
            "the annotation is missing or misspelt on the referenced account",
            "another account is referenced than intended",
        ],
        ..SETTING
    },
    Signature {
        id: "eso-tenant",
        patterns: &[
            r"missing tenantid in store config",
            r"multiple (?:tenantid|clientid) found",
            r"missing service account annotation:? \S{0,3} azure\.workload\.identity/tenant-id",
            r"azure tenant id is not set in the service account annotation",
        ],
        points_to: &["WI770", "WI205"],
        means: "Client or tenant id stand nowhere, or in two places, of the store and the account that it names.",
        causes: &[
            "tenantId is missing in the store and on the account",
            "the id stands in authSecretRef and in the annotation",
        ],
        ..SETTING
    },
    Signature {
        id: "eso-token-file",
        patterns: &[r"unable to read token file"],
        points_to: &["WI401", "WI101", "WI411", "WI770"],
        means: "external-secrets cannot read the token file that its environment names.",
        causes: &["the controller's pods are not mutated, or the file is not readable for their user"],
        ..SETTING
    },
    Signature {
        id: "eso-store",
        code: "WI770",
        patterns: &[
            r"invalidproviderconfig",
            r"could not get provider client",
            r"unable to (?:create|validate) (?:client|store)",
        ],
        near: &[r"secretstore|external-?secrets|provider|azurekv"],
        points_to: &["WI770", "WI101", "WI502"],
        means: "A store of external-secrets cannot be used; why, stands in the event of the same reason and in the controller's log.",
        causes: &[
            "the store's settings contradict workload identity",
            "the exchange or the vault refuses: see the log",
        ],
        next: &[
            Next::Run("kubectl logs -n external-secrets deploy/external-secrets --tail 200 | kubectl wi explain -"),
            Next::Inspect,
        ],
        ..SUMMARY
    },
    // Velero
    Signature {
        id: "velero-credentials-file",
        code: "WI705",
        gives: Some("WI705"),
        patterns: &[r"failed to read credentials from file :? open :? no such file or directory"],
        points_to: &["WI705"],
        means: "Velero reads a credentials file although none is configured: a fault of Velero 1.13.0 with plugin 1.9.0.",
        causes: &[
            "the release: Velero 1.13.1 and plugin 1.9.1 mend it",
            "until then a credentials Secret with AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and AZURE_CLOUD_NAME",
        ],
        ..SETTING
    },
    Signature {
        id: "velero-subscription",
        code: "WI776",
        patterns: &[r"azure_(?:subscription_id|resource_group) is required in credential file"],
        points_to: &["WI776"],
        means: "Velero's volume snapshots need a credentials file with subscription and resource group, also with workload identity.",
        causes: &["the Secret cloud-credentials (or velero) lacks AZURE_SUBSCRIPTION_ID or AZURE_RESOURCE_GROUP"],
        ..SETTING
    },
    Signature {
        id: "velero-location",
        code: "WI707",
        patterns: &[
            r"backupstoragelocation \S{1,80} is unavailable",
            r"backupstoragelocation is invalid, marking as unavailable",
            r"error getting (?:a)? backup store",
            r"current backupstoragelocations available/unavailable/unknown: 0/[1-9]",
        ],
        points_to: &["WI707", "WI101", "WI601"],
        means: "Velero cannot use its backup storage location; the rest of the message says why.",
        causes: &["identity, role or setting of the location: see the message"],
        next: &[
            Next::Run("kubectl get backupstoragelocations -n velero -o yaml | kubectl wi explain -"),
            Next::Inspect,
        ],
        ..SUMMARY
    },
    // KEDA
    Signature {
        id: "keda-identity-id",
        code: "WI721",
        gives: Some("WI721"),
        patterns: &[r"identityid of podidentity should not be empty"],
        points_to: &["WI721"],
        means: "A TriggerAuthentication has an empty identityId.",
        causes: &["leave identityId out, or write the identity's client id"],
        ..SETTING
    },
    Signature {
        id: "keda-provider",
        code: "WI720",
        gives: Some("WI720"),
        patterns: &[
            r#"podidentity\.provider: unsupported value: \S{0,3} azure ['"]"#,
            r"pod identity (?:provider)? azure (?:is)? (?:not supported|no longer supported|deprecated)",
            r"key vault scaler .{0,40} doesn't support pod identity azure",
        ],
        points_to: &["WI720"],
        means: "A TriggerAuthentication still says provider azure (aad-pod-identity), which KEDA 2.15 removed.",
        causes: &["set spec.podIdentity.provider to azure-workload"],
        ..SETTING
    },
    Signature {
        id: "keda-authentication-missing",
        code: "WI725",
        gives: Some("WI725"),
        patterns: &[r"(?:cluster)?triggerauthentications?\.keda\.sh \S{1,100} not found"],
        points_to: &["WI725"],
        means: "A ScaledObject names a TriggerAuthentication that is not in its namespace.",
        causes: &[
            "a TriggerAuthentication serves its own namespace only: move it, or use ClusterTriggerAuthentication",
        ],
        ..SETTING
    },
    Signature {
        id: "keda-namespace",
        code: "WI726",
        patterns: &[r"namespace are required when using pod identity"],
        points_to: &["WI726"],
        means: "A trigger with pod identity lacks the namespace of Service Bus.",
        causes: &["triggers[].metadata.namespace is missing"],
        ..SETTING
    },
    Signature {
        id: "keda-not-ready",
        code: "WI726",
        patterns: &[
            r"scaled(?:object|job)checkfailed",
            r"kedascalerfailed",
            r"triggers defined in scaled(?:object|job) are not working",
            r"partialtriggererror",
        ],
        points_to: &["WI726", "WI722", "WI502", "WI601"],
        means: "KEDA cannot run a trigger; the event's message and the operator's log say why.",
        causes: &["the operator has no identity, its account no federated credential, or the identity no role"],
        next: &[
            Next::Run("kubectl logs -n keda deploy/keda-operator --tail 200 | kubectl wi explain -"),
            Next::Inspect,
        ],
        ..SUMMARY
    },
    // external-dns
    Signature {
        id: "external-dns-no-credentials",
        code: "WI771",
        gives: Some("WI771"),
        patterns: &[r"no credentials provided for azure api"],
        points_to: &["WI771"],
        means: "external-dns finds no credential in azure.json.",
        causes: &["azure.json lacks useWorkloadIdentityExtension: true"],
        ..SETTING
    },
    // cert-manager
    Signature {
        id: "cert-manager-ambient",
        code: "WI772",
        gives: Some("WI772"),
        patterns: &[
            r"clientid is not set but neither .{0,12} cluster-issuer-ambient-credentials",
            r"clientid was omitted without providing one of",
        ],
        points_to: &["WI772"],
        means: "cert-manager may not use the credentials of its own pods for this issuer.",
        causes: &[
            "a namespaced Issuer needs the controller's flag --issuer-ambient-credentials; a ClusterIssuer is allowed by default",
            "the solver lacks managedIdentity.clientID",
        ],
        ..SETTING
    },
    Signature {
        id: "cert-manager-solver",
        code: "WI772",
        patterns: &[
            r"error instantiating azuredns challenge solver",
            r"clientid, tenantid and clientsecret must be set",
        ],
        points_to: &["WI772", "WI101"],
        means: "cert-manager cannot use the azureDNS solver as it is written.",
        causes: &["the solver mixes a service principal and a managed identity", "the controller has no identity"],
        ..SUMMARY
    },
    // The others
    Signature {
        id: "crossplane-ids",
        code: "WI776",
        gives: Some("WI776"),
        patterns: &[
            r"(?:client|tenant|subscription) id must be set in providerconfig when credential source is oidctokenfile",
        ],
        points_to: &["WI776"],
        means: "Crossplane's ProviderConfig lacks an id that OIDCTokenFile needs.",
        causes: &["clientID, tenantID and subscriptionID must all be set in the ProviderConfig"],
        ..SETTING
    },
    Signature {
        id: "app-configuration-account",
        code: "WI776",
        gives: Some("WI776"),
        patterns: &[r"using a global service account is no longer permitted with workload identity"],
        points_to: &["WI776"],
        means: "The App Configuration provider from 2.0.0 on wants an account of the resource's own namespace.",
        causes: &["set spec.auth.workloadIdentity.serviceAccountName to an annotated account of that namespace"],
        ..SETTING
    },
    Signature {
        id: "dapr-no-provider",
        code: "WI802",
        patterns: &[r"no suitable token provider for azure ad"],
        points_to: &["WI101", "WI401", "WI107", "WI776"],
        means: "Dapr's sidecar found no credential that works.",
        causes: &[
            "daprd was added after the identity webhook had been there: restart the pods",
            "the application's pod lacks the label",
            "the component's metadata choose another credential",
        ],
        ..SUMMARY
    },
    Signature {
        id: "csi-mount",
        code: "WI773",
        patterns: &[r"failed to mount secrets store objects"],
        points_to: &["WI773", "WI777", "WI502"],
        means: "The secrets store driver could not mount the volume; the rest of the message says why.",
        causes: &["the SecretProviderClass, the federated credential of the pod's account, or the vault's permissions"],
        next: &[Next::Describe, Next::Inspect],
        ..SUMMARY
    },
    Signature {
        id: "challenge-presenting",
        code: "WI772",
        patterns: &[r"error presenting challenge", r"error cleaning up challenge", r"error upserting txt"],
        near: &[r"azure|dnszones|management\."],
        reach: (200, 800),
        points_to: &["WI772", "WI101", "WI601"],
        means: "cert-manager could not write the record of a challenge; the rest of the message says why.",
        causes: &["identity, role or settings of the solver"],
        ..SUMMARY
    },
];
