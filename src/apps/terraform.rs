//! Runners of Terraform and OpenTofu, whose provider for Azure has variables of its own.
//!
//! Sources: hashicorp/terraform-provider-azurerm, "Authenticating using a Service Principal with Open ID Connect" and
//! "Authenticating using AKS Workload Identity"; hashicorp/go-azure-sdk `sdk/auth`.

use super::config::{self, Variable};
use super::marks::{Marks, Sighting};
use super::{Application, Need, Part};
use crate::chain::Chain;
use crate::model::finding::{Fix, FixKind, Level, Link};
use crate::model::pod::Container;
use crate::rules::{Needs, Reads, Report, Rule, rule};
use crate::webhook::keys;

/// A runner of Terraform or OpenTofu.
#[derive(Debug)]
pub struct Terraform;

impl Application for Terraform {
    fn name(&self) -> &'static str {
        "terraform"
    }

    fn title(&self) -> &'static str {
        "Terraform"
    }

    fn recognise<'a>(&self, marks: &Marks<'a>) -> Option<Sighting<'a>> {
        let spec = &marks.template.spec;
        let told = |container: &Container| {
            container.env.iter().any(|variable| variable.name.starts_with("ARM_")) || !container.env_from.is_empty()
        };
        spec.all_containers().any(|(_, _, c)| told(c)).then_some(Sighting {
            component: "runner",
            score: 0,
            container: None,
        })
    }

    fn need(&self, part: &Part<'_>) -> Need {
        let containers = part.workload.template.spec.all_containers();
        let asking = containers.filter(|(_, _, c)| Runner::of(part, c).asks().is_some());
        Need::of(
            asking
                .map(|(_, _, c)| format!("container {} asks the Azure provider of Terraform for a token", c.name))
                .collect(),
        )
    }

    fn passes_client_id(&self, part: &Part<'_>) -> Option<String> {
        let containers = part.workload.template.spec.all_containers();
        let mut asking =
            containers.map(|(_, _, c)| Runner::of(part, c)).filter(|runner| runner.asks().is_some()).peekable();
        asking.peek()?;
        asking.all(|runner| runner.is_set("ARM_CLIENT_ID")).then(|| "ARM_CLIENT_ID is set".to_owned())
    }
}

/// One container's variables.
struct Runner<'p, 'a> {
    part: &'p Part<'a>,
    container: &'p Container,
}

impl<'p, 'a> Runner<'p, 'a> {
    fn of(part: &'p Part<'a>, container: &'p Container) -> Self {
        Self { part, container }
    }

    fn get(&self, name: &str) -> Option<Variable> {
        config::variable(self.part.inventory, self.part.namespace(), self.container, name)
    }

    fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|variable| variable.is_set())
    }

    fn is_on(&self, name: &str) -> bool {
        self.get(name).and_then(|variable| variable.flag()) == Some(true)
    }

    /// The switch that asks for a token.
    fn asks(&self) -> Option<&'static str> {
        ["ARM_USE_AKS_WORKLOAD_IDENTITY", "ARM_USE_OIDC"].into_iter().find(|name| self.is_on(name))
    }

    /// Whether something of the environment may hide in an object that was not read.
    fn hides(&self) -> bool {
        let (inventory, namespace) = (self.part.inventory, self.part.namespace());
        self.container.env_from.iter().any(|from| {
            let secret =
                from.secret_ref.as_ref().is_some_and(|s| inventory.secret(namespace, &s.name).known().is_none());
            let map = from.config_map_ref.as_ref();
            secret || map.is_some_and(|m| inventory.other("ConfigMap", Some(namespace), &m.name).known().is_none())
        })
    }
}

rule! {
    /// ## What it does
    /// Finds a runner of Terraform or OpenTofu whose `ARM_*` variables ask for a federated token and contradict what is
    /// injected.
    ///
    /// ## Why it breaks
    /// The provider does not read the webhook's variables by itself. With `ARM_USE_AKS_WORKLOAD_IDENTITY` it does; with
    /// `ARM_USE_OIDC` it needs `ARM_OIDC_TOKEN_FILE_PATH` and `ARM_CLIENT_ID`. A client secret or certificate comes
    /// first. `$(AZURE_FEDERATED_TOKEN_FILE)` in `env` stays as it is: the kubelet only replaces what stands earlier in
    /// the list, and the webhook appends its variables.
    ///
    /// ## How it is known
    /// From the containers' variables, with those of `ConfigMaps` and Secrets (names, ids and switches only).
    ///
    /// ## Fix
    /// Set `ARM_USE_AKS_WORKLOAD_IDENTITY=true` and remove the others; the provider then reads what is injected.
    ///
    /// ## Fix safety
    /// Restarts the runner.
    ///
    /// ## References
    /// - terraform-provider-azurerm issue 20671 (3.44.0 to 3.46 ignore `ARM_OIDC_TOKEN_FILE_PATH`)
    TerraformRunnerConfig {
        code: "WI779",
        name: "terraform-runner-config",
        level: Level::Error,
        link: Link::Application,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects, Reads::Secrets, Reads::Webhook],
        fix: Some(FixKind::Manual),
    }
}

impl Rule for TerraformRunnerConfig {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(part) = chain.part("terraform").filter(|_| chain.is_meant()) else { return };
        let _ = (chain.inventory(), chain.secrets());
        let client_id = chain.injected().client_id;
        let token_file = match chain.injection() {
            Some(Ok(injection)) if chain.webhook().known().is_some() => Some(injection.token.file),
            _ => None,
        };
        for (list, at, container) in part.workload.template.spec.all_containers() {
            let runner = Runner::of(part, container);
            let Some(switch) = runner.asks() else { continue };
            let path = chain.template_path(&format!("/spec/{}/{at}/env", list.field()));
            let fix = Fix::manual(
                "set ARM_USE_AKS_WORKLOAD_IDENTITY=true and remove ARM_USE_OIDC, ARM_OIDC_TOKEN_FILE_PATH and secrets",
            );
            if let Some((level, message)) = judge(&runner, switch, client_id.as_deref(), token_file.as_deref()) {
                report
                    .add(&part.workload.meta.object, path.clone(), format!("container {}: {message}", container.name))
                    .level(level)
                    .fix(fix.clone());
            }
        }
    }
}

/// What is wrong; one is told of, the one that wins.
fn judge(
    runner: &Runner<'_, '_>,
    switch: &str,
    client_id: Option<&str>,
    token_file: Option<&str>,
) -> Option<(Level, String)> {
    let secrets = ["ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_CLIENT_CERTIFICATE"];
    if let Some(name) = secrets.iter().find(|name| runner.is_set(name)) {
        return Some((Level::Error, format!("{name} is set beside {switch}; the provider takes it first")));
    }
    for name in ["ARM_OIDC_TOKEN_FILE_PATH", "ARM_CLIENT_ID", "ARM_TENANT_ID"] {
        let value = runner.get(name);
        let text = value.as_ref().and_then(Variable::text).unwrap_or_default();
        if let Some(inner) = config::reference(text).filter(|inner| inner.starts_with("AZURE_")) {
            let earlier = runner.container.env.iter().take_while(|variable| variable.name != name);
            if !earlier.into_iter().any(|variable| variable.name == inner) {
                return Some((
                    Level::Error,
                    format!(
                        "{name} is {text}, which the kubelet does not replace: what is injected stands later in the list"
                    ),
                ));
            }
        }
    }
    let by_webhook = switch == "ARM_USE_AKS_WORKLOAD_IDENTITY";
    let file = runner.get("ARM_OIDC_TOKEN_FILE_PATH");
    let file_text = file.as_ref().and_then(Variable::text);
    if let (Some(own), Some(injected)) = (file_text, token_file)
        && !own.is_empty()
        && own != injected
        && config::reference(own).is_none()
        && is_webhook_path(own)
    {
        return Some((Level::Error, format!("ARM_OIDC_TOKEN_FILE_PATH is {own}, and the token stands at {injected}")));
    }
    if !by_webhook && !runner.hides() {
        let other = [
            "ARM_OIDC_TOKEN",
            "ARM_OIDC_REQUEST_URL",
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
        ];
        if !file.is_some_and(|file| file.is_set()) && !other.iter().any(|name| runner.is_set(name)) {
            return Some((Level::Error, "ARM_USE_OIDC is on and no ARM_OIDC_TOKEN_FILE_PATH is given; the provider does not look at the injected path".to_owned()));
        }
        if !runner.is_set("ARM_CLIENT_ID") {
            return Some((
                Level::Error,
                "ARM_USE_OIDC is on and no ARM_CLIENT_ID is given; the provider does not look at AZURE_CLIENT_ID"
                    .to_owned(),
            ));
        }
    }
    let own = runner.get("ARM_CLIENT_ID");
    if let (Some(own), Some(injected)) = (own.as_ref().and_then(Variable::text), client_id)
        && !own.is_empty()
        && config::reference(own).is_none()
        && !own.eq_ignore_ascii_case(injected)
    {
        return Some((
            Level::Warning,
            format!(
                "ARM_CLIENT_ID is {own}, and the service account carries {injected}; its credential has to be on the former"
            ),
        ));
    }
    None
}

/// Whether a path is one that a release of the webhook used; others may be a projection of the runner's own.
fn is_webhook_path(path: &str) -> bool {
    path.ends_with(keys::TOKEN_NAME) && path.starts_with("/var/run/secrets/")
}
