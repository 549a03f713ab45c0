//! The Azure side against the emulator, which answers with what real services answered.

mod binary;
mod clusters;
mod compare;
mod credentials;
mod declared;
mod discover;
mod emulator;
mod errors;
mod exchange;
mod login;
mod network;
mod published;
mod requests;
mod roles;
mod secrets;
pub(crate) mod support;
mod throttling;
