//! The login of the Azure Developer CLI: `azd auth token`.

use super::super::secret::Secret;
use super::command::{self, is_plain};
use super::{AccessToken, Credential, CredentialError, Wanted};
use crate::cluster::Environment;
use async_trait::async_trait;
use serde::Deserialize;
use std::time::{Duration, SystemTime};

pub(super) struct DeveloperCli {
    environment: Environment,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    token: String,
    #[serde(default)]
    expires_on: Option<jiff::Timestamp>,
}

impl DeveloperCli {
    pub(super) fn new(environment: Environment) -> Self {
        Self { environment }
    }
}

#[async_trait]
impl Credential for DeveloperCli {
    fn name(&self) -> &'static str {
        "Azure Developer CLI"
    }

    async fn token(&self, wanted: Wanted<'_>) -> Result<AccessToken, CredentialError> {
        const LOGIN: &str = "run \"azd auth login\"";
        let scope = wanted.scope();
        let mut arguments = vec!["auth", "token", "--output", "json", "--scope", &scope];
        if let Some(tenant) = wanted.tenant {
            arguments.extend(["--tenant-id", tenant]);
        }
        if !arguments.iter().skip(4).all(|argument| argument.starts_with("--") || is_plain(argument)) {
            return Err(CredentialError::failed(
                "the tenant or the endpoint has characters that cannot be handed to azd",
                "check --tenant and --arm-endpoint",
            ));
        }
        let Some(output) = command::run(&self.environment, "azd", &arguments).await? else {
            return Err(CredentialError::not_set_up("azd is not on PATH", LOGIN));
        };
        if !output.success {
            let not_logged_in = output.stderr.contains("azd auth login") && !output.stderr.contains("AADSTS");
            return Err(if not_logged_in {
                CredentialError::not_set_up("nobody is logged in to azd", LOGIN)
            } else {
                CredentialError::failed(output.stderr, LOGIN)
            });
        }
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|_| CredentialError::failed("azd answered something else than JSON with a token", "update azd"))?;
        let expires = answer.expires_on.map_or(SystemTime::now() + Duration::from_secs(300), SystemTime::from);
        Ok(AccessToken::new(Secret::new(answer.token), expires))
    }
}
