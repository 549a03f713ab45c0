//! The identity, its tenant, its cloud.

use super::{Confidence, ENTRY, Entry, Kind};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: 700_016,
        title: "Application was not found in the directory",
        kind: Kind::Client,
        meaning: "No application and no managed identity of this tenant has this client id.",
        causes: &[
            "a typo, or the client id of an identity that was deleted (one that was made anew has a new client id)",
            "the object (principal) id or the resource id was put where the client id belongs",
            "the identity lives in another tenant than AZURE_TENANT_ID",
            "a variable or a setting of the application overrides the annotation",
        ],
        actions: &[
            "az identity show --query '{clientId:clientId,tenantId:tenantId}' and put that client id into the account's annotation",
            "restart the pods",
        ],
        gives: Some("WI501"),
        points_to: &["WI501", "WI508", "WI509", "WI203", "WI108"],
        source: "Azure SDK troubleshooting guides; external-dns issue 4898",
        ..ENTRY
    },
    Entry {
        code: 70001,
        title: "The application is not found in the directory",
        kind: Kind::Client,
        meaning: "The older form of 700016: nobody in this tenant has this client id.",
        causes: &["a wrong client id or a wrong tenant"],
        actions: &["compare the client id with the identity's"],
        gives: Some("WI501"),
        points_to: &["WI501", "WI508", "WI509", "WI203"],
        ..ENTRY
    },
    Entry {
        code: 7_000_229,
        title: "The client application is missing service principal in the tenant",
        kind: Kind::Client,
        meaning: "The app registration exists, but has no service principal in this tenant.",
        causes: &[
            "the service principal was never made, or was deleted",
            "a multi-tenant application without consent in this tenant",
        ],
        actions: &["az ad sp create --id CLIENT-ID"],
        points_to: &["WI501", "WI509"],
        ..ENTRY
    },
    Entry {
        code: 7_000_112,
        title: "The application is disabled",
        kind: Kind::Client,
        meaning: "Somebody has switched the service principal off.",
        causes: &["the enterprise application's sign-in is disabled"],
        actions: &["enable it, or ask who disabled it and why"],
        points_to: &["WI501"],
        ..ENTRY
    },
    Entry {
        code: 500_014,
        title: "The service principal for the resource is disabled",
        kind: Kind::Client,
        meaning: "The resource that the token is for is disabled in this tenant.",
        causes: &["the enterprise application of the resource is disabled, or the subscription lapsed"],
        actions: &["enable the resource's service principal"],
        ..ENTRY
    },
    Entry {
        code: 501_051,
        title: "The application is not assigned to a role for the resource",
        kind: Kind::Client,
        meaning: "The exchange works; the resource's application admits assigned applications only.",
        causes: &["`assignment required` is on, and this identity has no app role"],
        actions: &["assign an app role of the resource to the identity's service principal"],
        points_to: &["WI601"],
        ..ENTRY
    },
    Entry {
        code: 50105,
        title: "The signed in user is not assigned to a role for the application",
        kind: Kind::Client,
        meaning: "The resource's application admits assigned users and applications only.",
        causes: &["no app role is assigned"],
        actions: &["assign an app role of the resource to the identity's service principal"],
        points_to: &["WI601"],
        ..ENTRY
    },
    Entry {
        code: 65001,
        title: "Consent is missing",
        kind: Kind::Client,
        meaning: "The application has no permission for the resource.",
        causes: &["no administrator has granted the application permission"],
        actions: &["grant the application permission and its admin consent"],
        points_to: &["WI601"],
        ..ENTRY
    },
    Entry {
        code: 650_056,
        title: "Misconfigured application",
        kind: Kind::Client,
        meaning: "The resource is not listed among the application's permissions, or nobody consented.",
        causes: &["the app registration lists no permission for this resource"],
        actions: &["add the permission and grant consent"],
        points_to: &["WI601"],
        ..ENTRY
    },
    Entry {
        code: 90002,
        title: "Tenant not found",
        kind: Kind::Tenant,
        meaning: "This cloud has no such tenant.",
        causes: &[
            "a wrong tenant id: the account's tenant-id annotation, the webhook's AZURE_TENANT_ID, or the application's own setting",
            "the tenant lives in another cloud than the authority host",
        ],
        actions: &[
            "compare the tenant id with az account show --query tenantId",
            "compare AZURE_AUTHORITY_HOST with the cloud",
        ],
        points_to: &["WI205", "WI310", "WI108", "WI509", "WI771"],
        source: "Microsoft Entra error codes; external-dns pull request 4418",
        ..ENTRY
    },
    Entry {
        code: 900_023,
        title: "Specified tenant identifier is neither a valid DNS name, nor a valid external domain",
        kind: Kind::Tenant,
        meaning: "What is sent as tenant is no tenant id at all.",
        causes: &[
            "a placeholder that was never filled in, such as ${AZURE_TENANT_ID}",
            "quotes or blanks around the id",
        ],
        actions: &["correct the webhook's AZURE_TENANT_ID, or the account's tenant-id annotation, and restart"],
        points_to: &["WI310", "WI205", "WI108"],
        ..ENTRY
    },
    Entry {
        code: 90038,
        title: "The tenant belongs to a national cloud",
        kind: Kind::Tenant,
        meaning: "The tenant exists, in another Azure cloud than the one that was asked.",
        causes: &["AZURE_AUTHORITY_HOST, or the webhook's AZURE_ENVIRONMENT, names another cloud"],
        actions: &["set the webhook's AZURE_ENVIRONMENT to the tenant's cloud and restart"],
        points_to: &["WI310", "WI108"],
        family: true,
        confidence: Confidence::Medium,
        ..ENTRY
    },
    Entry {
        code: 900_382,
        title: "Confidential Client is not supported in Cross Cloud request",
        kind: Kind::Tenant,
        meaning: "The tenant lives in another Azure cloud than the authority host.",
        causes: &["AZURE_AUTHORITY_HOST, or the webhook's AZURE_ENVIRONMENT, names another cloud"],
        actions: &["set the webhook's AZURE_ENVIRONMENT to the tenant's cloud and restart"],
        points_to: &["WI310", "WI108"],
        ..ENTRY
    },
    Entry {
        code: 900_432,
        title: "Confidential Client is not supported in Cross Cloud request",
        kind: Kind::Tenant,
        meaning: "The tenant lives in another Azure cloud than the authority host.",
        causes: &["AZURE_AUTHORITY_HOST, or the webhook's AZURE_ENVIRONMENT, names another cloud"],
        actions: &["set the webhook's AZURE_ENVIRONMENT to the tenant's cloud and restart"],
        points_to: &["WI310", "WI108"],
        ..ENTRY
    },
    Entry {
        code: 900_439,
        title: "The tenant belongs to another cloud",
        kind: Kind::Tenant,
        meaning: "The tenant lives in another Azure cloud than the authority host.",
        causes: &["AZURE_AUTHORITY_HOST, or the webhook's AZURE_ENVIRONMENT, names another cloud"],
        actions: &["set the webhook's AZURE_ENVIRONMENT to the tenant's cloud and restart"],
        points_to: &["WI310", "WI108"],
        confidence: Confidence::Medium,
        ..ENTRY
    },
    Entry {
        code: 53003,
        title: "Access has been blocked by Conditional Access policies",
        kind: Kind::Policy,
        meaning: "A Conditional Access policy for workload identities blocks this service principal. Such policies cover single-tenant app registrations only, never managed identities.",
        causes: &[
            "a policy that allows certain addresses or risk levels only",
            "a person's login, where the credential in use is not workload identity",
        ],
        actions: &[
            "ask the tenant's administrator to look at the sign-in by its correlation id",
            "a managed identity is not covered: then another credential was used",
        ],
        ..ENTRY
    },
    Entry {
        code: 530_032,
        title: "Blocked by security policy",
        kind: Kind::Policy,
        meaning: "A policy of the tenant blocks the sign-in.",
        causes: &["a tenant-wide security policy"],
        actions: &["ask the tenant's administrator to look at the sign-in by its correlation id"],
        confidence: Confidence::Low,
        ..ENTRY
    },
    Entry {
        code: 50005,
        title: "Conditional Access does not support the device's platform",
        kind: Kind::Policy,
        meaning: "A person's login from a platform that a policy does not allow, mostly while making the federated credential from a Linux machine.",
        causes: &["a device policy covers the azwi or az login"],
        actions: &["make the credential from a compliant device or with a service principal"],
        source: "Azure/azure-workload-identity, known issues",
        ..ENTRY
    },
];
