//! Who may read a token file, computed from the pod as the kubelet computes it.
//!
//! The kubelet makes the file 0600 for the one user that all containers share, 0640 for the pod's group, and leaves it
//! at `defaultMode`, owned by root, where there is neither (pkg/volume/projected of Kubernetes, since 1.19).

use crate::chain::Chain;
use crate::chain::meant::is_azure_audience;
use crate::model::finding::Confidence;
use crate::model::pod::{Container, PodSpec, SecurityContext};
use crate::rules::Report;
use crate::rules::edit::{set_field, template_fix};

/// Finds containers whose user may not read the token that the pod projects itself.
pub(super) fn computed(chain: &Chain<'_>, report: &mut Report<'_>) {
    let Some(workload) = chain.workload().filter(|_| chain.is_meant()) else { return };
    let spec = &workload.template.spec;
    if group(spec).is_some() || shared_user(spec).is_some() {
        return;
    }
    for volume in &spec.volumes {
        let Some(projected) = &volume.projected else { continue };
        let mut tokens = projected.sources.iter().filter_map(|source| source.service_account_token.as_ref());
        let mode = projected.default_mode.unwrap_or(0o644);
        if mode & 0o004 != 0 || !tokens.any(|token| token.audience.as_deref().is_some_and(is_azure_audience)) {
            continue;
        }
        for (list, at, container) in spec.all_containers() {
            if !container.volume_mounts.iter().any(|mount| mount.name == volume.name) {
                continue;
            }
            let Some(user) = other_than_root(spec, container, mode) else { continue };
            report
                .add(
                    &workload.meta.object,
                    chain.container_path(list, at, ""),
                    format!(
                        "container {} runs as {user} and may not read its token: volume {} is 0{mode:o} and owned by \
                         root",
                        container.name, volume.name
                    ),
                )
                .confidence(Confidence::Inferred)
                .evidence(
                    "no fsGroup, and no runAsUser that all containers share, by which the kubelet would hand it over",
                )
                .fix(template_fix(
                    workload,
                    "set fsGroup in the pod's security context",
                    vec![set_field(
                        spec.security_context.is_some(),
                        &chain.template_path("/spec/securityContext"),
                        "fsGroup",
                        65532,
                    )],
                ));
        }
    }
}

fn context(spec: &PodSpec) -> Option<&SecurityContext> {
    spec.security_context.as_ref()
}

fn group(spec: &PodSpec) -> Option<i64> {
    context(spec)?.fs_group
}

fn user(spec: &PodSpec, container: &Container) -> Option<i64> {
    let own = container.security_context.as_ref().and_then(|own| own.run_as_user);
    own.or_else(|| context(spec)?.run_as_user)
}

/// The user that all containers name, to whom the kubelet gives the file.
fn shared_user(spec: &PodSpec) -> Option<i64> {
    let mut users = spec.all_containers().map(|(_, _, container)| user(spec, container));
    let first = users.next()??;
    users.all(|other| other == Some(first)).then_some(first)
}

/// Who the container runs as, where that is known to be neither root nor of root's group that the mode lets in.
fn other_than_root(spec: &PodSpec, container: &Container, mode: i32) -> Option<String> {
    let own = container.security_context.as_ref();
    let run_as_group = own.and_then(|own| own.run_as_group).or_else(|| context(spec)?.run_as_group);
    if mode & 0o040 != 0 && run_as_group.unwrap_or_default() == 0 {
        return None;
    }
    let not_root = own.and_then(|own| own.run_as_non_root).or_else(|| context(spec)?.run_as_non_root);
    match user(spec, container) {
        Some(0) => None,
        Some(user) => Some(format!("user {user}")),
        None if not_root == Some(true) => Some("another user than root".to_owned()),
        None => None,
    }
}
