//! The token for the Kubernetes API, which identity does not need.

use crate::chain::Chain;
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::model::inventory::RawObject;
use crate::model::workload::Workload;
use crate::rules::edit::{and, patch_command, template_fix};
use crate::rules::{Needs, Reads, Report, Rule, rule};
use serde_json::{Value, json};

rule! {
    /// ## What it does
    /// Tells that `automountServiceAccountToken` is false, and what that does not break.
    ///
    /// ## Why it breaks
    /// Identity does not depend on it: the webhook projects a token of its own, whatever this field says (no release
    /// has ever read it). What goes missing is the token for the Kubernetes API under
    /// `/var/run/secrets/kubernetes.io/serviceaccount`, so an application that calls the Kubernetes API fails. Advice
    /// to set it to true for the sake of Azure is wrong.
    ///
    /// ## How it is known
    /// From the pod template, and where that says nothing from the account: the pod's field wins. It is a warning where
    /// a role is bound to the account, which nobody does for an application that never calls the Kubernetes API.
    ///
    /// ## Fix
    /// None is needed for identity. Where the application calls the Kubernetes API, set the field to true at the level
    /// that decides: the pod before the account.
    ///
    /// ## Fix safety
    /// The pods then hold a token with all that is bound to their account. On the account nothing restarts; pods take
    /// it up when they are created.
    ///
    /// ## References
    /// - Kubernetes, "Opt out of API credential automounting"
    /// - Azure/azure-workload-identity: the field is read nowhere in `pkg/`
    AutomountDisabled {
        code: "WI106",
        name: "automount-disabled",
        level: Level::Info,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for AutomountDisabled {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.is_meant() || mounts_api_token(workload) {
            return;
        }
        let bound = bindings(chain);
        let names: Vec<&str> = bound.iter().map(String::as_str).collect();
        let (level, follows) = if bound.is_empty() {
            (Level::Info, "identity does not need it: only calls to the Kubernetes API would fail")
        } else {
            (
                Level::Warning,
                "identity does not need it, but the account is bound to roles of the Kubernetes API, whose \
                              calls fail without a token",
            )
        };
        let evidence = (!bound.is_empty())
            .then(|| format!("service account {} is bound to {}", chain.account_name(), and(&names)));
        let field = "automountServiceAccountToken";
        match workload.template.spec.automount_service_account_token {
            Some(true) => {}
            Some(false) => {
                let path = chain.template_path("/spec/automountServiceAccountToken");
                let patch = vec![Operation::Replace { path: path.clone(), value: json!(true) }];
                let summary = "set it to true where the application calls the Kubernetes API";
                report
                    .add(&workload.meta.object, path, format!("{field} is false; {follows}"))
                    .level(level)
                    .evidence_all(evidence)
                    .fix(template_fix(workload, summary, patch));
            }
            None => {
                let Some(account) = chain.account().known().copied().filter(|a| a.automount == Some(false)) else {
                    return;
                };
                let object = &account.meta.object;
                let path = format!("/{field}");
                let patch = vec![Operation::Replace { path: path.clone(), value: json!(true) }];
                let change = Change { object: object.clone(), patch };
                let message = format!("{field} is false on service account {}; {follows}", object.path());
                let summary = "set it to true where the application calls the Kubernetes API, then restart";
                let fix = Fix::new(FixKind::Metadata, summary).command(patch_command(&change)).change(change);
                report
                    .add(object, path, message)
                    .level(level)
                    .link(Link::ServiceAccount)
                    .evidence_all(evidence)
                    .fix(crate::rules::edit::then_restart(fix, chain));
            }
        }
    }
}

/// Whether the pod projects a token for the Kubernetes API itself, as some charts do.
fn mounts_api_token(workload: &Workload) -> bool {
    let spec = &workload.template.spec;
    let for_api = spec.volumes.iter().filter(|volume| {
        let sources = volume.projected.iter().flat_map(|projected| &projected.sources);
        sources
            .filter_map(|source| source.service_account_token.as_ref())
            .any(|token| token.audience.as_deref().unwrap_or_default().is_empty())
    });
    let names: Vec<&str> = for_api.map(|volume| volume.name.as_str()).collect();
    spec.all_containers()
        .any(|(_, _, container)| container.volume_mounts.iter().any(|mount| names.contains(&mount.name.as_str())))
}

/// The roles that are bound to the account, as far as bindings were read.
fn bindings(chain: &Chain<'_>) -> Vec<String> {
    let names_account = |binding: &&RawObject| {
        let subjects = binding.value.get("subjects").and_then(Value::as_array);
        subjects.into_iter().flatten().any(|subject| {
            let text = |key: &str| subject.get(key).and_then(Value::as_str).unwrap_or_default();
            let namespace = Some(text("namespace")).filter(|ns| !ns.is_empty()).unwrap_or(binding.meta.namespace());
            text("kind") == "ServiceAccount" && text("name") == chain.account_name() && namespace == chain.namespace()
        })
    };
    let inventory = chain.inventory();
    let all = inventory.others_of("RoleBinding").chain(inventory.others_of("ClusterRoleBinding"));
    all.filter(names_account)
        .filter_map(|binding| {
            let role = binding.value.get("roleRef")?;
            Some(format!("{} {}", role.get("kind")?.as_str()?, role.get("name")?.as_str()?))
        })
        .collect()
}
