//! From findings to a repaired workload: plan, question, apply, undo. The only code that decides to change anything.
//!
//! The plan is data, made by [`plan`] from the findings' fixes and the objects as they were read. [`files`] carries
//! it out in manifests, [`apply`] on a cluster; both say what became of each step in a [`report::FixReport`].

pub mod answers;
pub mod apply;
pub mod diff;
pub mod effect;
pub mod export;
pub mod files;
pub mod impact;
pub mod journal;
pub mod owner;
pub mod path;
pub mod plan;
pub mod question;
pub mod report;
