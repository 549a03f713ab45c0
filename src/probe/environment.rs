//! The variables of a container: as it sees them, or as its specification has them.

use super::facts::VariablesFrom;
use crate::model::pod::Container;
use crate::webhook::keys;
use std::collections::BTreeMap;

/// Variables of Azure whose value is no secret.
const SHOWN: &[&str] = &[
    keys::ENV_CLIENT_ID,
    keys::ENV_TENANT_ID,
    keys::ENV_TOKEN_FILE,
    keys::ENV_AUTHORITY_HOST,
    keys::ENV_TOKEN_PROXY,
    keys::ENV_SNI_NAME,
    keys::ENV_CA_FILE,
    "AZURE_TOKEN_CREDENTIALS",
    "AZURE_REGIONAL_AUTHORITY_NAME",
    "AZURE_ADDITIONALLY_ALLOWED_TENANTS",
    "AZURE_IDENTITY_DISABLE_MULTITENANTAUTH",
];

/// What stands for a value that may be a secret.
pub const HIDDEN: &str = "(set, not shown)";

/// The variables that matter to a probe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// The `AZURE_` ones; secrets are hidden.
    pub azure: BTreeMap<String, String>,
    /// Whether a proxy is set, through which the application goes where a plain connection does not.
    pub proxied: bool,
    /// Where they were read.
    pub from: VariablesFrom,
    /// Whether the specification takes variables from elsewhere, which are not in it.
    pub may_have_more: bool,
}

impl Variables {
    /// The value of one, where it is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.azure.get(name).map(String::as_str).filter(|value| !value.is_empty() && *value != HIDDEN)
    }

    fn note(&mut self, name: &str, value: &str) {
        if name.starts_with("AZURE_") {
            let shown = if SHOWN.contains(&name) { value } else { HIDDEN };
            self.azure.insert(name.to_owned(), shown.to_owned());
        }
        self.proxied |= matches!(name, "HTTPS_PROXY" | "https_proxy" | "ALL_PROXY" | "all_proxy") && !value.is_empty();
    }
}

/// Reads `/proc/self/environ`: `NAME=value`, with a NUL behind each. `None` where it is nothing of the kind.
pub fn of_environ(bytes: &[u8]) -> Option<Variables> {
    of_parts(bytes.split(|byte| *byte == 0))
}

/// Reads what `env` and `set` print, one a line.
pub fn of_lines(bytes: &[u8]) -> Option<Variables> {
    of_parts(bytes.split(|byte| *byte == b'\n'))
}

fn of_parts<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Option<Variables> {
    let mut variables = Variables { from: VariablesFrom::Container, ..Variables::default() };
    let mut any = false;
    for part in parts {
        let Some(at) = part.iter().position(|byte| *byte == b'=').filter(|at| *at > 0) else { continue };
        let (Ok(name), value) = (std::str::from_utf8(&part[..at]), String::from_utf8_lossy(&part[at + 1..])) else {
            continue;
        };
        any = true;
        variables.note(name.trim(), value.trim_end_matches('\r'));
    }
    any.then_some(variables)
}

/// What the specification says. A value that comes from elsewhere (`valueFrom`) is known to be set only.
pub fn of_specification(container: &Container) -> Variables {
    let mut variables = Variables { may_have_more: !container.env_from.is_empty(), ..Variables::default() };
    for variable in &container.env {
        match variable.literal() {
            Some(value) => variables.note(&variable.name, value),
            None if variable.name.starts_with("AZURE_") => {
                variables.azure.insert(variable.name.clone(), HIDDEN.to_owned());
            }
            None => {}
        }
    }
    variables
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let read =
            of_environ(b"PATH=/bin\0AZURE_CLIENT_ID=a\0AZURE_CLIENT_SECRET=hunter2\0https_proxy=http://p\0").unwrap();
        assert_eq!(read.get("AZURE_CLIENT_ID"), Some("a"));
        assert_eq!(read.azure["AZURE_CLIENT_SECRET"], HIDDEN);
        assert!(read.proxied && !format!("{read:?}").contains("hunter2"));
    }

    #[test]
    fn nothing_is_not_an_empty_environment() {
        assert_eq!(of_environ(b""), None);
        assert_eq!(of_environ(b"cat: not found\n"), None);
        assert_eq!(of_lines(b"HOME=/\r\n").unwrap().azure.len(), 0);
    }
}
