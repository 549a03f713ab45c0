//! The lifetime that is asked for the token.

use crate::chain::{Chain, annotation_path};
use crate::model::finding::{FixKind, Level, Link, Operation};
use crate::rules::edit::{arguments, metadata_fix, template_fix};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::injection::expiration_of;
use crate::webhook::keys;
use serde_json::json;

rule! {
    /// ## What it does
    /// Finds a `service-account-token-expiration` annotation, on the pod or on the account, that is no whole number of
    /// seconds from 3600 to 86400.
    ///
    /// ## Why it breaks
    /// The webhook refuses the pod: `token expiration 600 not valid. Expected value to be between 3600 and 86400`, or
    /// `strconv.ParseInt: parsing "1h": invalid syntax`. The workload stays without new pods.
    ///
    /// ## How it is known
    /// The value is read exactly as the webhook reads it: `+7200` and `007200` pass, `7200s` and a blank before it do
    /// not. The pod's annotation comes before the account's; an empty one counts as none. A number without quotes is no
    /// text, and the API server refuses the object itself.
    ///
    /// ## Fix
    /// Write a number of seconds in quotes, or take the annotation away: the default is 3600.
    ///
    /// ## Fix safety
    /// On the pod template the change rolls the pods over; on the account nothing restarts.
    ///
    /// ## References
    /// - Azure Workload Identity, "Labels and annotations"; `pkg/webhook/webhook.go`, `validateServiceAccountTokenExpiration`
    TokenExpirationInvalid {
        code: "WI111",
        name: "token-expiration-invalid",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for TokenExpirationInvalid {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.needs_injection() {
            return;
        }
        let key = keys::TOKEN_EXPIRATION;
        let of_pod = workload.template.metadata.annotation(key).filter(|text| !text.is_empty());
        if let Some(text) = of_pod {
            let path = chain.template_path(&annotation_path(key));
            if let Some(message) = flaw(text, workload.not_text.contains(&path)) {
                let better = nearest(text);
                let patch = vec![Operation::Replace { path: path.clone(), value: json!(better) }];
                let fix = template_fix(workload, format!("ask for {better} seconds"), patch);
                report.add(&workload.meta.object, path, message).fix(fix);
            }
            return;
        }
        let Some(account) = chain.account().known().copied() else { return };
        let Some(text) = account.meta.annotation(key).filter(|text| !text.is_empty()) else { return };
        let path = annotation_path(key);
        if let Some(message) = flaw(text, account.not_text.contains(&path)) {
            let (object, better) = (&account.meta.object, nearest(text));
            let operation = Operation::Replace { path: path.clone(), value: json!(better) };
            let command = format!("kubectl annotate {} {key}={better} --overwrite", arguments(object));
            let fix = metadata_fix(object, format!("ask for {better} seconds"), command, operation);
            report.add(object, path, message).link(Link::ServiceAccount).fix(fix);
        }
    }
}

fn flaw(text: &str, unquoted: bool) -> Option<String> {
    if unquoted {
        return Some(format!(
            "service-account-token-expiration is {text} without quotes, which is no text; the API server refuses the \
             whole object"
        ));
    }
    let denial = expiration_of(text).err()?;
    Some(format!(
        "service-account-token-expiration is {text:?} and not a number of seconds from {} to {}; the webhook refuses \
         every pod: {denial}",
        keys::MIN_EXPIRATION,
        keys::MAX_EXPIRATION
    ))
}

/// The lifetime that was most likely meant.
fn nearest(text: &str) -> String {
    let text = text.trim();
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let unit = match text[digits.len()..].trim() {
        "" | "s" | "sec" | "seconds" => 1,
        "m" | "min" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86400,
        _ => 0,
    };
    let seconds = digits.parse::<i64>().unwrap_or_default().saturating_mul(unit);
    seconds.clamp(keys::MIN_EXPIRATION, keys::MAX_EXPIRATION).to_string()
}
