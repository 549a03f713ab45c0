//! What is in the token: its life, issuer, subject, audience and key, and the clocks that it is judged by.

use super::{object, restart, way, whose};
use crate::chain::Chain;
use crate::chain::meant::TokenSource;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::probe::facts::{Clock, ContainerProbe, Method, ProbedToken, Signature};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::text::span;
use crate::token::check::{Comparison, Expectation, Lifetime, check};
use crate::token::difference::{Difference, Side};

/// The probed containers whose token was read.
fn tokens<'a>(chain: &Chain<'a>) -> impl Iterator<Item = (&'a ContainerProbe, &'a ProbedToken)> + use<'a> {
    let pods = chain.probe().into_iter().flat_map(|probe| &probe.pods);
    pods.filter_map(|probe| Some((probe, probe.token.as_ref()?)))
}

/// Both values, one above the other, with carets under what differs.
fn marked(difference: &Difference) -> Vec<String> {
    let mut lines = vec![
        format!("token:    {}", difference.line(Side::Found)),
        format!("expected: {}", difference.line(Side::Expected)),
    ];
    if let Some(reason) = difference.reason {
        lines.push(reason.sentence("the token", "what is expected"));
    }
    lines
}

rule! {
    /// ## What it does
    /// Finds a token file whose token has expired.
    ///
    /// ## Why it breaks
    /// Entra refuses it with `AADSTS700024: Client assertion is not within its valid time range`. The kubelet replaces a
    /// projected token when 80 % of its life have passed; an expired one is a copy, a mount with `subPath` (which never
    /// follows a rotation), or the kubelet cannot get a new one.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe`: `exp` of the token in the file, against the API server's clock.
    ///
    /// ## Fix
    /// Mount the projected volume as a directory, without `subPath`, and restart the pods. Where it is mounted so
    /// already, the pod's events say why the kubelet gets no token.
    ///
    /// ## Fix safety
    /// Restarts the pods, one after the other as the workload's strategy has it.
    ///
    /// ## References
    /// - Kubernetes, `pkg/kubelet/token/token_manager.go`
    /// - Kubernetes, "Volumes", section on `subPath`
    TokenExpired {
        code: "WI412",
        name: "token-expired",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Probe],
        reads: &[Reads::Probe],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for TokenExpired {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(now) = chain.probe().map(|probe| probe.now) else { return };
        for (probe, token) in tokens(chain) {
            let Some(jwt) = token.jwt() else { continue };
            let Lifetime::Expired { ago } = check(&jwt, &Expectation { now, ..Expectation::default() }).lifetime else {
                continue;
            };
            let name =
                format!("kubectl describe pod {} -n {}", probe.pod.as_deref().unwrap_or_default(), chain.namespace());
            report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!(
                        "the token of {} expired {} ago; Entra answers AADSTS700024 to it",
                        whose(probe),
                        span(ago)
                    ),
                )
                .confidence(Confidence::Proved)
                .evidence_all(probe.file.as_ref().map(|file| format!("file {}", file.path)))
                .fix(restart(chain, "mount the token volume without subPath, and restart").command(name));
        }
    }
}

rule! {
    /// ## What it does
    /// Finds a token that another issuer made than the cluster's.
    ///
    /// ## Why it breaks
    /// The federated credential names the cluster's issuer, and Entra compares it byte for byte, the final slash
    /// included. A pod that is older than a change of the issuer keeps a token of the old one until the kubelet
    /// replaces it; a token that was copied from another cluster never fits.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe`: `iss` of the token against what the API server publishes at
    /// `/.well-known/openid-configuration`, or against `--issuer`.
    ///
    /// ## Fix
    /// Restart the pods, so that they get a token of the present issuer.
    ///
    /// ## Fix safety
    /// Restarts the pods, one after the other as the workload's strategy has it.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issue 1700 (final slash)
    /// - AKS, "Use the OIDC issuer": pods have to be restarted once it is enabled
    TokenIssuerMismatch {
        code: "WI413",
        name: "token-issuer-mismatch",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Probe],
        reads: &[Reads::Probe, Reads::Cluster],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for TokenIssuerMismatch {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if chain.probe().is_none() {
            return;
        }
        let Fact::Known(issuer) = &chain.cluster().issuer else { return };
        for (probe, token) in tokens(chain) {
            let Some(jwt) = token.jwt() else { continue };
            let expected = Expectation { issuer: Some(issuer), ..Expectation::default() };
            let (what, evidence) = match check(&jwt, &expected).issuer {
                Comparison::Differs(difference) => ("was issued by another than this cluster", marked(&difference)),
                Comparison::Missing => ("names no issuer", vec![format!("expected: {issuer}")]),
                Comparison::Same | Comparison::NotAsked => continue,
            };
            report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!("the token of {} {what}; a credential for this cluster does not match it", whose(probe)),
                )
                .confidence(Confidence::Proved)
                .evidence_all(evidence)
                .evidence(way(probe))
                .fix(restart(chain, "restart the pods, so that they get a token of the cluster's issuer"));
        }
    }
}

rule! {
    /// ## What it does
    /// Finds a token of another account than the one that the pod runs as.
    ///
    /// ## Why it breaks
    /// The subject is what the federated credential names: `system:serviceaccount:NAMESPACE:NAME`. A file that was
    /// mounted from a Secret, or copied from another pod, carries another one.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe`: `sub` of the token against the namespace and the account of the pod.
    ///
    /// ## Fix
    /// Let the pod use the token that is projected for it, or run it as the account that the credential names.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program: which of the two accounts is meant, only a person knows.
    ///
    /// ## References
    /// - Kubernetes, "Managing service accounts"
    TokenSubjectMismatch {
        code: "WI414",
        name: "token-subject-mismatch",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Probe],
        reads: &[Reads::Probe, Reads::Template],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for TokenSubjectMismatch {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if chain.probe().is_none() {
            return;
        }
        let subject = chain.subject();
        for (probe, token) in tokens(chain) {
            let Some(jwt) = token.jwt() else { continue };
            let expected = Expectation { subject: Some(&subject), ..Expectation::default() };
            let (what, evidence) = match check(&jwt, &expected).subject {
                Comparison::Differs(difference) => ("is another account's", marked(&difference)),
                Comparison::Missing => ("names no subject", vec![format!("expected: {subject}")]),
                Comparison::Same | Comparison::NotAsked => continue,
            };
            report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!("the token of {} {what}; a credential for its own account does not match it", whose(probe)),
                )
                .confidence(Confidence::Proved)
                .evidence_all(evidence)
                .evidence(way(probe))
                .fix(Fix::manual("let AZURE_FEDERATED_TOKEN_FILE name the token that is projected for this pod"));
        }
    }
}

rule! {
    /// ## What it does
    /// Finds a token with another audience than the identity expects.
    ///
    /// ## Why it breaks
    /// A federated credential holds exactly one audience, for Kubernetes `api://AzureADTokenExchange` in every cloud
    /// unless somebody chose another. Entra answers `AADSTS700212` to a token with another one.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe`: `aud` of the token against the audience that the webhook projects. Where the pod
    /// projects a token of its own making with another audience, that may be on purpose and is a warning; where Entra
    /// granted the exchange, nothing is said.
    ///
    /// ## Fix
    /// Leave the volume to the webhook, or give it the audience that the credential names, and restart the pods.
    ///
    /// ## Fix safety
    /// Restarts the pods, one after the other as the workload's strategy has it.
    ///
    /// ## References
    /// - Microsoft Entra, "Workload identity federation considerations"
    TokenAudienceMismatch {
        code: "WI415",
        name: "token-audience-mismatch",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Probe],
        reads: &[Reads::Probe, Reads::Exchange, Reads::Template, Reads::Account, Reads::Webhook],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for TokenAudienceMismatch {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if chain.probe().is_none() {
            return;
        }
        let audience = chain.audience();
        let granted: Vec<&ContainerProbe> =
            chain.exchanges().filter(|(_, exchange)| exchange.succeeded > 0).map(|(probe, _)| probe).collect();
        for (probe, token) in tokens(chain) {
            let Some(jwt) = token.jwt() else { continue };
            if granted.iter().any(|other| std::ptr::eq(*other, probe)) {
                continue;
            }
            let expected = Expectation { audience: Some(&audience), ..Expectation::default() };
            let (what, evidence) = match check(&jwt, &expected).audience {
                Comparison::Differs(difference) => ("has another audience", marked(&difference)),
                Comparison::Missing => ("names no audience", vec![format!("expected: {audience}")]),
                Comparison::Same | Comparison::NotAsked => continue,
            };
            let on_purpose = chain.token_source() == TokenSource::Projected;
            report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!(
                        "the token of {} {what}; Entra answers AADSTS700212 unless the credential names it",
                        whose(probe)
                    ),
                )
                .level(if on_purpose { Level::Warning } else { Level::Error })
                .confidence(Confidence::Proved)
                .evidence_all(evidence)
                .evidence(way(probe))
                .fix(restart(chain, &format!("project the token for {audience}, and restart")));
        }
    }
}

rule! {
    /// ## What it does
    /// Finds a token that none of the issuer's published keys signed.
    ///
    /// ## Why it breaks
    /// Entra checks the signature against the keys that the issuer publishes. A key that is missing there gives
    /// `AADSTS7000272`; a signature of another algorithm than RS256 is not taken at all (`AADSTS5002738`). On clusters
    /// that publish their keys themselves, the published set was not renewed when the signing key was rotated.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe`: the signature is checked with RS256 against the keys of the API server, where the user
    /// may read them, else against those of the issuer; which of the two is said. Where neither can be read, the answer
    /// is unknown.
    ///
    /// ## Fix
    /// Publish the keys of `kubectl get --raw /openid/v1/jwks` at the issuer's `jwks_uri`, and wait for Entra's cache.
    ///
    /// ## Fix safety
    /// Nothing is changed by this program. Publish the new key before signing with it.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issue 1232
    /// - Microsoft Entra, "Workload identity federation considerations": RS256 only
    TokenKeyUnknown {
        code: "WI416",
        name: "token-key-unknown",
        level: Level::Error,
        link: Link::Token,
        needs: &[Needs::Probe],
        reads: &[Reads::Probe],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for TokenKeyUnknown {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        for (probe, token) in tokens(chain) {
            let from = token.keys_from.as_deref().unwrap_or("the issuer");
            let what = match token.signature {
                Signature::Valid | Signature::NotChecked | Signature::KeyUnusable => continue,
                Signature::KeyUnknown => format!("is signed with a key that {from} does not publish"),
                Signature::Forged => format!("is not signed by the key of {from} that it names"),
                Signature::KeyUnnamed => "names no key".to_owned(),
                Signature::AlgorithmUnsupported => "is not signed with RS256".to_owned(),
            };
            report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!("the token of {} {what}; Entra cannot verify it", whose(probe)),
                )
                .confidence(Confidence::Proved)
                .evidence_all(token.signature_detail.clone())
                .evidence(way(probe))
                .fix(
                    Fix::manual("publish the key that signs at the issuer's jwks_uri")
                        .command("kubectl get --raw /openid/v1/jwks"),
                );
        }
    }
}

rule! {
    /// ## What it does
    /// Finds clocks that are more than five minutes apart: the node's, this machine's, the API server's.
    ///
    /// ## Why it breaks
    /// A token carries the API server's time. A node whose clock is behind takes its new token for one of the future
    /// and asks for another in every loop; an application there may send tokens that have expired. Entra tolerates five
    /// minutes (`AADSTS700024`). A clock of this machine that is off makes its own judgements wrong, so the API
    /// server's is used for them.
    ///
    /// ## How it is known
    /// `kubectl wi exec-probe`: the node's clock from `date` or from the kernel's `btime` and uptime in the container,
    /// the API server's from the `Date` of its answers, and `iat` and `nbf` of the token.
    ///
    /// ## Fix
    /// Set the clock (on nodes: chrony or systemd-timesyncd).
    ///
    /// ## Fix safety
    /// Nothing is changed by this program.
    ///
    /// ## References
    /// - Microsoft Entra authentication and authorization error codes, AADSTS700024
    /// - Kubernetes, `pkg/kubelet/token/token_manager.go`
    ClockSkew {
        code: "WI417",
        name: "clock-skew",
        level: Level::Warning,
        link: Link::Token,
        needs: &[Needs::Probe],
        reads: &[Reads::Probe],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for ClockSkew {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(now) = chain.probe().map(|probe| probe.now) else { return };
        for probe in chain.probe().into_iter().flat_map(|probe| &probe.pods) {
            let mut said = Vec::new();
            let clocks = [
                ("the node's clock", probe.clock.node_skew_seconds),
                ("this machine's clock", probe.clock.local_skew_seconds),
            ];
            for (whose, skew) in clocks.into_iter().filter(|(_, skew)| Clock::is_off(*skew)) {
                let skew = skew.unwrap_or_default();
                let direction = if skew > 0 { "ahead of" } else { "behind" };
                said.push(format!("{whose} is {} {direction} the API server's", span(skew.abs())));
            }
            let jwt = probe.token.as_ref().and_then(ProbedToken::jwt);
            let lifetime = jwt.map(|jwt| check(&jwt, &Expectation { now, ..Expectation::default() }).lifetime);
            if let Some(Lifetime::NotYetValid { wait }) =
                lifetime.filter(|_| probe.method != Some(Method::TokenRequest))
                && Clock::is_off(Some(wait))
            {
                said.push(format!("the token is valid only in {}", span(wait)));
            }
            let Some((first, more)) = said.split_first() else { continue };
            report
                .add(
                    &object(chain, probe),
                    probe.path.as_str(),
                    format!("{first}; tokens are judged by their times, and Entra tolerates five minutes"),
                )
                .confidence(Confidence::Proved)
                .evidence_all(more.iter().cloned())
                .fix(Fix::manual("set the clock: chronyc tracking tells what it follows"));
        }
    }
}
