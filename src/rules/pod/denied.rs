//! Pods that are refused when they are to be created.

use crate::chain::Chain;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::rules::cluster::mutation::refusals;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::refusal::{NotReached, Refusal};

rule! {
    /// ## What it does
    /// Finds workloads whose pods are refused because of identity: by the webhook itself, because the API server cannot
    /// call it, or because of what was injected.
    ///
    /// ## Why it breaks
    /// No pod comes to be, and nothing on the Deployment itself says why: the reason stands in events and conditions
    /// of its `ReplicaSet`, or of the Job.
    ///
    /// ## How it is known
    /// From conditions (`ReplicaFailure`, `FailedCreate`) of the workload and of what it controls, from events that
    /// are newer than the newest pod, and from the answer to a dry run. Refusals of other webhooks, quotas and policies
    /// are not identity's and are not reported here.
    ///
    /// ## Fix
    /// Mend what the text names: the finding points to the rule that explains it.
    ///
    /// ## Fix safety
    /// The controller tries again by itself, with growing pauses; `kubectl rollout restart` makes it try at once.
    ///
    /// ## References
    /// - Azure/azure-workload-identity, `pkg/webhook/webhook.go` (the handler's messages); issues 611, 863, 1050, 1608
    PodCreationDenied {
        code: "WI403",
        name: "pod-creation-denied",
        level: Level::Error,
        link: Link::Pod,
        needs: &[Needs::Live, Needs::Logs],
        reads: &[
            Reads::Template, Reads::Account, Reads::Webhook, Reads::Events, Reads::Workloads, Reads::Pods, Reads::Asked,
        ],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for PodCreationDenied {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.is_meant() {
            return;
        }
        let refusals = refusals(chain);
        let Some(first) = refusals.first() else { return };
        let told = tell(first);
        let namespace = chain.namespace();
        let mut draft = report
            .add(&workload.meta.object, "", format!("{}; no pod of this workload comes to be", told.what))
            .evidence(told.words)
            .fix(Fix::manual(told.fix).command(format!(
                "kubectl get events -n {namespace} --field-selector reason=FailedCreate --sort-by=.lastTimestamp"
            )));
        for code in told.points_to {
            draft = draft.points_to(code);
        }
    }
}

struct Told {
    what: String,
    words: String,
    fix: &'static str,
    points_to: &'static [&'static str],
}

fn tell(refusal: &Refusal) -> Told {
    match refusal {
        Refusal::NotReached(how) => Told {
            what: "the API server cannot call the identity webhook and refuses the pods".to_owned(),
            words: format!("failed calling webhook: {how}"),
            fix: how.advice(),
            points_to: match how {
                NotReached::Certificate(_) => &["WI306", "WI302"],
                NotReached::ServiceMissing(_) => &["WI301", "WI302"],
                _ => &["WI302"],
            },
        },
        Refusal::Denied(words) => denied(words),
        Refusal::AccountMissing(account) => Told {
            what: format!("the API server refuses the pods because service account {account} does not exist"),
            words: format!("error looking up service account {account}"),
            fix: "create the account with the client id, or name the one that exists",
            points_to: &["WI201"],
        },
        Refusal::ProxyForbidden(level) => Told {
            what: "Pod Security does not take the proxy's privileged init container".to_owned(),
            words: format!("violates PodSecurity {level:?}: azwi-proxy-init"),
            fix: "drop the annotation azure.workload.identity/inject-proxy-sidecar and use an SDK that knows workload \
                  identity",
            points_to: &["WI112"],
        },
        Refusal::MountedTwice(field) => Told {
            what: "the webhook mounts its volume twice and the API server refuses the pods".to_owned(),
            words: format!("{field} must be unique"),
            fix: "upgrade the webhook, or keep the other mutating webhook from these pods",
            points_to: &["WI312"],
        },
        Refusal::SidecarBroken(field) => Told {
            what: "the webhook removes restartPolicy from a native sidecar and the API server refuses the pods"
                .to_owned(),
            words: format!("{field} may not be set for init containers without restartPolicy=Always"),
            fix: "upgrade the webhook, or make the sidecar an ordinary container",
            points_to: &["WI313"],
        },
    }
}

/// What the webhook's own words mean.
fn denied(words: &str) -> Told {
    let has = |text: &str| words.contains(text);
    let (fix, points_to): (&str, &[&str]) = if has("token expiration") || has("strconv.ParseInt") && !has("proxy") {
        ("correct service-account-token-expiration: seconds from 3600 to 86400, digits only", &["WI111"])
    } else if has("proxy sidecar") {
        ("correct or drop the annotations of the proxy", &["WI112"])
    } else if has("serviceaccounts") && has("not found") {
        ("create the account with the client id, or name the one that exists", &["WI201"])
    } else if has("forbidden") {
        ("give the webhook's account its role back", &["WI302", "WI304"])
    } else {
        ("the webhook's log says more: kubectl logs -l azure-workload-identity.io/system=true -A", &["WI302"])
    };
    Told {
        what: "the identity webhook refuses the pods".to_owned(),
        words: format!("its words: {words}"),
        fix,
        points_to,
    }
}
