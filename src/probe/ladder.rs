//! The ways to a token, one after the other, for one container.

use super::environment::{self, Variables};
use super::ephemeral::{self, Started};
use super::facts::{Attempt, ContainerProbe, Method, Outcome, TokenFile, VariablesFrom};
use super::file;
use super::network;
use super::reader::{self, Content, Inside, PATIENCE, Ran, Reader, Search, first_line};
use super::token_request;
use crate::cluster::{Client, Error, resource};
use crate::model::pod::{Container, PodSpec};
use crate::model::workload::Pod;
use crate::token::jwt::RawToken;
use crate::webhook::keys;
use serde_json::Value;

/// Which way was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// Down the ladder, until one gives an answer.
    #[default]
    Auto,
    /// This one and no other.
    Only(Method),
}

impl Choice {
    fn allows(self, method: Method) -> bool {
        self == Self::Auto || self == Self::Only(method)
    }
}

/// Asks a person whether an ephemeral container may be added; the text says what that means.
pub type Consent<'a> = dyn FnMut(&str) -> bool + 'a;

/// What is probed, and how.
#[derive(Clone, Copy)]
pub struct Ladder<'a> {
    /// The API server.
    pub client: &'a Client,
    /// The namespace.
    pub namespace: &'a str,
    /// The account that the pod runs as.
    pub account: &'a str,
    /// The audience that is expected, where the pod has no volume that says one.
    pub audience: &'a str,
    /// The pod, where there is one.
    pub pod: Option<&'a Pod>,
    /// The container; where there is no pod, that of the template.
    pub container: &'a Container,
    /// Where it stands in the pod.
    pub path: &'a str,
    /// Which way.
    pub choice: Choice,
    /// The image of the ephemeral container.
    pub image: &'a str,
    /// The authority host to be reached from the pod, with its port; `None` where nobody asked.
    pub host: Option<(&'a str, u16)>,
    /// Whether the host is tried from the container itself too, and not only from an ephemeral one.
    pub network: bool,
}

/// What was seen, and the token where there is one.
pub struct Climbed {
    /// What was seen; nothing of the token yet.
    pub probe: ContainerProbe,
    /// The token.
    pub token: Option<RawToken>,
    /// The node's clock in seconds since 1970, where it was seen, and this machine's at that moment.
    pub node_clock: Option<(i64, i64)>,
}

/// Why a way gave no answer; decides whether the next one is worth trying.
enum Stuck {
    /// Nothing in the image reads a file, or what read it gave no answer.
    Reader,
    /// No program can be run in the pod at all.
    Exec,
}

impl Ladder<'_> {
    /// Climbs.
    pub async fn climb(&self, consent: &mut Consent<'_>) -> Climbed {
        let mut climbed = Climbed {
            probe: ContainerProbe {
                pod: self.pod.map(|pod| pod.meta.name().to_owned()),
                container: self.container.name.clone(),
                path: self.path.to_owned(),
                ..ContainerProbe::default()
            },
            token: None,
            node_clock: None,
        };
        let mut variables = environment::of_specification(self.container);
        let mut stuck = Stuck::Reader;
        if self.choice.allows(Method::Exec) {
            match self.exec(&mut climbed, &mut variables).await {
                Ok(()) => return climbed.with(&variables),
                Err(why) => stuck = why,
            }
        }
        let beside = matches!(stuck, Stuck::Reader) || self.choice == Choice::Only(Method::Ephemeral);
        if beside && self.choice.allows(Method::Ephemeral) && self.beside(&mut climbed, &variables, consent).await {
            return climbed.with(&variables);
        }
        if self.choice.allows(Method::TokenRequest) {
            self.request(&mut climbed, &variables).await;
        }
        climbed.with(&variables)
    }

    fn inside<'b>(&'b self, pod: &'b Pod, container: &'b str) -> Inside<'b> {
        Inside { client: self.client, namespace: self.namespace, pod: pod.meta.name(), container }
    }

    /// Reads the file with what the image has.
    async fn exec(&self, climbed: &mut Climbed, variables: &mut Variables) -> Result<(), Stuck> {
        let Some(pod) = self.pod else {
            climbed.note(Method::Exec, Outcome::NotPossible, "there is no pod");
            return Err(Stuck::Exec);
        };
        let inside = self.inside(pod, &self.container.name);
        let readers = if is_windows(&pod.spec) { reader::WINDOWS } else { reader::LINUX };
        let reader = match reader::search(&inside, readers).await {
            Search::Found(reader, read) => {
                if let Some(read) = read {
                    *variables = read;
                }
                reader
            }
            Search::None => {
                let why = "the image has no program that can read a file: no cat, busybox, sh, python3 or node";
                climbed.note(Method::Exec, Outcome::NotPossible, why);
                return Err(Stuck::Reader);
            }
            Search::Stopped(ran) => {
                let (outcome, why) = match ran {
                    Ran::Denied(why) => (Outcome::Denied, why),
                    Ran::NotRunning(why) => (Outcome::NotPossible, format!("the container does not run: {why}")),
                    Ran::Unknown(why) => (Outcome::Unknown, why),
                    Ran::NoProgram | Ran::Ended { .. } => (Outcome::Unknown, "nothing came back".to_owned()),
                };
                climbed.note(Method::Exec, outcome, why);
                return Err(Stuck::Exec);
            }
        };
        if !reader.is_windows() {
            climbed.node_clock = clock(&inside, reader).await;
        }
        if self.network
            && let Some((host, port)) = self.host
        {
            climbed.probe.network = network::reach(&inside, host, port, variables.proxied).await;
        }
        let Some(path) = variables.get(keys::ENV_TOKEN_FILE).map(str::to_owned) else {
            if variables.from == VariablesFrom::Specification && variables.may_have_more {
                let why =
                    "the container's variables could not be read, and its specification takes some from elsewhere";
                climbed.note(Method::Exec, Outcome::Unknown, why);
                return Err(Stuck::Exec);
            }
            climbed.probe.method = Some(Method::Exec);
            climbed.note(Method::Exec, Outcome::Done, "the container has no AZURE_FEDERATED_TOKEN_FILE");
            return Ok(());
        };
        if self.look(climbed, &inside, reader, &path, &path, Method::Exec).await { Ok(()) } else { Err(Stuck::Reader) }
    }

    /// Reads a token file and what is to be known of it; whether that gave an answer. `told` is the path as the
    /// container's variable has it, `path` where it is read.
    async fn look(
        &self,
        climbed: &mut Climbed,
        inside: &Inside<'_>,
        reader: Reader,
        told: &str,
        path: &str,
        method: Method,
    ) -> bool {
        let mut seen = TokenFile { path: told.to_owned(), ..TokenFile::default() };
        let content = reader.read(inside, path).await;
        if !reader.is_windows() {
            if let Content::Bytes(status) = reader.read(inside, "/proc/self/status").await {
                seen.reader_uid = file::effective_uid(&String::from_utf8_lossy(&status));
            }
            if let Some(stat) = stat(inside, path).await {
                seen.exists = Some(true);
                seen.mode = Some(format!("{:04o}", stat.mode));
                (seen.uid, seen.gid) = (Some(stat.uid), Some(stat.gid));
                let node = climbed.node_clock.map_or_else(now, |(node, local)| node + (now() - local));
                seen.age_seconds = stat.modified.map(|modified| (node - modified).max(0));
            }
        }
        let why = match content {
            Content::Bytes(mut bytes) => {
                (seen.exists, seen.readable) = (Some(true), Some(true));
                match RawToken::from_bytes(std::mem::take(&mut *bytes)) {
                    Ok(token) => climbed.token = Some(token),
                    Err(error) => seen.said = Some(error.to_string()),
                }
                format!("read with {}", reader.name())
            }
            Content::Missing(said) => {
                seen.exists = Some(false);
                seen.said = Some(said.clone());
                format!("{} ran and says: {said}", reader.name())
            }
            Content::Unreadable(said) => {
                seen.readable = Some(false);
                seen.said = Some(said.clone());
                format!("{} ran and says: {said}", reader.name())
            }
            Content::Unknown(why) => {
                climbed.probe.file = Some(seen);
                climbed.note(method, Outcome::Unknown, format!("{} gave no answer: {why}", reader.name()));
                return false;
            }
        };
        climbed.probe.file = Some(seen);
        climbed.probe.method = Some(method);
        climbed.note(method, Outcome::Done, why);
        true
    }

    /// Reads the file from an ephemeral container; whether that gave an answer.
    async fn beside(&self, climbed: &mut Climbed, variables: &Variables, consent: &mut Consent<'_>) -> bool {
        let Some(pod) = self.pod else {
            climbed.note(Method::Ephemeral, Outcome::NotPossible, "there is no pod");
            return false;
        };
        let Some(told) = variables.get(keys::ENV_TOKEN_FILE).map(str::to_owned) else {
            let why =
                "the specification of the container has no AZURE_FEDERATED_TOKEN_FILE, so there is no file to look for";
            climbed.note(Method::Ephemeral, Outcome::NotPossible, why);
            return false;
        };
        if pod.phase != "Running" {
            let why = format!("the pod does not run: {}", if pod.phase.is_empty() { "no phase" } else { &pod.phase });
            climbed.note(Method::Ephemeral, Outcome::NotPossible, why);
            return false;
        }
        let whole = match self.client.get::<Value>(&resource::POD, Some(self.namespace), pod.meta.name()).await {
            Ok(whole) => whole,
            Err(error) => {
                climbed.refused(&error);
                return false;
            }
        };
        let name = format!("wi-probe-{}", suffix());
        let place = match ephemeral::place(&whole, &self.container.name, &told, self.image, &name) {
            Ok(place) => place,
            Err(why) => {
                climbed.note(Method::Ephemeral, Outcome::NotPossible, why.to_string());
                return false;
            }
        };
        let question = format!(
            "An ephemeral container {name} ({}) can read it. It mounts the pod's token volume, prints nothing and ends \
             after {} s at most; but it stays listed in pod {}/{} until the pod goes, and a pull that fails is tried \
             again for as long.",
            self.image,
            ephemeral::DEADLINE,
            self.namespace,
            pod.meta.name()
        );
        if !consent(&question) {
            climbed.note(Method::Ephemeral, Outcome::NotAsked, "nobody said yes to an ephemeral container");
            climbed.probe.next = Some(format!(
                "kubectl wi exec-probe pod/{} -n {} -c {} --method ephemeral",
                pod.meta.name(),
                self.namespace,
                self.container.name
            ));
            return false;
        }
        if let Err(error) = ephemeral::add(self.client, &whole, &place).await {
            climbed.refused(&error);
            return false;
        }
        match ephemeral::wait(self.client, self.namespace, pod.meta.name(), &name).await {
            Started::Running => {}
            Started::Failed(why) => {
                climbed.note(Method::Ephemeral, Outcome::NotPossible, format!("{name} did not start: {why}"));
                return false;
            }
            Started::Waiting(why) => {
                let rest = format!("should it start later, it ends by itself after {} s", ephemeral::DEADLINE);
                climbed.note(Method::Ephemeral, Outcome::Unknown, format!("{name}: {why}; {rest}"));
                return false;
            }
        }
        let inside = self.inside(pod, &name);
        let reader = reader::LINUX[0];
        climbed.node_clock = clock(&inside, reader).await;
        if let Some((host, port)) = self.host {
            climbed.probe.network = network::reach(&inside, host, port, variables.proxied).await;
        }
        let answered = self.look(climbed, &inside, reader, &told, &place.path, Method::Ephemeral).await;
        if place.moved {
            climbed.probe.not_proved.push(
                "whether the container's own mount is as new as the volume: it has a subPath, which never follows a \
                 rotation"
                    .to_owned(),
            );
        }
        climbed
            .probe
            .not_proved
            .push("the variables as the container sees them: taken from its specification".to_owned());
        if !ephemeral::end(&inside, &whole).await {
            let why = format!("{name} could not be told to end; it ends by itself after {} s", ephemeral::DEADLINE);
            climbed.note(Method::Ephemeral, Outcome::Done, why);
        }
        answered
    }

    /// Asks the API server.
    async fn request(&self, climbed: &mut Climbed, variables: &Variables) {
        let told = variables.get(keys::ENV_TOKEN_FILE);
        let projected = self.pod.and_then(|pod| volume_audience(&pod.spec, self.container, told?));
        let asked = token_request::Asked {
            namespace: self.namespace,
            account: self.account,
            audience: projected.as_deref().unwrap_or(self.audience),
            pod: self.pod.and_then(|pod| Some((pod.meta.name(), pod.meta.uid.as_deref()?))),
        };
        match token_request::request(self.client, &asked).await {
            Ok(token) => {
                climbed.token = Some(token);
                climbed.probe.method = Some(Method::TokenRequest);
                climbed.probe.not_proved.extend(token_request::NOT_PROVED.iter().map(|line| (*line).to_owned()));
                let bound = if asked.pod.is_some() { ", bound to the pod" } else { "" };
                let why = format!("a token for {}{bound}, {} s", asked.audience, token_request::LIFETIME);
                climbed.note(Method::TokenRequest, Outcome::Done, why);
            }
            Err(error) => {
                let outcome = outcome_of(&error);
                climbed.note(Method::TokenRequest, outcome, first_line(&error.to_string()));
            }
        }
    }
}

impl Climbed {
    fn note(&mut self, method: Method, outcome: Outcome, why: impl Into<String>) {
        self.probe.attempts.push(Attempt { method, outcome, why: why.into() });
    }

    fn refused(&mut self, error: &Error) {
        self.note(Method::Ephemeral, outcome_of(error), first_line(&error.to_string()));
    }

    fn with(mut self, variables: &Variables) -> Self {
        self.probe.environment.clone_from(&variables.azure);
        self.probe.environment_from = variables.from;
        self
    }
}

fn outcome_of(error: &Error) -> Outcome {
    match error {
        Error::Denied { .. } => Outcome::Denied,
        Error::Rejected { .. } | Error::Invalid { .. } | Error::Conflict { .. } => Outcome::NotPossible,
        error if error.is_absent() => Outcome::NotPossible,
        _ => Outcome::Unknown,
    }
}

fn is_windows(spec: &PodSpec) -> bool {
    let selected = spec.node_selector.as_ref().and_then(|selector| selector.get("kubernetes.io/os"));
    spec.os.as_ref().is_some_and(|os| os.name == "windows") || selected.is_some_and(|os| os == "windows")
}

/// The audience of the projected token that a path of a container leads to.
pub fn volume_audience(spec: &PodSpec, container: &Container, path: &str) -> Option<String> {
    let (mount, below) = container
        .volume_mounts
        .iter()
        .filter_map(|mount| {
            let rest = path.strip_prefix(mount.mount_path.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| (mount, rest.trim_start_matches('/')))
        })
        .min_by_key(|(_, below)| below.len())?;
    let volume = spec.volumes.iter().find(|volume| volume.name == mount.name)?;
    let wanted = match mount.sub_path.as_deref().filter(|sub| !sub.is_empty()) {
        Some(sub) if below.is_empty() => sub.to_owned(),
        Some(sub) => format!("{}/{below}", sub.trim_end_matches('/')),
        None => below.to_owned(),
    };
    let mut tokens = volume.projected.iter().flat_map(|projected| &projected.sources);
    let token = tokens.find_map(|source| source.service_account_token.as_ref().filter(|token| token.path == wanted))?;
    token.audience.clone().filter(|audience| !audience.is_empty())
}

async fn stat(inside: &Inside<'_>, path: &str) -> Option<file::Stat> {
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
    let output = |ran: Ran| match ran {
        Ran::Ended { code: 0, stdout, .. } => Some(String::from_utf8_lossy(&stdout).into_owned()),
        _ => None,
    };
    let said = output(inside.run(&["stat", "-L", "-c", "%a %u %g %Y", &path], PATIENCE).await);
    if let Some(stat) = said.and_then(|text| file::of_stat(&text)) {
        return Some(stat);
    }
    file::of_ls(&output(inside.run(&["ls", "-lnL", &path], PATIENCE).await)?)
}

/// The node's clock, and this machine's at that moment.
async fn clock(inside: &Inside<'_>, reader: Reader) -> Option<(i64, i64)> {
    if let Ran::Ended { code: 0, stdout, .. } = inside.run(&["date", "+%s"], PATIENCE).await
        && let Ok(node) = String::from_utf8_lossy(&stdout).trim().parse()
    {
        return Some((node, now()));
    }
    let mut command = reader.command("/proc/stat");
    command.push("/proc/uptime".to_owned());
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match inside.run(&words, PATIENCE).await {
        Ran::Ended { code: 0, stdout, .. } => Some((file::node_clock(&String::from_utf8_lossy(&stdout))?, now())),
        _ => None,
    }
}

/// This machine's clock, in seconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A few letters that two probes do not have in common.
fn suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut number = jiff::Timestamp::now().as_nanosecond().unsigned_abs() / 1000 + u128::from(std::process::id());
    let mut letters = String::new();
    for _ in 0..6 {
        let at = usize::try_from(number % LETTERS.len() as u128).unwrap_or_default();
        letters.push(char::from(LETTERS[at]));
        number /= LETTERS.len() as u128;
    }
    letters
}
