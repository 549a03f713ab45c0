//! The fixes of credentials: as data for `fix --azure`, and as commands of the Azure CLI.

use super::judge::{self, Case};
use crate::azure::compare::{Contest, contested};
use crate::azure::declared::{Declared, DeclaredCredential};
use crate::azure::object::{body_value, credential_ref};
use crate::azure::{CredentialBody, CredentialName, FederatedCredential, Found, Guid};
use crate::chain::{Chain, Target};
use crate::model::finding::{Change, Fix, FixKind, Operation};
use crate::rules::edit::{arguments, quote};
use crate::token::difference::{Difference, Field, account};
use serde_json::{Value, json};

/// The name that a credential for the account of a token gets.
pub(super) fn derived_name(chain: &Chain<'_>, case: &Case<'_>) -> CredentialName {
    let (namespace, name) = account(&case.presented.subject).unwrap_or(("", "account"));
    let managed = chain.peek_azure().and_then(|facts| facts.cluster.known()).map(|cluster| cluster.id.name());
    let context = chain.cluster().context.as_deref();
    CredentialName::derive(managed.or(context), &case.presented.issuer, namespace, name)
}

/// `kubectl wi fix deploy/app -n shop --azure`, for a target in a cluster.
fn fix_command(chain: &Chain<'_>) -> Option<String> {
    let object = match chain.target() {
        Target::Workload(workload) if workload.meta.origin.is_cluster() => &workload.meta.object,
        Target::Account(account) if account.meta.origin.is_cluster() => &account.meta.object,
        _ => return None,
    };
    Some(format!("kubectl wi fix {} --azure", arguments(object)))
}

/// What makes a credential that is missing.
pub(super) fn create(chain: &Chain<'_>, case: &Case<'_>, declared: &[Declared]) -> Fix {
    let name = derived_name(chain, case);
    let body = body(case);
    let Some(found) = case.facts.found() else {
        let parameters = json!({
            "name": name.as_str(), "issuer": body.issuer, "subject": body.subject, "audiences": [body.audience],
        });
        let line = format!(
            "az ad app federated-credential create --id {} --parameters {}",
            case.shown.client,
            quote(&parameters.to_string())
        );
        return Fix::manual("create a federated credential of the app registration").command(line);
    };
    let summary = format!("create federated credential {name} on {}", found.id.name());
    if let Some(fix) = by_operator(case, found, declared) {
        return fix;
    }
    let object = credential_ref(&found.id, &name);
    let value = body_value(&object, &body);
    let change = Change { object, patch: vec![Operation::Add { path: String::new(), value }] };
    access(chain, summary, found, &name, "create", &body, change)
}

/// What makes a credential fit that nearly does.
pub(super) fn correct(
    chain: &Chain<'_>,
    case: &Case<'_>,
    credential: &FederatedCredential,
    differences: &[Difference],
    declared: &[Declared],
) -> Fix {
    let fields: Vec<&str> = differences.iter().map(|difference| difference.field.name()).collect();
    let summary = format!("correct {} of federated credential {}", fields.join(" and "), credential.name);
    let body = body(case);
    let Some(found) = case.facts.found() else {
        let parameters = json!({"issuer": body.issuer, "subject": body.subject, "audiences": [body.audience]});
        let line = format!(
            "az ad app federated-credential update --id {} --federated-credential-id {} --parameters {}",
            case.shown.client,
            quote(&credential.name),
            quote(&parameters.to_string())
        );
        return Fix::manual(summary).command(line);
    };
    if let Some(Contest::Declared(writer)) = contested(&found.id, None, &credential.name, declared) {
        return at_operator(writer, &body, differences);
    }
    // A name that the API would not take cannot be written through it.
    let Ok(name) = CredentialName::parse(&credential.name) else { return Fix::manual(summary) };
    let object = credential_ref(&found.id, &name);
    let replace = |difference: &Difference| match difference.field {
        Field::Issuer => Some(("/properties/issuer", json!(body.issuer))),
        Field::Subject => Some(("/properties/subject", json!(body.subject))),
        Field::Audience => Some(("/properties/audiences", json!([body.audience]))),
        Field::Other => None,
    };
    let patch = differences.iter().filter_map(replace);
    let patch = patch.map(|(path, value)| Operation::Replace { path: path.to_owned(), value }).collect();
    access(chain, summary, found, &name, "update", &body, Change { object, patch })
}

fn body(case: &Case<'_>) -> CredentialBody {
    CredentialBody {
        issuer: case.presented.issuer.clone(),
        subject: case.presented.subject.clone(),
        audience: case.presented.audience.clone(),
    }
}

fn access(
    chain: &Chain<'_>,
    summary: String,
    found: &Found,
    name: &CredentialName,
    verb: &str,
    body: &CredentialBody,
    change: Change,
) -> Fix {
    let line = az_command(found, name, verb, body);
    let identity = found.identity.known();
    // Without the credential's own tags this is likely, not known: the tool is named, and its next run decides.
    let tool = identity.and_then(crate::azure::compare::automation_of_tags);
    if let Some((tool, tag)) = tool {
        return Fix::manual(format!("{summary}, in {tool}, which writes this identity (tag {tag}); a stop-gap:"))
            .command(line);
    }
    let mut fix = Fix::new(FixKind::Access, summary).change(change);
    if let Some(command) = fix_command(chain) {
        fix = fix.command(command);
    }
    fix.command(line)
}

/// The line of the Azure CLI that writes a credential.
fn az_command(found: &Found, name: &CredentialName, verb: &str, body: &CredentialBody) -> String {
    format!(
        "az identity federated-credential {verb} --subscription {} --resource-group {} --identity-name {} --name {name} \
         --issuer {} --subject {} --audiences {}",
        found.id.subscription().unwrap_or("SUBSCRIPTION"),
        quote(found.id.resource_group().unwrap_or("GROUP")),
        quote(found.id.name()),
        quote(&body.issuer),
        quote(&body.subject),
        quote(&body.audience),
    )
}

/// The same for an identity of which only the client id is known.
pub(super) fn unknown_identity(shown: &crate::chain::azure::Presentation, client: Guid) -> Fix {
    let issuer = shown.issuer.as_deref().unwrap_or("ISSUER");
    Fix::manual("create or correct the credential; --azure shows what Azure has")
        .command(format!("az identity list --query \"[?clientId=='{client}'].[name,resourceGroup]\" -o tsv"))
        .command(format!(
            "az identity federated-credential create --identity-name NAME -g GROUP --name CREDENTIAL --issuer {} \
             --subject {} --audiences {}",
            quote(issuer),
            quote(&shown.subject),
            quote(&shown.audience)
        ))
}

/// Where an operator writes the identity's credentials, a new one is declared there.
fn by_operator(case: &Case<'_>, found: &Found, declared: &[Declared]) -> Option<Fix> {
    let resolution = crate::azure::declared::credentials_of(declared, Some(case.shown.client), Some(&found.id));
    let writer = resolution.credentials.into_iter().find(|credential| credential.by.writes)?;
    let (operator, kind, name) = (writer.by.operator.name(), &writer.by.kind, &writer.by.name);
    Some(Fix::manual(format!(
        "declare another {kind} like {name}, which {operator} writes to Azure, with this issuer, subject and audience"
    )))
}

/// The change of the object from which an operator writes a credential.
pub(super) fn at_operator(writer: &DeclaredCredential, body: &CredentialBody, differences: &[Difference]) -> Fix {
    let object = declared_ref(writer);
    // Crossplane keeps the values below `forProvider`.
    let below = match writer.by.operator {
        crate::azure::declared::Operator::ServiceOperator => "spec",
        crate::azure::declared::Operator::Crossplane => "spec/forProvider",
    };
    let mut values = serde_json::Map::new();
    for difference in differences {
        let (name, value) = match difference.field {
            Field::Issuer => ("issuer", json!(body.issuer)),
            Field::Subject => ("subject", json!(body.subject)),
            Field::Audience => {
                let name = if below == "spec" { "audiences" } else { "audience" };
                (name, json!([body.audience]))
            }
            Field::Other => continue,
        };
        values.insert(name.to_owned(), value);
    }
    let patch = below.split('/').rev().fold(Value::Object(values), |inner, name| json!({ name: inner }));
    Fix::manual(format!("correct it in {object}, from which {} writes it to Azure", writer.by.operator.name()))
        .command(format!("kubectl patch {} --type merge -p {}", arguments(&object), quote(&patch.to_string())))
}

/// The object that declares a credential.
pub(super) fn declared_ref(writer: &DeclaredCredential) -> crate::model::object::ObjectRef {
    let by = &writer.by;
    crate::model::object::ObjectRef::new(&by.api_version, &by.kind, by.namespace.as_deref(), &by.name)
}

/// The fix of a near miss: in place where that breaks nobody, else a credential of its own.
pub(super) fn of_miss(
    chain: &Chain<'_>,
    case: &Case<'_>,
    credential: &FederatedCredential,
    differences: &[Difference],
    declared: &[Declared],
) -> (Fix, bool) {
    if judge::can_be_corrected(chain, case, credential, differences) {
        (correct(chain, case, credential, differences, declared), true)
    } else {
        (create(chain, case, declared), false)
    }
}
