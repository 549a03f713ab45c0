//! What applying changes of one target, against what runs.

use super::Overlay;
use crate::chain::compare::{Shown, presented};
use crate::chain::{Chain, Target};
use crate::inspect::identities;
use crate::model::fact::Fact;
use crate::report::model::{AppliedReport, ChangeKind, Difference, PodsAfter, Verdict};
use crate::webhook::keys;

/// What a target is to Azure, as a reader compares it.
struct Face(Vec<(&'static str, Option<String>)>);

impl Face {
    fn of(chain: &Chain<'_>) -> Self {
        let mut face = Vec::new();
        let labelled = chain.peek_workload().map(|workload| workload.template.metadata.label(keys::USE_LABEL));
        if let Some(label) = labelled {
            face.push((keys::USE_LABEL, label.map(str::to_owned)));
        }
        if !matches!(chain.target(), Target::Other(_)) {
            face.push(("service account", Some(chain.account_name().to_owned())));
        }
        let identities = identities(chain);
        let all = |of: fn(&crate::report::model::IdentityReport) -> &Option<String>| {
            let mut values: Vec<&str> = identities.iter().filter_map(|identity| of(identity).as_deref()).collect();
            values.dedup();
            (!values.is_empty()).then(|| values.join(", "))
        };
        face.push(("subject", all(|identity| &identity.subject)));
        face.push(("client id", running_client_id(chain).or_else(|| all(|identity| &identity.client_id))));
        face.push(("tenant", all(|identity| &identity.tenant_id)));
        face.push(("audience", all(|identity| &identity.audience)));
        face.push(("token file", chain.token_file()));
        Self(face)
    }
}

/// The client id that the newest running pod was given, which an account that was changed since no longer tells.
fn running_client_id(chain: &Chain<'_>) -> Option<String> {
    let Fact::Known(pods) = chain.pods() else { return None };
    presented(&pods.first()?.spec).into_iter().find_map(|container| match container.client_id {
        Shown::Value(id) if !id.is_empty() => Some(id),
        _ => None,
    })
}

/// Compares a target with what is there before the files are applied.
pub fn change(
    overlay: &Overlay,
    after: &Chain<'_>,
    before: Option<&Chain<'_>>,
    verdicts: (Option<Verdict>, Verdict),
) -> AppliedReport {
    let object = after.target().object();
    let new = Face::of(after);
    let old = before.map(Face::of);
    // A target that is not meant for identity any more has none of it: what it had is what it loses.
    let differences: Vec<Difference> = new
        .0
        .into_iter()
        .filter_map(|(what, value)| {
            let was = old.as_ref().and_then(|old| old.0.iter().find(|(name, _)| *name == what)?.1.clone());
            (old.is_some() && was != value).then(|| Difference { what, before: was, after: value })
        })
        .collect();
    let running = before.and_then(|before| before.pods().known().map(|pods| pods.len())).unwrap_or_default();
    let pods = match running {
        0 => PodsAfter::None,
        _ if overlay.renews(object) => PodsAfter::Replaced,
        _ => PodsAfter::Kept,
    };
    let change = match (&old, differences.is_empty() && verdicts.0 == Some(verdicts.1)) {
        (None, _) => ChangeKind::Created,
        (Some(_), true) => ChangeKind::Unchanged,
        (Some(_), false) => ChangeKind::Changed,
    };
    AppliedReport { change, verdict_before: verdicts.0, differences, pods, running }
}
