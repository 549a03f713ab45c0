//! Proof from inside the pod: the ladder of ways to a token, and what was seen on it.
//!
//! Specifications say what should be; a probe says what is. [`run`] climbs the ladder for each container that is meant:
//! it reads the token file with what the image has ([`reader`]), else from an ephemeral container that mounts the pod's
//! own token volume ([`ephemeral`]), else it asks the API server for a token of the same account and audience
//! ([`token_request`]). What was seen is plain data ([`facts`]); the rules of `WI41x` draw the conclusions, and
//! [`report`] puts both together.
//!
//! A token goes from a stream into a buffer that is wiped, from there into the signature check and, with `--exchange`,
//! to the authority host; it is in no error, no output and no command line. Every step is bounded in time on this side.

pub mod environment;
pub mod ephemeral;
pub mod exchange;
pub mod facts;
pub mod file;
pub mod keys;
pub mod ladder;
pub mod network;
pub mod reader;
pub mod report;
pub mod run;
pub mod text;
pub mod token_request;

pub use facts::{ContainerProbe, ProbeFacts};
