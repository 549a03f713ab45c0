//! WI2: the service account.

pub mod annotation;
pub mod client_id;
pub mod common;
pub mod legacy;
pub mod missing;
pub mod tenant;
