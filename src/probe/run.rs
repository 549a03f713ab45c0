//! From a target to what was seen of its containers.

use super::exchange::{self, Wanted, Who};
use super::facts::{Attempt, Clock, ContainerProbe, Method, Outcome, ProbeFacts, ProbedToken, Signature};
use super::keys::{self, Keys};
use super::ladder::{Choice, Climbed, Consent, Ladder, now};
use crate::azure::Transport;
use crate::chain::{Chain, Target};
use crate::cluster::Client;
use crate::model::fact::Fact;
use crate::model::pod::{Container, ContainerList};
use crate::model::workload::Pod;
use crate::token::jwks;
use crate::token::jwt::{Jwt, RawToken};
use crate::webhook::keys as webhook;
use url::Url;

/// Which pods of the target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Pods {
    /// The one that is most likely to run.
    #[default]
    One,
    /// `--pod`
    Named(String),
    /// `--all-pods`
    All,
}

/// What is to be done.
pub struct Options {
    /// Which pods.
    pub pods: Pods,
    /// `-c`
    pub container: Option<String>,
    /// Which way.
    pub choice: Choice,
    /// The image of an ephemeral container.
    pub image: String,
    /// `--exchange`
    pub exchange: Option<Wanted>,
    /// `--authority-host`, also for trying the pod's network.
    pub authority: Option<crate::azure::Authority>,
    /// The way to Azure; `None` where it cannot be set up, or is not wanted.
    pub transport: Option<Transport>,
}

/// Something that was named and is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotThere {
    /// Nothing that runs pods.
    #[error("{0} is neither a workload nor a service account: there is nothing to probe")]
    NoWorkload(String),
    /// The target has no such pod.
    #[error("{target} has no pod {pod}")]
    Pod {
        /// What was asked.
        target: String,
        /// The pod.
        pod: String,
        /// The pods that it has.
        there: Vec<String>,
    },
    /// The pod has no such container.
    #[error("pod {pod} has no container {container}")]
    Container {
        /// The pod.
        pod: String,
        /// The container.
        container: String,
        /// The containers that it has.
        there: Vec<String>,
    },
}

/// Probes a target.
pub async fn run(
    client: &Client,
    chain: &Chain<'_>,
    options: &Options,
    consent: &mut Consent<'_>,
) -> Result<ProbeFacts, NotThere> {
    let pods = pods(chain, &options.pods)?;
    let mut facts = ProbeFacts::default();
    let mut keys: Option<Result<Keys, String>> = None;
    let template;
    let mut todo: Vec<(Option<&Pod>, String, &Container)> = Vec::new();
    for pod in &pods {
        for (path, container) in containers(pod, options.container.as_deref())? {
            todo.push((Some(pod), path, container));
        }
    }
    if pods.is_empty() {
        template = chain.template().and_then(|template| template.spec.containers.first().cloned()).unwrap_or_default();
        todo.push((None, String::new(), &template));
    }
    let audience = chain.audience();
    for (pod, path, container) in todo {
        let host = host(options, container);
        let ladder = Ladder {
            client,
            namespace: chain.namespace(),
            account: pod.map_or_else(|| chain.account_name(), |pod| pod.spec.account()),
            audience: &audience,
            pod,
            container,
            path: &path,
            choice: options.choice,
            image: &options.image,
            host: host.as_ref().map(|(host, port)| (host.as_str(), *port)),
            network: options.exchange.is_some(),
        };
        let mut climbed = ladder.climb(consent).await;
        if let Some(token) = climbed.token.take() {
            let parsed = Jwt::parse(&token);
            if let Ok(jwt) = &parsed {
                if keys.is_none() {
                    let issuer = chain.cluster().issuer.known().or(jwt.claims.issuer.as_ref());
                    keys = Some(keys::read(client, options.transport.as_ref(), issuer.map(String::as_str)).await);
                }
                climbed.probe.token = Some(verify(&token, jwt, keys.as_ref()));
                if let (Some(wanted), Some(transport)) = (&options.exchange, &options.transport) {
                    climbed.probe.exchange = Some(exchange_for(chain, &climbed.probe, wanted, transport, &token).await);
                }
            } else if let Err(error) = parsed {
                match &mut climbed.probe.file {
                    Some(file) => file.said = Some(error.to_string()),
                    None => climbed.probe.attempts.push(Attempt {
                        method: Method::TokenRequest,
                        outcome: Outcome::Unknown,
                        why: error.to_string(),
                    }),
                }
            }
        }
        climbed.probe.clock = clocks(client, &climbed);
        facts.pods.push(climbed.probe);
    }
    facts.now = now() - client.clock_ahead().unwrap_or_default();
    Ok(facts)
}

fn clocks(client: &Client, climbed: &Climbed) -> Clock {
    let ahead = client.clock_ahead();
    let node = climbed.node_clock.zip(ahead).map(|((node, local), ahead)| node - (local - ahead));
    Clock { node_skew_seconds: node, local_skew_seconds: ahead }
}

fn verify(token: &RawToken, jwt: &Jwt, keys: Option<&Result<Keys, String>>) -> ProbedToken {
    let seen = ProbedToken::of(jwt);
    match keys {
        Some(Ok(keys)) => seen.verified(jwks::verify(token, jwt, &keys.keys), &keys.from),
        Some(Err(why)) => ProbedToken { signature: Signature::NotChecked, signature_detail: Some(why.clone()), ..seen },
        None => seen,
    }
}

/// Exchanges with what the container has, and where it has nothing, with what the account and the webhook say.
async fn exchange_for(
    chain: &Chain<'_>,
    probe: &ContainerProbe,
    wanted: &Wanted,
    transport: &Transport,
    token: &RawToken,
) -> super::facts::ProbedExchange {
    let of_container =
        |key: &str| probe.environment.get(key).map(String::as_str).filter(|value| *value != super::environment::HIDDEN);
    let annotation = |key: &str| chain.peek_account()?.meta.annotation(key).filter(|value| !value.is_empty());
    let of_webhook = match chain.webhook() {
        Fact::Known(webhook) => webhook.settings.tenant_id.as_deref(),
        _ => None,
    };
    let who = Who {
        authority: of_container(webhook::ENV_AUTHORITY_HOST).filter(|host| !host.is_empty()),
        tenant: of_container(webhook::ENV_TENANT_ID)
            .filter(|tenant| !tenant.is_empty())
            .or_else(|| annotation(webhook::TENANT_ID))
            .or(of_webhook),
        client_id: of_container(webhook::ENV_CLIENT_ID).or_else(|| annotation(webhook::CLIENT_ID)),
    };
    exchange::run(transport, wanted, &who, token).await
}

/// The host and port to be reached from the pod.
fn host(options: &Options, container: &Container) -> Option<(String, u16)> {
    let wanted = options.authority.as_ref().map(ToString::to_string).or_else(|| {
        let host = container.variable(webhook::ENV_AUTHORITY_HOST)?.literal()?;
        crate::azure::Authority::known(host).ok().map(|authority| authority.to_string())
    })?;
    let url = Url::parse(&wanted).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

/// The pods that are probed, none where the target has none.
fn pods<'a>(chain: &Chain<'a>, wanted: &Pods) -> Result<Vec<&'a Pod>, NotThere> {
    let inventory = chain.inventory();
    let mut pods: Vec<&Pod> = match chain.target() {
        Target::Workload(workload) => inventory.pods_of(workload),
        Target::Account(account) => inventory.pods_of_account(account.meta.namespace(), account.meta.name()).collect(),
        Target::Other(other) => return Err(NotThere::NoWorkload(other.meta.object.to_string())),
    };
    pods.sort_by_key(|pod| {
        let running = pod.phase == "Running" && pod.meta.deleted.is_none();
        (!running, !pod.ready, !pod.is_live(), std::cmp::Reverse(pod.meta.created), pod.meta.object.clone())
    });
    match wanted {
        Pods::One => pods.truncate(1),
        Pods::All => pods.retain(|pod| pod.is_live()),
        Pods::Named(name) => {
            let there = pods.iter().map(|pod| pod.meta.name().to_owned()).collect();
            pods.retain(|pod| pod.meta.name() == name);
            if pods.is_empty() {
                return Err(NotThere::Pod { target: chain.target().object().to_string(), pod: name.clone(), there });
            }
        }
    }
    Ok(pods)
}

/// The containers of a pod that are probed, with their places: the one that was named, else those that are told of a
/// token file, else the pod's default one.
fn containers<'a>(pod: &'a Pod, wanted: Option<&str>) -> Result<Vec<(String, &'a Container)>, NotThere> {
    let placed = |(list, at, container): (ContainerList, usize, &'a Container)| {
        (format!("/spec/{}/{at}", list.field()), container)
    };
    let all = || pod.spec.all_containers();
    if let Some(name) = wanted {
        let found: Vec<_> = all().filter(|(_, _, container)| container.name == name).map(placed).collect();
        if found.is_empty() {
            let there = all().map(|(_, _, container)| container.name.clone()).collect();
            return Err(NotThere::Container { pod: pod.meta.name().to_owned(), container: name.to_owned(), there });
        }
        return Ok(found);
    }
    // An init container that is no sidecar has ended when the pod runs: nothing can be read in it.
    let runs = |(list, _, container): &(ContainerList, usize, &Container)| {
        *list == ContainerList::Main || container.restart_policy.as_deref() == Some("Always")
    };
    let told: Vec<_> = all()
        .filter(runs)
        .filter(|(_, _, container)| container.variable(webhook::ENV_TOKEN_FILE).is_some())
        .map(placed)
        .collect();
    if !told.is_empty() {
        return Ok(told);
    }
    let default = pod.meta.annotation("kubectl.kubernetes.io/default-container");
    let main = || all().filter(|(list, _, _)| *list == ContainerList::Main);
    let named = main().find(|(_, _, container)| Some(container.name.as_str()) == default);
    Ok(named.or_else(|| main().next()).map(placed).into_iter().collect())
}
