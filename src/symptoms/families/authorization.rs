//! Identity works, and something behind it refuses: a role that is missing (WI804), or a firewall (WI808).
//!
//! Azure's services word the two alike. A storage account says `AuthorizationPermissionMismatch` where a role is
//! missing and `AuthorizationFailure` where its network rules refuse; Key Vault says `ForbiddenByRbac` and
//! `ForbiddenByFirewall`. No role helps against a firewall.

use crate::symptoms::commands::Next;
use crate::symptoms::model::Kind;
use crate::symptoms::signature::{SIGNATURE, Signature};

const ROLE: Signature = Signature {
    kind: Kind::Roles,
    code: "WI804",
    points_to: &["WI601"],
    causes: &[
        "the identity has no role that allows this action, at a scope that covers the resource",
        "the role was assigned a moment ago: it takes up to ten minutes",
        "the role was assigned to the client id instead of the object (principal) id, or to another identity: compare the object id in the text",
    ],
    next: &[Next::RoleAssignments, Next::AssignRole, Next::Inspect],
    ..SIGNATURE
};

const FIREWALL: Signature = Signature {
    kind: Kind::Firewall,
    code: "WI808",
    points_to: &[],
    causes: &[
        "the resource's firewall admits chosen networks only, and the cluster's is not among them",
        "public network access is off, and the name does not resolve to the private endpoint from here",
        "no role will help: look at the resource's networking",
    ],
    next: &[Next::Run("az resource show --ids RESOURCE-ID --query properties.publicNetworkAccess"), Next::Inspect],
    ..SIGNATURE
};

const AZURE_HOST: &str = r"\.core\.(?:windows|usgovcloudapi|chinacloudapi)\.|\.vault\.(?:azure|usgov)|management\.(?:azure|usgov|chinacloud)|servicebus\.|azconfig\.io|documents\.azure|azurecr\.|digitaltwins|cognitiveservices|openai\.azure|database\.windows|search\.windows|eventgrid|monitor\.azure|ingest\.monitor";

pub(in crate::symptoms) const SIGNATURES: &[Signature] = &[
    Signature {
        id: "storage-firewall",
        patterns: &[
            r"authorizationfailure(?:[^s]|$)",
            r"this request is not authorized to perform this operation(?:[.'<,]|$)",
        ],
        unless: &[r"authorizationpermissionmismatch|using this permission|using this resource type|using this service"],
        reach: (200, 300),
        probable: true,
        means: "The storage account refuses the request although its token is good: its network rules, most probably. A missing role would be AuthorizationPermissionMismatch.",
        ..FIREWALL
    },
    Signature {
        id: "key-vault-firewall",
        patterns: &[
            r"forbiddenbyfirewall",
            r"forbiddenbyconnection",
            r"client address is not authorized and caller is not a trusted service",
        ],
        means: "The Key Vault's firewall refuses the address of this request.",
        ..FIREWALL
    },
    Signature {
        id: "public-access-disabled",
        patterns: &[
            r"public (?:network)? access is (?:disabled|not allowed|not permitted)",
            r"deny public network access is set to yes",
            r"connection is not an approved private link",
            r"publicnetworkaccess (?:is)? disabled",
            r"access denied due to virtual network/firewall rules",
        ],
        unless: &[r"on this storage account"],
        reach: (40, 60),
        means: "The resource takes private connections only, and this one is not.",
        ..FIREWALL
    },
    Signature {
        id: "address-refused",
        patterns: &[
            r"ip has been prevented to connect to the endpoint",
            r"ip address has been prevented",
            r"blocked by your cosmos db account firewall settings",
            r"request originated from (?:client)? ip \S{1,60} through public internet",
            r"client with ip (?:address)? '?\S{1,60}? '? is not allowed",
            r"no pg_hba\.conf entry for host",
            r"sourceipnotallowed|ipauthorizationerror",
        ],
        means: "The resource's firewall refuses the address that the cluster goes out with.",
        ..FIREWALL
    },
    Signature {
        id: "arm-denied",
        patterns: &[
            r"authorizationfailed",
            r"does not have (?:authorization|permission)s? to perform action",
            r"linkedauthorizationfailed",
        ],
        unless: &[r"listkeys|not perform-authorization|imagepull"],
        reach: (500, 700),
        gives: Some("WI601"),
        means: "Azure's resource manager knows the identity and refuses the action: a role is missing.",
        ..ROLE
    },
    Signature {
        id: "storage-denied",
        patterns: &[
            r"authorizationpermissionmismatch",
            r"not authorized to perform this operation using this permission",
            r"insufficientaccountpermissions",
        ],
        gives: Some("WI601"),
        means: "The storage account knows the identity and refuses the operation: a data role is missing (Owner and Contributor do not cover data).",
        ..ROLE
    },
    Signature {
        id: "key-vault-denied",
        patterns: &[
            r"forbiddenbyrbac",
            r"forbiddenbypolicy",
            r"caller is not authorized to perform action on resource",
            r"does not have (?:secrets|keys|certificates|storage) [a-z,]{2,40} permission",
        ],
        gives: Some("WI601"),
        means: "The Key Vault knows the identity and refuses: a role is missing, or an access policy where the vault uses those.",
        causes: &[
            "the vault uses roles (enableRbacAuthorization) and the identity has none, such as Key Vault Secrets User",
            "the vault uses access policies and has none for this identity",
            "the role was assigned a moment ago: it takes up to ten minutes",
            "the object id in the text is another identity's than the intended one",
        ],
        ..ROLE
    },
    Signature {
        id: "messaging-denied",
        patterns: &[
            r"unauthorized access\. '[a-z,]{4,30}' claim",
            r"[a-z,]{4,30}claim(?:s|\(s\))? (?:are|is)? required to perform",
            r"manage,entityread claims? required",
            r"amqp:unauthorized-access",
            r"unauthorizedaccess(?:exception)?: .{0,200} servicebus\.",
        ],
        gives: Some("WI601"),
        means: "Service Bus or Event Hubs knows the identity and refuses: a data role is missing.",
        causes: &[
            "the identity has no data role on the namespace or the entity (KEDA reads the entity's properties, which needs the right to manage)",
            "the role was assigned a moment ago: it takes up to ten minutes",
            "another identity was used than intended: KEDA 2.9.2 may take the node's (upgrade to 2.9.3 or later)",
        ],
        ..ROLE
    },
    Signature {
        id: "cosmos-denied",
        patterns: &[r"does not have required rbac permissions to perform action", r"request blocked by auth \S{1,60}"],
        gives: Some("WI601"),
        means: "Cosmos DB knows the identity and refuses: one of its own data roles is missing (az cosmosdb sql role assignment create).",
        ..ROLE
    },
    Signature {
        id: "graph-denied",
        patterns: &[r"authorization_requestdenied", r"insufficient privileges to complete the operation"],
        means: "Microsoft Graph knows the identity and refuses: an application permission is missing.",
        causes: &[
            "the application permission is not granted to the identity's service principal (an app role assignment; a managed identity needs Graph or PowerShell for it)",
        ],
        next: &[Next::Inspect],
        ..ROLE
    },
    Signature {
        id: "data-action-denied",
        patterns: &[
            r"lacks the required data action",
            r"principal does not have access to api/operation",
            r"does not have access to ingest data for the data collection rule",
            r"insufficientaccesserror",
            r"tf400813:",
            r"principal '\S{1,120}' is not authorized to",
        ],
        gives: Some("WI601"),
        means: "The service knows the identity and refuses the operation: a role for its data is missing.",
        ..ROLE
    },
    Signature {
        id: "database-user-missing",
        patterns: &[
            r"login failed for user '?<?token-identified principal",
            r"(?:azure ad|microsoft entra|entra id|aad) \S{0,20} token \S{0,60} (?:not valid|not allowed|invalid) \S{0,40} role",
            r"password authentication failed for user \S{1,80} .{0,120} (?:access token|entra|azure ad)",
            r"the access token does not belong to user",
        ],
        means: "The database takes the token and does not know its principal: no user was created for the identity.",
        causes: &[
            "the identity is no user of the database (CREATE USER [name] FROM EXTERNAL PROVIDER; pgaadauth_create_principal)",
            "the user name that the application sends is not the identity's name",
        ],
        next: &[Next::Inspect],
        ..ROLE
    },
    Signature {
        id: "forbidden",
        patterns: &[
            r"(?:respon[sd]e?|status(?: code)?)['\x22]?[:=]?['\x22]? 403",
            r"403:? \(?(?:forbidden|this request is not authorized)",
            r"http(?:/\S{1,3})? 403",
        ],
        near: &[AZURE_HOST],
        unless: &[
            r"authorizationfail|authorizationpermission|forbiddenby|listkeys|169\.254|authenticationfailed|keybasedauth|firewall|public (?:network)? access|aadsts|metadata/identity|permission on key vault|claim|nmi|does not have",
        ],
        reach: (600, 900),
        probable: true,
        means: "An Azure service refuses the request with 403, without saying whether a role is missing or its network rules refuse.",
        causes: &["the identity has no role for the operation", "the resource's firewall does not admit the cluster"],
        ..ROLE
    },
];
