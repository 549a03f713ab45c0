//! Entra's own words about a chain's tokens: in an exchange, in a status, in an event. They are observations, without
//! asking Azure.

use super::Chain;
use crate::apps;
use crate::azure::Guid;
use crate::model::finding::Confidence;
use crate::probe::facts::ExchangeError;
use crate::rules::Reads;
use crate::token::aadsts::{self, EntraError, Kind};
use serde_json::Value;

/// A refusal of Entra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The AADSTS code.
    pub code: u32,
    /// The rule that it is an observation of.
    pub gives: &'static str,
    /// The client id that it was about, where that is known.
    pub client: Option<Guid>,
    /// What the message quotes.
    pub error: EntraError,
    /// Where it was seen, and the message, on one line.
    pub seen: String,
    /// An exchange proves it; a text that somebody else wrote down is observed.
    pub confidence: Confidence,
}

impl Chain<'_> {
    /// What Entra refused, as far as it says which rule it is about. One of each rule and client id, proofs first.
    pub fn refusals(&self) -> Vec<Refusal> {
        let mut all = self.refused_exchanges();
        for (place, text) in self.told() {
            all.extend(of_text(&place, &text));
        }
        let mut seen = Vec::new();
        all.retain(|refusal| {
            let key = (refusal.gives, refusal.client);
            let new = !seen.contains(&key);
            seen.push(key);
            new
        });
        all
    }

    /// Exchanges that were all refused: some that were granted show that the credential fits.
    fn refused_exchanges(&self) -> Vec<Refusal> {
        let mut all = Vec::new();
        for (probe, exchange) in self.exchanges() {
            let transient = |error: &ExchangeError| {
                aadsts::lookup(error.aadsts).entry().is_some_and(|entry| entry.kind == Kind::Transient)
            };
            if exchange.succeeded > 0 || exchange.errors.iter().all(transient) {
                continue;
            }
            for error in &exchange.errors {
                let place = format!("the exchange of container {}", probe.container);
                let text = format!("AADSTS{}: {}", error.aadsts, error.message);
                let client = Guid::parse(&exchange.client_id);
                all.extend(of_text(&place, &text).map(|refusal| Refusal {
                    client: refusal.client.or(client),
                    confidence: Confidence::Proved,
                    ..refusal
                }));
            }
        }
        all
    }

    /// Texts in which somebody wrote Entra's answer down: the status of the application's resources, and events.
    fn told(&self) -> Vec<(String, String)> {
        self.note(Reads::Objects);
        let mut told = Vec::new();
        if let Some(workload) = self.peek_workload() {
            for other in self.inventory.others() {
                let mut texts = Vec::new();
                if let Some(status) = other.value.get("status") {
                    collect(status, &mut texts);
                }
                if texts.is_empty() || apps::of_resource(&other.meta.object).is_none() {
                    continue;
                }
                let own = |user: &&crate::model::workload::Workload| user.meta.object == workload.meta.object;
                if apps::users(other, self.inventory).iter().any(own) {
                    told.extend(texts.into_iter().map(|text| (format!("the status of {}", other.meta.object), text)));
                }
            }
        }
        let events = self.events().into_iter().filter(|event| event.message.contains("AADSTS"));
        told.extend(events.map(|event| (format!("an event of {}", event.about), event.message.clone())));
        told
    }
}

/// The texts below a value that hold an answer of Entra.
fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains("AADSTS") => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(map) => map.values().for_each(|item| collect(item, texts)),
        _ => {}
    }
}

fn of_text(place: &str, text: &str) -> Option<Refusal> {
    let error = EntraError::parse(text)?;
    let (code, gives) = error.codes.iter().find_map(|code| Some((*code, aadsts::lookup(*code).entry()?.gives?)))?;
    let client = error.presented.client_id.as_deref().and_then(Guid::parse);
    let seen = format!("{place}: {}", apps::custom::shown(text));
    Some(Refusal { code, gives, client, error, seen, confidence: Confidence::Observed })
}
