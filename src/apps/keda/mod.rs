//! KEDA: its operator asks Azure, with its own account, on behalf of every `ScaledObject`.
//!
//! Sources: kedacore/keda at the tags from 2.8 to 2.20 (`pkg/scalers/azure`, `apis/keda/v1alpha1`), kedacore/charts,
//! KEDA's documentation on the provider `azure-workload`, and AKS's on its add-on.

pub mod authentication;
pub mod operator;
pub mod scaling;
pub mod view;

use super::marks::{Marks, Sighting, Signs};
use super::version::{Chart, Version};
use super::{Application, Defect, First, Keep, Need, OwnIdentity, Part, RoleNeed, config};
use crate::chain::meant::{Reason, TokenSource};
use crate::model::finding::Level;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::workload::Workload;
use view::{Provider, View};

/// KEDA.
#[derive(Debug)]
pub struct Keda;

/// The operator, whose identity counts.
pub const OPERATOR: &str = "operator";
/// The metrics API server.
pub const METRICS: &str = "metrics-apiserver";

const LOOKS: &[Signs] = &[
    Signs {
        component: OPERATOR,
        images: &["kedacore/keda"],
        names: &["keda-operator"],
        labels: &[("app.kubernetes.io/part-of", "keda-operator")],
        charts: &["keda"],
        containers: &["keda-operator"],
        workloads: &["keda-operator"],
    },
    Signs {
        component: METRICS,
        images: &["kedacore/keda-metrics-apiserver", "kedacore/keda-metrics-adapter"],
        names: &["keda-operator-metrics-apiserver", "keda-metrics-apiserver"],
        labels: &[],
        charts: &["keda"],
        containers: &["keda-operator-metrics-apiserver", "keda-metrics-apiserver"],
        workloads: &["keda-operator-metrics-apiserver", "keda-metrics-apiserver"],
    },
    Signs {
        component: "admission-webhooks",
        images: &["kedacore/keda-admission-webhooks"],
        names: &["keda-admission-webhooks"],
        labels: &[],
        charts: &["keda"],
        containers: &["keda-admission-webhooks"],
        workloads: &["keda-admission-webhooks", "keda-admission"],
    },
];

impl Application for Keda {
    fn name(&self) -> &'static str {
        "keda"
    }

    fn title(&self) -> &'static str {
        "KEDA"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        marks.best(LOOKS)
    }

    fn version_of_chart(&self, chart: &Chart) -> Option<Version> {
        // Chart and application are released under the same number.
        Some(chart.version.clone())
    }

    fn need(&self, part: &Part<'_>) -> Need {
        match part.component {
            OPERATOR => {}
            METRICS if asks_itself(part) => {}
            _ => return Need::No,
        }
        let view = View::of(part.inventory);
        let asks = view.authentications.iter().filter(|a| a.provider == Provider::AzureWorkload);
        let mut why: Vec<String> = asks
            .map(|a| format!("{} takes its token from the operator (azure-workload)", a.resource.meta.object))
            .collect();
        if why.is_empty() && part.at_least(2, 15, 0) {
            let removed = view.authentications.iter().filter(|a| a.provider == Provider::Azure);
            why.extend(removed.map(|a| format!("{} asks for an identity of Azure", a.resource.meta.object)));
        }
        why.truncate(3);
        Need::of(why)
    }

    fn token_source(&self, part: &Part<'_>, why: &[Reason]) -> Option<TokenSource> {
        // Only the removed provider asks: aad-pod-identity, which the webhook has nothing to do with.
        let view = View::of(part.inventory);
        let none = !view.authentications.iter().any(|a| a.provider == Provider::AzureWorkload);
        let only_settings = why.iter().all(|reason| matches!(reason, Reason::Application(_)));
        (none && only_settings && !why.is_empty()).then_some(TokenSource::OtherCredential)
    }

    fn passes_client_id(&self, part: &Part<'_>) -> Option<String> {
        let view = View::of(part.inventory);
        let asking: Vec<_> = view.authentications.iter().filter(|a| a.provider == Provider::AzureWorkload).collect();
        if asking.is_empty() {
            return Some("each TriggerAuthentication may name its identityId".to_owned());
        }
        asking
            .iter()
            .all(|a| a.identity_id.is_some_and(|id| !id.is_empty()))
            .then(|| "every TriggerAuthentication names its identityId".to_owned())
    }

    fn first_release(&self, part: &Part<'_>) -> Option<First> {
        (part.component == OPERATOR).then_some(First {
            release: (2, 8, 0),
            before: "older releases know aad-pod-identity only",
            source: "kedacore/keda issues 2487 and 2656",
        })
    }

    fn defects(&self, part: &Part<'_>) -> &'static [Defect] {
        if part.component == OPERATOR { DEFECTS } else { &[] }
    }

    fn identities(&self, part: &Part<'_>) -> Vec<OwnIdentity> {
        if part.component != OPERATOR {
            return Vec::new();
        }
        let mut found: Vec<OwnIdentity> = Vec::new();
        for authentication in View::of(part.inventory).authentications {
            let id = authentication.identity_id.filter(|id| !id.is_empty()).map(str::to_owned);
            let tenant = authentication.tenant_id.filter(|id| !id.is_empty()).map(str::to_owned);
            let source = if id.is_some() { "application" } else { "webhook" };
            let identity = OwnIdentity { client_id: id, tenant_id: tenant, subject: None, source };
            if authentication.provider == Provider::AzureWorkload && !found.contains(&identity) {
                found.push(identity);
            }
        }
        found
    }

    fn values(&self, part: &Part<'_>, keep: Keep) -> Option<String> {
        let chart = part.chart.as_ref().filter(|chart| chart.name == "keda")?;
        let version = &chart.version;
        let annotation = |account: &str, key: &str, value: &str| {
            format!(
                "serviceAccount: {{{account}annotations: {{azure.workload.identity/{key}: {value}}}{}}}",
                if account.is_empty() { "" } else { "}" }
            )
        };
        let account = if version.at_least(2, 14, 0) { "operator: {" } else { "" };
        Some(match keep {
            Keep::PodLabel if version.at_least(2, 9, 0) => {
                "podIdentity: {azureWorkload: {enabled: true, clientId: CLIENT_ID, tenantId: TENANT_ID}}".to_owned()
            }
            // Charts 2.7 and 2.8 label the account only, which webhook 1.0 and later does not look at.
            Keep::PodLabel => "podLabels: {keda: {azure.workload.identity/use: \"true\"}}".to_owned(),
            Keep::ClientId if version.at_least(2, 7, 0) => {
                "podIdentity: {azureWorkload: {enabled: true, clientId: CLIENT_ID}}".to_owned()
            }
            Keep::ClientId => annotation(account, "client-id", "CLIENT_ID"),
            Keep::TenantId => "podIdentity: {azureWorkload: {enabled: true, tenantId: TENANT_ID}}".to_owned(),
            Keep::AccountName if version.at_least(2, 14, 0) => {
                "serviceAccount: {operator: {create: false, name: SERVICE_ACCOUNT}}".to_owned()
            }
            Keep::AccountName => "serviceAccount: {create: false, name: SERVICE_ACCOUNT}".to_owned(),
            Keep::Automount if version.at_least(2, 14, 0) => {
                "serviceAccount: {operator: {automountServiceAccountToken: true}}".to_owned()
            }
            Keep::Automount => "serviceAccount: {automountServiceAccountToken: true}".to_owned(),
        })
    }

    fn roles(&self, part: &Part<'_>) -> Vec<RoleNeed> {
        if part.component != OPERATOR {
            return Vec::new();
        }
        View::of(part.inventory).roles()
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("keda.sh", "ScaledObject"),
            ("keda.sh", "ScaledJob"),
            ("keda.sh", "TriggerAuthentication"),
            ("keda.sh", "ClusterTriggerAuthentication"),
        ]
    }

    fn users<'a>(&self, _resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        let parts = super::parts_of(inventory, self.name());
        parts.into_iter().filter(|part| part.component == OPERATOR).map(|part| part.workload).collect()
    }

    fn resource_need(&self, resource: &RawObject, inventory: &Inventory) -> Need {
        let view = View::of(inventory);
        let object = &resource.meta.object;
        let mut why = Vec::new();
        for authentication in &view.authentications {
            if authentication.resource.meta.object == *object && authentication.provider != Provider::Other {
                why.push(format!("{object} asks for an identity of Azure"));
            }
        }
        for scaled in &view.scaled {
            if scaled.resource.meta.object == *object && scaled.uses_azure_workload(&view) {
                why.push(format!("{object} uses the provider azure-workload"));
            }
        }
        Need::of(why)
    }
}

/// 2.9.0 to 2.9.2 chain the credentials of both providers.
const DEFECTS: &[Defect] = &[Defect {
    from: (2, 9, 0),
    mended: (2, 9, 3),
    level: Level::Warning,
    what: "it chains the credentials of both providers, so that azure-workload may end with another identity or an error of the other one",
    source: "kedacore/keda issues 4026 and 4123",
    webhook: None,
}];

/// Whether the metrics API server asks Azure itself: before 2.9, or where it may not ask the operator.
fn asks_itself(part: &Part<'_>) -> bool {
    let told = part.workload.template.spec.containers.iter().find_map(|container| {
        config::variable(part.inventory, part.namespace(), container, "KEDA_USE_METRICS_SERVICE_GRPC")?.flag()
    });
    part.older_than(2, 9, 0) || told == Some(false)
}
