//! `kubectl wi rbac`: the least roles that the features need, ready for `kubectl apply -f -`.

use super::error::Failure;
use super::{Surroundings, output};
use crate::azure::rights as azure_rights;
use crate::cluster::collect::rights::{self, PATHS, Place, Right};
use serde_json::{Value, json};

/// Arguments of `rbac`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kubectl wi rbac | kubectl apply -f -\n  kubectl create clusterrolebinding kubectl-wi --clusterrole=kubectl-wi-inspect --group=on-call\n  kubectl wi rbac --in velero                   for one namespace\n  kubectl wi rbac --for inspect,exec-probe,fix  a role for each"
)]
pub struct Args {
    /// The features: inspect (simulate included), exec-probe, fix, azure; a role for each
    #[arg(long = "for", value_name = "FEATURES", value_delimiter = ',', value_enum, default_value = "inspect")]
    features: Vec<Feature>,
    /// Only for one namespace: a Role there, and what has to be read elsewhere
    #[arg(long = "in", value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Without the right to fetch Secrets by name, for inspect --no-secrets
    #[arg(long)]
    no_secrets: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Feature {
    /// Read everything that a verdict needs
    Inspect,
    /// Run a reader in pods, ask for tokens
    ExecProbe,
    /// Change workloads, accounts and what configures applications
    Fix,
    /// Ask Azure, and correct federated credentials: commands of the Azure CLI
    Azure,
}

/// Where the webhook is: with the AKS add-on, and with its Helm chart or manifests.
const WEBHOOK_NAMESPACES: [&str; 2] = ["kube-system", "azure-workload-identity-system"];

/// Runs `rbac`.
pub fn run(args: &Args, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    let mut documents: Vec<String> = Vec::new();
    if args.features.contains(&Feature::Azure) {
        let alone = args.features.iter().all(|feature| *feature == Feature::Azure);
        // Beside Kubernetes' roles these lines are comments, so that the whole can be applied.
        let mark = if alone { "" } else { "# " };
        let lines: String = azure_rights::lines().iter().map(|line| format!("{mark}{line}\n")).collect();
        around.stdout.write_all(lines.as_bytes())?;
        if alone {
            return Ok(0);
        }
    }
    for feature in &args.features {
        let (name, mut rights) = match feature {
            Feature::Inspect => ("inspect", rights::inspect()),
            Feature::ExecProbe => ("exec-probe", rights::exec_probe()),
            Feature::Fix => ("fix", rights::fix()),
            Feature::Azure => continue,
        };
        rights.retain(|right| !(args.no_secrets && right.resource == "secrets"));
        let paths = (*feature == Feature::Inspect).then(|| json!({"nonResourceURLs": PATHS, "verbs": ["get"]}));
        for role in roles(&format!("kubectl-wi-{name}"), &rights, paths.as_ref(), args.namespace.as_deref()) {
            let mut text = Vec::new();
            output::write_yaml(&mut text, &role)?;
            documents.push(String::from_utf8_lossy(&text).into_owned());
        }
    }
    around.stdout.write_all(documents.join("---\n").as_bytes())?;
    Ok(0)
}

/// The roles of a feature: one for the whole cluster, or those that one namespace needs.
fn roles(name: &str, rights: &[Right], paths: Option<&Value>, namespace: Option<&str>) -> Vec<Value> {
    let of = |places: &[Place]| rules(rights.iter().filter(|right| places.contains(&right.place)));
    let cluster = |places: &[Place]| {
        let mut rules = of(places);
        rules.extend(paths.cloned());
        role("ClusterRole", &json!({"name": name}), rules)
    };
    let Some(namespace) = namespace else {
        return vec![cluster(&[Place::Inspected, Place::Webhook, Place::Cluster])];
    };
    let mut roles = vec![
        cluster(&[Place::Cluster]),
        role("Role", &json!({"name": name, "namespace": namespace}), of(&[Place::Inspected])),
    ];
    for webhook in WEBHOOK_NAMESPACES {
        let metadata = json!({"name": format!("{name}-webhook"), "namespace": webhook});
        roles.push(role("Role", &metadata, of(&[Place::Webhook])));
    }
    roles.retain(|role| role["rules"].as_array().is_some_and(|rules| !rules.is_empty()));
    roles
}

fn role(kind: &str, metadata: &Value, rules: Vec<Value>) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules})
}

/// One rule for each group of the API and each set of verbs and names.
fn rules<'a>(rights: impl Iterator<Item = &'a Right>) -> Vec<Value> {
    let mut rules: Vec<(&Right, Vec<&str>)> = Vec::new();
    for right in rights {
        let alike =
            |other: &Right| other.group == right.group && other.verbs == right.verbs && other.names == right.names;
        match rules.iter_mut().find(|(other, _)| alike(other)) {
            Some((_, plurals)) if plurals.contains(&&*right.resource) => {}
            Some((_, plurals)) => plurals.push(&right.resource),
            None => rules.push((right, vec![&right.resource])),
        }
    }
    let value = |(right, plurals): (&Right, Vec<&str>)| {
        let mut rule = json!({"apiGroups": [right.group], "resources": plurals, "verbs": right.verbs});
        if !right.names.is_empty() {
            rule["resourceNames"] = json!(right.names);
        }
        rule
    };
    rules.into_iter().map(value).collect()
}
