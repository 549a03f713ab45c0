//! The cluster as a whole: what all chains have in common.

use super::issuer;
use super::pod_identity::PodIdentity;
use crate::chain::running::is_mutated;
use crate::model::fact::Fact;
use crate::model::inventory::Inventory;
use crate::webhook::health::Health;
use crate::webhook::install::WebhookInstallation;
use serde::Deserialize;

/// What is known of the cluster as a whole.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// Name of the kubeconfig's context.
    pub context: Option<String>,
    /// Address of the API server.
    pub server: Option<String>,
    /// What the API server calls its version, such as `v1.34.4`.
    pub kubernetes_version: Fact<String>,
    /// The issuer of service account tokens.
    pub issuer: Fact<String>,
    /// By what the issuer is known, such as a file or a flag; `None` where the API server said so.
    pub issuer_from: Option<String>,
    /// The identity webhook.
    pub webhook: Fact<WebhookInstallation>,
    /// Whether the webhook can answer.
    pub health: Health,
    /// What is left of aad-pod-identity.
    pub pod_identity: PodIdentity,
    /// What the API server itself publishes about its tokens.
    pub discovery: Fact<Discovery>,
    /// What the issuer's public address publishes, which is what Entra reads. Only fetched where asked for.
    pub published: Fact<Published>,
    /// The `alg` of a token that was seen.
    pub token_algorithm: Option<String>,
    /// The time at which everything was read, for ages and expiry. `None`: ages are not told.
    pub now: Option<jiff::Timestamp>,
}

/// The discovery document of an issuer, as far as Entra reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Discovery {
    /// `issuer`
    pub issuer: String,
    /// `jwks_uri`
    pub jwks_uri: String,
    /// `id_token_signing_alg_values_supported`
    #[serde(rename = "id_token_signing_alg_values_supported")]
    pub algorithms: Vec<String>,
    /// The keys that `jwks_uri` serves; empty where they were not read.
    pub keys: Vec<PublicKey>,
}

/// A key of an issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PublicKey {
    /// `kid`
    pub kid: String,
    /// `kty`: `RSA` or `EC`
    pub kty: String,
    /// `alg`
    pub alg: Option<String>,
}

/// What stands at the public address of an issuer. `Absent`: the server answers, and refuses or has no such document;
/// `Failed`: it could not be reached from here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Published {
    /// The address of the document.
    pub url: String,
    /// The document.
    pub document: Fact<Discovery>,
    /// The keys that its `jwks_uri` serves.
    pub keys: Fact<Vec<PublicKey>>,
}

/// The cluster as the objects that were read tell it, on top of what is known already: what a caller has asked the
/// API server itself, or was told by a flag, goes before what follows from objects.
pub fn cluster_from(inventory: &Inventory, known: Cluster) -> Cluster {
    let mut cluster = known;
    cluster.find(inventory);
    cluster
}

impl Cluster {
    /// Completes what is known with what objects tell, see [`cluster_from`]; again when more objects were read.
    pub fn find(&mut self, inventory: &Inventory) {
        let cluster = self;
        if cluster.issuer.is_unknown()
            && let Some((found, from)) = issuer::from_objects(inventory)
        {
            cluster.issuer = Fact::Known(found);
            cluster.issuer_from = Some(from);
        }
        if cluster.token_algorithm.is_none() {
            cluster.token_algorithm = issuer::token_algorithm(inventory);
        }
        cluster.webhook = webhook(inventory);
        cluster.pod_identity = PodIdentity::read(inventory);
        if let Fact::Known(webhook) = &mut cluster.webhook {
            webhook.settings.kubernetes = cluster.kubernetes_version.known().and_then(|version| version.parse().ok());
            // Where nothing tells the version, the newest pod that went through the webhook shows its generation.
            let mut mutated: Vec<_> = inventory.pods().iter().filter(|pod| is_mutated(&pod.spec)).collect();
            mutated.sort_by_key(|pod| std::cmp::Reverse(pod.meta.created));
            if let Some(pod) = mutated.first() {
                webhook.learn_from_pod(&pod.spec);
            }
            cluster.health = Health::read(inventory, webhook, cluster.now);
        }
    }
}

/// The identity webhook: there where a configuration registers one, absent where all configurations were read.
fn webhook(inventory: &Inventory) -> Fact<WebhookInstallation> {
    let found = WebhookInstallation::from_inventory(inventory);
    if found.is_registered() { Fact::Known(found) } else { inventory.missing("MutatingWebhookConfiguration", None) }
}

impl Cluster {
    /// Whether this is AKS, as far as addresses and the webhook's distribution tell.
    pub fn is_aks(&self) -> bool {
        let addresses = [self.server.as_deref(), self.issuer.known().map(String::as_str)];
        let by_address = |address: &str| address.contains(".azmk8s.") || address.contains(".oic.prod-aks.azure.");
        addresses.into_iter().flatten().any(by_address)
            || self
                .webhook
                .known()
                .is_some_and(|webhook| webhook.distribution == crate::webhook::Distribution::AksAddon)
    }
}
