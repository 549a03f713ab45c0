//! Another credential than workload identity was used: a secret, a certificate, a key, a person's login.

use crate::symptoms::commands::Next;
use crate::symptoms::model::{Class, Kind};
use crate::symptoms::signature::{SIGNATURE, Signature};

const OTHER: Signature =
    Signature { kind: Kind::OtherCredential, code: "WI806", next: &[Next::Inspect, Next::Fix], ..SIGNATURE };

const SECRET: &[&str] = &["WI109", "WI701", "WI741", "WI770", "WI771", "WI776"];
const SECRET_CAUSES: &[&str] = &[
    "a left-over AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or AZURE_USERNAME in the pod template, which every SDK tries before workload identity",
    "a secret in the application's own configuration",
];
const KEYS: &[&str] = &["WI702", "WI741", "WI724", "WI774", "WI776"];

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "secret-credential-failed",
        patterns: &[
            r"(?:environmentcredential|clientsecretcredential|clientcertificatecredential|usernamepasswordcredential|certificatecredential):? authentication failed",
        ],
        points_to: SECRET,
        means: "The SDK used a client secret, a certificate or a password before it came to workload identity, and Entra refused it.",
        causes: SECRET_CAUSES,
        ..OTHER
    },
    Signature {
        id: "secret-credential-used",
        patterns: &[
            r"(?:acquired a token from|authenticated with|credential selected: (?:azure\.identity\.)?) (?:environmentcredential|clientsecretcredential|clientcertificatecredential)",
        ],
        points_to: SECRET,
        step: true,
        means: "The token came from a secret or certificate in the container's environment, not from workload identity.",
        causes: SECRET_CAUSES,
        ..OTHER
    },
    Signature {
        id: "token-credentials-dev",
        patterns: &[
            r"invalid azure_token_credentials value",
            r#"azure_token_credentials["']?(?:=|:|is(?:set)?to)["']?dev"#,
        ],
        points_to: &["WI109"],
        means: "AZURE_TOKEN_CREDENTIALS chooses which credentials the SDK tries; `dev` leaves workload identity out.",
        causes: &[
            "the variable is set in the pod template or the image: remove it, or set it to `prod` or WorkloadIdentityCredential",
        ],
        ..OTHER
    },
    Signature {
        id: "keys-forbidden",
        patterns: &[r"keybasedauthenticationnotpermitted", r"key based authentication is not permitted"],
        points_to: KEYS,
        means: "The application uses the storage account's key, which the account does not take. Workload identity was not tried.",
        causes: &[
            "a key or connection string in the application's configuration",
            "Velero without useAAD: \"true\" in the location's configuration",
            "the option for Entra authentication of the application is off",
        ],
        ..OTHER
    },
    Signature {
        id: "local-authentication-disabled",
        patterns: &[
            r"local auth(?:entication|orization)? (?:is)? disabled",
            r"localauthdisabled",
            r"local authorization is disabled\. use an aad token",
        ],
        points_to: KEYS,
        means: "The application uses a key or connection string, which the resource does not take. Workload identity was not tried.",
        causes: &[
            "a connection string in the application's or the trigger's configuration, which comes before workload identity",
        ],
        ..OTHER
    },
    Signature {
        id: "shared-key-refused",
        patterns: &[
            r"make sure the value of (?:the)? authorization header is formed correctly including the signature",
        ],
        unless: &[r"authenticationerrordetail>?:?(?:issuer|audience|lifetime)"],
        reach: (300, 600),
        points_to: KEYS,
        probable: true,
        means: "The storage account refuses the request's signature: a key or SAS was used, and it is wrong or has expired.",
        causes: &["a key, SAS or connection string in the application's configuration", "a wrong time on the node"],
        ..OTHER
    },
    Signature {
        id: "access-token-refused",
        code: "WI804",
        patterns: &[
            r"authenticationerrordetail>?:? (?:issuer|audience) validation failed",
            r"invalidauthenticationinfo",
            r"the access token does not have a valid signature",
            // Key Vault of another cloud than the token's, the query service of Log Analytics.
            r"akv10022: invalid audience",
            r"authorizationrequirederror",
        ],
        unless: &[r"lifetime validation failed|token is expired"],
        points_to: &["WI509", "WI776"],
        means: "The exchange works; the resource refuses the access token, which is for another tenant or another resource.",
        causes: &[
            "the resource belongs to another tenant than the identity",
            "the application asks for a token with the wrong scope",
        ],
        ..OTHER
    },
    Signature {
        id: "wrong-tenant",
        code: "WI509",
        patterns: &[
            r"invalidauthenticationtokentenant",
            r"the access token is from the wrong issuer",
            r"akv10032: invalid issuer",
            r"invalidissuer: token issuer is invalid",
        ],
        gives: Some("WI509"),
        points_to: &["WI509", "WI205", "WI310"],
        means: "The exchange works; the resource belongs to another tenant than the token.",
        causes: &[
            "the tenant id of the account, the webhook or the application is not the resource's tenant",
            "the identity lives in another tenant than the resource",
        ],
        ..OTHER
    },
    Signature {
        id: "anonymous-request",
        patterns: &[
            r"noauthenticationinformation",
            r"publicaccessnotpermitted",
            r"public access is not permitted on this storage account",
        ],
        points_to: &["WI776"],
        means: "The application sent no credential at all.",
        causes: &["no credential is configured in the application, or its option for Entra authentication is off"],
        ..OTHER
    },
    Signature {
        id: "service-bus-key-refused",
        patterns: &[r"claim is empty or token is invalid", r"invalidsignature: the token has an invalid signature"],
        points_to: &["WI724", "WI776"],
        probable: true,
        means: "Service Bus refuses the token: a connection string (SAS) is used, and it is wrong or for another entity.",
        causes: &[
            "the trigger or the application passes a connection string; workload identity is not used then",
            "the connection string belongs to another namespace or lacks the right",
        ],
        ..OTHER
    },
    Signature {
        id: "velero-key-variable",
        patterns: &[r"no storage account access key with key \S{1,100} found in credential"],
        points_to: &["WI702", "WI701"],
        means: "Velero is told to use an account key (storageAccountKeyEnvVar) that its credentials file does not have.",
        causes: &["storageAccountKeyEnvVar is set in the location's configuration: remove it and set useAAD: \"true\""],
        ..OTHER
    },
    Signature {
        id: "velero-list-keys",
        patterns: &[r"failed to (?:get|list) storage account access keys?", r"storageaccounts/listkeys/action"],
        points_to: &["WI702", "WI601", "WI741"],
        means: "The application asks for the storage account's keys instead of using Entra for the data, and is refused.",
        causes: &[
            "Velero: the location's configuration lacks useAAD: \"true\"",
            "the identity may not list keys, and should not have to",
        ],
        ..OTHER
    },
    Signature {
        id: "key-is-no-key",
        patterns: &[r"illegal base64 data at input byte"],
        near: &[r"account_?key|storage_?account|shared key|azure"],
        points_to: &["WI741", "WI774", "WI776"],
        probable: true,
        means: "An account key is configured that is none (a placeholder, perhaps). Where a key is set, workload identity is not tried.",
        causes: &[
            "storage_account_key, account_key or a connection string in the application's configuration: leave it out",
        ],
        ..OTHER
    },
    Signature {
        id: "cli-not-logged-in",
        patterns: &[r"please run '?az login'?"],
        unless: &[
            r"defaultazurecredential|attempted credentials|managedidentitycredential|workloadidentitycredential|chainedtokencredential|environmentcredential",
        ],
        reach: (3000, 3000),
        points_to: &["WI776", "WI779"],
        means: "The Azure CLI is used and nobody is logged in. The CLI does not take workload identity by itself.",
        causes: &[
            "log in with the pod's token: az login --service-principal -u \"$AZURE_CLIENT_ID\" -t \"$AZURE_TENANT_ID\" --federated-token \"$(cat $AZURE_FEDERATED_TOKEN_FILE)\"",
        ],
        ..OTHER
    },
    Signature {
        id: "terraform-authorizer",
        patterns: &[
            r"unable to build authorizer for",
            r"could not configure (?:oidc|azurecli|managedidentity|msi|clientsecret|clientcert\S{0,20})? authorizer",
            r"building azurerm client",
            r"no authorizer could be configured",
            r"please ensure you have installed azure cli version",
            r"building account: could not acquire access token",
        ],
        points_to: &["WI779", "WI101", "WI401"],
        means: "Terraform's azurerm provider found no credential that works; it does workload identity only where it is told to.",
        causes: &[
            "ARM_USE_AKS_WORKLOAD_IDENTITY=true (or use_aks_workload_identity), or ARM_USE_OIDC with ARM_OIDC_TOKEN_FILE_PATH, is missing in the runner",
            "ARM_CLIENT_ID, ARM_TENANT_ID or ARM_SUBSCRIPTION_ID is missing",
            "the runner's pods are not mutated",
        ],
        ..OTHER
    },
    Signature {
        id: "access-token-expired",
        kind: Kind::Elsewhere,
        code: "WI807",
        class: Some(Class::Application),
        points_to: &["WI775", "WI776"],
        patterns: &[
            r"expiredauthenticationtoken",
            r"lifetime validation failed",
            r"\[tokenexpired\] error validating token",
            r"access token expiry utc time '?\S{1,40}'? is earlier than current utc time",
        ],
        means: "The exchange worked; the application went on using an access token after its end.",
        causes: &[
            "the application, or an old release of it, keeps a token instead of asking its credential object each time",
        ],
        ..SIGNATURE
    },
];
