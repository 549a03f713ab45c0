//! Expressions of flexible federated credentials: `claims['sub'] matches 'repo:org/*' and …`.
//!
//! Language version 1 as Microsoft documents it: the operators `matches` (with `*` for any run of characters and `?`
//! for one), `eq` and `and`. Only the claim `sub` is known of a Kubernetes token here.

use crate::azure::wildcard::wildcard;

/// Whether an expression lets a subject in; `None` where it asks for another claim or is not understood.
pub fn evaluate(expression: &str, subject: &str) -> Option<bool> {
    let mut rest = expression.trim();
    let mut all = true;
    loop {
        let (condition, after) = condition(rest)?;
        if condition.claim != "sub" {
            return None;
        }
        all &= match condition.operator {
            "eq" => condition.value == subject,
            "matches" => wildcard(condition.value, subject, true),
            _ => return None,
        };
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(all);
        }
        rest = rest.strip_prefix("and")?.strip_prefix(char::is_whitespace)?.trim_start();
    }
}

struct Condition<'a> {
    claim: &'a str,
    operator: &'a str,
    value: &'a str,
}

fn condition(text: &str) -> Option<(Condition<'_>, &str)> {
    let (claim, rest) = quoted(text.strip_prefix("claims[")?)?;
    let rest = rest.strip_prefix(']')?.strip_prefix(char::is_whitespace)?.trim_start();
    let (operator, rest) = rest.split_once(char::is_whitespace)?;
    let (value, rest) = quoted(rest.trim_start())?;
    Some((Condition { claim, operator, value }, rest))
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_version_one_are_evaluated() {
        let subject = "system:serviceaccount:ns1:sa1";
        for (expression, expected) in [
            ("claims['sub'] matches 'system:serviceaccount:ns1:*'", Some(true)),
            ("claims['sub'] matches 'system:serviceaccount:ns1:sa?'", Some(true)),
            ("claims['sub'] matches 'system:serviceaccount:ns2:*'", Some(false)),
            ("claims['sub'] eq 'system:serviceaccount:ns1:sa1'", Some(true)),
            ("claims[\"sub\"] eq \"system:serviceaccount:ns1:sa2\"", Some(false)),
            ("claims['sub'] matches '*:ns1:*' and claims['sub'] matches '*:sa1'", Some(true)),
            ("claims['sub'] matches '*:ns1:*' and claims['sub'] matches '*:sa2'", Some(false)),
            ("claims['sub'] matches '*' and claims['job_workflow_ref'] eq 'x'", None),
            ("claims['sub'] like 'x'", None),
            ("claims['sub'] matches '*' or claims['sub'] eq 'x'", None),
            ("claims['sub'] matches '*", None),
            ("", None),
            ("claims[é", None),
        ] {
            assert_eq!(evaluate(expression, subject), expected, "{expression}");
        }
    }
}
