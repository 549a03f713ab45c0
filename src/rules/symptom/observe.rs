//! What a text says by itself of rules that did not see it otherwise.

use super::{fix, level, link, message, path, words};
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Finding, Fix, Level, Link, Observation};
use crate::model::object::ObjectRef;
use crate::rules::{self, Reads, Report, RuleInfo, registry};

/// Makes findings of what texts say of other rules: Entra's own words, in a log, an event or a status, that there is no
/// such credential; the API server's, that there is no such account. Where the rule has found it by itself, the words
/// become its evidence.
pub fn observe(chain: &Chain<'_>, findings: &mut Vec<Finding>) {
    for one in chain.symptoms().iter().filter(|one| !one.symptom.code.starts_with("WI8")) {
        let (Some(level), Some(info)) = (level(chain, one), registry::find(one.symptom.code)) else { continue };
        if is_told(findings, info, &words(one)) || is_disproved(chain, info.code) {
            continue;
        }
        Report::new(info, findings)
            .add(chain.target().object(), path(chain, one), message(one))
            .level(level.min(info.level))
            .confidence(one.symptom.confidence)
            .link(link(one.symptom.kind, info.link))
            .evidence(words(one))
            .evidence_all(super::facts(&one.symptom))
            .causes(&one.symptom.points_to)
            .points_to_new(&super::open_causes(chain, &one.symptom))
            .observations(super::observation(chain, one))
            .fix(fix(chain, &one.symptom));
    }
    let said: Vec<Observation> = findings.iter().flat_map(|finding| finding.observations.clone()).collect();
    for observation in said {
        let Some(info) = registry::find(observation.code) else { continue };
        let told = observation.evidence.iter().any(|line| is_told(findings, info, line));
        if told || is_disproved(chain, info.code) || is_explained(findings, &observation) {
            continue;
        }
        findings.push(finding(chain.target().object(), info, observation));
    }
}

/// Whether there is a finding of that rule; the words become its evidence, unless the rule reads events itself and has
/// quoted them.
fn is_told(findings: &mut [Finding], info: &RuleInfo, words: &str) -> bool {
    let mut told = false;
    for finding in findings.iter_mut().filter(|finding| finding.code == info.code) {
        told = true;
        let quoted = info.link == Link::Webhook || info.reads.contains(&Reads::Events);
        if !quoted && !finding.evidence.iter().any(|line| line == words) {
            finding.evidence.push(words.to_owned());
        }
    }
    told
}

/// Whether an error that was found by looking is the reason: a client id that is none explains that Entra does not know
/// it, the wrong account that no credential has its subject.
fn is_explained(findings: &[Finding], observation: &Observation) -> bool {
    findings.iter().any(|finding| {
        let of_azure = finding.code.starts_with("WI5") || finding.code.starts_with("WI6");
        finding.level == Level::Error
            && !finding.symptom
            && !of_azure
            && observation.explained_by.contains(&finding.code)
    })
}

/// Whether what was read of the objects answers the question already: a text may be older than they are.
fn is_disproved(chain: &Chain<'_>, code: &str) -> bool {
    chain.is_answered(code) || (code == "WI403" && matches!(chain.pods(), Fact::Known(pods) if !pods.is_empty()))
}

fn finding(object: &ObjectRef, info: &'static RuleInfo, observation: Observation) -> Finding {
    let mut fix = Fix::manual(observation.advice);
    for command in observation.commands {
        fix = fix.command(command);
    }
    Finding {
        level: if info.code == "WI601" { Level::Error } else { info.level },
        confidence: if observation.probable { Confidence::Inferred } else { Confidence::Observed },
        evidence: observation.evidence,
        fix: Some(fix),
        ..rules::finding(info, object, String::new(), format!("{}; its own words say so", observation.message))
    }
}
