//! The proxy sidecar, which answers in place of the node's metadata endpoint.

use super::platform::is_windows;
use crate::chain::{Chain, annotation_path};
use crate::model::finding::{FixKind, Level, Link, Operation};
use crate::model::workload::Workload;
use crate::rules::edit::template_fix;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::injection::proxy_port_of;
use crate::webhook::keys;

rule! {
    /// ## What it does
    /// Finds a pod that asks for the proxy sidecar in a way that cannot work: on the node's network, with a bad port,
    /// in a namespace whose Pod Security level refuses it, on Windows, or with the value `false`, which still asks.
    ///
    /// ## Why it breaks
    /// The annotation `azure.workload.identity/inject-proxy-sidecar` counts by its presence: the value is never read.
    /// The proxy needs a privileged init container that redirects traffic to 169.254.169.254, which the Pod Security
    /// levels `baseline` and `restricted` refuse. On the node's network that would redirect the whole node, so the
    /// webhook refuses it from 1.2.0 on. A port that is no number is refused as well, one out of range makes the pod
    /// invalid.
    ///
    /// ## How it is known
    /// From the annotations of the pod template, its `hostNetwork`, and the labels of the namespace.
    ///
    /// ## Fix
    /// Take the annotation away: SDKs that know workload identity need no proxy. Where the application cannot be
    /// upgraded, run it in a namespace that allows privileged pods.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over. Without the proxy an application that asks the node's metadata
    /// endpoint gets the node's identity, or none.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issues 773, 1017 and 1050
    /// - Kubernetes, "Pod Security Standards"
    ProxySidecarMisused {
        code: "WI112",
        name: "proxy-sidecar-misused",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Namespace, Reads::Webhook],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for ProxySidecarMisused {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let Some(value) = workload.template.metadata.annotation(keys::INJECT_PROXY) else { return };
        if !chain.needs_injection() {
            return;
        }
        asked_for(chain, workload, value, report);
        host_network(chain, workload, report);
        port(chain, workload, report);
        pod_security(chain, workload, report);
        never_completes(chain, workload, report);
    }
}

fn without_proxy(chain: &Chain<'_>, workload: &Workload) -> crate::model::finding::Fix {
    let path = chain.template_path(&annotation_path(keys::INJECT_PROXY));
    template_fix(workload, "take the annotation away", vec![Operation::Remove { path }])
}

fn asked_for(chain: &Chain<'_>, workload: &Workload, value: &str, report: &mut Report<'_>) {
    let path = chain.template_path(&annotation_path(keys::INJECT_PROXY));
    let message = if workload.not_text.contains(&path) {
        (
            Level::Error,
            format!(
                "inject-proxy-sidecar is {value} without quotes, which is no text; the API server refuses the whole object"
            ),
        )
    } else if is_windows(&workload.template) {
        (Level::Error, "inject-proxy-sidecar is on a Windows pod; the proxy exists for Linux only".to_owned())
    } else if !value.eq_ignore_ascii_case("true") {
        (
            Level::Warning,
            format!(
                "inject-proxy-sidecar is {value:?}; its presence alone counts, so the proxy is injected all the same"
            ),
        )
    } else {
        return;
    };
    report.add(&workload.meta.object, path, message.1).level(message.0).fix(without_proxy(chain, workload));
}

fn host_network(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    if !workload.template.spec.host_network {
        return;
    }
    let follows = match chain.profile() {
        Some(profile) if !profile.refuses_host_network => {
            "the proxy then redirects the metadata traffic of the whole node"
        }
        _ => "the webhook refuses these pods",
    };
    report
        .add(
            &workload.meta.object,
            chain.template_path("/spec/hostNetwork"),
            format!("the pods ask for the proxy sidecar on the node's network; {follows}"),
        )
        .fix(without_proxy(chain, workload));
}

fn port(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    let Some(text) = workload.template.metadata.annotation(keys::PROXY_PORT) else { return };
    let path = chain.template_path(&annotation_path(keys::PROXY_PORT));
    let message = if workload.not_text.contains(&path) {
        format!(
            "proxy-sidecar-port is {text} without quotes, which is no text; the API server refuses the whole object"
        )
    } else {
        match proxy_port_of(text) {
            Ok(port) if (1..=65535).contains(&port) => return,
            Ok(_) => format!("proxy-sidecar-port is {text:?}, which is no port; the API server refuses these pods"),
            Err(denial) => {
                format!("proxy-sidecar-port is {text:?}, which is no number; the webhook refuses these pods: {denial}")
            }
        }
    };
    let patch = vec![Operation::Replace { path: path.clone(), value: keys::DEFAULT_PROXY_PORT.to_string().into() }];
    report.add(&workload.meta.object, path, message).fix(template_fix(
        workload,
        format!("use port {}", keys::DEFAULT_PROXY_PORT),
        patch,
    ));
}

fn pod_security(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
    let namespace = chain.namespace_object();
    let level = namespace.known().and_then(|namespace| namespace.meta.label(ENFORCE));
    let Some(level) = level.filter(|level| matches!(*level, "baseline" | "restricted")) else { return };
    report
        .add(
            &workload.meta.object,
            chain.template_path("/metadata/annotations"),
            format!(
                "the pods ask for the proxy sidecar in a namespace with Pod Security level {level}; its init container \
                 is privileged, so the pods are refused"
            ),
        )
        .evidence(format!("namespace {} carries {ENFORCE}: {level}", chain.namespace()))
        .fix(without_proxy(chain, workload));
}

/// Before native sidecars the proxy runs on when the Job's own containers are done.
fn never_completes(chain: &Chain<'_>, workload: &Workload, report: &mut Report<'_>) {
    let is_job = matches!(workload.meta.object.kind.as_str(), "Job" | "CronJob");
    let Some(webhook) = chain.webhook().known().copied().filter(|_| is_job && chain.profile().is_some()) else {
        return;
    };
    if webhook.settings.native_sidecars() {
        return;
    }
    report
        .add(
            &workload.meta.object,
            chain.template_path("/metadata"),
            "the proxy sidecar runs on when the Job's own containers are done; the Job never completes",
        )
        .level(Level::Warning)
        .evidence("native sidecars need webhook 1.5.0 and Kubernetes 1.32")
        .fix(without_proxy(chain, workload));
}
