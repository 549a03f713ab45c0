//! Values that only a person knows: what is asked, and what was answered.

use crate::model::finding::Ask;
use crate::model::object::ObjectRef;
use std::collections::BTreeMap;

/// What was answered so far: by flags, or by a person.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// `--client-id`: for every account that needs one.
    pub client_id: Option<String>,
    /// `--tenant-id`
    pub tenant_id: Option<String>,
    /// `--service-account`
    pub service_account: Option<String>,
    /// `--container`
    pub containers: Vec<String>,
    /// What was answered for one object.
    pub given: BTreeMap<(&'static str, ObjectRef), String>,
}

impl Answers {
    /// The answer to a question; `None` where it is open. Several containers are separated by commas.
    pub fn get(&self, ask: &Ask) -> Option<String> {
        let general = || match ask {
            Ask::ClientId(_) => self.client_id.clone(),
            Ask::TenantId(_) => self.tenant_id.clone(),
            Ask::ServiceAccount(_) => self.service_account.clone(),
            Ask::Containers(_) => Some(self.containers.join(",")).filter(|names| !names.is_empty()),
        };
        self.given.get(&key(ask)).cloned().or_else(general)
    }

    /// Notes an answer.
    pub fn give(&mut self, ask: &Ask, value: String) {
        self.given.insert(key(ask), value);
    }
}

fn key(ask: &Ask) -> (&'static str, ObjectRef) {
    (what(ask), object(ask).clone())
}

/// How the value is called.
pub fn what(ask: &Ask) -> &'static str {
    match ask {
        Ask::ClientId(_) => "client id",
        Ask::TenantId(_) => "tenant id",
        Ask::ServiceAccount(_) => "service account",
        Ask::Containers(_) => "container that needs identity",
    }
}

/// The flag that answers beforehand.
pub fn flag(ask: &Ask) -> &'static str {
    match ask {
        Ask::ClientId(_) => "--client-id",
        Ask::TenantId(_) => "--tenant-id",
        Ask::ServiceAccount(_) => "--service-account",
        Ask::Containers(_) => "--container",
    }
}

/// The object that the value is for.
pub fn object(ask: &Ask) -> &ObjectRef {
    match ask {
        Ask::ClientId(object) | Ask::TenantId(object) | Ask::ServiceAccount(object) | Ask::Containers(object) => object,
    }
}

/// The names in an answer that may hold several.
pub fn names(answer: &str) -> Vec<&str> {
    answer.split([',', ';']).map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// Whether a text can be the answer; the reason why not is a sentence.
pub fn check(ask: &Ask, value: &str) -> Result<(), String> {
    match ask {
        Ask::ClientId(_) | Ask::TenantId(_) if !is_guid(value) => Err(format!(
            "a {} is a GUID such as 3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2, and \"{value}\" is none",
            what(ask)
        )),
        Ask::ClientId(_) | Ask::TenantId(_) if value.chars().all(|c| c == '-' || c == '0') => {
            Err(format!("{value} stands for none; a {} is not all zeros", what(ask)))
        }
        // Names of accounts are DNS subdomains, names of containers DNS labels.
        Ask::ServiceAccount(_) if !is_name(value, 253, true) => {
            Err(format!("\"{value}\" is no name of a service account"))
        }
        Ask::Containers(_) if names(value).is_empty() || !names(value).iter().all(|name| is_name(name, 63, false)) => {
            Err(format!("\"{value}\" is no name of a container"))
        }
        _ => Ok(()),
    }
}

/// Whether a text is a name as Kubernetes takes it: a DNS label, or several with dots between them.
fn is_name(text: &str, longest: usize, dots: bool) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label =
        |label: &str| label.starts_with(edge) && label.ends_with(edge) && label.chars().all(|c| edge(c) || c == '-');
    text.len() <= longest && if dots { text.split('.').all(label) } else { label(text) }
}

/// Eight, four, four, four and twelve hexadecimal digits.
pub fn is_guid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_answer_is_refused() {
        let object = || ObjectRef::service_account("n", "a");
        let client = Ask::ClientId(object());
        assert!(check(&client, "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2").is_ok());
        for wrong in ["", "velero", "{3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2}", "00000000-0000-0000-0000-000000000000"] {
            assert!(check(&client, wrong).is_err(), "{wrong}");
            assert!(check(&Ask::TenantId(object()), wrong).is_err(), "{wrong}");
        }
        let (account, containers) = (Ask::ServiceAccount(object()), Ask::Containers(object()));
        assert!(check(&account, "velero.server-1").is_ok() && check(&containers, "app,side-car").is_ok());
        for wrong in ["", "a b", "ns/name", "Velero", "-a", "a..b"] {
            assert!(check(&account, wrong).is_err() && check(&containers, wrong).is_err(), "{wrong}");
        }
    }
}
