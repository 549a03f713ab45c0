//! An emulator and a login to it.

use async_trait::async_trait;
use kubectl_wi::azure::{AccessToken, Azure, Credential, CredentialError, Guid, Options, ResourceId, Secret, Wanted};
use kubectl_wi::cluster::Environment;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use wi_test_azure::{Emulator, Recorded, Tenant, examples};

/// A login that the emulator gives tokens to.
pub(crate) struct Login {
    pub emulator: Arc<Emulator>,
    pub lifetime: Duration,
    pub fetched: Arc<AtomicUsize>,
}

#[async_trait]
impl Credential for Login {
    fn name(&self) -> &'static str {
        "test login"
    }

    async fn token(&self, wanted: Wanted<'_>) -> Result<AccessToken, CredentialError> {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        let token = self.emulator.access_token(wanted.resource, self.lifetime);
        Ok(AccessToken::new(Secret::new(token), SystemTime::now() + self.lifetime))
    }
}

pub(crate) struct Lab {
    pub emulator: Arc<Emulator>,
    pub azure: Azure,
    /// How often a token was fetched.
    pub fetched: Arc<AtomicUsize>,
}

pub(crate) fn options(emulator: &Emulator) -> Options {
    Options {
        arm_endpoint: Some(emulator.arm_endpoint()),
        request_timeout: Duration::from_secs(5),
        longest_wait: Duration::from_secs(2),
        conflict_pause: Duration::from_millis(20),
        extra_roots: vec![emulator.ca()],
        ..Options::default()
    }
}

impl Lab {
    pub(crate) async fn start(tenant: Tenant) -> Self {
        Self::with(tenant, |_| {}).await
    }

    pub(crate) async fn with(tenant: Tenant, change: impl FnOnce(&mut Options)) -> Self {
        let emulator = Arc::new(Emulator::start(tenant).await.unwrap());
        let mut options = options(&emulator);
        change(&mut options);
        let fetched = Arc::new(AtomicUsize::new(0));
        let login =
            Login { emulator: Arc::clone(&emulator), lifetime: Duration::from_hours(1), fetched: Arc::clone(&fetched) };
        let azure = Azure::connect_with(&options, &Environment::empty(), Box::new(login)).await.unwrap();
        emulator.forget();
        Self { emulator, azure, fetched }
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.emulator.requests()
    }

    /// What the real Azure would not have taken.
    pub(crate) fn assert_proper(&self) {
        assert_eq!(self.emulator.violations(), Vec::<String>::new());
    }
}

pub(crate) fn mi1() -> ResourceId {
    ResourceId::parse(examples::IDENTITY).unwrap()
}

pub(crate) fn client() -> Guid {
    Guid::parse(examples::CLIENT).unwrap()
}

pub(crate) fn principal() -> Guid {
    Guid::parse(examples::PRINCIPAL).unwrap()
}

pub(crate) fn subscription() -> Guid {
    Guid::parse(examples::SUBSCRIPTION).unwrap()
}
