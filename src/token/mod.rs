//! What is known about tokens without asking anybody.
//!
//! Reading a projected service account token ([`jwt`]), checking its signature against the issuer's published keys
//! ([`jwks`]), comparing it with what the cluster and the federated identity credential expect ([`check`]), showing
//! where two values differ ([`difference`]), and explaining Entra's error codes ([`aadsts`]). Nothing here reads a
//! file, asks a server or judges: the result is data.

pub mod aadsts;
pub mod check;
pub mod difference;
pub mod jwks;
pub mod jwt;
