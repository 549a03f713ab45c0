//! Where a pod runs, and whether tokens can be projected there.

use crate::chain::Chain;
use crate::model::finding::{Fix, FixKind, Level, Link, Operation};
use crate::model::pod::{PodTemplate, SecurityContext};
use crate::model::workload::Workload;
use crate::rules::edit::template_fix;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use serde_json::json;

rule! {
    /// ## What it does
    /// Finds a static pod that is meant for workload identity: one that a node runs from a file of its own, and that
    /// the API server only mirrors.
    ///
    /// ## Why it breaks
    /// A mirror pod may not refer to a service account or project its token: the ServiceAccount admission refuses it,
    /// and the kubelet has run the pod long before the webhook sees its mirror.
    ///
    /// ## How it is known
    /// From the annotation `kubernetes.io/config.mirror` of the pod.
    ///
    /// ## Fix
    /// Run it as a Deployment or DaemonSet.
    ///
    /// ## Fix safety
    /// Nothing is applied. A DaemonSet with a node selector runs on the same nodes; the file on the node has to go
    /// first.
    ///
    /// ## References
    /// - Kubernetes, "Create static Pods"; `plugin/pkg/admission/serviceaccount/admission.go`
    StaticPod {
        code: "WI116",
        name: "static-pod",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for StaticPod {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        let of = &workload.meta;
        let from_file = matches!(of.annotation("kubernetes.io/config.source"), Some("file" | "http"));
        let mirror = of.annotation("kubernetes.io/config.mirror").is_some();
        if !workload.is_pod() || !(mirror || from_file) || !chain.is_meant() {
            return;
        }
        let node = workload.template.spec.node_name.as_deref().unwrap_or("a node");
        report
            .add(
                &of.object,
                "/metadata/annotations",
                format!(
                    "pod {} is a static pod of {node}; such a pod cannot have a projected account token",
                    of.object.path()
                ),
            )
            .fix(Fix::manual("run it as a Deployment or DaemonSet, and take its file off the node"));
    }
}

rule! {
    /// ## What it does
    /// Finds a Windows pod without `spec.os`, or with `runAsUser`, that should get a token.
    ///
    /// ## Why it breaks
    /// The kubelet gives the token file to the user that `runAsUser` names. Windows knows no such users: `MountVolume.
    /// SetUp failed ... not supported by windows`, and the pod stays in ContainerCreating. Defaults that other
    /// controllers put into pods (Pod Security, Gatekeeper, meshes) leave a pod alone when `spec.os` says windows.
    ///
    /// ## How it is known
    /// From `spec.os`, the node selector and the images of the pod template, and from events. Without `runAsUser` it
    /// works, and the missing `spec.os` is a warning.
    ///
    /// ## Fix
    /// Set `spec.os.name: windows` and remove `runAsUser`; `securityContext.windowsOptions.runAsUserName` is the
    /// Windows way.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over.
    ///
    /// ## References
    /// - Azure/azure-workload-identity issue 1016
    /// - Kubernetes, "Windows containers in Kubernetes", `spec.os`
    WindowsOsMissing {
        code: "WI118",
        name: "windows-os-missing",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Restart),
    }
}

impl Rule for WindowsOsMissing {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.is_meant() || !super::takes_token(chain) || !is_windows(&workload.template) {
            return;
        }
        let spec = &workload.template.spec;
        let os = spec.os.as_ref().is_some_and(|os| os.name == "windows");
        let users = run_as_user(chain, workload);
        let event = failed_event(chain, workload);
        if os && users.is_empty() && event.is_none() {
            return;
        }
        let mut patch = Vec::new();
        if !os {
            patch.push(Operation::Add { path: chain.template_path("/spec/os"), value: json!({"name": "windows"}) });
        }
        patch.extend(users.iter().map(|path| Operation::Remove { path: path.clone() }));
        let (level, message) = match (users.is_empty(), &event) {
            (true, None) => (
                Level::Warning,
                "the pods run on Windows and spec.os does not say so; what gives them a runAsUser keeps the token volume \
                 from being set up",
            ),
            _ => (
                Level::Error,
                "the pods run on Windows with a runAsUser; the kubelet cannot give the token file to that user, and they \
                 do not start",
            ),
        };
        let path = users.first().cloned().unwrap_or_else(|| chain.template_path("/spec"));
        report.add(&workload.meta.object, path, message).level(level).evidence_all(event).fix(template_fix(
            workload,
            "say spec.os.name: windows, without runAsUser",
            patch,
        ));
    }
}

/// Whether the pods of a template run on Windows.
pub(super) fn is_windows(template: &PodTemplate) -> bool {
    let spec = &template.spec;
    let selected = |key: &str| {
        let selector = spec.node_selector.as_ref();
        selector.and_then(|selector| selector.get(key)).is_some_and(|os| os == "windows")
    };
    if let Some(os) = &spec.os {
        return os.name == "windows";
    }
    let images = || spec.containers.iter().filter_map(|container| container.image.as_deref());
    selected("kubernetes.io/os")
        || selected("beta.kubernetes.io/os")
        || images().any(|image| {
            image.starts_with("mcr.microsoft.com/windows/") || image.starts_with("mcr.microsoft.com/dotnet/framework/")
        })
}

/// Where the pod, or a container, says as which user it runs.
fn run_as_user(chain: &Chain<'_>, workload: &Workload) -> Vec<String> {
    let spec = &workload.template.spec;
    let says = |context: Option<&SecurityContext>| context.is_some_and(|context| context.run_as_user.is_some());
    let mut paths = Vec::new();
    if says(spec.security_context.as_ref()) {
        paths.push(chain.template_path("/spec/securityContext/runAsUser"));
    }
    for (list, index, container) in spec.all_containers() {
        if says(container.security_context.as_ref()) {
            paths.push(chain.container_path(list, index, "/securityContext/runAsUser"));
        }
    }
    paths
}

/// The event of a pod of this workload that says it in the kubelet's words.
fn failed_event(chain: &Chain<'_>, workload: &Workload) -> Option<String> {
    let own = workload.meta.name();
    chain.inventory().events().iter().find_map(|event| {
        let about = event.about.name.as_str();
        let ours = event.about.kind == "Pod"
            && event.meta.namespace() == chain.namespace()
            && (about == own || about.starts_with(&format!("{own}-")));
        let message = &event.message;
        (ours && message.contains("not supported by windows")).then(|| format!("event of pod {about}: {message}"))
    })
}

rule! {
    /// ## What it does
    /// Finds pods on a virtual node (Azure Container Instances) that should get a token.
    ///
    /// ## Why it breaks
    /// The virtual kubelet does not project account tokens: the volume stays empty or the pod fails to start, and
    /// workload identity is documented as unsupported there.
    ///
    /// ## How it is known
    /// From the node that the pods run on, and from a node selector `type: virtual-kubelet`.
    ///
    /// ## Fix
    /// Run the workload on an ordinary node pool, or give the container group a managed identity of its own.
    ///
    /// ## Fix safety
    /// Nothing is applied.
    ///
    /// ## References
    /// - Microsoft Learn, "Microsoft Entra Workload ID on AKS", limitations
    /// - virtual-kubelet/azure-aci issues 189 and 543; Azure/azure-workload-identity issue 381
    VirtualNodeUnsupported {
        code: "WI119",
        name: "virtual-node-unsupported",
        level: Level::Error,
        link: Link::Pod,
        needs: &[Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Pods, Reads::Objects],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for VirtualNodeUnsupported {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.is_meant() || !super::takes_token(chain) {
            return;
        }
        let spec = &workload.template.spec;
        let selector = spec.node_selector.as_ref().and_then(|selector| selector.get("type"));
        let selected = selector.is_some_and(|kind| kind == "virtual-kubelet");
        let pods = chain.pods();
        let running = pods.known().and_then(|pods| {
            pods.iter().find_map(|pod| {
                let node = pod.spec.node_name.as_deref().filter(|node| is_virtual(chain, node))?;
                Some((pod.meta.name(), node))
            })
        });
        if !selected && running.is_none() {
            return;
        }
        let path = if selected { chain.template_path("/spec/nodeSelector") } else { String::new() };
        let link = if selected { Link::PodTemplate } else { Link::Pod };
        report
            .add(
                &workload.meta.object,
                path,
                "the pods run on a virtual node; account tokens cannot be projected there",
            )
            .link(link)
            .evidence_all(running.map(|(pod, node)| format!("pod {pod} runs on node {node}")))
            .fix(Fix::manual("run it on an ordinary node pool"));
    }
}

/// Whether a node is one of Azure Container Instances.
fn is_virtual(chain: &Chain<'_>, name: &str) -> bool {
    if name.starts_with("virtual-node-aci-") || name.starts_with("virtual-kubelet") {
        return true;
    }
    let node = chain.inventory().other("Node", None, name);
    node.known().is_some_and(|node| node.meta.label("type") == Some("virtual-kubelet"))
}
