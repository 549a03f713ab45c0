//! What is wrong with a store.

use super::store::{AT, Auth, Store};
use super::{CONTROLLER, ExternalSecrets, stores};
use crate::apps::message::classify;
use crate::apps::{Application, Part, custom};
use crate::chain::Chain;
use crate::model::fact::Fact;
use crate::model::finding::{Ask, Change, Fix, FixKind, Level, Link, Operation};
use crate::model::object::ObjectRef;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::json;

rule! {
    /// ## What it does
    /// Finds a `SecretStore` or `ClusterSecretStore` of Azure Key Vault whose fields contradict workload identity, or
    /// that is not ready because of identity.
    ///
    /// ## Why it breaks
    /// There are two ways. With `serviceAccountRef` the controller asks the API server for a token of that account: no
    /// label and no webhook are needed, and the account must carry the client id. Without it the controller's own pod
    /// must be mutated. `authType` has to be `WorkloadIdentity` in both; left out it means a service principal.
    /// `identityId` belongs to `ManagedIdentity` alone. A client or tenant id that stands both on the account and in
    /// `authSecretRef` is refused (`multiple clientID found`).
    ///
    /// ## How it is known
    /// From the store and the account that it names; from the store's condition `Ready`, and from events, because
    /// `unable to create client` says nothing by itself. A store that is not ready is a consequence wherever another
    /// finding explains it.
    ///
    /// ## Fix
    /// As the finding says.
    ///
    /// ## Fix safety
    /// Nothing restarts; the controller reads the store anew.
    ///
    /// ## References
    /// - external-secrets, "Azure Key Vault"; issues 2235, 2436, 2460 and 2783
    ExternalSecretsStore {
        code: "WI770",
        name: "external-secrets-store",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Accounts, Reads::Objects, Reads::Pods],
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for ExternalSecretsStore {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() {
            return;
        }
        if let Some(resource) = chain.resource_of(ExternalSecrets.name()) {
            if let Some(store) = Store::read(resource) {
                judge(chain, None, &store, report);
            }
            return;
        }
        let Some(part) = chain.part(ExternalSecrets.name()).filter(|part| part.component == CONTROLLER) else { return };
        for store in stores(chain.inventory()) {
            // Those with an account of their own stand for themselves.
            if store.account.is_none() {
                judge(chain, Some(part), &store, report);
            }
        }
    }
}

fn judge(chain: &Chain<'_>, controller: Option<&Part<'_>>, store: &Store<'_>, report: &mut Report<'_>) {
    let object = &store.resource.meta.object;
    wrong_type(chain, controller, store, report);
    if store.auth != Auth::WorkloadIdentity {
        return;
    }
    let edit = || edit(object);
    if store.identity_id.is_some() {
        report
            .add(
                object,
                format!("{AT}/identityId"),
                format!("{object} sets identityId, which only counts with ManagedIdentity; it is not used"),
            )
            .level(Level::Warning)
            .fix(Fix::new(FixKind::Metadata, "remove identityId").command(edit()).change(Change {
                object: object.clone(),
                patch: vec![Operation::Remove { path: format!("{AT}/identityId") }],
            }));
    }
    if store.custom_cloud && !store.azure_sdk {
        report
            .add(
                object,
                format!("{AT}/customCloudConfig"),
                format!("{object} sets customCloudConfig without useAzureSDK; it is refused"),
            )
            .fix(Fix::manual("set useAzureSDK: true (external-secrets 0.20.0 or later)").command(edit()));
    }
    if let (Some(namespace), Some(own)) = (store.account_namespace, &object.namespace)
        && namespace != own
    {
        report
            .add(
                object,
                format!("{AT}/serviceAccountRef/namespace"),
                format!("{object} names an account of namespace {namespace}; only a ClusterSecretStore can, this one looks in {own}"),
            )
            .fix(Fix::manual(format!("use an account of {own}, or a ClusterSecretStore")).command(edit()));
    }
    account_rules(chain, store, report);
    not_ready(chain, store, report);
}

/// Fields of workload identity with another type.
fn wrong_type(chain: &Chain<'_>, controller: Option<&Part<'_>>, store: &Store<'_>, report: &mut Report<'_>) {
    let object = &store.resource.meta.object;
    let named = store.account.as_ref().map(|(_, name)| format!("it names service account {name}"));
    let labelled = controller.is_some() && chain.is_labelled();
    let says = match store.auth {
        Auth::WorkloadIdentity => return,
        Auth::ServicePrincipal if store.says_auth => "authType is ServicePrincipal".to_owned(),
        Auth::ServicePrincipal => "authType is left out, which means ServicePrincipal".to_owned(),
        Auth::ManagedIdentity => "authType is ManagedIdentity, the node's".to_owned(),
        Auth::Unknown => {
            format!("authType is {:?}", custom::text(store.resource, &format!("{AT}/authType")).unwrap_or_default())
        }
    };
    // A service principal with its secret, or the node's identity without a labelled controller, is a choice.
    let chosen = match store.auth {
        Auth::ServicePrincipal => store.secret_client_secret.is_some() && named.is_none(),
        Auth::ManagedIdentity => named.is_none() && !(labelled && asked_node(chain, store)),
        _ => false,
    };
    if chosen {
        return;
    }
    let path = format!("{AT}/authType");
    let operation = Operation::Add { path: path.clone(), value: json!("WorkloadIdentity") };
    let path = if store.says_auth { path } else { AT.to_owned() };
    report
        .add(object, path, format!("{says} in {object}; workload identity is not used"))
        .evidence_all(named)
        .evidence_all(said(chain, store))
        .fix(
            Fix::new(FixKind::Metadata, "set authType: WorkloadIdentity")
                .command(edit(object))
                .change(Change { object: object.clone(), patch: vec![operation] }),
        );
}

/// Whether its status says that the node's endpoint was asked in vain.
fn asked_node(chain: &Chain<'_>, store: &Store<'_>) -> bool {
    said(chain, store).is_some_and(|text| classify(&text).is_some_and(|meaning| meaning.class.is_about_identity()))
}

/// The account that a store names.
fn account_rules(chain: &Chain<'_>, store: &Store<'_>, report: &mut Report<'_>) {
    let object = &store.resource.meta.object;
    let Some((Some(namespace), name)) = &store.account else { return };
    let inventory = chain.inventory();
    let account = ObjectRef::service_account(namespace, name);
    let path = format!("{AT}/serviceAccountRef/name");
    match inventory.account(namespace, name) {
        Fact::Absent if name != "default" => {
            report
                .add(object, path, format!("{object} names service account {namespace}/{name}, which does not exist; no token can be asked for"))
                .fix(
                    Fix::new(FixKind::Metadata, format!("create service account {name} with the client id"))
                        .command(format!("kubectl create serviceaccount {name} -n {namespace}"))
                        .command(format!("kubectl annotate sa/{name} -n {namespace} {}=CLIENT_ID", keys::CLIENT_ID))
                        .ask(Ask::ClientId(account)),
                );
        }
        Fact::Known(found) => {
            let id = found.meta.annotation(keys::CLIENT_ID).filter(|id| !id.is_empty());
            let tenant = found.meta.annotation(keys::TENANT_ID).filter(|id| !id.is_empty());
            if id.is_none() && store.secret_client_id.is_none() {
                report
                    .add(&account, "/metadata/annotations", format!("{object} asks for a token of service account {namespace}/{name}, which has no {} annotation; external-secrets knows no client id", keys::CLIENT_ID))
                    .link(Link::ServiceAccount)
                    .fix(
                        Fix::new(FixKind::Metadata, format!("annotate service account {name} with the client id"))
                            .command(format!("kubectl annotate sa/{name} -n {namespace} {}=CLIENT_ID", keys::CLIENT_ID))
                            .ask(Ask::ClientId(account.clone())),
                    );
            }
            for (twice, what) in [
                (id.is_some() && store.secret_client_id.is_some(), "clientId"),
                (tenant.is_some() && store.secret_tenant_id.is_some(), "tenantId"),
            ] {
                if twice {
                    report
                        .add(object, format!("{AT}/authSecretRef/{what}"), format!("{what} stands both in authSecretRef of {object} and on service account {name}; it is refused as given twice"))
                        .fix(Fix::new(FixKind::Metadata, format!("remove authSecretRef.{what}")).command(edit(object)).change(Change {
                            object: object.clone(),
                            patch: vec![Operation::Remove { path: format!("{AT}/authSecretRef/{what}") }],
                        }));
                }
            }
            if store.tenant_id.is_none() && tenant.is_none() && store.secret_tenant_id.is_none() {
                report
                    .add(object, AT, format!("{object} gives no tenantId and neither does service account {name}; only the controller's own AZURE_TENANT_ID can stand in"))
                    .level(if store.azure_sdk { Level::Error } else { Level::Warning })
                    .fix(Fix::manual("set tenantId in the store").command(edit(object)));
            }
            if let (Some(own), Some(other)) = (&store.tenant_id, tenant)
                && !own.eq_ignore_ascii_case(other)
            {
                report
                    .add(object, format!("{AT}/tenantId"), format!("tenantId of {object} is {own}, and service account {name} says {other}; only one can be right"))
                    .level(Level::Warning)
                    .fix(Fix::manual("keep one tenant").command(edit(object)));
            }
        }
        _ => {}
    }
}

/// What its condition or events say.
fn said(chain: &Chain<'_>, store: &Store<'_>) -> Option<String> {
    let (status, reason, message) = custom::condition(store.resource, "Ready")?;
    if status != "False" {
        return None;
    }
    let mut texts = vec![format!("{reason}: {message}")];
    texts.extend(custom::events(chain.inventory(), &store.resource.meta.object));
    // `unable to create client` and `InvalidProviderConfig` are only the envelope; the cause is in an event.
    let telling = |text: &&String| {
        let bare = text.replace("InvalidProviderConfig", "");
        classify(&bare).is_some_and(|meaning| meaning.class.is_about_identity())
    };
    Some(texts.iter().find(telling).unwrap_or(&texts[0]).clone())
}

fn not_ready(chain: &Chain<'_>, store: &Store<'_>, report: &mut Report<'_>) {
    let object = &store.resource.meta.object;
    let Some(text) = said(chain, store) else { return };
    let bare = text.replace("InvalidProviderConfig", "");
    let Some(meaning) = classify(&bare) else { return };
    let known = meaning.class.is_about_identity();
    let envelope = bare.contains("unable to create client");
    let then =
        if known || !envelope { meaning.says } else { "the condition does not say why; the event and the log do" };
    report
        .add(object, "/status/conditions", format!("{object} is not ready; {then}"))
        .level(if known || envelope { Level::Error } else { Level::Warning })
        .evidence(custom::shown(&text))
        .points_to_all(if known { meaning.points_to } else { &[] })
        .consequence()
        .fix(
            Fix::manual("mend the cause, then look again")
                .command(describe(object))
                .command("kubectl logs -n external-secrets deploy/external-secrets --tail=200"),
        );
}

fn edit(object: &ObjectRef) -> String {
    words("edit", object)
}

fn describe(object: &ObjectRef) -> String {
    words("describe", object)
}

fn words(verb: &str, object: &ObjectRef) -> String {
    let namespace = object.namespace.as_deref().map(|ns| format!(" -n {ns}")).unwrap_or_default();
    format!("kubectl {verb} {}/{}{namespace}", object.kind.to_lowercase(), object.name)
}
