//! What a role allows: `actions` minus `notActions`, with wildcards.

use crate::azure::wildcard::wildcard;

/// Which of the two planes an action belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plane {
    /// ARM: create, configure, list keys.
    Control,
    /// The service itself: read a blob, receive a message. Owner, Contributor and Reader have nothing there.
    Data,
}

/// One action, as Azure's roles name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read`
    pub name: String,
    /// Its plane.
    pub plane: Plane,
}

impl Action {
    /// An action of ARM.
    pub fn control(name: &str) -> Self {
        Self { name: name.to_owned(), plane: Plane::Control }
    }

    /// An action on data.
    pub fn data(name: &str) -> Self {
        Self { name: name.to_owned(), plane: Plane::Data }
    }
}

/// One entry of a role definition's `permissions`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Permission {
    /// `actions`
    pub actions: Vec<String>,
    /// `notActions`
    pub not_actions: Vec<String>,
    /// `dataActions`
    pub data_actions: Vec<String>,
    /// `notDataActions`
    pub not_data_actions: Vec<String>,
}

impl Permission {
    /// Whether this entry allows the action.
    pub fn allows(&self, action: &Action) -> bool {
        let (allowed, excluded) = match action.plane {
            Plane::Control => (&self.actions, &self.not_actions),
            Plane::Data => (&self.data_actions, &self.not_data_actions),
        };
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, &action.name));
        any(allowed) && !any(excluded)
    }
}

/// Whether a pattern covers an action, without regard to case. `*` is any run of characters, slashes included, and
/// `a/*/read` covers `a/read` too: built-in roles (Managed Identity Operator, Key Vault Reader) rely on that.
pub fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    wildcard(&pattern, &action, false)
        || (pattern.contains("/*/") && wildcard(&pattern.replace("/*/", "/"), &action, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cross_slashes_and_ignore_case() {
        for (pattern, action, expected) in [
            ("*", "Microsoft.X/y/read", true),
            ("*/read", "Microsoft.X/y/z/read", true),
            ("*/read", "Microsoft.X/y/z/write", false),
            ("Microsoft.Storage/*", "microsoft.storage/storageAccounts/read", true),
            (
                "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
                "Microsoft.ManagedIdentity/userAssignedIdentities/read",
                true,
            ),
            (
                "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
                "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
                true,
            ),
            (
                "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
                "Microsoft.ManagedIdentity/userAssignedIdentities/write",
                false,
            ),
            ("a/*/b/*/c", "a/x/y/b/z/c", true),
            ("a/b", "a/bc", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern} {action}");
        }
    }

    #[test]
    fn exceptions_take_away_in_their_own_plane_only() {
        let contributor = Permission {
            actions: vec!["*".to_owned()],
            not_actions: vec!["Microsoft.Authorization/*/Write".to_owned()],
            ..Permission::default()
        };
        assert!(contributor.allows(&Action::control("Microsoft.Storage/storageAccounts/listKeys/action")));
        assert!(!contributor.allows(&Action::control("Microsoft.Authorization/roleAssignments/write")));
        assert!(
            !contributor.allows(&Action::data("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"))
        );
    }
}
