//! `kubectl wi rbac`: the least roles that the features need, ready for `kubectl apply -f -`.

use super::error::Failure;
use super::{Surroundings, output};
use crate::azure::rights;
use crate::cluster::collect::rights::{PATHS, Place, RIGHTS, Right};
use serde_json::{Value, json};

/// Arguments of `rbac`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kubectl wi rbac | kubectl apply -f -\n  kubectl create clusterrolebinding kubectl-wi --clusterrole=kubectl-wi-inspect --group=on-call\n  kubectl wi rbac --in velero                   for one namespace"
)]
pub struct Args {
    /// The features: inspect (simulate included), azure; exec-probe and fix will come
    #[arg(long = "for", value_name = "FEATURES", value_delimiter = ',', value_enum, default_value = "inspect")]
    features: Vec<Feature>,
    /// Only for one namespace: a Role there, and what has to be read elsewhere
    #[arg(long = "in", value_name = "NAMESPACE")]
    namespace: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Feature {
    /// Read everything that a verdict needs
    Inspect,
    #[value(hide = true)]
    ExecProbe,
    #[value(hide = true)]
    Fix,
    /// Ask Azure, and correct federated credentials: commands of the Azure CLI
    Azure,
}

/// Where the webhook is: with the AKS add-on, and with its Helm chart or manifests.
const WEBHOOK_NAMESPACES: [&str; 2] = ["kube-system", "azure-workload-identity-system"];

/// Runs `rbac`.
pub fn run(args: &Args, around: &mut Surroundings<'_>) -> Result<u8, Failure> {
    for feature in &args.features {
        let later = match feature {
            Feature::Inspect | Feature::Azure => continue,
            Feature::ExecProbe => "exec-probe",
            Feature::Fix => "fix",
        };
        return Err(Failure::new(format!("--for {later} does not work yet"), None));
    }
    let mut documents: Vec<String> = Vec::new();
    if args.features.contains(&Feature::Azure) {
        let alone = args.features.iter().all(|feature| *feature == Feature::Azure);
        // Beside Kubernetes' roles these lines are comments, so that the whole can be applied.
        let mark = if alone { "" } else { "# " };
        let lines: String = rights::lines().iter().map(|line| format!("{mark}{line}\n")).collect();
        around.stdout.write_all(lines.as_bytes())?;
        if alone {
            return Ok(0);
        }
    }
    for role in roles(args.namespace.as_deref()) {
        let mut text = Vec::new();
        output::write_yaml(&mut text, &role)?;
        documents.push(String::from_utf8_lossy(&text).into_owned());
    }
    around.stdout.write_all(documents.join("---\n").as_bytes())?;
    Ok(0)
}

/// The roles of `inspect`: one for the whole cluster, or those that one namespace needs.
fn roles(namespace: Option<&str>) -> Vec<Value> {
    let name = "kubectl-wi-inspect";
    let of = |places: &[Place]| rules(RIGHTS.iter().filter(|right| places.contains(&right.place)));
    let paths = json!({"nonResourceURLs": PATHS, "verbs": ["get"]});
    let cluster = |places: &[Place]| {
        let mut rules = of(places);
        rules.push(paths.clone());
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
    roles
}

fn role(kind: &str, metadata: &Value, rules: Vec<Value>) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules})
}

/// One rule for each group of the API and each set of verbs and names.
fn rules<'a>(rights: impl Iterator<Item = &'a Right>) -> Vec<Value> {
    let mut rules: Vec<(&Right, Vec<&str>)> = Vec::new();
    for right in rights {
        let alike = |other: &Right| {
            other.resource.group == right.resource.group && other.verbs == right.verbs && other.names == right.names
        };
        match rules.iter_mut().find(|(other, _)| alike(other)) {
            Some((_, plurals)) if plurals.contains(&&*right.resource.plural) => {}
            Some((_, plurals)) => plurals.push(&right.resource.plural),
            None => rules.push((right, vec![&right.resource.plural])),
        }
    }
    let value = |(right, plurals): (&Right, Vec<&str>)| {
        let mut rule = json!({"apiGroups": [right.resource.group], "resources": plurals, "verbs": right.verbs});
        if !right.names.is_empty() {
            rule["resourceNames"] = json!(right.names);
        }
        rule
    };
    rules.into_iter().map(value).collect()
}
