//! WI1: the pod template.

pub mod label;
