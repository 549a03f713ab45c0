//! cert-manager with DNS01 solvers of Azure DNS.
//!
//! Sources: cert-manager `pkg/issuer/acme/dns/azuredns` and `pkg/controller/acmechallenges` at the tags from 1.11 to
//! 1.21, its documentation on Azure DNS, issues 5085, 5652, 5745, 5989, 7136 and 7927.

use super::config;
use super::marks::{Marks, Sighting, Signs};
use super::message::classify;
use super::version::{Chart, Version};
use super::{Application, Keep, NamedResource, Need, OwnIdentity, Part, RoleNeed, custom, has_proxy, parts_of};
use crate::chain::Chain;
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::model::inventory::{Inventory, RawObject};
use crate::model::workload::Workload;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;
use serde_json::Value;

/// cert-manager.
#[derive(Debug)]
pub struct CertManager;

const CONTROLLER: &str = "controller";

const LOOKS: &[Signs] = &[
    Signs {
        component: CONTROLLER,
        images: &["jetstack/cert-manager-controller", "bitnami/cert-manager"],
        names: &["cert-manager"],
        charts: &["cert-manager"],
        containers: &["cert-manager-controller", "cert-manager"],
        workloads: &["cert-manager"],
        ..Signs::NONE
    },
    Signs {
        component: "webhook",
        images: &["jetstack/cert-manager-webhook", "bitnami/cert-manager-webhook"],
        names: &["webhook"],
        charts: &["cert-manager"],
        containers: &["cert-manager-webhook"],
        workloads: &["cert-manager-webhook"],
        ..Signs::NONE
    },
    Signs {
        component: "cainjector",
        images: &["jetstack/cert-manager-cainjector", "bitnami/cainjector"],
        names: &["cainjector"],
        charts: &["cert-manager"],
        containers: &["cert-manager-cainjector", "cainjector"],
        workloads: &["cert-manager-cainjector"],
        ..Signs::NONE
    },
];

/// A solver for Azure DNS, and where it stands.
struct Solver<'a> {
    issuer: &'a RawObject,
    path: String,
    value: &'a Value,
}

impl<'a> Solver<'a> {
    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.value.pointer(pointer)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    fn has_identity(&self) -> bool {
        self.value.get("managedIdentity").is_some()
    }

    fn has_secret(&self) -> bool {
        self.text("/clientSecretSecretRef/name").is_some()
    }
}

fn solvers(inventory: &Inventory) -> Vec<Solver<'_>> {
    let mine = |resource: &&RawObject| {
        let object = &resource.meta.object;
        object.api_version.starts_with("cert-manager.io/") && matches!(object.kind.as_str(), "Issuer" | "ClusterIssuer")
    };
    let mut found = Vec::new();
    for issuer in inventory.others().iter().filter(mine) {
        for (at, solver) in custom::list(issuer, "/spec/acme/solvers").iter().enumerate() {
            if let Some(value) = solver.pointer("/dns01/azureDNS") {
                found.push(Solver { issuer, path: format!("/spec/acme/solvers/{at}/dns01/azureDNS"), value });
            }
        }
    }
    found
}

impl Application for CertManager {
    fn name(&self) -> &'static str {
        "cert-manager"
    }

    fn title(&self) -> &'static str {
        "cert-manager"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        marks.best(LOOKS)
    }

    fn version_of_chart(&self, chart: &Chart) -> Option<Version> {
        // Chart and application are released under the same number.
        (chart.name == "cert-manager" && chart.version.at_least(1, 8, 0)).then(|| chart.version.clone())
    }

    fn need(&self, part: &Part<'_>) -> Need {
        if part.component != CONTROLLER {
            return Need::No;
        }
        let solvers = solvers(part.inventory);
        let mut why = Vec::new();
        for solver in &solvers {
            // A tenant is only used by workload identity; a client id alone may be the node's.
            if solver.text("/managedIdentity/tenantID").is_some() {
                why.push(format!("{} names the tenant of a managed identity", solver.issuer.meta.object));
            }
        }
        let labelled = part
            .inventory
            .account(part.namespace(), part.workload.account())
            .known()
            .is_some_and(|account| account.meta.label(keys::USE_LABEL) == Some(keys::USE_LABEL_VALUE));
        let by_identity = solvers.iter().find(|solver| solver.has_identity());
        if let Some(solver) = by_identity.filter(|_| labelled) {
            why.push(format!(
                "{} uses a managed identity, and the service account carries the label",
                solver.issuer.meta.object
            ));
        }
        if let Some((solver, text)) = by_identity.zip(challenge(part.inventory)).filter(|_| why.is_empty()) {
            why.push(format!("{} uses a managed identity: {text}", solver.issuer.meta.object));
        }
        Need::of(why)
    }

    fn passes_client_id(&self, part: &Part<'_>) -> Option<String> {
        let solvers = solvers(part.inventory);
        let asking: Vec<&Solver<'_>> = solvers.iter().filter(|solver| !solver.has_secret()).collect();
        if asking.is_empty() {
            return Some("a solver may name it in managedIdentity.clientID".to_owned());
        }
        let all = asking.iter().all(|solver| solver.text("/managedIdentity/clientID").is_some());
        all.then(|| "every solver names it in managedIdentity.clientID".to_owned())
    }

    fn identities(&self, part: &Part<'_>) -> Vec<OwnIdentity> {
        let mut found: Vec<OwnIdentity> = Vec::new();
        for solver in solvers(part.inventory).iter().filter(|solver| solver.has_identity()) {
            let client_id = solver.text("/managedIdentity/clientID").map(str::to_owned);
            let source = if client_id.is_some() { "application" } else { "webhook" };
            let tenant_id = solver.text("/managedIdentity/tenantID").map(str::to_owned);
            let identity = OwnIdentity { client_id, tenant_id, subject: None, source };
            if !found.contains(&identity) && part.component == CONTROLLER {
                found.push(identity);
            }
        }
        found
    }

    fn values(&self, part: &Part<'_>, keep: Keep) -> Option<String> {
        let chart = part.chart.as_ref().filter(|chart| chart.name == "cert-manager")?;
        // The chart of the project has versions of its application; Bitnami's counts for itself and nests.
        let image = part.workload.template.spec.containers.first().and_then(|container| container.image.as_deref());
        let bitnami = image.is_some_and(|image| image.contains("bitnami")) || !chart.version.at_least(0, 1, 0);
        let nest = |values: &str| if bitnami { format!("controller: {{{values}}}") } else { values.to_owned() };
        Some(nest(match keep {
            Keep::PodLabel => "podLabels: {azure.workload.identity/use: \"true\"}",
            Keep::ClientId => "serviceAccount: {annotations: {azure.workload.identity/client-id: CLIENT_ID}}",
            Keep::TenantId => "serviceAccount: {annotations: {azure.workload.identity/tenant-id: TENANT_ID}}",
            Keep::AccountName => "serviceAccount: {create: false, name: SERVICE_ACCOUNT}",
            Keep::Automount => "serviceAccount: {automountServiceAccountToken: true}",
        }))
    }

    fn roles(&self, part: &Part<'_>) -> Vec<RoleNeed> {
        let mut roles: Vec<RoleNeed> = Vec::new();
        for solver in solvers(part.inventory).iter().filter(|solver| !solver.has_secret()) {
            let need = RoleNeed {
                role: "DNS Zone Contributor",
                scope: format!("the DNS zone {}", solver.text("/hostedZoneName").unwrap_or_default()),
                why: "writing the challenge's TXT record",
                or: &["Contributor"],
                on: zone_of(solver).into_iter().collect(),
            };
            if !roles.contains(&need) && part.component == CONTROLLER {
                roles.push(need);
            }
        }
        roles
    }

    fn resources(&self) -> &'static [(&'static str, &'static str)] {
        &[("cert-manager.io", "Issuer"), ("cert-manager.io", "ClusterIssuer"), ("acme.cert-manager.io", "Challenge")]
    }

    fn users<'a>(&self, _resource: &'a RawObject, inventory: &'a Inventory) -> Vec<&'a Workload> {
        let parts = parts_of(inventory, self.name());
        parts.into_iter().filter(|part| part.component == CONTROLLER).map(|part| part.workload).collect()
    }

    fn resource_need(&self, resource: &RawObject, inventory: &Inventory) -> Need {
        let object = &resource.meta.object;
        let asks = solvers(inventory)
            .into_iter()
            .any(|solver| solver.issuer.meta.object == *object && solver.text("/managedIdentity/tenantID").is_some());
        Need::of(asks.then(|| format!("{object} names the tenant of a managed identity")).into_iter().collect())
    }
}

/// What a Challenge that waits says about a failure of identity.
fn challenge(inventory: &Inventory) -> Option<String> {
    inventory.others_of("Challenge").find_map(|challenge| {
        let text = custom::filled(challenge, "/status/reason")?;
        classify(text).filter(|meaning| meaning.class.is_about_identity()).map(|_| text.to_owned())
    })
}

/// The DNS zone that a solver writes to.
fn zone_of(solver: &Solver<'_>) -> Option<NamedResource> {
    let field = |pointer| solver.text(pointer).map(str::to_owned);
    Some(NamedResource {
        group: field("/resourceGroupName"),
        subscription: field("/subscriptionID"),
        ..NamedResource::named("Microsoft.Network/dnsZones", solver.text("/hostedZoneName"))?
    })
}

rule! {
    /// ## What it does
    /// Finds solvers of Azure DNS, arguments and releases of cert-manager that contradict workload identity.
    ///
    /// ## Why it breaks
    /// cert-manager takes the token where `AZURE_FEDERATED_TOKEN_FILE` is set, but only for solvers without a client
    /// secret: the top-level `clientID` belongs to a service principal. `managedIdentity` takes `clientID` or
    /// `resourceID`, never both, and with the token `resourceID` is ignored. A namespaced Issuer may only use ambient
    /// credentials where the controller runs with `--issuer-ambient-credentials`. Workload identity came with 1.11.0;
    /// 1.15.0 and 1.15.1 panic on an authentication error, such as a wrong client id.
    ///
    /// ## How it is known
    /// From the issuers' solvers (the Challenge's copy is not judged), the controller's arguments and its image. The line
    /// `No ClientID found: attempting to authenticate with ambient credentials` is normal.
    ///
    /// ## Fix
    /// A solver for workload identity has `managedIdentity: {clientID: ...}` and neither `clientID` nor
    /// `clientSecretSecretRef` at the top.
    ///
    /// ## Fix safety
    /// An issuer is read anew at once; arguments restart the controller.
    ///
    /// ## References
    /// - cert-manager, "AzureDNS"; pull request 5570 (1.11.0); issues 7136 and 7927
    CertManagerSolver {
        code: "WI772",
        name: "cert-manager-solver",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Metadata),
    }
}

impl Rule for CertManagerSolver {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        if !chain.is_meant() {
            return;
        }
        let inventory = chain.inventory();
        let part = chain.part("cert-manager").filter(|part| part.component == CONTROLLER);
        let own = chain.resource_of("cert-manager");
        if part.is_none() && own.is_none() {
            return;
        }
        if let Some(part) = part {
            releases(chain, part, report);
        }
        for solver in solvers(inventory) {
            if own.is_some_and(|own| own.meta.object != solver.issuer.meta.object) {
                continue;
            }
            fields(&solver, part, report);
            ambient(chain, &solver, part, report);
        }
        if let Some(text) = challenge(inventory).filter(|_| part.is_some())
            && let Some(resource) =
                inventory.others_of("Challenge").find(|c| custom::filled(c, "/status/reason") == Some(&text))
            && let Some(meaning) = classify(&text)
        {
            let object = &resource.meta.object;
            report
                .add(object, "/status/reason", format!("{object} waits; {}", meaning.says))
                .evidence(custom::shown(&text))
                .points_to_all(meaning.points_to)
                .consequence()
                .fix(Fix::manual("mend the cause, then look again").command(command("describe", resource)));
        }
    }
}

fn releases(chain: &Chain<'_>, part: &Part<'_>, report: &mut Report<'_>) {
    let Some(version) = &part.version else { return };
    let (level, what) = if part.older_than(1, 11, 0) {
        let level = if has_proxy(part) { Level::Warning } else { Level::Error };
        (level, "knows no workload identity, which came with 1.11.0; it asks the node")
    } else if part.is_release(1, 15, 0) || part.is_release(1, 15, 1) {
        (Level::Warning, "panics on an authentication error such as a wrong client id; 1.15.2 does not")
    } else {
        return;
    };
    report
        .add(
            &part.workload.meta.object,
            chain.template_path("/spec/containers"),
            format!("cert-manager {version} {what}"),
        )
        .level(level)
        .fix(Fix::manual("upgrade cert-manager"));
}

fn fields(solver: &Solver<'_>, part: Option<&Part<'_>>, report: &mut Report<'_>) {
    let object = &solver.issuer.meta.object;
    let edit = command("edit", solver.issuer);
    let mut tell = |below: &str, level: Level, message: String, remove: Option<&str>| {
        let mut fix = Fix::new(
            if remove.is_some() { FixKind::Metadata } else { FixKind::Manual },
            "leave managedIdentity.clientID alone in the solver",
        )
        .command(edit.clone());
        if let Some(name) = remove {
            let path = format!("{}/{name}", solver.path);
            fix = fix.change(Change { object: object.clone(), patch: vec![Operation::Remove { path }] });
        }
        report.add(object, format!("{}{below}", solver.path), message).level(level).fix(fix);
    };
    let top = solver.text("/clientID");
    if solver.has_secret() && solver.has_identity() {
        tell(
            "/clientSecretSecretRef",
            Level::Error,
            format!("a solver of {object} has both a client secret and managedIdentity; cert-manager refuses it"),
            None,
        );
    } else if solver.has_secret() && top.is_some() {
        tell(
            "/clientSecretSecretRef",
            Level::Warning,
            format!("a solver of {object} uses a service principal with its secret; workload identity is not used"),
            None,
        );
    } else if solver.has_secret() {
        tell(
            "/clientSecretSecretRef",
            Level::Error,
            format!("a solver of {object} has a client secret without clientID; cert-manager refuses it"),
            None,
        );
    } else if top.is_some() {
        tell(
            "/clientID",
            Level::Error,
            format!(
                "a solver of {object} has clientID at the top, which belongs to a service principal; cert-manager asks for its secret"
            ),
            Some("clientID"),
        );
    }
    if let (Some(_), Some(_)) = (solver.text("/managedIdentity/clientID"), solver.text("/managedIdentity/resourceID")) {
        tell(
            "/managedIdentity/resourceID",
            Level::Error,
            format!("a solver of {object} has both managedIdentity.clientID and resourceID; cert-manager refuses it"),
            Some("managedIdentity/resourceID"),
        );
    } else if solver.text("/managedIdentity/resourceID").is_some() {
        tell(
            "/managedIdentity/resourceID",
            Level::Warning,
            format!(
                "managedIdentity.resourceID in a solver of {object} is ignored with a token; clientID, or the account's annotation, counts"
            ),
            None,
        );
    }
    if solver.text("/managedIdentity/tenantID").is_some() && part.is_some_and(|part| part.older_than(1, 17, 0)) {
        tell(
            "/managedIdentity/tenantID",
            Level::Warning,
            format!("managedIdentity.tenantID in a solver of {object} is known from cert-manager 1.17 on"),
            None,
        );
    }
}

fn ambient(chain: &Chain<'_>, solver: &Solver<'_>, part: Option<&Part<'_>>, report: &mut Report<'_>) {
    let Some(part) = part else { return };
    let object = &solver.issuer.meta.object;
    if solver.text("/clientID").is_some() || solver.has_secret() {
        return;
    }
    let Some(container) = part.workload.template.spec.containers.first() else { return };
    let (flag, allowed) = if object.kind == "Issuer" {
        let flag = "issuer-ambient-credentials";
        (flag, config::is_on(container, flag) == Some(true))
    } else {
        let flag = "cluster-issuer-ambient-credentials";
        (flag, config::is_on(container, flag) != Some(false))
    };
    if allowed {
        return;
    }
    report
        .add(
            &part.workload.meta.object,
            chain.template_path("/spec/containers/0/args"),
            format!("{object} needs ambient credentials, and the controller runs without --{flag}; its challenges fail with \"ClientID was omitted\""),
        )
        .fix(
            Fix::manual(format!("run the controller with --{flag}, or use a ClusterIssuer"))
                .values(part.chart.as_ref().map(|_| format!("extraArgs: [\"--{flag}\"]"))),
        );
}

fn command(verb: &str, resource: &RawObject) -> String {
    let object = &resource.meta.object;
    let namespace = object.namespace.as_deref().map(|ns| format!(" -n {ns}")).unwrap_or_default();
    format!("kubectl {verb} {}/{}{namespace}", object.kind.to_lowercase(), object.name)
}
