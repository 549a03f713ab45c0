//! What applications and Kubernetes say about identity, recognised and explained.
//!
//! The same failure is worded differently by each SDK, wrapped by each terminal and escaped by each logger; the
//! tables under `families/` have the wordings, and [`classify`] finds them in logs, events, conditions and whatever
//! somebody pasted. [`diagnose`] puts what was found into an order: the root first, what follows from it behind, what
//! to look at and which command to run next. No cluster is asked, and nothing secret is kept: see [`crate::text`].

mod applications;
mod assemble;
mod classifier;
mod codes;
mod commands;
mod describe;
mod diagnose;
mod engine;
mod extract;
mod families;
mod line;
mod model;
mod record;
pub mod report;
mod signature;

pub use classifier::{Classifier, classify};
pub use codes::{name, question};
pub use diagnose::{PastedReport, PastedToken, Step, Verdict, diagnose, diagnose_in};
pub use model::{Class, Context, Facts, Kind, Origin, Place, Symptom, Weight};
