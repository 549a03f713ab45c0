//! What a probe saw, as plain data: what the rules read, and what a report prints.

use crate::token::check::TOLERATED_SKEW;
use crate::token::jwks::Verification;
use crate::token::jwt::{Jwt, RawToken};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// Everything that was seen of one target.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeFacts {
    /// What time it was, in seconds since 1970: the API server's clock where its answers told it, else this machine's.
    pub now: i64,
    /// Each container that was probed.
    pub pods: Vec<ContainerProbe>,
}

/// A way to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A program of the container's own image reads the file.
    Exec,
    /// An ephemeral container mounts the pod's token volume and reads the file.
    Ephemeral,
    /// The API server is asked for a token like the one in the file.
    TokenRequest,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Exec => "exec",
            Self::Ephemeral => "ephemeral",
            Self::TokenRequest => "token-request",
        })
    }
}

/// What came of trying a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It gave an answer: a token, or the proof that there is none.
    Done,
    /// It cannot work here: nothing in the image reads a file, the pod does not run, no volume holds the path.
    NotPossible,
    /// The user may not.
    Denied,
    /// It was not allowed to, because nobody said yes.
    NotAsked,
    /// It may work, but did not within the time, or broke off. Proves nothing.
    Unknown,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Which way.
    pub method: Method,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in one sentence without any part of a token.
    pub why: String,
}

/// Where the variables come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VariablesFrom {
    /// Read in the container.
    Container,
    /// The pod's specification: what the image or `envFrom` sets is not in it.
    #[default]
    Specification,
}

/// One container, and what was seen of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerProbe {
    /// The pod; `None` where no pod exists and a token of the account was asked for.
    pub pod: Option<String>,
    /// The container.
    pub container: String,
    /// JSON pointer of the container in the pod.
    pub path: String,
    /// The way that gave an answer; `None` where none did.
    pub method: Option<Method>,
    /// All ways that were tried, in order.
    pub attempts: Vec<Attempt>,
    /// The `AZURE_` variables. What may be secret is not shown.
    pub environment: BTreeMap<String, String>,
    /// Where they were read.
    pub environment_from: VariablesFrom,
    /// The token file; `None` where no variable names one, or nobody could look.
    pub file: Option<TokenFile>,
    /// The token without its signature.
    pub token: Option<ProbedToken>,
    /// Clocks against the API server's.
    pub clock: Clock,
    /// What Entra said to the token.
    pub exchange: Option<ProbedExchange>,
    /// Whether the authority host can be reached from the pod.
    pub network: Option<ProbedNetwork>,
    /// What this does not prove.
    pub not_proved: Vec<String>,
    /// The command that proves more.
    pub next: Option<String>,
}

/// The token file as the container sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenFile {
    /// What `AZURE_FEDERATED_TOKEN_FILE` says.
    pub path: String,
    /// Whether it is there; `None` where nothing tells.
    pub exists: Option<bool>,
    /// Whether the container's user could read it; `None` where nothing tells.
    pub readable: Option<bool>,
    /// Permission bits in octal, such as `0600`.
    pub mode: Option<String>,
    /// Owner.
    pub uid: Option<i64>,
    /// Group.
    pub gid: Option<i64>,
    /// Since it was written, by the node's clock where that is known.
    pub age_seconds: Option<i64>,
    /// As whom it was read.
    pub reader_uid: Option<i64>,
    /// What the program that read it said, where it could not.
    pub said: Option<String>,
}

/// A token without its signature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbedToken {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// Whether a published key signed it; `None` where that could not be checked.
    pub signature_verified: Option<bool>,
    /// What came of checking the signature.
    pub signature: Signature,
    /// Which key, or why it could not be checked.
    pub signature_detail: Option<String>,
    /// Where the keys come from.
    pub keys_from: Option<String>,
}

/// What came of checking a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// A published key signed it.
    Valid,
    /// The key is published and did not sign this token.
    Forged,
    /// The key is not published.
    KeyUnknown,
    /// The token names no key.
    KeyUnnamed,
    /// Not RS256.
    AlgorithmUnsupported,
    /// The published key cannot verify.
    KeyUnusable,
    /// No keys could be read.
    #[default]
    NotChecked,
}

impl ProbedToken {
    /// Header and claims of a token that was read.
    pub fn of(jwt: &Jwt) -> Self {
        let header = match serde_json::to_value(&jwt.header) {
            Ok(Value::Object(header)) => header,
            _ => Map::new(),
        };
        Self { header, claims: jwt.claims.all.clone(), ..Self::default() }
    }

    /// Notes what the signature check said.
    #[must_use]
    pub fn verified(mut self, verification: Verification, keys_from: &str) -> Self {
        let (signature, verified, detail) = match verification {
            Verification::Valid { key_id } => (Signature::Valid, Some(true), format!("key {key_id}")),
            Verification::Forged { key_id } => (Signature::Forged, Some(false), format!("key {key_id}")),
            Verification::KeyUnknown { key_id, published } => {
                let published = if published.is_empty() { "none".to_owned() } else { published.join(", ") };
                (Signature::KeyUnknown, Some(false), format!("key {key_id}; published: {published}"))
            }
            Verification::KeyUnnamed => (Signature::KeyUnnamed, Some(false), "the header has no kid".to_owned()),
            Verification::AlgorithmUnsupported { algorithm } => {
                (Signature::AlgorithmUnsupported, Some(false), format!("signed with {algorithm}"))
            }
            Verification::KeyUnusable { key_id, why } => (Signature::KeyUnusable, None, format!("key {key_id}: {why}")),
        };
        self.signature = signature;
        self.signature_verified = verified;
        self.signature_detail = Some(detail);
        self.keys_from = Some(keys_from.to_owned());
        self
    }

    /// The token as the checks take it. There is no signature in it.
    pub fn jwt(&self) -> Option<Jwt> {
        let part = |map: &Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(map.clone()).to_string());
        Jwt::parse(&RawToken::new(format!("{}.{}.", part(&self.header), part(&self.claims)))).ok()
    }
}

/// How far clocks are from the API server's, in seconds: positive is ahead. `None` where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Clock {
    /// The node's.
    pub node_skew_seconds: Option<i64>,
    /// This machine's.
    pub local_skew_seconds: Option<i64>,
}

impl Clock {
    /// Whether a clock is further away than Entra tolerates.
    pub fn is_off(skew: Option<i64>) -> bool {
        skew.is_some_and(|skew| skew.unsigned_abs() > TOLERATED_SKEW.unsigned_abs())
    }
}

/// What Entra said to the token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbedExchange {
    /// The authority host.
    pub authority: String,
    /// The tenant that was asked.
    pub tenant: String,
    /// The client id that was presented.
    pub client_id: String,
    /// The resource.
    pub resource: String,
    /// How many exchanges were tried.
    pub samples: usize,
    /// How many Entra granted.
    pub succeeded: usize,
    /// How long the answers took; `None` where none came.
    pub latency_ms: Option<Latency>,
    /// What Entra said no with, the most frequent first.
    pub errors: Vec<ExchangeError>,
    /// Exchanges that got no answer of Entra: why, and how often.
    pub unanswered: Vec<Unanswered>,
    /// Whom the access token is for.
    pub identity: Option<ExchangedIdentity>,
    /// Why nothing was sent at all.
    pub not_sent: Option<String>,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// The smallest.
    pub min: u64,
    /// The one in the middle.
    pub median: u64,
    /// The largest.
    pub max: u64,
}

/// An answer of Entra that says no.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExchangeError {
    /// The code, without its letters; 0 where the answer had none.
    pub aadsts: u32,
    /// How often it came.
    pub count: usize,
    /// Entra's words, the first time.
    pub message: String,
    /// For Microsoft's support and the sign-in logs, of the first time.
    pub correlation_id: Option<String>,
    /// For Microsoft's support, of the first time.
    pub trace_id: Option<String>,
}

/// No answer of Entra.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Unanswered {
    /// Why.
    pub why: String,
    /// How often.
    pub count: usize,
}

/// Whom an access token is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExchangedIdentity {
    /// Object id: what role assignments name.
    pub oid: Option<String>,
    /// Client id.
    pub appid: Option<String>,
    /// Tenant.
    pub tid: Option<String>,
}

/// Whether the authority host can be reached from the pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbedNetwork {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether its name is known there; `None` where nothing tells.
    pub name: Option<bool>,
    /// Whether a connection came about.
    pub tcp: Option<bool>,
    /// Whether TLS came about. The certificate is not checked: busybox cannot.
    pub tls: Option<bool>,
    /// What the program said that could not.
    pub said: Option<String>,
}
