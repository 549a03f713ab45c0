//! The rules whose fixes this program makes, with their cases, and what `fix` plans for them.

use kubectl_wi::chain::select::{Scope, Selection};
use kubectl_wi::fix::answers::Answers;
use kubectl_wi::fix::candidates::candidates;
use kubectl_wi::fix::files::{Manifests, load};
use kubectl_wi::fix::plan::{Objects, Plan, Wishes, plan};
use kubectl_wi::inspect::Wanted;
use kubectl_wi::manifest::read::Paths;
use kubectl_wi::model::finding::FixKind;
use kubectl_wi::report::model::InspectReport;
use kubectl_wi::rules::registry;
use std::path::{Path, PathBuf};

pub(crate) const CLIENT_ID: &str = "3f6c2b1e-9a4d-4c6e-8f0a-2d5b7c9e91d2";
pub(crate) const TENANT_ID: &str = "0f1e2d3c-4b5a-4697-8877-665544332211";

/// Rules whose findings only `exec-probe` has, which `fix` does not run.
const BY_PROBE: &[&str] = &["WI410", "WI411", "WI412", "WI413", "WI415"];

pub(crate) fn fixable() -> impl Iterator<Item = (&'static str, FixKind)> {
    let applied = |kind: &FixKind| matches!(kind, FixKind::Metadata | FixKind::Restart | FixKind::Access);
    registry::infos()
        .filter_map(move |info| Some((info.code, info.fix.filter(applied)?)))
        .filter(|(code, _)| !BY_PROBE.contains(code))
}

pub(crate) fn fires(code: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let inside = |folder: &Path| -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    };
    let named = |path: &Path, prefix: &str| path.file_name().unwrap().to_str().unwrap().starts_with(prefix);
    let rule = inside(&root).into_iter().find(|path| named(path, &format!("{code}-"))).unwrap();
    inside(&rule).into_iter().filter(|path| named(path, "fires-")).collect()
}

pub(crate) fn read(folder: &Path, issuer: Option<&str>) -> Manifests {
    let paths = Paths { paths: vec![folder.to_str().unwrap().to_owned()], recursive: false };
    let args = std::fs::read_to_string(folder.join("args")).unwrap_or_default();
    load(&paths, &mut std::io::empty(), "default", args.contains("--as-cluster"), issuer).unwrap()
}

pub(crate) fn everything() -> Wanted {
    let selection = Selection { scope: Scope::All, items: Vec::new(), labels: Vec::new() };
    Wanted { selection, select: Vec::new(), suppressions: Vec::new(), today: jiff::civil::date(2026, 11, 21) }
}

pub(crate) fn wishes(code: &str) -> Wishes {
    let answers =
        Answers { client_id: Some(CLIENT_ID.to_owned()), tenant_id: Some(TENANT_ID.to_owned()), ..Answers::default() };
    Wishes { only: vec![code.to_owned()], answers, now: "2026-11-21T12:00:00Z".to_owned(), ..Wishes::default() }
}

/// The plan with every question answered: the first candidate, or a name of its own.
pub(crate) fn planned(manifests: &Manifests, objects: &Objects, before: &InspectReport, wishes: &mut Wishes) -> Plan {
    let first = plan(&manifests.input, before, objects, wishes);
    for (ask, _) in &first.open {
        let seen = candidates(ask, &manifests.input, &[]).into_iter().next().map(|candidate| candidate.value);
        wishes.answers.give(ask, seen.unwrap_or_else(|| "of-its-own".to_owned()));
    }
    plan(&manifests.input, before, objects, wishes)
}
