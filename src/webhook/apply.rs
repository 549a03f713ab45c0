//! Writes an [`Injection`] into a pod, without touching anything else of it.

use super::injection::{
    AuthoritySource, ContainerInjection, Injection, Placement, Proxy, ProxyRole, TokenVolume, Variable,
};
use super::keys;
use crate::model::pod::ContainerList;
use serde_json::{Map, Value, json};

/// Adds to a pod, or to a pod template, what the webhook adds to it.
///
/// The injection has to be of this very pod; entries that are not where it says are passed over.
pub fn apply(injection: &Injection, pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for container in &injection.containers {
        let listed = spec.get_mut(container.list.field()).and_then(|list| list.get_mut(container.index));
        if let Some(body) = listed.and_then(Value::as_object_mut) {
            complete(body, container, &injection.volume);
        }
    }
    for proxy in &injection.proxies {
        let mut body = proxy_container(proxy);
        complete(&mut body, &proxy.injection, &injection.volume);
        change_list(spec, proxy.list.field(), |list| {
            list.insert(if proxy.first { 0 } else { list.len() }, Value::Object(body));
        });
    }
    if injection.volume.placement != Placement::Kept {
        let volume = volume(injection);
        change_list(spec, "volumes", |list| place(list, injection.volume.placement, volume));
    }
}

/// A container's variables and mount.
fn complete(container: &mut Map<String, Value>, injection: &ContainerInjection, volume: &TokenVolume) {
    if !injection.variables.is_empty() {
        change_list(container, "env", |list| list.extend(injection.variables.iter().map(variable)));
    }
    if injection.mount != Placement::Kept {
        let mount = json!({"name": volume.name, "mountPath": volume.mount_path, "readOnly": true});
        change_list(container, "volumeMounts", |list| place(list, injection.mount, mount));
    }
}

/// Changes the list in that field, which is made where it is absent or null.
fn change_list(object: &mut Map<String, Value>, field: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let value = object.entry(field).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Array(Vec::new());
    }
    if let Value::Array(list) = value {
        change(list);
    }
}

fn place(list: &mut Vec<Value>, placement: Placement, entry: Value) {
    match placement {
        Placement::Kept => {}
        Placement::Appended => list.push(entry),
        Placement::Replaces(index) => {
            if let Some(there) = list.get_mut(index) {
                *there = entry;
            }
        }
    }
}

/// An entry of `env`. The API leaves an empty value out.
///
/// Where the webhook's configuration was not seen, the authority is that of a webhook that nobody configured; for the
/// tenant, without which no webhook starts, there is only a placeholder.
fn variable(variable: &Variable) -> Value {
    let value = variable.value.as_deref().unwrap_or(match variable.name {
        keys::ENV_TENANT_ID => keys::UNSEEN_TENANT,
        _ => keys::PUBLIC_AUTHORITY,
    });
    if value.is_empty() { json!({"name": variable.name}) } else { json!({"name": variable.name, "value": value}) }
}

fn volume(injection: &Injection) -> Value {
    let Injection { token, volume, .. } = injection;
    let mut sources = vec![json!({"serviceAccountToken": {
        "audience": token.audience,
        "expirationSeconds": token.expiration_seconds,
        "path": volume.token_path,
    }})];
    sources.extend(volume.authority.as_ref().map(|authority| match authority {
        AuthoritySource::ConfigMap(name) => json!({"configMap": {
            "name": name,
            "items": [{"key": "ca.crt", "path": AuthoritySource::PATH}],
            "optional": false,
        }}),
        AuthoritySource::TrustBundle { signer, label_selector } => {
            let mut bundle = json!({"signerName": signer, "path": AuthoritySource::PATH, "optional": false});
            if let Some(selector) = label_selector {
                bundle["labelSelector"] = selector.clone();
            }
            json!({"clusterTrustBundle": bundle})
        }
    }));
    json!({"name": volume.name, "projected": {"sources": sources}})
}

/// A proxy container without its variables for identity and without its mount.
fn proxy_container(proxy: &Proxy) -> Map<String, Value> {
    let Proxy { role, image, port, log_level, .. } = proxy;
    let mut container = match role {
        ProxyRole::Init => json!({
            "securityContext": {
                "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
                "privileged": true,
                "runAsNonRoot": false,
                "runAsUser": 0,
            },
            "env": [{"name": keys::ENV_PROXY_PORT, "value": port.to_string()}],
        }),
        ProxyRole::Sidecar => json!({
            "args": [format!("--proxy-port={port}"), format!("--log-level={log_level}")],
            "ports": [{"containerPort": port}],
            "lifecycle": {"postStart": {"exec": {"command": [
                "/proxy", format!("--proxy-port={port}"), "--probe", format!("--log-level={log_level}"),
            ]}}},
        }),
    };
    container["name"] = role.container().into();
    container["image"] = image.as_str().into();
    container["imagePullPolicy"] = "IfNotPresent".into();
    if *role == ProxyRole::Sidecar && proxy.secured {
        container["securityContext"] = json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
        });
    }
    if *role == ProxyRole::Sidecar && proxy.list == ContainerList::Init {
        container["restartPolicy"] = "Always".into();
    }
    match container {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
