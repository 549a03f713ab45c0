//! ARM resource ids.
//!
//! ARM answers with other letter case than it was asked with (`resourcegroups` for `resourceGroups` in identity ids,
//! `Microsoft.ContainerService/ManagedClusters` as a type), so ids are compared without regard to case everywhere.

use super::guid::Guid;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A well-formed ARM id or scope: `/`, `/subscriptions/…`, `/providers/Microsoft.Management/managementGroups/…`.
///
/// Each segment is one that can be put into a URL's path as it is: no `..`, no `/`, `?`, `#` or `%`. The generated
/// client puts segments into paths unencoded, so nothing else may reach it.
#[derive(Debug, Clone)]
pub struct ResourceId(String);

/// The text is not an ARM id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an Azure resource id (/subscriptions/…)")]
pub struct NotAnId(String);

impl ResourceId {
    /// Reads an id; a trailing slash is taken away.
    ///
    /// # Errors
    /// A text without a leading slash, with an empty segment or one that cannot stand in a path.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let wrong = || NotAnId(text.chars().take(200).collect());
        let trimmed = text.trim_end_matches('/');
        let rest = match trimmed.strip_prefix('/') {
            Some(rest) => rest,
            None if trimmed.is_empty() && text.starts_with('/') => return Ok(Self("/".to_owned())),
            None => return Err(wrong()),
        };
        if rest.split('/').all(is_segment) { Ok(Self(trimmed.to_owned())) } else { Err(wrong()) }
    }

    /// The id of a user-assigned identity.
    ///
    /// # Errors
    /// A name that cannot stand in a path.
    pub fn identity(subscription: &str, group: &str, name: &str) -> Result<Self, NotAnId> {
        Self::parse(&format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        ))
    }

    /// The id of a whole subscription.
    pub fn subscription_scope(subscription: &Guid) -> Self {
        Self(format!("/subscriptions/{subscription}"))
    }

    /// The text as it was read.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// What follows a segment of that name, `subscriptions` for instance.
    fn after(&self, name: &str) -> Option<&str> {
        let mut segments = self.segments();
        segments.find(|segment| segment.eq_ignore_ascii_case(name))?;
        segments.next()
    }

    /// The subscription's id.
    pub fn subscription(&self) -> Option<&str> {
        let mut segments = self.segments();
        segments.next().filter(|segment| segment.eq_ignore_ascii_case("subscriptions"))?;
        segments.next()
    }

    /// The resource group's name.
    pub fn resource_group(&self) -> Option<&str> {
        self.after("resourceGroups")
    }

    /// The last segment: the resource's name, or the GUID of a role definition.
    pub fn name(&self) -> &str {
        self.segments().last().unwrap_or_default()
    }

    /// Namespace and type without names, in lower case: `microsoft.managedidentity/userassignedidentities`.
    pub fn resource_type(&self) -> Option<String> {
        let segments: Vec<&str> = self.segments().collect();
        let provider = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"))?;
        let namespace = segments.get(provider + 1)?;
        let types = segments.iter().skip(provider + 2).step_by(2);
        let path: Vec<&str> = std::iter::once(namespace).chain(types).copied().collect();
        (path.len() > 1).then(|| path.join("/").to_lowercase())
    }

    /// Whether it is the id of a user-assigned identity, with nothing below it.
    pub fn is_user_assigned_identity(&self) -> bool {
        self.resource_type().is_some_and(|kind| kind == "microsoft.managedidentity/userassignedidentities")
    }

    /// The id of the identity that a federated credential's id belongs to.
    pub fn parent_identity(&self) -> Option<Self> {
        let at = self.0.to_ascii_lowercase().rfind("/federatedidentitycredentials/")?;
        Some(Self(self.0[..at].to_owned())).filter(Self::is_user_assigned_identity)
    }

    /// Whether an assignment at this scope covers a resource: the same id, or one below it at a segment's border.
    ///
    /// A management group covers the subscriptions below it, which ids do not tell: [`Covers::Unknown`].
    pub fn covers(&self, resource: &Self) -> Covers {
        if self.0 == "/" {
            return Covers::Yes;
        }
        let (scope, resource) = (self.0.to_ascii_lowercase(), resource.0.to_ascii_lowercase());
        if scope.starts_with("/providers/microsoft.management/managementgroups/") && scope != resource {
            return Covers::Unknown;
        }
        match resource.strip_prefix(&scope) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Covers::Yes,
            _ => Covers::No,
        }
    }

    /// How far down the hierarchy a scope is; smaller is wider.
    pub fn level(&self) -> ScopeLevel {
        if self.0 == "/" {
            return ScopeLevel::Root;
        }
        if self.subscription().is_none() {
            return ScopeLevel::ManagementGroup;
        }
        match (self.resource_group(), self.resource_type()) {
            (None, None) => ScopeLevel::Subscription,
            (Some(_), None) => ScopeLevel::ResourceGroup,
            _ => ScopeLevel::Resource,
        }
    }
}

/// Answer of [`ResourceId::covers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// At or above the resource.
    Yes,
    /// Beside or below it.
    No,
    /// A management group: only Azure knows what is below it.
    Unknown,
}

/// Where in the hierarchy a scope stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScopeLevel {
    /// `/`
    Root,
    /// A management group.
    ManagementGroup,
    /// A subscription.
    Subscription,
    /// A resource group.
    ResourceGroup,
    /// A resource or something inside one.
    Resource,
}

/// Letters and digits of any script (resource groups may have them), and the punctuation that Azure's naming rules
/// allow in names.
fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment != "."
        && segment != ".."
        && segment.len() <= 260
        && segment.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')'))
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for ResourceId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Self::parse(text)
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ResourceId {}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.bytes().map(|b| b.to_ascii_lowercase()).cmp(other.0.bytes().map(|b| b.to_ascii_lowercase()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MI: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/rg1/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi1";

    fn id(text: &str) -> ResourceId {
        ResourceId::parse(text).unwrap()
    }

    #[test]
    fn takes_an_id_apart() {
        let mi = id(MI);
        assert_eq!(mi.subscription(), Some("11111111-1111-1111-1111-111111111111"));
        assert_eq!((mi.resource_group(), mi.name()), (Some("rg1"), "mi1"));
        assert!(mi.is_user_assigned_identity());
        let credential = id(&format!("{MI}/federatedIdentityCredentials/fic1"));
        assert_eq!(
            credential.resource_type().unwrap(),
            "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials"
        );
        assert!(!credential.is_user_assigned_identity());
        assert_eq!(credential.parent_identity().unwrap(), mi);
        let extension = id(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c/providers/Microsoft.KubernetesConfiguration/extensions/sc-extension",
        );
        assert_eq!(extension.resource_type().unwrap(), "microsoft.kubernetesconfiguration/extensions");
        assert_eq!(id("/subscriptions/s").resource_type(), None);
    }

    #[test]
    fn letter_case_does_not_matter() {
        let upper = id(&MI.to_uppercase());
        assert_eq!(id(MI), upper);
        assert_eq!(id(MI).cmp(&upper), Ordering::Equal);
        let set: std::collections::HashSet<ResourceId> = [id(MI), upper].into_iter().collect();
        assert_eq!(set.len(), 1);
    }

    #[test]
    fn refuses_what_would_leave_its_place_in_a_path() {
        for wrong in [
            "",
            "subscriptions/s",
            "//subscriptions/s",
            "/subscriptions/s/../t",
            "/subscriptions/s/./t",
            "/subscriptions/s?x=1",
            "/subscriptions/s#x",
            "/subscriptions/%2e%2e",
            "/subscriptions/a b",
            "/subscriptions/s//t",
            "/subscriptions/s\n",
        ] {
            assert!(ResourceId::parse(wrong).is_err(), "{wrong}");
        }
        assert!(ResourceId::identity("s", "gruppe-ä(1)_x.y", "mi").is_ok());
        assert!(
            ResourceId::identity("s", "rg", "a/../../x").is_ok_and(|id| !id.is_user_assigned_identity())
                || ResourceId::identity("s", "rg", "a/../../x").is_err()
        );
        assert_eq!(id("/subscriptions/s/").as_str(), "/subscriptions/s");
        assert_eq!(id("/").as_str(), "/");
    }

    #[test]
    fn inheritance_ends_at_a_segments_border() {
        let blob = id(
            "/subscriptions/S/resourceGroups/rg10/providers/Microsoft.Storage/storageAccounts/a/blobServices/default/containers/c",
        );
        for (scope, expected) in [
            ("/", Covers::Yes),
            ("/subscriptions/s", Covers::Yes),
            ("/subscriptions/s/resourcegroups/RG10", Covers::Yes),
            ("/subscriptions/s/resourceGroups/rg1", Covers::No),
            ("/subscriptions/s/resourceGroups/rg10/providers/Microsoft.Storage/storageAccounts/a", Covers::Yes),
            (
                "/subscriptions/s/resourceGroups/rg10/providers/Microsoft.Storage/storageAccounts/a/blobServices/default/containers/c/x",
                Covers::No,
            ),
            ("/providers/Microsoft.Management/managementGroups/mg", Covers::Unknown),
        ] {
            assert_eq!(id(scope).covers(&blob), expected, "{scope}");
        }
    }

    #[test]
    fn levels_go_from_wide_to_narrow() {
        let levels = [
            "/",
            "/providers/Microsoft.Management/managementGroups/m",
            "/subscriptions/s",
            "/subscriptions/s/resourceGroups/g",
            MI,
        ]
        .map(|scope| id(scope).level());
        assert!(levels.is_sorted());
    }
}
