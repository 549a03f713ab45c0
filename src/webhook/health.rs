//! Whether the webhook can answer: its Service, endpoints, Deployment, roles, certificates and policies, and what the
//! API server said when it called.
//!
//! Only what was seen counts. An object that is not here is not known, and never a fault, unless its kind was listed
//! to the end.

use super::certificate::{CertificateFault, judge};
use super::install::WebhookInstallation;
use super::keys;
use super::policy;
use super::refusal::{NotReached, Refusal};
use super::registration::{Registration, ServiceReference};
use crate::chain::running::is_mutated;
use crate::model::fact::Fact;
use crate::model::inventory::{Inventory, RawObject};
use crate::model::object::ObjectRef;
use crate::model::workload::Workload;
use serde_json::Value;

/// Kind and group of the objects that are named in findings.
const RBAC: &str = "rbac.authorization.k8s.io/v1";
/// Name of the role and cluster role in every distribution.
pub(crate) const ROLE: &str = "azure-wi-webhook-manager-role";
/// Name of the Secret with the serving certificate in every distribution.
pub(crate) const CERTIFICATE_SECRET: &str = "azure-wi-webhook-server-cert";

/// What was seen of the webhook's health.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// Endpoints of its Service: ready ones and all. `None` where none were seen.
    pub endpoints: Option<(usize, usize)>,
    /// What is broken, worst first.
    pub faults: Vec<Fault>,
    /// The call that failed last, where none succeeded since.
    pub failed_call: Option<FailedCall>,
    /// What is wrong with the trust between API server and webhook, by name of the configuration.
    pub certificates: Vec<(String, CertificateFault)>,
    /// When the newest pod was created that went through it.
    pub last_success: Option<jiff::Timestamp>,
}

/// Something that keeps the webhook from answering, or will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong with it.
    pub object: ObjectRef,
    /// JSON pointer into the object.
    pub path: String,
    /// One clause.
    pub what: String,
    /// It follows from what was read, and was not seen to happen.
    pub inferred: bool,
    /// It still answers for now.
    pub later: bool,
    /// What was seen.
    pub evidence: Vec<String>,
    /// What to do about it.
    pub advice: &'static str,
    /// The next command.
    pub command: String,
}

/// A call of the webhook that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCall {
    /// How.
    pub how: NotReached,
    /// What was to be created, or who wanted to.
    pub about: ObjectRef,
    /// When.
    pub last: Option<jiff::Timestamp>,
    /// How often.
    pub count: i64,
}

impl Health {
    /// Reads it from all that was read; `now` decides what has expired.
    pub fn read(inventory: &Inventory, webhook: &WebhookInstallation, now: Option<jiff::Timestamp>) -> Self {
        let mut health = Self { last_success: last_success(inventory), ..Self::default() };
        health.certificates = webhook
            .registrations
            .iter()
            .filter_map(|found| Some((found.configuration.clone(), certificate_fault(inventory, found, now)?)))
            .collect();
        let names: Vec<&str> = webhook.registrations.iter().map(|found| found.entry.name.as_str()).collect();
        health.failed_call = failed_call(inventory, &names).filter(|call| match (call.last, health.last_success) {
            (Some(failed), Some(worked)) => failed > worked,
            _ => true,
        });
        let services = webhook.registrations.iter().filter_map(|found| found.entry.client_config.service.as_ref());
        // Without a Service the webhook runs beside the API server, and nothing of it is to be seen in the cluster.
        let Some(service) = services.into_iter().next() else { return health };
        let deployment = deployment(inventory, webhook, service);
        health.endpoints = endpoints(inventory, service);
        let up = health.endpoints.map_or_else(
            || deployment.is_some_and(|deployment| deployment.status.ready_replicas.unwrap_or_default() > 0),
            |(ready, _)| ready > 0,
        );
        let mut faults = Vec::new();
        if !up {
            faults.extend(service_missing(inventory, service));
        }
        faults.extend(deployment.and_then(|deployment| not_running(inventory, deployment, up)));
        if faults.is_empty() && health.endpoints.is_some_and(|(ready, _)| ready == 0) {
            faults.push(no_endpoints(service));
        }
        faults.extend(deployment.into_iter().flat_map(|deployment| wrong_roles(inventory, deployment)));
        faults.extend(certificate_keys(inventory, service, up));
        if let Some(deployment) = deployment {
            faults.extend(policy::closed(inventory, service, deployment, health.last_success));
        }
        health.faults = faults;
        health
    }
}

/// Judges the bundle of a live configuration; a manifest carries none, the webhook writes it.
fn certificate_fault(
    inventory: &Inventory,
    registration: &Registration,
    now: Option<jiff::Timestamp>,
) -> Option<CertificateFault> {
    registration.created?;
    let client = &registration.entry.client_config;
    let service = client.service.as_ref();
    // An address without a bundle is checked against the API server's own roots.
    if service.is_none() && client.ca_bundle.is_empty() {
        return None;
    }
    let serving = service.map(|service| serving_certificate(inventory, service)).unwrap_or_default();
    let host = service.map(|service| format!("{}.{}.svc", service.name, service.namespace));
    judge(&client.ca_bundle, serving, host.as_deref(), now)
}

/// The certificates of `tls.crt` in the webhook's Secret; none where it was not read.
fn serving_certificate<'a>(inventory: &'a Inventory, service: &ServiceReference) -> &'a [String] {
    match inventory.secret(&service.namespace, CERTIFICATE_SECRET) {
        Fact::Known(secret) => secret.entry("tls.crt").map(|entry| entry.certificates.as_slice()).unwrap_or_default(),
        _ => &[],
    }
}

fn last_success(inventory: &Inventory) -> Option<jiff::Timestamp> {
    let labelled = inventory.pods().iter().filter(|pod| pod.meta.label(keys::USE_LABEL).is_some());
    labelled.filter(|pod| is_mutated(&pod.spec)).filter_map(|pod| pod.meta.created).max()
}

fn failed_call(inventory: &Inventory, names: &[&str]) -> Option<FailedCall> {
    let events = inventory.events().iter().filter_map(|event| match Refusal::read(&event.message, names)? {
        Refusal::NotReached(how) => {
            Some(FailedCall { how, about: event.about.clone(), last: event.last, count: event.count })
        }
        _ => None,
    });
    events.max_by_key(|call| call.last)
}

fn deployment<'a>(
    inventory: &'a Inventory,
    webhook: &WebhookInstallation,
    service: &ServiceReference,
) -> Option<&'a Workload> {
    let serving = webhook.deployments.iter().find(|found| found.namespace == service.namespace)?;
    inventory.workload("Deployment", &serving.namespace, &serving.name)
}

/// Ready and all endpoints of a Service, from its slices, else from its `Endpoints`.
fn endpoints(inventory: &Inventory, service: &ServiceReference) -> Option<(usize, usize)> {
    let of_service = |slice: &&RawObject| {
        slice.meta.namespace() == service.namespace
            && slice.meta.label("kubernetes.io/service-name") == Some(service.name.as_str())
    };
    let slices: Vec<&RawObject> = inventory.others_of("EndpointSlice").filter(of_service).collect();
    if !slices.is_empty() {
        let all = slices.iter().filter_map(|slice| slice.value.get("endpoints")?.as_array()).flatten();
        let ready = |endpoint: &&Value| endpoint.pointer("/conditions/ready").and_then(Value::as_bool) != Some(false);
        return Some((all.clone().filter(ready).count(), all.count()));
    }
    if let Some(object) = inventory.other("Endpoints", Some(&service.namespace), &service.name).known() {
        let subsets = || object.value.get("subsets").and_then(Value::as_array).into_iter().flatten();
        let count =
            |field: &str| subsets().filter_map(|subset| subset.get(field)?.as_array()).map(Vec::len).sum::<usize>();
        let ready = count("addresses");
        return Some((ready, ready + count("notReadyAddresses")));
    }
    let listed = inventory.was_listed("EndpointSlice", Some(&service.namespace));
    listed.then_some((0, 0))
}

fn service_missing(inventory: &Inventory, service: &ServiceReference) -> Option<Fault> {
    let asked = inventory.was_listed("Service", Some(&service.namespace))
        || inventory.was_looked_for("Service", Some(&service.namespace), &service.name);
    let gone = asked && inventory.other("Service", Some(&service.namespace), &service.name).is_absent();
    gone.then(|| Fault {
        object: ObjectRef::new("v1", "Service", Some(&service.namespace), &service.name),
        path: String::new(),
        what: format!("the webhook's Service {}/{} does not exist", service.namespace, service.name),
        inferred: false,
        later: false,
        evidence: vec!["its MutatingWebhookConfiguration still sends pods there".to_owned()],
        advice: "install the webhook again, or delete the configuration that it left behind",
        command: format!("kubectl get svc,deploy -n {}", service.namespace),
    })
}

fn no_endpoints(service: &ServiceReference) -> Fault {
    Fault {
        object: ObjectRef::new("v1", "Service", Some(&service.namespace), &service.name),
        path: "/spec/selector".to_owned(),
        what: "the webhook's Service has no ready endpoint".to_owned(),
        inferred: false,
        later: false,
        evidence: Vec::new(),
        advice: "make the Service's selector and ports fit the webhook's pods",
        command: format!(
            "kubectl get endpointslices,pods -n {} -l {}=true",
            service.namespace,
            super::deployment::SYSTEM_LABEL
        ),
    }
}

/// A Deployment without a replica that is ready, or whose new replicas do not come up.
fn not_running(inventory: &Inventory, deployment: &Workload, up: bool) -> Option<Fault> {
    let (status, object) = (&deployment.status, &deployment.meta.object);
    let desired = deployment.replicas.unwrap_or(1);
    let seen = status.observed_generation.is_some();
    let ready = status.ready_replicas.unwrap_or_default();
    let condition = status.conditions.iter().find(|condition| {
        (condition.kind == "Progressing" && condition.reason == "ProgressDeadlineExceeded")
            || (condition.kind == "ReplicaFailure" && condition.status == "True")
    });
    let what = match condition {
        _ if desired == 0 => "the webhook is scaled to 0 replicas".to_owned(),
        _ if seen && ready == 0 && !up => format!("no replica of the webhook is ready (0 of {desired})"),
        Some(_) if seen && ready < desired => format!("the webhook's rollout is stuck, {ready} of {desired} ready"),
        _ => return None,
    };
    let mut evidence: Vec<String> = condition
        .map(|condition| format!("condition {}: {} {}", condition.kind, condition.reason, condition.message))
        .into_iter()
        .collect();
    let pods = inventory.pods_of(deployment);
    evidence.extend(pods.iter().filter(|pod| pod.is_live() && !pod.ready).take(3).map(|pod| {
        let waits: Vec<String> = pod.waiting.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
        let restarts = if pod.restarts > 0 { format!(", {} restarts", pod.restarts) } else { String::new() };
        format!("pod {} is not ready ({}{restarts})", pod.meta.name(), waits.join(", "))
    }));
    Some(Fault {
        object: object.clone(),
        path: if desired == 0 { "/spec/replicas".to_owned() } else { String::new() },
        what,
        inferred: false,
        later: up && desired > 0,
        evidence,
        advice: if desired == 0 {
            "scale the webhook up again"
        } else {
            "find out why the webhook's pods do not get ready; its log says"
        },
        command: if desired == 0 {
            format!("kubectl scale {} -n {} --replicas 2", object.argument(), deployment.meta.namespace())
        } else {
            format!("kubectl logs {} -n {} --all-containers --tail 50", object.argument(), deployment.meta.namespace())
        },
    })
}

/// Bindings that name another account, and a cluster role that lacks what the webhook needs.
fn wrong_roles<'a>(inventory: &'a Inventory, deployment: &'a Workload) -> impl Iterator<Item = Fault> + 'a {
    let (namespace, account) = (deployment.meta.namespace(), deployment.account());
    let bindings = inventory.others_of("ClusterRoleBinding").filter(|binding| {
        let role = binding.value.pointer("/roleRef/name").and_then(Value::as_str);
        role == Some(ROLE)
    });
    let bindings: Vec<&RawObject> = bindings.collect();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let bound = bindings.iter().any(|binding| {
        let subjects = binding.value.get("subjects").and_then(Value::as_array).into_iter().flatten();
        subjects.into_iter().any(|s| text(s, "name") == account && text(s, "namespace") == namespace)
    });
    let unbound = bindings.first().filter(|_| !bound).map(|binding| {
        let subjects = binding.value.get("subjects").and_then(Value::as_array).into_iter().flatten();
        let others: Vec<String> = subjects.map(|s| format!("{}/{}", text(s, "namespace"), text(s, "name"))).collect();
        Fault {
            object: binding.meta.object.clone(),
            path: "/subjects".to_owned(),
            what: format!("the webhook's account {namespace}/{account} is not bound to its cluster role"),
            inferred: false,
            later: false,
            evidence: vec![format!("{} binds {}", binding.meta.object, others.join(", "))],
            advice: "bind the webhook's account to its role again; two installations overwrite each other's binding",
            command: format!("kubectl get clusterrolebinding {} -o yaml", binding.meta.name()),
        }
    });
    let role = inventory.other("ClusterRole", None, ROLE).known().copied();
    let lacking = role.filter(|role| !may_read_accounts(role)).map(|role| Fault {
        object: role.meta.object.clone(),
        path: "/rules".to_owned(),
        what: "the webhook may not read service accounts".to_owned(),
        inferred: false,
        later: false,
        evidence: vec![format!("ClusterRole {ROLE} lacks get, list and watch of serviceaccounts ({RBAC})")],
        advice: "give the webhook's role get, list and watch of serviceaccounts again",
        command: format!("kubectl get clusterrole {ROLE} -o yaml"),
    });
    unbound.into_iter().chain(lacking)
}

fn may_read_accounts(role: &RawObject) -> bool {
    let rules = role.value.get("rules").and_then(Value::as_array).into_iter().flatten();
    let has = |rule: &Value, field: &str, wanted: &str| {
        let list = rule.get(field).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).any(|entry| entry == wanted || entry == "*")
    };
    let allowing: Vec<&Value> = rules.filter(|rule| has(rule, "resources", "serviceaccounts")).collect();
    ["get", "list", "watch"].iter().all(|verb| allowing.iter().any(|rule| has(rule, "verbs", verb)))
}

/// A serving certificate whose Secret lacks a key. Manifests install it empty, the webhook fills it.
fn certificate_keys(inventory: &Inventory, service: &ServiceReference, up: bool) -> Option<Fault> {
    let Fact::Known(secret) = inventory.secret(&service.namespace, CERTIFICATE_SECRET) else { return None };
    if secret.meta.uid.is_none() && secret.meta.created.is_none() {
        return None;
    }
    let missing: Vec<&str> = ["ca.crt", "tls.crt", "tls.key"].into_iter().filter(|key| !secret.has(key)).collect();
    (!missing.is_empty()).then(|| Fault {
        object: secret.meta.object.clone(),
        path: "/data".to_owned(),
        what: format!("the Secret with the webhook's certificate lacks {}", missing.join(", ")),
        inferred: false,
        later: up,
        evidence: vec!["the webhook says \"Cert secret is not well-formed\", and does not get ready".to_owned()],
        advice: "restart the webhook, which fills the Secret again",
        command: format!("kubectl rollout restart deploy/{} -n {}", super::deployment::DEPLOYMENT, service.namespace),
    })
}
