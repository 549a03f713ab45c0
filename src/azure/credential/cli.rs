//! The login of the Azure CLI: `az account get-access-token`.
//!
//! The CLI keeps tokens and refreshes them itself; the same token can come back until it has five minutes left.

use super::super::secret::Secret;
use super::command::{self, is_plain};
use super::{AccessToken, Credential, CredentialError, Wanted};
use crate::cluster::Environment;
use async_trait::async_trait;
use serde::Deserialize;
use std::time::{Duration, SystemTime};

pub(super) struct AzureCli {
    environment: Environment,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: String,
    /// Seconds since 1970; from Azure CLI 2.54 on.
    #[serde(rename = "expires_on", default)]
    expires_at: Option<i64>,
    /// Local time without a zone.
    #[serde(default)]
    expires_on: Option<String>,
}

impl AzureCli {
    pub(super) fn new(environment: Environment) -> Self {
        Self { environment }
    }
}

#[async_trait]
impl Credential for AzureCli {
    fn name(&self) -> &'static str {
        "Azure CLI"
    }

    async fn token(&self, wanted: Wanted<'_>) -> Result<AccessToken, CredentialError> {
        let mut arguments = vec!["account", "get-access-token", "--output", "json", "--resource", wanted.resource];
        if let Some(tenant) = wanted.tenant {
            arguments.extend(["--tenant", tenant]);
        }
        if !arguments.iter().skip(4).all(|argument| argument.starts_with("--") || is_plain(argument)) {
            return Err(CredentialError::failed(
                "the tenant or the endpoint has characters that cannot be handed to az",
                "check --tenant and --arm-endpoint",
            ));
        }
        let login = login_command(wanted.tenant);
        let Some(output) = command::run(&self.environment, "az", &arguments).await? else {
            return Err(CredentialError::not_set_up("az is not on PATH", login));
        };
        if !output.success {
            return Err(refusal(&output.stderr, login));
        }
        let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|_| {
            // serde's own text can quote the input, which holds the token.
            CredentialError::failed(
                "az answered something else than JSON with an accessToken",
                "update the Azure CLI: az upgrade",
            )
        })?;
        let expires = expiry(&answer);
        Ok(AccessToken::new(Secret::new(answer.access_token), expires))
    }
}

fn login_command(tenant: Option<&str>) -> String {
    match tenant {
        Some(tenant) => format!("run \"az login --tenant {tenant}\""),
        None => "run \"az login\"".to_owned(),
    }
}

/// `Please run 'az login' to setup account.` is nobody logged in; with an AADSTS code it is a login that Entra refused
/// (70043, 700082, 50173: the refresh token has ended or was revoked).
fn refusal(stderr: &str, login: String) -> CredentialError {
    let codes = stderr.contains("AADSTS");
    if !codes && (stderr.contains("az login") || stderr.contains("az account set")) {
        return CredentialError::not_set_up("nobody is logged in to az", login);
    }
    let reason = if stderr.is_empty() { "az failed and said nothing".to_owned() } else { stderr.to_owned() };
    CredentialError::failed(reason, login)
}

fn expiry(answer: &Answer) -> SystemTime {
    let now = SystemTime::now();
    if let Some(seconds) = answer.expires_at.and_then(|seconds| u64::try_from(seconds).ok()) {
        return SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(now);
    }
    answer
        .expires_on
        .as_deref()
        .and_then(|text| text.parse::<jiff::civil::DateTime>().ok())
        .and_then(|local| local.to_zoned(jiff::tz::TimeZone::system()).ok())
        .map_or(now + Duration::from_secs(300), |zoned| SystemTime::from(zoned.timestamp()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tells_not_logged_in_from_a_login_that_has_ended() {
        let login = || "run \"az login\"".to_owned();
        assert!(refusal("ERROR: Please run 'az login' to setup account.", login()).not_set_up);
        let ended = refusal(
            "ERROR: AADSTS700082: The refresh token has expired. To re-authenticate, please run: az login",
            login(),
        );
        assert!(!ended.not_set_up && ended.reason.contains("AADSTS700082"));
        assert!(refusal("", login()).reason.contains("said nothing"));
    }

    #[test]
    fn both_forms_of_the_end_are_read() {
        let both: Answer = serde_json::from_str(
            r#"{"accessToken":"t","expiresOn":"2026-11-21 17:51:02.000000","expires_on":1795283462}"#,
        )
        .unwrap();
        assert_eq!(expiry(&both), SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_283_462));
        let old: Answer =
            serde_json::from_str(r#"{"accessToken":"t","expiresOn":"2026-11-21 17:51:02.000000"}"#).unwrap();
        let day = Duration::from_secs(86_400);
        let utc = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_283_462);
        assert!(expiry(&old) > utc - day && expiry(&old) < utc + day);
        let none: Answer = serde_json::from_str(r#"{"accessToken":"t"}"#).unwrap();
        assert!(expiry(&none) > SystemTime::now());
    }
}
