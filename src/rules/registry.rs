//! The list of all rules.

use super::probe::{exchange, file, token};
use super::{Documented, Report, Rule, RuleInfo, account, cluster, pod, template};
use crate::chain::Chain;
use crate::model::finding::Finding;

/// Every rule, by code. A new rule is one line here.
pub static RULES: &[&dyn Rule] = &[
    &template::label::PodLabelMissing,
    &account::ServiceAccountMissing,
    &account::ClientIdMissing,
    &cluster::webhook::WebhookMissing,
    &pod::PodNotMutated,
    &file::TokenFileMissing,
    &file::TokenUnreadable,
    &token::TokenExpired,
    &token::TokenIssuerMismatch,
    &token::TokenSubjectMismatch,
    &token::TokenAudienceMismatch,
    &token::TokenKeyUnknown,
    &token::ClockSkew,
    &exchange::ExchangeRejected,
    &exchange::ExchangeFlaky,
    &exchange::AuthorityUnreachable,
];

/// Runs all rules over one chain.
pub fn check(chain: &Chain<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        rule.check(chain, &mut Report::new(rule.info(), &mut findings));
    }
    findings
}

/// The rule of that code or name, in any case.
pub fn find(code_or_name: &str) -> Option<&'static RuleInfo> {
    infos().find(|info| info.code.eq_ignore_ascii_case(code_or_name) || info.name.eq_ignore_ascii_case(code_or_name))
}

/// What is fixed about every rule.
pub fn infos() -> impl Iterator<Item = &'static RuleInfo> {
    RULES.iter().map(|rule| rule.info())
}

/// The codes that a list such as `WI101,WI2` names; prefixes stand for all that begin with them.
pub fn matches(selector: &str, code: &str) -> bool {
    let selector = selector.trim().as_bytes();
    !selector.is_empty()
        && code.len() >= selector.len()
        && code.as_bytes()[..selector.len()].eq_ignore_ascii_case(selector)
}

/// The info of a rule type.
pub(super) fn info_of<R: Documented>() -> &'static RuleInfo {
    const { &R::INFO }
}
