//! What holds the catalogue together: every rule is documented, has a code of its own, and reads only the facts that
//! it declares.

use kubectl_wi::chain::select::{Scope, Selection, select};
use kubectl_wi::chain::{Chain, Cluster};
use kubectl_wi::manifest::collect::Collector;
use kubectl_wi::manifest::read::{Paths, read};
use kubectl_wi::probe::ProbeFacts;
use kubectl_wi::rules::page::{HEADINGS, markdown};
use kubectl_wi::rules::{FactSet, Reads, Report, Rule, registry};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[test]
fn codes_and_names_are_unique_and_in_order() {
    let codes: Vec<&str> = registry::infos().map(|info| info.code).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted, "the registry is in the order of codes, each once");
    let names: BTreeSet<&str> = registry::infos().map(|info| info.name).collect();
    assert_eq!(names.len(), codes.len());
}

#[test]
fn the_list_of_codes_is_public_and_changes_only_on_purpose() {
    let list: Vec<String> =
        registry::infos().map(|info| format!("{} {} {}", info.code, info.name, info.level)).collect();
    insta::assert_snapshot!(list.join("\n"));
}

#[test]
fn every_rule_has_a_whole_page() {
    for info in registry::infos() {
        let page = markdown(info);
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "{}", info.code);
        for section in page.split("## ").skip(1) {
            assert!(section.lines().skip(1).any(|line| !line.trim().is_empty()), "{}: {section}", info.code);
        }
    }
}

/// The folders in a folder.
fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

/// The facts that a rule reads of a chain.
fn reads(rule: &dyn Rule, chain: &Chain<'_>) -> FactSet {
    let _ = chain.take_reads();
    rule.check(chain, &mut Report::new(rule.info(), &mut Vec::new()));
    chain.take_reads()
}

#[test]
fn rules_read_only_the_facts_that_they_declare() {
    let cases: Vec<PathBuf> = folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"))
        .iter()
        .flat_map(|rule| folders(rule))
        .collect();
    let recorded = cases.iter().filter_map(|case| std::fs::read_to_string(case.join("probe.json")).ok());
    let probes: Vec<ProbeFacts> = recorded.map(|text| serde_json::from_str(&text).unwrap()).collect();
    assert!(probes.len() > 20);
    let of_probes = FactSet::of(&[Reads::Probe, Reads::Exchange]);
    for case in &cases {
        let mut collector = Collector::new("default");
        let paths = Paths { paths: vec![case.to_str().unwrap().to_owned()], recursive: true };
        let texts = read(&paths, &mut std::io::empty(), &mut collector).unwrap();
        let mut input = collector.finish(texts, false, None, None);
        for cluster in [Cluster::default(), std::mem::take(&mut input.cluster)] {
            let selection = Selection { scope: Scope::All, items: Vec::new(), labels: Vec::new() };
            for target in select(&input.inventory, &selection).unwrap() {
                let mut chain = Chain::new(target, &input.inventory, &cluster);
                let _ = chain.is_meant();
                let check = |rule: &dyn Rule, read: FactSet| {
                    let declared = FactSet::of(rule.info().reads);
                    assert!(read.is_within(declared), "{} reads {read:?}, declares {declared:?}", rule.info().code);
                };
                let mut asking = Vec::new();
                for rule in registry::RULES.iter().copied() {
                    let read = reads(rule, &chain);
                    check(rule, read);
                    // What did not ask for a probe reads the same where there is one.
                    if read.meets(of_probes) {
                        asking.push(rule);
                    }
                }
                for probe in &probes {
                    chain = chain.with_probe(probe);
                    asking.iter().for_each(|rule| check(*rule, reads(*rule, &chain)));
                }
            }
        }
    }
}
