//! The command line: parses, wires, prints; knows nothing of identity.

pub mod kubectl_flags;
