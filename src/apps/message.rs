//! What an application's status says about its failure.

/// The class of a failure, and the rules that it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// What kind of failure it is.
    pub class: Class,
    /// In words.
    pub says: &'static str,
    /// Codes of the rules that explain it.
    pub points_to: &'static [&'static str],
}

/// What kind of failure a text tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// No token was got.
    Identity,
    /// A token was got, and a role is missing.
    Authorization,
    /// The resource's firewall refuses.
    Firewall,
    /// Something else.
    Elsewhere,
}

impl Class {
    /// Whether it is about identity, authorization or Azure credentials.
    pub fn is_about_identity(self) -> bool {
        self != Self::Elsewhere
    }
}

/// Words, and what they mean; the first that a text contains counts.
const MEANINGS: &[(&[&str], Class, &str, &[&str])] = &[
    (&["aadsts700213"], Class::Identity, "Entra found no federated credential with this subject", &["WI504"]),
    (&["aadsts700211"], Class::Identity, "Entra found no federated credential with this issuer", &["WI503"]),
    (&["aadsts700212"], Class::Identity, "Entra found no federated credential with this audience", &["WI505"]),
    (
        &["aadsts70021", "aadsts70025"],
        Class::Identity,
        "the identity has no federated credential for this token",
        &["WI502"],
    ),
    (&["aadsts700016"], Class::Identity, "Entra knows no application with this client id in this tenant", &["WI501"]),
    (&["aadsts90002"], Class::Identity, "Entra knows no such tenant", &["WI509"]),
    (
        &["aadsts700024"],
        Class::Identity,
        "the assertion had expired: the token file was read once and kept",
        &["WI421"],
    ),
    (&["aadsts"], Class::Identity, "Entra refused the token", &["WI418"]),
    (
        &[
            "no client id specified",
            "missing clientid",
            "missing service account annotation",
            "clientid is not set",
            "clientid was omitted",
        ],
        Class::Identity,
        "the SDK was given no client id",
        &["WI202"],
    ),
    (
        &[
            "no token file specified",
            "no token source specified",
            "no tenant id specified",
            "sources must contain at least one tokencredential",
            "azure_federated_token_file",
            "unable to read token file",
        ],
        Class::Identity,
        "the process was given no token: its pod was not mutated",
        &["WI101", "WI401"],
    ),
    (
        &["list storage account access keys", "listkeys", "failed to get storage account access key"],
        Class::Authorization,
        "the keys of the storage account were asked for instead of a token for the data",
        &["WI702", "WI601"],
    ),
    (
        &[
            "169.254.169.254",
            "managedidentitycredential",
            "identity not found",
            "requested identity isn't assigned",
            "managed identity timed out",
        ],
        Class::Identity,
        "the node's metadata endpoint was asked instead of exchanging the token",
        &["WI101", "WI401", "WI801"],
    ),
    (
        &["no azure identity found for request clientid", "getting assigned identities for pod"],
        Class::Identity,
        "aad-pod-identity answered instead of Entra",
        &["WI309"],
    ),
    (
        &[
            "defaultazurecredential",
            "chainedtokencredential",
            "workloadidentitycredential",
            "environmentcredential",
            "clientsecretcredential",
        ],
        Class::Identity,
        "no credential of the SDK's chain worked",
        &["WI101", "WI202"],
    ),
    (
        &[
            "failed to acquire a token",
            "failed to refresh token",
            "failed to refresh the token",
            "failed to get credentials",
        ],
        Class::Identity,
        "no token was got",
        &["WI101", "WI202"],
    ),
    (
        &[
            "forbiddenbyfirewall",
            "not authorized to perform this operation using this source ip",
            "publicnetworkaccessdisabled",
        ],
        Class::Firewall,
        "the resource's firewall refuses; no role will help",
        &["WI808"],
    ),
    (
        &[
            "authorizationpermissionmismatch",
            "forbiddenbyrbac",
            "does not have authorization to perform action",
            "manage,entityread claims",
            "insufficientaccountpermissions",
            "does not have secrets get permission",
            "authorizationfailed",
        ],
        Class::Authorization,
        "identity works, a role is missing",
        &["WI601"],
    ),
    (
        &["storage account access key with key", "keybasedauthenticationnotpermitted"],
        Class::Authorization,
        "an account key was used that is not there or not permitted",
        &["WI702"],
    ),
    (
        &["unable to resolve an endpoint", "aadsts_unknown"],
        Class::Identity,
        "the authority could not be asked",
        &["WI420", "WI775"],
    ),
    (
        &["environment variables. azure_client_id", "no credentials provided for azure api", "invalidproviderconfig"],
        Class::Identity,
        "the application found no credential",
        &["WI101"],
    ),
];

/// What a text means; `None` for an empty one.
pub fn classify(text: &str) -> Option<Meaning> {
    let lower = text.to_lowercase();
    if lower.trim().is_empty() {
        return None;
    }
    let known = MEANINGS.iter().find(|(words, ..)| words.iter().any(|word| lower.contains(word)));
    Some(known.map_or(
        Meaning { class: Class::Elsewhere, says: "the failure is not about identity", points_to: &["WI807"] },
        |(_, class, says, points_to)| Meaning { class: *class, says, points_to },
    ))
}

/// A message on one line, short enough to be shown.
pub fn shorten(text: &str) -> String {
    const LONGEST: usize = 300;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    let cut: String = line.chars().take(LONGEST).collect();
    format!("{cut}...")
}
