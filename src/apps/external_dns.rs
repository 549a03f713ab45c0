//! external-dns with a provider of Azure.
//!
//! Sources: kubernetes-sigs/external-dns `provider/azure/config.go` at its tags, the Azure tutorials, bitnami/charts,
//! issues 1548, 2489, 4149, 4898 and 5199.

use super::config::{self, File};
use super::marks::{Marks, Sighting, Signs};
use super::version::{Chart, Version};
use super::{Application, Keep, Need, Part, RoleNeed, has_proxy};
use crate::chain::Chain;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::pod::Container;
use crate::model::settings::{Setting, Settings};
use crate::rules::{Needs, Reads, Report, Rule, rule};

/// external-dns.
#[derive(Debug)]
pub struct ExternalDns;

const LOOKS: &[Signs] = &[Signs {
    images: &["external-dns/external-dns", "bitnami/external-dns", "bitnamilegacy/external-dns"],
    names: &["external-dns"],
    charts: &["external-dns"],
    containers: &["external-dns"],
    workloads: &["external-dns"],
    ..Signs::NONE
}];

impl Application for ExternalDns {
    fn name(&self) -> &'static str {
        "external-dns"
    }

    fn title(&self) -> &'static str {
        "external-dns"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let sighting = marks.best(LOOKS)?;
        let providers =
            sighting.container.into_iter().flat_map(|c| &c.args).filter_map(|arg| arg.strip_prefix("--provider="));
        let mut providers = providers.peekable();
        // With a provider of another cloud, nothing of this applies.
        let other = providers.peek().is_some() && !providers.any(|provider| provider.starts_with("azure"));
        (!other).then_some(sighting)
    }

    fn version_of_chart(&self, chart: &Chart) -> Option<Version> {
        // The official chart's 1.13.1 brought 0.13.6.
        let official = chart.version.at_least(1, 13, 1) && !chart.version.at_least(2, 0, 0);
        official.then(|| Version::parse("0.13.6")).flatten()
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let asks = azure_json(part).filter(|file| file.settings.flag("useWorkloadIdentityExtension") == Some(true));
        Need::of(asks.map(|file| format!("{} sets useWorkloadIdentityExtension", file.object)).into_iter().collect())
    }

    fn passes_client_id(&self, part: &Part<'_>) -> Option<String> {
        let file = azure_json(part)?;
        file.settings.is_set("aadClientId").then(|| format!("{} sets aadClientId", file.object))
    }

    fn values(&self, part: &Part<'_>, keep: Keep) -> Option<String> {
        part.chart.as_ref().filter(|chart| chart.name == "external-dns")?;
        Some(match keep {
            Keep::PodLabel => "podLabels: {azure.workload.identity/use: \"true\"}".to_owned(),
            Keep::ClientId => {
                "serviceAccount: {annotations: {azure.workload.identity/client-id: CLIENT_ID}}".to_owned()
            }
            Keep::TenantId => {
                "serviceAccount: {annotations: {azure.workload.identity/tenant-id: TENANT_ID}}".to_owned()
            }
            Keep::AccountName => "serviceAccount: {create: false, name: SERVICE_ACCOUNT}".to_owned(),
            Keep::Automount => "serviceAccount: {automountServiceAccountToken: true}".to_owned(),
        })
    }

    fn roles(&self, part: &Part<'_>) -> Vec<RoleNeed> {
        let private = container(part).is_some_and(|c| c.args.iter().any(|arg| arg == "--provider=azure-private-dns"));
        vec![
            RoleNeed {
                role: if private { "Private DNS Zone Contributor" } else { "DNS Zone Contributor" },
                scope: "the DNS zone".to_owned(),
                why: "writing records",
                or: &["Contributor"],
                on: Vec::new(),
            },
            RoleNeed {
                role: "Reader",
                scope: "the resource group of the DNS zone".to_owned(),
                why: "listing zones",
                or: &["Contributor", "DNS Zone Contributor"],
                on: Vec::new(),
            },
        ]
    }

    fn secrets(&self, part: &Part<'_>) -> Vec<(String, String)> {
        let names = config::secrets_of(&part.workload.template.spec);
        names.into_iter().map(|name| (part.namespace().to_owned(), name.to_owned())).collect()
    }
}

fn container<'a>(part: &Part<'a>) -> Option<&'a Container> {
    let containers = &part.workload.template.spec.containers;
    containers.iter().find(|container| container.name == "external-dns").or_else(|| containers.first())
}

/// `azure.json`, where it was read.
fn azure_json(part: &Part<'_>) -> Option<File> {
    let container = container(part)?;
    let path = config::flag(container, "azure-config-file").unwrap_or("/etc/kubernetes/azure.json");
    config::file(part.inventory, part.namespace(), &part.workload.template.spec, container, path)
}

rule! {
    /// ## What it does
    /// Finds an `azure.json` of external-dns, or a release of it, that contradicts workload identity.
    ///
    /// ## Why it breaks
    /// external-dns takes `aadClientId` with `aadClientSecret` first, then workload identity where
    /// `useWorkloadIdentityExtension` is true, then the node's identity where `useManagedIdentityExtension` is.
    /// `userAssignedIdentityID` is ignored with workload identity; only `aadClientId` stands in for the injected client
    /// id. A `tenantId` in the file beats the injected one (`AADSTS90002`). Workload identity came with 0.13.6.
    ///
    /// ## How it is known
    /// From the file that `--azure-config-file` names, in a Secret or `ConfigMap`; of a Secret only names and ids are kept.
    /// With `useManagedIdentityExtension` and neither label, annotation nor the switch, the node's identity is a choice.
    ///
    /// ## Fix
    /// `{"tenantId": ..., "subscriptionId": ..., "resourceGroup": ..., "useWorkloadIdentityExtension": true}`
    ///
    /// ## Fix safety
    /// By hand: the file may hold values that this tool does not read. Restart external-dns afterwards.
    ///
    /// ## References
    /// - kubernetes-sigs/external-dns pull requests 3906 (0.13.6) and 4418; issues 4898 and 5199
    ExternalDnsConfig {
        code: "WI771",
        name: "external-dns-config",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects, Reads::Secrets, Reads::Webhook],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ExternalDnsConfig {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = chain.part("external-dns").filter(|_| chain.is_meant()) else { return };
        let _ = (chain.inventory(), chain.secrets());
        if part.older_than(0, 13, 6) {
            let version = part.version.as_ref().map(ToString::to_string).unwrap_or_default();
            report
                .add(
                    &part.workload.meta.object,
                    chain.template_path("/spec/containers"),
                    format!(
                        "external-dns {version} knows no workload identity, which came with 0.13.6; it asks the node"
                    ),
                )
                .level(if has_proxy(part) { Level::Warning } else { Level::Error })
                .fix(Fix::manual("upgrade external-dns to 0.13.6 or later"));
        }
        let Some(file) = azure_json(part).filter(|file| !file.settings.is_empty()) else { return };
        let injected = chain.injected();
        for (name, level, message) in
            judge(&file.settings, injected.client_id.as_deref(), injected.tenant_id.as_deref())
        {
            let object = &file.object;
            report
                .add(object, file.path.clone(), format!("azure.json in {object}: {message}"))
                .level(level)
                .evidence(name)
                .fix(edit(part, &file));
        }
    }
}

/// What is wrong with the file: the setting, how bad it is, and a sentence. One is told of, the one that wins.
fn judge(settings: &Settings, client_id: Option<&str>, tenant_id: Option<&str>) -> Vec<(&'static str, Level, String)> {
    let mut found = Vec::new();
    let secret = settings.is_set("aadClientSecret") && settings.word("aadClientSecret") != Some("msi");
    let flag = settings.flag("useWorkloadIdentityExtension");
    if secret && settings.is_set("aadClientId") {
        found.push((
            "aadClientSecret",
            Level::Error,
            "it holds a client secret; that wins over workload identity".to_owned(),
        ));
    } else if flag != Some(true) {
        let instead = if settings.flag("useManagedIdentityExtension") == Some(true) {
            (
                "useManagedIdentityExtension",
                "useManagedIdentityExtension is on and useWorkloadIdentityExtension is not; the node's identity is used",
            )
        } else {
            ("useWorkloadIdentityExtension", "useWorkloadIdentityExtension is not on; external-dns finds no credential")
        };
        found.push((instead.0, Level::Error, instead.1.to_owned()));
    } else {
        if settings.is_set("userAssignedIdentityID") {
            let level =
                if client_id.is_none() && !settings.is_set("aadClientId") { Level::Error } else { Level::Warning };
            found.push((
                "userAssignedIdentityID",
                level,
                "userAssignedIdentityID is ignored with workload identity; the client id has to be on the service account, or in aadClientId".to_owned(),
            ));
        }
        let other = |name: &str, injected: Option<&str>| match (settings.id(name), injected) {
            (Some(own), Some(injected)) => {
                (!own.eq_ignore_ascii_case(injected)).then(|| (own.to_owned(), injected.to_owned()))
            }
            _ => None,
        };
        if let Some((own, injected)) = other("aadClientId", client_id) {
            let message = format!("aadClientId {own} is used instead of the service account's {injected}");
            found.push(("aadClientId", Level::Warning, message));
        }
        if settings.get("aadClientId") == Some(&Setting::Set) {
            let message = "aadClientId is no GUID, and is used instead of the service account's client id".to_owned();
            found.push(("aadClientId", Level::Error, message));
        }
        if let Some((own, injected)) = other("tenantId", tenant_id) {
            let message = format!(
                "tenantId {own} is used instead of the injected {injected}; Entra does not find the identity there"
            );
            found.push(("tenantId", Level::Error, message));
        }
        if settings.get("tenantId") == Some(&Setting::Set) {
            let message = "tenantId is no GUID, and is used instead of the injected tenant".to_owned();
            found.push(("tenantId", Level::Error, message));
        }
    }
    found
}

fn edit(part: &Part<'_>, file: &File) -> Fix {
    let namespace = part.namespace();
    let object = &file.object;
    let key = file.path.rsplit('/').next().unwrap_or("azure.json");
    let bitnami = part.chart.as_ref().filter(|chart| chart.version.at_least(6, 0, 0));
    Fix::manual("write azure.json anew, with useWorkloadIdentityExtension alone, then restart")
        .command(format!(
            "kubectl create secret generic {} -n {namespace} --from-file={key}=azure.json --dry-run=client -o yaml | kubectl apply -f -",
            object.name
        ))
        .command(format!("kubectl rollout restart {} -n {namespace}", part.workload.meta.object.argument()))
        .values(bitnami.map(|_| {
            "azure: {useWorkloadIdentityExtension: true, useManagedIdentityExtension: false, aadClientSecret: \"\", userAssignedIdentityID: \"\"}".to_owned()
        }))
}
