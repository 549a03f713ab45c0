//! Secrets, of which no value is kept.

use super::finding::pointer_token;
use super::object::{ApiMeta, Meta, Origin};
use super::settings::{Setting, Settings};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use std::collections::BTreeMap;

/// A Secret: the names of its keys, and of each value what an allow-list lets through.
#[derive(Debug, Clone)]
pub struct Secret {
    /// `metadata`, without the annotations in which tools keep a copy of the whole object.
    pub meta: Meta,
    /// `type`
    pub kind: Option<String>,
    /// `data` and `stringData`, by key.
    pub entries: BTreeMap<String, SecretEntry>,
}

/// What is kept of one value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretEntry {
    /// Whether the value is empty.
    pub empty: bool,
    /// Whether it stands in `stringData`.
    pub plain: bool,
    /// The value itself, where its key is known to hold no secret: a variable.
    pub variable: Option<Setting>,
    /// The value as a configuration file.
    pub file: Settings,
    /// The certificates in it, in PEM; certificates are public.
    pub certificates: Vec<String>,
}

/// Annotations that hold no copy of the object; all others are dropped.
const ANNOTATIONS: &[&str] = &[
    "meta.helm.sh/",
    "helm.sh/",
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "azure.workload.identity/",
    "kubectl-wi/",
];

impl Secret {
    /// Reads the API's JSON of a Secret and forgets its values.
    pub(crate) fn read(mut value: Value, api_version: &str, origin: Origin) -> Result<Self, serde_json::Error> {
        let mut take = |key: &str| value.as_object_mut().and_then(|map| map.remove(key)).unwrap_or_default();
        let (data, plain, metadata) = (take("data"), take("stringData"), take("metadata"));
        let kind = take("type").as_str().map(str::to_owned);
        // serde's own words repeat what it could not read.
        let meta = ApiMeta::deserialize(metadata).map_err(|_| serde_json::Error::custom("metadata is malformed"))?;
        let mut meta = meta.into_meta(api_version, "Secret", origin);
        if let Some(annotations) = &mut meta.annotations {
            annotations.retain(|key, _| ANNOTATIONS.iter().any(|known| key.starts_with(known)));
        }
        let mut entries = BTreeMap::new();
        for (key, value) in data.as_object().into_iter().flatten() {
            let decoded =
                value.as_str().and_then(|text| STANDARD.decode(text.split_whitespace().collect::<String>()).ok());
            let text = decoded.as_deref().map(String::from_utf8_lossy);
            entries.insert(key.clone(), SecretEntry::of(key, text.as_deref()));
        }
        for (key, value) in plain.as_object().into_iter().flatten() {
            let entry = SecretEntry::of(key, Some(value.as_str().unwrap_or_default()));
            entries.insert(key.clone(), SecretEntry { plain: true, ..entry });
        }
        Ok(Self { meta, kind, entries })
    }

    /// What is kept of the value of a key.
    pub fn entry(&self, key: &str) -> Option<&SecretEntry> {
        self.entries.get(key)
    }

    /// JSON pointer of a key's value.
    pub fn path(&self, key: &str) -> String {
        let plain = self.entry(key).is_some_and(|entry| entry.plain);
        format!("/{}/{}", if plain { "stringData" } else { "data" }, pointer_token(key))
    }

    /// Whether a key is there with a value.
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some_and(|entry| !entry.empty)
    }

    /// The client or tenant id under a key.
    pub fn id(&self, key: &str) -> Option<&str> {
        match self.entry(key)?.variable.as_ref()? {
            Setting::Id(id) => Some(id),
            _ => None,
        }
    }

    /// The switch under a key.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.entry(key)?.variable.as_ref()? {
            Setting::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl SecretEntry {
    /// `None` stands for a value that is no base64, of which nothing is known.
    fn of(key: &str, text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::default() };
        Self {
            empty: text.trim().is_empty(),
            plain: false,
            variable: Setting::of_word(key, text),
            file: Settings::of_text(text),
            certificates: certificates(text),
        }
    }
}

/// The PEM blocks that are certificates: base64 of a DER sequence.
fn certificates(text: &str) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut found = Vec::new();
    for block in text.split(BEGIN).skip(1) {
        let Some((body, _)) = block.split_once(END) else { continue };
        let Ok(der) = STANDARD.decode(body.split_whitespace().collect::<String>()) else { continue };
        if der.starts_with(&[0x30, 0x82]) {
            found.push(format!("{BEGIN}{body}{END}\n"));
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_of_a_value_survives() {
        let marker = "MARKER-7f3a";
        let value = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "s", "namespace": "n", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": marker, "meta.helm.sh/release-name": "r"}},
            "data": {"cloud": STANDARD.encode(format!("AZURE_CLIENT_SECRET={marker}\nAZURE_CLIENT_ID={marker}")), "bad": marker,
                "tls.crt": STANDARD.encode(format!("-----BEGIN CERTIFICATE-----\n{marker}\n-----END CERTIFICATE-----"))},
            "stringData": {"AZURE_CLIENT_ID": marker, "AZURE_TENANT_ID": "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2", "x": format!("{marker}: {marker}")}
        });
        let secret = Secret::read(value, "v1", Origin::Cluster).unwrap();
        assert!(!format!("{secret:?}").contains(marker));
        assert_eq!(secret.id("AZURE_TENANT_ID"), Some("3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2"));
        assert!(secret.has("AZURE_CLIENT_ID"));
        assert!(secret.entry("cloud").unwrap().file.is_set("AZURE_CLIENT_SECRET"));
        assert_eq!(secret.meta.annotation("meta.helm.sh/release-name"), Some("r"));
        assert!(
            Secret::read(json!({"metadata": marker}), "v1", Origin::Cluster)
                .is_err_and(|e| !e.to_string().contains(marker))
        );
    }
}
