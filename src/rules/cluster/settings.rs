//! The identity webhook: whether its settings fit, and whether it does what they say.

use super::{configuration, upgrade};
use crate::chain::Chain;
use crate::chain::compare::{Aspect, Difference};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::model::object::ObjectRef;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::{Registration, WebhookInstallation, keys};

rule! {
    /// ## What it does
    /// Finds an identity webhook whose tenant, cloud or authority is missing, is a placeholder, or does not fit the
    /// cluster's cloud; and one that answers otherwise than its settings say.
    ///
    /// ## Why it breaks
    /// `AZURE_TENANT_ID` and the authority of `AZURE_ENVIRONMENT` go into every pod. Applied without `envsubst`, the
    /// manifest leaves `${AZURE_TENANT_ID}` in place: Entra answers AADSTS900023. An environment that the webhook does
    /// not know keeps it from starting. A public authority in a sovereign cloud, or the reverse, ends with AADSTS900382
    /// or 90002. The webhook reads its settings when it starts: a `ConfigMap` that was changed afterwards does nothing.
    ///
    /// ## How it is known
    /// From the webhook's `ConfigMap`, flags and environment, against the issuer's host and the cloud that containers
    /// name (`AZURE_ENVIRONMENT`, `ARM_ENVIRONMENT`). Another tenant in the issuer's path is no fault: it is that of
    /// the cluster's subscription. Where the API server was asked for such a pod without creating it (`--ask-server`),
    /// its answer is compared with what the settings say.
    ///
    /// ## Fix
    /// Correct the `ConfigMap` (Helm: `azureTenantID`, `azureEnvironment`), restart the webhook, then the workloads. A
    /// single account can name its own tenant with `azure.workload.identity/tenant-id`.
    ///
    /// ## Fix safety
    /// Pods that run keep what was injected. On AKS the add-on's settings are the platform's; edits are reverted.
    ///
    /// ## References
    /// - Azure Workload Identity, "Mutating admission webhook" (installation; envsubst)
    /// - external-secrets issue 5591 (the authority of Azure China)
    WebhookMisconfigured {
        code: "WI310",
        name: "webhook-misconfigured",
        level: Level::Error,
        link: Link::Webhook,
        needs: &[Needs::Live],
        reads: &[
            Reads::Template, Reads::Account, Reads::Webhook, Reads::Cluster, Reads::Pods, Reads::Workloads, Reads::Asked,
        ],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for WebhookMisconfigured {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Fact::Known(webhook) = chain.webhook() else { return };
        let Some(registration) = webhook.registrations.first().filter(|_| chain.needs_injection()) else { return };
        let object = settings_object(webhook, registration);
        let fix = || {
            Fix::manual("correct tenant and environment of the webhook, restart it, then the workloads")
                .command(match webhook.deployment() {
                    Some(found) => {
                        format!("kubectl get configmap azure-wi-webhook-config -n {} -o yaml", found.namespace)
                    }
                    None => format!("kubectl get {} -o yaml", configuration(registration).argument()),
                })
                .command(upgrade(webhook.distribution))
        };
        if let Some((path, what)) = wrong_setting(chain, webhook) {
            report.add(&object, path, what).fix(fix());
        } else if let Some((what, evidence)) = other_cloud(chain, webhook) {
            report
                .add(&object, "/data/AZURE_ENVIRONMENT", what)
                .level(Level::Warning)
                .confidence(Confidence::Inferred)
                .evidence_all(evidence)
                .fix(fix());
        }
        answered_otherwise(chain, webhook, registration, report);
    }
}

/// The `ConfigMap` that the settings stand in, as far as the webhook's Deployment tells where it is.
fn settings_object(webhook: &WebhookInstallation, registration: &Registration) -> ObjectRef {
    match webhook.deployment() {
        Some(found) => ObjectRef::new("v1", "ConfigMap", Some(&found.namespace), "azure-wi-webhook-config"),
        None => configuration(registration),
    }
}

/// A tenant that is none, or settings that keep the webhook from starting.
fn wrong_setting(chain: &Chain<'_>, webhook: &WebhookInstallation) -> Option<(&'static str, String)> {
    if let Some(note) = webhook.notes.iter().find(|note| note.ends_with("it does not start")) {
        let path = if note.contains("AZURE_ENVIRONMENT") { "/data/AZURE_ENVIRONMENT" } else { "/data/AZURE_TENANT_ID" };
        return Some((
            path,
            format!(
                "{}; no pod with the label can be created",
                note.replace(": it does not start", " and it does not start")
            ),
        ));
    }
    let tenant = webhook.settings.tenant_id.as_deref()?;
    let own = chain.account().known().and_then(|account| account.meta.annotation(keys::TENANT_ID));
    // Entra also takes the name of a domain for a tenant.
    let is_domain = tenant.contains('.') && tenant.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    if own.is_some() || crate::chain::near::is_guid(tenant) || is_domain {
        return None;
    }
    Some((
        "/data/AZURE_TENANT_ID",
        format!("the webhook injects the tenant {tenant:?}, which is none; Entra answers AADSTS900023 or 90002"),
    ))
}

/// A cloud of Azure, by the hosts that belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cloud {
    Public,
    Government,
    China,
}

impl Cloud {
    fn of_host(host: &str) -> Option<Self> {
        let ends = |ends: &[&str]| ends.iter().any(|end| host.contains(end));
        if ends(&[".azure.us", "microsoftonline.us"]) {
            Some(Self::Government)
        } else if ends(&[".azure.cn", "chinacloudapi.cn", "microsoftonline.cn"]) {
            Some(Self::China)
        } else if ends(&["prod-aks.azure.com", "microsoftonline.com"]) {
            Some(Self::Public)
        } else {
            None
        }
    }

    /// By the names that applications use in their own settings.
    fn of_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "azurepubliccloud" | "azurecloud" | "public" => Some(Self::Public),
            "azureusgovernmentcloud" | "azureusgovernment" | "usgovernment" => Some(Self::Government),
            "azurechinacloud" | "china" => Some(Self::China),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Public => "the public cloud",
            Self::Government => "Azure Government",
            Self::China => "Azure China",
        }
    }
}

fn other_cloud(chain: &Chain<'_>, webhook: &WebhookInstallation) -> Option<(String, Vec<String>)> {
    let authority = webhook.settings.authority_host.as_deref()?;
    let injected = Cloud::of_host(authority)?;
    let evidence = |line: String| vec![format!("injected: AZURE_AUTHORITY_HOST={authority}"), line];
    if let Fact::Known(issuer) = &chain.cluster().issuer
        && issuer.contains(".oic.prod-aks.")
        && let Some(of_issuer) = Cloud::of_host(issuer)
        && of_issuer != injected
    {
        return Some((
            format!(
                "the webhook sends pods to {} and the cluster's issuer is of {}; Entra answers AADSTS900382 or 90002",
                injected.name(),
                of_issuer.name()
            ),
            evidence(format!("issuer: {issuer}")),
        ));
    }
    let containers = chain.template()?.spec.all_containers();
    containers.into_iter().find_map(|(_, _, container)| {
        if container.variable(keys::ENV_AUTHORITY_HOST).is_some() {
            return None;
        }
        ["AZURE_ENVIRONMENT", "ARM_ENVIRONMENT"].into_iter().find_map(|name| {
            let value = container.variable(name)?.literal()?;
            let wanted = Cloud::of_name(value).filter(|wanted| *wanted != injected)?;
            Some((
                format!(
                    "the webhook sends pods to {} and container {} works with {}; its tokens are asked from the wrong \
                     cloud",
                    injected.name(),
                    container.name,
                    wanted.name()
                ),
                evidence(format!("container {}: {name}={value}", container.name)),
            ))
        })
    })
}

/// Simulated against asked: the webhook, or what is known of it, is off.
fn answered_otherwise(
    chain: &Chain<'_>,
    webhook: &WebhookInstallation,
    registration: &Registration,
    report: &mut Report<'_>,
) {
    let Some(sides) = chain.is_labelled().then(|| chain.sides_of_template()).flatten() else { return };
    let differences = sides.answered_otherwise();
    let weighty: Vec<&Difference> = differences.iter().filter(|difference| difference.aspect.matters()).collect();
    let Some(worst) = weighty.iter().map(|difference| difference.aspect).min() else { return };
    let what = if worst == Aspect::Token {
        "the API server returns a pod without a token when it is asked for one (dry run); the webhook did not act"
            .to_owned()
    } else {
        format!(
            "the webhook answers otherwise than its settings say ({worst}); new pods get what it answers, not what it \
             is set to"
        )
    };
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let mut evidence: Vec<String> = weighty
        .iter()
        .map(|difference| {
            format!(
                "container {}, {}: simulated {}, asked {}",
                difference.container,
                difference.aspect,
                shown(&difference.expected),
                shown(&difference.found)
            )
        })
        .collect();
    if let Fact::Known(pods) = chain.pods()
        && let Some((pod, sides)) = pods.iter().find_map(|pod| Some((pod, chain.sides(pod)?)))
    {
        let agrees = |with: &[crate::chain::compare::Presented]| {
            let found = crate::chain::compare::differences(with, &crate::chain::compare::presented(&pod.spec));
            !found.iter().any(|difference| difference.aspect.matters())
        };
        let with = match (agrees(&sides.simulated), sides.asked.as_deref().is_some_and(agrees)) {
            (true, false) => "as simulated: only new pods are concerned",
            (false, true) => "as asked: the webhook did the same before",
            (true, true) => "as either",
            (false, false) => "otherwise than both",
        };
        evidence.push(format!("pod {} runs {with}", pod.meta.name()));
    }
    evidence.extend(webhook.version.as_ref().map(|seen| format!("simulated as {} ({})", seen.version, seen.evidence)));
    let summary = if worst == Aspect::Token {
        "find out why the webhook is not asked, or why its answer is lost: its log, and the other mutating webhooks"
    } else {
        "restart the webhook, so that it reads its settings again; if it stays, another mutating webhook changes the \
         pod after it, or this is another build"
    };
    let command = match webhook.deployment() {
        Some(found) if worst == Aspect::Token => {
            format!("kubectl logs deploy/{} -n {} --tail 50", found.name, found.namespace)
        }
        Some(found) => format!("kubectl rollout restart deploy/{} -n {}", found.name, found.namespace),
        None => "kubectl get mutatingwebhookconfigurations".to_owned(),
    };
    report
        .add(&configuration(registration), "/webhooks/0", what)
        .evidence_all(evidence)
        .fix(Fix::manual(summary).command(command));
}
