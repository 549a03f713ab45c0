//! What only a live cluster tells, for cases: a file `facts` beside the manifests holds it as JSON.
//!
//! `discovery` and `published` are an issuer's documents as the API server and as its public address serve them;
//! `asked` holds the API server's answers to dry runs, by `KIND/NAMESPACE/NAME`; `azure` what Azure says, which the
//! emulator is asked for.

use kubectl_wi::chain::cluster::{Discovery, Published};
use kubectl_wi::chain::compare::Answer;
use kubectl_wi::chain::select::{Scope, Selection};
use kubectl_wi::inspect::{Wanted, inspect};
use kubectl_wi::manifest::collect::Collector;
use kubectl_wi::manifest::read::{Paths, read};
use kubectl_wi::model::fact::Fact;
use kubectl_wi::model::finding::Level;
use kubectl_wi::model::object::ObjectRef;
use kubectl_wi::model::pod::PodTemplate;
use kubectl_wi::report::style::Style;
use kubectl_wi::report::text::{Options, draw};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The time at which all cases are looked at: 2026-11-21, noon, UTC.
pub(crate) const NOW: i64 = 1_795_262_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    issuer: Option<String>,
    discovery: Option<Discovery>,
    published: Option<ApiPublished>,
    #[serde(default)]
    asked: BTreeMap<String, ApiAnswer>,
    /// Address of the API server.
    server: Option<String>,
    /// What Azure says; see `facts_azure.rs`.
    azure: Option<crate::facts_azure::Described>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiPublished {
    url: String,
    document: Fetched<Discovery>,
    keys: Fetched<Vec<kubectl_wi::chain::cluster::PublicKey>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Fetched<T> {
    Known(T),
    Absent,
    Failed(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ApiAnswer {
    Pod(Box<PodTemplate>),
    Refused(String),
}

impl<T> From<Fetched<T>> for Fact<T> {
    fn from(fetched: Fetched<T>) -> Self {
        match fetched {
            Fetched::Known(value) => Self::Known(value),
            Fetched::Absent => Self::Absent,
            Fetched::Failed(why) => Self::Failed(why),
        }
    }
}

/// The issuer and what Azure says, where the facts of a case tell of Azure.
pub(crate) fn issuer_and_azure(text: &str) -> Option<(Option<String>, crate::facts_azure::Described)> {
    let facts: Facts = serde_json::from_str(text).ok()?;
    Some((facts.issuer, facts.azure?))
}

/// Inspects the manifests of a folder together with its facts: the report as JSON and as text.
pub(crate) fn run(folder: &Path, facts: &str) -> (serde_json::Value, String) {
    let facts: Facts = serde_json::from_str(facts).unwrap();
    let mut collector = Collector::new("default");
    let mut paths: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    paths.sort();
    let texts = read(&Paths { paths, recursive: false }, &mut std::io::empty(), &mut collector).unwrap();
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    let mut input = collector.finish(texts, false, facts.issuer.as_deref(), Some(now));
    input.cluster.discovery = facts.discovery.map_or(Fact::NotAsked, Fact::Known);
    input.cluster.published = facts.published.map_or(Fact::NotAsked, |published| {
        let ApiPublished { url, document, keys } = published;
        Fact::Known(Published { url, document: document.into(), keys: keys.into() })
    });
    for (name, answer) in facts.asked {
        let [kind, namespace, name] = name.split('/').collect::<Vec<_>>().try_into().unwrap();
        let answer = match answer {
            ApiAnswer::Pod(pod) => Answer::Pod(pod),
            ApiAnswer::Refused(text) => Answer::Refused(text),
        };
        input.asked.insert(ObjectRef::new("apps/v1", kind, Some(namespace), name), Fact::Known(answer));
    }
    let selection = Selection { scope: Scope::All, items: Vec::new(), labels: Vec::new() };
    input.cluster.server = facts.server;
    if let Some(azure) = &facts.azure {
        azure.ask(&mut input, &selection);
    }
    let wanted =
        Wanted { selection, select: Vec::new(), suppressions: Vec::new(), today: jiff::civil::date(2026, 11, 22) };
    let report = inspect(&input, &wanted).unwrap();
    let style = Style { colour: false, width: 100 };
    let text = draw(&report, Options { style, show: Level::Info, wide: false });
    let text = text.replace(folder.to_str().unwrap(), ".");
    (serde_json::to_value(&report).unwrap(), text)
}
