//! What is kept of a configuration that may hold secrets: an allow-list, applied before anything reaches the model.
//!
//! A value is kept only under a name that is known to carry no secret, and only where it has the shape that belongs
//! there: a GUID under the name of a client or tenant id, a boolean under the name of a switch, a known word under the
//! name of a cloud. Of everything else that has a known name remains whether it is set; the rest is dropped, names
//! too, because any text may happen to read as a map.

use crate::chain::near::is_guid;
use crate::manifest::read::parse_value;
use serde_json::Value;
use std::collections::BTreeMap;

/// The largest text that is read as a configuration, in bytes; more is no configuration of a known application.
const LARGEST: usize = 512 * 1024;

/// A configuration, cut down to what identity depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, Setting>);

/// One entry of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A section.
    Map(Settings),
    /// Several sections.
    List(Vec<Settings>),
    /// A switch.
    Flag(bool),
    /// A client or tenant id, a GUID.
    Id(String),
    /// One of the words that are known for this name.
    Word(&'static str),
    /// Set to something that is not kept.
    Set,
    /// There, and empty.
    Empty,
}

/// Names under which a client or tenant id stands.
const IDS: &[&str] = &[
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "ARM_CLIENT_ID",
    "ARM_TENANT_ID",
    "clientId",
    "clientID",
    "client_id",
    "tenantId",
    "tenantID",
    "tenant_id",
    "az_tenant_id",
    "aadClientId",
    "userAssignedIdentityID",
    "user_assigned_id",
];

/// Names of switches.
const FLAGS: &[&str] = &[
    "useWorkloadIdentityExtension",
    "useManagedIdentityExtension",
    "use_federated_token",
    "use_managed_identity",
    "use_service_principal",
    "use_thanos_objstore",
    "useAzureWorkloadIdentity",
    "useWorkloadIdentity",
    "USE_WORKLOAD_IDENTITY_AUTH",
    "ARM_USE_OIDC",
    "ARM_USE_MSI",
    "ARM_USE_CLI",
    "ARM_USE_AKS_WORKLOAD_IDENTITY",
];

/// Names under which one of a few known words stands.
const WORDS: &[(&str, &[&str])] = &[
    ("AZURE_CLOUD_NAME", CLOUDS),
    ("AZURE_ENVIRONMENT", CLOUDS),
    ("ARM_ENVIRONMENT", &["public", "usgovernment", "china", "german"]),
    ("cloud", CLOUDS),
    ("environment", CLOUDS),
    ("type", KINDS),
    ("backend", KINDS),
    ("endpoint", ENDPOINTS),
    ("endpoint_suffix", ENDPOINTS),
    ("aadClientSecret", &["msi"]),
    ("AAD_LOGIN_METHOD", &["workloadidentity", "msi", "spn", "azurecli"]),
    ("azureAuthMethods", &["workloadidentity", "wi", "none"]),
];

const CLOUDS: &[&str] = &[
    "AzurePublicCloud",
    "AzureCloud",
    "AzureGlobal",
    "AzureUSGovernmentCloud",
    "AzureUSGovernment",
    "AzureChinaCloud",
    "AzureGermanCloud",
    "AzureGermanyCloud",
    "AzureStackCloud",
];

const KINDS: &[&str] =
    &["AZURE", "S3", "GCS", "FILESYSTEM", "LOCAL", "SWIFT", "COS", "ALIYUNOSS", "BOS", "OCI", "git", "helm"];

const ENDPOINTS: &[&str] = &[
    "blob.core.windows.net",
    "blob.core.usgovcloudapi.net",
    "blob.core.chinacloudapi.cn",
    "core.windows.net",
    "core.usgovcloudapi.net",
    "core.chinacloudapi.cn",
];

/// Names of which only is kept whether they are set.
const PRESENT: &[&str] = &[
    "storage_account",
    "storage_account_key",
    "storage_connection_string",
    "account_name",
    "account_key",
    "connection_string",
    "container",
    "container_name",
    "client_secret",
    "msi_resource",
    "subscriptionId",
    "resourceGroup",
    "username",
    "password",
    "sshPrivateKey",
    "clientSecret",
    "active_directory_endpoint",
    "ARM_CLIENT_SECRET",
    "ARM_CLIENT_CERTIFICATE",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_ACCESS_KEY",
    "ARM_SUBSCRIPTION_ID",
    "ARM_OIDC_TOKEN",
    "ARM_OIDC_TOKEN_FILE_PATH",
];

/// Sections that are read further.
const SECTIONS: &[&str] = &[
    "config",
    "storage_config",
    "object_store",
    "azure",
    "common",
    "storage",
    "trace",
    "blocks_storage",
    "ruler_storage",
    "alertmanager_storage",
    "ruler",
    "execProviderConfig",
    "env",
];

impl Settings {
    /// Reads YAML, JSON, or lines of `NAME=value`; empty for everything else.
    pub fn of_text(text: &str) -> Self {
        if text.len() > LARGEST {
            return Self::default();
        }
        match parse_value::<Value>(text) {
            Some(Value::Object(map)) => Self::of_map(&map),
            _ => Self::of_lines(text),
        }
    }

    /// Keeps of a map what may be kept.
    pub fn of_map(map: &serde_json::Map<String, Value>) -> Self {
        Self(map.iter().filter_map(|(name, value)| Some((name.clone(), of_value(name, value)?))).collect())
    }

    /// Lines as a shell or godotenv reads them: `NAME=value`, `export NAME="value"`.
    fn of_lines(text: &str) -> Self {
        let mut settings = BTreeMap::new();
        for line in text.lines() {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            if line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = value.trim();
            let quoted =
                ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.split_once(*q).map(|(inner, _)| inner));
            let name = name.trim();
            if let Some(setting) = Setting::of_word(name, quoted.unwrap_or(value)) {
                settings.insert(name.to_owned(), setting);
            }
        }
        Self(settings)
    }

    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.0.get(name)
    }

    /// The section at a path of names; the settings themselves for an empty path.
    pub fn section(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |at, name| match at.get(name)? {
            Setting::Map(map) => Some(map),
            _ => None,
        })
    }

    /// Whether something is set under that name, and not to nothing.
    pub fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|setting| !matches!(setting, Setting::Empty | Setting::Flag(false)))
    }

    /// The id under that name.
    pub fn id(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Setting::Id(id) => Some(id),
            _ => None,
        }
    }

    /// The switch under that name.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Setting::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The known word under that name.
    pub fn word(&self, name: &str) -> Option<&'static str> {
        match self.get(name)? {
            Setting::Word(word) => Some(word),
            _ => None,
        }
    }

    /// All names with what is known of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(name, setting)| (name.as_str(), setting))
    }

    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Setting {
    /// What is kept of a text under a name; `None` where not even the name is.
    pub fn of_word(name: &str, value: &str) -> Option<Self> {
        let value = value.trim();
        let words = WORDS.iter().find(|(known, _)| *known == name).map(|(_, words)| *words);
        let known = words.is_some() || IDS.contains(&name) || FLAGS.contains(&name) || PRESENT.contains(&name);
        if !known && !is_azure_variable(name) {
            return None;
        }
        if value.is_empty() {
            return Some(Self::Empty);
        }
        if FLAGS.contains(&name) {
            return Some(match value.to_lowercase().as_str() {
                "true" | "1" | "yes" | "on" | "enabled" => Self::Flag(true),
                "false" | "0" | "no" | "off" | "disabled" => Self::Flag(false),
                _ => Self::Set,
            });
        }
        if (IDS.contains(&name) || name.ends_with("_CLIENTID") || name.ends_with("_TENANTID")) && is_guid(value) {
            return Some(Self::Id(value.to_owned()));
        }
        let word = words.into_iter().flatten().find(|word| word.eq_ignore_ascii_case(value));
        Some(word.map_or(Self::Set, |word| Self::Word(word)))
    }
}

/// Whether a name is a variable as Azure's tools use them: its name gives nothing away.
fn is_azure_variable(name: &str) -> bool {
    name.strip_prefix("AZURE_").is_some_and(|rest| {
        (1..=60).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    })
}

fn of_value(name: &str, value: &Value) -> Option<Setting> {
    match value {
        Value::Object(map) => {
            let section = SECTIONS.contains(&name);
            section.then(|| Setting::Map(Settings::of_map(map)))
        }
        Value::Array(items) => SECTIONS
            .contains(&name)
            .then(|| Setting::List(items.iter().filter_map(Value::as_object).map(Settings::of_map).collect())),
        Value::Null => Setting::of_word(name, ""),
        Value::String(text) => Setting::of_word(name, text),
        other => Setting::of_word(name, &other.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GUID: &str = "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2";

    #[test]
    fn a_credentials_file_keeps_ids_and_names_and_no_secret() {
        let settings = Settings::of_text(&format!(
            "# comment\nexport AZURE_CLIENT_ID=\"{GUID}\" # mine\nAZURE_CLIENT_SECRET='s3cret'\nAZURE_CLOUD_NAME=azurepubliccloud\n\
             AZURE_TENANT_ID=hunter2\nAZURE_USERNAME=\nMY_OWN=thing\nQUJDRA==\n"
        ));
        assert_eq!(settings.id("AZURE_CLIENT_ID"), Some(GUID));
        assert_eq!(settings.get("AZURE_CLIENT_SECRET"), Some(&Setting::Set));
        assert_eq!(settings.word("AZURE_CLOUD_NAME"), Some("AzurePublicCloud"));
        assert_eq!(settings.get("AZURE_TENANT_ID"), Some(&Setting::Set));
        assert!(!settings.is_set("AZURE_USERNAME"));
        let shown = format!("{settings:?}");
        for gone in ["s3cret", "hunter2", "MY_OWN", "thing", "QUJDRA"] {
            assert!(!shown.contains(gone), "{shown}");
        }
    }

    #[test]
    fn yaml_and_json_keep_sections_and_switches() {
        let settings = Settings::of_text(
            "type: azure\nconfig:\n  storage_account: x\n  user_assigned_id: \"\"\n  container: y\n  endpoint: blob.core.windows.net\npassword: p\nfoo: {bar: baz}\n",
        );
        assert_eq!(settings.word("type"), Some("AZURE"));
        let config = settings.section(&["config"]).unwrap();
        assert_eq!(config.get("user_assigned_id"), Some(&Setting::Empty));
        assert!(config.is_set("storage_account"));
        assert!(settings.get("foo").is_none());
        let json =
            Settings::of_text(r#"{"useWorkloadIdentityExtension": true, "aadClientSecret": "MSI", "tenantId": "x"}"#);
        assert_eq!(json.flag("useWorkloadIdentityExtension"), Some(true));
        assert_eq!(json.word("aadClientSecret"), Some("msi"));
        assert_eq!(json.get("tenantId"), Some(&Setting::Set));
    }

    #[test]
    fn what_is_no_configuration_leaves_nothing() {
        for text in ["", "p4ssw0rd", "a: b: c", "[1, 2]", "SECRET=1", "hunter2: yes", "\u{1}=\u{2}"] {
            assert!(Settings::of_text(text).is_empty(), "{text}");
        }
    }
}
