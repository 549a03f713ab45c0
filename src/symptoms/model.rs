//! What a failure's own words say, as data.

use crate::model::finding::Confidence;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// Where a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A container's log, or a file that a log was saved to.
    Log,
    /// An event of Kubernetes.
    Event,
    /// A condition or message in an object's status.
    Condition,
    /// What a person pasted: anything.
    Pasted,
}

/// What is known about the workload whose words these are. Everything may be unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Whether the workload is meant for workload identity. Where it is not, a failing credential is its own affair
    /// (WI807).
    pub meant: Option<bool>,
    /// Whether its pods have what the webhook injects.
    pub mutated: Option<bool>,
    /// The known application that it is: `velero`, `keda`, `thanos`, ... Else it is guessed from the text.
    pub application: Option<&'a str>,
    /// The cluster's token issuer; tells which cloud the cluster is in.
    pub issuer: Option<&'a str>,
}

/// What kind of failure a text shows, the strongest explanation first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The identity webhook cannot be called, or refuses a pod.
    Webhook,
    /// Kubernetes cannot give the pod its token volume, or refuses the pod.
    Pod,
    /// Entra refused the exchange.
    Entra,
    /// The token file is missing, empty or unreadable.
    TokenFile,
    /// Client id, tenant or token file are not set.
    NotConfigured,
    /// Another credential than workload identity was used.
    OtherCredential,
    /// An application's own setting is wrong.
    Application,
    /// aad-pod-identity answered.
    PodIdentity,
    /// The authority cannot be reached.
    Network,
    /// The node's metadata endpoint was asked.
    NodeIdentity,
    /// Identity works, a role is missing.
    Roles,
    /// Identity works, the resource's network refuses.
    Firewall,
    /// A controller's summary of a failure that its log tells.
    Summary,
    /// Nothing about identity.
    Elsewhere,
}

impl Kind {
    /// Whether it is about identity at all.
    pub fn is_identity(self) -> bool {
        self != Self::Elsewhere
    }
}

/// The class of a failure that is not about identity (WI807).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A disk or volume is full, or cannot be attached.
    Storage,
    /// Killed for memory, or evicted.
    Memory,
    /// A quota or limit of the cluster or of Azure.
    Quota,
    /// Too many requests.
    Throttling,
    /// Something that is named does not exist.
    NotFound,
    /// It exists already, is locked, or is being changed.
    Conflict,
    /// An image cannot be pulled.
    Image,
    /// A name cannot be resolved, or a host cannot be reached, that has nothing to do with identity.
    Network,
    /// A certificate that has nothing to do with identity.
    Tls,
    /// Kubernetes' own permissions.
    KubernetesRbac,
    /// A policy of the cluster or of Azure.
    Policy,
    /// No node fits.
    Scheduling,
    /// A database or broker refuses its own user or password.
    Password,
    /// The application's configuration or code.
    Application,
    /// A probe fails, a container exits.
    Crash,
    /// Azure has a fault.
    Service,
    /// Another cloud's credentials.
    OtherCloud,
    /// Another credential that was chosen on purpose.
    ChosenCredential,
    /// The image has no shell, so a command proves nothing.
    NoShell,
    /// Something that has no word of identity in it, and is not known otherwise.
    Other,
}

impl Class {
    /// What it is, in a few words.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Storage => "a disk or volume",
            Self::Memory => "memory",
            Self::Quota => "a quota or limit",
            Self::Throttling => "throttling",
            Self::NotFound => "something that is named does not exist",
            Self::Conflict => "something else holds or changes the resource",
            Self::Image => "pulling an image",
            Self::Network => "the network to something else than Entra",
            Self::Tls => "a certificate of something else than Entra",
            Self::KubernetesRbac => "permissions within Kubernetes",
            Self::Policy => "a policy",
            Self::Scheduling => "scheduling",
            Self::Password => "a user name and password of its own",
            Self::Application => "the application's configuration or code",
            Self::Crash => "a container that ends or does not become ready",
            Self::Service => "a fault of an Azure service",
            Self::OtherCloud => "another cloud's credentials",
            Self::ChosenCredential => "another credential, chosen on purpose",
            Self::NoShell => "an image without a shell",
            Self::Other => "something else",
        }
    }
}

/// How much a symptom weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Known to do no harm, such as an optional read that is denied.
    Harmless,
    /// Said at the level of information or below: perhaps only a step on the way to a credential that works.
    Quiet,
    /// A failure.
    Failure,
}

/// Where in the text a symptom stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// Line, from 1.
    pub line: u64,
    /// The time that the line gives, as it stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// What a text tells about the things that failed. A value is as it stands there, without line breaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
pub struct Facts {
    /// AADSTS code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aadsts: Option<u32>,
    /// Client (application) id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Object (principal) id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// Tenant, by id or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The issuer that was presented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The subject that was presented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The audience that was presented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The subject that Entra expects, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_subject: Option<String>,
    /// Namespace of the workload or account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The action that was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The scope, or the resource, that it was denied on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The resource or scope that a token was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The host that was talked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The token file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// For Microsoft's support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// For Microsoft's support, and for the tenant's sign-in logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

/// One failure, however often it was said.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Symptom {
    /// Code: a WI8 symptom, or the rule that the text proves by itself (a webhook that cannot be called is WI302).
    pub code: &'static str,
    /// Name of the code.
    pub name: &'static str,
    /// Which wording was recognised.
    pub signature: &'static str,
    /// What kind of failure it is.
    pub kind: Kind,
    /// The class, where it is not about identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// How much it weighs.
    pub weight: Weight,
    /// Observed where the text says it, inferred where it allows another reading.
    pub confidence: Confidence,
    /// The rule that these words are an observation of, so that it need not be asked for again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gives: Option<&'static str>,
    /// The rules that look for the cause, the likeliest first.
    pub points_to: Vec<&'static str>,
    /// What it means.
    pub means: Cow<'static, str>,
    /// What causes it, in the order to look.
    pub causes: Vec<Cow<'static, str>>,
    /// The commands to run next, the most useful first.
    pub next: Vec<String>,
    /// What the text tells about the things involved.
    pub facts: Facts,
    /// The application whose words they are, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<&'static str>,
    /// The words themselves, without secrets and control characters.
    pub excerpt: String,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: Place,
    /// The last time.
    pub last: Place,
    /// The signature of the symptom that this one follows from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<&'static str>,
}

impl Symptom {
    /// The code of the root cause as far as the text tells it: what it gives, else its likeliest cause, else itself.
    pub fn root_code(&self) -> &'static str {
        self.gives.or_else(|| self.points_to.first().copied()).unwrap_or(self.code)
    }
}
