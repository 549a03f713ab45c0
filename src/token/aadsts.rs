//! Entra's error codes.
