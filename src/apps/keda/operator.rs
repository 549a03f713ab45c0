//! The operator itself.

use super::authentication::kubernetes_minor;
use super::scaling::failure;
use super::view::{READS, View};
use crate::chain::Chain;
use crate::chain::running::is_mutated;
use crate::model::fact::Fact;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::rules::{Needs, Report, Rule, rule};
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds a KEDA operator whose pods were not touched by the webhook.
    ///
    /// ## Why it breaks
    /// The operator says two things about one cause: `error starting azure workload-identity token provider ... no
    /// token file specified`, and right after it `sources must contain at least one TokenCredential`. Both mean that
    /// its container has no `AZURE_FEDERATED_TOKEN_FILE`. KEDA that was installed before workload identity was enabled
    /// has to be restarted once.
    ///
    /// ## How it is known
    /// From the running pods, and from the status of `ScaledObjects`. Where every authentication has an `identityId`, a
    /// missing annotation or `AZURE_CLIENT_ID` on the operator is no fault. The cause is the missing label, account,
    /// webhook or restart, where one of them is found.
    ///
    /// ## Fix
    /// Mend the cause; else restart the operator.
    ///
    /// ## Fix safety
    /// While the operator restarts, nothing is scaled.
    ///
    /// ## References
    /// - kedacore/keda issues 5977, 5006, 7101 and 7399; Azure/AKS issue 5243
    KedaOperatorNotWired {
        code: "WI722",
        name: "keda-operator-not-wired",
        level: Level::Error,
        link: Link::Pod,
        needs: &[Needs::Live, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Restart),
    }
}

impl Rule for KedaOperatorNotWired {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        let Some(part) = chain.part("keda") else { return };
        if !chain.needs_injection() {
            return;
        }
        let bare = match chain.pods() {
            Fact::Known(pods) => {
                let bare = pods.iter().filter(|pod| !is_mutated(&pod.spec));
                bare.map(|pod| pod.meta.name().to_owned()).collect()
            }
            _ => Vec::new(),
        };
        // Once its pods have a token, what a status said before is past.
        let wired = chain.pods().known().is_some_and(|pods| !pods.is_empty()) && bare.is_empty();
        let said = view.scaled.iter().find_map(|scaled| {
            let (text, meaning) = failure(chain, scaled)?;
            meaning.points_to.contains(&"WI401").then(|| format!("{}: {text}", scaled.resource.meta.object))
        });
        if wired || (bare.is_empty() && said.is_none()) {
            return;
        }
        let object = &part.workload.meta.object;
        let namespace = part.namespace();
        let mut fix = Fix::new(FixKind::Restart, "restart the operator, once label and webhook are there")
            .command(format!("kubectl rollout restart {} -n {namespace}", object.argument()));
        if namespace == "kube-system" {
            fix = fix
                .command("az aks update -g RESOURCE_GROUP -n CLUSTER --enable-oidc-issuer --enable-workload-identity");
        }
        report
            .add(
                object,
                "",
                format!("the pods of the KEDA operator have no {}; no trigger gets a token", keys::ENV_TOKEN_FILE),
            )
            .evidence_all(bare.into_iter().take(1).map(|name| format!("pod {name}")))
            .evidence_all(said)
            .points_to("WI101")
            .points_to("WI401")
            .fix(fix);
    }
}

rule! {
    /// ## What it does
    /// Finds a KEDA on a Kubernetes that its project does not support it on.
    ///
    /// ## Why it breaks
    /// KEDA tests each release against three minor versions of Kubernetes. On others its calls may be refused, or its
    /// metrics not be read; failures of triggers then look like missing credentials.
    ///
    /// ## How it is known
    /// From the operator's image and the API server's version. Releases after 2.20 are not in the table.
    ///
    /// ## Fix
    /// Take the release that is made for this Kubernetes.
    ///
    /// ## Fix safety
    /// An upgrade restarts KEDA; read its breaking changes first (2.15 removed the provider `azure`).
    ///
    /// ## References
    /// - KEDA, "Kubernetes Compatibility"
    KedaVersionSkew {
        code: "WI723",
        name: "keda-version-skew",
        level: Level::Warning,
        link: Link::Application,
        needs: &[Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

/// Minor versions of KEDA and of Kubernetes.
const SUPPORTED: &[(u32, u32, u32)] = &[
    (7, 17, 25),
    (8, 17, 25),
    (9, 23, 25),
    (10, 24, 26),
    (11, 25, 27),
    (12, 26, 28),
    (13, 27, 29),
    (14, 27, 29),
    (15, 28, 30),
    (16, 29, 31),
    (17, 30, 32),
    (18, 31, 33),
    (19, 32, 34),
    (20, 33, 35),
];

impl Rule for KedaVersionSkew {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if View::led_by(chain).is_none() {
            return;
        }
        let Some(part) = chain.part("keda") else { return };
        let (Some(version), Some(kubernetes)) = (&part.version, kubernetes_minor(chain)) else { return };
        let row = SUPPORTED.iter().find(|(minor, ..)| version.line() == (2, *minor));
        let Some((_, from, to)) = row.filter(|(_, from, to)| !(*from..=*to).contains(&kubernetes)) else { return };
        let fitting = SUPPORTED.iter().rev().find(|(_, from, to)| (*from..=*to).contains(&kubernetes));
        let advice = match fitting {
            Some((minor, ..)) => format!("use KEDA 2.{minor} on Kubernetes 1.{kubernetes}"),
            None => "use the newest KEDA".to_owned(),
        };
        report
            .add(
                &part.workload.meta.object,
                chain.template_path("/spec/containers"),
                format!("KEDA {version} is made for Kubernetes 1.{from} to 1.{to}, and this is 1.{kubernetes}; it is not tested together"),
            )
            .fix(Fix::manual(advice));
    }
}
