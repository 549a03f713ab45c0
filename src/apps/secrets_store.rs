//! The secrets store CSI driver with its provider for Azure: the token comes from the kubelet, for the account of the
//! pod that mounts the volume. No label, no webhook, and the account's annotation is not read.
//!
//! Sources: Azure/secrets-store-csi-driver-provider-azure, its documentation and issues 445, 1022, 1284 and 1290.

use super::marks::{Marks, Sighting};
use super::{Application, NamedResource, Need, OwnIdentity, Part, RoleNeed, custom};
use crate::chain::Chain;
use crate::chain::meant::{Reason, TokenSource};
use crate::chain::near::is_guid;
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::ObjectRef;
use crate::model::pod::{CsiVolume, PodSpec};
use crate::model::workload::Workload;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::{Value, json};

/// The driver.
const DRIVER: &str = "secrets-store.csi.k8s.io";
/// Name of the custom resource.
const CLASS: &str = "SecretProviderClass";

/// A workload that mounts a `SecretProviderClass`.
#[derive(Debug)]
pub struct SecretsStore;

/// A mounted class.
struct Mounted<'a> {
    class: &'a RawObject,
    volume: &'a CsiVolume,
}

impl<'a> Mounted<'a> {
    fn parameter(&self, name: &str) -> Option<&'a str> {
        parameter(self.class, name)
    }

    fn is_on(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The client id for workload identity; both spellings of the key are taken.
    fn client_id(&self) -> Option<&'a str> {
        self.parameter("clientID").or_else(|| self.parameter("clientId"))
    }

    /// Whether it is of Azure and asks for workload identity and nothing else.
    fn asks(&self) -> bool {
        self.client_id().is_some() && !self.is_on("usePodIdentity") && !self.is_on("useVMManagedIdentity")
    }
}

fn parameter<'a>(class: &'a RawObject, name: &str) -> Option<&'a str> {
    let parameters = class.value.pointer("/spec/parameters")?;
    parameters.get(name)?.as_str().map(str::trim).filter(|value| !value.is_empty())
}

/// Names of the `SecretProviderClass` resources that the volumes of a pod name.
pub fn classes_of(spec: &PodSpec) -> Vec<&str> {
    let volumes = spec.volumes.iter().filter_map(|volume| volume.csi.as_ref()).filter(|csi| csi.driver == DRIVER);
    volumes.filter_map(|csi| Some(csi.volume_attributes.as_ref()?.get("secretProviderClass")?.as_str())).collect()
}

fn mounted<'a>(workload: &'a Workload, inventory: &'a Inventory) -> Vec<Mounted<'a>> {
    let volumes = workload.template.spec.volumes.iter().filter_map(|volume| volume.csi.as_ref());
    let of_azure = |class: &&RawObject| custom::text(class, "/spec/provider") == Some("azure");
    volumes
        .filter(|volume| volume.driver == DRIVER)
        .filter_map(|volume| {
            let name = volume.volume_attributes.as_ref()?.get("secretProviderClass")?;
            let class =
                inventory.other(CLASS, Some(workload.meta.namespace()), name).known().copied().filter(of_azure)?;
            Some(Mounted { class, volume })
        })
        .collect()
}

impl Application for SecretsStore {
    fn name(&self) -> &'static str {
        "secrets-store-csi"
    }

    fn title(&self) -> &'static str {
        "secrets store CSI driver"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let mut volumes = marks.template.spec.volumes.iter().filter_map(|volume| volume.csi.as_ref());
        // Whatever else the workload is comes first.
        volumes.any(|csi| csi.driver == DRIVER).then_some(Sighting { component: "volume", score: 0, container: None })
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let asking = mounted(part.workload, part.inventory).into_iter().filter(|mounted| {
            let broken = mounted.is_on("usePodIdentity") && mounted.client_id().is_some();
            let confused = mounted.is_on("useVMManagedIdentity") && mounted.client_id().is_some();
            mounted.asks() || broken || confused || takes_nothing(mounted)
        });
        Need::of(asking.map(|mounted| format!("it mounts {}", mounted.class.meta.object)).collect())
    }

    fn token_source(&self, part: &Part<'_>, why: &[Reason]) -> Option<TokenSource> {
        let asks = mounted(part.workload, part.inventory)
            .iter()
            .any(|mounted| mounted.client_id().is_some() || takes_nothing(mounted));
        // An annotated account is a habit here: the provider does not read it. Anything else asks the webhook too.
        let only = why.iter().all(|reason| matches!(reason, Reason::Application(_) | Reason::Account(_)));
        let labelled = part.workload.template.metadata.label(keys::USE_LABEL).is_some();
        (asks && only && !labelled).then_some(TokenSource::Csi)
    }

    fn identities(&self, part: &Part<'_>) -> Vec<OwnIdentity> {
        let mut found: Vec<OwnIdentity> = Vec::new();
        for mounted in mounted(part.workload, part.inventory).iter().filter(|mounted| mounted.asks()) {
            let tenant = mounted.parameter("tenantID").or_else(|| mounted.parameter("tenantId"));
            let identity = OwnIdentity {
                client_id: mounted.client_id().map(str::to_owned),
                tenant_id: tenant.map(str::to_owned),
                subject: None,
                source: "csi",
            };
            if !found.contains(&identity) {
                found.push(identity);
            }
        }
        // The webhook's identity is there besides, where the pods are labelled.
        let labelled = part.workload.template.metadata.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE);
        if labelled && !found.is_empty() {
            found.push(OwnIdentity { client_id: None, tenant_id: None, subject: None, source: "webhook" });
        }
        found
    }

    fn roles(&self, part: &Part<'_>) -> Vec<RoleNeed> {
        let mounted = mounted(part.workload, part.inventory);
        let vaults =
            mounted.iter().filter(|mounted| mounted.asks()).filter_map(|mounted| mounted.parameter("keyvaultName"));
        vaults
            .map(|vault| RoleNeed {
                role: "Key Vault Secrets User",
                scope: format!("the key vault {vault}"),
                why: "reading the objects of the class",
                or: &["Key Vault Secrets Officer", "Key Vault Administrator", "Key Vault Certificate User"],
                on: NamedResource::named("Microsoft.KeyVault/vaults", Some(vault)).into_iter().collect(),
            })
            .collect()
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[("secrets-store.csi.x-k8s.io", CLASS)]
    }

    fn users<'a>(&self, resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        let here = inventory.workloads().iter().filter(|w| w.meta.namespace() == resource.meta.namespace());
        let mounts = |workload: &&Workload| {
            mounted(workload, inventory).iter().any(|mounted| mounted.class.meta.object == resource.meta.object)
        };
        here.filter(mounts).collect()
    }

    fn resource_need(&self, resource: &RawObject, _inventory: &Inventory) -> Need {
        let azure = custom::text(resource, "/spec/provider") == Some("azure");
        let id = parameter(resource, "clientID").or_else(|| parameter(resource, "clientId"));
        let asks = id.filter(|_| azure).map(|_| format!("{} names a client id", resource.meta.object));
        Need::of(asks.into_iter().collect())
    }
}

/// Whether a class has no mode at all, and the volume no Secret with a service principal.
fn takes_nothing(mounted: &Mounted<'_>) -> bool {
    let secret = mounted.volume.node_publish_secret_ref.as_ref().is_some_and(|secret| !secret.name.is_empty());
    mounted.client_id().is_none()
        && !mounted.is_on("usePodIdentity")
        && !mounted.is_on("useVMManagedIdentity")
        && !secret
}

rule! {
    /// ## What it does
    /// Finds a mounted `SecretProviderClass` of Azure that has no client id, or that turns on pod identity or the node's
    /// managed identity beside one.
    ///
    /// ## Why it breaks
    /// The provider exchanges the pod's token only for the class's `clientID`; the annotation of the account is not
    /// read. `usePodIdentity` needs aad-pod-identity, which is retired; `useVMManagedIdentity` asks the node. Without a
    /// mode the provider says `failed to get credentials, nodePublishSecretRef secret is not set`, and the pod hangs in
    /// `ContainerCreating`.
    ///
    /// ## How it is known
    /// From the class and the volume. `useVMManagedIdentity` without a client id is the add-on's own identity, which is
    /// a choice and left alone; so is a `nodePublishSecretRef`.
    ///
    /// ## Fix
    /// Set `clientID`, and both modes to `"false"`.
    ///
    /// ## Fix safety
    /// Pods that run keep what is mounted; restart them.
    ///
    /// ## References
    /// - secrets-store-csi-driver-provider-azure, "Workload Identity"; issues 445 and 1290
    SecretsStoreClass {
        code: "WI773",
        name: "secrets-store-class",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for SecretsStoreClass {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() {
            return;
        }
        let inventory = chain.inventory();
        if let Some(class) = chain.resource_of("secrets-store-csi") {
            let volume = CsiVolume::default();
            judge(&Mounted { class, volume: &volume }, report);
            return;
        }
        let Some(part) = chain.part("secrets-store-csi") else { return };
        for mounted in mounted(part.workload, inventory) {
            judge(&mounted, report);
        }
    }
}

fn judge(mounted: &Mounted<'_>, report: &mut Report<'_>) {
    let object = &mounted.class.meta.object;
    let at = |name: &str| format!("/spec/parameters/{name}");
    let edit = format!("kubectl edit secretproviderclass/{} -n {}", object.name, mounted.class.meta.namespace());
    let has_id = mounted.client_id().is_some();
    for (name, what) in [
        ("usePodIdentity", "aad-pod-identity, which is retired"),
        ("useVMManagedIdentity", "the node's managed identity"),
    ] {
        if mounted.is_on(name) && (has_id || name == "usePodIdentity") {
            report
                .add(
                    object,
                    at(name),
                    format!("{object} sets {name}; the provider asks {what} instead of exchanging the token"),
                )
                .fix(
                    Fix::new(FixKind::Metadata, format!("set {name}: \"false\", with clientID"))
                        .command(edit.clone())
                        .change(Change {
                            object: object.clone(),
                            patch: vec![Operation::Replace { path: at(name), value: json!("false") }],
                        }),
                );
        }
    }
    if takes_nothing(mounted) {
        let empty = ["clientID", "clientId"].iter().find(|name| mounted.class.value.pointer(&at(name)).is_some());
        let path = empty.map_or("/spec/parameters".to_owned(), |name| at(name));
        report
            .add(object, path, format!("{object} has no clientID and no other mode; the provider finds no credential and the volume is not mounted"))
            .fix(Fix::manual("set clientID to the client id of the managed identity").command(edit));
    } else if let Some(id) = mounted.client_id().filter(|id| !is_guid(id)) {
        report
            .add(
                object,
                at("clientID"),
                format!("clientID of {object} is no GUID ({id:?}); Entra knows no such client"),
            )
            .fix(Fix::manual("set clientID to the client id of the managed identity").command(edit));
    }
}

rule! {
    /// ## What it does
    /// Finds that the CSI driver does not ask for the token that its provider exchanges, or that the driver is absent,
    /// while a `SecretProviderClass` or volume with workload identity is mounted.
    ///
    /// ## Why it breaks
    /// The kubelet hands a driver tokens only for the audiences in `tokenRequests` of the `CSIDriver` object. Without
    /// them the provider says `service account tokens not found`. On AKS the driver is an add-on.
    ///
    /// ## How it is known
    /// From the `CSIDriver` object. The audience is `api://AzureADTokenExchange`, or `api://AKSIdentityBinding` with
    /// `useAzureTokenProxy`. A driver that is not among files is unknown.
    ///
    /// ## Fix
    /// On AKS: `az aks enable-addons -a azure-keyvault-secrets-provider`. Elsewhere: `tokenRequests` in the driver's chart.
    ///
    /// ## Fix safety
    /// Volumes that are mounted stay as they are.
    ///
    /// ## References
    /// - secrets-store-csi-driver-provider-azure issue 1022; Kubernetes, `CSIDriver` token requests
    CsiTokenRequestsMissing {
        code: "WI777",
        name: "csi-token-requests-missing",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for CsiTokenRequestsMissing {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() {
            return;
        }
        let inventory = chain.inventory();
        let mut wanted: Vec<(String, &str)> = Vec::new();
        if let Some(part) = chain.part("secrets-store-csi") {
            for mounted in mounted(part.workload, inventory).iter().filter(|mounted| mounted.asks()) {
                let audience = if mounted.is_on("useAzureTokenProxy") {
                    "api://AKSIdentityBinding"
                } else {
                    keys::DEFAULT_AUDIENCE
                };
                wanted.push((DRIVER.to_owned(), audience));
            }
        }
        if let Some(part) = chain.part("azure-storage-csi") {
            wanted.extend(super::volumes::drivers(part).into_iter().map(|driver| (driver, keys::DEFAULT_AUDIENCE)));
        }
        wanted.sort_unstable();
        wanted.dedup();
        for (driver, audience) in wanted {
            tell(inventory, &driver, audience, report);
        }
    }
}

fn tell(inventory: &Inventory, name: &str, audience: &str, report: &mut Report<'_>) {
    let object = ObjectRef::new("storage.k8s.io/v1", "CSIDriver", None, name);
    let fix = if name == DRIVER {
        Fix::manual("enable the add-on, or give the driver its tokenRequests")
            .command("az aks enable-addons -g RESOURCE_GROUP -n CLUSTER -a azure-keyvault-secrets-provider")
            .command(format!("helm upgrade csi-secrets-store csi-secrets-store-provider-azure/csi-secrets-store-provider-azure -n kube-system --reuse-values --set 'secrets-store-csi-driver.tokenRequests[0].audience={audience}'"))
            .values(Some(format!("secrets-store-csi-driver: {{tokenRequests: [{{audience: \"{audience}\"}}]}}")))
    } else {
        Fix::manual("enable the driver of AKS, or give the driver its tokenRequests")
            .command("az aks update -g RESOURCE_GROUP -n CLUSTER --enable-blob-driver --enable-file-driver")
    };
    let driver = inventory.other("CSIDriver", None, name);
    if driver.is_absent() {
        // Files that are said to be the whole cluster seldom hold what the cloud brings along.
        if inventory.others_of("CSIDriver").next().is_none() {
            return;
        }
        report
            .add(&object, "", format!("the CSI driver {name} is not installed; its volumes are not mounted"))
            .fix(fix);
        return;
    }
    let Some(driver) = driver.known().copied() else { return };
    let requests = custom::list(driver, "/spec/tokenRequests");
    let asks = requests.iter().any(|request| request.get("audience").and_then(Value::as_str) == Some(audience));
    if !asks {
        report
            .add(
                &driver.meta.object,
                "/spec/tokenRequests",
                format!("the CSI driver {name} asks for no token for {audience}; its provider has nothing to exchange"),
            )
            .fix(fix);
    }
}
