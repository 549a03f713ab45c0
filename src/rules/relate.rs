//! How findings relate: one cause is one error, and a consequence is no cause.

use crate::model::finding::{Finding, Level, Link};
use crate::model::object::ObjectRef;

/// The more specific rule, and the general ones that it silences for the same chain.
const SILENCES: &[(&str, &[&str])] = &[
    ("WI102", &["WI101", "WI206"]),
    ("WI103", &["WI101"]),
    ("WI104", &["WI101"]),
    ("WI203", &["WI202"]),
    ("WI204", &["WI202"]),
    ("WI105", &["WI202"]),
    ("WI312", &["WI305"]),
    ("WI313", &["WI305"]),
    ("WI703", &["WI101", "WI102"]),
    ("WI704", &["WI101"]),
    ("WI706", &["WI101"]),
    ("WI709", &["WI101"]),
    ("WI743", &["WI105", "WI202"]),
    ("WI762", &["WI101", "WI102", "WI105", "WI202"]),
    ("WI774", &["WI105", "WI202"]),
    ("WI508", &["WI203", "WI501"]),
    ("WI108", &["WI501"]),
    ("WI202", &["WI501"]),
    ("WI203", &["WI501"]),
    ("WI771", &["WI202", "WI501"]),
    ("WI705", &["WI775"]),
    ("WI742", &["WI775"]),
];

/// Rules whose findings are consequences wherever something explains them.
const SYMPTOMS: &[&str] = &["WI401", "WI403", "WI405", "WI418", "WI707", "WI709", "WI722", "WI726", "WI760"];

/// What explains a symptom, where not any error above it does.
const EXPLAINED_BY: &[(&str, &[&str])] = &[
    ("WI401", &["WI301", "WI302", "WI303", "WI304", "WI306", "WI310", "WI116", "WI117", "WI101", "WI102"]),
    ("WI403", &["WI111", "WI112", "WI201", "WI301", "WI302", "WI304", "WI306", "WI310", "WI312", "WI313"]),
    (
        "WI418",
        &[
            "WI105", "WI108", "WI114", "WI115", "WI203", "WI204", "WI205", "WI307", "WI308", "WI311", "WI402", "WI412",
            "WI413", "WI414", "WI415", "WI416", "WI501", "WI502", "WI503", "WI504", "WI505", "WI508", "WI509", "WI510",
        ],
    ),
    ("WI722", &["WI101", "WI102", "WI103", "WI104", "WI202", "WI203", "WI204", "WI301", "WI302", "WI401"]),
];

/// Consequences that explain other consequences: what a pod lacks explains what its application says.
const ALSO_EXPLAINS: &[&str] = &["WI401", "WI403", "WI405", "WI722"];

/// What the webhook's rules explain of each other. The webhook that answers otherwise than it is set to (`WI310/asked`)
/// may not have been called at all, while settings that it cannot start with (`WI310`) explain why it does not answer.
const WITHIN_WEBHOOK: &[(&str, &[&str])] = &[
    ("WI302", &["WI304", "WI306", "WI310", "WI312"]),
    ("WI310/asked", &["WI301", "WI302", "WI303", "WI304", "WI306"]),
];

/// The code, with what tells the two sides of a rule apart.
fn kind(finding: &Finding) -> &'static str {
    if finding.code == "WI310" && finding.path.starts_with("/webhooks") { "WI310/asked" } else { finding.code }
}

/// Drops what a more specific finding says already, marks consequences and causes, and puts causes first.
///
/// `target` is what the chain is about; a finding about something else that is reported along with it, such as a Job
/// that a worker starts, is not silenced by what is wrong with the target.
pub fn relate(findings: &mut Vec<Finding>, target: &ObjectRef) {
    // Loki's own rule speaks of its settings and of its account; only the latter is what the general rules see.
    let speaks = |finding: &&Finding| finding.code != "WI774" || finding.link == Link::ServiceAccount;
    let codes: Vec<&str> = findings.iter().filter(speaks).map(|finding| finding.code).collect();
    let silences = |specific: &str, finding: &Finding| {
        // What is wrong with the target's own template says nothing about the template of what it starts.
        let elsewhere = specific.starts_with("WI10") && finding.object != *target && finding.code == "WI101";
        let general = SILENCES.iter().filter(|(code, _)| *code == specific).flat_map(|(_, general)| *general);
        !elsewhere && general.into_iter().any(|code| *code == finding.code)
    };
    findings.retain(|finding| !codes.iter().any(|specific| silences(specific, finding)));

    let errors: Vec<Explaining> = findings
        .iter()
        .filter(|finding| finding.level == Level::Error || (finding.level == Level::Warning && finding.code == "WI419"))
        .map(Explaining::of)
        .collect();
    let found: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    let mut supported: Vec<String> = Vec::new();
    for finding in findings.iter_mut() {
        if finding.symptom || WITHIN_WEBHOOK.iter().any(|(code, _)| *code == kind(finding)) {
            let named = named(finding, &errors);
            supported.extend(named.iter().cloned());
            finding.blocked_by = if named.is_empty() { explaining(finding, &errors) } else { named };
        }
        // What a log says is evidence of what explains it, and not counted a second time.
        if finding.code.starts_with("WI8") && !finding.blocked_by.is_empty() {
            finding.level = Level::Info;
        }
        if finding.code.starts_with("WI8") {
            finding.points_to.retain(|code| !found.contains(&code.as_str()));
        }
        finding.root_cause = finding.level == Level::Error && finding.blocked_by.is_empty();
    }
    findings.sort_by_key(|finding| {
        let unsupported = !supported.contains(&finding.id);
        (!finding.root_cause, std::cmp::Reverse(finding.level), unsupported, order(finding.code), finding.id.clone())
    });
}

/// A finding that may explain another.
struct Explaining {
    kind: &'static str,
    code: &'static str,
    id: String,
    consequence: bool,
    link: Link,
    error: bool,
}

impl Explaining {
    fn of(finding: &Finding) -> Self {
        Self {
            kind: kind(finding),
            code: finding.code,
            id: finding.id.clone(),
            consequence: finding.symptom,
            link: finding.link,
            error: finding.level == Level::Error,
        }
    }
}

/// The findings that a text which was read names as its causes: they beat whatever else is wrong.
fn named(finding: &Finding, errors: &[Explaining]) -> Vec<String> {
    let quotes = |code: &str| finding.causes.contains(&code) || finding.points_to.iter().any(|named| named == code);
    errors
        .iter()
        .filter(|error| error.id != finding.id && quotes(error.code))
        .filter(|error| !error.consequence || ALSO_EXPLAINS.contains(&error.code))
        .map(|error| error.id.clone())
        .collect()
}

/// Whether a rule speaks of a consequence.
pub fn is_symptom(code: &str) -> bool {
    SYMPTOMS.contains(&code) || code.starts_with("WI8")
}

/// The errors that explain a symptom: of the codes that are listed for it, consequences too; else every cause. What a
/// log says of the pod (no token, the node asked instead, another credential) is explained by what is wrong with the
/// pod; what Entra, a role or a firewall say, by nothing else than what they name.
fn explaining(finding: &Finding, errors: &[Explaining]) -> Vec<String> {
    let symptom = kind(finding);
    let only = EXPLAINED_BY.iter().chain(WITHIN_WEBHOOK).find(|(code, _)| *code == symptom).map(|(_, by)| *by);
    let of_pod = [Link::Webhook, Link::ServiceAccount, Link::PodTemplate, Link::Pod, Link::Application];
    errors
        .iter()
        .filter(|error| error.error && error.id != finding.id)
        .filter(|error| match (only, symptom) {
            (Some(by), _) => by.contains(&error.kind),
            (None, "WI801" | "WI802" | "WI806") => {
                of_pod.contains(&error.link) && (!error.consequence || ALSO_EXPLAINS.contains(&error.code))
            }
            (None, _) if symptom.starts_with("WI8") => false,
            (None, _) => {
                !error.consequence || (ALSO_EXPLAINS.contains(&error.code) && !ALSO_EXPLAINS.contains(&symptom))
            }
        })
        .map(|error| error.id.clone())
        .collect()
}

/// The order in which causes are mended: the webhook, the template, the account, the application, the credential,
/// the role.
fn order(code: &str) -> u8 {
    match code.as_bytes().get(2) {
        Some(b'3') => 0,
        Some(b'1') => 1,
        Some(b'2') => 2,
        Some(b'7') => 3,
        Some(b'4') => 4,
        Some(b'5') => 5,
        Some(b'6') => 6,
        _ => 7,
    }
}
