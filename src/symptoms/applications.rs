//! Whose words these are, and what that changes about where to look.

use super::model::Kind;
use crate::text::pattern;
use regex::bytes::Regex;
use std::sync::LazyLock;

/// A known application, as its logs, events and conditions show it.
struct Application {
    name: &'static str,
    /// Squeezed text that only its own words have.
    marks: &'static str,
    /// What to inspect, where the text names no account.
    target: Option<&'static str>,
    /// Where to look first for a kind of failure.
    first: &'static [(Kind, &'static [&'static str])],
}

const APPLICATIONS: &[Application] = &[
    Application {
        name: "velero",
        marks: r"velero|backupstoragelocation|backup-storage-location|dataupload|podvolumebackup",
        target: Some("deployment/velero -n velero"),
        first: &[
            (Kind::NodeIdentity, &["WI101", "WI401", "WI703", "WI705", "WI301"]),
            (Kind::NotConfigured, &["WI101", "WI401", "WI703", "WI202", "WI301"]),
            (Kind::OtherCredential, &["WI701", "WI702", "WI109"]),
        ],
    },
    Application {
        name: "keda",
        marks: r"keda|scaledobject|scaledjob|triggerauthentication",
        target: Some("deployment/keda-operator -n keda"),
        first: &[
            (Kind::NodeIdentity, &["WI722", "WI720", "WI101", "WI401", "WI301"]),
            (Kind::NotConfigured, &["WI722", "WI101", "WI401", "WI301"]),
            (Kind::Summary, &["WI722", "WI101", "WI401", "WI301"]),
            (Kind::OtherCredential, &["WI724"]),
        ],
    },
    Application {
        name: "thanos",
        marks: r"thanos|caller=main\.go:[0-9]+\S{0,20}err=|loading bucket configuration",
        target: None,
        first: &[
            (Kind::NodeIdentity, &["WI740", "WI101", "WI742", "WI743", "WI401"]),
            (Kind::OtherCredential, &["WI741", "WI109"]),
        ],
    },
    Application {
        name: "loki",
        marks: r"\bloki|use_federated_token|caller=(?:table_manager|index_set|bucket_client)\.go",
        target: None,
        first: &[(Kind::NodeIdentity, &["WI774", "WI101", "WI401"]), (Kind::OtherCredential, &["WI774"])],
    },
    Application {
        name: "mimir",
        marks: r"\bmimir",
        target: None,
        first: &[(Kind::NodeIdentity, &["WI776", "WI101", "WI401"]), (Kind::OtherCredential, &["WI776"])],
    },
    Application {
        name: "tempo",
        marks: r"\btempodb|grafana/tempo",
        target: None,
        first: &[(Kind::NodeIdentity, &["WI776", "WI101", "WI401"]), (Kind::OtherCredential, &["WI776"])],
    },
    Application {
        name: "external-secrets",
        marks: r"external-?secret|secretstore|clustersecretstore|providers\.azure\.keyvault",
        target: Some("deployment/external-secrets -n external-secrets"),
        first: &[(Kind::NodeIdentity, &["WI770", "WI101", "WI401"]), (Kind::OtherCredential, &["WI770", "WI109"])],
    },
    Application {
        name: "external-dns",
        marks: r"external-?dns|azure-private-dns|dns\.(?:zones|recordsets)client|failed to create a workload identity token",
        target: None,
        first: &[
            (Kind::NodeIdentity, &["WI771", "WI101", "WI775", "WI401"]),
            (Kind::PodIdentity, &["WI771", "WI101", "WI309"]),
            (Kind::NotConfigured, &["WI202", "WI101", "WI401", "WI204", "WI301"]),
            (Kind::OtherCredential, &["WI771", "WI109"]),
        ],
    },
    Application {
        name: "cert-manager",
        marks: r"cert-manager|azuredns\.go|_acme-challenge|clusterissuer|acme-challenge",
        target: Some("deployment/cert-manager -n cert-manager"),
        first: &[
            (Kind::NodeIdentity, &["WI101", "WI401", "WI772", "WI775"]),
            (Kind::OtherCredential, &["WI772", "WI109"]),
        ],
    },
    Application {
        name: "secrets-store-csi",
        marks: r"secrets-store|secretproviderclass|secrets store objects",
        target: None,
        first: &[(Kind::NodeIdentity, &["WI773"]), (Kind::OtherCredential, &["WI773"])],
    },
    Application {
        name: "flux",
        marks: r"source-controller|ocirepository|helmrepository|image-reflector|kustomize-controller|toolkit\.fluxcd",
        target: None,
        first: &[(Kind::NodeIdentity, &["WI775", "WI101", "WI401"])],
    },
    Application {
        name: "dapr",
        marks: r"daprd|dapr\.io|components-contrib|init_component",
        target: None,
        first: &[
            (Kind::NodeIdentity, &["WI101", "WI401", "WI107", "WI776"]),
            (Kind::NotConfigured, &["WI101", "WI401", "WI107", "WI776"]),
        ],
    },
    Application { name: "argo-cd", marks: r"argocd|argo-cd|argoproj", target: None, first: &[] },
    Application {
        name: "azure-storage-csi",
        marks: r"azstorage|blobfuse|(?:blob|file)\.csi\.azure",
        target: None,
        first: &[(Kind::NodeIdentity, &["WI778"]), (Kind::OtherCredential, &["WI778"])],
    },
    Application {
        name: "azure-app-configuration",
        marks: r"azureappconfigurationprovider|az-appconfig|azappconfig",
        target: None,
        first: &[(Kind::NodeIdentity, &["WI776", "WI101", "WI401"])],
    },
    Application {
        name: "crossplane-provider-azure",
        marks: r"upbound|crossplane|oidctokenfile",
        target: None,
        first: &[(Kind::TokenFile, &["WI110", "WI775", "WI401", "WI101"])],
    },
    Application {
        name: "terraform",
        marks: r"terraform|opentofu|azurerm|hashicorp|go-azure-sdk",
        target: None,
        first: &[
            (Kind::NodeIdentity, &["WI779", "WI101", "WI401"]),
            (Kind::NotConfigured, &["WI779", "WI101", "WI401"]),
            (Kind::OtherCredential, &["WI779", "WI109"]),
        ],
    },
    Application {
        name: "prometheus",
        marks: r"remote_write|remote_name|component=remote|prometheus",
        target: None,
        first: &[(Kind::TokenFile, &["WI110", "WI775", "WI401", "WI101"])],
    },
];

static MARKS: LazyLock<Vec<Regex>> =
    LazyLock::new(|| APPLICATIONS.iter().map(|application| pattern(application.marks)).collect());

/// The application whose words a squeezed text has.
pub(super) fn recognise(text: &[u8]) -> Option<&'static str> {
    APPLICATIONS.iter().zip(MARKS.iter()).find(|(_, marks)| marks.is_match(text)).map(|(known, _)| known.name)
}

/// The known application of this name.
pub(super) fn known(name: &str) -> Option<&'static str> {
    APPLICATIONS.iter().map(|application| application.name).find(|known| *known == name)
}

/// What to inspect, where the text names no account.
pub(super) fn target(name: &str) -> Option<&'static str> {
    APPLICATIONS.iter().find(|application| application.name == name).and_then(|application| application.target)
}

/// Where to look first for a kind of failure of this application.
pub(super) fn first(name: &str, kind: Kind) -> &'static [&'static str] {
    APPLICATIONS
        .iter()
        .find(|application| application.name == name)
        .and_then(|application| application.first.iter().find(|(of, _)| *of == kind))
        .map_or(&[], |(_, codes)| codes)
}

/// Where to look first where it used a key.
pub(super) fn key_first(name: &str) -> &'static [&'static str] {
    match name {
        "velero" => &["WI702"],
        "thanos" => &["WI741"],
        "keda" => &["WI724"],
        "loki" => &["WI774"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symptoms::codes;

    #[test]
    fn marks_compile_and_codes_are_known() {
        assert_eq!(MARKS.len(), APPLICATIONS.len());
        for application in APPLICATIONS {
            for code in application.first.iter().flat_map(|(_, codes)| *codes) {
                assert!(!codes::question(code).is_empty(), "{}: {code}", application.name);
            }
        }
        assert_eq!(recognise(b"backupstoragelocation"), Some("velero"));
        assert_eq!(recognise(b"nothing"), None);
    }
}
