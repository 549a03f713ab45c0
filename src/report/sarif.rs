//! SARIF 2.1.0, for code scanning.
//!
//! GitHub refuses a result without a file. Findings about objects of a cluster point to a file that does not exist,
//! named after the object (`kubernetes/NAMESPACE/KIND/NAME.yaml`), and name the object as logical location besides.

use super::model::InspectReport;
use crate::model::finding::{Finding, Level};
use crate::rules::page::RulePage;
use crate::rules::registry;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What has to be escaped in the path of a URI.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The report as one SARIF document.
pub fn sarif(report: &InspectReport) -> Value {
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.extend(report.targets.iter().flat_map(|target| &target.findings));
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(&finding.id));
    let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code).collect();
    let rules: Vec<(&str, Value)> = codes.iter().map(|code| (*code, rule(code))).collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| result(finding, rules.iter().position(|(code, _)| *code == finding.code).unwrap_or_default()))
        .collect();
    let gaps: Vec<Value> = report
        .unknown
        .iter()
        .map(|gap| notification("warning", &format!("not checked: {} ({})", gap.what, gap.why)))
        .collect();
    let rules: Vec<Value> = rules.into_iter().map(|(_, rule)| rule).collect();
    document(&rules, &results, &gaps, true)
}

/// The document of a run that could not be done.
pub fn failed(message: &str) -> Value {
    document(&[], &[], &[notification("error", message)], false)
}

fn document(rules: &[Value], results: &[Value], notifications: &[Value], successful: bool) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "kubectl-wi",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": successful, "toolExecutionNotifications": notifications}],
            "results": results,
        }],
    })
}

fn notification(level: &str, text: &str) -> Value {
    json!({"level": level, "message": {"text": text}})
}

fn rule(code: &str) -> Value {
    let Some(info) = registry::find(code) else {
        // A document that cannot be read is found before any rule runs.
        return json!({
            "id": code, "name": "invalid-object", "helpUri": crate::rules::page::url(code),
            "shortDescription": {"text": "A document that cannot be read as a Kubernetes object"},
            "defaultConfiguration": {"level": "error"},
        });
    };
    let page = RulePage::of(info);
    json!({
        "id": info.code,
        "name": info.name,
        "shortDescription": {"text": summary(&page.page)},
        "helpUri": page.docs,
        "help": {"text": page.page, "markdown": page.page},
        "defaultConfiguration": {"level": level(info.level)},
        "properties": {"tags": ["kubernetes", "azure-workload-identity", info.link.title()]},
    })
}

/// The first sentence below the first heading.
fn summary(page: &str) -> String {
    let text = page.lines().skip_while(|line| line.starts_with('#') || line.is_empty());
    let paragraph: Vec<&str> = text.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    paragraph.split_once(". ").map_or(paragraph.clone(), |(first, _)| format!("{first}."))
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "note",
    }
}

fn result(finding: &Finding, index: usize) -> Value {
    let object = &finding.object;
    let (uri, region) = if let Some(source) = &finding.source {
        (file_uri(&source.file), json!({"startLine": source.line, "startColumn": source.column}))
    } else {
        let namespace = object.namespace.as_deref().unwrap_or("cluster");
        let path = format!("kubernetes/{namespace}/{}/{}.yaml", object.kind.to_lowercase(), object.name);
        (utf8_percent_encode(&path, PATH).to_string(), json!({"startLine": 1}))
    };
    let mut text = finding.message.clone();
    if let Some(fix) = &finding.fix {
        text = format!("{text}\nFix: {}", fix.summary);
    }
    json!({
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": level(finding.level),
        "message": {"text": text},
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": uri}, "region": region},
            "logicalLocations": [{
                "name": object.name,
                "fullyQualifiedName": format!("{object}{}", finding.path),
                "kind": "resource",
            }],
        }],
        "partialFingerprints": {"kubectlWiFinding/v1": finding.id},
        "properties": {"rootCause": finding.root_cause, "confidence": finding.confidence},
    })
}

/// A path as the URI that code scanning matches with the repository: relative, with slashes.
fn file_uri(file: &str) -> String {
    let path = file.replace('\\', "/");
    let path = path.strip_prefix("./").unwrap_or(&path);
    let encoded = utf8_percent_encode(path, PATH).to_string();
    let drive = path.as_bytes().get(1) == Some(&b':');
    match encoded.starts_with('/') {
        true => format!("file://{encoded}"),
        false if drive => format!("file:///{encoded}"),
        false => encoded,
    }
}
