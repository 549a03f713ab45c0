//! No federated credential fits, or Entra cannot check the issuer.

use super::{Confidence, ENTRY, Entry, Kind};

const COMPARE: &str = "compare issuer, subject and audience of the credential with the token's, byte for byte";
const PROPAGATION: &str =
    "a credential that was made minutes ago: Entra needs up to several minutes, and asking too early can delay it";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: 70021,
        title: "No matching federated identity record found for presented assertion",
        kind: Kind::Federation,
        meaning: "The identity has federated credentials or could have, but none with this issuer, subject and audience. An older, general form: since 2023 Entra names the field (700211, 700212, 700213).",
        causes: &[
            "no credential for this issuer and subject on this identity",
            "the issuer's last slash is missing in the credential, or the cluster was created anew and has another issuer",
            "the pod runs as another account, or in another namespace, than the credential's subject says",
            PROPAGATION,
        ],
        actions: &[COMPARE, "create the credential that is missing, or correct the one that nearly fits"],
        gives: Some("WI502"),
        points_to: &["WI502", "WI503", "WI504", "WI505", "WI105"],
        family: true,
        source: "Azure/azure-workload-identity, troubleshooting; issues 340, 616, 977",
        ..ENTRY
    },
    Entry {
        code: 700_211,
        title: "No matching federated identity record found for presented assertion issuer",
        kind: Kind::Federation,
        meaning: "No federated credential of this identity has the issuer of this cluster.",
        causes: &[
            "the slash at the end: AKS issuers have one, the credential has none",
            "the cluster was created anew: its issuer has a new id, the credentials still name the old one",
            "the credential was made for another cluster",
            "the OIDC issuer was enabled after the pod started, whose token still has the old issuer",
        ],
        actions: &[
            "set the credential's issuer to the one that the message presents",
            "restart the pods where the issuer was changed",
        ],
        gives: Some("WI503"),
        points_to: &["WI503", "WI502", "WI413"],
        family: true,
        source: "Azure/azure-workload-identity issues 1200, 1700",
        ..ENTRY
    },
    Entry {
        code: 700_212,
        title: "No matching federated identity record found for presented assertion audience",
        kind: Kind::Federation,
        meaning: "Issuer and subject fit a credential, its audience is not the token's.",
        causes: &[
            "the credential has another audience than api://AzureADTokenExchange (one of another cloud, for example)",
            "the token is for api://AKSIdentityBinding: the pod is in identity binding mode and the SDK does not use its proxy",
            "a token volume of the pod's own with another audience",
        ],
        actions: &["make both the same; the webhook projects api://AzureADTokenExchange in every cloud"],
        gives: Some("WI505"),
        points_to: &["WI505", "WI115", "WI114", "WI415"],
        family: true,
        source: "Azure SDK troubleshooting guides; terraform-provider-azuread issue 1755",
        ..ENTRY
    },
    Entry {
        code: 7_002_121,
        title: "No matching federated identity record found for presented assertion audience",
        kind: Kind::Federation,
        meaning: "A variant of 700212: the credential's audience is not the token's.",
        causes: &["as for 700212"],
        actions: &["make both audiences the same"],
        gives: Some("WI505"),
        points_to: &["WI505", "WI115", "WI114", "WI415"],
        confidence: Confidence::Medium,
        source: "public reports",
        ..ENTRY
    },
    Entry {
        code: 700_213,
        title: "No matching federated identity record found for presented assertion subject",
        kind: Kind::Federation,
        meaning: "A credential with the cluster's issuer exists, none with the account that the pod runs as.",
        causes: &[
            "the credential's subject names another namespace or service account",
            "the pod runs as another account than intended, often `default`",
            "an operator uses its own account (KEDA, external-secrets, cert-manager), not the workload's",
            "where it comes and goes with a credential that fits: Entra itself, in about 2 of 100 requests",
        ],
        actions: &[
            "set the credential's subject to the one that the message presents, or run the pods as the account that it names",
            "where the credential fits: ask three times or more before changing anything",
        ],
        gives: Some("WI504"),
        points_to: &["WI504", "WI105", "WI502", "WI419"],
        family: true,
        source: "Azure/azure-workload-identity issue 1200; kedacore/keda issue 8152",
        ..ENTRY
    },
    Entry {
        code: 7_002_137,
        title: "No matching federated identity record found for presented assertion subject",
        kind: Kind::Federation,
        meaning: "The subject of the token is not the credential's, and Entra says which it expects.",
        causes: &["the credential's subject is another one; seen where managed identities are the assertion"],
        actions: &["set the credential's subject to the one that is presented"],
        gives: Some("WI504"),
        points_to: &["WI504"],
        source: "microsoft/Agents issue 202",
        ..ENTRY
    },
    Entry {
        code: 7_002_138,
        title: "No matching federated identity record found for presented assertion subject",
        kind: Kind::Federation,
        meaning: "Subject or issuer differ from a credential in upper and lower case only; since February 2025 case counts.",
        causes: &["the credential was written with other capitals than Kubernetes uses"],
        actions: &["write the credential anew with exactly the characters that the message presents"],
        gives: Some("WI504"),
        points_to: &["WI504", "WI503"],
        source: "Microsoft Entra breaking changes, 2025; Azure/login issues 515, 517",
        ..ENTRY
    },
    Entry {
        code: 7_002_203,
        title: "No matching federated identity record found",
        kind: Kind::Federation,
        meaning: "A variant seen with agent identities: no credential fits.",
        causes: &["issuer, subject or audience of the credential differ from the token's"],
        actions: &[COMPARE],
        points_to: &["WI502", "WI503", "WI504"],
        confidence: Confidence::Low,
        source: "one public report",
        ..ENTRY
    },
    Entry {
        code: 70025,
        title: "The client has no configured federated identity credentials",
        kind: Kind::Federation,
        meaning: "The client id is right in so far as it exists, but the identity has no federated credential at all.",
        causes: &[
            "the credential was never made, or made on another identity",
            "the client id in the annotation is another identity's",
        ],
        actions: &["check that the client id is the intended identity's", "create the federated credential on it"],
        gives: Some("WI502"),
        points_to: &["WI502", "WI203", "WI108"],
        source: "public reports; Azure SDK issues",
        ..ENTRY
    },
    Entry {
        code: 700_223,
        title: "Workload identity federation is disabled by a policy of the tenant",
        kind: Kind::Policy,
        meaning: "A policy of the tenant forbids federated credentials for this application.",
        causes: &["an application management policy of the tenant"],
        actions: &["ask the tenant's administrator for an exception, or use a user-assigned managed identity"],
        family: true,
        confidence: Confidence::Medium,
        source: "Microsoft, Azure DevOps: workload identity federation",
        ..ENTRY
    },
    Entry {
        code: 700_238,
        title: "Tokens issued by this issuer may not be used for federated identity credentials in this tenant",
        kind: Kind::Policy,
        meaning: "A policy of the tenant lists the issuers that may be trusted, and this cluster's is not among them.",
        causes: &["an application management policy that restricts the issuers of federated credentials"],
        actions: &["ask the tenant's administrator to allow the cluster's issuer"],
        family: true,
        confidence: Confidence::Medium,
        source: "Microsoft, Azure DevOps: workload identity federation",
        ..ENTRY
    },
    Entry {
        code: 7_002_381,
        title: "Federated credentials of this issuer must contain the enterprise claim",
        kind: Kind::Policy,
        meaning: "A policy of the tenant asks for a claim that only GitHub's tokens have: this is no pod's token.",
        causes: &["a token of GitHub Actions, and a policy about them"],
        actions: &["look at the pipeline, not at the cluster"],
        confidence: Confidence::Low,
        source: "public reports",
        ..ENTRY
    },
    Entry {
        code: 7_000_272,
        title: "The key that signed the assertion was not found among the issuer's keys",
        kind: Kind::Issuer,
        meaning: "The token names a key (kid) that the issuer does not publish, as far as Entra has fetched it.",
        causes: &[
            "the signing key was changed and the published key set is still the old one (self-managed clusters)",
            "the key was rotated a moment ago and Entra still has the old set",
            "two clusters share one issuer",
        ],
        actions: &["publish the new key before signing with it", "after a rotation on AKS wait, and restart the pods"],
        points_to: &["WI416", "WI308"],
        source: "Azure/azure-workload-identity issue 1232",
        ..ENTRY
    },
    Entry {
        code: 90061,
        title: "Request to External OIDC endpoint failed",
        kind: Kind::Issuer,
        meaning: "Entra could not fetch the issuer's discovery document or keys. Entra fetches them from the internet, not from your network.",
        causes: &[
            "the issuer is private, behind a firewall, or the in-cluster default",
            "the storage account that publishes it forbids anonymous access",
            "an AKS issuer that was not set up to its end",
        ],
        actions: &[
            "fetch ISSUER/.well-known/openid-configuration from outside, without credentials",
            "on AKS: az aks update, which reconciles the issuer",
        ],
        points_to: &["WI308", "WI307"],
        source: "Azure/azure-workload-identity, troubleshooting; issues 605, 642, 1130",
        ..ENTRY
    },
    Entry {
        code: 50166,
        title: "Request to External OIDC endpoint failed",
        kind: Kind::Issuer,
        meaning: "The newer form of 90061: Entra could not fetch the issuer's documents.",
        causes: &["the issuer is private, behind a firewall, or answers with an error"],
        actions: &["fetch ISSUER/.well-known/openid-configuration from outside, without credentials"],
        points_to: &["WI308", "WI307"],
        family: true,
        source: "Azure/azure-workload-identity issues; Azure/AKS issue 4029",
        ..ENTRY
    },
    Entry {
        code: 501_661,
        title: "Request to External OIDC endpoint failed",
        kind: Kind::Issuer,
        meaning: "A variant of 50166: the issuer's endpoint cannot be reached.",
        causes: &["the issuer is private, behind a firewall, or answers with an error"],
        actions: &["fetch ISSUER/.well-known/openid-configuration from outside, without credentials"],
        points_to: &["WI308", "WI307"],
        confidence: Confidence::Medium,
        source: "public reports",
        ..ENTRY
    },
    Entry {
        code: 900_612,
        title: "Failed to parse provider signing keys",
        kind: Kind::Issuer,
        meaning: "Entra fetched the issuer's key set and could not read it.",
        causes: &["the published key set is malformed, or has keys that are not RSA"],
        actions: &["publish the key set anew (azwi jwks, or the API server's /openid/v1/jwks)"],
        points_to: &["WI308", "WI311"],
        source: "public reports",
        ..ENTRY
    },
];
