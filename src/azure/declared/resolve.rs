//! From declared objects to the identity that they are about.

use super::{Declaration, Declared, DeclaredCredential, DeclaredIdentity, Owner};
use crate::azure::guid::Guid;
use crate::azure::resource_id::ResourceId;

/// The declared credentials of one identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolution<'a> {
    /// The identity's own object, where there is one.
    pub identity: Option<&'a DeclaredIdentity>,
    /// Its credentials.
    pub credentials: Vec<&'a DeclaredCredential>,
    /// Credentials whose identity cannot be told: they may be this one's.
    pub unclear: Vec<&'a DeclaredCredential>,
}

/// The declared credentials of the identity with this client id, or with this ARM id.
pub fn credentials_of<'a>(declared: &'a [Declared], client: Option<Guid>, id: Option<&ResourceId>) -> Resolution<'a> {
    let identities = || {
        declared.iter().filter_map(|declared| match declared {
            Declared::Identity(identity) => Some(identity),
            _ => None,
        })
    };
    let is_it = |identity: &DeclaredIdentity| {
        (client.is_some() && identity.client_id == client) || (id.is_some() && identity.id.as_ref() == id)
    };
    let mut resolution =
        Resolution { identity: identities().find(|identity| is_it(identity)), ..Resolution::default() };
    let own_id = id.or_else(|| resolution.identity.and_then(|identity| identity.id.as_ref()));
    for credential in declared.iter().filter_map(|declared| match declared {
        Declared::Credential(credential) => Some(credential),
        _ => None,
    }) {
        let owner = match &credential.owner {
            Owner::Id(owner) => Some(owner),
            // Until the operator has resolved the name, the object of that name is the owner.
            Owner::Object(name) => match identities().find(|identity| is_named(identity, name, &credential.by)) {
                Some(identity) if resolution.identity.is_some_and(|own| own.by == identity.by) => {
                    resolution.credentials.push(credential);
                    continue;
                }
                Some(identity) => identity.id.as_ref(),
                None => None,
            },
            Owner::Unknown => None,
        };
        match (owner, own_id) {
            (Some(owner), Some(own)) if owner == own => resolution.credentials.push(credential),
            (Some(_), Some(_)) => {}
            _ => resolution.unclear.push(credential),
        }
    }
    resolution
}

fn is_named(identity: &DeclaredIdentity, name: &str, by: &Declaration) -> bool {
    identity.by.name == name && identity.by.operator == by.operator && identity.by.namespace == by.namespace
}

/// The object that writes a credential, by the credential's ARM id or by identity and name. An object that only
/// observes is no writer.
pub fn writer_of<'a>(declared: &'a [Declared], identity: &ResourceId, name: &str) -> Option<&'a DeclaredCredential> {
    let resolution = credentials_of(declared, None, Some(identity));
    let own = resolution
        .credentials
        .into_iter()
        .find(|credential| credential.by.writes && credential.azure_name.eq_ignore_ascii_case(name));
    own.or_else(|| {
        declared.iter().find_map(|declared| match declared {
            Declared::Credential(credential)
                if credential.by.writes
                    && credential.id.as_ref().is_some_and(|id| {
                        id.name().eq_ignore_ascii_case(name) && id.parent_identity().as_ref() == Some(identity)
                    }) =>
            {
                Some(credential)
            }
            _ => None,
        })
    })
}
