//! What a person or a machine sees of an inspection: one file a format.

mod applied;
pub mod github;
pub mod identity;
pub mod markdown;
pub mod model;
pub mod redact;
pub mod sarif;
pub mod schema;
pub mod style;
pub mod text;
