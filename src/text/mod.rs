//! Text from elsewhere, made safe to show and easy to compare.
//!
//! Logs, events and pasted errors come in every dress: UTF-16 from PowerShell, colours, JSON escapes, lines broken by a
//! terminal, tokens in the middle. [`decode`] makes text of bytes, [`clean`] takes out what would move a cursor,
//! [`Squeezed`] takes out what only lays it out, and [`mask`] hides what is secret.

mod clean;
mod decode;
mod mask;
mod pattern;
mod span;
mod squeeze;

pub use clean::clean;
pub use decode::decode;
pub(crate) use mask::mask_squeezed;
pub use mask::{HIDDEN, mask, reveal};
pub(crate) use pattern::pattern;
pub(crate) use span::span;
pub use squeeze::Squeezed;
