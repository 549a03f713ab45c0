//! Tests that need no cluster and no network.

mod azure;
