//! A service principal or a federated token that the environment names, with the variables of Microsoft's SDKs.

use super::super::authority::{Authority, TokenFailure, request_token};
use super::super::secret::Secret;
use super::super::transport::Transport;
use super::{AccessToken, Credential, CredentialError, Wanted, certificate};
use crate::cluster::Environment;
use async_trait::async_trait;
use std::time::SystemTime;

/// The form field that says what kind of proof `client_assertion` is (RFC 7523).
pub(in super::super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Which of the environment's proofs may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Secret, certificate, federated token: the first that is set.
    Any,
    /// The federated token only.
    FederatedToken,
}

pub(super) struct FromEnvironment {
    environment: Environment,
    transport: Transport,
    authority: Authority,
    which: Which,
}

/// What proves who the client is.
enum Proof {
    Secret(Secret),
    Assertion(Secret),
}

impl FromEnvironment {
    pub(super) fn new(environment: Environment, transport: Transport, authority: Authority, which: Which) -> Self {
        Self { environment, transport, authority, which }
    }

    fn proof(&self, client: &str, endpoint: &str) -> Result<Proof, CredentialError> {
        let variable = |name| self.environment.text(name);
        if self.which == Which::Any {
            if let Some(secret) = variable("AZURE_CLIENT_SECRET") {
                return Ok(Proof::Secret(Secret::new(secret.to_owned())));
            }
            if let Some(path) = variable("AZURE_CLIENT_CERTIFICATE_PATH") {
                return certificate::assertion(path, client, endpoint).map(Proof::Assertion);
            }
        }
        if let Some(path) = variable("AZURE_FEDERATED_TOKEN_FILE") {
            let token = std::fs::read_to_string(path).map_err(|error| {
                CredentialError::failed(
                    format!("AZURE_FEDERATED_TOKEN_FILE: {path}: {error}"),
                    "name a file that holds a service account token",
                )
            })?;
            return Ok(Proof::Assertion(Secret::new(token).trimmed()));
        }
        let wanted = match self.which {
            Which::Any => "AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or AZURE_FEDERATED_TOKEN_FILE",
            Which::FederatedToken => "AZURE_FEDERATED_TOKEN_FILE",
        };
        Err(CredentialError::not_set_up(format!("{wanted} is not set"), format!("set {wanted}")))
    }
}

#[async_trait]
impl Credential for FromEnvironment {
    fn name(&self) -> &'static str {
        match self.which {
            Which::Any => "environment",
            Which::FederatedToken => "workload identity",
        }
    }

    async fn token(&self, wanted: Wanted<'_>) -> Result<AccessToken, CredentialError> {
        let missing = |name: &str| CredentialError::not_set_up(format!("{name} is not set"), format!("set {name}"));
        let client = self.environment.text("AZURE_CLIENT_ID").ok_or_else(|| missing("AZURE_CLIENT_ID"))?;
        let tenant = wanted
            .tenant
            .or_else(|| self.environment.text("AZURE_TENANT_ID"))
            .ok_or_else(|| missing("AZURE_TENANT_ID"))?;
        let wrong = |error: super::super::error::Error| {
            CredentialError::failed(error.to_string(), "check AZURE_AUTHORITY_HOST and AZURE_TENANT_ID")
        };
        let authority = match self.environment.text("AZURE_AUTHORITY_HOST") {
            Some(url) => Authority::given(url).map_err(wrong)?,
            None => self.authority.clone(),
        };
        let endpoint = authority.token_endpoint(tenant).map_err(wrong)?;
        let proof = self.proof(client, endpoint.as_str())?;
        let scope = wanted.scope();
        let mut form = vec![("scope", scope.as_str()), ("client_id", client)];
        match &proof {
            Proof::Secret(secret) => form.push(("client_secret", secret.expose())),
            Proof::Assertion(assertion) => {
                form.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.expose())]);
            }
        }
        form.push(("grant_type", "client_credentials"));
        match request_token(&self.transport, &endpoint, &form).await {
            Ok(granted) => Ok(AccessToken::new(granted.token, SystemTime::now() + granted.expires_in)),
            Err(TokenFailure::Rejected(error)) => Err(CredentialError::failed(
                format!("Entra refused client {client}: {error}"),
                "check AZURE_CLIENT_ID, AZURE_TENANT_ID and the secret, the certificate or the token",
            )),
            Err(TokenFailure::NoAnswer(error)) => Err(CredentialError::failed(
                error.to_string(),
                "check the network, HTTPS_PROXY and AZURE_AUTHORITY_HOST",
            )),
        }
    }
}
