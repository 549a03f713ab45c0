//! The token file in the container.

use super::{object, restart, whose};
use crate::chain::Chain;
use crate::model::finding::{Confidence, FixKind, Level, Link};
use crate::probe::facts::{ContainerProbe, Method, TokenFile};
use crate::rules::{Needs, Reads, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds a container whose `AZURE_FEDERATED_TOKEN_FILE` names a file that is not there.
    ///
    /// ## Why it breaks
    /// The SDK opens exactly that file. Without it every call ends with `no such file or directory`, whatever Azure
    /// would have said. The variable was set by hand for the path of another webhook version, the volume is not mounted
    /// in this container, or something hides the mount.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe`: a program that ran in the container, or in an ephemeral container with the same volume,
    /// says so. A program that could not be started proves nothing and is never taken for it. The path is the
    /// variable's, because it differs between webhook versions.
    ///
    /// ## Fix
    /// Leave the variable to the webhook, which sets it to the place that it mounts, and restart the pods.
    ///
    /// ## Fix safety
    /// Restarts the pods, one after the other as the workload's strategy has it.
    ///
    /// ## References
    /// - Azure/azure-workload-identity, documentation, "Mutating admission webhook"
    TokenFileMissing {
        code: "WI410",
        name: "token-file-missing",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Probe],
        reads: &[Reads::Probe],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for TokenFileMissing {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        for (probe, file) in files(chain).filter(|(_, file)| file.exists == Some(false)) {
            let from_beside = probe.method == Some(Method::Ephemeral);
            report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!(
                        "{} has AZURE_FEDERATED_TOKEN_FILE={}, and there is no such file; the SDK has no token to \
                         exchange",
                        whose(probe),
                        file.path
                    ),
                )
                .confidence(Confidence::Proved)
                .evidence_all(file.said.clone())
                .evidence_all(from_beside.then(|| "looked for in the pod's own volume".to_owned()))
                .fix(restart(chain, "take the variable out of the pod template, so that the webhook sets it"));
        }
    }
}

rule! {
    /// ## What it does
    /// Finds a container whose user cannot read the token file, or whose token file holds no token.
    ///
    /// ## Why it breaks
    /// The SDK runs as the container's user. The kubelet makes the file 0600 for the one `runAsUser` that all
    /// containers share, 0640 for the pod's `fsGroup`, and 0644 otherwise; Kubernetes before 1.19 always made it 0600
    /// for root. A program that changes its user after the start, or a file that is not the kubelet's, falls outside
    /// of that.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe`: a program that ran as the container's user was refused by the kernel. An ephemeral
    /// container reads with the same user. What is in the file is looked at, and never shown.
    ///
    /// Without a probe, computed for tokens that the pod projects itself: `defaultMode` lets only root in, and there is
    /// neither an `fsGroup` nor a `runAsUser` that all containers share. What the webhook projects is 0644.
    ///
    /// ## Fix
    /// Set `fsGroup` in the pod's security context to a group of the container's user, then restart.
    ///
    /// ## Fix safety
    /// Restarts the pods. `fsGroup` also changes the group of other volumes.
    ///
    /// ## References
    /// - Kubernetes, "Projected volumes", section on security context and service account tokens
    /// - Azure/azure-workload-identity issue 156
    TokenUnreadable {
        code: "WI411",
        name: "token-unreadable",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Manifests, Needs::Probe],
        reads: &[Reads::Probe, Reads::Template],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for TokenUnreadable {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if chain.probe().is_none() {
            super::mode::computed(chain, report);
        }
        for (probe, file) in files(chain) {
            let refused = file.readable == Some(false);
            let no_token = file.readable == Some(true) && probe.token.is_none();
            if !refused && !no_token {
                continue;
            }
            let reader = file.reader_uid.map_or_else(String::new, |uid| format!(" (user {uid})"));
            let (message, fix) = if refused {
                (
                    format!(
                        "{}{reader} may not read its token file {}; the SDK cannot either",
                        whose(probe),
                        file.path
                    ),
                    "set securityContext.fsGroup to a group of the container's user",
                )
            } else {
                (
                    format!(
                        "{} reads {}, and what is in it is no token; Entra would refuse it",
                        whose(probe),
                        file.path
                    ),
                    "let the webhook project the token, instead of a file of another kind",
                )
            };
            let owner = file.mode.as_ref().map(|mode| {
                let id = |id: Option<i64>| id.map_or_else(|| "?".to_owned(), |id| id.to_string());
                format!("mode {mode}, owner {}, group {}", id(file.uid), id(file.gid))
            });
            report
                .add(&object(chain, probe), probe.path.as_str(), message)
                .confidence(Confidence::Proved)
                .evidence_all(file.said.clone())
                .evidence_all(owner)
                .fix(restart(chain, fix));
        }
    }
}

/// The probed containers with a file that was looked at.
fn files<'a>(chain: &Chain<'a>) -> impl Iterator<Item = (&'a ContainerProbe, &'a TokenFile)> + use<'a> {
    let pods = chain.probe().into_iter().flat_map(|probe| &probe.pods);
    pods.filter_map(|probe| Some((probe, probe.file.as_ref()?)))
}
