//! Azure Resource Graph: the part of its query language that a lookup needs.
//!
//! `table | where … | extend … | project … | order by …`, with `=~`, `==`, `in~`, `and`, `or`, `tostring`, `tobool` and
//! `trim_end`. Anything else is answered as Resource Graph answers a query that it cannot read.

use crate::answer::Answer;
use crate::recorded::{Recorded, file};
use crate::tenant::Tenant;
use serde_json::{Map, Value, json};

pub(crate) fn answer(request: &Recorded, tenant: &Tenant) -> Answer {
    if request.header("content-type").is_none_or(|kind| !kind.starts_with("application/json")) {
        return Answer::empty(500);
    }
    let scope = match scope(request, tenant) {
        Ok(scope) => scope,
        Err(refusal) => return *refusal,
    };
    let text = request.body["query"].as_str().unwrap_or_default();
    let Some(rows) = run(text, tenant, &scope) else {
        return Answer::recorded("graph/resourcegraph-400-InvalidQuery.json");
    };
    // An unknown option is ignored without a word.
    let top = request.body["options"]["$top"].as_u64().unwrap_or(1000).clamp(1, 1000);
    let top = usize::try_from(top).unwrap_or(1000);
    let start: usize = request.body["options"]["$skipToken"].as_str().and_then(|t| t.parse().ok()).unwrap_or_default();
    let end = (start + top).min(rows.len());
    let page = rows.get(start..end).unwrap_or_default();
    let example = file("graph/resourcegraph-200-empty.json");
    let mut body = example["response"]["body"].clone();
    body["totalRecords"] = json!(rows.len());
    body["count"] = json!(page.len());
    body["data"] = json!(page);
    if end < rows.len() {
        body["$skipToken"] = json!(end.to_string());
    }
    let mut answer = Answer::recorded("graph/resourcegraph-200-empty.json");
    answer.body = body.to_string();
    answer
}

/// The subscriptions that are searched: the readable ones of those that are named, or of the tenant.
fn scope(request: &Recorded, tenant: &Tenant) -> Result<Vec<String>, Box<Answer>> {
    let none = |given: &str| {
        let answer = Answer::recorded("graph/resourcegraph-400-NoValidSubscriptionsInQueryRequest.json");
        Err(Box::new(answer.replacing("11111111-1111-1111-1111-222222222222", given)))
    };
    let visible = tenant.subscriptions.iter().filter(|subscription| subscription.visible);
    let named = match &request.body["subscriptions"] {
        Value::Null => None,
        Value::Array(named) => Some(named.iter().filter_map(Value::as_str).collect::<Vec<_>>()),
        _ => return none(""),
    };
    let Some(named) = named else {
        let all: Vec<String> = visible.map(|subscription| subscription.id.clone()).collect();
        return if all.is_empty() {
            Err(Box::new(Answer::recorded("graph/resourcegraph-403-AccessDenied.json")))
        } else {
            Ok(all)
        };
    };
    let readable: Vec<String> =
        visible.filter(|s| named.iter().any(|id| id.eq_ignore_ascii_case(&s.id))).map(|s| s.id.clone()).collect();
    if readable.is_empty() { none(named.first().copied().unwrap_or_default()) } else { Ok(readable) }
}

fn run(text: &str, tenant: &Tenant, scope: &[String]) -> Option<Vec<Value>> {
    let mut stages = text.split('|').map(str::trim);
    let mut rows = table(stages.next()?, tenant, scope)?;
    for stage in stages {
        let (verb, rest) = stage.split_once(char::is_whitespace)?;
        match verb {
            "where" => {
                let mut kept = Vec::new();
                for row in rows {
                    if condition(rest, &row)? {
                        kept.push(row);
                    }
                }
                rows = kept;
            }
            "extend" => {
                for row in &mut rows {
                    for column in columns(rest) {
                        let (name, value) = column.split_once('=')?;
                        let value = expression(value.trim(), row)?;
                        row[name.trim()] = value;
                    }
                }
            }
            "project" => {
                let mut projected = Vec::new();
                for row in rows {
                    let mut object = Map::new();
                    for column in columns(rest) {
                        let (name, value) = column.split_once('=').unwrap_or((column, column));
                        object.insert(name.trim().to_owned(), expression(value.trim(), &row)?);
                    }
                    projected.push(Value::Object(object));
                }
                rows = projected;
            }
            "order" => {
                let column = rest.strip_prefix("by ")?.split_whitespace().next()?;
                rows.sort_by_key(|row| row[column].as_str().unwrap_or_default().to_owned());
            }
            _ => return None,
        }
    }
    Some(rows)
}

/// The rows of a table, as far as the caller may read them. The type is lower-case there.
fn table(name: &str, tenant: &Tenant, scope: &[String]) -> Option<Vec<Value>> {
    let in_scope = |subscription: &str| scope.iter().any(|id| id.eq_ignore_ascii_case(subscription));
    match name {
        "resources" => {
            let identities = tenant.identities.iter().filter(|identity| {
                let read = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
                identity.indexed && in_scope(&identity.subscription) && tenant.allows(read, &identity.id())
            });
            let mut rows: Vec<Value> = identities
                .map(|identity| {
                    let mut row = file("graph/resourcegraph-200-identity-full-row.json")["response"]["body"]["data"][0].clone();
                    row["id"] = json!(identity.id().replace("/resourcegroups/", "/resourceGroups/"));
                    row["name"] = json!(identity.name);
                    row["location"] = json!(identity.location);
                    row["resourceGroup"] = json!(identity.group.to_lowercase());
                    row["subscriptionId"] = json!(identity.subscription);
                    row["tenantId"] = json!(tenant.id);
                    row["tags"] = identity.tags.clone();
                    row["properties"] = json!({"tenantId": tenant.id, "principalId": identity.principal_id, "clientId": identity.client_id});
                    row
                })
                .collect();
            for cluster in &tenant.clusters {
                let id = cluster.id();
                let mut segments = id.split('/').skip(2);
                let (subscription, group) = (segments.next().unwrap_or_default(), segments.nth(1).unwrap_or_default());
                if in_scope(subscription) && tenant.allows("Microsoft.ContainerService/managedClusters/read", id) {
                    let mut row = cluster.body.clone();
                    row["id"] = json!(id.replace("/resourcegroups/", "/resourceGroups/"));
                    row["type"] = json!("microsoft.containerservice/managedclusters");
                    row["subscriptionId"] = json!(subscription);
                    row["resourceGroup"] = json!(group.to_lowercase());
                    rows.push(row);
                }
            }
            Some(rows)
        }
        "resourcecontainers" => Some(
            tenant
                .subscriptions
                .iter()
                .filter(|subscription| in_scope(&subscription.id))
                .map(|s| json!({"id": format!("/subscriptions/{}", s.id), "type": "microsoft.resources/subscriptions", "subscriptionId": s.id, "name": s.name}))
                .collect(),
        ),
        _ => None,
    }
}

/// Splits at commas that stand in no parentheses and no quotes.
fn columns(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0u32, false);
    for (index, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                parts.push(text[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// `a or b and c`, without parentheses of its own.
fn condition(text: &str, row: &Value) -> Option<bool> {
    if let Some((left, right)) = text.split_once(" or ") {
        let (left, right) = (condition(left, row)?, condition(right, row)?);
        return Some(left || right);
    }
    if let Some((left, right)) = text.split_once(" and ") {
        let (left, right) = (condition(left, row)?, condition(right, row)?);
        return Some(left && right);
    }
    for operator in [" =~ ", " == ", " in~ "] {
        if let Some((left, right)) = text.split_once(operator) {
            let left = expression(left.trim(), row)?;
            let left = left.as_str().unwrap_or_default();
            let right = right.trim();
            return Some(match operator {
                " =~ " => left.eq_ignore_ascii_case(literal(right)?),
                " == " => left == literal(right)?,
                _ => {
                    let list = right.strip_prefix('(')?.strip_suffix(')')?;
                    let mut any = false;
                    for item in columns(list) {
                        any |= left.eq_ignore_ascii_case(literal(item)?);
                    }
                    any
                }
            });
        }
    }
    None
}

fn literal(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'').filter(|inner| !inner.contains('\''))
}

/// A column, a path into one, or one of the known functions.
fn expression(text: &str, row: &Value) -> Option<Value> {
    if let Some(inner) = text.strip_prefix("tostring(").and_then(|rest| rest.strip_suffix(')')) {
        let value = expression(inner, row)?;
        return Some(match value {
            Value::String(_) => value,
            Value::Null => json!(""),
            other => json!(other.to_string()),
        });
    }
    if let Some(inner) = text.strip_prefix("tobool(").and_then(|rest| rest.strip_suffix(')')) {
        return expression(inner, row);
    }
    if let Some(inner) = text.strip_prefix("trim_end('/', ").and_then(|rest| rest.strip_suffix(')')) {
        let value = expression(inner, row)?;
        return Some(json!(value.as_str().unwrap_or_default().trim_end_matches('/')));
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_')) {
        return None;
    }
    // Paths are case-sensitive.
    let mut value = row;
    for part in text.split('.') {
        value = &value[part];
    }
    Some(value.clone())
}
