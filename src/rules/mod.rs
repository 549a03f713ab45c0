//! The rules: what can be wrong, one struct a rule.
//!
//! A rule is pure. It reads the facts of one [`Chain`] through its methods, which note what was read, and says what
//! it found; it never fetches, prints or applies anything. To add one: write the struct with [`rule!`] in the file
//! of its family, implement [`Rule`], add a line to [`registry::RULES`], and give it a case that fires and one that
//! does not under `tests/cases/`.

pub mod decisions;
pub(crate) mod edit;
pub mod page;
pub mod registry;
pub mod relate;
pub mod suppress;
pub mod tool;

pub mod account;
pub mod azure;
pub mod cluster;
pub mod pod;
pub mod probe;
pub mod symptom;
pub mod template;

use crate::chain::Chain;
use crate::model::finding::{Confidence, Finding, Fix, FixKind, Level, Link, Observation, finding_id};
use crate::model::object::ObjectRef;
use std::fmt;

/// What a rule reads. A rule whose fact could not be read answers `unknown`, never `pass`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reads {
    /// The workload and its pod template.
    Template,
    /// The service account that the pods run as.
    Account,
    /// The other accounts of the namespace.
    Accounts,
    /// The pods that run.
    Pods,
    /// Other workloads of the namespace.
    Workloads,
    /// The identity webhook: configuration, deployment, settings.
    Webhook,
    /// The namespace's own labels and annotations.
    Namespace,
    /// The cluster's version and token issuer.
    Cluster,
    /// Events.
    Events,
    /// Other objects of the cluster, such as custom resources, roles and network policies.
    Objects,
    /// The Secrets that an application is configured by; never their values.
    Secrets,
    /// What a probe saw in or beside a pod.
    Probe,
    /// What Entra said to a token.
    Exchange,
    /// Who a client id is, by Azure.
    Identity,
    /// The federated credentials of an identity.
    Credentials,
    /// The role assignments of an identity.
    Roles,
    /// The AKS resource of the cluster, and its extension for Service Connector.
    ManagedCluster,
    /// What the API server answered to a dry run of such a pod.
    Asked,
    /// What containers wrote.
    Logs,
}

impl Reads {
    /// Whether Azure has to be asked for it.
    pub fn is_of_azure(self) -> bool {
        matches!(self, Self::Identity | Self::Credentials | Self::Roles | Self::ManagedCluster)
    }

    /// The bit that stands for it in a [`FactSet`].
    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of [`Reads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FactSet(u32);

impl FactSet {
    /// The set of these facts.
    pub fn of(reads: &[Reads]) -> Self {
        Self(reads.iter().fold(0, |bits, read| bits | read.bit()))
    }

    /// The set with one more fact.
    #[must_use]
    pub fn with(self, read: Reads) -> Self {
        Self(self.0 | read.bit())
    }

    /// Whether all of these are also in the other.
    pub fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether any of these is also in the other.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Where the answer of a rule can come from: the letters of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Manifests alone.
    Manifests,
    /// Live objects.
    Live,
    /// A probe inside or beside the pod.
    Probe,
    /// A token exchange.
    Exchange,
    /// Azure's resource manager or directory.
    Azure,
    /// Logs, events or status texts.
    Logs,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manifests => "manifests",
            Self::Live => "live objects",
            Self::Probe => "a probe",
            Self::Exchange => "a token exchange",
            Self::Azure => "Azure",
            Self::Logs => "logs, events or status texts",
        })
    }
}

/// What is fixed about a rule. Code and name are public: never reused, never renamed without a redirect.
#[derive(Debug, Clone)]
pub struct RuleInfo {
    /// Such as `WI101`.
    pub code: &'static str,
    /// Such as `pod-label-missing`.
    pub name: &'static str,
    /// The highest level at which it speaks.
    pub level: Level,
    /// The link of the chain that it judges.
    pub link: Link,
    /// Where its answer can come from; any one suffices.
    pub needs: &'static [Needs],
    /// The facts that it reads, and no others.
    pub reads: &'static [Reads],
    /// What its fix touches, where it has one.
    pub fix: Option<FixKind>,
    /// Its page: Markdown with the headings of [`page::HEADINGS`], made from the rule's own documentation.
    pub page: &'static str,
}

/// What is fixed about a rule, as a constant; written by [`rule!`].
pub trait Documented {
    /// Code, name, level and page.
    const INFO: RuleInfo;
}

/// The same of a rule in the catalogue, where its type is not known.
pub trait Described {
    /// Code, name, level and page.
    fn info(&self) -> &'static RuleInfo;
}

impl<R: Documented> Described for R {
    fn info(&self) -> &'static RuleInfo {
        const { &R::INFO }
    }
}

/// A rule of the catalogue.
pub trait Rule: Described + Sync {
    /// Looks at one chain.
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>);
}

/// Declares a rule: its documentation becomes its page.
macro_rules! rule {
    ($(#[doc = $doc:literal])* $name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Debug)]
        pub struct $name;

        impl $crate::rules::Documented for $name {
            const INFO: $crate::rules::RuleInfo = $crate::rules::RuleInfo {
                $($field: $value,)*
                page: concat!($($doc, "\n"),*),
            };
        }
    };
}
pub(crate) use rule;

/// Takes what a rule finds.
pub struct Report<'a> {
    info: &'static RuleInfo,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Report<'a> {
    /// A report that the given rule adds to.
    pub fn new(info: &'static RuleInfo, findings: &'a mut Vec<Finding>) -> Self {
        Self { info, findings }
    }

    /// Adds a finding about a field of an object: `path` is a JSON pointer, empty for the object as a whole.
    pub fn add(&mut self, object: &ObjectRef, path: impl Into<String>, message: impl Into<String>) -> Draft<'_> {
        let finding = finding(self.info, object, path.into(), message.into());
        self.findings.push(Finding { symptom: relate::is_symptom(self.info.code), ..finding });
        let at = self.findings.len() - 1;
        Draft { finding: &mut self.findings[at] }
    }
}

/// A finding that no rule over a chain makes.
pub(crate) fn loose<R: Documented>(object: &ObjectRef, path: &str, message: &str) -> Finding {
    finding(&R::INFO, object, path.to_owned(), message.to_owned())
}

/// A finding of a rule that says no more yet than where and what; no consequence of anything.
pub(crate) fn finding(info: &RuleInfo, object: &ObjectRef, path: String, message: String) -> Finding {
    Finding {
        id: finding_id(info.code, object, &path),
        code: info.code,
        name: info.name,
        level: info.level,
        confidence: Confidence::Observed,
        object: object.clone(),
        path,
        source: None,
        message,
        evidence: Vec::new(),
        root_cause: false,
        blocked_by: Vec::new(),
        points_to: Vec::new(),
        fix: None,
        docs: page::url(info.code),
        link: info.link,
        symptom: false,
        observations: Vec::new(),
        causes: Vec::new(),
    }
}

/// A finding that is being written.
pub struct Draft<'a> {
    finding: &'a mut Finding,
}

impl Draft<'_> {
    /// Says less, or more, than the rule's usual level.
    pub fn level(self, level: Level) -> Self {
        self.finding.level = level;
        self
    }

    /// Says how it is known.
    pub fn confidence(self, confidence: Confidence) -> Self {
        self.finding.confidence = confidence;
        self
    }

    /// Adds a line of evidence.
    pub fn evidence(self, line: impl Into<String>) -> Self {
        self.finding.evidence.push(line.into());
        self
    }

    /// Adds lines of evidence.
    pub fn evidence_all(self, lines: impl IntoIterator<Item = String>) -> Self {
        self.finding.evidence.extend(lines);
        self
    }

    /// Names a likely cause that is no finding.
    pub fn points_to(self, code: &str) -> Self {
        self.finding.points_to.push(code.to_owned());
        self
    }

    /// Gives the fix.
    pub fn fix(self, fix: Fix) -> Self {
        self.finding.fix = Some(fix);
        self
    }

    /// Says that it is a consequence wherever something explains it, whatever else its rule finds.
    pub fn consequence(self) -> Self {
        self.finding.symptom = true;
        self
    }

    /// Names likely causes that are no finding.
    pub fn points_to_all(self, codes: &[&str]) -> Self {
        self.finding.points_to.extend(codes.iter().map(|code| (*code).to_owned()));
        self
    }

    /// Names all rules whose findings would explain it.
    pub fn causes(self, codes: &[&'static str]) -> Self {
        self.finding.causes.extend(codes);
        self
    }

    /// Names likely causes that are no finding, those that are named already left out.
    pub fn points_to_new(self, codes: &[&str]) -> Self {
        for code in codes {
            if !self.finding.points_to.iter().any(|known| known == code) {
                self.finding.points_to.push((*code).to_owned());
            }
        }
        self
    }

    /// Says what the text that it quotes tells of other rules.
    pub fn observations(self, observations: impl IntoIterator<Item = Observation>) -> Self {
        self.finding.observations.extend(observations);
        self
    }

    /// Judges another link than the rule's usual one.
    pub fn link(self, link: Link) -> Self {
        self.finding.link = link;
        self
    }
}
