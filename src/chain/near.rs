//! Near misses: keys that a person meant to be the webhook's.

/// The label that asks for identity.
const USE: &str = "azure.workload.identity/use";
/// The annotation with the client id.
const CLIENT_ID: &str = "azure.workload.identity/client-id";
/// The annotation with the tenant id.
const TENANT_ID: &str = "azure.workload.identity/tenant-id";
/// Keys that look like the three above and are right as they are.
const OTHERS: &[&str] = &[
    "azure.workload.identity/skip-containers",
    "azure.workload.identity/inject-proxy-sidecar",
    "azure.workload.identity/proxy-sidecar-port",
    "azure.workload.identity/service-account-token-expiration",
    "azure.workload.identity/use-identity-binding",
    "azure-workload-identity.io/system",
];

/// Whether a key is nearly, but not exactly, the label `azure.workload.identity/use`.
pub fn is_nearly_use_label(key: &str) -> bool {
    is_nearly(key, USE)
}

/// Whether a key is nearly, but not exactly, the annotation `azure.workload.identity/client-id`.
pub fn is_nearly_client_id(key: &str) -> bool {
    is_nearly(key, CLIENT_ID)
}

/// Whether a key is nearly, but not exactly, the annotation `azure.workload.identity/tenant-id`.
pub fn is_nearly_tenant_id(key: &str) -> bool {
    is_nearly(key, TENANT_ID)
}

/// Case, separators and up to two letters may differ; the name behind the slash has to stay recognisable.
fn is_nearly(key: &str, wanted: &str) -> bool {
    if [USE, CLIENT_ID, TENANT_ID].contains(&key) || OTHERS.contains(&key) {
        return false;
    }
    let (whole, wanted_whole) = (letters(key), letters(wanted));
    // `workload.identity/use` and `azure.com/...` forms: the leading word is often forgotten or swapped.
    let tail = wanted_whole.strip_prefix("azure").unwrap_or(&wanted_whole).to_owned();
    if strsim::osa_distance(&whole, &wanted_whole) <= 2
        || whole == tail
        || (whole.ends_with(&tail) && whole.len() <= wanted_whole.len() + 6)
    {
        return true;
    }
    // `azure-workload-identity.io/use`, `azure.workload.identity/enabled`: domain and name are told apart.
    let Some((domain, name)) = key.rsplit_once('/') else { return false };
    let (domain, name) = (letters(domain), letters(name));
    let synonyms = match wanted {
        USE => USE_SYNONYMS,
        CLIENT_ID => CLIENT_ID_SYNONYMS,
        _ => &[],
    };
    let wanted_name = letters(wanted.rsplit('/').next().unwrap_or_default());
    is_domain(&domain) && (name == wanted_name || synonyms.contains(&name.as_str()))
}

/// What people write for `use`.
const USE_SYNONYMS: &[&str] = &["used", "uses", "useidentity", "useworkloadidentity", "enabled", "enable", "inject"];
/// What people write for `client-id`.
const CLIENT_ID_SYNONYMS: &[&str] =
    &["client", "clientids", "appid", "applicationid", "identityclientid", "clientguid"];

/// Whether the letters before the slash are nearly `azure.workload.identity`, perhaps as a domain.
fn is_domain(letters: &str) -> bool {
    let bare = letters.strip_suffix("io").or_else(|| letters.strip_suffix("com")).unwrap_or(letters);
    let bare = bare.strip_prefix("aks").unwrap_or(bare);
    ["azureworkloadidentity", "workloadidentityazure", "workloadidentity"]
        .iter()
        .any(|known| strsim::osa_distance(bare, known) <= 2)
}

fn letters(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a text is a GUID in the form that Azure takes: 36 characters, hexadecimal with dashes.
pub fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_misspellings_of_the_field_are_near_and_other_keys_are_not() {
        for key in [
            "azure.workload.identity/Use",
            "azure.workload.identity.use",
            "azure-workload-identity/use",
            "azure.workload-identity/use",
            "azure.workloadidentity/use",
            "azure.workload.identity/used",
            "azure.workload.identity/uses",
            "workload.identity/use",
            "azure.workload.identiy/use",
            "aks.azure.workload.identity/use",
            "azure_workload_identity/use",
            "azure-workload-identity.io/use",
            "azure.workload.identity/enabled",
            "azure.workload.identity.use",
        ] {
            assert!(is_nearly_use_label(key), "{key}");
        }
        for key in [
            "azure.workload.identity/clientId",
            "azure.workload.identity/client_id",
            "azure.workload.identity/clientid",
            "azure.workload.identity/app-id",
            "workload-identity.azure.com/client-id",
        ] {
            assert!(is_nearly_client_id(key), "{key}");
            assert!(!is_nearly_use_label(key), "{key}");
        }
        for key in [
            "azure.workload.identity/use",
            "azure.workload.identity/use-identity-binding",
            "app",
            "azure-workload-identity.io/system",
            "azure.workload.identity/tenant-id",
            "azure.workload.identity/use-some-proxy",
            "app.kubernetes.io/name",
            "iam.gke.io/gcp-service-account",
            "example.com/client-id",
            "example.com/use",
        ] {
            assert!(!is_nearly_use_label(key), "{key}");
            assert!(!is_nearly_client_id(key), "{key}");
        }
    }

    #[test]
    fn a_guid_is_exact() {
        assert!(is_guid("3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2"));
        assert!(is_guid("3F6C2B1E-9A4D-4C6E-8F0A-2D5B7C9E91D2"));
        for text in [
            "",
            " 3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2",
            "{3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d}",
            "3f6c2b1e9a4d4c6e8f0a2d5b7c9e91d2",
        ] {
            assert!(!is_guid(text), "{text}");
        }
    }
}
