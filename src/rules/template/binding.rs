//! Identity bindings of AKS: tokens for another audience, exchanged by a proxy within the cluster.

use crate::chain::environment::Setting;
use crate::chain::{Chain, annotation_path};
use crate::model::finding::{Fix, FixKind, Level, Link, Operation};
use crate::model::inventory::RawObject;
use crate::model::workload::Workload;
use crate::rules::edit::template_fix;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::{Value, json};

/// The annotation on AKS.
const ON_AKS: &str = "azure.workload.identity/use-identity-binding";
/// The API group of the permission to use an identity.
const GROUP: &str = "cid.wi.aks.azure.com";
/// The verb of that permission.
const VERB: &str = "use-managed-identity";
/// The audience of such a token on AKS.
const AUDIENCE: &str = "api://AKSIdentityBinding";

rule! {
    /// ## What it does
    /// Finds a pod that asks for AKS' identity bindings (`azure.workload.identity/use-identity-binding`) in a cluster,
    /// or with settings, where that cannot work.
    ///
    /// ## Why it breaks
    /// In this mode the token is made for `api://AKSIdentityBinding` and exchanged by a proxy in the cluster, which asks
    /// Kubernetes whether the account may use the identity: verb `use-managed-identity` on the client id in the API
    /// group `cid.wi.aks.azure.com`. Sent to Entra directly such a token gives `AADSTS700212`. The account needs the
    /// client id and the tenant id. An older webhook, or one without these settings, ignores the annotation.
    ///
    /// ## How it is known
    /// From the annotation, the webhook's version and settings, the account, the variables, and the ClusterRoles and
    /// their bindings where all of them were read. Whether the SDK's credential was told to use the proxy stands in
    /// the application's code and is not seen.
    ///
    /// ## Fix
    /// Grant the permission, complete the account, or take the annotation away and use a federated identity credential
    /// of the pod's own.
    ///
    /// ## Fix safety
    /// Granting the permission lets every pod of that account use the identity. Changing the template rolls the pods
    /// over.
    ///
    /// ## References
    /// - Microsoft Learn, "Identity bindings in AKS (preview)"
    /// - Azure/azure-workload-identity 1.6.0, custom token endpoint
    IdentityBindingMode {
        code: "WI115",
        name: "identity-binding-mode",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Webhook, Reads::Objects],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for IdentityBindingMode {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.is_meant() {
            return;
        }
        let annotation = annotation(chain);
        match workload.template.metadata.annotation(&annotation) {
            Some(value) if !value.eq_ignore_ascii_case("true") => {
                if !crate::chain::meant::declines(value) {
                    wrong_value(chain, workload, &annotation, value, report);
                }
            }
            Some(_) => {
                if supported(chain, workload, &annotation, report) {
                    account(chain, report);
                    permission(chain, workload, report);
                    variables(chain, workload, report);
                }
            }
            None => own_token_without_proxy(chain, workload, report),
        }
    }
}

/// The annotation that the installed webhook reads, AKS' where nothing tells.
fn annotation(chain: &Chain<'_>) -> String {
    let endpoint = chain.webhook().known().and_then(|webhook| webhook.settings.custom_endpoint.as_ref());
    endpoint.map_or_else(|| ON_AKS.to_owned(), crate::webhook::CustomTokenEndpoint::annotation)
}

fn wrong_value(chain: &Chain<'_>, workload: &Workload, annotation: &str, value: &str, report: &mut Report<'_>) {
    let path = chain.template_path(&annotation_path(annotation));
    let patch = vec![Operation::Replace { path: path.clone(), value: json!("true") }];
    report
        .add(
            &workload.meta.object,
            path,
            format!("{annotation} is {value:?} and not \"true\"; the webhook projects an ordinary token"),
        )
        .level(Level::Warning)
        .fix(template_fix(workload, "set it to \"true\", or take it away", patch));
}

/// Whether the installed webhook knows the mode, as far as that is seen.
fn supported(chain: &Chain<'_>, workload: &Workload, annotation: &str, report: &mut Report<'_>) -> bool {
    let webhook = chain.webhook().known().copied();
    let (Some(webhook), Some(profile)) = (webhook, chain.profile()) else { return true };
    let why = if !profile.custom_endpoint {
        format!("webhook {} does not know it (from 1.6.0 on)", webhook.settings.version())
    } else if webhook.settings_seen && webhook.settings.custom_endpoint.is_none() {
        "the installed webhook is not set up for it".to_owned()
    } else {
        return true;
    };
    let path = chain.template_path(&annotation_path(annotation));
    let patch = vec![Operation::Remove { path: path.clone() }];
    report
        .add(
            &workload.meta.object,
            path,
            format!("the pods ask for an identity binding, and {why}; they get an ordinary token, for which Entra wants a federated credential"),
        )
        .level(Level::Warning)
        .fix(template_fix(workload, "take the annotation away, or enable identity bindings on the cluster", patch));
    false
}

fn account(chain: &Chain<'_>, report: &mut Report<'_>) {
    let Some(account) = chain.account().known().copied() else { return };
    if account.meta.annotation(keys::TENANT_ID).is_some() {
        return;
    }
    let object = &account.meta.object;
    report
        .add(
            object,
            "/metadata/annotations",
            format!(
                "service account {} has no {} annotation; identity bindings want the tenant beside the client id",
                object.path(),
                keys::TENANT_ID
            ),
        )
        .level(Level::Warning)
        .link(Link::ServiceAccount)
        .fix(Fix::manual("annotate the account with the tenant id").command(format!(
            "kubectl annotate {} {}=TENANT_ID",
            crate::rules::edit::arguments(object),
            keys::TENANT_ID
        )));
}

/// Whether a `ClusterRole`, bound to the account, lets it use the client id.
fn permission(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    let Some(account) = chain.account().known().copied() else { return };
    let Some(client_id) = account.meta.annotation(keys::CLIENT_ID).filter(|id| !id.is_empty()) else { return };
    let inventory = chain.inventory();
    // A role that is not among the objects may still be there.
    let complete = |kind: &str| inventory.coverage(kind, None).known().is_some();
    if !complete("ClusterRole") || !complete("ClusterRoleBinding") {
        return;
    }
    let grants: Vec<&RawObject> = inventory.others_of("ClusterRole").filter(|role| grants(role).is_some()).collect();
    let bound: Vec<&RawObject> = grants.into_iter().filter(|role| is_bound(chain, role.meta.name())).collect();
    let allowed =
        bound.iter().filter_map(grants_of).flatten().any(|id| id == "*" || id.eq_ignore_ascii_case(client_id));
    if allowed {
        return;
    }
    let (name, namespace) = (account.meta.name(), account.meta.namespace());
    let others: Vec<String> = bound
        .iter()
        .flat_map(|role| {
            grants_of(role).into_iter().flatten().map(|id| format!("ClusterRole {} allows {id}", role.meta.name()))
        })
        .collect();
    report
        .add(
            &workload.meta.object,
            chain.template_path(&annotation_path(ON_AKS)),
            format!(
                "no ClusterRole lets service account {namespace}/{name} use the identity {client_id}; the identity \
                 binding refuses its tokens"
            ),
        )
        .evidence_all(others)
        .fix(
            Fix::manual("grant the account the use of the identity")
                .command(format!("kubectl create clusterrole use-{name} --verb={VERB} --resource={client_id}.{GROUP}"))
                .command(format!(
                    "kubectl create clusterrolebinding use-{name} --clusterrole=use-{name} --serviceaccount={namespace}:{name}"
                )),
        );
}

/// The client ids that a `ClusterRole` allows to use.
fn grants(role: &RawObject) -> Option<Vec<&str>> {
    let texts = |rule: &'_ Value, key: &str| -> Vec<String> {
        let list = rule.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let rules = role.value.get("rules").and_then(Value::as_array)?;
    let fitting = rules.iter().filter(|rule| {
        let has = |key: &str, wanted: &str| texts(rule, key).iter().any(|text| text == wanted || text == "*");
        has("apiGroups", GROUP) && has("verbs", VERB)
    });
    let ids: Vec<&str> = fitting
        .filter_map(|rule| rule.get("resources").and_then(Value::as_array))
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    (!ids.is_empty()).then_some(ids)
}

fn grants_of<'a>(role: &&'a RawObject) -> Option<Vec<&'a str>> {
    grants(role)
}

fn is_bound(chain: &Chain<'_>, role: &str) -> bool {
    let bindings = chain.inventory().others_of("ClusterRoleBinding").chain(chain.inventory().others_of("RoleBinding"));
    bindings.filter(|binding| binding.value.pointer("/roleRef/name").and_then(Value::as_str) == Some(role)).any(
        |binding| {
            let subjects = binding.value.get("subjects").and_then(Value::as_array);
            subjects.into_iter().flatten().any(|subject| {
                let text = |key: &str| subject.get(key).and_then(Value::as_str).unwrap_or_default();
                match text("kind") {
                    "ServiceAccount" => text("name") == chain.account_name() && text("namespace") == chain.namespace(),
                    "Group" => {
                        text("name") == "system:serviceaccounts"
                            || text("name") == format!("system:serviceaccounts:{}", chain.namespace())
                    }
                    _ => false,
                }
            })
        },
    )
}

/// What a container sets itself is left alone by the webhook.
fn variables(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    if workload.is_from_pod() {
        return;
    }
    for (list, index, container) in workload.template.spec.all_containers() {
        for name in [keys::ENV_TOKEN_PROXY, keys::ENV_SNI_NAME, keys::ENV_CA_FILE, keys::ENV_CA_DATA] {
            let Setting::Known(value) = chain.explicit(container, name) else { continue };
            let path = chain.container_path(list, index, &value.place.path);
            let patch = vec![Operation::Remove { path: path.clone() }];
            report
                .add(
                    &workload.meta.object,
                    path,
                    format!(
                        "container {} sets {name} itself; the webhook leaves it alone, and the SDK may miss the proxy",
                        container.name
                    ),
                )
                .level(if value.is_empty() && name == keys::ENV_TOKEN_PROXY { Level::Error } else { Level::Warning })
                .fix(template_fix(workload, format!("let the webhook set {name}"), patch));
        }
    }
}

/// A token for the binding that a person projects, in a pod that nobody tells of the proxy.
fn own_token_without_proxy(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    let spec = &workload.template.spec;
    if workload.is_from_pod()
        || spec.all_containers().any(|(_, _, c)| chain.setting(c, keys::ENV_TOKEN_PROXY).may_be_set())
    {
        return;
    }
    for (at, volume) in spec.volumes.iter().enumerate() {
        let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().enumerate());
        for (source, projection) in sources {
            let token = projection.service_account_token.as_ref();
            if token.and_then(|token| token.audience.as_deref()) != Some(AUDIENCE) {
                continue;
            }
            let path = format!("/spec/volumes/{at}/projected/sources/{source}/serviceAccountToken/audience");
            report
                .add(
                    &workload.meta.object,
                    chain.template_path(&path),
                    format!(
                        "the token in volume {} is for {AUDIENCE}, and nothing tells the SDK of the proxy; Entra itself \
                         refuses it (AADSTS700212)",
                        volume.name
                    ),
                )
                .fix(Fix::manual(format!("annotate the pod template with {ON_AKS}: \"true\" and remove the volume")));
        }
    }
}
