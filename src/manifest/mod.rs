//! Manifests: files in, with the place of every value, and files out.

pub mod collect;
pub mod edit;
pub mod locate;
pub mod log;
mod plain;
pub mod read;
mod splice;
