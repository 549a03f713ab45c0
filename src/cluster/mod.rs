//! The only code that talks to Kubernetes.
//!
//! [`Client::connect`] takes kubectl's flags and finds the cluster as kubectl does; every call on it is bounded in
//! time, reads are repeated when the server asks for it, writes never. Nothing here judges: what could not be read is
//! an [`Error`], which becomes a [`crate::model::fact::Fact`].

mod access;
mod answer;
mod client;
pub mod collect;
mod config;
mod config_error;
mod discovery;
mod duration;
mod environment;
mod error;
mod events;
mod exec;
mod exec_plugin;
mod kubeconfig;
mod list;
mod list_items;
mod logs;
mod operation;
mod options;
mod patch;
mod proxy;
pub mod resource;
mod retry;
pub mod rollout;
mod server;
mod token_request;

pub use access::{Access, Right, WhoAmI};
pub use client::{Client, Exchange, Stats};
pub use config::{Connection, USER_AGENT};
pub use config_error::ConfigError;
pub use discovery::{Discovery, TypeLookup};
pub use duration::parse_duration;
pub use environment::Environment;
pub use error::Error;
pub use events::ObjectEvent;
pub use exec::{ExecOutcome, ExecQuery};
pub use exec_plugin::ExecPluginError;
pub use kubeconfig::Names;
pub use list::{Consistency, ListQuery, Listed};
pub use logs::LogQuery;
pub use operation::Operation;
pub use options::{ConnectOptions, Impersonation, RequestTimeout};
pub use patch::{FIELD_MANAGER, Patch, PatchRequest, Precondition};
pub(crate) use proxy::of_environment as proxy_of_environment;
pub use resource::ResourceType;
pub use server::{OpenIdConfiguration, ServerVersion};
pub use token_request::{AccountToken, TokenQuery};
