//! Simulated, asked, running: what a pod should present to Entra, what the API server says it would, and what it does.
//!
//! Simulated is what the webhook as a function makes of the template and the account as they are now. Asked is the
//! API server's answer to a dry run of such a pod. Running is a pod that exists. Token volumes are compared by the
//! token that they project and never by name, and variables by what the container sees.

use super::Chain;
use crate::model::fact::Fact;
use crate::model::pod::{Container, PodSpec, PodTemplate, TemplateMeta};
use crate::model::workload::Pod;
use crate::webhook::injection::{ContainerInjection, Injection, Naming, injection};
use crate::webhook::keys;
use std::fmt;

/// What the API server answered to a dry run of a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The pod as it would be.
    Pod(Box<PodTemplate>),
    /// It would not be; the API server's words.
    Refused(String),
}

/// What is known of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Not set.
    Unset,
    /// Its value.
    Value(String),
    /// It comes from elsewhere, or depends on what was not seen.
    Unseen,
}

/// What one container presents to Entra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Name of the container.
    pub container: String,
    /// `AZURE_CLIENT_ID`
    pub client_id: Shown,
    /// `AZURE_TENANT_ID`
    pub tenant_id: Shown,
    /// `AZURE_AUTHORITY_HOST`
    pub authority_host: Shown,
    /// `AZURE_FEDERATED_TOKEN_FILE`
    pub token_file: Shown,
    /// Audience of the token that is mounted.
    pub audience: Shown,
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// There is no token at all, or one too many.
    Token,
    /// Another client id.
    ClientId,
    /// Another tenant.
    TenantId,
    /// Another audience.
    Audience,
    /// Another authority.
    AuthorityHost,
    /// The file stands elsewhere, which works as long as the variable says where.
    TokenFile,
    /// A variable is empty that would be left out, or the reverse.
    EmptyVariable,
}

impl Aspect {
    /// Whether the pod gets another identity by it, or none.
    pub fn matters(self) -> bool {
        !matches!(self, Self::TokenFile | Self::EmptyVariable)
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Token => "token",
            Self::ClientId => "client id",
            Self::TenantId => "tenant",
            Self::Audience => "audience",
            Self::AuthorityHost => "authority",
            Self::TokenFile => "token path",
            Self::EmptyVariable => "empty variable",
        })
    }
}

/// One difference between two pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Name of the container.
    pub container: String,
    /// What differs.
    pub aspect: Aspect,
    /// On the one side.
    pub expected: Option<String>,
    /// On the other side.
    pub found: Option<String>,
}

/// What the containers of a pod present, read from the pod itself.
pub fn presented(spec: &PodSpec) -> Vec<Presented> {
    spec.all_containers().map(|(_, _, container)| presented_by(spec, container)).collect()
}

fn presented_by(spec: &PodSpec, container: &Container) -> Presented {
    let token_file = variable(container, keys::ENV_TOKEN_FILE);
    Presented {
        container: container.name.clone(),
        client_id: variable(container, keys::ENV_CLIENT_ID),
        tenant_id: variable(container, keys::ENV_TENANT_ID),
        authority_host: variable(container, keys::ENV_AUTHORITY_HOST),
        audience: mounted_audience(spec, container, &token_file).map_or(Shown::Unset, Shown::Value),
        token_file,
    }
}

fn variable(container: &Container, name: &str) -> Shown {
    match container.variable(name) {
        None => Shown::Unset,
        Some(variable) => variable.literal().map_or(Shown::Unseen, |value| Shown::Value(value.to_owned())),
    }
}

/// The audience of the token that stands at the file; where none does, of any mounted token for somebody else than
/// the API server.
fn mounted_audience(spec: &PodSpec, container: &Container, file: &Shown) -> Option<String> {
    let mut other = None;
    for mount in &container.volume_mounts {
        let Some(volume) = spec.volumes.iter().find(|volume| volume.name == mount.name) else { continue };
        for source in volume.projected.iter().flat_map(|projected| &projected.sources) {
            let Some(token) = &source.service_account_token else { continue };
            let Some(audience) = token.audience.clone().filter(|audience| !audience.is_empty()) else { continue };
            let path = format!("{}/{}", mount.mount_path.trim_end_matches('/'), token.path);
            if *file == Shown::Value(path) {
                return Some(audience);
            }
            other = other.or(Some(audience));
        }
    }
    other
}

/// What the containers of a template present once the webhook has acted.
pub fn simulated(template: &PodTemplate, injected: &Injection) -> Vec<Presented> {
    let containers = template.spec.all_containers();
    containers
        .filter_map(|(list, index, container)| {
            let own = injected.containers.iter().find(|own| own.list == list && own.index == index)?;
            Some(simulated_container(&template.spec, container, own, injected))
        })
        .collect()
}

fn simulated_container(
    spec: &PodSpec,
    container: &Container,
    own: &ContainerInjection,
    injected: &Injection,
) -> Presented {
    let mut shown = presented_by(spec, container);
    let added = |name: &str, slot: &mut Shown| {
        if let Some(variable) = own.variables.iter().find(|variable| variable.name == name) {
            *slot = variable.value.clone().map_or(Shown::Unseen, Shown::Value);
        }
    };
    added(keys::ENV_CLIENT_ID, &mut shown.client_id);
    added(keys::ENV_TENANT_ID, &mut shown.tenant_id);
    added(keys::ENV_AUTHORITY_HOST, &mut shown.authority_host);
    added(keys::ENV_TOKEN_FILE, &mut shown.token_file);
    if !own.skipped && shown.token_file == Shown::Value(injected.token.file.clone()) {
        shown.audience = Shown::Value(injected.token.audience.clone());
    }
    shown
}

/// What differs between two sides, container by container; containers that only one side has are left alone.
pub fn differences(expected: &[Presented], found: &[Presented]) -> Vec<Difference> {
    let pairs =
        expected.iter().filter_map(|one| Some((one, found.iter().find(|other| other.container == one.container)?)));
    pairs.flat_map(|(one, other)| container_differences(one, other)).collect()
}

fn container_differences(expected: &Presented, found: &Presented) -> Vec<Difference> {
    let text = |shown: &Shown| match shown {
        Shown::Value(value) => Some(value.clone()),
        Shown::Unset | Shown::Unseen => None,
    };
    let difference = |aspect, one: &Shown, other: &Shown| Difference {
        container: expected.container.clone(),
        aspect,
        expected: text(one),
        found: text(other),
    };
    let has_token = |side: &Presented| side.token_file != Shown::Unset || side.audience != Shown::Unset;
    if has_token(expected) != has_token(found) {
        return vec![difference(Aspect::Token, &expected.audience, &found.audience)];
    }
    let mut all = Vec::new();
    for (aspect, one, other) in [
        (Aspect::ClientId, &expected.client_id, &found.client_id),
        (Aspect::TenantId, &expected.tenant_id, &found.tenant_id),
        (Aspect::Audience, &expected.audience, &found.audience),
        (Aspect::AuthorityHost, &expected.authority_host, &found.authority_host),
        (Aspect::TokenFile, &expected.token_file, &found.token_file),
    ] {
        if one == other || *one == Shown::Unseen || *other == Shown::Unseen {
            continue;
        }
        let empty = |shown: &Shown| matches!(shown, Shown::Unset) || *shown == Shown::Value(String::new());
        let aspect = if empty(one) && empty(other) { Aspect::EmptyVariable } else { aspect };
        all.push(difference(aspect, one, other));
    }
    all
}

/// The three sides of one pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Sides {
    /// As computed.
    pub simulated: Vec<Presented>,
    /// As the API server answered, where it was asked and did not refuse.
    pub asked: Option<Vec<Presented>>,
}

impl Sides {
    /// What the API server's answer has otherwise than was computed: then the webhook, or what is known of it, is off.
    pub fn answered_otherwise(&self) -> Vec<Difference> {
        self.asked.as_ref().map(|asked| differences(&self.simulated, asked)).unwrap_or_default()
    }

    /// What a running pod has otherwise than a new one would: then the pod is off. The API server's answer goes
    /// before what was computed, and where the pod has what was computed, not the pod is off but the answer.
    pub fn outdated(&self, running: &PodSpec) -> Vec<Difference> {
        let running = presented(running);
        let from_simulated = differences(&self.simulated, &running);
        let Some(asked) = &self.asked else { return from_simulated };
        let mut outdated = differences(asked, &running);
        outdated.retain(|difference| {
            let same =
                |other: &Difference| other.container == difference.container && other.aspect == difference.aspect;
            from_simulated.iter().any(same)
        });
        outdated
    }
}

impl Chain<'_> {
    /// What a new pod would present, with the template that a running one was made from; `None` where account or
    /// webhook are not known well enough, or where no such pod would come to be.
    pub fn sides(&self, running: &Pod) -> Option<Sides> {
        let template = self.template_behind(running)?;
        let simulated = self.simulate(&template)?;
        Some(Sides { simulated, asked: self.asked_containers() })
    }

    /// The same for the workload's own template.
    pub fn sides_of_template(&self) -> Option<Sides> {
        let simulated = self.simulate(self.template()?)?;
        Some(Sides { simulated, asked: self.asked_containers() })
    }

    fn asked_containers(&self) -> Option<Vec<Presented>> {
        match self.asked() {
            Fact::Known(Answer::Pod(pod)) => Some(presented(&pod.spec)),
            _ => None,
        }
    }

    fn simulate(&self, template: &PodTemplate) -> Option<Vec<Presented>> {
        let account = match self.account() {
            Fact::Known(account) => account.into(),
            _ => return None,
        };
        let settings = self.settings();
        let injected = injection(template, Naming::AsSent, Some(account), &settings).ok()?;
        Some(simulated(template, &injected))
    }

    /// The pod as it was before the webhook: its own name, labels and annotations, and the specification of the
    /// template that it was made from.
    fn template_behind(&self, pod: &Pod) -> Option<PodTemplate> {
        let workload = self.workload()?;
        let metadata = TemplateMeta {
            name: Some(pod.meta.name().to_owned()),
            generate_name: None,
            labels: pod.meta.labels.clone(),
            annotations: pod.meta.annotations.clone(),
        };
        let owner = pod.meta.controller();
        let children = self.children();
        let made_by = owner.and_then(|owner| {
            children.iter().find(|child| child.meta.object.kind == owner.kind && child.meta.name() == owner.name)
        });
        let spec = match made_by {
            Some(child) => child.template.spec.clone(),
            None if !workload.is_from_pod() => workload.template.spec.clone(),
            // Nothing tells what of such a pod was injected: what stands at the end, in the webhook's order, was.
            None => without_injected(&pod.spec),
        };
        (spec.account() == self.account_name()).then_some(PodTemplate { metadata, spec })
    }
}

/// The variables that the webhook adds, in its order.
const ADDED: &[&str] = &[
    keys::ENV_CLIENT_ID,
    keys::ENV_TENANT_ID,
    keys::ENV_TOKEN_FILE,
    keys::ENV_AUTHORITY_HOST,
    keys::ENV_TOKEN_PROXY,
    keys::ENV_SNI_NAME,
    keys::ENV_CA_FILE,
    keys::ENV_CA_DATA,
];

fn without_injected(spec: &PodSpec) -> PodSpec {
    let mut spec = spec.clone();
    for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
        while container.env.last().is_some_and(|variable| ADDED.contains(&variable.name.as_str())) {
            container.env.pop();
        }
    }
    spec.volumes.retain(|volume| {
        volume.projected.iter().flat_map(|p| &p.sources).all(|source| {
            source.service_account_token.as_ref().is_none_or(|token| !token.path.ends_with(keys::TOKEN_NAME))
        })
    });
    let names: Vec<String> = spec.volumes.iter().map(|volume| volume.name.clone()).collect();
    for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
        container.volume_mounts.retain(|mount| names.contains(&mount.name));
    }
    spec
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    fn spec(client_id: &str, audience: &str, volume: &str, path: &str) -> PodSpec {
        let value = json!({
            "containers": [{
                "name": "app",
                "env": [
                    {"name": "AZURE_CLIENT_ID", "value": client_id},
                    {"name": "AZURE_FEDERATED_TOKEN_FILE", "value": format!("{path}/azure-identity-token")},
                ],
                "volumeMounts": [{"name": volume, "mountPath": path}],
            }],
            "volumes": [{"name": volume, "projected": {"sources": [
                {"serviceAccountToken": {"audience": audience, "path": "azure-identity-token"}},
            ]}}],
        });
        PodSpec::deserialize(value).unwrap()
    }

    fn aspects(one: &PodSpec, other: &PodSpec) -> Vec<Aspect> {
        differences(&presented(one), &presented(other)).iter().map(|difference| difference.aspect).collect()
    }

    #[test]
    fn volumes_are_compared_by_what_they_project() {
        let one = spec("a", "api://AzureADTokenExchange", "azure-identity-token", "/x");
        assert_eq!(aspects(&one, &spec("a", "api://AzureADTokenExchange", "other-name", "/x")), []);
        assert_eq!(aspects(&one, &spec("a", "api://Else", "azure-identity-token", "/x")), [Aspect::Audience]);
        assert_eq!(
            aspects(&one, &spec("b", "api://AzureADTokenExchange", "v", "/y")),
            [Aspect::ClientId, Aspect::TokenFile]
        );
        let bare = PodSpec::deserialize(json!({"containers": [{"name": "app"}]})).unwrap();
        assert_eq!(aspects(&one, &bare), [Aspect::Token]);
    }

    #[test]
    fn values_from_elsewhere_make_no_difference() {
        let mut value = json!({"containers": [{"name": "app", "env": [{"name": "AZURE_CLIENT_ID", "value": ""}]}]});
        let empty = PodSpec::deserialize(&value).unwrap();
        value["containers"][0]["env"][0] =
            json!({"name": "AZURE_CLIENT_ID", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
        let elsewhere = PodSpec::deserialize(&value).unwrap();
        value["containers"][0]["env"] = Value::Null;
        let unset = PodSpec::deserialize(&value).unwrap();
        assert_eq!(aspects(&empty, &elsewhere), []);
        assert_eq!(aspects(&unset, &empty), [Aspect::EmptyVariable]);
    }

    #[test]
    fn the_answer_of_the_api_server_goes_before_what_was_computed() {
        let (running, computed) = (spec("a", "x", "v", "/x"), spec("b", "x", "v", "/x"));
        let sides = |asked: &PodSpec| Sides { simulated: presented(&computed), asked: Some(presented(asked)) };
        // The webhook still injects what runs: the pod is fine, the computation or the webhook is off.
        assert!(sides(&running).outdated(&running).is_empty());
        assert_eq!(sides(&running).answered_otherwise().len(), 1);
        // The webhook agrees with the computation: the pod is outdated.
        assert_eq!(sides(&computed).outdated(&running).len(), 1);
        assert!(sides(&computed).answered_otherwise().is_empty());
        // The pod runs as computed, only the answer differs: a restart would make it worse.
        let other = spec("c", "x", "v", "/x");
        assert!(sides(&other).outdated(&computed).is_empty());
        // All three differ.
        assert_eq!(sides(&other).outdated(&running).len(), 1);
    }
}
