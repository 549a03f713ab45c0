//! Trigger authentications.

use super::view::{Provider, READS, View, command};
use crate::apps::{Part, custom};
use crate::chain::Chain;
use crate::chain::near::is_guid;
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::rules::{Needs, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::json;

rule! {
    /// ## What it does
    /// Finds a `TriggerAuthentication` or `ClusterTriggerAuthentication` with the provider `azure`, which stands for
    /// aad-pod-identity.
    ///
    /// ## Why it breaks
    /// KEDA deprecated the provider in 2.13 and removed it in 2.15.0: the resource is refused, or its triggers get no
    /// credential.
    ///
    /// ## How it is known
    /// From `spec.podIdentity.provider` and KEDA's version. With 2.13 and 2.14, or where the version is not to be seen,
    /// it is a warning. On AKS, Kubernetes 1.32 and later brings KEDA 2.15 or later.
    ///
    /// ## Fix
    /// Set the provider to `azure-workload`, with a credential for the operator's account on the identity.
    ///
    /// ## Fix safety
    /// Nothing restarts. The triggers take another identity from then on; it needs the roles.
    ///
    /// ## References
    /// - kedacore/keda issue 5035 (2.15.0); KEDA, "Azure Workload Identity"
    KedaProviderRemoved {
        code: "WI720",
        name: "keda-provider-removed",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for KedaProviderRemoved {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        let part = chain.part("keda");
        let version = part.and_then(|part| part.version.as_ref());
        let add_on = part.is_some_and(|part| part.namespace() == "kube-system");
        let newer_aks = add_on && kubernetes_minor(chain).is_some_and(|minor| minor >= 32);
        let (level, then) = match version {
            Some(version) if version.at_least(2, 15, 0) => {
                (Level::Error, format!("KEDA {version} does not know it any more"))
            }
            Some(version) if version.at_least(2, 13, 0) => {
                (Level::Warning, format!("KEDA {version} still takes it, 2.15 does not"))
            }
            Some(_) => return,
            None if newer_aks => (Level::Error, "the KEDA of this AKS does not know it any more".to_owned()),
            None => (Level::Warning, "KEDA 2.15 and later does not know it any more".to_owned()),
        };
        for authentication in view.authentications.iter().filter(|a| a.provider == Provider::Azure) {
            let object = &authentication.resource.meta.object;
            let path = "/spec/podIdentity/provider".to_owned();
            let namespace = object.namespace.as_deref().map(|ns| format!(" -n {ns}")).unwrap_or_default();
            report
                .add(object, path.clone(), format!("{object} uses the provider azure, aad-pod-identity; {then}"))
                .level(level)
                .fix(
                    Fix::new(FixKind::Metadata, "use the provider azure-workload")
                        .command(format!(
                            "kubectl patch {}/{}{namespace} --type merge -p '{{\"spec\":{{\"podIdentity\":{{\"provider\":\"azure-workload\"}}}}}}'",
                            object.kind.to_lowercase(),
                            object.name
                        ))
                        .change(Change {
                            object: object.clone(),
                            patch: vec![Operation::Replace { path, value: json!("azure-workload") }],
                        }),
                );
        }
    }
}

/// The minor version of Kubernetes: the API server's, or else the newest node's.
pub(super) fn kubernetes_minor(chain: &Chain<'_>) -> Option<u32> {
    let minor = |version: &str| -> Option<u32> {
        let minor = version.trim_start_matches('v').split('.').nth(1)?;
        minor.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    let nodes = || {
        let nodes = chain.inventory().others_of("Node");
        nodes.filter_map(|node| minor(custom::text(node, "/status/nodeInfo/kubeletVersion")?)).max()
    };
    chain.cluster().kubernetes_version.known().and_then(|version| minor(version)).or_else(nodes)
}

rule! {
    /// ## What it does
    /// Finds an `identityId` that cannot be a client id: empty, no GUID, or perhaps the identity's object id.
    ///
    /// ## Why it breaks
    /// KEDA presents this id to Entra together with the operator's token. An empty one is refused by KEDA itself
    /// (`identityId of PodIdentity should not be empty`); a name, a resource id or an object id ends with
    /// `AADSTS700016`. Without `identityId` the operator's own annotation counts, and that is no fault.
    ///
    /// ## How it is known
    /// From the resource. An id that is a GUID and that no service account here carries as its client id is only told
    /// as information: it may be an object id. `identityTenantId` needs `identityId`, and `identityAuthorityHost` needs
    /// `identityTenantId`.
    ///
    /// ## Fix
    /// Use the client id of the managed identity: `az identity show --query clientId`.
    ///
    /// ## Fix safety
    /// Nothing restarts.
    ///
    /// ## References
    /// - kedacore/keda issue 5824; KEDA's admission webhook, from 2.12
    KedaIdentityIdInvalid {
        code: "WI721",
        name: "keda-identity-id-invalid",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for KedaIdentityIdInvalid {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        let known: Vec<&str> =
            chain.inventory().accounts().filter_map(|account| account.meta.annotation(keys::CLIENT_ID)).collect();
        for authentication in view.authentications.iter().filter(|a| a.provider == Provider::AzureWorkload) {
            let object = &authentication.resource.meta.object;
            let (level, path, message) = match authentication.identity_id {
                Some("") => (
                    Level::Error,
                    "identityId",
                    format!("identityId of {object} is empty; KEDA refuses it, leave it out or give a client id"),
                ),
                Some(id) if !is_guid(id) => (
                    Level::Error,
                    "identityId",
                    format!("identityId of {object} is no GUID ({id:?}); Entra knows no such client"),
                ),
                Some(id) if !known.is_empty() && !known.iter().any(|other| other.eq_ignore_ascii_case(id)) => (
                    Level::Info,
                    "identityId",
                    format!(
                        "identityId {id} of {object} is the client id of no account here; make sure that it is no object id"
                    ),
                ),
                None if authentication.tenant_id.is_some_and(|tenant| !tenant.is_empty()) => (
                    Level::Error,
                    "identityTenantId",
                    format!("identityTenantId of {object} is set without identityId; KEDA refuses it"),
                ),
                Some(_)
                    if authentication.authority_host.is_some_and(|host| !host.is_empty())
                        && authentication.tenant_id.is_none_or(str::is_empty) =>
                {
                    (
                        Level::Error,
                        "identityAuthorityHost",
                        format!("identityAuthorityHost of {object} is set without identityTenantId; KEDA refuses it"),
                    )
                }
                _ => continue,
            };
            report.add(object, format!("/spec/podIdentity/{path}"), message).level(level).fix(
                Fix::manual("use the client id of the managed identity")
                    .command("az identity show -g RESOURCE_GROUP -n NAME --query clientId -o tsv")
                    .command(command("edit", object)),
            );
        }
    }
}

rule! {
    /// ## What it does
    /// Finds a trigger whose `authenticationRef` names a `TriggerAuthentication` that is not in its namespace.
    ///
    /// ## Why it breaks
    /// A `TriggerAuthentication` counts in its own namespace only; one for all namespaces is a
    /// `ClusterTriggerAuthentication`, and has to be named with that kind.
    ///
    /// ## How it is known
    /// From the resources. Files tell only where one of that name is seen somewhere else or as the other kind.
    ///
    /// ## Fix
    /// Create the `TriggerAuthentication` in the namespace of the `ScaledObject`, or name the kind.
    ///
    /// ## Fix safety
    /// Nothing restarts.
    ///
    /// ## References
    /// - KEDA, "Authentication": re-use credentials
    KedaAuthenticationNotFound {
        code: "WI725",
        name: "keda-authentication-not-found",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for KedaAuthenticationNotFound {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(view) = View::led_by(chain) else { return };
        let all = View::of(chain.inventory());
        for scaled in &view.scaled {
            let object = &scaled.resource.meta.object;
            let namespace = scaled.resource.meta.namespace();
            for trigger in scaled.triggers.iter().filter(|trigger| trigger.is_azure()) {
                let Some((kind, name)) = trigger.authentication else { continue };
                if all.find(kind, namespace, name).is_some() {
                    continue;
                }
                let elsewhere = all.authentications.iter().find(|a| a.resource.meta.name() == name);
                let looked_for = (kind == "TriggerAuthentication").then_some(namespace);
                let absent = chain.inventory().other(kind, looked_for, name).is_absent();
                if elsewhere.is_none() && !absent {
                    continue;
                }
                let path = format!("/spec/triggers/{}/authenticationRef", trigger.at);
                let mut fix = Fix::manual(format!("create {kind} {name} where it is looked for"));
                let mut evidence = None;
                if let Some(other) = elsewhere {
                    let other = &other.resource.meta.object;
                    evidence = Some(format!("{other} exists"));
                    if other.kind == "ClusterTriggerAuthentication" {
                        fix = Fix::new(FixKind::Metadata, format!("name the kind {}", other.kind)).change(Change {
                            object: object.clone(),
                            patch: vec![Operation::Add { path: format!("{path}/kind"), value: json!(other.kind) }],
                        });
                    }
                }
                let place = looked_for.map(|ns| format!(" in namespace {ns}")).unwrap_or_default();
                report
                    .add(
                        object,
                        path,
                        format!(
                            "{object} names {kind} {name}, which is not there{place}; the trigger has no credential"
                        ),
                    )
                    .evidence_all(evidence)
                    .fix(fix.command(command("edit", object)));
            }
        }
    }
}

rule! {
    /// ## What it does
    /// Prints, for every identity that triggers name, the exact subject that its federated credential has to have.
    ///
    /// ## Why it breaks
    /// It is always the operator that asks Azure, with its own account. A credential for the workload's account, which
    /// the scaled application itself needs, does not help KEDA: `AADSTS70021 ... Assertion Subject:
    /// 'system:serviceaccount:keda:keda-operator'`.
    ///
    /// ## How it is known
    /// From the operator's account and the `identityId` of every authentication.
    ///
    /// ## Fix
    /// Create the credential on each of these identities.
    ///
    /// ## Fix safety
    /// Gives the operator access to what the identity may do.
    ///
    /// ## References
    /// - kedacore/keda issues 4219, 4597 and 5491; Azure/AKS issue 3616
    KedaSubject {
        code: "WI727",
        name: "keda-subject",
        level: Level::Info,
        link: Link::FederatedCredential,
        needs: &[Needs::Manifests, Needs::Live],
        reads: READS,
        fix: Some(FixKind::Manual),
    }
}

impl Rule for KedaSubject {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = chain.part("keda").filter(|part| part.component == super::OPERATOR && chain.is_meant()) else {
            return;
        };
        let identities = ids(chain, part);
        if identities.is_empty() {
            return;
        }
        let subject = chain.subject();
        let issuer = chain.cluster().issuer.known().cloned().unwrap_or_else(|| "ISSUER".to_owned());
        let mut fix = Fix::manual("create the credential on each of these identities");
        for _ in identities.iter().take(1) {
            fix = fix.command(format!(
                "az identity federated-credential create -g RESOURCE_GROUP --identity-name NAME -n keda-operator --issuer {issuer} --subject {subject} --audiences api://AzureADTokenExchange"
            ));
        }
        report
            .add(
                &part.workload.meta.object,
                "",
                format!("KEDA asks Azure as its operator; every identity needs a credential for {subject}"),
            )
            .evidence_all(identities.into_iter().map(|id| format!("identity {id}: subject {subject}")))
            .fix(fix);
    }
}

/// The distinct identities that authentications name.
fn ids(chain: &Chain<'_>, _part: &Part<'_>) -> Vec<String> {
    let mut ids: Vec<String> = View::of(chain.inventory())
        .authentications
        .iter()
        .filter(|a| a.provider == Provider::AzureWorkload)
        .filter_map(|a| a.identity_id.filter(|id| is_guid(id)).map(str::to_owned))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
