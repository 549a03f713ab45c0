//! What a person or a machine sees of an inspection: one file a format.

pub mod model;
pub mod schema;
pub mod style;
pub mod text;
