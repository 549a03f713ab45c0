//! Another credential that the SDK takes before the token.

use crate::chain::Chain;
use crate::chain::containers::{Need, need};
use crate::chain::environment::Setting;
use crate::model::finding::{Change, Fix, FixKind, Level, Link, Operation};
use crate::model::pod::{Container, ContainerList};
use crate::model::workload::Workload;
use crate::rules::edit::{arguments, template_fix_by};
use crate::rules::{Needs, Reads, Report, Rule, rule};

rule! {
    /// ## What it does
    /// Finds a container of a workload that is meant for workload identity in which a client secret, a certificate, a
    /// user's password or `AZURE_TOKEN_CREDENTIALS` makes the Azure SDK take another credential.
    ///
    /// ## Why it breaks
    /// `DefaultAzureCredential` tries the environment first: with `AZURE_CLIENT_SECRET`,
    /// `AZURE_CLIENT_CERTIFICATE_PATH`, or `AZURE_USERNAME` and `AZURE_PASSWORD` set, the projected token is never
    /// used. The client id and tenant that the webhook injects complete that credential, and when the secret expires
    /// Entra answers `AADSTS7000222` or `AADSTS7000215`. `AZURE_TOKEN_CREDENTIALS=dev` takes workload identity off the
    /// list altogether.
    ///
    /// ## How it is known
    /// From `env` and `envFrom` in the pod template. Of a Secret that was read only the names of its keys count, never
    /// their values; one that was not read accuses nobody. An empty value takes nothing.
    ///
    /// ## Fix
    /// Remove the variable, and delete the secret in Azure once nothing uses it any more.
    ///
    /// ## Fix safety
    /// Changing the template rolls the pods over. Make sure first that the identity has the roles that the old
    /// credential had.
    ///
    /// ## References
    /// - Azure SDK, "Credential chains in the Azure Identity library"
    /// - azidentity `default_azure_credential.go`, azure-identity `_credentials/default.py`
    ClientSecretPrecedence {
        code: "WI109",
        name: "client-secret-precedence",
        level: Level::Error,
        link: Link::PodTemplate,
        needs: &[Needs::Manifests, Needs::Live],
        reads: &[Reads::Template, Reads::Account, Reads::Objects],
        fix: Some(FixKind::Restart),
    }
}

/// Variables that make a credential by themselves, and what they make.
const CREDENTIALS: &[(&str, &str)] =
    &[("AZURE_CLIENT_SECRET", "a client secret"), ("AZURE_CLIENT_CERTIFICATE_PATH", "a certificate")];
/// The user's name, which counts together with a password only.
const USER: (&str, &str) = ("AZURE_USERNAME", "AZURE_PASSWORD");
/// Which credentials an SDK may try.
const ALLOWED: &str = "AZURE_TOKEN_CREDENTIALS";

impl Rule for ClientSecretPrecedence {
    fn check(&self, chain: &Chain<'_>, report: &mut Report<'_>) {
        let Some(workload) = chain.workload() else { return };
        if !chain.is_meant() || !super::takes_token(chain) {
            return;
        }
        for (list, index, container) in workload.template.spec.all_containers() {
            if need(&workload.template, list, container) == Need::Unlikely {
                continue;
            }
            let at = (list, index, container);
            for (name, what) in CREDENTIALS {
                let setting = chain.setting(container, name);
                if setting.is_set() {
                    let follows = format!("the SDK takes {what} before the projected token");
                    add(chain, workload, at, name, &setting, &follows, report);
                }
            }
            let (user, password) = (chain.setting(container, USER.0), chain.setting(container, USER.1));
            if user.is_set() && password.is_set() {
                add(
                    chain,
                    workload,
                    at,
                    USER.0,
                    &user,
                    "the SDK takes a user's password before the projected token",
                    report,
                );
            }
            let allowed = chain.setting(container, ALLOWED);
            if allowed.value().is_some_and(|value| value.is(excludes_token)) {
                add(chain, workload, at, ALLOWED, &allowed, "the SDK does not try workload identity at all", report);
            }
        }
    }
}

/// Whether a list of allowed credentials leaves workload identity out: `dev`, or the name of another credential.
fn excludes_token(value: &str) -> bool {
    let value = value.trim();
    let others = [
        "dev",
        "EnvironmentCredential",
        "AzureCliCredential",
        "AzureDeveloperCliCredential",
        "AzurePowerShellCredential",
        "VisualStudioCredential",
        "VisualStudioCodeCredential",
        "InteractiveBrowserCredential",
        "BrokerCredential",
    ];
    others.iter().any(|other| value.eq_ignore_ascii_case(other))
}

fn add(
    chain: &Chain<'_>,
    workload: &Workload,
    (list, index, container): (ContainerList, usize, &Container),
    name: &str,
    setting: &Setting,
    follows: &str,
    report: &mut Report<'_>,
) {
    let Some(place) = setting.place() else { return };
    let path = chain.container_path(list, index, &place.path);
    let from = if place.object.is_empty() { String::new() } else { format!(" from {}", place.object) };
    let fix = if place.path.starts_with("/envFrom/") {
        let (kind, of) = place.object.split_once(' ').unwrap_or_default();
        let target = format!("{} {of} -n {}", kind.to_lowercase(), chain.namespace());
        Fix::new(FixKind::Manual, format!("take {name} out of {}, then restart", place.object)).command(format!(
            "kubectl patch {target} --type json -p '[{{\"op\":\"remove\",\"path\":\"/data/{name}\"}}]'"
        ))
    } else {
        let change =
            Change { object: workload.meta.object.clone(), patch: vec![Operation::Remove { path: path.clone() }] };
        let command = format!("kubectl set env {} -c {} {name}-", arguments(&workload.meta.object), container.name);
        template_fix_by(workload, format!("remove {name} from {}", container.name), &command, change)
    };
    let value = match name {
        ALLOWED => {
            setting.value().and_then(|value| value.shown()).map(|text| format!(" to {text}")).unwrap_or_default()
        }
        _ => String::new(),
    };
    report
        .add(&workload.meta.object, path, format!("container {} sets {name}{value}{from}; {follows}", container.name))
        .evidence_all(super::label::meant_evidence(chain).into_iter().take(1))
        .fix(fix);
}
