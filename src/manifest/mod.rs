//! Manifests: files in, with the place of every value, and files out.

pub mod collect;
pub mod locate;
pub mod read;
