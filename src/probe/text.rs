//! The drawing of a probe for a terminal, in the way of an inspection's chain.

use super::facts::{ContainerProbe, Outcome, ProbedExchange, Signature, TokenFile, VariablesFrom};
use super::report::{PodReport, ProbeReport, ProbeVerdict, is_about};
use crate::model::finding::{Finding, Level};
use crate::report::style::{Style, clean, columns, cut, pad, wrap};
use crate::report::text::finding;
use crate::text::span;
use crate::webhook::keys;
use std::fmt::Write as _;

/// How a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Ok,
    Warning,
    Error,
    Unknown,
}

/// Columns of the titles.
const TITLE: usize = 15;

/// Draws the whole report. `now` is the time by which the tokens' lives are told.
pub fn draw(report: &ProbeReport, now: i64, style: Style) -> String {
    let mut out = String::new();
    for pod in &report.pods {
        draw_pod(&mut out, report, pod, now, style);
    }
    if report.pods.is_empty() {
        let _ = writeln!(out, "{}: nothing to probe", clean(&report.target.path()));
    }
    for one in &report.findings {
        finding(&mut out, one, None, style);
        out.push('\n');
    }
    let s = report.summary;
    if s.probed > 1 {
        let parts =
            [(s.fail, style.error("fail")), (s.unknown, style.warning("unknown")), (s.pass, style.good("pass"))];
        let parts: Vec<String> =
            parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let _ = writeln!(out, "{}", parts.join(", "));
    }
    out
}

fn draw_pod(out: &mut String, report: &ProbeReport, pod: &PodReport, now: i64, style: Style) {
    let probe = &pod.probe;
    let (verdict, width) = match pod.verdict {
        ProbeVerdict::Pass => (style.good("pass"), 4),
        ProbeVerdict::Fail => (style.error("FAIL"), 4),
        ProbeVerdict::Unknown => (style.warning("UNKNOWN"), 7),
    };
    let namespace = report.target.namespace.as_deref().unwrap_or_default();
    let (name, kind) = match &probe.pod {
        Some(pod) => (format!("{namespace}/{pod}"), "Pod"),
        None => (report.target.path(), report.target.kind.as_str()),
    };
    let about =
        if probe.container.is_empty() { kind.to_owned() } else { format!("{kind}, container {}", probe.container) };
    let room = style.width.saturating_sub(columns(&name) + width + 5);
    let about = pad(&cut(&clean(&about), room), room);
    let _ = writeln!(out, "{}   {}  {verdict}\n", style.bold(&clean(&name)), style.dim(&about));
    for attempt in &probe.attempts {
        let mark = match attempt.outcome {
            Outcome::Done => Mark::Ok,
            Outcome::NotPossible | Outcome::Denied | Outcome::NotAsked | Outcome::Unknown => Mark::Unknown,
        };
        line(out, mark, &attempt.method.to_string(), &attempt.why, style);
    }
    let judge = |codes: &[&str]| {
        let about = |one: &&Finding| codes.contains(&one.code) && is_about(one, probe);
        match report.findings.iter().filter(about).map(|one| one.level).max() {
            Some(Level::Error) => Mark::Error,
            Some(Level::Warning) => Mark::Warning,
            Some(Level::Info) | None => Mark::Ok,
        }
    };
    line(out, Mark::Ok, "variables", &variables(probe), style);
    if let Some(file) = &probe.file {
        let mark = match judge(&["WI410", "WI411"]) {
            Mark::Ok if file.readable != Some(true) => Mark::Unknown,
            mark => mark,
        };
        line(out, mark, "token file", &file_line(file), style);
    }
    if let Some(token) = &probe.token {
        let text = |name: &str| match token.claims.get(name) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Array(many)) => {
                many.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(", ")
            }
            _ => "(none)".to_owned(),
        };
        line(out, judge(&["WI413"]), "issuer", &text("iss"), style);
        line(out, judge(&["WI414"]), "subject", &text("sub"), style);
        line(out, judge(&["WI415"]), "audience", &text("aud"), style);
        if let Some(expires) = token.claims.get("exp").and_then(serde_json::Value::as_i64) {
            let left = expires.saturating_sub(now);
            let life =
                if left > 0 { format!("expires in {}", span(left)) } else { format!("expired {} ago", span(-left)) };
            line(out, judge(&["WI412"]), "life", &life, style);
        }
        let detail = token.signature_detail.as_deref().unwrap_or_default();
        let from = token.keys_from.as_deref().unwrap_or_default();
        let (mark, words) = match token.signature {
            Signature::Valid => (judge(&["WI416"]), format!("{detail}, published by {from}")),
            Signature::NotChecked => (Mark::Unknown, format!("not checked: {detail}")),
            Signature::KeyUnusable => (Mark::Unknown, detail.to_owned()),
            _ => (judge(&["WI416"]), detail.to_owned()),
        };
        line(out, mark, "signature", &words, style);
    }
    let clocks = [("node", probe.clock.node_skew_seconds), ("this machine", probe.clock.local_skew_seconds)];
    let clocks: Vec<String> =
        clocks.into_iter().filter_map(|(whose, skew)| Some(format!("{whose} {:+} s", skew?))).collect();
    if !clocks.is_empty() {
        line(out, judge(&["WI417"]), "clocks", &format!("{} from the API server", clocks.join(", ")), style);
    }
    if let Some(exchange) = &probe.exchange {
        let mark = match judge(&["WI418", "WI419"]) {
            Mark::Ok if exchange.succeeded == 0 => Mark::Unknown,
            mark => mark,
        };
        line(out, mark, "exchange", &exchange_line(exchange), style);
    }
    if let Some(network) = &probe.network {
        let word = |known: Option<bool>| match known {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not known",
        };
        let words = format!(
            "{}:{} from the pod: name {}, connection {}, TLS {}",
            network.host,
            network.port,
            word(network.name),
            word(network.tcp),
            word(network.tls)
        );
        line(out, judge(&["WI420"]), "authority host", &words, style);
    }
    out.push('\n');
    for (at, what) in probe.not_proved.iter().enumerate() {
        let head = if at == 0 { "  not proved: " } else { "              " };
        for (row, text) in wrap(&clean(what), style.width.saturating_sub(14)).iter().enumerate() {
            let head = if row == 0 { head } else { "              " };
            let _ = writeln!(out, "{}{}", style.dim(head), style.dim(text));
        }
    }
    if let Some(next) = &probe.next {
        let _ = writeln!(out, "\n  {}", style.command(&clean(next)));
    }
    out.push('\n');
}

fn line(out: &mut String, mark: Mark, title: &str, text: &str, style: Style) {
    let mark = match mark {
        Mark::Ok => style.good(" ok"),
        Mark::Warning => style.warning("wrn"),
        Mark::Error => style.error("ERR"),
        Mark::Unknown => style.warning("  ?"),
    };
    for (at, text) in wrap(&clean(text), style.width.saturating_sub(TITLE + 6).max(20)).iter().enumerate() {
        if at == 0 {
            let _ = writeln!(out, "  {mark} {}{text}", pad(title, TITLE));
        } else {
            let _ = writeln!(out, "{}{text}", " ".repeat(TITLE + 6));
        }
    }
}

fn variables(probe: &ContainerProbe) -> String {
    let named =
        [("client id", keys::ENV_CLIENT_ID), ("tenant", keys::ENV_TENANT_ID), ("authority", keys::ENV_AUTHORITY_HOST)];
    let value = |key: &str| match probe.environment.get(key).map(String::as_str) {
        None => "not set".to_owned(),
        Some("") => "empty".to_owned(),
        Some(value) => value.to_owned(),
    };
    let named: Vec<String> = named.into_iter().map(|(name, key)| format!("{name} {}", value(key))).collect();
    let from = match probe.environment_from {
        VariablesFrom::Container => "read in the container",
        VariablesFrom::Specification => "from the specification",
    };
    let told = if probe.environment.contains_key(keys::ENV_TOKEN_FILE) { "" } else { "no token file named, " };
    format!("{told}{} ({from})", named.join(", "))
}

fn file_line(file: &TokenFile) -> String {
    let mut words = vec![file.path.clone()];
    if file.exists == Some(false) {
        words.push("is not there".to_owned());
    }
    if let Some(mode) = &file.mode {
        words.push(format!("mode {mode}"));
    }
    if let (Some(uid), Some(gid)) = (file.uid, file.gid) {
        words.push(format!("owner {uid}:{gid}"));
    }
    if let Some(reader) = file.reader_uid {
        words.push(format!("the container's user is {reader}"));
    }
    if let Some(age) = file.age_seconds {
        words.push(format!("{} old", span(age)));
    }
    words.join(", ")
}

fn exchange_line(exchange: &ProbedExchange) -> String {
    if let Some(why) = &exchange.not_sent {
        return format!("nothing was sent: {why}");
    }
    let mut text = format!("{} of {} granted for {}", exchange.succeeded, exchange.samples, exchange.resource);
    if let Some(latency) = exchange.latency_ms {
        let _ = write!(text, ", {} ms ({} to {})", latency.median, latency.min, latency.max);
    }
    if let Some(identity) = &exchange.identity {
        for (name, value) in [("oid", &identity.oid), ("appid", &identity.appid), ("tid", &identity.tid)] {
            if let Some(value) = value {
                let _ = write!(text, ", {name} {value}");
            }
        }
    }
    for error in exchange.errors.iter().filter(|error| error.aadsts != 0) {
        let _ = write!(text, ", {} times AADSTS{}", error.count, error.aadsts);
    }
    for silent in &exchange.unanswered {
        let _ = write!(text, ", {} times no answer: {}", silent.count, silent.why);
    }
    text
}
