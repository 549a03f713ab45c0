//! What changed: the revision, the time and the manager that broke what an older revision had right.
//!
//! Deployments keep older templates as `ReplicaSets`, `StatefulSets` and `DaemonSets` as `ControllerRevisions`. Who
//! wrote a revision is told by `managedFields`: the writer of the template whose time is nearest to the revision's.

use super::Chain;
use crate::model::finding::Finding;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::Meta;
use crate::model::pod::{PodTemplate, null_as_default};
use crate::model::workload::Workload;
use crate::webhook::keys;
use serde::Deserialize;

/// Number of a Deployment's revision, on the Deployment and on each of its `ReplicaSets`.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// What a person noted about a revision (`kubectl annotate`).
const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
/// A writer is taken for a revision's if it wrote at most so many seconds around its creation.
const SAME_MOMENT: i64 = 90;

/// A template that a workload has, or had.
#[derive(Debug, Clone)]
struct Revision {
    number: i64,
    template: PodTemplate,
    created: Option<jiff::Timestamp>,
    cause: Option<String>,
}

/// Adds to findings about template and account when it was still right, and who changed it.
pub fn explain(chain: &Chain<'_>, findings: &mut [Finding]) {
    let Some(workload) = chain.peek_workload() else { return };
    let mut revisions = None;
    for finding in findings {
        if finding.object == workload.meta.object {
            let Some(question) = Question::about(finding, workload) else { continue };
            let revisions = revisions.get_or_insert_with(|| revisions_of(chain.peek_inventory(), workload));
            finding.evidence.extend(changed(&question, revisions, workload, chain));
        } else if let Some(account) = chain.peek_account()
            && finding.object == account.meta.object
            && finding.path.starts_with("/metadata/annotations/")
        {
            finding.evidence.extend(written(&finding.path, &account.meta));
        }
    }
}

/// What a template has to have to be right.
enum Question {
    /// The label with its value.
    Label,
    /// An account that carries a client id, and is not the present one.
    Account(String),
    /// A container without this variable of its own.
    Variable { container: String, name: String },
}

impl Question {
    fn about(finding: &Finding, workload: &Workload) -> Option<Self> {
        match finding.code {
            "WI101" | "WI102" | "WI103" | "WI104" => Some(Self::Label),
            "WI105" => Some(Self::Account(workload.account().to_owned())),
            "WI108" | "WI109" => {
                let (container, name) = variable_at(&finding.path, workload)?;
                Some(Self::Variable { container, name })
            }
            _ => None,
        }
    }

    fn is_right(&self, template: &PodTemplate, chain: &Chain<'_>) -> bool {
        match self {
            Self::Label => template.metadata.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE),
            Self::Account(now) => {
                let account = template.spec.account();
                let found = chain.peek_inventory().account(chain.namespace(), account);
                account != now && found.known().is_some_and(|a| super::meant::identity_annotation(a).is_some())
            }
            Self::Variable { container, name } => {
                let found = template.spec.all_containers().find(|(_, _, c)| c.name == *container);
                found.is_some_and(|(_, _, c)| c.variable(name).is_none())
            }
        }
    }

    /// The sentence about the last revision that was right and the first that was not.
    fn sentence(&self, right: &Revision, wrong: &Revision, by: &str) -> String {
        let (right_number, wrong_number) = (right.number, wrong.number);
        match self {
            Self::Label => {
                let did = match wrong.template.metadata.label(keys::USE_LABEL) {
                    None => "dropped it",
                    Some(_) => "changed its value",
                };
                format!("had it until revision {right_number}; revision {wrong_number} ({by}) {did}")
            }
            Self::Account(_) => format!(
                "ran as {} until revision {right_number}; revision {wrong_number} ({by}) switched to {}",
                right.template.spec.account(),
                wrong.template.spec.account()
            ),
            Self::Variable { name, .. } => {
                format!("was without {name} until revision {right_number}; revision {wrong_number} ({by}) set it")
            }
        }
    }
}

/// Container and variable that a pointer such as `/spec/template/spec/containers/0/env/2` names.
fn variable_at(path: &str, workload: &Workload) -> Option<(String, String)> {
    let below = path.strip_prefix(workload.template_pointer())?.strip_prefix("/spec/")?;
    let mut steps = below.split('/');
    let (list, container, env, index) = (steps.next()?, steps.next()?, steps.next()?, steps.next()?);
    let spec = &workload.template.spec;
    let list = if list == "initContainers" { &spec.init_containers } else { &spec.containers };
    let container = list.get(container.parse::<usize>().ok()?)?;
    let variable = container.env.get(index.parse::<usize>().ok()?).filter(|_| env == "env")?;
    Some((container.name.clone(), variable.name.clone()))
}

/// All revisions that are here, oldest first; the last one is what the workload has now.
fn revisions_of(inventory: &Inventory, workload: &Workload) -> Vec<Revision> {
    let mut revisions: Vec<Revision> = match workload.meta.object.kind.as_str() {
        "Deployment" => inventory.children(&workload.meta.object).filter_map(of_replica_set).collect(),
        "StatefulSet" | "DaemonSet" => {
            let of_workload = |revision: &&RawObject| {
                revision.meta.namespace() == workload.meta.namespace()
                    && revision.meta.controller().is_some_and(|owner| {
                        owner.kind == workload.meta.object.kind && owner.name == workload.meta.name()
                    })
            };
            inventory.others_of("ControllerRevision").filter(of_workload).filter_map(of_controller_revision).collect()
        }
        _ => Vec::new(),
    };
    revisions.sort_by_key(|revision| revision.number);
    revisions
}

fn of_replica_set(set: &Workload) -> Option<Revision> {
    Some(Revision {
        number: set.meta.annotation(REVISION)?.parse().ok()?,
        template: set.template.clone(),
        created: set.meta.created,
        cause: set.meta.annotation(CHANGE_CAUSE).map(str::to_owned),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiRevision {
    revision: i64,
    #[serde(deserialize_with = "null_as_default")]
    data: ApiData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiData {
    #[serde(deserialize_with = "null_as_default")]
    spec: ApiSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiSpec {
    #[serde(deserialize_with = "null_as_default")]
    template: PodTemplate,
}

fn of_controller_revision(object: &RawObject) -> Option<Revision> {
    let read = ApiRevision::deserialize(&object.value).ok()?;
    Some(Revision {
        number: read.revision,
        template: read.data.spec.template,
        created: object.meta.created,
        cause: object.meta.annotation(CHANGE_CAUSE).map(str::to_owned),
    })
}

fn changed(question: &Question, revisions: &[Revision], workload: &Workload, chain: &Chain<'_>) -> Option<String> {
    let last_right = revisions.iter().rposition(|revision| question.is_right(&revision.template, chain))?;
    let right = revisions.get(last_right)?;
    let wrong = revisions.get(last_right + 1)?;
    let writer = wrong.created.and_then(|created| writer_at(&workload.meta, created));
    let time = wrong.created.map(minute);
    let mut by: Vec<String> = writer.into_iter().chain(time).collect();
    by.extend(wrong.cause.iter().map(|cause| format!("\"{cause}\"")));
    let by = if by.is_empty() { "time not known".to_owned() } else { by.join(", ") };
    Some(question.sentence(right, wrong, &by))
}

/// Who wrote the template at that moment.
fn writer_at(meta: &Meta, moment: jiff::Timestamp) -> Option<String> {
    let writers = meta.managed_fields.iter().filter(|entry| entry.subresource.is_empty());
    let near = writers.filter_map(|entry| {
        let time: jiff::Timestamp = entry.time.as_deref()?.parse().ok()?;
        let apart = (time.as_second() - moment.as_second()).abs();
        let of_template = entry.owns(&["spec", "template"]);
        (apart <= SAME_MOMENT && of_template).then_some((apart, entry.manager.clone()))
    });
    near.min_by_key(|(apart, _)| *apart).map(|(_, manager)| manager)
}

/// Who wrote an annotation last.
fn written(path: &str, meta: &Meta) -> Option<String> {
    let key = path.strip_prefix("/metadata/annotations/")?.replace("~1", "/").replace("~0", "~");
    let entry = meta.managed_fields.iter().find(|entry| entry.owns(&["metadata", "annotations", &key]))?;
    let time: Option<jiff::Timestamp> = entry.time.as_deref().and_then(|time| time.parse().ok());
    let when = time.map(|time| format!(", {}", minute(time))).unwrap_or_default();
    Some(format!("{key} was written last by {}{when}", entry.manager))
}

/// A time as people note it, in UTC.
fn minute(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::chain::cluster::Cluster;
    use crate::chain::{Chain, Target};
    use crate::model::finding::{Confidence, Level, Link};
    use crate::model::object::{ObjectRef, Origin};
    use serde_json::{Value, json};

    fn template(variables: &Value) -> Value {
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"serviceAccountName": "app", "containers": [{"name": "app", "env": variables}]}})
    }

    fn finding(code: &'static str, object: &ObjectRef, path: &str) -> Finding {
        Finding {
            id: String::new(),
            code,
            name: "",
            level: Level::Error,
            confidence: Confidence::Observed,
            object: object.clone(),
            path: path.to_owned(),
            source: None,
            message: String::new(),
            evidence: Vec::new(),
            root_cause: false,
            symptom: false,
            observations: Vec::new(),
            causes: Vec::new(),
            blocked_by: Vec::new(),
            points_to: Vec::new(),
            fix: None,
            docs: String::new(),
            link: Link::PodTemplate,
        }
    }

    fn evidence(code: &'static str, account: bool, path: &str) -> Vec<String> {
        let secret = json!([{"name": "AZURE_CLIENT_SECRET", "value": "x"}]);
        let set = |number: u8, created: &str, variables: &Value| {
            json!({
                "apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {
                    "name": format!("app-{number}"), "namespace": "shop", "creationTimestamp": created,
                    "annotations": {"deployment.kubernetes.io/revision": number.to_string()},
                    "ownerReferences": [{"kind": "Deployment", "name": "app", "controller": true}],
                },
                "spec": {"template": template(variables)},
            })
        };
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "app", "namespace": "shop", "managedFields": [
                {"manager": "helm", "time": "2026-10-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
                {"manager": "kubectl-edit", "time": "2026-11-18T09:12:30Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
                {"manager": "autoscaler", "time": "2026-11-18T09:12:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            ]},
            "spec": {"template": template(&secret)},
        });
        let service_account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "app", "namespace": "shop", "managedFields": [{
                "manager": "kubectl-annotate", "time": "2026-11-18T09:12:00Z",
                "fieldsV1": {"f:metadata": {"f:annotations": {"f:azure.workload.identity/client-id": {}}}},
            }]},
        });
        let mut inventory = Inventory::default();
        let sets = [set(7, "2026-10-01T00:00:00Z", &Value::Null), set(8, "2026-11-18T09:12:00Z", &secret)];
        for value in sets.into_iter().chain([deployment, service_account]) {
            inventory.add_value(value, Origin::Cluster, "shop").unwrap();
        }
        let workload = inventory.workload("Deployment", "shop", "app").unwrap();
        let cluster = Cluster::default();
        let chain = Chain::new(Target::Workload(workload), &inventory, &cluster);
        let account_object = ObjectRef::service_account("shop", "app");
        let object = if account { &account_object } else { &workload.meta.object };
        let mut findings = [finding(code, object, path)];
        // The API version of the account counts for equality.
        findings[0].object.api_version = if account { "v1".to_owned() } else { object.api_version.clone() };
        explain(&chain, &mut findings);
        findings[0].evidence.clone()
    }

    #[test]
    fn a_variable_is_traced_to_the_revision_that_set_it() {
        assert_eq!(
            evidence("WI109", false, "/spec/template/spec/containers/0/env/0"),
            [
                "was without AZURE_CLIENT_SECRET until revision 7; revision 8 (kubectl-edit, 2026-11-18 09:12 UTC) set it"
            ]
        );
        assert!(evidence("WI109", false, "/spec/template/spec/containers/0/env/5").is_empty());
        assert!(evidence("WI109", false, "/spec/template/spec/containers").is_empty());
    }

    #[test]
    fn an_annotation_is_traced_to_who_wrote_it_last() {
        assert_eq!(
            evidence("WI203", true, "/metadata/annotations/azure.workload.identity~1client-id"),
            ["azure.workload.identity/client-id was written last by kubectl-annotate, 2026-11-18 09:12 UTC"]
        );
        assert!(evidence("WI205", true, "/metadata/annotations/azure.workload.identity~1tenant-id").is_empty());
    }

    #[test]
    fn what_never_was_right_has_no_history() {
        assert!(evidence("WI101", false, "/spec/template/metadata/labels").is_empty());
    }
}
