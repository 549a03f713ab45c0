//! The issuer of service account tokens, where objects tell it: flags of the API server, kubeadm's configuration,
//! and tokens that somebody asked for.

use crate::model::inventory::Inventory;
use crate::model::pod::PodSpec;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The flag of the API server. Given several times, the first one signs and the others only validate.
const FLAG: &str = "service-account-issuer";

/// The issuer, and by what it is known.
pub(super) fn from_objects(inventory: &Inventory) -> Option<(String, String)> {
    from_api_server(inventory).or_else(|| from_kubeadm(inventory)).or_else(|| from_tokens(inventory))
}

fn from_api_server(inventory: &Inventory) -> Option<(String, String)> {
    let workloads = inventory.workloads().iter().map(|w| (&w.meta, &w.template.spec));
    let pods = inventory.pods().iter().map(|pod| (&pod.meta, &pod.spec));
    workloads.chain(pods).find_map(|(meta, spec)| {
        let issuer = flag_of(spec)?;
        Some((issuer, format!("--{FLAG} of {}", meta.object)))
    })
}

fn flag_of(spec: &PodSpec) -> Option<String> {
    spec.containers.iter().find_map(|container| {
        let words = || container.command.iter().chain(&container.args);
        if !words().any(|word| word.ends_with("kube-apiserver") || word == "apiserver") {
            return None;
        }
        words().find_map(|word| word.strip_prefix("--")?.strip_prefix(FLAG)?.strip_prefix('=')).map(str::to_owned)
    })
}

fn from_kubeadm(inventory: &Inventory) -> Option<(String, String)> {
    let documents = inventory
        .others_of("ClusterConfiguration")
        .filter_map(|other| Some((kubeadm_flag(&other.value)?, "kubeadm's ClusterConfiguration".to_owned())));
    let config_maps = inventory.others_of("ConfigMap").filter(|map| map.meta.name() == "kubeadm-config");
    let stored = config_maps.filter_map(|map| {
        let text = map.value.pointer("/data/ClusterConfiguration")?.as_str()?;
        let document: Value = serde_saphyr::from_str(text).ok()?;
        Some((kubeadm_flag(&document)?, format!("{}", map.meta.object)))
    });
    documents.chain(stored).next()
}

/// `apiServer.extraArgs` is a map up to v1beta3 and a list of names and values from v1beta4 on.
fn kubeadm_flag(configuration: &Value) -> Option<String> {
    let arguments = configuration.pointer("/apiServer/extraArgs")?;
    let value = match arguments {
        Value::Object(map) => map.get(FLAG)?,
        Value::Array(list) => {
            list.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(FLAG))?.get("value")?
        }
        _ => return None,
    };
    value.as_str().map(str::to_owned)
}

/// Tokens that the API server gave out (`kubectl create token -o yaml`). Only claims and header are looked at.
fn from_tokens(inventory: &Inventory) -> Option<(String, String)> {
    tokens(inventory).find_map(|token| {
        let issuer = part(token, 1)?.get("iss")?.as_str()?.to_owned();
        Some((issuer, "the iss of a TokenRequest".to_owned()))
    })
}

/// The `alg` in the header of such a token.
pub(super) fn token_algorithm(inventory: &Inventory) -> Option<String> {
    tokens(inventory).find_map(|token| Some(part(token, 0)?.get("alg")?.as_str()?.to_owned()))
}

fn tokens(inventory: &Inventory) -> impl Iterator<Item = &str> {
    inventory.others_of("TokenRequest").filter_map(|request| request.value.pointer("/status/token")?.as_str())
}

fn part(token: &str, at: usize) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(at)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}
