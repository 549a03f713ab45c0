//! The reasons that two different values themselves show.

use super::Field;

/// A reason that the values themselves show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Only the expected value ends with a slash.
    SlashMissing,
    /// Only the found value ends with a slash.
    SlashExtra,
    /// The same letters in another case.
    Case,
    /// Blanks or line breaks at an end, or within.
    WhiteSpace,
    /// Quotes that belong to a shell or a YAML file.
    Quotes,
    /// Characters that look like others, or like nothing.
    Lookalike,
    /// A placeholder that nobody filled in.
    Placeholder,
    /// A wildcard: classic credentials store it literally and never match.
    Wildcard,
    /// `http` against `https`, or no scheme at all.
    Scheme,
    /// The address of the discovery document or the keys instead of the issuer.
    Document,
    /// The issuer that Kubernetes has where nobody set one; Entra cannot reach it.
    InCluster,
    /// An identity binding's issuer or audience (`ib.oic...`, `api://AKSIdentityBinding`).
    IdentityBinding,
    /// Another Azure cloud.
    Cloud,
    /// An AKS issuer of another region.
    Region,
    /// An AKS issuer with another tenant in its path.
    Tenant,
    /// An AKS issuer of another cluster: a new one of the same name has a new id.
    Cluster,
    /// The issuer of another host altogether.
    Host,
    /// No `system:serviceaccount:NAMESPACE:NAME`.
    SubjectForm,
    /// Namespace and account in the wrong order.
    Swapped,
    /// Another namespace.
    Namespace,
    /// Another account of the same namespace.
    Account,
    /// Another account of another namespace.
    NamespaceAndAccount,
    /// The audience of tokens for the API server.
    ApiServer,
}

impl Reason {
    /// A short name, for JSON and tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlashMissing => "slash-missing",
            Self::SlashExtra => "slash-extra",
            Self::Case => "case",
            Self::WhiteSpace => "white-space",
            Self::Quotes => "quotes",
            Self::Lookalike => "lookalike",
            Self::Placeholder => "placeholder",
            Self::Wildcard => "wildcard",
            Self::Scheme => "scheme",
            Self::Document => "document",
            Self::InCluster => "in-cluster",
            Self::IdentityBinding => "identity-binding",
            Self::Cloud => "cloud",
            Self::Region => "region",
            Self::Tenant => "tenant",
            Self::Cluster => "cluster",
            Self::Host => "host",
            Self::SubjectForm => "subject-form",
            Self::Swapped => "swapped",
            Self::Namespace => "namespace",
            Self::Account => "account",
            Self::NamespaceAndAccount => "namespace-and-account",
            Self::ApiServer => "api-server",
        }
    }

    /// The reason as a sentence. `found` and `expected` name the two sides: "the token", "the federated credential".
    pub fn sentence(self, found: &str, expected: &str) -> String {
        match self {
            Self::SlashMissing => format!("{found} lacks the slash at the end that {expected} has"),
            Self::SlashExtra => format!("{found} has a slash at the end that {expected} lacks"),
            Self::Case => format!("{found} and {expected} differ in upper and lower case only, and case counts"),
            Self::WhiteSpace => format!("{found} and {expected} differ in blanks or line breaks only"),
            Self::Quotes => "quotes of a shell or a YAML file have become part of the value".to_owned(),
            Self::Lookalike => "a character only looks like the right one, or cannot be seen at all".to_owned(),
            Self::Placeholder => "a placeholder was never filled in".to_owned(),
            Self::Wildcard => "a wildcard is stored literally and matches nothing".to_owned(),
            Self::Scheme => "an issuer begins with https://".to_owned(),
            Self::Document => {
                "the issuer is the address before /.well-known/ or /openid/, not the document's".to_owned()
            }
            Self::InCluster => "one of them is the in-cluster issuer, which Entra cannot reach".to_owned(),
            Self::IdentityBinding => "one of them belongs to an identity binding, the other does not".to_owned(),
            Self::Cloud => "they belong to different Azure clouds".to_owned(),
            Self::Region => "they are issuers of AKS clusters in different regions".to_owned(),
            Self::Tenant => "they are AKS issuers of different tenants".to_owned(),
            Self::Cluster => {
                "they are issuers of different AKS clusters (a cluster that is created anew gets a new one)".to_owned()
            }
            Self::Host => "they are issuers of different clusters".to_owned(),
            Self::SubjectForm => {
                "one of them is no system:serviceaccount:NAMESPACE:NAME, which every pod's token has".to_owned()
            }
            Self::Swapped => "namespace and account have changed places".to_owned(),
            Self::Namespace => format!("{found} names another namespace than {expected}"),
            Self::Account => format!("{found} names another service account than {expected}"),
            Self::NamespaceAndAccount => {
                format!("{found} names another namespace and another service account than {expected}")
            }
            Self::ApiServer => "one of them is meant for the Kubernetes API, not for Entra".to_owned(),
        }
    }
}

pub(super) fn find(field: Field, found: &str, expected: &str) -> Option<Reason> {
    let pair = [found, expected];
    if pair.iter().any(|value| value.contains("${") || (value.contains('<') && value.contains('>'))) {
        return Some(Reason::Placeholder);
    }
    if without(found, char::is_whitespace) == without(expected, char::is_whitespace) {
        return Some(Reason::WhiteSpace);
    }
    let quotes = |char: char| matches!(char, '"' | '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}');
    if without(found, quotes) == without(expected, quotes) {
        return Some(Reason::Quotes);
    }
    if found.is_ascii() != expected.is_ascii() {
        return Some(Reason::Lookalike);
    }
    if found.eq_ignore_ascii_case(expected) {
        return Some(Reason::Case);
    }
    match field {
        Field::Issuer => issuer_reason(found, expected),
        Field::Subject => Some(subject_reason(found, expected)),
        Field::Audience => audience_reason(found, expected),
        Field::Other => None,
    }
}

fn without(text: &str, drop: impl Fn(char) -> bool) -> String {
    text.chars().filter(|char| !drop(*char)).collect()
}

fn issuer_reason(found: &str, expected: &str) -> Option<Reason> {
    match (found.strip_suffix('/'), expected.strip_suffix('/')) {
        (Some(rest), None) if rest == expected => return Some(Reason::SlashExtra),
        (None, Some(rest)) if rest == found => return Some(Reason::SlashMissing),
        _ => {}
    }
    let pair = [found, expected];
    if pair.iter().any(|value| value.contains("/.well-known") || value.contains("/openid/v1/jwks")) {
        return Some(Reason::Document);
    }
    if pair.iter().any(|value| value.contains("kubernetes.default") || *value == "kubernetes/serviceaccount") {
        return Some(Reason::InCluster);
    }
    if pair.iter().any(|value| value.starts_with("http://") || !value.contains("://")) {
        return Some(Reason::Scheme);
    }
    let (found, expected) = (Issuer::read(found)?, Issuer::read(expected)?);
    if found.is_binding() != expected.is_binding() {
        return Some(Reason::IdentityBinding);
    }
    let (Some(found_aks), Some(expected_aks)) = (found.aks(), expected.aks()) else { return Some(Reason::Host) };
    if found_aks.cloud != expected_aks.cloud {
        return Some(Reason::Cloud);
    }
    // From the most to the least telling: another cluster has another id wherever it is.
    if found.path.last() != expected.path.last() {
        return Some(Reason::Cluster);
    }
    if found_aks.region != expected_aks.region {
        return Some(Reason::Region);
    }
    (found.path != expected.path).then_some(Reason::Tenant)
}

/// An issuer's host and the segments of its path.
struct Issuer<'a> {
    host: &'a str,
    path: Vec<&'a str>,
}

struct AksHost<'a> {
    region: &'a str,
    cloud: &'a str,
}

impl<'a> Issuer<'a> {
    fn read(value: &'a str) -> Option<Self> {
        let rest = value.split_once("://")?.1;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        Some(Self { host, path: path.split('/').filter(|segment| !segment.is_empty()).collect() })
    }

    fn is_binding(&self) -> bool {
        self.host.starts_with("ib.oic.")
    }

    /// `REGION.oic.prod-aks.azure.com`, and `.us` and `.cn`.
    fn aks(&self) -> Option<AksHost<'a>> {
        let (region, rest) = self.host.split_once(".oic.")?;
        Some(AksHost { region, cloud: rest.strip_prefix("prod-aks.azure.")? })
    }
}

fn subject_reason(found: &str, expected: &str) -> Reason {
    if [found, expected].iter().any(|value| value.contains('*') || value.contains('?')) {
        return Reason::Wildcard;
    }
    let (Some(found), Some(expected)) = (account(found), account(expected)) else { return Reason::SubjectForm };
    match (found.0 == expected.0, found.1 == expected.1) {
        (false, false) if found.0 == expected.1 && found.1 == expected.0 => Reason::Swapped,
        (false, false) => Reason::NamespaceAndAccount,
        (false, true) => Reason::Namespace,
        (true, _) => Reason::Account,
    }
}

/// Namespace and name of the service account that a subject stands for.
pub fn account(subject: &str) -> Option<(&str, &str)> {
    let (namespace, name) = subject.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

fn audience_reason(found: &str, expected: &str) -> Option<Reason> {
    const EXCHANGE: &str = "api://AzureADTokenExchange";
    let pair = [found, expected];
    if pair.iter().any(|value| value.contains("AKSIdentityBinding")) {
        return Some(Reason::IdentityBinding);
    }
    if pair.iter().all(|value| value.starts_with(EXCHANGE)) {
        return Some(Reason::Cloud);
    }
    if pair.iter().any(|value| value.contains("kubernetes.default") || value.contains(".hcp.")) {
        return Some(Reason::ApiServer);
    }
    pair.iter().any(|value| !value.contains("://") && EXCHANGE.ends_with(*value)).then_some(Reason::Scheme)
}
