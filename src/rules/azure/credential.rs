//! No federated credential lets the token in: none at all, or one that nearly does.

use super::fixes;
use super::judge::{self, Case, Use, cases, marked};
use super::{READS, account_ref, identity_object, named};
use crate::azure::compare::{Comparison, Never, Outcome, compare};
use crate::azure::declared::{Declared, credentials_of};
use crate::azure::{Discovered, FederatedCredential};
use crate::chain::Chain;
use crate::chain::azure::Presentation;
use crate::chain::entra::Refusal;
use crate::model::finding::{Confidence, Fix, FixKind, Level, Link};
use crate::rules::{Documented, Needs, Report, Rule, rule};
use crate::token::aadsts;
use crate::token::difference::Difference;

rule! {
    /// ## What it does
    /// Finds that the managed identity, or app registration, has no federated credential for the issuer and subject of
    /// the workload's token, and none that nearly fits.
    ///
    /// ## Why it breaks
    /// Entra takes a token only where a credential of the identity names its issuer, subject and audience, to the
    /// letter. Without one it answers AADSTS70025 (no credential at all), AADSTS700211, AADSTS700213 or, in the older
    /// form, AADSTS70021.
    ///
    /// ## How it is known
    /// From the identity's credentials in Azure (`--azure`), or from Entra's own words in an exchange, a status or an
    /// event. The token is the expected one: the cluster's issuer, the account of the pods, the audience that the
    /// webhook projects. A system-assigned identity can hold no credential at all.
    ///
    /// ## Fix
    /// Create the credential. `kubectl wi fix --azure` does it after a diff and a yes of its own; its name is made from
    /// cluster, namespace and account. Where Azure Service Operator, Crossplane or Terraform writes this identity's
    /// credentials, it is declared there instead.
    ///
    /// ## Fix safety
    /// It grants access: the pods of that account become this identity. Nothing restarts. Entra needs up to a few
    /// minutes to see a new credential, and asking sooner can prolong that.
    ///
    /// ## References
    /// - Microsoft Entra, "Workload identity federation", "Important considerations and restrictions"
    /// - Azure/azure-workload-identity, "Troubleshooting"
    FederatedCredentialMissing {
        code: "WI502",
        name: "federated-credential-missing",
        level: Level::Error,
        link: Link::FederatedCredential,
        needs: &[Needs::Azure, Needs::Exchange, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Access),
    }
}

rule! {
    /// ## What it does
    /// Finds a federated credential that differs from the workload's token in the issuer: a slash at the end, letter
    /// case, another region, another cluster. The differing characters are shown.
    ///
    /// ## Why it breaks
    /// Entra compares issuers to the letter, and answers AADSTS700211. AKS issuers end with a slash, which is lost in
    /// copying; a cluster that is made anew gets a new issuer.
    ///
    /// ## How it is known
    /// From the identity's credentials in Azure (`--azure`), from what Azure Service Operator or Crossplane declares,
    /// or from Entra's own words.
    ///
    /// ## Fix
    /// A slip of the pen is corrected in place. A credential with another cluster's issuer may serve that cluster, so it
    /// is left, and one of its own is created.
    ///
    /// ## Fix safety
    /// It grants access, and asks for a yes of its own. Nothing restarts.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 1200, 1700
    FederatedIssuerMismatch {
        code: "WI503",
        name: "federated-issuer-mismatch",
        level: Level::Error,
        link: Link::FederatedCredential,
        needs: &[Needs::Azure, Needs::Exchange, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Access),
    }
}

rule! {
    /// ## What it does
    /// Finds a federated credential that has the cluster's issuer and another subject than the workload's token: another
    /// account or namespace, both swapped, a wildcard, another letter case.
    ///
    /// ## Why it breaks
    /// The subject is `system:serviceaccount:NAMESPACE:ACCOUNT`, compared to the letter; since February 2025 letter case
    /// counts (AADSTS7002138). Entra answers AADSTS700213. A `*` matches only itself.
    ///
    /// ## How it is known
    /// From the identity's credentials in Azure (`--azure`), from what Azure Service Operator or Crossplane declares,
    /// or from Entra's own words. A credential that another workload is seen to use is no near miss.
    ///
    /// ## Fix
    /// Corrected in place where nobody else uses it: the account that it names does not exist. Else one of its own is
    /// created. Or the pods run as the wrong account (wrong-service-account, WI105).
    ///
    /// ## Fix safety
    /// It grants access, and asks for a yes of its own. Nothing restarts.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issue 1200; Microsoft Entra breaking changes, February 2025
    FederatedSubjectMismatch {
        code: "WI504",
        name: "federated-subject-mismatch",
        level: Level::Error,
        link: Link::FederatedCredential,
        needs: &[Needs::Azure, Needs::Exchange, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Access),
    }
}

rule! {
    /// ## What it does
    /// Finds a federated credential with the right issuer and subject and another audience than the workload's token.
    ///
    /// ## Why it breaks
    /// The webhook projects `api://AzureADTokenExchange` in every cloud; Entra's documentation names others for managed
    /// identities' tokens in national clouds, and identity bindings have their own. Entra answers AADSTS700212.
    ///
    /// ## How it is known
    /// From the identity's credentials in Azure (`--azure`), from what Azure Service Operator or Crossplane declares,
    /// or from Entra's own words.
    ///
    /// ## Fix
    /// The credential's audience is corrected in place: issuer and subject can stand in one credential of an identity
    /// only. The credential of AKS identity bindings is left alone.
    ///
    /// ## Fix safety
    /// It grants access, and asks for a yes of its own. Nothing restarts.
    ///
    /// ## References
    /// - Azure/azure-workload-identity, `pkg/webhook/consts.go`; terraform-provider-azuread issue 1755
    FederatedAudienceMismatch {
        code: "WI505",
        name: "federated-audience-mismatch",
        level: Level::Error,
        link: Link::FederatedCredential,
        needs: &[Needs::Azure, Needs::Exchange, Needs::Logs],
        reads: READS,
        fix: Some(FixKind::Access),
    }
}

macro_rules! credential_rule {
    ($($rule:ident)*) => {
        $(impl Rule for $rule {
            fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
                check(Self::INFO.code, chain, report);
            }
        })*
    };
}

credential_rule! { FederatedCredentialMissing FederatedIssuerMismatch FederatedSubjectMismatch FederatedAudienceMismatch }

/// What the four rules share: each speaks for its own kind of difference.
fn check(code: &'static str, chain: &Chain<'_>, report: &mut Report<'_>) {
    let declared = chain.declared();
    let refusals = chain.refusals();
    let cases = cases(chain);
    for case in &cases {
        let comparison = case.compare(chain);
        if judge::code_of(&comparison.outcome) == Some(code) {
            by_azure(chain, case, &comparison, &declared, &refusals, report);
        }
    }
    let shown = chain.presentations();
    let unjudged = || shown.iter().filter(|shown| !cases.iter().any(|case| case.shown == **shown));
    for shown in unjudged() {
        if code == "WI502" {
            by_kind(chain, shown, report);
        }
        by_declaration(code, shown, &declared, report);
    }
    // Azure knows better than a text that was written down some time ago.
    let judged = |refusal: &Refusal| cases.iter().any(|case| refusal.client.is_none_or(|id| id == case.shown.client));
    for refusal in refusals.iter().filter(|refusal| refusal.gives == code && !judged(refusal)) {
        by_entra(chain, &shown, refusal, report);
    }
}

/// What Azure has.
fn by_azure(
    chain: &Chain<'_>,
    case: &Case<'_>,
    comparison: &Comparison<'_>,
    declared: &[Declared],
    refusals: &[Refusal],
    report: &mut Report<'_>,
) {
    let object = identity_object(&case.shown, case.facts);
    let who = named(&case.shown, case.facts);
    let (name, message, fix, lines) = if let Outcome::NearestMiss { credential, differences } = &comparison.outcome {
        let (fix, in_place) = fixes::of_miss(chain, case, credential, differences, declared);
        let name = if in_place { credential.name.clone() } else { fixes::derived_name(chain, case).to_string() };
        let mut lines: Vec<String> = differences.iter().flat_map(marked).collect();
        if !in_place && judge::use_of(chain, case, credential) != Use::Nobody {
            lines.push(format!("{} may serve somebody else, so it is not changed", credential.name));
        }
        (name, miss(&who, credential, differences), fix, lines)
    } else {
        let message = format!(
            "{who} has no federated credential for {}; Entra refuses the token of these pods",
            case.presented.subject
        );
        let lines = vec![
            format!("issuer of the token:   {}", case.presented.issuer),
            format!("subject of the token:  {}", case.presented.subject),
            format!("audience of the token: {}", case.presented.audience),
            format!("it has {}", list(case.credentials)),
        ];
        (fixes::derived_name(chain, case).to_string(), message, fixes::create(chain, case, declared), lines)
    };
    let never = comparison.never.iter().map(|(credential, why)| never(credential, *why));
    let said = refusals.iter().filter(|refusal| refusal.client.is_none_or(|id| id == case.shown.client));
    report
        .add(&object, format!("/federatedIdentityCredentials/{name}"), message)
        .evidence_all(lines)
        .evidence_all(comparison.entra.map(|code| format!("Entra answers AADSTS{code}")))
        .evidence_all(never)
        .evidence_all(said.map(|refusal| refusal.seen.clone()))
        .fix(fix);
}

/// `federated credential velero of identity mi1 differs from the token in the issuer`
fn miss(who: &str, credential: &FederatedCredential, differences: &[Difference]) -> String {
    let fields: Vec<&str> = differences.iter().map(|difference| difference.field.name()).collect();
    format!(
        "federated credential {} of {who} differs from the token in the {}; Entra compares to the letter and refuses it",
        credential.name,
        fields.join(" and the ")
    )
}

fn list(credentials: &[FederatedCredential]) -> String {
    match credentials {
        [] => "no credential at all".to_owned(),
        some => {
            let shown: Vec<String> = some
                .iter()
                .take(3)
                .map(|one| format!("{} ({})", one.name, one.subject.as_deref().unwrap_or("by an expression")))
                .collect();
            let more = if some.len() > 3 { format!(" and {} more", some.len() - 3) } else { String::new() };
            format!("{}{more}", shown.join(", "))
        }
    }
}

fn never(credential: &FederatedCredential, why: Never) -> String {
    let why = match why {
        Never::Wildcard => "a wildcard in its subject is a letter like any other",
        Never::WhiteSpace => "one of its values begins or ends with white space",
        Never::NoAudience => "it has no audience",
    };
    format!("{} never matches anything: {why}", credential.name)
}

/// An identity that can hold no credential.
fn by_kind(chain: &Chain<'_>, shown: &Presentation, report: &mut Report<'_>) {
    let Some(facts) = chain.azure_identity(shown.client) else { return };
    let Discovered::SystemAssigned { host } = &facts.discovered else { return };
    let of = host.as_ref().map_or_else(|| "another resource".to_owned(), ToString::to_string);
    report
        .add(
            &account_ref(chain, &shown.subject),
            "",
            format!(
                "client id {} is the system-assigned identity of {of}; such an identity can hold no federated credential",
                shown.client
            ),
        )
        .fix(Fix::manual("use a user-assigned identity").command("az identity create -g GROUP -n NAME"));
}

/// What operators declare, where Azure itself was not, or could not be, asked: likely, since Azure may have more.
fn by_declaration(code: &'static str, shown: &Presentation, declared: &[Declared], report: &mut Report<'_>) {
    let resolution = credentials_of(declared, Some(shown.client), None);
    if resolution.identity.is_none() || !resolution.unclear.is_empty() || resolution.credentials.is_empty() {
        return;
    }
    let Some(presented) = judge::presented(shown).filter(|_| !shown.is_identity_binding()) else { return };
    let credentials: Option<Vec<FederatedCredential>> =
        resolution.credentials.iter().map(|credential| credential.credential()).collect();
    let Some(credentials) = credentials else { return };
    let comparison = compare(&presented, &credentials, &|_| false);
    let (Outcome::NearestMiss { credential, differences }, Some(found)) =
        (&comparison.outcome, judge::code_of(&comparison.outcome))
    else {
        return;
    };
    let writer = resolution.credentials.iter().find(|writer| writer.azure_name == credential.name);
    let Some(writer) = writer.filter(|_| found == code) else { return };
    let object = fixes::declared_ref(writer);
    let body = crate::azure::CredentialBody {
        issuer: presented.issuer.clone(),
        subject: presented.subject.clone(),
        audience: presented.audience.clone(),
    };
    report
        .add(&object, "", miss(&format!("client id {}", shown.client), credential, differences))
        .level(Level::Warning)
        .confidence(Confidence::Inferred)
        .evidence_all(differences.iter().flat_map(marked))
        .evidence(format!("as {object} declares it; Azure itself was not asked (--azure)"))
        .fix(fixes::at_operator(writer, &body, differences));
}

/// Entra's own words.
fn by_entra(chain: &Chain<'_>, shown: &[Presentation], refusal: &Refusal, report: &mut Report<'_>) {
    let about = |one: &&Presentation| refusal.client.is_none_or(|client| client == one.client);
    let Some(one) = shown.iter().find(about) else { return };
    let presented = &refusal.error.presented;
    let what = match refusal.gives {
        "WI503" => format!(
            "with issuer {}",
            presented.issuer.as_deref().or(one.issuer.as_deref()).unwrap_or("of this cluster")
        ),
        "WI504" => format!("with subject {}", presented.subject.as_deref().unwrap_or(&one.subject)),
        "WI505" => format!("with audience {}", presented.audience.as_deref().unwrap_or(&one.audience)),
        _ => format!("for {}", one.subject),
    };
    let meaning = aadsts::lookup(refusal.code).entry().map(|entry| entry.meaning);
    report
        .add(
            &account_ref(chain, &one.subject),
            "",
            format!(
                "client id {} has no federated credential {what}; Entra said so (AADSTS{})",
                one.client, refusal.code
            ),
        )
        .confidence(refusal.confidence)
        .evidence(refusal.seen.clone())
        .evidence_all(meaning.map(str::to_owned))
        .fix(fixes::unknown_identity(one, one.client));
}
