//! An emulator of the parts of Azure that kubectl-wi asks: Azure Resource Manager, Resource Graph, Microsoft Graph and
//! Entra's token endpoint.
//!
//! It answers with the bodies and headers of `tests/data/azure`, keeps state, checks API versions and permissions,
//! verifies the tokens that are presented, and fails on demand. One listener speaks HTTP on loopback, another one HTTPS
//! with a certificate of the emulator's own authority.

mod answer;
mod arm;
mod entra;
mod fault;
mod graph;
mod jwt;
mod query;
mod recorded;
mod server;
mod tenant;
mod up;

pub use answer::Answer;
pub use fault::Fault;
pub use jwt::{SigningKey, token};
pub use recorded::{Recorded, file};
pub use tenant::{
    Application, Assignment, Caller, Cluster, Credential, Definition, Extension, Identity, Issuer, Subscription,
    Tenant, Vault, examples,
};
pub use up::{UpOptions, start, start_seeded, up};

use anyhow::{Context, Result};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;

/// A running emulator. It ends when it is dropped.
pub struct Emulator {
    shared: Arc<Shared>,
    port: u16,
    tls_port: u16,
    ca: rustls_pki_types::CertificateDer<'static>,
    ca_pem: String,
    servers: Vec<tokio::task::JoinHandle<()>>,
}

pub(crate) struct Shared {
    pub tenant: Mutex<Tenant>,
    pub recorded: Mutex<Vec<Recorded>>,
    pub faults: Mutex<Vec<Fault>>,
    /// What a client did that the real Azure would not take, or that the documentation does not know.
    pub violations: Mutex<Vec<String>>,
    pub issued: Mutex<entra::Issued>,
    /// Identities under which a write is on its way.
    pub writing: Mutex<HashSet<usize>>,
}

/// A poisoned lock is one whose test has already failed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Emulator {
    /// Starts on free ports.
    ///
    /// # Errors
    /// No port, or no certificate.
    pub async fn start(tenant: Tenant) -> Result<Self> {
        Self::start_on(tenant, 0, 0).await
    }

    /// Starts on the given ports; 0 is a free one.
    ///
    /// # Errors
    /// A port that is taken, or no certificate.
    pub async fn start_on(tenant: Tenant, port: u16, tls_port: u16) -> Result<Self> {
        let shared = Arc::new(Shared {
            tenant: Mutex::new(tenant),
            recorded: Mutex::default(),
            faults: Mutex::default(),
            violations: Mutex::default(),
            issued: Mutex::default(),
            writing: Mutex::default(),
        });
        let http = TcpListener::bind(("127.0.0.1", port)).await.context("the port for HTTP")?;
        let https = TcpListener::bind(("127.0.0.1", tls_port)).await.context("the port for HTTPS")?;
        let (port, tls_port) = (http.local_addr()?.port(), https.local_addr()?.port());
        let tls = server::Tls::make()?;
        let servers = vec![
            tokio::spawn(server::serve(http, None, Arc::clone(&shared))),
            tokio::spawn(server::serve(https, Some(tls.acceptor), Arc::clone(&shared))),
        ];
        Ok(Self { shared, port, tls_port, ca: tls.ca, ca_pem: tls.ca_pem, servers })
    }

    /// For `--arm-endpoint`.
    pub fn arm_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same over TLS.
    pub fn arm_endpoint_tls(&self) -> String {
        format!("https://127.0.0.1:{}", self.tls_port)
    }

    /// Where the emulator's metadata says that Microsoft Graph is: another host than ARM's, so that a token for the
    /// one is refused by the other.
    pub fn graph_endpoint(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// For `AZURE_AUTHORITY_HOST` and `--authority-host`.
    pub fn authority(&self) -> String {
        format!("https://127.0.0.1:{}/", self.tls_port)
    }

    /// The certificate to trust.
    pub fn ca(&self) -> rustls_pki_types::CertificateDer<'static> {
        self.ca.clone()
    }

    /// The certificate to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A token for one of the endpoints, as the login of the tenant's caller would give it.
    pub fn access_token(&self, resource: &str, lifetime: Duration) -> String {
        let tenant = lock(&self.shared.tenant).clone();
        let caller = tenant.caller.clone();
        let claims = entra::claims(&tenant, resource, &caller.object_id, &caller.object_id, None);
        lock(&self.shared.issued).issue(&claims, resource, SystemTime::now() + lifetime)
    }

    /// What was asked so far, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.shared.recorded).clone()
    }

    /// Forgets what was asked so far.
    pub fn forget(&self) {
        lock(&self.shared.recorded).clear();
    }

    /// What the client did that the real Azure would not take.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.shared.violations).clone()
    }

    /// Lets some of the next requests fail.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.faults).push(fault);
    }

    /// Changes the tenant while it runs.
    pub fn change<T>(&self, change: impl FnOnce(&mut Tenant) -> T) -> T {
        change(&mut lock(&self.shared.tenant))
    }

    /// Makes every token that was issued so far worthless, as a revocation does.
    pub fn revoke_tokens(&self) {
        lock(&self.shared.issued).revoke();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}
