//! WI0: the tool itself. Nothing here looks at a chain; these are found on the way from input to report.

use crate::chain::Gap;
use crate::model::fact::Denied;
use crate::model::finding::{Finding, Fix, Level, Link};
use crate::model::object::ObjectRef;
use crate::rules::{Needs, loose, rule};
use std::collections::{BTreeMap, BTreeSet};

/// What could not be read, with the rules that could not answer because of it.
pub type Gaps = BTreeMap<Gap, BTreeSet<&'static str>>;

/// One finding for each permission that was missing, whatever it hides.
pub fn missing_permissions(gaps: &Gaps) -> Vec<Finding> {
    let mut permissions: BTreeMap<&Denied, (Vec<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for (gap, rules) in gaps {
        if let Some(denied) = &gap.denied {
            let (hidden, unanswered) = permissions.entry(denied).or_default();
            hidden.push(&gap.what);
            unanswered.extend(rules);
        }
    }
    permissions.into_iter().map(|(denied, (hidden, rules))| missing_permission(denied, &hidden, &rules)).collect()
}

fn missing_permission(denied: &Denied, hidden: &[&str], rules: &BTreeSet<&str>) -> Finding {
    // Actions of Azure are paths: Microsoft.ManagedIdentity/userAssignedIdentities/read.
    let feature = if denied.verb.contains('/') { "azure" } else { "inspect" };
    let object = match &denied.namespace {
        Some(namespace) => ObjectRef::new("v1", "Namespace", None, namespace),
        None => ObjectRef::new("", "Cluster", None, if feature == "azure" { "Azure" } else { "Kubernetes" }),
    };
    let rules: Vec<&str> = rules.iter().copied().collect();
    let unanswered = match rules.as_slice() {
        [] => String::new(),
        [one] => format!("; {one} answers unknown"),
        rules => format!("; {} rules answer unknown", rules.len()),
    };
    let path = format!("{} {}", denied.verb, denied.resource);
    let mut finding = loose::<InsufficientPermission>(&object, &path, &format!("there is {denied}{unanswered}"));
    finding.path = String::new();
    finding.evidence.push(format!("not read: {}", hidden.join(", ")));
    if rules.len() > 1 {
        finding.evidence.push(format!("unknown: {}", rules.join(", ")));
    }
    let fix = Fix::manual("ask for the permission; the least role that is needed is printed by")
        .command(format!("kubectl wi rbac --for {feature}"));
    finding.fix = Some(match (&denied.namespace, feature) {
        (_, "azure") => fix,
        (Some(namespace), _) => {
            fix.command(format!("kubectl auth can-i {} {} -n {namespace}", denied.verb, denied.resource))
        }
        (None, _) => fix.command(format!("kubectl auth can-i {} {} -A", denied.verb, denied.resource)),
    });
    finding
}

rule! {
    /// ## What it does
    /// Finds an ignore annotation, an entry of `.kubectl-wi.toml` or an `--ignore` that matched nothing, has expired, or
    /// cannot be understood.
    ///
    /// ## Why it breaks
    /// It breaks nothing today. But a suppression that outlives its cause hides the next fault of the same kind, and
    /// one that never matched gives a false sense of a decision that was made.
    ///
    /// ## How it is known
    /// An annotation is judged where its workload is inspected; one of an account or a namespace, and an entry of the
    /// file, only where everything is inspected, because the workload that it is for may not be among the few that were
    /// named. Rules that could not answer, and rules that were not asked for, leave it alone. A day that is over
    /// (`until`) makes a suppression stop counting.
    ///
    /// ## Fix
    /// Remove the entry, or give it a new day and a reason that still holds.
    ///
    /// ## Fix safety
    /// Nothing restarts; an annotation of a pod template is part of the template, so removing that one rolls the pods
    /// over.
    ///
    /// ## References
    /// - kubectl wi inspect --help, "Suppression"
    UnusedSuppression {
        code: "WI001",
        name: "unused-suppression",
        level: Level::Warning,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[],
        fix: None,
    }
}

rule! {
    /// ## What it does
    /// Names a fact that could not be read for want of a permission: the verb and resource of Kubernetes, or the action
    /// in Azure, and the rules that answer unknown because of it.
    ///
    /// ## Why it breaks
    /// Nothing is broken. What could not be read is not counted as passed, so a verdict may be missing, and the exit
    /// code is 3 where nothing worse was found.
    ///
    /// ## How it is known
    /// From the refusal of the API server or of Azure.
    ///
    /// ## Fix
    /// Ask for the permission. `kubectl wi rbac` prints the least role that the features need.
    ///
    /// ## Fix safety
    /// Reading alone changes nothing.
    ///
    /// ## References
    /// - Kubernetes, "Using RBAC authorization"
    InsufficientPermission {
        code: "WI002",
        name: "insufficient-permission",
        level: Level::Info,
        link: Link::Application,
        needs: &[Needs::Live, Needs::Azure],
        reads: &[],
        fix: None,
    }
}

rule! {
    /// ## What it does
    /// Finds a document among the manifests that cannot be read as what it says it is: no valid YAML or JSON, a Helm
    /// template that was not rendered, a Kustomization, a values file, or an object whose fields do not fit its kind.
    ///
    /// ## Why it breaks
    /// What cannot be read is not inspected. The rest is, so the report may be right about everything but this.
    ///
    /// ## How it is known
    /// From the document itself; file, line and column point at it.
    ///
    /// ## Fix
    /// Mend the document, or render it first: `helm template`, `kubectl kustomize`.
    ///
    /// ## Fix safety
    /// Nothing is applied.
    ///
    /// ## References
    /// - Kubernetes, "Objects in Kubernetes"
    InvalidObject {
        code: "WI003",
        name: "invalid-object",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests],
        reads: &[],
        fix: None,
    }
}
