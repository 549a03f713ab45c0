//! `kubectl wi fix` on real API servers: from finding to healthy and back, and everything that can go wrong between.

use crate::support::{App, CLIENT_ID, Said};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use wi_test_cluster::{Cluster, ControlPlane, Subject, TestNamespace, WebhookOptions, WholeCluster};

const LABEL: &str = "azure.workload.identity/use";

/// A folder of one user's state.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn command(&self, cluster: &Cluster, arguments: &[&str]) -> Command {
        let mut command = cluster.command(env!("CARGO_BIN_EXE_kubectl-wi"));
        command.env("XDG_STATE_HOME", self.0.path()).arg("fix").args(arguments);
        command
    }

    pub(crate) fn fix(&self, cluster: &Cluster, arguments: &[&str]) -> Said {
        said(self.command(cluster, arguments))
    }

    fn fix_as(&self, cluster: &Cluster, kubeconfig: &Path, arguments: &[&str]) -> Said {
        let mut command = self.command(cluster, arguments);
        command.env("KUBECONFIG", kubeconfig);
        said(command)
    }

    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let folder = self.0.path().join("kubectl-wi/fix");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn said(mut command: Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code().expect("ended by a signal"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A control plane with a webhook beside it, so that restarts are safe.
pub(crate) fn plane() -> &'static ControlPlane {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    PLANE.get_or_init(|| {
        let plane = ControlPlane::start().unwrap();
        plane.webhook_beside(&WebhookOptions::default()).unwrap();
        plane
    })
}

pub(crate) fn get(namespace: &TestNamespace<'_>, what: &str) -> Value {
    namespace.kubectl_json(&["get", what]).unwrap()
}

/// The parts of an object that a person decides about.
pub(crate) fn intent(namespace: &TestNamespace<'_>, what: &str) -> Value {
    let object = get(namespace, what);
    json!({
        "labels": object["metadata"]["labels"], "annotations": without_revision(&object["metadata"]["annotations"]),
        "spec": object["spec"], "automount": object["automountServiceAccountToken"],
    })
}

fn without_revision(annotations: &Value) -> Value {
    let mut annotations = annotations.clone();
    if let Some(map) = annotations.as_object_mut() {
        map.remove("deployment.kubernetes.io/revision");
        if map.is_empty() {
            return Value::Null;
        }
    }
    annotations
}

fn outcomes(report: &Value) -> Vec<(String, String)> {
    let steps = report["plan"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    steps.iter().map(|step| (text(&step["object"]["kind"]), text(&step["outcome"]))).collect()
}

pub(crate) const UNLABELLED: App<'static> = App { label: None, ..App::HEALTHY };
const BARE: App<'static> = App { client_id: None, ..App::HEALTHY };

#[test]
fn a_label_is_added_and_taken_back_exactly() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("label").unwrap());
    namespace.apply(&UNLABELLED.manifests()).unwrap();
    let at = ["deploy/velero", "-n", namespace.name()];
    let before = intent(&namespace, "deploy/velero");

    let plan = home.fix(cluster, &[&at[..], &["--diff"]].concat());
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(plan.out.contains("+        azure.workload.identity/use: \"true\""), "{}", plan.out);
    let dry = home.fix(cluster, &[&at[..], &["--dry-run=server", "-o", "json"]].concat());
    assert_eq!((dry.code, outcomes(&dry.json())), (0, vec![("Deployment".into(), "planned".into())]), "{dry:?}");
    let nobody = home.fix(cluster, &at);
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.contains("nothing was changed"), "{nobody:?}");
    assert_eq!(intent(&namespace, "deploy/velero"), before);
    assert!(home.runs().is_empty());

    let fixed = home.fix(cluster, &[&at[..], &["--yes", "-o", "json"]].concat());
    assert_eq!(fixed.code, 0, "{fixed:?}");
    let report = fixed.json();
    assert_eq!(outcomes(&report), [("Deployment".into(), "applied".into())]);
    assert_eq!(report["plan"][0]["restarts"][0]["name"], "velero");
    let now = get(&namespace, "deploy/velero");
    assert_eq!(now["spec"]["template"]["metadata"]["labels"][LABEL], "true");
    let managed = namespace.kubectl_json(&["get", "deploy/velero", "--show-managed-fields"]).unwrap();
    let managers = managed["metadata"]["managedFields"].to_string();
    assert!(managers.contains("kubectl-wi"), "{managers}");
    let run = report["run"].as_str().unwrap();
    assert_eq!(report["undo"], format!("kubectl wi fix --undo {run}"));

    let again = home.fix(cluster, &[&at[..], &["--yes"]].concat());
    assert_eq!((again.code, again.out.lines().next()), (0, Some("nothing to fix")), "{again:?}");
    let history = home.fix(cluster, &["--history"]);
    assert!(history.out.contains(run) && history.out.contains("changed Deployment"), "{history:?}");

    let undone = home.fix(cluster, &["--undo", "--yes"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(intent(&namespace, "deploy/velero"), before);
    let history = home.fix(cluster, &["--history"]);
    assert!(history.out.contains(&format!("took back {run}")), "{history:?}");
    let twice = home.fix(cluster, &["--undo", run, "--yes"]);
    assert_eq!(twice.code, 0, "{twice:?}");
    assert!(twice.out.contains("nothing to take back"), "{twice:?}");
}

#[test]
fn an_account_gets_its_client_id_and_one_that_is_missing_is_made() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("account").unwrap());
    namespace.apply(&BARE.manifests()).unwrap();
    let orphan = App { name: "orphan", account: "nobody", ..App::HEALTHY };
    namespace.apply(&orphan.deployment().to_string()).unwrap();
    let at = ["-n", namespace.name(), "-o", "json"];
    let open = home.fix(cluster, &[&["deploy/velero", "--yes"], &at[..]].concat());
    assert_eq!(open.code, 1, "{open:?}");
    assert_eq!(open.json()["left"][0]["code"], "WI202");

    let (sa, id) = (intent(&namespace, "sa/velero-server"), ["--client-id", CLIENT_ID, "--yes"]);
    let fixed = home.fix(cluster, &[&["deploy/velero"], &id[..], &at[..]].concat());
    assert_eq!(fixed.code, 0, "{fixed:?}");
    let annotation =
        |name: &str| get(&namespace, name)["metadata"]["annotations"]["azure.workload.identity/client-id"].clone();
    assert_eq!(annotation("sa/velero-server"), CLIENT_ID);
    let made = home.fix(cluster, &[&["deploy/orphan"], &id[..], &at[..]].concat());
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(annotation("sa/nobody"), CLIENT_ID);

    // The newest first: the account that was made goes, the other one is as it was.
    let undone = home.fix(cluster, &["--undo", "--yes"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert!(namespace.kubectl(&["get", "sa/nobody"]).is_err());
    assert_eq!(home.fix(cluster, &["--undo", "--yes"]).code, 0);
    assert_eq!(intent(&namespace, "sa/velero-server"), sa);
}

#[test]
fn what_somebody_changed_since_is_not_taken_back() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("since").unwrap());
    namespace.apply(&BARE.manifests()).unwrap();
    let id = ["deploy/velero", "-n", namespace.name(), "--client-id", CLIENT_ID, "--yes"];
    assert_eq!(home.fix(cluster, &id).code, 0);
    let other = "azure.workload.identity/client-id=00000000-0000-0000-0000-000000000001";
    namespace.kubectl(&["annotate", "--overwrite", "sa/velero-server", other]).unwrap();
    let undone = home.fix(cluster, &["--undo", "--yes"]);
    assert_eq!(undone.code, 1, "{undone:?}");
    assert!(undone.out.contains("somebody changed it since"), "{undone:?}");
    let now = get(&namespace, "sa/velero-server");
    assert!(now["metadata"]["annotations"].to_string().contains("000000000001"));
}

#[test]
fn a_user_who_may_read_but_not_patch_is_told_before_anything_is_sent() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("reader").unwrap());
    namespace.apply(&UNLABELLED.manifests()).unwrap();
    let user = Subject::User { name: "reader", group: None };
    let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]);
    cluster.allow(&user, None, &all).unwrap();
    let kubeconfig = cluster.kubeconfig_for(&user).unwrap();
    let said = home.fix_as(cluster, &kubeconfig, &["deploy/velero", "-n", namespace.name(), "--yes"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("no permission to patch deployments.apps in namespace"), "{said:?}");
    assert!(home.runs().is_empty());
}

#[test]
fn a_policy_that_denies_is_met_in_the_dry_run() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("policy").unwrap());
    namespace.apply(&UNLABELLED.manifests()).unwrap();
    let name = namespace.name();
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            },
            "validations": [{"expression": "false", "message": "no pods on Sundays"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    cluster.apply(&format!("{policy}\n---\n{binding}\n")).unwrap();
    let before = intent(&namespace, "deploy/velero");
    // A policy counts some seconds after it was made.
    let refused = cluster.wait_for("the policy", Duration::from_secs(30), || {
        let said = home.fix(cluster, &["deploy/velero", "-n", name, "--dry-run=server"]);
        Ok((said.code == 1).then_some(said))
    });
    let refused = refused.unwrap();
    assert!(refused.out.contains("no pods on Sundays"), "{refused:?}");
    let said = home.fix(cluster, &["deploy/velero", "-n", name, "--yes"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("no pods on Sundays"), "{said:?}");
    assert_eq!(intent(&namespace, "deploy/velero"), before);
    assert!(home.runs().is_empty());
}

#[test]
fn each_kind_gets_what_is_right_for_it() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("kinds").unwrap());
    // An account each: one that a labelled workload shares would not make the others meant for identity.
    let template = |kind: &str| {
        let mut template = UNLABELLED.deployment()["spec"]["template"].clone();
        template["spec"]["serviceAccountName"] = json!(kind);
        if kind.ends_with("job") {
            template["spec"]["restartPolicy"] = json!("Never");
        }
        template
    };
    let selector = json!({"matchLabels": {"app": "velero"}});
    let object = |api: &str, kind: &str, spec: Value| {
        let name = kind.to_lowercase();
        json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}).to_string()
    };
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let mut manifests = vec![
        object(
            "apps/v1",
            "StatefulSet",
            json!({"serviceName": "s", "selector": selector, "template": template("statefulset"),
                "updateStrategy": {"type": "OnDelete"}, "volumeClaimTemplates": [claim]}),
        ),
        object("apps/v1", "DaemonSet", json!({"selector": selector, "template": template("daemonset")})),
        object("batch/v1", "Job", json!({"template": template("job")})),
        object(
            "batch/v1",
            "CronJob",
            json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template("cronjob")}}}),
        ),
        object("v1", "Pod", template("pod")["spec"].clone()),
    ];
    for account in ["statefulset", "daemonset", "job", "cronjob", "pod"] {
        manifests.insert(0, App { account, ..UNLABELLED }.account().to_string());
    }
    namespace.apply(&manifests.join("\n---\n")).unwrap();
    let fix = |what: &str| home.fix(cluster, &[what, "-n", namespace.name(), "--yes", "-o", "json"]);
    let step = |said: &Said| said.json()["plan"][0].clone();

    // Nothing restarts with OnDelete: the template is mended, and the pod that runs is what is left.
    let said = fix("sts/statefulset");
    assert_eq!((said.code, step(&said)["restarts"].clone()), (1, json!([])), "{said:?}");
    assert_eq!(said.json()["left"][0]["code"], "WI404", "{said:?}");
    let said = fix("ds/daemonset");
    assert_eq!((said.code, step(&said)["outcome"].clone()), (0, json!("applied")), "{said:?}");
    let said = fix("cronjob/cronjob");
    assert_eq!((said.code, step(&said)["restarts"].clone()), (0, json!([])), "{said:?}");
    let cronjob = get(&namespace, "cronjob/cronjob");
    assert_eq!(cronjob["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"][LABEL], "true");
    for what in ["job/job", "pod/pod"] {
        let said = fix(what);
        assert_eq!((said.code, step(&said)["outcome"].clone()), (1, json!("refused")), "{said:?}");
        let old = get(&namespace, what)["metadata"]["uid"].clone();
        let export = home.fix(cluster, &[what, "-n", namespace.name(), "--export", "yaml"]);
        let file = home.0.path().join("export.yaml");
        std::fs::write(&file, &export.out).unwrap();
        namespace.kubectl(&["replace", "--force", "--grace-period=0", "-f", file.to_str().unwrap()]).unwrap();
        let new = get(&namespace, what);
        assert_ne!(new["metadata"]["uid"], old);
        let labels =
            if what == "job/job" { &new["spec"]["template"]["metadata"]["labels"] } else { &new["metadata"]["labels"] };
        assert_eq!(labels[LABEL], "true", "{new:#}");
    }
}

#[test]
fn nothing_is_restarted_while_there_is_no_webhook() {
    let cluster = ControlPlane::shared();
    let (home, namespace) = (Home::new(), cluster.namespace("nowebhook").unwrap());
    namespace.apply(&UNLABELLED.manifests()).unwrap();
    let before = intent(&namespace, "deploy/velero");
    let said = home.fix(cluster, &["deploy/velero", "-n", namespace.name(), "--yes", "--restart=yes"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("webhook-missing (WI301)"), "{said:?}");
    assert_eq!(intent(&namespace, "deploy/velero"), before);

    // The account restarts nothing, so that is offered still.
    namespace.apply(&App { name: "second", account: "second", client_id: None, ..App::HEALTHY }.manifests()).unwrap();
    let said =
        home.fix(cluster, &["deploy/second", "-n", namespace.name(), "--yes", "--client-id", CLIENT_ID, "-o", "json"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(outcomes(&said.json()).contains(&("ServiceAccount".into(), "applied".into())), "{said:?}");
}

#[test]
fn a_namespace_is_only_restarted_when_that_is_said() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("sweep").unwrap());
    namespace.apply(&UNLABELLED.manifests()).unwrap();
    let held = home.fix(cluster, &["-n", namespace.name(), "--yes", "-o", "json"]);
    assert_eq!((held.code, outcomes(&held.json())), (1, vec![("Deployment".into(), "skipped".into())]), "{held:?}");
    let no = home.fix(cluster, &["deploy/velero", "-n", namespace.name(), "--yes", "--restart=no", "-o", "json"]);
    assert_eq!((no.code, outcomes(&no.json())), (1, vec![("Deployment".into(), "skipped".into())]), "{no:?}");
    let yes = home.fix(cluster, &["-n", namespace.name(), "--yes", "--restart=yes", "-o", "json"]);
    assert_eq!((yes.code, outcomes(&yes.json())), (0, vec![("Deployment".into(), "applied".into())]), "{yes:?}");
}

#[test]
fn from_finding_to_healthy_and_back_on_a_whole_cluster() {
    let cluster = WholeCluster::start().unwrap();
    let (home, namespace) = (Home::new(), cluster.namespace("whole").unwrap());
    namespace.apply(&App::HEALTHY.manifests()).unwrap();
    namespace.kubectl(&["rollout", "status", "deploy/velero", "--timeout=90s"]).unwrap();
    cluster.webhook_install(&WebhookOptions::default()).unwrap();
    let at = ["deploy/velero", "-n", namespace.name(), "--yes", "--wait", "-o", "json"];
    // Pods older than the webhook: a restart alone.
    let before = intent(&namespace, "deploy/velero");
    let said = home.fix(&cluster, &at);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["after"]["healthy"], 1, "{said:?}");
    let now = get(&namespace, "deploy/velero");
    assert!(now["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string());
    assert_eq!(home.fix(&cluster, &["--undo", "--yes", "--wait"]).code, 0);
    assert_eq!(intent(&namespace, "deploy/velero"), before);

    // The label.
    namespace.apply(&App { name: "bare", account: "bare", label: None, ..App::HEALTHY }.manifests()).unwrap();
    namespace.kubectl(&["rollout", "status", "deploy/bare", "--timeout=90s"]).unwrap();
    let before = intent(&namespace, "deploy/bare");
    let at = ["deploy/bare", "-n", namespace.name(), "--yes", "--wait", "-o", "json"];
    let said = home.fix(&cluster, &at);
    assert_eq!((said.code, said.json()["after"]["healthy"].clone()), (0, json!(1)), "{said:?}");
    assert_eq!(home.fix(&cluster, &["--undo", "--yes", "--wait"]).code, 0);
    assert_eq!(intent(&namespace, "deploy/bare"), before);

    // With the webhook down, a pod of the new template is refused, or the webhook is found to be unhealthy.
    cluster.webhook_scale(0).unwrap();
    let down = home.fix(&cluster, &at);
    assert_eq!((down.code, outcomes(&down.json())), (1, vec![("Deployment".into(), "refused".into())]), "{down:?}");
    assert_eq!(intent(&namespace, "deploy/bare"), before);
    cluster.webhook_scale(2).unwrap();

    // New pods that never start: the time runs out, and the change can be taken back.
    namespace
        .apply(
            &App { name: "slow", account: "slow", label: None, image: "localhost/none:1", ..App::HEALTHY }.manifests(),
        )
        .unwrap();
    let slow = home.fix(&cluster, &["deploy/slow", "-n", namespace.name(), "--yes", "--wait", "--timeout", "8s"]);
    assert_eq!(slow.code, 124, "{slow:?}");
    assert_eq!(home.fix(&cluster, &["--undo", "--yes"]).code, 0);
}

#[test]
fn an_owner_that_takes_changes_back_is_named_and_only_overruled_when_that_is_said() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("owner").unwrap());
    let mut helm = UNLABELLED.deployment();
    helm["metadata"]["annotations"] =
        json!({"meta.helm.sh/release-name": "velero", "meta.helm.sh/release-namespace": namespace.name()});
    helm["spec"]["template"]["spec"]["containers"][0]["image"] = json!("docker.io/velero/velero:v1.15.0");
    let flux = App { name: "flux", account: "flux", ..UNLABELLED };
    let mut reconciled = flux.deployment();
    reconciled["metadata"]["labels"] =
        json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    let backups = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "backups.velero.io"},
        "spec": {"group": "velero.io", "scope": "Namespaced", "names": {"kind": "Backup", "plural": "backups"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
    });
    cluster.apply(&backups.to_string()).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/backups.velero.io", "--timeout=30s"]).unwrap();
    let backup = json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "nightly"}, "status": {"phase": "InProgress"}});
    let manifests = [UNLABELLED.account(), helm, flux.account(), reconciled, backup]
        .map(|object| object.to_string())
        .join("\n---\n");
    namespace.apply(&manifests).unwrap();

    let shown = home.fix(cluster, &["deploy/velero", "-n", namespace.name(), "--diff"]);
    assert!(shown.out.contains("by Helm, when release"), "{shown:?}");
    assert!(shown.out.contains("Backup nightly is running and would fail"), "{shown:?}");
    let fixed = home.fix(cluster, &["deploy/velero", "-n", namespace.name(), "--yes", "-o", "json"]);
    assert_eq!(fixed.code, 0, "{fixed:?}");
    assert!(fixed.json()["plan"][0]["revertedBy"].as_str().unwrap().contains("Helm"));

    let at = ["deploy/flux", "-n", namespace.name()];
    let refused = home.fix(cluster, &[&at[..], &["--yes", "-o", "json"]].concat());
    assert_eq!((refused.code, outcomes(&refused.json())), (1, vec![("Deployment".into(), "refused".into())]));
    let source = refused.json()["plan"][0]["atSource"].as_str().unwrap().to_owned();
    assert!(
        source.contains("Kustomization flux-system/apps") && source.contains("azure.workload.identity/use"),
        "{source}"
    );
    for (format, part) in [
        ("kustomize", "kind: Kustomization"),
        ("kubectl", "kubectl patch deploy/flux"),
        ("yaml", "kind: Deployment"),
        ("helm", "podLabels"),
    ] {
        let export = home.fix(cluster, &[&at[..], &["--export", format]].concat());
        assert!(export.code == 0 && export.out.contains(part), "{format}: {export:?}");
    }
    let live = home.fix(cluster, &[&at[..], &["--yes", "--live"]].concat());
    assert_eq!(live.code, 0, "{live:?}");
    assert!(live.out.contains("a stop-gap"), "{live:?}");
}

#[test]
fn what_could_not_be_tried_never_counts_as_passed() {
    let cluster = plane();
    let (home, namespace) = (Home::new(), cluster.namespace("untried").unwrap());
    namespace.apply(&UNLABELLED.manifests()).unwrap();
    let user = Subject::User { name: "patcher", group: None };
    let rules = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]},
    ]);
    cluster.allow(&user, None, &rules).unwrap();
    let kubeconfig = cluster.kubeconfig_for(&user).unwrap();
    let at = ["deploy/velero", "-n", namespace.name(), "--yes"];
    let refused = home.fix_as(cluster, &kubeconfig, &at);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.out.contains("could not be tried: no permission to create pods"), "{refused:?}");
    let said = home.fix_as(cluster, &kubeconfig, &[&at[..], &["--restart=yes"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("could not be tried"), "{said:?}");
}
