//! What the webhook reads of a service account.

use super::keys;
use crate::model::StringMap;
use crate::model::workload::ServiceAccount;

/// A service account as the webhook sees it: its name and what is written on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountView<'a> {
    /// `metadata.name`
    pub name: &'a str,
    /// `metadata.labels`; only releases before 1.0.0 look at them.
    pub labels: Option<&'a StringMap>,
    /// `metadata.annotations`
    pub annotations: Option<&'a StringMap>,
}

impl<'a> AccountView<'a> {
    /// The account `default` as the API server makes it with each namespace.
    pub const BARE_DEFAULT: Self = Self { name: "default", labels: None, annotations: None };

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&'a str> {
        self.annotations?.get(key).map(String::as_str)
    }

    /// Whether it carries the label that selected pods before 1.0.0.
    pub fn selects_pods(&self) -> bool {
        self.labels.and_then(|labels| labels.get(keys::USE_LABEL)).is_some_and(|value| value == keys::USE_LABEL_VALUE)
    }
}

impl<'a> From<&'a ServiceAccount> for AccountView<'a> {
    fn from(account: &'a ServiceAccount) -> Self {
        Self {
            name: account.meta.name(),
            labels: account.meta.labels.as_ref(),
            annotations: account.meta.annotations.as_ref(),
        }
    }
}
