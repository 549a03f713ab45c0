//! The words that name what is inspected: `TYPE/NAME`, `TYPE NAME`, `TYPE`, `identity/CLIENT-ID`.

use super::error::Failure;
use crate::chain::select::Item;
use crate::cluster::resource;
use crate::model::nearest::nearest;

/// Reads the words. `other_kind` finds the API's kind for a TYPE that is not built in.
pub fn items(words: &[String], other_kind: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Item>, Failure> {
    let kind_of = |word: &str| kind_of(word, other_kind);
    let Some(first) = words.first() else { return Ok(Vec::new()) };
    if words.iter().any(|word| word.contains('/')) {
        return words.iter().map(|word| slashed(word, &kind_of)).collect();
    }
    let mut items = Vec::new();
    for kind in first.split(',').filter(|kind| !kind.is_empty()) {
        if words.len() == 1 {
            if kind == "identity" {
                let next = "kubectl wi inspect identity/CLIENT-ID".to_owned();
                return Err(Failure::new("identity needs a client id", Some(next)));
            }
            items.push(Item::Object { kind: kind_of(kind)?, name: None });
        }
        for name in &words[1..] {
            items.push(named(kind, name, &kind_of)?);
        }
    }
    Ok(items)
}

fn kind_of(word: &str, other_kind: &dyn Fn(&str) -> Option<String>) -> Result<String, Failure> {
    if let Some(known) = resource::find(word) {
        return Ok(known.kind.clone().into_owned());
    }
    other_kind(word).ok_or_else(|| {
        let names = resource::BUILT_IN.iter().flat_map(|known| [&*known.plural, &*known.singular]);
        let hint = match nearest(word, names) {
            None => "TYPE is pod, deployment, statefulset, daemonset, replicaset, job, cronjob, serviceaccount or a \
                     custom resource; identity/CLIENT-ID finds what uses an identity"
                .to_owned(),
            Some(near) => format!("did you mean {near}?"),
        };
        Failure::new(format!("there is no resource type \"{word}\""), Some(hint))
    })
}

fn slashed(word: &str, kind_of: &dyn Fn(&str) -> Result<String, Failure>) -> Result<Item, Failure> {
    match word.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => named(kind, name, kind_of),
        _ => Err(Failure::new(
            format!("\"{word}\" is not TYPE/NAME; all arguments have to be once one is"),
            Some("kubectl wi inspect deploy/velero sa/velero-server".to_owned()),
        )),
    }
}

fn named(kind: &str, name: &str, kind_of: &dyn Fn(&str) -> Result<String, Failure>) -> Result<Item, Failure> {
    if kind == "identity" {
        return Ok(Item::Identity(name.to_owned()));
    }
    Ok(Item::Object { kind: kind_of(kind)?, name: Some(name.to_owned()) })
}
