//! What a rule has to say.

use super::object::ObjectRef;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Works by luck, or only partly.
    Warning,
    /// Identity cannot work, or will stop working.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// How a finding is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A probe or an exchange showed it.
    Proved,
    /// The API server or a manifest says it.
    Observed,
    /// It follows from what was read.
    Inferred,
}

/// One statement about one object.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable over runs: made from code, object and path.
    pub id: String,
    /// Code of the rule.
    pub code: &'static str,
    /// Name of the rule.
    pub name: &'static str,
    /// How bad it is here; a rule may say less than its usual level.
    pub level: Level,
    /// How it is known.
    pub confidence: Confidence,
    /// What it is about.
    pub object: ObjectRef,
    /// JSON pointer of the field, empty where the object as a whole is meant.
    pub path: String,
    /// Where that stands in a file.
    pub source: Option<SourceLocation>,
    /// One sentence that names the thing and what follows from it.
    pub message: String,
    /// What was seen.
    pub evidence: Vec<String>,
    /// Whether this is where a chain breaks.
    pub root_cause: bool,
    /// Ids of the findings that explain this one.
    pub blocked_by: Vec<String>,
    /// Codes of likely causes that are no finding.
    pub points_to: Vec<String>,
    /// What mends it.
    pub fix: Option<Fix>,
    /// The rule's page.
    pub docs: String,
    /// The link of the chain that it belongs to.
    #[serde(skip)]
    pub link: Link,
    /// Whether it is a consequence wherever something explains it.
    #[serde(skip)]
    pub symptom: bool,
    /// What the text that it quotes says of other rules.
    #[serde(skip)]
    pub observations: Vec<Observation>,
    /// Codes of all rules whose findings would explain it, those among them whose question is answered already.
    #[serde(skip)]
    pub causes: Vec<&'static str>,
}

/// What a text that was read tells of a rule, so that the rule need not ask for it: Entra's own words, for example,
/// that no federated credential has this subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Code of the rule.
    pub code: &'static str,
    /// One sentence that names the thing.
    pub message: String,
    /// The words, and where they stand.
    pub evidence: Vec<String>,
    /// What to do, in a few words.
    pub advice: String,
    /// The commands to run next.
    pub commands: Vec<String>,
    /// Codes of rules whose findings explain it.
    pub explained_by: Vec<&'static str>,
    /// Whether another reading of the text is possible.
    pub probable: bool,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceLocation {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line itself, for the drawing.
    #[serde(skip)]
    pub text: String,
}

/// What a fix changes, which decides what has to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FixKind {
    /// Nothing restarts.
    Metadata,
    /// A pod template changes, or pods restart.
    Restart,
    /// Access in Azure is granted or widened.
    Access,
    /// A command or value to copy; nothing is applied.
    Manual,
}

/// What mends a finding.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Fix {
    /// What it touches.
    pub kind: FixKind,
    /// One line.
    pub summary: String,
    /// Commands to run, most useful first.
    pub commands: Vec<String>,
    /// The Helm values that keep it.
    pub values: Option<String>,
    /// The patches that `fix` applies.
    pub changes: Vec<Change>,
    /// What only a person knows, which `fix` asks for before it can make the change.
    #[serde(skip)]
    pub asks: Vec<Ask>,
}

/// A value that only a person knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The client id, as an annotation of this account. The account is created where it does not exist.
    ClientId(ObjectRef),
    /// The tenant id, as an annotation of this account.
    TenantId(ObjectRef),
    /// Which service account the pod template of this workload names.
    ServiceAccount(ObjectRef),
    /// Which of the containers that this workload tells the webhook to skip need identity.
    Containers(ObjectRef),
}

impl Fix {
    /// A fix that a person carries out.
    pub fn manual(summary: impl Into<String>) -> Self {
        Self::new(FixKind::Manual, summary)
    }

    /// A fix of the given kind, without changes yet.
    pub fn new(kind: FixKind, summary: impl Into<String>) -> Self {
        Self {
            kind,
            summary: summary.into(),
            commands: Vec::new(),
            values: None,
            changes: Vec::new(),
            asks: Vec::new(),
        }
    }

    /// Adds a command.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }

    /// Gives the Helm values that keep it, on one line of YAML.
    #[must_use]
    pub fn values(mut self, values: Option<String>) -> Self {
        self.values = values;
        self
    }

    /// Adds something to ask for.
    #[must_use]
    pub fn ask(mut self, ask: Ask) -> Self {
        self.asks.push(ask);
        self
    }

    /// Whether `fix` can carry it out, perhaps after a question.
    pub fn is_applicable(&self) -> bool {
        !self.changes.is_empty() || !self.asks.is_empty() || self.kind == FixKind::Restart
    }

    /// Adds a change.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }
}

/// A patch of one object.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// The object.
    pub object: ObjectRef,
    /// RFC 6902 operations.
    pub patch: Vec<Operation>,
}

/// An operation of RFC 6902.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Adds or replaces a value.
    Add {
        /// JSON pointer
        path: String,
        /// The value
        value: serde_json::Value,
    },
    /// Replaces a value that is there.
    Replace {
        /// JSON pointer
        path: String,
        /// The value
        value: serde_json::Value,
    },
    /// Removes a value that is there.
    Remove {
        /// JSON pointer
        path: String,
    },
}

/// The links of the chain, in the order in which identity travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// The cluster and its token issuer.
    Cluster,
    /// The identity webhook.
    Webhook,
    /// The service account.
    ServiceAccount,
    /// The pod template.
    PodTemplate,
    /// The pods that run.
    Pod,
    /// The projected token.
    Token,
    /// The federated identity credential.
    FederatedCredential,
    /// The managed identity or app registration.
    Identity,
    /// Its roles.
    Role,
    /// The application's own settings.
    Application,
}

impl Link {
    /// All links, in order.
    pub const ALL: [Self; 10] = [
        Self::Cluster,
        Self::Webhook,
        Self::ServiceAccount,
        Self::PodTemplate,
        Self::Pod,
        Self::Token,
        Self::FederatedCredential,
        Self::Identity,
        Self::Role,
        Self::Application,
    ];

    /// How the drawing calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Webhook => "webhook",
            Self::ServiceAccount => "service account",
            Self::PodTemplate => "pod template",
            Self::Pod => "pods",
            Self::Token => "token",
            Self::FederatedCredential => "federated credential",
            Self::Identity => "identity",
            Self::Role => "role",
            Self::Application => "application",
        }
    }
}

/// Escapes one reference token of a JSON pointer (RFC 6901).
pub fn pointer_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Makes the stable id of a finding: the code and the first digits of a hash of object and path.
pub fn finding_id(code: &str, object: &ObjectRef, path: &str) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in [
        object.api_version.as_str(),
        object.kind.as_str(),
        object.namespace.as_deref().unwrap_or_default(),
        object.name.as_str(),
        path,
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let mut id = code.to_lowercase();
    id.push('-');
    for byte in digest.iter().take(5) {
        use fmt::Write;
        let _ = write!(id, "{byte:02x}");
    }
    id
}
