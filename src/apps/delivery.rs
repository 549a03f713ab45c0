//! What delivers: Flux and Argo CD.
//!
//! Sources: fluxcd/pkg `auth/azure`, fluxcd's controllers at the tags named below, argoproj/argo-cd 3.0.0.

use super::config;
use super::marks::{Marks, Sighting, Signs};
use super::message::classify;
use super::{Application, Complaint, First, Injected, Keep, Need, Part, custom};
use crate::model::finding::{Ask, Fix, FixKind};
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::ObjectRef;
use crate::model::workload::Workload;
use crate::webhook::keys;

/// Flux.
#[derive(Debug)]
pub struct Flux;

const FLUX: &[Signs] = &[
    Signs {
        component: "source-controller",
        images: &["fluxcd/source-controller"],
        names: &["source-controller"],
        workloads: &["source-controller", "fluxcd-source-controller"],
        labels: &[("app.kubernetes.io/part-of", "flux")],
        ..Signs::NONE
    },
    Signs {
        component: "kustomize-controller",
        images: &["fluxcd/kustomize-controller"],
        names: &["kustomize-controller"],
        workloads: &["kustomize-controller"],
        labels: &[("app.kubernetes.io/part-of", "flux")],
        ..Signs::NONE
    },
    Signs {
        component: "image-reflector-controller",
        images: &["fluxcd/image-reflector-controller"],
        names: &["image-reflector-controller"],
        workloads: &["image-reflector-controller"],
        labels: &[("app.kubernetes.io/part-of", "flux")],
        ..Signs::NONE
    },
    Signs {
        component: "notification-controller",
        images: &["fluxcd/notification-controller"],
        names: &["notification-controller"],
        workloads: &["notification-controller"],
        labels: &[("app.kubernetes.io/part-of", "flux")],
        ..Signs::NONE
    },
    Signs {
        component: "helm-controller",
        images: &["fluxcd/helm-controller"],
        names: &["helm-controller"],
        workloads: &["helm-controller"],
        labels: &[("app.kubernetes.io/part-of", "flux")],
        ..Signs::NONE
    },
];

const FLUX_RESOURCES: &[(&str, &str)] = &[
    ("source.toolkit.fluxcd.io", "OCIRepository"),
    ("source.toolkit.fluxcd.io", "HelmRepository"),
    ("source.toolkit.fluxcd.io", "Bucket"),
    ("source.toolkit.fluxcd.io", "GitRepository"),
    ("image.toolkit.fluxcd.io", "ImageRepository"),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("notification.toolkit.fluxcd.io", "Provider"),
];

/// Whether a resource asks Azure, and the account that it names for it.
fn asks_azure(resource: &RawObject) -> Option<Option<&str>> {
    if custom::text(resource, "/spec/provider") == Some("azure") {
        return Some(custom::filled(resource, "/spec/serviceAccountName"));
    }
    if custom::text(resource, "/spec/decryption/provider") == Some("sops") {
        let account = custom::filled(resource, "/spec/decryption/serviceAccountName");
        return account.map(Some);
    }
    None
}

fn controller_of(kind: &str) -> &'static str {
    match kind {
        "ImageRepository" => "image-reflector-controller",
        "Kustomization" => "kustomize-controller",
        "Provider" => "notification-controller",
        _ => "source-controller",
    }
}

/// The account of a resource that is asked for a token of its own: it carries the client id. The same field also
/// names an account with image pull secrets.
fn own_account<'a>(
    resource: &'a RawObject,
    inventory: &'a Inventory,
) -> Option<&'a crate::model::workload::ServiceAccount> {
    let name = asks_azure(resource)??;
    let account = inventory.account(resource.meta.namespace(), name).known().copied()?;
    account.meta.annotation(keys::CLIENT_ID).is_some().then_some(account)
}

impl Application for Flux {
    fn name(&self) -> &'static str {
        "flux"
    }

    fn title(&self) -> &'static str {
        "Flux"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let mut sighting = marks.best(FLUX)?;
        sighting.container = sighting.container.or_else(|| marks.template.spec.containers.first());
        Some(sighting)
    }

    fn first_release(&self, part: &Part<'_>) -> Option<First> {
        let release = match part.component {
            "source-controller" | "kustomize-controller" => (1, 0, 0),
            "image-reflector-controller" => (0, 27, 0),
            "notification-controller" => (1, 6, 0),
            _ => return None,
        };
        Some(First {
            release,
            before: "older releases ask the node even where a token is injected",
            source: "flux2 2.0.0 (notification-controller: 2.6.0)",
        })
    }

    fn complaints(&self, part: &Part<'_>, _seen: &Injected) -> Vec<Complaint> {
        let resources = part.inventory.others().iter().filter(|other| {
            let object = &other.meta.object;
            object.api_version.contains(".toolkit.fluxcd.io/")
                && controller_of(&object.kind) == part.component
                && asks_azure(other).is_some()
                && own_account(other, part.inventory).is_none()
        });
        resources.filter_map(status).collect()
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        FLUX_RESOURCES
    }

    fn users<'a>(&self, resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        if own_account(resource, inventory).is_some() {
            return Vec::new();
        }
        let wanted = controller_of(&resource.meta.object.kind);
        let parts = super::parts_of(inventory, self.name());
        parts.into_iter().filter(|part| part.component == wanted).map(|part| part.workload).collect()
    }

    fn resource_need(&self, resource: &RawObject, inventory: &Inventory) -> Need {
        let own = own_account(resource, inventory);
        Need::of(
            own.map(|account| {
                format!("{} asks for a token of service account {}", resource.meta.object, account.meta.name())
            })
            .into_iter()
            .collect(),
        )
    }

    fn resource_account(&self, resource: &RawObject) -> Option<(String, String)> {
        let name = asks_azure(resource)??;
        Some((resource.meta.namespace().to_owned(), name.to_owned()))
    }

    fn resource_complaints(&self, resource: &RawObject, inventory: &Inventory) -> Vec<Complaint> {
        let mut found: Vec<Complaint> = status(resource).into_iter().collect();
        if let Some(account) = own_account(resource, inventory)
            && account.meta.annotation(keys::TENANT_ID).is_none_or(str::is_empty)
        {
            let (namespace, name) = (account.meta.namespace(), account.meta.name());
            found.push(Complaint::error(
                &account.meta.object,
                "/metadata/annotations",
                format!(
                    "{} asks for a token of service account {name}, which has no {}; Flux refuses it",
                    resource.meta.object,
                    keys::TENANT_ID
                ),
                Fix::new(FixKind::Metadata, format!("annotate service account {name} with the tenant id"))
                    .command(format!("kubectl annotate sa/{name} -n {namespace} {}=TENANT_ID", keys::TENANT_ID))
                    .ask(Ask::TenantId(ObjectRef::service_account(namespace, name))),
            ));
        }
        found
    }
}

/// A failure of identity that a resource's condition tells of.
fn status(resource: &RawObject) -> Option<Complaint> {
    let (status, reason, message) = custom::condition(resource, "Ready")?;
    let meaning = classify(message).filter(|meaning| status == "False" && meaning.class.is_about_identity())?;
    let object = &resource.meta.object;
    let command =
        format!("kubectl describe {}/{} -n {}", object.kind.to_lowercase(), object.name, resource.meta.namespace());
    let mut complaint = Complaint::error(
        object,
        "/status/conditions",
        format!("{object} is not ready; {}", meaning.says),
        Fix::manual("mend the cause, then look again").command(command),
    )
    .evidence(format!("{reason}: {}", custom::shown(message)));
    complaint.symptom = true;
    complaint.points_to = meaning.points_to;
    Some(complaint)
}

/// Argo CD.
#[derive(Debug)]
pub struct ArgoCd;

const ARGO: &[Signs] = &[
    Signs {
        component: "server",
        images: &["argoproj/argocd"],
        names: &["argocd-server"],
        containers: &["argocd-server", "server"],
        workloads: &["argocd-server"],
        charts: &["argo-cd"],
        ..Signs::NONE
    },
    Signs {
        component: "repo-server",
        images: &["argoproj/argocd"],
        names: &["argocd-repo-server"],
        containers: &["argocd-repo-server", "repo-server"],
        workloads: &["argocd-repo-server"],
        charts: &["argo-cd"],
        ..Signs::NONE
    },
    Signs {
        component: "application-controller",
        images: &["argoproj/argocd"],
        names: &["argocd-application-controller"],
        containers: &["argocd-application-controller", "application-controller"],
        workloads: &["argocd-application-controller"],
        charts: &["argo-cd"],
        ..Signs::NONE
    },
    Signs {
        component: "other",
        images: &["argoproj/argocd"],
        names: &[
            "argocd-applicationset-controller",
            "argocd-notifications-controller",
            "argocd-dex-server",
            "argocd-redis",
        ],
        containers: &[
            "argocd-applicationset-controller",
            "argocd-notifications-controller",
            "applicationset-controller",
            "notifications-controller",
        ],
        workloads: &["argocd-applicationset-controller", "argocd-notifications-controller"],
        charts: &["argo-cd"],
        ..Signs::NONE
    },
];

/// Whether the single sign-on takes a token of the server.
fn sso_asks(inventory: &Inventory, namespace: &str) -> bool {
    let text = config::config_map_text(inventory, namespace, "argocd-cm", "oidc.config").unwrap_or_default();
    let settings = crate::manifest::read::parse_value::<serde_json::Value>(text);
    settings.is_some_and(|value| value.pointer("/azure/useWorkloadIdentity").and_then(custom::truth) == Some(true))
}

/// The repository Secrets that ask for a token of the repository server.
fn repositories<'a>(
    inventory: &'a Inventory,
    namespace: &'a str,
) -> impl Iterator<Item = &'a crate::model::secret::Secret> {
    inventory.secrets_in(namespace).filter(|secret| {
        matches!(secret.meta.label("argocd.argoproj.io/secret-type"), Some("repository" | "repo-creds"))
            && secret.flag("useAzureWorkloadIdentity") == Some(true)
    })
}

/// The cluster Secrets that ask for tokens of the application controller and the server.
fn clusters<'a>(
    inventory: &'a Inventory,
    namespace: &'a str,
) -> impl Iterator<Item = &'a crate::model::secret::Secret> {
    inventory.secrets_in(namespace).filter(|secret| {
        let config = secret.entry("config").and_then(|entry| entry.file.section(&["execProviderConfig", "env"]));
        secret.meta.label("argocd.argoproj.io/secret-type") == Some("cluster")
            && config.and_then(|env| env.word("AAD_LOGIN_METHOD")) == Some("workloadidentity")
    })
}

impl Application for ArgoCd {
    fn name(&self) -> &'static str {
        "argo-cd"
    }

    fn title(&self) -> &'static str {
        "Argo CD"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        marks.best(ARGO)
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let (inventory, namespace) = (part.inventory, part.namespace());
        let mut why = Vec::new();
        if part.component == "server" && sso_asks(inventory, namespace) {
            why.push("oidc.config of argocd-cm sets azure.useWorkloadIdentity".to_owned());
        }
        if part.component == "repo-server" {
            why.extend(
                repositories(inventory, namespace).map(|s| format!("{} sets useAzureWorkloadIdentity", s.meta.object)),
            );
        }
        if matches!(part.component, "application-controller" | "server") {
            why.extend(
                clusters(inventory, namespace).map(|s| format!("{} logs in with workload identity", s.meta.object)),
            );
        }
        Need::of(why)
    }

    fn config_maps(&self, part: &Part<'_>) -> Vec<(String, String)> {
        vec![(part.namespace().to_owned(), "argocd-cm".to_owned())]
    }

    fn first_release(&self, part: &Part<'_>) -> Option<First> {
        let (inventory, namespace) = (part.inventory, part.namespace());
        let repository = part.component == "repo-server" && repositories(inventory, namespace).next().is_some();
        let sso = part.component == "server" && sso_asks(inventory, namespace);
        (repository || sso).then_some(First {
            release: (3, 0, 0),
            before: "older releases do not know the setting",
            source: "Argo CD 3.0, useAzureWorkloadIdentity and azure.useWorkloadIdentity",
        })
    }

    fn complaints(&self, part: &Part<'_>, _seen: &Injected) -> Vec<Complaint> {
        if part.component != "repo-server" {
            return Vec::new();
        }
        let both = repositories(part.inventory, part.namespace()).filter(|secret| secret.has("password"));
        both.map(|secret| {
            let object = &secret.meta.object;
            Complaint::error(
                object,
                secret.path("password"),
                format!("{object} holds a password beside useAzureWorkloadIdentity; only one of the two is used"),
                Fix::manual("remove username and password from the repository").command(format!(
                    "kubectl edit secret/{} -n {}",
                    object.name,
                    part.namespace()
                )),
            )
            .warning()
        })
        .collect()
    }

    fn values(&self, part: &Part<'_>, keep: Keep) -> Option<String> {
        part.chart.as_ref().filter(|chart| chart.name == "argo-cd")?;
        let key = match part.component {
            "server" => "server",
            "repo-server" => "repoServer",
            "application-controller" => "controller",
            _ => return None,
        };
        Some(match keep {
            Keep::PodLabel => format!("{key}: {{podLabels: {{azure.workload.identity/use: \"true\"}}}}"),
            Keep::ClientId => {
                format!("{key}: {{serviceAccount: {{annotations: {{azure.workload.identity/client-id: CLIENT_ID}}}}}}")
            }
            Keep::TenantId => {
                format!("{key}: {{serviceAccount: {{annotations: {{azure.workload.identity/tenant-id: TENANT_ID}}}}}}")
            }
            Keep::AccountName => format!("{key}: {{serviceAccount: {{create: false, name: SERVICE_ACCOUNT}}}}"),
            Keep::Automount => return None,
        })
    }
}
