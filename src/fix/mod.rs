//! From findings to a repaired workload: plan, question, apply, undo. The only code that decides to change anything.
//!
//! The plan is data, made by [`plan`] from the findings' fixes and the objects as they were read. [`files`] carries
//! it out in manifests, [`apply`] on a cluster; both say what became of each step in a [`report::FixReport`].

pub mod answers;
pub mod apply;
pub mod azure;
pub mod candidates;
pub mod diff;
pub mod difference;
pub mod effect;
pub mod export;
pub mod files;
pub mod impact;
pub mod journal;
mod making;
pub mod merge;
pub mod operations;
pub mod owner;
pub mod path;
pub mod plan;
pub mod predict;
pub mod question;
pub mod report;
pub mod safety;
pub mod undo;
