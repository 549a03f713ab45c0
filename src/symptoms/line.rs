//! One line of a log: what stands before the message, how loud it is, and whether a new entry begins.

use crate::text::{clean, pattern};
use regex::bytes::Regex;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::LazyLock;

/// How loud an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Nothing says.
    Unknown,
    /// Information or below; a `Normal` event.
    Quiet,
    /// Warning or above; a `Warning` event.
    Loud,
}

/// A line without what a collector put before it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub text: Cow<'a, str>,
    pub time: Option<String>,
    pub level: Level,
    pub begins: Begins,
    /// The collector says that the line goes on.
    pub partial: bool,
}

/// Whether a new entry begins with the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// A time, a level or a structure says so.
    Yes,
    /// The line goes on with the entry before: a stack trace, a body, a listing.
    No,
    /// Nothing says: a wrapped line, or a program that prints plain lines.
    Perhaps,
}

/// What a container runtime writes before each line (CRI).
static CRI: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,30})\x20(?:stdout|stderr)\x20([FP])\x20?"));

/// A quotation in Markdown or mail.
static QUOTE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:>\x20?){1,8}"));

/// `kubectl logs --prefix`
static POD_PREFIX: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\[pod/[^\]\s]{1,256}\]\x20"));

/// `kubectl logs --timestamps`, and what many programs begin a line with.
static OUTER_TIME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2}))\x20",
    )
});

/// The ways in which an entry begins.
static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:
            (?:\S{1,120}\x20+){0,2} \[? ([0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T\x20][0-9]{2}:[0-9]{2}\S{0,14})
          | \[? [0-9]{2}:[0-9]{2}:[0-9]{2}
          | [A-Z][a-z]{2}\x20{1,2}[0-9]{1,2}\x20[0-9]{2}:[0-9]{2}:[0-9]{2}
          | [IWEF][0-9]{4}\x20+([0-9]{2}:[0-9]{2}:[0-9]{2}\S{0,8})
          | (?:time|ts|level|t|lvl|caller|logger)=
          | (?:fail|warn|info|dbug|crit|trce):\x20
          | \x20* (?:Warning|Normal)\x20{2,}\S
          | (?:\S{1,120}\x20+){1,2} (?:Warning|Normal)\x20+\S+\x20+\S+
          | azure:[a-z]+:(?:info|warning|error|verbose)
          | \[ (?i:trace|debug|verbose|info|information|informational|warn|warning|error|critical) \]
          | (?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)[:\x20|]
          | Error:\x20 | error:\x20
          | [$]\x20\S | PS\x20[A-Z]:\\
        )",
    )
});

/// The ways in which an entry goes on, without being indented.
static GOES_ON: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"^(?: \x20 | at\x20 | --- | === | [}\])] | \{\x20*$ | RESPONSE | ERROR\x20CODE | Attempted\x20credentials
          | Trace\x20ID | Correlation\x20ID | Timestamp: | (?:GET|POST|PUT|DELETE)\x20http | To\x20troubleshoot
          | [-*]\x20 | \w{0,40}Credential(?:UnavailableError)?: | \w{0,40}Credential\x20authentication
          | File\x20" | Traceback | \.\.\. | Visit\x20https | See\x20the\x20trouble | (?i:status(?:code)?):\x20
          | (?:Content|Headers|Caused\x20by|More\x20details|Error\x20(?:Description|Code)):? | "[A-Za-z_]{1,40}":
          | goroutine\x20 | [a-z][\w.-]{0,60}(?:/[\w.()*-]{1,80}){1,8}$
        )"#,
    )
});

/// Levels of text entries.
static LEVEL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?: \b(?:level|lvl|severity)["']?[=:]\x20?["']? ([a-zA-Z]{3,13})
             | ^[^a-z]{0,60}? \b (TRACE|DEBUG|INFO|INFORMATION|WARN|WARNING|ERROR|FATAL|CRITICAL) \b
             | ^(?:\S{1,120}\x20+){0,4} (TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL) \b
             | ^(?:\S{1,120}\x20+){0,2} \[ (trace|debug|Verbose|Info|Informational|Information|Warning|Error|Critical|LogAlways) \]
             | ^ (fail|warn|info|dbug|crit|trce): | ^azure:[a-z]+:(info|warning|error|verbose)
             | ^ ([IWEF])[0-9]{4}\x20 | ^(?:\S{1,120}\x20+){0,2} \x20* (Warning|Normal)\x20 )"#,
    )
});

/// Reads a line.
pub(super) fn read(raw: &str) -> Line<'_> {
    let mut line =
        Line { text: clean(raw), time: None, level: Level::Unknown, begins: Begins::Perhaps, partial: false };
    for prefix in [&QUOTE, &POD_PREFIX] {
        let end = prefix.find(line.text.as_bytes()).map_or(0, |prefix| prefix.end());
        cut(&mut line.text, end);
    }
    if let Some(captures) = CRI.captures(line.text.as_bytes()) {
        line.partial = captures.get(2).is_some_and(|tag| tag.as_bytes() == b"P");
        line.time = captures.get(1).map(|time| lossy(time.as_bytes()));
        let end = captures.get(0).map_or(0, |all| all.end());
        cut(&mut line.text, end);
    }
    if line.text.starts_with('{') && read_json(&mut line) {
        return line;
    }
    read_text(&mut line);
    line
}

fn read_text(line: &mut Line<'_>) {
    let text = line.text.as_bytes();
    let outer = OUTER_TIME.captures(text).and_then(|captures| Some((captures.get(1)?, captures.get(0)?.end())));
    let rest = outer.map_or(0, |(_, end)| end);
    let goes_on = GOES_ON.is_match(&text[rest..]);
    let begins = BEGINS.captures(text);
    line.begins = match (goes_on, &begins) {
        // "Warning  Failed" in a table of events is indented, and begins an entry all the same.
        (true, _) if !is_event(text) => Begins::No,
        (_, Some(_)) => Begins::Yes,
        _ => Begins::Perhaps,
    };
    if line.time.is_none() {
        let time = begins.and_then(|captures| captures.get(1).or_else(|| captures.get(2)));
        line.time = time.map(|time| lossy(time.as_bytes()).trim_end_matches([']', ',']).to_owned());
    }
    let word = LEVEL.captures(&text[..text.len().min(200)]).and_then(|captures| {
        (1..captures.len()).find_map(|group| captures.get(group)).map(|word| lossy(word.as_bytes()))
    });
    line.level = word.map_or(Level::Unknown, |word| level(&word));
}

fn is_event(text: &[u8]) -> bool {
    let start = text.iter().position(|byte| *byte != b' ').unwrap_or_default();
    start > 0 && [&b"Warning  "[..], b"Normal  "].iter().any(|word| text[start..].starts_with(word))
}

/// A structured line: its level and time, and for Docker's own format the message in it. `false` where it is no log
/// entry but, for example, the body of an answer.
fn read_json(line: &mut Line<'_>) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(&line.text) else { return false };
    let field = |names: &[&str]| names.iter().find_map(|name| fields.get(*name));
    let time =
        field(&["time", "ts", "timestamp", "@timestamp", "@t", "Timestamp", "asctime"]).and_then(|time| match time {
            Value::String(text) => Some(text.chars().take(40).collect()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
    if let (Some(Value::String(log)), true) = (fields.get("log"), fields.contains_key("stream")) {
        let log = log.trim_end_matches('\n').to_owned();
        let mut inner = read(&log);
        let text = inner.text.into_owned();
        inner.text = Cow::Owned(String::new());
        *line = Line {
            text: Cow::Owned(text),
            time: inner.time.or(time),
            level: inner.level,
            begins: inner.begins,
            partial: inner.partial,
        };
        return true;
    }
    let level_field =
        field(&["level", "lvl", "severity", "@l", "Level", "LogLevel", "log.level", "levelname", "loglevel"]);
    let message = field(&["msg", "message", "@mt", "@m", "Message", "MessageTemplate", "event"]);
    if fields.contains_key("error_codes") || fields.contains_key("code") || (level_field.is_none() && message.is_none())
    {
        return false;
    }
    line.time = time.or(line.time.take());
    line.begins = Begins::Yes;
    line.level = match level_field {
        Some(Value::String(word)) => level(word),
        // bunyan and pino: 30 is information, 40 a warning.
        Some(Value::Number(number)) => match number.as_i64() {
            Some(..40) => Level::Quiet,
            _ => Level::Loud,
        },
        _ => Level::Unknown,
    };
    true
}

fn level(word: &str) -> Level {
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "trace" | "debug" | "verbose" | "info" | "information" | "informational" | "notice" | "dbug" | "trce" | "i"
        | "normal" | "logalways" => Level::Quiet,
        "warn" | "warning" | "error" | "err" | "fatal" | "critical" | "crit" | "fail" | "panic" | "w" | "e" | "f"
        | "dpanic" => Level::Loud,
        _ => Level::Unknown,
    }
}

fn cut(text: &mut Cow<'_, str>, at: usize) {
    if at == 0 {
        return;
    }
    *text = match std::mem::take(text) {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(at..).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(at..).unwrap_or_default().to_owned()),
    };
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> (Begins, Level, Option<String>) {
        let line = read(line);
        (line.begins, line.level, line.time)
    }

    #[test]
    fn the_patterns_compile() {
        for pattern in [&CRI, &QUOTE, &POD_PREFIX, &OUTER_TIME, &BEGINS, &GOES_ON, &LEVEL] {
            assert!(!pattern.as_str().is_empty());
        }
    }

    #[test]
    fn entries_begin_in_many_ways() {
        let klog = of("E0813 13:06:32.124224       1 azuredns.go:265] \"Error\"");
        assert_eq!(klog, (Begins::Yes, Level::Loud, Some("13:06:32.124224".into())));
        let logfmt = of("time=\"2024-10-25T01:04:17Z\" level=info msg=x");
        assert_eq!((logfmt.0, logfmt.1), (Begins::Yes, Level::Quiet));
        let zap = of("2026-01-20T18:12:05Z\tERROR\tazure_pipelines_scaler\tx");
        assert_eq!(zap, (Begins::Yes, Level::Loud, Some("2026-01-20T18:12:05Z".into())));
        let stern = of("keda-operator-d5464cdd6-zvdw2 keda-operator 2022-12-18T15:03:48Z        ERROR   x");
        assert_eq!((stern.0, stern.1), (Begins::Yes, Level::Loud));
        assert_eq!(of("[Informational] Azure-Identity: x").1, Level::Quiet);
        assert_eq!(of("INFO:azure.identity._internal.decorators:x"), (Begins::Yes, Level::Quiet, None));
        assert_eq!(of("  Warning  FailedMount  2s   kubelet  x"), (Begins::Yes, Level::Loud, None));
        assert_eq!(of("36s   Warning   FailedCreate   replicaset/x   y").0, Begins::Yes);
        assert_eq!(
            of("{\"level\":\"error\",\"ts\":1.5,\"msg\":\"x\"}"),
            (Begins::Yes, Level::Loud, Some("1.5".into()))
        );
    }

    #[test]
    fn stack_traces_and_bodies_go_on() {
        for line in [
            "\tWorkloadIdentityCredential: no client ID specified",
            "WorkloadIdentityCredential authentication failed",
            "   at Azure.Identity.X()",
            "--------------------------------",
            "RESPONSE 401 Unauthorized",
            "{",
            "Trace ID: x",
            "POST https://login.microsoftonline.com/",
            "github.com/kedacore/keda/v2/pkg/scaling.(*scaleHandler).buildScalers",
            "2024-12-11T04:38:49.5626854Z \tEnvironmentCredential: EnvironmentCredential authentication unavailable.",
        ] {
            assert_eq!(of(line).0, Begins::No, "{line}");
        }
        assert_eq!(of("{\"error\":\"invalid_client\",\"error_codes\":[70021]}").0, Begins::Perhaps);
        assert_eq!(of("ID specified. Check pod").0, Begins::Perhaps);
    }

    #[test]
    fn what_a_collector_puts_before_a_line_is_taken_off() {
        let cri = read("2024-02-14T13:29:52.742610403Z stderr P part");
        assert_eq!((cri.text.as_ref(), cri.partial), ("part", true));
        assert_eq!(read("[pod/a/b] text").text, "text");
        let docker =
            read("{\"log\":\"E0813 13:06:32.1 x\\n\",\"stream\":\"stderr\",\"time\":\"2024-01-01T00:00:00Z\"}");
        assert_eq!((docker.text.as_ref(), docker.level), ("E0813 13:06:32.1 x", Level::Loud));
    }
}
