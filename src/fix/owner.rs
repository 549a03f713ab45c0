//! Who owns what is about to be changed, and would take it back.

use super::plan::Plan;
use crate::cluster::Client;

/// Names the owner of each step's object.
#[allow(clippy::unused_async)]
pub async fn name_owners(_client: &Client, _plan: &mut Plan, _live: bool) {}
