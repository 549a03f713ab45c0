//! Writing one federated credential: checked before, one at a time, patient with conflicts.

use super::super::error::Error;
use super::super::resource_id::ResourceId;
use super::{CredentialBody, CredentialName, FederatedCredential, IdentityStore};
use std::time::Duration;

/// How many federated credentials an identity, or an app registration, can hold.
pub const LIMIT: usize = 20;

/// How often a write is tried again that met another one under the same identity.
const CONFLICTS: u32 = 5;

/// What the caller has seen, and so what must still be there: ARM has no precondition for these writes, so the
/// credential is read again right before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// There is no credential of that name yet.
    Absent,
    /// The credential is still this one.
    Unchanged(FederatedCredential),
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The credential is new.
    Created(FederatedCredential),
    /// The credential was corrected; `before` is what an undo writes back.
    Updated {
        /// As it was.
        before: FederatedCredential,
        /// As it is.
        after: FederatedCredential,
    },
    /// The credential is gone; what it was, for an undo.
    Deleted(FederatedCredential),
    /// It was already as wanted; nothing was sent.
    Unchanged,
}

/// Creates or corrects (`Some`), or deletes (`None`) one credential.
///
/// The caller writes one credential of an identity after the other: Azure refuses concurrent writes under one identity
/// with 409. Where another program's write is met, this waits and tries again, five times, for `pause` and then twice
/// as long each time.
///
/// # Errors
/// [`Error::Changed`] where the credential is not as expected, [`Error::LimitReached`] before a 21st one, else what
/// Azure said.
pub(crate) async fn write(
    store: &dyn IdentityStore,
    id: &ResourceId,
    name: &CredentialName,
    expected: &Expected,
    wanted: Option<&CredentialBody>,
    pause: Duration,
) -> Result<Written, Error> {
    let present = store.credential(id, name).await?;
    let changed = || Error::Changed { what: name.below(id) };
    match (expected, &present) {
        (Expected::Absent, None) => {}
        (Expected::Unchanged(seen), Some(now)) if same(seen, now) => {}
        // Somebody has already made it what it should be, or taken it away as it should be.
        (_, Some(now)) if wanted.is_some_and(|wanted| says(now, wanted)) => return Ok(Written::Unchanged),
        (_, None) if wanted.is_none() => return Ok(Written::Unchanged),
        _ => return Err(changed()),
    }
    let Some(wanted) = wanted else {
        let Some(before) = present else { return Ok(Written::Unchanged) };
        let deleted = patiently(pause, || store.delete(id, name)).await?;
        return Ok(if deleted { Written::Deleted(before) } else { Written::Unchanged });
    };
    check(wanted)?;
    if present.as_ref().is_some_and(|now| says(now, wanted)) {
        return Ok(Written::Unchanged);
    }
    if present.is_none() {
        let count = store.credentials(id).await?.len();
        if count >= LIMIT {
            return Err(Error::LimitReached { identity: id.to_string(), count, limit: LIMIT });
        }
    }
    let (after, _created) = patiently(pause, || store.put(id, name, wanted)).await?;
    Ok(match present {
        Some(before) => Written::Updated { before, after },
        None => Written::Created(after),
    })
}

/// What Azure refuses, and what it takes and never matches.
fn check(body: &CredentialBody) -> Result<(), Error> {
    for (field, value) in [("issuer", &body.issuer), ("subject", &body.subject), ("audience", &body.audience)] {
        let refused = |why: &str| Err(Error::Refused(format!("the {field} of a federated credential {why}")));
        if value.is_empty() {
            return refused("must not be empty");
        }
        if value.trim() != value {
            return refused("must not begin or end with white space: it would never match");
        }
        if value.chars().count() > 600 {
            return refused("must not be longer than 600 characters");
        }
    }
    Ok(())
}

async fn patiently<T, F, R>(first_pause: Duration, mut action: F) -> Result<T, Error>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, Error>>,
{
    let mut pause = first_pause;
    for _ in 0..CONFLICTS {
        match action().await {
            Err(error) if error.api().is_some_and(super::super::error::ApiError::is_concurrent_write) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            other => return other,
        }
    }
    action().await
}

fn same(seen: &FederatedCredential, now: &FederatedCredential) -> bool {
    (&seen.issuer, &seen.subject, &seen.audiences) == (&now.issuer, &now.subject, &now.audiences)
}

fn says(credential: &FederatedCredential, wanted: &CredentialBody) -> bool {
    credential.issuer == wanted.issuer
        && credential.subject.as_ref() == Some(&wanted.subject)
        && credential.audiences == [wanted.audience.as_str()]
}
