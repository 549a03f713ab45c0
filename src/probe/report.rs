//! What a probe proved: the JSON that users rely on, and the verdict behind it.

use super::facts::{ContainerProbe, Method, ProbeFacts, Signature};
use super::ladder::Choice;
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Finding, Level};
use crate::model::object::ObjectRef;
use crate::report::model::API_VERSION;
use crate::rules::{registry, relate};
use schemars::JsonSchema;
use serde::Serialize;

/// What `exec-probe` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeReport {
    /// [`API_VERSION`]
    pub api_version: &'static str,
    /// `ProbeReport`
    pub kind: &'static str,
    /// What was probed.
    pub target: ObjectRef,
    /// Each container.
    pub pods: Vec<PodReport>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Numbers.
    pub summary: ProbeSummary,
}

/// One container.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PodReport {
    /// What was seen.
    #[serde(flatten)]
    pub probe: ContainerProbe,
    /// What that proves.
    pub verdict: ProbeVerdict,
}

/// What was proved of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProbeVerdict {
    /// Something is wrong with it.
    Fail,
    /// Something that was asked for could not be found out.
    Unknown,
    /// All that was asked for is well.
    Pass,
}

/// Numbers over all containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeSummary {
    /// Probed containers.
    pub probed: usize,
    /// Of these, with verdict pass.
    pub pass: usize,
    /// Of these, with verdict fail.
    pub fail: usize,
    /// Of these, with verdict unknown.
    pub unknown: usize,
    /// Findings of level error.
    pub errors: usize,
    /// Findings of level warning.
    pub warnings: usize,
    /// Findings of level info.
    pub infos: usize,
}

/// What was asked for, as far as the verdict depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// The way.
    pub choice: Choice,
    /// Whether the token was to be exchanged.
    pub exchange: bool,
}

/// Draws the conclusions. `chain` knows nothing of the probe yet.
pub fn conclude<'a>(chain: Chain<'a>, facts: &'a ProbeFacts, asked: Asked) -> ProbeReport {
    let target = chain.target().object().clone();
    let chain = chain.with_probe(facts);
    let mut findings = registry::check(&chain);
    relate::relate(&mut findings, &target);
    // The other rules are inspect's; they are told here where they explain why there is nothing to probe.
    let explain = facts.pods.iter().any(|probe| probe.token.is_none() && probe.file.is_none());
    findings.retain(|finding| {
        is_of_probe(finding.code) || is_of_entra(finding) || (explain && finding.level == Level::Error)
    });
    let issuer = match &chain.cluster().issuer {
        Fact::Known(_) => None,
        other => Some(other.why().unwrap_or_else(|| "it is not known".to_owned())),
    };
    let pods: Vec<PodReport> = facts
        .pods
        .iter()
        .map(|probe| {
            let verdict = verdict(probe, &findings, asked, issuer.is_some());
            let mut probe = probe.clone();
            not_proved(&mut probe, asked, issuer.as_deref());
            PodReport { probe, verdict }
        })
        .collect();
    let count = |wanted| pods.iter().filter(|pod| pod.verdict == wanted).count();
    let level = |wanted| findings.iter().filter(|finding| finding.level == wanted).count();
    let summary = ProbeSummary {
        probed: pods.len(),
        pass: count(ProbeVerdict::Pass),
        fail: count(ProbeVerdict::Fail),
        unknown: count(ProbeVerdict::Unknown),
        errors: level(Level::Error),
        warnings: level(Level::Warning),
        infos: level(Level::Info),
    };
    ProbeReport { api_version: API_VERSION, kind: "ProbeReport", target, pods, findings, summary }
}

/// Whether a rule reads what a probe saw.
fn is_of_probe(code: &str) -> bool {
    code.starts_with("WI41") || code == "WI420"
}

/// What Entra's own words in an exchange are an observation of.
fn is_of_entra(finding: &Finding) -> bool {
    finding.code.starts_with("WI5") && finding.confidence == Confidence::Proved
}

/// Whether a finding is about a container.
pub(super) fn is_about(finding: &Finding, probe: &ContainerProbe) -> bool {
    let same_pod = probe.pod.as_ref().is_none_or(|pod| finding.object.kind == "Pod" && finding.object.name == *pod);
    is_of_probe(finding.code) && same_pod && (finding.path == probe.path || finding.path.is_empty())
}

/// A token proves something, a silence does not.
fn verdict(probe: &ContainerProbe, findings: &[Finding], asked: Asked, issuer_unknown: bool) -> ProbeVerdict {
    if findings.iter().any(|finding| finding.level == Level::Error && is_about(finding, probe)) {
        return ProbeVerdict::Fail;
    }
    let Some(method) = probe.method else { return ProbeVerdict::Unknown };
    if probe.token.is_none() {
        // It ran, looked, and there is no variable that names a file.
        return if probe.file.is_none() { ProbeVerdict::Fail } else { ProbeVerdict::Unknown };
    }
    if method == Method::TokenRequest && asked.choice != Choice::Only(Method::TokenRequest) {
        return ProbeVerdict::Unknown;
    }
    let granted = probe.exchange.as_ref().is_some_and(|exchange| exchange.succeeded > 0);
    if (asked.exchange || issuer_unknown) && !granted {
        return ProbeVerdict::Unknown;
    }
    ProbeVerdict::Pass
}

/// Adds what the verdict does not rest on.
fn not_proved(probe: &mut ContainerProbe, asked: Asked, issuer: Option<&str>) {
    let mut lines = Vec::new();
    if let Some(token) = &probe.token {
        if let Some(why) = issuer {
            lines.push(format!("the issuer: the cluster's could not be compared ({why})"));
        }
        if token.signature == Signature::NotChecked {
            let why = token.signature_detail.as_deref().unwrap_or("no keys were read");
            lines.push(format!("the signature: {why}"));
        }
        if !asked.exchange {
            lines.push("that Entra takes the token: --exchange tries it".to_owned());
        }
    }
    let way_out = "the pod's way to the authority host";
    if probe.method.is_some() && probe.network.is_none() && !probe.not_proved.iter().any(|line| line == way_out) {
        lines.push(way_out.to_owned());
    }
    probe.not_proved.extend(lines);
}

/// The exit code: 1 for something wrong, 3 where something that was asked for is not known.
pub fn exit_code(report: &ProbeReport) -> u8 {
    if report.summary.errors > 0 || report.summary.fail > 0 {
        1
    } else if report.summary.unknown > 0 || report.pods.is_empty() {
        3
    } else {
        0
    }
}
